#!/bin/bash
# A hostile guest makes a million configuration accesses by two vCPUs, while its other VF works; then to
# all that it can reach. On one processor of the host: with two, QEMU's own memory map does not stand
# the changes (README.md, Traps), and what the table's writes meet side by side is bad-guest-long's.
# lab: devices=igb timeout=7200 quiet=1500 smp=1
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
ACCESSES=${1:-1000000}
. "$LAB_DIR/lib-noise.sh"

two_vfs

step "$ACCESSES configuration accesses to it, by both vCPUs; the other VF pings"
spree driverless config $LOUD

step "its configuration by one vCPU, its table by the other"
alive || driverless
pinging
to_the_end 600 "config $((N / 50)) $LOUD" "bar $((N / 50)) $FN/resource3"
pinged

step "both functions, the host bridge and all ports, both vCPUs"
to_the_end 600 "config $((N / 100)) 0000:00:00.0" "ports $((N / 20))"
to_the_end 600 "config $((N / 100)) $LOUD" "config $((N / 100)) 0000:02:00.0"

step "the host has noticed nothing"
host_unmoved
told_of_it

step "the root ports, whose slots it may turn off and so give its VFs away"
to_the_end 600 "config $((N / 100)) 0000:00:01.0" "config $((N / 100)) 0000:00:02.0"
host_unmoved
gone hostile

next_guest
