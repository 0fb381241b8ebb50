# fairlead's own programs in L1: the daemon, the command, what a VMM weighs. Sourced by scenarios
# that test them; lib.sh does not need them.

FL_BUILD=${FL_BUILD:-$PWD/build}
FAIRLEAD=$FL_BUILD/fairlead
export FAIRLEAD_VMM=$FL_BUILD/fairlead-vmm
NETD_LOG=$LAB_LOG/netd.log

netd_start() { # ARGS...
	"$FL_BUILD/fairlead-netd" "$@" >>"$NETD_LOG" 2>&1 &
	NETD_PID=$!
	at_end netd_kill
	wait_for 10 "answer from fairlead-netd (its log: $NETD_LOG)" "$FAIRLEAD" status
}

netd_kill() { [ -z "${NETD_PID:-}" ] || kill -9 "$NETD_PID" 2>/dev/null || true; }

netd_stop() {
	kill "$NETD_PID"
	wait "$NETD_PID" || true
	NETD_PID=
}

# The images that docs/examples/demo.yaml names. L1's root is an overlay, so this stays in L1.
install_images() {
	mkdir -p /var/lib/fairlead/images
	ln -sf "$L2_KERNEL" /var/lib/fairlead/images/vmlinuz
	ln -sf "$L2_INITRD" /var/lib/fairlead/images/initrd.img
}

# Proportional set size, in KiB, of everything a VMM holds but guest RAM and device memory.
vmm_pss() { # PID
	awk '/^[0-9a-f]+-[0-9a-f]+ /{ skip = /memfd:fairlead|vfio/ }
		/^Pss:/ && !skip { sum += $2 } END { print sum }' "/proc/$1/smaps"
}

# report_field FILE EVENT FIELD: of the last such line of a VMM's report.
report_field() {
	jq -rs --arg event "$2" "map(select(.event == \$event)) | last | .$3" "$1"
}

# What the host says of a PF and its VFs, for "as it was before" to be a comparison, not a hope. The
# qdisc is left out: an interface that was never up has none (noop), and gets one for good.
host_state() { # PF
	local f
	for f in sriov_numvfs sriov_drivers_autoprobe driver_override; do
		echo "$f $(cat "$PCI/$1/$f" 2>/dev/null)"
	done
	echo "driver $(pci_driver "$1")"
	ip -d link show "$(pci_netdev "$1")" | sed 's/ state [A-Z]*//; s/,LOWER_UP//; s/NO-CARRIER,//; s/ qdisc [a-z]*//'
}

# The demo's policy with another command line for the guest, and other changes by sed where wanted.
policy_with() { # FILE GUEST-WORDS [SED-SCRIPT]
	sed -e "s|^\( *cmdline:\).*|\1 \"$(guest_cmdline "$2")\"|" ${3:+-e "$3"} docs/examples/demo.yaml >"$1"
}

# ---- what a policy says, done ----

apply() { "$FAIRLEAD" apply "$1" >"$LAB_LOG/apply" 2>&1 || fail "$(cat "$LAB_LOG/apply")"; }
actions() { "$FAIRLEAD" -j plan "$1" | jq -r '[.actions[].op] | join(" ")'; }

# by_hand POLICY [SED-SCRIPT]: the commands that the plan prints are typed, and nothing is left to do. The script
# says what is called otherwise here than the plan has it.
by_hand() {
	"$FAIRLEAD" plan --commands "$1" | sed "${2:-}" >"$LAB_LOG/commands"
	[ -s "$LAB_LOG/commands" ] || fail "the plan has no commands"
	expect "the plan's commands" bash -ex "$LAB_LOG/commands"
	equal "actions after the commands" "$(actions "$1")" ""
}

# same_plan POLICY: what is planned on a recording is what is planned here, and that is something.
same_plan() {
	local of='{ok, actions: [.actions[]? | {op, text, command, disruption}], error: .error?.what}'
	"$FAIRLEAD" record "$LAB_LOG/recorded" >/dev/null || fail "record"
	"$FAIRLEAD" -j plan "$1" | jq "$of" >"$LAB_LOG/plan-here" || fail "plan"
	"$FAIRLEAD" -j plan --sim "$LAB_LOG/recorded" "$1" | jq "$of" >"$LAB_LOG/plan-recorded" || fail "$(cat "$LAB_LOG/plan-recorded")"
	[ "$(jq '.actions | length' "$LAB_LOG/plan-here")" -gt 0 ] || fail "nothing is planned"
	diff "$LAB_LOG/plan-here" "$LAB_LOG/plan-recorded" || fail "the plan on the recording differs"
}

# ---- guests that obey their console (fl.mode=idle), started by `fairlead run` ----

# One PF ($pf), two VFs with drivers and with a network's attributes.
tagged_policy() { # RECONCILE ATTRIBUTES
	cat <<-YAML
		version: 1
		host: { reconcile: { $1 } }
		nics:
		  - { name: e, match: { pci: "$pf" }, virtual-function-count: 2, drivers-autoprobe: false, link: up }
		networks:
		  - { name: tagged, vlan: { id: 100, qos: 3 }, $2 }
		pools:
		  - { name: p, functions: ["e#0-1"], driver: vfio, mac: { prefix: "02:5a:10", assign: stable } }
		guests:
		  - name: g
		    memory: 512M
		    kernel: /var/lib/fairlead/images/vmlinuz
		    nics: [{ name: a, pool: p, network: tagged }, { name: b, pool: p, network: tagged }]
	YAML
}

# run_guest NAME GUEST [OPTION...]: a guest of the policy; its console goes by NAME, as does its report.
run_guest() {
	local name=$1 guest=$2
	shift 2
	guest_start "$name" "$FAIRLEAD" run "$@" --report "$LAB_LOG/$name.report" "$guest"
	wait_ready "$name"
}

# Longer than a scenario may be silent: a guest that deadlocks (README, Traps) may have another try.
wait_ready() { # NAME
	local until=$(($(now_ms) + 20000))
	until [ -n "$(guest_said "$1" ready)" ]; do
		kill -0 "$(guest_pid "$1")" 2>/dev/null || break
		if [ "$(now_ms)" -ge "$until" ]; then
			note "guest $1 is silent: $(exits_twice "$1")"
			break
		fi
		sleep 0.2
	done
	guest_expect "$1" 100 ready
}

# Does it still run? Exits to userspace, now and a second later.
exits_twice() { # NAME
	kill -USR1 "$(guest_pid "$1")"
	sleep 1
	kill -USR1 "$(guest_pid "$1")"
	sleep 0.5
	jq -c '[.uptime_ns, .exits]' "$LAB_LOG/$1.report" | tr '\n' ' '
}

console_count() { grep -cE "FL-GUEST: ($2)" "$LAB_LOG/$1.log" || true; } # NAME REGEX
said_more() { [ "$(console_count "$1" "$2")" -gt "$3" ]; }              # NAME REGEX COUNT
said_last() { sed -nE "s/.*FL-GUEST: (($2).*)/\1/p" "$LAB_LOG/$1.log" | tail -n 1; }

# order NAME SECONDS WORDS...: the guest does it, and has said that it is done.
order() {
	local name=$1 seconds=$2 before
	before=$(console_count "$name" 'done ')
	shift 2
	guest_send "$name" "$*"
	wait_for "$seconds" "end of \"$*\" in guest $name" said_more "$name" 'done ' "$before"
}

pings() { # NAME COUNT
	order "$1" 60 ping "$2"
	case $(said_last "$1" ping) in
	"ping ok $2/$2"*) ;;
	*) fail "guest $1 says: $(said_last "$1" 'ping|error'); $(guest_last "$1")" ;;
	esac
}

power_off() { # NAME
	guest_send "$1" off
	guest_wait "$1" 30
}

# The VMM ends by itself within the time, with that status.
guest_ends() { # NAME SECONDS STATUS
	local status=0
	wait_for "$2" "end of guest $1's VMM" eval "! kill -0 $(guest_pid "$1")"
	wait "$(guest_pid "$1")" || status=$?
	wait "${STAMP_PID[$1]}" || true
	GUEST_PID[$1]=''
	equal "exit status of guest $1's VMM; $(guest_last "$1")" "$status" "$3"
}

# ---- what the VMM counts ----

snapshot_count() { grep -c '"snapshot"' "$LAB_LOG/$1.report" || true; }
snapshots_beyond() { [ "$(snapshot_count "$1")" -gt "$2" ]; }

snapshot() { # NAME: a line of counters now; the loop of a VMM that gives none is stuck
	local before
	before=$(snapshot_count "$1")
	kill -USR1 "$(guest_pid "$1")"
	wait_for 5 "report of guest $1's VMM" snapshots_beyond "$1" "$before"
}

# Exits to userspace but the console's, through which the guest talks, and those of the asking.
exits_but_console() { # NAME
	jq -rs 'map(select(.event == "snapshot")) | last | .exits | .total - .serial - .signal' \
		"$LAB_LOG/$1.report"
}

# ---- what must be so afterwards ----

leases() { "$FAIRLEAD" -j status | jq -r '[.leases[].guest] | join(" ")'; }
no_lease() { [ -z "$(leases)" ]; }
holder_of() { "$FAIRLEAD" -j status | jq -r ".pfs[].vfs[] | select(.bdf == \"$1\") | .holder"; }
is_free() { [ -z "$(holder_of "$1")" ]; }

# The host's kernel complains of nothing that a guest or we made it do.
host_quiet() {
	local bad
	bad=$(dmesg | grep -E 'WARNING: CPU|BUG:|Oops|DMAR:.*[Ff]ault|PCIe Bus Error|blocked for more than' || true)
	[ -z "$bad" ] || fail "the host's kernel says: $(head -n 3 <<<"$bad")"
}

# refused CODE WORDS COMMAND...: it fails with that number, says WORDS and a mend.
refused() {
	local code=$1 words=$2 out
	shift 2
	if out=$("$@" 2>&1 </dev/null); then fail "not refused: $*: $out"; fi
	printf '%s\n' "$out" | tr -d '\r' | sed 's/^/       /'
	case $out in *"$code"*) ;; *) fail "no $code in: $out" ;; esac
	case $out in *"$words"*) ;; *) fail "not said, \"$words\": $out" ;; esac
	case $out in *mend:*) ;; *) fail "no mend in: $out" ;; esac
}
