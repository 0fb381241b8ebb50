#!/bin/bash
# Images that go bad under a running guest: full, cut off, without a name, and a block device that vanishes. Each is an
# error of that disk and told once with its reason; the disk beside them stays whole, and so does what was written.
# lab: devices=none timeout=240 quiet=60 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"
. "$LAB_DIR/lib-disk.sh"

export FAIRLEAD_VMM=${FAIRLEAD_VMM:-$PWD/build/fairlead-vmm}
MIB=$((1 << 20))

# What is read comes from the disk, what is written has got there: not from the guest's cache, nor into it.
FRESH="echo 3 >/proc/sys/vm/drop_caches;"
reads() { tell bad 30 "$FRESH dd if=/dev/$1 of=/dev/null bs=64k skip=$2 count=$3 2>/dev/null"; }
reads_not() { tell bad 30 "$FRESH ! dd if=/dev/$1 of=/dev/null bs=64k skip=$2 count=$3 2>/dev/null"; }
writes() { tell bad 30 "dd if=/dev/zero of=/dev/$1 bs=64k seek=$2 count=$3 conv=fsync 2>/dev/null"; }
writes_not() { tell bad 30 "! dd if=/dev/zero of=/dev/$1 bs=64k seek=$2 count=$3 conv=fsync 2>/dev/null"; }
is_said() { grep -A4 "disk $1:" "$LAB_LOG/bad.log" | grep -q "$2"; }
said() { wait_for 5 "word of $1: \"$2\"" is_said "$1" "$2"; } # DISK WORDS
debug_disk() { # scsi_debug's
	local d
	for d in /sys/block/sd*; do
		[[ $(readlink -f "$d") != */pseudo* ]] || { echo "${d##*/}" && return; }
	done
	return 1
}
vmm_is_well() { # and so is the disk that nothing happens to
	kill -0 "$(guest_pid bad)" || fail "the VMM has ended"
	tell bad 60 "l2-tool disk /dev/vda fill $MIB"
	disk_is "$good" $MIB || fail "see above"
}

step "a good image; one on a file system of 8 MiB; one to be cut; one to be removed; a block device"
modprobe sd_mod
modprobe scsi_debug dev_size_mb=32
wait_for 10 "the block device" debug_disk
debug=$(debug_disk)
good=$(image good.img $((16 * MIB)))
mkdir /run/small
mount -t tmpfs -o size=8m small /run/small
full=$(image small/full.img $((16 * MIB)))
cut=$(image cut.img $((16 * MIB)))
gone=$(image gone.img $((16 * MIB)))
device_initrd
boot bad group --disk "$good@1" --disk "$full@2" --disk "$cut@3" --disk "$gone@4" --disk "/dev/$debug@5"
ask bad 20 sh stty -F /dev/console -echo
vmm_is_well

step "full: what there is no room for fails; with room again it goes on"
writes vdb 0 16
head -c $((8 * MIB)) /dev/zero >/run/small/filler 2>/dev/null || true
writes_not vdb 64 16
said disk1 "No space left"
reads vdb 0 16
rm /run/small/filler
writes vdb 64 16
vmm_is_well

step "cut off: what is behind the end cannot be read, what is before it can"
writes vdc 0 256
truncate -s $((4 * MIB)) "$cut"
reads vdc 0 64
reads_not vdc 128 16
said disk2 "the file ends before"
truncate -s $((16 * MIB)) "$cut"
reads vdc 128 16
vmm_is_well

step "removed: it is the guest's until its end"
rm "$gone"
writes vdd 0 256
reads vdd 0 256
vmm_is_well

step "the block device vanishes"
writes vde 0 64
echo 1 >"/sys/block/$debug/device/delete"
reads_not vde 0 16
writes_not vde 0 16
vmm_is_well

step "the guest ends as it should"
off bad
host_quiet
umount /run/small
