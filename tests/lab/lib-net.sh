# A NIC that the VMM itself is, on a tap of L1's, for the scenarios own-net and own-vhost. Sourced after
# lib-device.sh. The guest is 10.0.2.15, L1 10.0.2.2; a guest's NIC is slot 1, its bus 1.
#
#   tap_make NAME            a tap of many queues, up
#   nic_up NAME              the guest's first NIC up and addressed
#   pings NAME COUNT SIZE    that many from L1, none lost
#   flood SECONDS            in the background, its loss does not matter
#   bytes_in NAME MIB / bytes_out NAME MIB    by TCP, into the guest and out of it, and whole
#   nic_feature NAME BIT     1 or 0
#   nic_irqs NAME REGEX      interrupts of its queues that match

NIC=0000:01:00.0
GUEST_IP=10.0.2.15
HOST_IP=10.0.2.2

tap_make() { # NAME
	ip tuntap add dev "$1" mode tap multi_queue vnet_hdr
	at_end tap_end "$1"
	echo 0 >"/proc/sys/net/ipv6/conf/$1/accept_dad" 2>/dev/null || true
	ip addr add "$HOST_IP/24" dev "$1"
	ip link set "$1" up
}

tap_end() { ip link del "$1" 2>/dev/null || true; } # NAME

nic_up() { # NAME
	tell "$1" 30 "ip link set eth0 up; ip addr add $GUEST_IP/24 dev eth0 2>/dev/null; i=0; until [ \"\$(cat /sys/class/net/eth0/carrier)\" = 1 ] || [ \$((i++)) = 100 ]; do usleep 100000; done; cat /sys/class/net/eth0/carrier | grep -q 1"
	wait_for 20 "answer of the guest" busybox ping -c 1 -W 1 "$GUEST_IP"
}

pings() { # NAME COUNT SIZE
	local out
	out=$(busybox ping -q -A -c "$2" -s "$3" -W 5 "$GUEST_IP" 2>&1) || true
	[[ $out == *" 0% packet loss"* ]] || fail "$1: ping of $3 bytes: $out"
}

# To a port where nobody listens: each is answered by ICMP, so both directions are busy.
flood() { # SECONDS
	timeout "$1" bash -c "printf -v x %1000s; while :; do echo \"\$x\" >/dev/udp/$GUEST_IP/9; done" >/dev/null 2>&1 &
	FLOOD=$!
}

# The guest serves in both directions: its end of the connection is netcat's, ours is the shell's.
bytes_in() { # NAME MIB
	local want
	head -c "$2M" /dev/urandom >/run/net-in
	want=$(sha256sum </run/net-in | cut -d' ' -f1)
	guest_send "$1" "sh rm -f /in; nc -l -p 5000 >/in & sleep 0.5; echo FL-GUEST: serves in"
	wait_for 20 "the guest's server" eval "[ -n \"\$(heard $1 serves)\" ]"
	sleep 1
	timeout 120 bash -c "cat /run/net-in >/dev/tcp/$GUEST_IP/5000" || fail "$1: TCP into the guest"
	tell "$1" 60 "i=0; while [ \$(wc -c </in) -lt $(($2 << 20)) ] && [ \$((i++)) -lt 100 ]; do usleep 100000; done; echo FL-GUEST: in \$(sha256sum </in | cut -d' ' -f1); rm /in"
	equal "$2 MiB into the guest" "$(heard_last "$1" in)" "$want"
	rm /run/net-in
}

bytes_out() { # NAME MIB
	local got
	tell "$1" 60 "head -c $(($2 << 20)) /dev/urandom >/out; echo FL-GUEST: out \$(sha256sum </out | cut -d' ' -f1); (nc -l -p 5001 </out >/dev/null &) ; sleep 1"
	got=$(timeout 120 bash -c "exec 3<>/dev/tcp/$GUEST_IP/5001; head -c $(($2 << 20)) <&3 | sha256sum" | cut -d' ' -f1) ||
		fail "$1: TCP out of the guest"
	equal "$2 MiB out of the guest" "$got" "$(heard_last "$1" out)"
	tell "$1" 20 "rm /out"
}

nic_feature() { # NAME BIT
	tell "$1" 10 "f=\$(cat /sys/bus/pci/devices/$NIC/virtio*/features); echo FL-GUEST: feature \${f:$2:1}"
	heard_last "$1" feature
}

# Twenty times while packets come: the driver lets go of its rings in the middle of them.
rebind() { # NAME
	flood 60
	tell "$1" 120 "cd /sys/bus/pci/drivers/virtio-pci; for i in \$(seq 20); do echo $NIC >unbind; echo $NIC >bind; ip link set eth0 up; ip addr add $GUEST_IP/24 dev eth0; usleep 200000; done"
	kill $FLOOD 2>/dev/null || true
	nic_up "$1"
	pings "$1" 50 1000
}
