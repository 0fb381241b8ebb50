#!/bin/bash
# Resets and sleep asked for by the guest: FLR, by power state, by the bus; suspend to idle with every
# function in D3hot; drivers go on afterwards.
# check: long
# lab: devices=nvmewide,e1000e,edu timeout=400 quiet=100 tries=2
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"

NVME=0000:01:00.0 NIC=0000:02:00.0 EDU=0000:03:00.0

# How long its link takes depends on how busy the machine is.
carrier() { # NAME
	tell "$1" 60 "n=0; until [ \"\$(cat /sys/class/net/eth0/carrier)\" = 1 ]; do n=\$((n + 1)); [ \$n -lt 80 ] || exit 1; usleep 500000; done"
}

works() { # NAME: the disk reads what its file has, the NIC pings, edu's DMA arrives
	tell "$1" 60 "echo 3 >/proc/sys/vm/drop_caches; echo FL-GUEST: sum \$(dd if=/dev/nvme0n1 bs=1M count=2 2>/dev/null | md5sum)"
	equal "what the guest reads" "$(heard_last "$1" sum)" "$(head -c 2M "$LAB_LOG/nvme1.img" | md5sum | tr -s ' ')"
	carrier "$1"
	tell "$1" 60 "ping -c 3 -W 5 10.0.2.2 | sed -n 's/.* \([0-9]*\) packets received.*/FL-GUEST: got \1/p'"
	equal "pings" "$(heard_last "$1" got)" 3
	tell "$1" 20 "l2-tool edu $EDU ram"
}

# nvme's driver is told of a reset and sets up again; e1000e's is not, so its interface is down then.
reset() { # NAME FN METHOD
	tell "$1" 30 "ip link set eth0 down; cd /sys/bus/pci/devices/$2; echo $3 >reset_method; echo 1 >reset; r=\$?; ip link set eth0 up; exit \$r"
	works "$1"
}

slept() { # every one of the functions was in D3hot at the same time
	local f
	for f in "$nvme" "$nic"; do
		[ "$(cat "$PCI/$f/power_state")" = D3hot ] || return 1
	done
}

# All of it but the processor's own sleep, and awake again after 5 s (Documentation/power).
sleep_and_wake() { # NAME
	guest_send "$1" "sh echo platform >/sys/power/pm_test; echo freeze >/sys/power/state; echo FL-GUEST: awa''ke \$?"
	wait_for 40 "D3hot of the functions" slept
	guest_expect "$1" 60 "awake 0"
	equal "power of the drive" "$(cat "$PCI/$nvme/power_state")" D0
	works "$1"
}

one_guest() { # BACKEND
	local name=power-$1
	step "$name: a guest with a drive, a NIC and edu"
	boot "$name" "$1" --device "$nvme" --device "$nic" --device "$edu"
	tell "$name" 30 "ip addr add 10.0.2.15/24 dev eth0; ip link set eth0 up"
	works "$name"
	step "$name: what can reset them, by the guest's kernel"
	tell "$name" 10 "for f in $NVME $NIC $EDU; do echo FL-GUEST: methods \$(cat /sys/bus/pci/devices/\$f/reset_method); done"
	equal "methods" "$(heard "$name" methods | tr '\n' ,)" "flr bus,pm bus,bus,"
	step "$name: FLR and bus reset of the drive"
	reset "$name" $NVME flr
	reset "$name" $NVME bus
	step "$name: power state and bus reset of the NIC"
	reset "$name" $NIC pm
	reset "$name" $NIC bus
	step "$name: asleep and awake"
	sleep_and_wake "$name"
	off "$name"
	note "$(jq -rs '.[-1] | "resets \(.resets), SET_IRQS \(.set_irqs)"' "$LAB_LOG/$name.report")"
}

step "a drive, a NIC and edu go to vfio-pci"
head -c 2M /dev/urandom | dd of="$LAB_LOG/nvme1.img" conv=notrunc status=none
nvme=$(free_function 1b36:0010)
nic=$(free_function 8086:10d3)
edu=$(free_function 1234:11e8)

for backend in $(backends); do
	one_guest "$backend"
done
host_quiet
