#!/bin/bash
# Open vSwitch for representors and taps: its bridge made, ports with their VLANs, drift, another's bridge, restore; as ovs-vsctl and ovs-ofctl tell it.
# lab: devices=netdevsim timeout=240
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-netdevsim.sh"
. "$LAB_DIR/lib-own.sh"

POLICY=$LAB_LOG/policy.yaml

plan() { "$FAIRLEAD" plan "$1" >"$LAB_LOG/plan" 2>&1 || fail "$(cat "$LAB_LOG/plan")"; }
status() { "$FAIRLEAD" -j status | jq -r "$1"; }
column() { ovs-vsctl get port "$1" "$2"; }
ports() { ovs-vsctl list-ports "$1" | sort | tr '\n' ' '; }
are_ports() { [ "$(ports "$1")" = "$2" ]; }
of_ports() { ovs-ofctl show "$1" | sed -nE 's/^ [0-9]+\(([^)]*)\): .*/\1/p' | sort | tr '\n' ' '; }
# Without what is another number each time.
picture() {
	cat "$SIM/sriov_numvfs"
	devlink -j dev eswitch show "$DEV"
	ip -j link show dev "$ifname" | jq -c '.[0] | [.master, .flags]'
	ovs-vsctl -f csv --columns=name,datapath_type,external_ids list bridge | sort
	ovs-vsctl -f csv --columns=name,tag,trunks,vlan_mode,external_ids list port | sort
}

step "a netdevsim; Open vSwitch is there, and does not run"
modprobe -a bridge tun nf_tables
groupadd -f fairlead
ifname=$(sim_device)
ip link set "$ifname" up
sim_switch 4
sim_ovs
install_images
netd_start --root "$ROOT"
sim_switch_policy >"$POLICY" <<YAML
    bridge: { type: ovs, name: br-fast }
networks:
  - { name: tenant, vlan: { id: 100 }, bridge: br-fast, spoof-check: true }
  - { name: trunk, vlan: { trunk: [10, 20-29], native: 10 } }
$(sim_three_nics tenant trunk)
  - name: web
    memory: 64M
    kernel: /var/lib/fairlead/images/vmlinuz
    nics:
      - { name: wan, network: tenant, emulated: { backend: tap } }
YAML
refused FL-0779 "does not run" "$FAIRLEAD" apply "$POLICY"
equal "VFs" "$(cat "$SIM/sriov_numvfs")" 0
expect "early: all but what goes into its bridge" "$FAIRLEAD" apply --early "$POLICY"
equal "VFs" "$(cat "$SIM/sriov_numvfs")" 3
equal "mode" "$(devlink -j dev eswitch show "$DEV" | jq -r '.dev[].mode')" switchdev
expect "back" "$FAIRLEAD" restore

step "with it"
ovs_start
picture >"$LAB_LOG/before"
plan "$POLICY"
same_plan "$POLICY"
expect "a plan has the commands" grep -qE "ovs-vsctl --if-exists del-port \\\$p -- add-port br-fast \\\$p vlan_mode=access tag=100" "$LAB_LOG/plan"
apply "$POLICY"
equal "mark" "$(ovs-vsctl br-get-external-id br-fast fairlead)" made
want=$(printf '%s\n' "$ifname" "$(rep 0)" "$(rep 1)" "$(rep 2)" | sort | tr '\n' ' ')
equal "ports, says ovs-vsctl" "$(ports br-fast)" "$want"
equal "ports, says ovs-ofctl" "$(of_ports br-fast)" "$want"
equal "VF 0" "$(column "$(rep 0)" vlan_mode) $(column "$(rep 0)" tag)" "access 100"
equal "VF 1" "$(column "$(rep 1)" vlan_mode) $(column "$(rep 1)" tag) $(column "$(rep 1)" trunks)" \
	"native-untagged 10 [20, 21, 22, 23, 24, 25, 26, 27, 28, 29]"
equal "VF 2" "$(column "$(rep 2)" vlan_mode) $(column "$(rep 2)" tag)" "access 0"
equal "uplink" "$(column "$ifname" vlan_mode) $(column "$ifname" tag) $(column "$ifname" trunks)" "[] [] []"
for i in 0 1 2; do
	equal "VF $i, says ip" "$(ip -j link show dev "$(rep $i)" | jq -r '.[0] | "\(.master) \(.flags | index("UP") != null)"')" "ovs-system true"
done

picture >"$LAB_LOG/applied"

step "status agrees; again: nothing to do"
equal "VF 1" "$(status '.pfs[0].vfs[1].representor | "\(.bridge) \(."bridge-type") \(.untagged) \(.tagged)"')" 'br-fast ovs 10 [[20,29]]'
equal "actions" "$(actions "$POLICY")" ""

step "drift is planned back"
ovs-vsctl set port "$(rep 0)" tag=77 -- del-port "$(rep 1)"
equal "actions" "$(actions "$POLICY")" "port port"
apply "$POLICY"
equal "VF 0" "$(column "$(rep 0)" tag)" 100
equal "ports" "$(ports br-fast)" "$want"

step "a tap of a lease"
vmm_start web
equal "its port" "$(column fl-web-wan vlan_mode) $(column fl-web-wan tag) $(column fl-web-wan external_ids)" "access 100 {fairlead=made}"
equal "bridge in status" "$(status '.leases[0].own[] | select(.name == "wan") | "\(.bridge) \(."bridge-type")"')" "br-fast ovs"
refused FL-0122 "fl-web-wan is in it" "$FAIRLEAD" restore
vmm_kill "$VMM"
wait_for 20 "end of its port" are_ports br-fast "$want"

step "a bridge of somebody else's"
ovs-vsctl add-br br-mine
sed 's/name: br-fast/name: br-mine, datapath-type: netdev/' "$POLICY" >"$LAB_LOG/netdev.yaml"
refused FL-0153 "br-mine is there" "$FAIRLEAD" apply "$LAB_LOG/netdev.yaml"
sed 's/name: br-fast/name: br-mine/' "$POLICY" >"$LAB_LOG/mine.yaml"
apply "$LAB_LOG/mine.yaml"
equal "ports" "$(ports br-mine)" "$want"
equal "ports of ours" "$(ports br-fast)" ""
equal "its mark" "$(ovs-vsctl br-get-external-id br-mine fairlead)" ""

step "what fails is undone"
picture >"$LAB_LOG/good"
ip link add br-link type bridge
sed 's/name: br-fast/name: br-link/' "$POLICY" >"$LAB_LOG/bad.yaml"
refused FL-0153 "br-link is there" "$FAIRLEAD" apply "$LAB_LOG/bad.yaml"
picture >"$LAB_LOG/undone"
diff "$LAB_LOG/good" "$LAB_LOG/undone" || fail "not undone"

step "restore: as it was, and the other's bridge"
"$FAIRLEAD" restore >"$LAB_LOG/restore" 2>&1 || fail "$(cat "$LAB_LOG/restore")"
equal "bridges" "$(ovs-vsctl list-br | tr '\n' ' ')" "br-mine "
ovs-vsctl del-br br-mine
picture >"$LAB_LOG/after"
diff "$LAB_LOG/before" "$LAB_LOG/after" || fail "restore left something"

step "the plan's commands, typed, give what apply gave"
by_hand "$POLICY" "$SIM_NAMES"
picture >"$LAB_LOG/typed"
diff "$LAB_LOG/applied" "$LAB_LOG/typed" || fail "it is not the same"
netd_stop
