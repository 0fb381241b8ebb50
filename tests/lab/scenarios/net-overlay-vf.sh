#!/bin/bash
# A tenant's network over VXLAN with VFs in it: their representors join the overlay's bridge beside taps, and leave it; as bridge(8) and ip(8) tell it.
# lab: devices=netdevsim timeout=180
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-netdevsim.sh"

POLICY=$LAB_LOG/policy.yaml

master() { ip -j link show dev "$1" | jq -r '.[0].master // "none"'; }
vlans() { bridge -j vlan show dev "$1" | jq -r '[.[0].vlans[]? | .vlan] | join(" ")'; }
# All that ip(8) and bridge(8) tell of what an overlay is made of, but what the kernel draws or counts.
overlay() { # DEVICE
	ip -d -j link show dev "$1" | jq -S '.[0] | del(.ifindex, .address) |
		walk(if type == "object" then with_entries(select(.key | test("timer|_id$|designated|root|_no$") | not)) else . end)'
	bridge fdb show dev "$1" | grep '^00:00:00:00:00:00' || true
	bridge vlan show dev "$1"
}
overlays() { for i in br-blue br-red vx100 vx101 "$(rep 0)" "$(rep 1)"; do overlay "$i"; done; }
picture() {
	cat "$SIM/sriov_numvfs"
	devlink -j dev eswitch show "$DEV"
	ip -j link | jq -r '.[].ifname' | grep -v '^eth[0-9]*$' | sort
	master "$ifname"
}

step "a netdevsim, an underlay"
modprobe -a bridge veth vxlan
ifname=$(sim_device)
ip link set "$ifname" up
ip link add under type bridge
ip addr add 192.0.2.1/24 dev under
ip link set under up
sim_switch 4
netd_start --root "$ROOT"
picture >"$LAB_LOG/before"
sim_switch_policy >"$POLICY" <<YAML
networks:
  - name: blue
    bridge: br-blue
    overlay: { type: vxlan, id: 100, local: 192.0.2.1, remote: [192.0.2.2] }
  - name: red
    bridge: br-red
    vlan: { id: 7 }
    overlay: { type: vxlan, id: 101, local: 192.0.2.1, remote: [192.0.2.2] }
$(sim_three_nics blue red)
YAML

step "a recording has the same plan"
same_plan "$POLICY"

step "apply"
apply "$POLICY"
equal "bridges" "$(master "$(rep 0)") $(master "$(rep 1)") $(master "$(rep 2)") $(master vx100) $(master vx101)" "br-blue br-red none br-blue br-red"
equal "VLANs of VF 1 and its tunnel" "$(vlans "$(rep 1)"), $(vlans vx101)" "7, 7"
equal "uplink" "$(master "$ifname")" none
equal "status" "$("$FAIRLEAD" -j status | jq -r '.pfs[0].vfs[0].representor | "\(.bridge) \(.link)"')" "br-blue up"
equal "actions" "$(actions "$POLICY")" ""
overlays >"$LAB_LOG/applied"

step "drift is planned back"
ip link set "$(rep 0)" nomaster
equal "actions" "$(actions "$POLICY")" port
same_plan "$POLICY"
apply "$POLICY"
equal "bridge" "$(master "$(rep 0)")" br-blue

step "another's port keeps the bridge; without it: as it was"
ip link add mine type veth peer name theirs
ip link set mine master br-blue
refused FL-0122 "mine is in it" "$FAIRLEAD" restore
ip link del mine
"$FAIRLEAD" restore >"$LAB_LOG/restore" 2>&1 || fail "$(cat "$LAB_LOG/restore")"
picture >"$LAB_LOG/after"
diff "$LAB_LOG/before" "$LAB_LOG/after" || fail "restore left something"

step "the plan's commands, typed, give what apply gave"
by_hand "$POLICY" "$SIM_NAMES"
overlays >"$LAB_LOG/typed"
diff "$LAB_LOG/applied" "$LAB_LOG/typed" || fail "it is not the same"
netd_stop
