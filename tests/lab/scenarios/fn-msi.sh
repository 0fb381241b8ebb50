#!/bin/bash
# One MSI vector: a USB controller reads a disk, a codec answers; counted on both sides.
# check: no, it has not yet been seen to end well
# lab: devices=xhcimsi,hda timeout=240 quiet=45 tries=2
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"

disk_sum() { md5sum "$LAB_LOG/$1.img" | cut -d' ' -f1; }

# Interrupts of one function while the guest does something; MSI is an edge, and two may meet.
counted() { # NAME ADDRESS REGEX LEAST SECONDS COMMAND
	local host guest
	host=$(host_irqs "$2") guest=$(guest_irqs "$1" "$3")
	tell "$1" "$5" "$6"
	guest=$(($(guest_irqs "$1" "$3") - guest))
	host=$(($(host_irqs "$2") - host))
	note "$3: host $host, guest $guest"
	[ "$guest" -ge "$4" ] || fail "$3: $guest interrupts in the guest, host $host"
	[ "$guest" -le $((host + 1)) ] && [ "$guest" -ge $((host * 9 / 10)) ] ||
		fail "$3: $guest interrupts in the guest, $host in the host"
}

one_guest() { # BACKEND
	local name=msi-$1
	step "$name: a guest with a USB controller and sound"
	boot "$name" "$1" --device "$xhci" --device "$hda"
	ask "$name" 20 sh "for d in /sys/bus/pci/devices/*; do [ -d \$d/msi_irqs ] && for i in \$d/msi_irqs/*; do echo FL-GUEST: vec \${d##*/} \$(cat \$i); done; done"
	equal "kinds of interrupts" "$(heard "$name" vec | grep -E '^0000:0[12]:00.0' | cut -d' ' -f2 | tr '\n' ' ')" "msi msi "

	step "$name: a disk read through it"
	wait_usb_disk "$name"
	counted "$name" "$xhci" xhci 20 60 "echo FL-GUEST: sum \$(md5sum </dev/sda)"
	equal "what the guest reads" "$(heard_last "$name" sum)" "$(disk_sum xhci1) -"

	step "$name: sound"
	tell "$name" 20 "grep Intel /proc/asound/cards"
	# The codec answers each question by an interrupt.
	counted "$name" "$hda" snd_hda_intel 3 40 "for i in 1 2 3 4 5; do cat /proc/asound/card0/codec#0 >/dev/null; done"
	off "$name"
	note "$(jq -rs '.[-1] | "SET_IRQS \(.set_irqs), route commits \(.route_commits)"' "$LAB_LOG/$name.report")"
}

step "a USB controller and a sound device go to vfio-pci"
xhci=$(free_function 1b36:000d)
hda=$(free_function 8086:2668)

for backend in $(backends); do
	one_guest "$backend"
done
host_quiet
