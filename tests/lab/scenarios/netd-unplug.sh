#!/bin/bash
# Cards are pulled by L0's monitor, idle and in the middle of an apply, and come back in their places or each in the
# other's, which gives their VFs other addresses: what is left is served, and what comes is as the policy says.
# check: long
# lab: devices=igb2 timeout=300
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-own.sh"
. "$LAB_DIR/lib-fault.sh"

MAC_A=52:54:00:00:0a:00 MAC_B=52:54:00:00:0b:00
PULL=/run/unplug.now

# ---- cards, by their MACs ----

# L1 lets go of it first, and then L0's slot.
pull() { # NIC ADDRESS
	l0 device_del "$1"
	wait_for 30 "end of $1" eval "[ ! -e $PCI/$2 ] && ! l0 info pci | grep -q 'id \"$1\"'"
}
# nic0 has L0's hub by h1, nic1 by h2; which is where makes no difference there.
plug() { # NIC PORT MAC
	l0 device_add "igb,id=$1,bus=$2,netdev=h$((${1#nic} + 1)),mac=$3"
	wait_for 30 "$1 with its driver" card "$3"
}
plug_both() { # MAC-IN-THE-FIRST-PORT MAC-IN-THE-SECOND
	plug nic0 rp1 "$1"
	plug nic1 rp2 "$2"
}
pull_both() {
	pull nic0 "$first"
	pull nic1 "$second"
}
card() { # MAC: its address
	local d
	for d in "$PCI"/*/net/*; do
		if [ -e "$d/device/sriov_numvfs" ] && [ "$(cat "$d/address")" = "$1" ]; then
			basename "$(realpath "$d/device")"
			return
		fi
	done
	return 1
}
vfs() { # MAC: what there is of its VFs, but their addresses
	local pf i
	pf=$(card "$1") || { echo "no card"; return; }
	ip -j -d link show dev "$(pci_netdev "$pf")" | jq -c '.[0].vfinfo_list[]? | [.address, .vlan_list, .spoofchk, .trust]'
	for i in "$PCI/$pf"/virtfn*; do [ ! -e "$i" ] || pci_driver "$(basename "$(realpath "$i")")"; done
}
both() { vfs "$MAC_A"; vfs "$MAC_B"; }
are() { [ "$(both)" = "$1" ]; }

# In the middle of an apply, before the first call whose line has TEXT, the command is run here.
meanwhile() { # TEXT COMMAND...
	local text=$1 other
	shift
	rm -f "$PULL"
	echo "echo >$PULL; while [ -e $PULL ]; do sleep 0.1; done" >"$FAULT_CONTROL.sh"
	(
		until [ -e "$PULL" ]; do sleep 0.1; done
		"$@"
		rm "$PULL"
	) &
	other=$!
	strike run 1 0 "$text"
	wait "$other"
	[[ $HIT == *hit* && $HIT != *failed* ]] || fail "no \"$text\" in the apply: $HIT"
	[ -e "/proc/$NETD_MAIN" ] || fail "netd died of: $*"
}
# The apply was told as failed, and nothing of it is there.
undone() { # TEXT
	[ "$STATUS" != 0 ] && grep -q 'FL-[0-9]' "$OUT" || fail "$1: $STATUS, $(cat "$OUT")"
	note "$(sed -n 1,2p "$OUT" | tr '\n' ' ')"
	equal "$1: the journal" "$(phase)" none
}

step "two cards, which the policy knows by their MACs"
mapfile -t nics < <(pci_find 8086:10c9)
first=${nics[0]} second=${nics[1]}
modprobe -a igbvf vfio-pci 2>/dev/null || true
pull_both
plug_both "$MAC_A" "$MAC_B"
equal "cards" "$(card "$MAC_A") $(card "$MAC_B")" "$first $second"
install_images
cat >"$POLICY" <<YAML
version: 1
host: { apply: { sysfs-timeout: 60s } }
nics:
  - { name: a, match: { mac-address: "$MAC_A" }, virtual-function-count: 2, drivers-autoprobe: false, link: up }
  - { name: b, match: { mac-address: "$MAC_B" }, virtual-function-count: 2, drivers-autoprobe: false, link: up }
networks:
  - { name: red, vlan: { id: 100 }, trust: true }
  - { name: blue, vlan: { id: 200 }, spoof-check: false }
pools:
  - { name: pa, functions: ["a#0-1"], driver: vfio, mac: { prefix: "02:5a:10", assign: stable } }
  - { name: pb, functions: ["b#0-1"], driver: vfio, mac: { prefix: "02:5a:11", assign: stable } }
guests:
  - name: ga
    memory: 512M
    kernel: /var/lib/fairlead/images/vmlinuz
    nics: [{ name: lan, pool: pa, network: red }]
  - name: gb
    memory: 512M
    kernel: /var/lib/fairlead/images/vmlinuz
    nics: [{ name: lan, pool: pb, network: blue }]
YAML
at_end netd_kill
fault_start --policy "$POLICY"
expect "apply" "$FAIRLEAD" apply "$POLICY"
want=$(both)
vf_of_a=$(pci_vf "$first" 0) vf_of_b=$(pci_vf "$second" 0)
[ "$(vfs "$MAC_A")" != "$(vfs "$MAC_B")" ] || fail "they are alike: this could not fail"

step "one is pulled: it is told, and the other's guest gets its VF"
pull nic1 "$second"
wait_for 10 "word of it" eval '[ -n "$("$FAIRLEAD" -j status | jq -r .reconcile.why)" ]'
note "$("$FAIRLEAD" -j status | jq -r .reconcile.why)"
equal "cards of status" "$("$FAIRLEAD" -j status | jq -r '[.pfs[].bdf] | join(" ")')" "$first"
vmm_start ga
vmm_kill "$VMM"
wait_for 20 "end of the lease" no_lease
one=$(vfs "$MAC_A")
ip link set "$(pci_netdev "$first")" vf 0 trust off
wait_for 15 "the other's settings as the policy says" eval '[ "$(vfs "$MAC_A")" = "$one" ]'

step "it comes back: its VFs, too, by themselves"
plug nic1 rp2 "$MAC_B"
wait_for 40 "both as they were" are "$want"

step "both are pulled, and come back each in the other's place: VFs with other addresses"
pull_both
plug_both "$MAC_B" "$MAC_A"
wait_for 40 "each as it was" are "$want"
equal "VF 0 of one" "$(pci_vf "$(card "$MAC_A")" 0)" "$vf_of_b"
equal "VF 0 of the other" "$(pci_vf "$(card "$MAC_B")" 0)" "$vf_of_a"
equal "actions" "$(actions "$POLICY")" ""
expect "restore" "$FAIRLEAD" restore
none=$(both)

step "one is pulled in the middle of an apply: the other is as it was before"
meanwhile "$second/sriov_numvfs" pull nic1 "$second"
undone "pulled"
equal "VFs of the other" "$(cat "$PCI/$first/sriov_numvfs")" 0
plug nic1 rp2 "$MAC_A"
equal "VFs of both" "$(both)" "$none"

step "both change places in the middle of an apply: no VF gets what was meant for another"
swap_back() {
	pull_both
	plug_both "$MAC_A" "$MAC_B"
}
meanwhile "$vf_of_b/driver_override" swap_back
undone "changed places"
equal "VFs of both" "$(both)" "$none"
expect "apply" "$FAIRLEAD" apply "$POLICY"
wait_for 20 "both as the policy says" are "$want"
expect "restore" "$FAIRLEAD" restore
equal "VFs of both" "$(both)" "$none"
fault_stop
host_quiet
