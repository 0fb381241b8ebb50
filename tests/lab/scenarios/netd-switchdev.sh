#!/bin/bash
# A switch goes to switchdev: representors in a bridge with VLANs, rate groups, parameters; read back by iproute2; restore.
# lab: devices=netdevsim timeout=400
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-netdevsim.sh"

POLICY=$LAB_LOG/policy.yaml
status() { "$FAIRLEAD" -j status | jq -r ".pfs[0] | $1"; }
vlans() { # IFNAME: "10:u 20-29" as bridge(8) has them
	bridge -compressvlans -j vlan show dev "$1" | jq -r '[.[0].vlans[]? | "\(.vlan)\(if .vlanEnd then "-\(.vlanEnd)" else "" end)\(if (.flags // []) | index("PVID") then ":u" else "" end)"] | join(" ")'
}
groups() { devlink -j port function rate | jq -cS '.rate | with_entries(select(.key | test("/[a-z]+$")))'; }
parent() { # VF
	devlink -j port function rate show "$(devlink -j port | jq -r ".port | to_entries[] | select((.key | startswith(\"$DEV/\")) and .value.vfnum == $1) | .key")" |
		jq -r '.rate[].parent // "none"'
}
# All that may change, but what the kernel draws anew: the representors' own MACs.
picture() {
	cat "$SIM/sriov_numvfs"
	devlink -j dev eswitch show "$DEV"
	devlink -j dev param show "$DEV" name max_macs
	devlink -j port | jq -S '.port | map_values(del(.netdev))'
	devlink -j port function rate | jq -S .rate
	ip -d link show dev "$ifname" | sed -E 's/ state [A-Z]*//; s/ qdisc [a-z]*//; s/ [a-z_]*timer +[0-9.]+//g'
	ip -d link show dev br-fast | grep -o 'vlan_filtering [01]'
	bridge vlan show
}

filtering() { ip -d -j link show dev "$1" | jq '.[0].linkinfo.info_data.vlan_filtering'; }

step "a netdevsim, and bridges"
modprobe bridge 2>/dev/null || true
ifname=$(sim_device)
ip link set "$ifname" up
ip link add br-fast address 02:5a:11:00:00:01 type bridge # else it has the least of its ports
ip link set br-fast up
ip link add br-slow address 02:5a:11:00:00:02 type bridge
sim_switch 4
netd_start --root "$ROOT"
equal "mode" "$(status '."embedded-switch-mode"')" legacy
picture >"$LAB_LOG/before"

sim_switch_policy "reconcile: { drift: { safe: report } }" >"$POLICY" <<YAML
    devlink-params:
      - { name: max_macs, value: 48, cmode: driverinit }
    rate-groups:
      - { name: gold, tx-share: 1gbit, tx-max: 2gbit }
      - { name: silver, tx-max: 500mbit }
    bridge: { type: linux, name: br-fast, vlan-filtering: true }
networks:
  - { name: tenant, vlan: { id: 100 } }
  - { name: trunk, vlan: { trunk: [10, 20-29], native: 10 } }
  - { name: plain, vlan: null }
pools:
  - { name: sim, functions: ["sim0#0-2"], mac: { prefix: "02:5a:10" } }
overrides:
  - nic: sim0
    vfs:
      - { id: 0, rate-group: gold }
      - { id: 1, rate-group: silver }
guests:
  - name: demo
    memory: 512M
    kernel: /boot/vmlinuz
    nics:
      - { name: a, pool: sim, network: tenant, mac-address: "02:5a:10:00:00:07" }
      - { name: b, pool: sim, network: trunk }
      - { name: c, pool: sim, network: plain }
YAML

step "a recording has the same plan"
same_plan "$POLICY"

step "apply"
"$FAIRLEAD" plan "$POLICY" >"$LAB_LOG/plan" 2>&1 || fail "$(cat "$LAB_LOG/plan")"
apply "$POLICY"
equal "mode" "$(devlink -j dev eswitch show "$DEV" | jq -r '.dev[].mode')" switchdev
equal "parameter" "$(devlink -j dev param show "$DEV" name max_macs | jq '.param[][0].values[] | select(.cmode == "driverinit") | .value')" 48
equal "VLANs of VF 0" "$(vlans "$(rep 0)")" "100:u"
equal "VLANs of VF 1" "$(vlans "$(rep 1)")" "10:u 20-29"
equal "VLANs of VF 2" "$(vlans "$(rep 2)")" "1:u"
equal "VLANs of the uplink" "$(vlans "$ifname")" "1:u 10 20-29 100"
for i in 0 1 2; do
	equal "bridge of VF $i" "$(ip -j link show dev "$(rep $i)" | jq -r '.[0] | "\(.master) \(.flags | index("UP") != null)"')" "br-fast true"
done
equal "filtering" "$(filtering br-fast)" 1
groups >"$LAB_LOG/groups"
equal "gold" "$(jq -c ".\"$DEV/gold\" | [.tx_share, .tx_max]" "$LAB_LOG/groups")" "[125000000,250000000]"
equal "silver" "$(jq -c ".\"$DEV/silver\".tx_max" "$LAB_LOG/groups")" 62500000
equal "groups of VFs" "$(parent 0) $(parent 1) $(parent 2)" "gold silver none"
equal "MAC of VF 0" "$(ip -j link show dev "$ifname" | jq -r '.[0].vfinfo_list[0].address')" 02:5a:10:00:00:07

step "status agrees"
equal "mode" "$(status '."embedded-switch-mode"')" switchdev
equal "VF 1" "$(status '.vfs[1] | "\(."rate-group") \(.representor.bridge) \(.representor.untagged) \(.representor.tagged)"')" 'silver br-fast 10 [[20,29]]'
equal "representor" "$(status '.vfs[0].representor.ifname')" "$(rep 0)"
equal "health" "$(status '[.health[].reporter] | sort | join(" ")')" "dummy empty"
equal "health as a metric" "$("$FAIRLEAD" metrics | sed -n 's/^fairlead_pf_health_recoveries_total{.*reporter="\(.*\)"}/\1/p' | sort | tr '\n' ' ')" "dummy 0 empty 0 "

expect "a table of it" grep -q "$(rep 0) in br-fast, VLAN 100 untagged, up; rate group gold" <("$FAIRLEAD" status)
expect "and of its switch" grep -q "switch in switchdev mode; $ifname in br-fast, VLAN 1 untagged, tagged 10, 20-29, 100" <("$FAIRLEAD" status)

step "again: nothing to do; a representor that udev has renamed is still the same; drift is planned back"
equal "actions" "$(actions "$POLICY")" ""
r=$(rep 1)
ip link set "$r" down
ip link set "$r" name renamed1
ip link set renamed1 up
bridge vlan add dev renamed1 vid 77
devlink port function rate set "$DEV/gold" tx_max 4gbit
equal "drift" "$(actions "$POLICY")" "group port"
same_plan "$POLICY"
apply "$POLICY"
equal "VLANs of VF 1" "$(vlans renamed1)" "10:u 20-29"

step "what the kernel refuses is in its words, and undone"
picture >"$LAB_LOG/good"
sed 's/tx-max: 2gbit/tx-max: 90gbit/' "$POLICY" >"$LAB_LOG/bad.yaml"
"$FAIRLEAD" apply "$LAB_LOG/bad.yaml" >"$LAB_LOG/refused" 2>&1 && fail "90 Gbit/s were taken"
expect "its words" grep -q "exceed link maximum speed" "$LAB_LOG/refused"
picture >"$LAB_LOG/undone"
diff "$LAB_LOG/good" "$LAB_LOG/undone" || fail "not undone"

step "back to legacy, with the VLAN where it belongs there"
sed -e 's/mode: switchdev/mode: legacy/' -e '/rate-groups:/,/silver/d' -e '/bridge:/d' -e '/^overrides/,/silver }/d' \
	-e 's/trunk: \[10, 20-29\], native: 10/id: 10/' "$POLICY" >"$LAB_LOG/legacy.yaml"
apply "$LAB_LOG/legacy.yaml"
equal "mode" "$(devlink -j dev eswitch show "$DEV" | jq -r '.dev[].mode')" legacy
equal "VLAN of VF 0" "$(ip -j -d link show dev "$ifname" | jq '.[0].vfinfo_list[0].vlan_list[0].vlan')" 100
equal "representors" "$(devlink -j port | jq '[.port[] | select(.flavour == "pcivf")] | length')" 0

step "restore: as it was, and so is a bridge that the policy had between"
sed 's/name: br-fast/name: br-slow/' "$POLICY" >"$LAB_LOG/slow.yaml"
apply "$LAB_LOG/slow.yaml"
equal "filtering" "$(filtering br-fast) $(filtering br-slow)" "1 1"
apply "$POLICY"
picture >"$LAB_LOG/applied"
"$FAIRLEAD" restore >"$LAB_LOG/restore" 2>&1 || fail "$(cat "$LAB_LOG/restore")"
picture >"$LAB_LOG/after"
diff "$LAB_LOG/before" "$LAB_LOG/after" || fail "restore left something"
equal "filtering" "$(filtering br-fast) $(filtering br-slow)" "0 0"

step "the plan's commands, typed, give what apply gave"
by_hand "$POLICY" "$SIM_NAMES"
picture >"$LAB_LOG/typed"
diff "$LAB_LOG/applied" "$LAB_LOG/typed" || fail "it is not the same"

step "a guest's VLAN at the bridge is not for who borrows its VF next"
sed 's/name: c, pool: sim, network: plain/name: c, pool: sim, network: tenant/' "$POLICY" >"$LAB_LOG/guest.yaml"
sed '/name: c, pool: sim/d' "$POLICY" >"$LAB_LOG/no-guest.yaml"
master() { ip -j link show dev "$(rep 2)" | jq -r '.[0].master // "none"'; }
apply "$LAB_LOG/guest.yaml"
equal "VLANs of VF 2" "$(vlans "$(rep 2)")" "100:u"
apply "$LAB_LOG/no-guest.yaml"
equal "left as they are" "$(vlans "$(rep 2)")" "100:u"
"$FAIRLEAD" -j lease sim --hold job >"$LAB_LOG/loan" || fail "$(cat "$LAB_LOG/loan")"
equal "VF" "$(jq -r .device.vf "$LAB_LOG/loan")" 2
equal "bridge" "$(master)" none
equal "proved" "$("$FAIRLEAD" -j status | jq -r '.functions[] | select(.loan.holder == "job") | .scrub.proved')" true
ip link set dev "$(rep 2)" master br-fast
equal "released" "$("$FAIRLEAD" -j release job | jq -r '"\(.released) \(.state)"')" "true clean"
equal "out of what it was put into meanwhile" "$(master)" none

step "a borrower's VF is where its override says"
sed 's/{ id: 1, rate-group: silver }/&\n      - { id: 2, vlan: { id: 200 }, rate-group: silver }/' "$LAB_LOG/no-guest.yaml" >"$LAB_LOG/override.yaml"
apply "$LAB_LOG/override.yaml"
equal "VLANs of VF 2" "$(vlans "$(rep 2)")" "200:u"
"$FAIRLEAD" -j lease sim --hold job >"$LAB_LOG/loan" || fail "$(cat "$LAB_LOG/loan")"
equal "lent" "$(master) $(vlans "$(rep 2)") $(parent 2)" "br-fast 200:u silver"
equal "released" "$("$FAIRLEAD" -j release job | jq -r '"\(.released) \(.state)"')" "true clean"
equal "as the policy has it" "$(master) $(vlans "$(rep 2)") $(parent 2)" "br-fast 200:u silver"
netd_stop
