#!/bin/bash
# One igb VF through the vfio, iommu and irq-remap folders, by iommufd and by group, without a VMM.
# lab: devices=igb timeout=120
. "$LAB_DIR/lib.sh"

PROBE=${FL_BUILD:-$PWD/build}/tests/lab/vfio-probe

# The probe's own lines are the record; its failure is the scenario's.
probe() { # BACKEND SPACE-NODE DEVICE-NODE
	local out status=0
	out=$("$PROBE" "$1" "$vf" "$2" "$3" 2>&1) || status=$?
	printf '%s\n' "$out" | sed 's/^/       /'
	[ "$status" = 0 ] || fail "vfio-probe $1 ended with $status"
}

step "carve 2 VFs, bind one to vfio-pci"
[ -x "$PROBE" ] || fail "$PROBE is not built: make tests-lab"
pf=$(pf_igb)
carve_vfs "$pf" 2
ip link set "$(pci_netdev "$pf")" up # a VF interrupts only while its PF is up
vf=$(pci_vf "$pf" 0)
bind_vfio "$vf"

step "by group and type1"
probe group /dev/vfio/vfio "/dev/vfio/$(pci_group "$vf")"

if [ "$LAB_IOMMUFD" = yes ]; then
	step "by iommufd and character device"
	probe iommufd /dev/iommu "$(vfio_cdev "$vf")"
fi

step "no DMA fault, and the VFs go away"
equal "DMAR faults" "$(dmesg | grep -c 'DMAR:.*fault' || true)" 0
echo 0 >"$PCI/$pf/sriov_numvfs"
