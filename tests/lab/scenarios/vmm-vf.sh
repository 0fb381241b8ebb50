#!/bin/bash
# The VMM alone, without netd: a VF by iommufd, then by group: enumerated as it was placed, MSI-X,
# ping, a reset of the guest, and BARs where no BAR may be.
# lab: devices=igb timeout=300 quiet=45 tries=2
. "$LAB_DIR/lib.sh"

MAC=02:00:00:00:00:01 MAC2=02:00:00:00:00:02
FN=/sys/bus/pci/devices/0000:01:00.0 # in the guest: behind the first root port

# ask NAME SECONDS COMMAND: answers are the lines between two markers, so that each is the last one's.
ask() {
	local name=$1 seconds=$2 mark=$RANDOM$RANDOM
	shift 2
	guest_send "$name" "$*"
	# In two halves: the console echoes what is typed.
	guest_send "$name" "sh echo FL-GUEST: ma''rk $mark"
	guest_expect "$name" "$seconds" "mark $mark"
}

said_all() { sed -n "s/^[0-9]* FL-GUEST: $2 \{0,1\}//p" "$LAB_LOG/$1.log"; } # NAME WORD

# What its kernel would say of a machine that is not as the tables and registers claim.
complaints() {
	grep -iE 'acpi.*(error|warning|exception)|firmware (bug|warn)|is invalid|conflict|can.t (claim|assign)|failed|no compatible|not reserved|reconfiguring|retains control' |
		grep -vE 'certificate|mitigation|verification failed' || true
}

# lspci reads the dump as if it were hardware of this machine.
guest_lspci() { # NAME
	awk '/FL-GUEST: pci /{ print $4 " x" } /FL-GUEST: cfg /{ sub(/^.*cfg /, ""); print }' \
		"$LAB_LOG/$1.log" | sed 's/^0*\([0-9a-f]\{2,\}:\)\( [0-9a-f]\)/\1\2/; s/^0000://' >"$LAB_LOG/$1.hex"
	lspci -F "$LAB_LOG/$1.hex" -vvv 2>&1 >"$LAB_LOG/$1.lspci" | grep -v libkmod >"$LAB_LOG/$1.lspci-errors" || true
}

check_devices() { # NAME
	ask "$1" 20 sh "dmesg | sed 's/^/FL-GUEST: dmesg /'"
	equal "what the guest's kernel complains of" "$(said_all "$1" dmesg | complaints)" ""
	# Placed before it ran: nothing was left to assign.
	equal "BARs its kernel had to assign" "$(said_all "$1" dmesg | grep -c 'BAR.*: assigned' || true)" 0
	ask "$1" 90 lspci
	guest_lspci "$1"
	equal "functions" "$(said_all "$1" pci | cut -d' ' -f1-2 | tr '\n' ' ')" \
		"0000:00:00.0 0x1b36:0x0008 0000:00:01.0 0x1b36:0x000c 0000:01:00.0 0x8086:0x10ca "
	[ -z "$(cat "$LAB_LOG/$1.lspci-errors")" ] || fail "lspci: $(head -n 3 "$LAB_LOG/$1.lspci-errors")"
	grep -q 'MSI-X: Enable+ Count=3 Masked-' "$LAB_LOG/$1.lspci" || fail "MSI-X is not on: $LAB_LOG/$1.lspci"
}

# Interrupts of the NIC, all vectors of all CPUs.
nic_irqs() { # NAME
	said_all "$1" irq | awk '/PCI-MSIX|PCI-MSI/{ for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i } END { print n + 0 }'
}

check_traffic() { # NAME
	ask "$1" 40 net
	equal "MAC in the guest" "$(guest_said "$1" mac)" "mac $MAC"
	ask "$1" 40 ping 5
	[ -n "$(guest_said "$1" 'ping ok 5/5')" ] || fail "$(guest_said "$1" 'ping|error'); $(guest_last "$1")"
	ask "$1" 20 irqs
	[ "$(nic_irqs "$1")" -ge 10 ] || fail "$(nic_irqs "$1") interrupts for 5 pings"
}

# The first BAR over RAM, then over the ECAM: the guest lives, and reads its RAM, not the device.
check_bad_bars() { # NAME
	local bar
	ask "$1" 20 sh "ip link set eth0 down; dd if=$FN/config of=/bar bs=1 skip=16 count=8 2>/dev/null"
	for bar in '\004\000\200\000\000\000\000\000' '\004\000\000\260\000\000\000\000' '\004\000\340\376\000\000\000\000'; do
		ask "$1" 20 sh "printf '$bar' | dd of=$FN/config bs=1 seek=16 conv=notrunc 2>/dev/null; head -c 8 $FN/config | hexdump -e '\"FL-GUEST: head \" 8/1 \"%02x\" \"\\n\"'"
		equal "the function's ids, after" "$(said_all "$1" head | tail -n 1 | cut -c1-8)" 8680ca10
	done
	ask "$1" 20 sh "dd if=/bar of=$FN/config bs=1 seek=16 conv=notrunc 2>/dev/null; ip link set eth0 up; sleep 3"
	ask "$1" 40 ping 4
	[ -n "$(guest_said "$1" 'ping ok 4/4')" ] || fail "after the BAR came back: $(guest_last "$1")"
}

# By the port's Bridge Control, as the guest's kernel does it.
check_bus_reset() { # NAME
	ask "$1" 20 sh "cd $FN; echo 0000:01:00.0 >driver/unbind; echo bus >reset_method; echo FL-GUEST: method \$(cat reset_method)"
	equal "reset method" "$(said_all "$1" method)" bus
	ask "$1" 20 sh "cd $FN; echo 1 >reset; echo FL-GUEST: reset \$?"
	equal "secondary bus reset" "$(said_all "$1" reset)" 0
	ask "$1" 20 sh "echo 0000:01:00.0 >/sys/bus/pci/drivers/igbvf/bind"
	ask "$1" 40 net
	ask "$1" 40 ping 7
	[ -n "$(guest_said "$1" 'ping ok 7/7')" ] || fail "after the bus reset: $(guest_last "$1")"
}

boot() { # NAME VMM-LAUNCH-WORDS...
	local name=$1
	shift
	rm -f "$LAB_LOG/$name.report"
	: >"$LAB_LOG/$name.report"
	guest_start "$name" "$LAB_DIR/vmm-launch" --report "$LAB_LOG/$name.report" --device "$vf" "$@" \
		--initrd "$L2_INITRD" "$L2_KERNEL" "$(guest_cmdline fl.mode=idle)"
	guest_expect "$name" 60 ready
}

check_report() { # NAME
	local got
	got=$(jq -rs '.[-1] | "\(.reason) maps \(.dma_maps)/\(.ram_regions) resets \(.resets) guest-resets \(.guest_resets)"' \
		"$LAB_LOG/$1.report")
	equal "report" "$got" "poweroff maps 1/1 resets 3 guest-resets 1"
	note "$(jq -rs '.[-1] | "exits \(.exits.total), route commits \(.route_commits), SET_IRQS \(.set_irqs)"' "$LAB_LOG/$1.report")"
}

whole() { # NAME VMM-LAUNCH-WORDS...
	local name=$1
	step "$name: a guest boots"
	boot "$@"
	step "$name: ping, interrupts, devices, its kernel's words"
	check_traffic "$name"
	check_devices "$name"
	step "$name: BARs over RAM, ECAM and APIC"
	check_bad_bars "$name"
	step "$name: a secondary bus reset"
	check_bus_reset "$name"
	step "$name: the guest resets itself, and pings again"
	# The markers of its first life must not answer for its second.
	guest_send "$name" "sh reboot -f"
	wait_for 60 "second boot" eval "[ \$(grep -c 'FL-GUEST: ready' '$LAB_LOG/$name.log') = 2 ]"
	ask "$name" 40 net
	ask "$name" 40 ping 6
	[ -n "$(guest_said "$name" 'ping ok 6/6')" ] || fail "after the reset: $(guest_last "$name")"
	guest_send "$name" off
	guest_wait "$name" 30
	check_report "$name"
}

# Each behind a port of its own, on buses and in windows that do not meet.
two_functions() {
	local name=two
	step "two functions, each behind its own root port"
	boot $name --device "$vf2"
	ask $name 20 sh "for d in /sys/bus/pci/devices/*; do echo FL-GUEST: fn \${d##*/}; done"
	equal "functions" "$(said_all $name fn | tr '\n' ' ')" \
		"0000:00:00.0 0000:00:01.0 0000:00:02.0 0000:01:00.0 0000:02:00.0 "
	ask $name 20 sh "dmesg | sed 's/^/FL-GUEST: dmesg /'"
	equal "what the guest's kernel complains of" "$(said_all $name dmesg | complaints)" ""
	equal "BARs its kernel had to assign" "$(said_all $name dmesg | grep -c 'BAR.*: assigned' || true)" 0
	ask $name 20 sh "cat /sys/bus/pci/devices/0000:02:00.0/net/*/address | sed 's/^/FL-GUEST: second /'"
	equal "MAC of the second" "$(said_all $name second)" "$MAC2"
	ask $name 40 net
	ask $name 40 ping 5
	[ -n "$(guest_said $name 'ping ok 5/5')" ] || fail "$(guest_said $name 'ping|error'); $(guest_last $name)"
	guest_send $name off
	guest_wait $name 30
}

step "carve two VFs, give them MACs, bind them to vfio-pci"
pf=$(pf_igb)
carve_vfs "$pf" 2
ip link set "$(pci_netdev "$pf")" up
vf=$(pci_vf "$pf" 0)
vf2=$(pci_vf "$pf" 1)
set_vf_mac "$pf" 0 $MAC
set_vf_mac "$pf" 1 $MAC2
bind_vfio "$vf"
bind_vfio "$vf2"

[ "$LAB_IOMMUFD" != yes ] || whole iommufd
whole group --group
two_functions
