#!/bin/bash
# A policy is applied to igb, iproute2 sees it as stated, status agrees, restore puts every byte back.
# lab: devices=igb timeout=120
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

POLICY=$LAB_LOG/policy.yaml
STATE=/var/lib/fairlead

# VF INDEX JQ-PATH: what iproute2 reads of a VF.
vf_link() { ip -j -d link show dev "$ifname" | jq -r ".[0].vfinfo_list[$1]$2"; }
# The same from status.
vf_status() { "$FAIRLEAD" -j status | jq -r ".pfs[] | select(.bdf == \"$pf\") | .vfs[$1]$2"; }

# Everything the kernel shows of the functions: attributes, links, configuration space. The kernel
# gives a link its queueing discipline when it first goes up, and nothing takes it away again.
sysfs_bytes() {
	host_state "$pf" | sed 's/ qdisc [a-z_]*//'
	for d in "$PCI"/*; do
		echo "${d##*/} driver=$(pci_driver "${d##*/}")" \
			"override=$(cat "$d/driver_override") config=$(md5sum <"$d/config")"
	done
}

step "start the daemon"
pf=$(pf_igb) ifname=$(pci_netdev "$pf")
modprobe -a igbvf vfio-pci 2>/dev/null || true
before=$(sysfs_bytes)
netd_start
equal "journal" "$("$FAIRLEAD" -j status | jq -r .journal)" none

step "apply: VLAN, trust, spoof check off, a given MAC and a stable one"
cat >"$POLICY" <<YAML
version: 1
host: { mode: observe }
nics:
  - { name: edge0, match: { pci: "$pf" }, virtual-function-count: 2, drivers-autoprobe: false, link: up }
networks:
  - { name: tagged, vlan: { id: 100, qos: 3, protocol: 802.1q }, spoof-check: false, trust: true }
  - { name: plain, vlan: null, spoof-check: true, trust: false }
pools:
  - { name: edge, functions: ["edge0#0-1"], driver: vfio, mac: { prefix: "02:5a:10", assign: stable } }
guests:
  - name: demo
    cpus: { count: 1 }
    memory: { size: 512M }
    kernel: /var/lib/fairlead/images/vmlinuz
    cmdline: "console=ttyS0"
    nics:
      - { name: wan, pool: edge, network: tagged, mac-address: "02:5a:10:00:00:07", slot: "01.0" }
      - { name: lan, pool: edge, network: plain, slot: "02.0" }
YAML
"$FAIRLEAD" plan "$POLICY" >"$LAB_LOG/plan" 2>&1 || fail "$(cat "$LAB_LOG/plan")"
"$FAIRLEAD" apply "$POLICY" >"$LAB_LOG/apply" 2>&1 || fail "$(cat "$LAB_LOG/apply")"
equal "plan and apply say the same" "$(grep '^ *[0-9]*\. ' "$LAB_LOG/apply")" "$(grep '^ *[0-9]*\. ' "$LAB_LOG/plan")"

step "iproute2 agrees with the policy"
equal "VFs" "$(cat "$PCI/$pf/sriov_numvfs")" 2
equal "MAC 0" "$(vf_link 0 .address)" 02:5a:10:00:00:07
case $(vf_link 1 .address) in 02:5a:10:*) ;; *) fail "MAC 1: $(vf_link 1 .address)" ;; esac
equal "VLAN 0" "$(vf_link 0 '.vlan_list[0] | "\(.vlan) \(.qos)"')" "100 3"
equal "VLAN 1" "$(vf_link 1 '.vlan_list[0].vlan // 0')" 0
equal "spoof check" "$(vf_link 0 .spoofchk) $(vf_link 1 .spoofchk)" "false true"
equal "trust" "$(vf_link 0 .trust) $(vf_link 1 .trust)" "true false"
case $(ip -j link show dev "$ifname" | jq -r '.[0].flags | join(" ")') in *UP*) ;; *) fail "PF is down" ;; esac
for i in 0 1; do
	equal "driver of VF $i" "$(pci_driver "$(pci_vf "$pf" $i)")" vfio-pci
	equal "override of VF $i" "$(cat "$PCI/$(pci_vf "$pf" $i)/driver_override")" vfio-pci
done

step "status agrees with iproute2"
for i in 0 1; do
	equal "MAC $i" "$(vf_status $i .mac)" "$(vf_link $i .address)"
	equal "spoof check $i" "$(vf_status $i '["spoof-check"]')" "$(vf_link $i .spoofchk)"
	equal "trust $i" "$(vf_status $i .trust)" "$(vf_link $i .trust)"
	equal "driver $i" "$(vf_status $i .driver)" vfio-pci
	equal "group $i" "$(vf_status $i .group)" "$(pci_group "$(pci_vf "$pf" $i)")"
done
equal "VLAN 0" "$(vf_status 0 '| "\(.vlan) \(.qos) \(.proto)"')" "100 3 802.1q"
equal "journal" "$("$FAIRLEAD" -j status | jq -r .journal)" applied

step "apply again: nothing to do; drift is planned back"
equal "actions" "$("$FAIRLEAD" -j apply "$POLICY" | jq '.actions | length')" 0
ip link set "$ifname" vf 1 trust on
equal "drift" "$("$FAIRLEAD" -j plan "$POLICY" | jq -r '[.actions[].op] | join(" ")')" vf-trust
"$FAIRLEAD" apply "$POLICY" >/dev/null || fail "apply against drift"
equal "trust" "$(vf_link 1 .trust)" false

step "restore: every byte as it was"
"$FAIRLEAD" restore >"$LAB_LOG/restore" 2>&1 || fail "$(cat "$LAB_LOG/restore")"
equal "journal" "$("$FAIRLEAD" -j status | jq -r .journal)" none
# shellcheck disable=SC2010  # names that we chose
equal "files left" "$(cd "$STATE" && ls | grep -v -e lock -e images -e "^boot$" -e "^history$" || true)" ""
netd_stop
sysfs_bytes >"$LAB_LOG/after"
echo "$before" >"$LAB_LOG/before"
diff "$LAB_LOG/before" "$LAB_LOG/after" || fail "the machine is not as it was"
