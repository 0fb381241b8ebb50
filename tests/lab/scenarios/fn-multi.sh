#!/bin/bash
# A device of three functions in one slot, as on the host: all work, reset together; and DMA from one function of
# the guest into another one's memory arrives, or is said not to.
# lab: devices=multifn,edu,shm1g timeout=300 quiet=45 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"

# Ports at 1, 2 (spare), 3, 5 and 7: their buses in that order.
EDU=0000:03:00.0 MULTI=0000:04:00 SHM=0000:05:00.0

config() { # NAME FN OFFSET BYTES: as od prints them
	ask "$1" 20 sh "echo FL-GUEST: config \$(hexdump -s $3 -n $4 -v -e '1/1 \"%02x\"' /sys/bus/pci/devices/$2/config)"
	heard_last "$1" config
}

check_topology() { # NAME
	ask "$1" 20 sh 'cd /sys/bus/pci/devices; for d in *; do echo FL-GUEST: pci $d $(cat $d/vendor):$(cat $d/device); done'
	equal "functions" "$(heard "$1" pci | tr '\n' ' ')" \
		"0000:00:00.0 0x1b36:0x0008 0000:00:01.0 0x1b36:0x000c 0000:00:02.0 0x1b36:0x000c \
0000:00:03.0 0x1b36:0x000c 0000:00:05.0 0x1b36:0x000c 0000:00:07.0 0x1b36:0x000c \
$EDU 0x1234:0x11e8 $MULTI.0 0x8086:0x10d3 $MULTI.1 0x1234:0x11e8 $MULTI.2 0x1234:0x11e8 $SHM 0x1af4:0x1110 "
	equal "header types" "$(config "$1" $MULTI.0 14 1)$(config "$1" $MULTI.1 14 1)$(config "$1" $EDU 14 1)" "800000"
	ask "$1" 20 sh "dmesg | grep -iE 'fail|no space|conflict|invalid|bug:|firmware bug' | sed 's/^/FL-GUEST: word /'"
	equal "what the guest's kernel complains of" "$(heard "$1" word | grep pci || true)" ""
}

check_functions() { # NAME
	for fn in $MULTI.1 $MULTI.2 $EDU; do
		tell "$1" 20 "l2-tool edu $fn id && l2-tool edu $fn ram"
	done
	ask "$1" 40 net
	ask "$1" 40 ping 5
	heard "$1" ping | grep -q 'ok 5/5' || fail "$(heard_last "$1" 'ping\|error'); $(guest_last "$1")"
}

# Bridge Control, bit 6; every function of the slot, and none of another.
check_bus_reset() { # NAME
	local port=/sys/bus/pci/devices/0000:00:05.0/config
	tell "$1" 20 "ip link set eth0 down; echo 1 >/sys/bus/pci/devices/$MULTI.1/enable"
	tell "$1" 20 "printf '\\100' | dd of=$port bs=1 seek=62 conv=notrunc 2>/dev/null; sleep 0.2; printf '\\0' | dd of=$port bs=1 seek=62 conv=notrunc 2>/dev/null"
	for fn in 0 1 2; do
		equal "BAR 0 and COMMAND of function $fn" "$(config "$1" $MULTI.$fn 16 4)$(config "$1" $MULTI.$fn 4 2)" \
			"000000000000"
	done
	[ "$(config "$1" $EDU 16 4)" != 00000000 ] || fail "another slot was reset, too"
	tell "$1" 20 "l2-tool edu $EDU id"
}

# From a device's buffer into the memory of another, which is a file of L0.
check_peer() { # NAME BACKEND SEED
	local at got
	tell "$1" 20 "echo 1 >/sys/bus/pci/devices/$SHM/enable; l2-tool reg $SHM 2 0 8; echo FL-GUEST: at \$(sed -n 3p /sys/bus/pci/devices/$SHM/resource | cut -d' ' -f1)"
	at=$(heard_last "$1" at)
	ask "$1" 30 sh "l2-tool edu $EDU to $(printf '0x%x' $((at + 0x100000))) $3"
	tell "$1" 20 "echo FL-GUEST: peer \$(l2-tool reg $SHM 2 0x100000 8)"
	got=$(heard_last "$1" peer)
	note "$2: what DMA wrote there: $got"
	if [ "$2" = group ]; then
		tell "$1" 20 "l2-tool edu $EDU from $(printf '0x%x' $((at + 0x100000))) $3"
		! grep -q "guest's own devices" "$LAB_LOG/$1.log" || fail "a warning, and it works"
	else
		equal "warnings" "$(grep -c "DMA between the guest's own devices fails" "$LAB_LOG/$1.log")" 1
	fi
}

one_guest() { # BACKEND
	local name=multi-$1
	step "$name: a guest boots"
	boot "$name" "$1" --spare 2 --device "$edu@3" --device "$mf.0@5.0" --device "$mf.1@5.1" --device "$mf.2@5.2" \
		--device "$shm@7"
	check_topology "$name"
	step "$name: every function works"
	check_functions "$name"
	step "$name: DMA between functions"
	check_peer "$name" "$1" $((RANDOM + 1))
	step "$name: the bus of the slot is reset"
	check_bus_reset "$name"
	off "$name"
}

step "functions go to vfio-pci"
mf=$(pci_find 8086:10d3 | sed -n 1p)
mf=${mf%.0}
for fn in 0 1 2; do bind_vfio "$mf.$fn"; done
edu=$(pci_find 1234:11e8 | grep -v "^$mf" | sed -n 1p)
bind_vfio "$edu"
shm=$(free_function 1af4:1110)
for backend in $(backends); do
	one_guest "$backend"
done
