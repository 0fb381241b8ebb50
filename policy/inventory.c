/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A recorded machine as text: what the planner knows of it, one JSON object a
 * line, so that it can be read, compared, edited and cut with what people
 * have for text.
 *
 *   {"fairlead-inventory": 1, "by": ..., the host}
 *   {"bdf", ids, class, driver ...}                     a function
 *   the same with "total-vfs", "num-vfs", ...           one that can have VFs
 *   the same with "vf-of", "index", "mac", ...          a VF, below its PF
 *   {"interface", "mtu", "addresses", ...}              one of the host's
 *   {"overlay", "dev", "id", ...}                       a bridge and its tunnel
 *   {"ovs-bridge", "datapath-type", ...}                one of Open vSwitch
 *
 * The words are those of machine-fields.c, and of what is at the host's
 * interfaces those of inventory-net.c and overlay-json.c. It is what was
 * understood of sysfs, netlink and proc, not their bytes: pol_resolve() and
 * pol_plan() read nothing else, so this is all that a plan can depend on, and a
 * person can write one for a machine that is not there yet.
 *
 * What follows from other lines (a PF's users among its VFs, what is a bridge)
 * is not written, and made anew on reading: inventory-read.c.
 */

#include "policy/inventory.h"

#include <string.h>

struct out {
	char *text;
	size_t n, room;
	int err;
	const struct pol_state *s;
	/* Its functions in the order of their addresses; which have a line */
	const struct pol_whole **by_bdf;
	bool *done;
};

static void append(struct out *o, const char *text, size_t len)
{
	if (o->n + len + 2 > o->room) {
		size_t room = 2 * (o->room + len + 64);
		char *more = realloc(o->text, room);

		if (!more) {
			o->err = -ENOMEM;
			return;
		}
		o->text = more;
		o->room = room;
	}
	memcpy(o->text + o->n, text, len);
	memcpy(o->text + o->n + len, "\n", 2);
	o->n += len + 1;
}

static void add_line(struct out *o, json_t *line)
{
	char *text = line ? json_dumps(line, 0) : NULL;

	json_decref(line);
	if (!text)
		o->err = -ENOMEM;
	if (!o->err)
		append(o, text, strlen(text));
	free(text);
}

static void host_line(struct out *o, const char *by)
{
	json_t *line = json_pack("{s:i}", INVENTORY_MAGIC, INVENTORY_VERSION);

	json_object_set_new(line, "by", json_string(by));
	fields_put(&host_fields, FIELD_SEEN, o->s, line);
	add_line(o, line);
}

/* ---- functions ----------------------------------------------------------- */

static int order(const void *va, const void *vb)
{
	const struct pol_whole *const *a = va, *const *b = vb;
	uint64_t ka = bdf_key((*a)->bdf), kb = bdf_key((*b)->bdf);

	return (ka > kb) - (ka < kb);
}

static int prepare(struct out *o)
{
	size_t n = o->s->n_wholes;

	// NOLINTNEXTLINE(bugprone-sizeof-expression): it is a table of pointers
	o->by_bdf = calloc(n + 1, sizeof(*o->by_bdf));
	o->done = calloc(n + 1, sizeof(*o->done));
	if (!o->by_bdf || !o->done)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		o->by_bdf[i] = &o->s->whole[i];
	qsort(o->by_bdf, n, sizeof(struct pol_whole *), order);
	return 0;
}

/* What all functions have; nothing where this one came or went under the
 * observer's eyes. */
static json_t *begin_line(struct out *o, struct bdf b)
{
	const struct pol_whole key = { .bdf = b }, *k = &key, **w;
	json_t *line = json_object();

	w = bsearch(&k, o->by_bdf, o->s->n_wholes, sizeof(struct pol_whole *),
	            order);
	if (w) {
		fields_put(&whole_fields, FIELD_SEEN, *w, line);
		o->done[*w - o->s->whole] = true;
	}
	return line;
}

static void vf_line(struct out *o, const struct pol_pf *pf,
                    const struct pol_vf *v)
{
	json_t *line = begin_line(o, v->bdf);
	char b[BDF_STRLEN];

	json_object_set_new(line, INVENTORY_VF_OF,
	                    json_string(bdf_format(pf->bdf, b)));
	fields_put(&vf_fields, FIELD_SEEN, v, line);
	add_line(o, line);
}

static void pf_lines(struct out *o, const struct pol_pf *pf)
{
	json_t *line = begin_line(o, pf->bdf);
	struct pol_pf told = *pf;

	/* Of which bridge that was, only the policy knows that was met. */
	if (o->s->n_links)
		told.set &= ~(uint32_t)POL_HAS_BRIDGE;
	fields_put(&pf_fields, FIELD_SEEN, &told, line);
	add_line(o, line);
	for (size_t i = 0; !o->err && i < pf->n_vfs; i++)
		vf_line(o, pf, &pf->vf[i]);
}

/* ---- the host's interfaces ----------------------------------------------- */

/* `key`: of its name. */
static void net_line(struct out *o, const struct fields *t, const char *key,
                     const void *obj)
{
	json_t *line = json_object();

	fields_put(t, FIELD_SEEN, obj, line);
	/* One whose name is no text cannot be named by a policy either. */
	if (line && !json_object_get(line, key))
		json_decref(line);
	else
		add_line(o, line);
}

static void net_lines(struct out *o)
{
	const struct pol_state *s = o->s;

	for (size_t i = 0; !o->err && i < s->n_links; i++)
		net_line(o, &link_fields, INVENTORY_LINK, &s->link[i]);
	for (size_t i = 0; !o->err && i < s->n_overs; i++) {
		bool ovs = s->over[i].o.ovs;

		if (inventory_has_over(&s->over[i]))
			net_line(o, ovs ? &over_ovs_fields : &over_fields,
			         ovs ? INVENTORY_OVS : INVENTORY_OVER,
			         &s->over[i]);
	}
}

static int format(struct out *o, const char *by)
{
	int r = prepare(o);

	if (r)
		return r;
	host_line(o, by);
	for (size_t i = 0; !o->err && i < o->s->n_pfs; i++)
		pf_lines(o, &o->s->pf[i]);
	for (size_t i = 0; !o->err && i < o->s->n_wholes; i++)
		if (!o->done[i])
			add_line(o, begin_line(o, o->s->whole[i].bdf));
	net_lines(o);
	return o->err;
}

int pol_inventory_format(const struct pol_state *s, const char *by, char **ret,
                         size_t *ret_len)
{
	struct out o = { .s = s };
	int r = format(&o, by);

	free(o.by_bdf);
	free(o.done);
	if (r) {
		free(o.text);
		return r;
	}
	*ret = o.text;
	*ret_len = o.n;
	return 0;
}
