#!/bin/bash
# Other ways to boot, each with a reset: an ELF kernel by PVH, and two CPUs by bzImage. What each finds of a clock.
# lab: devices=none timeout=180 quiet=45 tries=2
. "$LAB_DIR/lib.sh"

export FAIRLEAD_VMM=${FAIRLEAD_VMM:-$PWD/build/fairlead-vmm}

# The ELF inside a bzImage, by the header's payload offset and length (boot protocol 2.08).
unpack_kernel() { # BZIMAGE ELF
	python3 - "$1" <<-'EOF' | zstd -dqc 2>/dev/null >"$2" || true # the length field behind the stream is not zstd
		import struct, sys
		image = open(sys.argv[1], "rb").read()
		at, size = struct.unpack_from("<II", image, 0x248)
		at += ((image[0x1f1] or 4) + 1) * 512
		sys.stdout.buffer.write(image[at:at + size])
	EOF
	[ "$(head -c 4 "$2" | tail -c 3)" = ELF ] || skip "this kernel is not packed by zstd"
}

boots() { # NAME COUNT
	[ "$(grep -c 'FL-GUEST: ready' "$LAB_LOG/$1.log")" -ge "$2" ]
}

# The host's time, to some seconds; an alarm in two is an interrupt.
clock_works() { # NAME
	local rtc=/sys/class/rtc/rtc0 now driver off
	guest_send "$1" "sh echo FL-GUEST\\: clock \$(cat $rtc/since_epoch) \$(cat $rtc/name)"
	guest_expect "$1" 20 clock
	read -r _ now driver _ <<<"$(guest_said "$1" clock)"
	equal "the clock's driver" "$driver" rtc_cmos
	off=$((now - $(date +%s)))
	[ ${off#-} -le 5 ] || fail "the guest's clock is $off s off"
	guest_send "$1" "sh echo +2 >$rtc/wakealarm; sleep 4; echo FL-GUEST\\: alarms \$(awk '/rtc/ { for (i = 2; \$i ~ /^[0-9]+\$/; i++) n += \$i } END { print n + 0 }' /proc/interrupts)"
	guest_expect "$1" 20 alarms
	equal "alarms" "$(guest_said "$1" alarms)" "alarms 1"
}

boot_twice() { # NAME CPUS KERNEL
	guest_start "$1" tests/lab/vmm-launch --cpus "$2" --initrd "$L2_INITRD" "$3" \
		"$(guest_cmdline fl.mode=idle)"
	guest_expect "$1" 60 ready
	# The backslash, so that the echo of what is typed is not taken for the answer.
	guest_send "$1" "sh echo FL-GUEST\\: cpus \$(nproc)"
	guest_expect "$1" 20 "cpus"
	equal "CPUs in the guest" "$(guest_said "$1" cpus)" "cpus $2"
	clock_works "$1"
	guest_send "$1" "sh reboot -f"
	wait_for 60 "second boot" boots "$1" 2
	guest_send "$1" off
	guest_wait "$1" 30
}

step "an ELF kernel by PVH"
unpack_kernel "$L2_KERNEL" /run/vmlinux
boot_twice pvh 1 /run/vmlinux

step "two CPUs"
boot_twice smp 2 "$L2_KERNEL"
