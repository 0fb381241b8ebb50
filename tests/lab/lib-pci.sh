# PCI functions in L1, by sysfs alone, so that a scenario's preparation owes nothing to what it
# tests. Sourced by lib.sh. Addresses are full: 0000:01:00.0.

PCI=/sys/bus/pci/devices

pci_find() { # VENDOR:DEVICE (hex): addresses of all such functions, in order
	local d vendor device
	for d in "$PCI"/*; do
		read -r vendor <"$d/vendor"
		read -r device <"$d/device"
		[ "$vendor:$device" = "0x${1%:*}:0x${1#*:}" ] && echo "${d##*/}"
	done
	return 0
}

pf_igb() { pci_find 8086:10c9 | head -n 1; }
pci_netdev() { ls "$PCI/$1/net" 2>/dev/null | head -n 1; }
pci_driver() { basename "$(readlink "$PCI/$1/driver" 2>/dev/null || echo none)"; }
pci_group() { basename "$(readlink "$PCI/$1/iommu_group" 2>/dev/null || echo none)"; }
pci_vf() { basename "$(readlink "$PCI/$1/virtfn$2")"; }

# No udev runs in L1 and nothing else binds drivers behind a scenario's back; but probing the VFs
# would bind igbvf if that is loaded, so autoprobe goes off.
carve_vfs() { # PF COUNT
	echo 0 >"$PCI/$1/sriov_drivers_autoprobe"
	echo "$2" >"$PCI/$1/sriov_numvfs" || fail "$1: sriov_numvfs=$2 refused"
	[ -e "$PCI/$1/virtfn$(($2 - 1))" ] || fail "$1: $2 VFs asked for, virtfn$(($2 - 1)) missing"
}

set_vf_mac() { # PF INDEX MAC
	ip link set "$(pci_netdev "$1")" vf "$2" mac "$3"
}

bind_driver() { # ADDRESS DRIVER
	echo "$2" >"$PCI/$1/driver_override"
	[ ! -e "$PCI/$1/driver" ] || echo "$1" >"$PCI/$1/driver/unbind"
	echo "$1" >/sys/bus/pci/drivers_probe
	[ "$(pci_driver "$1")" = "$2" ] || fail "$1: did not bind to $2, has $(pci_driver "$1")"
}

bind_vfio() { bind_driver "$1" vfio-pci; }

vfio_cdev() { # ADDRESS: /dev/vfio/devices/vfioN; empty without iommufd
	local name
	name=$(ls "$PCI/$1/vfio-dev" 2>/dev/null) || return 0
	echo "/dev/vfio/devices/$name"
}
