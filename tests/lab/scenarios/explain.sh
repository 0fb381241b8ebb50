#!/bin/bash
# What `fairlead explain` says a guest will see of a VF, a drive and a display is what its kernel reads
# there; the errors of it; a running guest's device by name is netd's matter (netd-devices).
# lab: devices=igb,nvme,display timeout=150 quiet=45 tries=2
# check: long
. "$LAB_DIR/lib.sh"
. "$LAB_DIR/lib-device.sh"

FAIRLEAD=$FL_BUILD/fairlead

step "three functions explained"
pf=$(pf_igb)
carve_vfs "$pf" 1
vf=$(pci_vf "$pf" 0)
set_vf_mac "$pf" 0 02:00:00:00:00:01
bind_vfio "$vf"
drive=$(free_function 1b36:0010)
display=$(free_function 1234:1111)
n=0
for bdf in "$vf" "$drive" "$display"; do
	n=$((n + 1))
	expect "explain $bdf" "$FAIRLEAD" explain "$bdf"
	"$FAIRLEAD" explain "$bdf" >"$LAB_LOG/$n.explain"
	"$FAIRLEAD" -j explain "$bdf" >"$LAB_LOG/$n.json"
done
grep -q "virtual function of $pf" "$LAB_LOG/1.explain" || fail "not said to be a VF: $LAB_LOG/1.explain"
equal "what hides SR-IOV of the drive" \
	"$(jq -r '.capabilities[] | select(.name == "Single Root I/O Virtualization").verdict' "$LAB_LOG/2.json")" hidden

step "to a user the kernel shows 64 bytes: refused"
said=$(setpriv --reuid=65534 --regid=65534 --clear-groups "$FAIRLEAD" explain "$drive" 2>&1) && fail "explained to nobody: $said"
case $said in
*"FL-0807: only 64 bytes"*"mend: sudo fairlead explain $drive"*) ;;
*) fail "$said" ;;
esac

step "a guest reads them"
backend=$(backends)
boot seen "${backend%% *}" --device "$vf" --device "$drive" --device "$display"
ask seen 40 lspci
off seen

step "byte by byte"
python3 - "$LAB_LOG" >"$LAB_LOG/compared" <<'END' || fail "$(tail -n 5 "$LAB_LOG/compared")"
import json, re, sys

log = sys.argv[1]
guest, at = {}, None
for line in open(log + "/seen.log", errors="replace"):
    m = re.search(r"FL-GUEST: pci (\S+)", line)
    if m:
        at = guest.setdefault(m[1], {})
    m = re.search(r"FL-GUEST: cfg ([0-9a-f]+): ((?:[0-9a-f]{2} ?)+)", line)
    if m:
        for i, byte in enumerate(m[2].split()):
            at[int(m[1], 16) + i] = int(byte, 16)

def check(what, off, seen, said):
    if seen != said:
        sys.exit(print(f"{what} at {off:03x}: the guest reads {seen}, explained was {said}") or 1)

for n in 1, 2, 3:
    said = json.load(open(f"{log}/{n}.json"))
    want = bytes.fromhex(said["guest"])
    seen = bytes(v for _, v in sorted(guest[f"0000:0{n}:00.0"].items()))
    check("bytes", 0, len(seen), max(len(want), 256))
    # What a guest's kernel may not have changed: ids, class, type, subsystem, pin; all above 100h.
    for off in [*range(4), *range(8, 12), 14, *range(0x2c, 0x30), 0x3d, *range(0x100, len(want))]:
        check("byte", off, seen[off], want[off])
    chain, off = [], seen[0x34]
    while off and len(chain) < 48:
        chain.append((off, seen[off]))
        off = seen[off + 1]
    check("chain", 0x34, chain, [(c["offset"], c["id"]) for c in said["capabilities"]
                                 if not c["extended"] and c["verdict"] != "hidden"])
    for c in said["capabilities"]:
        if c["verdict"] == "shown":
            continue
        for off in range(c["offset"], c["offset"] + c["length"]):
            check(c["name"], off, seen[off], want[off])
    print(said["bdf"], len(said["differences"]), "differences explained,", len(chain), "capabilities")
END
while read -r line; do note "$line"; done <"$LAB_LOG/compared"
