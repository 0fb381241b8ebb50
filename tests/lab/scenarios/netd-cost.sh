#!/bin/bash
# What an apply asks of the kernel: as many netlink messages for four VFs as for two, one that sets; and one that has
# nothing to do opens nothing for writing, in /sys or in the state folder, and sets nothing.
# lab: devices=netdevsim timeout=240 quiet=200
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-netdevsim.sh"

command -v strace >/dev/null || skip "no strace"
STATE=/var/lib/fairlead

policy() { # VFS: each with all of its settings
	local i
	echo "version: 1"
	echo "nics: [ { name: sim0, match: { pci: \"$PF\" } } ]"
	echo "networks: [ { name: net0, vlan: { id: 100, qos: 3 }, spoof-check: true, trust: true, tx-rate: { max: 1gbit } } ]"
	echo "pools: [ { name: sim, functions: [\"sim0#0-$(($1 - 1))\"], mac: { prefix: \"02:5a:10\" } } ]"
	printf '%s\n' "guests:" "  - name: g" "    memory: 512M" "    kernel: /boot/vmlinuz" "    nics:"
	for ((i = 0; i < $1; i++)); do echo "      - { name: n$i, pool: sim, network: net0 }"; done
}

# What netd and its workers do until the command has ended, into $LAB_LOG/NAME.
traced() { # NAME COMMAND...
	local name=$1 tracer
	shift
	rm -f "$LAB_LOG/$name"
	strace -f -e trace=sendto,sendmsg,openat,renameat,renameat2,unlinkat,mkdirat,mkdir -o "$LAB_LOG/$name" \
		-p "$NETD_PID" 2>/dev/null &
	tracer=$!
	wait_for 10 "strace at netd" grep -q "TracerPid:.*[1-9]" "/proc/$NETD_PID/status"
	"$@" >"$LAB_LOG/$name.out" 2>&1 || fail "$(cat "$LAB_LOG/$name.out")"
	kill "$tracer"
	wait "$tracer" || true
}
# Netlink messages; one that was sent before strace was there is known by number only. Answers to clients are no netlink.
sent() { grep -cE 'nlmsg_(type|flags)=' "$LAB_LOG/$1" || true; }
sets() { grep -cE 'nlmsg_type=(RTM_SETLINK|0x13[ ,])' "$LAB_LOG/$1" || true; }
# Opened to be written, made, renamed or removed; not the lock, which is taken and never written.
writes() { grep -E 'O_WRONLY|O_RDWR|O_CREAT|rename|unlink|mkdir' "$LAB_LOG/$1" | grep -vE '"lock"|ENOENT|"/dev/null"' || true; }
state_folder() { (cd "$STATE" && find . -type f ! -name lock -printf '%p %i %s %T@\n' | sort); }

step "a netdevsim with four VFs"
echo "1 1" >/sys/bus/netdevsim/new_device
echo 4 >/sys/bus/netdevsim/devices/netdevsim1/sriov_numvfs
ifname=$(ls /sys/bus/netdevsim/devices/netdevsim1/net)
sim_root 4
d=$ROOT/sys/bus/pci/devices
mkdir -p "$d/$PF/net/$ifname"
echo 4 >"$d/$PF/sriov_numvfs"
echo 1 >"$d/$PF/sriov_drivers_autoprobe"
for i in 0 1 2 3; do ln -s "../0000:7e:10.$i" "$d/$PF/virtfn$i"; done
ip link set "$ifname" up
netd_start --root "$ROOT" --state "$STATE"

step "two VFs, then four: as many messages, one of which sets"
declare -A n
for vfs in 2 4; do
	policy "$vfs" >"$LAB_LOG/policy-$vfs.yaml"
	traced "apply-$vfs" "$FAIRLEAD" apply "$LAB_LOG/policy-$vfs.yaml"
	n[$vfs]=$(sent "apply-$vfs")
	note "$vfs VFs: ${n[$vfs]} netlink messages, $(sets "apply-$vfs") of them RTM_SETLINK"
	equal "RTM_SETLINK for $vfs VFs" "$(sets "apply-$vfs")" 1
	[ "$vfs" = 4 ] || "$FAIRLEAD" restore >/dev/null || fail "restore"
done
equal "VFs set" "$(ip -j -d link show "$ifname" | jq '[.[0].vfinfo_list[] | select(.trust)] | length')" 4
expect "some messages were seen" test "${n[2]}" -gt 1
equal "messages for four VFs" "${n[4]}" "${n[2]}"

step "again: nothing is written, nothing set"
sleep 2 # what the apply itself has stirred up is looked at
state_folder >"$LAB_LOG/folder-before"
traced again "$FAIRLEAD" apply "$LAB_LOG/policy-4.yaml"
expect "it says so" grep -q "nothing to do" "$LAB_LOG/again.out"
equal "RTM_SETLINK" "$(sets again)" 0
equal "opened for writing" "$(writes again)" ""
state_folder >"$LAB_LOG/folder-after"
cmp "$LAB_LOG/folder-before" "$LAB_LOG/folder-after" || fail "the state folder has changed"
expect "the first one did write" test -n "$(writes apply-4)"
