#!/bin/bash
# Every kernel call of an attach refused with every errno, and every one of the VMM before it with one: see
# bad-errno.sh.
# lab: devices=igb timeout=3600 quiet=3000
# check: long
ALL=.
. "$LAB_DIR/scenarios/bad-errno.sh"
