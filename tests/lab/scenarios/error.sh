#!/bin/bash
# An uncorrectable error of an assigned device (AER): its guest loses it and has it again, reset and found
# well; another guest never notices. A third error, and it stays away. What netd says of DMA faults.
# The kernel tells an error to all functions below the same port: the other guest's NIC is another one.
# lab: devices=igb2 timeout=240 quiet=60 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-ctl.sh"

# struct aer_error_inj of the kernel's aer_inject: bus, device, function, uncorrectable status (completion
# timeout), correctable status, four words of header log, domain.
inject() { # BDF
	local bus dev fn domain
	IFS=':.' read -r domain bus dev fn <<<"$1"
	perl -e '$d = hex shift; print pack("CCCxVVVVVVV", hex shift, hex shift, shift, 0x4000, 0, 0, 1, 2, 3, $d)' \
		"$domain" "$bus" "$dev" "$fn" | dd of=/dev/aer_inject bs=32 2>/dev/null
}

step "two guests with a VF each"
modprobe aer_inject || skip "the kernel has no aer_inject"
vf=()
for pf in $(pci_find 8086:10c9); do
	carve_vfs "$pf" 1
	ip link set "$(pci_netdev "$pf")" up
	vf+=("$(pci_vf "$pf" 0)")
	bind_vfio "${vf[-1]}"
done
ctl_guest a "" --device "${vf[0]}"
ctl_guest b fl.addr=10.0.2.16 --device "${vf[1]}"
for g in a b; do order $g 40 net; pings $g 1; done

for i in 1 2; do
	step "error $i: the guest loses the device and has it again"
	inject "${vf[0]}" || fail "aer_inject refuses: $(dmesg | tail -n 3)"
	wait_for 10 "word of the error" grep -q "met an error" "$LAB_LOG/a.log"
	wait_for 20 "the device again" eval '[ "$(counter a "devices[0].state")" = on ] && [ "$(counter a hotplug.errors)" = '$i' ]'
	order a 40 net
	pings a 1
done
equal "the other guest's errors" "$(counter b hotplug.errors)" 0
pings b 2

step "the third in ten minutes: it stays away, the guest goes on"
inject "${vf[0]}"
wait_for 10 "word to netd" ctl_has a '.event == "gone" and .reason == "error"'
equal "devices" "$(counter a 'devices | length')" 0
order a 10 sh 'echo FL-GUEST: alive'

step "DMA faults that netd saw: counted; a reset; the end"
ctl b dma-fault d0 go-on
wait_for 5 "its count" eval '[ "$(counter b hotplug.dma_faults)" = 1 ]'
pings b 1
ctl b dma-fault d0 reset
wait_for 20 "the device again" eval '[ "$(counter b hotplug.dma_faults)" = 2 ] && [ "$(counter b "devices[0].state")" = on ]'
order b 40 net
pings b 1
ctl b dma-fault d0 stop
guest_ends b 10 11
power_off a
