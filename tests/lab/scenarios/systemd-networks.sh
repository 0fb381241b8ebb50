#!/bin/bash
# A policy that needs what the host's network manager makes: at a boot VFs are there before it, and the rest once it has
# made what was missing, also where it takes its time; nobody is asked to confirm, and nobody takes what netd makes.
# lab: devices=igb,netdevsim timeout=900 quiet=300
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
# One that means every bridge and tunnel, as a host's may.
catch_all() {
	printf '[Match]\nKind=bridge vxlan\n[Network]\nConfigureWithoutCarrier=yes\nAddress=10.99.0.1/24\n' \
		>"$SD_ROOT/etc/systemd/network/80-all.network"
}
has_address() { ip -j -4 addr show dev "$1" | jq -e '.[0].addr_info | length > 0' >/dev/null; } # INTERFACE
is_link() { [ "$(sd networkctl list "$1" --no-legend | awk '{ print $NF }')" = "$2" ]; }        # INTERFACE STATE
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
catch_all
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

step "the network manager leaves the overlay alone, whatever else it takes"
expect "settle" sd udevadm settle --timeout=60
ip link add br-else type bridge
wait_for 60 "another's bridge" is_link br-else configured
has_address br-else || fail "the catch-all catches nothing"
for l in vx77 br-t; do
	expect "property of $l" grep -qx FAIRLEAD_OVERLAY=1 <(sd udevadm info -q property "/sys/class/net/$l")
	expect "link file of $l" grep -qx ID_NET_LINK_FILE=/usr/local/lib/systemd/network/10-fairlead-overlay.link \
		<(sd udevadm info -q property "/sys/class/net/$l")
	is_link "$l" unmanaged || fail "networkd manages $l: $(sd networkctl list)"
	! has_address "$l" || fail "$l has an address"
done
ip link del br-else

step "representors are left alone, too"
echo "1 1" >/sys/bus/netdevsim/new_device
uplink=$(ls /sys/bus/netdevsim/devices/netdevsim1/net)
expect "switchdev" devlink dev eswitch set netdevsim/netdevsim1 mode switchdev
echo 1 >/sys/bus/netdevsim/devices/netdevsim1/sriov_numvfs
expect "settle" sd udevadm settle --timeout=60
rep=$(devlink -j port | jq -r '.port[] | select(.flavour == "pcivf").netdev')
expect "property of $rep" grep -qx FAIRLEAD_UNMANAGED=1 <(sd udevadm info -q property "/sys/class/net/$rep")
# The image has a word for en*, by DHCP, which does not end here.
wait_for 60 "the PF, taken by networkd" is_link "$uplink" configuring
is_link "$rep" unmanaged || fail "networkd manages $rep: $(sd networkctl list)"
! has_address "$rep" || fail "$rep has an address"
! grep -q FAIRLEAD <(sd udevadm info -q property "/sys/class/net/$uplink") || fail "the PF is taken, too"
echo 1 >/sys/bus/netdevsim/del_device

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
