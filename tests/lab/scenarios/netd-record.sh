#!/bin/bash
# A host carved by hand is recorded, planned on without it, exported, and taken over without a change.
# lab: devices=igb timeout=150
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

DIR=/tmp/inventory
WORK=$LAB_LOG

function_of() { jq -c "select(.bdf == \"$1\")" "$DIR/inventory.jsonl"; }
# Its functions: an interface that has just gone up gets addresses by itself.
facts() { grep '"bdf"' "$1"; }

step "carve by hand, as an administrator would"
pf=$(pf_igb) ifname=$(pci_netdev "$pf")
modprobe -a igbvf vfio-pci 2>/dev/null || true
ip link set "$ifname" up
echo 3 >"$PCI/$pf/sriov_numvfs"
ip link set "$ifname" vf 0 mac 02:11:22:33:44:55
ip link set "$ifname" vf 0 vlan 77 qos 2
ip link set "$ifname" vf 1 spoofchk off
ip link set "$ifname" vf 1 trust on
vf=$(pci_vf "$pf" 0)
echo vfio-pci >"$PCI/$vf/driver_override"
[ ! -e "$PCI/$vf/driver" ] || echo "$vf" >"$PCI/$vf/driver/unbind"
echo "$vf" >/sys/bus/pci/drivers_probe
wait_for 5 "VF 0 to be vfio's" test "$(pci_driver "$vf")" = vfio-pci

step "record without the daemon, and with it: the same"
"$FAIRLEAD" record "$DIR" >/dev/null || fail "record without netd"
cp "$DIR/inventory.jsonl" "$WORK/alone.jsonl"
netd_start
"$FAIRLEAD" record "$DIR" >/dev/null || fail "record"
cp "$DIR/inventory.jsonl" "$WORK/"
diff <(facts "$WORK/alone.jsonl") <(facts "$DIR/inventory.jsonl") || fail "they differ"
equal "functions" "$(facts "$DIR/inventory.jsonl" | wc -l)" "$(find "$PCI" -mindepth 1 -maxdepth 1 | wc -l)"

equal "interfaces" "$(jq -r 'select(.interface) | .interface' "$DIR/inventory.jsonl" | sort | xargs)" "$(ip -j link | jq -r '.[].ifname' | sort | xargs)"

step "iproute2 and sysfs say so, too"
equal "VFs" "$(function_of "$pf" | jq '."num-vfs"')" 3
equal "MAC" "$(function_of "$vf" | jq -r .mac)" 02:11:22:33:44:55
equal "VLAN" "$(function_of "$vf" | jq -r '"\(.vlan.id) \(.vlan.qos)"')" "77 2"
equal "override" "$(function_of "$vf" | jq -r '."driver-override"')" vfio-pci
equal "group" "$(function_of "$vf" | jq .group)" "$(pci_group "$vf")"
for i in 0 1 2; do
	equal "VF $i" "$(function_of "$(pci_vf "$pf" $i)" | jq -r '"\(.mac) \(."spoof-check") \(.trust)"')" \
		"$(ip -j -d link show dev "$ifname" | jq -r ".[0].vfinfo_list[$i] | \"\(.address) \(.spoofchk) \(.trust)\"")"
done

step "plans on the recording are those of the machine"
policy() { # COUNT
	cat <<YAML
version: 1
nics:
  - { name: edge0, match: { pci: "$pf" }, virtual-function-count: $1, link: up }
networks:
  - { name: net, vlan: { id: 5 }, spoof-check: true, trust: true }
pools:
  - { name: edge, functions: ["edge0#0-1"], driver: vfio, mac: { prefix: "02:5a:10" } }
guests:
  - { name: demo, memory: 512M, kernel: /k, nics: [ { name: wan, pool: edge, network: net } ] }
YAML
}
for n in 3 2 5 200; do
	policy $n >"$WORK/policy-$n.yaml"
	"$FAIRLEAD" -j plan "$WORK/policy-$n.yaml" >"$WORK/real-$n" || true
	setpriv --reuid=65534 --regid=65534 --clear-groups "$FAIRLEAD" -j plan --sim "$DIR" "$WORK/policy-$n.yaml" >"$WORK/sim-$n" || true
	of='{ok, actions: [.actions[]? | {op, text, command, disruption}], error: .error?.what}'
	diff <(jq "$of" "$WORK/real-$n") <(jq "$of" "$WORK/sim-$n") || fail "the plans for $n VFs differ"
done
equal "refused" "$(jq -r .error.code "$WORK/sim-200")" 121
[ "$(jq '.actions | length' "$WORK/sim-3")" -gt 3 ] || fail "the plan for 3 VFs: $(cat "$WORK/sim-3")"

step "export: well formed, and nothing to do"
before=$(host_state "$pf")
"$FAIRLEAD" export >"$WORK/export.yaml" || fail "export"
"$FAIRLEAD" export --sim "$DIR" | diff "$WORK/export.yaml" - || fail "the recording is exported otherwise"
"$FAIRLEAD" check "$WORK/export.yaml" >/dev/null || fail "check"
grep -q 'mac-address: "02:11:22:33:44:55", vlan: { id: 77, qos: 2 }' "$WORK/export.yaml" || fail "VF 0 is not told"
equal "actions planned" "$("$FAIRLEAD" -j plan "$WORK/export.yaml" | jq '.actions | length')" 0
equal "actions done" "$("$FAIRLEAD" -j apply "$WORK/export.yaml" | jq .done)" 0
equal "the host" "$(host_state "$pf")" "$before"
ip link set "$ifname" vf 0 vlan 78
equal "drift" "$("$FAIRLEAD" -j plan "$WORK/export.yaml" | jq -r '[.actions[].op] | join(" ")')" vf-vlan
netd_stop

step "no MAC in what is given away"
"$FAIRLEAD" record --anonymize >"$WORK/anonymous.jsonl" || fail "record --anonymize"
! grep -q 02:11:22:33:44:55 "$WORK/anonymous.jsonl" || fail "a MAC is still there"
