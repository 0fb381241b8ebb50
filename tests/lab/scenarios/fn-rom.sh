#!/bin/bash
# The expansion ROM: the device's own, read through the guest's sysfs, and a file in its place; none.
# check: long
# lab: devices=e1000e,rtl8139,display timeout=200 quiet=45 tries=2
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"

NIC=0000:01:00.0 RTL=0000:02:00.0 GPU=0000:03:00.0

# Before vfio-pci has it, which puts what nobody uses to sleep (D3hot), where no ROM answers.
host_rom() { # ADDRESS FILE
	echo 1 >"$PCI/$1/rom"
	cat "$PCI/$1/rom" >"$2"
	echo 0 >"$PCI/$1/rom"
	[ -s "$2" ] || fail "$1: the host itself reads no ROM"
}

rom_sum() { # NAME FN
	tell "$1" 60 "cd /sys/bus/pci/devices/$2; echo 1 >enable; echo 1 >rom; cat rom >/rom; echo 0 >rom; echo FL-GUEST: rom \$(wc -c </rom) \$(md5sum </rom)"
	heard_last "$1" rom
}

one_guest() { # BACKEND
	local name=rom-$1
	step "$name: a guest with the device's ROM, a file's, and none"
	BOOT_WORDS=fl.load=no
	boot "$name" "$1" --device "$nic" --device "$rtl" --rom "$file" --device "$gpu" --rom none
	step "$name: the device's own, twice"
	equal "ROM of the NIC" "$(rom_sum "$name" $NIC)" "$(wc -c </run/nic.rom) $(md5sum </run/nic.rom | tr -s ' ')"
	equal "and again" "$(rom_sum "$name" $NIC)" "$(wc -c </run/nic.rom) $(md5sum </run/nic.rom | tr -s ' ')"
	step "$name: the file"
	equal "ROM by the file" "$(rom_sum "$name" $RTL)" "$(wc -c <"$file") $(md5sum <"$file" | tr -s ' ')"
	step "$name: none"
	tell "$name" 20 "! ls /sys/bus/pci/devices/$GPU/rom 2>/dev/null"
	off "$name"
}

step "the host reads the NIC's ROM; three functions go to vfio-pci"
nic=$(pci_find 8086:10d3)
host_rom "$nic" /run/nic.rom
note "$(wc -c </run/nic.rom) bytes"
bind_vfio "$nic"
rtl=$(free_function 10ec:8139)
gpu=$(free_function 1234:1111)
# Two images' worth of a pattern that begins as a ROM must: AA55, its length, a PCIR structure.
file=/run/file.rom
{
	printf '\125\252\100'
	head -c 21 /dev/zero
	printf '\034\000\000\000PCIR\354\020\071\201\000\000\030\000\000\000\000\002\100\000\001\000\000\200'
	seq 1 9999
} >$file
truncate -s 32768 $file

for backend in $(backends); do
	one_guest "$backend"
done
host_quiet
