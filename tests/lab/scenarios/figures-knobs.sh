#!/bin/bash
# The same settings of seven VFs by netd and by ip in a shell loop: instructions and system calls.
# lab: devices=igb time=icount iommufd=no timeout=900 quiet=200 tries=3
# check: long
#
# igb has 7 VFs; each gets a MAC, a VLAN with priority, spoof check and trust. Three ways, ROUNDS (3) times each, by
# turns, from VFs made anew. The least counts, of each way: what comes in between can only add (netd looks at what has
# changed 300 ms later, and L1's clock jumps there while a process that ends waits for the lab's share):
#   ip-each      a program for each setting: 28
#   ip           a program for each VF, with all that it is to have: 7
#   fairlead     `fairlead apply`: the command, the daemon and the worker that it forks, journal and reading back
# Instructions are the CPU time of a control group in which that way's processes are: under icount a nanosecond is one
# instruction. What the kernel's own threads do is in none. netd's log and state folder are in memory: the lab's share is
# no disk, and each call of it costs more than what is measured here. System calls are counted by strace, in runs of their own.
# Figures go to $LAB_LOG/figures as "WAY NAME VALUE" lines, and their ratios. Asserted: at most half of the instructions of
# either loop of ip, and fewer calls.
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

ROUNDS=${ROUNDS:-3}
POLICY=$LAB_LOG/policy.yaml
CG=/run/cgroup
rm -f "$LAB_LOG/figures" "$LAB_LOG"/*.us

figure() { echo "$1 $2 $3" | tee -a "$LAB_LOG/figures" | sed 's/^/       /'; } # WAY NAME VALUE
least() { sort -n | head -1; }

group() { # NAME: an empty one
	rmdir "$CG/$1" 2>/dev/null || true
	mkdir -p "$CG/$1"
}
# By no program: while one is read from L0's disk, L1's clock jumps to its next timer, such as netd's for its own look.
usage() {
	local usec
	read -r _ usec <"$CG/$1/cpu.stat"
	echo "$usec"
}

# What VFs that come and settings that change make netd look at, by itself, is over: it is of no apply.
netd_quiet() {
	local before=-1 now
	while now=$(usage netd) && [ "$now" != "$before" ]; do
		before=$now
		sleep 1.5
	done
}

vfs_anew() {
	echo 0 >"$PCI/$pf/sriov_numvfs"
	echo 7 >"$PCI/$pf/sriov_numvfs"
	wait_for 10 "7 VFs" test -e "$PCI/$pf/virtfn6"
}

cat >"$LAB_LOG/ip-each.sh" <<'SH'
for i in 0 1 2 3 4 5 6; do
	ip link set dev "$1" vf $i mac 02:5a:10:00:00:1$i
	ip link set dev "$1" vf $i vlan 10$i qos 3
	ip link set dev "$1" vf $i spoofchk on
	ip link set dev "$1" vf $i trust on
done
SH
cat >"$LAB_LOG/ip.sh" <<'SH'
for i in 0 1 2 3 4 5 6; do
	ip link set dev "$1" vf $i mac 02:5a:10:00:00:1$i vlan 10$i qos 3 spoofchk on trust on
done
SH

# Each in place of a shell: no fork of this one's is counted.
way_ip_each() { exec bash "$LAB_LOG/ip-each.sh" "$ifname"; }
way_ip() { exec bash "$LAB_LOG/ip.sh" "$ifname"; }
way_fairlead() { exec "$FAIRLEAD" apply "$POLICY" >"$LAB_LOG/apply"; }

# in_group NAME COMMAND...: in the group from its first instruction on. The shell itself comes back.
in_group() {
	local name=$1
	shift
	(echo 0 >"$CG/$name/cgroup.procs" && "$@")
}

state() {
	ip -j -d link show dev "$ifname" | jq -c '.[0].vfinfo_list[] |
		[.vf, .address, .vlan_list[0].vlan, .vlan_list[0].qos, .spoofchk, .trust]'
}

step "igb with 7 VFs, netd in a control group"
pf=$(pf_igb) ifname=$(pci_netdev "$pf")
mkdir -p "$CG"
mount -t cgroup2 none "$CG"
echo 0 >"$PCI/$pf/sriov_drivers_autoprobe"
ip link set "$ifname" up
vfs_anew
{
	echo "version: 1"
	echo "nics: [ { name: edge0, match: { pci: \"$pf\" }, virtual-function-count: 7 } ]"
	echo "networks:"
	for i in 0 1 2 3 4 5 6; do
		echo "  - { name: n$i, vlan: { id: 10$i, qos: 3 }, spoof-check: true, trust: true }"
	done
	echo "pools: [ { name: edge, functions: [\"edge0#0-6\"] } ]"
	printf '%s\n' "guests:" "  - name: demo" "    memory: 512M" "    kernel: /boot/vmlinuz" "    nics:"
	for i in 0 1 2 3 4 5 6; do
		echo "      - { name: n$i, pool: edge, network: n$i, mac-address: \"02:5a:10:00:00:1$i\" }"
	done
} >"$POLICY"
NETD_LOG=/run/netd.log
netd_start --state /run/fairlead-state
group netd
echo "$NETD_PID" >"$CG/netd/cgroup.procs"

step "all end in one state; programs are in memory then"
(way_ip)
state >"$LAB_LOG/state-ip"
vfs_anew
(way_ip_each)
state >"$LAB_LOG/state-each"
vfs_anew
(way_fairlead) || fail "apply"
state >"$LAB_LOG/state-fairlead"
if ! cmp "$LAB_LOG/state-ip" "$LAB_LOG/state-each" || ! cmp "$LAB_LOG/state-ip" "$LAB_LOG/state-fairlead"; then
	fail "the ways end in other states"
fi
"$FAIRLEAD" restore >/dev/null

step "instructions"
for ((round = 0; round < ROUNDS; round++)); do
	for way in ip_each ip fairlead; do
		vfs_anew
		netd_quiet
		group "$way"
		netd=$(usage netd)
		in_group "$way" "way_$way" || fail "$way"
		n=$(($(usage "$way") + $(usage netd) - netd))
		echo "$n" >>"$LAB_LOG/$way.us"
		if [ "$way" = fairlead ]; then
			group again
			netd_quiet
			netd=$(usage netd)
			in_group again way_fairlead || fail "apply again"
			expect "nothing to do" grep -q "nothing to do" "$LAB_LOG/apply"
			echo $(($(usage again) + $(usage netd) - netd)) >>"$LAB_LOG/again.us"
			"$FAIRLEAD" restore >/dev/null
		fi
	done
done
declare -A insns
for way in ip_each ip fairlead again; do
	insns[$way]=$(($(least <"$LAB_LOG/$way.us") * 1000))
	figure "${way/_/-}" instructions "${insns[$way]}"
done

step "system calls"
declare -A calls
count() { awk '$4 ~ /^[0-9]+$/ && $NF == "total" { n = $4 } END { print n + 0 }' "$1"; }
for way in ip_each ip; do
	vfs_anew
	strace -f -c -o "$LAB_LOG/$way.strace" bash "$LAB_LOG/${way/_/-}.sh" "$ifname"
	calls[$way]=$(count "$LAB_LOG/$way.strace")
done
for way in fairlead again; do
	[ "$way" = again ] || vfs_anew
	strace -f -c -o "$LAB_LOG/$way.netd" -p "$NETD_PID" 2>/dev/null &
	tracer=$!
	wait_for 30 "strace at netd" grep -q "TracerPid:.*[1-9]" "/proc/$NETD_PID/status"
	strace -f -c -o "$LAB_LOG/$way.strace" "$FAIRLEAD" apply "$POLICY" >/dev/null
	kill -INT "$tracer"
	wait "$tracer" || true
	calls[$way]=$(($(count "$LAB_LOG/$way.strace") + $(count "$LAB_LOG/$way.netd")))
done
for way in ip_each ip fairlead again; do figure "${way/_/-}" system-calls "${calls[$way]}"; done

step "ratios"
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f\n", a / b }'; }
for peer in ip_each ip; do
	figure "fairlead/${peer/_/-}" instructions "$(ratio "${insns[fairlead]}" "${insns[$peer]}")"
	figure "fairlead/${peer/_/-}" system-calls "$(ratio "${calls[fairlead]}" "${calls[$peer]}")"
done

step "at most half of the instructions, and fewer calls"
for peer in ip_each ip; do
	expect "half of $peer's instructions" test $((2 * insns[fairlead])) -le "${insns[$peer]}"
	expect "fewer calls than $peer" test "${calls[fairlead]}" -lt "${calls[$peer]}"
done
