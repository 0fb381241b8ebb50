#!/bin/bash
# One guest's nic as a VF, a vhost tap and an emulated one, by one word: the same MAC, slot and network, and it pings.
# lab: devices=igb timeout=600 quiet=90 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-bridge.sh"

policy() { # DATAPATH
	demo_policy fl.mode=idle "fl.peer=$HOST_IP" <<-END
		      - { name: wan, pool: edge, network: lan, mac-address: "$MAC", slot: "05.0",
		          datapath: $1, bridge: $BR, model: e1000 }
		networks:
		  - { name: lan, spoof-check: true, trust: false }
	END
}
# The host answers, by the bridge: what comes for a tap from the wire must be let in by the card (docs/policy.md).
one() { # DATAPATH DRIVER
	step "$1"
	policy "$1"
	expect "apply" "$FAIRLEAD" apply /run/policy.yaml
	run_guest "$1" demo
	order "$1" 60 net
	equal "driver" "$(said_last "$1" nic)" "nic eth0 driver $2"
	equal "MAC" "$(said_last "$1" mac)" "mac $MAC"
	tell "$1" 10 "echo FL-GUEST: place \$(readlink -f /sys/class/net/eth0/device | grep -o '0000:00:05.0')"
	equal "slot" "$(heard_last "$1" place)" 0000:00:05.0
	pings "$1" 10
	note "$("$FAIRLEAD" status | grep -E "wan|$MAC" | tr '\n' ';')"
	power_off "$1"
	wait_for 10 "end of the lease" no_lease
}

step "the PF in a bridge, which has its MAC"
modprobe nf_tables
pf_in_bridge
install_images
netd_start
one passthrough igbvf
one vhost virtio_net
one emulated e1000
one passthrough igbvf
expect "restore" "$FAIRLEAD" restore
host_quiet
netd_stop
