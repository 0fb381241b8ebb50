#!/bin/bash
# GPUs by policy: a card with its sound function whole, and VFs of another, in one guest; who is refused, and restore.
# lab: devices=card,igb timeout=500 quiet=100 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

gpu=$(pci_find 1234:1111 | head -n 1) pf=$(pf_igb)
sound=${gpu%0}1
POLICY=/run/policy.yaml
POINT='group: with-companions'

# The igb plays a card that has VFs: what it does with them is its guest's affair.
policy() { # KEYS of the whole one, [COUNT of the other]
	cat >"$POLICY" <<-END
		version: 1
		gpus:
		  - { name: gpu0, match: { pci: "$gpu", vendor-id: "1234", class: "0380" }, $1 }
		  - { name: gpu1, match: { pci: "$pf" }, share: sriov, virtual-function-count: ${2:-3} }
		guests:
		  - name: studio
		    memory: 512M
		    kernel: /var/lib/fairlead/images/vmlinuz
		    initrd: /var/lib/fairlead/images/initrd.img
		    cmdline: "$(guest_cmdline fl.mode=idle)"
		    gpus: [{ use: gpu0, slot: "05.0" }, { use: gpu1, slot: "06.0" }, { use: "gpu1#0", slot: "07.0" }]
	END
}
drivers() {
	local b
	for b in "$gpu" "$sound"; do echo "$b $(pci_driver "$b") $(cat "$PCI/$b/driver_override")"; done
	host_state "$pf"
}
# The host draws its console elsewhere.
no_console() { for i in /sys/class/vtconsole/*; do ! grep -q "frame buffer" "$i/name" || echo 0 >"$i/bind"; done; }
restored() { "$FAIRLEAD" restore >/run/restore.out 2>&1; }
detached() { ! "$FAIRLEAD" -j status | jq -r '.leases[0].names[]' | grep -q "$1"; }

step "the host draws on the card; images, the daemon"
modprobe bochs
install_images
ln -sf "$LAB_KERNEL_DIR/l2-devices.img" /var/lib/fairlead/images/initrd.img
equal "driver of the card" "$(pci_driver "$gpu")" bochs-drm
netd_start

step "the host's console is on it; then somebody draws; it cannot go alone; it has no such reset"
policy "$POINT"
refused FL-0128 "console" "$FAIRLEAD" plan "$POLICY"
no_console
before=$(drivers)
exec 7<>/dev/dri/card0
refused FL-0128 "/dev/dri/card0 open" "$FAIRLEAD" apply "$POLICY"
exec 7>&-
policy "group: alone"
refused FL-0130 "$sound" "$FAIRLEAD" plan "$POLICY"
policy "$POINT, reset: { require: [flr] }"
refused FL-0175 "cannot be reset by flr" "$FAIRLEAD" apply "$POLICY"
policy "$POINT" 8
refused FL-0121 "gpu gpu1: 8 VFs" "$FAIRLEAD" apply "$POLICY"
equal "drivers" "$(drivers)" "$before"

step "both functions, and the VFs: applied"
policy "$POINT, reset: { require: [flr, bus] }"
expect "plan" "$FAIRLEAD" plan "$POLICY"
expect "apply" "$FAIRLEAD" apply "$POLICY"
for i in "$gpu" "$sound" "$(pci_vf "$pf" 0)" "$(pci_vf "$pf" 2)"; do equal "driver of $i" "$(pci_driver "$i")" vfio-pci; done
equal "autoprobe" "$(cat "$PCI/$pf/sriov_drivers_autoprobe")" 0
applied=$(drivers)

step "the guest has the card in one slot, and its drivers run it; VFs by their names"
run_guest studio studio
equal "what it has" "$("$FAIRLEAD" -j status | jq -r '.leases[0].names | sort | join(" ")')" \
	"gpu0 gpu0:1 gpu1#0 gpu1#1"
guest_send studio load
guest_send studio "sh for d in /sys/bus/pci/devices/*; do echo FL-GUEST: f''n \${d##*:} \$(cat \$d/device) \$(basename \$(readlink \$d/driver)); done; echo FL-GUEST: fns e''nd"
guest_expect studio 60 "fns end"
fns=$(sed -n 's/^[0-9]* FL-GUEST: fn //p' "$LAB_LOG/studio.log")
note "$fns"
grep -q "^00.0 0x1111 bochs-drm" <<<"$fns" || fail "no display"
grep -q "^00.1 0x2668 snd_hda_intel" <<<"$fns" || fail "no sound beside it"
equal "VFs" "$(grep -c "0x10ca" <<<"$fns")" 2

step "a VF goes by its name, and comes back"
expect "detach" "$FAIRLEAD" detach studio "gpu1#0"
wait_for 10 "the VF to be away" detached "gpu1#0"
expect "attach" "$FAIRLEAD" attach studio "gpu1#0"
power_off studio
wait_for 10 "end of the lease" no_lease

step "restore: all is as it was"
wait_for 20 "the devices to be let go" restored
equal "drivers" "$(drivers)" "$before"

step "the plan's commands, typed, give what apply gave"
no_console
by_hand "$POLICY"
equal "drivers" "$(drivers)" "$applied"
host_quiet
netd_stop
