/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Standard capabilities: what each is called, whether the guest sees it, and
 * why. An id that is not listed is hidden.
 */
#include "pci-config/priv.h"

static unsigned vendor_len(const struct cfg_layout *l, unsigned off)
{
	return cfg_raw(l, off + 2, 1); /* PCIe 6.0 7.9.4 */
}

/*
 * Vendor-specific: virtio describes its registers here, so it must be read;
 * what a write does nobody knows (and VFIO would pass it on), so none is
 * allowed.
 */
static const struct cfg_kind vendor = {
	.name = "Vendor Specific",
	.verdict = CFG_READONLY,
	.reason = "vendor's own registers: reads as the snapshot",
	.need = 3,
	.len = vendor_len,
};

#define HIDE(name_, reason_)                                                   \
	&(const struct cfg_kind)                                               \
	{                                                                      \
		.name = (name_), .verdict = CFG_HIDDEN, .reason = (reason_)    \
	}

static const struct cfg_kind *const kinds[] = {
	// clang-format off
	[0x01] = &cfg_kind_pm,
	[0x02] = HIDE("AGP", "not PCI Express"),
	[0x03] = HIDE("Vital Product Data",
	              "a slow serial memory of the host's; it can be written"),
	[0x04] = HIDE("Slot Identification", "the host's slot"),
	[0x05] = &cfg_kind_msi,
	[0x06] = HIDE("CompactPCI Hot Swap", "the host's slot"),
	[0x07] = HIDE("PCI-X", "not PCI Express"),
	[0x08] = HIDE("HyperTransport", "not PCI Express"),
	[0x09] = &vendor,
	[0x0a] = HIDE("Debug Port", "reaches hardware outside the function"),
	[0x0b] = HIDE("CompactPCI Resource Control", "the host's slot"),
	[0x0c] = HIDE("Hot-Plug", "the host's slot"),
	[0x0d] = HIDE("Subsystem ID of a bridge", "not a bridge"),
	[0x0e] = HIDE("AGP 8x", "not PCI Express"),
	[0x0f] = HIDE("Secure Device", "reaches the host's IOMMU"),
	[0x10] = &cfg_kind_exp,
	[0x11] = &cfg_kind_msix,
	[0x12] = HIDE("SATA Data/Index",
	              "a second way to registers, by index, past the tables"),
	[0x13] = &cfg_kind_af,
	[0x14] = HIDE("Enhanced Allocation",
	              "its ranges cannot move to where the guest wants them"),
	[0x15] = HIDE("Flattening Portal Bridge", "not a bridge"),
	// clang-format on
};

static const struct cfg_kind unknown = {
	.name = "unknown",
	.verdict = CFG_HIDDEN,
	.reason = "unknown capability: nothing says what it can reach",
};

const struct cfg_kind *cfg_kind_std(uint16_t id)
{
	return id < ARRAY_SIZE(kinds) ? kinds[id] : NULL;
}

const struct cfg_kind *cfg_kind_find(bool ext, uint16_t id)
{
	const struct cfg_kind *k = ext ? cfg_kind_ext(id) : cfg_kind_std(id);

	return k ? k : &unknown;
}

const char *cfg_cap_name(bool ext, uint16_t id)
{
	return cfg_kind_find(ext, id)->name;
}
