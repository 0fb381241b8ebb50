#!/bin/bash
# A device that writes where it may not, in a guest of the policy: status names it and its guest, and what
# the policy says is done: one guest ends, another loses its device for a moment, a third goes on.
# lab: devices=edu2,igb timeout=240 quiet=60 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-device.sh"

BEYOND=0x20000000 # the first byte behind 512 MiB

first=$(pci_find 1234:11e8 | sed -n 1p) second=$(pci_find 1234:11e8 | sed -n 2p)
FN=0000:01:00.0 # in each guest

policy() { # FILE ACTION-OF-FIRST ACTION-OF-SECOND
	cat >"$1" <<-END
		version: 1
		devices:
		  - { name: e0, match: { pci: "$first" }, on-dma-fault: $2 }
		  - { name: e1, match: { pci: "$second" }, on-dma-fault: $3 }
		guests:
	END
	local i
	for i in 0 1; do
		cat >>"$1" <<-END
			  - name: g$i
			    memory: 512M
			    kernel: /var/lib/fairlead/images/vmlinuz
			    initrd: /var/lib/fairlead/images/initrd.img
			    cmdline: "$(guest_cmdline fl.mode=idle)"
			    devices: [{ use: e$i }]
		END
	done
}

faults_of() { # GUEST DEVICE: the count, 0 = none
	"$FAIRLEAD" -j status | jq --arg g "$1" --arg d "$2" \
		'[."dma-faults"."by-function"[] | select(.guest == $g and .device == $d) | .count] | add // 0'
}

counted() { [ "$(faults_of "$1" "$2")" -ge 1 ]; }

rogue() { # NAME: as the device is told, answered or not
	guest_send "$1" "sh l2-tool edu $FN to $BEYOND 7"
}

step "the policy, and two guests of it"
install_images
device_initrd
ln -sf "$DEVICE_INITRD" /var/lib/fairlead/images/initrd.img
netd_start
policy /run/policy.yaml stop go-on
"$FAIRLEAD" apply /run/policy.yaml >/dev/null
run_guest g0 g0
run_guest g1 g1
equal "faults before" "$(faults_of g0 e0) $(faults_of g1 e1)" "0 0"

step "go-on: counted, named, and the device works"
rogue g1
wait_for 10 "the fault of g1 in status" counted g1 e1
line=$("$FAIRLEAD" status | sed -n '/with DMA faults/,$p' | grep "$second")
[[ $line == *"g1 "*"e1 "*"at least "*" write at $BEYOND: "* ]] || fail "status says: $line"
note "$line"
tell g1 20 "l2-tool edu $FN ram"

step "stop: the guest ends, the other does not notice"
rogue g0
guest_ends g0 30 11 # as when the host takes a device back
wait_for 10 "the fault of g0 in status" counted g0 e0
grep -q "tried DMA" "$LAB_LOG/g0.log" || fail "its console does not say why; $(guest_last g0)"
note "$(grep -a "DMA" "$LAB_LOG/g0.log" | tail -n 1 | cut -d' ' -f2- | tr -d '\r')"
tell g1 20 "l2-tool edu $FN ram"
power_off g1

step "reset: the device is taken, reset and offered again"
policy /run/policy.yaml reset go-on
"$FAIRLEAD" apply /run/policy.yaml >/dev/null
run_guest g0 g0
before=$(faults_of g0 e0)
rogue g0
more() { [ "$(faults_of g0 e0)" -gt "$before" ]; }
wait_for 10 "another fault of g0 in status" more
wait_for 30 "the guest's words of the device that went" eval "grep -qa 'loses it' '$LAB_LOG/g0.log'"
back() {
	guest_send g0 "sh [ -e /sys/bus/pci/devices/$FN ] && l2-tool edu $FN ram"
	sleep 2
	[ -n "$(guest_said g0 'edu ram ok')" ]
}
wait_for 60 "the device, back and at work" back
power_off g0
netd_stop
