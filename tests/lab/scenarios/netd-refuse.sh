#!/bin/bash
# What netd refuses: each with a reason and a mend, and the host unchanged after it.
# lab: devices=igb timeout=240
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

POLICY=$LAB_LOG/policy.yaml
export FAIRLEAD_VMM=/bin/true # no lease is given here, so none is started

policy() { # SED-SCRIPT
	sed -e "$1" docs/examples/demo.yaml >"$POLICY"
	! cmp -s "$POLICY" docs/examples/demo.yaml || fail "the edit \"$1\" changed nothing"
}

# Without the qdisc, which the kernel gives a link for good when it first goes up.
state() { host_state "$pf" | sed 's/ qdisc [a-z_]*//'; }

refused() { # CODE WORDS COMMAND...: it fails with that code, says WORDS, and changes nothing
	local code=$1 words=$2 was out
	was=$(state)
	shift 2
	if out=$("$@" 2>&1); then fail "not refused: $*: $out"; fi
	echo "$out" | sed 's/^/       /'
	case $out in *"$code"*) ;; *) fail "no $code in: $out" ;; esac
	case $out in *"$words"*) ;; *) fail "not said, \"$words\": $out" ;; esac
	case $out in *mend:*) ;; *) fail "no mend in: $out" ;; esac
	equal "the host after it" "$(state)" "$was"
}

end_process() { kill -9 "$1" 2>/dev/null || true; }

hold() { # FILE: a process that has it open, as a VMM would
	bash -c 'exec 9<>"$0"; exec sleep 1000' "$1" &
	HOLDER=$!
	at_end end_process "$HOLDER"
	wait_for 5 "process with $1 open" test -e "/proc/$HOLDER/fd/9"
}

node_of() { # ADDRESS
	local cdev
	cdev=$(vfio_cdev "$1")
	if [ -e "$cdev" ]; then echo "$cdev"; else echo "/dev/vfio/$(pci_group "$1")"; fi
}

as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }

pf=$(pf_igb) ifname=$(pci_netdev "$pf")
before=$(state)
install_images
netd_start

step "before any policy: no lease"
refused FL-0708 "no policy" "$FAIRLEAD" run --user nobody demo

step "a VLAN protocol that igb does not have is refused before anything is made"
policy 's/vlan: null.*/vlan: { id: 7, protocol: 802.1ad }/'
refused FL-0133 "VLAN protocol 802.1ad" "$FAIRLEAD" apply "$POLICY"

step "a link state, which only igb itself refuses: the VFs it made go again"
policy 's/vlan: null.*/link-state: enable/'
refused FL-0705 "link state" "$FAIRLEAD" apply "$POLICY"
equal "journal" "$("$FAIRLEAD" -j status | jq -r .journal)" none

step "a switch, parameters and vectors that igb has not"
policy 's/^\( *\)link: up.*/\1embedded-switch-mode: switchdev/; /vlan: null/d'
refused FL-0144 "driver igb has no switch" "$FAIRLEAD" apply "$POLICY"
policy 's/^\( *\)link: up.*/\1devlink-params: [ { name: max_macs, value: 8 } ]/'
refused FL-0144 "devlink-params cannot be set" "$FAIRLEAD" apply "$POLICY"
policy 's/^\( *\)link: up.*/\1msix-budget: from-vcpus/'
refused FL-0147 "driver igb gives VFs no other number" "$FAIRLEAD" apply "$POLICY"

step "more VFs than the device has"
policy 's/virtual-function-count: 2/virtual-function-count: 8/'
refused FL-0121 "at most" "$FAIRLEAD" apply "$POLICY"

step "a device that is not there"
policy 's/0000:01:00.0/0000:7f:00.0/'
refused FL-0120 "no device" "$FAIRLEAD" apply "$POLICY"

step "who may ask"
refused FL-0702 "only root" as_nobody "$FAIRLEAD" apply docs/examples/demo.yaml
expect "status by anyone" as_nobody "$FAIRLEAD" status
expect "plan by anyone" as_nobody "$FAIRLEAD" plan docs/examples/demo.yaml

step "VFs in use are not removed, neither by apply nor by restore"
expect "apply" "$FAIRLEAD" apply docs/examples/demo.yaml
vf=$(pci_vf "$pf" 0)
hold "$(node_of "$vf")"
policy 's/virtual-function-count: 2/virtual-function-count: 3/'
refused FL-0122 "pid $HOLDER" "$FAIRLEAD" apply "$POLICY"
refused FL-0122 "pid $HOLDER" "$FAIRLEAD" restore
case $("$FAIRLEAD" -j status | jq -r ".pfs[].vfs[] | select(.bdf == \"$vf\") | .holder") in
*"pid $HOLDER"*) ;;
*) fail "status does not name the holder" ;;
esac

step "a VF in use is not leased; a guest that is not in the policy neither"
refused FL-0710 "pid $HOLDER" "$FAIRLEAD" run --user nobody demo
refused FL-0709 "did you mean" "$FAIRLEAD" run --user nobody dem
kill -9 "$HOLDER"
wait "$HOLDER" 2>/dev/null || true

step "a kernel image that is not there"
rm /var/lib/fairlead/images/vmlinuz
refused FL-0711 "vmlinuz" "$FAIRLEAD" run --user nobody demo

step "more VFs only when nobody has one; then back"
expect "apply with 3 VFs" "$FAIRLEAD" apply "$POLICY"
equal "VFs" "$(cat "$PCI/$pf/sriov_numvfs")" 3
expect "restore" "$FAIRLEAD" restore
netd_stop
equal "the host" "$(state)" "$before"
