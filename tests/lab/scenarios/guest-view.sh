#!/bin/bash
# What a guest's lspci -vvv -xxxx shows of each kind of function, against the golden files; QEMU's view of
# the same functions is kept beside them.
# check: long
# lab: devices=nvmewide,e1000e,xhci,xhcimsi,edu,rtl8139,igb timeout=500 quiet=120 tries=2
#
# guest-view.sh record: writes the views of both VMMs into the log folder, and
# what differs, for tests/golden/guest-view (NAME.fairlead, NAME.diff).
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"

GOLDEN=tests/golden/guest-view
NAMES=(nvme e1000e xhci-msix xhci-msi edu rtl8139 igb-vf)

# Rows of nothing but zeros are not sent: a console gives some ten rows a second on a busy machine.
DUMP='for d in /sys/bus/pci/devices/0000:0[1-9]:*; do echo FL-GUEST: pci ${d##*/} $(wc -c <$d/config);
	hexdump -v -e "\"FL-GUEST: cfg %03.3_ax:\" 16/1 \" %02x\" \"\\n\"" $d/config | grep -v ":\( 00\)*\$"; done'

# The guest's log as lspci -F reads it.
whole_dump() { # NAME
	awk 'function flush(	at, row) {
			for (at = 0; at < size; at += 16) {
				row = sprintf("%03x", at)
				print substr(row, at < 256 ? 2 : 1) ":" (row in has ? has[row] : zeros)
			}
			split("", has)
		}
		BEGIN { zeros = sprintf("%16s", ""); gsub(/ /, " 00", zeros) }
		/^[0-9]+ FL-GUEST: pci /{ flush(); size = $5; sub(/^0000:/, "", $4); print $4 " x" }
		/^[0-9]+ FL-GUEST: cfg /{ row = $4; sub(/^.*cfg [0-9a-f]*:/, ""); has[substr(row, 1, 3)] = $0 }
		END { flush() }' "$LAB_LOG/$1.log"
}

# view NAME SUFFIX BUS...: by address only, as the names of vendors change with their list. No driver
# has touched the functions, so nothing here is of the moment.
view() {
	local name=$1 suffix=$2 n=0 bus
	shift 2
	ask "$name" 200 sh "${DUMP//$'\n'/ }"
	whole_dump "$name" >"$LAB_LOG/$name.hex"
	for bus in "$@"; do
		lspci -F "$LAB_LOG/$name.hex" -s "$bus:00.0" -n -vvv -xxxx >"$LAB_LOG/view/${NAMES[n]}.$suffix" 2>/dev/null
		[ -s "$LAB_LOG/view/${NAMES[n]}.$suffix" ] || fail "no function at $bus:00.0 in guest $name"
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
view ours fairlead 01 02 03 04 05 06 07
off ours

if [ "${1:-}" = record ]; then
	step "QEMU's guest looks at them"
	boot_peer peer "${functions[@]}"
	view peer qemu 01 02 03 04 05 06 07
	guest_send peer off
	guest_wait peer 30
	for n in "${NAMES[@]}"; do
		diff -U0 --label qemu --label fairlead "$LAB_LOG/view/$n.qemu" "$LAB_LOG/view/$n.fairlead" >"$LAB_LOG/view/$n.diff" || true
		note "$n: other than QEMU's in $(grep -c '^+[^+]' "$LAB_LOG/view/$n.diff") lines: $LAB_LOG/view/$n.diff"
	done
	exit 0
fi

step "as it was recorded"
for n in "${NAMES[@]}"; do
	[ -s "$GOLDEN/$n.fairlead" ] || fail "no $GOLDEN/$n.fairlead; run: tests/lab/lab run guest-view record"
	diff -u "$GOLDEN/$n.fairlead" "$LAB_LOG/view/$n.fairlead" || fail "$n: the guest's view has changed"
done
host_quiet
