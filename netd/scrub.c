/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VF between two tenants. VFIO resets it when it is closed, and that leaves
 * what the PF keeps for it: MAC, VLAN, trust (seen with igb; the PCIe FLR is
 * of the function, not of its administrative state). So, in this order:
 *
 *   a host's driver goes   it would use the function while it is reset
 *   function reset         sysfs; before the rest, since a driver may put back
 *                          what it kept
 *   zero                   as a new VF has it. All but the MAC, then the MAC:
 *                          some drivers put another in its place, which is no
 *                          failure as long as it is not the tenant's; and some
 *                          refuse it, and get one that is nobody's
 *   verify                 read anew, compared
 *
 * What the driver does not report cannot be proved and is not claimed: it is
 * not among what is zeroed. In switchdev mode a VF's network is that of its
 * representor, which leaves the bridge that it is in; but where the policy puts
 * none into bridges, somebody else does, and nothing is claimed of that. Nor of
 * its rate group, which `overrides` say of the VF, whoever has it.
 */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "netd/ledger.h"

struct scrub {
	const struct scrub_ops *ops;
	void *ctx;
	struct bdf vf;
	struct ledger_scrub *ret;
	struct scrub_seen *seen;
	const struct scrub_how *how;
	struct diag d;
};

/* ---- one VF as a want ---------------------------------------------------- */

struct one {
	struct pol_state state;
	struct pol_pf pf;
	struct pol_vf vf;
};

static bool is_overlay(const struct pol_policy *p, const char *bridge)
{
	for (size_t i = 0; i < p->n_networks; i++)
		if (p->network[i].overlay.id &&
		    !strcmp(p->network[i].overlay.bridge, bridge))
			return true;
	return false;
}

/* What is scrubbed of it; the bridges of others are theirs. */
static uint32_t scrubbed(const struct scrub_how *how, const struct pol_vf *v)
{
	uint32_t set = POL_HAS_KNOBS;

	if (how->port &&
	    (!how->overlays || is_overlay(how->overlays, v->port.bridge)))
		set |= POL_HAS_PORT;
	return v->set & set;
}

/* False = no PF has it. */
static bool one_of(const struct pol_state *seen, struct bdf b, struct one *ret)
{
	for (size_t i = 0; i < seen->n_pfs; i++)
		for (size_t k = 0; k < seen->pf[i].n_vfs; k++) {
			if (!bdf_equal(seen->pf[i].vf[k].bdf, b))
				continue;
			*ret = (struct one){ .pf = { .bdf = seen->pf[i].bdf },
				             .vf = seen->pf[i].vf[k] };
			return true;
		}
	return false;
}

/* Once it has its place: it points into itself. */
static const struct pol_state *one_state(struct one *o)
{
	o->pf.vf = &o->vf;
	o->pf.n_vfs = 1;
	o->state.pf = &o->pf;
	o->state.n_pfs = 1;
	return &o->state;
}

static int failed(struct scrub *s, int err)
{
	snprintf(s->ret->why, sizeof(s->ret->why), "%.80s%s%.70s",
	         s->d.code ? s->d.what : strerror(-err),
	         s->d.code && *s->d.why ? ": " : "", s->d.code ? s->d.why : "");
	return err;
}

/* The VF, its PF, who uses it, and its representor where that is set, too: what
 * it costs to ask for more, a tenant waits for. */
static int look(struct scrub *s, struct pol_state **ret)
{
	const unsigned port = s->how->port ? SEE_SWITCH : 0;
	const struct observing what = { .parts = SEE_ANSWERS | port };

	return s->ops->apply->observe(s->ctx, &what, ret, &s->d);
}

/* What `o` wants and the machine has not. */
static int plan_one(struct scrub *s, struct one *o, struct pol_plan **ret)
{
	struct pol_state *seen = NULL;
	int r = look(s, &seen);

	if (!r)
		r = pol_plan(one_state(o), seen, ret, &s->d);
	pol_state_free(seen);
	return r;
}

static int bring(struct scrub *s, struct one *o)
{
	struct pol_plan *plan = NULL;
	const struct apply_how how = { .here = true };
	_cleanup_free_ uint8_t *outcome = NULL;
	int r = plan_one(s, o, &plan);

	if (!r)
		outcome = calloc(plan->n + 1, 1);
	if (!r && !outcome)
		r = -ENOMEM;
	if (!r)
		r = apply_plan(s->ops->apply, s->ctx, plan, outcome, &how,
		               &s->d);
	pol_plan_free(plan);
	return r;
}

/* ---- steps --------------------------------------------------------------- */

static int unbind(struct scrub *s, const struct one *now)
{
	struct one o = *now;

	if (!*o.vf.driver || pol_driver_is_vfio(o.vf.driver))
		return 0;
	o.vf.set = POL_HAS_DRIVER;
	o.vf.driver[0] = '\0';
	return bring(s, &o);
}

static int reset(struct scrub *s, bool exact)
{
	int r = s->ops->reset(s->ctx, s->vf, &s->d);

	if (r == -EOPNOTSUPP && !exact) {
		s->d = (struct diag){ 0 };
		return 0;
	}
	if (!r)
		s->ret->done |= POL_SCRUB_RESET;
	return r;
}

/* As a new VF is, in what is scrubbed of it. */
static void make_new(struct pol_vf *v, const struct scrub_how *how)
{
	v->set = scrubbed(how, v);
	memset(v->mac, 0, sizeof(v->mac));
	v->vlan = 0;
	v->qos = 0;
	v->proto = 0;
	v->spoof = true;
	v->trust = false;
	v->rss = false;
	v->rate_min = 0;
	v->rate_max = 0;
	v->link_state = POL_LINK_AUTO;
	v->label[0] = '\0';
	v->port = (struct pol_port){ .up = v->port.up };
}

/* One that has just joined its bridge has none. */
static bool has_own_vlans(const struct pol_vf *v)
{
	return v->set & POL_HAS_PORT_VLAN &&
	       (v->port.pvid != 1 || v->port.n_tagged);
}

bool scrub_traces(const struct pol_state *seen, struct bdf vf,
                  const struct scrub_how *how, uint32_t knobs,
                  const struct ledger_scrub *last)
{
	static const uint8_t none[6];
	struct pol_plan *plan = NULL;
	struct diag d = { 0 };
	struct one now, want;
	bool found;

	if (!one_of(seen, vf, &now))
		return false;
	if (knobs & now.vf.set & POL_HAS_MAC && last && last->has_mac &&
	    memcmp(now.vf.mac, none, 6) != 0 &&
	    memcmp(now.vf.mac, last->mac, 6) != 0)
		return true;
	/* A bridge that is stated without VLANs leaves those of its port. */
	if (knobs & POL_HAS_PORT_VLAN && has_own_vlans(&now.vf))
		knobs |= POL_HAS_PORT;
	want = now;
	make_new(&want.vf, how);
	want.vf.set &= knobs & ~(uint32_t)POL_HAS_MAC;
	found = pol_plan(one_state(&want), seen, &plan, &d) != 0 || plan->n;
	pol_plan_free(plan);
	return found;
}

/* For a VF without a tenant: some drivers take no MAC that is 0 (qede, be2net)
 * and would keep the tenant's. */
static void nobodys_mac(const struct one *of, uint8_t ret[static 6])
{
	const uint8_t mac[6] = {
		0x02,
		0xf1,
		0x5c,
		of->pf.bdf.bus,
		(uint8_t)(of->pf.bdf.dev << 3 | of->pf.bdf.fn),
		(uint8_t)of->vf.index,
	};

	memcpy(ret, mac, sizeof(mac));
}

static bool has_mac_of(struct scrub *s, const struct one *before)
{
	struct pol_state *seen = NULL;
	struct one now;
	bool ret = !look(s, &seen) && one_of(seen, s->vf, &now) &&
	           !memcmp(now.vf.mac, before->vf.mac, sizeof(now.vf.mac));

	pol_state_free(seen);
	return ret;
}

static int zero_mac(struct scrub *s, const struct one *now, struct one *o)
{
	int r;

	o->vf.set = now->vf.set & POL_HAS_MAC;
	r = bring(s, o);
	if (r && r != -ENOMEM && has_mac_of(s, now)) {
		nobodys_mac(now, o->vf.mac);
		r = bring(s, o);
	}
	/* Refused or replaced, it is judged by what it is then. */
	return r == -ENOMEM ? r : 0;
}

static int zero(struct scrub *s, const struct one *now)
{
	struct one o = *now;
	int r;

	make_new(&o.vf, s->how);
	o.vf.set &= ~(uint32_t)POL_HAS_MAC;
	r = bring(s, &o);
	if (r)
		return r;
	r = zero_mac(s, now, &o);
	if (r)
		return r;
	s->d = (struct diag){ 0 };
	s->ret->done |= POL_SCRUB_ZERO;
	return 0;
}

static int not_proved(struct scrub *s, const char *what)
{
	char b[BDF_STRLEN];

	diag_fail(&s->d, -EUCLEAN, FL_NETD_QUARANTINE, "%s: %s",
	          bdf_format(s->vf, b), what);
	diag_mend(&s->d, "see `dmesg`, then `fairlead scrub %s`", b);
	return -EUCLEAN;
}

static int verify(struct scrub *s, const struct one *before)
{
	static const uint8_t none[6];
	struct pol_plan *plan = NULL;
	struct one want = *before, now;
	struct pol_state *seen = NULL;
	uint8_t nobodys[6];
	char text[DIAG_LINE];
	int r = look(s, &seen);

	make_new(&want.vf, s->how);
	want.vf.set &= ~(uint32_t)POL_HAS_MAC;
	if (!r && !one_of(seen, s->vf, &now))
		r = not_proved(s, "it is gone");
	if (!r) {
		s->seen->after = now.vf;
		s->seen->verified = true;
		s->ret->has_mac = now.vf.set & POL_HAS_MAC;
		memcpy(s->ret->mac, now.vf.mac, sizeof(s->ret->mac));
	}
	if (!r && scrubbed(s->how, &before->vf) & ~now.vf.set)
		r = not_proved(s, "its driver reports nothing of it any more");
	nobodys_mac(before, nobodys);
	if (!r && before->vf.set & POL_HAS_MAC &&
	    memcmp(now.vf.mac, none, 6) != 0 &&
	    memcmp(now.vf.mac, nobodys, 6) != 0 &&
	    !memcmp(now.vf.mac, before->vf.mac, 6))
		r = not_proved(s, "it still has its tenant's MAC");
	if (!r)
		r = pol_plan(one_state(&want), seen, &plan, &s->d);
	if (!r && plan->n) {
		pol_action_text(&plan->action[0], text, sizeof(text));
		r = not_proved(s, "not as a new VF is");
		diag_why(&s->d, "still to do: %s", text);
	}
	pol_plan_free(plan);
	pol_state_free(seen);
	if (!r)
		s->ret->done |= POL_SCRUB_VERIFY;
	return r;
}

static int all_steps(struct scrub *s)
{
	const unsigned steps = s->how->steps;
	_cleanup_free_ struct one *now = calloc(1, sizeof(*now));
	struct pol_state *seen = NULL;
	int r = now ? look(s, &seen) : -ENOMEM;

	if (!r && !one_of(seen, s->vf, now))
		r = not_proved(s, "no PF has it");
	pol_state_free(seen);
	if (!r) {
		s->seen->pf = now->pf.bdf;
		s->seen->index = now->vf.index;
		s->seen->before = now->vf;
	}
	if (!r && steps)
		r = unbind(s, now);
	if (!r && steps & POL_SCRUB_RESET)
		r = reset(s, s->how->exact);
	if (!r && steps & POL_SCRUB_ZERO)
		r = zero(s, now);
	if (!r && steps & POL_SCRUB_VERIFY)
		r = verify(s, now);
	return r;
}

static void begin(struct ledger_scrub *s)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	*s = (struct ledger_scrub){ .time = t.tv_sec };
}

static void end(struct scrub *s, int r)
{
	s->ret->proved = r == 0;
	if (r)
		failed(s, r);
}

void scrub_function(const struct scrub_ops *ops, void *ctx, struct bdf vf,
                    const struct scrub_how *how, struct ledger_scrub *ret,
                    struct scrub_seen *ret_seen)
{
	struct scrub s = {
		.ops = ops,
		.ctx = ctx,
		.vf = vf,
		.ret = ret,
		.seen = ret_seen,
		.how = how,
	};

	begin(ret);
	*ret_seen = (struct scrub_seen){ .index = -1 };
	end(&s, all_steps(&s));
}

void scrub_whole(const struct scrub_ops *ops, void *ctx, struct bdf b,
                 struct ledger_scrub *ret)
{
	struct scrub s = { .ops = ops, .ctx = ctx, .vf = b, .ret = ret };

	begin(ret);
	end(&s, reset(&s, false));
}

/* ---- the machine --------------------------------------------------------- */

static int machine_reset(void *ctx, struct bdf b, struct diag *d)
{
	const struct machine *m = ctx;

	return sriov_reset(m->env->root_fd, b, d);
}

const struct scrub_ops machine_scrub = { .apply = &machine_ops,
	                                 .reset = machine_reset };
