#!/bin/bash
# A virtio NIC on a tap, served in userspace: packets of all sizes, whole data both ways, several queues, its
# driver unbound and bound under load, and a tap that goes away.
# lab: devices= timeout=600 quiet=90 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"
. "$LAB_DIR/lib-net.sh"

one_guest() { # NAME WORDS VMM-LAUNCH-WORDS...
	local name=$1
	BOOT_WORDS=$2
	shift 2
	step "$name: boot"
	boot "$name" group "$@"
	nic_up "$name"
	step "$name: pings of 1000 packets, small and large"
	pings "$name" 1000 56
	pings "$name" 1000 1472
	step "$name: TCP both ways"
	bytes_in "$name" 16
	bytes_out "$name" 16
}

step "a tap"
modprobe tun
tap_make t0
one_guest packed "" --nic virtio@1,t0
equal "VERSION_1" "$(nic_feature packed 32)" 1
equal "MRG_RXBUF" "$(nic_feature packed 15)" 1
equal "GUEST_TSO4" "$(nic_feature packed 7)" 1
step "packed: unbound and bound under load"
rebind packed
step "packed: power off"
off packed

ip link set t0 mtu 9000
one_guest jumbo pci=nomsi --nic 'virtio@1,t0,"mtu": 9000'
step "jumbo: 9000 bytes a packet"
tell jumbo 10 "echo FL-GUEST: mtu \$(cat /sys/class/net/eth0/mtu)"
equal "MTU" "$(heard_last jumbo mtu)" 9000
pings jumbo 500 8972
off jumbo
ip link set t0 mtu 1500

one_guest pairs "" --cpus 2 --nic 'virtio@1,t0,"pairs": 2'
step "pairs: both queues of both directions are used"
tell pairs 10 "ls -d /sys/class/net/eth0/queues/rx-1"
for i in 1 2 3 4 5 6; do bytes_in pairs 2; done
tell pairs 10 "grep -E 'input.1' /proc/interrupts | awk '{ n += \$2 + \$3 } END { print \"FL-GUEST: irqs\", n + 0 }'"
[ "$(heard_last pairs irqs)" -gt 0 ] || fail "the second queue has received nothing"
rebind pairs
step "pairs: the tap goes away, the guest stays"
ip link del t0
wait_for 20 "word of it" grep -q 'its tap is gone' "$LAB_LOG/pairs.log"
tell pairs 20 "i=0; while [ \"\$(cat /sys/class/net/eth0/carrier)\" = 1 ] && [ \$((i++)) -lt 50 ]; do usleep 100000; done; echo FL-GUEST: carrier \$(cat /sys/class/net/eth0/carrier)"
equal "carrier" "$(heard_last pairs carrier)" 0
off pairs
