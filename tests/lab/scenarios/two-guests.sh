#!/bin/bash
# Two guests for ten minutes, each with a VF and a virtio NIC, all four of which are busy: nothing lost or damaged.
# lab: devices=igb timeout=1500 quiet=120 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"
. "$LAB_DIR/lib-net.sh"

SECONDS_LONG=${1:-600}
declare -A VF_IP=([one]=10.0.2.15 [two]=10.0.2.16) LAN_IP=([one]=10.9.0.15 [two]=10.9.0.16)

policy() { # FILE
	local pf name
	pf=$(pf_igb)
	cat >"$1" <<-END
		version: 1
		nics:
		  - { name: edge0, match: { pci: "$pf" }, virtual-function-count: 2, drivers-autoprobe: false, link: up }
		pools:
		  - { name: edge, functions: ["edge0#0-1"], driver: vfio, mac: { prefix: "02:5a:10" } }
		guests:
	END
	for name in one two; do
		cat >>"$1" <<-END
			  - name: $name
			    memory: 256M
			    kernel: /var/lib/fairlead/images/vmlinuz
			    initrd: /var/lib/fairlead/images/initrd.img
			    cmdline: "$(guest_cmdline "fl.mode=idle fl.driver=igbvf fl.addr=${VF_IP[$name]}")"
			    nics:
			      - { name: wan, pool: edge }
			      - { name: lan, emulated: { backend: $([ $name = one ] && echo tap || echo vhost), bridge: br-lan } }
		END
	done
}

start() { # NAME
	run_guest "$1" "$1"
	order "$1" 60 net
	tell "$1" 30 "for i in /sys/class/net/*; do case \$(readlink \$i/device/driver) in *virtio_net) n=\${i##*/} ;; esac; done; ip addr add ${LAN_IP[$1]}/24 dev \$n; ip link set \$n up"
	wait_for 20 "answer of $1 by its virtio NIC" busybox ping -c 1 -W 1 "${LAN_IP[$1]}"
	# By the VF, as long as all of it lasts; what it counted is read at the end.
	guest_send "$1" "sh ping -q -i 0.03 -w $SECONDS_LONG 10.0.2.2 >/vf.log 2>&1 &"
}

# By turns one's virtio NIC carries files, and the other's pings.
round() { # NAME OTHER
	GUEST_IP=${LAN_IP[$2]}
	timeout 60 busybox ping -q -A -c 2000 -s 1400 -W 5 "$GUEST_IP" >"/run/ping.$2" 2>&1 &
	local pinger=$!
	GUEST_IP=${LAN_IP[$1]}
	bytes_in "$1" 4
	bytes_out "$1" 4
	wait $pinger || true
	grep -q ' 0% packet loss' "/run/ping.$2" || fail "$2: $(cat "/run/ping.$2")"
	MOVED=$((MOVED + 8))
}

# As the guest's kernel counts them (RFC 1213, icmp): ping's socket is given the requests that come by the other NIC,
# too, and has no room left for its own answers when they flood in.
vf_counts() { # NAME
	local sent got
	tell "$1" 90 "for i in \$(seq 70); do grep -q transmitted /vf.log && break; sleep 1; done; sed -n 's/^Icmp: /FL-GUEST: icmp /p' /proc/net/snmp"
	read -r sent got <<<"$(heard "$1" icmp | awk 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i } END { print $at["OutEchos"], $at["InEchoReps"] }')"
	note "$1: $sent packets out by its VF, $got back; $(jq -c .exits "$LAB_LOG/$1.report" | tail -n 1)"
	[ "$sent" -gt $((SECONDS_LONG * 2)) ] || fail "$1: only $sent"
	# The last one may be under way when the time is over.
	[ $((sent - got)) -le 1 ] || fail "$1: $((sent - got)) lost by its VF"
}

no_complaint() { # NAME
	tell "$1" 20 "dmesg -r | grep -E '^<[0-3]>' | sed 's/^/FL-GUEST: error /'"
	equal "errors in $1's kernel log" "$(heard "$1" error)" ""
	! grep -aE 'fairlead-vmm: |FL-[0-9]{4}' "$LAB_LOG/$1.log" || fail "$1's VMM complains"
}

step "a bridge, two VFs, two guests"
modprobe -a bridge tun vhost_net
ip link add br-lan type bridge
ip addr add 10.9.0.1/24 dev br-lan
ip link set br-lan up
install_images
netd_start
policy /run/policy.yaml
expect "apply" "$FAIRLEAD" apply /run/policy.yaml
MOVED=0
start one
start two

step "$SECONDS_LONG seconds of traffic"
end=$(($(now_ms) + SECONDS_LONG * 1000)) rounds=0
while [ "$(now_ms)" -lt $end ]; do
	round one two
	round two one
	rounds=$((rounds + 1))
done
note "$rounds rounds, $MOVED MiB by the virtio NICs, every byte compared"

step "what each counted, and said"
for g in one two; do
	snapshot $g
	vf_counts $g
	no_complaint $g
done
"$FAIRLEAD" status

step "the end: nothing held, the host says nothing"
power_off one
power_off two
wait_for 10 "end of the leases" no_lease
host_quiet
netd_stop
