#!/bin/bash
# Guests in the background, by the real daemon: up, ps, console, log, stop; one that is killed, one that panics, one
# that cannot start; the daemon's restart.
# lab: devices=none iommufd=no timeout=600 quiet=90 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

console_has() { "$FAIRLEAD" console --log "$1" 2>/dev/null | grep -qa "$2"; } # GUEST WORDS
log_has() { "$FAIRLEAD" log "$1" | grep -qa "$2"; }                           # GUEST WORDS
state() { "$FAIRLEAD" -j ps | jq -r ".guests[] | select(.guest == \"$1\") | .state"; }
pid_of() { "$FAIRLEAD" -j ps | jq -r ".guests[] | select(.guest == \"$1\") | .pid"; }
guests() { "$FAIRLEAD" -j ps | jq -r '[.guests[].guest] | join(" ")'; }
no_guest() { [ -z "$(guests)" ]; }
ready() { wait_for 90 "guest $1" console_has "$1" 'FL-GUEST: ready'; } # GUEST
# As somebody at a terminal, who leaves again.
type_in() { # GUEST SECONDS WORDS...
	local guest=$1 seconds=$2
	shift 2
	(
		sleep 0.5
		echo "$*"
		sleep "$seconds"
	) | timeout "$((seconds + 10))" "$FAIRLEAD" console "$guest" >"$LAB_LOG/console.$guest" 2>&1 || true
}

# pvpanic's drivers, which L2's image has not.
extra_image() { # FILE
	local dir=/run/extra m
	mkdir -p $dir/x
	for m in pvpanic pvpanic-mmio; do
		xz -dc "$LAB_KERNEL_DIR"/lib/modules/*/kernel/drivers/misc/pvpanic/$m.ko.xz >$dir/x/$m.ko
	done
	{ cat "$L2_INITRD"; (cd $dir && find . | cpio -o -H newc --quiet -R 0:0); } >"$1"
}
CRASH='sh insmod /x/pvpanic.ko; insmod /x/pvpanic-mmio.ko; echo c >/proc/sysrq-trigger'

step "the daemon, and a policy of three guests"
groupadd -f fairlead
install_images
extra_image /var/lib/fairlead/images/extra.img
netd_start
cat >/run/policy.yaml <<-END
	version: 1
	guests:
	  - name: web
	    memory: 256M
	    kernel: /var/lib/fairlead/images/vmlinuz
	    initrd: /var/lib/fairlead/images/extra.img
	    cmdline: "$(guest_cmdline fl.mode=idle)"
	    watchdog: reset
	    on-panic: stop
	  - name: db
	    memory: 256M
	    kernel: /var/lib/fairlead/images/vmlinuz
	    initrd: /var/lib/fairlead/images/extra.img
	    cmdline: "$(guest_cmdline fl.mode=idle)"
	  - name: bad
	    memory: 256M
	    kernel: /run/policy.yaml
END
expect "check" "$FAIRLEAD" check /run/policy.yaml
expect "apply" "$FAIRLEAD" apply /run/policy.yaml

step "up: two of them"
expect "up web" "$FAIRLEAD" up web
expect "up db" "$FAIRLEAD" up db
"$FAIRLEAD" ps
equal "ps" "$(guests)" "db web"
equal "state" "$(state web)" running
equal "leases" "$(leases | tr ' ' '\n' | sort | tr '\n' ' ')" "db web "
ready web
ready db
refused FL-0710 leased "$FAIRLEAD" up web

step "a console, left and come back to"
type_in web 3 'sh echo FL-GUEST\: first $((6 * 7))'
grep -qa 'FL-GUEST: first 42' "$LAB_LOG/console.web" || fail "nothing of the console: $(cat "$LAB_LOG/console.web")"
equal "it runs on" "$(state web)" running
type_in web 3 'sh echo FL-GUEST\: second $((6 * 9))'
grep -qa 'FL-GUEST: second 54' "$LAB_LOG/console.web" || fail "nothing of the console: $(cat "$LAB_LOG/console.web")"
console_has web 'FL-GUEST: first 42' || fail "the scroll-back lost it"

step "counters, of all that it has"
echo '{"jsonrpc": "2.0", "id": 1, "method": "counters"}' |
	socat -t 5 - UNIX-CONNECT:/run/fairlead/guests/web.sock >"$LAB_LOG/counters.json"
equal "trapped" "$(jq '.result.vcpus[0].exits.total > 1000' "$LAB_LOG/counters.json")" true
equal "devices" "$(jq -r '[.result.devices[].name] | sort | join(" ")' "$LAB_LOG/counters.json")" "rng watchdog"
equal "KVM's" "$(jq '.result.kvm.vcpus[0].exits > 1000' "$LAB_LOG/counters.json")" true

step "the daemon ends, and is back: they run, and are heard"
netd_stop
netd_start
equal "ps" "$(guests)" "db web"
expect "log of a guest from before" "$FAIRLEAD" log web

step "stop: its button, and the end when its time is over; power off from within"
expect "stop" "$FAIRLEAD" stop --grace 3 db
equal "ps" "$(guests)" web
type_in web 5 off
wait_for 30 "end of web" no_guest
wait_for 20 "end of its lease" no_lease

step "the log: over restarts, and of guests that have ended"
expect "up web" "$FAIRLEAD" up web
ready web
log_has web 'its VMM, pid [0-9]*, begins' || fail "no begin: $("$FAIRLEAD" log web)"
type_in web 5 off
wait_for 30 "end of web" no_guest
wait_for 20 "last word" log_has web 'is gone'
log_has web 'fairlead-vmm: ends: poweroff' || fail "no end: $("$FAIRLEAD" log web)"

step "killed: ps does not have it, the log says when"
expect "up web" "$FAIRLEAD" up web
kill -9 "$(pid_of web)"
wait_for 20 "end of its lease" no_lease
no_guest || fail "ps still has it: $(guests)"
equal "last line" "$("$FAIRLEAD" log web | tail -n 1 | sed 's/.*, //')" "is gone"
[ "$("$FAIRLEAD" log web | grep -c ends:)" = 1 ] || fail "it has said that it ends: $("$FAIRLEAD" log web)"

step "a panic, by the policy's word"
expect "up web" "$FAIRLEAD" up web
ready web
type_in web 5 "$CRASH"
wait_for 30 "end of web" no_guest
log_has web 'it has panicked' && log_has web 'ends: panic' || fail "no panic: $("$FAIRLEAD" log web)"
wait_for 20 "end of its lease" no_lease
run_guest web web
guest_send web "$CRASH"
guest_ends web 30 12

step "who cannot start says why, to both"
refused FL-0605 bzImage "$FAIRLEAD" up bad
log_has bad FL-0605 || fail "not in the log: $("$FAIRLEAD" log bad)"
refused FL-0724 kept "$FAIRLEAD" log nobody
host_quiet
