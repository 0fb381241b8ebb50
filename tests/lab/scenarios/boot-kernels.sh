#!/bin/bash
# Kernels of two compressions, decompressed by netd for the second start: entered directly, each time at other addresses.
# lab: devices=none timeout=420 quiet=60 tries=2
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

KEPT=/var/cache/fairlead/kernels
OLD=$FAIRLEAD_CACHE/6.1

policy() { # FILE
	{
		echo "version: 1"
		echo "guests:"
		guest demo "$L2_KERNEL" "$L2_INITRD"
		guest fixed "$L2_KERNEL" "$L2_INITRD" " nokaslr"
		guest old "$OLD/vmlinuz" "$OLD/l2.img" "" "kernel-decompression: host"
		guest own "$L2_KERNEL" "$L2_INITRD" "" "kernel-decompression: guest"
		guest none "$L2_INITRD" "$L2_INITRD" "" "kernel-decompression: host"
	} >"$1"
}

guest() { # NAME KERNEL INITRD [WORDS [LINE]]
	cat <<-END
		  - name: $1
		    memory: 512M
		    kernel: $2
		    initrd: $3
		    cmdline: "console=ttyS0 panic=-1 quiet fl.mode=idle${4:-}"
		    ${5:-}
	END
}

# What the VMM was given of a kernel that netd has decompressed.
unpacked() { # NAME
	local fd
	for fd in "/proc/$(guest_pid "$1")/fd"/*; do
		readlink "$fd"
	done | grep "^$KEPT/" || true
}

kept() { find "$KEPT" -regextype egrep -regex '.*/[0-9a-f]{64}' | wc -l; }
is_made() { grep -q "of guest $1 is decompressed from its next start on" "$NETD_LOG"; }

# ask NAME WHAT COMMAND: its answer.
ask() {
	guest_send "$1" "sh echo FL-GUEST\\: $2 \$($3)"
	guest_expect "$1" 30 "$2 "
	guest_said "$1" "$2 " | cut -d' ' -f2-
}

boots() { [ "$(grep -c 'FL-GUEST: ready' "$LAB_LOG/$1.log")" -ge "$2" ]; }

# addresses NAME COUNT: of the kernel in virtual and physical memory, and of a module.
addresses() {
	ask "$1" "virtual$2" "grep -m1 ' _text\$' /proc/kallsyms | cut -d' ' -f1"
	ask "$1" "physical$2" "grep -m1 'Kernel code' /proc/iomem"
	ask "$1" "module$2" "cut -d' ' -f6 /proc/modules | head -n 1"
}

healthy() { # NAME COUNT
	equal "complaints of the kernel of $1" \
		"$(ask "$1" "bad$2" "{ dmesg | grep -E 'BUG:|Oops|WARNING: CPU|Call Trace'; echo none; } | head -n 1")" none
	guest_send "$1" "sh modprobe -a virtio_blk virtio_net && echo FL-GUEST\\: modules$2 \$?"
	guest_expect "$1" 30 "modules$2 0"
}

stop() { # NAME
	guest_send "$1" off
	guest_wait "$1" 60
}

step "the daemon, a policy of kernels"
rm -f "$NETD_LOG"
netd_start
policy /run/policy.yaml
expect "check" "$FAIRLEAD" check /run/policy.yaml
expect "apply" "$FAIRLEAD" apply /run/policy.yaml
equal "folder" "$(stat -c '%U %a' "$KEPT")" "root 700"
equal "kept" "$(kept)" 0

step "the first start decompresses by itself, and netd meanwhile"
run_guest first demo
equal "given" "$(unpacked first)" ""
wait_for 120 "kernel kept" is_made demo
equal "kept" "$(kept)" 1
stop first

step "the second does not; a reset: other addresses"
run_guest second demo
equal "given" "$(unpacked second | wc -l)" 1
a=$(addresses second 1)
healthy second 1
guest_send second "sh reboot -f"
wait_for 60 "second boot" boots second 2
b=$(addresses second 2)
healthy second 2
stop second
note "$(paste -d' ' -s <<<"$a")"
note "$(paste -d' ' -s <<<"$b")"
for i in 1 2 3; do
	[ "$(sed -n ${i}p <<<"$a")" != "$(sed -n ${i}p <<<"$b")" ] || fail "after the reset as before: $(sed -n ${i}p <<<"$a")"
done

step "nokaslr"
run_guest fixed fixed
equal "given" "$(unpacked fixed | wc -l)" 1
c=$(addresses fixed 1)
equal "virtual" "$(sed -n 1p <<<"$c")" ffffffff81000000
[[ $(sed -n 2p <<<"$c") == 01000000-* ]] || fail "physical: $c"
healthy fixed 1
stop fixed

step "an entry that was changed is made anew"
hash=$(find "$KEPT" -regextype egrep -regex '.*/[0-9a-f]{64}')
chmod 600 "$hash"
printf x | dd of="$hash" bs=1 seek=1000000 conv=notrunc status=none
: >"$NETD_LOG"
run_guest third demo
equal "given" "$(unpacked third)" ""
wait_for 120 "kernel kept" is_made demo
stop third
run_guest fourth demo
equal "given" "$(unpacked fourth | wc -l)" 1
stop fourth

step "the guest's own affair, if the policy says so"
run_guest own own
equal "given" "$(unpacked own)" ""
stop own

step "Linux 6.1 (xz), whose first start waits for it"
if [ -e "$OLD/vmlinuz" ]; then
	run_guest old old
	equal "given" "$(unpacked old | wc -l)" 1
	addresses old 1 | paste -d' ' -s | sed 's/^/       /'
	healthy old 1
	stop old
	equal "kept" "$(kept)" 2
fi

step "what is no kernel is refused"
if "$FAIRLEAD" run none >/run/none 2>&1; then fail "it was started"; fi
grep -q FL-0651 /run/none || fail "$(cat /run/none)"
sed 's/^/       /' /run/none
netd_stop
