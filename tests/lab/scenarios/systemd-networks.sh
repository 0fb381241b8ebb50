#!/bin/bash
# A policy that needs what the host's network manager makes: at a boot VFs are there before it, and the rest once it has
# made what was missing, also where it takes its time; nobody is asked to confirm.
# lab: devices=igb timeout=900 quiet=300
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-systemd.sh"

UNDER=10.9.0.1

# Its bridge; its address as well, or not yet.
under() { # [ADDRESS]
	printf '[NetDev]\nName=under0\nKind=bridge\n' >"$SD_ROOT/etc/systemd/network/20-under.netdev"
	{
		printf '[Match]\nName=under0\n[Link]\nRequiredForOnline=no\n[Network]\nConfigureWithoutCarrier=yes\n'
		printf 'LinkLocalAddressing=no\n%s\n' "${1:+Address=$1/24}"
	} >"$SD_ROOT/etc/systemd/network/20-under.network"
}
vfs() { cat "$PCI/$pf/sriov_numvfs"; }
over() { ip -j -d link show type vxlan 2>/dev/null | jq -r '[.[] | "\(.ifname) \(.master) \(.linkinfo.info_data.local)"] | join(" ")'; }
is_state() { [ "$(sd_show "$1" ActiveState)" = "$2" ]; } # UNIT STATE
again() {
	sd_off
	echo 0 >"$PCI/$pf/sriov_numvfs"
	for l in vx77 br-t under0; do ip link del "$l" 2>/dev/null || true; done
	sd_boot_begin
}

step "a Debian with systemd, whose networkd makes a bridge with an address"
pf=$(pf_igb)
modprobe -a bridge vxlan
sd_make
mkdir -p "$SD_ROOT/etc/fairlead"
cat >"$SD_ROOT/etc/fairlead/policy.yaml" <<YAML
version: 1
host: { apply: { confirm-within: 60s } }
nics:
  - { name: e, match: { pci: "$pf" }, virtual-function-count: 2, drivers-autoprobe: false, link: up }
networks:
  - { name: tenant, bridge: br-t, overlay: { type: vxlan, id: 77, local: $UNDER, remote: [10.9.0.2] } }
YAML
under "$UNDER"
expect "enable" systemctl --root="$SD_ROOT" enable fairlead-netd fairlead-carve

step "a boot: VFs before the network, the overlay after it"
sd_boot
equal "VFs" "$(vfs)" 2
equal "overlay" "$(over)" "vx77 br-t $UNDER"
sd_before fairlead-carve.service ActiveEnterTimestamp network-pre.target ActiveEnterTimestamp
sd_before network.target ActiveEnterTimestamp fairlead-networks.service ExecMainStartTimestamp
expect "what was left" grep -q "left for later: what goes into bridge br-t" <(sd_log -u fairlead-carve)
equal "journal" "$(sd fairlead -j status | jq -r '.journal')" applied
equal "plan" "$(sd fairlead -j plan | jq '.actions | length')" 0

step "another, and the address comes by hand, later"
under
again
wait_for 120 "VFs" eval '[ "$(vfs)" = 2 ]'
wait_for 60 "the unit that waits" is_state fairlead-networks activating
sleep 5
is_state fairlead-networks activating || fail "it does not wait"
equal "overlay" "$(over)" ""
ip addr add "$UNDER/24" dev under0
wait_for 30 "the rest" is_state fairlead-networks active
equal "overlay" "$(over)" "vx77 br-t $UNDER"
sd_booted

step "restore: all is as it was"
expect "restore" sd fairlead restore
equal "VFs and overlay" "$(vfs) $(over)" "0 "
sd_off
host_quiet
