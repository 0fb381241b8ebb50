/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A lease given, and what is done when it has ended.
 *
 * Giving, in order: the applied policy's guest; is it free; the machine as it
 * is; does anybody hold the VFs; the guest's VFs as the policy says (a plan
 * for them alone, empty where nothing drifted); can each be assigned; then
 * the files. The MAC in the answer is the one read back.
 */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "iommu/iommu.h"
#include "irq-remap/irq-remap.h"
#include "netd/priv.h"

#define SETTLE_LOCK_MS 10000u /* of a lease's 30 s */
#define LET_GO_TRIES 100
#define LET_GO_STEP_NS 50000000l

/* What both directions work on; freed together. */
struct guest_run {
	struct pol_policy *policy;
	const struct pol_guest *guest;
	struct pol_state *seen, *want; /* want: of this guest's VFs only */
	struct machine m;
};

static void run_clear(struct guest_run *r)
{
	pol_state_free(r->want);
	pol_state_free(r->seen);
	pol_free(r->policy);
	machine_close(&r->m);
}

/* ---- which guest -----------------------------------------------------------
 */

static int no_guest(struct work *w, const struct pol_policy *p)
{
	const char *names[POL_GUESTS_MAX], *near;
	size_t n = MIN(p->n_guests, (size_t)POL_GUESTS_MAX);

	for (size_t i = 0; i < n; i++)
		names[i] = p->guest[i].name;
	near = nearest_word(w->req.guest, names, n);
	diag_fail(&w->diag, -ENOENT, FL_NETD_GUEST, "no guest \"%s\"",
	          w->req.guest);
	diag_why(&w->diag, "the applied policy has %zu guest(s), not that one",
	         p->n_guests);
	if (near)
		diag_mend(&w->diag, "did you mean \"%s\"?", near);
	else
		diag_mend(&w->diag, "add it to the policy, then fairlead apply "
		                    "FILE");
	return -ENOENT;
}

static int find_guest(struct work *w, struct guest_run *r)
{
	int e = journal_phase(w->env->state_fd, &w->diag);

	if (e < 0)
		return e;
	if (e == JOURNAL_APPLYING) {
		diag_fail(&w->diag, -EAGAIN, FL_NETD_UNFINISHED,
		          "%s %s: an earlier change is not finished",
		          w->permit->verb, w->req.guest);
		diag_why(&w->diag, "the journal has an intent that could not "
		                   "be carried out");
		diag_mend(&w->diag, "fairlead apply FILE, or fairlead restore");
		return -EAGAIN;
	}
	e = policy_applied(w->env, &r->policy, &w->errs, &w->diag);
	if (e)
		return e;
	r->guest = pol_guest_find(r->policy, w->req.guest);
	return r->guest ? 0 : no_guest(w, r->policy);
}

static int look(struct work *w, struct guest_run *r)
{
	struct pol_state *all = NULL;
	int e = machine_open(w->env, &r->m, &w->diag);

	if (!e)
		e = observe(w->env, r->m.rtnl, &r->seen, &w->diag);
	if (!e)
		e = pol_resolve(r->policy, r->seen, &all, &w->errs);
	if (!e)
		e = want_of_guest(all, r->guest->name, &r->want);
	pol_state_free(all);
	return e;
}

/* After the plan: what is told is what is. */
static int look_again(struct work *w, struct guest_run *r)
{
	struct pol_state *s = NULL;
	int e = observe(w->env, r->m.rtnl, &s, &w->diag);

	if (e)
		return e;
	pol_state_free(r->seen);
	r->seen = s;
	return 0;
}

/* With the lock: a write of an earlier change may just have come back, so
 * the plan is made from what is now. */
static int settle_locked(struct work *w, struct guest_run *r, size_t *ret_n)
{
	_cleanup_close_ int lock = -1;
	struct pol_plan *plan = NULL;
	int e = journal_lock(w->env->state_fd, SETTLE_LOCK_MS, &lock, &w->diag);

	if (!e)
		e = look_again(w, r);
	if (!e)
		e = pol_plan(r->want, r->seen, &plan, &w->diag);
	if (!e)
		e = apply_plan(&machine_ops, &r->m, plan, ret_n, &w->diag);
	pol_plan_free(plan);
	return e;
}

/* The guest's VFs as the policy says. *ret_n counts what had drifted. */
static int settle(struct work *w, struct guest_run *r, size_t *ret_n)
{
	struct pol_plan *plan = NULL;
	int e = pol_plan(r->want, r->seen, &plan, &w->diag);
	size_t n = e ? 0 : plan->n;

	pol_plan_free(e ? NULL : plan);
	return e || !n ? e : settle_locked(w, r, ret_n);
}

/* The VF of each nic of the guest, as observed. */
static const struct pol_vf *nic_vf(const struct guest_run *r, size_t i)
{
	char label[2 * POL_NAME];

	snprintf(label, sizeof(label), "%s/%s", r->guest->name,
	         r->guest->nic[i].name);
	for (size_t p = 0; p < r->want->n_pfs; p++)
		for (size_t v = 0; v < r->want->pf[p].n_vfs; v++) {
			const struct pol_vf *w = &r->want->pf[p].vf[v];
			const struct pol_pf *seen =
				state_find_pf(r->seen, r->want->pf[p].bdf);

			if (!strcmp(w->label, label) && seen)
				return state_find_vf(seen, w->index);
		}
	return NULL;
}

/* ---- give ------------------------------------------------------------------
 */

static int no_vf(struct work *w, const struct guest_run *r, size_t i)
{
	diag_fail(&w->diag, -ENODEV, FL_NETD_DEVICE,
	          "guest %s: the VF of nic %s is not there", r->guest->name,
	          r->guest->nic[i].name);
	diag_why(&w->diag, "somebody else removed it since the policy was "
	                   "applied");
	diag_mend(&w->diag, "fairlead apply FILE");
	return -ENODEV;
}

static int check_free(struct work *w, const struct guest_run *r)
{
	const struct lease *l = lease_find(&w->env->leases, r->guest->name);

	if (l) {
		diag_fail(&w->diag, -EBUSY, FL_NETD_LEASED,
		          "guest %s is leased", r->guest->name);
		diag_why(&w->diag, "to pid %d", l->pid);
		diag_mend(&w->diag, "stop it first: kill %d", l->pid);
		return -EBUSY;
	}
	for (size_t i = 0; i < r->guest->n_nics; i++) {
		const struct pol_vf *v = nic_vf(r, i);
		char b[BDF_STRLEN];

		if (!v || !v->holder_pid)
			continue;
		diag_fail(&w->diag, -EBUSY, FL_NETD_LEASED,
		          "guest %s: VF %s of nic %s is in use", r->guest->name,
		          bdf_format(v->bdf, b), r->guest->nic[i].name);
		diag_why(&w->diag, "%s (pid %d) has it open", v->holder,
		         v->holder_pid);
		diag_mend(&w->diag, "stop it first: kill %d", v->holder_pid);
		return -EBUSY;
	}
	return 0;
}

static int check_interrupts(struct work *w)
{
	struct irq_facts f = { 0 };
	int e = irq_facts_read(w->env->root_fd, &f);

	if (!e && f.remapping == IRQ_FACT_NO) {
		diag_fail(&w->diag, -EPERM, FL_IOMMU_NO_IR,
		          "guest %s: the host has no interrupt remapping",
		          w->req.guest);
		diag_why(&w->diag, "%s", f.remapping_evidence);
		diag_mend(&w->diag, "turn it on (firmware; remove "
		                    "intremap=off): see `fairlead doctor`");
		return -EPERM;
	}
	if (e || f.remapping == IRQ_FACT_UNKNOWN)
		reply_warn(w->reply, "interrupt remapping: not known; the "
		                     "kernel refuses the device if it is off");
	return 0;
}

static int check_group(struct work *w, struct bdf vf)
{
	_cleanup_free_ struct iommu_group *g = calloc(1, sizeof(*g));
	int e = g ? iommu_group_read(w->env->root_fd, vf, g, &w->diag)
	          : -ENOMEM;

	return e ? e : iommu_group_check(g, vf, &w->diag);
}

static int check_host(struct work *w)
{
	_cleanup_free_ struct iommu_facts *f = calloc(1, sizeof(*f));
	int e = f ? iommu_facts_read(w->env->root_fd, f) : -ENOMEM;

	if (!e)
		e = iommu_facts_check(f, &w->diag);
	return e ? e : check_interrupts(w);
}

static int check_devices(struct work *w, const struct guest_run *r,
                         struct bdf *vf)
{
	int e = r->guest->n_nics ? check_host(w) : 0;

	for (size_t i = 0; !e && i < r->guest->n_nics; i++) {
		const struct pol_vf *v = nic_vf(r, i);

		if (!v)
			return no_vf(w, r, i);
		vf[i] = v->bdf;
		e = check_group(w, v->bdf);
	}
	return e;
}

static json_t *device_json(const struct pol_guest_nic *n,
                           const struct pol_vf *v)
{
	char b[BDF_STRLEN], mac[MAC_STRLEN];
	json_t *o = json_pack("{s:s, s:s, s:i, s:i}", "name", n->name, "bdf",
	                      bdf_format(v->bdf, b), "group", v->group, "slot",
	                      n->slot);

	if (v->set & POL_HAS_MAC)
		json_object_set_new(o, "mac",
		                    json_string(mac_format(v->mac, mac)));
	if (v->set & POL_HAS_VLAN)
		json_object_set_new(o, "vlan", json_integer(v->vlan));
	return o;
}

static void describe(struct work *w, const struct guest_run *r)
{
	const struct pol_guest *g = r->guest;
	json_t *devices = json_array();

	json_object_set_new(w->reply, "guest",
	                    json_pack("{s:s, s:i, s:I, s:s}", "name", g->name,
	                              "cpus", g->cpus, "memory",
	                              (json_int_t)g->memory, "cmdline",
	                              g->cmdline));
	for (size_t i = 0; i < g->n_nics; i++)
		json_array_append_new(devices,
		                      device_json(&g->nic[i], nic_vf(r, i)));
	json_object_set_new(w->reply, "devices", devices);
}

int verb_lease(struct work *w)
{
	struct bdf vf[POL_GUEST_NICS_MAX];
	struct guest_run r = { 0 };
	size_t drifted = 0;
	int e = find_guest(w, &r);

	if (!e)
		e = look(w, &r);
	if (!e)
		e = check_free(w, &r);
	if (!e)
		e = settle(w, &r, &drifted);
	if (!e && drifted)
		e = look_again(w, &r);
	if (!e)
		e = check_devices(w, &r, vf);
	if (!e)
		e = open_guest(w, r.guest, vf);
	if (!e) {
		describe(w, &r);
		memlock_raise(w, r.guest->memory);
		if (drifted)
			reply_warn(w->reply,
			           "%zu setting(s) of the guest's VFs had "
			           "drifted from the policy and were put right",
			           drifted);
	}
	run_clear(&r);
	return e;
}

/* ---- take back -------------------------------------------------------------
 */

static bool is_held(const struct guest_run *r)
{
	for (size_t i = 0; i < r->guest->n_nics; i++) {
		const struct pol_vf *v = nic_vf(r, i);

		if (v && v->holder_pid)
			return true;
	}
	return false;
}

/* The connection may be closed a moment before the device is. */
static int wait_let_go(struct work *w, struct guest_run *r)
{
	const struct timespec step = { .tv_nsec = LET_GO_STEP_NS };
	int e = 0;

	for (int i = 0; !e && is_held(r) && i < LET_GO_TRIES; i++) {
		nanosleep(&step, NULL);
		e = look_again(w, r);
	}
	if (e || !is_held(r))
		return e;
	diag_fail(&w->diag, -EBUSY, FL_NETD_LEASED,
	          "guest %s: its VF is still held after its lease ended",
	          r->guest->name);
	diag_mend(&w->diag, "see `fairlead status` for who has it");
	return -EBUSY;
}

int verb_release(struct work *w)
{
	struct guest_run r = { 0 };
	size_t drifted = 0;
	int e = find_guest(w, &r);

	if (!e)
		e = look(w, &r);
	if (!e)
		e = wait_let_go(w, &r);
	if (!e)
		e = settle(w, &r, &drifted);
	if (drifted)
		log_line(w->env->log, LOG_LVL_INFO,
		         "%s: %zu setting(s) put back as the policy says",
		         w->req.guest, drifted);
	run_clear(&r);
	return e;
}
