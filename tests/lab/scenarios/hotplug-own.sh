#!/bin/bash
# Disks and NICs of the VMM's own come into a stock guest that runs and go out of it, politely and by force, in the
# middle of their work: nothing of them is left, and the guest goes on.
# lab: devices=none timeout=1800 quiet=120 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"
. "$LAB_DIR/lib-disk.sh"
. "$LAB_DIR/lib-net.sh"

CYCLES=${CYCLES:-10}
IMG=/run/img

policy() { # FILE [LINE...]: of the guest, besides what it begins with
	local file=$1
	shift
	{
		cat <<-END
			version: 1
			guests:
			  - name: web
			    memory: 512M
			    kernel: /var/lib/fairlead/images/vmlinuz
			    initrd: /var/lib/fairlead/images/initrd.img
			    cmdline: "$(guest_cmdline fl.mode=idle)"
			    hotplug-slots: 2
		END
		[ $# = 0 ] || printf '    %s\n' "$@"
		cat <<-END
			  - name: thief
			    memory: 64M
			    kernel: /var/lib/fairlead/images/vmlinuz
			    disks: [{ name: stolen, path: $IMG/link.img }]
		END
	} >"$file"
}

own() { "$FAIRLEAD" -j status | jq -r '.leases[] | select(.guest == "web") | [.own[].name] | sort | join(" ")'; }
vmm_fds() { find "/proc/$(guest_pid web)/fd" -mindepth 1 | wc -l; }
locks() { awk -v i="$(stat -c %i "$IMG/data.img")" '$2 == "OFDLCK" { split($6, a, ":"); if (a[3] == i) print $4 }' /proc/locks; }
image_is_free() { [ -z "$(locks)" ] && losetup /dev/loop0 "$IMG/data.img" && losetup -d /dev/loop0; }

attach() { # DEVICE: and its drivers
	expect "attach $1" "$FAIRLEAD" attach web "$1"
	ask web 60 load
}

# Of three cycles one is polite: Linux takes six seconds for that.
detach() { # DEVICE CYCLE
	local how=--now began
	[ $(($2 % 3)) != 1 ] || how=
	began=$(now_ms)
	expect "detach $how $1" "$FAIRLEAD" detach $how web "$1"
	note "detach $how: $(($(now_ms) - began)) ms"
	equal "what it has" "$(own)" rng
}

step "a guest with empty slots, and a policy that has got more since it was started"
modprobe -a tun vhost_net vhost_vsock loop ext4
mkdir -p "$IMG"
truncate -s 64M "$IMG/data.img"
ln -s data.img "$IMG/link.img"
disk_initrd
install_images
ln -sf "$DEVICE_INITRD" /var/lib/fairlead/images/initrd.img
netd_start
policy /run/policy.yaml
expect "apply" "$FAIRLEAD" apply /run/policy.yaml
refused FL-0717 "does not run" "$FAIRLEAD" attach web rng
: >"$LAB_LOG/web.report"
guest_start web "$FAIRLEAD" run --report "$LAB_LOG/web.report" web
guest_expect web 100 ready
ask web 20 sh stty -F /dev/console -echo
refused FL-0715 'no device "data"' "$FAIRLEAD" attach web data
policy /run/more.yaml "disks: [{ name: data, path: $IMG/data.img }]" "vsock: { cid: 7 }" "nics:" \
	"  - { name: lan, emulated: { backend: tap, tap: t0 } }" \
	"  - { name: fast, emulated: { backend: vhost, tap: t1 } }" \
	"  - { name: old, emulated: { backend: tap, model: e1000, tap: t2 } }"
expect "apply" "$FAIRLEAD" apply /run/more.yaml
tell web 60 "for m in /modules/*.ko; do insmod \$m 2>/dev/null; done; grep -q ext4 /proc/filesystems; mkdir -p /m"
before=$(vmm_fds)

step "refused: a name that is none, one that stays"
refused FL-0715 'did you mean "data"' "$FAIRLEAD" attach web dada
refused FL-0661 "as long as the guest" "$FAIRLEAD" detach web rng
refused FL-0715 "has no data" "$FAIRLEAD" detach web data

for ((i = 1; i <= CYCLES; i++)); do
	step "the disk, $i of $CYCLES: mounted, and written to as it goes"
	attach data
	tell web 40 "i=0; until [ -b /dev/vda ] || [ \$((i++)) = 100 ]; do usleep 100000; done; [ -b /dev/vda ]"
	[ "$i" != 1 ] || tell web 60 "/sbin/mkfs.ext4 -q -F /dev/vda"
	tell web 30 "mount -t ext4 /dev/vda /m"
	if [ "$i" = 1 ]; then
		refused FL-0710 "has data already" "$FAIRLEAD" attach web data
		refused FL-0719 "guest web" "$FAIRLEAD" run thief
	fi
	guest_send web "sh (while dd if=/dev/zero of=/m/f bs=64k count=64 conv=fsync 2>/dev/null; do :; done; echo FL-GUEST: w''riter $i) &"
	sleep 2
	detach data "$i"
	guest_expect web 90 "writer $i"
	tell web 30 "umount -l /m 2>/dev/null; i=0; while [ -b /dev/vda ] && [ \$((i++)) -lt 100 ]; do usleep 100000; done; [ ! -b /dev/vda ]"
	image_is_free || fail "the image has a user: $(grep -h . /proc/locks)"
	e2fsck -fy "$IMG/data.img" >"$LAB_LOG/e2fsck.log" 2>&1 || [ $? = 1 ] || fail "$(tail -n 3 "$LAB_LOG/e2fsck.log")"
done
equal "descriptors of the VMM" "$(vmm_fds)" "$before"

nic_cycle() { # DEVICE TAP CYCLE
	attach "$1"
	ip addr add "$HOST_IP/24" dev "$2"
	nic_up web
	pings web 20 1000
	flood 20
	detach "$1" "$3"
	kill "$FLOOD" 2>/dev/null || true
	[ ! -e "/sys/class/net/$2" ] || fail "$2 is still there"
	tell web 30 "i=0; while [ -e /sys/class/net/eth0 ] && [ \$((i++)) -lt 100 ]; do usleep 100000; done; [ ! -e /sys/class/net/eth0 ]"
}

for ((i = 1; i <= CYCLES; i++)); do
	step "a NIC by tap, $i of $CYCLES: under a flood"
	nic_cycle lan t0 "$i"
done
for ((i = 1; i <= CYCLES; i++)); do
	step "a NIC by vhost, $i of $CYCLES: under a flood"
	nic_cycle fast t1 "$i"
done
step "an e1000, and a vsock"
nic_cycle old t2 0
attach vsock
tell web 20 "ls /sys/bus/virtio/drivers/vmw_vsock_virtio_transport/virtio* >/dev/null || ls /sys/bus/virtio/devices | grep -q ."
detach vsock 1
equal "descriptors of the VMM" "$(vmm_fds)" "$before"

step "both slots taken: no room for a third; what the VMM has"
attach data
attach lan
refused FL-0715 "no slot for fast" "$FAIRLEAD" attach web fast
equal "what it has" "$(own)" "data lan rng"
snapshot web
jq -c 'select(.event == "snapshot") | [.hotplug, .own]' "$LAB_LOG/web.report" | tail -n 1
equal "adds less removes" "$(jq -r 'select(.event == "snapshot") | .hotplug | .adds - .removes' "$LAB_LOG/web.report" | tail -n 1)" 2

step "the guest's reset takes what it was given along"
guest_send web "sh reboot -f"
wait_for 90 "second boot" eval "[ \$(grep -c 'FL-GUEST: ready' '$LAB_LOG/web.log') = 2 ]"
ask web 60 load
tell web 40 "i=0; until [ -b /dev/vda ] && [ -e /sys/class/net/eth0 ] || [ \$((i++)) = 100 ]; do usleep 100000; done; [ -b /dev/vda ] && [ -e /sys/class/net/eth0 ]"
expect "detach --now data" "$FAIRLEAD" detach --now web data

step "the guest's kernel has nothing to say of it"
tell web 20 "! dmesg | grep -E 'BUG:|Oops|WARNING: CPU|blocked for more'"
off web
wait_for 10 "end of the lease" no_lease
image_is_free || fail "the image has a user"
host_quiet
netd_stop
