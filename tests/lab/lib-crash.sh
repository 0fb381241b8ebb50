# An apply that is cut short at each of its system calls that leaves a trace, three times: the process that makes it is
# killed, the worker, the whole daemon. Sourced after lib-fault.sh.
#
#   crash_everywhere [STEP]   the steps of a scenario, but for its last words; STEP: every so many points only
#
# Between two such calls (a file opened to be read, a close, a mapping, a wait) whoever is killed leaves the same behind:
# they are one point. What the reference run makes of each kind is told.

CONVERGE=5 # of those after which all is as in the beginning, every so many go the whole way

# The daemon goes on, or another is started: both are to finish what was cut short.
go_on() { # TEXT
	if [ $((tried % 2)) = 0 ] || [ ! -e "/proc/$NETD_MAIN" ]; then
		restarts=$((restarts + 1))
		[ -e "/proc/$NETD_MAIN" ] && fault_stop
		fault_start
		wait_for 60 "end of the recovery after: $1" settled
	fi
}

one() { # ACTION NUMBER
	local text="$1 at $2: ${CALLS[$2]}" cut
	strike "$1" "$2"
	[[ $HIT == *hit* ]] || { missed=$((missed + 1)) && put_back "$text" && return; }
	tried=$((tried + 1))
	cut=$(phase)
	[ "$STATUS" = 0 ] && [ "$(machine)" != "$desired" ] && finding "$text: told as done, and is not"
	[ "$STATUS" = 0 ] || [[ $(<"$OUT") == *FL-[0-9]* ]] || finding "$text: no number in: $(<"$OUT")"
	[ -e "/proc/$NETD_MAIN" ] || [ "$1" = kill-main ] || finding "$text: netd died of it"
	go_on "$text"
	[ "$cut" = applying ] && [ "$(phase)" = applying ] || is_whole "$text"
	ended[$cut-$(phase)]=$((${ended[$cut-$(phase)]:-0} + 1))
	at_start && [ $((tried % CONVERGE)) != 0 ] || converges "$text"
}

pass() { # TEXT ACTION [WHOSE]
	local n i
	declare -gA ended=()
	tried=0 missed=0 restarts=0
	step "$1"
	for ((n = 1; n < ${#CALLS[@]}; n += STEP)); do
		[ -z "${3:-}" ] || [[ ${CALLS[n]} == "$3 "* ]] || continue
		one "$2" "$n"
	done
	note "$tried points, $missed not reached, $restarts times another netd; the journal then, and in the end:"
	for i in "${!ended[@]}"; do note "  ${i/-/ -> }: ${ended[$i]}"; done
	[ "$tried" -gt 0 ] || fail "nothing was struck"
	no_findings
}

crash_everywhere() { # [STEP]
	STEP=${1:-1}
	step "an apply, and what it is made of"
	fault_prepare
	calls_of
	put_back "the reference"
	note "$((${#CALLS[@]} - 1)) calls leave a trace:"
	while read -r count who call; do note "  $count $call of a $who"; done < <(
		printf '%s\n' "${CALLS[@]:1}" | cut -d' ' -f1,2 | sort | uniq -c)

	pass "a child of the worker is killed" kill-self child
	pass "the worker is killed" kill-worker
	pass "all of the daemon is killed" kill-main

	step "no trace is left"
	fault_stop
	equal "netd's children" "$(pgrep -c fairlead-netd || true)" 0
	host_quiet
}
