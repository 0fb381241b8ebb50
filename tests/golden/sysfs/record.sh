#!/bin/bash
# Records what iommu/ and irq-remap/ read of a host, as a tree for their unit tests.
# lab: devices=igb timeout=120
#
# How the trees beside this file were made, from the root of the checkout:
#   tests/lab/lab run --log DIR tests/golden/sysfs/record.sh && tar -C tests/golden/sysfs/NAME -xf DIR/tree.tar
#   intel-ir      --devices igb                      (2 VFs, one bound to vfio-pci)
#   intel-no-ir   --devices igb --no-intremap
#   no-iommu      --devices igb --no-iommu
#   amd           --devices igb --no-iommu --qemu "-device amd-iommu,intremap=on,xtsup=on"
#   group3        --devices multifn                  (one function has its host driver)
. "$LAB_DIR/lib.sh"

OUT=/run/tree

copy() { # PATH...: those that exist
	local path
	for path in "$@"; do
		[ -e "/$path" ] || continue
		mkdir -p "$OUT/$(dirname "$path")"
		cat "/$path" >"$OUT/$path"
	done
}

link() { # PATH: a link's own target
	[ -L "/$1" ] || return 0
	mkdir -p "$OUT/$(dirname "$1")"
	ln -sfn "$(readlink "/$1")" "$OUT/$1"
}

step "devices as a host would have them"
pf=$(pf_igb)
if [ -n "$pf" ]; then
	carve_vfs "$pf" 2
	[ ! -e /sys/class/iommu/dmar0 ] || bind_vfio "$(pci_vf "$pf" 0)"
fi

step "record"
cd /
for d in sys/bus/pci/devices/*; do
	copy "$d/class"
	link "$d/driver"
	link "$d/iommu_group"
done
for g in sys/kernel/iommu_groups/*; do
	[ -d "$g" ] || continue
	copy "$g/type" "$g/reserved_regions"
	for d in "$g"/devices/*; do link "$d"; done
done
for u in sys/class/iommu/*; do
	copy "$u/intel-iommu/cap" "$u/intel-iommu/ecap" "$u/amd-iommu/cap" "$u/amd-iommu/features"
done
for d in sys/class/vfio-dev/*; do copy "$d/dev"; done
copy proc/interrupts proc/cmdline
copy sys/module/vfio_iommu_type1/parameters/{dma_entry_limit,allow_unsafe_interrupts}
copy sys/module/iommufd/parameters/allow_unsafe_interrupts
copy sys/module/kvm_{amd,intel}/parameters/{avic,enable_apicv,enable_device_posted_irqs}
for node in dev/iommu dev/vfio/vfio; do
	[ ! -e "/$node" ] || { mkdir -p "$OUT/$(dirname "$node")"; : >"$OUT/$node"; }
done
tar -C "$OUT" -cf "$LAB_LOG/tree.tar" .
