#!/bin/bash
# `fairlead failover`: a guest's VF goes and comes back as one request, only goes, only comes; and what is said where it cannot.
# lab: devices=igb timeout=420 quiet=90 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-bridge.sh"

policy() {
	demo_policy fl.mode=idle <<-END
		      - { name: wan, pool: edge, mac-address: "$MAC", failover: { backend: vhost, bridge: $BR } }
		      - { name: mgmt, emulated: { backend: tap } }
	END
}
answers() { wait_for 30 "answer of the guest" busybox ping -c 1 -W 1 $GUEST_IP; }
has_vf() { [ "$("$FAIRLEAD" -j status | jq -r '.leases[0].names | index("wan") != null')" = "$1" ]; }
# STATUS WORDS OPTION...: how it ends, and what it says.
failover() {
	local want=$1 words=$2 status=0 out
	shift 2
	out=$("$FAIRLEAD" failover demo wan "$@" 2>&1) || status=$?
	printf '%s\n' "$out" | sed 's/^/       /'
	equal "exit status" "$status" "$want"
	case $out in *"$words"*) ;; *) fail "not said: $words" ;; esac
}

step "a guest with a VF and a standby"
pf_in_bridge
install_images
netd_start
policy
expect "apply" "$FAIRLEAD" apply /run/policy.yaml
run_guest demo demo
tell demo 30 "for n in /sys/class/net/*; do [ -e \$n/master ] || continue; m=\$(basename \$(readlink \$n/master)); done; ip addr add $GUEST_IP/24 dev \$m; ip link set \$m up"
answers

step "goes and comes back"
failover 0 "is the guest's; beside it standby"
has_vf true || fail "no VF in the lease"
answers

step "goes; comes"
failover 0 "its VF is away; the guest is on its standby" --to-standby
has_vf false || fail "the VF is in the lease still"
answers
failover 0 "nothing to do" --to-standby
failover 0 "is the guest's" --back
failover 0 "nothing to do" --back
answers

step "where it cannot"
refused FL-0742 "no standby" "$FAIRLEAD" failover demo mgmt
refused FL-0717 "" "$FAIRLEAD" failover nobody wan
failover 0 "its VF is away" --to-standby
vf=$(pci_vf "$pf" 0)
node=/dev/vfio/devices/$(ls "$PCI/$vf/vfio-dev")
# Not while it is scrubbed: who opens it then has it in quarantine.
wait_for 20 "the third looking-after" eval '[ "$(grep -c "release demo by pid 0: done" "$NETD_LOG")" = 3 ]'
exec 7<>"$node"
failover 5 "fairlead failover demo wan --back" --back
answers
exec 7>&-
failover 0 "is the guest's" --back
answers

step "the end"
power_off demo
wait_for 10 "end of the lease" no_lease
host_quiet
netd_stop
