#!/bin/bash
# A host without IOMMU: doctor, plan and apply say so; nothing is changed.
# lab: devices=igb iommu=no timeout=60 quiet=30
. "$LAB_DIR/bad-host.sh"

test_bad_host IOMMU intel_iommu=on FL-0125
