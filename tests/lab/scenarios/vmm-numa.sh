#!/bin/bash
# Memory nodes on a host of two: 6 GB in two nodes across the hole, 256 MB in one, what is refused before the
# start, huge pages of a node's pool, lock; and what the guest reads of its maker.
# lab: devices=numa2 mem=8G timeout=600 quiet=110 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

NODES=/sys/devices/system/node
POOL=hugepages/hugepages-2048kB
GIB_KIB=$((1 << 20))

policy() { # FILE
	local words
	words=$(guest_cmdline fl.mode=idle)
	cat >"$1" <<-END
		version: 1
		guests:
		  - name: big
		    cpus: 1
		    memory: { nodes: [ { size: 3G, cpus: "0", host: 1 }, { size: 3G, host: 0 } ] }
		    smbios: { manufacturer: ACME, product: "Router 9", version: "2.0" }
		    kernel: /var/lib/fairlead/images/vmlinuz
		    initrd: /var/lib/fairlead/images/initrd.img
		    cmdline: "$words"
		  - name: small
		    memory: { size: 256M, numa: 1, lock: true }
		    kernel: /var/lib/fairlead/images/vmlinuz
		    initrd: /var/lib/fairlead/images/initrd.img
		    cmdline: "$words"
		  - name: pool
		    memory: { pages: 2M, nodes: [ { size: 256M, cpus: "0", host: 0 }, { size: 256M, host: 1 } ] }
		    kernel: /var/lib/fairlead/images/vmlinuz
		    initrd: /var/lib/fairlead/images/initrd.img
		    cmdline: "$words"
		  - name: absent
		    memory: { size: 256M, numa: 7 }
		    kernel: /var/lib/fairlead/images/vmlinuz
		  - name: much
		    memory: { size: 4G, numa: 1, prefault: true }
		    kernel: /var/lib/fairlead/images/vmlinuz
		  - name: two
		    cpus: 2
		    memory: { nodes: [ { size: 256M, cpus: "0" }, { size: 256M, cpus: "1" } ] }
		    kernel: /var/lib/fairlead/images/vmlinuz
		    initrd: /var/lib/fairlead/images/initrd.img
		    cmdline: "$words"
	END
}

# One line of the guest's: says FL-GUEST: WORD and what the command says, in one line.
ask() { # NAME WORD COMMAND
	order "$1" 20 "sh echo FL-GUEST: $2 \$($3)"
	said_last "$1" "$2 " | sed "s/^$2 //; s/[[:space:]]*$//"
}
# In KiB, of all that /proc says of a node.
guest_node() { ask "$1" "node$2" "awk '/MemTotal/ { print \$4 }' $NODES/node$2/meminfo"; } # NAME NODE
between() { # TEXT GOT LEAST MOST
	[ "$2" -ge "$3" ] && [ "$2" -le "$4" ] || fail "$1: $2, want $3 to $4"
}

# Pages of guest memory by "policy N0=x N1=y", as the host's kernel counts them.
numa_maps() { grep 'memfd:fairlead' "/proc/$(guest_pid "$1")/numa_maps"; }
only_from() { # NAME NODE: what is bound there is nowhere else, and there is some
	local line
	line=$(numa_maps "$1" | grep " bind:$2 ") || fail "nothing bound to node $2: $(numa_maps "$1")"
	case $line in
	*" N$((1 - $2))="*) fail "node $2's memory is on the other, too: $line" ;;
	*" N$2="*) note "$1: $(grep -o "bind:.*" <<<"$line" | tr '\n' ' ')" ;;
	*) fail "no page on node $2: $line" ;;
	esac
}

step "the host: two nodes"
equal "nodes" "$(cat $NODES/online)" 0-1
equal "distance" "$(cat $NODES/node0/distance)" "10 17"
install_images
netd_start
policy /run/policy.yaml
expect "check" "$FAIRLEAD" check /run/policy.yaml
expect "apply" "$FAIRLEAD" apply /run/policy.yaml

step "refused before the start: no such node, too little memory, no pages in the pool"
refused FL-0164 "node 7 of the host" "$FAIRLEAD" run absent
refused FL-0165 "4096 MiB from node 1" "$FAIRLEAD" run much
echo 128 >$NODES/node0/$POOL/nr_hugepages
equal "pages of node 0" "$(cat $NODES/node0/$POOL/free_hugepages)" 128
refused FL-0165 "node1/hugepages/hugepages-2048kB/nr_hugepages must grow by 128" "$FAIRLEAD" run pool

step "a pool in both: each node's pages are taken"
echo 128 >$NODES/node1/$POOL/nr_hugepages
run_guest pool pool
equal "free in node 0" "$(cat $NODES/node0/$POOL/free_hugepages)" 0
equal "free in node 1" "$(cat $NODES/node1/$POOL/free_hugepages)" 0
power_off pool
equal "free again" "$(cat $NODES/node*/$POOL/free_hugepages | tr '\n' ' ')" "128 128 "
echo 0 >$NODES/node0/$POOL/nr_hugepages
echo 0 >$NODES/node1/$POOL/nr_hugepages

step "6 GB in two nodes, the first across the hole"
run_guest big big
equal "nodes in the guest" "$(ask big online "cat $NODES/online")" 0-1
equal "its CPU" "$(ask big cpulist "cat $NODES/node0/cpulist")" 0
equal "distances, the host's" "$(ask big distance "cat $NODES/node0/distance $NODES/node1/distance")" "10 17 17 10"
between "node 0" "$(guest_node big 0)" $((28 * GIB_KIB / 10)) $((3 * GIB_KIB))
between "node 1" "$(guest_node big 1)" $((28 * GIB_KIB / 10)) $((3 * GIB_KIB))
ask big ram "grep -c System.RAM /proc/iomem" >/dev/null
order big 20 "sh dmesg | grep -E 'SRAT|node +[0-9]+:|NODE_DATA' | sed 's/^/FL-GUEST: srat /'"
equal "ranges of node 0" "$(grep -c 'srat .*SRAT: Node 0 .*mem' "$LAB_LOG/big.log")" 3
equal "ranges of node 1" "$(grep -c 'srat .*SRAT: Node 1 .*mem' "$LAB_LOG/big.log")" 1
order big 60 "sh dd if=/dev/zero of=/fill bs=1M count=16 2>/dev/null; rm /fill"
only_from big 1

step "what the guest reads of its maker"
dmi() { ask big dmi "cat /sys/class/dmi/id/$1"; }
equal "vendor" "$(dmi sys_vendor)" ACME
equal "product" "$(dmi product_name)" "Router 9"
equal "version" "$(dmi product_version)" 2.0
equal "serial" "$(dmi product_serial)" big
equal "firmware" "$(dmi bios_vendor)" fairlead
uuid=$(dmi product_uuid)
note "UUID $uuid"
power_off big

step "the same UUID at the next start, another for another guest; 256 MB on one node, locked"
run_guest small small
other=$(ask small dmi "cat /sys/class/dmi/id/product_uuid")
if [ -e /etc/machine-id ]; then
	[ -n "$uuid" ] && [ "$uuid" != "$other" ] || fail "UUIDs: \"$uuid\" and \"$other\""
fi
equal "nodes in the guest" "$(ask small online "cat $NODES/online")" 0
equal "locked" "$(awk '/VmLck/ { print $2 }' "/proc/$(guest_pid small)/status")" $((256 << 10))
only_from small 1
# No S3 beside it; hibernation to a disk of its own is the guest's affair.
equal "sleep states" "$(ask small sleeps "cat /sys/power/mem_sleep")" "[s2idle]"
power_off small
run_guest small small
equal "UUID" "$(ask small dmi "cat /sys/class/dmi/id/product_uuid")" "$other"
power_off small

step "two CPUs in two nodes"
run_guest two two
equal "CPUs" "$(ask two cpulist "cat $NODES/node0/cpulist $NODES/node1/cpulist")" "0 1"
equal "distances" "$(ask two distance "cat $NODES/node0/distance $NODES/node1/distance")" "10 20 20 10"
order two 20 "sh dmesg | grep -i -E 'llc-sibling|not on the same node' | sed 's/^/FL-GUEST: complaint /'"
equal "complaints of the topology" "$(sed -n 's/^[0-9]* FL-GUEST: complaint //p' "$LAB_LOG/two.log")" ""
equal "sockets" "$(ask two package "cat /sys/devices/system/cpu/cpu*/topology/physical_package_id")" "0 1"
power_off two
