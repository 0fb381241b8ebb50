#!/bin/bash
# A pool of `driver: vfio` gets the driver that the kernel's aliases name for its VFs, while that is there; else vfio-pci.
# lab: devices=igb timeout=240 quiet=200
# No kernel here has a vfio driver for igb's VFs, so igbvf stands for one: what is tested is the way from modules.alias to
# the driver that is bound, and back when the alias or the driver has gone.
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

POLICY=$LAB_LOG/policy.yaml
ALIASES=/lib/modules/$(uname -r)/modules.alias
state() { "$FAIRLEAD" -j status | jq -r ".pfs[] | select(.bdf == \"$pf\") | $1"; }

netd_with() { # MODULE: that the alias of igb's VFs names
	[ -z "${NETD_PID:-}" ] || netd_stop
	cat >"$ALIASES" <<-A
		alias pci:v00008086d000010C9sv*sd*bc*sc*i* igb
		alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci
		alias vfio_pci:v00008086d*sv*sd*bc*sc*i* far_vfio_pci
		alias vfio_pci:v00008086d000010CAsv*sd*bc*sc*i* $1
	A
	: >"$NETD_LOG"
	netd_start
}

mkdir /run/modules /run/modules/{upper,work}
mount -t overlay none -o "lowerdir=${ALIASES%/*},upperdir=/run/modules/upper,workdir=/run/modules/work" "${ALIASES%/*}"
step "igb without VFs; the alias names a driver that netd loads"
pf=$(pf_igb)
cat >"$POLICY" <<YAML
version: 1
nics: [ { name: edge0, match: { pci: "$pf" }, virtual-function-count: 2, drivers-autoprobe: false } ]
pools: [ { name: edge, functions: ["edge0#0-1"], driver: vfio } ]
YAML
netd_with igbvf
equal "status, foretold" "$(state '."vfio-driver"')" igbvf
"$FAIRLEAD" apply "$POLICY" >"$LAB_LOG/apply" 2>&1 || fail "$(cat "$LAB_LOG/apply")"
equal "VF 0" "$(pci_driver "$(pci_vf "$pf" 0)")" igbvf
equal "status of VF 1" "$(state '.vfs[1].driver')" igbvf
equal "again" "$("$FAIRLEAD" -j plan "$POLICY" | jq '.actions | length')" 0

step "a recording has it, and a plan without the machine is the same"
mkdir -p "$LAB_LOG/rec"
"$FAIRLEAD" record "$LAB_LOG/rec" >/dev/null || fail "record"
equal "recorded" "$(jq -r 'select(."vfio-driver") | ."vfio-driver"' "$LAB_LOG/rec/inventory.jsonl")" igbvf
equal "plan --sim" "$("$FAIRLEAD" -j plan --sim "$LAB_LOG/rec" "$POLICY" | jq '.actions | length')" 0

step "one that cannot be loaded is none: vfio-pci, and netd says so"
netd_with absent_vfio_pci
equal "status" "$(state '."vfio-driver"')" vfio-pci
expect "netd's log" grep -q "absent_vfio_pci is for VFs of $pf, but modprobe could not load it" "$NETD_LOG"
equal "plan" "$("$FAIRLEAD" -j plan "$POLICY" | jq -r '[.actions[].op] | join(" ")')" "vf-driver vf-driver"
"$FAIRLEAD" apply "$POLICY" >"$LAB_LOG/apply" 2>&1 || fail "$(cat "$LAB_LOG/apply")"
equal "VF 0" "$(pci_driver "$(pci_vf "$pf" 0)")" vfio-pci
"$FAIRLEAD" restore >"$LAB_LOG/restore" 2>&1 || fail "$(cat "$LAB_LOG/restore")"
