#!/bin/bash
# netd-crash-all for a switch: its mode, parameters, rate groups, representors in bridges, a tenant's network over VXLAN.
# lab: devices=netdevsim timeout=3600 quiet=300
# check: long
#
# Every fourth point; an argument N takes every N-th ("1", with --timeout 7200: each).
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-netdevsim.sh"
. "$LAB_DIR/lib-fault.sh"
. "$LAB_DIR/lib-fault-switch.sh"
. "$LAB_DIR/lib-crash.sh"

crash_everywhere "${1:-4}"
