/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_GRANT_H
#define FL_NETD_GRANT_H

/* Shared by grant.c (what is done), grant-find.c (with what), grant-own.c and
 * grant-settle.c. */

#include "netd/priv.h"

/* What all directions work on; freed together. */
struct guest_run {
	struct pol_policy *policy;
	struct pol_guest *guest;
	const char *device;            /* of it; NULL = all */
	struct pol_state *seen, *want; /* want: of those only */
	struct machine m;
	struct grant give;
};

/* -ENOENT FL_NETD_GUEST, FL_NETD_NO_POLICY; -EAGAIN FL_NETD_UNFINISHED. */
_must_check_ int grant_find_guest(struct work *w, struct guest_run *r);
/* The applied one, where nothing is unfinished. */
_must_check_ int grant_policy(struct work *w, struct pol_policy **ret);
/* The nic or device that the request names. -ENOENT FL_NETD_DEVICE. */
_must_check_ int grant_find_device(struct work *w, struct guest_run *r);
/* r->give, as observed now: to be made anew after each look. */
void grant_list(struct guest_run *r);
/* r->seen anew, once r->m is open: as far as the guest needs it. */
_must_check_ int grant_see(struct work *w, struct guest_run *r);
/* The machine as it is, and what of it is wanted. */
_must_check_ int grant_look(struct work *w, struct guest_run *r);
/* Another look may follow. */
void grant_forget(struct guest_run *r);
void grant_clear(struct guest_run *r);
/* The functions free, clean, as the policy says, each of them assignable, and
 * the guest's from here on. After a look; or with one. */
_must_check_ int grant_ready(struct work *w, struct guest_run *r,
                             size_t *ret_drifted);
_must_check_ int grant_look_ready(struct work *w, struct guest_run *r,
                                  size_t *ret_drifted);
/* r->seen anew, for r->want. */
_must_check_ int grant_look_again(struct work *w, struct guest_run *r);
/* The functions of r->want as it says. *ret_n counts what was not so; then
 * r->seen is as it is after that. */
_must_check_ int grant_settle(struct work *w, struct guest_run *r,
                              size_t *ret_n);
/* grant-settle.c: into the history, and to the log. */
struct settled {
	const struct pol_plan *plan;
	const uint8_t *outcome;
	const struct pol_state *before, *after; /* after: NULL = not known */
	int e;
};
void settle_tell(struct work *w, const struct settled *s);
/* Who has it open or leased: its pid, 0 = nobody. */
int grant_holder(const struct grant_fn *f, const char **ret_name);

/* standby.c: to the standby of the request's device, if it has one, goes what
 * is for the guest; or not any more. What goes wrong is logged. */
void standby_way(struct work *w, const struct guest_run *r, bool here);

/* ---- grant-own.c: what the VMM itself is ---- */

/* False = the policy gives the guest no such. */
bool grant_find_own(const struct guest_run *r, const char *name,
                    struct pol_own *ret);
/* A port of the running guest that nobody is behind: `wish`, if it is one; else
 * one that the policy gives to nobody. 0 = none is left. */
uint8_t grant_port(const struct guest_run *r, const struct lease *l,
                   uint8_t wish);
/* Of a guest that has no lease yet: all that the VMM itself is, its log, its
 * control socket. What fails leaves nothing. */
_must_check_ int grant_rest(struct work *w, struct guest_run *r);
/* Opened and described, for the guest that has lease `l`. */
_must_check_ int grant_own(struct work *w, struct guest_run *r,
                           const struct lease *l, struct pol_own *o);
/* grant.c: refusals that they share. */
int grant_has(struct work *w, const char *device);
int grant_not_there(struct work *w, const struct guest_run *r,
                    const struct grant_fn *f);
int grant_no_slot(struct work *w, const struct pol_guest *g,
                  const char *device);

#endif
