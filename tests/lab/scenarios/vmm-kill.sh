#!/bin/bash
# The VMM is killed while it pings: the VF is free at once. netd is killed under a guest: the guest goes on.
# lab: devices=igb timeout=200 quiet=45 tries=2
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

KILLS=2

step "apply"
install_images
pf=$(pf_igb) before=$(host_state "$pf")
netd_start
expect "apply" "$FAIRLEAD" apply docs/examples/demo.yaml
vf=$(pci_vf "$pf" 0)

for i in $(seq $KILLS); do
	step "kill $i of $KILLS: SIGKILL while packets flow"
	run_guest "killed-$i" demo
	order "killed-$i" 40 net
	pings "killed-$i" 2
	guest_send "killed-$i" ping 200
	sleep 0.5
	kill -9 "$(guest_pid "killed-$i")"
	wait "$(guest_pid "killed-$i")" 2>/dev/null || true
	# No wait for netd: what follows at once must find it free.
done

step "the next guest has the VF at once, and pings"
run_guest after demo
equal "leases" "$(leases)" demo
equal "who has the VF" "$(holder_of "$vf")" "demo/wan (pid $(guest_pid after))"
order after 40 net
pings after 3

step "netd is killed: the guest goes on"
netd_kill
wait "$NETD_PID" 2>/dev/null || true
pings after 3
grep -q 'netd has gone away' "$LAB_LOG/after.log" || fail "the VMM does not say that netd has gone"

step "a new netd does not take a held VF, nor lease it: it names the holder"
netd_start
was=$(host_state "$pf")
refused FL-0122 "pid $(guest_pid after)" "$FAIRLEAD" restore
refused FL-0710 "pid $(guest_pid after)" "$FAIRLEAD" run demo
equal "the host after the refusals" "$(host_state "$pf")" "$was"
pings after 3

step "the guest ends; restore works"
power_off after
wait_for 3 "free VF" is_free "$vf"
expect "restore" "$FAIRLEAD" restore
equal "the host" "$(host_state "$pf")" "$before"
host_quiet
netd_stop
