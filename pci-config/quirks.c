/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Particular devices: the table, and who matches a row.
 *
 * No device of this table was at hand. Each row restates a fact that somebody
 * with the device has published, and names the place; what is tested here is
 * that the rows match what they say, not that the hardware does.
 */
#include "pci-config/priv.h"

enum {
	REALTEK = 0x10ec,
	AMD = 0x1022,
	ATI = 0x1002,
	ASMEDIA = 0x1b21,
	ATHEROS = 0x168c,
	BROADCOM = 0x14e4,
	INTEL = 0x8086,
	MEDIATEK = 0x14c3,
	MELLANOX = 0x15b3,
	NVIDIA = 0x10de,
	QUALCOMM = 0x17cb,
	SOLIDRUN = 0xd063,
	TI = 0x104c,
};

#define QUIRKS "Linux drivers/pci/quirks.c, "
#define QEMU_QUIRKS "QEMU hw/vfio/pci-quirks.c, "
#define VENDOR_RESET "vendor-reset (github.com/gnif), src/device-db.h"

#define ONE(id) .first = (id), .last = (id)
#define MANY(from, to) .first = (from), .last = (to)
#define DISPLAY .class = 0x030000, .class_mask = 0xff0000
#define VGA .class = 0x030000, .class_mask = 0xffff00

/* The same words for several ids. */
#define NO_FLR(vendor_, id)                                                    \
	{                                                                      \
		.vendor = (vendor_), ONE(id),                                  \
		.effect = CFG_QUIRK_NO_OWN_RESET,                              \
		.reason = "a function level reset hangs it",                   \
		.source = QUIRKS "quirk_no_flr"                                \
	}
#define PM_NO_RESET(vendor_, id)                                               \
	{                                                                      \
		.vendor = (vendor_), ONE(id),                                  \
		.effect = CFG_QUIRK_NO_OWN_RESET,                              \
		.reason = "says that D3hot resets it; it goes on as before",   \
		.source = QUIRKS "quirk_no_pm_reset"                           \
	}
#define NO_BUS_RESET(vendor_, id, why)                                         \
	{                                                                      \
		.vendor = (vendor_), ONE(id),                                  \
		.effect = CFG_QUIRK_NO_BUS_RESET, .reason = (why),             \
		.source = QUIRKS "quirk_no_bus_reset"                          \
	}
#define LOST "after a bus reset its configuration space never answers again"
#define NO_RETRAIN "after a bus reset its link may not come up again"
#define AMD_RESET(from, to, where)                                             \
	{                                                                      \
		.vendor = ATI, MANY(from, to), DISPLAY,                        \
		.effect = CFG_QUIRK_NO_BUS_RESET,                              \
		.reason = "a bus reset does not bring the GPU back to where "  \
			  "its driver can begin; it needs a sequence of its "  \
			  "own",                                               \
		.source = (where)                                              \
	}

/* NVIDIA up to Ada, with what its drivers must reach behind the mirror. */
#define NVIDIA_XVE(from, to)                                                    \
	{ .vendor = NVIDIA,                                                     \
	  MANY(from, to),                                                       \
	  DISPLAY,                                                              \
	  .effect = CFG_QUIRK_MIRROR,                                           \
	  .bar = 0,                                                             \
	  .off = 0x88000,                                                       \
	  .size = CFG_SIZE,                                                     \
	  .reason = "BAR 0 mirrors configuration space, extended too",          \
	  .source = "envytools, hwdocs: PPCI; " QEMU_QUIRKS "nvidia_bar0" },    \
		{ .vendor = NVIDIA,                                             \
		  MANY(from, to),                                               \
		  DISPLAY,                                                      \
		  .effect = CFG_QUIRK_PASS,                                     \
		  .bar = 0,                                                     \
		  .off = 0x88068,                                               \
		  .size = 1,                                                    \
		  .reason = "its driver acknowledges MSI by writing the id "    \
		            "of the MSI capability, which does not change",     \
		  .source =                                                     \
		          "Linux nouveau, nvkm/subdev/pci/nv40.c; " QEMU_QUIRKS \
		          "nvidia_mirror" },                                    \
	{                                                                       \
		.vendor = NVIDIA, MANY(from, to), DISPLAY,                      \
		.effect = CFG_QUIRK_PASS, .bar = 0, .off = 0x88704, .size = 4,  \
		.reason = "its driver rearms MSI by writing here",              \
		.source = "Linux nouveau, nvkm/subdev/pci/gf100.c, gp100.c"     \
	}
#define NVIDIA_EP(from, to)                                                    \
	{                                                                      \
		.vendor = NVIDIA, MANY(from, to), DISPLAY,                     \
		.effect = CFG_QUIRK_MIRROR, .bar = 0, .off = 0x92000,          \
		.size = CFG_SIZE,                                              \
		.reason = "BAR 0 mirrors configuration space, extended too",   \
		.source = "Linux nouveau, nvhw/ref/gh100/dev_xtl_ep_pri.h: "   \
			  "NV_EP_PCFGM"                                        \
	}
/* Before G80; later cards have other registers at 1800h. */
#define NVIDIA_OLD(from, to)                                                   \
	{ .vendor = NVIDIA,                                                    \
	  MANY(from, to),                                                      \
	  VGA,                                                                 \
	  .effect = CFG_QUIRK_MIRROR,                                          \
	  .bar = 0,                                                            \
	  .off = 0x1800,                                                       \
	  .size = CFG_SIZE_PCI,                                                \
	  .reason = "BAR 0 mirrors configuration space",                       \
	  .source = "envytools, hwdocs: PPCI; " QEMU_QUIRKS "nvidia_bar0" },   \
	{                                                                      \
		.vendor = NVIDIA, MANY(from, to), VGA, .kind = CFG_BAR_IO,     \
		.effect = CFG_QUIRK_WINDOW, .bar = 5, .off = 0x08, .size = 8,  \
		.data = 0x0c, .select = 0x1800, .span = CFG_SIZE_PCI,          \
		.reason = "port registers that reach BAR 0, its mirror too",   \
		.source = QEMU_QUIRKS "nvidia_bar5"                            \
	}

static const struct cfg_quirk table[] = {
	/* ---- configuration space through a back door ----------------- */
	NVIDIA_XVE(0x0001, 0x22ff),
	NVIDIA_XVE(0x2400, 0x28ff),
	NVIDIA_EP(0x2300, 0x23ff), /* Hopper */
	NVIDIA_EP(0x2900, 0x2fff), /* Blackwell */
	NVIDIA_OLD(0x0001, 0x018f),
	NVIDIA_OLD(0x01d0, 0x01df), /* G72 */
	NVIDIA_OLD(0x0290, 0x029f), /* G71 */
	NVIDIA_OLD(0x0390, 0x039f), /* G73 */
	{ .vendor = NVIDIA,
	  VGA,
	  .kind = CFG_BAR_IO,
	  .effect = CFG_QUIRK_WINDOW,
	  .bar = 5,
	  .off = 0x08,
	  .size = 8,
	  .data = 0x0c,
	  .select = 0x88000,
	  .span = CFG_SIZE,
	  .reason = "port registers that reach BAR 0, its mirror too",
	  .source = QEMU_QUIRKS "nvidia_bar5" },
	{ .vendor = ATI,
	  VGA,
	  .kind = CFG_BAR_MEM64,
	  .effect = CFG_QUIRK_MIRROR,
	  .bar = 2,
	  .off = 0x4000,
	  .size = CFG_SIZE,
	  .reason = "BAR 2 mirrors configuration space",
	  .source = QEMU_QUIRKS "ati_bar2" },
	{ .vendor = ATI,
	  VGA,
	  .kind = CFG_BAR_IO,
	  .effect = CFG_QUIRK_WINDOW,
	  .bar = 4,
	  .off = 0x00,
	  .size = 8,
	  .data = 0x04,
	  .select = 0x4000,
	  .span = CFG_SIZE,
	  .reason = "port registers that reach the mirror in memory",
	  .source = QEMU_QUIRKS "ati_bar4" },
	{ .vendor = REALTEK,
	  ONE(0x8168),
	  .effect = CFG_QUIRK_MSIX_WINDOW,
	  .bar = 2,
	  .off = 0x74,
	  .size = 4,
	  .data = 0x70,
	  .select = 0x10000,
	  .span = 0x1000,
	  .reason = "registers that reach the MSI-X table, where the messages "
	            "are the host's; interrupt remapping confines what a guest "
	            "writes there",
	  .source = QEMU_QUIRKS "rtl8168_bar2" },

	/* ---- Intel graphics ------------------------------------------- */
	{ .vendor = INTEL,
	  DISPLAY,
	  .config = 0xfc,
	  .effect = CFG_QUIRK_OPREGION,
	  .off = 0xfc,
	  .size = 4,
	  .reason = "ASLS names the firmware's OpRegion in host memory: reads "
	            "0, the guest's driver goes without its video tables",
	  .source = "Intel IGD OpRegion Specification; Linux "
	            "drivers/vfio/pci/vfio_pci_igd.c" },
	{ .vendor = INTEL,
	  DISPLAY,
	  .config = 0x5c,
	  .effect = CFG_QUIRK_OPREGION,
	  .off = 0x5c,
	  .size = 4,
	  .reason = "BDSM names stolen memory, which the firmware took from "
	            "the host: reads 0, none is given to the guest",
	  .source = "Intel Core processor datasheets, volume 2: BDSM; "
	            "QEMU docs/igd-assign.txt" },
	{ .vendor = INTEL,
	  DISPLAY,
	  .config = 0xc0,
	  .effect = CFG_QUIRK_OPREGION,
	  .off = 0xc0,
	  .size = 8,
	  .reason = "BDSM of generation 11 and later, as above",
	  .source = "Linux arch/x86/kernel/early-quirks.c, "
	            "gen11_stolen_base" },

	/* ---- ROMs ------------------------------------------------------ */
	{ .vendor = BROADCOM,
	  ONE(0x168e),
	  .effect = CFG_QUIRK_NO_ROM,
	  .reason = "BCM57810: a guest that runs its ROM hangs",
	  .source = QEMU_QUIRKS "rom_denylist; "
	                        "bugs.launchpad.net/qemu/+bug/1284874" },

	/* ---- FLR or D3hot that is no reset ------------------------------ */
	NO_FLR(AMD, 0x1487), /* Starship/Matisse HD Audio */
	NO_FLR(AMD, 0x148c), /* Starship USB 3.0 */
	NO_FLR(AMD, 0x149c), /* Matisse USB 3.0 */
	NO_FLR(AMD, 0x1502), /* Neural Processing Unit */
	NO_FLR(AMD, 0x17f0),
	{ .vendor = AMD,
	  ONE(0x7901),
	  .effect = CFG_QUIRK_NO_OWN_RESET,
	  .reason = "FCH AHCI: after a function level reset the guest finds no "
	            "disks",
	  .source = QUIRKS "quirk_no_flr; Linux commit 63ba51db24ed" },
	NO_FLR(INTEL, 0x1502), /* 82579LM */
	NO_FLR(INTEL, 0x1503), /* 82579V */
	NO_FLR(MEDIATEK, 0x0616),
	NO_FLR(MEDIATEK, 0x7925),
	{ .vendor = SOLIDRUN,
	  ONE(0x1000),
	  .revision = 1,
	  .effect = CFG_QUIRK_NO_OWN_RESET,
	  .reason = "SNET DPU, revision 1: a function level reset may hang it",
	  .source = QUIRKS "quirk_no_flr_snet" },
	{ .vendor = ATI,
	  VGA,
	  .effect = CFG_QUIRK_NO_OWN_RESET,
	  .reason = "some say that D3hot resets them; the picture stays",
	  .source = QUIRKS "quirk_no_pm_reset" },
	PM_NO_RESET(MELLANOX, 0xcb84), /* Spectrum, 1 to 4 */
	PM_NO_RESET(MELLANOX, 0xcf6c),
	PM_NO_RESET(MELLANOX, 0xcf70),
	PM_NO_RESET(MELLANOX, 0xcf80),

	/* ---- bus resets that do not help --------------------------------- */
	{ .vendor = NVIDIA,
	  MANY(0x2340, 0x237f),
	  .effect = CFG_QUIRK_NO_BUS_RESET,
	  .reason = "does not work after a bus reset",
	  .source = QUIRKS "quirk_nvidia_no_bus_reset" },
	NO_BUS_RESET(ATHEROS, 0x0030, LOST),
	NO_BUS_RESET(ATHEROS, 0x0032, LOST),
	NO_BUS_RESET(ATHEROS, 0x0033, LOST),
	NO_BUS_RESET(ATHEROS, 0x0034, LOST),
	NO_BUS_RESET(ATHEROS, 0x003c, LOST),
	NO_BUS_RESET(ATHEROS, 0x003e, LOST),
	NO_BUS_RESET(QUALCOMM, 0x0308, LOST),
	NO_BUS_RESET(QUALCOMM, 0x1103, LOST),
	NO_BUS_RESET(QUALCOMM, 0x1107, LOST),
	NO_BUS_RESET(TI, 0xb005, "a bus reset turns its link off for good"),
	NO_BUS_RESET(ASMEDIA, 0x1164, NO_RETRAIN),
	AMD_RESET(0x6649, 0x6651, QEMU_QUIRKS "radeon_reset"), /* Bonaire */
	AMD_RESET(0x6658, 0x665d, QEMU_QUIRKS "radeon_reset"), /* Bonaire */
	AMD_RESET(0x67a0, 0x67be, QEMU_QUIRKS "radeon_reset"), /* Hawaii */
	AMD_RESET(0x67c0, 0x67df, VENDOR_RESET),               /* Polaris 10 */
	AMD_RESET(0x6fdf, 0x6fdf, VENDOR_RESET),               /* Polaris 20 */
	AMD_RESET(0x67e0, 0x67ff, VENDOR_RESET),               /* Polaris 11 */
	AMD_RESET(0x6980, 0x699f, VENDOR_RESET),               /* Polaris 12 */
	AMD_RESET(0x6860, 0x687f, VENDOR_RESET),               /* Vega 10 */
	AMD_RESET(0x66a0, 0x66af, VENDOR_RESET),               /* Vega 20 */
	AMD_RESET(0x7310, 0x731f, VENDOR_RESET),               /* Navi 10 */
	AMD_RESET(0x7340, 0x734f, VENDOR_RESET),               /* Navi 14 */
	AMD_RESET(0x7360, 0x7362, VENDOR_RESET),               /* Navi 12 */

	/* ---- virtual functions ------------------------------------------- */
	{ .vf = true,
	  .effect = CFG_QUIRK_VF_MEMORY,
	  .reason = "Memory Space Enable reads 0 in a VF, whose BARs decode "
	            "by the PF's VF MSE; the guest reads what it wrote",
	  .source = "PCIe 6.0 9.3.4.1.3; Linux drivers/pci/iov.c, "
	            "no_command_memory" },
};

static bool device_matches(const struct cfg_quirk *q,
                           const struct cfg_layout *l)
{
	const uint32_t vendor = cfg_raw(l, 0, 2), device = cfg_raw(l, 2, 2);
	const uint32_t class = cfg_raw(l, 8, 4);

	return (!q->vendor || q->vendor == vendor) &&
	       (!q->last || (device >= q->first && device <= q->last)) &&
	       ((class >> 8 ^ q->class) & q->class_mask) == 0 &&
	       (!q->revision || q->revision == (class & 0xff)) &&
	       (!q->vf || l->vf);
}

/* A register of the vendor's own lies in no capability; what lies in one is
 * another device's. */
static bool config_matches(const struct cfg_quirk *q,
                           const struct cfg_layout *l)
{
	const uint32_t v = cfg_raw(l, q->config, 4);

	if (!q->config)
		return true;
	for (unsigned i = 0; i < l->n_caps; i++)
		if (ranges_overlap(q->config, 4, l->cap[i].off, l->cap[i].len))
			return false;
	return v && v != UINT32_MAX;
}

static bool bar_matches(const struct cfg_quirk *q, const struct cfg_layout *l)
{
	const struct cfg_bar *b = &l->bar[q->bar];

	/* OpRegion's place is not one of a BAR. */
	if (!q->size || q->effect == CFG_QUIRK_OPREGION)
		return true;
	return (!q->kind || q->kind == b->kind) &&
	       range_inside(q->off, q->size, b->size);
}

const struct cfg_quirk *cfg_quirk_next(const struct cfg_layout *l,
                                       const struct cfg_quirk *after)
{
	const struct cfg_quirk *q = after ? after + 1 : table;

	for (; q < table + ARRAY_SIZE(table); q++)
		if (device_matches(q, l) && config_matches(q, l) &&
		    bar_matches(q, l))
			return q;
	return NULL;
}

const struct cfg_quirk *cfg_quirk_find(const struct cfg_layout *l,
                                       enum cfg_quirk_effect e)
{
	const struct cfg_quirk *q = cfg_quirk_next(l, NULL);

	while (q && q->effect != e)
		q = cfg_quirk_next(l, q);
	return q;
}

const char *cfg_quirk_effect_name(enum cfg_quirk_effect e)
{
	static const char *const name[CFG_QUIRK_EFFECTS] = {
		[CFG_QUIRK_MIRROR] = "mirror",
		[CFG_QUIRK_PASS] = "pass",
		[CFG_QUIRK_WINDOW] = "window",
		[CFG_QUIRK_MSIX_WINDOW] = "msix-window",
		[CFG_QUIRK_NO_ROM] = "no-rom",
		[CFG_QUIRK_OPREGION] = "opregion",
		[CFG_QUIRK_NO_OWN_RESET] = "no-own-reset",
		[CFG_QUIRK_NO_BUS_RESET] = "no-bus-reset",
		[CFG_QUIRK_VF_MEMORY] = "vf-memory",
	};

	return e < CFG_QUIRK_EFFECTS ? name[e] : "unknown";
}

int cfg_quirk_window(const struct cfg_quirk *q, uint32_t address)
{
	if (q->effect == CFG_QUIRK_MSIX_WINDOW)
		/* Write (31), byte enables (15:12). */
		address &= ~(BIT(31) | BITS(15, 12));
	else if (q->effect != CFG_QUIRK_WINDOW)
		return -1;
	if (address < q->select || address - q->select >= q->span)
		return -1;
	return (int)(address - q->select);
}
