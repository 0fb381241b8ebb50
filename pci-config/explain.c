/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why a guest reads other bytes than the host: each byte that differs is the
 * business of one register row, one capability, one chain pointer, or nobody;
 * that one's words are the reason. The same tables that make the view are
 * asked, so a view cannot change without its reason.
 */
#include "pci-config/priv.h"

#include <string.h>

/* Who speaks for a byte, and for the bytes after it up to `end`. */
struct owner {
	unsigned end;
	bool ext;
	uint16_t cap;
	const char *what, *reason;
};

struct view {
	const struct cfg_layout *l;
	const struct cfg_space *s;
	struct cfg_plan plan;
};

/* Bits that are read from the device are the device's either way. */
static bool differs(const struct view *v, unsigned at)
{
	return (v->l->raw[at] ^ v->s->reset[at]) & ~v->s->hw[at];
}

/* The first byte at or after `at` that differs; most are 0 on both sides. */
static unsigned next_different(const struct view *v, unsigned at)
{
	while (at < CFG_SIZE) {
		if (IS_ALIGNED(at, 8u) &&
		    !memcmp(v->l->raw + at, v->s->reset + at, 8))
			at += 8;
		else if (differs(v, at))
			break;
		else
			at++;
	}
	return at;
}

/* The row that made the byte: the last that covers it, as in the engine. */
static const struct cfg_row *find_row(const struct view *v, unsigned at,
                                      unsigned *ret_end)
{
	const struct cfg_row *found = NULL;

	for (unsigned b = 0; b < v->plan.n_blocks; b++) {
		const struct cfg_block *k = &v->plan.block[b];

		for (unsigned i = 0; i < k->n; i++) {
			const struct cfg_row *r = &k->row[i];
			const unsigned first = k->base + r->off;

			if (!range_inside(r->off, r->width, k->len) ||
			    at < first || at >= first + r->width)
				continue;
			found = r;
			*ret_end = first + r->width;
		}
	}
	return found;
}

static const struct cfg_cap *find_cap(const struct view *v, unsigned at)
{
	const bool ext = at >= CFG_SIZE_PCI;
	const struct cfg_cap *found = NULL;

	for (unsigned i = 0; i < v->l->n_caps; i++) {
		const struct cfg_cap *c = &v->l->cap[i];

		if (c->ext == ext && c->off <= at &&
		    (!found || c->off > found->off))
			found = c;
	}
	return found;
}

/* Where the next capability begins, or the space ends. */
static unsigned region_end(const struct view *v, unsigned at)
{
	unsigned end = at < CFG_SIZE_PCI ? CFG_SIZE_PCI : CFG_SIZE;

	for (unsigned i = 0; i < v->l->n_caps; i++)
		if (v->l->cap[i].off > at && v->l->cap[i].off < end)
			end = v->l->cap[i].off;
	return end;
}

static struct owner header_owner(const struct view *v, unsigned at)
{
	unsigned end = at + 1;
	const struct cfg_row *r = find_row(v, at, &end);

	if (at == CFG_CAP_PTR)
		return (struct owner){
			.end = end,
			.what = "Capabilities Pointer",
			.reason = "leads to the first capability shown",
		};
	if (r && r->what)
		return (struct owner){
			.end = end,
			.what = r->what,
			.reason = r->why,
		};
	return (struct owner){
		.end = end,
		.what = "header",
		.reason = "reserved in a type 0 header",
	};
}

/* Bytes between two capabilities, or behind a broken chain. */
static struct owner nobody(const struct view *v, unsigned at)
{
	return (struct owner){
		.end = region_end(v, at),
		.ext = at >= CFG_SIZE_PCI,
		.what = "no capability",
		.reason = "nothing describes these bytes, nor what they reach",
	};
}

static bool is_pointer(const struct cfg_cap *c, unsigned at)
{
	return c->ext ? at - c->off == 2 || at - c->off == 3 : at - c->off == 1;
}

static struct owner shown_owner(const struct view *v, const struct cfg_cap *c,
                                unsigned at)
{
	unsigned end = at + 1;
	const struct cfg_row *r;
	struct owner o = {
		.ext = c->ext,
		.cap = c->off,
		.what = cfg_cap_name(c->ext, c->id),
		.reason = c->reason,
	};

	if (is_pointer(c, at)) {
		o.end = c->off + (c->ext ? 4u : 2u);
		o.what = "Next Capability Pointer";
		o.reason = "what is hidden is not in the chain";
		return o;
	}
	r = c->verdict == CFG_SHOWN ? find_row(v, at, &end) : NULL;
	o.end = end;
	if (r && r->what) {
		o.what = r->what;
		o.reason = r->why;
	}
	return o;
}

static struct owner find_owner(const struct view *v, unsigned at)
{
	const struct cfg_cap *c;

	if (at < CFG_HEADER_SIZE)
		return header_owner(v, at);
	c = find_cap(v, at);
	if (c && c->verdict == CFG_HIDDEN)
		return (struct owner){
			.end = region_end(v, at),
			.ext = c->ext,
			.cap = c->off,
			.what = cfg_cap_name(c->ext, c->id),
			.reason = c->reason,
		};
	if (c && at < c->off + (unsigned)c->len)
		return shown_owner(v, c, at);
	return nobody(v, at);
}

size_t cfg_explain(const struct cfg_layout *l, const struct cfg_place *place,
                   const struct cfg_space *s, struct cfg_difference *ret,
                   size_t max)
{
	struct view v = { .l = l, .s = s };
	size_t n = 0;

	cfg_plan_endpoint(&v.plan, l, place);
	for (unsigned at = next_different(&v, 0); at < CFG_SIZE;
	     at = next_different(&v, at)) {
		const struct owner o = find_owner(&v, at);
		const unsigned first = at;
		unsigned last = at;

		for (; at < o.end; at = next_different(&v, at + 1))
			last = at;
		at = last + 1;
		if (n++ >= max)
			continue;
		ret[n - 1] = (struct cfg_difference){
			.off = (uint16_t)first,
			.len = (uint16_t)(last - first + 1),
			.ext = o.ext,
			.cap = o.cap,
			.what = o.what,
			.reason = o.reason,
		};
	}
	return n;
}
