#!/bin/bash
# What stock kernels complain of in our machine, beside QEMU's q35: each line that only ours has is explained in
# docs/machine.md, or it is a failure.
# lab: devices=none timeout=400 quiet=90 tries=3
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-device.sh"

# Errors and warnings of the kernel's own: emergency is 0, warning 4. Numbers of time go.
complaints() { # NAME
	tell "$1" 30 "dmesg -r | grep '^<[0-4]>' | sed 's/^/FL-GUEST: log /'"
	heard "$1" log | sed -E 's/^<[0-9]>\[ *[0-9.]+\] //' >"$LAB_LOG/$1.warn"
}

# Suspend to idle, of which only its own console can wake it: armed, asleep, woken by a line.
sleeps() { # NAME
	tell "$1" 10 "grep -qxF '[s2idle]' /sys/power/mem_sleep && echo enabled >/sys/class/tty/ttyS0/power/wakeup"
	guest_send "$1" "sh echo FL-GUEST: sl''eeps; echo freeze >/sys/power/state; echo FL-GUEST: aw''ake \$?"
	guest_expect "$1" 10 sleeps
	sleep 2
	equal "awake of $1 before it was woken" "$(guest_said "$1" awake)" ""
	guest_send "$1" ""
	guest_expect "$1" 10 "awake 0"
	tell "$1" 10 true
}

# Regular expressions of the table in docs/machine.md: | `regex` | why |
explained() { sed -n '/^## What Linux says/,/^## /s/^| `\([^`]*\)` |.*/\1/p' docs/machine.md; }

# Addresses and times differ from boot to boot.
plain() { sed -E 's/0x[0-9a-f]+/0x/g; s/[0-9]+\.[0-9]+//g'; }

compare() { # VERSION
	local line re known bad=0
	plain <"$LAB_LOG/qemu-$1.warn" >/run/qemu.warn
	while IFS= read -r line; do
		if grep -qxF -- "$(plain <<<"$line")" /run/qemu.warn; then
			note "both: $line"
			continue
		fi
		known=
		while IFS= read -r re; do
			if grep -qE -- "$re" <<<"$line"; then known=yes; fi
		done < <(explained)
		note "${known:+explained}${known:-NOT EXPLAINED}: $line"
		[ -n "$known" ] || bad=$((bad + 1))
	done <"$LAB_LOG/ours-$1.warn"
	note "$1: $(wc -l <"$LAB_LOG/ours-$1.warn") line(s), QEMU $(wc -l <"$LAB_LOG/qemu-$1.warn")"
	equal "lines of $1 that are not explained" "$bad" 0
}

for version in 6.12 6.1; do
	[ -e "$FAIRLEAD_CACHE/$version/vmlinuz" ] || continue
	L2_KERNEL=$FAIRLEAD_CACHE/$version/vmlinuz
	L2_INITRD=$FAIRLEAD_CACHE/$version/l2.img
	step "$version: ours"
	guest_start "ours-$version" "$LAB_DIR/vmm-launch" --initrd "$L2_INITRD" --rng 1 \
		"$L2_KERNEL" "$(guest_cmdline fl.mode=idle)"
	guest_expect "ours-$version" 60 ready
	complaints "ours-$version"
	sleeps "ours-$version"
	off "ours-$version"
	step "$version: QEMU"
	peer_machine fl.mode=idle
	PEER+=(-device virtio-rng-pci,bus=rp1)
	guest_start "qemu-$version" "${PEER[@]}"
	guest_expect "qemu-$version" 90 ready
	complaints "qemu-$version"
	off "qemu-$version"
	step "$version: what only ours says"
	compare "$version"
done
