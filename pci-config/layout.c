/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takes a function's layout from a snapshot, once.
 *
 * Order: header -> BARs -> both chains -> lengths (a capability owns at most
 * the bytes up to the next one) -> verdicts. Verdicts come last because they
 * look at BARs (MSI-X) and at lengths.
 */
#include "pci-config/priv.h"

#include <string.h>

uint32_t cfg_raw(const struct cfg_layout *l, unsigned off, unsigned width)
{
	if (!range_inside(off, width, l->size))
		return 0;
	return (uint32_t)load_le(l->raw + off, width);
}

static int why_and_mend(struct diag *d, int err, const char *why,
                        const char *mend)
{
	diag_why(d, "%s", why);
	diag_mend(d, "%s", mend);
	return err;
}

static int check_header(const uint8_t *raw, size_t size, struct diag *d)
{
	if (size != CFG_SIZE_PCI && size != CFG_SIZE) {
		diag_fail(d, -EINVAL, FL_CFG_HEADER,
		          "configuration space of %zu bytes", size);
		return why_and_mend(d, -EINVAL,
		                    "it must be 256 or 4096 bytes long",
		                    "lspci -xxxx shows it whole to root");
	}
	if (load_le(raw, 4) == UINT32_MAX) {
		diag_fail(d, -EINVAL, FL_CFG_HEADER, "configuration space");
		return why_and_mend(
			d, -EINVAL,
			"the device answers with all ones: it is gone, "
			"asleep in D3cold, or held in reset",
			"lspci; dmesg; it may need a power cycle");
	}
	if ((raw[0x0e] & 0x7f) != 0) {
		diag_fail(d, -EINVAL, FL_CFG_HEADER,
		          "configuration header of type %d", raw[0x0e] & 0x7f);
		return why_and_mend(d, -EINVAL,
		                    "only endpoints (type 0) are assigned, not "
		                    "bridges",
		                    "assign the functions behind the bridge");
	}
	return 0;
}

/* ---- BARs ---------------------------------------------------------------- */

static enum cfg_bar_kind bar_kind(uint32_t reg)
{
	if (reg & 1)
		return CFG_BAR_IO;
	/* Bits 2:1: 00 = 32-bit, 10 = 64-bit, others reserved (7.5.1.2.1). */
	return FIELD_GET(BITS(2, 1), reg) == 2 ? CFG_BAR_MEM64 : CFG_BAR_MEM32;
}

static bool bar_size_fits(enum cfg_bar_kind kind, uint64_t size)
{
	static const struct {
		uint64_t least, most;
	} limit[] = {
		[CFG_BAR_IO] = { 4, 1u << 16 },
		[CFG_BAR_MEM32] = { 16, 1u << 31 },
		[CFG_BAR_MEM64] = { 16, 1ull << 63 },
	};

	return is_power_of_2(size) && size >= limit[kind].least &&
	       size <= limit[kind].most;
}

static int bar_fail(struct diag *d, unsigned i, uint64_t size, const char *why)
{
	diag_fail(d, -EINVAL, FL_CFG_BAR, "BAR %u of 0x%llx bytes", i,
	          (unsigned long long)size);
	return why_and_mend(d, -EINVAL, why, "lspci -vv; another device");
}

static int parse_bars(struct cfg_layout *l, const uint64_t *size,
                      struct diag *d)
{
	for (unsigned i = 0; i < CFG_BARS; i++) {
		const uint32_t reg = cfg_raw(l, CFG_BAR0 + 4 * i, 4);
		const enum cfg_bar_kind kind = bar_kind(reg);

		if (!size[i])
			continue;
		if (!bar_size_fits(kind, size[i]))
			return bar_fail(d, i, size[i],
			                "not a power of two that its kind of "
			                "BAR can have");
		l->bar[i] = (struct cfg_bar){
			.kind = kind,
			.prefetch = kind != CFG_BAR_IO && (reg & 8),
			.size = size[i],
		};
		if (kind != CFG_BAR_MEM64)
			continue;
		if (i + 1 == CFG_BARS || size[i + 1])
			return bar_fail(d, i, size[i],
			                "a 64-bit BAR needs the next register "
			                "for its upper half");
		l->bar[++i].kind = CFG_BAR_UPPER;
	}
	return 0;
}

/* ---- chains -------------------------------------------------------------- */

static void say_cut(struct diag *d, bool ext, unsigned ptr)
{
	diag_fail(d, -ELOOP, FL_CFG_LOOP, "%s capability chain",
	          ext ? "extended" : "standard");
	diag_why(d,
	         "the pointer to 0x%x leads back, outside the space, or to "
	         "nothing: what follows is not shown",
	         ptr);
	diag_mend(d, "nothing, where the guest's driver does without; the "
	             "device's firmware");
}

static void take_chain(struct cfg_layout *l, bool ext, struct diag *d)
{
	struct cfg_walk w;
	struct cfg_step step;

	cfg_walk_begin(&w, l->raw, l->size, ext);
	while (cfg_walk_next(&w, &step)) {
		if (l->n_caps == CFG_MAX_CAPS) {
			w.cut = true;
			w.cut_ptr = step.off;
			break;
		}
		l->cap[l->n_caps++] = (struct cfg_cap){
			.id = step.id,
			.off = step.off,
			.version = step.version,
			.ext = ext,
		};
	}
	if (w.cut) {
		l->chain_cut = true;
		say_cut(d, ext, w.cut_ptr);
	}
}

/* First byte behind `c` that is another capability's, or the space's end. */
static unsigned cap_limit(const struct cfg_layout *l, const struct cfg_cap *c)
{
	unsigned limit = c->ext ? l->size : CFG_SIZE_PCI;

	for (unsigned i = 0; i < l->n_caps; i++) {
		const struct cfg_cap *o = &l->cap[i];

		if (o->ext == c->ext && o->off > c->off && o->off < limit)
			limit = o->off;
	}
	return limit;
}

static void set_len(const struct cfg_layout *l, struct cfg_cap *c)
{
	const struct cfg_kind *k = cfg_kind_find(c->ext, c->id);
	const unsigned head = c->ext ? 4 : 2;
	unsigned len = k->len ? k->len(l, c->off) : k->bytes;

	len = MAX(len, head);
	c->len = (uint16_t)MIN(len, cap_limit(l, c) - c->off);
}

static bool shown_before(const struct cfg_layout *l, const struct cfg_cap *c)
{
	for (const struct cfg_cap *o = l->cap; o < c; o++)
		if (o->ext == c->ext && o->id == c->id &&
		    o->verdict == CFG_SHOWN)
			return true;
	return false;
}

static void hide(struct cfg_cap *c, const char *reason)
{
	c->verdict = CFG_HIDDEN;
	c->reason = reason;
}

static void judge(struct cfg_layout *l, struct cfg_cap *c)
{
	const struct cfg_kind *k = cfg_kind_find(c->ext, c->id);
	const char *unfit = NULL;

	c->verdict = k->verdict;
	c->reason = k->reason;
	if (c->verdict == CFG_HIDDEN)
		return;
	if (c->len < k->need)
		return hide(c, "too short: the next capability overlaps it");
	if (c->verdict == CFG_SHOWN && shown_before(l, c))
		return hide(c, "second of its kind");
	if (k->take)
		unfit = k->take(l, c);
	if (unfit)
		hide(c, unfit);
}

int cfg_layout_parse(const uint8_t *raw, size_t size,
                     const uint64_t bar_size[static CFG_BARS],
                     struct cfg_layout *ret, struct diag *d)
{
	struct cfg_layout l = { 0 };
	int r;

	r = check_header(raw, size, d);
	if (r < 0)
		return r;
	memcpy(l.raw, raw, size);
	l.size = (uint16_t)size;
	r = parse_bars(&l, bar_size, d);
	if (r < 0)
		return r;
	take_chain(&l, false, d);
	take_chain(&l, true, d);
	for (unsigned i = 0; i < l.n_caps; i++)
		set_len(&l, &l.cap[i]);
	for (unsigned i = 0; i < l.n_caps; i++)
		judge(&l, &l.cap[i]);
	*ret = l;
	return 0;
}

const struct cfg_cap *cfg_layout_find(const struct cfg_layout *l, bool ext,
                                      uint16_t id)
{
	for (unsigned i = 0; i < l->n_caps; i++)
		if (l->cap[i].ext == ext && l->cap[i].id == id)
			return &l->cap[i];
	return NULL;
}

const char *cfg_verdict_name(enum cfg_verdict v)
{
	switch (v) {
	case CFG_SHOWN:
		return "shown";
	case CFG_READONLY:
		return "read-only";
	case CFG_HIDDEN:
		break;
	}
	return "hidden";
}
