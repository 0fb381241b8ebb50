#!/bin/bash
# netd is killed at many points of an apply; started again it converges: all of it, or as before.
# lab: devices=igb timeout=400
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

POLICY=docs/examples/demo.yaml
TIMES="0.03 0.1 0.2 0.35 0.5 0.7 1.0" # seconds into an apply of about 1.3
SYNCS=11 # fsyncs of an apply: original, history twice, intent, applied (file and folder each), intent's removal

# What an apply changes.
vf_state() {
	cat "$PCI/$pf/sriov_numvfs" "$PCI/$pf/sriov_drivers_autoprobe"
	for d in "$PCI/$pf"/virtfn*; do
		[ ! -e "$d" ] || echo "$(pci_driver "$(basename "$(readlink "$d")")") $(cat "$d/driver_override")"
	done
	ip -d link show dev "$ifname" | sed -n '/vf [0-9]/p'
	ip -j link show dev "$ifname" | jq -c '.[0].flags | index("UP") != null'
}

phase() { "$FAIRLEAD" -j status | jq -r .journal; }
settled() { [ "$(phase)" != applying ]; }

# netd is dead. A new one must make it whole, without being asked.
converge() { # TEXT
	netd_start
	wait_for 40 "end of the recovery after $1" settled
	case $(phase) in
	none) equal "$1: as before" "$(vf_state)" "$before" ;;
	applied) equal "$1: as the policy says" "$(vf_state)" "$desired" ;;
	esac
	SEEN+=" $(phase)"
	"$FAIRLEAD" restore >>"$LAB_LOG/restore" 2>&1 || fail "$1: restore: $(tail -n 5 "$LAB_LOG/restore")"
	equal "$1: after restore" "$(vf_state)" "$before"
	netd_stop
}

step "what an apply makes of the machine"
pf=$(pf_igb) ifname=$(pci_netdev "$pf")
before=$(vf_state)
netd_start
expect "apply" "$FAIRLEAD" apply "$POLICY"
desired=$(vf_state)
expect "restore" "$FAIRLEAD" restore
equal "after restore" "$(vf_state)" "$before"
netd_stop
[ "$before" != "$desired" ] || fail "the apply changed nothing: this test could not fail"

step "killed at $(wc -w <<<"$TIMES") moments of an apply"
SEEN=
for t in $TIMES; do
	netd_start
	"$FAIRLEAD" apply "$POLICY" >/dev/null 2>&1 &
	client=$!
	sleep "$t"
	kill -9 "$NETD_PID"
	wait "$NETD_PID" 2>/dev/null || true
	wait "$client" || true
	converge "killed after $t s"
done
note "ended as:$SEEN"
case $SEEN in *applied*) ;; *) fail "no kill fell into the middle of an apply" ;; esac

step "the worker killed at each of its $SYNCS fsyncs, then netd"
SEEN=
for n in $(seq "$SYNCS"); do
	strace -f -qq -o /dev/null -e trace=fsync -e inject=fsync:signal=KILL:when="$n" \
		"$FL_BUILD/fairlead-netd" >>"$NETD_LOG" 2>&1 &
	tracer=$!
	wait_for 20 "answer from fairlead-netd under strace" "$FAIRLEAD" status
	"$FAIRLEAD" apply "$POLICY" >"$LAB_LOG/killed-$n" 2>&1 && fail "fsync $n: the apply was not cut short"
	grep -q FL-0704 "$LAB_LOG/killed-$n" || fail "fsync $n: $(cat "$LAB_LOG/killed-$n")"
	kill -9 "$(pgrep -P "$tracer" | head -n 1)"
	wait "$tracer" 2>/dev/null || true
	converge "killed at fsync $n"
done
note "ended as:$SEEN"
case $SEEN in *none*applied*) ;; *) fail "both ends should be seen" ;; esac

step "no trace is left"
equal "the machine" "$(vf_state)" "$before"
equal "netd's children" "$(pgrep -c fairlead-netd || true)" 0
