#!/bin/bash
# Which machine and which card a policy means: by its numbers, its names, its host; several files; a function that another carves.
# lab: devices=igb,e1000e timeout=150
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

POLICY=$LAB_LOG/policy.yaml

policy() { # HOST-WORDS MATCH-WORDS [NIC-WORDS]
	printf 'version: 1\nhost: { %s }\nnics:\n  - { name: edge0, match: { pci: "%s", %s }%s }\n' \
		"$1" "$pf" "$2" "${3:+, $3}" >"$POLICY"
}
takes() { "$FAIRLEAD" plan "$POLICY" >"$LAB_LOG/plan" 2>&1 || fail "$(cat "$POLICY" "$LAB_LOG/plan")"; }
says() { # CODE WORDS...
	"$FAIRLEAD" plan "$POLICY" >"$LAB_LOG/plan" 2>&1 && fail "taken: $(cat "$POLICY" "$LAB_LOG/plan")"
	for words; do
		grep -qF -- "$words" "$LAB_LOG/plan" || fail "no \"$words\" in: $(cat "$LAB_LOG/plan")"
	done
}

pf=$(pf_igb) ifname=$(pci_netdev "$pf")
modprobe -a igbvf vfio-pci 2>/dev/null || true
mac=$(cat "/sys/class/net/$ifname/address")
# QEMU's igb has no serial number; its e1000e makes one of its MAC, as Intel does.
modprobe e1000e 2>/dev/null || true
card=$(basename "$(dirname "$(grep -lx 0x10d3 "$PCI"/*/device | head -n 1)")")
wait_for 10 "interface of $card" pci_netdev "$card"
IFS=: read -r a b c d e f <<<"$(cat "/sys/class/net/$(pci_netdev "$card")/address")"
serial=$a-$b-$c-ff-ff-$d-$e-$f
sub=$(cut -c3- "$PCI/$pf/subsystem_vendor") subid=$(cut -c3- "$PCI/$pf/subsystem_device")
netd_start

step "a card by all that tells it, in the policy's words"
note "serial number $serial"
policy "match: { hostname: $(hostname) }" \
	"mac-address: \"$mac\", subsystem-vendor-id: \"$sub\", subsystem-id: \"$subid\", ifname: $ifname"
printf 'devices:\n  - { name: card, match: { serial: "%s" } }\n' "${serial^^}" >>"$POLICY"
takes
grep -q "bind $card to vfio-pci" "$LAB_LOG/plan" || fail "$(cat "$LAB_LOG/plan")"

step "another card, another name, another host"
policy "mode: enforce" "serial: \"00-00-00-ff-ff-00-00-01\", mac-address: \"52:54:00:ff:ff:ff\""
printf 'devices:\n  - { name: card, match: { pci: "%s", serial: "00-00-00-ff-ff-00-00-01" } }\n' "$card" >>"$POLICY"
says FL-0113 "serial is not known, not 00-00-00-ff-ff-00-00-01" "mac-address is $mac, not 52:54:00:ff:ff:ff" \
	"serial is $serial (DSN), not 00-00-00-ff-ff-00-00-01"
policy "match: { hostname: another }" "driver: igb"
says FL-0111 "this one is $(hostname)" "policy.yaml:2:"
policy "mode: enforce" "driver: igb" "ifname: fl-wan"
says FL-0113 "is not called 'fl-wan'"
ip link property add dev "$ifname" altname fl-wan
takes
policy "mode: enforce" "ifname: fl-wan"
takes
ip link property del dev "$ifname" altname fl-wan

step "unlisted: what another made ready to be given away"
echo 1 >"$PCI/$pf/sriov_numvfs"
printf 'version: 1\nhost: { unlisted-devices: deny }\n' >"$POLICY"
says FL-0112 "$pf (1 VFs)"
policy "unlisted-devices: deny" "driver: igb"
takes

step "functions-only: its VFs are bound, the rest is another's, at restore too"
mkdir "$LAB_LOG/policies"
printf 'version: 1\nnics:\n  - { name: edge0, match: { pci: "%s" }, manage: functions-only }\n' "$pf" >"$LAB_LOG/policies/10-nics.yaml"
printf 'version: 1\npools:\n  - { name: edge, functions: ["edge0#0"], driver: vfio }\n' >"$LAB_LOG/policies/20-pools.yaml"
"$FAIRLEAD" check "$LAB_LOG/policies" || fail check
"$FAIRLEAD" apply "$LAB_LOG/policies" >"$LAB_LOG/apply" 2>&1 || fail "$(cat "$LAB_LOG/apply")"
equal "driver" "$(pci_driver "$(pci_vf "$pf" 0)")" vfio-pci
netd_stop
netd_start
equal "the applied policy, by a daemon started anew" "$("$FAIRLEAD" -j plan "$LAB_LOG/policies" | jq '.actions | length')" 0
cp "$LAB_LOG/policies/10-nics.yaml" "$LAB_LOG/policies/30-more.yaml"
POLICY=$LAB_LOG/policies
says FL-0106 "30-more.yaml:3:13" "line 3 of 10-nics.yaml"
echo 0 >"$PCI/$pf/sriov_numvfs"
echo 2 >"$PCI/$pf/sriov_numvfs"
"$FAIRLEAD" restore >"$LAB_LOG/restore" 2>&1 || fail "$(cat "$LAB_LOG/restore")"
equal "VFs that another made" "$(cat "$PCI/$pf/sriov_numvfs")" 2
echo 0 >"$PCI/$pf/sriov_numvfs"
netd_stop
