#!/bin/bash
# A virtio NIC on a tap, whose queues the kernel serves (vhost): the same as own-net, and no packet returns to
# userspace.
# lab: devices= timeout=600 quiet=90 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"
. "$LAB_DIR/lib-net.sh"

# The console is silent meanwhile: what is counted is the packets'.
no_exits() { # NAME COUNT
	local n
	kvm_exits_start
	pings "$1" "$2" 1000
	n=$(kvm_exits_stop | sed -n 's/^userspace-exits //p')
	equal "userspace exits for $2 packets each way" "$n" 0
}

one_guest() { # NAME WORDS VMM-LAUNCH-WORDS...
	local name=$1
	BOOT_WORDS=$2
	shift 2
	step "$name: boot"
	boot "$name" group "$@"
	nic_up "$name"
	step "$name: TCP both ways"
	bytes_in "$name" 16
	bytes_out "$name" 16
}

step "a tap"
modprobe tun
modprobe vhost_net
tap_make t0
one_guest kernel "" --nic virtio@1,t0,vhost
equal "VERSION_1" "$(nic_feature kernel 32)" 1
equal "MRG_RXBUF" "$(nic_feature kernel 15)" 1
# The kernel's vhost does not know packed rings.
equal "RING_PACKED" "$(nic_feature kernel 34)" 0
step "kernel: 1000 packets each way, and no exit to userspace"
no_exits kernel 1000
step "kernel: unbound and bound under load"
rebind kernel
no_exits kernel 200
step "kernel: the guest resets itself, and is as it was"
guest_send kernel "sh reboot -f"
wait_for 90 "second boot" eval "[ \$(grep -c 'FL-GUEST: ready' '$LAB_LOG/kernel.log') = 2 ]"
nic_up kernel
no_exits kernel 200
step "kernel: power off"
off kernel

# Without MSI the interrupts are the loop's: it reads the queue's eventfd.
one_guest pin pci=nomsi --nic virtio@1,t0,vhost
pings pin 200 1000
off pin

one_guest pairs "" --cpus 2 --nic 'virtio@1,t0,vhost,"pairs": 2'
step "pairs: both queues of both directions are used"
tell pairs 10 "ls -d /sys/class/net/eth0/queues/rx-1"
for i in 1 2 3 4 5 6; do bytes_in pairs 2; done
tell pairs 10 "grep -E 'input.1' /proc/interrupts | awk '{ n += \$2 + \$3 } END { print \"FL-GUEST: irqs\", n + 0 }'"
[ "$(heard_last pairs irqs)" -gt 0 ] || fail "the second queue has received nothing"
rebind pairs
no_exits pairs 200
step "pairs: the tap goes away, the guest stays"
ip link del t0
tell pairs 20 "ip link set eth0 down; ip link set eth0 up; echo FL-GUEST: lives"
off pairs
