#!/bin/bash
# fairlead irq by evidence, host interrupts that follow a pinned vCPU, and a storm that is held back.
# lab: devices=igb timeout=240 quiet=45 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

LIMIT=100 # a second and vector: the least that a policy may ask for

irq_json() { "$FAIRLEAD" -j irq demo; }
flood() { # SECONDS: as fast as answers come, twice at once
	guest_send demo "sh for i in 1 2; do timeout $1 ping -q -A 10.0.2.2 >/dev/null & done; wait; echo FL-GUEST: flo''od over"
}

step "a guest with a VF and a limit to its interrupts"
install_images
netd_start
policy_with /run/policy.yaml "fl.mode=idle" "s|^    cpus:|    interrupt-limit: $LIMIT\n    cpus:|"
expect "apply" "$FAIRLEAD" apply /run/policy.yaml
run_guest demo demo
order demo 60 net
pings demo 3

step "fairlead irq: three vectors, as the host counts them"
"$FAIRLEAD" irq demo | tee "$LAB_LOG/irq"
irq_json >"$LAB_LOG/irq.json"
equal "remapping, posting" "$(jq -r '.host | "\(.remapping) \(.posting)"' "$LAB_LOG/irq.json")" "yes no"
equal "vectors" "$(jq -r '[.vectors[] | "\(.device) \(.kind)[\(.index)] \(.armed)"] | join(", ")' "$LAB_LOG/irq.json")" \
	"wan msix[0] true, wan msix[1] true, wan msix[2] true"
busy=$(jq '[.vectors[] | select(.how == "remapped")] | length' "$LAB_LOG/irq.json")
[ "$busy" -ge 1 ] || fail "no vector is remapped: $(cat "$LAB_LOG/irq")"
for irq in $(jq -r '.vectors[].irq' "$LAB_LOG/irq.json"); do
	grep -q "^ *$irq:.*vfio-msix" /proc/interrupts || fail "host interrupt $irq is not VFIO's"
	equal "its CPU" "$(jq -r ".vectors[] | select(.irq == $irq) | .cpus" "$LAB_LOG/irq.json")" \
		"$(cat "/proc/irq/$irq/effective_affinity_list")"
done
refused FL-0717 "does not run" "$FAIRLEAD" irq nobody

step "a pinned vCPU: its interrupts go where it runs"
vcpu=$(grep -l '^vcpu0$' "/proc/$(guest_pid demo)"/task/*/comm | cut -d/ -f5)
for cpu in 2 1; do
	taskset -cp "$cpu" "$vcpu" >/dev/null
	irq_json >/dev/null
	irq_json >"$LAB_LOG/irq-$cpu.json"
	equal "host CPUs of its interrupts" "$(jq -r '[.vectors[] | select(.vcpu == 0) | .cpus] | unique | join(",")' \
		"$LAB_LOG/irq-$cpu.json")" "$cpu"
done
grep -c 'goes to CPUs' "$NETD_LOG" | sed 's/^/       moved, by its log: /'
taskset -cp 1-2 "$vcpu" >/dev/null

step "a storm is masked, said once, and let go"
snapshot demo
equal "throttled before" "$(report_field "$LAB_LOG/demo.report" snapshot throttled)" 0
flood 8
wait_for 20 "word of the storm" grep -q 'FL-0614.*interrupt storm of wan' "$LAB_LOG/demo.log"
held=$(irq_json | jq '[.vectors[] | select(.throttled)] | length')
note "held back while it was looked at: $held; $(grep -m 1 -A 1 'FL-0614' "$LAB_LOG/demo.log" | tr -d '\r' | cut -d' ' -f2- | tr '\n' ' ')"
guest_expect demo 40 "flood over"
wait_for 70 "the vectors to be let go" eval '[ "$(irq_json | jq "[.vectors[] | select(.throttled)] | length")" = 0 ]'
snapshot demo
n=$(report_field "$LAB_LOG/demo.report" snapshot throttled)
[ "$n" -ge 1 ] || fail "throttled $n times"
[ "$(grep -c 'FL-0614' "$LAB_LOG/demo.log")" -le 5 ] || fail "said too often: $(grep -c 'FL-0614' "$LAB_LOG/demo.log")"
pings demo 4
power_off demo
netd_stop
host_quiet
