#!/bin/bash
# BARs of every size: 8 bytes of ports, 256 bytes of memory, 1, 8 and 64 GiB; vector tables in a BAR of
# their own, and in a page that has registers too.
# check: long
# lab: devices=doorbell,xhci,serial,rtl8139,shm1g,shm8g,bigbar timeout=240 quiet=45 tries=2
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"

GIB=$((1 << 30))
# In the guest: one function a port, in the order of the command line.
BELL=0000:01:00.0 XHCI=0000:02:00.0 SERIAL=0000:03:00.0 RTL=0000:04:00.0
ROOM="0000:05:00.0 0000:06:00.0 0000:07:00.0"

reg() { # NAME FN BAR OFFSET WIDTH
	tell "$1" 20 "l2-tool reg ${*:2}"
	heard_last "$1" reg
}

# What the pattern of l2-tool has at a place is in the file behind the BAR, at that place.
check_file() { # NAME FILE PLACE FN
	local got
	tell "$1" 20 "echo FL-GUEST: word \$(l2-tool reg $4 2 $3 8 | sed 's/.*0x//')"
	got=$(od -An -tx8 -j "$3" -N8 "$2" | tr -d ' ')
	equal "the file behind the BAR of $4, at $3" "$got" "$(heard_last "$1" word)"
}

# Eight bytes at every stride, the very end, and the file of L0.
huge_bar() { # NAME FN FILE BYTES STRIDE
	tell "$1" 60 "l2-tool bar $2 2 $5 77"
	note "$(heard_last "$1" bar)"
	equal "size of the BAR" "$(heard_last "$1" bar | sed 's/.*of \(0x[0-9a-f]*\) bytes.*/\1/')" "$(printf '0x%x' "$4")"
	check_file "$1" "$3" 0 "$2"
	check_file "$1" "$3" $(($4 / 2)) "$2"
	check_file "$1" "$3" $(($4 - 8)) "$2"
}

one_guest() { # BACKEND
	local name=bars-$1
	step "$name: a guest with all of them"
	BOOT_WORDS=fl.load=no
	boot "$name" "$1" --device "$bell" --device "$xhci" --device "$serial" --device "$rtl" \
		--device "$shm1g" --device "$shm8g" --device "$big"

	step "$name: 256 bytes of registers: read, written, nothing beyond"
	tell "$name" 20 "l2-tool reg $BELL 0 0 4 0x5a5a0001; l2-tool reg $BELL 0 0 4"
	equal "interrupt mask of ivshmem" "$(heard_last "$name" reg)" 0x5a5a0001
	equal "its id" "$(reg "$name" $BELL 0 8 4)" 0x00000000
	step "$name: its shared memory and its doorbell"
	tell "$name" 30 "l2-tool bar $BELL 2 0x10000 5"

	step "$name: xHCI registers in the BAR that has the table"
	equal "HCIVERSION, CAPLENGTH" "$(reg "$name" $XHCI 0 0 4)" 0x01000040
	tell "$name" 30 "modprobe xhci_pci; sleep 3; cat /sys/bus/usb/devices/usb*/product | sed 's/^/FL-GUEST: usb /'"
	equal "USB buses" "$(heard "$name" usb | sort -u)" "xHCI Host Controller"

	step "$name: ports: a scratch register of 16550, and a MAC"
	tell "$name" 20 "l2-tool reg $SERIAL 0 7 1 0xa5; l2-tool reg $SERIAL 0 7 1"
	equal "scratch register" "$(heard_last "$name" reg)" 0xa5
	equal "MAC by ports and by memory" "$(reg "$name" $RTL 0 0 4)" "$(reg "$name" $RTL 1 0 4)"
	equal "MAC" "$(reg "$name" $RTL 0 0 4)" 0x12005452

	step "$name: 1, 8 and 64 GiB"
	# shellcheck disable=SC2086
	set -- $ROOM
	huge_bar "$name" "$1" "$LAB_LOG/shm1g.img" $GIB 0x40000
	huge_bar "$name" "$2" "$LAB_LOG/shm8g.img" $((8 * GIB)) 0x1000000
	huge_bar "$name" "$3" "$LAB_LOG/bigbar.img" $((64 * GIB)) 0x8000000
	off "$name"
}

step "seven functions go to vfio-pci"
bell=$(pci_find 1af4:1110 | sed -n 1p)
xhci=$(free_function 1b36:000d)
serial=$(free_function 1b36:0002)
rtl=$(free_function 10ec:8139)
bind_vfio "$bell"
shm1g=$(free_function 1af4:1110 2)
shm8g=$(free_function 1af4:1110 3)
big=$(free_function 1af4:1110 4)

for backend in $(backends); do
	one_guest "$backend"
done
host_quiet
