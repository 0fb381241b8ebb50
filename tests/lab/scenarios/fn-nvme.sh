#!/bin/bash
# Whole NVMe drives, their vector table beside registers and in a BAR of its own, and an NVMe VF with
# queues and interrupts of its own: read and written in a guest, compared with the files behind them.
# lab: devices=nvmewide,nvmecmb,nvme timeout=240 quiet=45 tries=2
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"

MIB=$((1 << 20))
ID=1b36:0010

# A controller as L1's driver knows it: nvme0, for nvme-cli.
controller() { basename "$PCI/$1"/nvme/nvme*; }

# The VF gets a queue pair for the administrator and one for data, and the one vector it may have
# (NVM Express 2.0, 8.26.1; resource 0 is queues, 1 interrupts).
give_resources() { # CONTROLLER SECONDARY
	expect "queues" nvme virt-mgmt "/dev/$1" -c "$2" -r 0 -a 8 -n 2
	expect "interrupts" nvme virt-mgmt "/dev/$1" -c "$2" -r 1 -a 8 -n 1
	expect "online" nvme virt-mgmt "/dev/$1" -c "$2" -a 9
}

serial_disk() { # NAME SERIAL: its block device in the guest
	tell "$1" 30 "for d in /sys/class/nvme/*; do [ \$(cat \$d/serial) = $2 ] || continue; for b in /dev/\$(basename \$d)n1 /dev/nvme*n1; do [ -b \$b ] && break; done; echo FL-GUEST: disk \$b; done"
	heard_last "$1" disk
}

# The guest must find what the file behind the disk holds, and the file what the guest writes. Its
# kernel may still have the first pages from looking for partitions.
compare() { # NAME SERIAL FILE PLACE-IN-MIB
	local disk sum
	disk=$(serial_disk "$1" "$2")
	dd if=/dev/urandom of="$3" bs=$MIB count=4 seek="$4" conv=notrunc status=none
	sum=$(dd if="$3" bs=$MIB count=4 skip="$4" status=none | md5sum | cut -d' ' -f1)
	tell "$1" 40 "echo 3 >/proc/sys/vm/drop_caches; echo FL-GUEST: read \$(dd if=$disk bs=1M count=4 skip=$4 2>/dev/null | md5sum)"
	equal "$2: what the guest reads" "$(heard_last "$1" read)" "$sum -"
	tell "$1" 60 "dd if=/dev/urandom of=/w bs=1M count=4 2>/dev/null; dd if=/w of=$disk bs=1M count=4 seek=$(($4 + 4)) conv=fsync 2>/dev/null; echo FL-GUEST: wrote \$(md5sum </w)"
	equal "$2: what it wrote" "$(dd if="$3" bs=$MIB count=4 skip=$(($4 + 4)) status=none | md5sum | tr -s ' ')" \
		"$(heard_last "$1" wrote)"
}

# None that the host did not count; a few may meet in the guest's APIC and be one there.
check_irqs() { # NAME
	local guest host
	guest=$(guest_irqs "$1" nvme)
	host=$(($(host_irqs "$wide") + $(host_irqs "$cmb") + $(host_irqs "$vf")))
	note "interrupts: host $host, guest $guest"
	[ "$guest" -le "$host" ] && [ "$guest" -ge $((host * 9 / 10)) ] || fail "interrupts: host $host, guest $guest"
}

one_guest() { # BACKEND PLACE
	local name=nvme-$1
	step "$name: a guest with two drives and a VF"
	boot "$name" "$1" --device "$wide" --device "$cmb" --device "$vf"
	ask "$name" 20 sh 'for d in /sys/class/nvme/*; do echo FL-GUEST: ctrl $(cat $d/address) $(cat $d/serial) $(cat $d/state); done'
	equal "controllers" "$(heard "$name" ctrl | cut -d' ' -f2- | sort | tr '\n' ' ')" \
		"fairlead0 live nvme1 live nvme2 live "
	step "$name: read and write, against the files"
	compare "$name" nvme1 "$LAB_LOG/nvme1.img" "$2"
	compare "$name" nvme2 "$LAB_LOG/nvme2.img" "$2"
	compare "$name" fairlead0 "$LAB_LOG/nvme.img" "$2"
	check_irqs "$name"
	off "$name"
	note "$(jq -rs '.[-1] | "exits \(.exits.total), route commits \(.route_commits), SET_IRQS \(.set_irqs)"' "$LAB_LOG/$name.report")"
}

step "an nvme VF gets queues and interrupts; it and two drives go to vfio-pci"
wide=$(pci_find $ID | sed -n 1p)
cmb=$(pci_find $ID | sed -n 2p)
pf=$(pci_find $ID | sed -n 3p)
wait_for 20 "disks of L1" eval "[ -b /dev/$(controller "$pf")n1 ]"
carve_vfs "$pf" 1
vf=$(pci_vf "$pf" 0)
give_resources "$(controller "$pf")" 1
for f in "$wide" "$cmb" "$vf"; do bind_vfio "$f"; done

place=0
for backend in $(backends); do
	one_guest "$backend" $place
	place=$((place + 8))
done
host_quiet
