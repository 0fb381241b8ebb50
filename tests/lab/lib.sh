# Helpers for scenarios, sourced by them inside L1:  . "$LAB_DIR/lib.sh"
#
#   step TEXT               begins a step; the one before gets its line: text and time
#   expect TEXT COMMAND...  fails with TEXT and the command's output unless it succeeds
#   equal TEXT GOT WANT     the same for two strings
#   fail TEXT / skip TEXT   ends the scenario
#   wait_for S TEXT COMMAND...   until the command succeeds, S seconds at most
#   l0 COMMAND...           the monitor of L0's QEMU: device_del nic0, screendump FILE gpu0 ...
#
# Further: devices (nics, pci_of, carve_vfs, bind_vfio), guests (guest_*) and counters (kvm_exits_*,
# count_ioctls) in lib-pci.sh, lib-guest.sh and lib-count.sh, which this file sources.
set -euo pipefail

STEP_TEXT='' STEP_BEGAN=0
AT_END=()

now_ms() { # L1's clock; under icount, millions of instructions
	echo $((${EPOCHREALTIME/./} / 1000))
}

# Where a run hangs is told by the console, which the runner reads.
console() { echo "lab: $*" >/dev/ttyS0; }

end_step() { # WORD
	local ms
	[ -n "$STEP_TEXT" ] || return 0
	ms=$(($(now_ms) - STEP_BEGAN))
	printf '%-6s %3d.%02d s  %s\n' "$1" $((ms / 1000)) $((ms % 1000 / 10)) "$STEP_TEXT"
	STEP_TEXT=''
}

step() {
	end_step ok
	STEP_TEXT=$*
	STEP_BEGAN=$(now_ms)
	console "step $*"
}

note() { printf '       %s\n' "$*"; }

fail() {
	end_step FAILED
	echo "FAILED: $*" >&2 # stdout may be a $(...)
	console "fail $*"
	exit 1
}

skip() {
	STEP_TEXT=''
	echo "skipped: $*"
	exit 77
}

expect() {
	local text=$1 out status=0
	shift
	out=$("$@" 2>&1) || status=$?
	[ "$status" = 0 ] || fail "$text: \"$*\" ended with $status${out:+: $out}"
}

equal() {
	[ "$2" = "$3" ] || fail "$1: got \"$2\", want \"$3\""
}

wait_for() { # SECONDS TEXT COMMAND...
	local limit=$1 text=$2 until
	shift 2
	until=$(($(now_ms) + limit * 1000))
	until "$@" >/dev/null 2>&1; do
		[ "$(now_ms)" -lt "$until" ] || fail "no $text within $limit s (\"$*\")"
		sleep 0.1
	done
}

# at_end COMMAND...: run when the scenario ends, however it does; last added first.
at_end() {
	AT_END+=("$(printf '%q ' "$@")")
}

finish_scenario() {
	local status=$? i
	# A command that failed under set -e has said nothing of its step yet.
	if [ "$status" = 0 ]; then end_step ok; else end_step FAILED; fi
	for ((i = ${#AT_END[@]} - 1; i >= 0; i--)); do
		eval "${AT_END[i]}" || true
	done
	exit "$status"
}
trap finish_scenario EXIT
trap 'echo "line $LINENO of ${BASH_SOURCE[0]##*/}: \"$BASH_COMMAND\" failed"' ERR

# L0's monitor, over a serial line that speaks QMP: an answer is one line of JSON, known by its id
# among greetings and events.
l0() {
	local line='' command=${*//\"/\\\"}
	exec 8<>/dev/ttyS2
	# The greeting may have met a terminal that still echoed: half of it then lies before the parser
	# there. A byte that JSON knows nowhere makes it start anew.
	printf '\377\n' >&8
	# Said each time: whether somebody said it before is not known here, and twice does no harm.
	echo '{"execute":"qmp_capabilities"}' >&8
	printf '{"execute":"human-monitor-command","arguments":{"command-line":"%s"},"id":"l0"}\n' \
		"$command" >&8
	until [[ $line == *'"id": "l0"'* ]]; do
		IFS= read -r -t 10 -u 8 line || fail "L0's monitor does not answer to: $*"
	done
	exec 8>&-
	[[ $line == *'"return": '* ]] || fail "L0's monitor: $line"
	line=${line#*'"return": "'}
	line=${line%\"*}
	line=${line%\", \"id*}
	printf '%b' "${line//\\r/}"
}

. "$LAB_DIR/lib-pci.sh"
. "$LAB_DIR/lib-guest.sh"
. "$LAB_DIR/lib-count.sh"
