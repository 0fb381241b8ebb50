#!/bin/bash
# A vsock: bytes both ways between host and guest, whole; over a rebound driver and a guest's reset; a context id
# that is taken is refused.
# lab: devices= timeout=300 quiet=90 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"

CID=33
VSOCK=$FL_BUILD/tests/lab/guest-vsock
FN=0000:01:00.0

# One archive more: the driver, which the other guests have no use for, and the program.
vsock_initrd() {
	local m dir=/run/l2-vsock
	device_initrd
	mkdir -p $dir/bin $dir/vsock
	cp "$VSOCK" $dir/bin/
	for m in vsock vmw_vsock_virtio_transport_common vmw_vsock_virtio_transport; do
		xz -dc "$LAB_KERNEL_DIR"/lib/modules/*/kernel/net/vmw_vsock/$m.ko.xz >$dir/vsock/$m.ko
	done
	{ cat "$DEVICE_INITRD"; (cd $dir && find . | cpio -o -H newc --quiet -R 0:0); } >/run/l2-vsock.img
	DEVICE_INITRD=/run/l2-vsock.img
}

driver() {
	tell v 30 "cd /vsock; for m in vsock vmw_vsock_virtio_transport_common vmw_vsock_virtio_transport; do insmod \$m.ko || exit 1; done"
}

bytes_in() { # MIB
	head -c "$1M" /dev/urandom >/run/v-in
	tell v 20 "(guest-vsock listen 5000 >/in; touch /in.end) </dev/null >/dev/null 2>&1 & sleep 1"
	timeout 60 "$VSOCK" connect $CID 5000 </run/v-in || fail "a connection into the guest"
	tell v 30 "i=0; until [ -e /in.end ] || [ \$((i++)) = 200 ]; do usleep 100000; done; echo FL-GUEST: in \$(sha256sum </in | cut -d' ' -f1); rm /in /in.end"
	equal "$1 MiB into the guest" "$(heard_last v in)" "$(sha256sum </run/v-in | cut -d' ' -f1)"
}

bytes_out() { # MIB
	timeout 90 "$VSOCK" listen 5001 >/run/v-out &
	local pid=$!
	sleep 0.5
	tell v 60 "head -c $(($1 << 20)) /dev/urandom >/out; guest-vsock connect 2 5001 </out && echo FL-GUEST: out \$(sha256sum </out | cut -d' ' -f1); rm /out"
	expect "the connection out of the guest" wait $pid
	equal "$1 MiB out of the guest" "$(sha256sum </run/v-out | cut -d' ' -f1)" "$(heard_last v out)"
}

step "boot"
modprobe vhost_vsock
vsock_initrd
boot v group --vsock 1,$CID
driver
step "bytes both ways"
bytes_in 8
bytes_out 8
step "no packet returns to userspace"
head -c 8M /dev/urandom >/run/v-in
tell v 20 "(guest-vsock listen 5002 >/dev/null; sleep 5) </dev/null >/dev/null 2>&1 & sleep 1"
kvm_exits_start
timeout 60 "$VSOCK" connect $CID 5002 </run/v-in
sleep 1
equal "userspace exits for 8 MiB" "$(kvm_exits_stop | sed -n 's/^userspace-exits //p')" 0
step "the driver goes and comes, in the middle of a connection"
for _ in 1 2 3 4 5; do
	tell v 20 "(guest-vsock listen 5003 >/dev/null) </dev/null >/dev/null 2>&1 & sleep 0.5"
	timeout 20 "$VSOCK" connect $CID 5003 </dev/zero >/dev/null 2>&1 &
	sleep 0.5
	tell v 30 "cd /sys/bus/pci/drivers/virtio-pci; echo $FN >unbind; echo $FN >bind"
	wait $! || true
done
bytes_in 2
step "the guest resets itself"
guest_send v "sh reboot -f"
wait_for 90 "second boot" eval "[ \$(grep -c 'FL-GUEST: ready' '$LAB_LOG/v.log') = 2 ]"
driver
bytes_in 2
bytes_out 2
step "its context id is taken"
guest_start twin "$LAB_DIR/vmm-launch" --vsock 1,$CID --initrd "$DEVICE_INITRD" "$L2_KERNEL" "$(guest_cmdline fl.mode=idle)"
wait_for 30 "refusal" grep -q FL-0619 "$LAB_LOG/twin.log"
grep -q 'another guest has it' "$LAB_LOG/twin.log" || fail "no reason: $(guest_last twin)"
off v
