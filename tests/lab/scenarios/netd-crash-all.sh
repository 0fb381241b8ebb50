#!/bin/bash
# An apply is cut short at each of its system calls that leaves a trace, three times: the process that makes it is
# killed, the worker, the whole daemon. It converges each time: all of it, or as before.
# lab: devices=igb timeout=3600 quiet=300
# check: long
#
# An argument N takes every N-th point only.
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-fault.sh"
. "$LAB_DIR/lib-crash.sh"

crash_everywhere "$@"
