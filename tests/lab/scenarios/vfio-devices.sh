#!/bin/bash
# Every kind of function the lab has, opened by both back ends: BARs, vectors, reset.
# lab: devices=igb,nvme,display,edu,e1000e,bigbar timeout=180
. "$LAB_DIR/lib.sh"

PROBE=${FL_BUILD:-$PWD/build}/tests/lab/vfio-probe

open_by() { # BACKEND SPACE-NODE DEVICE-NODE BDF
	local out status=0
	out=$("$PROBE" "$1" "$4" "$2" "$3" any 2>&1) || status=$?
	printf '%s\n' "$out" | sed 's/^/       /'
	[ "$status" = 0 ] || fail "$4 by $1: status $status"
}

# 8086:10c9 igb, 1b36:0010 nvme, 1234:1111 display, 1234:11e8 edu, 8086:10d3 e1000e, 1af4:1110 ivshmem.
for id in 8086:10c9 1b36:0010 1234:1111 1234:11e8 8086:10d3 1af4:1110; do
	bdf=$(pci_find "$id")
	[ -n "$bdf" ] || fail "no function $id here"
	step "$id at $bdf"
	bind_vfio "$bdf"
	open_by group /dev/vfio/vfio "/dev/vfio/$(pci_group "$bdf")" "$bdf"
	[ "$LAB_IOMMUFD" != yes ] || open_by iommufd /dev/iommu "$(vfio_cdev "$bdf")" "$bdf"
done

step "nothing was left over"
equal "DMAR faults" "$(dmesg | grep -c 'DMAR:.*fault' || true)" 0
equal "warnings" "$(dmesg | grep -c 'WARNING: CPU\|BUG:' || true)" 0
