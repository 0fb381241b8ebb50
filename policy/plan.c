/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pol_plan: what is wanted less what is, in the one order that works.
 *
 * For each PF, the stages below, each over all VFs before the next:
 *   autoprobe, PF MTU, [PF link up], numvfs to 0, numvfs up, PF link, MAC,
 *   VLAN, rate, spoof check, trust, RSS query, link state (plan-vf.c), driver,
 *   [autoprobe as it is to be].
 * policy.h says why. A VF made anew has nothing of what was seen, except that
 * it has no MAC of its own and, without autoprobe, no driver.
 *
 * Refusals come while the actions are collected; a plan is whole or none.
 */

#include <stdio.h>
#include <string.h>

#include "policy/plan.h"

struct pol_action *plan_add(struct job *j, enum pol_op op,
                            enum pol_disruption disruption)
{
	struct pol_action *a = &j->plan->action[j->plan->n++];

	a->op = op;
	a->disruption = disruption;
	a->pf = j->seen->bdf;
	a->vf = -1;
	copy_text(a->ifname, sizeof(a->ifname), j->seen->ifname);
	return a;
}

struct pol_action *plan_add_vf(struct job *j, enum pol_op op,
                               enum pol_disruption disruption,
                               const struct pol_vf *w)
{
	struct pol_action *a = plan_add(j, op, disruption);

	a->vf = w->index;
	copy_text(a->label, sizeof(a->label), w->label);
	if (vf_address(j->seen, w->index, &a->vf_bdf))
		a->vf_bdf = a->pf;
	return a;
}

/* ---- use ----------------------------------------------------------------- */

bool plan_held(const struct pol_vf *vf)
{
	return vf && is_held(vf->holder_pid, vf->holder, vf->label);
}

static int each_with(struct job *j, uint32_t has, plan_from_stock *one,
                     bool fewer)
{
	int r = 0;

	for (size_t i = 0; !r && i < j->want->n_vfs; i++)
		if (j->want->vf[i].set & has)
			r = one(j, &j->want->vf[i], fewer);
	return r;
}

int plan_fewer_first(struct job *j, uint32_t has, plan_from_stock *one)
{
	int r = each_with(j, has, one, true);

	return r ? r : each_with(j, has, one, false);
}

int plan_in_use(struct job *j, const struct pol_vf *vf, const char *change)
{
	const char *who = *vf->label ? vf->label : vf->holder;
	char b[BDF_STRLEN], p[BDF_STRLEN];
	int r = diag_fail(j->d, -EBUSY, FL_POL_IN_USE,
	                  "VF %u of %s (%s) is in use: %s", vf->index,
	                  *j->seen->ifname ? j->seen->ifname
	                                   : bdf_format(j->seen->bdf, p),
	                  bdf_format(vf->bdf, b), change);

	if (vf->holder_pid)
		diag_why(j->d, "%s (pid %d) has it open",
		         *who ? who : "a process", vf->holder_pid);
	else
		diag_why(j->d, "%s leases it", who);
	if (vf->holder_pid)
		diag_mend(j->d, "stop it first: `kill %d`, then again",
		          vf->holder_pid);
	else
		diag_mend(j->d, "stop that guest, then again");
	return r;
}

/* What is seen of a wanted VF; NULL where it will be a new one. */
static const struct pol_vf *seen_vf(const struct job *j, const struct pol_vf *w)
{
	return j->fresh ? NULL : state_vf(j->seen, w->index);
}

/* ---- the PF -------------------------------------------------------------- */

static void add_autoprobe(struct job *j, bool from, bool to)
{
	struct pol_action *a = plan_add(j, POL_OP_AUTOPROBE, POL_DIS_NONE);

	a->number_from = from;
	a->number = to;
}

static bool final_autoprobe(const struct job *j)
{
	return j->want->set & POL_HAS_AUTOPROBE ? j->want->autoprobe
	                                        : j->seen->autoprobe;
}

static int plan_autoprobe(struct job *j)
{
	bool known = j->seen->set & POL_HAS_AUTOPROBE;
	bool to = j->hold ? false : final_autoprobe(j);

	if (!j->hold && !(j->want->set & POL_HAS_AUTOPROBE))
		return 0;
	if (!known || j->seen->autoprobe != to)
		add_autoprobe(j, known && j->seen->autoprobe, to);
	return 0;
}

static int plan_release(struct job *j)
{
	if (j->hold)
		add_autoprobe(j, false, true);
	return 0;
}

/* The kernel refuses n -> m: through 0. */
static int plan_vfs_away(struct job *j)
{
	struct pol_action *a;

	if (!j->fresh)
		return 0;
	for (size_t i = 0; i < j->seen->n_vfs; i++)
		if (plan_held(&j->seen->vf[i]))
			return plan_in_use(j, &j->seen->vf[i],
			                   "the VFs would be removed");
	if (j->seen->num_vfs) {
		a = plan_add(j, POL_OP_NUMVFS, POL_DIS_VF_LOST);
		a->number_from = j->seen->num_vfs;
	}
	return 0;
}

/* What makes the PF's link bounce: is the host's own network on it? */
static enum pol_disruption bounces(const struct job *j)
{
	return j->use == HOST_USES ? POL_DIS_HOST : POL_DIS_LINK;
}

/* Drivers reset the PF's port to make room for the VFs. */
static int plan_vfs_made(struct job *j)
{
	if (j->fresh && j->want->num_vfs)
		plan_add(j, POL_OP_NUMVFS, bounces(j))->number =
			j->want->num_vfs;
	return 0;
}

/* A driver that is up goes down and up for it. */
static int plan_mtu(struct job *j)
{
	bool known = j->seen->set & POL_HAS_MTU;
	bool up = j->seen->set & POL_HAS_LINK && j->seen->link_up;
	struct pol_action *a;

	if (!(j->want->set & POL_HAS_MTU) ||
	    (known && j->seen->mtu == j->want->mtu))
		return 0;
	a = plan_add(j, POL_OP_PF_MTU, up ? bounces(j) : POL_DIS_NONE);
	a->number_from = known ? j->seen->mtu : 0;
	a->number = j->want->mtu;
	return 0;
}

static void add_link(struct job *j, bool from, bool to)
{
	/* Down it stays: where nobody has looked, it may be the host's. */
	enum pol_disruption down =
		j->use == HOST_USES_NOT ? POL_DIS_LINK : POL_DIS_HOST;
	struct pol_action *a =
		plan_add(j, POL_OP_PF_LINK, to ? POL_DIS_NONE : down);

	a->number_from = from;
	a->number = to;
}

/* Where it is to be down, too, which plan_link() then sees to: going back to
 * a PF that was down takes its VFs away. Where nothing is stated nobody would,
 * were the plan cut short: resolve-switch.c refuses that. */
static int plan_link_first(struct job *j)
{
	bool up = j->seen->set & POL_HAS_LINK && j->seen->link_up;

	if (!switch_order(j->seen->driver)->link_first || !j->fresh || up ||
	    !(j->want->set & POL_HAS_LINK) ||
	    (!j->seen->num_vfs && !j->want->num_vfs))
		return 0;
	add_link(j, false, true);
	j->raised = true;
	return 0;
}

static int plan_link(struct job *j)
{
	bool known = j->raised || j->seen->set & POL_HAS_LINK;
	bool up = j->raised || (known && j->seen->link_up);

	if (j->want->set & POL_HAS_LINK && !(known && up == j->want->link_up))
		add_link(j, up, j->want->link_up);
	return 0;
}

/* ---- the VFs' drivers --------------------------------------------------- */

/* The driver and override that the VF has when its turn comes. */
static const char *driver_now(const struct job *j, const struct pol_vf *s,
                              const char **ret_override)
{
	bool known = s && s->set & POL_HAS_DRIVER;

	*ret_override = s && s->set & POL_HAS_OVERRIDE ? s->override : "";
	if (known)
		return s->driver;
	/* New: unbound where nothing may probe it. */
	return j->fresh && (j->hold || !final_autoprobe(j)) ? "" : "?";
}

static bool driver_is(const struct pol_vf *w, const char *driver,
                      const char *override)
{
	if (!strcmp(driver, "?"))
		return false;
	if (w->set & POL_HAS_OVERRIDE && strcmp(w->override, override) != 0)
		return false;
	if (!strcmp(w->driver, POL_DRIVER_DEFAULT))
		return *driver && !pol_driver_is_vfio(driver);
	return !strcmp(w->driver, driver);
}

/* Whether it takes an action to give the VF the driver it is to have. */
static bool needs_driver(const struct job *j, const struct pol_vf *w)
{
	const struct pol_vf *s = seen_vf(j, w);
	const char *override, *driver = driver_now(j, s, &override);

	if (!(w->set & POL_HAS_DRIVER) || driver_is(w, driver, override))
		return false;
	/* New VFs have been probed by then: that is what it asks for. */
	return !(j->fresh && final_autoprobe(j) &&
	         !strcmp(w->driver, POL_DRIVER_DEFAULT));
}

static int vf_driver(struct job *j, const struct pol_vf *w,
                     const struct pol_vf *s)
{
	const char *override, *driver = driver_now(j, s, &override);
	struct pol_action *a;
	bool host;

	if (!needs_driver(j, w))
		return 0;
	if (plan_held(s))
		return plan_in_use(j, s, "its driver would change");
	host = *driver && *driver != '?' && !pol_driver_is_vfio(driver);
	/* Taking a host driver away takes its interface away. */
	a = plan_add_vf(j, POL_OP_VF_DRIVER,
	                host && strcmp(driver, w->driver) != 0 ? POL_DIS_HOST
	                                                       : POL_DIS_NONE,
	                w);
	copy_text(a->driver, sizeof(a->driver), w->driver);
	copy_text(a->override, sizeof(a->override),
	          w->set & POL_HAS_OVERRIDE ? w->override : override);
	copy_text(a->driver_from, sizeof(a->driver_from), driver);
	return 0;
}

/* ---- stages -------------------------------------------------------------- */

typedef int vf_stage(struct job *j, const struct pol_vf *w,
                     const struct pol_vf *s);

static int each_vf(struct job *j, vf_stage *stage)
{
	int r = 0;

	for (size_t i = 0; !r && i < j->want->n_vfs; i++)
		r = stage(j, &j->want->vf[i], seen_vf(j, &j->want->vf[i]));
	return r;
}

/* Without autoprobe the kernel probes no VF, asked or not, unless an override
 * names the driver; so it is lent to those that want the default one. */
static int plan_drivers(struct job *j)
{
	bool lend = false;
	int r;

	for (size_t i = 0; i < j->want->n_vfs; i++)
		lend |= !final_autoprobe(j) &&
		        !strcmp(j->want->vf[i].driver, POL_DRIVER_DEFAULT) &&
		        needs_driver(j, &j->want->vf[i]);
	if (lend)
		add_autoprobe(j, false, true);
	r = each_vf(j, vf_driver);
	if (lend)
		add_autoprobe(j, true, false);
	return r;
}

/* Only where autoprobe is stated: were it merely seen on, a crash in between
 * would leave it off with nobody to want it back. */
static bool must_hold(const struct job *j)
{
	size_t stated = 0;

	for (size_t i = 0; i < j->want->n_vfs; i++)
		stated +=
			!!(j->want->vf[i].set & POL_HAS_DRIVER) &&
			strcmp(j->want->vf[i].driver, POL_DRIVER_DEFAULT) != 0;
	return j->fresh && j->want->set & POL_HAS_AUTOPROBE &&
	       j->want->autoprobe && j->want->num_vfs &&
	       stated == j->want->num_vfs;
}

static int check_indexes(struct job *j)
{
	uint32_t n = j->fresh ? j->want->num_vfs : j->seen->num_vfs;

	for (size_t i = 0; i < j->want->n_vfs; i++) {
		if (j->want->vf[i].index < n)
			continue;
		diag_fail(j->d, -EINVAL, FL_POL_RANGE, "%s has no VF %u",
		          *j->seen->ifname ? j->seen->ifname : j->want->name,
		          j->want->vf[i].index);
		diag_why(j->d, "it %s %u", j->fresh ? "is to have" : "has", n);
		diag_mend(j->d,
		          "fairlead apply FILE, with a "
		          "virtual-function-count of at least %u",
		          j->want->vf[i].index + 1u);
		return -EINVAL;
	}
	return 0;
}

static int plan_pf(struct job *j)
{
	static int (*const stages[])(struct job *) = {
		check_indexes,     plan_autoprobe,  plan_mtu,
		plan_link_first,   plan_vfs_away,   plan_switch_before,
		plan_keep,         plan_vfs_made,   plan_link,
		plan_switch_after, plan_attributes, plan_groups,
		plan_ports,        plan_msix,       plan_resources,
		plan_drivers,      plan_release,
	};
	int r = 0;

	j->fresh = (j->want->set & POL_HAS_NUMVFS &&
	            j->want->num_vfs != j->seen->num_vfs) ||
	           plan_mode_changes(j) || plan_keep_changes(j);
	j->hold = must_hold(j);
	for (size_t i = 0; !r && i < ARRAY_SIZE(stages); i++)
		r = stages[i](j);
	return r;
}

/* At most: autoprobe three times, MTU, numvfs twice, link twice, what an NVMe
 * controller keeps, what the switch has; for each VF its attributes, its part
 * in the switch and its driver; one for each whole function. */
static size_t most_actions(const struct pol_state *want,
                           const struct pol_state *seen)
{
	size_t n = 1;

	for (size_t i = 0; i < want->n_pfs; i++)
		n += 9 + PLAN_PF_SWITCH +
		     (PLAN_VF_ATTRIBUTES + PLAN_VF_SWITCH + PLAN_VF_NVME + 1) *
		             want->pf[i].n_vfs;
	/* Those seen leave groups that go. */
	for (size_t i = 0; i < seen->n_pfs; i++)
		n += seen->pf[i].n_vfs;
	return n + want->n_wholes + want->n_overs;
}

bool pol_pf_stuck(const struct pol_pf *want, const struct pol_pf *seen)
{
	uint32_t set = want->set;

	for (size_t i = 0; i < want->n_vfs; i++)
		set |= want->vf[i].set;
	return seen->stuck || (seen->unasked && set & POL_HAS_SWITCH);
}

const char *pol_stuck_why(const struct pol_pf *seen)
{
	return seen && seen->unasked && !seen->stuck
	               ? "devlink does not answer, so its switch is unknown"
	               : "its driver has not come back from an earlier write";
}

static int plan_all(const struct pol_state *want, const struct pol_state *seen,
                    struct pol_plan *plan, struct diag *d)
{
	int r = plan_overlays(want, seen, plan, d);

	if (!r)
		r = plan_wholes(want, seen, true, plan, d);

	for (size_t i = 0; !r && i < want->n_pfs; i++) {
		struct job j = { .want = &want->pf[i], .plan = plan, .d = d };
		char b[BDF_STRLEN];

		j.seen = state_pf(seen, j.want->bdf);
		if (!j.seen) {
			r = diag_fail(d, -ENODEV, FL_POL_NO_MATCH,
			              "%s is no function that can have VFs",
			              bdf_format(j.want->bdf, b));
			diag_why(d, "it was one when this was written down");
			diag_mend(d, "see `lspci -s %s -k`", b);
		} else if (!pol_pf_stuck(j.want, j.seen)) {
			j.use = host_use(seen, j.seen);
			r = plan_pf(&j);
		}
	}
	if (!r)
		r = plan_overlays_gone(want, seen, plan, d);
	return r ? r : plan_wholes(want, seen, false, plan, d);
}

int pol_plan(const struct pol_state *want, const struct pol_state *seen,
             struct pol_plan **ret, struct diag *d)
{
	struct pol_plan *plan = calloc(1, sizeof(*plan));
	int r = -ENOMEM;

	if (plan)
		plan->action =
			calloc(most_actions(want, seen), sizeof(*plan->action));
	if (plan && plan->action)
		r = plan_all(want, seen, plan, d);
	if (!r)
		r = plan_touch(want, seen, plan);
	if (r) {
		pol_plan_free(plan);
		return r;
	}
	*ret = plan;
	return 0;
}

void pol_plan_free(struct pol_plan *p)
{
	if (!p)
		return;
	for (size_t i = 0; p->action && i < p->n; i++) {
		free(p->action[i].over);
		free(p->action[i].guests);
	}
	free(p->action);
	free(p);
}
