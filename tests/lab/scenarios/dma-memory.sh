#!/bin/bash
# What a device may reach: a guest on huge pages, one with memory above 4 GiB, and one whose device is
# told to write where it may not: the fault is counted, and nothing of the host or another guest changes.
# lab: devices=igb,edu mem=7G timeout=420 quiet=60 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-device.sh"

POOL=/sys/kernel/mm/hugepages/hugepages-2048kB
CANARY_MIB=64

reported() { report_field "$LAB_LOG/$1.report" exit "$2"; } # NAME FIELD

ping_ok() { # NAME
	ask "$1" 40 net
	ask "$1" 40 ping 3
	[ -n "$(guest_said "$1" 'ping ok 3/3')" ] || fail "guest $1: $(guest_said "$1" 'ping|error'); $(guest_last "$1")"
}

pf=$(pf_igb)
carve_vfs "$pf" 1
ip link set "$(pci_netdev "$pf")" up
set_vf_mac "$pf" 0 02:00:00:00:00:01
vf=$(pci_vf "$pf" 0)
bind_vfio "$vf"
edu=$(free_function 1234:11e8)

step "a pool of huge pages that is too small: refused, with the mend"
echo 64 >"$POOL/nr_hugepages"
equal "pages in the pool" "$(cat "$POOL/nr_hugepages")" 64
if "$LAB_DIR/vmm-launch" --memory $((512 << 20)) --guest "\"page\": 2097152" --device "$vf" \
	"$L2_KERNEL" console=ttyS0 </dev/null >"$LAB_LOG/pool.log" 2>&1; then
	fail "a guest of 512 MiB started on a pool of 128 MiB"
fi
grep -q FL-0604 "$LAB_LOG/pool.log" && grep -q "hugepages-2048kB: nr_hugepages" "$LAB_LOG/pool.log" &&
	grep -q "256 of them" "$LAB_LOG/pool.log" || fail "it says: $(cat "$LAB_LOG/pool.log")"
equal "pages free again" "$(cat "$POOL/free_hugepages")" 64

for backend in $(backends); do
	step "$backend: a guest on 2 MiB pages with a VF"
	echo 256 >"$POOL/nr_hugepages"
	equal "pages in the pool" "$(cat "$POOL/nr_hugepages")" 256
	boot "huge-$backend" "$backend" --memory $((512 << 20)) --guest "\"page\": 2097152" --device "$vf"
	equal "huge pages in use" "$(cat "$POOL/free_hugepages")" 0
	ping_ok "huge-$backend"
	off "huge-$backend"
	equal "huge pages free after it" "$(cat "$POOL/free_hugepages")" 256
	equal "DMA maps" "$(reported "huge-$backend" dma_maps)" 1
	equal "page" "$(reported "huge-$backend" ram_page)" $((2 << 20))
	echo 0 >"$POOL/nr_hugepages"
done

# 1 MiB in the part above 4 GiB that its kernel leaves alone, for the device to write and read.
for backend in $(backends); do
	step "$backend: 3.5 GiB of memory, and DMA above 4 GiB"
	BOOT_WORDS='memmap=1M$0x110000000'
	boot "big-$backend" "$backend" --memory $((3584 << 20)) --device "$vf" --device "$edu"
	BOOT_WORDS=
	ping_ok "big-$backend"
	tell "big-$backend" 10 "grep -q '110000000-1100fffff : Reserved' /proc/iomem"
	tell "big-$backend" 10 "l2-tool edu 0000:02:00.0 to 0x110000000 7 && l2-tool edu 0000:02:00.0 from 0x110000000 7"
	off "big-$backend"
	equal "DMA maps" "$(reported "big-$backend" dma_maps)" 2
	note "brought in by $(reported "big-$backend" prefault_threads) thread(s) in $(($(reported "big-$backend" prefault_ns) / 1000000)) ms"
done

step "canaries: in the host, and in a second guest"
netd_start
mkfifo /run/canary.in /run/canary.out
python3 "$LAB_DIR/canary.py" $CANARY_MIB "$LAB_LOG/canary.addresses" </run/canary.in >/run/canary.out 2>&1 &
exec 8>/run/canary.in 9</run/canary.out
read -r -t 60 word <&9
equal "canary" "$word" ready
boot second "$(backends | cut -d' ' -f1)" --device "$vf"
tell second 20 "dd if=/dev/urandom of=/canary bs=1M count=32 2>/dev/null; md5sum </canary >/canary.sum"

for backend in $(backends); do
	name=rogue-$backend
	step "$backend: a device told to write beyond its guest"
	before=$("$FAIRLEAD" -j status | jq '[."dma-faults"."by-function"[].count] | add // 0')
	boot "$name" "$backend" --device "$edu"
	# Just behind its memory, then where the host keeps what is dear to it.
	# The kernel tells ten faults in five seconds: not each of them need be the last one that is told.
	asked="0x20000000 $(shuf -n 3 "$LAB_LOG/canary.addresses" | tr '\n' ' ')"
	for at in $asked; do
		tell "$name" 20 "l2-tool edu 0000:01:00.0 to $at 7"
		sleep 1
	done
	off "$name"
	after=$("$FAIRLEAD" -j status | jq '[."dma-faults"."by-function"[].count] | add // 0')
	[ "$after" -gt "$before" ] || fail "$before faults before, $after after"
	fault=$("$FAIRLEAD" -j status | jq -r '."dma-faults"."by-function"[0] | "\(.bdf) \(.last.kind) \(.last.address)"')
	equal "the last fault" "${fault% *}" "$edu write"
	[[ " $asked" == *" ${fault##* } "* ]] || fail "the last fault was at ${fault##* }, of $asked"
done
"$FAIRLEAD" status | grep -A1 'with DMA faults' | tail -n 1 | while read -r line; do note "$line"; done
dmesg | grep -m 1 'DMAR: \[DMA Write' | while read -r line; do note "$line"; done

step "all is whole"
echo check >&8
read -r -t 60 word <&9
equal "canary" "$word" whole
tell second 20 "[ \"\$(md5sum </canary)\" = \"\$(cat /canary.sum)\" ]"
ping_ok second
off second
netd_stop
