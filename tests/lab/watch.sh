# The runner's eye on the machine: streams the scenario's output, and ends the run with a reason as
# soon as there is one. Sourced by lab.

UP_WITHIN=60 # s; the second time L1 has all that the scenario has
QEMU_PID='' TAIL_PID=''
declare -A STUCK=() # registers seen since anything was written, and how often

start_machine() {
	# In the log folder: a socket's path may be 107 bytes long, a checkout's path longer.
	(cd "$LOG" && exec "${QEMU_COMMAND[@]}" "${QEMU[@]}") >"$LOG/qemu.log" 2>&1 </dev/null 9>&- &
	QEMU_PID=$!
	tail -n +1 -s 0.2 -f --pid="$QEMU_PID" "$LOG/scenario.log" 9>&- &
	TAIL_PID=$!
	BEGAN=$(now_ds)
	trap 'stop_machine; exit 130' INT TERM
	trap stop_machine EXIT
}

stop_machine() {
	[ -z "$QEMU_PID" ] || kill -9 "$QEMU_PID" 2>/dev/null || true
	[ -z "$QEMU_PID" ] || wait "$QEMU_PID" 2>/dev/null || true
	# tail sees QEMU gone and prints what is left by itself.
	[ -z "$TAIL_PID" ] || wait "$TAIL_PID" 2>/dev/null || true
	QEMU_PID='' TAIL_PID=''
	rm -f "$LOG"/{monitor,monitor-l1,nvme.img,bigbar.img}
}

last_step() {
	local line
	line=$(sed -n 's/.*lab: step //p' "$LOG/console.log" | tr -d '\r' | tail -n 1)
	echo "${line:-no step begun}"
}

# The one way a run ends badly: what happened, what the scenario was at, the end of the log, its path.
give_up() { # STATUS REASON
	local status=$1 file=$LOG/console.log
	shift
	stop_machine
	[ ! -s "$LOG/qemu.log" ] || [ -s "$file" ] || file=$LOG/qemu.log
	{
		echo "lab: FAILED: $*"
		echo "lab: scenario was at: $(last_step)"
		echo "lab: last lines of $file:"
		# The emulated CPU's missing features fill QEMU's log and never are the reason.
		grep -av "TCG doesn't support" "$file" | tail -n 30 | tr -d '\r' | sed 's/^/  | /'
	} >&2
	exit "$status"
}

console_says() { # REGEX: the first line that matches, without the serial line's return
	grep -a -m 1 -E "$1" "$LOG/console.log" | tr -d '\r'
}

# Seconds since anything was written in the log folder: consoles, and what the scenario keeps there.
silence() {
	local newest
	newest=$(find "$LOG" -maxdepth 2 -type f -printf '%T@\n' | sort -n | tail -n 1)
	echo $(($(date +%s) - ${newest%.*}))
}

# Whatever the scenario's own patience is.
is_lost_at_start() { # SECONDS
	local within=$UP_WITHIN
	((OPT[quiet] > within)) || within=${OPT[quiet]}
	((OPT[timeout] > within)) || within=${OPT[timeout]}
	[ -z "${LAB_BOOTED_AGAIN:-}" ] && (($1 >= within)) && ! console_says '^lab: up' >/dev/null
}

check_machine() {
	local line took=$((($(now_ds) - BEGAN) / 10)) quiet
	if line=$(console_says 'Kernel panic|lab: init failed|unable to mount root'); then
		sleep 1 # the rest of the trace
		give_up 125 "$line"
	fi
	! is_lost_at_start "$took" || start_over "L1 did not come up in $took s"
	if ((took >= OPT[timeout])); then
		console_says '^lab: up' >/dev/null || give_up 124 "L1 did not come up in $took s"
		give_up 124 "no end after ${OPT[timeout]} s"
	fi
	! peer_panics || silent "QEMU's guest panicked"
	quiet=$(silence)
	((quiet < OPT[quiet])) || silent "nothing was written for $quiet s"
	if ((quiet < 10)); then STUCK=(); elif is_stuck; then silent "L1's processor stands still"; fi
}

# Where one may be lost so: never one of ours.
peer_panics() { ((OPT[tries] > 1)) && [ "${OPT[time]}" = icount ] && grep -qas 'Kernel panic' "$LOG"/qemu-*.log; }

# A guest's guest that waits for a lock which nobody gives back, with interrupts off (of RFL, bit 9): but for L1's ticks
# the registers are the same however often one looks. That need not be waited out.
is_stuck() {
	local now rfl
	# One of several waits for another, which has no turn while this machine is busy.
	[ "${OPT[smp]}" = 1 ] || return 1
	now=$("$LAB_DIR/lab" monitor "$LOG" info registers | grep -E '^R[A-Z0-9]+ ?=') || return 1
	rfl=${now##*RFL=}
	[[ $now == *HLT=0* ]] && ((!(16#${rfl%% *} & 0x200))) || return 1
	STUCK[$now]=$((${STUCK[$now]:-0} + 1))
	[ "${STUCK[$now]}" -gt 5 ]
}

# Where L1 stands, for who wants to know why.
keep_state() {
	local ask
	for ask in "info registers -a" "x /16i \$pc-24" "x /64gx \$sp" "info lapic" "info pic"; do
		# shellcheck disable=SC2086  # words on purpose
		"$LAB_DIR/lab" monitor "$LOG" $ask || true
	done >"$LOG/stuck.log" 2>&1
}

# A stock kernel has not come to its init: nothing of ours has run yet, and nothing of ours is to blame.
start_over() { # REASON
	keep_state
	echo "lab: $1; starting it once more" >&2
	LAB_BOOTED_AGAIN=1 run_again
}

# What the call sets for it is in its environment.
run_again() {
	stop_machine
	trap - EXIT INT TERM
	exec "$LAB_DIR/lab" run "${RUN_ARGS[@]}"
}

# KVM emulated under KVM emulated: now and then a guest deadlocks there that never does on hardware.
# A scenario may allow for it by a number of tries, and the run says when it used one.
silent() { # REASON
	keep_state
	((OPT[tries] > 1)) || give_up 124 "$1"
	echo "lab: $1, scenario was at: $(last_step); starting over, $((OPT[tries] - 1)) tries left" >&2
	LAB_TRIES_LEFT=$((OPT[tries] - 1)) run_again
}

watch_machine() {
	while kill -0 "$QEMU_PID" 2>/dev/null; do
		sleep 0.3
		[ -e "$LOG/status" ] || check_machine
	done
	wait "$QEMU_PID" && qemu_status=0 || qemu_status=$?
	wait "$TAIL_PID" || true
	TAIL_PID=''
	[ -e "$LOG/status" ] || explain_death
	finish "$(cat "$LOG/status")"
}

explain_death() {
	local line
	line=$(console_says 'Kernel panic|lab: init failed') && give_up 125 "$line"
	[ "$qemu_status" = 0 ] || give_up 125 "QEMU ended with status $qemu_status: $(tail -n 1 "$LOG/qemu.log")"
	console_says '^lab: up' >/dev/null || give_up 125 "L1 went down before its init was through"
	give_up 125 "L1 went down and left no exit status: reset or powered off by the scenario?"
}

finish() { # STATUS
	local word=passed
	case $1 in
	0) ;;
	77) word=skipped ;;
	*) word="FAILED (status $1)" ;;
	esac
	echo "lab: $(basename "$SCENARIO") $word in $(seconds $(($(now_ds) - BEGAN)))," \
		"L1 $(console_says '^lab: up' | cut -d' ' -f2,3) s after its kernel's start; log $LOG"
	QEMU_PID=''
	exit "$1"
}
