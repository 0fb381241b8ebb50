#!/bin/bash
# Packets beside QEMU, by NIC of the VMM's own: virtio on a tap, the same by vhost, an 82540EM. What a stream takes of
# all that guest, VMM and both kernels do, exits to userspace a round trip, and what a VMM with all kinds of devices
# weighs.
# lab: devices=igb time=icount iommufd=no timeout=1200 quiet=150 tries=24
# check: long
#
# For each kind a guest of each, with a VF, a disk and the three NICs, each on a tap of its own; QEMU's without VF and
# disk. The emulator loses many of them (README.md): what was measured is kept for the next try. Under icount a
# nanosecond is an instruction, and what L1's only processor has run for its tasks (/proc/schedstat), guest and VMM
# among them, is all that was executed without its idling: a KiB is the difference of a long and a short stream. Pings
# are too small for that: what else runs meanwhile is as much. "VMM NAME VALUE" lines are in $LAB_LOG/kept/figures.
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"

KINDS="virtio vhost e1000"
PINGS=100
FIGURES=$LAB_LOG/kept/figures MEASURED=/run/figures
declare -A NET=([virtio]=10.0.2 [vhost]=10.0.3 [e1000]=10.0.4)
declare -A MAC=([virtio]=02:fa:ad:00:00:01 [vhost]=02:fa:ad:00:00:02 [e1000]=02:fa:ad:00:00:03)

figure() { echo "$1 $2 $3" | tee -a "$MEASURED" | sed 's/^/       /'; } # VMM NAME VALUE
of() { awk -v v="$1" -v n="$2" '$1 == v && $2 == n { print $3 }' "$FIGURES"; } # VMM NAME

tap() { # KIND: one queue, as QEMU opens it
	ip tuntap add dev "t-$1" mode tap vnet_hdr
	at_end ip link del "t-$1"
	echo 1 >"/proc/sys/net/ipv6/conf/t-$1/disable_ipv6" 2>/dev/null || true
	ip addr add "${NET[$1]}.2/24" dev "t-$1"
	ip link set "t-$1" up
}

# The guest's NIC of that kind, by its address: up while it is measured, for an idle one has timers, too.
guest_nic() { # VMM KIND up|down
	tell "$1" 30 "for d in /sys/class/net/*; do if grep -qi ${MAC[$2]} \$d/address; then n=\${d##*/}; fi; done; echo 1 >/proc/sys/net/ipv6/conf/\$n/disable_ipv6; ip link set \$n $3; ip addr add ${NET[$2]}.15/24 dev \$n 2>/dev/null; true"
	[ "$3" = down ] || wait_for 20 "answer of the guest by $2" busybox ping -c 1 -W 1 "${NET[$2]}.15"
}

# What tasks have run, ns: up to this one's beginning.
busy_ns() { awk '/^cpu0 / { print $8 }' /proc/schedstat; }

round_trips() { # VMM KIND
	kvm_exits_start
	busybox ping -q -A -c $PINGS -s 56 -W 5 "${NET[$2]}.15" >/run/ping 2>&1 || true
	grep -q ' 0% packet loss' /run/ping || fail "$2: $(tail -n 2 /run/ping)"
	figure "$1" "$2-ping-mmio-exits" "$(kvm_exits_stop | awk -v n=$PINGS '
		$1 == "userspace-exits.mmio" { e = $2 } END { printf "%.1f", int(e / n * 10) / 10 }')"
}

# The guest sends: what L1 has, has come.
stream_ns() { # VMM KIND MIB: sets $ns
	local began bytes=$(($3 << 20)) got
	tell "$1" 60 "head -c $bytes /dev/zero >/out; (nc -l -p 5001 </out >/dev/null 2>&1 &) ; sleep 1"
	began=$(busy_ns)
	got=$(timeout 120 bash -c "exec 3<>/dev/tcp/${NET[$2]}.15/5001; head -c $bytes <&3 | wc -c")
	ns=$(($(busy_ns) - began))
	equal "bytes out by $2" "$got" "$bytes"
}

# How TCP bunches what it sends differs from stream to stream: the median of three says what a KiB takes.
streams() { # VMM KIND
	local few i each=()
	for i in 1 2 3; do
		stream_ns "$1" "$2" 1
		few=$ns
		stream_ns "$1" "$2" 9
		each+=($(((ns - few) / 8192)))
	done
	note "$2: ${each[*]}"
	figure "$1" "$2-tcp-out-insns-a-kib" "$(printf '%s\n' "${each[@]}" | sort -n | sed -n 2p)"
}

# Whole, or not at all.
measure() { # VMM KIND BOOT...
	step "$1: $2"
	if [ -n "$(of "$1" "$2-tcp-out-insns-a-kib")" ]; then
		note "by an earlier try"
		return
	fi
	: >"$MEASURED"
	"${@:3}"
	guest_nic "$1" "$2" up
	round_trips "$1" "$2"
	streams "$1" "$2"
	[ "$1" != fairlead ] || [ "$2" != e1000 ] || figure fairlead pss-kib "$(vmm_pss "$(guest_pid fairlead)")"
	off "$1"
	cat "$MEASURED" >>"$FIGURES"
}

boot_qemu() { guest_start qemu-q35 "${PEER[@]}" && guest_expect qemu-q35 60 ready; }
boot_ours() {
	boot fairlead group --device "$vf@4" --disk /run/disk@5 --vconsole 6 --nic "virtio@1,t-virtio" \
		--nic "virtio@2,t-vhost,vhost" --nic "e1000@3,t-e1000"
}
qemu_nic() { # KIND DEVICE[,vhost]
	PEER+=(-device "pcie-root-port,id=rp-$1,chassis=$((${#PEER[@]})),slot=$((${#PEER[@]}))"
		-netdev "tap,id=n-$1,ifname=t-$1,script=no,downscript=no,vhost=$3"
		-device "$2,bus=rp-$1,netdev=n-$1,mac=${MAC[$1]},romfile=")
}

touch "$FIGURES"
device_initrd
warm "$L2_KERNEL" "$DEVICE_INITRD"
modprobe tun
modprobe vhost_net
echo 0 >/sys/module/kvm/parameters/halt_poll_ns # waiting is no work
step "a VF, a disk, three taps"
pf=$(pf_igb)
carve_vfs "$pf" 1
vf=$(pci_vf "$pf" 0)
bind_vfio "$vf"
truncate -s 64M /run/disk
for k in $KINDS; do tap "$k"; done

PEER=("${QEMU_COMMAND[@]}" -accel kvm -cpu host -M "q35,kernel-irqchip=on" -smp 1 -m 512M -nodefaults
	-display none -name "guest,debug-threads=on" -serial stdio -no-reboot -kernel "$L2_KERNEL" -initrd "$DEVICE_INITRD" -append "$(guest_cmdline fl.mode=idle)")
qemu_nic virtio virtio-net-pci off
qemu_nic vhost virtio-net-pci on
qemu_nic e1000 e1000 off
for k in $KINDS; do
	measure qemu-q35 "$k" boot_qemu
	measure fairlead "$k" boot_ours
done

step "the aims"
# KIND PERCENT: of a KiB, nearly all is the guest's and L1's TCP. By virtio, where a VMM's part is least, how TCP bunches
# moves the median by a fifth either way.
at_most() {
	[ $(($(of fairlead "$1-tcp-out-insns-a-kib") * 100)) -le $(($(of qemu-q35 "$1-tcp-out-insns-a-kib") * $2)) ] ||
		fail "$1: a KiB out takes more than $2 % of QEMU's"
}
at_most virtio 125
at_most e1000 100
equal "exits to userspace a ping by vhost" "$(of fairlead vhost-ping-mmio-exits)" 0.0
[ "$(of fairlead pss-kib)" -le 4096 ] || fail "the VMM weighs $(of fairlead pss-kib) KiB beside RAM"
