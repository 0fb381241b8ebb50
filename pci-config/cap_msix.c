/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSI-X, PCIe 6.0 7.7.2: the capability; the table is in msix_table.c. Enable
 * and Function Mask are the guest's and change what the VMM asks of VFIO;
 * nothing is forwarded.
 */
#include "pci-config/priv.h"

#define CONTROL 0x02
#define TABLE_SIZE BITS(10, 0) /* vectors - 1 */
#define MASK_ALL BIT(14)
#define ENABLE BIT(15)
#define TABLE 0x04
#define PBA 0x08
#define BIR BITS(2, 0)

static const struct cfg_row rows[] = {
	// clang-format off
	{ .off = CONTROL, .width = 2, .event = CFG_EV_MSIX,
	  .snap = TABLE_SIZE, .rw = ENABLE | MASK_ALL,
	  .what = "Message Control",
	  .why = "off until the guest turns it on; the device has the host's" },
	{ .off = TABLE, .width = 4, .snap = UINT32_MAX },
	{ .off = PBA, .width = 4, .snap = UINT32_MAX },
	// clang-format on
};

static bool inside_bar(const struct cfg_layout *l, unsigned bar, uint64_t off,
                       uint64_t len)
{
	if (bar >= CFG_BARS)
		return false;
	if (l->bar[bar].kind != CFG_BAR_MEM32 &&
	    l->bar[bar].kind != CFG_BAR_MEM64)
		return false;
	return range_inside(off, len, l->bar[bar].size);
}

static const char *take(struct cfg_layout *l, const struct cfg_cap *c)
{
	const uint32_t table = cfg_raw(l, c->off + TABLE, 4);
	const uint32_t pba = cfg_raw(l, c->off + PBA, 4);
	const struct cfg_msix_facts f = {
		.cap = c->off,
		.vectors =
			(uint16_t)(FIELD_GET(TABLE_SIZE,
		                             cfg_raw(l, c->off + CONTROL, 2)) +
		                   1),
		.table_bar = (uint8_t)(table & BIR),
		.table_off = table & ~BIR,
		.pba_bar = (uint8_t)(pba & BIR),
		.pba_off = pba & ~BIR,
	};

	if (!inside_bar(l, f.table_bar, f.table_off,
	                (uint64_t)f.vectors * CFG_MSIX_ENTRY))
		return "its table is not inside a memory BAR";
	if (!inside_bar(l, f.pba_bar, f.pba_off, cfg_msix_pba_size(f.vectors)))
		return "its pending bits are not inside a memory BAR";
	l->msix = f;
	return NULL;
}

static void plan(struct cfg_plan *p, const struct cfg_layout *l,
                 const struct cfg_cap *c, const struct cfg_place *place)
{
	(void)l;
	(void)place;
	CFG_PLAN_ADD(p, c->off, c->len, rows);
}

const struct cfg_kind cfg_kind_msix = {
	.name = "MSI-X",
	.verdict = CFG_SHOWN,
	.reason = "the messages are the guest's, VFIO's in the device",
	.bytes = 0x0c,
	.need = 0x0c,
	.take = take,
	.plan = plan,
};

struct cfg_msix_state cfg_msix_state(const struct cfg_space *s)
{
	uint32_t control;

	if (!s->msix.cap)
		return (struct cfg_msix_state){ 0 };
	control = (uint32_t)load_le(s->now + s->msix.cap + CONTROL, 2);
	return (struct cfg_msix_state){
		.enabled = control & ENABLE,
		.masked = control & MASK_ALL,
	};
}
