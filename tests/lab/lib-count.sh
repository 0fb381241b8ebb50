# Counting what a VMM costs: returns to userspace from KVM_RUN, and system calls. Sourced by lib.sh.
#
# The kernel counts, not the VMM: the tracepoint kvm:kvm_userspace_exit fires at every return of
# KVM_RUN, in any VMM, and a hist trigger adds up by reason inside the kernel, so that nothing is
# lost and counting costs the guest next to nothing. Counts are of all VMs in L1 together.

TRACE=/sys/kernel/tracing/events/kvm

kvm_exits_start() {
	[ -d "$TRACE/kvm_userspace_exit" ] || fail "tracepoint kvm_userspace_exit is missing: kvm not loaded?"
	kvm_exits_clear
	echo 'hist:keys=reason' >"$TRACE/kvm_userspace_exit/trigger"
	echo 'hist:keys=exit_reason' >"$TRACE/kvm_exit/trigger"
}

kvm_exits_clear() {
	echo '!hist:keys=reason' >"$TRACE/kvm_userspace_exit/trigger" 2>/dev/null || true
	echo '!hist:keys=exit_reason' >"$TRACE/kvm_exit/trigger" 2>/dev/null || true
}

hist_total() { sed -n 's/^ *Hits: *//p' "$TRACE/$1/hist"; }

# <linux/kvm.h>'s KVM_EXIT_*; a return without a reason is a signal or an error (reason 10).
exit_name() {
	case $1 in
	0) echo unknown ;; 1) echo exception ;; 2) echo io ;; 3) echo hypercall ;; 4) echo debug ;;
	5) echo hlt ;; 6) echo mmio ;; 7) echo irq-window ;; 8) echo shutdown ;; 9) echo fail-entry ;;
	10) echo intr ;; 17) echo internal-error ;; 24) echo system-event ;; 26) echo ioapic-eoi ;;
	29) echo rdmsr ;; 30) echo wrmsr ;; 39) echo memory-fault ;;
	*) echo "reason-$1" ;;
	esac
}

# Prints "userspace-exits TOTAL", then "userspace-exits.REASON COUNT" a line, then "exits TOTAL".
kvm_exits_stop() {
	local reason hits
	echo "userspace-exits $(hist_total kvm_userspace_exit)"
	sed -n 's/^{ *reason: *\([0-9]*\) *} *hitcount: *\([0-9]*\).*/\1 \2/p' \
		"$TRACE/kvm_userspace_exit/hist" | sort -k2,2nr | while read -r reason hits; do
		echo "userspace-exits.$(exit_name "$reason") $hits"
	done
	echo "exits $(hist_total kvm_exit)"
	kvm_exits_clear
}

# trace_ioctls FILE COMMAND...: runs the command under strace, its ioctls by name into FILE. Slows a
# VMM several times over: count here, never time.
trace_ioctls() {
	local file=$1
	shift
	strace -f -qq -e trace=ioctl -e signal=none -o "$file" "$@"
}

# count_ioctls FILE NAME...: "NAME COUNT" a line. KVM_RUN is left out of FILE's interest: the
# tracepoint above counts it for nothing.
count_ioctls() {
	local file=$1 name
	shift
	for name in "$@"; do
		echo "$name $(grep -c -w -- "$name" "$file" || true)"
	done
}
