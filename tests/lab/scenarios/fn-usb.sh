#!/bin/bash
# Several functions in one slot: a USB controller and its companions, none of which can be
# reset alone; two PFs of one card.
# check: long
# lab: devices=usb,igbpair timeout=240 quiet=45 tries=2
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"

one_guest() { # BACKEND
	local name=usb-$1
	step "$name: a guest with four functions in slot 5, two in slot 6"
	boot "$name" "$1" --device "$uhci0@5.0" --device "$uhci1@5.1" --device "$uhci2@5.2" --device "$ehci@5.7" \
		--device "$pf0@6.0" --device "$pf1@6.1"
	ask "$name" 30 load
	ask "$name" 20 sh 'for d in /sys/bus/pci/devices/*; do echo FL-GUEST: fn ${d##*/} $(cat $d/device) $(basename $(readlink $d/driver || echo none)); done'
	equal "functions" "$(heard "$name" fn | grep -v pcieport | grep -v 0x0008 | tr '\n' ' ')" \
		"0000:01:00.0 0x2934 uhci_hcd 0000:01:00.1 0x2935 uhci_hcd 0000:01:00.2 0x2936 uhci_hcd 0000:01:00.7 0x293a ehci-pci 0000:02:00.0 0x10c9 igb 0000:02:00.1 0x10c9 igb "
	step "$name: a disk read through it, by INTx"
	wait_usb_disk "$name"
	tell "$name" 60 "echo FL-GUEST: sum \$(md5sum </dev/sda)"
	equal "what the guest reads" "$(heard_last "$name" sum)" "$(md5sum <"$LAB_LOG/ehci0.img" | tr -s ' ')"
	step "$name: both PFs answer"
	tell "$name" 60 "for n in eth0 eth1; do ip addr add 10.0.2.15/24 dev \$n; ip link set \$n up; sleep 3; ping -c 3 10.0.2.2 | sed -n 's/.* \([0-9]*\) packets received.*/FL-GUEST: got \1/p'; ip link set \$n down; ip addr flush dev \$n; done"
	equal "pings" "$(heard "$name" got | tr '\n' ' ')" "3 3 "
	off "$name"
}

step "six functions go to vfio-pci"
uhci0=$(free_function 8086:2934)
uhci1=$(free_function 8086:2935)
uhci2=$(free_function 8086:2936)
ehci=$(free_function 8086:293a)
pf0=$(free_function 8086:10c9)
pf1=$(free_function 8086:10c9 2)
device_initrd

for backend in $(backends); do
	one_guest "$backend"
done
host_quiet
