#!/bin/bash
# A watchdog under Linux' own driver: fed, it does nothing; not fed, the guest is reset, ended, or told of; a pause is
# no hang. And a kernel that has crashed and stands still is found by it.
# lab: devices=none iommufd=no timeout=600 quiet=90 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"

RUN=/run/fairlead
fl() { "$FAIRLEAD" --socket $RUN/netd.sock "$@"; }

# The driver, which the other guests have no use for: one archive more.
watchdog_initrd() {
	local dir=/run/l2-watchdog
	device_initrd
	mkdir -p $dir/watchdog $RUN/guests
	local m
	for m in watchdog i6300esb; do
		xz -dc "$LAB_KERNEL_DIR"/lib/modules/*/kernel/drivers/watchdog/$m.ko.xz >$dir/watchdog/$m.ko
	done
	{ cat "$DEVICE_INITRD"; (cd $dir && find . | cpio -o -H newc --quiet -R 0:0); } >/run/l2-watchdog.img
	DEVICE_INITRD=/run/l2-watchdog.img
}

driver() { # NAME SECONDS
	tell "$1" 20 "insmod /watchdog/watchdog.ko; insmod /watchdog/i6300esb.ko heartbeat=$2; test -c /dev/watchdog"
}

# Who is killed closes it without the word that would stop the timer.
feed() { tell "$1" 10 "watchdog -F -t 1 -T $2 /dev/watchdog </dev/null >/dev/null 2>&1 & echo \$! >/feeder"; } # NAME SECONDS
starve() { tell "$1" 10 'kill -9 $(cat /feeder)'; }                                                         # NAME

boots() { [ "$(grep -c 'FL-GUEST: ready' "$LAB_LOG/$1.log")" = "$2" ]; } # NAME COUNT
says() { grep -qaE "$2" "$1"; }                                         # FILE REGEX

listen_events() { # NAME
	(
		echo '{"jsonrpc": "2.0", "id": 1, "method": "events"}'
		sleep 300
	) | socat - "UNIX-CONNECT:$RUN/guests/$1.sock" >"$LAB_LOG/$1.events" &
	at_end kill $!
	wait_for 10 "answer to events" says "$LAB_LOG/$1.events" '"id":1'
}

step "its driver finds it, and feeds it"
watchdog_initrd
boot w group --watchdog 5,reset --control $RUN/guests/w.sock
listen_events w
driver w 6
tell w 10 'echo FL-GUEST: status $(cat /sys/class/watchdog/watchdog0/bootstatus) $(cat /sys/class/watchdog/watchdog0/timeout)'
equal "not by the watchdog" "$(heard_last w status)" "0 6"
feed w 6
sleep 10
boots w 1 || fail "it was reset though it was fed"
step "a pause is no hang"
expect "pause" fl pause w
sleep 10
expect "resume" fl resume w
sleep 4
boots w 1 || fail "it was reset for a pause"
says "$LAB_LOG/w.events" '"watchdog"' && fail "the watchdog ran out in a pause"
step "it is not fed any more: a reset, and the driver knows why"
starve w
wait_for 60 "reset" boots w 2
says "$LAB_LOG/w.events" '"action":"reset"' || fail "no event: $(cat "$LAB_LOG/w.events")"
driver w 6
tell w 10 'echo FL-GUEST: status $(cat /sys/class/watchdog/watchdog0/bootstatus)'
equal "by the watchdog" "$(heard_last w status)" 32
step "nobody has opened it: nothing happens"
sleep 10
boots w 2 || fail "it was reset though nobody started the watchdog"
off w

step "its memory is written before it is reset, once"
: >/run/d.core
boot d group --watchdog 5,dump,/run/d.core
driver d 4
feed d 4
starve d
wait_for 90 "reset" boots d 2
says "$LAB_LOG/d.log" 'its memory is in the core file: [0-9]* bytes' || fail "no word of the core: $(guest_last d)"
readelf -ln /run/d.core >"$LAB_LOG/readelf" 2>&1
says "$LAB_LOG/readelf" 'LOAD +0x0*1000 ' && says "$LAB_LOG/readelf" NT_PRSTATUS || fail "no core: $(cat "$LAB_LOG/readelf")"
rm /run/d.core
driver d 4
feed d 4
starve d
wait_for 60 "second reset" boots d 3
says "$LAB_LOG/d.log" 'which has been used' || fail "no word of it: $(guest_last d)"
off d

step "a kernel that stands still, and ends for that: 13"
boot s group --watchdog 5,stop
driver s 4
feed s 4
sleep 2
guest_send s 'sh echo 0 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger'
guest_ends s 60 13
says "$LAB_LOG/s.log" 'watchdog has run out' || fail "no word of it: $(guest_last s)"
