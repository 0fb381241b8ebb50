/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_GUARD_H
#define FL_NETD_GUARD_H

/*
 * guard: a tap whose network says `spoof-check: true` carries nothing that
 * claims to be another's (policy/guard.c has the rules). For a VF the card does
 * that; for a tap nobody would.
 *
 * A chain a tap, in the table `netdev fairlead`, hooked to that interface's
 * ingress: it is there before the interface is up, sees all that the guest
 * sends before any bridge does, in whatever bridge it is or in none, and the
 * kernel takes it away with the interface (since 6.16 it is left, without a
 * hook: so a release removes it, too). A chain in the bridge family would see
 * less (a tap in no bridge) and outlive the interface.
 *
 * By libnftables: netd and a person type the same text, and `nft list` shows
 * the same. Its parser reads nothing but what policy/guard.c wrote, in a
 * worker; the alternative, libnftnl, has the expressions built by hand, which
 * is what a reviewer cannot read. CAP_NET_ADMIN is enough.
 *
 * Argued against: "nft flush ruleset" by somebody else takes the guard away
 * while the guest runs. It does, and status says so: "spoof-drops" is there
 * only while the kernel has the chain, whatever was asked.
 */

#include "netd/priv.h"

/* Before the interface is up; read back. FL_NETD_GUARD. */
_must_check_ int guard_set(struct work *w, const struct pol_own *o);
/* Those of the guest's interfaces that have gone. */
void guard_drop_all(const struct pol_policy *p, const struct pol_guest *g);
/* All guards, as the kernel has them: one question, however many there are.
 * NULL: there are none, no lease has a nic that could have one, or it cannot be
 * told. */
json_t *guard_read(const struct leases *all);
/* {"mac": dropped, "tag", "arp", "nd", "ip"} of the interface, as the kernel
 * counts; NULL: it has no guard among those that were read. Pure. */
json_t *guard_drops(const json_t *guards, const char *ifname);

#endif
