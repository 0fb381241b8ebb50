#!/bin/bash
# netd-errno-all for a switch: its mode, parameters, rate groups, representors in bridges, a tenant's network over VXLAN.
# lab: devices=netdevsim timeout=9000 quiet=300
# check: long
#
# Arguments: lib-errno.sh; here the first two that are alike are taken, then every fortieth.
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-netdevsim.sh"
. "$LAB_DIR/lib-fault.sh"
. "$LAB_DIR/lib-fault-switch.sh"
. "$LAB_DIR/lib-errno.sh"

errno_everywhere "${1:-2}" "${2:-40}" "${@:3}"
