#!/bin/bash
# Devices come and go under a stock guest, by iommufd: ten cycles, the last one, by force.
# lab: devices=igb,nvme timeout=420 quiet=60 tries=2
# check: long
. "$LAB_DIR/hotplug-backend.sh"
test_hotplug
