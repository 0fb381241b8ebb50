#!/bin/bash
# A VMM that is killed in the middle of writes: whatever the guest was told is written, is in the image.
# lab: devices=none timeout=2400 quiet=60 tries=2
# check: long
#
# own-blk-kill.sh [ROUNDS]
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"
. "$LAB_DIR/lib-disk.sh"

export FAIRLEAD_VMM=${FAIRLEAD_VMM:-$PWD/build/fairlead-vmm}
ROUNDS=${1:-50}
BYTES=$((4 << 20))

# Record i lies at place i modulo their number; those told are there, or were overwritten by later ones.
log_holds() { # IMAGE LAST-TOLD
	python3 - "$1" "$BYTES" "$2" <<-'EOF2'
		import struct, sys
		image, size, told = open(sys.argv[1], "rb").read(), int(sys.argv[2]), int(sys.argv[3])
		n = size // 4096
		for i in range(max(1, told - n + 1), told + 1):
		    record = image[i % n * 4096:(i % n + 1) * 4096]
		    place, number = struct.unpack_from("<QQ", record, 0)
		    # A later one may have been under way: its sectors, or this one's.
		    if place != i % n or number not in (i, i + n):
		        sys.exit(f"record {i} of {told} told is lost: {place} {number}")
	EOF2
}

disk_initrd
for ((round = 1; round <= ROUNDS; round++)); do
	step "round $round"
	log=$(image log.img $BYTES)
	boot "kill$round" group --disk "$log@1"
	ask "kill$round" 20 sh stty -F /dev/console -echo
	guest_send "kill$round" "sh l2-tool disk /dev/vda log $BYTES"
	guest_expect "kill$round" 30 "wrote [0-9]"
	sleep 0.$((RANDOM % 90 + 10))
	sleep $((round % 3))
	kill -9 "$(guest_pid "kill$round")"
	sleep 0.5
	told=$(heard_last "kill$round" wrote)
	[ "${told:-0}" -gt 0 ] || fail "the guest wrote nothing"
	log_holds "$log" "$told" || fail "see above"
	rm "$log"
done
