#!/bin/bash
# fairlead-cni as a runtime calls it, with a real VF: it is in the pod with its MAC and VLAN, back after DEL, and
# clean for the next pod. What is counted of it, and what is not: igb's driver counts nothing of its VFs.
# lab: devices=igb timeout=180
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

POLICY=$LAB_LOG/policy.yaml
CONF='{"cniVersion":"1.1.0","name":"edge","type":"fairlead-cni","pool":"pods","vlan":100,"vlanQoS":3,"spoofchk":"on",
	"mac":"02:5a:10:00:00:01"}'

cni() { # COMMAND [JQ-EDIT]: the plugin's answer
	jq -c "${2:-.}" <<<"$CONF" | env -i CNI_COMMAND="$1" CNI_CONTAINERID=pod1 CNI_NETNS=/run/netns/pod CNI_IFNAME=net1 \
		CNI_PATH=/opt/cni/bin "$LAB_LOG/fairlead-cni"
}

vf_line() { ip -d link show dev "$ifname" | grep -E "^ +vf 0 "; }
pod_link() { ip -n pod -j link show dev net1; }

pf=$(pf_igb) ifname=$(pci_netdev "$pf")
modprobe -a igbvf vfio-pci 2>/dev/null || true
cat >"$POLICY" <<END
version: 1
host:
  metrics: { listen: "127.0.0.1:9808" }
nics:
  - { name: edge, match: { pci: "$pf" }, virtual-function-count: 2, link: up }
pools:
  - { name: pods, functions: ["edge#0-1"], driver: igbvf }
END
ln -sf "$FAIRLEAD" "$LAB_LOG/fairlead-cni"
netd_start
expect "apply" "$FAIRLEAD" apply "$POLICY"
vf=$(pci_vf "$pf" 0)
expect "a pod's namespace" ip netns add pod
equal "STATUS" "$(cni STATUS)" ""

step "ADD: the VF is the pod's, as it was asked for"
result=$(cni ADD) || fail "ADD: $result"
equal "the interface" "$(jq -r '.interfaces[0] | [.name, .mac, .pciID] | join(" ")' <<<"$result")" "net1 02:5a:10:00:00:01 $vf"
case $(vf_line) in *"02:5a:10:00:00:01"*"vlan 100, qos 3"*"spoof checking on"*) ;; *) fail "VF 0: $(vf_line)" ;; esac
equal "its MAC in the pod" "$(pod_link | jq -r '.[0].address')" 02:5a:10:00:00:01
pod_link | jq -e '.[0].flags | index("UP")' >/dev/null || fail "net1 is not up: $(pod_link)"
equal "CHECK" "$(cni CHECK ". + {prevResult: $result}")" ""

step "what is counted, and what is not"
"$FAIRLEAD" metrics >"$LAB_LOG/metrics"
grep -q "^fairlead_pf_vfs{.*pf=\"$ifname\".*} 2\$" "$LAB_LOG/metrics" || fail "no count of VFs"
grep -q "^fairlead_pf_counted{.*driver=\"igb\"} 0\$" "$LAB_LOG/metrics" || fail "igb is said to count"
! grep "^sriov_vf_" "$LAB_LOG/metrics" || fail "counters that no driver counts"
"$FAIRLEAD" metrics --serve 2>"$LAB_LOG/serve" &
at_end end_serve $!
end_serve() { kill "$1" 2>/dev/null || true; }
wait_for 10 "the endpoint" grep -q "http://127.0.0.1:9808/metrics" "$LAB_LOG/serve"
printf 'GET /metrics HTTP/1.1\r\nHost: l1\r\n\r\n' | timeout 20 socat -t 10 - TCP:127.0.0.1:9808 >"$LAB_LOG/page"
grep -q "^fairlead_up 1" "$LAB_LOG/page" || fail "the page: $(head -c 300 "$LAB_LOG/page")"

step "CHECK tells of an interface that is not there"
ip -n pod link set net1 down
ip -n pod link set net1 name other
if out=$(cni CHECK ". + {prevResult: $result}"); then fail "CHECK of none: $out"; fi
ip -n pod link set other name net1
equal "CHECK when it is" "$(cni CHECK ". + {prevResult: $result}")" ""

step "DEL, and DEL again: the interface is back, the VF is clean"
equal "DEL" "$(cni DEL)" ""
equal "interfaces of the pod" "$(ip -n pod -j link | jq -r '[.[].ifname] | join(" ")')" lo
case $(vf_line) in *vlan*) fail "VF 0 has its VLAN still: $(vf_line)" ;; esac
case $(vf_line) in *02:5a:10:00:00:0*) fail "VF 0 has the pod's MAC still: $(vf_line)" ;; esac
equal "DEL again" "$(cni DEL)" ""

step "a pod that vanished is collected"
result=$(cni ADD) || fail "ADD: $result"
ip netns del pod
equal "GC" "$(cni GC '. + {"cni.dev/valid-attachments": []}')" ""
case $(vf_line) in *vlan*) fail "VF 0 has its VLAN still: $(vf_line)" ;; esac
