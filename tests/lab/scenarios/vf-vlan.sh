#!/bin/bash
# A VF with a VLAN by policy talks to that VLAN on the wire and to nothing else; without one, untagged.
# lab: devices=igb2 timeout=200 quiet=45 tries=2
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

# The other end of the segment: the second igb, in a name space of its own, as another machine.
peer() { ip netns exec peer "$@"; }

make_peer() { # INTERFACE
	modprobe 8021q
	ip netns add peer
	ip link set "$1" netns peer
	peer ip link set "$1" up
	peer ip addr add 10.8.0.2/24 dev "$1"
	peer ip link add link "$1" name tagged type vlan id 100
	peer ip link set tagged up
	peer ip addr add 10.9.0.2/24 dev tagged
	# An address answers on its own interface only, or the test would see one through the other.
	peer sh -c 'for f in /proc/sys/net/ipv4/conf/*/arp_ignore; do echo 1 >"$f"; done'
}

apply_vlan() { # VLAN
	policy_with "$LAB_LOG/policy.yaml" fl.mode=idle "s/vlan: null.*/vlan: $1/"
	expect "apply" "$FAIRLEAD" apply "$LAB_LOG/policy.yaml"
	"$FAIRLEAD" confirm >/dev/null 2>&1 || true # asked for where a PF has a default route
}

# reaches NAME ADDRESS: "yes" or "no", from the guest.
reaches() {
	order "$1" 30 sh "ping -c 3 -i 0.3 -W 2 $2 >/dev/null 2>&1 && echo FL-GUEST: reach yes || echo FL-GUEST: reach no" >&2
	said_last "$1" reach | cut -d' ' -f2
}

boot_there() { # NAME
	run_guest "$1" demo
	order "$1" 40 net
	order "$1" 10 sh ip addr add 10.8.0.15/24 dev eth0
	order "$1" 10 sh ip addr add 10.9.0.15/24 dev eth0
}

step "two NICs on one segment; VLAN 100, qos 3 by policy"
install_images
pf=$(pf_igb) before=$(host_state "$pf")
other=$(pci_netdev "$(pci_find 8086:10c9 | tail -n 1)")
[ "$other" != "$(pci_netdev "$pf")" ] || fail "one NIC only"
make_peer "$other"
netd_start
apply_vlan '{ id: 100, qos: 3, protocol: 802.1q }'
equal "VLAN as iproute2 sees it" \
	"$(ip -j -d link show "$(pci_netdev "$pf")" | jq -r '.[0].vfinfo_list[0].vlan_list[0] | "\(.vlan) \(.qos)"')" "100 3"

step "the guest reaches VLAN 100, and not the untagged network"
boot_there tagged
equal "VLAN 100 reached" "$(reaches tagged 10.9.0.2)" yes
equal "untagged reached" "$(reaches tagged 10.8.0.2)" no
power_off tagged
wait_for 3 "end of the lease" no_lease

step "the policy takes the VLAN away: the other way about"
apply_vlan null
boot_there plain
equal "VLAN 100 reached" "$(reaches plain 10.9.0.2)" no
equal "untagged reached" "$(reaches plain 10.8.0.2)" yes
power_off plain
wait_for 3 "end of the lease" no_lease

step "restore"
expect "restore" "$FAIRLEAD" restore
equal "the host" "$(host_state "$pf")" "$before"
host_quiet
netd_stop
