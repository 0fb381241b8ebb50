# Devices that come and go under a stock guest, by one back end. Sourced by hotplug-*.sh.
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-ctl.sh"

MAC=02:5a:10:00:00:0b
CYCLES=${CYCLES:-10}

prepare_devices() {
	pf=$(pf_igb)
	carve_vfs "$pf" 1
	ip link set "$(pci_netdev "$pf")" up
	vf=$(pci_vf "$pf" 0)
	set_vf_mac "$pf" 0 $MAC
	bind_vfio "$vf"
	nvme=$(pci_find 1b36:0010 | head -n 1)
	dd if=/dev/urandom of=/dev/nvme0n1 bs=1M count=1 conv=fsync 2>/dev/null
	sum=$(dd if=/dev/nvme0n1 bs=1M count=1 2>/dev/null | md5sum | cut -d' ' -f1)
	bind_vfio "$nvme"
}

reads_disk() { # NAME
	order "$1" 20 load # there is no udev
	order "$1" 30 sh 'for i in 1 2 3 4 5 6 7 8 9 10; do [ -b /dev/nvme0n1 ] && break; sleep 0.5; done; dd if=/dev/nvme0n1 bs=1M count=1 2>/dev/null | md5sum | sed "s/^/FL-GUEST: sum /"'
	equal "first MiB of the disk, in the guest" "$(said_last "$1" sum)" "sum $sum  -"
}

has_nics() { # NAME COUNT
	order "$1" 10 sh 'echo FL-GUEST: nics $(ls /sys/class/net | grep -c eth)'
	equal "NICs of guest $1" "$(said_last "$1" nics)" "nics $2"
}

works() { # NAME: with MAC and link
	order "$1" 40 net
	equal "MAC" "$(said_last "$1" mac)" "mac $MAC"
	pings "$1" 3
}

test_hotplug() { # LAUNCH-OPTION...
	local i maps began

	step "a guest with a VF and an empty slot; a disk comes into that"
	prepare_devices
	ctl_guest a "" --device "$vf" --spare 1 "$@"
	works a
	ctl_attach a 20 "$nvme@2.0=disk"
	reads_disk a
	maps=$(counter a dma_maps)
	equal "DMA maps with both" "$maps" "$(counter a ram_regions)"

	for ((i = 1; i <= CYCLES; i++)); do
		step "the VF goes and comes, $i of $CYCLES"
		ctl_detach a d0 20000
		has_nics a 0
		ctl_attach a 20 "$vf@1.0=d0"
		works a
	done
	equal "DMA maps: not one more" "$(counter a dma_maps)" "$maps"
	equal "counts" "$(counter a 'hotplug | "\(.adds) \(.removes) \(.forced)"')" "$((CYCLES + 1)) $CYCLES 0"

	step "the last one goes; one comes again"
	ctl_detach a disk 20000
	ctl_detach a d0 20000
	equal "devices" "$(counter a 'devices | length')" 0
	ctl_attach a 20 "$vf@1.0=d0"
	works a
	# type1 drops its maps with the last group, iommufd keeps them.
	case " $* " in *" --group "*) maps=$((2 * maps)) ;; esac
	equal "DMA maps" "$(counter a dma_maps)" "$maps"

	step "refused: a slot in use, one that is not, a name, a broken message; the guest goes on"
	ctl a attach "$nvme@1.0=disk"
	equal "slot in use" "$(ctl_answer a 5 | jq '.error.code')" 612
	ctl a attach "$nvme@9.0=disk"
	equal "no such slot" "$(ctl_answer a 5 | jq '.error.code')" 612
	ctl a detach nobody 0
	equal "no such device" "$(ctl_answer a 5 | jq '.error.code')" 612
	ctl a raw '{"event": "detach", "id": 999}'
	wait_for 5 "refusal" ctl_has a '.id == 999 and .error.code == 611'
	pings a 1

	step "pulled out: the guest's driver lets go by itself, and finds it when it is back"
	ctl_detach a d0 0 true
	order a 20 sh 'sleep 3'
	has_nics a 0
	ctl_attach a 20 "$vf@1.0=d0"
	works a
	power_off a

	step "a guest without a driver for the slot: forced at the deadline, not before"
	ctl_guest b pcie_ports=compat --device "$vf" "$@"
	works b
	began=$(now_ms)
	ctl_detach b d0 3000 true
	[ $(($(now_ms) - began)) -ge 3000 ] || fail "it did not wait for the guest"
	order b 10 sh 'echo FL-GUEST: id $(hexdump -e "1/4 \"%08x\"" -n 4 /sys/bus/pci/devices/0000:01:00.0/config)'
	equal "what is read where it was" "$(said_last b id)" "id ffffffff"
	power_off b
	host_quiet
}
