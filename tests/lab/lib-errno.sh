# Every system call of an apply and of a restore that the kernel may refuse is refused, one a run: the answer has a
# number and the machine is as before to the byte, or it was done without; netd lives, and the next apply converges.
# Sourced after lib-fault.sh.
#
#   errno_everywhere [MOST [EACH [ONLY [ALONE [FIRST]]]]]   the steps of a scenario. Of calls that are alike (who,
#                         which, on what path but for its numbers) the first MOST are taken, then every EACH-th ("1 1":
#                         each); ONLY is a regex of those that are to be refused, ALONE the one verb, apply or restore,
#                         FIRST the number to begin at: a long run goes on, or is shared out

FAULT_SET=fail CONVERGE=25 # every so many refusals the whole way is gone

# What the kernel may say to it, in turns: numbers of asm-generic/errno*.h.
declare -A ERRNOS=([openat]="5 12 24 13" [read]="5 19" [pread64]=5 [write]="16 5 22 28" [pwrite64]="28 5 122" [fsync]="5 28"
	[renameat]="5 28" [unlinkat]="5 13" [mkdirat]="28 5" [readlink]="5 12" [readlinkat]="5 12" [newfstatat]="5 13"
	[access]="5 13" [faccessat]="5 13" [faccessat2]="5 13" [getdents64]="5 12 19" [flock]="37 4" [ioctl]="19 12"
	[socket]="24 105" [bind]="12 98" [setsockopt]="12 92" [sendto]="105 12" [sendmsg]="105 12" [recvfrom]="105 12"
	[recvmsg]="105 12" [memfd_create]="24 12" [mmap]=12 [pidfd_open]="24 12" [poll]="4 12" [clone]="11 12"
	[clone3]="11 12" [fork]="11 12" [vfork]="11 12" [rename]="5 28" [unlink]="5 13" [mkdir]="28 5" [renameat2]="5 28")

# What the verb was refused in: it is as it was (FROM), or done (TO).
one() { # NUMBER FROM TO
	local number=$1 call errnos text
	read -r _ call _ <<<"${CALLS[number]}"
	read -ra errnos <<<"${ERRNOS[$call]}"
	strike fail "$number" "${errnos[tried % ${#errnos[@]}]}"
	# Some calls more or less were made before it than in the reference: what was struck is told.
	text="${VERB[0]}, errno ${errnos[tried % ${#errnos[@]}]} at ${HIT#hit }"
	[ -e "/proc/$NETD_MAIN" ] || fail "$text: netd died of it"
	if [[ $HIT != *hit* ]]; then
		missed=$((missed + 1))
	else
		tried=$((tried + 1))
		judge "$text" "$2" "$3"
	fi
	tidy "$text" "$2"
}

# All was put back, and only the journal's files are still there: the next one takes them away.
is_unfinished_restore() { [ "${VERB[0]}$STATUS" = restore1 ] && [ "$(phase)" = applying ] && [ "$(machine)" = "$before" ]; }

judge() { # TEXT FROM TO
	if is_unfinished_restore; then unfinished=$((unfinished + 1)); else is_whole "$1"; fi
	if [ "$STATUS" = 0 ]; then
		without=$((without + 1))
		[ "$(phase)" = "$3" ] || finding "$1: done, and the journal is $(phase)"
		return
	fi
	[[ $(<"$OUT") == *FL-[0-9]* ]] || finding "$1: no number in: $(<"$OUT")"
	[ "$(phase)" != "$3" ] || { unsaid=$((unsaid + 1)) && note "$1: done, but: $(head -n 2 "$OUT" | tr '\n' ' ')"; }
	[ "$(phase)" != none ] || [ -z "$(left_over)" ] || finding "$1: left in the state folder: $(left_over)"
}

# For the next one: from where this one began. Now and then, and where it is not so, the whole way.
tidy() { # TEXT FROM
	if ! { at_start || [ "$(phase)" = applied ]; } || [ "$(phase)" != "$2" ] || [ $((tried % CONVERGE)) = 0 ]; then
		converges "$1"
		[ "$2" = none ] || expect "apply" "$FAIRLEAD" apply "$POLICY"
	fi
}

chosen() { # NUMBER
	local class=${CALLS[$1]//[0-9]/}
	[[ ${CALLS[$1]} =~ $ONLY ]] || return 1
	seen[$class]=$((${seen[$class]:-0} + 1))
	[ "${seen[$class]}" -le "$MOST" ] || [ $((seen[$class] % EACH)) = 0 ]
}

refuse_all() { # FROM TO
	local n
	declare -gA seen=()
	tried=0 missed=0 without=0 unsaid=0 unfinished=0
	calls_of
	note "$((${#CALLS[@]} - 1)) calls may be refused:"
	while read -r count who call; do note "  $count $call of a $who"; done < <(
		printf '%s\n' "${CALLS[@]:1}" | cut -d' ' -f1,2 | sort | uniq -c)
	[ "$1" != none ] || put_back "the reference"
	[ "$1" = none ] || expect "apply" "$FAIRLEAD" apply "$POLICY"
	for ((n = FIRST; n < ${#CALLS[@]}; n++)); do
		! chosen "$n" || one "$n" "$1" "$2"
		[ $((n % 200)) != 0 ] || note "at $n: $tried refused"
	done
	note "$tried of them refused, $missed not reached; $without done without, $unsaid done but not so told,"
	note "$unfinished put back but for the journal's files; all others undone"
	[ "$tried" -gt 0 ] || fail "none was refused"
	no_findings
}

errno_everywhere() { # [MOST [EACH [ONLY [ALONE [FIRST]]]]]
	local alone=${4:-}
	MOST=${1:-6} EACH=${2:-10} ONLY=${3:-.} FIRST=${5:-1}
	step "a daemon that can be struck"
	fault_prepare

	if [ "$alone" != restore ]; then
		step "an apply, refused call by call"
		refuse_all none applied
	fi
	if [ "$alone" != apply ]; then
		step "a restore, refused call by call"
		expect "apply" "$FAIRLEAD" apply "$POLICY"
		VERB=(restore)
		refuse_all applied none
		converges "the end"
	fi

	step "the end"
	fault_stop
	host_quiet
}
