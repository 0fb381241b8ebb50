/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine as a policy: `fairlead export`. It says what is, so that a plan of
 * it on the same machine is empty, and what no policy can say is in comments
 * that begin with "not said", with the reason: nobody is to believe that a
 * file holds all when it does not.
 *
 * Each PF with a driver is a nic, matched by address and ids; its VFs are in a
 * pool for each driver that they have, what is set on them in `overrides`.
 * Functions that vfio-pci has by their driver_override are devices, with their
 * companions where their group needs it. What is left out is left alone by the
 * policy, too.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "policy/export.h"

/* What every Ethernet interface begins with. */
#define MTU_USUAL 1500

/* ---- text ---------------------------------------------------------------- */

void put(struct export *e, const char *fmt, ...)
{
	va_list ap;
	size_t need;
	int n;

	if (e->err)
		return;
	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	need = e->n + (size_t)MAX(n, 0) + 1;
	if (n >= 0 && need > e->room) {
		char *more = realloc(e->text, 2 * need);

		if (more) {
			e->text = more;
			e->room = 2 * need;
		} else {
			n = -1;
		}
	}
	if (n < 0) {
		e->err = -ENOMEM;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(e->text + e->n, e->room - e->n, fmt, ap);
	va_end(ap);
	e->n += (size_t)n;
}

/* As scalar_name() has it: a letter, then letters, digits, '-', '_', '.'. */
bool is_name(const char *s)
{
	bool letter = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z');

	for (const char *c = s; *c; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
		      (*c >= '0' && *c <= '9') || strchr("-_.", *c)))
			return false;
	return letter;
}

/* A comment is one line whatever a kernel text holds. */
static void put_reason(struct export *e, const char *text)
{
	char line[160];

	copy_text(line, sizeof(line), text);
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
			*c = '?';
	put(e, "%s\n", line);
}

void not_said(struct export *e, struct bdf b, const char *fmt, ...)
{
	char text[BDF_STRLEN], line[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	put(e, "# not said of %s: ", bdf_format(b, text));
	put_reason(e, line);
}

void put_match(struct export *e, struct bdf b, uint16_t vendor, uint16_t device)
{
	char text[BDF_STRLEN];

	put(e,
	    "    match: { pci: \"%s\", vendor-id: \"%04x\", device-id: \"%04x\" "
	    "}\n",
	    bdf_format(b, text), vendor, device);
}

/* ---- nics ---------------------------------------------------------------- */

static bool name_taken(const struct export *e, size_t before, const char *name)
{
	for (size_t i = 0; i < before; i++)
		if (!strcmp(e->nic[i].name, name))
			return true;
	return false;
}

static void name_nic(struct export *e, size_t i, const struct pol_pf *pf)
{
	char *name = e->nic[i].name;
	struct bdf b = pf->bdf;

	if (is_name(pf->ifname) && strlen(pf->ifname) < POL_IFNAME &&
	    strncmp(pf->ifname, "pf-", 3) != 0 && !name_taken(e, i, pf->ifname))
		copy_text(name, POL_NAME, pf->ifname);
	else
		snprintf(name, POL_NAME, "pf-%x-%02x-%02x-%u", b.domain, b.bus,
		         b.dev, (unsigned)b.fn);
}

static bool is_network(const struct export *e, const struct pol_pf *pf)
{
	const struct pol_whole *w = state_whole(e->s, pf->bdf);

	return *pf->ifname || (w && w->class_code >> 8 == 2);
}

/* Is it to be a nic? Says why not. */
static bool may_be_nic(struct export *e, const struct pol_pf *pf)
{
	if (!*pf->driver) {
		not_said(e, pf->bdf, "it can have %u VFs, and has no driver",
		         pf->total_vfs);
		return false;
	}
	if (!pf->num_vfs && pol_driver_is_vfio(pf->driver))
		return false; /* a device */
	if (pf->num_vfs && is_nvme(e->s, pf->bdf))
		return false; /* export-nvme.c */
	if (!pf->num_vfs && !is_network(e, pf)) {
		not_said(e, pf->bdf,
		         "it is no network card (%s) and has none of its %u "
		         "VFs",
		         pf->driver, pf->total_vfs);
		return false;
	}
	if (e->n_nics == POL_NICS_MAX) {
		not_said(e, pf->bdf, "a policy has %d nics at most",
		         POL_NICS_MAX);
		return false;
	}
	return true;
}

static void put_nic(struct export *e, const struct pol_pf *pf)
{
	struct export_nic *nic = &e->nic[e->n_nics];

	nic->pf = pf;
	name_nic(e, e->n_nics, pf);
	if (!e->n_nics++)
		put(e, "nics:\n");
	put(e, "  - name: \"%s\"\n", nic->name);
	put_match(e, pf->bdf, pf->vendor, pf->device);
	if (pf->set & POL_HAS_NUMVFS)
		put(e, "    virtual-function-count: %u\n", pf->num_vfs);
	if (pf->set & POL_HAS_AUTOPROBE)
		put(e, "    drivers-autoprobe: %s\n",
		    pf->autoprobe ? "true" : "false");
	if (pf->set & POL_HAS_LINK && *pf->ifname)
		put(e, "    link: %s\n", pf->link_up ? "up" : "down");
	if (pf->set & POL_HAS_MTU && *pf->ifname && pf->mtu != MTU_USUAL)
		put(e, "    mtu: %u\n", pf->mtu);
	export_switch(e, pf);
	export_switch_unsaid(e, pf);
}

/* ---- pools --------------------------------------------------------------- */

/* The driver as a pool has it; NULL, with the reason said: none can. */
const char *export_driver(struct export *e, const struct pol_pf *pf,
                          const struct pol_vf *v, bool say)
{
	bool vfio = pol_driver_is_vfio(v->driver);
	const char *why = NULL;

	if (!(v->set & POL_HAS_DRIVER))
		why = "what drives it is not known";
	else if (!*v->driver)
		why = "it has no driver, and no pool wants none";
	else if (!vfio && !*v->override)
		return POL_DRIVER_DEFAULT;
	else if (strcmp(v->driver, v->override) != 0)
		why = "its driver was not bound by driver_override";
	else if (!is_name(v->driver))
		why = "the name of its driver is none of a policy";
	else if (vfio && (!e->s->iommu || !e->s->remapping))
		why = "vfio without an IOMMU or interrupt remapping";
	else if (vfio && (v->group < 0 || *v->blocker))
		why = "its IOMMU group cannot be assigned";
	else
		return strcmp(v->driver, pol_driver_vfio(pf)) ? v->driver
		                                              : "vfio";
	if (say)
		not_said(e, v->bdf, "VF %u of %s (%s): %s", v->index,
		         *pf->ifname ? pf->ifname : "its PF",
		         *v->driver ? v->driver : "unbound", why);
	return NULL;
}

/* "0-3,5" of those that have the driver. */
static void put_range(struct export *e, const struct pol_pf *pf,
                      const char *driver)
{
	bool first = true;

	for (size_t i = 0; i < pf->n_vfs; i++) {
		const char *d = export_driver(e, pf, &pf->vf[i], false);
		size_t last = i;

		if (!d || strcmp(d, driver) != 0)
			continue;
		for (; last + 1 < pf->n_vfs; last++) {
			d = export_driver(e, pf, &pf->vf[last + 1], false);
			if (!d || strcmp(d, driver) != 0)
				break;
		}
		put(e, last > i ? "%s%zu-%zu" : "%s%zu", first ? "" : ",", i,
		    last);
		first = false;
		i = last;
	}
}

static void put_pool(struct export *e, const struct export_nic *nic,
                     const char *driver, unsigned number)
{
	if (e->n_pools == POL_POOLS_MAX) {
		not_said(e, nic->pf->bdf, "a policy has %d pools at most",
		         POL_POOLS_MAX);
		return;
	}
	if (!e->n_pools++)
		put(e, "pools:\n");
	if (number)
		put(e, "  - name: \"%.20s-%u\"\n", nic->name, number);
	else
		put(e, "  - name: \"%s\"\n", nic->name);
	put(e, "    functions: [\"%s#", nic->name);
	put_range(e, nic->pf, driver);
	put(e, "\"]\n    driver: %s\n", driver);
}

/* A pool for each driver, in the order of their first VFs. */
static void put_pools(struct export *e, const struct export_nic *nic)
{
	const struct pol_pf *pf = nic->pf;
	unsigned number = 0;

	for (size_t i = 0; i < pf->n_vfs; i++) {
		const char *d = export_driver(e, pf, &pf->vf[i], true);
		bool seen = !d;

		for (size_t j = 0; j < i && !seen; j++) {
			const char *o = export_driver(e, pf, &pf->vf[j], false);

			seen = o && !strcmp(o, d);
		}
		if (!seen)
			put_pool(e, nic, d, number++);
	}
}

/* ---- all ----------------------------------------------------------------- */

int pol_export(const struct pol_state *s, char **ret, size_t *ret_len)
{
	struct export *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	e->s = s;
	put(e, "# This machine as it is: made by `fairlead export`. What no "
	       "policy can say of it\n# is in comments that begin with \"not "
	       "said\".\nversion: 1\n");
	for (size_t i = 0; i < s->n_pfs; i++)
		if (may_be_nic(e, &s->pf[i]))
			put_nic(e, &s->pf[i]);
	for (size_t i = 0; i < e->n_nics; i++)
		put_pools(e, &e->nic[i]);
	export_vfs(e);
	export_devices(e);
	export_nvme(e);
	r = e->err;
	if (r) {
		free(e->text);
	} else {
		*ret = e->text;
		*ret_len = e->n;
	}
	free(e);
	return r;
}
