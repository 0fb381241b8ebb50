#!/bin/bash
# Two displays: what the guest draws on each is what the machine outside shows, pixel for pixel.
# check: long
# lab: devices=display,display2,virtiogpu timeout=400 quiet=100 tries=2
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"

# DRM's cards of one driver are told apart by the order of their slots.
draws() { # NAME DRIVER NTH SEED
	guest_send "$1" "sh l2-tool draw $2 $4 300 $3 &"
	guest_expect "$1" 60 "drawn $2#$3"
	size=$(guest_said "$1" "drawn $2#$3" | cut -d' ' -f3)
}

# L0 writes the dump into the log folder, which L1 sees.
same_screen() { # L0-ID
	l0 screendump "$1.ppm" "$1"
	cmp "$LAB_LOG/$1.ppm" "/run/$1.want"
}

# A display may show a change only at its next refresh.
compare_screen() { # L0-ID WIDTHxHEIGHT SEED
	rm -f "$LAB_LOG/$1.ppm"
	"$L2_TOOL" picture "${2%x*}" "${2#*x}" "$3" >"/run/$1.want"
	wait_for 5 "screen of $1 that is the picture: $LAB_LOG/$1.ppm" same_screen "$1"
	note "$1: $2 pixels are the same"
	rm -f "$LAB_LOG/$1.ppm"
}

one_guest() { # BACKEND SEED
	local name=display-$1
	step "$name: a guest with three displays of two drivers"
	boot "$name" "$1" --device "$gpu0" --device "$gpu2" --device "$gpu3"
	ask "$name" 30 load
	step "$name: it draws"
	draws "$name" bochs-drm 0 "$2"
	compare_screen gpu0 "$size" "$2"
	draws "$name" bochs-drm 1 $(($2 + 1))
	compare_screen gpu2 "$size" $(($2 + 1))
	draws "$name" virtio_gpu 0 $(($2 + 2))
	compare_screen gpu3 "$size" $(($2 + 2))
	step "$name: the first still shows its own"
	compare_screen gpu0 "$(guest_said "$name" 'drawn bochs-drm#0' | cut -d' ' -f3)" "$2"
	off "$name"
}

step "three displays go to vfio-pci"
gpu0=$(free_function 1234:1111)
gpu2=$(free_function 1234:1111 2)
gpu3=$(free_function 1af4:1050)

seed=1
for backend in $(backends); do
	one_guest "$backend" $seed
	seed=$((seed + 10))
done
host_quiet
