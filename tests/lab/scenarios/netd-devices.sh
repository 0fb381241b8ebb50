#!/bin/bash
# Whole functions by policy: a drive, cards of several functions, a display; what is refused, and restore.
# lab: devices=nvme,igbpair,multifn,display timeout=240 quiet=45 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

nvme=$(pci_find 1b36:0010 | head -n 1) pf=$(pf_igb) card=$(pci_find 8086:10d3 | head -n 1)
gpu=$(pci_find 1234:1111 | head -n 1)
disk=
for i in /sys/block/nvme*n*; do [ ! -e "/dev/${i##*/}" ] || disk=/dev/${i##*/}; done
[ -n "$disk" ] || fail "no disk of $nvme: $(ls /sys/block)"

policy() { # FILE, with the devices and what the guest uses on stdin, "---" between them
	local file=$1
	{
		printf 'version: 1\ndevices:\n'
		sed '/^---$/,$d' </run/spec
		printf 'guests:\n  - name: store\n    memory: 512M\n'
		printf '    kernel: /var/lib/fairlead/images/vmlinuz\n'
		printf '    initrd: /var/lib/fairlead/images/initrd.img\n'
		printf '    cmdline: "%s"\n' "$(guest_cmdline fl.mode=idle)"
		sed '1,/^---$/d' </run/spec
	} >"$file"
}
spec() { cat >/run/spec; }
applied_already() { "$FAIRLEAD" apply /run/all.yaml | grep -q "nothing to do"; }
restored() { "$FAIRLEAD" restore >/run/restore.out 2>&1; }

drivers() { # of every function that the tests touch
	local b
	for b in "$nvme" "$pf" "${pf%0}1" "$gpu" "$card" "${card%0}1" "${card%0}2"; do
		echo "$b $(pci_driver "$b") $(cat "$PCI/$b/driver_override")"
	done
}

step "images, a drive with something on it, the daemon"
install_images
ln -sf "$LAB_KERNEL_DIR/l2-devices.img" /var/lib/fairlead/images/initrd.img
before=$(drivers)
head -c 1M /dev/urandom >/run/pattern
dd if=/run/pattern of="$disk" bs=1M seek=8 conv=fsync status=none
sum=$(md5sum </run/pattern | cut -d' ' -f1)
netd_start

step "a drive that is swap is the host's"
mkswap -q "$disk" && swapon "$disk"
refused FL-0128 "${disk#/dev/} is swap" "$FAIRLEAD" plan docs/examples/whole-nvme.yaml
swapoff "$disk"
equal "drivers" "$(drivers)" "$before"

step "a PF with VFs, and one with an address, are refused"
carve_vfs "$pf" 1
spec <<-END
	  - { name: nic, match: { pci: "$pf" } }
	---
	    devices: [{ use: nic }]
END
policy /run/pf.yaml
refused FL-0129 "its 1 VF" "$FAIRLEAD" plan /run/pf.yaml
bind_vfio "$(pci_vf "$pf" 0)"
exec 7<>"/dev/vfio/$(pci_group "$(pci_vf "$pf" 0)")"
refused FL-0129 "PF assigned while its VFs are in use" "$FAIRLEAD" apply /run/pf.yaml
exec 7>&-
echo 0 >"$PCI/$pf/sriov_numvfs"
echo 1 >"$PCI/$pf/sriov_drivers_autoprobe"
ip addr add 10.9.9.9/24 dev "$(pci_netdev "$pf")"
ip link set "$(pci_netdev "$pf")" up
refused FL-0128 "up with an address" "$FAIRLEAD" plan /run/pf.yaml
ip addr flush dev "$(pci_netdev "$pf")"
ip link set "$(pci_netdev "$pf")" down
equal "drivers" "$(drivers)" "$before"

step "one function of a card whose functions share a group: refused, naming the others"
spec <<-END
	  - { name: card, match: { pci: "$card" } }
	---
	    devices: [{ use: card }]
END
policy /run/alone.yaml
refused FL-0130 "${card%0}1" "$FAIRLEAD" plan /run/alone.yaml
refused FL-0130 "${card%0}2" "$FAIRLEAD" apply /run/alone.yaml

step "the drive, both cards and the display: applied"
spec <<-END
	  - { name: disk, match: { class: "0108", vendor-id: "1b36" }, rom: none }
	  - { name: card, match: { pci: "$card" }, group: with-companions }
	  - { name: gpu, match: { pci: "$gpu" } }
	  - { name: pair, match: { pci: "$pf" }, group: with-companions }
	---
	    devices: [{ use: disk, slot: "05.0" }, { use: pair, slot: "06.0" }]
END
policy /run/all.yaml
expect "plan" "$FAIRLEAD" plan /run/all.yaml
expect "apply" "$FAIRLEAD" apply /run/all.yaml
for i in "$nvme" "$card" "${card%0}1" "${card%0}2" "$gpu" "$pf" "${pf%0}1"; do equal "driver of $i" "$(pci_driver "$i")" vfio-pci; done
expect "status" "$FAIRLEAD" status
equal "devices of status" "$("$FAIRLEAD" -j status | jq '.devices | length')" 7
expect "applied again: nothing to do" applied_already
applied=$(drivers)

step "the guest has them: the drive's contents, the card's functions in one slot"
run_guest store store
equal "what it has" "$("$FAIRLEAD" -j status | jq -r '.leases[0].names | join(" ")')" "disk pair pair:1"
refused FL-0122 "in use" "$FAIRLEAD" restore
guest_send store "sh echo FL-GUEST: s''um \$(dd if=/dev/nvme0n1 bs=1M skip=8 count=1 2>/dev/null | md5sum)"
guest_expect store 30 "sum "
equal "sum of what the guest reads" "$(guest_said store 'sum ' | cut -d' ' -f2)" "$sum"
guest_send store "sh echo FL-GUEST: f''ns \$(cd /sys/bus/pci/devices; for d in *; do echo \${d#0000:}=\$(cat \$d/device); done)"
guest_expect store 30 "fns "
fns=$(guest_said store 'fns ')
note "$fns"
for i in 0=0x10c9 1=0x10c9; do
	grep -qE " [0-9a-f]+:00\.$i" <<<"$fns" || fail "the guest has no function $i"
done
power_off store
wait_for 10 "end of the lease" no_lease

step "restore: each has the driver that it had, and the host reads its drive"
wait_for 10 "the devices to be let go" restored
sed 's/^/       /' /run/restore.out
equal "drivers" "$(drivers)" "$before"
wait_for 10 "disk" test -b "$disk"
equal "sum of what the host reads" "$(dd if="$disk" bs=1M skip=8 count=1 status=none | md5sum | cut -d' ' -f1)" "$sum"

step "the plan's commands, typed, give what apply gave"
by_hand /run/all.yaml
equal "drivers" "$(drivers)" "$applied"
host_quiet
netd_stop
