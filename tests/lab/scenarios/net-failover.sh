#!/bin/bash
# `fairlead failover`: a guest's VF goes and comes back as one request, or another comes; and what is said where it cannot.
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
the_vf() { "$FAIRLEAD" -j status | jq -r '.leases[0] | .devices[.names | index("wan")]'; }
mac_of() { ip -j link show dev "$dev" | jq -r ".[0].vfinfo_list[$1].address"; }
released() { [ "$(grep -c "release demo by pid 0: done" "$NETD_LOG")" = "$1" ]; }
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
VFS=2
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
wait_for 20 "the third looking-after" released 3
exec 7<>"$node"
failover 5 "fairlead failover demo wan --back" --back
answers
exec 7>&-
failover 0 "is the guest's" --back
answers

step "its own is not to be had: another of the pool"
POOL=0-1
policy
expect "a larger pool" "$FAIRLEAD" apply /run/policy.yaml
other=$(pci_vf "$pf" 1)
failover 0 "its VF is away" --to-standby
wait_for 20 "the next looking-after" released 4
exec 7<>"$node"
failover 0 "in place of VF 0 of edge0: " --back
equal "the VF" "$(the_vf)" "$other"
equal "MACs" "$(mac_of 0) $(mac_of 1)" "00:00:00:00:00:00 $MAC"
answers
expect "the machine is as the policy says" "$FAIRLEAD" assert
"$FAIRLEAD" -j status | jq -e --arg b "$other" '.functions[] | select(.bdf == $b) | .moved == {nic: "edge0", vf: 1}' ||
	fail "status does not tell it"
exec 7>&-

step "home again; another on purpose; one that cannot be"
failover 0 "VF $vf is the guest's"
equal "MACs" "$(mac_of 0) $(mac_of 1)" "$MAC 00:00:00:00:00:00"
answers
failover 0 "it was asked for" --device "$other"
equal "the VF" "$(the_vf)" "$other"
answers
failover 0 "nothing to do" --back
failover 1 "FL-0783" --device 0000:ff:1f.7
equal "the VF, still" "$(the_vf)" "$other"
answers
failover 0 "VF $vf is the guest's"
"$FAIRLEAD" -j history | jq -e '[.entries[].verb] | index("failover") != null and index("scrub") != null' ||
	fail "the history has none of it"

step "a guest that ends elsewhere begins at home"
failover 0 "it was asked for" --device "$other"
power_off demo
wait_for 10 "end of the lease" no_lease
wait_for 20 "MACs as the policy has them" eval '[ "$(mac_of 0) $(mac_of 1)" = "$MAC 00:00:00:00:00:00" ]'
expect "the machine is as the policy says" "$FAIRLEAD" assert

step "the end"
host_quiet
netd_stop
