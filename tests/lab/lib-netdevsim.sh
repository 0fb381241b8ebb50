# netdevsim is no PCI function. So netd is shown a tree in which it is one; netlink is the kernel's own, and what is set is
# read there. Sourced after lib-fairlead.sh.
#
#   sim_root VFS    makes ROOT, with the physical function PF and that many VFs of it, none of them there yet

ROOT=/tmp/root
PF=0000:7e:00.0

sim_root() { # VFS
	local d=$ROOT/sys/bus/pci/devices i
	mkdir -p "$d/$PF" "$ROOT/sys/bus/pci/drivers/netdevsim"
	ln -s /proc /dev "$ROOT"
	ln -s /sys/class /sys/kernel /sys/module "$ROOT/sys"
	echo "$1" >"$d/$PF/sriov_totalvfs"
	ln -s ../../drivers/netdevsim "$d/$PF/driver"
	for ((i = 0; i < $1; i++)); do
		mkdir "$d/0000:7e:10.$i"
		ln -s "../$PF" "$d/0000:7e:10.$i/physfn"
	done
	for i in "$d"/*; do
		echo 0x1d0f >"$i/vendor"
		echo 0x0001 >"$i/device"
		echo 0x020000 >"$i/class"
	done
}
