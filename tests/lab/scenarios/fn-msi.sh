#!/bin/bash
# MSI: 1, 8 and 16 vectors of a USB controller; then it reads a disk and a codec answers by one vector
# each, counted on both sides.
# check: long
# lab: devices=xhcimsi,hda timeout=400 quiet=100 tries=2
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"

XHCI=0000:01:00.0 # where the guest has it

disk_sum() { md5sum "$LAB_LOG/$1.img" | cut -d' ' -f1; }

# Interrupts of one function while the guest does something. MSI is an edge: the guest's APIC takes one
# that comes before the last was served for the same, so on a busy machine a guest counts fewer.
counted() { # NAME ADDRESS REGEX LEAST SECONDS COMMAND
	local host guest
	host=$(host_irqs "$2") guest=$(guest_irqs "$1" "$3")
	tell "$1" "$5" "$6"
	guest=$(($(guest_irqs "$1" "$3") - guest))
	host=$(($(host_irqs "$2") - host))
	note "$3: host $host, guest $guest"
	[ "$guest" -ge "$4" ] || fail "$3: $guest interrupts in the guest, host $host"
	[ "$guest" -le $((host + 1)) ] && [ "$guest" -ge $((host * 3 / 4)) ] ||
		fail "$3: $guest interrupts in the guest, $host in the host"
}

guest_config() { # NAME OFFSET BYTE...: into the USB controller's config space, little-endian
	local name=$1 at=$2
	shift 2
	tell "$name" 10 "printf '$(printf '\\x%s' "$@")' | dd of=/sys/bus/pci/devices/$XHCI/config bs=$# seek=$((at / $#)) conv=notrunc 2>/dev/null"
}

# The driver looks for the codecs behind the caller's back.
wait_sound() { # NAME
	tell "$1" 40 "for i in 1 2 3 4 5 6 7 8 9 10; do grep Intel /proc/asound/cards && exit 0; sleep 1; done; dmesg | grep -i -e snd -e hda | tail -n 5; exit 1"
}

host_lines() { grep -cE "vfio-msi\[[0-9]+\][(]$1[)]" /proc/interrupts || true; } # ADDRESS
has_lines() { [ "$(host_lines "$1")" = "$2" ]; }

# Linux gives a function several MSI vectors only where interrupts are remapped, which is not so in the
# guest: what such a kernel would write is written here, before there is a driver.
several_vectors() { # NAME
	local cap=0x70 log2
	guest_config "$1" $((cap + 4)) 00 00 e0 fe
	guest_config "$1" $((cap + 12)) 40 00
	for log2 in 3 0 4; do
		guest_config "$1" $((cap + 2)) "$(printf '%x1' "$log2")" 00
		wait_for 5 "$((1 << log2)) vectors of $xhci, of $(host_lines "$xhci")" has_lines "$xhci" $((1 << log2))
		note "Multiple Message Enable $log2: $(host_lines "$xhci") vectors in the host"
		guest_config "$1" $((cap + 2)) 00 00
		wait_for 5 "no vectors of $xhci" has_lines "$xhci" 0
	done
}

one_guest() { # BACKEND
	local name=msi-$1
	step "$name: a guest with a USB controller and sound"
	BOOT_WORDS=fl.load=no
	boot "$name" "$1" --device "$xhci" --device "$hda"
	# The kernel itself asks for the codec's driver, and looks for modprobe elsewhere than here.
	tell "$name" 10 "echo /bin/modprobe >/proc/sys/kernel/modprobe"
	several_vectors "$name"
	ask "$name" 60 load
	ask "$name" 20 sh "for d in /sys/bus/pci/devices/*; do [ -d \$d/msi_irqs ] && for i in \$d/msi_irqs/*; do echo FL-GUEST: vec \${d##*/} \$(cat \$i); done; done"
	equal "kinds of interrupts" "$(heard "$name" vec | grep -E '^0000:0[12]:00.0' | cut -d' ' -f2 | tr '\n' ' ')" "msi msi "

	step "$name: a disk read through it"
	wait_usb_disk "$name"
	counted "$name" "$xhci" xhci 20 60 "echo FL-GUEST: sum \$(md5sum </dev/sda)"
	equal "what the guest reads" "$(heard_last "$name" sum)" "$(disk_sum xhci1) -"

	step "$name: sound"
	wait_sound "$name"
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
