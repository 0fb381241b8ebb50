/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a request means: the guest of the applied policy, its device, and the
 * functions of the machine that those are. */

#include <stdio.h>
#include <string.h>

#include "netd/confirm.h"
#include "netd/grant.h"

/* ---- which guest, which device ------------------------------------------- */

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

int grant_policy(struct work *w, struct pol_policy **ret)
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
	if (e == JOURNAL_UNCONFIRMED_YET &&
	    w->permit->flags & (PERMIT_LEASE | PERMIT_ASKS | PERMIT_LOAN) &&
	    confirm_refuse(w, w->permit->verb))
		return w->diag.err;
	return policy_applied(w->env, ret, &w->errs, &w->diag);
}

int grant_find_guest(struct work *w, struct guest_run *r)
{
	int e = grant_policy(w, &r->policy);

	if (e)
		return e;
	for (size_t i = 0; i < r->policy->n_guests; i++)
		if (!strcmp(r->policy->guest[i].name, w->req.guest))
			r->guest = &r->policy->guest[i];
	return r->guest ? 0 : no_guest(w, r->policy);
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
	slot = grant_port(r, l, 0);
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

int grant_find_device(struct work *w, struct guest_run *r)
{
	const struct pol_guest *g = r->guest;
	const char *names[POL_GUEST_NICS_MAX + POL_GUEST_DEVICES_MAX +
	                  POL_DISKS_MAX],
		*near;
	size_t n = 0;
	int e;

	for (size_t i = 0; i < g->n_nics; i++)
		if (g->nic[i].pool != SIZE_MAX)
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
	/* For the suggestion: grant_own() looks for what the VMM itself is. */
	for (size_t i = 0; i < g->n_nics; i++)
		if (g->nic[i].pool == SIZE_MAX)
			names[n++] = g->nic[i].name;
	for (size_t i = 0; i < g->n_disks; i++)
		names[n++] = g->disk[i].name;
	near = nearest_word(r->device, names, n);
	diag_fail(&w->diag, e, FL_NETD_DEVICE, "guest %s has no device \"%s\"",
	          g->name, r->device);
	diag_why(&w->diag, "the applied policy names neither a nic or disk of "
	                   "the guest nor a free device so");
	if (near)
		diag_mend(&w->diag, "did you mean \"%s\"?", near);
	else
		diag_mend(&w->diag, "add it to the policy, then fairlead apply "
		                    "FILE");
	return e;
}

/* ---- which functions ----------------------------------------------------- */

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
	f->pool = &r->policy->pool[n->pool];
	f->booked = true;
	f->hold = f->pool->hold;
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
		f->booked = p->kind == POL_KIND_NVME;
		f->hold = p->release == POL_RELEASE_QUARANTINE;
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

void grant_list(struct guest_run *r)
{
	const struct pol_guest *g = r->guest;

	r->give.n = 0;
	for (size_t i = 0; i < g->n_nics; i++)
		if (g->nic[i].pool != SIZE_MAX &&
		    (!r->device || !strcmp(g->nic[i].name, r->device)))
			list_nic(r, &g->nic[i]);
	for (size_t i = 0; i < g->n_devices; i++)
		if (!r->device || !strcmp(g->device[i].name, r->device))
			list_device(r, &g->device[i]);
}

int grant_holder(const struct grant_fn *f, const char **ret_name)
{
	if (f->vf) {
		*ret_name = f->vf->holder;
		return f->vf->holder_pid;
	}
	*ret_name = f->whole ? f->whole->holder : "";
	return f->whole ? f->whole->holder_pid : 0;
}
