#!/bin/bash
# A guest with a VF and its standby: the VF is pulled and put back while the host pings without a pause.
# lab: devices=igb timeout=600 quiet=90 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"
. "$LAB_DIR/lib-bridge.sh"

policy() { # BACKEND
	demo_policy fl.mode=idle <<-END
		      - { name: wan, pool: edge, mac-address: "$MAC", failover: { backend: $1, bridge: $BR } }
	END
}

# The device of the two that carries the address: net_failover's. A VF that comes is loaded for by itself here,
# as udev would.
guest_up() {
	tell demo 30 "m=\$(basename \$(readlink /sys/class/net/eth0/master)); ip addr add $GUEST_IP/24 dev \$m; ip link set \$m up; echo FL-GUEST: master \$m; ip -o link | sed 's/^/FL-GUEST: link /'"
	wait_for 20 "answer of the guest" busybox ping -c 1 -W 1 $GUEST_IP
}
vf_in_guest() { # yes|no
	tell demo 40 "i=0; while ls -l /sys/class/net/*/device/driver 2>/dev/null | grep -q igbvf; [ \$? = $([ "$1" = yes ] && echo 1 || echo 0) ] && [ \$i -lt 150 ]; do usleep 200000; i=\$((i + 1)); done; [ \$i -lt 150 ]"
}

# A flood of one at a time: the next as soon as its answer has come, or after a second. An answer that comes twice,
# as it may while the bridge sends to both, is none more.
pinger() {
	exec python3 - "$GUEST_IP" <<-'END'
		import os, select, signal, socket, struct, sys, time
		s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
		s.connect((sys.argv[1], 0))
		me, seq, lost, longest, going = os.getpid() & 0xffff, 0, [], 0, True
		def stop(*_):
		    global going
		    going = False
		signal.signal(signal.SIGTERM, stop)
		def checksum(b):
		    n = sum(struct.unpack(f"!{len(b) // 2}H", b))
		    n = (n >> 16) + (n & 0xffff)
		    return ~(n + (n >> 16)) & 0xffff
		def answered(until):
		    while (left := until - time.monotonic()) > 0 and select.select([s], [], [], left)[0]:
		        p = s.recv(2048)
		        if struct.unpack_from("!BxxxHH", p, 20) == (0, me, seq):
		            return True
		    return False
		begun = last = time.monotonic()
		while going:
		    seq = (seq + 1) & 0xffff
		    p = struct.pack("!BBHHH", 8, 0, 0, me, seq) + bytes(56)
		    p = p[:2] + struct.pack("!H", checksum(p)) + p[4:]
		    s.send(p)
		    now = time.monotonic()
		    if answered(now + 1):
		        longest, last = max(longest, time.monotonic() - last), time.monotonic()
		    else:
		        lost.append(f"{now - begun:.1f}")
		print(seq - len(lost), len(lost), int(longest * 1000), ",".join(lost) or "-")
	END
}
ping_start() {
	pinger >/run/ping 2>&1 &
	PING=$!
	at_end end_process $PING
}
end_process() { kill -9 "$1" 2>/dev/null || true; }
ping_lost() { # NAME: sets LOST
	local got longest at
	kill -TERM $PING
	wait $PING || fail "the pinger says: $(cat /run/ping)"
	read -r got LOST longest at </run/ping
	note "$1: $got answers, $LOST lost (after s: $at), $longest ms at most between two"
}
entry() { # where the bridge sends what is for the guest
	bridge -j fdb show br $BR | jq -r ".[] | select(.mac == \"$MAC\" and .vlan == null) | .ifname" | sort -u | tr '\n' ' '
}

backend_test() { # BACKEND
	local tap=fl-demo-wan vf
	step "$1: a guest with a VF and a standby"
	policy "$1"
	expect "apply" "$FAIRLEAD" apply /run/policy.yaml
	vf=$(pci_vf "$pf" 0)
	run_guest demo demo
	tap=$("$FAIRLEAD" -j status | jq -r '.leases[0].own[] | select(.name == "wan:standby") | .tap')
	guest_up
	equal "the host's end does not learn" "$(bridge -j -d link show dev "$tap" | jq -r '.[0].learning')" false
	ping_start
	sleep 5
	ping_lost "$1-before"
	equal "lost with the VF" "$LOST" 0

	step "$1: the VF is pulled under pings"
	ping_start
	sleep 2
	expect "detach" "$FAIRLEAD" detach demo wan
	vf_in_guest no
	sleep 5
	ping_lost "$1-pulled"
	pulled=$LOST
	equal "the way to the guest" "$(entry)" "$tap "

	step "$1: the VF is put back under pings"
	ping_start
	sleep 2
	expect "attach" "$FAIRLEAD" attach demo wan
	vf_in_guest yes
	sleep 10
	ping_lost "$1-back"
	back=$LOST
	before=$(host_irqs "$vf")
	busybox ping -q -c 10 -A $GUEST_IP >/dev/null || fail "no answer by the VF"
	[ "$(host_irqs "$vf")" -gt "$before" ] || fail "the VF carries nothing"
	note "$1: $pulled lost as it went, $back as it came"
	[ "$pulled" -le 1 ] || fail "$1: $pulled replies lost as the VF went"
	[ "$back" -le 1 ] || fail "$1: $back replies lost as the VF came"

	step "$1: the end"
	power_off demo
	wait_for 10 "end of the lease" no_lease
}

step "the PF in a bridge, which has its MAC"
pf_in_bridge
install_images
netd_start
backend_test tap
backend_test vhost
host_quiet
netd_stop
