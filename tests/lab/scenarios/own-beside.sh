#!/bin/bash
# A NIC of the VMM's own under load, of each kind, with two queues and 9000 bytes a packet where it has them, while a
# VF beside it comes and goes: nothing is lost, and what goes through is whole.
# lab: devices=igb timeout=600 quiet=90 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"
. "$LAB_DIR/lib-ctl.sh"
. "$LAB_DIR/lib-net.sh"

# Until told to stop; politely and by force by turns. Its orders go to the VMM, the guest's console is not its own.
vf_cycles() { # NAME
	local i=0
	until [ -e /run/vf-stop ]; do
		i=$((i + 1))
		if [ $((i % 2)) = 0 ]; then ctl_detach "$1" vf 20000; else ctl_detach "$1" vf 0 true; fi
		sleep 1
		ctl_attach "$1" 30 "$vf@2.0=vf"
		sleep 2
	done
	echo "$i" >/run/vf-cycles
}
vf_works() { # NAME: its driver has it, in the guest
	tell "$1" 40 "i=0; until ls -l /sys/class/net/*/device/driver | grep -q igbvf || [ \$((i++)) = 100 ]; do usleep 200000; done; ls -l /sys/class/net/*/device/driver | grep -q igbvf"
}
dropped() { # NAME: by the guest's NIC, in error
	tell "$1" 10 "cd /sys/class/net/eth0/statistics; echo FL-GUEST: bad \$((\$(cat rx_errors) + \$(cat tx_errors) + \$(cat rx_crc_errors)))"
	heard_last "$1" bad
}

beside() { # NAME VMM-LAUNCH-WORDS...
	local name=$1 cycler
	shift
	step "$name: boot, then a VF"
	rm -f "/run/guests/$name.ctl" /run/vf-stop /run/vf-cycles
	mkdir -p /run/guests
	mkfifo "/run/guests/$name.ctl"
	: >"$LAB_LOG/$name.ctl"
	CTL_ID[$name]=0
	boot "$name" "$BACKEND" --ctl "$name" --cpus 2 --spare 1 "$@"
	tell "$name" 20 "ip link set eth0 mtu 9000"
	nic_up "$name"
	ctl_attach "$name" 30 "$vf@2.0=vf"
	ask "$name" 60 load # there is no udev
	vf_works "$name"

	step "$name: small and large packets, TCP both ways, while the VF goes and comes"
	vf_cycles "$name" &
	cycler=$!
	pings "$name" 1000 56
	pings "$name" 500 8972
	bytes_in "$name" 24
	bytes_out "$name" 24
	flood 5
	pings "$name" 300 1472
	bytes_in "$name" 8
	touch /run/vf-stop
	wait "$cycler" || fail "the VF's coming and going failed"
	note "the VF went and came $(cat /run/vf-cycles) times"
	[ "$(cat /run/vf-cycles)" -ge 2 ] || fail "it was too short"
	equal "packets in error" "$(dropped "$name")" 0
	vf_works "$name"
	tell "$name" 20 "! dmesg | grep -E 'BUG:|Oops|WARNING: CPU|NETDEV WATCHDOG'"
	off "$name"
}

step "a VF, a tap"
modprobe -a tun vhost_net
pf=$(pf_igb)
carve_vfs "$pf" 1
ip link set "$(pci_netdev "$pf")" up
vf=$(pci_vf "$pf" 0)
bind_vfio "$vf"
BACKEND=$(backends | cut -d' ' -f1)
tap_make t0
ip link set t0 mtu 9000
beside virtio --nic 'virtio@1,t0,"pairs": 2, "mtu": 9000'
beside vhost --nic 'virtio@1,t0,vhost,"pairs": 2, "mtu": 9000'
beside e1000 --nic e1000@1,t0
host_quiet
