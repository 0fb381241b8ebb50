#!/bin/bash
# A VF in one IOMMU group with its PF, which the host drives: refused by name, at every step.
# lab: devices=igbnoacs timeout=60 quiet=30
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

step "the port above has no ACS: PF and VF share a group"
install_images
pf=$(pf_igb) before=$(host_state "$pf")
carve_vfs "$pf" 2
vf=$(pci_vf "$pf" 0)
equal "group of the VF" "$(pci_group "$vf")" "$(pci_group "$pf")"
carved=$(host_state "$pf")
netd_start

step "doctor says no"
if out=$("$FAIRLEAD" doctor "$vf"); then fail "doctor says yes: $out"; fi
printf '%s\n' "$out" | sed 's/^/       /'
grep -q "^no .*$pf" <<<"$out" || fail "the PF is not named"
equal "what else it finds wrong" "$(grep '^no ' <<<"$out" | grep -vc 'group members' || true)" 0

step "plan and apply name the member that is in the way"
refused FL-0124 "$pf" "$FAIRLEAD" plan docs/examples/demo.yaml
refused FL-0124 "$pf" "$FAIRLEAD" apply docs/examples/demo.yaml
equal "the host" "$(host_state "$pf")" "$carved"

step "VFs that are not there yet have no group to look at, but the PF's foretells theirs"
echo 0 >"$PCI/$pf/sriov_numvfs"
echo 1 >"$PCI/$pf/sriov_drivers_autoprobe"
equal "the host" "$(host_state "$pf")" "$before"
refused FL-0124 "$pf" "$FAIRLEAD" plan docs/examples/demo.yaml
refused FL-0124 "$pf" "$FAIRLEAD" apply docs/examples/demo.yaml
equal "the host" "$(host_state "$pf")" "$before"
host_quiet
netd_stop
