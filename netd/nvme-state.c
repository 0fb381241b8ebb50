/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NVMe controllers' queues as part of the machine: seen, told, and changed. */

#include <stdio.h>
#include <string.h>

#include "iommu/iommu.h"
#include "netd/nvme.h"
#include "netd/switch.h"

/* Of a look at the machine: it is to be had without this, too. */
#define LOOK_MS 3000u

/* ---- seen ---------------------------------------------------------------- */

static bool is_controller(const struct pol_pf *p)
{
	return !p->stuck && p->total_vfs && !strcmp(p->driver, "nvme");
}

static struct pol_flexible flexible(const struct sriov_nvme_pool *p)
{
	return (struct pol_flexible){ .own = p->own,
		                      .total = p->total,
		                      .most = p->most,
		                      .step = p->step };
}

/* 0 = VFs' ids do not follow each other. */
static uint16_t first_id(const struct sriov_nvme *n, unsigned vfs)
{
	for (unsigned i = 0; i < MIN(vfs, (unsigned)SRIOV_VFS_MAX); i++)
		if (!n->vf[i].there || n->vf[i].id != n->vf[0].id + i)
			return 0;
	return n->vf[0].id;
}

static void see_vf(const struct sriov_nvme *n, struct pol_vf *v)
{
	const struct sriov_nvme_vf *is = &n->vf[v->index];

	if (!is->there)
		return;
	v->set |= POL_HAS_RESOURCES;
	v->res = (struct pol_resources){ .queues = is->queues,
		                         .interrupts = is->interrupts,
		                         .online = is->online };
}

static void see_controller(const struct env *e, struct pol_pf *p,
                           struct sriov_nvme *n)
{
	struct diag d = { 0 };
	char name[SRIOV_NAME];

	if (nvme_ask_read(e->nvme_fd, p->bdf, LOOK_MS, n, &d)) {
		log_diag(e->log, LOG_LVL_DEBUG, &d);
		return;
	}
	p->set |= POL_HAS_RESOURCES;
	p->nvme.queues = flexible(&n->queues);
	p->nvme.interrupts = flexible(&n->interrupts);
	p->nvme.first_id = first_id(n, p->total_vfs);
	if (sriov_nvme_name(e->root_fd, p->bdf, name))
		snprintf(p->nvme.name, sizeof(p->nvme.name), "%.15s", name);
	for (size_t i = 0; i < p->n_vfs; i++)
		see_vf(n, &p->vf[i]);
}

void observe_nvme(const struct env *e, struct pol_state *s)
{
	_cleanup_free_ struct sriov_nvme *n = NULL;

	for (size_t i = 0; e->nvme_fd >= 0 && i < s->n_pfs; i++) {
		if (!is_controller(&s->pf[i]))
			continue;
		if (!n)
			n = malloc(sizeof(*n));
		if (n)
			see_controller(e, &s->pf[i], n);
	}
}

/* ---- told ---------------------------------------------------------------- */

static json_t *flexible_json(const struct pol_pf *p,
                             const struct pol_flexible *f)
{
	bool queues = f == &p->nvme.queues;
	uint32_t given = 0;

	for (size_t i = 0; i < p->n_vfs; i++)
		given += queues ? p->vf[i].res.queues : p->vf[i].res.interrupts;
	return json_pack("{s:I, s:i, s:I, s:i}", "total", (json_int_t)f->total,
	                 "kept", f->own, "given", (json_int_t)given,
	                 "most-of-a-vf", f->most);
}

static void vf_status(const struct pol_vf *v, json_t *o)
{
	bool known = v->set & POL_HAS_RESOURCES;

	json_object_set_new(o, "queues",
	                    known ? json_integer(v->res.queues) : json_null());
	json_object_set_new(o, "interrupts",
	                    known ? json_integer(v->res.interrupts)
	                          : json_null());
	json_object_set_new(o, "online",
	                    known ? json_boolean(v->res.online) : json_null());
}

void status_nvme(const struct pol_state *s, json_t *pfs)
{
	for (size_t i = 0; i < s->n_pfs; i++) {
		const struct pol_pf *p = &s->pf[i];
		json_t *o = json_array_get(pfs, i);
		json_t *vfs = json_object_get(o, "vfs");

		if (!is_controller(p))
			continue;
		json_object_set_new(
			o, "nvme",
			p->set & POL_HAS_RESOURCES
				? json_pack(
					  "{s:s, s:o, s:o}", "controller",
					  p->nvme.name, "queues",
					  flexible_json(p, &p->nvme.queues),
					  "interrupts",
					  flexible_json(p, &p->nvme.interrupts))
				: json_null());
		for (size_t v = 0; v < p->n_vfs; v++)
			vf_status(&p->vf[v], json_array_get(vfs, v));
	}
}

/* ---- changed ------------------------------------------------------------- */

/* The controller takes what it is told at its next reset; there are no VFs. */
static int keep(const struct machine *m, const struct pol_action *a,
                struct diag *d)
{
	const struct pol_resources *w = &a->nvme.res;
	_cleanup_free_ struct sriov_nvme *n = malloc(sizeof(*n));
	int r = n ? nvme_ask_keep(m->env->nvme_fd, a->pf, w->queues,
	                          w->interrupts, NVME_MS, d)
	          : diag_fail(d, -ENOMEM, FL_NETD_MEMORY, "no memory");

	if (!r)
		r = sriov_reset(m->env->root_fd, a->pf, d);
	if (!r)
		r = nvme_ask_read(m->env->nvme_fd, a->pf, NVME_MS, n, d);
	if (r ||
	    (n->queues.own == w->queues && n->interrupts.own == w->interrupts))
		return r;
	diag_fail(d, -EIO, FL_NETD_READBACK,
	          "%s does not keep what it was told", a->nvme.name);
	diag_why(d, "after its reset it has %u queues and %u interrupts",
	         n->queues.own, n->interrupts.own);
	diag_mend(d, "see `nvme primary-ctrl-caps /dev/%s`", a->nvme.name);
	return -EIO;
}

/* A driver of the host's must not see its controller go. */
static int set(const struct machine *m, struct bdf vf,
               const struct pol_action *a, struct diag *d)
{
	const struct sriov_nvme_vf want = {
		.queues = a->nvme.res.queues,
		.interrupts = a->nvme.res.interrupts,
		.online = a->nvme.res.online,
	};
	int root_fd = m->env->root_fd, e = 0;
	bool bound;
	struct sriov_fn f;
	int r = sriov_fn_read(root_fd, vf, &f);

	if (r) {
		diag_fail(d, r, FL_NETD_DEVICE, "cannot read VF %d", a->vf);
		diag_why(d, "%s", strerror(-r));
		diag_mend(d, "it has gone: fairlead apply FILE");
		return r;
	}
	bound = *f.driver && !iommu_driver_is_vfio(f.driver);
	if (bound)
		r = sriov_bind_to(root_fd, vf, "", f.override, d);
	if (!r)
		r = nvme_ask_set(m->env->nvme_fd, a->pf, (unsigned)a->vf, &want,
		                 NVME_MS, d);
	/* One that did not go offline is the driver's as before. */
	if (bound && (r || want.online))
		e = sriov_bind_to(root_fd, vf, f.driver, f.override,
		                  r ? NULL : d);
	return r ? r : e;
}

int op_nvme(void *ctx, const struct pol_action *a, struct diag *d)
{
	const struct machine *m = ctx;
	struct bdf vf = { 0 };
	int r;

	if (a->op == POL_OP_NVME_KEEP)
		return keep(m, a, d);
	r = op_vf_address(m, a, &vf, d);
	return r ? r : set(m, vf, a, d);
}
