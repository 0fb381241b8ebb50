# An apply of which one system call is struck (fault-at.c): for lib-crash.sh and lib-errno.sh, of a NIC or of a switch.
# Sourced after lib-fairlead.sh.
#
#   fault_prepare         the machine, the policy, how it is before and after; a daemon that can be struck
#   fault_world           its first part: a NIC whose VFs have a network. lib-fault-switch.sh has another, and a machine
#   fault_start [ARGS...] / fault_stop    that daemon; FAULT_SET says at which calls, "trace" or "fail"
#   calls_of              CALLS: of a whole apply (VERB), "WHO CALL PATH" by number
#   strike WORDS...       an apply (or what VERB says) with the words for fault-at: STATUS, OUT (a file), HIT
#   machine [PF]          what an apply changes, as the kernel tells it
#   phase                 none, applied or applying, by the files
#   converges TEXT        from there an apply is done, its plan is empty, a restore puts all back

FAULT_CONTROL=/run/fault.control FAULT_LOG=/run/fault.log
STATE=/var/lib/fairlead
POLICY=$LAB_LOG/policy.yaml OUT=/run/fault.out
VERB=(apply "$POLICY")
FAULT_ARGS=() # what netd is always started with
findings=()

# Few programs: this is asked some thousand times.
# shellcheck disable=SC2120  # arguments come from netd-rough
machine() { # [PF]
	local d=$PCI/${1:-$pf} f v net
	for f in "$d"/sriov_{numvfs,drivers_autoprobe} "$d"/virtfn*/driver_override; do
		[ ! -e "$f" ] || { read -r v <"$f" && echo "${f##*/} $v"; }
	done
	readlink "$d"/virtfn*/driver || true
	net=("$d"/net/*)
	# One that has gone and come has another index.
	ip -d link show dev "${net[0]##*/}" | sed 's/^[0-9]*: //; s/ state [A-Z]*//; s/,LOWER_UP//; s/NO-CARRIER,//; s/ qdisc [a-z_]*//'
}

# What is there beside the history, the lock and the boot's mark.
phase() {
	if [ -e "$STATE/intent.json" ]; then
		echo applying
	elif [ -e "$STATE/applied.yaml" ]; then
		echo applied
	else
		echo none
	fi
}
settled() { [ "$(phase)" != applying ]; }
left_over() {
	local f
	for f in "$STATE"/*; do
		case ${f##*/} in boot | history | lock | images) ;; *) echo -n "${f##*/} " ;; esac
	done
}

# shellcheck disable=SC2120
fault_start() { # [ARGS...]
	rm -f "$FAULT_CONTROL" "$FAULT_LOG"
	"$FL_BUILD/tests/lab/fault-at" "${FAULT_SET:-trace}" "$FAULT_CONTROL" "$FAULT_LOG" \
		"$FL_BUILD/fairlead-netd" "${FAULT_ARGS[@]}" "$@" >>"$NETD_LOG" 2>&1 &
	NETD_PID=$!
	wait_for 60 "answer from fairlead-netd (its log: $NETD_LOG)" "$FAIRLEAD" status
	read -r _ NETD_MAIN <"$FAULT_LOG"
}

# Everything of it at once; the next one may begin.
fault_stop() {
	kill -9 "$NETD_PID" 2>/dev/null || true
	wait "$NETD_PID" 2>/dev/null || true
	wait_for 10 "end of fairlead-netd" eval "[ ! -e /proc/$NETD_MAIN ]"
}

# Nobody looks by himself, which would be a worker, too.
FAULT_QUIET="on-event: false, interval: 0s"
fault_world() {
	pf=$(pf_igb)
	modprobe -a igbvf vfio-pci 2>/dev/null || true
	tagged_policy "$FAULT_QUIET" "spoof-check: false, trust: true" >"$POLICY"
}

fault_prepare() {
	fault_world
	at_end netd_kill
	fault_start
	# An interface that was up once has another queueing discipline, and IPv6 on it, for good.
	expect "apply" "$FAIRLEAD" apply "$POLICY"
	desired=$(machine)
	expect "restore" "$FAIRLEAD" restore
	before=$(machine)
	[ "$before" != "$desired" ] || fail "the apply changes nothing: this could not fail"
	equal "files" "$(left_over)" ""
}

strike() {
	: >"$FAULT_LOG"
	echo "$*" >"$FAULT_CONTROL"
	STATUS=0
	timeout 120 "$FAIRLEAD" "${VERB[@]}" >"$OUT" 2>&1 || STATUS=$?
	HIT=$(<"$FAULT_LOG")
}

calls_of() {
	strike count
	equal "${VERB[0]}" "$STATUS" 0
	mapfile -t CALLS <"$FAULT_LOG"
	CALLS=("" "${CALLS[@]#* }")
}

# Does not end the run, which is long: the step tells all of them.
finding() { # WORDS
	findings+=("$*")
	note "$*"
}
no_findings() { [ ${#findings[@]} = 0 ] || fail "${#findings[@]} findings, see above"; }

# The state is one of two, and its file says which.
is_whole() { # TEXT
	case $(phase) in
	none) [ "$(machine)" = "$before" ] || finding "$1: nothing is applied, but: $(diff <(machine) <(echo "$before"))" ;;
	applied) [ "$(machine)" = "$desired" ] || finding "$1: applied, but: $(diff <(machine) <(echo "$desired"))" ;;
	*) finding "$1: the journal is not finished: $(head -c 300 "$OUT")" ;;
	esac
}

# Where all began: what an apply makes of it is known.
at_start() { [ "$(phase)" = none ] && [ -z "$(left_over)" ]; }

# netd may be at its own recovery just then (FL-0703: try again).
is_applied() { "$FAIRLEAD" apply "$POLICY" >"$OUT" 2>&1 || ! grep -q FL-0703 "$OUT"; }

converges() { # TEXT
	wait_for 60 "end of netd's own recovery" is_applied
	! grep -q 'FL-[0-9]' "$OUT" || finding "$1: the next apply: $(cat "$OUT")"
	[ "$(machine)" = "$desired" ] || finding "$1: after the next apply: $(diff <(machine) <(echo "$desired"))"
	[[ $("$FAIRLEAD" -j plan "$POLICY" | tr -d ' \n') == *'"actions":[]'* ]] || finding "$1: a plan has actions"
	put_back "$1"
}

put_back() { # TEXT
	"$FAIRLEAD" restore >"$OUT" 2>&1 || fail "$1: restore: $(cat "$OUT")"
	equal "$1: after restore" "$(machine)" "$before"
	equal "$1: files" "$(left_over)" ""
}
