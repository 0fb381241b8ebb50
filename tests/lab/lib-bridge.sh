# The guest `demo`, whose nic is a VF of the PF, and the PF in a bridge beside it. Sourced after lib-device.sh.
#
#   pf_in_bridge           sets pf and dev; the bridge has the PF's MAC and L1's address
#   demo_policy WORD...    /run/policy.yaml, by the words of the guest's command line; its nics, and what else there is
#                          to say, come by standard input; VFS: how many there are, POOL: which of them the pool has

GUEST_IP=10.0.2.15 HOST_IP=10.0.2.3
MAC=02:5a:10:00:00:07
BR=br0
VFS=1 POOL=0

pf_in_bridge() {
	modprobe -a bridge tun vhost_net
	pf=$(pf_igb)
	dev=$(pci_netdev "$pf")
	ip link add "$BR" address "$(cat "/sys/class/net/$dev/address")" type bridge
	ip link set "$dev" master "$BR"
	ip link set "$dev" up
	ip addr add "$HOST_IP/24" dev "$BR"
	ip link set "$BR" up
}

demo_policy() { # fl.* words...
	local more
	more=$(cat)
	cat >/run/policy.yaml <<-END
		version: 1
		nics:
		  - { name: edge0, match: { pci: "$pf" }, virtual-function-count: $VFS, drivers-autoprobe: false, link: up }
		pools:
		  - { name: edge, functions: ["edge0#$POOL"], driver: vfio }
		guests:
		  - name: demo
		    memory: 256M
		    kernel: /var/lib/fairlead/images/vmlinuz
		    initrd: /var/lib/fairlead/images/initrd.img
		    cmdline: "$(guest_cmdline "$@")"
		    nics:
		$more
	END
}
