#!/bin/bash
# The main job from end to end: a policy is applied, a guest pings through its own VF, all is put back.
# lab: devices=igb timeout=200 quiet=45 tries=2
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

POLICY=docs/examples/demo.yaml
REPORT=$LAB_LOG/report
PINGS=20

guest_verb() { # SECONDS WORDS: an order for the guest, and its end
	local before
	before=$(grep -c 'FL-GUEST: done' "$LAB_LOG/demo.log" || true)
	guest_send demo "${@:2}"
	wait_for "$1" "end of \"${*:2}\" in the guest" more_done "$before"
}

more_done() { [ "$(grep -c 'FL-GUEST: done' "$LAB_LOG/demo.log")" -gt "$1" ]; }

snapshots() { grep -c '"snapshot"' "$REPORT" || true; }

# A line of counters from the VMM, now.
snapshot() {
	local before
	before=$(snapshots)
	kill -USR1 "$(guest_pid demo)"
	wait_for 5 "report of the VMM" more_snapshots "$before"
}

more_snapshots() { [ "$(snapshots)" -gt "$1" ]; }

# Everything but the console's own exits: the guest says "ping ok" there.
exits_now() {
	echo $(($(report_field "$REPORT" snapshot exits.total) -
		$(report_field "$REPORT" snapshot exits.serial) -
		$(report_field "$REPORT" snapshot exits.signal)))
}

host_irqs() { awk -v a="($VF)" 'index($0, a) { for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i } END { print n + 0 }' /proc/interrupts; }

# How the host says interrupts are delivered; posted ones only where that is proved.
delivery() {
	jq -r '.host | if .posting == "yes" then "posted to the vCPU"
		elif .remapping == "yes" then "MSI-X, remapped by the IOMMU; posting is not available here"
		else "MSI-X, remapping \(.remapping)" end' "$LAB_LOG/status.json"
}

step "look at the host: $(basename "$FAIRLEAD") doctor"
pf=$(pf_igb)
before=$(host_state "$pf")
"$FAIRLEAD" doctor "$pf" >"$LAB_LOG/doctor" || fail "doctor: $(cat "$LAB_LOG/doctor")"
install_images

step "check the policy $POLICY"
expect "policy is good" "$FAIRLEAD" check "$POLICY"

step "start fairlead-netd, the only privileged process"
netd_start

step "plan: what would be done"
"$FAIRLEAD" plan "$POLICY" >"$LAB_LOG/plan" 2>&1 || fail "$(cat "$LAB_LOG/plan")"

step "apply: carve the VFs, set them, bind them"
"$FAIRLEAD" apply "$POLICY" >"$LAB_LOG/apply" 2>&1 || fail "$(cat "$LAB_LOG/apply")"

step "start the guest with its own VF"
guest_start demo "$FAIRLEAD" run --report "$REPORT" demo
guest_expect demo 60 ready
VF=$(pci_vf "$pf" 0)
device=$(lspci -D -s "$VF")

step "the guest brings its NIC up"
guest_verb 30 net
mac_seen=$(guest_said demo mac | cut -d' ' -f2)
mac_set=$(ip -d link show "$(pci_netdev "$pf")" | sed -n 's/^ *vf 0 .*link\/ether \([0-9a-f:]*\).*/\1/p')
equal "MAC in the guest" "$mac_seen" "$mac_set"

step "the guest pings 10.0.2.2 through the VF, $PINGS times"
snapshot
exits_before=$(exits_now) irqs_before=$(host_irqs)
guest_verb 60 ping $PINGS
snapshot
exits=$(($(exits_now) - exits_before)) irqs=$(($(host_irqs) - irqs_before))
pinged=$(guest_said demo "ping ok $PINGS/$PINGS")
[ -n "$pinged" ] || fail "the guest says: $(guest_said demo ping); $(guest_last demo)"
"$FAIRLEAD" -j status >"$LAB_LOG/status.json"
pss=$(vmm_pss "$(guest_pid demo)")
group=$(pci_group "$VF")
backend=$([ -n "$(vfio_cdev "$VF")" ] && echo iommufd || echo group)
equal "exits to userspace while packets flowed" "$exits" 0

step "the guest powers off"
guest_send demo off
guest_wait demo 30

step "restore: the host as it was"
"$FAIRLEAD" restore >"$LAB_LOG/restore" 2>&1 || fail "$(cat "$LAB_LOG/restore")"
netd_stop
equal "host after restore" "$(host_state "$pf")" "$before"
end_step ok

cat <<TABLE

  device               $device
  IOMMU group          $group
  backend              $backend
  interrupts           $(delivery); $irqs taken by the host while pinging
  MAC set / seen       $mac_set / $mac_seen
  packets              $PINGS echo requests, $PINGS replies (${pinged#*rtt })
  exits to userspace   $exits while the packets flowed
  memory of the VMM    $pss KiB beside the guest's RAM
  maps, resets         $(report_field "$REPORT" exit dma_maps) DMA map(s) for $(report_field "$REPORT" exit ram_regions) RAM region(s), $(report_field "$REPORT" exit resets) reset, $(report_field "$REPORT" exit route_commits) route commit(s)
  host                 as it was before
TABLE
