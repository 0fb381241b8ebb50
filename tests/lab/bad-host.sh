# A host on which nothing can be assigned: every way in says so, with the mend, and changes nothing.
# Sourced by bad-no-*.sh.
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-fairlead.sh"

# test_bad_host DOCTOR-WORDS MEND-WORDS FL-CODE
test_bad_host() {
	local out pf before
	pf=$(pf_igb) before=$(host_state "$pf")
	install_images

	step "doctor says no, and what mends it"
	if out=$("$FAIRLEAD" doctor); then fail "doctor says yes: $out"; fi
	grep -E "^no +$1" <<<"$out" | sed 's/^/       /'
	grep -qE "^no +$1" <<<"$out" || fail "doctor does not say no to $1: $out"
	grep -A1 -E "^no +$1" <<<"$out" | grep -q "mend: .*$2" || fail "no mend with \"$2\": $out"
	equal "doctor -j" "$("$FAIRLEAD" -j doctor | jq .assignable)" false

	step "check needs no hardware; plan, apply and run are refused"
	expect "check" "$FAIRLEAD" check docs/examples/demo.yaml
	netd_start
	refused "$3" "driver vfio needs" "$FAIRLEAD" plan docs/examples/demo.yaml
	refused "$3" "driver vfio needs" "$FAIRLEAD" apply docs/examples/demo.yaml
	refused FL-0708 "no policy" "$FAIRLEAD" run demo

	step "nothing was changed"
	equal "journal" "$("$FAIRLEAD" -j status | jq -r .journal)" none
	equal "the host" "$(host_state "$pf")" "$before"
	netd_stop
}
