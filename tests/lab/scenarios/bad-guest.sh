#!/bin/bash
# A hostile guest: random writes to every function's configuration space, ports and vector table.
# lab: devices=igb timeout=240 quiet=45 tries=2
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-noise.sh"

FN=/sys/bus/pci/devices/0000:01:00.0 # in the guest: behind the first root port
SEEDS="1 2"

noise() { # SECONDS WORDS...
	order hostile "$1" sh "noise ${*:2} && echo FL-GUEST: noise ok || echo FL-GUEST: noise failed"
	equal "noise ${*:2}" "$(said_last hostile noise)" "noise ok"
	snapshot hostile # the VMM still answers
}

step "a guest with a VF and a program that writes nonsense"
install_images
rm /var/lib/fairlead/images/initrd.img
with_noise /var/lib/fairlead/images/initrd.img
pf=$(pf_igb) before=$(host_state "$pf")
netd_start
expect "apply" "$FAIRLEAD" apply docs/examples/demo.yaml
vf=$(pci_vf "$pf" 0)
run_guest hostile demo
# Its own driver would only get in the way; the functions stay on.
order hostile 10 sh "echo 0000:01:00.0 >$FN/driver/unbind; echo 1 >$FN/enable"
as_it_was=$(real)

step "its vector table and the rest of that BAR"
for seed in $SEEDS; do noise 30 bar "$seed" 3000 $FN/resource3; done

step "configuration space: its function and the host bridge, all widths, by ECAM"
for seed in $SEEDS; do
	for fn in 0000:00:00.0 0000:01:00.0; do noise 60 config "$seed" 1500 $fn; done
done

step "configuration space by ports, also where nothing is"
for seed in $SEEDS; do noise 60 ports "$seed" 3000; done

step "the host has noticed nothing"
equal "the real functions" "$(real)" "$as_it_was"
host_quiet
note "$(jq -rs 'last | "exits \(.exits.total): config \(.exits.config), BAR \(.exits.bar); route commits \(.route_commits), SET_IRQS \(.set_irqs), resets \(.resets)"' "$LAB_LOG/hostile.report")"

step "the root port, whose slot it may turn off and so give its VF away"
for seed in $SEEDS; do noise 60 config "$seed" 1500 0000:00:01.0; done
host_quiet

step "the guest resets: all is as at first, and its VF works"
guest_send hostile sh reboot -f
wait_for 60 "second boot" said_more hostile ready 1
snapshot hostile
if [ "$(report_field "$LAB_LOG/hostile.report" snapshot 'devices | length')" = 0 ]; then
	# Its drivers are loaded at boot, by what is there; and then nothing was.
	order hostile 20 sh modprobe igbvf
	expect "the VF again" "$FAIRLEAD" attach demo wan
fi
order hostile 40 net
pings hostile 3
power_off hostile

step "the next guest's VF is sound; restore"
run_guest next demo
order next 40 net
pings next 3
power_off next
wait_for 3 "end of the lease" no_lease
equal "the real functions" "$(real)" "$as_it_was"
expect "restore" "$FAIRLEAD" restore
equal "the host" "$(host_state "$pf")" "$before"
host_quiet
netd_stop
