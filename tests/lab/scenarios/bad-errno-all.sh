#!/bin/bash
# Every kernel call of the VMM before the guest refused, with every errno: see bad-errno.sh.
# lab: devices=igb timeout=3600 quiet=3000
# check: long
ALL=.
. "$LAB_DIR/scenarios/bad-errno.sh"
