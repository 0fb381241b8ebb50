#!/bin/bash
# A guest resets and comes back with its VF, twice by different ways; the host takes the VF away; signals.
# lab: devices=igb timeout=300 quiet=45 tries=2
. "$LAB_DIR/lib.sh"

export FAIRLEAD_VMM=${FAIRLEAD_VMM:-$PWD/build/fairlead-vmm}
MAC=02:00:00:00:00:01
REPORT=$LAB_LOG/report

launch() { # NAME LAUNCH-OPTIONS... -- WORDS...
	local name=$1 options=()
	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	guest_start "$name" tests/lab/vmm-launch --report "$REPORT" --initrd "$L2_INITRD" \
		"${options[@]}" "$L2_KERNEL" "$(guest_cmdline "${WORDS:-fl.mode=idle}")" "$@"
}

boots() { # NAME COUNT: it has said "ready" that often
	[ "$(grep -c 'FL-GUEST: ready' "$LAB_LOG/$1.log")" -ge "$2" ]
}

answers() { # NAME COUNT REGEX
	[ "$(grep -cE "FL-GUEST: ($3)" "$LAB_LOG/$1.log")" -ge "$2" ]
}

ping_again() { # NAME COUNT
	guest_send "$1" net
	guest_send "$1" ping 3
	wait_for 60 "ping number $2" answers "$1" "$2" 'ping ok 3/3'
	equal "MAC after boot $2" "$(grep -c "FL-GUEST: mac $MAC" "$LAB_LOG/$1.log")" "$2"
}

# The status with which the VMM ends, which is not 0 here.
ends_with() { # NAME STATUS
	local status=0
	wait "$(guest_pid "$1")" || status=$?
	GUEST_PID[$1]=''
	equal "exit status of $1" "$status" "$2"
}

field() { jq -rs "map(select(.event == \"exit\")) | last | .$1" "$REPORT"; }

step "a VF for the guest"
pf=$(pf_igb)
carve_vfs "$pf" 1
ip link set "$(pci_netdev "$pf")" up
vf=$(pci_vf "$pf" 0)
set_vf_mac "$pf" 0 $MAC
bind_vfio "$vf"

step "boot, ping"
launch life --device "$vf" --
wait_for 60 "first boot" boots life 1
ping_again life 1

step "reboot by ACPI; ping again"
guest_send life "sh reboot -f"
wait_for 60 "second boot" boots life 2
ping_again life 2

step "a panic, which resets; ping again"
guest_send life "sh echo c >/proc/sysrq-trigger"
wait_for 60 "third boot" boots life 3
grep -v 'Kernel panic' "$LAB_LOG/life.log" >"$LAB_LOG/life.calm" # asked for
ping_again life 3

step "power off; one map, no reset but the three"
guest_send life off
wait "$(guest_pid life)" || fail "the VMM ended with $?; $(guest_last life)"
GUEST_PID[life]=''
equal "reason" "$(field reason)" poweroff
equal "DMA maps" "$(field dma_maps)" 1
equal "guest resets" "$(field guest_resets)" 2
equal "device resets" "$(field resets)" 3

step "the host takes the VF: the guest lets it go and goes on, the writer returns"
launch taken --device "$vf" --
wait_for 60 "boot" boots taken 1
began=$(now_ms)
echo 0 >"$PCI/$pf/sriov_numvfs"
note "sriov_numvfs=0 took $(($(now_ms) - began)) ms"
guest_send taken "sh ls /sys/class/net | sed 's/^/FL-GUEST: net /'"
wait_for 10 "answer of the guest" answers taken 1 'net lo'
answers taken 1 'net eth' && fail "it still has its NIC"
guest_send taken off
ends_with taken 0
equal "asked, not forced" "$(field hotplug.forced)/$(field hotplug.removes)" 0/1

step "--no-reboot: a reset ends with 10"
launch reset -- --no-reboot
wait_for 60 "boot" boots reset 1
guest_send reset "sh reboot -f"
ends_with reset 10

step "SIGTERM: ends with 0"
launch term --
wait_for 60 "boot" boots term 1
kill "$(guest_pid term)"
ends_with term 0
equal "reason" "$(field reason)" stopped

step "a file that is no kernel is refused with the mend"
status=0
out=$(tests/lab/vmm-launch /etc/passwd "" 2>&1 </dev/null) || status=$?
equal "exit status" "$status" 1
[[ $out == FL-0605:*mend:* ]] || fail "it said: $out"

step "root is refused"
status=0
out=$("$FAIRLEAD_VMM" 2>&1 </dev/null) || status=$?
equal "exit status" "$status" 1
[[ $out == FL-0602:*mend:* ]] || fail "it said: $out"
