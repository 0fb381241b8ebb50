#!/bin/bash
# The peer's figures: QEMU q35 starts a guest with an igb VF, the guest pings the world.
# check: long, it is the peer that it runs
# lab: devices=igb timeout=300 quiet=40 tries=4
#
# qemu-ping.sh ioctls: also counts the peer's ioctls, in a second, slower boot. Figures for
# comparison come from --time icount; wall clock only shows that it works.
. "$LAB_DIR/lib.sh"

MAC=02:00:00:00:00:01

prepare_vf() {
	pf=$(pf_igb)
	carve_vfs "$pf" 1
	ip link set "$(pci_netdev "$pf")" up # a VF has a link only while its PF is up
	vf=$(pci_vf "$pf" 0)
	set_vf_mac "$pf" 0 $MAC
	bind_vfio "$vf"
	peer_qemu "$vf" fl.mode=net-ping
}

check_guest() { # NAME
	guest_wait "$1" 120
	equal "MAC in the guest" "$(guest_said "$1" mac)" "mac $MAC"
	[ -n "$(guest_said "$1" 'ping ok 3/3')" ] ||
		fail "the guest says: $(guest_said "$1" 'ping|error'); $(guest_last "$1")"
}

figures() {
	tee -a "$LAB_LOG/figures" | sed 's/^/       /'
}

step "carve a VF, give it a MAC, bind it to vfio-pci"
prepare_vf
rm -f "$LAB_LOG/figures"

# QEMU's libraries and firmware are many: a boot that nobody counts brings them all.
if [ "$LAB_TIME" = icount ]; then
	step "an uncounted boot, to have every file in L1's page cache"
	guest_start warm-up "${PEER[@]}"
	check_guest warm-up
fi

step "QEMU boots a guest with it; the guest pings 10.0.2.2"
kvm_exits_start
guest_start qemu "${PEER[@]}"
check_guest qemu
end_step ok
{
	echo "exec-to-init-ms $(guest_ms qemu init)"
	echo "exec-to-ping-ms $(guest_ms qemu ping)"
	echo "guest-init-s $(guest_said qemu init | cut -d' ' -f2)"
	kvm_exits_stop
} | figures

if [ "${1:-}" = ioctls ]; then
	step "the same under strace, for its ioctls"
	guest_start qemu-strace trace_ioctls "$LAB_LOG/strace" "${PEER[@]}"
	check_guest qemu-strace
	count_ioctls "$LAB_LOG/strace" VFIO_IOMMU_MAP_DMA IOMMU_IOAS_MAP KVM_SET_GSI_ROUTING \
		VFIO_DEVICE_SET_IRQS VFIO_DEVICE_RESET KVM_IRQFD | figures
fi
