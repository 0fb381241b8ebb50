#!/bin/bash
# Every system call of an apply and of a restore that the kernel may refuse is refused, one a run: undone, or done without.
# lab: devices=igb timeout=9000 quiet=300
# check: long
#
# Arguments: lib-errno.sh.
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-fault.sh"
. "$LAB_DIR/lib-errno.sh"

errno_everywhere "$@"
