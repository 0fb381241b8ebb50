/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An assigned function's view, from its layout.
 *
 * Order: bytes of what is shown -> register tables over them -> the chains,
 * relinked last because they alone decide what the guest can find -> sealed.
 */
#include "pci-config/priv.h"

#include <string.h>

static void show_bytes(struct cfg_space *s, const struct cfg_layout *l)
{
	for (unsigned i = 0; i < l->n_caps; i++) {
		const struct cfg_cap *c = &l->cap[i];

		if (c->verdict != CFG_HIDDEN)
			memcpy(s->now + c->off, l->raw + c->off, c->len);
	}
}

/* The pointer that leads to the next capability shown: the header's, then
 * each shown one's own. */
static void link_std(struct cfg_space *s, const struct cfg_layout *l)
{
	unsigned ptr = CFG_CAP_PTR;

	for (unsigned i = 0; i < l->n_caps; i++) {
		const struct cfg_cap *c = &l->cap[i];

		if (c->ext || c->verdict == CFG_HIDDEN)
			continue;
		s->now[ptr] = (uint8_t)c->off;
		s->now[CFG_STATUS] |= CFG_STATUS_CAPS;
		s->now[c->off] = (uint8_t)c->id;
		ptr = c->off + 1u;
		s->now[ptr] = 0;
	}
}

static void put_ext(struct cfg_space *s, unsigned off, uint32_t id,
                    uint32_t version)
{
	store_le(s->now + off, 4,
	         FIELD_PREP(BITS(15, 0), id) |
	                 FIELD_PREP(BITS(19, 16), version));
}

/* The extended chain begins at 0x100 whatever is there: when that one is
 * hidden, a Null capability (PCIe 6.0 7.9.28) stands in its place. */
static void link_ext(struct cfg_space *s, const struct cfg_layout *l)
{
	unsigned last = CFG_SIZE_PCI;

	for (unsigned i = 0; i < l->n_caps; i++) {
		const struct cfg_cap *c = &l->cap[i];

		if (!c->ext || c->verdict == CFG_HIDDEN)
			continue;
		put_ext(s, c->off, c->id, c->version);
		/* Bits 31:20 of the header before lead here. */
		if (c->off != CFG_SIZE_PCI)
			store_le(s->now + last + 2, 2,
			         load_le(s->now + last + 2, 2) |
			                 FIELD_PREP(BITS(15, 4), c->off));
		last = c->off;
	}
}

void cfg_plan_endpoint(struct cfg_plan *p, const struct cfg_layout *l,
                       const struct cfg_place *place)
{
	memset(p, 0, sizeof(*p));
	cfg_plan_header(p, place);
	cfg_plan_bars(p, l);
	for (unsigned i = 0; i < l->n_caps; i++) {
		const struct cfg_cap *c = &l->cap[i];
		const struct cfg_kind *k = cfg_kind_find(c->ext, c->id);

		if (c->verdict == CFG_SHOWN && k->plan)
			k->plan(p, l, c, place);
	}
}

void cfg_compose_endpoint(struct cfg_space *s, const struct cfg_layout *l,
                          const struct cfg_place *place)
{
	struct cfg_plan plan;

	cfg_space_init(s);
	memcpy(s->bar, l->bar, sizeof(s->bar));
	s->rom_size = l->rom_size;
	s->msi = l->msi;
	s->msix = l->msix;
	s->express = l->express;
	s->pm = l->pm;
	cfg_plan_endpoint(&plan, l, place);
	show_bytes(s, l);
	cfg_space_plan(s, l->raw, &plan);
	link_std(s, l);
	link_ext(s, l);
	cfg_space_seal(s, l->raw);
}
