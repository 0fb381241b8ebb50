#!/bin/bash
# An 82540EM on a tap with Linux' own driver: packets of all sizes, whole data both ways, jumbo frames, tags,
# down and up and a new driver under load, the driver's own tests, and a tap that goes away.
# lab: devices= timeout=900 quiet=300
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"
. "$LAB_DIR/lib-net.sh"

counter() { # NAME COUNTER
	tell "$1" 10 "echo FL-GUEST: counter \$(cat /sys/class/net/eth0/statistics/$2)"
	heard_last "$1" counter
}

# Twenty times while packets come: the device is reset in the midst of them.
down_and_up() { # NAME
	flood 60
	tell "$1" 120 "for i in \$(seq 20); do ip link set eth0 down; ip link set eth0 up; usleep 200000; done"
	kill $FLOOD 2>/dev/null || true
	nic_up "$1"
	pings "$1" 50 1000
}

new_driver() { # NAME
	flood 60
	tell "$1" 120 "cd /sys/bus/pci/drivers/e1000; for i in \$(seq 10); do echo $NIC >unbind; echo $NIC >bind; ip link set eth0 up; ip addr add $GUEST_IP/24 dev eth0; usleep 200000; done"
	kill $FLOOD 2>/dev/null || true
	nic_up "$1"
	pings "$1" 50 1000
}

step "a tap, a guest"
modprobe tun
tap_make t0
mkdir -p /run/l2-tool/bin # boot packs what is there
cp "$FL_BUILD/tests/lab/guest-ethtest" /run/l2-tool/bin/
boot e1000 group --nic e1000@1,t0
nic_up e1000
tell e1000 10 "echo FL-GUEST: driver \$(basename \$(readlink /sys/class/net/eth0/device/driver)) \$(cat /sys/class/net/eth0/speed)"
equal "driver and speed" "$(heard_last e1000 driver)" "e1000 1000"

step "pings of 1000 packets, small and large; a flood"
pings e1000 1000 10
pings e1000 1000 1472
flood 5
sleep 5
pings e1000 50 56

step "TCP both ways"
bytes_in e1000 48
bytes_out e1000 48
equal "errors received" "$(counter e1000 rx_errors)" 0
equal "errors sent" "$(counter e1000 tx_errors)" 0

step "down and up under load"
down_and_up e1000
bytes_out e1000 4

step "jumbo frames"
ip link set t0 mtu 9000
tell e1000 20 "ip link set eth0 mtu 9000"
nic_up e1000
pings e1000 500 8972
bytes_in e1000 48
bytes_out e1000 48
equal "errors received" "$(counter e1000 rx_errors)" 0
tell e1000 20 "ip link set eth0 mtu 1500"
ip link set t0 mtu 1500

step "its driver unbound and bound under load"
new_driver e1000
bytes_in e1000 4

step "its own tests: registers, EEPROM, interrupts, loopback, link"
tell e1000 90 "guest-ethtest eth0 >/tests; s=\$?; sed 's/^/FL-GUEST: test /' /tests; exit \$s"
equal "tests" "$(heard e1000 test | wc -l)" 5
nic_up e1000
pings e1000 50 1000

step "what the kernel says of it"
tell e1000 20 "dmesg | grep -E 'e1000|WATCHDOG' | grep -iE 'hang|watchdog|checksum|fail|invalid|reset adapter' | sed 's/^/FL-GUEST: complaint /'; true"
equal "complaints" "$(heard_last e1000 complaint)" ""

step "a reset of the guest"
guest_send e1000 "sh reboot -f"
wait_for 60 "second boot" eval '[ "$(grep -c "FL-GUEST: ready" "$LAB_LOG/e1000.log")" -ge 2 ]'
nic_up e1000
pings e1000 100 1000

step "the tap goes away, the guest stays"
ip link del t0
wait_for 20 "word of it" grep -q 'its tap is gone' "$LAB_LOG/e1000.log"
tell e1000 20 "i=0; while [ \"\$(cat /sys/class/net/eth0/carrier)\" = 1 ] && [ \$((i++)) -lt 50 ]; do usleep 100000; done; echo FL-GUEST: carrier \$(cat /sys/class/net/eth0/carrier)"
equal "carrier" "$(heard_last e1000 carrier)" 0
off e1000
