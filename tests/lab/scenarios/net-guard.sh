#!/bin/bash
# A tap in its network's VLAN, and guarded: what a guest may not send does not arrive, and is counted. cat(1) plays the VMM.
# lab: devices=none timeout=120
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-own.sh"

MAC=02:5a:10:00:00:01

policy() { # FILE [SED-SCRIPT]
	sed -e "${2:-}" >"$1" <<-END
		version: 1
		networks:
		  - { name: tenant, bridge: br0, vlan: { id: 100 }, spoof-check: true }
		guests:
		  - name: web
		    memory: 64M
		    kernel: /var/lib/fairlead/images/vmlinuz
		    nics:
		      - { name: wan, network: tenant, mac-address: "$MAC", emulated: { backend: tap } }
	END
}
drops() { "$FAIRLEAD" -j status | jq -c '.leases[0].own[] | select(.name == "wan") | ."spoof-drops"'; }
vlans() { bridge -j vlan show dev fl-web-wan | jq -c '[.[].vlans[] | [.vlan, (.flags // [] | sort | join(","))]]'; }

step "a bridge that filters, the daemon"
modprobe -a bridge tun nf_tables 8021q
groupadd -f fairlead
ip link add br0 type bridge vlan_filtering 1
bridge vlan add dev br0 vid 100 self
ip link set br0 up
ip link add link br0 name br0.100 type vlan id 100
ip link set br0.100 up
ip link add plain type bridge
install_images
netd_start
policy /run/policy.yaml
expect "apply" "$FAIRLEAD" apply /run/policy.yaml

step "the tap of a lease"
vmm_start web
equal "its VLANs" "$(vlans)" '[[100,"Egress Untagged,PVID"]]'
expect "nft knows it" nft list chain netdev fairlead tap/fl-web-wan
equal "nothing dropped yet" "$(drops)" '{"mac":0,"tag":0,"arp":0,"nd":0}'

step "frames, honest and not"
fd=$(($(lease '.fds | index("tap:wan:0")') + 6))
python3 "$LAB_DIR/frames.py" "$VMM" $fd br0.100 $MAC >/run/frames || fail "frames.py: $(cat /run/frames)"
sed 's/^/       /' /run/frames
want="own arp ns ns-dad ns-dad-nonce ns-and-nonce na na-none"
equal "what arrived" "$(sed -n 's/ passed//p' /run/frames | tr '\n' ' ')" "$want "
equal "dropped" "$(drops)" '{"mac":1,"tag":3,"arp":1,"nd":8}'
equal "counted" "$("$FAIRLEAD" metrics | sed -n 's/^fairlead_tap_drops_total{guest="web",nic="wan",reason="\(.*\)"}/\1/p' | tr '\n' ' ')" \
	"mac 1 tag 3 arp 1 nd 8 "
note "$("$FAIRLEAD" status | grep fl-web-wan)"

step "gone with the lease"
vmm_kill "$VMM"
wait_for 10 "end of the lease" no_lease
wait_for 5 "end of the interface" eval "! ip link show dev fl-web-wan 2>/dev/null"
wait_for 5 "end of the chain" eval "! nft list chain netdev fairlead tap/fl-web-wan 2>/dev/null"

step "a guest that may use two addresses"
policy /run/addresses.yaml 's/mac-address/addresses: [192.0.2.7, "2001:db8::7"], mac-address/'
expect "apply" "$FAIRLEAD" apply /run/addresses.yaml
vmm_start web
fd=$(($(lease '.fds | index("tap:wan:0")') + 6))
python3 "$LAB_DIR/frames.py" "$VMM" $fd br0.100 $MAC addresses >/run/frames || fail "frames.py: $(cat /run/frames)"
sed 's/^/       /' /run/frames
want="ip ip-none arp arp-probe ip6 ip6-none ip6-local na na-local"
equal "what arrived" "$(sed -n 's/ passed//p' /run/frames | tr '\n' ' ')" "$want "
equal "dropped" "$(drops)" '{"mac":1,"tag":0,"arp":0,"nd":0,"ip":5}'
vmm_kill "$VMM"
wait_for 10 "end of the lease" no_lease

step "a bridge that filters nothing"
policy /run/plain.yaml 's/br0/plain/'
expect "apply" "$FAIRLEAD" apply /run/plain.yaml
refused FL-0738 "does not filter" "$FAIRLEAD" run web
expect "with filtering" ip link set plain type bridge vlan_filtering 1 vlan_protocol 802.1ad
refused FL-0738 "another protocol" "$FAIRLEAD" run web
equal "interfaces" "$(ip -j link | jq -r '.[].ifname | select(startswith("fl-"))')" ""
netd_stop
