# A lease whose VMM is cat(1): it holds what it was given until it is killed. Sourced after lib-fairlead.sh.
#
#   vmm_start GUEST     sets VMM, its pid
#   vmm_kill PID
#   lease JQ-PATH       of the lease that the VMM has

export FAIRLEAD_VMM=/bin/cat

lease() { jq -r "$1" <"/proc/$VMM/fd/3"; }
end_process() { kill -9 "$1" 2>/dev/null || true; }

vmm_start() { # GUEST
	rm -f "/run/in.$1"
	mkfifo "/run/in.$1"
	"$FAIRLEAD" run "$1" <>"/run/in.$1" >"$LAB_LOG/vmm.$1" 2>&1 &
	VMM=$!
	at_end end_process "$VMM"
	wait_for 10 "VMM of $1 with a lease" vmm_runs "$1"
}
vmm_runs() { [ "$(cat "/proc/$VMM/comm" 2>/dev/null)" = cat ] || { cat "$LAB_LOG/vmm.$1" && false; }; }

vmm_kill() { # PID
	kill -9 "$1"
	wait "$1" 2>/dev/null || true
}
