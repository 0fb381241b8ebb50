#!/bin/bash
# The vfio, iommu and irq-remap folders without a VMM, by iommufd and by group: an igb VF, INTx, 64 vectors, buses reset as a whole.
# lab: devices=igb,multifn,edu,igbpair,nvmewide timeout=240
. "$LAB_DIR/lib.sh"

PROBE=${FL_BUILD:-$PWD/build}/tests/lab/vfio-probe

node() { # BACKEND BDF
	if [ "$1" = group ]; then echo "/dev/vfio/$(pci_group "$2")"; else vfio_cdev "$2"; fi
}

space() {
	if [ "$1" = group ]; then echo /dev/vfio/vfio; else echo /dev/iommu; fi
}

# The probe's own lines are the record; its failure is the scenario's.
probe() { # BACKEND BDF WHAT [WORDS]: what it must say
	local out status=0
	out=$("$PROBE" "$1" "$2" "$(space "$1")" "$(node "$1" "$2")" "$3" 2>&1) || status=$?
	printf '%s\n' "$out" | sed 's/^/       /'
	[ "$status" = 0 ] || fail "vfio-probe $1 $2 $3 ended with $status"
	[[ $out == *"${4:-}"* ]] || fail "vfio-probe $1 $2 $3: want \"$4\""
}

refused() { # BACKEND BDF WORDS [COMMAND...]
	local backend=$1 bdf=$2 words=$3 out
	shift 3
	out=$("$@" "$PROBE" "$backend" "$bdf" "$(space "$backend")" "$(node "$backend" "$bdf")" 2>&1) &&
		fail "$backend $bdf: not refused"
	[[ $out == *"$words"* && $out == *FL-*why:*mend:* ]] ||
		fail "$backend $bdf: want \"$words\", got: $out"
	note "$backend: $words"
}

# The request interrupt: the holder is told, lets go, and the VFs go away.
held_then_removed() { # BACKEND
	local out=/run/hold.$1 pid
	"$PROBE" "$1" "$vf" "$(space "$1")" "$(node "$1" "$vf")" hold >"$out" 2>&1 &
	pid=$!
	wait_for 10 "holder ($1)" grep -q held "$out"
	[ "$1" = group ] || refused "$1" "$vf" FL-0309
	timeout 20 sh -c "echo 0 >$PCI/$pf/sriov_numvfs" || fail "$1: numvfs=0 did not return"
	wait "$pid" || fail "the holder: $(cat "$out")"
	equal "the holder says" "$(tail -n 1 "$out")" "ok  let go"
}

prepare() {
	carve_vfs "$pf" 2
	vf=$(pci_vf "$pf" 0)
	bind_vfio "$vf"
}

backends=group
[ "$LAB_IOMMUFD" = yes ] && backends="group iommufd"
[ -x "$PROBE" ] || fail "$PROBE is not built: make tests"

step "carve 2 VFs, bind one to vfio-pci"
pf=$(pci_find 8086:10c9)
pf=${pf%%$'\n'*}
ip link set "$(pci_netdev "$pf")" up # a VF interrupts only while its PF is up
prepare

for b in $backends; do
	step "a VF by $b"
	probe "$b" "$vf" igbvf
done
equal "DMAR faults" "$(dmesg | grep -c 'DMAR:.*fault' || true)" 0

step "RLIMIT_MEMLOCK too small"
for b in $backends; do
	refused "$b" "$vf" FL-0308 setpriv --bounding-set=-ipc_lock prlimit --memlock=1048576
done

step "a function of the same group has its host driver"
other=$(pci_find 1234:11e8)
other=${other%%$'\n'*}
bind_vfio "$other"
refused group "$other" FL-0303
# One errno of iommufd for two causes: the words must name the group.
[ "$LAB_IOMMUFD" != yes ] || refused iommufd "$other" "its IOMMU group is in use"

step "INTx, by a device that raises it when told to"
edu=$(pci_find 1234:11e8)
edu=${edu##*$'\n'}
bind_vfio "$edu"
for b in $backends; do probe "$b" "$edu" edu; done

step "a bus whose functions are all in one group is reset as a whole"
for f in "$(pci_find 8086:10d3)" $(pci_find 1234:11e8); do
	[ "${f%.*}" != "${other%.*}" ] || bind_vfio "$f"
done
for b in $backends; do probe "$b" "$other" bus "the bus is reset"; done

step "a bus that others share is not reset, and they are named"
pair=$(pci_find 8086:10c9)
pair=${pair##*$'\n'}
bind_vfio "${pair%.*}.0"
bind_vfio "${pair%.*}.1"
for b in $backends; do probe "$b" "$pair" bus "does not have: ${pair%.*}.0"; done

step "64 vectors at once"
wide=$(pci_find 1b36:0010)
bind_vfio "$wide"
for b in $backends; do probe "$b" "$wide" wide "1 SET_IRQS, 1 route commit"; done

for b in $backends; do
	step "held by $b, the VFs are removed"
	held_then_removed "$b"
	prepare
done
