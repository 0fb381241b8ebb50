#!/bin/bash
# The same on Linux 6.1, the oldest kernel that fairlead works with.
# lab: devices=igb kernel=6.1 timeout=200 quiet=45 tries=2
. "$LAB_DIR/vf-backend.sh"

test_backend group
