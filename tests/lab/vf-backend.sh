# A guest with a VF of its own by one back end, from policy to restore, twice. Sourced by vf-*.sh.
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

MAC=02:5a:10:00:00:07

# The files of the VMM that VFIO gave, in a line.
vfio_files() { # NAME
	find "/proc/$(guest_pid "$1")/fd" -printf '%l\n' | grep -E '^/dev/(vfio|iommu)' | sort -u |
		sed 's/[0-9]*$//' | tr '\n' ' '
}

check_report() { # NAME
	equal "how it ended" "$(report_field "$LAB_LOG/$1.report" exit reason)" poweroff
	equal "DMA maps, one a RAM region" "$(report_field "$LAB_LOG/$1.report" exit dma_maps)" \
		"$(report_field "$LAB_LOG/$1.report" exit ram_regions)"
	equal "resets of the device" "$(report_field "$LAB_LOG/$1.report" exit resets)" 1
	equal "route commits" "$(report_field "$LAB_LOG/$1.report" exit route_commits)" 1
}

whole_run() { # NAME WORD-OF-BACKEND
	local exits
	run_guest "$1" demo
	order "$1" 40 net
	equal "MAC in the guest" "$(said_last "$1" mac)" "mac $MAC"
	snapshot "$1"
	exits=$(exits_but_console "$1")
	pings "$1" 10
	snapshot "$1"
	equal "exits to userspace while packets flowed" "$(($(exits_but_console "$1") - exits))" 0
	equal "VFIO files of the VMM" "$(vfio_files "$1")" "$2"
	power_off "$1"
	check_report "$1"
}

test_backend() { # NAME
	local files pf vf before
	case $1 in
	iommufd) files="/dev/iommu /dev/vfio/devices/vfio " ;;
	group) files="/dev/vfio/ /dev/vfio/vfio " ;;
	esac

	step "apply a policy"
	install_images
	pf=$(pf_igb) before=$(host_state "$pf")
	policy_with "$LAB_LOG/policy.yaml" fl.mode=idle "s/slot: \"01.0\"/mac-address: \"$MAC\", &/"
	netd_start
	expect "apply" "$FAIRLEAD" apply "$LAB_LOG/policy.yaml"
	vf=$(pci_vf "$pf" 0)

	step "a guest by $1: its MAC, pings without an exit, one map, one reset, one route commit"
	whole_run first "$files"

	step "the VF is free; the next guest has it at once, and sees it, the entropy device, and three ports, one to spare"
	wait_for 3 "end of the lease" no_lease
	equal "holder of the VF" "$(holder_of "$vf")" ""
	run_guest second demo
	order second 20 sh 'for d in /sys/bus/pci/devices/*; do echo FL-GUEST: fn $(cat $d/vendor):$(cat $d/device)=$(basename $(readlink $d/driver || echo none)); done'
	equal "functions" "$(sed -n 's/^[0-9]* FL-GUEST: fn \(0x.*\)/\1/p' "$LAB_LOG/second.log" | tr '\n' ' ')" \
		"0x1b36:0x0008=none 0x1b36:0x000c=pcieport 0x1b36:0x000c=pcieport 0x1b36:0x000c=pcieport 0x8086:0x10ca=igbvf 0x1af4:0x1044=virtio-pci "
	order second 40 net
	pings second 3
	power_off second

	step "restore: the host as it was, and its kernel quiet"
	wait_for 3 "end of the lease" no_lease
	expect "restore" "$FAIRLEAD" restore
	equal "the host" "$(host_state "$pf")" "$before"
	host_quiet
	netd_stop
}
