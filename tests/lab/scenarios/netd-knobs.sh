#!/bin/bash
# What igb does not do: each is a failure with its words, undone to the byte; or is left out, and told.
# lab: devices=igb timeout=300
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

POLICY=$LAB_LOG/policy.yaml
STATE=/var/lib/fairlead
export FAIRLEAD_VMM=/bin/true # no lease is given here

# Without the qdisc, which the kernel gives a link for good when it first goes up.
bytes() {
	host_state "$pf" | sed 's/ qdisc [a-z_]*//'
	for d in "$PCI"/*; do
		echo "${d##*/} driver=$(pci_driver "${d##*/}") override=$(cat "$d/driver_override")"
	done
}

# policy KNOBS [NIC-KNOBS]: of the network, of the nic.
policy() {
	cat >"$POLICY" <<YAML
version: 1
nics:
  - { name: edge0, match: { pci: "$pf" }, virtual-function-count: 2, drivers-autoprobe: false, link: up${2:+, $2} }
networks:
  - { name: tenant, vlan: { id: 100 }, spoof-check: true, trust: true, $1 }
pools:
  - { name: edge, functions: ["edge0#0-1"], driver: vfio, mac: { prefix: "02:5a:10" } }
guests:
  - name: demo
    memory: 512M
    kernel: /boot/vmlinuz
    nics:
      - { name: a, pool: edge, network: tenant }
      - { name: b, pool: edge, network: tenant }
YAML
}

# refused KNOBS WORDS [NIC-KNOBS]: apply fails with the driver's words and leaves nothing.
refused() {
	local was out
	was=$(bytes)
	policy "$1" "${3:-}"
	if out=$("$FAIRLEAD" apply "$POLICY" 2>&1); then fail "not refused: $1: $out"; fi
	note "$out"
	case $out in *FL-0705*"$2"*) ;; *) fail "not said, \"$2\": $out" ;; esac
	case $out in *"all was put back"*) ;; *) fail "not undone: $out" ;; esac
	[ "$(bytes)" = "$was" ] || diff <(echo "$was") <(bytes) || fail "something is left"
	equal "journal" "$("$FAIRLEAD" -j status | jq -r .journal)" none
}

warnings() { jq '.warnings // [] | length' "$1"; }

pf=$(pf_igb) ifname=$(pci_netdev "$pf")
modprobe -a igbvf vfio-pci 2>/dev/null || true
before=$(bytes)
netd_start

step "fail: each refusal with the driver's words, and undone"
refused "link-state: enable" "link state"
refused "tx-rate: { min: 10mbit, max: 100mbit }" "rate"
refused "query-rss: true" "RSS"
policy "unsupported: fail"
sed -i 's/vlan: { id: 100 }/vlan: { id: 7, protocol: 802.1ad }/' "$POLICY"
"$FAIRLEAD" apply "$POLICY" >"$LAB_LOG/qinq" 2>&1 && fail "802.1ad is not refused"
expect "802.1ad" grep -q "VLAN protocol 802.1ad" "$LAB_LOG/qinq"
refused "unsupported: warn" "MTU" "mtu: 20000"

step "warn: what igb does is done, the rest is told"
policy "link-state: disable, tx-rate: { min: 10mbit }, query-rss: false, unsupported: warn"
"$FAIRLEAD" -j apply "$POLICY" >"$LAB_LOG/warned" 2>"$LAB_LOG/apply" || fail "$(cat "$LAB_LOG/apply")"
equal "warnings of an apply" "$(warnings "$LAB_LOG/warned")" 6
expect "its number" grep -q "FL-0725: VF 0 of edge0: link-state disable is left out" "$LAB_LOG/warned"
for i in 0 1; do
	equal "VF $i" "$(ip -j -d link show dev "$ifname" |
		jq -r ".[0].vfinfo_list[$i] | \"\(.trust) \(.spoofchk) \(.vlan_list[0].vlan)\"")" "true true 100"
	equal "driver of VF $i" "$(pci_driver "$(pci_vf "$pf" $i)")" vfio-pci
done
equal "status" "$("$FAIRLEAD" -j status |
	jq -r '[.pfs[0].vfs[0].refused[].setting] | sort | join(" ")')" "link-state query-rss tx-rate"

step "the next plan is empty, and tells again; another value is tried"
"$FAIRLEAD" -j plan "$POLICY" >"$LAB_LOG/again"
equal "actions" "$(jq '.actions | length' "$LAB_LOG/again")" 0
equal "warnings of a plan" "$(warnings "$LAB_LOG/again")" 6
policy "link-state: enable, tx-rate: { min: 10mbit }, query-rss: false, unsupported: warn"
equal "another link state" "$("$FAIRLEAD" -j plan "$POLICY" | jq -r '[.actions[].op] | join(" ")')" "vf-link vf-link"
policy "link-state: disable, tx-rate: { min: 10mbit }, query-rss: false, unsupported: fail"
"$FAIRLEAD" apply "$POLICY" >"$LAB_LOG/fail" 2>&1 && fail "fail is answered from the notes"

step "VFs made anew are asked anew"
policy "link-state: disable, unsupported: warn"
sed -i 's/count: 2/count: 3/' "$POLICY"
"$FAIRLEAD" -j apply "$POLICY" >"$LAB_LOG/anew" 2>&1 || fail "$(cat "$LAB_LOG/anew")"
equal "asked" "$(jq -r '[.actions[] | select(.op == "vf-link")] | length' "$LAB_LOG/anew")" 2
equal "warnings" "$(warnings "$LAB_LOG/anew")" 2

step "the physical function's MTU"
policy "mtu: 9000" "mtu: 9000"
"$FAIRLEAD" apply "$POLICY" >"$LAB_LOG/mtu" 2>&1 || fail "$(cat "$LAB_LOG/mtu")"
equal "MTU" "$(ip -j link show dev "$ifname" | jq '.[0].mtu') $("$FAIRLEAD" -j status | jq '.pfs[0].mtu')" "9000 9000"

step "restore: every byte as it was, and no note is left"
"$FAIRLEAD" restore >"$LAB_LOG/restore" 2>&1 || fail "$(cat "$LAB_LOG/restore")"
# shellcheck disable=SC2010  # names that we chose
equal "notes" "$(ls "$STATE" | grep refused || true)" ""
netd_stop
bytes >"$LAB_LOG/after"
echo "$before" >"$LAB_LOG/before"
diff "$LAB_LOG/before" "$LAB_LOG/after" || fail "the machine is not as it was"
