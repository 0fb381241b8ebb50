#!/bin/bash
# What somebody else changes of a switch, of an overlay and in Open vSwitch: put back where nobody is disturbed, else told.
# check: long
# lab: devices=netdevsim timeout=300
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-netdevsim.sh"

POLICY=$LAB_LOG/policy.yaml

drift() { # WHICH JQ
	"$FAIRLEAD" -j status | jq -r "[.reconcile.drift[] | select($1)] | last | $2"
}
repairs() { drift "$1" '.repairs // 0'; }
repaired_beyond() { [ "$(drift "$1" '"\(.state) \(.open)"')" = "repaired false" ] && [ "$(repairs "$1")" -gt "$2" ]; }
is_told() { [ "$(drift "$1" '"\(.state) \(.open)"')" = "reported $2" ]; }
prints() { [ "$("${@:2}" 2>&1)" = "$1" ]; } # TEXT COMMAND...
# It has looked, could tell, and found nothing.
all_well() { [ "$("$FAIRLEAD" -j status | jq -r '.reconcile | "\(.active) \(.why) \([.drift[] | select(.open)] | length)"')" = "true  0" ]; }

# comes_back WHICH CHANGE LOOK...: the command CHANGE is run; then the command LOOK prints what it did before, and netd has
# told of that repair.
comes_back() {
	local which=$1 change=$2 was count
	shift 2
	was=$("$@") count=$(repairs "$which")
	expect "a change" bash -c "$change"
	wait_for 20 "repair of \"$change\"" repaired_beyond "$which" "$count"
	wait_for 5 "as it was before \"$change\"" prints "$was" "$@"
}
# is_only_told WHICH CHANGE LOOK...: it is left so until somebody applies the policy.
is_only_told() {
	local which=$1 change=$2 was changed
	shift 2
	was=$("$@")
	expect "a change" bash -c "$change"
	changed=$("$@")
	wait_for 20 "report of \"$change\"" is_told "$which" true
	equal "it is left" "$("$@")" "$changed"
	apply "$POLICY"
	equal "apply does it" "$("$@")" "$was"
	wait_for 20 "end of the report" is_told "$which" false
}

gold() { devlink -j port function rate show "$DEV/gold" | jq -c '.rate[]'; }
leaf() { devlink -j port function rate show "$(vf_port "$1")" | jq -c '.rate[]'; }
vf_port() { devlink -j port | jq -r ".port | to_entries[] | select((.key | startswith(\"$DEV/\")) and .value.vfnum == $1) | .key"; }
parameter() { devlink -j dev param show "$DEV" name max_macs | jq -c '.param[][0].values'; }
port() { # IFNAME
	ip -j link show dev "$1" | jq -r '.[0] | "\(.master) \(.flags | index("UP") != null)"'
	bridge vlan show dev "$1"
}
filtering() { ip -d -j link show dev br-fast | jq '.[0].linkinfo.info_data.vlan_filtering'; }
tunnel() {
	ip -d -j link show dev vx100 | jq -c '.[0] | [.master, .mtu, .linkinfo.info_data.id, .flags]'
	bridge fdb show dev vx100 | grep '^00:00:00:00:00:00' | sort
}
tunnel_and_port() {
	tunnel
	port "$(rep 2)"
}
ovs() { ovs-vsctl -f csv --columns=name,tag,trunks,vlan_mode,external_ids list port | sort; }

step "a switch with rate groups, a bridge with VLANs, an overlay: applied, and netd finds nothing to mend"
modprobe -a bridge vxlan
ifname=$(sim_device)
ip link set "$ifname" up
ip link add br-fast type bridge
ip link set br-fast up
ip link add under type bridge
ip addr add 192.0.2.1/24 dev under
ip link set under up
sim_switch 4
sim_ovs
sim_switch_policy "reconcile: { interval: 600s }" >"$POLICY" <<YAML
    devlink-params:
      - { name: max_macs, value: 48, cmode: driverinit }
    rate-groups:
      - { name: gold, tx-max: 2gbit }
    bridge: { type: linux, name: br-fast, vlan-filtering: true }
networks:
  - { name: tenant, vlan: { id: 100 } }
  - { name: trunk, vlan: { trunk: [10, 20-29], native: 10 } }
  - name: blue
    bridge: br-blue
    overlay: { type: vxlan, id: 100, local: 192.0.2.1, remote: [192.0.2.2, 192.0.2.3] }
pools:
  - { name: sim, functions: ["sim0#0-2"], mac: { prefix: "02:5a:10" } }
overrides:
  - { nic: sim0, vfs: [{ id: 0, rate-group: gold }] }
guests:
  - name: demo
    memory: 512M
    kernel: /boot/vmlinuz
    nics:
      - { name: a, pool: sim, network: tenant }
      - { name: b, pool: sim, network: trunk }
      - { name: c, pool: sim, network: blue }
YAML
netd_start --root "$ROOT" --policy "$POLICY"
apply "$POLICY"
wait_for 10 "a look that finds nothing" all_well
equal "actions" "$(actions "$POLICY")" ""

step "what devlink alone tells: a rate group, who is in it, a parameter"
comes_back '.attribute == "group"' "devlink port function rate set $DEV/gold tx_max 4gbit" gold
comes_back '.attribute == "vf-group" and .vf == 0' "devlink port function rate set $(vf_port 0) noparent" leaf 0
comes_back '.attribute == "param"' "devlink dev param set $DEV name max_macs value 40 cmode driverinit" parameter

step "representors: out of the bridge, another VLAN, down"
comes_back '.attribute == "port" and .vf == 0' "ip link set dev $(rep 0) nomaster" port "$(rep 0)"
comes_back '.attribute == "port" and .vf == 1' "bridge vlan add dev $(rep 1) vid 77" port "$(rep 1)"
comes_back '.attribute == "port" and .vf == 1' "bridge vlan del dev $(rep 1) vid 10" port "$(rep 1)"
comes_back '.attribute == "port" and .vf == 2' "ip link set dev $(rep 2) down" port "$(rep 2)"

step "the overlay: its MTU and a remote; the tunnel, and both, removed"
overlay='.attribute == "overlay" and .bridge == "br-blue"'
comes_back "$overlay" "bridge fdb del 0:0:0:0:0:0 dev vx100 dst 192.0.2.3; ip link set dev vx100 mtu 1300" tunnel
comes_back "$overlay" "ip link del vx100" tunnel
comes_back "$overlay" "ip link del vx100; ip link del br-blue" tunnel_and_port

step "what would disturb somebody is told: the uplink, whether the bridge keeps VLANs apart"
is_only_told '.attribute == "port" and .vf == -1' "ip link set dev $ifname nomaster" port "$ifname"
is_only_told '.attribute == "bridge"' "ip link set dev br-fast type bridge vlan_filtering 0" filtering

step "an overlay of somebody else's in its place: left alone, and said"
ip link del vx100
ip link add vx100 type vxlan id 100 local 192.0.2.1 dstport 4789
is_refused() { [ "$(drift "$overlay" '"\(.state) \(.open)"')" = "refused true" ]; }
wait_for 20 "word of it" is_refused
case $(drift "$overlay" .why) in *"not fairlead's"*) ;; *) fail "$(drift "$overlay" .why)" ;; esac
ip link del vx100
netd_stop

step "Open vSwitch: a port out of it, its VLAN, which only the sweep finds, and the bridge itself"
ovs_start
sed -i -e 's/bridge: { type: linux.*/bridge: { type: ovs, name: br-ovs }/' -e 's/interval: 600s/interval: 5s/' "$POLICY"
netd_start --root "$ROOT" --policy "$POLICY"
apply "$POLICY"
wait_for 10 "a look that finds nothing" all_well
comes_back '.attribute == "port" and .vf == 0' "ovs-vsctl del-port $(rep 0)" ovs
comes_back '.attribute == "port" and .vf == 1' "ovs-vsctl set port $(rep 1) tag=77" ovs
comes_back '.attribute == "overlay" and .bridge == "br-ovs"' "ovs-vsctl del-br br-ovs" ovs-vsctl br-get-external-id br-ovs fairlead
equal "what is told of the uplink" "$(drift '.attribute == "port" and .vf == -1' .state)" reported
apply "$POLICY"
wait_for 20 "a look that finds nothing" all_well
equal "actions" "$(actions "$POLICY")" ""
expect "restore" "$FAIRLEAD" restore
netd_stop
