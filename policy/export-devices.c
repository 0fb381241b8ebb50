/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole functions in an export: those that vfio-pci has for good. A set that
 * shares an IOMMU group is one device with its companions (whole.c says which
 * they are), and only where vfio-pci has all of them: else a plan would bind
 * the rest.
 */

#include <string.h>

#include "policy/export.h"

/* What whole.c allows in a slot. */
#define FUNCTIONS 8

static bool is_ours(const struct pol_whole *w)
{
	return !strcmp(w->driver, "vfio-pci") &&
	       !strcmp(w->override, "vfio-pci");
}

static bool shares_group(const struct pol_whole *a, const struct pol_whole *b)
{
	return a->group >= 0 && a->group == b->group;
}

static bool same_slot(struct bdf a, struct bdf b)
{
	return a.domain == b.domain && a.bus == b.bus && a.dev == b.dev;
}

static bool goes_along(const struct pol_whole *main, const struct pol_whole *w)
{
	return w != main && !w->bridge &&
	       (shares_group(main, w) ||
	        (same_slot(main->bdf, w->bdf) && !w->virtual_fn));
}

static bool needs_companions(const struct export *e, const struct pol_whole *m)
{
	for (size_t i = 0; i < e->s->n_wholes; i++) {
		const struct pol_whole *w = &e->s->whole[i];

		if (w != m && !w->bridge && shares_group(m, w))
			return true;
	}
	return false;
}

static const char *not_itself(const struct export *e, const struct pol_whole *w)
{
	if (!e->s->iommu || !e->s->remapping)
		return "vfio without an IOMMU or interrupt remapping";
	if (w->group < 0)
		return "it is in no IOMMU group";
	if (w->virtual_fn)
		return "a VF is in its group";
	if (w->n_uses)
		return "the host uses it";
	if (w->num_vfs)
		return "it has VFs";
	if (!is_ours(w))
		return "not all that must go with it are bound to vfio-pci by "
		       "driver_override";
	return NULL;
}

static const char *not_set(const struct export *e, const struct pol_whole *m,
                           bool companions)
{
	const char *why = not_itself(e, m);
	size_t n = 1;

	for (size_t i = 0; companions && !why && i < e->s->n_wholes; i++) {
		const struct pol_whole *w = &e->s->whole[i];

		if (!goes_along(m, w))
			continue;
		why = not_itself(e, w);
		if (++n > FUNCTIONS)
			why = "more than 8 functions go with it";
	}
	return why;
}

/* An earlier one of the set has told it. */
static bool told(const struct export *e, const struct pol_whole *w)
{
	for (size_t i = 0; &e->s->whole[i] != w; i++) {
		const struct pol_whole *m = &e->s->whole[i];

		if (!m->bridge && !m->virtual_fn &&
		    pol_driver_is_vfio(m->driver) && needs_companions(e, m) &&
		    goes_along(m, w) && !not_set(e, m, true))
			return true;
	}
	return false;
}

static void put_device(struct export *e, const struct pol_whole *w,
                       bool companions)
{
	struct bdf b = w->bdf;

	if (!e->n_devices++)
		put(e, "devices:\n");
	put(e, "  - name: \"dev-%x-%02x-%02x-%u\"\n", b.domain, b.bus, b.dev,
	    (unsigned)b.fn);
	put_match(e, b, w->vendor, w->device);
	if (companions)
		put(e, "    group: with-companions\n");
}

void export_devices(struct export *e)
{
	for (size_t i = 0; i < e->s->n_wholes; i++) {
		const struct pol_whole *w = &e->s->whole[i];
		bool companions;
		const char *why;

		if (w->bridge || w->virtual_fn || w->num_vfs ||
		    !pol_driver_is_vfio(w->driver) || told(e, w))
			continue;
		companions = needs_companions(e, w);
		why = not_set(e, w, companions);
		if (!why && e->n_devices == POL_DEVICES_MAX)
			why = "a policy has 256 devices at most";
		if (why)
			not_said(e, w->bdf, "it is bound to %s: %s", w->driver,
			         why);
		else
			put_device(e, w, companions);
	}
}
