#!/bin/bash
# A hostile guest on two vCPUs at once: a million configuration accesses and a million of the vector
# table, while its other VF works; then everything it can reach. WORDS: accesses of each kind.
# lab: devices=igb timeout=7200 quiet=1500 threads=single
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

ACCESSES=${1:-1000000}
N=$((ACCESSES / 2)) # each write of the program is followed by a read
ROUND=$((ACCESSES < 100000 ? ACCESSES : 100000))
LOUD=0000:01:00.0   # in the guest: behind the first root port
FN=/sys/bus/pci/devices/$LOUD

real() {
	local f
	for f in "$pf" "$vf" "$vf2"; do
		cat "$PCI/$f/resource"
		od -An -tx1 -j0 -N4 "$PCI/$f/config"
	done
	lspci -s "$pf" -vv | grep -E 'Control:|Region|DevCtl:|LnkCtl:|Status: D'
}

boot() { # NAME
	guest_start "$1" "$LAB_DIR/vmm-launch" --report "$LAB_LOG/$1.report" --cpus 2 --device "$vf" \
		--device "$vf2" --initrd /run/noise.img "$L2_KERNEL" "$(guest_cmdline fl.mode=idle iomem=relaxed)"
	wait_ready "$1"
}

gone() { # NAME
	kill -9 "$(guest_pid "$1")" 2>/dev/null || true
	wait "$(guest_pid "$1")" 2>/dev/null || true
	GUEST_PID[$1]=
}

# Both VFs up, the loud one with its vectors armed; the other one has the traffic.
armed() {
	boot hostile
	order hostile 40 net
	pings hostile 3
	order hostile 20 sh "ip addr flush dev eth0; ip addr add 10.0.2.16/24 dev eth1; ip link set eth1 up; sleep 3"
	pings hostile 3
}

# The loud one has no driver that would fall over its registers.
driverless() {
	armed
	order hostile 20 sh "echo $LOUD >$FN/driver/unbind; echo 1 >$FN/enable"
}

wild_over() { [ -n "$(guest_said wild "wild over")" ] || ! kill -0 "$(guest_pid wild)" 2>/dev/null; }

# Two programs side by side. WRITES is what they did; false: the guest did not live to their end.
SEED=10
both() { # SECONDS "KIND COUNT [WHERE]" "KIND COUNT [WHERE]"
	local a=$((++SEED)) b=$((++SEED)) until=$(($(now_ms) + $1 * 1000)) lived=yes
	guest_send hostile "sh (noise ${2/ / $a }) & (noise ${3/ / $b }) & wait; echo FL-GUEST: ends $a"
	until [ -n "$(guest_said hostile "ends $a")" ]; do
		kill -0 "$(guest_pid hostile)" || fail "the VMM ended: $(guest_last hostile)"
		[ "$(now_ms)" -lt "$until" ] || fail "not at an end in $1 s: $(guest_last hostile)"
		[ "$(grep -c 'FL-GUEST: ready' "$LAB_LOG/hostile.log")" = 1 ] || { lived= && break; }
		sleep 1
	done
	WRITES=$(($(did "$a") + $(did "$b")))
	[ -n "$lived" ]
}

did() { # SEED
	awk -v seed="$1" 'sub(/^.*FL-GUEST: did /, "") && $1 == seed { n = $2 } END { print n + 0 }' \
		"$LAB_LOG/hostile.log"
}

to_the_end() { # as both
	both "$@" || fail "the guest spoilt itself: $(guest_last hostile)"
}

# ACCESSES in rounds, each with the other VF's ping beside it. A guest that has spoilt itself is
# followed by another, which goes on.
spree() { # BEGIN "KIND" "WHERE"
	local begin=$1 n=$((ROUND / 4)) total=0 whole=0 spoilt=0
	while ((total < ACCESSES)); do
		[ -n "${GUEST_PID[hostile]:-}" ] || "$begin"
		pinging
		if both 1200 "$2 $n $3" "$2 $n $3"; then
			equal "a round's writes" "$WRITES" $((2 * n))
			pinged
			whole=$((whole + 1))
		else
			note "spoilt itself after $WRITES writes: $(grep -aoE 'Kernel panic.*|RIP: .*' "$LAB_LOG/hostile.log" | head -n 2 | tr '\n' ' ')"
			gone hostile
			spoilt=$((spoilt + 1))
		fi
		total=$((total + 2 * WRITES))
		((spoilt <= 20)) || fail "guests do not live: $spoilt, after $total accesses"
	done
	note "$total accesses in $whole rounds to the end, $spoilt guests that spoilt themselves"
}

pinging() { order hostile 10 sh "ping -i 0.5 10.0.2.2 >/pings 2>&1 & echo \$! >/pinger"; }
pinged() {
	order hostile 10 sh "kill -INT \$(cat /pinger); sleep 1; echo FL-GUEST: meanwhile \$(grep received /pings)"
	case $(said_last hostile meanwhile) in
	*" 0% packet loss"*) note "$(said_last hostile meanwhile)" ;;
	*) fail "the other VF: $(said_last hostile meanwhile)" ;;
	esac
	pings hostile 5
}

step "a guest with two vCPUs and two VFs"
mkdir -p /run/noise/bin
cp "$FL_BUILD/tests/lab/guest-noise" /run/noise/bin/noise
{ cat "$L2_INITRD"; (cd /run/noise && find . | cpio -o -H newc --quiet -R 0:0); } >/run/noise.img
pf=$(pf_igb)
carve_vfs "$pf" 2
ip link set "$(pci_netdev "$pf")" up
vf=$(pci_vf "$pf" 0) vf2=$(pci_vf "$pf" 1)
bind_vfio "$vf"
bind_vfio "$vf2"
before=$(host_state "$pf") as_it_was=$(real)

step "$ACCESSES of the vector table of a NIC that is up, by both vCPUs; the other VF pings"
spree armed bar $FN/resource3
gone hostile

step "$ACCESSES configuration accesses to it, by both vCPUs; the other VF pings"
spree driverless config $LOUD

step "its configuration by one vCPU, its table by the other"
[ -n "${GUEST_PID[hostile]:-}" ] || driverless
pinging
to_the_end 600 "config $((N / 50)) $LOUD" "bar $((N / 50)) $FN/resource3"
pinged

step "both functions, the host bridge and all ports, both vCPUs"
to_the_end 600 "config $((N / 100)) 0000:00:00.0" "ports $((N / 20))"
to_the_end 600 "config $((N / 100)) $LOUD" "config $((N / 100)) 0000:02:00.0"

step "the host has noticed nothing"
equal "the real functions" "$(real)" "$as_it_was"
host_quiet
snapshot hostile
note "$(jq -rs 'last | "exits \(.exits.total): config \(.exits.config), BAR \(.exits.bar); route commits \(.route_commits), SET_IRQS \(.set_irqs), resets \(.resets), faults \(.faults)"' "$LAB_LOG/hostile.report")"

step "the root ports, whose slots it may turn off and so give its VFs away"
to_the_end 600 "config $((N / 100)) 0000:00:01.0" "config $((N / 100)) 0000:00:02.0"
equal "the real functions" "$(real)" "$as_it_was"
host_quiet
gone hostile

step "messages that reset the guest's own processors or send them to SMM: it lives, or the VMM says how it ended"
boot wild
order wild 40 net
guest_send wild "sh ip link set eth1 up; noise wild 31 $((N / 20)) $FN/resource3 & noise wild 32 $((N / 20)) $FN/resource3 & wait; echo FL-GUEST: wild over"
for ((i = 0; i < 60; i++)); do
	if wild_over; then break; fi
	sleep 1
done
if kill -0 "$(guest_pid wild)" 2>/dev/null; then
	note "it runs: began $(grep -c 'FL-GUEST: init' "$LAB_LOG/wild.log") time(s), processors shut down $(grep -c 'has shut down' "$LAB_LOG/wild.log") time(s)"
else
	grep -q FL-0608 "$LAB_LOG/wild.log" || fail "the VMM ended without a word: $(guest_last wild)"
	note "$(grep -A1 FL-0608 "$LAB_LOG/wild.log")"
fi
gone wild
equal "the real functions" "$(real)" "$as_it_was"
host_quiet

step "the next guest has both VFs, sound"
boot next
order next 40 net
pings next 3
power_off next
equal "the real functions" "$(real)" "$as_it_was"
equal "the host" "$(host_state "$pf")" "$before"
host_quiet
