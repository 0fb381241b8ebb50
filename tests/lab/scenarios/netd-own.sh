#!/bin/bash
# Disks, interfaces and the control socket of a lease: there while it lasts, gone after. cat(1) plays the VMM.
# lab: devices=none timeout=200
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-own.sh"

GUESTS=/run/fairlead/guests
IMG=/run/img

leases() { "$FAIRLEAD" -j status | jq '.leases | length'; }
no_lease() { [ "$(leases)" = 0 ]; }
own() { "$FAIRLEAD" -j status | jq -r ".leases[] | select(.guest == \"$1\") | .own[] | $2"; }
link() { ip -j -d link show dev "$1" | jq -r ".[0] | $2"; }
inode() { stat -Lc %i "$1"; }
locks() { awk -v i="$(inode "$1")" '$2 == "OFDLCK" { split($6, a, ":"); if (a[3] == i) print $4 }' /proc/locks; }

# A refusal leaves nothing: neither an interface, nor a lock, nor a name.
nothing_left() {
	equal "interfaces" "$(ip -j link | jq -r '.[].ifname | select(startswith("fl-"))')" ""
	equal "lock of root.img" "$(locks "$IMG/root.img")" ""
	equal "control sockets" "$(ls "$GUESTS")" ""
}

policy() { # FILE [SED-SCRIPT]
	sed -e "${2:-}" >"$1" <<-END
		version: 1
		guests:
		  - name: web
		    memory: 64M
		    kernel: /var/lib/fairlead/images/vmlinuz
		    console: virtio
		    vsock: { cid: 7 }
		    nics:
		      - { name: mgmt, mtu: 1400, emulated: { backend: tap, bridge: br-mgmt } }
		      - { name: data, emulated: { backend: vhost, queues: 2 } }
		      - { name: old, emulated: { backend: tap, model: e1000, tap: tap-old } }
		    disks:
		      - { name: root, path: $IMG/root.img, serial: R1 }
		      - { name: cd, path: $IMG/cd.iso, read-only: true }
		  - name: two
		    memory: 64M
		    kernel: /var/lib/fairlead/images/vmlinuz
		    disks:
		      - { name: cd, path: $IMG/cd.iso, read-only: true }
		  - name: thief
		    memory: 64M
		    kernel: /var/lib/fairlead/images/vmlinuz
		    disks:
		      - { name: stolen, path: $IMG/link.img }
		  - name: block
		    memory: 64M
		    kernel: /var/lib/fairlead/images/vmlinuz
		    disks:
		      - { name: data, path: /dev/loop0 }
	END
}

step "a bridge, images, the daemon"
modprobe -a bridge vhost_vsock loop ext4
groupadd -f fairlead
mkdir -p "$IMG"
truncate -s 8M "$IMG/root.img" "$IMG/cd.iso" "$IMG/block.img"
ln -s root.img "$IMG/link.img"
ip link add br-mgmt type bridge
ip link set br-mgmt up
install_images
netd_start
policy /run/policy.yaml
expect "check" "$FAIRLEAD" check /run/policy.yaml
equal "plan" "$("$FAIRLEAD" -j plan /run/policy.yaml | jq -r '[."at-start"[] | select(.guest == "web")] | length')" 7
"$FAIRLEAD" plan /run/policy.yaml
expect "apply" "$FAIRLEAD" apply /run/policy.yaml
before=$(ip -j link | jq -c '[.[] | [.ifname, .mtu]]')

step "the lease: interfaces, as the kernel has them"
vmm_start web
WEB=$VMM
equal "fds" "$(lease '.fds | join(" ")')" "kvm kernel tap:mgmt:0 tap:data:0 vhost:data:0 tap:data:1 vhost:data:1 \
tap:old:0 disk:root disk:cd vsock control"
equal "bridge" "$(link fl-web-mgmt .master)" br-mgmt
equal "mtu" "$(link fl-web-mgmt .mtu)" 1400
equal "up" "$(link fl-web-mgmt '.flags | index("UP") != null')" true
equal "kind" "$(link fl-web-mgmt '.linkinfo.info_data | "\(.type) \(.pi) \(.vnet_hdr) \(.multi_queue) \(.persist) \(.user)"')" \
	"tap false true false false root"
equal "queues" "$(link fl-web-data '.linkinfo.info_data | "\(.multi_queue) \(.numqueues)"')" "true 2"
equal "no bridge" "$(link fl-web-data .master)" null
equal "name given" "$(link tap-old .linkinfo.info_kind)" tun

step "disks: opened and locked"
equal "lock of root" "$(locks "$IMG/root.img")" WRITE
equal "lock of cd" "$(locks "$IMG/cd.iso")" READ
case $(readlink "/proc/$VMM"/fd/*) in *"$IMG/root.img"*) ;; *) fail "no root.img: $(readlink "/proc/$VMM"/fd/*)" ;; esac

step "what they are: lease and status"
equal "disk" "$(lease '.disks[0] | "\(.name) \(.slot) \(.read_only) \(.serial)"')" "root 4 false R1"
equal "models" "$(lease '[.nics[] | "\(.name) \(.model) \(.pairs)"] | join(", ")')" "mgmt virtio 1, data virtio 2, old e1000 1"
equal "slots" "$(lease '"\(.vsock.slot) \(.vconsole.slot) \(.rng.slot)"')" "31 30 29"
equal "status of mgmt" "$(own web 'select(.name == "mgmt") | "\(.tap) \(.bridge)"')" "fl-web-mgmt br-mgmt"
equal "status of root" "$(own web 'select(.name == "root") | .path')" "$IMG/root.img"
"$FAIRLEAD" status

step "the control socket: who may, and who listens"
equal "socket" "$(stat -c '%A %U %G' "$GUESTS/web.sock")" "srw-rw---- root fairlead"
equal "folder" "$(stat -c '%A %G' "$GUESTS")" "drwxr-s--- fairlead"
equal "listener" "$(ss -xlH src "*/web.sock" | wc -l)" 1
equal "sockets of the VMM" "$(readlink "/proc/$VMM"/fd/* | grep -c socket:)" 2 # the lease's, and that

step "a reader beside it; a writer of the same image by another name is told who has it"
vmm_start two
TWO=$VMM
refused FL-0719 "guest web (pid $WEB) has it" "$FAIRLEAD" run thief
equal "locks of cd" "$(locks "$IMG/cd.iso" | tr '\n' ' ')" "READ READ "
equal "sockets" "$(ls "$GUESTS" | tr '\n' ' ')" "two.sock web.sock "
refused FL-0710 "has mgmt already" "$FAIRLEAD" attach web mgmt

step "killed: all of it is gone, and the guest starts at once"
vmm_kill "$WEB"
vmm_start web
vmm_kill "$VMM"
vmm_kill "$TWO"
wait_for 10 "end of the leases" no_lease
nothing_left
equal "interfaces as before" "$(ip -j link | jq -c '[.[] | [.ifname, .mtu]]')" "$before"

step "netd killed: the guest keeps what it has; its socket goes when nobody listens"
vmm_start web
kill -9 "$NETD_PID"
wait "$NETD_PID" 2>/dev/null || true
netd_start
equal "socket" "$(ls "$GUESTS")" web.sock
equal "lock of root" "$(locks "$IMG/root.img")" WRITE
vmm_kill "$VMM"
vmm_start web # over what was left
vmm_kill "$VMM"
wait_for 10 "end of the lease" no_lease
nothing_left

step "netd ends as asked: the socket stays with the guest, and the next one sweeps it"
vmm_start two
netd_stop
equal "socket" "$(ls "$GUESTS")" two.sock
vmm_kill "$VMM"
netd_start
nothing_left

step "refusals: a file that is not there, a bridge that is not, a name that is taken"
refuse_with() { # CODE WORDS SED-SCRIPT
	policy /run/other.yaml "$3"
	expect "apply" "$FAIRLEAD" apply /run/other.yaml
	refused "$1" "$2" "$FAIRLEAD" run web
	nothing_left
}
refuse_with FL-0719 "No such file" 's|cd.iso|dvd.iso|'
refuse_with FL-0719 "neither a regular file" "s|$IMG/cd.iso|/dev/null|"
refuse_with FL-0720 "there is no bridge br-x" 's|br-mgmt|br-x|'
refuse_with FL-0720 "lo is no bridge" 's|br-mgmt|lo|'
ip tuntap add dev tap-old mode tap vnet_hdr
refuse_with FL-0720 "of that name is there" ''
ip link del tap-old

step "what the host uses: a lock of a program, a loop device, a mounted block device"
python3 -c 'import fcntl, struct, sys, time
f = open(sys.argv[1], "r+b")
fcntl.fcntl(f, 37, struct.pack("hhqqi4x", 1, 0, 100, 1, 0)) # F_OFD_SETLK, as QEMU does
print("locked", flush=True)
time.sleep(100)' "$IMG/root.img" >/run/locked &
PY=$!
at_end end_process "$PY"
wait_for 10 "a lock" grep -q locked /run/locked
refused FL-0719 "has it" "$FAIRLEAD" run web
vmm_kill "$PY"
equal "lock" "$(locks "$IMG/root.img")" ""
losetup /dev/loop0 "$IMG/root.img"
refused FL-0719 "the host has it as /dev/loop0" "$FAIRLEAD" run web
losetup -d /dev/loop0
losetup /dev/loop0 "$IMG/block.img"
mkfs.ext4 -q /dev/loop0
mkdir -p /run/mnt
mount /dev/loop0 /run/mnt
refused FL-0719 "the host uses it" "$FAIRLEAD" run block
umount /run/mnt
vmm_start block
if mount /dev/loop0 /run/mnt 2>/dev/null; then fail "mounted while the guest has it"; fi
vmm_kill "$VMM"
wait_for 10 "end of the lease" no_lease
expect "mount after it" mount /dev/loop0 /run/mnt
umount /run/mnt
losetup -d /dev/loop0
nothing_left
