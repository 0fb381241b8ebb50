#!/bin/bash
# A PF itself, whole: the guest's own igb pings, over the port that the host gave up.
# That a PF is refused while its VFs are in use is netd-devices'.
# check: long
# lab: devices=igb timeout=240 quiet=60 tries=2
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"

one_guest() { # BACKEND
	local name=pf-$1
	step "$name: a guest with the PF"
	boot "$name" "$1" --device "$pf"
	step "$name: its igb pings"
	ask "$name" 60 net
	tell "$name" 30 'test "$(basename $(readlink /sys/class/net/eth0/device/driver))" = igb'
	ask "$name" 60 ping 5
	[ -n "$(guest_said "$name" 'ping ok 5/5')" ] || fail "$(guest_said "$name" 'ping|error'); $(guest_last "$name")"
	[ "$(guest_irqs "$name" 'PCI-MSIX')" -ge 5 ] || fail "no interrupts of the PF"
	off "$name"
}

step "the PF goes to vfio-pci"
pf=$(free_function 8086:10c9)

for backend in $(backends); do
	one_guest "$backend"
done
host_quiet
