#!/bin/bash
# A nic on an interface of the host: its frames reach the wire, and the interface goes with the lease, also one that a
# crash has left. cat(1) plays the VMM.
# lab: devices=none timeout=120
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-own.sh"

MAC=02:5a:10:00:00:01
policy() { # FILE [SED-SCRIPT]
	sed -e "${2:-}" >"$1" <<-END
		version: 1
		host: { reconcile: { interval: 1s } }
		guests:
		  - name: web
		    memory: 64M
		    kernel: /var/lib/fairlead/images/vmlinuz
		    nics:
		      - { name: wan, mac-address: "$MAC", mtu: 1400, emulated: { backend: macvtap, parent: eth9, mode: private } }
	END
}
link() { ip -j -d link show dev fl-web-wan | jq -r ".[0] | $1"; }
gone() { ! ip link show dev fl-web-wan >/dev/null 2>&1; }

step "an interface, the daemon"
modprobe -a veth macvtap dummy
groupadd -f fairlead
ip link add eth9 type veth peer name wire
ip link set eth9 up
ip link set wire up
install_images
netd_start
policy /run/policy.yaml
expect "apply" "$FAIRLEAD" apply /run/policy.yaml

step "of a lease"
vmm_start web
equal "what it is" "$(link '[.linkinfo.info_kind, .linkinfo.info_data.mode, .address, .mtu, .ifalias] | join(" ")')" \
	"macvtap private $MAC 1400 fairlead macvtap web/wan"
fd=$(($(lease '.fds | index("tap:wan:0")') + 6))
python3 "$LAB_DIR/frames.py" "$VMM" $fd wire $MAC >/run/frames || fail "frames.py: $(cat /run/frames)"
equal "an honest frame" "$(sed -n 's/^own //p' /run/frames)" passed
vmm_kill "$VMM"
wait_for 10 "end of the lease" no_lease
wait_for 5 "end of the interface" gone

step "netd is started anew: what a guest has stays, and goes when the guest has ended, without a lease"
vmm_start web
kill -9 "$NETD_PID"
wait "$NETD_PID" || true
netd_start
sleep 3 # looks at the machine once a second
expect "the guest's own stays" ip link show dev fl-web-wan
vmm_kill "$VMM"
wait_for 10 "end of the interface" gone
vmm_start web
kill -9 "$NETD_PID"
wait "$NETD_PID" || true
vmm_kill "$VMM"
expect "it is left" ip link show dev fl-web-wan
netd_start
wait_for 10 "end of the interface" gone

step "what a crash has left, when its guest is started at once"
vmm_start web
kill -9 "$NETD_PID"
wait "$NETD_PID" || true
vmm_kill "$VMM"
expect "it is left" ip link show dev fl-web-wan
netd_start
vmm_start web
equal "a new one" "$(link .ifalias)" "fairlead macvtap web/wan"
vmm_kill "$VMM"
wait_for 10 "end of the lease" no_lease
wait_for 5 "end of the interface" gone

step "refused"
ip link add fl-web-wan type dummy
refused FL-0741 "of that name" "$FAIRLEAD" run web
ip link del fl-web-wan
policy /run/other.yaml 's/eth9/eth7/'
expect "apply" "$FAIRLEAD" apply /run/other.yaml
refused FL-0741 "parent is not there" "$FAIRLEAD" run web
netd_stop
