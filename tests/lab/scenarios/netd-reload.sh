#!/bin/bash
# A policy of several files, edited while it is applied; what an apply may disrupt; and what the history tells of all that.
# lab: devices=igb timeout=300 quiet=90
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

DIR=/run/policy

vf_link() { ip -j -d link show dev "$ifname" | jq -r ".[0].vfinfo_list[$1]$2"; }
is() { [ "$(vf_link "$1" "$2")" = "$3" ]; }
code_is() { [ "$("$FAIRLEAD" -j status | jq '."policy-file".error.code')" = "$1" ]; }
entries() { "$FAIRLEAD" -j history | jq "[.entries[] | select(.verb == \"$1\")] | length"; }
# VERB FILTER: of its latest entry.
latest() {
	local id
	id=$("$FAIRLEAD" -j history | jq "[.entries[] | select(.verb == \"$1\")][0].id")
	"$FAIRLEAD" -j history "$id" | jq -c ".entry | $2"
}
# As editors do it: beside it, then in its place.
write() { # NAME
	cat >"$DIR/.$1.tmp"
	mv "$DIR/.$1.tmp" "$DIR/$1"
}
nets() { # WORDS
	write 20-nets.yaml <<-YAML
		version: 1
		networks: [{ name: tagged, vlan: { id: 100 }, $1 }]
		guests:
		  - name: g
		    memory: 512M
		    kernel: /var/lib/fairlead/images/vmlinuz
		    nics: [{ name: a, pool: p, network: tagged, mac-address: "02:5a:10:00:00:01" }]
	YAML
}
host() { # LINK
	write 10-host.yaml <<-YAML
		version: 1
		nics:
		  - { name: e, match: { pci: "$pf" }, virtual-function-count: 2, drivers-autoprobe: false, link: $1 }
		pools:
		  - { name: p, functions: ["e#0-1"], driver: vfio }
	YAML
}

step "two files are applied as one"
pf=$(pf_igb) ifname=$(pci_netdev "$pf")
modprobe -a igbvf vfio-pci 2>/dev/null || true
mkdir -m 755 "$DIR"
netd_start --policy "$DIR"
host up
nets "trust: false"
expect "apply" "$FAIRLEAD" apply "$DIR"
equal "trust" "$(vf_link 0 .trust)" false

step "one is written: it is done, and told"
nets "trust: true"
wait_for 15 "the file's word" is 0 .trust true
wait_for 5 "an entry" eval '[ "$(entries reload)" = 1 ]'
equal "its action" "$(latest reload '.actions[0] | [.op, .before, .after]')" '["vf-trust",false,true]'

step "nothing new: no trace; what editors leave: none either"
kill -HUP "$NETD_PID"
echo nonsense >"$DIR/.20-nets.yaml.swp"
echo nonsense >"$DIR/20-nets.yaml~"
sleep 4
equal "entries" "$(entries reload)" 1
echo nonsense >"$DIR/30-bad.yaml"
wait_for 10 "the error of the one that counts" eval '! code_is null'
rm "$DIR/30-bad.yaml"
wait_for 10 "all is well again" code_is null
equal "entries" "$(entries reload)" 1

step "what would disrupt waits for a word"
host down
wait_for 10 "that is told" code_is 761
exec 7<>"/dev/vfio/devices/$(ls "$PCI/$(pci_vf "$pf" 1)/vfio-dev")"
refused FL-0748 "none-in-use" "$FAIRLEAD" apply "$DIR"
expect "apply" "$FAIRLEAD" apply --allow-disruption=allow "$DIR"
exec 7>&-
equal "link" "$(cat "/sys/class/net/$ifname/operstate")" down
equal "who said so" "$(latest apply '."allow-disruption"')" '"allow"'
host up
wait_for 15 "up again" eval '[ -n "$(ip link show dev "$ifname" up)" ]'

step "what drifts is repaired, and told with its values"
ip link set "$ifname" vf 0 mac 02:00:00:00:00:99
wait_for 15 "the MAC" is 0 .address 02:5a:10:00:00:01
wait_for 5 "an entry" eval '[ "$(entries reconcile)" -ge 1 ]'
equal "its values" "$(latest reconcile '.actions[0] | [.op, .before, .after, .outcome]')" \
	'["vf-mac","02:00:00:00:00:99","02:5a:10:00:00:01","done"]'

step "a scrub is told, too"
vf=$(pci_vf "$pf" 1)
ip link set "$ifname" vf 1 trust on
expect "scrub" "$FAIRLEAD" scrub "$vf"
equal "its values" "$(latest scrub '.actions[0] | [.op, .before.trust, .after.trust, .outcome]')" '["scrub",true,false,"done"]'
"$FAIRLEAD" history | sed 's/^/       /'
expect "restore" "$FAIRLEAD" restore
netd_stop
