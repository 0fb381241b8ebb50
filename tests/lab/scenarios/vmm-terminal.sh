#!/bin/bash
# `fairlead run` on a terminal, without a device: raw mode and back, ^C, ^A x; --no-reboot; ACPI.
# lab: devices=none timeout=200 quiet=45 tries=2
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

step "a policy with a guest that has no device"
install_images
cat >"$LAB_LOG/policy.yaml" <<YAML
version: 1
guests:
  - name: plain
    cpus: { count: 1 }
    memory: { size: 512M }
    kernel: /var/lib/fairlead/images/vmlinuz
    initrd: /var/lib/fairlead/images/initrd.img
    cmdline: "$(guest_cmdline fl.mode=idle)"
YAML
netd_start
expect "check" "$FAIRLEAD" check "$LAB_LOG/policy.yaml"
expect "apply" "$FAIRLEAD" apply "$LAB_LOG/policy.yaml"

step "its kernel has no complaint about ACPI; --no-reboot ends with 10"
run_guest plain plain --no-reboot
order plain 10 sh "dmesg | grep -iE 'acpi.*(error|warning|exception|invalid)|firmware bug' | sed 's/^/FL-GUEST: complains /'"
# Not the echo of the order, which has the marker in its middle.
equal "the guest's kernel of its ACPI" "$(grep -m 1 '^[0-9]* FL-GUEST: complains' "$LAB_LOG/plain.log" || true)" ""
guest_send plain sh reboot -f
guest_ends plain 20 10
equal "reason" "$(report_field "$LAB_LOG/plain.report" exit reason)" reset
wait_for 5 "end of the lease" no_lease

step "a terminal: raw while the guest runs, and ^C is the guest's"
cat >/run/terminal.sh <<SCRIPT
stty -g >/run/before
"$FAIRLEAD" run plain
echo "FL-GUEST: status \$?"
stty -g >/run/after
SCRIPT
guest_start tty socat - "EXEC:bash /run/terminal.sh,pty,setsid,ctty,stderr,echo=0"
wait_ready tty
guest_send tty "sh stty -isig -icanon min 1; echo FL-GUEST\\: listens; dd bs=1 count=1 2>/dev/null | hexdump -e '1/1 \"FL-GUEST: byte %02x\\n\"'; stty sane"
guest_expect tty 10 listens
printf '\003' >/run/guests/tty.in
guest_expect tty 10 "byte 03"

step "^A x ends the guest; the terminal is as it was"
printf '\001x' >/run/guests/tty.in
guest_expect tty 10 status
equal "exit status after ^A x" "$(guest_said tty status)" "status 0"
wait_for 5 "end of the shell" test -s /run/after
equal "the terminal's settings" "$(cat /run/after)" "$(cat /run/before)"
wait_for 5 "end of the lease" no_lease
host_quiet
netd_stop
