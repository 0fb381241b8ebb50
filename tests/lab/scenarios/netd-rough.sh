#!/bin/bash
# Devices that hang, answer late, go, or change under an apply and under a lease: what can be served is, what is not is
# said, and all comes back.
# check: long
# lab: devices=igb2 timeout=300
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-own.sh"
. "$LAB_DIR/lib-fault.sh"

PIPE=/run/rough.pipe

machines() { echo "$(machine "$a") $(machine "$b")"; }
are() { [ "$(machines 2>/dev/null)" = "${!1}" ]; } # NAME-OF-VARIABLE
nic_is_back() { [ "$(pci_driver "$b")" = igb ] && [ -n "$(pci_netdev "$b")" ]; }
stuck() { "$FAIRLEAD" -j status | jq -r '[.stuck[] | "\(.pf) \(.hangs)"] | join(" ")'; }
actions() { "$FAIRLEAD" -j plan "$POLICY" | jq '.actions | length'; }
count_pipe() { mount --bind "$PIPE" "$PCI/$b/sriov_numvfs"; }
count_file() { umount -l "$PCI/$b/sriov_numvfs"; }

# In the middle of an apply, before the first call whose line has TEXT, the COMMAND is run.
meanwhile() { # TEXT COMMAND
	echo "$2" >"$FAULT_CONTROL.sh"
	strike run 1 0 "$1"
	[[ $HIT == *hit* && $HIT != *failed* ]] || fail "no \"$1\" in the apply: $HIT"
	[ -e "/proc/$NETD_MAIN" ] || fail "netd died of: $2"
}

# The apply was told as failed, and nothing of it is there.
undone() { # TEXT
	[ "$STATUS" != 0 ] && grep -q 'FL-[0-9]' "$OUT" || fail "$1: $STATUS, $(cat "$OUT")"
	note "$(sed -n 1,2p "$OUT" | tr '\n' ' ')"
	equal "$1: the machine" "$(machines)" "$before"
	equal "$1: the journal" "$(phase)" none
}

rescan() {
	echo 1 >/sys/bus/pci/rescan
	wait_for 20 "NIC after a rescan" nic_is_back
}

step "two NICs"
mapfile -t nics < <(pci_find 8086:10c9)
a=${nics[0]} b=${nics[1]}
modprobe -a igbvf vfio-pci 2>/dev/null || true
install_images
mkfifo "$PIPE"
cat >"$POLICY" <<YAML
version: 1
host: { apply: { sysfs-timeout: 10s } }
nics:
  - { name: a, match: { pci: "$a" }, virtual-function-count: 2, drivers-autoprobe: false, link: up }
  - { name: b, match: { pci: "$b" }, virtual-function-count: 2, drivers-autoprobe: false, link: up }
networks:
  - { name: tagged, vlan: { id: 100, qos: 3 }, spoof-check: false, trust: true }
pools:
  - { name: pa, functions: ["a#0-1"], driver: vfio, mac: { prefix: "02:5a:10", assign: stable } }
  - { name: pb, functions: ["b#0-1"], driver: vfio, mac: { prefix: "02:5a:11", assign: stable } }
guests:
  - name: g
    memory: 512M
    kernel: /var/lib/fairlead/images/vmlinuz
    initrd: /var/lib/fairlead/images/initrd.img
    nics: [{ name: wan, pool: pa, network: tagged }, { name: lan, pool: pb, network: tagged }]
YAML
at_end netd_kill
fault_start --policy "$POLICY"
expect "apply" "$FAIRLEAD" apply "$POLICY"
desired=$(machines) desired_a=$(machine "$a")
vf0=$(pci_vf "$b" 0) vf1=$(pci_vf "$b" 1)
expect "restore" "$FAIRLEAD" restore
before=$(machines)

step "the count of one does not come back: the other is served"
meanwhile "$b/sriov_numvfs" "mount --bind $PIPE $PCI/$b/sriov_numvfs"
grep -q FL-0749 "$OUT" || fail "$(cat "$OUT")"
equal "the other" "$(machine "$a")" "$desired_a"
equal "stuck" "$(stuck)" "$b true"
equal "journal" "$(phase)" applied
equal "a plan has nothing of it" "$(actions)" 0

step "it comes back, and is served"
count_file
timeout 2 bash -c ": <>$PIPE" # whoever waits in it goes on
wait_for 10 "end of what hung" eval '[ "$(stuck)" = "$b false" ]'
expect "apply" "$FAIRLEAD" apply "$POLICY"
equal "both" "$(machines)" "$desired"
equal "stuck" "$(stuck)" ""

step "it answers late: that is no fault"
count_pipe
while sleep 0.4; do echo 2 >"$PIPE"; done &
feeder=$!
at_end end_process "$feeder"
equal "actions" "$(actions)" 0
equal "stuck" "$(stuck)" ""
kill "$feeder"
count_file
timeout 2 bash -c ": <>$PIPE"

step "a reset and a reload of it: all comes back by itself"
echo 1 >"$PCI/$b/reset"
wait_for 20 "the state after a reset" are desired
echo "$b" >"$PCI/$b/driver/unbind"
sleep 0.5
echo "$b" >/sys/bus/pci/drivers/igb/bind
wait_for 40 "the state after a reload" are desired
expect "restore" "$FAIRLEAD" restore
equal "the machine" "$(machines)" "$before"

step "it is pulled in the middle of an apply"
for at in sriov_numvfs sriov_drivers_autoprobe; do
	meanwhile "$b/$at" "echo 1 >$PCI/$b/remove"
	[ ! -e "$PCI/$b" ] || fail "it is there"
	rescan
	undone "pulled at $at"
done

step "its VFs are made anew, and fewer, in the middle of an apply"
meanwhile "$vf1/driver_override" "echo 0 >$PCI/$b/sriov_numvfs; echo 1 >$PCI/$b/sriov_numvfs"
undone "fewer VFs"
meanwhile "$vf0/driver_override" "echo $b >$PCI/$b/driver/unbind; echo $b >/sys/bus/pci/drivers/igb/bind"
undone "another driver's life"

step "SIGHUP in the middle of an apply"
meanwhile "$b/sriov_numvfs" "kill -HUP $NETD_MAIN"
equal "apply" "$STATUS" 0
equal "both" "$(machines)" "$desired"
equal "actions" "$(actions)" 0

step "it is pulled while a guest has a VF of it, and does not let go"
vmm_start g
(echo 1 >"$PCI/$b/remove") &
remover=$!
sleep 1
expect "status" timeout 15 "$FAIRLEAD" status
expect "history" timeout 15 "$FAIRLEAD" history
timeout 60 "$FAIRLEAD" apply "$POLICY" >"$OUT" 2>&1 && fail "an apply of what is going: $(cat "$OUT")"
grep -q 'FL-[0-9]' "$OUT" || fail "$(cat "$OUT")"
note "$(sed -n 1,2p "$OUT" | tr '\n' ' ')"
vmm_kill "$VMM"
wait "$remover"
wait_for 30 "end of the lease" no_lease
rescan
expect "apply" "$FAIRLEAD" apply "$POLICY"
equal "both" "$(machines)" "$desired"
expect "restore" "$FAIRLEAD" restore
equal "the machine" "$(machines)" "$before"

step "no trace is left"
equal "files" "$(left_over)" "ledger.json "
fault_stop
host_quiet
