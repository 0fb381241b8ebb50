#!/bin/bash
# Start-up, exits and memory of fairlead beside its peers, in one run: the figures of docs/performance.md.
# lab: devices=igb time=icount iommufd=no timeout=600 quiet=150 tries=4
# check: long
#
# figures.sh [KVMTOOL]
#
# The same kernel, initramfs, command line, VF and memory for each, and nothing else: what fairlead gives
# a guest unasked, a source of random numbers and a slot for hot plug, is left out. All files are in the
# page cache, as on a host that starts its second guest: virtual time leaps to the next timer while a file
# is awaited, so it says nothing of reading.
# Figures go to $LAB_LOG/figures as "VMM NAME VALUE" lines; tests/bench/publish makes the table of
# them. kvmtool, which Debian does not package, is skipped aloud when no path to one is given.
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

MAC=02:00:00:00:00:01
WORDS="fl.mode=net-ping fl.linger=3"
ALONE='s|^\( *\)kernel: .*|&\n\1rng: false\n\1hotplug-slots: 0|'
LKVM=${1:-}

figures() { # VMM
	sed "s/^/$1 /" | tee -a "$LAB_LOG/figures" | sed 's/^/       /'
}

# run_one VMM RAM-PATTERN COMMAND...
run_one() {
	local vmm=$1 ram=$2
	shift 2
	step "$vmm boots the guest, which pings"
	kvm_exits_start
	first_entry_start
	guest_start "$vmm" "$@"
	guest_expect "$vmm" 300 'ping'
	local pss
	pss=$(pss_beside "$(guest_pid "$vmm")" "$ram")
	# Vectors in use now; at exit there are none.
	[ "$vmm" != fairlead ] || kill -USR1 "$(guest_pid "$vmm")"
	end_guest "$vmm"
	[ -n "$(guest_said "$vmm" 'ping ok 3/3')" ] || fail "$vmm: $(guest_said "$vmm" 'ping|error'); $(guest_last "$vmm")"
	end_step ok
	{
		echo "exec-to-init-ms $(guest_ms "$vmm" init)"
		echo "guest-uptime-at-init-s $(guest_said "$vmm" init | cut -d' ' -f2)"
		echo "exec-to-ping-ms $(guest_ms "$vmm" ping)"
		kvm_exits_stop
		first_entry_stop
		echo "pss-kib $pss"
	} | figures "$vmm"
}

# As far as init, for what cannot ping: in a microvm the VF's link does not come up.
to_init() { # VMM COMMAND...
	local vmm=$1
	shift
	step "$vmm boots the guest"
	first_entry_start
	guest_start "$vmm" "$@"
	guest_expect "$vmm" 300 init
	guest_kill "$vmm"
	end_step ok
	{
		echo "exec-to-init-ms $(guest_ms "$vmm" init)"
		echo "guest-uptime-at-init-s $(guest_said "$vmm" init | cut -d' ' -f2)"
		first_entry_stop
	} | figures "$vmm"
}

# kvmtool has no power button that the guest could press: its guest halts.
end_guest() { # VMM
	[ "$1" != kvmtool ] || { guest_expect "$1" 100 off; guest_kill "$1"; return; }
	guest_wait "$1" 100
}

# fairlead decompresses a kernel for its second start on: this is the first, of a VMM that ends at once. What is
# kept is in memory then, as the kernel file is for all.
keep_kernel() {
	FAIRLEAD_VMM=/bin/true "$FAIRLEAD" run demo >/dev/null 2>&1 || true
	wait_for 120 "kernel kept" compgen -G "/var/cache/fairlead/kernels/at-*"
}

# Everything a VMM holds but guest RAM, which is the mapping of the guest's size or of that name,
# and device memory.
pss_beside() { # PID PATTERN
	awk -v ram="$2" '
		/^[0-9a-f]+-[0-9a-f]+ /{ name = $0; skip = ($0 ~ ram || $0 ~ /vfio/) }
		/^Size:/ && $2 >= 500000 { skip = 1 }
		/^Pss:/ && !skip { sum += $2 }
		END { print sum }' "/proc/$1/smaps"
}

rm -f "$LAB_LOG/figures"
warm "$L2_KERNEL" "$L2_INITRD" "$FAIRLEAD" "$FAIRLEAD_VMM" "$QEMU_ROOT/usr/bin/qemu-system-x86_64" \
	"$QEMU_ROOT"/usr/share/seabios/*.bin "$QEMU_LIB"/*.so* ${LKVM:+"$LKVM"}
install_images
step "carve, set and bind the VF"
pf=$(pf_igb)
netd_start
policy_with /run/figures.yaml "$WORDS" "$ALONE"
"$FAIRLEAD" apply /run/figures.yaml >"$LAB_LOG/apply" 2>&1 || fail "$(cat "$LAB_LOG/apply")"
vf=$(pci_vf "$pf" 0)
ip link set "$(pci_netdev "$pf")" vf 0 mac $MAC

keep_kernel
run_one fairlead memfd:fairlead "$FAIRLEAD" run --report "$LAB_LOG/report" demo
{
	for f in dma_maps ram_regions resets route_commits set_irqs; do
		echo "$f $(report_field "$LAB_LOG/report" exit $f)"
	done
	echo "vectors_seen $(report_field "$LAB_LOG/report" snapshot vectors)"
} | figures fairlead

# The guest decompresses, as at the first start of each kernel.
policy_with /run/figures.yaml "$WORDS" "$ALONE;"'s|^\( *\)kernel: .*|&\n\1kernel-decompression: guest|'
"$FAIRLEAD" apply /run/figures.yaml >"$LAB_LOG/apply" 2>&1 || fail "$(cat "$LAB_LOG/apply")"
run_one fairlead-guest memfd:fairlead "$FAIRLEAD" run demo
netd_stop

peer_qemu "$vf" "$WORDS"
run_one qemu-q35 'pc.ram' "${PEER[@]}"

if [ -n "$LKVM" ]; then
	run_one kvmtool 'anon-guest-ram' "$LKVM" run -k "$L2_KERNEL" -i "$L2_INITRD" -c 1 -m 512 \
		-n mode=none --console serial -p "$(guest_cmdline "$WORDS")" --vfio-pci "$vf"
else
	note "kvmtool skipped: no path to one was given (LKVM=... make bench)"
fi

sleep 1 # what was killed lets go of the VF
peer_qemu "$vf" "$WORDS" microvm,pcie=on
to_init qemu-microvm "${PEER[@]}"
