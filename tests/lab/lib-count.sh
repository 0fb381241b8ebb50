# Counting what a VMM costs: returns to userspace from KVM_RUN, and system calls. Sourced by lib.sh.
#
# The kernel counts, not the VMM: the tracepoint kvm:kvm_userspace_exit fires at every return of
# KVM_RUN, in any VMM, and a hist trigger adds up by reason inside the kernel, so that nothing is
# lost and counting costs the guest next to nothing. Counts are of all VMs in L1 together.

TRACE=/sys/kernel/tracing/events/kvm

kvm_exits_start() {
	[ -d "$TRACE/kvm_userspace_exit" ] || fail "tracepoint kvm_userspace_exit is missing: kvm not loaded?"
	kvm_exits_clear
	echo 'hist:keys=reason,errno' >"$TRACE/kvm_userspace_exit/trigger"
	echo 'hist:keys=exit_reason' >"$TRACE/kvm_exit/trigger"
}

kvm_exits_clear() {
	echo '!hist:keys=reason,errno' >"$TRACE/kvm_userspace_exit/trigger" 2>/dev/null || true
	echo '!hist:keys=exit_reason' >"$TRACE/kvm_exit/trigger" 2>/dev/null || true
}

hist_total() { sed -n 's/^ *Hits: *//p' "$TRACE/$1/hist"; }

# <linux/kvm.h>'s KVM_EXIT_*. With an errno the reason is a stale one: KVM_RUN was interrupted.
exit_name() { # REASON ERRNO
	[ "$2" = 0 ] || { echo interrupted; return; }
	case $1 in
	0) echo unknown ;; 1) echo exception ;; 2) echo io ;; 3) echo hypercall ;; 4) echo debug ;;
	5) echo hlt ;; 6) echo mmio ;; 7) echo irq-window ;; 8) echo shutdown ;; 9) echo fail-entry ;;
	10) echo intr ;; 11) echo set-tpr ;; 12) echo tpr-access ;; 17) echo internal-error ;;
	24) echo system-event ;; 26) echo ioapic-eoi ;; 29) echo rdmsr ;; 30) echo wrmsr ;;
	39) echo memory-fault ;;
	*) echo "reason-$1" ;;
	esac
}

# Prints "userspace-exits TOTAL", then "userspace-exits.REASON COUNT" a line, then "exits TOTAL".
kvm_exits_stop() {
	local reason errno hits
	echo "userspace-exits $(hist_total kvm_userspace_exit)"
	sed -n 's/^{ *reason: *\([0-9]*\), *errno: *\(-\{0,1\}[0-9]*\) *} *hitcount: *\([0-9]*\).*/\1 \2 \3/p' \
		"$TRACE/kvm_userspace_exit/hist" | while read -r reason errno hits; do
		echo "$(exit_name "$reason" "$errno") $hits"
	done | awk '{ n[$1] += $2 } END { for (k in n) print "userspace-exits." k, n[k] }' | sort -k2,2nr
	echo "exits $(hist_total kvm_exit)"
	kvm_exits_clear
}

# How long until the guest runs: first_entry_start as the command is started, first_entry_stop once
# the guest has said something. Prints the ms from there to the first instruction of a guest (all
# that a VMM does before: descriptors, reset of the device, DMA maps, images), how many functions were
# reset by FLR meanwhile, and of it the attaching of the device: from its opening (VFIO enables it,
# and resets it) to the end of the last reset.
FTRACE=/sys/kernel/tracing

first_entry_start() {
	echo mono >"$FTRACE/trace_clock"
	echo >"$FTRACE/trace"
	if ! [ -d "$FTRACE/events/fl" ]; then
		modprobe vfio-pci-core 2>/dev/null || true
		echo 'p:fl/flr pcie_flr' >>"$FTRACE/kprobe_events"
		echo 'r:fl/flr_end pcie_flr' >>"$FTRACE/kprobe_events"
		echo 'p:fl/opened vfio_pci_core_enable' >>"$FTRACE/kprobe_events"
	fi
	echo 1 >"$FTRACE/events/fl/enable"
	# Events after the first entry are not of interest, and would fill the buffer.
	echo '!traceoff' >"$TRACE/kvm_entry/trigger" 2>/dev/null || true
	echo 'traceoff:1' >"$TRACE/kvm_entry/trigger"
	echo 1 >"$TRACE/kvm_entry/enable"
	echo 1 >"$FTRACE/tracing_on"
	echo began >"$FTRACE/trace_marker"
}

first_entry_stop() {
	awk '
		{ for (i = 1; i <= NF; i++) if ($i ~ /^[0-9]+\.[0-9]+:$/) { at = $i + 0; break } }
		/tracing_mark_write: began/ { began = at }
		/ flr: / { flr++ }
		/ opened: / && !opened { opened = at }
		/ flr_end: / { ended = at }
		/ kvm_entry: / && !entry { entry = at }
		END {
			# A mark that was lost makes no figure.
			if (began && entry) printf "exec-to-guest-ms %.0f\n", (entry - began) * 1000
			printf "function-resets %d\n", flr
			printf "attach-ms %.0f\n", (ended - opened) * 1000
		}' "$FTRACE/trace"
	echo 0 >"$TRACE/kvm_entry/enable"
	echo 0 >"$FTRACE/events/fl/enable"
	echo '!traceoff' >"$TRACE/kvm_entry/trigger" 2>/dev/null || true
}

# trace_ioctls FILE COMMAND...: runs the command under strace, its ioctls by name into FILE. Slows a
# VMM several times over: count here, never time.
trace_ioctls() {
	local file=$1
	shift
	strace -f -y -qq -e trace=ioctl -e signal=none -o "$file" "$@"
}

# Debian 12's strace knows nothing of iommufd: it prints bare numbers, or the names others gave to
# the same numbers. Prints a regex for "FD<FILE>, REQUEST".
ioctl_pattern() { # NAME
	local fd='[0-9]+<[^>]*>, '
	case $1 in
	IOMMU_IOAS_ALLOC) echo "$fd.*0x3b, 0x81," ;;
	IOMMU_IOAS_MAP) echo "$fd.*0x3b, 0x85," ;;
	IOMMU_IOAS_UNMAP) echo "$fd.*0x3b, 0x86," ;;
	IOMMU_IOAS_MAP_FILE) echo "$fd.*0x3b, 0x8f," ;;
	VFIO_DEVICE_BIND_IOMMUFD) echo "$fd(VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY|$1)" ;;
	VFIO_DEVICE_ATTACH_IOMMUFD_PT) echo "$fd(VFIO_IOMMU_SPAPR_TCE_CREATE|$1)" ;;
	# The same numbers mean other things on a device's descriptor.
	VFIO_IOMMU_*) echo "[0-9]+</dev/vfio/vfio>, [^,]*$1\\>" ;;
	*) echo "$fd$1\\>" ;;
	esac
}

# count_ioctls FILE NAME...: "NAME COUNT" a line, and "NAME-failed COUNT" where some were refused.
count_ioctls() {
	local file=$1 name pattern failed
	shift
	for name in "$@"; do
		pattern="ioctl\\($(ioctl_pattern "$name")"
		echo "$name $(grep -cE "$pattern" "$file" || true)"
		failed=$(grep -E "$pattern" "$file" | grep -c ' = -1 ' || true)
		[ "$failed" = 0 ] || echo "$name-failed $failed"
	done
}
