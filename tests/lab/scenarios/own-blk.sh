#!/bin/bash
# A stock guest with disks of the VMM's own: what it wrote is in the images, what it discards is given back.
# lab: devices=none timeout=240 quiet=60 tries=2
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"
. "$LAB_DIR/lib-disk.sh"

export FAIRLEAD_VMM=${FAIRLEAD_VMM:-$PWD/build/fairlead-vmm}
MIB=$((1 << 20))

step "three images: one plain, one with a serial, one read-only; and a block device"
plain=$(image plain.img $((64 * MIB)))
serial=$(image serial.img $((32 * MIB)))
fixed=$(image fixed.img $((1 * MIB)))
head -c $MIB /dev/urandom >"$fixed"
sum=$(sha256sum <"$fixed")
modprobe loop
loop=$(losetup --find --show --sector-size 4096 "$(image loop.img $((32 * MIB)))")
at_end losetup -d "$loop"
disk_initrd
boot blk group --disk "$plain@1" --disk "$serial@2,\"serial\": \"FL-0123456789\"" \
	--disk "$fixed@3,\"read_only\": true" --disk "$loop@4"

# What is typed ahead would be echoed into the answers.
ask blk 20 sh stty -F /dev/console -echo

step "what the guest finds"
for i in a b c d; do
	for f in serial size ro queue/logical_block_size queue/write_cache queue/discard_granularity; do
		ask blk 20 "sh echo FL-GUEST\\: vd$i ${f#queue/} \$(cat /sys/block/vd$i/$f)"
	done
done
equal "serial of the first, its name" "$(heard_last blk 'vda serial')" disk0
equal "serial of the second" "$(heard_last blk 'vdb serial')" FL-0123456789
equal "sectors of the first" "$(heard_last blk 'vda size')" $((64 * MIB / 512))
equal "the third is read-only" "$(heard_last blk 'vdc ro')" 1
equal "the first is not" "$(heard_last blk 'vda ro')" 0
equal "block of an image" "$(heard_last blk 'vda logical_block_size')" 512
equal "block of the block device" "$(heard_last blk 'vdd logical_block_size')" 4096
equal "cache" "$(heard_last blk 'vda write_cache')" "write back"
equal "granularity of discards" "$(heard_last blk 'vda discard_granularity')" 4096

step "sectors written by the guest are in the image"
tell blk 60 "l2-tool disk /dev/vda fill $((16 * MIB))"
disk_is "$plain" $((16 * MIB)) || fail "see above"
tell blk 60 "l2-tool disk /dev/vdd fill $((4 * MIB))"
disk_is /run/loop.img $((4 * MIB)) || fail "see above"

step "read-only: read whole, written not at all"
tell blk 30 "sha256sum /dev/vdc | grep -q ${sum%% *}"
tell blk 30 "! dd if=/dev/zero of=/dev/vdc bs=4096 count=1 conv=fsync 2>/dev/null"
equal "the image" "$(sha256sum <"$fixed")" "$sum"

step "discards give room back"
before=$(stat -c %b "$plain")
tell blk 30 "blkdiscard -o 0 -l $((8 * MIB)) /dev/vda"
equal "512-byte blocks given back" "$((before - $(stat -c %b "$plain")))" $((8 * MIB / 512))
tell blk 30 "blkdiscard -o 0 -l $((2 * MIB)) /dev/vdd"
tell blk 30 "dd if=/dev/vda bs=1M count=8 2>/dev/null | cmp -n $((8 * MIB)) - /dev/zero"

step "a file system: made, filled, trimmed, found whole by the host"
tell blk 60 "for m in /modules/*.ko; do insmod \$m 2>/dev/null; done; grep -q ext4 /proc/filesystems"
tell blk 60 "/sbin/mkfs.ext4 -q -F /dev/vdb && mkdir -p /m && mount -t ext4 /dev/vdb /m"
tell blk 60 "dd if=/dev/urandom of=/m/a bs=1M count=12 2>/dev/null && cp /m/a /m/b && sync && sha256sum /m/b | sed 's/^/FL-GUEST\\: sum /'"
full=$(stat -c %b "$serial")
tell blk 60 "rm /m/a && sync && fstrim /m && umount /m"
[ "$(stat -c %b "$serial")" -lt $((full - 11 * MIB / 512)) ] || fail "fstrim gave nothing back"
e2fsck -fn "$serial" >"$LAB_LOG/e2fsck.log" 2>&1 || fail "$(tail -n 3 "$LAB_LOG/e2fsck.log")"
debugfs -R "cat /b" "$serial" 2>/dev/null | sha256sum >/run/sum
equal "the file, as the host reads it" "$(cut -d' ' -f1 /run/sum)" "$(heard_last blk sum | cut -d' ' -f1)"

step "write-through, as the driver chooses"
tell blk 30 "echo write through >/sys/block/vda/cache_type 2>/dev/null || echo write through >/sys/block/vda/queue/write_cache"
tell blk 60 "l2-tool disk /dev/vda fill $((1 * MIB))"

step "four writers and readers at once, every sector compared"
tell blk 120 "l2-tool disk /dev/vda mix 8 4"
equal "they say" "$(heard_last blk 'disk mix')" ok

off blk
