#!/bin/bash
# A hostile guest writes a million times to the vector table of a NIC that is up, on two vCPUs at once,
# while its other VF works; then messages that its processors do not survive.
# lab: devices=igb timeout=3600 quiet=1500
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
ACCESSES=${1:-1000000}
. "$LAB_DIR/lib-noise.sh"

wild_over() { [ -n "$(guest_said wild "wild over")" ] || ! kill -0 "$(guest_pid wild)" 2>/dev/null; }

two_vfs

step "$ACCESSES of the vector table of a NIC that is up, by both vCPUs; the other VF pings"
spree armed bar $FN/resource3

step "the host has noticed nothing"
host_unmoved
alive || armed
told_of_it
gone hostile

step "messages that reset the guest's own processors or send them to SMM: it lives, or the VMM says how it ended"
boot wild
order wild 40 net
guest_send wild "sh ip link set eth1 up; noise wild 31 $((N / 20)) $FN/resource3 & noise wild 32 $((N / 20)) $FN/resource3 & wait; w=wild; echo FL-GUEST: \$w over"
for ((i = 0; i < 60; i++)); do
	if wild_over; then break; fi
	sleep 1
done
if kill -0 "$(guest_pid wild)" 2>/dev/null; then
	note "it runs: began $(grep -c 'FL-GUEST: init' "$LAB_LOG/wild.log") time(s), processors shut down $(grep -c 'has shut down' "$LAB_LOG/wild.log") time(s)"
else
	grep -q FL-0608 "$LAB_LOG/wild.log" || fail "the VMM ended without a word: $(guest_last wild)"
	note "$(grep -A1 FL-0608 "$LAB_LOG/wild.log")"
fi
gone wild
host_unmoved

next_guest
