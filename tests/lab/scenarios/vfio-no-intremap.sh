#!/bin/bash
# A host that does not remap interrupts: no function is attached, by either back end.
# lab: devices=igb intremap=no timeout=120
. "$LAB_DIR/lib.sh"

PROBE=${FL_BUILD:-$PWD/build}/tests/lab/vfio-probe

refused() { # BACKEND SPACE-NODE DEVICE-NODE
	local out
	out=$("$PROBE" "$1" "$vf" "$2" "$3" 2>&1) && fail "$1: attached without interrupt remapping"
	[[ $out == *"FL-0302: "*"why: "*"mend: "* ]] || fail "$1: want FL-0302, got: $out"
	note "$1: FL-0302"
}

step "a VF, bound to vfio-pci"
pf=$(pf_igb)
carve_vfs "$pf" 1
vf=$(pci_vf "$pf" 0)
bind_vfio "$vf"

step "refused"
refused group /dev/vfio/vfio "/dev/vfio/$(pci_group "$vf")"
[ "$LAB_IOMMUFD" != yes ] || refused iommufd /dev/iommu "$(vfio_cdev "$vf")"
equal "allow_unsafe_interrupts" "$(cat /sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts)" N
