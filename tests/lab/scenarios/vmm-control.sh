#!/bin/bash
# A running guest by its control socket: pause, clocks, reset, two viewers of the console, the power button, a
# dump, a panic, the end. Without netd, whose part in it a program plays.
# lab: devices=none iommufd=no timeout=300 quiet=60 tries=2
# check: long
. "$LAB_DIR/lib.sh"

FL_BUILD=${FL_BUILD:-$PWD/build}
export FAIRLEAD_VMM=${FAIRLEAD_VMM:-$FL_BUILD/fairlead-vmm}
RUN=/run/fairlead
fl() { "$FL_BUILD/fairlead" --socket $RUN/netd.sock "$@"; }

# Drivers of the button and of pvpanic, which L2's image has not: an archive behind the other one.
extra_image() { # FILE
	local dir=/run/extra m
	mkdir -p $dir/x
	for m in acpi/button misc/pvpanic/pvpanic misc/pvpanic/pvpanic-mmio; do
		xz -dc "$LAB_KERNEL_DIR"/lib/modules/*/kernel/drivers/$m.ko.xz >$dir/x/"${m##*/}".ko
	done
	cat "$L2_INITRD" >"$1"
	(cd $dir && find . | cpio -o -H newc --quiet) >>"$1"
}

launch() { # NAME [LAUNCH-OPTION...]
	local name=$1
	shift
	guest_start "$name" tests/lab/vmm-launch --initrd /run/l2-extra.img --control "$RUN/guests/$name.sock" "$@" \
		"$L2_KERNEL" "$(guest_cmdline fl.mode=idle)"
	guest_expect "$name" 60 ready
}

ends_with() { # NAME STATUS
	local status=0
	wait "$(guest_pid "$1")" || status=$?
	GUEST_PID[$1]=''
	equal "exit status of $1" "$status" "$2"
}

says() { # FILE REGEX
	grep -qaE "$2" "$1"
}

# An open connection that hears of events, in $LAB_LOG/NAME.events.
listen_events() { # NAME
	(
		echo '{"jsonrpc": "2.0", "id": 1, "method": "events"}'
		sleep 300
	) | socat - "UNIX-CONNECT:$RUN/guests/$1.sock" >"$LAB_LOG/$1.events" &
	at_end kill $!
	wait_for 10 "answer to events" says "$LAB_LOG/$1.events" '"id":1'
}

step "a guest with a control socket"
mkdir -p $RUN/guests
extra_image /run/l2-extra.img
launch plain
expect "ps" fl ps
equal "ps: state" "$(fl -j ps | jq -r '.guests[0].state')" running
equal "ps: pid" "$(fl -j ps | jq -r '.guests[0].pid')" "$(guest_pid plain)"
listen_events plain

step "what it answers is what the schema says"
for method in version status counters console.log; do
	echo "$method $(echo "{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"$method\"}" | socat -t 5 - "UNIX-CONNECT:$RUN/guests/plain.sock")"
done >"$LAB_LOG/answers"
tests/static/control "$LAB_LOG/answers" >"$LAB_LOG/schema.log" || [ $? = 77 ] || fail "$(tail -n 5 "$LAB_LOG/schema.log")"
note "$(tail -n 1 "$LAB_LOG/schema.log")"

step "two viewers of its console, one of them typing"
(
	sleep 1
	echo "sh echo FL-GUEST\\: typed by a viewer"
	sleep 4
) | timeout 60 "$FL_BUILD/fairlead" --socket $RUN/netd.sock console plain >"$LAB_LOG/viewer1" &
timeout 6 "$FL_BUILD/fairlead" --socket $RUN/netd.sock console --read-only plain </dev/null >"$LAB_LOG/viewer2" || true
wait_for 20 "first viewer" says "$LAB_LOG/viewer1" 'FL-GUEST: typed by a viewer'
wait_for 20 "second viewer" says "$LAB_LOG/viewer2" 'FL-GUEST: typed by a viewer'
guest_expect plain 10 "typed by a viewer"
fl console --log plain >"$LAB_LOG/scrollback"
says "$LAB_LOG/scrollback" 'FL-GUEST: ready' || fail "the scroll-back has not the guest's first words"

step "a pause: nothing is said, and the guest's clock stands still"
guest_send plain 'sh echo FL-GUEST\: before $(cut -d. -f1 /proc/uptime)'
guest_expect plain 10 before
expect "pause" fl pause plain
equal "state" "$(fl -j ps | jq -r '.guests[0].state')" paused
guest_send plain 'sh echo FL-GUEST\: after $(cut -d. -f1 /proc/uptime)'
sleep 20
equal "while it is paused" "$(guest_said plain after)" ""
expect "resume" fl resume plain
guest_expect plain 20 after
a=$(guest_said plain before) b=$(guest_said plain after)
note "uptime $a, 20 s of pause, $b"
[ $((${b##* } - ${a##* })) -lt 10 ] || fail "the guest's clock went on: $a, $b"

step "a dump is a core that readelf and gdb read"
expect "dump" fl dump plain /run/core
readelf -ln /run/core >"$LAB_LOG/readelf" 2>&1
says "$LAB_LOG/readelf" 'LOAD +0x0*1000 ' || fail "no memory in the core"
says "$LAB_LOG/readelf" NT_PRSTATUS && ! says "$LAB_LOG/readelf" Warning || fail "no registers in the core"
if command -v gdb >/dev/null; then
	gdb -batch -nx -c /run/core -ex "info registers rip" -ex "x/2xb 0x100000" >"$LAB_LOG/gdb" 2>&1 || true
	says "$LAB_LOG/gdb" '^rip +0x' || fail "gdb has no registers: $(cat "$LAB_LOG/gdb")"
fi
note "$(stat -c '%s bytes, %b blocks' /run/core)"
rm /run/core
equal "and it runs" "$(fl -j ps | jq -r '.guests[0].state')" running

step "the power button: its event arrives"
guest_send plain 'sh insmod /x/button.ko; grep -H . /sys/bus/acpi/devices/PNP0C0C*/hid | sed "s/^/FL-GUEST: button /"'
guest_expect plain 10 'button .*PNP0C0C'
echo '{"jsonrpc": "2.0", "id": 1, "method": "powerbutton"}' | socat -t 2 - "UNIX-CONNECT:$RUN/guests/plain.sock" |
	grep -q '"result"' || fail "the button has no answer"
guest_send plain 'sh grep -E "Ged|GED" /proc/interrupts | sed "s/^ */FL-GUEST: ged /"'
guest_expect plain 10 'ged .* 1 +IO-APIC +9-edge'

step "a reset, from outside"
expect "reset" fl reset plain
wait_for 60 "second boot" sh -c "[ \$(grep -c 'FL-GUEST: ready' $LAB_LOG/plain.log) = 2 ]"

step "its panic is told; the guest then resets itself"
guest_send plain 'sh insmod /x/pvpanic.ko; insmod /x/pvpanic-mmio.ko; echo c >/proc/sysrq-trigger'
wait_for 20 "panic's event" says "$LAB_LOG/plain.events" '"event":"panic"'
wait_for 60 "third boot" sh -c "[ \$(grep -c 'FL-GUEST: ready' $LAB_LOG/plain.log) = 3 ]"
grep -v 'Kernel panic' "$LAB_LOG/plain.log" >"$LAB_LOG/plain.calm" || true

step "stop: asked by its button, it does not listen, and is ended when its time is over"
began=$(now_ms)
expect "stop" fl stop --grace 3 plain
[ $(($(now_ms) - began)) -ge 2900 ] || fail "it had no 3 s"
ends_with plain 0
for e in paused resumed reset panic ended; do
	says "$LAB_LOG/plain.events" "\"event\":\"$e\"" || fail "no event: $e"
done

step "on_panic: stop ends with 12"
launch ends --guest '"on_panic": "stop"'
guest_send ends 'sh insmod /x/pvpanic.ko; insmod /x/pvpanic-mmio.ko; echo c >/proc/sysrq-trigger'
ends_with ends 12

step "stop --now"
launch now
expect "stop --now" fl stop --now now
ends_with now 0
equal "ps" "$(fl -j ps | jq '.guests | length')" 0
