#!/bin/bash
# Guests that go with the machine: up in the policy's order, one that cannot start keeps no other, down the other way.
# lab: devices=none iommufd=no timeout=150 quiet=60 tries=2
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

guests() { "$FAIRLEAD" -j ps | jq -r '[.guests[] | "\(.guest)=\(.boot)"] | sort | join(" ")'; }
not_all() { # COMMAND...: some guest was refused, and all are told
	local status=0
	"$@" >/run/out 2>&1 </dev/null || status=$?
	sed 's/^/       /' /run/out
	equal "status of $*" "$status" 6
}
order() { grep -oE '^(one|two|three|four): [a-z]+' /run/out | tr '\n' ' '; }

step "the daemon, and a policy of four guests, three of which go with the machine"
groupadd -f fairlead
install_images
netd_start
{
	printf 'version: 1\nguests:\n'
	for i in one=auto:vmlinuz two=auto:initrd.img three=manual:vmlinuz four=auto:vmlinuz; do
		printf '  - name: %s\n    memory: 256M\n    boot: %s\n' "${i%=*}" "$(sed 's/.*=//; s/:.*//' <<<"$i")"
		printf '    kernel: /var/lib/fairlead/images/%s\n' "${i#*:}"
		printf '    initrd: /var/lib/fairlead/images/initrd.img\n    cmdline: "%s"\n' "$(guest_cmdline fl.mode=idle)"
	done
} >/run/policy.yaml
refused FL-0708 "no policy" "$FAIRLEAD" up --boot
expect "apply" "$FAIRLEAD" apply /run/policy.yaml
equal "status" "$("$FAIRLEAD" -j status | jq -c '[.guests[] | [.guest, .boot, .running]]')" \
	'[["one","auto",false],["two","auto",false],["three","manual",false],["four","auto",false]]'

step "up: two is no kernel, and keeps neither"
not_all "$FAIRLEAD" up --boot
equal "in this order" "$(order)" "one: running four: running "
grep -q FL-0605 /run/out || fail "two does not say why"
equal "ps" "$(guests)" "four=auto one=auto"

step "again: only the one that does not run is tried"
expect "up three" "$FAIRLEAD" up three
not_all "$FAIRLEAD" up --boot
equal "tried" "$(order)" ""

step "down: the last first, and none that was started by hand"
"$FAIRLEAD" down --boot --grace 3 >/run/out
sed 's/^/       /' /run/out
equal "in this order" "$(order | sed 's/: [a-z]*//g')" "four one "
equal "ps" "$(guests)" "three=manual"
expect "stop three" "$FAIRLEAD" stop --now three
host_quiet
netd_stop
