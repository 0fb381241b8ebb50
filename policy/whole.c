/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole functions: each entry of `devices` finds its function, then those
 * that must come along, and each of them is asked whether the host can do
 * without it.
 *
 * Companions are the other functions of its slot and the other members of its
 * IOMMU group: the group is what the hardware can keep apart, the slot what
 * drivers expect to find together. In the guest they share a slot and keep
 * the host's function numbers; a member from another slot of the host gets
 * the number it had where that is free, else the lowest free one, and there
 * is always a function 0, since no guest would look for the others without.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

#define FUNCTIONS 8

/* One entry, with what goes with it: main first, then ascending. */
struct set {
	const struct pol_device *dev;
	size_t index;
	const struct pol_whole *fn[FUNCTIONS];
	uint8_t number[FUNCTIONS];
	size_t n;
};

/* ---- which --------------------------------------------------------------- */

/* What has been given to vfio no longer shows the driver that it is known by:
 * it must still be found then. */
static struct subject subject_of(const struct pol_device *dev,
                                 const struct pol_whole *w)
{
	return (struct subject){
		.bdf = w->bdf,
		.set = w->set,
		.vendor = w->vendor,
		.device = w->device,
		.class_code = w->class_code,
		.interface = w->interface,
		.driver = pol_driver_is_vfio(w->driver) ? dev->match.driver
		                                        : w->driver,
		.id = &w->id,
	};
}

static const char *kind_of(const struct pol_device *dev)
{
	return pol_kind_name(dev->kind);
}

static bool fits(const struct pol_device *dev, const struct pol_whole *w)
{
	const struct subject s = subject_of(dev, w);

	return !w->bridge && !w->virtual_fn && match_fits(&dev->match, &s);
}

/* "0000:03:00.0 (1b36:0010, nvme)" */
static void describe(const struct pol_whole *w, char *buf, size_t size)
{
	char b[BDF_STRLEN];

	snprintf(buf, size, "%s (%04x:%04x, %s)", bdf_format(w->bdf, b),
	         w->vendor, w->device, *w->driver ? w->driver : "no driver");
}

static void say_list(struct diag *d, const char *lead,
                     const struct pol_whole *const *list, size_t n)
{
	char line[DIAG_LINE], one[120];
	size_t at = (size_t)snprintf(line, sizeof(line), "%s", lead);

	for (size_t i = 0; i < n; i++) {
		describe(list[i], one, sizeof(one));
		if (at + strlen(one) + 8 > sizeof(line)) {
			snprintf(line + at, sizeof(line) - at, ", ...");
			break;
		}
		at += (size_t)snprintf(line + at, sizeof(line) - at, "%s %s",
		                       i ? "," : "", one);
	}
	diag_why(d, "%s", line);
}

static void another_card(struct resolve *r, const struct pol_device *dev,
                         const struct pol_whole *w)
{
	const struct subject s = subject_of(dev, w);
	char line[DIAG_LINE], one[120];
	struct diag *d;

	describe(w, one, sizeof(one));
	d = pol_err(r->errs, dev->match.pos, FL_POL_IDENTITY,
	            "%s %s: at its address is %s, which is another",
	            kind_of(dev), dev->name, one);
	match_differences(&dev->match, &s, line, sizeof(line));
	diag_why(d, "%s", line);
	diag_mend(d, "if the card was changed on purpose, change 'match'");
}

static void none_fits(struct resolve *r, const struct pol_device *dev)
{
	const struct pol_whole *w =
		dev->match.by_pci ? state_whole(r->seen, dev->match.pci) : NULL;
	char b[BDF_STRLEN] = "";
	struct diag *d;

	if (w && !w->virtual_fn && !w->bridge) {
		another_card(r, dev, w);
		return;
	}
	d = pol_err(r->errs, dev->match.pos, FL_POL_NO_MATCH,
	            "%s %s: no function matches", kind_of(dev), dev->name);
	if (dev->match.by_pci)
		bdf_format(dev->match.pci, b);
	if (w && w->virtual_fn) {
		diag_why(d, "%s is a virtual function", b);
		diag_mend(d, "give VFs to guests through 'nics' and 'pools'");
	} else if (w && w->bridge) {
		diag_why(d, "%s is a bridge: it belongs to the host", b);
		diag_mend(d, "name a device behind it");
	} else {
		diag_why(d, "nothing of this host is so");
		diag_mend(d, "see `lspci -Dnnk%s%s` and `fairlead doctor`",
		          *b ? " -s " : "", b);
	}
}

static const struct pol_whole *find(struct resolve *r,
                                    const struct pol_device *dev)
{
	const struct pol_whole *found[FUNCTIONS];
	size_t n = 0;
	struct diag *d;

	for (size_t i = 0; i < r->seen->n_wholes; i++) {
		if (!fits(dev, &r->seen->whole[i]))
			continue;
		if (n < FUNCTIONS)
			found[n] = &r->seen->whole[i];
		n++;
	}
	if (n == 1)
		return found[0];
	if (!n) {
		none_fits(r, dev);
		return NULL;
	}
	d = pol_err(r->errs, dev->match.pos, FL_POL_NO_MATCH,
	            "%s %s: %zu functions match, one is needed", kind_of(dev),
	            dev->name, n);
	say_list(d, "they are:", found, MIN(n, (size_t)FUNCTIONS));
	diag_mend(d, "add `pci:` with the address of the one meant");
	return NULL;
}

/* ---- who comes along ----------------------------------------------------- */

static bool same_slot(struct bdf a, struct bdf b)
{
	return a.domain == b.domain && a.bus == b.bus && a.dev == b.dev;
}

static bool same_group(const struct pol_whole *a, const struct pol_whole *b)
{
	return a->group >= 0 && a->group == b->group;
}

static bool is_companion(const struct pol_whole *main,
                         const struct pol_whole *w)
{
	return w != main && !w->bridge &&
	       (same_group(main, w) ||
	        (same_slot(main->bdf, w->bdf) && !w->virtual_fn));
}

static bool refuse_alone(struct resolve *r, const struct set *s)
{
	const struct pol_whole *others[FUNCTIONS], *main = s->fn[0];
	char b[BDF_STRLEN];
	size_t n = 0;
	struct diag *d;

	for (size_t i = 0; i < r->seen->n_wholes && n < FUNCTIONS; i++) {
		const struct pol_whole *w = &r->seen->whole[i];

		if (w != main && !w->bridge && same_group(main, w))
			others[n++] = w;
	}
	if (!n)
		return false;
	d = pol_err(r->errs, s->dev->pos, FL_POL_COMPANIONS,
	            "%s %s: %s cannot be assigned alone", kind_of(s->dev),
	            s->dev->name, bdf_format(main->bdf, b));
	say_list(d, "the IOMMU cannot keep it apart from", others, n);
	diag_mend(d, "write `group: with-companions` to give all of them, or "
	             "put the card behind a port with ACS");
	return true;
}

static bool too_many(struct resolve *r, const struct set *s)
{
	struct diag *d = pol_err(r->errs, s->dev->pos, FL_POL_COMPANIONS,
	                         "%s %s: more than %d functions go with it",
	                         kind_of(s->dev), s->dev->name, FUNCTIONS);

	diag_why(d, "a slot of the guest has room for %d", FUNCTIONS);
	diag_mend(d, "put the card behind a port with ACS, so that its IOMMU "
	             "group is smaller; see `fairlead doctor`");
	return true;
}

/* True when an error was added. */
static bool collect(struct resolve *r, struct set *s)
{
	if (s->dev->companions == POL_ALONE)
		return refuse_alone(r, s);
	for (size_t i = 0; i < r->seen->n_wholes; i++) {
		if (!is_companion(s->fn[0], &r->seen->whole[i]))
			continue;
		if (s->n == FUNCTIONS)
			return too_many(r, s);
		s->fn[s->n++] = &r->seen->whole[i];
	}
	return false;
}

/* The main one's slot mates keep their numbers, so they go first. */
static void number_functions(struct set *s)
{
	bool given[FUNCTIONS] = { false }, used[FUNCTIONS] = { false };

	if (s->n == 1) {
		s->number[0] = 0;
		return;
	}
	for (size_t i = 0; i < s->n; i++)
		if (same_slot(s->fn[0]->bdf, s->fn[i]->bdf)) {
			s->number[i] = s->fn[i]->bdf.fn;
			given[i] = used[s->number[i]] = true;
		}
	for (size_t i = 0; i < s->n; i++) {
		uint8_t f = s->fn[i]->bdf.fn;

		if (given[i])
			continue;
		for (f = used[f] ? 0 : f; used[f];)
			f++;
		s->number[i] = f;
		used[f] = true;
	}
	for (size_t i = 0, low = 0; !used[0] && i < s->n; i++) {
		if (s->number[i] < s->number[low])
			low = i;
		if (i == s->n - 1)
			s->number[low] = 0;
	}
}

/* ---- can the host do without it? ----------------------------------------- */

void refuse_use(struct resolve *r, struct pol_pos pos, enum pol_kind kind,
                const char *name, const struct pol_whole *w, const char *mend)
{
	char line[DIAG_LINE] = "", b[BDF_STRLEN];
	struct pen p = { line, sizeof(line), 0 };
	struct diag *d;

	for (size_t i = 0; i < w->n_uses; i++)
		pen_put(&p, "%s%s", i ? "; " : "", w->use[i]);
	d = pol_err(r->errs, pos, FL_POL_HOST_USE, "%s %s: the host uses %s",
	            pol_kind_name(kind), name, bdf_format(w->bdf, b));
	diag_why(d, "%s", line);
	diag_mend(d,
	          "end that first (umount, swapoff, move the address, use "
	          "another screen)%s",
	          mend);
}

static void check_use(struct resolve *r, const struct set *s,
                      const struct pol_whole *w)
{
	/* Of a disk there is no such word: keys-nvme.c. */
	const char *take = s->dev->kind == POL_KIND_NVME
	                           ? ""
	                           : "; or write `in-use: take` in the device "
	                             "to take it nevertheless";

	if (w->n_uses && !s->dev->take)
		refuse_use(r, s->dev->pos, s->dev->kind, s->dev->name, w, take);
}

static void check_vfs(struct resolve *r, const struct set *s,
                      const struct pol_whole *w)
{
	char b[BDF_STRLEN];
	struct diag *d;

	if (!w->num_vfs)
		return;
	bdf_format(w->bdf, b);
	d = pol_err(r->errs, s->dev->pos, FL_POL_HAS_VFS, "%s %s: %s has VFs",
	            kind_of(s->dev), s->dev->name, b);
	if (*w->vf_user)
		diag_why(d, "PF assigned while its VFs are in use: %s",
		         w->vf_user);
	else
		diag_why(d, "its %u VF(s) would be lost", w->num_vfs);
	diag_mend(d,
	          "%sremove them: `virtual-function-count: 0` in a nic, or "
	          "`echo 0 > /sys/bus/pci/devices/%s/sriov_numvfs`",
	          *w->vf_user ? "end that first, then " : "", b);
}

static void check_group(struct resolve *r, const struct set *s,
                        const struct pol_whole *w)
{
	char b[BDF_STRLEN];
	struct diag *d;

	if (!r->seen->iommu || w->group >= 0)
		return;
	bdf_format(w->bdf, b);
	d = pol_err(r->errs, s->dev->pos, FL_POL_GROUP,
	            "%s %s: %s cannot be assigned", kind_of(s->dev),
	            s->dev->name, b);
	diag_why(d, "it is in no IOMMU group");
	diag_mend(d, "see `fairlead doctor %s`", b);
}

static void taken(struct resolve *r, const struct set *s, struct bdf b,
                  const char *part, enum pol_kind kind,
                  const struct named *other)
{
	char text[BDF_STRLEN];
	struct diag *d = pol_err(r->errs, s->dev->pos, FL_POL_CONFLICT,
	                         "%s %s: %s is %s%s %s", kind_of(s->dev),
	                         s->dev->name, bdf_format(b, text), part,
	                         pol_kind_name(kind), other->name);

	diag_why(d, "that is in %s", WHERE(r->p, other->pos, s->dev->pos));
	diag_mend(d, "remove one of them");
}

static void check_others(struct resolve *r, const struct set *s,
                         const struct pol_whole *w)
{
	for (size_t i = 0; i < r->p->n_nics; i++)
		if (r->at[i] && bdf_equal(r->at[i]->bdf, w->bdf))
			taken(r, s, w->bdf, "", r->p->nic[i].kind,
			      (const struct named *)&r->p->nic[i]);
	for (size_t i = 0; i < r->want->n_wholes; i++) {
		const struct pol_device *o =
			&r->p->device[r->want->whole[i].owner];

		if (bdf_equal(r->want->whole[i].bdf, w->bdf))
			taken(r, s, w->bdf, "part of ", o->kind,
			      (const struct named *)o);
	}
}

/* ---- want ---------------------------------------------------------------- */

/* The guest that uses the device, or NULL. */
static const struct pol_guest *user(const struct resolve *r, size_t device,
                                    const struct pol_guest_device **ret)
{
	for (size_t g = 0; g < r->p->n_guests; g++)
		for (size_t i = 0; i < r->p->guest[g].n_devices; i++)
			if (r->p->guest[g].device[i].device == device) {
				*ret = &r->p->guest[g].device[i];
				return &r->p->guest[g];
			}
	return NULL;
}

static void want_one(const struct resolve *r, const struct set *s, size_t i,
                     struct pol_whole *w)
{
	const struct pol_guest_device *as;
	const struct pol_guest *g = user(r, s->index, &as);

	w->bdf = s->fn[i]->bdf;
	w->set = POL_HAS_DRIVER | POL_HAS_OVERRIDE;
	copy_text(w->driver, sizeof(w->driver), "vfio-pci");
	copy_text(w->override, sizeof(w->override), "vfio-pci");
	w->owner = s->index;
	w->function = s->number[i];
	w->group = s->fn[i]->group;
	if (!g)
		return;
	if (i)
		snprintf(w->label, sizeof(w->label), "%.31s/%.29s:%u", g->name,
		         as->name, (unsigned)s->number[i] % FUNCTIONS);
	else
		snprintf(w->label, sizeof(w->label), "%s/%s", g->name,
		         as->name);
}

static void resolve_one(struct resolve *r, size_t index)
{
	size_t before = r->errs->n + r->errs->dropped;
	struct set s = { .dev = &r->p->device[index], .index = index };

	s.fn[0] = find(r, s.dev);
	if (!s.fn[0] || check_nvme(r, s.dev->kind, s.dev->name,
	                           s.dev->match.pos, s.fn[0]->bdf))
		return;
	s.n = 1;
	if (collect(r, &s))
		return;
	number_functions(&s);
	check_reset(r, s.dev, s.fn, s.n);
	for (size_t i = 0; i < s.n; i++) {
		check_others(r, &s, s.fn[i]);
		check_group(r, &s, s.fn[i]);
		check_vfs(r, &s, s.fn[i]);
		check_use(r, &s, s.fn[i]);
	}
	if (before != r->errs->n + r->errs->dropped)
		return;
	for (size_t i = 0; i < s.n; i++)
		want_one(r, &s, i, &r->want->whole[r->want->n_wholes++]);
}

/* Is the entry part of what is asked for? */
static bool wanted(const struct resolve *r, size_t index)
{
	const struct pol_guest_device *as;
	const struct pol_guest *g = user(r, index, &as);

	return !r->only || (g && concerns(r, g, as->name));
}

/* As many functions as a machine takes. */
static void check_total(struct resolve *r, const struct pol_guest *g)
{
	size_t n = 0, len = strlen(g->name);
	struct diag *d;

	for (size_t i = 0; i < g->n_nics; i++)
		n += g->nic[i].pool != SIZE_MAX;
	for (size_t i = 0; i < r->want->n_wholes; i++)
		n += !strncmp(r->want->whole[i].label, g->name, len) &&
		     r->want->whole[i].label[len] == '/';
	if (n <= POL_GUEST_NICS_MAX)
		return;
	d = pol_err(r->errs, g->pos, FL_POL_RANGE,
	            "guest %s has %zu functions, at most %d are allowed",
	            g->name, n, POL_GUEST_NICS_MAX);
	diag_why(d, "companions count as well");
	diag_mend(d, "give it fewer devices");
}

int resolve_devices(struct resolve *r)
{
	size_t n = r->p->n_devices;

	if (!n)
		return 0;
	r->want->whole = calloc(n * FUNCTIONS, sizeof(*r->want->whole));
	if (!r->want->whole)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (wanted(r, i))
			resolve_one(r, i);
	for (size_t g = 0; g < r->p->n_guests; g++)
		check_total(r, &r->p->guest[g]);
	return 0;
}
