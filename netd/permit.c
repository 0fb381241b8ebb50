/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may ask for what: one table, in the manner of OpenSSH's monitor. A verb
 * that is not in it does not exist; its flags say all that is special about
 * it. Nothing else in netd decides on permission.
 */

#include <stdio.h>
#include <string.h>

#include "netd/guests.h"
#include "netd/macvtap.h"
#include "netd/record.h"

#define READ_MS 10000u
/* The VFs of a large PF taken away and made anew (SRIOV_NUMVFS_MS each), all
 * the rest, and an earlier write waited for. */
#define CHANGE_MS 900000u
#define LEASE_MS 30000u
#define UNPACK_MS 180000u

// clang-format off
static const struct permit permits[] = {
	{ "status",  WHO_ANYONE, 0,
	  READ_MS,   verb_status },
	{ "guests",  WHO_ANYONE, 0,
	  READ_MS,   verb_guests },
	{ "metrics", WHO_ANYONE, 0,
	  READ_MS,   verb_metrics },
	{ "plan",    WHO_ANYONE, PERMIT_POLICY,
	  READ_MS,   verb_plan },
	{ "record",  WHO_ROOT,   0,
	  READ_MS,   verb_record },
	{ "apply",   WHO_ROOT,   PERMIT_CHANGES | PERMIT_POLICY |
	                         PERMIT_NEEDS_POLICY | PERMIT_APPLY,
	  CHANGE_MS, verb_apply },
	{ "confirm", WHO_ROOT,   PERMIT_CHANGES,
	  READ_MS,   verb_confirm },
	{ "restore", WHO_ROOT,   PERMIT_CHANGES,
	  CHANGE_MS, verb_restore },
	{ "history", WHO_ROOT | WHO_GROUP, PERMIT_ENTRY,
	  READ_MS,   verb_history },
	{ "lease",   WHO_ROOT | WHO_GROUP, PERMIT_CHANGES | PERMIT_WAITS |
	                         PERMIT_GUEST | PERMIT_LEASE,
	  LEASE_MS,  verb_lease },
	{ "attach",  WHO_ROOT | WHO_GROUP, PERMIT_CHANGES | PERMIT_WAITS |
	                         PERMIT_GUEST | PERMIT_DEVICE | PERMIT_ASKS,
	  LEASE_MS,  verb_attach },
	/* A pool's VF for who is no guest: loan.c */
	{ "borrow",  WHO_ROOT | WHO_GROUP, PERMIT_CHANGES | PERMIT_WAITS |
	                         PERMIT_SHORT | PERMIT_LOAN,
	  LEASE_MS,  verb_borrow },
	{ "return",  WHO_ROOT | WHO_GROUP, PERMIT_CHANGES | PERMIT_WAITS |
	                         PERMIT_SHORT | PERMIT_HOLDER,
	  LEASE_MS,  verb_return },
	{ "scrub",   WHO_ROOT,   PERMIT_CHANGES | PERMIT_WAITS |
	                         PERMIT_SHORT | PERMIT_DEVICE,
	  LEASE_MS,  verb_scrub },
	/* No worker: the VMM does it (ask.c) */
	{ "detach",  WHO_ROOT | WHO_GROUP, PERMIT_GUEST | PERMIT_DEVICE |
	                         PERMIT_ASKS,
	  0,         NULL },
	{ "failover", WHO_ROOT | WHO_GROUP, PERMIT_GUEST | PERMIT_DEVICE |
	                         PERMIT_ASKS,
	  0,         NULL },
	{ "log",     WHO_ROOT | WHO_GROUP, PERMIT_GUEST,
	  READ_MS,   verb_log },
	{ "query",   WHO_ROOT | WHO_GROUP, PERMIT_GUEST | PERMIT_ASKS,
	  0,         NULL },
	/* netd's own: after a crash, and when a lease ends */
	{ "recover", WHO_NOBODY, PERMIT_CHANGES | PERMIT_WAITS,
	  CHANGE_MS, verb_recover },
	/* netd's own: reload.c */
	{ "reload",  WHO_NOBODY, PERMIT_CHANGES | PERMIT_WAITS,
	  CHANGE_MS, verb_reload },
	/* netd's own: reconcile.c */
	{ "look",    WHO_NOBODY, 0,
	  READ_MS,   verb_look },
	{ "reconcile", WHO_NOBODY, PERMIT_CHANGES | PERMIT_WAITS | PERMIT_SHORT,
	  CHANGE_MS, verb_reconcile },
	{ "tidy",    WHO_NOBODY, PERMIT_CHANGES | PERMIT_WAITS | PERMIT_SHORT,
	  LEASE_MS,  verb_tidy },
	/* netd's own, when an apply was not confirmed in time: confirm.h */
	{ "rollback", WHO_NOBODY, PERMIT_CHANGES | PERMIT_WAITS,
	  CHANGE_MS, verb_rollback },
	{ "release", WHO_NOBODY, PERMIT_CHANGES | PERMIT_WAITS | PERMIT_GUEST,
	  LEASE_MS,  verb_release },
	/* netd's own, when a guest has let go of a VF: standby.c */
	{ "stand-in", WHO_NOBODY, PERMIT_GUEST,
	  READ_MS,   verb_stand_in },
	/* netd's own, before a failover: failover-vf.c */
	{ "foresee", WHO_NOBODY, PERMIT_GUEST | PERMIT_DEVICE,
	  READ_MS,   verb_foresee },
	/* netd's own, when a nic was detached: macvtap.c */
	{ "unlink",  WHO_NOBODY, PERMIT_CHANGES | PERMIT_WAITS | PERMIT_GUEST,
	  READ_MS,   verb_unlink },
	/* netd's own, after a query: affinity.c */
	{ "follow",  WHO_NOBODY, PERMIT_GUEST,
	  READ_MS,   verb_follow },
	/* netd's own, after a lease: open-kernel.c */
	{ "unpack",  WHO_NOBODY, PERMIT_GUEST,
	  UNPACK_MS, verb_unpack },
};
// clang-format on

const struct permit *permit_find(const char *verb)
{
	for (size_t i = 0; i < ARRAY_SIZE(permits); i++)
		if (!strcmp(permits[i].verb, verb))
			return &permits[i];
	return NULL;
}

static bool in_group(const struct peer *p, gid_t gid)
{
	if (gid == (gid_t)-1)
		return false;
	for (size_t i = 0; i < p->n_groups; i++)
		if (p->group[i] == gid)
			return true;
	return p->gid == gid;
}

static void say_verbs(struct diag *d)
{
	char line[DIAG_LINE];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(permits) && n < sizeof(line); i++)
		if (permits[i].who != WHO_NOBODY)
			n += (size_t)snprintf(line + n, sizeof(line) - n,
			                      "%s%s", n ? ", " : "",
			                      permits[i].verb);
	diag_why(d, "fairlead-netd knows %s", line);
}

int permit_check(const struct permit *p, const struct peer *peer,
                 gid_t lease_gid, struct diag *d)
{
	if (!p || p->who == WHO_NOBODY) {
		diag_fail(d, -EPERM, FL_NETD_DENIED, "no such verb");
		say_verbs(d);
		diag_mend(d, "use the fairlead and fairlead-netd of one "
		             "version");
		return -EPERM;
	}
	if (p->who & WHO_ANYONE || (p->who & WHO_ROOT && peer->uid == 0) ||
	    (p->who & WHO_GROUP && in_group(peer, lease_gid)))
		return 0;
	diag_fail(d, -EPERM, FL_NETD_DENIED, "%s is not allowed to uid %u",
	          p->verb, peer->uid);
	if (p->who & WHO_GROUP) {
		diag_why(d, "only root and members of the group " NETD_GROUP
		            " may");
		diag_mend(d, "adduser NAME " NETD_GROUP ", then log in anew; "
		             "or run as root");
	} else {
		diag_why(d, "only root may");
		diag_mend(d, "run as root");
	}
	return -EPERM;
}

static int incomplete(struct diag *d, const char *verb, const char *why)
{
	diag_fail(d, -EPROTO, FL_NETD_REQUEST, "%s: request not complete",
	          verb);
	diag_why(d, "%s", why);
	diag_mend(d, "see netd/netd-proto.h");
	return -EPROTO;
}

static int loan_request(const struct permit *p, const struct request *r,
                        struct diag *d)
{
	bool loan = p->flags & PERMIT_LOAN, holder = p->flags & PERMIT_HOLDER;
	struct bdf root;

	if (loan != !!*r->pool)
		return incomplete(d, p->verb,
		                  loan ? "the pool's name is missing"
		                       : "it takes no pool");
	if (!loan && r->attr.set)
		return incomplete(d, p->verb, "it takes no attributes");
	if (!loan && (r->has_node || *r->root))
		return incomplete(d, p->verb, "it takes no place");
	if (*r->root && bdf_parse(r->root, &root))
		return incomplete(d, p->verb,
		                  "its \"pcie-root\" is no PCI address");
	if (holder && !*r->holder)
		return incomplete(d, p->verb, "the holder's name is missing");
	if (!loan && !holder && *r->holder)
		return incomplete(d, p->verb, "it takes no holder");
	if (!holder && r->generation)
		return incomplete(d, p->verb, "it takes no generation");
	if (loan && *r->holder == '@')
		return incomplete(d, p->verb, "a holder's name begins with @");
	return 0;
}

int permit_request(const struct permit *p, const struct request *r,
                   size_t n_fds, struct diag *d)
{
	if (n_fds > (p->flags & PERMIT_POLICY ? 1 : 0))
		return incomplete(d, p->verb, "too many descriptors");
	if (p->flags & PERMIT_NEEDS_POLICY && !n_fds)
		return incomplete(d, p->verb, "the policy is missing");
	if (p->flags & PERMIT_GUEST && !*r->guest)
		return incomplete(d, p->verb, "the guest's name is missing");
	if (!(p->flags & PERMIT_GUEST) && *r->guest)
		return incomplete(d, p->verb, "it takes no guest");
	if (p->flags & PERMIT_DEVICE && !*r->device)
		return incomplete(d, p->verb, "the device's name is missing");
	if (!(p->flags & (PERMIT_DEVICE | PERMIT_LOAN)) && *r->device)
		return incomplete(d, p->verb, "it takes no device");
	if (r->now && strcmp(p->verb, "detach") != 0 &&
	    strcmp(p->verb, "failover") != 0)
		return incomplete(d, p->verb, "it takes no \"now\"");
	if ((*r->way || *r->function) && strcmp(p->verb, "failover") != 0)
		return incomplete(d, p->verb,
		                  "only failover takes \"way\" and "
		                  "\"function\"");
	if (r->entry && !(p->flags & PERMIT_ENTRY))
		return incomplete(d, p->verb, "it takes no entry");
	if (r->has_confirm && !(p->flags & PERMIT_APPLY))
		return incomplete(d, p->verb, "it takes no confirmation");
	if (r->allow.given && !(p->flags & PERMIT_APPLY))
		return incomplete(d, p->verb, "it takes no disruption");
	if (r->log && !(p->flags & PERMIT_LEASE))
		return incomplete(d, p->verb, "only lease takes \"log\"");
	if (r->force && strcmp(p->verb, "apply") != 0)
		return incomplete(d, p->verb, "only apply takes \"force\"");
	if (r->early && !(p->flags & PERMIT_POLICY))
		return incomplete(d, p->verb, "it takes no \"early\"");
	return loan_request(p, r, d);
}
