# What setup and lab both need: where things are, how to complain, how to start the lab's QEMU.
# Sourced, never run.

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
FAIRLEAD_CACHE=${FAIRLEAD_CACHE:-/var/cache/fairlead}
CACHE=$FAIRLEAD_CACHE
QEMU_ROOT=$CACHE/qemu
KERNELS="6.12 6.1"

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# The trixie QEMU runs in place, by its own loader and libraries: no chroot, no mounts, no root, and
# the same path works inside L1, which sees this file system.
QEMU_LIB=$QEMU_ROOT/usr/lib/x86_64-linux-gnu
QEMU_COMMAND=(env QEMU_MODULE_DIR="$QEMU_LIB/qemu"
	"$QEMU_ROOT/lib64/ld-linux-x86-64.so.2" --library-path "$QEMU_LIB"
	"$QEMU_ROOT/usr/bin/qemu-system-x86_64"
	-L "$QEMU_ROOT/usr/share/qemu" -L "$QEMU_ROOT/usr/share/seabios")

# Time as tenths of a second since boot: /proc/uptime does not jump when the clock is set.
now_ds() {
	local up
	read -r up _ </proc/uptime
	up=${up/./}
	echo $((10#${up%?}))
}

seconds() { # DECISECONDS -> "12.3 s"
	echo "$(($1 / 10)).$(($1 % 10)) s"
}
