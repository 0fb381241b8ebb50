/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSI, PCIe 6.0 7.7.1. The guest's message never reaches the device: the VMM
 * reads it from the shadow and programs VFIO, so nothing is forwarded. Pending
 * bits are the device's.
 */
#include "pci-config/priv.h"

#define CONTROL 0x02
#define ENABLE BIT(0)
#define MULTI_CAPABLE BITS(3, 1)
#define MULTI_ENABLE BITS(6, 4)
#define ADDR_64 BIT(7)
#define MASKABLE BIT(8)
#define ADDR_LOW 0x04
#define ADDR_HIGH 0x08

/* Offsets that move with the address width. */
struct places {
	uint16_t data, mask, pending;
	uint16_t len, len_maskable;
};
static const struct places places32 = { 0x08, 0x0c, 0x10, 0x0a, 0x14 };
static const struct places places64 = { 0x0c, 0x10, 0x14, 0x0e, 0x18 };

static const struct places *places_of(const struct cfg_msi_facts *f)
{
	return f->addr64 ? &places64 : &places32;
}

#define MESSAGE_WHY "the message is the guest's; the device has the host's"

static const struct cfg_row rows[] = {
	// clang-format off
	/* Extended Message Data (bits 10:9) is not offered. */
	{ .off = CONTROL, .width = 2, .event = CFG_EV_MSI,
	  .snap = MULTI_CAPABLE | ADDR_64 | MASKABLE,
	  .rw = ENABLE | MULTI_ENABLE, .what = "Message Control",
	  .why = "off until the guest turns it on; no extended data" },
	{ .off = ADDR_LOW, .width = 4, .event = CFG_EV_MSI,
	  .rw = BITS(31, 2), .what = "Message Address", .why = MESSAGE_WHY },
	// clang-format on
};
static const struct cfg_row row_high = {
	.off = ADDR_HIGH,
	.width = 4,
	.event = CFG_EV_MSI,
	.rw = UINT32_MAX,
	.what = "Message Upper Address",
	.why = MESSAGE_WHY,
};

static struct cfg_msi_facts facts(const struct cfg_layout *l, unsigned off)
{
	const uint32_t control = cfg_raw(l, off + CONTROL, 2);
	const unsigned log2 = FIELD_GET(MULTI_CAPABLE, control);

	return (struct cfg_msi_facts){
		.cap = (uint16_t)off,
		.vectors = (uint8_t)(1u << MIN(log2, 5u)), /* 6, 7 reserved */
		.addr64 = control & ADDR_64,
		.maskable = control & MASKABLE,
	};
}

static unsigned len(const struct cfg_layout *l, unsigned off)
{
	const struct cfg_msi_facts f = facts(l, off);
	const struct places *at = places_of(&f);

	return f.maskable ? at->len_maskable : at->len;
}

static const char *take(struct cfg_layout *l, const struct cfg_cap *c)
{
	if (c->len < len(l, c->off))
		return "too short: the next capability overlaps it";
	l->msi = facts(l, c->off);
	return NULL;
}

static uint32_t vector_bits(const struct cfg_msi_facts *f)
{
	return UINT32_MAX >> (32 - f->vectors);
}

static void plan(struct cfg_plan *p, const struct cfg_layout *l,
                 const struct cfg_cap *c, const struct cfg_place *place)
{
	const struct cfg_msi_facts *f = &l->msi;
	const struct places *at = places_of(f);
	struct cfg_row row = { .event = CFG_EV_MSI,
		               .what = "Message Data",
		               .why = MESSAGE_WHY };

	(void)place;
	CFG_PLAN_ADD(p, c->off, c->len, rows);
	if (f->addr64)
		cfg_plan_add(p, c->off, c->len, &row_high, 1);
	row.off = at->data;
	row.width = 2;
	row.rw = 0xffff;
	cfg_plan_row(p, c->off, c->len, row);
	if (!f->maskable)
		return;
	/* Extended Message Data, between data and mask. */
	cfg_plan_row(p, c->off, c->len,
	             (struct cfg_row){ .off = at->data + 2,
	                               .width = 2,
	                               .what = "Extended Message Data",
	                               .why = "not offered" });
	row.what = "Mask Bits";
	row.why = "the guest's own; none is set as it begins";
	row.off = at->mask;
	row.width = 4;
	row.rw = vector_bits(f);
	cfg_plan_row(p, c->off, c->len, row);
	cfg_plan_row(p, c->off, c->len,
	             (struct cfg_row){ .off = at->pending,
	                               .width = 4,
	                               .hw = vector_bits(f),
	                               .what = "Pending Bits",
	                               .why = "of the vectors offered" });
}

const struct cfg_kind cfg_kind_msi = {
	.name = "MSI",
	.verdict = CFG_SHOWN,
	.reason = "the message is the guest's, VFIO's in the device",
	.need = 0x0a,
	.len = len,
	.take = take,
	.plan = plan,
};

struct cfg_msi_state cfg_msi_state(const struct cfg_space *s)
{
	const struct cfg_msi_facts *f = &s->msi;
	const struct places *at = places_of(f);
	const uint8_t *p = s->now + f->cap;
	uint32_t control;
	unsigned vectors;

	if (!f->cap)
		return (struct cfg_msi_state){ 0 };
	control = (uint32_t)load_le(p + CONTROL, 2);
	vectors = 1u << MIN(FIELD_GET(MULTI_ENABLE, control), 5u);
	return (struct cfg_msi_state){
		.enabled = control & ENABLE,
		/* Software may not enable more than is offered. */
		.vectors = (uint8_t)MIN(vectors, f->vectors),
		.addr = load_le(p + ADDR_LOW, f->addr64 ? 8 : 4),
		.data = (uint32_t)load_le(p + at->data, 2),
		.mask = f->maskable ? (uint32_t)load_le(p + at->mask, 4) : 0,
	};
}
