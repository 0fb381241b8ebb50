#!/bin/bash
# The worker of an apply is killed at many moments, and netd is not: another finishes it, unasked, without a restart.
# lab: devices=igb timeout=200
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

POLICY=docs/examples/demo.yaml
TIMES="0.02 0.1 0.3 0.6 0.9" # seconds into an apply of about 1.3

phase() { "$FAIRLEAD" -j status | jq -r .journal; }
settled() { case $(phase) in applying) false ;; esac; }
cut_short() { "$FAIRLEAD" -j history | jq -r '[.entries[] | select(.verb == "recover")] | length'; }

step "what an apply makes of the machine"
pf=$(pf_igb)
before=$(host_state "$pf")
netd_start
expect "apply" "$FAIRLEAD" apply "$POLICY"
desired=$(host_state "$pf")
expect "restore" "$FAIRLEAD" restore
equal "after restore" "$(host_state "$pf")" "$before"

step "killed at $(wc -w <<<"$TIMES") moments of it"
killed=0
for t in $TIMES; do
	"$FAIRLEAD" apply "$POLICY" >"$LAB_LOG/apply-$t" 2>&1 &
	client=$!
	sleep "$t"
	# Whatever it has begun, as the kernel's own killer would.
	for worker in $(pgrep -P "$NETD_PID"); do
		kill -9 "$worker" 2>/dev/null || true
	done
	if ! wait "$client"; then
		grep -q FL-0704 "$LAB_LOG/apply-$t" || fail "killed after $t s: $(cat "$LAB_LOG/apply-$t")"
		killed=$((killed + 1))
	fi
	wait_for 40 "end of the recovery after $t s" settled
	case $(phase) in
	none) equal "after $t s: as before" "$(host_state "$pf")" "$before" ;;
	applied) equal "after $t s: as the policy says" "$(host_state "$pf")" "$desired" ;;
	esac
	expect "restore" "$FAIRLEAD" restore
	equal "after $t s, restored" "$(host_state "$pf")" "$before"
done
note "$killed killed, $(cut_short) finished by another worker"
[ "$killed" -gt 0 ] || fail "no apply was killed: this test could not fail"
[ "$(cut_short)" -gt 0 ] || fail "no kill fell behind the intent: this test could not fail"

step "no trace is left"
kill -0 "$NETD_PID" || fail "netd has ended"
host_quiet
netd_stop
