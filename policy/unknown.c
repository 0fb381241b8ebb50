/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a plan sets without comparing, because nobody said how it is: on a
 * machine a driver that does not report it, in an inventory a key that was left
 * out. Told by the words of machine-fields.c, once for each key of a PF and
 * once for all its VFs.
 */

#include <stdio.h>
#include <string.h>

#include "policy/fields.h"
#include "policy/priv.h"

struct teller {
	void (*say)(const char *text, void *arg);
	void *arg;
	const struct pol_pf *pf;
};

static void tell(const struct teller *t, const struct fields *fields,
                 uint32_t mask, const char *of)
{
	char b[BDF_STRLEN], text[DIAG_LINE];

	for (size_t i = 0; i < fields->n; i++) {
		if (!(fields->field[i].has & mask))
			continue;
		snprintf(text, sizeof(text),
		         "it is not known what '%s' %s%s is; the plan sets it "
		         "in any case",
		         fields->field[i].key, of, bdf_format(t->pf->bdf, b));
		t->say(text, t->arg);
	}
}

static void tell_pf(const struct teller *t, const struct pol_pf *want)
{
	const struct pol_pf *pf = t->pf;
	uint32_t mask = 0;

	tell(t, &pf_fields, want->set & ~pf->set, "of ");
	if (want->set & POL_HAS_NUMVFS && want->num_vfs != pf->num_vfs)
		return; /* new VFs are as their driver makes them */
	for (size_t i = 0; i < want->n_vfs; i++) {
		const struct pol_vf *v = state_vf(pf, want->vf[i].index);

		if (v)
			mask |= want->vf[i].set & ~v->set;
	}
	tell(t, &vf_fields, mask, "of VFs of ");
}

void pol_each_unknown(const struct pol_state *want,
                      const struct pol_state *seen,
                      void (*say)(const char *text, void *arg), void *arg)
{
	for (size_t i = 0; i < want->n_pfs; i++) {
		struct teller t = { say, arg, state_pf(seen, want->pf[i].bdf) };

		if (t.pf)
			tell_pf(&t, &want->pf[i]);
	}
}

/* ---- what netd asks of the machine once it knows what is wanted ---------- */

/* Of a PF; by inventory-ask.c of newer inventories. */

static const struct {
	uint32_t has;
	const char *key, *mend;
} asked[] = {
	{ POL_HAS_PARAMS, "devlink-params",
	  "`fairlead record` it anew; or add `\"devlink-params\": [{\"name\": .., \"value\": .., "
	  "\"cmode\": \"runtime\"}]` to its line, as `devlink dev param show` "
	  "tells" },
	{ POL_HAS_BRIDGE, "bridge",
	  "`fairlead record` it anew; or add `\"bridge\": {\"name\": .., \"there\": true, "
	  "\"vlan-filtering\": true}` to its line" },
};

/* Without them a plan would leave out what is wanted. */
static void lacks_overs(const struct pol_state *want,
                        const struct pol_state *seen, struct pol_errors *errs)
{
	for (size_t i = 0; i < want->n_overs; i++) {
		const struct pol_overlay *o = &want->over[i].o;
		struct diag *d;

		if (state_over(seen, o->bridge))
			continue;
		d = pol_err(errs, o->pos, FL_POL_INVENTORY_LACKS,
		            "the inventory does not say what there is of %s %s",
		            o->ovs ? "Open vSwitch bridge" : "overlay bridge",
		            o->bridge);
		diag_why(d, "%s",
		         o->ovs ? "an earlier fairlead recorded it, or Open "
		                  "vSwitch did not answer then"
		                : "an earlier fairlead recorded it");
		diag_mend(d, "`fairlead record` it anew; docs/inventory.md has "
		             "what to add");
	}
}

int pol_inventory_lacks(const struct pol_state *want,
                        const struct pol_state *seen, struct pol_errors *errs)
{
	char b[BDF_STRLEN];

	errs->n = 0;
	errs->dropped = 0;
	for (size_t i = 0; i < want->n_pfs; i++) {
		const struct pol_pf *w = &want->pf[i];
		const struct pol_pf *s = state_pf(seen, w->bdf);

		for (size_t k = 0; s && k < ARRAY_SIZE(asked); k++) {
			struct diag *d;

			if (!(w->set & ~s->set & asked[k].has))
				continue;
			d = pol_err(errs, w->pos, FL_POL_INVENTORY_LACKS,
			            "the inventory does not say '%s' of %s",
			            asked[k].key, bdf_format(w->bdf, b));
			diag_why(d, "an earlier fairlead recorded it, or the "
			            "kernel did not tell");
			diag_mend(d, "%s", asked[k].mend);
		}
	}
	lacks_overs(want, seen, errs);
	return errs->n ? -EINVAL : 0;
}
