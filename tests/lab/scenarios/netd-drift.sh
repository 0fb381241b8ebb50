#!/bin/bash
# What somebody else changes comes back: by `ip`, by a driver's reload, by a count; and nothing wakes a daemon that has
# nothing to do.
# lab: devices=igb timeout=200
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

POLICY=$LAB_LOG/policy.yaml

vf_link() { ip -j -d link show dev "$ifname" | jq -r ".[0].vfinfo_list[$1]$2"; }
is() { [ "$(vf_link "$1" "$2")" = "$3" ]; }
drift() { "$FAIRLEAD" -j status | jq -r ".reconcile.drift[] | select($1) | .state" | tail -n 1; }
has_drift() { [ "$(drift "$1")" = "$2" ]; }
vfs_are() { [ "$(cat "$PCI/$pf/sriov_numvfs")" = "$1" ]; }
wakes() { awk '/ctxt_switches/ { n += $2 } END { print n }' "/proc/$NETD_PID/status"; }

step "apply"
pf=$(pf_igb) ifname=$(pci_netdev "$pf")
modprobe -a igbvf vfio-pci 2>/dev/null || true
netd_start
tagged_policy "interval: 600s" "spoof-check: true, trust: false" >"$POLICY"
expect "apply" "$FAIRLEAD" apply "$POLICY"
mac=$(vf_link 0 .address)
sleep 4

step "idle: nothing wakes it"
before=$(wakes)
sleep 10
equal "context switches" "$(($(wakes) - before))" 0

step "ip link set vf: put back"
ip link set "$ifname" vf 0 mac 02:00:00:00:00:99
ip link set "$ifname" vf 0 vlan 7
ip link set "$ifname" vf 1 trust on
wait_for 10 "VF 1's trust" is 1 .trust false
wait_for 10 "VF 0's MAC" is 0 .address "$mac"
wait_for 10 "VF 0's VLAN" is 0 '.vlan_list[0].vlan' 100
wait_for 10 "its count" has_drift '.vf == 1 and .attribute == "vf-trust"' repaired
grep -q "reconcile by fairlead-netd itself: .*: was true, is false, done" "$NETD_LOG" || fail "not said what it was and is"

step "a driver's reload: all of it comes back"
echo "$pf" >"$PCI/$pf/driver/unbind"
sleep 1
echo "$pf" >/sys/bus/pci/drivers/igb/bind
wait_for 30 "VFs" vfs_are 2
ifname=$(pci_netdev "$pf")
wait_for 20 "the last step" eval '[ "$(pci_driver "$(pci_vf "$pf" 1)")" = vfio-pci ]'
equal "MAC" "$(vf_link 0 .address)" "$mac"
equal "VLAN" "$(vf_link 1 '.vlan_list[0] | "\(.vlan) \(.qos)"')" "100 3"

step "another count: told, not done"
echo 0 >"$PCI/$pf/sriov_numvfs"
echo 1 >"$PCI/$pf/sriov_numvfs"
wait_for 10 "a report" has_drift '.attribute == "numvfs" and .open' reported
vfs_are 1 || fail "it was changed"
expect "apply" "$FAIRLEAD" apply "$POLICY"
vfs_are 2 || fail "apply does it"
"$FAIRLEAD" confirm >/dev/null 2>&1 || true # asked for where a PF has a default route

step "again and again: somebody's will, and told whose"
mkdir -p /etc/systemd/network
printf '[Match]\nName=%s\n[SR-IOV]\nVirtualFunction=1\nTrust=yes\n' "$ifname" >/etc/systemd/network/50-vf.network
for _ in 1 2 3 4 5; do
	has_drift '.vf == 1 and .attribute == "vf-trust"' fought && break
	ip link set "$ifname" vf 1 trust on
	sleep 4
done
has_drift '.vf == 1 and .attribute == "vf-trust"' fought || fail "$("$FAIRLEAD" -j status | jq -c .reconcile)"
equal "left" "$(vf_link 1 .trust)" true
case $("$FAIRLEAD" -j status | jq -r '.reconcile.drift[].why') in *systemd-networkd*) ;; *) fail "not said who" ;; esac

step "what another owns is not changed, unless one insists"
refused FL-0760 systemd-networkd "$FAIRLEAD" apply "$POLICY"
expect "apply --force" "$FAIRLEAD" apply --force "$POLICY"
equal "trust" "$(vf_link 1 .trust)" false
expect "restore" "$FAIRLEAD" restore
netd_stop
