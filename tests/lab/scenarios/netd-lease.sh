#!/bin/bash
# A lease: its descriptors, its limits, who else may have it, and how it ends. cat(1) plays the VMM.
# lab: devices=igb timeout=200
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

export FAIRLEAD_VMM=/bin/cat # holds what it was given until its input ends
# What drifts is left to the lease: netd-drift.sh has the rest.
POLICY=$LAB_LOG/policy.yaml
sed '/^version/a host: { mode: observe }' docs/examples/demo.yaml >"$POLICY"

leases() { "$FAIRLEAD" -j status | jq '.leases | length'; }
no_lease() { [ "$(leases)" = 0 ]; }
lease() { jq -r "$1" <"/proc/$VMM/fd/3"; } # JQ-PATH of the lease that the VMM has
links() { readlink "/proc/$VMM"/fd/*; }

end_process() { kill -9 "$1" 2>/dev/null || true; }

vmm_start() {
	mkfifo "/run/in.$1"
	"$FAIRLEAD" run demo <>"/run/in.$1" >"$LAB_LOG/vmm.$1" 2>&1 &
	VMM=$!
	at_end end_process "$VMM"
	wait_for 10 "VMM with a lease ($(cat "$LAB_LOG/vmm.$1"))" vmm_runs
}
vmm_runs() { [ "$(cat "/proc/$VMM/comm")" = fairlead-vmm ] || [ "$(cat "/proc/$VMM/comm")" = cat ]; }

vmm_kill() {
	kill -9 "$VMM"
	wait "$VMM" 2>/dev/null || true
}

refused() { # CODE COMMAND...
	local code=$1 out
	shift
	if out=$("$@" 2>&1); then fail "not refused: $*"; fi
	case $out in *"$code"*"pid $VMM"*) ;; *) fail "no $code naming pid $VMM: $out" ;; esac
}

step "apply; then somebody else changes the guest's VF"
pf=$(pf_igb) ifname=$(pci_netdev "$pf")
before=$(host_state "$pf" | sed 's/ qdisc [a-z_]*//')
install_images
netd_start
expect "apply" "$FAIRLEAD" apply "$POLICY"
vf=$(pci_vf "$pf" 0)
mac=$(ip -j link show "$ifname" | jq -r '.[0].vfinfo_list[0].address')
ip link set "$ifname" vf 0 mac 02:00:00:00:00:99 trust on

step "the lease puts that right, and tells the MAC that the kernel has"
vmm_start 1
equal "MAC in the kernel" "$(ip -j link show "$ifname" | jq -r '.[0].vfinfo_list[0].address')" "$mac"
equal "trust" "$(ip -j link show "$ifname" | jq -r '.[0].vfinfo_list[0].trust')" false
equal "MAC in the lease" "$(lease '.devices[0].mac')" "$mac"
equal "device" "$(lease '.devices[0].bdf')" "$vf"
equal "warning of drift" "$(lease '.warnings[] | select(contains("drifted")) | .[0:1]')" 2

step "its descriptors, its account, its limits"
equal "fds" "$(lease '.fds | join(" ")')" "kvm kernel initrd iommu device:wan control"
if [ "$LAB_IOMMUFD" = yes ]; then
	equal "backend" "$(lease .backend)" iommufd
	case $(links) in *"$(vfio_cdev "$vf")"*) ;; *) fail "no character device: $(links)" ;; esac
else
	equal "backend" "$(lease .backend)" group
	case $(links) in *"/dev/vfio/$(pci_group "$vf")"*) ;; *) fail "no group: $(links)" ;; esac
fi
[ "$(stat -c %u "/proc/$VMM")" != 0 ] || fail "the VMM is root"
equal "RLIMIT_MEMLOCK" "$(awk '/Max locked memory/ { print $5 }' "/proc/$VMM/limits")" $(((512 + 64) << 20))
equal "told" "$(lease .memlock)" $(((512 + 64) << 20))

step "nobody else gets it, nobody takes it away"
equal "leases" "$("$FAIRLEAD" -j status | jq -r '.leases[] | "\(.guest) \(.pid) \(.devices[0])"')" "demo $VMM $vf"
refused FL-0710 "$FAIRLEAD" run demo
refused FL-0122 "$FAIRLEAD" restore
sed 's/virtual-function-count: 2/virtual-function-count: 3/' "$POLICY" >"$LAB_LOG/more.yaml"
refused FL-0122 "$FAIRLEAD" apply "$LAB_LOG/more.yaml"
equal "apply of the same" "$("$FAIRLEAD" -j apply "$POLICY" | jq '.actions | length')" 0

step "killed: the lease ends, its VF is put right, and can be leased at once"
ip link set "$ifname" vf 0 trust on
vmm_kill
wait_for 10 "end of the lease" no_lease
equal "trust" "$(ip -j link show "$ifname" | jq -r '.[0].vfinfo_list[0].trust')" false
vmm_start 2
vmm_kill
vmm_start 3 # without a pause

step "netd is killed: the VMM runs on, and is still seen"
kill -9 "$NETD_PID"
wait "$NETD_PID" 2>/dev/null || true
netd_start
[ -e "/proc/$VMM" ] || fail "the VMM ended with netd"
case $("$FAIRLEAD" -j status | jq -r '.pfs[0].vfs[0].holder') in *"pid $VMM"*) ;; *) fail "not seen" ;; esac
refused FL-0710 "$FAIRLEAD" run demo
refused FL-0122 "$FAIRLEAD" restore
vmm_kill

step "restore"
expect "restore" "$FAIRLEAD" restore
netd_stop
equal "the host" "$(host_state "$pf" | sed 's/ qdisc [a-z_]*//')" "$before"
