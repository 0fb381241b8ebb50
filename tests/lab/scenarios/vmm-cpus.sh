#!/bin/bash
# Guests' CPUs as the policy has them: sockets, cores, threads and caches as the guest's kernel sees them and as QEMU's
# does, APIC ids beyond 255; on the host places, scheduler and names of threads, and what is refused.
# lab: devices=none timeout=600 quiet=100 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

# ---- what a guest's kernel says, CPU by CPU ----

# "cpu0 package 0 core 0 threads 0-1 caches 1:0-1 2:0-1 3:0-1 id 0", and on: of caches level and who shares them.
ask_topology() { # NAME
	order "$1" 30 "sh cd /sys/devices/system/cpu; for c in cpu[0-9]*; do echo FL-GUEST\\: \$c" \
		"package \$(cat \$c/topology/physical_package_id) core \$(cat \$c/topology/core_id)" \
		"threads \$(cat \$c/topology/thread_siblings_list); done"
	order "$1" 30 "sh cd /sys/devices/system/cpu; for c in cpu[0-9]*; do for i in \$c/cache/index*; do" \
		"echo FL-GUEST\\: \$c cache \$(cat \$i/level) shared \$(cat \$i/shared_cpu_list); done; done"
	order "$1" 30 "sh echo FL-GUEST\\: topoext \$(grep -cw topoext /proc/cpuinfo)"
	order "$1" 30 "sh grep -w apicid /proc/cpuinfo | sed 's/^apicid[^0-9]*/FL-GUEST\\: apicid /'"
}
topology_of() { # NAME: without the caches, which a host may not tell of
	sed -nE 's/.*FL-GUEST: (cpu[0-9]+ package .*)/\1/p' "$LAB_LOG/$1.log" | tr -d '\r' | sort
}
caches_of() { sed -nE 's/.*FL-GUEST: (cpu[0-9]+ cache .*)/\1/p' "$LAB_LOG/$1.log" | tr -d '\r' | sort -u; }
ids_of() { sed -nE 's/.*FL-GUEST: apicid ([0-9]+).*/\1/p' "$LAB_LOG/$1.log" | tr '\n' ' '; }

range() { if [ "$1" = "$2" ]; then echo "$1"; else echo "$1-$2"; fi; }

# The same from the numbers alone: vCPUs go thread by thread, core by core.
want_topology() { # SOCKETS CORES THREADS
	local n=$(($1 * $2 * $3)) i first
	for ((i = 0; i < n; i++)); do
		first=$((i / $3 * $3))
		echo "cpu$i package $((i / $3 / $2)) core $((i / $3 % $2)) threads $(range $first $((first + $3 - 1)))"
	done | sort
}
# Levels 1 and 2 are a core's, 3 a socket's. Without leaf 0x8000001d, which a host of this lab does not have, Linux
# takes the first two of AMD's for a thread's own.
check_caches() { # NAME SOCKETS CORES THREADS
	local cpu level shared first each
	caches_of "$1" >"$LAB_LOG/$1.caches"
	[ -s "$LAB_LOG/$1.caches" ] || { note "this host's KVM tells of no caches"; return; }
	while read -r cpu _ level _ shared; do
		each=$4
		[ "$(guest_said "$1" topoext)" != "topoext 0" ] || each=1
		[ "$level" -lt 3 ] || each=$(($3 * $4))
		first=$((${cpu#cpu} / each * each))
		equal "$1: level $level cache of $cpu" "$shared" "$(range $first $((first + each - 1)))"
	done <"$LAB_LOG/$1.caches"
}

shaped() { # NAME SOCKETS CORES THREADS
	step "$2 x $3 x $4"
	guest_start "$1" tests/lab/vmm-launch --cpus $(($2 * $3 * $4)) --initrd "$L2_INITRD" \
		--guest "\"sockets\": $2, \"cores\": $3, \"threads\": $4" "$L2_KERNEL" "$(guest_cmdline fl.mode=idle)"
	guest_expect "$1" 100 ready
	ask_topology "$1"
	equal "$1" "$(topology_of "$1")" "$(want_topology "$2" "$3" "$4")"
	check_caches "$1" "$2" "$3" "$4"
	power_off "$1"
}

export FAIRLEAD_VMM=${FAIRLEAD_VMM:-$PWD/build/fairlead-vmm}
shaped one 1 1 1
shaped threads 1 1 2
shaped sockets 2 1 2
equal "ids" "$(ids_of sockets)" "0 1 2 3 "

step "QEMU's guest of 2 x 1 x 2 sees the same"
guest_start qemu "${QEMU_COMMAND[@]}" -accel kvm -cpu host -M q35,kernel-irqchip=on -smp 4,sockets=2,cores=1,threads=2 \
	-m 512M -nodefaults -display none -serial stdio -no-reboot -kernel "$L2_KERNEL" -initrd "$L2_INITRD" \
	-append "$(guest_cmdline fl.mode=idle)"
guest_expect qemu 100 ready
ask_topology qemu
equal "QEMU's" "$(topology_of qemu)" "$(topology_of sockets)"
diff <(caches_of sockets) <(caches_of qemu) | sed 's/^/       /' || true # < ours, > QEMU's: to be seen, not judged
equal "QEMU's ids" "$(ids_of qemu)" "$(ids_of sockets)"
power_off qemu

step "ids 0 and 256"
guest_start wide tests/lab/vmm-launch --cpus 2 --initrd "$L2_INITRD" --rng 3 \
	--guest '"sockets": 2, "cores": 1, "threads": 1, "apic_id_shift": 8' "$L2_KERNEL" \
	"$(guest_cmdline fl.mode=idle irqaffinity=0)"
guest_expect wide 100 ready
ask_topology wide
equal "ids" "$(ids_of wide)" "0 256 "
equal "wide" "$(topology_of wide)" "$(want_topology 2 1 1)"
# A message to the second CPU arrives: virtio's vector, moved there.
order wide 30 "sh v=\$(sed -nE 's/^ *([0-9]+):.*virtio0-input.*/\\1/p' /proc/interrupts | head -n 1);" \
	"echo 2 >/proc/irq/\$v/smp_affinity; head -c 4096 /dev/hwrng | wc -c | sed 's/^/FL-GUEST\\: bytes /';" \
	"grep -E \"^ *\$v:\" /proc/interrupts | awk '{ print \"FL-GUEST\\: on the second\", (\$3 > 0 ? \"yes\" : \"no\") }'"
equal "random bytes" "$(guest_said wide bytes)" "bytes 4096"
equal "vector" "$(guest_said wide 'on the second')" "on the second yes"
# And again after a reset, from x2APIC.
guest_send wide "sh reboot -f"
booted_twice() { [ "$(console_count wide ready)" -ge 2 ]; }
wait_for 100 "second boot" booted_twice
order wide 20 "sh echo FL-GUEST\\: cpus \$(nproc)"
equal "CPUs after the reset" "$(guest_said wide cpus)" "cpus 2"
power_off wide

step "places, by the policy"
cat >/run/policy.yaml <<-END
	version: 1
	guests:
	  - name: fast
	    cpus: { count: 1, pin: "1", shared: true, emulator: "0", scheduler: fifo, priority: 7, halt-poll: 50us }
	    memory: 256M
	    kernel: /var/lib/fairlead/images/vmlinuz
	    initrd: /var/lib/fairlead/images/initrd.img
	    cmdline: "$(guest_cmdline fl.mode=idle)"
	  - name: set
	    cpus: { count: 4, sockets: 2, threads: 2, pin: "1-2" }
	    memory: 256M
	    kernel: /var/lib/fairlead/images/vmlinuz
	    initrd: /var/lib/fairlead/images/initrd.img
	    cmdline: "$(guest_cmdline fl.mode=idle)"
END
groupadd -f fairlead
install_images
netd_start
expect "apply" "$FAIRLEAD" apply /run/policy.yaml

thread() { # PID NAME: its id
	local t
	for t in /proc/"$1"/task/*; do
		[ "$(cat "$t/comm")" != "$2" ] || { basename "$t"; return; }
	done
	fail "pid $1 has no thread $2: $(cat /proc/"$1"/task/*/comm | tr '\n' ' ')"
}
allowed() { sed -n 's/^Cpus_allowed_list:\t//p' "/proc/$1/status"; }

run_guest fast fast
pid=$(guest_pid fast)
vcpu=$(thread "$pid" vcpu0) io=$(thread "$pid" io)
equal "vcpu0's CPUs" "$(allowed "$vcpu")" 1
equal "vcpu0's scheduler" "$(chrt -p "$vcpu" | sed 's/.*: //' | tr '\n' ' ')" "SCHED_FIFO 7 "
equal "io's CPUs" "$(allowed "$io")" 0
equal "the main thread's CPUs" "$(allowed "$pid")" 0
equal "io's scheduler" "$(chrt -p "$io" | sed -n 's/.*policy: //p')" SCHED_OTHER
equal "RLIMIT_RTPRIO" "$(awk '/^Max realtime priority/ { print $4, $5 }' "/proc/$pid/limits")" "7 7"
order fast 20 "sh echo FL-GUEST\\: cpus \$(nproc)"
equal "CPUs in the guest" "$(guest_said fast cpus)" "cpus 1"
power_off fast

step "a CPU that is another's"
sed 's/shared: true/siblings: avoid/' /run/policy.yaml >/run/apart.yaml
refused FL-0191 "guest set" "$FAIRLEAD" check /run/apart.yaml

step "a CPU that is offline"
wait_for 10 "end of the lease" no_lease
echo 0 >/sys/devices/system/cpu/cpu1/online
refused FL-0160 "CPU 1 of the host" "$FAIRLEAD" run fast
refused FL-0641 "CPU 1 of the host" tests/lab/vmm-launch --guest '"pin": [1]' "$L2_KERNEL" quiet
echo 1 >/sys/devices/system/cpu/cpu1/online
wait_for 10 "no lease" no_lease

step "a real-time priority that nobody allowed"
refused FL-0642 "RLIMIT_RTPRIO is 0" tests/lab/vmm-launch --guest '"pin": [1], "fifo": 5' "$L2_KERNEL" quiet

step "a set for all"
run_guest set set
pid=$(guest_pid set)
for i in 0 1 2 3; do
	equal "vcpu$i's CPUs" "$(allowed "$(thread "$pid" vcpu$i)")" 1-2
done
ask_topology set
equal "set" "$(topology_of set)" "$(want_topology 2 1 2)"
power_off set
host_quiet
