#!/bin/bash
# What `fairlead run` refuses before a guest runs: images, memory, limits, users. Each time all is given back.
# lab: devices=igb timeout=120 quiet=45
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

IMAGES=/var/lib/fairlead/images

# run_refused CODE WORDS [OPTION...]: and the VF is free again.
run_refused() {
	local code=$1 words=$2
	shift 2
	refused "$code" "$words" "$FAIRLEAD" run "$@" demo
	wait_for 5 "end of the lease" no_lease
	equal "holder of the VF" "$(holder_of "$vf")" ""
	equal "the host after it" "$(host_state "$pf")" "$applied"
}

step "apply"
install_images
pf=$(pf_igb) before=$(host_state "$pf")
netd_start
expect "apply" "$FAIRLEAD" apply docs/examples/demo.yaml
vf=$(pci_vf "$pf" 0) applied=$(host_state "$pf")

step "images: no kernel, half a kernel, no initrd, an initrd that does not fit"
ln -sf /etc/passwd $IMAGES/vmlinuz
run_refused FL-0605 ""
: >/run/empty
ln -sf /run/empty $IMAGES/vmlinuz
run_refused FL-0605 ""
head -c 1000000 "$L2_KERNEL" >/run/half
ln -sf /run/half $IMAGES/vmlinuz
run_refused FL-0605 ""
install_images
rm $IMAGES/initrd.img
run_refused FL-0711 initrd.img
truncate -s 600M $IMAGES/initrd.img
run_refused FL-0606 ""
rm $IMAGES/initrd.img
install_images

step "more memory than the host has"
sed 's/size: 512M/size: 64G/' docs/examples/demo.yaml >"$LAB_LOG/policy.yaml"
expect "apply" "$FAIRLEAD" apply "$LAB_LOG/policy.yaml"
run_refused FL-0604 "the host has"
expect "apply" "$FAIRLEAD" apply docs/examples/demo.yaml

step "users: not in the group, root, unknown"
refused FL-0702 "" setpriv --reuid 65534 --regid 65534 --clear-groups "$FAIRLEAD" run demo
run_refused FL-0805 root --user root
run_refused FL-0805 "" --user nobody-of-that-name
run_refused FL-0803 /nowhere/report --report /nowhere/report

step "netd may not raise the limit of locked memory: the bytes are told"
netd_stop
setpriv --bounding-set -sys_resource "$FL_BUILD/fairlead-netd" >>"$NETD_LOG" 2>&1 &
NETD_PID=$!
wait_for 10 "answer from fairlead-netd" "$FAIRLEAD" status
ulimit -l 65536 # KiB
run_refused FL-0308 $((512 << 20))

step "restore"
netd_stop
netd_start
expect "restore" "$FAIRLEAD" restore
equal "the host" "$(host_state "$pf")" "$before"
host_quiet
netd_stop
