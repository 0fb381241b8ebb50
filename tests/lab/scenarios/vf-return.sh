#!/bin/bash
# The host wants its VF back from a running guest: it gets it within seconds, by unbind and by numvfs, and
# the guest goes on.
# lab: devices=igb timeout=200 quiet=45 tries=2
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

DEADLINE=14 # seconds: the guest is asked for 9.5 at most; without VFIO's request interrupt the writer sleeps for ever

# A write that may hang in the kernel: a child does it, and we watch.
writes() { # TEXT FILE
	local child began
	began=$(now_ms)
	(echo "$1" >"$2") &
	child=$!
	wait_for $DEADLINE "end of the write of $1 to $2" eval "! kill -0 $child"
	wait "$child" || fail "$1 > $2: refused"
	note "the writer was back after $(($(now_ms) - began)) ms"
}

taken() { # NAME
	grep -q "the host wants wan ($vf) back" "$LAB_LOG/$1.log" || fail "no word of why: $(guest_last "$1")"
	order "$1" 60 sh 'ls /sys/class/net | sed "s/^/FL-GUEST: net /"'
	equal "NICs in the guest" "$(said_last "$1" net)" "net lo"
	power_off "$1"
	equal "how it ended" "$(report_field "$LAB_LOG/$1.report" exit reason)" poweroff
	equal "the guest agreed" "$(report_field "$LAB_LOG/$1.report" exit hotplug.forced)" 0
	wait_for 10 "end of the lease" no_lease
}

runs_and_pings() { # NAME
	run_guest "$1" demo
	order "$1" 40 net
	pings "$1" 2
}

# What somebody else takes is not to come back by itself here.
sed '1a host: { mode: observe }' docs/examples/demo.yaml >"$LAB_LOG/policy.yaml"

step "apply; a guest pings"
install_images
pf=$(pf_igb) before=$(host_state "$pf")
netd_start
expect "apply" "$FAIRLEAD" apply "$LAB_LOG/policy.yaml"
vf=$(pci_vf "$pf" 0)
runs_and_pings unbound
guest_send unbound ping 30

step "somebody unbinds vfio-pci: the VMM lets go and says so"
writes "$vf" "/sys/bus/pci/drivers/vfio-pci/unbind"
taken unbound

step "the next run puts the driver back; then all VFs go"
runs_and_pings removed
guest_send removed ping 30
writes 0 "$PCI/$pf/sriov_numvfs"
taken removed
equal "VFs" "$(cat "$PCI/$pf/sriov_numvfs")" 0

step "apply makes them anew, restore takes them away"
refused FL-0109 "no VF 0" "$FAIRLEAD" run demo
expect "apply" "$FAIRLEAD" apply "$LAB_LOG/policy.yaml"
vf=$(pci_vf "$pf" 0)
equal "driver" "$(pci_driver "$vf")" vfio-pci
expect "restore" "$FAIRLEAD" restore
equal "the host" "$(host_state "$pf")" "$before"
host_quiet
netd_stop
