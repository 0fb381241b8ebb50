/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queues and interrupts that an NVMe controller's VFs have (`vf-resources`):
 * is there enough, in which order is it given, and how would a person do it.
 *
 * A controller has flexible ones: each is its own, a VF's, or free. A VF with
 * none, or one that is offline, can be started by no driver. In a plan VFs
 * that lose some come before those that gain. Where too few are free, the
 * controller itself keeps fewer; that wants a reset of its function, which
 * takes all of its VFs offline: so it is done while there are none.
 */

#include <stdio.h>
#include <string.h>

#include "policy/plan.h"

#define CLASS_NVM 0x0108 /* PCI Code and ID Assignment 1.11: 01h, 08h */

bool is_nvme(const struct pol_state *s, struct bdf b)
{
	const struct pol_whole *w = state_whole(s, b);

	return w && w->class_code == CLASS_NVM;
}

bool check_nvme(struct resolve *r, enum pol_kind kind, const char *name,
                struct pol_pos pos, struct bdf b)
{
	const struct pol_whole *w;
	char text[BDF_STRLEN];
	struct diag *d;

	if (kind != POL_KIND_NVME)
		return false;
	w = state_whole(r->seen, b);
	if (!w || w->class_code == CLASS_NVM)
		return false;
	d = pol_err(r->errs, pos, FL_POL_NVME, "nvme %s: %s is no NVMe disk",
	            name, bdf_format(b, text));
	diag_why(d, "its class is %04x, and that of such is %04x",
	         w->class_code, CLASS_NVM);
	diag_mend(d, "match a disk (`lspci -nn -d ::0108` lists them), or move "
	             "the entry to 'devices', 'gpus' or 'nics'");
	return true;
}

/* A VF with a mounted disk is not taken, neither away nor from the host. */
static void check_vfs_used(struct resolve *r, size_t i)
{
	const struct pol_nic *nic = &r->p->nic[i];
	const struct pol_pf *pf = r->at[i], *want = &r->want->pf[i];

	if (nic->kind != POL_KIND_NVME)
		return;
	for (size_t v = 0; v < pf->n_vfs; v++) {
		const struct pol_vf *vf = &pf->vf[v];
		const struct pol_whole *w = state_whole(r->seen, vf->bdf);
		bool meant = state_vf(want, vf->index) ||
		             (!r->only && !keeps_vfs(nic, pf));

		if (meant && w && w->n_uses && !pol_driver_is_vfio(vf->driver))
			refuse_use(r, nic->pos, nic->kind, nic->name, w, "");
	}
}

static const struct pol_nic *nvme_nic(const struct resolve *r, size_t i)
{
	const struct pol_nic *nic = &r->p->nic[i];

	return nic->res_given != POL_ABSENT ? nic : NULL;
}

/* ---- what is wanted ------------------------------------------------------ */

void want_resources(const struct resolve *r, size_t nic, struct pol_vf *w)
{
	const struct pol_nic *n = nvme_nic(r, nic);

	if (!n)
		return;
	w->set |= POL_HAS_RESOURCES;
	w->res = n->res; /* null: as a new VF has it, none and offline */
}

static bool not_known(struct resolve *r, const struct pol_nic *nic,
                      const struct pol_pf *pf)
{
	char b[BDF_STRLEN];
	struct diag *d;

	if (pf->set & POL_HAS_RESOURCES)
		return false;
	d = pol_err(r->errs, nic->res_pos, FL_POL_NVME,
	            "nvme %s: what %s has for VFs is not known", nic->name,
	            bdf_format(pf->bdf, b));
	diag_why(d, "it shares out no queues, has no driver nvme, or "
	            "fairlead-netd may not ask it (CAP_SYS_ADMIN)");
	diag_mend(d,
	          "see `nvme primary-ctrl-caps /dev/nvmeN`, and docs/netd.md, "
	          "NVMe; or leave 'vf-resources' out");
	return true;
}

/* True when an error was added. */
static bool too_many(struct resolve *r, const struct pol_nic *nic,
                     const char *kind, uint16_t n, size_t vfs,
                     const struct pol_flexible *f)
{
	struct diag *d;

	if (n <= f->most && (uint64_t)n * vfs <= f->total &&
	    (!f->step || n % f->step == 0))
		return false;
	d = pol_err(r->errs, nic->res_pos, FL_POL_NVME_FEW,
	            "nvme %s: %u %s for each of %zu VF(s)", nic->name, n, kind,
	            vfs);
	if (n > f->most)
		diag_why(d, "a VF of this controller may have at most %u",
		         f->most);
	else if ((uint64_t)n * vfs > f->total)
		diag_why(d, "the controller has %u for all of them", f->total);
	else
		diag_why(d, "the controller gives them by %u at a time",
		         f->step);
	diag_mend(d,
	          "lower it in 'vf-resources', or the "
	          "virtual-function-count (line %u)",
	          nic->vf_count_pos.line);
	return true;
}

/* What the controller can keep beside `n` for each VF. */
static uint16_t kept(const struct pol_flexible *f, uint16_t n, size_t vfs)
{
	uint64_t left = f->total - (uint64_t)n * vfs;

	return (uint16_t)MIN((uint64_t)f->own, left);
}

void check_resources(struct resolve *r)
{
	for (size_t i = 0; i < r->p->n_nics; i++) {
		const struct pol_nic *nic = nvme_nic(r, i);
		const struct pol_pf *pf = r->at[i];
		struct pol_pf *w = &r->want->pf[i];
		size_t n = pf && nic ? w->num_vfs : 0;

		if (pf)
			check_vfs_used(r, i);
		/* Of one that is stuck nothing is known, and nothing done. */
		if (!n || pf->stuck || not_known(r, nic, pf) || r->only)
			continue;
		if (too_many(r, nic, "queues", nic->res.queues, n,
		             &pf->nvme.queues) ||
		    too_many(r, nic, "interrupts", nic->res.interrupts, n,
		             &pf->nvme.interrupts))
			continue;
		w->set |= POL_HAS_RESOURCES;
		w->nvme.queues.own = kept(&pf->nvme.queues, nic->res.queues, n);
		w->nvme.interrupts.own =
			kept(&pf->nvme.interrupts, nic->res.interrupts, n);
	}
}

/* ---- the plan ------------------------------------------------------------ */

bool plan_keep_changes(const struct job *j)
{
	const struct pol_nvme *w = &j->want->nvme, *s = &j->seen->nvme;

	return j->want->set & j->seen->set & POL_HAS_RESOURCES &&
	       (w->queues.own != s->queues.own ||
	        w->interrupts.own != s->interrupts.own);
}

static void name_controller(const struct job *j, struct pol_action *a)
{
	copy_text(a->nvme.name, sizeof(a->nvme.name), j->seen->nvme.name);
}

int plan_keep(struct job *j)
{
	struct pol_action *a;

	if (!plan_keep_changes(j))
		return 0;
	a = plan_add(j, POL_OP_NVME_KEEP, POL_DIS_HOST);
	name_controller(j, a);
	a->nvme.res.queues = j->want->nvme.queues.own;
	a->nvme.res.interrupts = j->want->nvme.interrupts.own;
	return 0;
}

/* A VF that is made anew has none, and is offline. */
static struct pol_resources now(const struct job *j, const struct pol_vf *s)
{
	static const struct pol_resources none;

	return !j->fresh && s && s->set & POL_HAS_RESOURCES ? s->res : none;
}

bool same_resources(const struct pol_resources *a,
                    const struct pol_resources *b)
{
	return a->queues == b->queues && a->interrupts == b->interrupts &&
	       a->online == b->online;
}

/* What it has of both, and may keep: what it has too much of goes first, and
 * what it lacks may be another's until then. One that is to go on does so in
 * between, or its driver would not come back. */
static struct pol_resources lesser(const struct pol_resources *a,
                                   const struct pol_resources *b)
{
	return (struct pol_resources){
		.queues = MIN(a->queues, b->queues),
		.interrupts = MIN(a->interrupts, b->interrupts),
		.online = a->online && b->online,
	};
}

static bool exceeds(const struct pol_resources *a,
                    const struct pol_resources *b)
{
	return a->queues > b->queues || a->interrupts > b->interrupts;
}

static int plan_one(struct job *j, const struct pol_vf *w, bool fewer)
{
	const struct pol_vf *s = j->fresh ? NULL : state_vf(j->seen, w->index);
	const struct pol_resources is = now(j, s);
	bool known = j->fresh || (s && s->set & POL_HAS_RESOURCES);
	bool bound = s && *s->driver && !pol_driver_is_vfio(s->driver);
	bool gains = !known || exceeds(&w->res, &is);
	struct pol_action *a;

	if ((known && same_resources(&w->res, &is)) ||
	    (fewer ? gains && !(known && exceeds(&is, &w->res)) : !gains))
		return 0;
	if (plan_held(s))
		return plan_in_use(j, s, "its queues would change");
	a = plan_add_vf(j, POL_OP_VF_RESOURCES,
	                bound ? POL_DIS_HOST : POL_DIS_NONE, w);
	name_controller(j, a);
	a->nvme.res = fewer && gains ? lesser(&is, &w->res) : w->res;
	a->nvme.id = j->seen->nvme.first_id
	                     ? (uint16_t)(j->seen->nvme.first_id + w->index)
	                     : 0;
	if (bound)
		copy_text(a->driver_from, sizeof(a->driver_from), s->driver);
	return 0;
}

int plan_resources(struct job *j)
{
	return plan_fewer_first(j, POL_HAS_RESOURCES, plan_one);
}

/* ---- in words ------------------------------------------------------------ */

const char *action_nvme_text(const struct pol_action *a, const char *pf,
                             char *buf, size_t size)
{
	const struct pol_resources *r = &a->nvme.res;

	if (a->op == POL_OP_NVME_KEEP)
		snprintf(buf, size,
		         "leave %s %u queues and %u interrupts of those for "
		         "VFs, with a reset",
		         pf, r->queues, r->interrupts);
	else if (!r->queues && !r->interrupts && !r->online)
		snprintf(buf, size, "take VF %d of %s offline", a->vf, pf);
	else
		snprintf(buf, size,
		         "give VF %d of %s %u queues and %u interrupts, %s",
		         a->vf, pf, r->queues, r->interrupts,
		         r->online ? "online" : "offline");
	return buf;
}

/* One nvme-cli call: `id` is the controller's that it is about. */
static void say_virt(struct pen *t, const struct pol_action *a, const char *id,
                     const char *rest)
{
	pen_put(t, "%snvme virt-mgmt /dev/%s -c %s %s", t->n ? "; " : "",
	        a->nvme.name, id, rest);
}

static void say_resource(struct pen *t, const struct pol_action *a,
                         const char *id, unsigned type, unsigned act,
                         unsigned n)
{
	char rest[40];

	snprintf(rest, sizeof(rest), "-r %u -a %u -n %u", type, act, n);
	say_virt(t, a, id, rest);
}

static void command_keep(const struct pol_action *a, struct pen *t)
{
	char id[80], b[BDF_STRLEN];

	snprintf(id, sizeof(id), "$(cat /sys/class/nvme/%s/cntlid)",
	         a->nvme.name);
	say_resource(t, a, id, 0, 1, a->nvme.res.queues);
	say_resource(t, a, id, 1, 1, a->nvme.res.interrupts);
	pen_put(t, "; echo 1 > /sys/bus/pci/devices/%s/reset",
	        bdf_format(a->pf, b));
}

/* The id of a VF's controller that could not be foretold is asked for when the
 * line is typed. */
static void command_vf(const struct pol_action *a, struct pen *t)
{
	const struct pol_resources *r = &a->nvme.res;
	char id[8] = "$id";

	if (a->nvme.id)
		snprintf(id, sizeof(id), "%u", a->nvme.id);
	else
		pen_put(t,
		        "id=$(nvme list-secondary /dev/%s -o json | jq "
		        "'.\"secondary-controllers\"[] | "
		        "select(.\"virtual-function-number\" == %d) | "
		        ".\"secondary-controller-identifier\"')",
		        a->nvme.name, a->vf + 1);
	say_virt(t, a, id, "-a 7");
	if (r->queues)
		say_resource(t, a, id, 0, 8, r->queues);
	if (r->interrupts)
		say_resource(t, a, id, 1, 8, r->interrupts);
	if (r->online)
		say_virt(t, a, id, "-a 9");
}

const char *action_nvme_command(const struct pol_action *a, char *buf,
                                size_t size)
{
	struct pen t = { .buf = buf, .size = size };

	if (size)
		buf[0] = '\0';
	if (a->op == POL_OP_NVME_KEEP)
		command_keep(a, &t);
	else
		command_vf(a, &t);
	return buf;
}

/* ---- sim.c's ------------------------------------------------------------- */

static uint32_t given(const struct pol_pf *pf, const struct pol_vf *but,
                      bool queues)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < pf->n_vfs; i++)
		if (&pf->vf[i] != but)
			sum += queues ? pf->vf[i].res.queues
			              : pf->vf[i].res.interrupts;
	return sum;
}

int sim_resources(struct pol_pf *pf, struct pol_vf *v,
                  const struct pol_action *a)
{
	const struct pol_resources *r = &a->nvme.res;
	const struct pol_nvme *n = &pf->nvme;

	if (!v || !(pf->set & POL_HAS_RESOURCES))
		return -ENODEV;
	if (r->queues > n->queues.most || r->interrupts > n->interrupts.most ||
	    given(pf, v, true) + r->queues + n->queues.own > n->queues.total ||
	    given(pf, v, false) + r->interrupts + n->interrupts.own >
	            n->interrupts.total)
		return -ERANGE;
	v->res = *r;
	v->set |= POL_HAS_RESOURCES;
	return 0;
}

int sim_keep(struct pol_pf *pf, const struct pol_action *a)
{
	if (pf->n_vfs)
		return -EBUSY;
	pf->nvme.queues.own = a->nvme.res.queues;
	pf->nvme.interrupts.own = a->nvme.res.interrupts;
	return 0;
}
