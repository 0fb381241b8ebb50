# A whole Debian in a guest (setup-debian.sh): its disk, two networks with DHCP, its console, SSH. Sourced by
# scenarios after lib-fairlead.sh; it is the guest "deb" of their policy.
#
#   debian_host                  a copy of its disk, programs for the host's side, bridges that give addresses
#   debian_policy FILE           its policy, applied
#   debian_boot NAME             `fairlead run`, until its console asks for a login
#   debian_login NAME            on the console, as root
#   debian_console NAME SECONDS COMMAND    there; fails unless it ends with 0
#   debian_ssh COMMAND...        over the network, as root
#   debian_if MAC                its interface with that MAC, as the guest calls it
#   debian_ended NAME            its VMM has ended well, and its file system is clean
#   host_tool COMMAND...         a program of the image, on the host
#
# The image's own programs serve the host's side too: nothing more is to be installed there.

DEBIAN=$FAIRLEAD_CACHE/debian
DEBIAN_DIR=/run/debian
TOOLS=$DEBIAN_DIR/tools
LAN_HOST=10.1.0.1 LAN_GUEST=10.1.0.15 LAN_MAC=02:5a:10:00:00:01
FAST_HOST=10.2.0.1 FAST_GUEST=10.2.0.15 FAST_MAC=02:5a:10:00:00:02
SSH=(ssh -n -q -i /tmp/key -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null
	-o ConnectTimeout=60)

host_tool() { chroot "$TOOLS" "$@"; }

# As it lies in the cache: what the host runs of it and what the guest writes are two.
debian_tools() {
	modprobe -a loop ext4
	mkdir -p "$TOOLS"
	mount -t ext4 -o ro,noload,loop "$DEBIAN/root.img" "$TOOLS"
	mount --bind /dev "$TOOLS/dev"
	mount -t proc proc "$TOOLS/proc"
	mount -t tmpfs tmp "$TOOLS/tmp"
	install -m 600 "$DEBIAN/key" "$TOOLS/tmp/key"
}

# A bridge whose host end gives one guest's NIC an address.
debian_bridge() { # NAME HOST-ADDRESS MAC GUEST-ADDRESS
	ip link add "$1" type bridge
	ip addr add "$2/24" dev "$1"
	ip link set "$1" up
	: >"$DEBIAN_DIR/$1.leases"
	cat >"$DEBIAN_DIR/$1.conf" <<-END
		interface $1
		start $4
		end $4
		max_leases 1
		lease_file $DEBIAN_DIR/$1.leases
		pidfile $DEBIAN_DIR/$1.pid
		static_lease $3 $4
		opt subnet 255.255.255.0
		opt lease 3600
	END
	busybox udhcpd -f "$DEBIAN_DIR/$1.conf" >"$LAB_LOG/$1.log" 2>&1 &
	at_end kill $!
}

debian_host() {
	[ -e "$DEBIAN/root.img" ] || skip "no $DEBIAN; run: tests/lab/setup long"
	modprobe -a bridge tun vhost_net
	debian_tools
	cp --sparse=always "$DEBIAN/root.img" "$DEBIAN_DIR/root.img"
	debian_bridge br-lan $LAN_HOST $LAN_MAC $LAN_GUEST
	debian_bridge br-fast $FAST_HOST $FAST_MAC $FAST_GUEST
	truncate -s 256M "$DEBIAN_DIR/data.img"
}

debian_policy() { # FILE
	cat >"$1" <<-END
		version: 1
		guests:
		  - name: deb
		    cpus: 2
		    memory: 1G
		    kernel: $DEBIAN/vmlinuz
		    initrd: $DEBIAN/initrd.img
		    cmdline: "root=/dev/vda ro console=ttyS0 quiet"
		    nics:
		      - { name: lan, mac-address: "$LAN_MAC", emulated: { backend: tap, bridge: br-lan, queues: 2 } }
		      - { name: fast, mac-address: "$FAST_MAC", mtu: 9000, emulated: { backend: vhost, bridge: br-fast, queues: 2 } }
		    disks:
		      - { name: root, path: $DEBIAN_DIR/root.img }
		      - { name: data, path: $DEBIAN_DIR/data.img, serial: DATA }
	END
	expect "check" "$FAIRLEAD" check "$1"
	expect "apply" "$FAIRLEAD" apply "$1"
}

console_has() { grep -qaE "$2" "$LAB_LOG/$1.log"; } # NAME REGEX

debian_boot() { # NAME
	guest_start "$1" "$FAIRLEAD" run --report "$LAB_LOG/$1.report" deb
	wait_for 300 "login on $1's console" console_has "$1" 'Debian GNU/Linux 12 debian ttyS0'
}

# A prompt ends no line, so the log does not show it yet: the password is sent after a while, and again.
debian_login() { # NAME
	local _
	for _ in 1 2 3; do
		guest_send "$1" root
		sleep 8
		guest_send "$1" fairlead
		sleep 8
		guest_send "$1" "stty -echo; echo FL-GUEST: lo''gged in on \$(tty)"
		sleep 8
		[ -z "$(guest_said "$1" 'logged in')" ] || break
	done
	equal "login on the console" "$(guest_said "$1" 'logged in')" "logged in on /dev/ttyS0"
}

debian_console() { # NAME SECONDS COMMAND
	local mark=$RANDOM$RANDOM got
	guest_send "$1" "( $3 ); echo FL-GUEST: to''ld $mark \$?"
	guest_expect "$1" "$2" "told $mark"
	got=$(guest_said "$1" "told $mark")
	equal "in the guest, \"$3\"" "${got##* }" 0
}

debian_ssh() { host_tool "${SSH[@]}" "root@$LAN_GUEST" "$@"; }
debian_answers() { host_tool "${SSH[@]}" "root@$LAN_GUEST" true; }

# The guest's name of the interface with that MAC.
debian_if() { debian_ssh "ip -o link" | awk -v mac="$1" '$0 ~ mac { sub(":$", "", $2); print $2 }'; }

debian_ended() { # NAME
	local out
	guest_wait "$1" 180
	out=$(dumpe2fs -h "$DEBIAN_DIR/root.img" 2>/dev/null)
	equal "file system" "$(sed -n 's/^Filesystem state: *//p' <<<"$out")" clean
	[[ $out != *needs_recovery* ]] || fail "its journal is not empty: it was not unmounted"
	expect "e2fsck" e2fsck -fn "$DEBIAN_DIR/root.img"
}
