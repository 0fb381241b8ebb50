/* SPDX-License-Identifier: GPL-2.0-or-later */
/* States: looked up, freed, and made into wants. */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

/* `to` is zero-terminated whatever `from` holds. */
void copy_text(char *to, size_t size, const char *from)
{
	size_t n = strnlen(from, size - 1);

	memcpy(to, from, n);
	to[n] = '\0';
}

const struct pol_pf *state_pf(const struct pol_state *s, struct bdf b)
{
	for (size_t i = 0; i < s->n_pfs; i++)
		if (bdf_equal(s->pf[i].bdf, b))
			return &s->pf[i];
	return NULL;
}

const struct pol_whole *state_whole(const struct pol_state *s, struct bdf b)
{
	for (size_t i = 0; i < s->n_wholes; i++)
		if (bdf_equal(s->whole[i].bdf, b))
			return &s->whole[i];
	return NULL;
}

bool is_held(int holder_pid, const char *holder, const char *label)
{
	return holder_pid || *holder || *label;
}

const struct pol_bridge *find_bridge(const struct pol_switch *sw,
                                     const char *name)
{
	for (unsigned i = 0; i < sw->n_bridges; i++)
		if (!strcmp(sw->bridge[i].name, name))
			return &sw->bridge[i];
	return NULL;
}

const struct pol_vf *state_vf(const struct pol_pf *pf, unsigned index)
{
	/* As a machine is seen. */
	if (index < pf->n_vfs && pf->vf[index].index == index)
		return &pf->vf[index];
	for (size_t i = 0; i < pf->n_vfs; i++)
		if (pf->vf[i].index == index)
			return &pf->vf[i];
	return NULL;
}

/*
 * Routing ID of VF n (counted from 0) = PF's + First VF Offset + n * VF
 * Stride (PCIe 6.0 9.3.3.9, 9.3.3.10), which may carry into the bus number.
 */
int vf_address(const struct pol_pf *pf, unsigned index, struct bdf *ret)
{
	const struct pol_vf *seen = state_vf(pf, index);
	uint64_t rid = (uint64_t)pf->bdf.bus << 8 | (uint64_t)pf->bdf.dev << 3 |
	               pf->bdf.fn;

	if (seen) {
		*ret = seen->bdf;
		return 0;
	}
	if (!pf->vf_offset) { /* of a VF it is never 0: not known */
		*ret = pf->bdf;
		return 0;
	}
	rid += pf->vf_offset + (uint64_t)index * pf->vf_stride;
	if (rid > UINT16_MAX)
		return -ERANGE;
	*ret = (struct bdf){ .domain = pf->bdf.domain,
		             .bus = (uint8_t)(rid >> 8),
		             .dev = (uint8_t)(rid >> 3 & 31),
		             .fn = (uint8_t)(rid & 7) };
	return 0;
}

void pol_state_free(struct pol_state *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_pfs; i++) {
		free(s->pf[i].vf);
		free(s->pf[i].sw.all);
	}
	free(s->pf);
	free(s->whole);
	free(s->over);
	for (size_t i = 0; i < s->n_links; i++)
		free(s->link[i].address);
	free(s->link);
	free(s->machine.pages);
	free(s);
}

void pol_whole_of_pf(struct pol_whole *w, const struct pol_pf *pf)
{
	char b[BDF_STRLEN];

	w->num_vfs = pf->num_vfs;
	for (size_t i = 0; i < pf->n_vfs; i++) {
		const struct pol_vf *v = &pf->vf[i];

		if (!is_held(v->holder_pid, v->holder, v->label))
			continue;
		snprintf(w->vf_user, sizeof(w->vf_user),
		         "%.31s (pid %d) has VF %u, %s",
		         *v->label ? v->label : v->holder, v->holder_pid,
		         v->index, bdf_format(v->bdf, b));
		return;
	}
}

/* Only what was stated, and nothing of the observer's remarks. */
static void want_vf(const struct pol_vf *saved, struct pol_vf *w)
{
	w->set = saved->set;
	w->index = saved->index;
	w->bdf = saved->bdf;
	memcpy(w->mac, saved->mac, sizeof(w->mac));
	w->vlan = saved->vlan;
	w->proto = saved->proto;
	w->qos = saved->qos;
	w->spoof = saved->spoof;
	w->trust = saved->trust;
	w->rss = saved->rss;
	w->rate_min = saved->rate_min;
	w->rate_max = saved->rate_max;
	w->link_state = saved->link_state;
	copy_text(w->driver, sizeof(w->driver), saved->driver);
	copy_text(w->override, sizeof(w->override), saved->override);
	copy_text(w->rate_group, sizeof(w->rate_group), saved->rate_group);
	w->port = saved->port;
	w->msix = saved->msix;
	w->res = saved->res;
	w->group = -1;
}

/* A bridge may have gone since: then it need not come back. */
static void want_switch(const struct pol_pf *saved, struct pol_pf *w)
{
	w->sw = saved->sw;
	w->sw.all = NULL;
	w->sw.n_all = 0;
	for (unsigned i = 0; i < w->sw.n_bridges; i++) {
		w->sw.bridge[i].given = saved->sw.bridge[i].there;
		w->sw.bridge[i].there = false;
	}
}

static int want_pf(const struct pol_pf *saved, struct pol_pf *w)
{
	w->set = saved->set;
	w->bdf = saved->bdf;
	w->num_vfs = saved->num_vfs;
	w->autoprobe = saved->autoprobe;
	w->link_up = saved->link_up;
	w->mtu = saved->mtu;
	copy_text(w->name, sizeof(w->name), saved->name);
	want_switch(saved, w);
	w->nvme = saved->nvme;
	if (!saved->n_vfs)
		return 0;
	w->vf = calloc(saved->n_vfs, sizeof(*w->vf));
	if (!w->vf)
		return -ENOMEM;
	w->n_vfs = saved->n_vfs;
	for (size_t i = 0; i < w->n_vfs; i++)
		want_vf(&saved->vf[i], &w->vf[i]);
	return 0;
}

static void want_whole(const struct pol_whole *saved, struct pol_whole *w)
{
	w->set = saved->set;
	w->bdf = saved->bdf;
	copy_text(w->driver, sizeof(w->driver), saved->driver);
	copy_text(w->override, sizeof(w->override), saved->override);
	w->group = -1;
}

static int want_wholes(const struct pol_state *saved, struct pol_state *w)
{
	if (!saved->n_wholes)
		return 0;
	w->whole = calloc(saved->n_wholes, sizeof(*w->whole));
	if (!w->whole)
		return -ENOMEM;
	w->n_wholes = saved->n_wholes;
	for (size_t i = 0; i < w->n_wholes; i++)
		want_whole(&saved->whole[i], &w->whole[i]);
	return 0;
}

static int want_overs(const struct pol_state *saved, struct pol_state *w)
{
	if (!saved->n_overs)
		return 0;
	w->over = calloc(saved->n_overs, sizeof(*w->over));
	if (!w->over)
		return -ENOMEM;
	w->n_overs = saved->n_overs;
	for (size_t i = 0; i < w->n_overs; i++) {
		w->over[i].there = saved->over[i].there;
		w->over[i].o = saved->over[i].o;
	}
	return 0;
}

int pol_want_from_state(const struct pol_state *saved,
                        struct pol_state **ret_want)
{
	struct pol_state *w = calloc(1, sizeof(*w));
	int r = w ? 0 : -ENOMEM;

	if (!r && saved->n_pfs) {
		w->pf = calloc(saved->n_pfs, sizeof(*w->pf));
		r = w->pf ? 0 : -ENOMEM;
	}
	for (size_t i = 0; !r && i < saved->n_pfs; i++) {
		w->n_pfs = i + 1;
		r = want_pf(&saved->pf[i], &w->pf[i]);
	}
	if (!r)
		r = want_wholes(saved, w);
	if (!r)
		r = want_overs(saved, w);
	if (r) {
		pol_state_free(w);
		return r;
	}
	*ret_want = w;
	return 0;
}
