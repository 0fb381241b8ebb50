#!/bin/bash
# Kernel calls of an attach refused, one a run, every other one by each back end: the error has a
# number, names the device and what the kernel said; the host is as it was, and the next attach works.
# bad-errno-all.sh takes every call from the VMM's first on, those of the attach with every errno.
# lab: devices=igb timeout=900 quiet=400
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

GUEST=$FL_BUILD/tests/micro/guest/off.elf
OUT=/run/errno.out TRACED=/run/errno.trace
ERRNOS=(ENOMEM EBUSY EINVAL EPERM ENOSPC ENODEV EIO EFAULT)
# Done without, each for a reason: memory is mapped by address where the kernel cannot by file; a
# kernel that does not know an interrupt (EINVAL) has none; the PMU turned off and the number of ids
# bounded are more than is needed; malloc() has the heap where it gets no mapping; the others only ask.
OPTIONAL='0x3b, 0x8f|KVM_CHECK_EXTENSION|KVM_ENABLE_CAP|KVM_GET_STATS_FD|KVM_REGISTER_COALESCED_MMIO|TCGETS|MAP_PRIVATE.MAP_ANONYMOUS'
OPTIONAL_EINVAL='VFIO_DEVICE_GET_IRQ_INFO|KVM_SET_XCRS'

declare -A SAYS=([ENOMEM]='Cannot allocate memory' [EBUSY]='Device or resource busy'
	[EINVAL]='Invalid argument' [EPERM]='Operation not permitted' [ENOSPC]='No space left on device'
	[ENODEV]='No such device' [EIO]='Input/output error' [EFAULT]='Bad address')

attach() { # STRACE-WORDS...: the VMM from its start to the guest's power-off
	strace -f --seccomp-bpf -y -qq -e signal=none "$@" -o "$TRACED" "$LAB_DIR/vmm-launch" --memory $((16 << 20)) \
		--device "$vf" ${GROUP:+--group} "$GUEST" "" </dev/null >"$OUT" 2>&1
}

# The calls named SYSCALL that the VMM's main thread made before the guest ran, one a line, each with
# its number as strace counts them (the launching shell's own come before).
calls() { # SYSCALL FROM-REGEX
	attach -e trace="$1",ioctl,execve || fail "without any refusal: $(cat "$OUT")"
	awk -v name="$1" -v from="$2" '
		!pid { pid = $1 }
		# From here on the filter of system calls would take the refusal for a forbidden call.
		/KVM_RUN/ { exit }
		$1 != pid { next }
		/execve\(/ { vmm = /fairlead-vmm/; next }
		index($2, name "(") == 1 {
			n++
			if (!vmm) next
			if ($0 ~ from) on = 1
			if (on) { sub(/^[0-9]+ +/, ""); print n, $0 }
		}' "$TRACED"
}

# A finding does not end the run, which is long: the step tells all of them.
finding() { # WORDS
	findings+=("$*")
	note "$*"
}

no_findings() {
	[ ${#findings[@]} = 0 ] || fail "${#findings[@]} of $tried refusals are not as they should be, see above"
}

# Told well? Of a call on the device, the device is named.
check_told() { # ERRNO CALL
	local out
	out=$(cat "$OUT")
	[[ $out == FL-[0-9]* ]] || finding "$1 at $2: no number in: $out"
	[[ $out == *"${SAYS[$1]}"* || $out == *why:* ]] || finding "$1 at $2: no reason in: $out"
	[[ ! $2 =~ /dev/vfio/(devices/vfio)?[0-9] || $out == *"$vf"* ]] || finding "$1 at $2: $vf not named in: $out"
}

refuse_one() { # SYSCALL NUMBER ERRNO CALL
	local status=0
	attach -e trace="$1" -e inject="$1:error=$3:when=$2" || status=$?
	grep -q INJECTED "$TRACED" || fail "call $2 of $1 was not reached"
	# strace counts each thread's calls: what the main thread did without reaches a vCPU, too, which
	# then fails to run, or whose filter of system calls takes the refusal for a forbidden one.
	[ "$(awk '/INJECTED/ { print $1 }' "$TRACED" | sort -u | wc -l)" = 1 ] || status=0
	case $status in
	0)
		[[ $4 =~ $OPTIONAL ]] || [[ $3 = EINVAL && $4 =~ $OPTIONAL_EINVAL ]] ||
			finding "$3 at $4 went unnoticed: $(cat "$OUT")"
		survived=$((survived + 1))
		;;
	1) check_told "$3" "$4" ;;
	*) finding "$3 at $4: status $status: $(cat "$OUT")" ;;
	esac
	tried=$((tried + 1))
}

refuse_calls() { # SYSCALL FROM-REGEX
	local number call i attach=""
	calls "$1" "$2" >/run/errno.calls
	while read -r number call; do
		[[ $1 = ioctl && ! $call =~ KVM_CREATE_DEVICE ]] || attach=y
		if [ "${ALL:-}" ] && [ $attach ]; then
			for i in "${ERRNOS[@]}"; do refuse_one "$1" "$number" "$i" "$call"; done
		elif [ "${ALL:-}" ] || [ $((number % 2)) = "$half" ]; then
			refuse_one "$1" "$number" "${ERRNOS[tried % ${#ERRNOS[@]}]}" "$call"
		fi
	done </run/errno.calls
}

# Nobody has anything of the device, KVM has no machine, and the kernel has not complained.
check_host() {
	equal "who has VFIO's files open" "$(find /proc/[0-9]*/fd -lname '/dev/vfio/*' 2>/dev/null)" ""
	equal "the host" "$(host_state "$pf")" "$before"
	equal "driver of the VF" "$(pci_driver "$vf")" vfio-pci
	host_quiet
}

back_end() { # WORD HALF [group]
	half=$2 GROUP=${3:-}
	tried=0 survived=0 findings=()
	step "$1: ioctl by ioctl"
	# For every other call: from where the device comes in.
	refuse_calls ioctl "${ALL:-KVM_CREATE_DEVICE}"
	note "$tried refusals, $survived of them of what can be done without"
	no_findings
	step "$1: mmap, eventfd"
	refuse_calls mmap /dev/vfio
	refuse_calls eventfd2 .
	no_findings
	step "$1: the host is as it was, and the next attach works"
	check_host
	attach -e trace=none || fail "the next attach: $(cat "$OUT")"
}

step "prepare"
pf=$(pf_igb)
carve_vfs "$pf" 1
vf=$(pci_vf "$pf" 0)
bind_vfio "$vf"
before=$(host_state "$pf")
[ "$LAB_IOMMUFD" != yes ] || back_end iommufd 0
back_end group 1 group
