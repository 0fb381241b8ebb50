#!/bin/bash
# Two hosts (network namespaces) with a tenant's network over VXLAN: made, read back, changed, restored; a guest on each
# pings the other, and not with a MAC that is not its own.
# lab: devices=none timeout=420 quiet=90 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"
. "$LAB_DIR/lib-fairlead.sh"

# Nobody looks by himself (that is net-drift): what is typed is met by the apply that follows.
policy() { # HOST [SED-SCRIPT] -> /run/HOST.yaml
	sed -e "${2:-}" >"/run/$1.yaml" <<-END
		version: 1
		host: { reconcile: { on-event: false, interval: 0s } }
		networks:
		  - name: blue
		    bridge: br-blue
		    spoof-check: true
		    overlay: { type: vxlan, id: 100, local: 192.0.2.$1, remote: [192.0.2.$((3 - $1))] }
		guests:
		  - name: g$1
		    memory: 256M
		    kernel: /var/lib/fairlead/images/vmlinuz
		    initrd: /var/lib/fairlead/images/initrd.img
		    cmdline: "$(guest_cmdline fl.mode=idle)"
		    nics:
		      - { name: lan, network: blue, mac-address: "02:5a:10:00:00:0$1", emulated: { backend: tap } }
	END
}
on() { # HOST COMMAND...
	local host=$1
	shift
	ip netns exec "h$host" "$@"
}
fl() { # HOST VERB...
	local host=$1
	shift
	"$FAIRLEAD" "$@" --socket "/run/h$host/netd.sock"
}
end_process() { kill -9 "$1" 2>/dev/null || true; }
host_start() { # HOST
	mkdir -p "/run/h$1"
	on "$1" "$FL_BUILD/fairlead-netd" --socket "/run/h$1/netd.sock" --state "/run/h$1/state" >>"$LAB_LOG/netd-$1.log" 2>&1 &
	at_end end_process $!
	wait_for 10 "answer from host $1's daemon" fl "$1" status
}
vx() { on "$1" ip -j -d link show dev vx100 | jq -r ".[0] | $2"; }
floods() { on "$1" bridge -j fdb show dev vx100 | jq -r '[.[] | select(.mac == "00:00:00:00:00:00") | .dst] | sort | join(" ")'; }
ours() { on "$1" ip -j link | jq -r '[.[].ifname | select(startswith("br-") or startswith("vx") or startswith("flnew"))] | join(" ")'; }

step "two hosts, a wire between them"
modprobe -a bridge tun vxlan veth nf_tables
ip netns add h1
ip netns add h2
ip link add w1 netns h1 type veth peer name w2 netns h2
for h in 1 2; do
	on $h ip link set lo up
	on $h ip addr add 192.0.2.$h/24 dev w$h
	on $h ip link set w$h up
	host_start $h
	policy $h
done
install_images

step "made as the policy says"
for h in 1 2; do
	expect "plan on $h" fl $h plan /run/$h.yaml
	expect "apply on $h" fl $h apply /run/$h.yaml
	equal "id, local, port, mtu, master, alias" \
		"$(vx $h '[.linkinfo.info_data.id, .linkinfo.info_data.local, .linkinfo.info_data.port, .mtu, .master, .ifalias] | join(" ")')" \
		"100 192.0.2.$h 4789 1450 br-blue fairlead overlay"
	equal "floods to" "$(floods $h)" 192.0.2.$((3 - h))
	equal "addresses on the bridge" "$(on $h ip -j addr show dev br-blue | jq '.[0].addr_info | length')" 0
	equal "again" "$(fl $h apply /run/$h.yaml | tail -n 1)" "nothing to do: the machine is as the policy says"
done

step "what has drifted is put right, in place where it can be"
index=$(vx 1 .ifindex)
on 1 bridge fdb del 00:00:00:00:00:00 dev vx100 dst 192.0.2.2
on 1 bridge fdb append 00:00:00:00:00:00 dev vx100 dst 192.0.2.9
on 1 ip link set vx100 mtu 1300
on 1 ip link set vx100 down
expect "apply" fl 1 apply /run/1.yaml
equal "up" "$(on 1 ip -j link show dev vx100 | jq '.[0].flags | index("UP") != null')" true
equal "floods to" "$(floods 1)" 192.0.2.2
equal "mtu" "$(vx 1 .mtu)" 1450
equal "the same interface" "$(vx 1 .ifindex)" "$index"
policy 1 's/id: 100,/id: 100, port: 4790,/'
expect "another port" fl 1 apply /run/1.yaml
equal "port" "$(vx 1 .linkinfo.info_data.port)" 4790
policy 1
expect "and back" fl 1 apply /run/1.yaml

step "another id: the tunnel of the one before goes, by apply, undo and by hand"
in_bridge() { on 1 ip -j link show master br-blue | jq -r '[.[].ifname] | join(" ")'; }
policy 1 's/id: 100,/id: 101,/'
expect "another id" fl 1 apply /run/1.yaml
equal "in the bridge" "$(in_bridge) $(ours 1)" "vx101 br-blue vx101"
policy 1
expect "and back" fl 1 apply /run/1.yaml
equal "in the bridge" "$(in_bridge) $(ours 1)" "vx100 br-blue vx100"
on 1 ip link add others type vxlan id 200 dstport 4789 local 192.0.2.1 nolearning
policy 1 's/id: 100,/id: 101,/; /^guests/i \  - { name: green, bridge: br-green, overlay: { type: vxlan, id: 200, local: 192.0.2.1, remote: [192.0.2.2] } }'
refused FL-0740 "vx200" fl 1 apply /run/1.yaml
equal "undone" "$(in_bridge) $(ours 1) $(floods 1)" "vx100 br-blue vx100 192.0.2.2"
on 1 ip link del others
policy 1 's/id: 100,/id: 101,/'
fl 1 -j plan /run/1.yaml | jq -r '.actions[].command' >"$LAB_LOG/typed.sh"
expect "typed" on 1 sh -e "$LAB_LOG/typed.sh"
equal "in the bridge" "$(in_bridge) $(ours 1)" "vx101 br-blue vx101"
equal "nothing to do" "$(fl 1 apply /run/1.yaml | tail -n 1)" "nothing to do: the machine is as the policy says"
on 1 ip link set vx101 nomaster
policy 1
expect "apply" fl 1 apply /run/1.yaml
on 1 ip link del vx101
on 1 ip link del vx100
expect "a bridge alone is completed" fl 1 apply /run/1.yaml
equal "in the bridge" "$(in_bridge) $(ours 1)" "vx100 br-blue vx100"

step "refused"
policy 1 's/id: 100,/id: 100, mtu: 1451,/'
refused FL-0151 "takes 50" fl 1 apply /run/1.yaml
policy 1 's/local: 192.0.2.1/local: 192.0.2.77/'
refused FL-0152 "no interface has" fl 1 apply /run/1.yaml
on 1 ip link add br-mine type bridge
policy 1 's/br-blue/br-mine/; s/id: 100/id: 101/'
refused FL-0153 "br-mine is there" fl 1 apply /run/1.yaml
on 1 ip link del br-mine
policy 1

step "a guest on each"
for h in 1 2; do
	run_guest g$h g$h --socket /run/h$h/netd.sock
	tell g$h 30 "ip link set eth0 up; ip addr add 10.9.0.$h/24 dev eth0; echo FL-GUEST: mtu \$(cat /sys/class/net/eth0/mtu)"
	equal "MTU the guest was told" "$(heard_last g$h mtu)" 1450
done
tell g1 60 "i=0; until ping -c 1 -W 1 10.9.0.2 >/dev/null; do [ \$((i++)) -lt 30 ] || exit 1; done; ping -q -c 20 -i 0.1 -s 1422 10.9.0.2"
refused FL-0122 "is in it" fl 1 restore

step "another MAC, another sender"
tell g1 60 "ip link set eth0 down; ip link set eth0 address 02:de:ad:00:00:01; ip link set eth0 up; ! ping -c 3 -W 1 10.9.0.2"
tell g1 60 "ip link set eth0 down; ip link set eth0 address 02:5a:10:00:00:01; ip link set eth0 up; ping -c 20 -i 0.2 -W 1 10.9.0.2 | grep -q ' 0% packet loss' || ping -c 3 -W 2 10.9.0.2"
drops=$(fl 1 -j status | jq -c '.leases[0].own[] | select(.name == "lan") | ."spoof-drops"')
note "dropped: $drops"
[ "$(jq .mac <<<"$drops")" -gt 0 ] || fail "nothing was dropped"

step "as it was before"
for h in 1 2; do
	power_off g$h
	wait_for 10 "end of the lease" eval "[ \"\$(fl $h -j status | jq '.leases | length')\" = 0 ]"
	expect "restore on $h" fl $h restore
	equal "left on $h" "$(ours $h)" ""
done
