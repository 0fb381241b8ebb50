#!/bin/bash
# Stock Debian kernels, 6.1, 6.12 and the real-time one, with 1 and 2 CPUs, 256 MB and 6 GB: boot, ping, disk, end.
# lab: devices=none mem=6G timeout=2400 quiet=120 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"
. "$LAB_DIR/lib-net.sh"

export FAIRLEAD_VMM=${FAIRLEAD_VMM:-$FL_BUILD/fairlead-vmm}
MIB=$((1 << 20))

# All there, but what the kernel itself takes. Linux gives out what lies highest first: beyond 4 GiB, if there is.
memory_good() { # NAME MEGABYTES
	local kb
	tell "$1" 10 "echo FL-GUEST: kb \$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)"
	kb=$(heard_last "$1" kb)
	[ "$kb" -gt $(($2 * 1024 * 70 / 100)) ] || fail "$1 has $kb KB of $2 MB"
}

disk_good() { # NAME
	tell "$1" 60 "dd if=/dev/urandom of=/pattern bs=1M count=8 2>/dev/null; dd if=/pattern of=/dev/vda bs=64k conv=fsync 2>/dev/null; echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/vda bs=1M count=8 2>/dev/null | cmp - /pattern"
}

rest_good() { # NAME CPUS: every device has its driver and does its work
	tell "$1" 20 "head -c 64 /dev/hwrng | wc -c | grep -q 64"
	tell "$1" 20 "echo FL-GUEST: over hvc >/dev/hvc0"
	wait_for 20 "words by the virtio console" eval "[ \"\$(heard_last $1 over)\" = hvc ]"
	tell "$1" 10 "[ \$(grep -c ^processor /proc/cpuinfo) = $2 ]"
	tell "$1" 10 "dmesg -r | grep -E '^<[0-4]>' | sed 's/^/FL-GUEST: warns /'"
}

one() { # KERNEL CPUS MEGABYTES
	local name=k$1-$2-$3
	L2_KERNEL=$FAIRLEAD_CACHE/$1/vmlinuz
	DEVICE_INITRD=$FAIRLEAD_CACHE/$1/l2.img
	step "$1 ($(cat "$FAIRLEAD_CACHE/$1/release")), $2 CPU, $3 MB"
	boot "$name" group --cpus "$2" --memory $(($3 * MIB)) --nic virtio@1,t0 --disk "$IMG@2" --rng 3 --vconsole 4
	nic_up "$name"
	pings "$name" 100 56
	pings "$name" 100 1472
	memory_good "$name" "$3"
	disk_good "$name"
	rest_good "$name" "$2"
	note "init after $(guest_said "$name" init | cut -d' ' -f2) s; warnings: $(heard "$name" warns | wc -l)"
	heard "$name" warns | sed 's/^/       /'
	off "$name"
}

for k in 6.1 6.12 rt; do
	[ -e "$FAIRLEAD_CACHE/$k/l2.img" ] || skip "no kernel $k; run: tests/lab/setup long"
done
step "a tap, an image"
modprobe tun
tap_make t0
IMG=/run/disk.img
truncate -s $((64 * MIB)) "$IMG"
for k in ${1:-6.1 6.12 rt}; do
	for cpus in 1 2; do
		for mb in 256 6144; do one $k $cpus $mb; done
	done
done
