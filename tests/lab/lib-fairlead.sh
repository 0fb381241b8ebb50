# fairlead's own programs in L1: the daemon, the command, what a VMM weighs. Sourced by scenarios
# that test them; lib.sh does not need them.

FL_BUILD=${FL_BUILD:-$PWD/build}
FAIRLEAD=$FL_BUILD/fairlead
export FAIRLEAD_VMM=$FL_BUILD/fairlead-vmm
NETD_LOG=$LAB_LOG/netd.log

netd_start() { # ARGS...
	"$FL_BUILD/fairlead-netd" "$@" >>"$NETD_LOG" 2>&1 &
	NETD_PID=$!
	at_end netd_kill
	wait_for 10 "answer from fairlead-netd (its log: $NETD_LOG)" "$FAIRLEAD" status
}

netd_kill() { [ -z "${NETD_PID:-}" ] || kill -9 "$NETD_PID" 2>/dev/null || true; }

netd_stop() {
	kill "$NETD_PID"
	wait "$NETD_PID" || true
	NETD_PID=
}

# The images that docs/examples/demo.yaml names. L1's root is an overlay, so this stays in L1.
install_images() {
	mkdir -p /var/lib/fairlead/images
	ln -sf "$L2_KERNEL" /var/lib/fairlead/images/vmlinuz
	ln -sf "$L2_INITRD" /var/lib/fairlead/images/initrd.img
}

# Proportional set size, in KiB, of everything a VMM holds but guest RAM and device memory.
vmm_pss() { # PID
	awk '/^[0-9a-f]+-[0-9a-f]+ /{ skip = /memfd:fairlead|vfio/ }
		/^Pss:/ && !skip { sum += $2 } END { print sum }' "/proc/$1/smaps"
}

# report_field FILE EVENT FIELD: of the last such line of a VMM's report.
report_field() {
	jq -rs --arg event "$2" "map(select(.event == \$event)) | last | .$3" "$1"
}

# What the host says of a PF and its VFs, for "as it was before" to be a comparison, not a hope. The
# qdisc is left out: an interface that was never up has none (noop), and gets one for good.
host_state() { # PF
	local f
	for f in sriov_numvfs sriov_drivers_autoprobe driver_override; do
		echo "$f $(cat "$PCI/$1/$f" 2>/dev/null)"
	done
	echo "driver $(pci_driver "$1")"
	ip -d link show "$(pci_netdev "$1")" | sed 's/ state [A-Z]*//; s/,LOWER_UP//; s/ qdisc [a-z]*//'
}

# The demo's policy with another command line for the guest, and other changes by sed where wanted.
policy_with() { # FILE GUEST-WORDS [SED-SCRIPT]
	sed -e "s|^\( *cmdline:\).*|\1 \"$(guest_cmdline "$2")\"|" ${3:+-e "$3"} docs/examples/demo.yaml >"$1"
}
