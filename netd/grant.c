/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A lease given, a device added to one, and what is done when either ends.
 *
 * Giving, in order: the applied policy's guest; is it free; the machine as it
 * is; does anybody hold the functions; the functions as the policy says (a
 * plan for them alone, empty where nothing drifted); can each be assigned;
 * then the files. The MAC in the answer is the one read back.
 *
 * What other guests have, or lack, is not looked at: a card that is missing
 * elsewhere keeps nobody from running.
 */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "netd/priv.h"

#define SETTLE_LOCK_MS 10000u /* of a lease's 30 s */
#define LET_GO_TRIES 100
#define LET_GO_STEP_NS 50000000l

/* What all directions work on; freed together. */
struct guest_run {
	struct pol_policy *policy;
	struct pol_guest *guest;
	const char *device;            /* of it; NULL = all */
	struct pol_state *seen, *want; /* want: of those only */
	struct machine m;
	struct grant give;
};

static void run_clear(struct guest_run *r)
{
	pol_state_free(r->want);
	pol_state_free(r->seen);
	pol_free(r->policy);
	machine_close(&r->m);
}

/* ---- which guest, which device ----------------------------------------------
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
	for (size_t i = 0; i < r->policy->n_guests; i++)
		if (!strcmp(r->policy->guest[i].name, w->req.guest))
			r->guest = &r->policy->guest[i];
	return r->guest ? 0 : no_guest(w, r->policy);
}

/* The empty ports are at the lowest device numbers that nothing of the guest
 * has (netd-proto.h). 0 = none is left. */
static uint8_t spare_slot(const struct pol_guest *g, const struct lease *l)
{
	uint32_t left = g->spare;

	for (uint8_t s = 1; s <= POL_SLOTS && left; s++) {
		bool own = false, used = false;

		for (size_t i = 0; i < g->n_nics; i++)
			own |= g->nic[i].slot == s;
		for (size_t i = 0; i < g->n_devices; i++)
			own |= g->device[i].slot == s;
		for (size_t i = 0; l && i < l->n; i++)
			used |= l->device[i].slot == s;
		if (!own && !used)
			return s;
		left -= !own;
	}
	return 0;
}

/* A device of the policy that is no guest's may be lent to a running one: as
 * if the guest named it, in an empty slot. */
static int adopt(struct guest_run *r, const struct lease *l, const char *name)
{
	struct pol_policy *p = r->policy;
	struct pol_guest_device *list;
	uint8_t slot;
	size_t i = 0;

	while (i < p->n_devices && strcmp(p->device[i].name, name) != 0)
		i++;
	if (i == p->n_devices)
		return -ENOENT;
	for (size_t g = 0; g < p->n_guests; g++)
		for (size_t k = 0; k < p->guest[g].n_devices; k++)
			if (p->guest[g].device[k].device == i)
				return -ENOENT;
	slot = spare_slot(r->guest, l);
	list = reallocarray(r->guest->device, r->guest->n_devices + 1,
	                    sizeof(*list));
	if (!list)
		return -ENOMEM;
	r->guest->device = list;
	list += r->guest->n_devices++;
	*list = (struct pol_guest_device){ .device = i, .slot = slot };
	snprintf(list->name, sizeof(list->name), "%s", name);
	return 0;
}

/* The nic or device that the request names. */
static int find_device(struct work *w, struct guest_run *r)
{
	const struct pol_guest *g = r->guest;
	const char *names[POL_GUEST_NICS_MAX + POL_GUEST_DEVICES_MAX], *near;
	size_t n = 0;
	int e;

	for (size_t i = 0; i < g->n_nics; i++)
		names[n++] = g->nic[i].name;
	for (size_t i = 0; i < g->n_devices; i++)
		names[n++] = g->device[i].name;
	r->device = w->req.device;
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], r->device))
			return 0;
	e = adopt(r, lease_find(&w->env->leases, g->name), r->device);
	if (e != -ENOENT)
		return e;
	near = nearest_word(r->device, names, n);
	diag_fail(&w->diag, e, FL_NETD_DEVICE, "guest %s has no device \"%s\"",
	          g->name, r->device);
	diag_why(&w->diag, "the applied policy names neither a nic of the "
	                   "guest nor a free device so");
	if (near)
		diag_mend(&w->diag, "did you mean \"%s\"?", near);
	else
		diag_mend(&w->diag, "add it to the policy, then fairlead apply "
		                    "FILE");
	return e;
}

static int look(struct work *w, struct guest_run *r)
{
	int e = machine_open(w->env, &r->m, &w->diag);

	if (!e)
		e = observe(w->env, r->m.rtnl, &r->seen, &w->diag);
	if (!e)
		e = pol_resolve_guest(r->policy, r->guest, r->device, r->seen,
		                      &r->want, &w->errs);
	return e ? e : observe_overrides(w->env, r->seen, r->want);
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
	return observe_overrides(w->env, s, r->want);
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

/* The guest's functions as the policy says. *ret_n counts what had drifted. */
static int settle(struct work *w, struct guest_run *r, size_t *ret_n)
{
	struct pol_plan *plan = NULL;
	int e = pol_plan(r->want, r->seen, &plan, &w->diag);
	size_t n = e ? 0 : plan->n;

	pol_plan_free(e ? NULL : plan);
	return e || !n ? e : settle_locked(w, r, ret_n);
}

/* ---- which functions -------------------------------------------------------
 */

static struct grant_fn *add_fn(struct guest_run *r, const char *name,
                               unsigned slot)
{
	struct grant_fn *f;

	if (r->give.n == LEASE_DEVICES_MAX)
		return NULL;
	f = &r->give.fn[r->give.n++];
	*f = (struct grant_fn){ .slot = (uint8_t)slot };
	snprintf(f->name, sizeof(f->name), "%s", name);
	return f;
}

static void list_nic(struct guest_run *r, const struct pol_guest_nic *n)
{
	char label[2 * POL_NAME];
	struct grant_fn *f = add_fn(r, n->name, n->slot);

	if (!f)
		return;
	f->on_fault = n->on_fault;
	f->rom = POL_ROM_DEVICE;
	snprintf(label, sizeof(label), "%s/%s", r->guest->name, n->name);
	for (size_t p = 0; p < r->want->n_pfs; p++)
		for (size_t v = 0; v < r->want->pf[p].n_vfs; v++) {
			const struct pol_vf *w = &r->want->pf[p].vf[v];
			const struct pol_pf *seen =
				state_find_pf(r->seen, r->want->pf[p].bdf);

			if (!strcmp(w->label, label) && seen)
				f->vf = state_find_vf(seen, w->index);
		}
	if (f->vf) {
		f->bdf = f->vf->bdf;
		f->group = f->vf->group;
	}
}

static void list_device(struct guest_run *r, const struct pol_guest_device *dev)
{
	const struct pol_device *p = &r->policy->device[dev->device];

	for (size_t i = 0; i < r->want->n_wholes; i++) {
		const struct pol_whole *w = &r->want->whole[i];
		struct grant_fn *f;

		if (w->owner != dev->device)
			continue;
		f = add_fn(r, strchr(w->label, '/') + 1, dev->slot);
		if (!f)
			return;
		f->bdf = w->bdf;
		f->function = w->function;
		f->on_fault = p->on_fault;
		/* The file is the named function's; companions have theirs. */
		f->rom = strchr(f->name, ':') && p->rom == POL_ROM_FILE
		                 ? POL_ROM_DEVICE
		                 : p->rom;
		f->rom_file = p->rom_file;
		f->whole = state_find_whole(r->seen, w->bdf);
		f->group = f->whole ? f->whole->group : -1;
	}
}

/* As observed now: to be made anew after each look. */
static void list_functions(struct guest_run *r)
{
	const struct pol_guest *g = r->guest;

	r->give.n = 0;
	for (size_t i = 0; i < g->n_nics; i++)
		if (!r->device || !strcmp(g->nic[i].name, r->device))
			list_nic(r, &g->nic[i]);
	for (size_t i = 0; i < g->n_devices; i++)
		if (!r->device || !strcmp(g->device[i].name, r->device))
			list_device(r, &g->device[i]);
}

static int holder_of(const struct grant_fn *f, const char **ret_name)
{
	if (f->vf) {
		*ret_name = f->vf->holder;
		return f->vf->holder_pid;
	}
	*ret_name = f->whole ? f->whole->holder : "";
	return f->whole ? f->whole->holder_pid : 0;
}

/* ---- give ------------------------------------------------------------------
 */

static int not_there(struct work *w, const struct guest_run *r,
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

static int check_free(struct work *w, struct guest_run *r)
{
	list_functions(r);
	for (size_t i = 0; i < r->give.n; i++) {
		const struct grant_fn *f = &r->give.fn[i];
		char b[BDF_STRLEN];
		const char *who;
		int pid = holder_of(f, &who);

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

	list_functions(r);
	if (r->give.n)
		e = grant_host(w);
	for (size_t i = 0; !e && i < r->give.n; i++) {
		const struct grant_fn *f = &r->give.fn[i];

		if (!f->vf && !f->whole)
			return not_there(w, r, f);
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
	if (g->interrupts)
		json_object_set_new(o, "interrupt_limit",
		                    json_integer(g->interrupts));
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

/* The functions as the policy says, each of them assignable. */
static int make_ready(struct work *w, struct guest_run *r, size_t *ret_drifted)
{
	int e = look(w, r);

	if (!e)
		e = check_free(w, r);
	if (!e)
		e = settle(w, r, ret_drifted);
	if (!e && *ret_drifted)
		e = look_again(w, r);
	return e ? e : check_devices(w, r);
}

int verb_lease(struct work *w)
{
	struct guest_run r = { 0 };
	size_t drifted = 0;
	int e = find_guest(w, &r);

	if (!e)
		e = check_unleased(w, &r);
	if (!e)
		e = make_ready(w, &r, &drifted);
	if (!e)
		e = open_guest(w, r.guest, &r.give);
	if (!e) {
		describe_guest(w, &r);
		describe_devices(w, &r);
		memlock_raise(w, r.guest->memory);
		say_drifted(w, drifted);
	}
	run_clear(&r);
	return e;
}

/* ---- into a guest that runs ------------------------------------------------
 */

static int check_room(struct work *w, const struct guest_run *r,
                      const struct lease *l)
{
	if (lease_has(l, r->device)) {
		diag_fail(&w->diag, -EEXIST, FL_NETD_LEASED,
		          "guest %s has %s already", r->guest->name, r->device);
		diag_mend(&w->diag, "fairlead detach %s %s, first",
		          r->guest->name, r->device);
		return -EEXIST;
	}
	for (size_t i = 0; i < r->give.n; i++)
		if (!r->give.fn[i].slot) {
			diag_fail(&w->diag, -ENOSPC, FL_NETD_DEVICE,
			          "guest %s has no slot for %s", r->guest->name,
			          r->device);
			diag_why(&w->diag,
			         "its %u slot(s) for hot plug are "
			         "in use",
			         r->guest->spare);
			diag_mend(&w->diag, "detach another first, or raise "
			                    "its 'hotplug-slots' and start it "
			                    "anew");
			return -ENOSPC;
		}
	if (l->n + r->give.n <= LEASE_DEVICES_MAX)
		return 0;
	diag_fail(&w->diag, -ENOSPC, FL_NETD_DEVICE,
	          "guest %s has no room for %s", r->guest->name, r->device);
	diag_why(&w->diag, "it has %zu functions, and at most %d are possible",
	         l->n, LEASE_DEVICES_MAX);
	diag_mend(&w->diag, "detach another first");
	return -ENOSPC;
}

int verb_attach(struct work *w)
{
	const struct lease *l = lease_find(&w->env->leases, w->req.guest);
	struct guest_run r = { 0 };
	size_t drifted = 0;
	int e = find_guest(w, &r);

	if (!e && (!l || l->ending))
		e = lease_none(w->req.guest, &w->diag);
	if (!e)
		e = find_device(w, &r);
	if (!e)
		e = check_room(w, &r, l);
	if (!e)
		e = make_ready(w, &r, &drifted);
	if (!e)
		e = check_room(w, &r, l);
	if (!e)
		e = open_more(w, l, &r.give);
	if (!e) {
		describe_devices(w, &r);
		say_drifted(w, drifted);
	}
	run_clear(&r);
	return e;
}

/* ---- take back -------------------------------------------------------------
 */

static bool is_held(struct guest_run *r)
{
	const char *who;

	list_functions(r);
	for (size_t i = 0; i < r->give.n; i++)
		if (holder_of(&r->give.fn[i], &who))
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
		e = look_again(w, r);
	}
	if (e || !is_held(r))
		return e;
	diag_fail(&w->diag, -EBUSY, FL_NETD_LEASED,
	          "guest %s: its device is still held after its lease ended",
	          r->guest->name);
	diag_mend(&w->diag, "see `fairlead status` for who has it");
	return -EBUSY;
}

int verb_release(struct work *w)
{
	struct guest_run r = { 0 };
	size_t drifted = 0;
	int e = find_guest(w, &r);

	if (!e && *w->req.device)
		e = find_device(w, &r);
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
