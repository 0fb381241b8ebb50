# Guests with disks of the VMM's own: what they need besides, and images. Sourced by the scenarios own-blk*.sh
# after lib-device.sh.
#
#   disk_initrd               boot's initramfs gets ext4 with its modules, mke2fs and its libraries
#   image NAME BYTES          an empty image below /run; its path
#   disk_is IMAGE BYTES       every sector of it is what `l2-tool disk DEV fill` writes

disk_initrd() {
	local dir=/run/disk-initrd file n=0
	device_initrd
	mkdir -p "$dir"/{modules,sbin}
	modprobe --show-depends ext4 | while read -r _ file; do
		n=$((n + 1))
		xz -dc "$file" >"$dir/modules/$(printf %02d "$n").ko"
	done
	cp /sbin/mke2fs "$dir/sbin/mkfs.ext4"
	ldd /sbin/mke2fs | grep -o '/[^ ]*' | while read -r file; do
		mkdir -p "$dir${file%/*}"
		cp -L "$file" "$dir$file"
	done
	(cd "$dir" && find . | cpio -o -H newc --quiet -R 0:0) >>"$DEVICE_INITRD"
}

image() {
	truncate -s "$2" "/run/$1"
	echo "/run/$1"
}

disk_is() {
	python3 - "$1" "$2" <<-'EOF2'
		import struct, sys
		image, size = open(sys.argv[1], "rb"), int(sys.argv[2])
		for sector in range(size // 512):
		    if image.read(512) != struct.pack("<QQ", sector, 1) * 32:
		        sys.exit(f"sector {sector} is not what the guest wrote")
	EOF2
}
