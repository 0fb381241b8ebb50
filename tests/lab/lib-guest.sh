# L2 guests in L1: the files every VMM boots, starting one, reading what it said and when, and the
# peer VMM's command. Sourced by lib.sh. A guest has a name; its console is $LAB_LOG/NAME.log.
#
#   guest_start NAME COMMAND...         start a VMM in the background, console on stdin and stdout
#   guest_send NAME WORDS               type a line at the console (fl.mode=idle obeys)
#   guest_expect NAME SECONDS REGEX     wait until it says "FL-GUEST: REGEX"
#   guest_wait NAME SECONDS             wait until the VMM ends; fails unless it ends with 0
#   guest_said NAME REGEX               that line, without the marker; empty if never said
#   guest_ms NAME REGEX                 when it was said, in ms after the VMM was started
#   guest_pid NAME

. "$LAB_DIR/common.sh"

L2_KERNEL=$LAB_KERNEL_DIR/vmlinuz
L2_INITRD=$LAB_KERNEL_DIR/l2.img
declare -A GUEST_PID=() STAMP_PID=() GUEST_BEGAN=() GUEST_TYPIST=()

guest_cmdline() { # fl.* words...
	# Where figures are taken, the guest's kernel lies at the same place in every run.
	echo "console=ttyS0 panic=-1 quiet $([ "$LAB_TIME" != icount ] || echo nokaslr) $*"
}

# Reads files into L1's page cache. Over 9p a first read takes the wall time of L0's disk, which is
# no figure of the VMM that happens to come first.
warm() { # FILE...
	cat -- "$@" >/dev/null
}

# Each line with the time it came. The reader blocks: polling would take the guest's only CPU from
# it and show in its figures.
stamp_lines() { # FILE
	local line
	while IFS= read -r line || [ -n "$line" ]; do
		printf '%s %s\n' "${EPOCHREALTIME/./}" "${line//$'\r'/}"
	done >"$1"
}

guest_start() { # NAME COMMAND...
	local name=$1 dir=/run/guests
	shift
	mkdir -p "$dir"
	rm -f "$dir/$name".{in,out}
	mkfifo "$dir/$name.in" "$dir/$name.out"
	: >"$LAB_LOG/$name.log" # an earlier run's words must not answer for this one
	stamp_lines "$LAB_LOG/$name.log" <"$dir/$name.out" &
	STAMP_PID[$name]=$!
	# Read and write: the console never sees an end of file, and neither open waits.
	GUEST_BEGAN[$name]=${EPOCHREALTIME/./}
	"$@" <>"$dir/$name.in" >"$dir/$name.out" 2>&1 &
	GUEST_PID[$name]=$!
	at_end guest_kill "$name"
}

guest_pid() { echo "${GUEST_PID[$1]}"; }

guest_kill() { # NAME
	[ -z "${GUEST_PID[$1]:-}" ] || kill -9 "${GUEST_PID[$1]}" 2>/dev/null || true
}

# GUEST_TYPIST[NAME]=slow: for a VMM whose UART stops taking input once its 64 bytes were full.
guest_send() { # NAME WORDS
	local name=$1 rest
	shift
	rest="$*"
	while [ "${GUEST_TYPIST[$name]:-}" = slow ] && [ ${#rest} -gt 16 ]; do
		printf %s "${rest:0:16}" >"/run/guests/$name.in"
		rest=${rest:16}
		sleep 0.05
	done
	printf '%s\n' "$rest" >"/run/guests/$name.in"
}

# find_marker NAME REGEX time|text
find_marker() {
	awk -v re="^($2)" -v what="$3" '{
		stamp = $1
		if (sub(/^.*FL-GUEST: /, "") && $0 ~ re) { print what == "time" ? stamp : $0; exit }
	}' "$LAB_LOG/$1.log"
}

guest_said() { find_marker "$1" "$2" text; }

guest_ms() {
	local at
	at=$(find_marker "$1" "$2" time)
	[ -n "$at" ] || fail "guest $1 never said \"$2\"; $(guest_last "$1")"
	echo $(((at - GUEST_BEGAN[$1]) / 1000))
}

guest_last() { # NAME: for complaints
	echo "its console ends: $(tail -n 3 "$LAB_LOG/$1.log" | tr '\n' ' ' | cut -c1-300)"
}

guest_expect() { # NAME SECONDS REGEX
	local until=$(($(now_ms) + $2 * 1000))
	until [ -n "$(guest_said "$1" "$3")" ]; do
		kill -0 "${GUEST_PID[$1]}" 2>/dev/null ||
			fail "guest $1 ended before it said \"$3\"; $(guest_last "$1")"
		[ "$(now_ms)" -lt "$until" ] || fail "guest $1 did not say \"$3\" in $2 s; $(guest_last "$1")"
		sleep 0.2
	done
}

guest_wait() { # NAME SECONDS
	local pid=${GUEST_PID[$1]} dog status=0
	(sleep "$2" && kill -9 "$pid") 2>/dev/null &
	dog=$!
	wait "$pid" || status=$?
	kill "$dog" 2>/dev/null || true
	wait "$dog" 2>/dev/null || true
	wait "${STAMP_PID[$1]}" || true
	GUEST_PID[$1]=''
	! grep -qa 'Kernel panic' "$LAB_LOG/$1.log" ||
		fail "guest $1: $(grep -am 1 'Kernel panic' "$LAB_LOG/$1.log" | cut -d' ' -f2-)"
	[ "$status" != 137 ] || fail "guest $1 was still running after $2 s; $(guest_last "$1")"
	[ "$status" = 0 ] || fail "guest $1: its VMM ended with status $status; $(guest_last "$1")"
}

# The peer: QEMU, the same machine for all scenarios that compare with it: q35 with a root port, or microvm. Result in
# PEER, the whole command.
peer_machine() { # WORDS-FOR-GUEST [MACHINE]
	PEER=("${QEMU_COMMAND[@]}" -accel kvm -cpu host -M "${2:-q35},kernel-irqchip=on" -smp 1 -m 512M
		-nodefaults -display none -serial stdio -no-reboot
		-kernel "$L2_KERNEL" -initrd "$L2_INITRD" -append "$(guest_cmdline "$1")")
	[ $# -gt 1 ] || PEER+=(-device pcie-root-port,id=rp1,chassis=1,slot=1)
}

# With one assigned function.
peer_qemu() { # ADDRESS WORDS-FOR-GUEST [MACHINE]
	local device="vfio-pci,host=$1" bus=rp1
	peer_machine "${@:2}"
	[ $# -lt 3 ] || bus=pcie.0
	if [ "$LAB_IOMMUFD" = yes ]; then
		PEER+=(-object iommufd,id=iommufd0)
		device+=,iommufd=iommufd0
	fi
	# No option ROM: SeaBIOS would spend its time on network boot, which no other VMM offers.
	PEER+=(-device "$device,bus=$bus,rombar=0")
}
