#!/bin/bash
# The printed commands do what apply does; assert tells the two apart; what nobody confirms is rolled back.
# lab: devices=igb timeout=300
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

POLICY=$LAB_LOG/policy.yaml

# All that a person sees of the PF and its VFs.
machine() {
	local d
	cat "$PCI/$pf/sriov_numvfs" "$PCI/$pf/sriov_drivers_autoprobe"
	for d in "$PCI/$pf"/virtfn*; do
		[ ! -e "$d" ] || echo "$(pci_driver "$(basename "$(readlink "$d")")") $(cat "$d/driver_override")"
	done
	ip -j -d link show dev "$ifname" | jq -c '.[0] | [(.flags | index("UP") != null), .vfinfo_list]'
}
journal() { "$FAIRLEAD" -j status | jq -r .journal; }
is() { [ "$(journal)" = "$1" ]; }
status_of() { local s=0; "$@" >"$LAB_LOG/out" 2>&1 || s=$?; echo $s; }
entry() { "$FAIRLEAD" -j history "$1" | jq -r ".entry$2"; }

step "start the daemon"
pf=$(pf_igb) ifname=$(pci_netdev "$pf")
modprobe -a igbvf vfio-pci 2>/dev/null || true
before=$(machine)
netd_start
cat >"$POLICY" <<YAML
version: 1
nics:
  - { name: edge0, match: { pci: "$pf" }, virtual-function-count: 2, drivers-autoprobe: false, link: up }
networks:
  - { name: tagged, vlan: { id: 100, qos: 3 }, spoof-check: false, trust: true }
pools:
  - { name: edge, functions: ["edge0#0-1"], driver: vfio, mac: { prefix: "02:5a:10", assign: stable } }
guests:
  - { name: demo, cpus: 1, memory: 512M, kernel: /k, nics: [{ name: wan, pool: edge, network: tagged }] }
YAML

step "assert: not so, and what is not"
equal "status of assert without a policy" "$(status_of "$FAIRLEAD" assert)" 2
equal "status of assert" "$(status_of "$FAIRLEAD" assert "$POLICY")" 1
grep -q "not so: create 2 VFs" "$LAB_LOG/out" || fail "$(cat "$LAB_LOG/out")"
"$FAIRLEAD" plan "$POLICY" | grep -q "create 2 VFs.*touches demo" || fail "the plan does not say whom it touches"

step "the commands of the plan, typed by hand"
by_hand "$POLICY"
typed=$(machine)
equal "status of assert" "$(status_of "$FAIRLEAD" assert "$POLICY")" 0
echo 0 >"$PCI/$pf/sriov_numvfs"
echo 1 >"$PCI/$pf/sriov_drivers_autoprobe"
ip link set "$ifname" down
equal "by hand, and back" "$(machine)" "$before"

step "apply gives the same; not confirmed, it is rolled back"
"$FAIRLEAD" apply --confirm-within 25s "$POLICY" >"$LAB_LOG/apply" 2>&1 || fail "$(cat "$LAB_LOG/apply")"
grep -q "unless .fairlead confirm" "$LAB_LOG/apply" || fail "$(cat "$LAB_LOG/apply")"
equal "apply and the commands" "$(machine)" "$typed"
equal "journal" "$(journal)" unconfirmed
refused FL-0746 "not confirmed yet" "$FAIRLEAD" apply "$POLICY"
refused FL-0746 "not confirmed yet" "$FAIRLEAD" run --user nobody demo
wait_for 60 "roll-back" is none
equal "after the roll-back" "$(machine)" "$before"
equal "its entry" "$(entry 2 '| "\(.verb) \(.result) \(.who) \(.continues)"')" "rollback done null 1"

step "killed before the time is over: the next one rolls back"
expect "apply" "$FAIRLEAD" apply --confirm-within 8 "$POLICY"
kill -9 "$NETD_PID"
wait "$NETD_PID" 2>/dev/null || true
sleep 8
netd_start
wait_for 60 "roll-back" is none
equal "after the roll-back" "$(machine)" "$before"

step "confirmed: it stays"
expect "apply" "$FAIRLEAD" apply --confirm-within 15 "$POLICY"
expect "confirm" "$FAIRLEAD" confirm
refused FL-0747 "no apply waits" "$FAIRLEAD" confirm
sleep 16
equal "journal" "$(journal)" applied
equal "the machine" "$(machine)" "$typed"
equal "status of assert" "$(status_of "$FAIRLEAD" assert)" 0

step "the history says who, and what each action found and left"
last=$("$FAIRLEAD" -j history | jq -r '[.entries[] | select(.verb == "apply")][0].id')
equal "who" "$(entry "$last" '.who | "\(.uid) \(.pid != 0)"')" "0 true"
equal "VLAN" "$(entry "$last" '.actions[] | select(.op == "vf-vlan") | "\(.before) \(.after.id)"')" "null 100"
equal "numvfs" "$(entry "$last" '.actions[] | select(.op == "numvfs") | "\(.before) \(.after)"')" "0 2"

step "the default route goes through the PF, below a bridge: by itself"
expect "restore" "$FAIRLEAD" restore
modprobe bridge
ip link add br9 type bridge
ip link set "$ifname" master br9 up
ip link set br9 up
ip addr add 10.0.2.15/24 dev br9
ip route replace default via 10.0.2.2 dev br9
expect "apply" "$FAIRLEAD" apply "$POLICY"
equal "journal" "$(journal)" unconfirmed
"$FAIRLEAD" status | grep -q "rolled back in 1[0-9][0-9] s" || fail "status shows no time: $("$FAIRLEAD" status | head -n 4)"
expect "restore" "$FAIRLEAD" restore
equal "journal" "$(journal)" none
netd_stop
