#!/bin/bash
# A whole Debian under load: fio with all it wrote verified, iperf3 by tap and by vhost with checksums in software.
# lab: devices=none mem=6G timeout=1800 quiet=240 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-debian.sh"

csum_errors() { # of /proc/net/snmp on stdin: all protocols'
	awk '{ if ($1 in head) { split(head[$1], h); for (i = 2; i <= NF; i++) if (h[i] == "InCsumErrors") n += $i }
		head[$1] = $0 } END { print n + 0 }'
}
no_csum_errors() {
	equal "checksum errors of the guest" "$(debian_ssh cat /proc/net/snmp | csum_errors)" 0
	equal "checksum errors of the host" "$(csum_errors </proc/net/snmp)" 0
}

# A server of the image on the host, the guest its client, by turns in both directions.
iperf() { # HOST-ADDRESS TEXT
	local way out
	for way in "" -R; do
		out=$(debian_ssh iperf3 -J -c "$1" -t 4 -P 2 $way) ||
			fail "$2: iperf3 $way: $(jq -r '.error // .' <<<"$out" | tail -n 5)"
		note "$2 ${way:-  }: $(jq -r '"\(.end.sum_received.bytes) bytes in \(.end.sum_received.seconds) s, \(.end.sum_sent.retransmits) retransmitted"' <<<"$out")"
		[ "$(jq .end.sum_received.bytes <<<"$out")" -gt 1000000 ] || fail "$2: less than 1 MB went through"
	done
	no_csum_errors
}

nic_works() { # MAC HOST-ADDRESS BRIDGE TEXT
	local dev tap
	dev=$(debian_if "$1")
	tap=$(ls "/sys/class/net/$3/brif")
	equal "queues of $4" "$(debian_ssh ethtool -l "$dev" | awk '/^Combined/ { n = $2 } END { print n }')" 2
	iperf "$2" "$4"
	# Whole checksums on the way in and out: else neither end looks at any.
	debian_ssh ethtool -K "$dev" tx off >/dev/null
	ethtool_off "$3"
	ethtool_off "$tap"
	iperf "$2" "$4, checksums in software"
}
# The host has no ethtool; the image's does.
ethtool_off() { host_tool ethtool -K "$1" tx off >/dev/null; }

# On the second disk; what it writes is read back and compared.
FIO="--filename=/dev/disk/by-id/virtio-DATA --direct=1 --ioengine=libaio --iodepth=16 --randseed=7 --verify_fatal=1"
fio_guest() { # NAME WORDS...
	local out name=$1
	shift
	# shellcheck disable=SC2086  # words
	out=$(debian_ssh fio --output-format=terse --name="$name" $FIO --verify=crc32c "$@") ||
		fail "fio $name: $(tail -n 5 <<<"$out" | cut -c1-300)"
}

step "the host: programs, two networks, a copy of the disk"
debian_host
netd_start
debian_policy /run/policy.yaml
host_tool iperf3 -s >"$LAB_LOG/iperf3.log" 2>&1 &
at_end kill $!

step "boot"
debian_boot deb
wait_for 120 "answer over SSH" debian_answers

step "fio: written at random, read back and compared; discards beside it"
fio_guest hold --rw=randwrite --bs=4k --size=24M --offset=0
fio_guest large --rw=randwrite --bsrange=512-128k --blockalign=512 --size=32M --offset=128M
full=$(stat -c %b "$DEBIAN_DIR/data.img")
# shellcheck disable=SC2086  # words
fio_guest beside --rw=randwrite --bs=4k --size=16M --offset=64M \
	--name=trim $FIO --rw=randtrim --bs=64k --size=32M --offset=128M
debian_ssh "dd if=/dev/disk/by-id/virtio-DATA bs=1M skip=128 count=32 iflag=direct status=none | cmp -n $((32 << 20)) - /dev/zero"
[ "$(stat -c %b "$DEBIAN_DIR/data.img")" -lt $((full - (15 << 20) / 512)) ] || fail "what was discarded is still there"

step "iperf3 on a tap: both ways, two queues"
nic_works $LAN_MAC $LAN_HOST br-lan tap
step "iperf3 by vhost: 9000 bytes a packet"
ip link set br-fast mtu 9000
equal "MTU in the guest" "$(debian_ssh cat "/sys/class/net/$(debian_if $FAST_MAC)/mtu")" 9000
expect "large packets" host_tool ping -q -A -c 200 -M "do" -s 8972 -w 60 $FAST_GUEST
nic_works $FAST_MAC $FAST_HOST br-fast vhost

step "the end"
expect "stop" "$FAIRLEAD" stop --grace 120 deb
debian_ended deb
step "what fio wrote is in the image, as the host's fio finds it"
: >"$TOOLS/tmp/data.img"
mount --bind "$DEBIAN_DIR/data.img" "$TOOLS/tmp/data.img"
expect "fio" host_tool fio --name=hold --filename=/tmp/data.img --randseed=7 --verify=crc32c --verify_fatal=1 \
	--rw=randwrite --bs=4k --size=24M --offset=0 --verify_only

host_quiet
netd_stop
