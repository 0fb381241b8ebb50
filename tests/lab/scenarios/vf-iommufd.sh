#!/bin/bash
# A guest with a VF by iommufd: MAC, pings without exits, counts; free again at once.
# lab: devices=igb timeout=200 quiet=45 tries=2
. "$LAB_DIR/vf-backend.sh"

[ "$LAB_IOMMUFD" = yes ] || skip "no iommufd here"
test_backend iommufd
