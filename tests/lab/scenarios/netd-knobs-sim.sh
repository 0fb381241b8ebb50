#!/bin/bash
# Every setting of a VF that igb refuses is applied to netdevsim, read back by iproute2, and put back.
# lab: devices=netdevsim timeout=120
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-netdevsim.sh"

POLICY=$LAB_LOG/policy.yaml

make_root() { # IFNAME VFS, all of them there
	local d=$ROOT/sys/bus/pci/devices i
	sim_root "$2"
	mkdir -p "$d/$PF/net/$1"
	echo "$2" >"$d/$PF/sriov_numvfs"
	echo 1 >"$d/$PF/sriov_drivers_autoprobe"
	for ((i = 0; i < $2; i++)); do
		ln -s "../0000:7e:10.$i" "$d/$PF/virtfn$i"
	done
}

# Of netd's sockets strace was not there when they were made: it may know the type by number only.
set_links() { grep -cE 'nlmsg_type=(RTM_SETLINK|0x13 )' "$LAB_LOG/strace" || true; }
vfs() { ip -j -d link show dev "$ifname" | jq -S '.[0] | {mtu, vfinfo_list}'; }
vf() { ip -j -d link show dev "$ifname" | jq -r ".[0].vfinfo_list[$1] | $2"; }
status() { "$FAIRLEAD" -j status | jq -r ".pfs[0] | $1"; }

step "a netdevsim with four VFs"
echo "1 1" >/sys/bus/netdevsim/new_device
echo 4 >/sys/bus/netdevsim/devices/netdevsim1/sriov_numvfs
ifname=$(ls /sys/bus/netdevsim/devices/netdevsim1/net)
ip link set "$ifname" up
make_root "$ifname" 4
vfs >"$LAB_LOG/before"
netd_start --root "$ROOT"

cat >"$POLICY" <<YAML
version: 1
host: { mode: observe } # drift is looked at here before it is put right
nics:
  - { name: sim0, match: { pci: "$PF" }, virtual-function-count: 4, mtu: 9000 }
networks:
  - name: loud
    vlan: { id: 100, qos: 3, protocol: 802.1ad }
    spoof-check: true
    trust: true
    link-state: enable
    tx-rate: { min: 100mbit, max: 1gbit }
    query-rss: true
    mtu: 9000
  - { name: silent, vlan: null, spoof-check: null, trust: null, link-state: disable, tx-rate: null, query-rss: null }
pools:
  - { name: sim, functions: ["sim0#0-3"], mac: { prefix: "02:5a:10" } }
overrides:
  - nic: sim0
    vfs:
      - { id: 0, tx-rate: { max: 500mbit }, mac-address: "02:5a:10:00:00:aa" }
      - { id: 3, mac-address: "02:5a:10:00:00:bb", trust: true, link-state: enable }
guests:
  - name: demo
    memory: 512M
    kernel: /boot/vmlinuz
    nics:
      - { name: a, pool: sim, network: loud }
      - { name: b, pool: sim, network: loud, mac-address: "02:5a:10:00:00:07" }
      - { name: c, pool: sim, network: silent }
YAML

step "apply; iproute2 and status agree with the policy"
"$FAIRLEAD" plan "$POLICY" >"$LAB_LOG/plan" 2>&1 || fail "$(cat "$LAB_LOG/plan")"
"$FAIRLEAD" apply "$POLICY" >"$LAB_LOG/apply" 2>&1 || fail "$(cat "$LAB_LOG/apply")"
knobs='"\(.address) \(.vlan_list[0] | "\(.vlan // 0) \(.qos // 0) \(.protocol // "-")") \(.spoofchk) \(.trust) \(.link_state) \(.rate.min_tx) \(.rate.max_tx) \(.query_rss_en)"'
equal "VF 0" "$(vf 0 "$knobs")" "02:5a:10:00:00:aa 100 3 802.1ad true true enable 0 500 true"
equal "VF 1" "$(vf 1 "$knobs")" "02:5a:10:00:00:07 100 3 802.1ad true true enable 100 1000 true"
equal "VF 2" "$(vf 2 "$knobs" | cut -d' ' -f2-)" "0 0 - true false disable 0 0 false"
equal "VF 3" "$(vf 3 '"\(.address) \(.trust) \(.link_state)"')" "02:5a:10:00:00:bb true enable"
equal "MTU" "$(ip -j link show dev "$ifname" | jq '.[0].mtu') $(status .mtu)" "9000 9000"
equal "status of VF 0" "$(status '.vfs[0] | "\(."link-state") \(."tx-rate".min) \(."tx-rate".max) \(."query-rss")"')" "enable 0 500 true"
equal "status of VF 2" "$(status '.vfs[2] | "\(."link-state") \(."tx-rate".max) \(."query-rss")"')" "disable 0 false"
expect "a table of it" grep -q "link state enable, rate 0 to 500 Mbit/s" <("$FAIRLEAD" status)

step "the whole of it was one message; again, it is none"
"$FAIRLEAD" restore >"$LAB_LOG/restore" 2>&1 || fail "$(cat "$LAB_LOG/restore")"
vfs >"$LAB_LOG/after"
diff "$LAB_LOG/before" "$LAB_LOG/after" || fail "restore left something"
if command -v strace >/dev/null; then
	strace -f -e trace=sendto,sendmsg -o "$LAB_LOG/strace" -p "$NETD_PID" &
	tracer=$!
	sleep 1
	"$FAIRLEAD" apply "$POLICY" >"$LAB_LOG/apply" 2>&1 || fail "$(cat "$LAB_LOG/apply")"
	sets=$(set_links)
	"$FAIRLEAD" apply "$POLICY" >"$LAB_LOG/apply" 2>&1 || fail "$(cat "$LAB_LOG/apply")"
	kill "$tracer"
	wait "$tracer" || true
	equal "RTM_SETLINK of an apply" "$sets" 1
	equal "RTM_SETLINK of one more" "$(($(set_links) - sets))" 0
else
	note "no strace here: the messages are not counted"
	"$FAIRLEAD" apply "$POLICY" >"$LAB_LOG/apply" 2>&1 || fail "$(cat "$LAB_LOG/apply")"
fi
equal "actions of one more" "$("$FAIRLEAD" -j plan "$POLICY" | jq '.actions | length')" 0

step "drift of each setting is planned back"
ip link set "$ifname" vf 1 state disable
ip link set "$ifname" vf 1 min_tx_rate 1 max_tx_rate 2
ip link set "$ifname" vf 1 query_rss off
ip link set "$ifname" mtu 1400
equal "drift" "$("$FAIRLEAD" -j plan "$POLICY" | jq -r '[.actions[].op] | join(" ")')" "pf-mtu vf-rate vf-rss vf-link"
"$FAIRLEAD" apply "$POLICY" >/dev/null || fail "apply against drift"
equal "VF 1" "$(vf 1 "$knobs")" "02:5a:10:00:00:07 100 3 802.1ad true true enable 100 1000 true"

step "the printed commands do the same"
"$FAIRLEAD" restore >/dev/null || fail "restore"
by_hand "$POLICY"

step "a network's MTU beyond the physical function's is refused"
sed 's/ mtu: 9000 }/ mtu: 1500 }/' "$POLICY" >"$LAB_LOG/mtu.yaml"
"$FAIRLEAD" apply "$LAB_LOG/mtu.yaml" >"$LAB_LOG/refused" 2>&1 && fail "not refused"
expect "FL-0131" grep -q FL-0131 "$LAB_LOG/refused"
netd_stop
