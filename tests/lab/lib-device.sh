# A guest that is given functions of any kind: fairlead's VMM without netd, every driver in the
# guest, and l2-tool. Sourced by the scenarios fn-*.sh after lib.sh.
#
#   backends                            those this kernel has: iommufd and group, or group
#   free_function VENDOR:DEVICE [N]     the Nth such function of L1, bound to vfio-pci; its address
#   boot NAME BACKEND VMM-LAUNCH-WORDS...   BOOT_WORDS more for the guest's command line
#   boot_peer NAME ADDRESS...           QEMU with the same functions, for comparison
#   ask NAME SECONDS WORDS...           an order to its console, and its answers waited for
#   tell NAME SECONDS COMMAND...        the same for a shell line; fails unless it ends with 0
#   heard NAME WORD / heard_last NAME WORD    all lines that begin so, or the last, without the word
#   guest_irqs NAME REGEX               interrupts of the guest's lines that match, all CPUs
#   host_irqs ADDRESS                   those the host counted for that function
#   wait_usb_disk NAME                  until the guest has /dev/sda
#   off NAME                            powers off; the VMM must end well

. "$LAB_DIR/lib-fairlead.sh"

L2_TOOL=$FL_BUILD/tests/lab/l2-tool
DEVICE_INITRD=/run/l2-device.img
BOOT_WORDS=

backends() {
	if [ "$LAB_IOMMUFD" = yes ]; then echo "iommufd group"; else echo group; fi
}

# A second archive behind the first: the kernel unpacks both.
device_initrd() {
	[ ! -e "$DEVICE_INITRD" ] || return 0
	[ -x "$L2_TOOL" ] || fail "$L2_TOOL is not built: make tests"
	mkdir -p /run/l2-tool/bin
	cp "$L2_TOOL" /run/l2-tool/bin/
	{ cat "$LAB_KERNEL_DIR/l2-devices.img"; (cd /run/l2-tool && find . | cpio -o -H newc --quiet -R 0:0); } \
		>"$DEVICE_INITRD"
}

free_function() {
	local bdf
	bdf=$(pci_find "$1" | sed -n "${2:-1}p")
	[ -n "$bdf" ] || fail "no function $1${2:+, number $2,} among $LAB_DEVICES"
	bind_vfio "$bdf"
	echo "$bdf"
}

boot() {
	local name=$1 backend=$2
	shift 2
	[ "$backend" != group ] || set -- --group "$@"
	device_initrd
	rm -f "$LAB_LOG/$name.report"
	: >"$LAB_LOG/$name.report"
	guest_start "$name" "$LAB_DIR/vmm-launch" --report "$LAB_LOG/$name.report" "$@" \
		--initrd "$DEVICE_INITRD" "$L2_KERNEL" "$(guest_cmdline fl.mode=idle "$BOOT_WORDS")"
	guest_expect "$name" 120 ready
}

boot_peer() {
	local name=$1 n=1 bdf
	shift
	device_initrd
	peer_qemu "$1" "fl.mode=idle $BOOT_WORDS"
	local i
	for i in "${!PEER[@]}"; do
		[ "${PEER[i]}" != "$L2_INITRD" ] || PEER[i]=$DEVICE_INITRD
	done
	shift
	for bdf in "$@"; do
		n=$((n + 1))
		PEER+=(-device "pcie-root-port,id=rp$n,chassis=$n,slot=$n"
			-device "vfio-pci,host=$bdf,bus=rp$n,rombar=0$([ "$LAB_IOMMUFD" != yes ] || echo ,iommufd=iommufd0)")
	done
	guest_start "$name" "${PEER[@]}"
	guest_expect "$name" 120 ready
}

# The end is told by a word in two halves: the console echoes what is typed.
ask() {
	local name=$1 seconds=$2 mark=$RANDOM$RANDOM
	shift 2
	guest_send "$name" "$*"
	guest_send "$name" "sh echo FL-GUEST: ma''rk $mark"
	guest_expect "$name" "$seconds" "mark $mark"
}

tell() {
	local name=$1 seconds=$2 mark=$RANDOM$RANDOM got
	shift 2
	guest_send "$name" "sh ( $* ); echo FL-GUEST: to''ld $mark \$?"
	guest_expect "$name" "$seconds" "told $mark"
	got=$(guest_said "$name" "told $mark")
	[ "$got" = "told $mark 0" ] || fail "in guest $name, \"$*\": status ${got##* }; $(guest_last "$name")"
}

# A line that is not ended, of a guest that was killed or still writes it, says nothing.
heard() { # NAME WORD
	head -n "$(wc -l <"$LAB_LOG/$1.log")" "$LAB_LOG/$1.log" | sed -n "s/^[0-9]* FL-GUEST: $2 \{0,1\}//p"
}
heard_last() { heard "$1" "$2" | tail -n 1; }

guest_irqs() { # NAME REGEX: as the guest's kernel counts
	local from
	from=$(wc -l <"$LAB_LOG/$1.log")
	ask "$1" 20 irqs
	tail -n +$((from + 1)) "$LAB_LOG/$1.log" | sed -n 's/^[0-9]* FL-GUEST: irq //p' |
		awk -v re="$2" '$0 ~ re { for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i } END { print n + 0 }'
}

host_irqs() {
	awk -v re="vfio-.*[(]$1[)]" '$0 ~ re { for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i } END { print n + 0 }' \
		/proc/interrupts
}

# Each finding brings a bus with new things to load drivers for: controller, disk, SCSI.
wait_usb_disk() {
	local _
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		ask "$1" 30 load
		ask "$1" 10 sh "sleep 1; [ ! -b /dev/sda ] || echo FL-GUEST: disk is he''re"
		[ -z "$(guest_said "$1" 'disk is here')" ] || return 0
	done
	fail "guest $1 has no USB disk"
}

# Exits to userspace but the console's, since the last asking; the first time, since the boot.
declare -A EXITS=()
exits_since() { # NAME: sets $exits
	local now
	snapshot "$1"
	now=$(exits_but_console "$1")
	exits=$((now - ${EXITS[$1]:-0}))
	EXITS[$1]=$now
}

off() {
	guest_send "$1" off
	guest_wait "$1" 30
}
