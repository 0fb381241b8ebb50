#!/bin/bash
# BARs that the guest's kernel moves: what the VMM placed is placed anew with a larger alignment, and the
# windows and the mapping for other functions' DMA go with them.
# lab: devices=nvmewide,edu,shm timeout=200 quiet=60 tries=2
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"

NVME=0000:01:00.0 EDU=0000:02:00.0 SHM=0000:03:00.0

address() { # NAME FN BAR
	tell "$1" 10 "echo FL-GUEST: at \$(sed -n $(($3 + 1))p /sys/bus/pci/devices/$2/resource | cut -d' ' -f1)"
	heard_last "$1" at
}

works() { # NAME BACKEND
	local room
	tell "$1" 60 "echo 3 >/proc/sys/vm/drop_caches; echo FL-GUEST: sum \$(dd if=/dev/nvme0n1 bs=1M count=2 2>/dev/null | md5sum)"
	equal "what the guest reads" "$(heard_last "$1" sum)" "$(head -c 2M "$LAB_LOG/nvme1.img" | md5sum | tr -s ' ')"
	tell "$1" 20 "l2-tool bar $SHM 2 0x10000 $RANDOM; l2-tool edu $EDU ram"
	[ "$2" = group ] || return 0
	room=$(($(address "$1" $SHM 2) + 0x3000))
	tell "$1" 20 "l2-tool edu $EDU to $room $RANDOM; echo FL-GUEST: word \$(l2-tool reg $SHM 2 0x3000 8 | sed 's/.*0x//')"
	equal "DMA into the BAR's new place" "$(od -An -tx8 -j $((0x3000)) -N8 "$LAB_LOG/shm.img" | tr -d ' ')" \
		"$(heard_last "$1" word)"
}

one_guest() { # BACKEND
	local name=moved-$1 disk room
	step "$name: where the VMM placed them"
	BOOT_WORDS=
	boot "$name" "$1" --device "$nvme" --device "$edu" --device "$shm"
	disk=$(address "$name" $NVME 0) room=$(address "$name" $SHM 2)
	works "$name" "$1"
	off "$name"
	step "$name: a kernel that moves them"
	BOOT_WORDS="pci=realloc=on,resource_alignment=25@$NVME;25@$SHM"
	boot "$name" "$1" --device "$nvme" --device "$edu" --device "$shm"
	note "drive $disk, now $(address "$name" $NVME 0); memory $room, now $(address "$name" $SHM 2)"
	[ "$(address "$name" $NVME 0)" != "$disk" ] || fail "the guest did not move the drive's BAR"
	works "$name" "$1"
	off "$name"
}

step "a drive, edu and shared memory go to vfio-pci"
head -c 2M /dev/urandom | dd of="$LAB_LOG/nvme1.img" conv=notrunc status=none
nvme=$(free_function 1b36:0010)
edu=$(free_function 1234:11e8)
shm=$(free_function 1af4:1110)

for backend in $(backends); do
	one_guest "$backend"
done
host_quiet
