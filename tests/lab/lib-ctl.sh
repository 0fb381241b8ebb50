# Guests whose VMM has its connection to vmm-ctl instead of netd: orders and answers. Sourced by scenarios, after
# lib-fairlead.sh.
#
#   ctl_guest NAME WORDS LAUNCH-OPTION...    start it, wait until it is ready
#   ctl NAME ORDER...                        see vmm-ctl.c
#   ctl_answer NAME SECONDS                  the answer to the latest order (done, state): a line of JSON
#   ctl_count NAME JQ                        how many of the VMM's messages are so

ctl_guest() { # NAME WORDS OPTION...
	local name=$1 words=$2
	shift 2
	mkdir -p /run/guests
	rm -f "/run/guests/$name.ctl"
	mkfifo "/run/guests/$name.ctl"
	: >"$LAB_LOG/$name.ctl"
	CTL_ID[$name]=0
	guest_start "$name" tests/lab/vmm-launch --report "$LAB_LOG/$name.report" --ctl "$name" \
		--initrd "$L2_INITRD" "$@" "$L2_KERNEL" "$(guest_cmdline "fl.mode=idle $words")"
	wait_ready "$name"
}
declare -A CTL_ID=()

ctl() { # NAME ORDER...
	local name=$1
	shift
	case $1 in attach | detach | query) CTL_ID[$name]=$((CTL_ID[$name] + 1)) ;; esac
	echo "$*" >"/run/guests/$name.ctl"
}

ctl_count() { jq -cMs "map(select($2)) | length" "$LAB_LOG/$1.ctl"; } # NAME JQ
ctl_has() { [ "$(ctl_count "$1" "$2")" -gt 0 ]; }

ctl_answer() { # NAME SECONDS
	wait_for "$2" "answer of guest $1's VMM" ctl_has "$1" ".id == ${CTL_ID[$1]}"
	jq -cM "select(.id == ${CTL_ID[$1]})" "$LAB_LOG/$1.ctl"
}

ctl_attach() { # NAME SECONDS BDF@SLOT.FN=DEVICE...
	local name=$1 seconds=$2 answer
	shift 2
	ctl "$name" attach "$@"
	answer=$(ctl_answer "$name" "$seconds")
	equal "attach $*: $answer" "$(jq .ok <<<"$answer")" true
}

# Politely, with time enough; or "forced" as the fourth word.
ctl_detach() { # NAME DEVICE MS [true|false]
	local answer
	ctl "$1" detach "$2" "$3"
	answer=$(ctl_answer "$1" $(($3 / 1000 + 20)))
	equal "detach $2: $answer; forced" "$(jq '[.ok, .forced] | @csv' <<<"$answer")" "\"true,${4:-false}\""
}

counter() { # NAME FIELD: of a report that is made now
	snapshot "$1"
	jq -rMs "map(select(.event == \"snapshot\")) | last | .$2" "$LAB_LOG/$1.report"
}
