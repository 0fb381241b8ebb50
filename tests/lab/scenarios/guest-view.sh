#!/bin/bash
# What a guest's lspci -vvv -xxxx shows of each kind of function, against the golden files; QEMU's view of
# the same functions is kept beside them.
# check: no, recorded once and not yet compared
# lab: devices=nvmewide,e1000e,xhci,xhcimsi,edu,rtl8139,igb timeout=240 quiet=90 tries=2
#
# guest-view.sh record: writes the views of both VMMs into the log folder, for tests/golden/guest-view.
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"

GOLDEN=tests/golden/guest-view
NAMES=(nvme e1000e xhci-msix xhci-msi edu rtl8139 igb-vf)

# view NAME SUFFIX: by address only, as the names of vendors change with their list. No driver has
# touched the functions, so nothing here is of the moment.
view() {
	local n=0 fn
	ask "$1" 40 lspci
	awk '/FL-GUEST: pci /{ print $4 " x" } /FL-GUEST: cfg /{ sub(/^.*cfg /, ""); print }' "$LAB_LOG/$1.log" |
		sed 's/^0*\([0-9a-f]\{2,\}:\)\( [0-9a-f]\)/\1\2/; s/^0000://' >"$LAB_LOG/$1.hex"
	for fn in 01 02 03 04 05 06 07; do
		lspci -F "$LAB_LOG/$1.hex" -s "$fn:00.0" -n -vvv -xxxx >"$LAB_LOG/view/${NAMES[n]}.$2" 2>/dev/null
		[ -s "$LAB_LOG/view/${NAMES[n]}.$2" ] || fail "no function at $fn:00.0 in guest $1"
		n=$((n + 1))
	done
}

prepare() {
	local pf
	pf=$(pf_igb)
	carve_vfs "$pf" 1
	ip link set "$(pci_netdev "$pf")" up
	vf=$(pci_vf "$pf" 0)
	set_vf_mac "$pf" 0 02:00:00:00:00:01
	bind_vfio "$vf"
	functions=("$(free_function 1b36:0010)" "$(free_function 8086:10d3)" "$(free_function 1b36:000d)"
		"$(free_function 1b36:000d 2)" "$(free_function 1234:11e8)" "$(free_function 10ec:8139)" "$vf")
}

step "seven functions go to vfio-pci"
mkdir -p "$LAB_LOG/view"
rm -f "$LAB_LOG"/view/*
prepare
BOOT_WORDS=fl.load=no

step "a guest of ours looks at them"
words=()
for f in "${functions[@]}"; do words+=(--device "$f"); done
boot ours "$(backends | cut -d' ' -f1)" "${words[@]}"
view ours fairlead
off ours

if [ "${1:-}" = record ]; then
	step "QEMU's guest looks at them"
	boot_peer peer "${functions[@]}"
	view peer qemu
	guest_send peer off
	guest_wait peer 30
	exit 0
fi

step "as it was recorded"
for n in "${NAMES[@]}"; do
	[ -s "$GOLDEN/$n.fairlead" ] || fail "no $GOLDEN/$n.fairlead; run: tests/lab/lab run guest-view record"
	diff -u "$GOLDEN/$n.fairlead" "$LAB_LOG/view/$n.fairlead" || fail "$n: the guest's view has changed"
done
host_quiet
