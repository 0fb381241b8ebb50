# L2 guests in L1: the files every VMM boots, the peer VMM, and reading what a guest said.
# Sourced by lib.sh.

. "$LAB_DIR/common.sh"

L2_KERNEL=$LAB_KERNEL_DIR/vmlinuz
L2_INITRD=$LAB_KERNEL_DIR/l2.img

guest_cmdline() { # fl.* words...
	echo "console=ttyS0 panic=-1 quiet $*"
}

# guest_said LOG PATTERN: the rest of the first FL-GUEST line that matches, or nothing.
guest_said() {
	tr -d '\r' <"$1" | sed -n "s/^.*FL-GUEST: \($2.*\)/\1/p" | head -n 1
}

guest_saying() { [ -n "$(guest_said "$1" "$2")" ]; }

# Waits for a guest to end by itself. A silent guest is ended, not waited for to the last second.
guest_wait() { # PID LOG SECONDS
	local until=$(($(uptime_ms) + $3 * 1000))
	while kill -0 "$1" 2>/dev/null; do
		if grep -qa 'Kernel panic' "$2"; then
			kill -9 "$1"
			fail "guest: $(grep -am 1 'Kernel panic' "$2")"
		fi
		if [ "$(uptime_ms)" -ge "$until" ]; then
			kill -9 "$1"
			fail "guest still runs after $3 s; its console ends: $(tail -n 3 "$2")"
		fi
		sleep 0.1
	done
	wait "$1"
}

# Arguments of the peer's machine, equal for all scenarios that compare with it. Result in PEER.
peer_qemu() { # DEVICE-ADDRESS WORDS-FOR-GUEST
	local host=host=$1
	PEER=(-accel kvm -cpu host -M q35,kernel-irqchip=on -smp 1 -m 512M -nodefaults -display none
		-serial stdio -no-reboot -kernel "$L2_KERNEL" -initrd "$L2_INITRD"
		-append "$(guest_cmdline "$2")")
	if [ "$LAB_IOMMUFD" = yes ]; then
		PEER+=(-object iommufd,id=iommufd0)
		host+=,iommufd=iommufd0
	fi
	PEER+=(-device pcie-root-port,id=rp1,chassis=1,slot=1 -device "vfio-pci,$host,bus=rp1,rombar=0")
}
