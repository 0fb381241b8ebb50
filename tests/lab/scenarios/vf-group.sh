#!/bin/bash
# The same by VFIO's groups and type1, with Debian's own modules, which have no iommufd.
# lab: devices=igb iommufd=no timeout=200 quiet=45 tries=2
. "$LAB_DIR/vf-backend.sh"

test_backend group
