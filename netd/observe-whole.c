/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole functions as observed: every function that is there, with what the
 * host does with it. Bridges and VFs are among them, marked, because they
 * share IOMMU groups with others; neither is ever given as a whole.
 */

#include <stdio.h>
#include <string.h>

#include "iommu/iommu.h"
#include "netd/priv.h"
#include "netd/refused.h"
#include "netd/serials.h"

/* PCI Code and ID Assignment 1.11: base class and subclass. */
#define CLASS_HOST_BRIDGE 0x0600
#define CLASS_PCI_BRIDGE 0x0604

struct whole_walk {
	const struct env *env;
	const struct sriov_holders *holders;
	struct sriov_uses *uses;
	struct pol_state *s;
	size_t room;
};

static int see_holder(struct whole_walk *k, struct pol_whole *w)
{
	struct sriov_holder h = { 0 };
	const struct lease *l;
	size_t i = 0;
	int r = 0;

	/* Nobody holds through VFIO what no vfio driver has. */
	if (iommu_driver_is_vfio(w->driver))
		r = sriov_holders_find(k->holders, k->env->root_fd, w->bdf, &h);
	if (r < 0)
		return r;
	if (r) {
		w->holder_pid = h.pid;
		snprintf(w->holder, sizeof(w->holder), "%.*s", POL_NAME - 1,
		         h.comm);
	}
	l = lease_of_device(&k->env->leases, w->bdf, &i);
	if (l && !l->ending) {
		snprintf(w->holder, sizeof(w->holder), "%s", l->guest);
		w->holder_pid = l->pid;
		snprintf(w->label, sizeof(w->label), "%s/%s", l->guest,
		         l->device[i].name);
	}
	return 0;
}

static void see_uses(const struct whole_walk *k, struct pol_whole *w)
{
	const char *text;
	size_t at = 0;

	while (w->n_uses < POL_USES &&
	       (text = sriov_uses_next(k->uses, w->bdf, &at)))
		snprintf(w->use[w->n_uses++], sizeof(w->use[0]), "%s", text);
}

_Static_assert(POL_RESET_TEXT == SRIOV_RESETS, "of one size");

static void see_resets(int root_fd, struct pol_whole *w)
{
	if (!sriov_reset_methods(root_fd, w->bdf, w->reset))
		w->set |= POL_HAS_RESET;
	w->below_port = sriov_below_port(root_fd, w->bdf);
}

void see_ident(const struct env *e, const struct sriov_fn *f,
               struct pol_ident *ret, uint32_t *set)
{
	ret->subvendor = f->subvendor;
	ret->subdevice = f->subdevice;
	if (f->numa >= 0 && f->numa < POL_HOST_NODES) {
		ret->node = (uint16_t)f->numa;
		*set |= POL_HAS_NODE;
	}
	if (!sriov_root_port(e->root_fd, f->bdf, &ret->root))
		*set |= POL_HAS_ROOT;
	serials_find(e->serials, e->root_fd, f->bdf, ret, set);
}

static int see_whole(struct whole_walk *k, struct bdf b, struct pol_whole *w)
{
	const struct pol_pf *itself = state_find_pf(k->s, b);
	struct sriov_fn f;
	struct bdf pf;
	int r = sriov_fn_look(k->env->root_fd, b, &f);

	if (r)
		return r;
	*w = (struct pol_whole){
		.set = POL_HAS_DRIVER,
		.bdf = b,
		.vendor = f.vendor,
		.device = f.device,
		.class_code = (uint16_t)(f.class_code >> 8),
		.interface = (uint8_t)f.class_code,
		.group = f.group,
		.virtual_fn = !sriov_pf_of(k->env->root_fd, b, &pf),
	};
	w->bridge = w->class_code == CLASS_HOST_BRIDGE ||
	            w->class_code == CLASS_PCI_BRIDGE;
	snprintf(w->driver, sizeof(w->driver), "%s", f.driver);
	see_ident(k->env, &f, &w->id, &w->set);
	if (itself)
		pol_whole_of_pf(w, itself);
	see_uses(k, w);
	if (!w->bridge && !w->virtual_fn)
		see_resets(k->env->root_fd, w);
	return see_holder(k, w);
}

static int add_whole(const char *name, void *arg)
{
	struct whole_walk *k = arg;
	struct bdf b;
	int r;

	if (bdf_parse(name, &b))
		return 0;
	if (k->s->n_wholes == k->room) {
		size_t room = k->room ? 2 * k->room : 32;
		struct pol_whole *w =
			reallocarray(k->s->whole, room, sizeof(*w));

		if (!w)
			return -ENOMEM;
		k->s->whole = w;
		k->room = room;
	}
	r = see_whole(k, b, &k->s->whole[k->s->n_wholes]);
	if (r == -ENODEV && !sriov_fn_exists(k->env->root_fd, b))
		return 0;
	k->s->n_wholes += !r;
	return r;
}

int observe_wholes(const struct env *e, const struct sriov_holders *h,
                   struct pol_state *s)
{
	struct whole_walk k = { .env = e, .holders = h, .s = s };
	int r = sriov_uses_read(e->root_fd, &k.uses);

	if (!r)
		r = sysfs_each(e->root_fd, "sys/bus/pci/devices", add_whole,
		               &k);
	sriov_uses_free(k.uses);
	return r == -ENOENT ? 0 : r;
}

/* Reading driver_override takes the function's lock in the kernel, which an
 * unbind holds for as long as a guest takes to let go: it is asked of those
 * alone that the plan is about. */
int observe_overrides(const struct env *e, struct pol_state *seen,
                      const struct pol_state *want)
{
	for (size_t i = 0; i < seen->n_wholes; i++) {
		struct pol_whole *w = &seen->whole[i];
		struct sriov_fn f;
		int r;

		if (!state_find_whole(want, w->bdf))
			continue;
		r = sriov_fn_read(e->root_fd, w->bdf, &f);
		if (r)
			return r;
		snprintf(w->override, sizeof(w->override), "%s", f.override);
		w->set |= POL_HAS_OVERRIDE;
	}
	refused_see(e->state_fd, seen, want);
	return 0;
}

/*
 * A VF is isolated as far as the way to its PF is: where the port above does
 * not isolate (no ACS), the PF shares the port's group, and so will the VFs.
 * The PF keeps the host's driver, which makes their group useless. What else
 * may put VFs into one group is seen once they are there.
 */
void foretell_blocker(const struct env *e, struct pol_pf *p)
{
	_cleanup_free_ struct iommu_group *g = calloc(1, sizeof(*g));
	char b[BDF_STRLEN];

	if (!g || !*p->driver ||
	    iommu_group_read(e->root_fd, p->bdf, g, NULL) < 0)
		return;
	for (size_t i = 0; i < g->n; i++)
		if (g->member[i].bridge)
			snprintf(p->blocker, sizeof(p->blocker), "%s (%s)",
			         bdf_format(p->bdf, b), p->driver);
}
