#!/bin/bash
# A whole Debian with systemd on a virtio disk: login by console and by network, and a clean end, of either's asking.
# lab: devices=none mem=6G timeout=1500 quiet=240 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"
. "$LAB_DIR/lib-debian.sh"

step "the host: programs, two networks, a copy of the disk"
debian_host
netd_start
debian_policy /run/policy.yaml

step "boot to a login"
debian_boot deb
step "login on the console; systemd has started all it should"
debian_login deb
debian_console deb 240 "systemctl is-system-running --wait"
debian_console deb 60 "systemctl --failed --no-legend | sed 's/^/FL-GUEST: failed /'; systemd-analyze | sed 's/^/FL-GUEST: /'"
note "$(guest_said deb Startup)"
debian_console deb 30 "findmnt -no SOURCE,FSTYPE / | grep -q '/dev/vda *ext4'"

step "addresses by DHCP; login over the network"
wait_for 60 "answer over SSH" debian_answers
equal "address of lan" "$(debian_ssh ip -o -4 addr show dev "$(debian_if $LAN_MAC)" | awk '{ print $4 }')" $LAN_GUEST/24
equal "address of fast" "$(debian_ssh ip -o -4 addr show dev "$(debian_if $FAST_MAC)" | awk '{ print $4 }')" $FAST_GUEST/24
equal "who" "$(debian_ssh 'id -un; hostname' | tr '\n' ' ')" "root debian "
debian_ssh dmesg --level=err,warn >"$LAB_LOG/dmesg-guest"
note "$(wc -l <"$LAB_LOG/dmesg-guest") lines of errors and warnings in its kernel's log"
sed 's/^/       /' "$LAB_LOG/dmesg-guest"

step "the power button, by fairlead stop: it ends as it should"
expect "stop" "$FAIRLEAD" stop --grace 120 deb
debian_ended deb
step "again, and poweroff from within"
debian_boot again
wait_for 120 "answer over SSH" debian_answers
debian_ssh systemctl poweroff || true
debian_ended again
host_quiet
netd_stop
