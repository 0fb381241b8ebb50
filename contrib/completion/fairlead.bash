# bash completion for fairlead(8)
#
# Verbs and options are what the program says of itself (--help). Names come from the policy in
# /etc/fairlead, from what runs, and from `fairlead status`, which anybody may ask. PCI addresses
# have colons, at which bash parts words: so the words are taken from the line itself.

_fairlead_etc=/etc/fairlead
_fairlead_guests=/run/fairlead/guests

# --option, or --option VALUE, a line each; without VERB all of them.
_fairlead_options() { # PROGRAM [VERB]
	"$1" ${2:+"$2"} --help 2>/dev/null | sed -n 's/^  \(--[a-z-]*\( [A-Z]*\)\{0,1\}\) .*/\1/p'
}

# Of what kind an option's value is; nothing where it has none, or there is no such option.
_fairlead_kind() { # PROGRAM VERB OPTION
	_fairlead_options "$1" "$2" | option=$3 awk '$1 == ENVIRON["option"] { print $2 }'
}

_fairlead_verbs() { # PROGRAM
	"$1" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p'
}

# Names in a list of the policy, "guests"; with ITEM those below that one, its nics.
_fairlead_policy() { # LIST [ITEM]
	cat "$_fairlead_etc"/policy.yaml "$_fairlead_etc"/policy.d/*.yaml 2>/dev/null | awk -v list="$1" -v item="${2:-}" '
	/^[a-z-]+:/ { key = $1; sub(/:.*/, "", key); top = 0 }
	key == list && /^ *-/ && match($0, /[{ ]name: *"?[A-Za-z0-9_.-]+/) {
		name = substr($0, RSTART, RLENGTH)
		sub(/.*name: *"?/, "", name)
		at = index($0, "-")
		if (!top || at <= top) { top = at; of = name; if (item == "") print name }
		else if (of == item) print name
	}'
}

_fairlead_running() {
	local file
	for file in "$_fairlead_guests"/*.sock; do
		[[ ! -e $file ]] || basename "$file" .sock
	done
}

# What a guest with a lease has: its functions, then what its VMM is itself.
_fairlead_devices() { # PROGRAM GUEST
	"$1" status 2>/dev/null | awk -v guest="$2" '
	/ guest\(s\) with a lease$/ { on = 1; next }
	!on { next }
	$2 == "pid" { mine = $1 == guest; for (i = 4; mine && i <= NF; i++) { sub(/=.*/, "", $i); print $i }; next }
	mine && /^    / { print $2 }'
}

_fairlead_holders() { # PROGRAM
	"$1" --json status 2>/dev/null | tr -d ' \n' | grep -o '"loan":{[^}]*"holder":"[^"@][^"]*"' | sed 's/.*:"//; s/"$//'
}

_fairlead_pci() { ls /sys/bus/pci/devices 2>/dev/null; }

_fairlead_nodes() {
	local node
	for node in /sys/devices/system/node/node[0-9]*; do
		[[ ! -e $node ]] || echo "${node##*/node}"
	done
}

_fairlead_files() { # KIND CUR: KIND as compgen's, f or d
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen "-$1" -- "$2")
}

# Who names a socket or a holder may be another than who types, perhaps root: compgen -W would expand the words, and so
# would the shell what it is given. So they are compared as they are, and odd ones are not offered.
_fairlead_words() { # CUR, WORDS on the input
	local words word
	COMPREPLY=()
	read -rd '' -a words || true
	for word in "${words[@]}"; do
		[[ $word != "$1"* || $word == *[!A-Za-z0-9_.:/@-]* ]] || COMPREPLY+=("$word")
	done
}

_fairlead_value() { # OPTION KIND CUR
	case "$1 $2" in
	"--format "*) _fairlead_words "$3" <<<"libvirt device-plugin openstack" ;;
	"--allow-disruption "*) _fairlead_words "$3" <<<"none none-in-use allow" ;;
	"--confirm-within "*) _fairlead_words "$3" <<<"0 120s 5m" ;;
	"--numa "*) _fairlead_words "$3" < <(_fairlead_nodes) ;;
	"--user "*) mapfile -t COMPREPLY < <(compgen -u -- "$3") ;;
	*" BDF") _fairlead_words "$3" < <(_fairlead_pci) ;;
	*" DIR") _fairlead_files d "$3" ;;
	*" FILE" | *" PATH") _fairlead_files f "$3" ;;
	esac
}

_fairlead_argument() { # PROGRAM VERB CUR ARGUMENT...: those before
	local program=$1 verb=$2 cur=$3 n=$(($# - 3)) first=${4:-}
	case $verb-$n in
	doctor-0 | scrub-0) _fairlead_words "$cur" < <(_fairlead_pci) ;;
	explain-0) _fairlead_words "$cur" < <({ _fairlead_pci; _fairlead_policy guests; _fairlead_running; _fairlead_holders "$program"; } | sort -u) ;;
	check-0 | plan-0 | apply-0 | assert-0 | export-0 | import-1 | dump-1 | latency-[01]) _fairlead_files f "$cur" ;;
	record-0) _fairlead_files d "$cur" ;;
	import-0) _fairlead_words "$cur" <<<libvirt ;;
	run-0 | up-0) _fairlead_words "$cur" < <(comm -23 <(_fairlead_policy guests | sort) <(_fairlead_running | sort)) ;;
	log-0) _fairlead_words "$cur" < <({ _fairlead_policy guests; _fairlead_running; } | sort -u) ;;
	down-0 | stop-0 | reset-0 | pause-0 | resume-0 | console-0 | dump-0 | attach-0 | detach-0 | failover-0 | irq-0)
		_fairlead_words "$cur" < <(_fairlead_running) ;;
	attach-1) _fairlead_words "$cur" < <(comm -23 <({ _fairlead_policy guests "$first"; _fairlead_policy devices; } | sort -u) \
		<(_fairlead_devices "$program" "$first" | sort)) ;;
	explain-1) _fairlead_words "$cur" < <({ _fairlead_policy guests "$first"; _fairlead_devices "$program" "$first"; } | sort -u) ;;
	detach-1 | failover-1) _fairlead_words "$cur" < <(_fairlead_devices "$program" "$first") ;;
	lease-0) _fairlead_words "$cur" < <(_fairlead_policy pools) ;;
	release-0) _fairlead_words "$cur" < <(_fairlead_holders "$program") ;;
	esac
}

_fairlead() {
	local line=${COMP_LINE:0:COMP_POINT} words word program cur='' verb='' option='' kind='' args=()
	read -ra words <<<"$line"
	program=${words[0]}
	if [[ $line != *[[:space:]] ]]; then
		cur=${words[-1]}
		unset 'words[-1]'
	fi
	COMPREPLY=()
	for word in "${words[@]:1}"; do
		if [[ -n $kind ]]; then
			kind=''
		elif [[ $word == -- ]]; then
			# The command that has the lease: bash's own completion knows it.
			compopt -o default 2>/dev/null
			return
		elif [[ $word == -* ]]; then
			option=$word
			kind=$(_fairlead_kind "$program" "$verb" "$word")
		elif [[ -z $verb ]]; then
			verb=$word
		else
			args+=("$word")
		fi
	done
	if [[ -z $kind && $cur == --*=* ]]; then
		option=${cur%%=*}
		cur=${cur#*=}
		kind=$(_fairlead_kind "$program" "$verb" "$option")
	fi
	if [[ -n $kind ]]; then
		_fairlead_value "$option" "$kind" "$cur"
	elif [[ $cur == -* ]]; then
		_fairlead_words "$cur" < <(_fairlead_options "$program" "$verb" | sed 's/ .*//')
	elif [[ -z $verb ]]; then
		_fairlead_words "$cur" < <(_fairlead_verbs "$program")
	else
		_fairlead_argument "$program" "$verb" "$cur" "${args[@]}"
	fi
	# Readline replaces what is behind the last colon.
	if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
		COMPREPLY=("${COMPREPLY[@]#"${cur%"${cur##*:}"}"}")
	fi
}
complete -F _fairlead fairlead
