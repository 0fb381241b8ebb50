/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A lease given, a device added to one, and what is done when either ends.
 *
 * Giving, in order: the applied policy's guest; is it free; the machine as it
 * is; does anybody hold the functions; the functions as the policy says (a
 * plan for them alone, empty where nothing drifted); can each be assigned;
 * then the files, the interfaces and the control socket. The MAC in the answer
 * is the one read back.
 *
 * What other guests have, or lack, is not looked at: a card that is missing
 * elsewhere keeps nobody from running.
 */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "netd/grant.h"
#include "netd/guard.h"
#include "netd/ledger.h"
#include "netd/macvtap.h"
#include "netd/moves.h"
#include "netd/ovs.h"

#define LET_GO_TRIES 100
#define LET_GO_STEP_NS 50000000l

void grant_forget(struct guest_run *r)
{
	pol_state_free(r->want);
	pol_state_free(r->seen);
	r->want = r->seen = NULL;
	r->give.n = 0;
	machine_close(&r->m);
}

void grant_clear(struct guest_run *r)
{
	grant_forget(r);
	pol_free(r->policy);
}

int grant_see(struct work *w, struct guest_run *r)
{
	const struct observing what = {
		.parts = observe_for_guest(r->policy, r->guest),
	};
	struct pol_state *s = NULL;
	int e = observe(w->env, r->m.rtnl, &what, &s, &w->diag);

	if (e)
		return e;
	pol_state_free(r->seen);
	r->seen = s;
	return 0;
}

int grant_look(struct work *w, struct guest_run *r)
{
	int e = machine_open(w->env, &r->m, &w->diag);

	if (!e)
		e = grant_see(w, r);
	if (!e)
		e = pol_resolve_guest(r->policy, r->guest, r->device, r->seen,
		                      &r->want, &w->errs);
	return e ? e : observe_overrides(w->env, r->seen, r->want);
}

/* After the plan: what is told is what is. */
int grant_look_again(struct work *w, struct guest_run *r)
{
	int e = grant_see(w, r);

	return e ? e : observe_overrides(w->env, r->seen, r->want);
}

/* ---- give ---------------------------------------------------------------- */

int grant_not_there(struct work *w, const struct guest_run *r,
                    const struct grant_fn *f)
{
	diag_fail(&w->diag, -ENODEV, FL_NETD_DEVICE,
	          "guest %s: the function of %s is not there", r->guest->name,
	          f->name);
	diag_why(&w->diag, "somebody else removed it since the policy was "
	                   "applied");
	diag_mend(&w->diag, "fairlead apply FILE");
	return -ENODEV;
}

static int check_unleased(struct work *w, const struct guest_run *r)
{
	const struct lease *l = lease_find(&w->env->leases, r->guest->name);

	if (!l)
		return 0;
	diag_fail(&w->diag, -EBUSY, FL_NETD_LEASED, "guest %s is leased",
	          r->guest->name);
	diag_why(&w->diag, "to pid %d", l->pid);
	diag_mend(&w->diag, "stop it first: kill %d", l->pid);
	return -EBUSY;
}

/* To a name: no process need have it open. */
static bool is_lent(const struct grant_fn *f)
{
	return f->vf && *f->vf->holder && !f->vf->holder_pid;
}

static int refuse_lent(struct work *w, const struct guest_run *r,
                       const struct grant_fn *f)
{
	char b[BDF_STRLEN];

	diag_fail(&w->diag, -EBUSY, FL_NETD_LEASED,
	          "guest %s: %s of %s is lent", r->guest->name,
	          bdf_format(f->bdf, b), f->name);
	diag_why(&w->diag, "%s has it", f->vf->label);
	diag_mend(&w->diag, "fairlead release %s, first", f->vf->holder);
	return -EBUSY;
}

static int check_free(struct work *w, struct guest_run *r)
{
	grant_list(r);
	for (size_t i = 0; i < r->give.n; i++) {
		const struct grant_fn *f = &r->give.fn[i];
		char b[BDF_STRLEN];
		const char *who;
		int pid = grant_holder(f, &who);

		if (!pid && is_lent(f))
			return refuse_lent(w, r, f);
		if (!pid)
			continue;
		diag_fail(&w->diag, -EBUSY, FL_NETD_LEASED,
		          "guest %s: %s of %s is in use", r->guest->name,
		          bdf_format(f->bdf, b), f->name);
		diag_why(&w->diag, "%s (pid %d) has it open", who, pid);
		diag_mend(&w->diag, "stop it first: kill %d", pid);
		return -EBUSY;
	}
	return 0;
}

static int check_devices(struct work *w, struct guest_run *r)
{
	int e = 0;

	grant_list(r);
	if (r->give.n)
		e = grant_host(w);
	for (size_t i = 0; !e && i < r->give.n; i++) {
		const struct grant_fn *f = &r->give.fn[i];

		if (!f->vf && !f->whole)
			return grant_not_there(w, r, f);
		e = grant_group(w, f->bdf);
	}
	return e;
}

static json_t *function_json(const struct grant_fn *f)
{
	char b[BDF_STRLEN], mac[MAC_STRLEN];
	json_t *o = json_pack("{s:s, s:s, s:i, s:i}", "name", f->name, "bdf",
	                      bdf_format(f->bdf, b), "group", f->group, "slot",
	                      f->slot);

	if (f->generation)
		json_object_set_new(o, "generation",
		                    json_integer((json_int_t)f->generation));
	if (f->function)
		json_object_set_new(o, "function", json_integer(f->function));
	if (f->on_fault != POL_FAULT_GO_ON)
		json_object_set_new(
			o, "on_dma_fault",
			json_string(pol_on_fault_name(f->on_fault)));
	if (f->rom == POL_ROM_NONE)
		json_object_set_new(o, "rom", json_string("none"));
	if (f->vf && f->vf->set & POL_HAS_MAC)
		json_object_set_new(o, "mac",
		                    json_string(mac_format(f->vf->mac, mac)));
	if (f->vf && f->vf->set & POL_HAS_VLAN)
		json_object_set_new(o, "vlan", json_integer(f->vf->vlan));
	return o;
}

static void describe_devices(struct work *w, const struct guest_run *r)
{
	json_t *devices = json_array();

	for (size_t i = 0; i < r->give.n; i++)
		json_array_append_new(devices, function_json(&r->give.fn[i]));
	json_object_set_new(w->reply, "devices", devices);
}

static void describe_guest(struct work *w, const struct guest_run *r)
{
	const struct pol_guest *g = r->guest;
	json_t *o = json_pack("{s:s, s:i, s:I, s:s, s:i}", "name", g->name,
	                      "cpus", g->cpus, "memory", (json_int_t)g->memory,
	                      "cmdline", g->cmdline, "spare_slots", g->spare);

	if (g->page)
		json_object_set_new(o, "page",
		                    json_integer((json_int_t)g->page));
	if (g->prefault)
		json_object_set_new(o, "prefault", json_true());
	if (g->on_panic != POL_PANIC_IGNORE)
		json_object_set_new(
			o, "on_panic",
			json_string(pol_on_panic_name(g->on_panic)));
	if (g->interrupts)
		json_object_set_new(o, "interrupt_limit",
		                    json_integer(g->interrupts));
	cpus_describe(o, &g->cpu);
	memory_describe(w->env->root_fd, g, &r->give, o);
	identity_describe(g, o);
	json_object_set_new(w->reply, "guest", o);
}

static void say_drifted(struct work *w, size_t n)
{
	if (n)
		reply_warn(w->reply,
		           "%zu setting(s) of the guest's devices had drifted "
		           "from the policy and were put right",
		           n);
}

static void tenant_of(const struct guest_run *r, const struct grant_fn *f,
                      char ret[static 2 * POL_NAME])
{
	snprintf(ret, (size_t)2 * POL_NAME, "%s/%s", r->guest->name, f->name);
}

static uint32_t stated(const struct guest_run *r, struct bdf b)
{
	for (size_t i = 0; i < r->want->n_pfs; i++)
		for (size_t k = 0; k < r->want->pf[i].n_vfs; k++)
			if (bdf_equal(r->want->pf[i].vf[k].bdf, b))
				return r->want->pf[i].vf[k].set;
	return 0;
}

/* None with traces of an earlier tenant. What is scrubbed is looked at anew:
 * it has nothing of what the policy says any more. */
static int make_clean(struct work *w, struct guest_run *r)
{
	char tenant[2 * POL_NAME];
	struct tenancy_next next = { .tenant = tenant, .seen = r->seen };
	struct tenancy_words by = { .policy = r->policy };
	bool scrubbed = false;
	int e = 0;

	for (size_t i = 0; e >= 0 && i < r->give.n; i++) {
		const struct grant_fn *f = &r->give.fn[i];

		tenant_of(r, f, tenant);
		next.stated = stated(r, f->bdf);
		by.pool = f->pool;
		if (f->booked)
			e = tenancy_clean(w, &r->m, &by, f->bdf, &next);
		scrubbed |= e > 0;
	}
	if (e < 0 || !scrubbed)
		return MIN(e, 0);
	e = grant_look_again(w, r);
	grant_list(r);
	return e;
}

/* From here on they are the guest's. */
static int hand_over(struct work *w, struct guest_run *r)
{
	char tenant[2 * POL_NAME];
	int e = 0;

	for (size_t i = 0; !e && i < r->give.n; i++) {
		struct grant_fn *f = &r->give.fn[i];

		tenant_of(r, f, tenant);
		if (f->booked)
			e = tenancy_give(w, f->bdf, tenant, f->hold,
			                 &f->generation);
	}
	return e;
}

static bool is_moved(const struct guest_run *r)
{
	bool moved = false;

	for (size_t i = 0; i < r->guest->n_nics; i++)
		moved |= r->guest->nic[i].moved;
	return moved;
}

/* The policy's own VFs again, of which none is given any more: their MACs are
 * theirs alone. */
static int go_home(struct work *w, struct guest_run *r)
{
	int e;

	grant_forget(r);
	pol_free(r->policy);
	r->policy = NULL;
	r->guest = NULL;
	e = grant_find_guest(w, r);
	if (!e && *w->req.device)
		e = grant_find_device(w, r);
	if (!e)
		e = grant_look(w, r);
	for (size_t i = 0; !e && i < r->want->n_pfs; i++)
		for (size_t k = 0; !e && k < r->want->pf[i].n_vfs; k++) {
			const struct pol_vf *v = &r->want->pf[i].vf[k];

			if (v->set & POL_HAS_MAC && *v->label)
				e = moves_take_mac(w, r, v->mac, v->bdf);
		}
	return e;
}

static int make_free(struct work *w, struct guest_run *r)
{
	int e = check_free(w, r);

	return e ? e : make_clean(w, r);
}

int grant_ready(struct work *w, struct guest_run *r, size_t *ret_drifted)
{
	int e = make_free(w, r);

	/* A guest begins where the policy says. */
	if (!e && w->permit->run == verb_lease && is_moved(r)) {
		e = go_home(w, r);
		if (!e)
			e = make_free(w, r);
	}
	if (!e)
		e = grant_settle(w, r, ret_drifted);
	if (!e)
		e = check_devices(w, r);
	return e ? e : hand_over(w, r);
}

int grant_look_ready(struct work *w, struct guest_run *r, size_t *ret_drifted)
{
	int e = grant_look(w, r);

	return e ? e : grant_ready(w, r, ret_drifted);
}

int verb_lease(struct work *w)
{
	struct guest_run r = { 0 };
	size_t drifted = 0;
	int e = grant_find_guest(w, &r);

	if (!e)
		e = check_unleased(w, &r);
	if (!e)
		e = cpus_check(w, r.policy, r.guest);
	if (!e)
		e = memory_check(w, r.guest);
	if (!e)
		e = grant_look_ready(w, &r, &drifted);
	if (!e)
		e = open_guest(w, r.guest, &r.give);
	if (!e)
		e = grant_rest(w, &r);
	if (!e) {
		describe_guest(w, &r);
		describe_devices(w, &r);
		memlock_raise(w, memory_locked(r.guest));
		cpus_allow_fifo(w, &r.guest->cpu);
		say_drifted(w, drifted);
	}
	grant_clear(&r);
	return e;
}

/* ---- into a guest that runs ---------------------------------------------- */

int grant_has(struct work *w, const char *device)
{
	diag_fail(&w->diag, -EEXIST, FL_NETD_LEASED, "guest %s has %s already",
	          w->req.guest, device);
	diag_mend(&w->diag, "fairlead detach %s %s, first", w->req.guest,
	          device);
	return -EEXIST;
}

int grant_no_slot(struct work *w, const struct pol_guest *g, const char *device)
{
	diag_fail(&w->diag, -ENOSPC, FL_NETD_DEVICE,
	          "guest %s has no slot for %s", g->name, device);
	diag_why(&w->diag, "its %u slot(s) for hot plug are in use", g->spare);
	diag_mend(&w->diag, "detach another first, or raise its "
	                    "'hotplug-slots' and start it anew");
	return -ENOSPC;
}

static int check_room(struct work *w, const struct guest_run *r,
                      const struct lease *l)
{
	if (lease_has(l, r->device))
		return grant_has(w, r->device);
	for (size_t i = 0; i < r->give.n; i++)
		if (!r->give.fn[i].slot)
			return grant_no_slot(w, r->guest, r->device);
	if (l->n + r->give.n <= LEASE_DEVICES_MAX)
		return 0;
	diag_fail(&w->diag, -ENOSPC, FL_NETD_DEVICE,
	          "guest %s has no room for %s", r->guest->name, r->device);
	diag_why(&w->diag, "it has %zu functions, and at most %d are possible",
	         l->n, LEASE_DEVICES_MAX);
	diag_mend(&w->diag, "detach another first");
	return -ENOSPC;
}

static int attach_functions(struct work *w, struct guest_run *r,
                            const struct lease *l)
{
	size_t drifted = 0;
	int e = grant_find_device(w, r);

	if (!e)
		e = check_room(w, r, l);
	if (!e)
		e = *w->req.way ? failover_ready(w, r, &drifted)
		                : grant_look_ready(w, r, &drifted);
	if (!e)
		e = check_room(w, r, l);
	if (!e)
		e = open_more(w, l, &r->give);
	if (!e) {
		describe_devices(w, r);
		say_drifted(w, drifted);
		standby_way(w, r, false);
	}
	return e;
}

int verb_attach(struct work *w)
{
	const struct lease *l = lease_find(&w->env->leases, w->req.guest);
	struct guest_run r = { 0 };
	struct pol_own own;
	int e = grant_find_guest(w, &r);

	if (!e && (!l || l->ending))
		e = lease_none(w->req.guest, &w->diag);
	if (!e && grant_find_own(&r, w->req.device, &own))
		e = grant_own(w, &r, l, &own);
	else if (!e)
		e = attach_functions(w, &r, l);
	if (*w->req.way)
		failover_tell(w, &r, e);
	grant_clear(&r);
	return e;
}

/* ---- take back ----------------------------------------------------------- */

static bool is_held(struct guest_run *r)
{
	const char *who;

	grant_list(r);
	for (size_t i = 0; i < r->give.n; i++)
		if (grant_holder(&r->give.fn[i], &who))
			return true;
	return false;
}

/* The connection may be closed a moment before the device is. */
static int wait_let_go(struct work *w, struct guest_run *r)
{
	const struct timespec step = { .tv_nsec = LET_GO_STEP_NS };
	int e = 0;

	for (int i = 0; !e && is_held(r) && i < LET_GO_TRIES; i++) {
		nanosleep(&step, NULL);
		e = grant_look_again(w, r);
	}
	if (e || !is_held(r))
		return e;
	diag_fail(&w->diag, -EBUSY, FL_NETD_LEASED,
	          "guest %s: its device is still held after its lease ended",
	          r->guest->name);
	diag_mend(&w->diag, "see `fairlead status` for who has it");
	return -EBUSY;
}

/* Its tenant has gone: nothing of it is left to the next. */
static int scrub_all(struct work *w, struct guest_run *r)
{
	struct tenancy_words by = { .policy = r->policy };
	int e = 0;

	grant_list(r);
	for (size_t i = 0; !e && i < r->give.n; i++) {
		const struct grant_fn *f = &r->give.fn[i];

		by.pool = f->pool;
		if (f->booked)
			e = tenancy_end(w, &r->m, &by, f->bdf);
	}
	return e ? e : grant_look_again(w, r);
}

int verb_release(struct work *w)
{
	struct guest_run r = { 0 };
	size_t n = 0;
	int e = grant_find_guest(w, &r);

	if (!e && *w->req.device)
		e = grant_find_device(w, &r);
	if (!e)
		e = grant_look(w, &r);
	if (!e && *w->req.device)
		standby_way(w, &r, true);
	if (!e)
		e = wait_let_go(w, &r);
	if (!e)
		e = scrub_all(w, &r);
	if (*w->req.way)
		failover_tell(w, &r, e);
	if (!e && is_moved(&r))
		e = go_home(w, &r);
	if (!e)
		e = grant_settle(w, &r, &n);
	if (n)
		log_line(w->env->log, LOG_LVL_DEBUG,
		         "%s: %zu setting(s) as the policy says, again",
		         w->req.guest, n);
	if (!e && !*w->req.device) {
		guard_drop_all(r.policy, r.guest);
		ovs_sweep(w->env);
	}
	/* By their marks: the policy may have forgotten the guest. */
	if (!r.m.rtnl && !*w->req.device)
		(void)!machine_open(w->env, &r.m, &(struct diag){ 0 });
	if (r.m.rtnl && !*w->req.device)
		macvtap_sweep(w, r.m.rtnl, w->req.guest, NULL);
	grant_clear(&r);
	return e;
}
