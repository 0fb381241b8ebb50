# setup's part for the cache: QEMU, kernels, modules, initramfs. Sourced by setup.
#
#   $CACHE/qemu            trixie, minimal, with qemu-system-x86; run in place
#   $CACHE/K/release       what uname -r says in kernel K
#   $CACHE/K/vmlinuz
#   $CACHE/K/lib/modules   Debian's modules
#   $CACHE/K/iommufd/...   the same and, in updates/, iommufd, VFIO with character devices, netdevsim
#   $CACHE/K/l1.img        L1's initramfs: just enough to mount L0's root
#   $CACHE/K/l2.img        L2's: a guest that pings and powers off
#   $CACHE/K/l2-devices.img  the same with the drivers of every device the lab has
#
# Every step builds beside its place and moves the result there: a stopped set-up leaves no half.

fetch_qemu() {
	local uri
	uri=$(mirror_uri bookworm)
	[ -n "$uri" ] || die "no apt source for bookworm: cannot tell the mirror for trixie"
	# Debian 12's and its backports' QEMU never map the BARs of igb's VFs; trixie's does.
	rm -rf "$QEMU_ROOT.new"
	debootstrap --variant=minbase --include=qemu-system-x86,ipxe-qemu,seabios \
		trixie "$QEMU_ROOT.new" "$uri"
	rm -rf "$QEMU_ROOT.new"/var/cache/apt/archives/*.deb "$QEMU_ROOT.new"/var/lib/apt/lists/*
	mv "$QEMU_ROOT.new" "$QEMU_ROOT"
	chmod 755 "$QEMU_ROOT"
}

# Newest packaged release of a kernel line, as "RELEASE PACKAGE VERSION". Signed and unsigned images
# are the same kernel; which of them a mirror holds changes from week to week. With "source", only a
# release whose source is there in the very same version.
newest_release() { # LINE [source]
	local name release version sources= prefix=$1
	case $1 in
	6.12) name='^linux-image-(6\.12\.[0-9.]+\+deb12(\.[0-9]+)?-amd64)(-unsigned)?$' ;;
	6.1) name='^linux-image-(6\.1\.0-[0-9]+-amd64)(-unsigned)?$' ;;
	rt) name='^linux-image-(6\.1\.0-[0-9]+-rt-amd64)(-unsigned)?$' prefix=6.1 ;;
	esac
	[ -z "${2:-}" ] || sources=$(apt-cache madison "linux-source-$1")
	apt-cache pkgnames "linux-image-$prefix." | grep -E "$name" | sort -rV | while read -r package; do
		release=${package#linux-image-}
		release=${release%-unsigned}
		version=$(apt-cache madison "$package" | awk 'NR == 1 { print $3 }')
		[ -n "$version" ] || continue
		[ -z "${2:-}" ] || [[ $sources == *" $version "* ]] || continue
		echo "$release $package $version"
		break
	done
}

download() { # DIR PACKAGE...: into DIR, as the user who runs us (apt's own user cannot write there)
	local dir=$1
	shift
	(cd "$dir" && apt-get -o APT::Sandbox::User=root download "$@")
}

fetch_kernel() { # LINE
	local line=$1 dir=$CACHE/$1.new release package version
	read -r release package version < <(newest_release "$line" \
		"$([ "$line" != 6.12 ] || echo source)") || true
	[ -n "${version:-}" ] || die "apt knows no linux-image for $line; try: apt-get update"
	rm -rf "$dir"
	mkdir -p "$dir/image"
	download "$dir" "$package=$version"
	dpkg-deb -x "$dir"/linux-image-*.deb "$dir/image"
	mv "$dir/image/lib" "$dir/lib"
	# Not mv: the package's vmlinuz is for root alone, and L2's VMM runs without privileges.
	install -m 644 "$dir/image/boot/vmlinuz-$release" "$dir/vmlinuz"
	install -m 644 "$dir/image/boot/config-$release" "$dir/config"
	depmod -b "$dir" "$release"
	rm -rf "$dir/image" "$dir"/*.deb
	echo "$version" >"$dir/version"
	echo "$release" >"$dir/release"
	rm -rf "${CACHE:?}/$line"
	mv "$dir" "$CACHE/$line"
}

# Headers and kbuild unpacked in the cache, made to find each other there instead of in /usr/src.
unpack_headers() { # DIR RELEASE VERSION
	local dir=$1 release=$2 version=$3 common=${2%-amd64} deb
	download "$dir" "linux-headers-$release=$version" "linux-headers-$common-common=$version" \
		"linux-kbuild-$common=$version"
	for deb in "$dir"/*.deb; do
		dpkg-deb -x "$deb" "$dir/root"
	done
	sed -i "s|/usr/src/|$dir/root/usr/src/|" "$dir/root/usr/src/linux-headers-$release/Makefile"
	# With vmlinux there kbuild wants pahole, for type information that nobody reads.
	rm -f "$dir/root/usr/src/linux-headers-$release/vmlinux"
}

unpack_sources() { # DIR LINE VERSION
	local dir=$1 src=linux-source-$2
	download "$dir" "$src=$3"
	dpkg-deb --fsys-tarfile "$dir/$src"_*.deb | tar -xO "./usr/src/$src.tar.xz" |
		tar -C "$dir" -xJ --strip-components=1 "$src/drivers/iommu" "$src/drivers/vfio" \
			"$src/drivers/net/netdevsim" "$src/lib/interval_tree.c"
}

# The whole module tree again, by hard links, with ours in updates/, which depmod prefers: modprobe
# vfio-pci then loads the right ones in the right order, in L1 and for libkmod alike.
build_modules() { # LINE
	local line=$1 dir=$CACHE/$1/modules-build tree=$CACHE/$1/iommufd release version
	release=$(cat "$CACHE/$line/release")
	version=$(cat "$CACHE/$line/version")
	rm -rf "$dir" "$tree" "$tree.new"
	mkdir -p "$dir/root" "$tree.new/lib/modules"
	unpack_headers "$dir" "$release" "$version"
	unpack_sources "$dir" "$line" "$version"
	cp "$LAB_DIR/modules.kbuild" "$dir/Kbuild"
	make -C "$dir/root/usr/src/linux-headers-$release" M="$dir" -j"$(nproc)" modules
	cp -al "$CACHE/$line/lib/modules/$release" "$tree.new/lib/modules/"
	# Links to the files depmod rewrites would let it rewrite Debian's too.
	rm -f "$tree.new/lib/modules/$release"/modules.*.bin "$tree.new/lib/modules/$release"/modules.{alias,dep,softdep,symbols,devname}
	mkdir "$tree.new/lib/modules/$release/updates"
	strip --strip-debug "$dir"/*.ko
	cp "$dir"/*.ko "$tree.new/lib/modules/$release/updates/"
	depmod -b "$tree.new" "$release"
	rm -rf "$dir"
	mv "$tree.new" "$tree"
}

# modules_for TREE RELEASE NAME...: files of the modules and all they need, a line each.
modules_for() {
	local tree=$1 release=$2
	shift 2
	modprobe -d "$tree" -S "$release" --show-depends -a "$@" |
		awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

# A module tree for busybox's modprobe, which reads modules.dep but not .xz; loads faster as well.
copy_modules() { # FROM RELEASE TO NAME...
	local from=$1 release=$2 to=$3 file out
	shift 3
	modules_for "$from" "$release" "$@" | while read -r file; do
		out=$to/lib/modules/$release/kernel/${file##*/}
		mkdir -p "${out%/*}"
		case $file in
		*.xz) xz -dc "$file" >"${out%.xz}" ;;
		*) cp "$file" "$out" ;;
		esac
	done
	cp "$from/lib/modules/$release"/modules.{order,builtin} "$to/lib/modules/$release/"
	depmod -b "$to" "$release"
	rm -f "$to/lib/modules/$release"/modules.*.bin
}

pack_initramfs() { # DIR FILE: not compressed, so that unpacking costs a guest nothing
	(cd "$1" && find . -print0 | LC_ALL=C sort -z | cpio -0 -o -H newc --quiet -R 0:0) >"$2.new"
	chmod 644 "$2.new"
	mv "$2.new" "$2"
}

initramfs() { # LINE INIT FILE MODULE...
	local line=$1 init=$2 file=$3 dir release
	shift 3
	release=$(cat "$CACHE/$line/release")
	dir=$(mktemp -d)
	chmod 755 "$dir" # it becomes the guest's /
	mkdir -p "$dir"/{bin,dev,proc,sys,mnt}
	install -m 755 /bin/busybox "$dir/bin/busybox"
	ln -s busybox "$dir/bin/sh"
	install -m 755 "$LAB_DIR/$init" "$dir/init"
	# Without a /dev/console in the image, init's first lines have nowhere to go.
	mknod "$dir/dev/console" c 5 1
	copy_modules "$CACHE/$line" "$release" "$dir" "$@"
	pack_initramfs "$dir" "$file"
	rm -rf "$dir"
}

L1_MODULES=(virtio_pci 9p 9pnet_virtio overlay)
L2_MODULES=(virtio_pci virtio_net virtio_blk virtio_console virtio_balloon virtio_rng igbvf igb e1000 e1000e
	8139cp nvme bochs af_packet)
# In an image of their own: what L2 unpacks before its init is part of the figures.
L2_DEVICE_MODULES=("${L2_MODULES[@]}" pcnet32 uio_pci_generic ehci_pci uhci_hcd xhci_pci usb_storage sd_mod
	snd_hda_intel snd_hda_codec_generic virtio_gpu ahci)

setup_cache() {
	local line
	if [ ! -x "$QEMU_ROOT/usr/bin/qemu-system-x86_64" ]; then
		need_root "debootstrap"
		mkdir -p "$CACHE" && chmod 755 "$CACHE"
		step "qemu: unpack Debian trixie's into the cache" fetch_qemu
	fi
	for line in $KERNELS; do
		[ -e "$CACHE/$line/release" ] || step "kernel $line: download, unpack" fetch_kernel "$line"
		[ "$line" != 6.12 ] || [ -d "$CACHE/$line/iommufd" ] ||
			step "kernel $line: build iommufd, vfio, netdevsim" build_modules "$line"
		# Both init scripts and the module lists decide what an image holds.
		newer "$CACHE/$line/l1.img" init-l1 || step "kernel $line: initramfs of L1" \
			initramfs "$line" init-l1 "$CACHE/$line/l1.img" "${L1_MODULES[@]}"
		newer "$CACHE/$line/l2.img" init-l2 || step "kernel $line: initramfs of L2" \
			initramfs "$line" init-l2 "$CACHE/$line/l2.img" "${L2_MODULES[@]}"
		newer "$CACHE/$line/l2-devices.img" init-l2 || step "kernel $line: initramfs of L2 with all drivers" \
			initramfs "$line" init-l2 "$CACHE/$line/l2-devices.img" "${L2_DEVICE_MODULES[@]}"
	done
}

newer() { # FILE SOURCE: FILE is there and newer than what makes it
	[ -e "$1" ] && [ "$1" -nt "$LAB_DIR/$2" ] && [ "$1" -nt "$LAB_DIR/setup-cache.sh" ]
}
