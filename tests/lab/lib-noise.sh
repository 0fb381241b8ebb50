# Guests that write nonsense, by guest-noise.c: for bad-guest*.sh. Below with_noise and real, what
# bad-guest-long and bad-guest-config share: two vCPUs, and two VFs of which one works meanwhile. They
# set ACCESSES, of each kind.

: "${ACCESSES:=1000000}"
N=$((ACCESSES / 2)) # each write of the program is followed by a read
ROUND=$((ACCESSES < 100000 ? ACCESSES : 100000))
LOUD=0000:01:00.0   # in the guest: behind the first root port
FN=/sys/bus/pci/devices/$LOUD

# A second archive behind the first: the kernel unpacks both.
with_noise() { # FILE
	mkdir -p /run/noise/bin
	cp "$FL_BUILD/tests/lab/guest-noise" /run/noise/bin/noise
	{ cat "$L2_INITRD"; (cd /run/noise && find . | cpio -o -H newc --quiet -R 0:0); } >"$1"
}

# What the host sees of the real functions: BARs, and the registers that a guest must never reach.
real() {
	local f
	for f in "$pf" "$vf" ${vf2:-}; do
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

alive() { [ -n "${GUEST_PID[hostile]:-}" ]; }

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

# Two programs side by side. WRITES is what they did; false: the guest did not live to their end.
SEED=10
both() { # SECONDS "KIND COUNT [WHERE]" "KIND COUNT [WHERE]"
	local a=$((++SEED)) b=$((++SEED)) until=$(($(now_ms) + $1 * 1000)) lived=yes
	guest_send hostile "sh (noise ${2/ / $a }) & (noise ${3/ / $b }) & wait; w=ends; echo FL-GUEST: \$w $a" # the console echoes what is typed
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
		alive || "$begin"
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

# Each is waited for, so that none is in flight when it is over.
pinging() {
	order hostile 10 sh "rm -f /over /pings /pinged; (until [ -e /over ]; do ping -c 1 -W 5 10.0.2.2 | grep received; sleep 0.5; done >/pings; echo >/pinged) &"
}
pinged() {
	local said
	order hostile 20 sh "echo >/over; until [ -e /pinged ]; do sleep 0.2; done; rm /pinged; echo FL-GUEST: meanwhile \$(grep -c ' 1 packets received' /pings) of \$(grep -c . /pings)"
	said=$(said_last hostile meanwhile)
	case $said in
	"meanwhile 0 of "*) fail "the other VF: $said" ;;
	*) equal "the other VF: replies" "${said% of *}" "meanwhile ${said##* of }" ;;
	esac
	note "$said replies"
	pings hostile 5
}

two_vfs() {
	step "two VFs, and a program that writes nonsense"
	with_noise /run/noise.img
	pf=$(pf_igb)
	carve_vfs "$pf" 2
	ip link set "$(pci_netdev "$pf")" up
	vf=$(pci_vf "$pf" 0) vf2=$(pci_vf "$pf" 1)
	bind_vfio "$vf"
	bind_vfio "$vf2"
	before=$(host_state "$pf") as_it_was=$(real)
}

told_of_it() {
	snapshot hostile
	note "$(jq -rs 'last | "exits \(.exits.total): config \(.exits.config), BAR \(.exits.bar); route commits \(.route_commits), SET_IRQS \(.set_irqs), resets \(.resets), faults \(.faults)"' "$LAB_LOG/hostile.report")"
}

host_unmoved() {
	equal "the real functions" "$(real)" "$as_it_was"
	host_quiet
}

# Last: the next guest has both VFs, sound.
next_guest() {
	step "the next guest has both VFs, sound"
	boot next
	order next 40 net
	pings next 3
	power_off next
	host_unmoved
	equal "the host" "$(host_state "$pf")" "$before"
}
