#!/bin/bash
# Devices into a running guest and out of it, through netd: a drive that no guest has, a VF that comes back.
# lab: devices=igb,nvme timeout=300 quiet=45 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

nvme=$(pci_find 1b36:0010 | head -n 1) pf=$(pf_igb)
disk=
for i in /sys/block/nvme*n*; do [ ! -e "/dev/${i##*/}" ] || disk=/dev/${i##*/}; done
[ -n "$disk" ] || fail "no disk of $nvme: $(ls /sys/block)"

has() { "$FAIRLEAD" -j status | jq -r '.leases[0].names // [] | sort | join(" ")'; }
has_only() { [ "$(has)" = "$1" ]; }
device_holder() { "$FAIRLEAD" -j status | jq -r ".devices[] | select(.bdf == \"$1\") | .holder"; }
drive_is_free() { [ -z "$(device_holder "$nvme")" ]; }
restored() { "$FAIRLEAD" restore >/run/restore.out 2>&1; }

guest_mark=0
# in_guest SECONDS COMMAND: until it succeeds there.
in_guest() {
	guest_mark=$((guest_mark + 1))
	guest_send demo "sh for i in \$(seq 1 $(($1 * 5))); do ( $2 ) && break; usleep 200000; done; ( $2 ); echo FL-GUEST: st''atus $guest_mark \$?"
	guest_expect demo $(($1 * 2 + 20)) "status $guest_mark "
	equal "in the guest, \"$2\"" "$(guest_said demo "status $guest_mark " | cut -d' ' -f3)" 0
}

step "images, a drive with something on it, the daemon, the policy"
install_images
ln -sf "$LAB_KERNEL_DIR/l2-devices.img" /var/lib/fairlead/images/initrd.img
before=$(host_state "$pf")
head -c 1M /dev/urandom >/run/pattern
dd if=/run/pattern of="$disk" bs=1M seek=8 conv=fsync status=none
sum=$(md5sum </run/pattern | cut -d' ' -f1)
netd_start
policy_with /run/policy.yaml "fl.mode=idle fl.driver=igbvf" 's|^version.*|&\nhost: { mode: observe }|; s|^guests:|devices:\n  - { name: disk, match: { class: "0108" } }\nguests:|; s|^    cpus:|    hotplug-slots: 2\n    cpus:|'
cat /run/policy.yaml
expect "apply" "$FAIRLEAD" apply /run/policy.yaml
vf=$(pci_vf "$pf" 0)
refused FL-0717 "does not run" "$FAIRLEAD" attach demo disk
run_guest demo demo
equal "what it has" "$(has)" wan
order demo 60 net
pings demo 3
guest_send demo "sh modprobe nvme"

step "attach: the drive into a spare slot, and the guest reads it"
expect "attach" "$FAIRLEAD" attach demo disk
equal "what it has" "$(has)" "disk wan"
in_guest 20 "test -b /dev/nvme0n1"
in_guest 10 "dd if=/dev/nvme0n1 bs=1M skip=8 count=1 2>/dev/null | md5sum | grep -q $sum"
refused FL-0710 "has disk already" "$FAIRLEAD" attach demo disk
refused FL-0715 "no device" "$FAIRLEAD" attach demo dusk
refused FL-0122 "in use" "$FAIRLEAD" restore

step "detach: the guest lets go, the drive stays with VFIO, and nobody has it"
expect "detach" "$FAIRLEAD" detach demo disk
equal "what it has" "$(has)" wan
in_guest 10 "test ! -e /dev/nvme0n1"
equal "driver" "$(pci_driver "$nvme")" vfio-pci
wait_for 10 "the drive to be free" drive_is_free
refused FL-0715 "has no disk" "$FAIRLEAD" detach demo disk

step "detach and attach the VF: the same one, with what the policy says of it"
mac=$("$FAIRLEAD" -j status | jq -r ".pfs[].vfs[] | select(.bdf == \"$vf\") | .mac")
expect "detach" "$FAIRLEAD" detach demo wan
in_guest 10 "! ls /sys/class/net/*/device/driver 2>/dev/null | grep -q ."
wait_for 10 "the VF to be free" is_free "$vf"
ip link set dev "$(pci_netdev "$pf")" vf 0 mac 02:00:00:00:00:99
"$FAIRLEAD" attach demo wan 2>&1 | tee /run/attach.out
grep -q "put right" /run/attach.out || fail "the drift is not said"
equal "MAC again" "$("$FAIRLEAD" -j status | jq -r ".pfs[].vfs[] | select(.bdf == \"$vf\") | .mac")" "$mac"
in_guest 20 "ls /sys/class/net/*/device/driver 2>/dev/null | grep -q ."
order demo 60 net
equal "MAC in the guest" "$(said_last demo mac)" "mac $mac"
pings demo 3

step "detach --now: not asked, pulled"
expect "detach --now" "$FAIRLEAD" detach --now demo wan
in_guest 20 "! ls /sys/class/net/*/device/driver 2>/dev/null | grep -q ."
# The driver is gone before the guest's pciehp has switched the slot off: what comes now waits for that.
expect "attach at once" "$FAIRLEAD" attach demo wan
in_guest 20 "ls /sys/class/net/*/device/driver 2>/dev/null | grep -q ."
order demo 60 net
pings demo 3

step "the host wants a device back: the guest goes on, the lease without it"
expect "attach" "$FAIRLEAD" attach demo disk
in_guest 20 "test -b /dev/nvme0n1"
start=$(now_ms)
echo "$nvme" >"$PCI/$nvme/driver/unbind"
note "the writer waited $(($(now_ms) - start)) ms"
wait_for 20 "the lease to be without it" has_only wan
# Nor does netd take it again at once.
sleep 2
equal "driver" "$(pci_driver "$nvme")" none
pings demo 3

step "the end: the guest, the lease, the host as it was"
power_off demo
wait_for 10 "end of the lease" no_lease
wait_for 10 "restore" restored
sed 's/^/       /' /run/restore.out
equal "driver" "$(pci_driver "$nvme")" nvme
equal "the host" "$(host_state "$pf")" "$before"
host_quiet
netd_stop
