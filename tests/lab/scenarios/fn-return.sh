#!/bin/bash
# The host wants a device back from a running guest, with a guest that lets go and one that does not: the
# writer returns in time, and the guest goes on.
# lab: devices=igb timeout=200 quiet=60 tries=2
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-ctl.sh"

LIMIT=9500 # ms: hotplug.h

unbind() { # SECONDS: what may hang in the kernel is a child's
	local child began
	began=$(now_ms)
	(echo "$vf" >/sys/bus/pci/drivers/vfio-pci/unbind) &
	child=$!
	wait_for "$1" "end of the unbinding" eval "! kill -0 $child"
	wait "$child" || fail "unbinding was refused"
	took=$(($(now_ms) - began))
	note "the writer was back after $took ms"
}

step "a VF"
pf=$(pf_igb)
carve_vfs "$pf" 1
ip link set "$(pci_netdev "$pf")" up
vf=$(pci_vf "$pf" 0)
bind_vfio "$vf"

step "asked, the guest lets go; it goes on, and so does the writer"
ctl_guest a "" --device "$vf"
order a 40 net
pings a 1
unbind 14
[ "$took" -lt $LIMIT ] || fail "the guest was not faster than the deadline"
equal "gone" "$(ctl_count a '.event == "gone" and .reason == "host" and .device == "d0"')" 1
equal "by consent" "$(counter a 'hotplug | "\(.requests) \(.removes) \(.forced)"')" "1 1 0"
order a 10 sh 'echo FL-GUEST: nics $(ls /sys/class/net | grep -c eth)'
equal "NICs" "$(said_last a nics)" "nics 0"

step "it comes back into the same guest"
bind_vfio "$vf"
ctl_attach a 20 "$vf@1.0=d0"
order a 40 net
pings a 1

step "the guest resets while it is asked: at once"
(sleep 2; guest_send a "sh reboot -f") &
unbind 14
[ "$took" -lt $LIMIT ] || fail "it waited for a guest that was no more"
wait_for 60 "second boot" said_more a ready 1
power_off a

step "a guest that cannot let go: at the deadline"
bind_vfio "$vf"
ctl_guest b pcie_ports=compat --device "$vf"
unbind 20
[ "$took" -ge $LIMIT ] || fail "it was not asked for as long as it may be"
equal "by force" "$(counter b 'hotplug | "\(.requests > 0) \(.removes) \(.forced)"')" "true 1 1"
order b 10 sh 'echo FL-GUEST: alive'
power_off b
host_quiet
