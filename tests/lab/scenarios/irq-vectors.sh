#!/bin/bash
# A vector masked, unmasked, its message rewritten: what each costs, beside QEMU and kvmtool.
# lab: devices=igb time=icount iommufd=no timeout=600 quiet=150 tries=3
# check: long
#
# irq-vectors.sh [KVMTOOL]
#
# l2-tool in the guest works on an armed entry of a VF's table with no driver at it: COUNT pairs of
# mask and unmask, COUNT rewrites as Linux' pci_write_msg_msix() does them (mask, three dwords,
# unmask, one read), once with the same message and once with another each time. Under icount the
# guest's clock counts instructions of guest, VMM and both kernels together, of whatever else runs
# too: the median of the COUNT is the figure. "VMM NAME VALUE" lines go to $LAB_LOG/figures.
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"

FN=0000:01:00.0 # behind the first root port
COUNT=${COUNT:-400}
LKVM=${1:-}
SILENCE=/run/silence # a pipe that nobody writes

figure() { echo "$1 $2 $3" | tee -a "$LAB_LOG/figures" | sed 's/^/       /'; } # VMM NAME VALUE

exits_of() { # BAR accesses: not those of the console, through which the guest is asked
	hist_total kvm_userspace_exit
	sed -n 's/^{ *reason: *6, *errno: *0 *} *hitcount: *\([0-9]*\).*/\1/p' "$TRACE/kvm_userspace_exit/hist"
}

# Nobody looks whether it is done before it is: a look is two programs on the only processor.
work() { # VMM WORD
	guest_send "$1" "sh l2-tool msix $fn 0 $2 $COUNT"
	read -rt 2 _ <>"$SILENCE" || true
	tell "$1" 60 true
}

# measure VMM NAME WORD: instructions each, and then, as counting costs some, exits for memory
measure() {
	local vmm=$1 what=$3 mmio
	work "$vmm" "$what"
	figure "$vmm" "$2-insns" "$(said_last "$vmm" "msix $what" | sed 's/.* //')"
	figure "$vmm" "$2-mean-insns" "$(said_last "$vmm" "msix $what" | sed 's/.*mean ns \([0-9]*\).*/\1/')"
	kvm_exits_start
	work "$vmm" "$what"
	mmio=$(exits_of | tail -n 1)
	kvm_exits_clear
	# Beyond the tool's own few: to the nearest tenth.
	figure "$vmm" "$2-exits" "$(awk -v n="$mmio" -v c="$COUNT" 'BEGIN { printf "%.1f", int(n / c * 10) / 10 }')"
}

all() { # VMM
	fn=$FN
	[ "$1" != kvmtool ] || fn=0000:00:$(kvmtool_slot "$1")
	step "$1: an entry of the vector table"
	tell "$1" 20 "echo $fn >/sys/bus/pci/devices/$fn/driver/unbind; echo 1 >/sys/bus/pci/devices/$fn/enable"
	end_step ok
	measure "$1" mask-pair toggle
	measure "$1" rewrite rewrite
	measure "$1" move move
}

# Its functions are on bus 0, among its own devices.
kvmtool_slot() {
	tell "$1" 20 "for d in /sys/bus/pci/devices/*; do grep -q 0x10ca \$d/device && echo FL-GUEST: vf \${d##*/}; done; true"
	said_last "$1" vf | sed 's/.*0000:00://'
}

rm -f "$LAB_LOG/figures" "$SILENCE"
mkfifo "$SILENCE"
device_initrd
warm "$L2_KERNEL" "$DEVICE_INITRD"
step "carve a VF"
pf=$(pf_igb)
carve_vfs "$pf" 1
vf=$(pci_vf "$pf" 0)
bind_vfio "$vf"

step "fairlead boots"
boot fairlead group --device "$vf"
all fairlead
off fairlead

step "QEMU boots"
boot_peer qemu-q35 "$vf"
all qemu-q35
off qemu-q35

if [ -n "$LKVM" ]; then
	step "kvmtool boots"
	# It reads its console only from a terminal, and little at a time.
	GUEST_TYPIST[kvmtool]=slow
	guest_start kvmtool script -qfec "$LKVM run -k $L2_KERNEL -i $DEVICE_INITRD -c 1 -m 512 -n mode=none \
		--console serial -p '$(guest_cmdline fl.mode=idle)' --vfio-pci $vf" /dev/null
	guest_expect kvmtool 120 ready
	all kvmtool
	guest_kill kvmtool # its guest has no power button
else
	note "kvmtool skipped: no path to one was given (LKVM=... make bench)"
fi

step "mask and unmask, rewriting: against the peers"
of() { awk -v v="$1" -v n="$2" '$1 == v && $2 == n { print $3 }' "$LAB_LOG/figures"; }
above() { # NAME PEER RATIO: more than that, and it is said
	awk -v a="$(of fairlead "$1")" -v b="$(of "$2" "$1")" -v r="$3" 'BEGIN { exit a <= b * r }' &&
		echo "$1: $(of fairlead "$1"), more than $3 of $2's $(of "$2" "$1")"
}
! text=$(above mask-pair-insns qemu-q35 0.70) || fail "$text"
# kvmtool unties the irqfd and lets the device go on, which costs less than to mask the device: the
# figure is published, and it is no failure of this run.
[ -z "$LKVM" ] || ! text=$(above mask-pair-insns kvmtool 0.85) || note "missed: $text"
awk -v n="$(of fairlead move-exits)" 'BEGIN { exit !(n <= 3) }' || fail "a rewrite exits $(of fairlead move-exits) times"
