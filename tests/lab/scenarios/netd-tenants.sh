#!/bin/bash
# A VF from tenant to tenant: what one was allowed is gone before the next has it, proved, and over a crash of the daemon.
# lab: devices=igb timeout=200
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

POLICY=$LAB_LOG/policy.yaml
ATTR='{"mac": "02:00:00:00:00:77", "vlan": {"id": 7, "qos": 1, "proto": 33024}, "spoof-check": false, "trust": true}'

vf_link() { ip -j -d link show dev "$ifname" | jq -r ".[0].vfinfo_list[$1]$2"; }
seen() { vf_link "$1" '| "\(.address) \(.vlan_list[0].vlan // 0) \(.spoofchk) \(.trust)"'; }
state() { "$FAIRLEAD" -j status | jq -r ".functions[] | select(.bdf == \"$1\") | $2"; }
clean() { [ "$(state "$1" .state)" = clean ]; }
CLEAN="00:00:00:00:00:00 0 true false"

step "two pools: one for VFIO, one for the host"
pf=$(pf_igb) ifname=$(pci_netdev "$pf")
modprobe -a igbvf vfio-pci 2>/dev/null || true
netd_start
cat >"$POLICY" <<YAML
version: 1
nics:
  - { name: e, match: { pci: "$pf" }, virtual-function-count: 3, drivers-autoprobe: false, link: up }
pools:
  - { name: v, functions: ["e#0-1"], driver: vfio, scrub: [function-reset, zero-admin-state, verify] }
  - { name: h, functions: ["e#2"], driver: netdev }
YAML
expect "apply" "$FAIRLEAD" apply "$POLICY"
vf=$(pci_vf "$pf" 0) host=$(pci_vf "$pf" 2)

step "a program has one for as long as it runs, with VFIO's descriptors"
mkfifo /run/in
"$FAIRLEAD" lease v --attributes "$ATTR" -- /bin/sh -c 'echo "$FAIRLEAD_DEVICE $FAIRLEAD_FDS"; exec cat' <>/run/in >"$LAB_LOG/prog" 2>&1 &
prog=$!
wait_for 20 "the program" grep -q "^$vf " "$LAB_LOG/prog"
equal "as asked" "$(seen 0)" "02:00:00:00:00:77 7 false true"
grep -q "iommu=.*device:vf=" "$LAB_LOG/prog" || fail "no descriptors: $(cat "$LAB_LOG/prog")"
refused FL-0122 "loan" "$FAIRLEAD" restore
generation=$(state "$vf" .generation)

step "it ends: nothing of it is left"
kill -9 "$prog"
wait "$prog" 2>/dev/null || true
wait_for 20 "the scrub" clean "$vf"
equal "clean" "$(seen 0)" "$CLEAN"
equal "steps" "$(state "$vf" '.scrub.done | join(" ")')" "function-reset zero-admin-state verify"
equal "driver" "$(pci_driver "$vf")" vfio-pci
resets=$("$FAIRLEAD" metrics | sed -n "s/^fairlead_function_resets_total{pciAddr=\"$vf\"} //p")
equal "resets" "$resets" "$(state "$vf" .resets)"
[ "$resets" -ge 1 ] || fail "its reset is not counted"

step "by a name: two processes, a fence"
"$FAIRLEAD" -j lease v --hold pod/net0 --attributes "$ATTR" >"$LAB_LOG/loan" || fail "$(cat "$LAB_LOG/loan")"
equal "the same VF" "$(jq -r .device.bdf "$LAB_LOG/loan")" "$vf"
equal "a new generation" "$(jq -r .generation "$LAB_LOG/loan")" "$((generation + 1))"
grep -q "borrow pod/net0 ($vf of pool v) by pid " "$NETD_LOG" || fail "the log does not say who has which"
grep -q "borrow by uid 0, pid [0-9]*: .*: was 00:00:00:00:00:00, is 02:00:00:00:00:77, done" "$NETD_LOG" || fail "nor what was set"
equal "entries" "$("$FAIRLEAD" -j history | jq '[.entries[] | select(.verb == "borrow" and .holder == "pod/net0")] | length')" 1
equal "late" "$("$FAIRLEAD" -j release pod/net0 "$generation" | jq -r .released)" false
equal "still as asked" "$(seen 0)" "02:00:00:00:00:77 7 false true"

step "the daemon is killed: the loan stays, what drifts is put back"
kill -9 "$NETD_PID"
wait "$NETD_PID" 2>/dev/null || true
netd_start
equal "holder" "$(state "$vf" .loan.holder)" pod/net0
ip link set "$ifname" vf 0 trust off
wait_for 15 "trust as the borrower stated it" eval '[ "$(vf_link 0 .trust)" = true ]'
equal "released" "$("$FAIRLEAD" -j release pod/net0 | jq -r '"\(.released) \(.state)"')" "true clean"
equal "clean" "$(seen 0)" "$CLEAN"

step "what overrides say of a VF is there when it is lent, not with the next look"
{
	cat "$POLICY"
	echo 'overrides: [ { nic: e, vfs: [ { id: 0, vlan: { id: 300 }, trust: true } ] } ]'
} >"$LAB_LOG/override.yaml"
apply "$LAB_LOG/override.yaml"
equal "by the policy" "$(seen 0)" "00:00:00:00:00:00 300 true true"
drifted() { grep -c "drift" "$NETD_LOG"; }
before=$(drifted)
for what in "$ATTR" '{"mac": "02:00:00:00:00:79"}'; do
	"$FAIRLEAD" -j lease v --device "$vf" --hold pod/o --attributes "$what" >"$LAB_LOG/loan" || fail "$(cat "$LAB_LOG/loan")"
	case $what in
	*vlan*) equal "lent, his words" "$(seen 0)" "02:00:00:00:00:77 7 false true" ;;
	*) equal "lent, the policy's" "$(seen 0)" "02:00:00:00:00:79 300 true true" ;;
	esac
	expect "release" "$FAIRLEAD" release pod/o
	equal "as the policy has it" "$(seen 0)" "00:00:00:00:00:00 300 true true"
done
equal "looks that found something" "$(drifted)" "$before"
apply "$POLICY"

step "a guest's settings are not left to who comes when the policy has forgotten it"
with_guest() { # GUEST-NICS
	cat "$POLICY" - <<YAML
networks:
  - { name: tagged, vlan: { id: 100 }, trust: true, spoof-check: false }
guests:
  - name: g
    memory: 256M
    kernel: /var/lib/fairlead/images/vmlinuz
    nics: [$1]
YAML
}
with_guest '{ name: a, pool: v, network: tagged, mac-address: "02:00:00:00:00:88" }' >"$LAB_LOG/guest.yaml"
apply "$LAB_LOG/guest.yaml"
equal "the guest's" "$(seen 0)" "02:00:00:00:00:88 100 false true"
apply "$POLICY"
equal "lent" "$("$FAIRLEAD" -j lease v --hold pod/net8 | jq -r .device.bdf)" "$vf"
equal "clean" "$(seen 0)" "$CLEAN"

step "what is lent is no guest's"
with_guest '{ name: a, pool: v }' >"$LAB_LOG/guest.yaml"
refused_or_lent() { "$FAIRLEAD" apply "$LAB_LOG/guest.yaml" >"$LAB_LOG/apply" 2>&1 || grep -q FL-0122 "$LAB_LOG/apply"; }
expect "apply" refused_or_lent
install_images
! "$FAIRLEAD" run g >"$LAB_LOG/run" 2>&1 </dev/null || fail "it runs with a VF that is lent"
equal "holder" "$(state "$vf" .loan.holder)" pod/net8
equal "state" "$(state "$vf" .state)" given
expect "release" "$FAIRLEAD" release pod/net8
apply "$POLICY"

step "a host's interface: its MAC is its own, and goes with it"
"$FAIRLEAD" -j lease h --hold pod/eth --attributes "$ATTR" >"$LAB_LOG/loan" || fail "$(cat "$LAB_LOG/loan")"
dev=$(jq -r .device.ifname "$LAB_LOG/loan")
equal "MAC of $dev" "$(cat "/sys/class/net/$dev/address")" 02:00:00:00:00:77
equal "released" "$("$FAIRLEAD" -j release pod/eth | jq -r '"\(.released) \(.state)"')" "true clean"
case $(seen 2) in 02:00:00:00:00:77*) fail "its MAC is still there" ;; *" 0 true false") ;; *) fail "not clean: $(seen 2)" ;; esac
[ "$(cat "/sys/class/net/$(pci_netdev "$host")/address")" != 02:00:00:00:00:77 ] || fail "the MAC is still there"

step "a VF that cannot be proved clean is nobody's"
mount --bind /dev/full "$PCI/$vf/reset"
"$FAIRLEAD" lease v --hold pod/net1 >/dev/null || fail "lease"
"$FAIRLEAD" release pod/net1 >/dev/null 2>&1 || fail "release"
equal "state" "$(state "$vf" .state)" quarantined
equal "another is given" "$("$FAIRLEAD" -j lease v --hold pod/net2 | jq -r .device.bdf)" "$(pci_vf "$pf" 1)"
refused FL-0758 quarantine "$FAIRLEAD" lease v --hold pod/net3
refused FL-0757 "scrub" "$FAIRLEAD" scrub "$vf"
umount "$PCI/$vf/reset"
expect "scrub" "$FAIRLEAD" scrub "$vf"
equal "state" "$(state "$vf" .state)" clean
expect "release" "$FAIRLEAD" release pod/net2
expect "restore" "$FAIRLEAD" restore
netd_stop
