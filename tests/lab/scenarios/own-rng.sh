#!/bin/bash
# The entropy device and the virtio console in a stock guest, with packed rings and with split ones, and with
# INTx: bytes, lines both ways, drivers unbound and bound under load; no driver has anything to complain of.
# lab: devices= timeout=480 quiet=60 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"

# Slots 1 and 2: the guest's buses 1 and 2.
RNG=0000:01:00.0 CONSOLE=0000:02:00.0

start() { # NAME JSON-MEMBERS WORDS
	BOOT_WORDS=$3
	boot "$1" group --rng 1 --vconsole 2 --guest "$2"
}

# As sysfs has it: bit N of the features is character N.
feature() { # NAME FN BIT
	tell "$1" 10 "f=\$(cat /sys/bus/pci/devices/$2/virtio*/features); echo FL-GUEST: feature \${f:$3:1}"
	heard_last "$1" feature
}

rings() { # NAME PACKED
	local fn
	for fn in $RNG $CONSOLE; do
		equal "$fn: VERSION_1" "$(feature "$1" $fn 32)" 1
		equal "$fn: RING_PACKED" "$(feature "$1" $fn 34)" "$2"
		equal "$fn: EVENT_IDX" "$(feature "$1" $fn 29)" 1
	done
}

bytes() { # NAME
	tell "$1" 60 "dd if=/dev/hwrng of=/a bs=4096 count=64 2>/dev/null; dd if=/dev/hwrng of=/b bs=4096 count=64 2>/dev/null; gzip -c /a >/a.gz; echo FL-GUEST: bytes \$(wc -c </a) \$(wc -c </b); [ \$(wc -c </a.gz) -gt \$(wc -c </a) ] && ! cmp -s /a /b"
	equal "bytes read" "$(heard_last "$1" bytes)" "262144 262144"
}

# Lines that the virtio console says, many at once; and one typed while it was the last to speak.
lines() { # NAME
	tell "$1" 60 "for i in \$(seq 500); do echo v-line-\$i-$1; done >/dev/hvc0"
	wait_for 20 "the last line" grep -q "v-line-500-$1" "$LAB_LOG/$1.log"
	equal "lines of the virtio console" "$(grep -c "v-line-[0-9]*-$1" "$LAB_LOG/$1.log")" 500
	# The reader takes one line there, and says so by the serial line.
	guest_send "$1" "sh (stty -echo; echo rea''dy-$1; read -r l; echo FL-GUEST: ty''ped \$l >/dev/ttyS0) </dev/hvc0 >/dev/hvc0"
	wait_for 20 "the reader" grep -q "ready-$1" "$LAB_LOG/$1.log"
	sleep 0.5
	guest_send "$1" "over-virtio"
	guest_expect "$1" 20 "typed over-virtio"
}

# The driver goes and comes while its device is busy.
rebind() { # NAME
	tell "$1" 90 "(while :; do dd if=/dev/hwrng of=/dev/null bs=512 count=50 2>/dev/null; done) & busy=\$!; cd /sys/bus/pci/drivers/virtio-pci; for i in 1 2 3 4 5; do echo $RNG >unbind; echo $RNG >bind; done; kill \$busy"
	tell "$1" 60 "cd /sys/bus/pci/drivers/virtio-pci; for i in 1 2 3 4 5; do (seq 2000 >/dev/hvc0 2>/dev/null) & echo $CONSOLE >unbind; echo $CONSOLE >bind; wait; done; true"
}

one_guest() { # NAME MEMBERS PACKED WORDS
	step "$1: boot"
	start "$1" "$2" "$4"
	step "$1: what was negotiated"
	rings "$1" "$3"
	step "$1: random bytes"
	bytes "$1"
	step "$1: lines over the virtio console"
	lines "$1"
	step "$1: drivers unbound and bound under load"
	rebind "$1"
	bytes "$1"
	tell "$1" 20 "dmesg | grep -i virtio | grep -i -E 'error|fail|broken|reset' | sed 's/^/FL-GUEST: complaint /'; true"
	equal "complaints" "$(heard "$1" complaint)" ""
	! grep -a 'stands still' "$LAB_LOG/$1.log" || fail "$1: a device was broken"
	off "$1"
	note "$1: $(jq -c '.exits? // empty' "$LAB_LOG/$1.report" | tail -n 1)"
}

one_guest packed '"split_rings": false' 1 ""
one_guest split '"split_rings": true' 0 ""
one_guest intx '"split_rings": false' 1 "pci=nomsi"
