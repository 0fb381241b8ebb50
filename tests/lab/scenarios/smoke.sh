#!/bin/bash
# The lab itself: IOMMU, KVM, SR-IOV and VFIO are there and work.
# lab: devices=igb timeout=120
. "$LAB_DIR/lib.sh"

step "interrupt and DMA remapping are on"
expect "no IOMMU" test -e /sys/class/iommu/dmar0
expect "no interrupt remapping" sh -c 'dmesg | grep -q "Enabled IRQ remapping"'

step "KVM answers"
expect "no /dev/kvm" test -c /dev/kvm
equal "nested paging" "$(cat /sys/module/kvm_amd/parameters/npt)" Y

step "L0's root is private: a write stays in L1"
touch /etc/fairlead-lab-was-here
expect "cannot write" test -e /etc/fairlead-lab-was-here

step "carve 2 VFs from igb"
pf=$(pf_igb)
[ -n "$pf" ] || fail "no igb among $(ls "$PCI" | tr '\n' ' ')"
equal "PF driver" "$(pci_driver "$pf")" igb
carve_vfs "$pf" 2
vf=$(pci_vf "$pf" 0)
set_vf_mac "$pf" 0 02:00:00:00:00:01

step "bind $vf to vfio-pci"
bind_vfio "$vf"
expect "no group node" test -c "/dev/vfio/$(pci_group "$vf")"

if [ "$LAB_IOMMUFD" = yes ]; then
	step "iommufd and VFIO's character device"
	expect "no /dev/iommu" test -c /dev/iommu
	expect "no cdev for $vf" test -c "$(vfio_cdev "$vf")"
fi

step "the monitor of L0 answers"
version=$(l0 info version)
[[ $version == 10.* ]] || fail "info version says \"$version\""
