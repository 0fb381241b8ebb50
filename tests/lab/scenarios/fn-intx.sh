#!/bin/bash
# INTx: edu's one by one, a NIC by memory and one by ports, a UART, and an MSI-X NIC in a guest that
# has no MSI; every interrupt arrives once, and none of them needs userspace.
# check: long
# lab: devices=edu2,e1000,pcnet,e1000e,serial timeout=240 quiet=45 tries=2
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"

COUNT=200
# In the guest. Slots 1 and 9 are one line: GSI 16 + ((slot + pin - 1) & 7).
EDU=0000:01:00.0 EDU2=0000:06:00.0

nic_of() { # NAME DRIVER: of the guest's
	tell "$1" 10 "for n in /sys/class/net/*; do [ \$(basename \$(readlink \$n/device/driver)) = $2 ] && echo FL-GUEST: nic \${n##*/}; done; true"
	heard_last "$1" nic
}

traffic() { # NAME DRIVER ADDRESS
	local nic before
	nic=$(nic_of "$1" "$2")
	[ -n "$nic" ] || fail "no NIC with driver $2 in the guest; $(guest_last "$1")"
	tell "$1" 40 "ip addr add 10.0.2.15/24 dev $nic; ip link set $nic up; sleep 2; ping -c 1 10.0.2.2 >/dev/null"
	before=$(host_irqs "$3")
	exits_since "$1"
	tell "$1" 40 "ping -c 20 -i 0.1 -W 5 10.0.2.2 | sed -n 's/.* \([0-9]*\) packets received.*/FL-GUEST: got \1/p'"
	exits_since "$1"
	equal "$2: pings answered" "$(heard_last "$1" got)" 20
	before=$(($(host_irqs "$3") - before))
	[ "$before" -ge 20 ] || fail "$2: $before interrupts for 20 pings"
	note "$2: 20 pings, $before interrupts, $exits exits to userspace"
	[ "$4" = any ] || equal "$2: exits to userspace" "$exits" 0
	tell "$1" 20 "ip link set $nic down; ip addr flush dev $nic"
}

# Raised, handled, DisINTx set and cleared by the guest's driver, acknowledged. The guest's kernel does
# that by exits that are not the interrupt's: those of its COMMAND register.
edu_counts() { # NAME FN ADDRESS
	local before
	tell "$1" 60 "modprobe uio_pci_generic; echo 1234 11e8 >/sys/bus/pci/drivers/uio_pci_generic/new_id; true"
	# The host's line is listed once it is armed, with what it counted in earlier lives.
	tell "$1" 60 "l2-tool edu $2 intx 1"
	before=$(host_irqs "$3")
	tell "$1" 60 "l2-tool edu $2 intx $COUNT"
	equal "interrupts in the guest" "$(heard_last "$1" "edu intx")" "ok $COUNT raised, $COUNT counted"
	equal "interrupts of the host" $(($(host_irqs "$3") - before)) $COUNT
}

# Two level-triggered sources on one line, each raised while the other is up: no round may wait for its
# interrupt in vain. Counts need not agree here: the handler is called for the other's interrupt, too,
# and may serve its own device before the host has noticed it.
shared_line() { # NAME
	local a b
	a=$(host_irqs "$edu") b=$(host_irqs "$edu2")
	tell "$1" 90 "l2-tool edu $EDU intx $COUNT & l2-tool edu $EDU2 intx $COUNT && wait \$!"
	heard "$1" "edu intx" | tail -n 2 | while read -r line; do note "$line"; done
	note "host: $(($(host_irqs "$edu") - a)) and $(($(host_irqs "$edu2") - b))"
}

one_guest() { # BACKEND
	local name=intx-$1
	step "$name: a guest that knows no MSI"
	BOOT_WORDS="fl.load=no pci=nomsi"
	boot "$name" "$1" --device "$edu@1" --device "$e1000@2" --device "$pcnet@3" --device "$e1000e@4" \
		--device "$serial@5" --device "$edu2@9"
	step "$name: $COUNT interrupts of edu, counted on both sides"
	edu_counts "$name" $EDU "$edu"
	step "$name: two functions on one line"
	shared_line "$name"
	step "$name: NICs by memory and by ports; no exit to userspace for an interrupt"
	ask "$name" 20 load
	traffic "$name" e1000 "$e1000" 0
	traffic "$name" e1000e "$e1000e" 0
	# Every register of its own is a port, which no VMM can give without an exit.
	traffic "$name" pcnet32 "$pcnet" any
	step "$name: a UART on PCI"
	tell "$name" 20 "ls /dev/ttyS*; echo over-pci-$1 >/dev/ttyS1"
	wait_for 5 "what the guest sent" grep -q "over-pci-$1" "$LAB_LOG/pci-serial.log"
	off "$name"
	note "$(jq -rs '.[-1] | "SET_IRQS \(.set_irqs), route commits \(.route_commits)"' "$LAB_LOG/$name.report")"
}

step "six functions go to vfio-pci"
edu=$(free_function 1234:11e8)
edu2=$(free_function 1234:11e8 2)
e1000=$(free_function 8086:100e)
pcnet=$(free_function 1022:2000)
e1000e=$(free_function 8086:10d3)
serial=$(free_function 1b36:0002)

for backend in $(backends); do
	one_guest "$backend"
done
host_quiet
