#!/bin/bash
# On a host without interrupt remapping netd carves nothing for guests, says why and what mends it.
# lab: devices=igb intremap=no timeout=120
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

step "apply is refused before anything is written"
pf=$(pf_igb)
before=$(host_state "$pf")
netd_start
if "$FAIRLEAD" apply docs/examples/demo.yaml >"$LAB_LOG/apply" 2>&1; then fail "not refused"; fi
sed 's/^/       /' "$LAB_LOG/apply"
grep -q FL-0126 "$LAB_LOG/apply" || fail "no FL-0126"
grep -q "any interrupt of the host" "$LAB_LOG/apply" || fail "the reason is not given"
grep -q "mend: turn" "$LAB_LOG/apply" || fail "no mend"
equal "the host" "$(host_state "$pf")" "$before"
equal "journal" "$("$FAIRLEAD" -j status | jq -r .journal)" none

step "VFs for the host itself are no guest's business"
sed -e 's/driver: vfio/driver: igbvf/' -e 's/drivers-autoprobe: false/drivers-autoprobe: true/' \
	-e '/^guests:/,$d' docs/examples/demo.yaml >"$LAB_LOG/host.yaml"
modprobe igbvf 2>/dev/null || true
expect "plan" "$FAIRLEAD" plan "$LAB_LOG/host.yaml"
netd_stop
