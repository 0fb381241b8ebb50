# setup's part for whole guests: a Debian 12 system in a raw ext4 image, and the real-time kernel. Sourced by setup.
#
#   $CACHE/debian/root.img   made by debootstrap: systemd, an SSH server, fio, iperf3, ethtool
#   $CACHE/debian/vmlinuz, initrd.img   its own kernel (the cloud flavour) and initramfs, as its package made them
#   $CACHE/debian/key        what root is let in with over SSH; on the console its password is "fairlead"
#   $CACHE/debian/recipe     checksum of this file: another recipe makes another image
#   $CACHE/rt                kernel 6.1 with PREEMPT_RT, as the other kernels, for guests alone
#
# A scenario copies the image: nothing changes what lies in the cache.

DEBIAN_PACKAGES="systemd-sysv,dbus,udev,login,kmod,iproute2,iputils-ping,openssh-server,fio,iperf3,ethtool"
DEBIAN_PACKAGES+=",e2fsprogs,initramfs-tools,linux-image-cloud-amd64"
DEBIAN_SIZE=1200M

debian_recipe() { sha256sum <"$LAB_DIR/setup-debian.sh" | cut -d' ' -f1; }

# Every Ethernet interface asks for an address, none is waited for.
debian_network() { # ROOT
	cat >"$1/etc/systemd/network/80-dhcp.network" <<-EOF
		[Match]
		Name=en* eth*
		[Link]
		RequiredForOnline=no
		[Network]
		DHCP=ipv4
		LinkLocalAddressing=no
		[DHCPv4]
		UseMTU=no
	EOF
	chroot "$1" systemctl enable systemd-networkd
}

debian_settle() { # ROOT KEY: the key is made
	local root=$1
	chroot "$root" ssh-keygen -q -t ed25519 -N '' -C fairlead -f /tmp/key
	mv "$root/tmp/key" "$2"
	echo debian >"$root/etc/hostname"
	echo "127.0.0.1 localhost debian" >"$root/etc/hosts"
	echo "/dev/vda / ext4 errors=remount-ro 0 1" >"$root/etc/fstab"
	echo "root:fairlead" | chroot "$root" chpasswd
	install -d -m 700 "$root/root/.ssh"
	install -m 600 "$root/tmp/key.pub" "$root/root/.ssh/authorized_keys"
	rm "$root/tmp/key.pub"
	# The host's own resolver is of no use there.
	: >"$root/etc/resolv.conf"
	: >"$root/etc/machine-id"
	debian_network "$root"
	# What a guest never reads, and every scenario would copy.
	rm -rf "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* \
		"$root"/usr/share/{doc,man,locale}/*
}

make_debian() {
	local dir=$CACHE/debian.new uri
	uri=$(mirror_uri bookworm)
	[ -n "$uri" ] || die "no apt source for bookworm on this machine"
	rm -rf "$dir"
	mkdir -p "$dir"
	debootstrap --variant=minbase "--include=$DEBIAN_PACKAGES" bookworm "$dir/root" "$uri"
	debian_settle "$dir/root" "$dir/key"
	install -m 644 "$dir"/root/boot/vmlinuz-* "$dir/vmlinuz"
	install -m 644 "$dir"/root/boot/initrd.img-* "$dir/initrd.img"
	truncate -s "$DEBIAN_SIZE" "$dir/root.img"
	mkfs.ext4 -q -F -L root -d "$dir/root" "$dir/root.img"
	rm -rf "$dir/root"
	debian_recipe >"$dir/recipe"
	rm -rf "$CACHE/debian"
	mv "$dir" "$CACHE/debian"
}

have_debian() { [ "$(cat "$CACHE/debian/recipe" 2>/dev/null)" = "$(debian_recipe)" ]; }

setup_guests() {
	have_debian || need_root "debootstrap"
	have_debian || step "debian: a guest's whole system, by debootstrap" make_debian
	[ -e "$CACHE/rt/release" ] || step "kernel rt: download, unpack" fetch_kernel rt
	newer "$CACHE/rt/l2.img" init-l2 || step "kernel rt: initramfs of L2" \
		initramfs rt init-l2 "$CACHE/rt/l2.img" "${L2_MODULES[@]}"
}
