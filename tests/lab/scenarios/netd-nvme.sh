#!/bin/bash
# NVMe disks by policy: a VF with queues of its own, which its controller had kept for itself, and a whole
# disk that waits for `scrub` when its guest has ended; what is refused, and restore.
# lab: devices=nvmewide,nvme timeout=240 quiet=45 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"

MIB=$((1 << 20))
wide=$(pci_find 1b36:0010 | sed -n 1p) pf=$(pci_find 1b36:0010 | sed -n 2p)
controller() { basename "$PCI/$1"/nvme/nvme*; }
node_of() { echo /dev/"$(controller "$1")"n1; }
list() { # the controllers of VFs: id, queues, interrupts, online
	nvme list-secondary "/dev/$(controller "$pf")" -o json | jq -r '."secondary-controllers"[] |
		[."secondary-controller-identifier", ."num-virtual-queues", ."num-virtual-interrupts",
		 ."secondary-controller-state"] | join(":")' | head -n 2 | tr '\n' ' '
}
kept() { # by the controller itself: queues, interrupts
	nvme primary-ctrl-caps "/dev/$(controller "$pf")" -o json | jq -r '"\(.vqrfap):\(.virfap)"'
}
drivers() {
	local b
	for b in "$wide" "$pf"; do echo "$b $(pci_driver "$b") $(cat "$PCI/$b/driver_override")"; done
	cat "$PCI/$pf"/sriov_{numvfs,drivers_autoprobe}
}
state_of() { "$FAIRLEAD" -j status | jq -r ".functions[] | select(.bdf == \"$1\") | .state"; }
restored() { "$FAIRLEAD" restore >/run/restore.out 2>&1; }

policy() { # FILE QUEUES
	cat >"$1" <<-END
		version: 1
		host: { mode: observe }
		nvme:
		  - { name: scratch, match: { pci: "$wide", class: "010802" }, release: quarantine }
		  - name: shared
		    match: { pci: "$pf" }
		    share: sriov
		    virtual-function-count: 2
		    vf-resources: { queues: $2, interrupts: 1 }
		guests:
		  - name: store
		    memory: 512M
		    kernel: /var/lib/fairlead/images/vmlinuz
		    initrd: /var/lib/fairlead/images/initrd.img
		    cmdline: "$(guest_cmdline fl.mode=idle)"
		    nvme: [{ use: scratch, slot: "05.0" }, { use: "shared#1", slot: "06.0" }]
	END
}

capabilities() { awk '/^Cap(Prm|Eff)/ { printf "%s ", $2 }' "/proc/$1/status"; }

step "a controller that keeps most of its queues; a disk with something on it; the daemon"
wait_for 20 "disks of L1" eval "[ -b $(node_of "$pf") ] && [ -b $(node_of "$wide") ]"
id=$(cat "/sys/class/nvme/$(controller "$pf")/cntlid")
for words in "-r 0 -n 6" "-r 1 -n 3"; do
	# shellcheck disable=SC2086
	expect "what it keeps" nvme virt-mgmt "/dev/$(controller "$pf")" -c "$id" -a 1 $words
done
echo 1 >"$PCI/$pf/reset"
equal "kept" "$(kept)" 6:3
install_images
device_initrd
ln -sf "$DEVICE_INITRD" /var/lib/fairlead/images/initrd.img
policy /run/nvme.yaml 2
before=$(drivers)
netd_start
# The oldest: it has a child for each that asks.
equal "who asks controllers has CAP_SYS_ADMIN alone" "$(capabilities "$(pgrep -o -x fairlead-nvme)")" "0000000000200000 0000000000200000 "
[ $((0x$(capabilities "$NETD_PID" | cut -d' ' -f1) & 0x200000)) = 0 ] || fail "netd kept CAP_SYS_ADMIN: $(capabilities "$NETD_PID")"

step "a mounted disk is the host's; more queues than there are"
modprobe ext4
mkfs.ext4 -q "$(node_of "$wide")"
mkdir -p /run/mnt
mount "$(node_of "$wide")" /run/mnt
refused FL-0128 "is mounted at" "$FAIRLEAD" plan /run/nvme.yaml
refused FL-0128 "is mounted at" "$FAIRLEAD" apply /run/nvme.yaml
umount /run/mnt
policy /run/many.yaml 5
refused FL-0171 "" "$FAIRLEAD" plan /run/many.yaml
equal "drivers" "$(drivers)" "$before"

step "applied: the controller keeps fewer, its VFs have theirs"
"$FAIRLEAD" -j plan /run/nvme.yaml >/run/plan.json
expect "plan" "$FAIRLEAD" plan /run/nvme.yaml
equal "what is planned of queues" "$(jq -r '[.actions[].op | select(test("nvme|resources"))] | join(" ")' /run/plan.json)" \
	"nvme-keep vf-resources vf-resources"
expect "apply" "$FAIRLEAD" apply /run/nvme.yaml
equal "kept" "$(kept)" 4:2
equal "controllers of VFs" "$(list)" "1:2:1:1 2:2:1:1 "
equal "status" "$("$FAIRLEAD" -j status | jq -c '.pfs[] | select(.nvme) | [.nvme.queues.total, .nvme.queues.kept, .nvme.queues.given, (.vfs[] | .queues, .interrupts, .online)]')" \
	"[8,4,4,2,1,true,2,1,true]"
expect "status" "$FAIRLEAD" status
"$FAIRLEAD" apply /run/nvme.yaml | grep -q "nothing to do" || fail "applied again: something to do"

step "the guest has a VF with one queue for data, and the whole disk: both are read and written"
run_guest store store
# A disk of L2 by its controller's serial number.
serial_disk() { # SERIAL
	tell store 30 "for d in /sys/class/nvme/*; do [ \$(cat \$d/serial) = $1 ] || continue; for b in /dev/\$(basename \$d)n1 /dev/nvme*n1; do [ -b \$b ] && break; done; echo FL-GUEST: disk \$b \$(cat \$d/queue_count); done"
	heard_last store disk
}
compare() { # SERIAL FILE
	local disk sum
	disk=$(serial_disk "$1")
	disk=${disk% *}
	dd if=/dev/urandom of="$2" bs=$MIB count=2 seek=8 conv=notrunc status=none
	sum=$(dd if="$2" bs=$MIB count=2 skip=8 status=none | md5sum | cut -d' ' -f1)
	tell store 40 "echo 3 >/proc/sys/vm/drop_caches; echo FL-GUEST: read \$(dd if=$disk bs=1M count=2 skip=8 2>/dev/null | md5sum)"
	equal "$1: what the guest reads" "$(heard_last store read)" "$sum -"
	tell store 60 "dd if=/dev/urandom of=/w bs=1M count=2 2>/dev/null; dd if=/w of=$disk bs=1M count=2 seek=16 conv=fsync 2>/dev/null; echo FL-GUEST: wrote \$(md5sum </w)"
	equal "$1: what it wrote" "$(dd if="$2" bs=$MIB count=2 skip=16 status=none | md5sum | tr -s ' ')" "$(heard_last store wrote)"
}
compare fairlead0 "$LAB_LOG/nvme.img"
compare nvme1 "$LAB_LOG/nvme1.img"
equal "queues of the VF in the guest" "$(serial_disk fairlead0 | cut -d' ' -f2)" 2
tell store 20 "echo FL-GUEST: pci \$(for d in /sys/bus/pci/devices/*; do cat \$d/class; done)"
equal "disks of the guest, by class" "$(heard_last store pci | tr ' ' '\n' | grep -c 0x010802)" 2
equal "what it has" "$("$FAIRLEAD" -j status | jq -r '.leases[0].names | join(" ")')" "shared#1 scratch"
refused FL-0122 "in use" "$FAIRLEAD" restore
power_off store
wait_for 10 "end of the lease" no_lease

step "the whole disk is nobody's until it has been looked after; the VF is clean"
wait_for 10 "end of the scrub" eval "[ \"\$(state_of $wide)\" = quarantined ]"
equal "the VF" "$(state_of "$(pci_vf "$pf" 1)")" clean
equal "controllers of VFs" "$(list)" "1:2:1:1 2:2:1:1 "
refused FL-0757 "$wide is in quarantine" "$FAIRLEAD" run store
expect "scrub" "$FAIRLEAD" scrub "$wide"
equal "the disk" "$(state_of "$wide")" clean

step "restore: all as before"
wait_for 10 "the devices to be let go" restored
sed 's/^/       /' /run/restore.out
equal "drivers" "$(drivers)" "$before"
equal "kept" "$(kept)" 6:3
wait_for 10 "disks" eval "[ -b $(node_of "$pf") ] && [ -b $(node_of "$wide") ]"

step "the plan's commands, typed, do the same"
by_hand /run/nvme.yaml
sed 's/^/       /' "$LAB_LOG/commands"
equal "controllers of VFs" "$(list)" "1:2:1:1 2:2:1:1 "
host_quiet
netd_stop
wait_for 5 "end of who asks controllers" eval "! pgrep -x fairlead-nvme"
