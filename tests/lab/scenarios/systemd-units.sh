#!/bin/bash
# The units as systemd runs them: carved before any network is configured, ready, watched, reloaded, begun anew; a guest
# as a unit; what the system's journal finds; who else keeps his hands off VFs.
# lab: devices=igb timeout=1800 quiet=300 mem=5G tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-systemd.sh"

MAC=02:5a:10:00:00:01

policy() { # TRUST
	cat >"$SD_ROOT/etc/fairlead/.policy.tmp" <<-YAML
		version: 1
		nics:
		  - { name: e, match: { pci: "$pf" }, virtual-function-count: 2, link: up }
		networks: [{ name: tagged, vlan: { id: 100 }, trust: $1 }]
		pools:
		  - { name: p, functions: ["e#0"], driver: vfio }
		guests:
		  - name: fw
		    memory: 256M
		    kernel: /var/lib/fairlead/images/vmlinuz
		    initrd: /var/lib/fairlead/images/initrd.img
		    cmdline: "$(guest_cmdline fl.mode=idle)"
		    nics: [{ name: a, pool: p, network: tagged, mac-address: "$MAC" }]
		    disks: [{ name: data, path: /srv/fw.img }]
	YAML
	mv "$SD_ROOT/etc/fairlead/.policy.tmp" "$SD_ROOT/etc/fairlead/policy.yaml"
}
# How many VFs there are, and how the guest's is, as the kernel tells it.
vfs() { ip -j -d link show dev "$(pci_netdev "$pf")" | jq -c '.[0].vfinfo_list | [length, (.[0] | .address, .vlan_list[0].vlan, .trust)]'; }
as_carved() { # TRUST
	equal "VFs" "$(vfs)" "[2,\"$MAC\",100,$1]"
	equal "applies" "$(sd fairlead -j history | jq '[.entries[] | select(.verb == "apply")] | length')" 1
}
vmm_pid() { sd_show fairlead-guest@fw MainPID; }
netd_pid() { sd_show fairlead-netd MainPID; }
is_anew() { [[ $(netd_pid) != 0 && $(netd_pid) != "$1" && $(sd_show fairlead-netd ActiveState) = active ]]; } # PID
# One field of the latest entry that has all the fields given.
entry() { sd_log -o json -n 1 "${@:2}" | jq -r ".$1"; } # FIELD KEY=VALUE...
is_ready() { grep -q "FL-GUEST: ready" <(sd_log -u fairlead-guest@fw --since "@$1"); } # SECONDS
is_link() { [ "$(sd networkctl list "$1" --no-legend | awk '{ print $NF }')" = "$2" ]; } # INTERFACE STATE
start_guest() {
	local since=$EPOCHSECONDS
	expect "start" sd systemctl start fairlead-guest@fw
	wait_for 150 "the guest" is_ready "$since"
}
# As on many a host, a part of the basic system waits for the network, which waits for us: cloud-init's does.
early_network() {
	cat >"$SD_ROOT/etc/systemd/system/early-network.service" <<-END
		[Unit]
		DefaultDependencies=no
		After=systemd-networkd.service
		Before=sysinit.target
		[Service]
		Type=oneshot
		RemainAfterExit=yes
		ExecStart=/bin/true
		[Install]
		WantedBy=sysinit.target
	END
	expect "enable" systemctl --root="$SD_ROOT" enable early-network
}
holder() { sd fairlead -j status | jq -r '.pfs[0].vfs[0].holder'; }

step "a Debian with systemd; make install; the units enabled"
pf=$(pf_igb)
sd_make
mkdir -p "$SD_ROOT/var/log/journal" "$SD_ROOT/etc/fairlead" "$SD_ROOT/var/lib/fairlead/images" "$SD_ROOT/etc/systemd/system/fairlead-guest@.service.d"
cp "$L2_KERNEL" "$SD_ROOT/var/lib/fairlead/images/vmlinuz"
cp "$L2_INITRD" "$SD_ROOT/var/lib/fairlead/images/initrd.img"
truncate -s 16M "$SD_ROOT/srv/fw.img"
policy false
# Its initramfs heeds no power button.
printf '[Service]\nExecStop=\nExecStop=/usr/local/bin/fairlead stop --grace 3 %%i\n' \
	>"$SD_ROOT/etc/systemd/system/fairlead-guest@.service.d/grace.conf"
early_network
expect "enable" systemctl --root="$SD_ROOT" enable fairlead-netd fairlead-carve

step "it boots, and nothing fails"
sd_boot
as_carved false

step "carved before the network is configured, after udev had its say"
sd_before fairlead-netd.service ActiveEnterTimestamp fairlead-carve.service ExecMainStartTimestamp
sd_before fairlead-carve.service ActiveEnterTimestamp network-pre.target ActiveEnterTimestamp
sd_before fairlead-carve.service ActiveEnterTimestamp systemd-networkd.service ExecMainStartTimestamp
sd_before early-network.service ActiveEnterTimestamp sysinit.target ActiveEnterTimestamp

step "udev and networkd leave VFs alone"
wait_for 30 "the VF's interface" eval '[ -n "$(pci_netdev "$(pci_vf "$pf" 1)")" ]'
ifname=$(pci_netdev "$(pci_vf "$pf" 1)")
expect "settle" sd udevadm settle --timeout=60
expect "property" grep -qx FAIRLEAD_VF=1 <(sd udevadm info -q property "/sys/class/net/$ifname")
expect "its link file" grep -qx ID_NET_LINK_FILE=/usr/local/lib/systemd/network/10-fairlead-vf.link \
	<(sd udevadm info -q property "/sys/class/net/$ifname")
wait_for 60 "the PF, configured by networkd" is_link "$(pci_netdev "$pf")" configured
is_link "$ifname" unmanaged || fail "networkd manages the VF: $(sd networkctl list)"

step "it says that its loop turns, and is ended when it does not"
mkdir -p "$SD_ROOT/etc/systemd/system/fairlead-netd.service.d"
printf '[Service]\nWatchdogSec=5\n' >"$SD_ROOT/etc/systemd/system/fairlead-netd.service.d/watchdog.conf"
expect "daemon-reload" sd systemctl daemon-reload
pid=$(netd_pid)
expect "restart" sd systemctl restart fairlead-netd
is_anew "$pid" || fail "not begun anew"
as_carved false
pid=$(netd_pid)
sleep 12
equal "pid after twice that time" "$(netd_pid)" "$pid"
sd kill -STOP "$pid"
wait_for 60 "another" is_anew "$pid"
expect "the watchdog's" grep -q "Failed with result 'watchdog'" <(sd_log -u fairlead-netd)
as_carved false

step "a guest as a unit, with an account of its own"
start_guest
uid=$(sd stat -c %u "/proc/$(vmm_pid)")
((uid >= 61184 && uid <= 65519)) || fail "its uid $uid is no dynamic one"
equal "leases" "$(sd fairlead -j status | jq -r '.leases[].guest')" fw

step "a reload of the policy: done, with the guest running on"
policy true
expect "reload" sd systemctl reload fairlead-netd
wait_for 30 "the file's word" eval '[ "$(vfs | jq ".[3]")" = true ]'

step "the journal finds all that by its fields"
equal "a change" "$(entry FAIRLEAD_RESULT MESSAGE_ID=f7453db1b37344d2a6335cd9fefad8de FAIRLEAD_VERB=reload)" "done"
equal "an action" "$(entry '| [.FAIRLEAD_BEFORE, .FAIRLEAD_AFTER, ._SYSTEMD_UNIT] | join(" ")' \
	MESSAGE_ID=98cc541e30d145aeb5f3a6ab2b7dfe37 FAIRLEAD_OP=vf-trust FAIRLEAD_BDF="$pf" FAIRLEAD_VF=0)" "false true fairlead-netd.service"
equal "a lease" "$(entry FAIRLEAD_VERB FAIRLEAD_GUEST=fw MESSAGE_ID=aa5967f8559145b08ab08db86c896f53 FAIRLEAD_BDF="$(pci_vf "$pf" 0)")" lease

step "the guest outlives the daemon, and nobody takes its VF meanwhile"
pid=$(vmm_pid)
expect "restart" sd systemctl restart fairlead-netd
equal "the guest" "$(vmm_pid)" "$pid"
[ -n "$(holder)" ] || fail "nobody has its VF"

step "it is stopped"
expect "stop" sd systemctl stop fairlead-guest@fw
equal "result" "$(sd_show fairlead-guest@fw Result)" success
wait_for 20 "its VF, free" eval '[ -z "$(holder)" ]'
start_guest

step "shut down with the guest running: all in good order"
sd_off
expect "its end" grep -q "fairlead-guest@fw.service: Deactivated successfully" \
	<(chroot "$SD_ROOT" journalctl -q -D /var/log/journal -u fairlead-guest@fw -n 3)
host_quiet
