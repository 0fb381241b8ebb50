#!/bin/bash
# netd-crash-all for a switch: its mode, parameters, rate groups, representors in bridges, a tenant's network over VXLAN.
# lab: devices=netdevsim timeout=3600 quiet=300
# check: long
#
# An argument N takes every N-th point only.
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-netdevsim.sh"
. "$LAB_DIR/lib-fault.sh"
. "$LAB_DIR/lib-fault-switch.sh"
. "$LAB_DIR/lib-crash.sh"

crash_everywhere "$@"
