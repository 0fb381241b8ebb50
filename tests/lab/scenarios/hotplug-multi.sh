#!/bin/bash
# A card of three functions comes and goes as one: all of its slot, by both back ends.
# lab: devices=multifn timeout=240 quiet=60 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"
. "$LAB_DIR/lib-ctl.sh"

CARD=0000:01:00

functions() { # NAME
	order "$1" 10 sh "echo FL-GUEST: functions \$(cd /sys/bus/pci/devices; echo $CARD.* | tr -d '*')"
	said_last "$1" functions
}

works() { # NAME
	equal "functions in guest $1" "$(functions "$1")" "functions $CARD.0 $CARD.1 $CARD.2"
	for fn in 1 2; do
		tell "$1" 20 "echo 1 >/sys/bus/pci/devices/$CARD.$fn/enable; l2-tool edu $CARD.$fn id && l2-tool edu $CARD.$fn ram"
	done
	order "$1" 30 load # there is no udev
	order "$1" 40 net
	pings "$1" 3
}

one_guest() { # BACKEND
	local name=card-$1 i
	local card=("$mf.0@1.0=card" "$mf.1@1.1=card:1" "$mf.2@1.2=card:2") group=()
	[ "$1" != group ] || group=(--group)
	step "$name: a guest with an empty slot"
	ctl_guest "$name" "" --spare 1 "${group[@]}" --initrd "$DEVICE_INITRD"
	for i in 1 2 3; do
		step "$name: the card comes, works and goes, $i of 3"
		ctl_attach "$name" 30 "${card[@]}"
		works "$name"
		ctl_detach "$name" card 20000
		equal "functions left" "$(functions "$name")" "functions $CARD."
		equal "devices of the VMM" "$(counter "$name" 'devices | length')" 0
	done
	step "$name: refused without its function 0, and the guest goes on"
	ctl "$name" attach "${card[1]}" "${card[2]}"
	equal "answer" "$(ctl_answer "$name" 10 | jq .ok)" false
	ctl_attach "$name" 30 "${card[@]}"
	works "$name"
	power_off "$name"
}

step "all functions of the card go to vfio-pci"
device_initrd
mf=$(pci_find 8086:10d3 | sed -n 1p)
mf=${mf%.0}
for fn in 0 1 2; do bind_vfio "$mf.$fn"; done
for backend in $(backends); do one_guest "$backend"; done
host_quiet
