/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Extended capabilities: what each is called, whether the guest sees it, and
 * why. Nearly all speak about the link, the fabric or the host's address
 * translation, none of which is the guest's; an id not listed is hidden.
 */
#include "pci-config/priv.h"

/*
 * Advanced Error Reporting, PCIe 6.0 7.8.4: the host's handler owns the real
 * registers and clears them under the guest's feet. So masks and severities
 * read as the snapshot, status, pointer and logs as "no error", and the ECRC
 * and recording features are not offered.
 */
#define AER_WHY "no error: the host's handler reads and clears the real ones"
#define HEADER_LOG .what = "Header Log", .why = AER_WHY

static const struct cfg_row aer_rows[] = {
	// clang-format off
	{ .off = 0x04, .width = 4, .what = "Uncorrectable Error Status",
	  .why = AER_WHY },
	{ .off = 0x10, .width = 4, .what = "Correctable Error Status",
	  .why = AER_WHY },
	{ .off = 0x18, .width = 4, .what = "AER Capabilities and Control",
	  .why = "no ECRC and no recording of several: agreed with the host" },
	{ .off = 0x1c, .width = 4, HEADER_LOG }, { .off = 0x20, .width = 4, HEADER_LOG },
	{ .off = 0x24, .width = 4, HEADER_LOG }, { .off = 0x28, .width = 4, HEADER_LOG },
	// clang-format on
};

static void aer_plan(struct cfg_plan *p, const struct cfg_layout *l,
                     const struct cfg_cap *c, const struct cfg_place *place)
{
	(void)l;
	(void)place;
	CFG_PLAN_ADD(p, c->off, c->len, aer_rows);
}

static const struct cfg_kind aer = {
	.name = "Advanced Error Reporting",
	.verdict = CFG_SHOWN,
	.reason = "masks as the snapshot, status reads 0: errors are the "
		  "host's",
	.bytes = 0x2c,
	.need = 0x2c,
	.plan = aer_plan,
};

static const struct cfg_kind serial = {
	.name = "Device Serial Number",
	.verdict = CFG_READONLY,
	.reason = "drivers tell twin ports by it",
	.bytes = 0x0c,
	.need = 0x0c,
};

/* Both kinds of vendor capability hold their length, header included, in the
 * second dword's bits 31:20 (PCIe 6.0 7.9.5, 7.9.6). */
static unsigned vsec_len(const struct cfg_layout *l, unsigned off)
{
	return FIELD_GET(BITS(31, 20), cfg_raw(l, off + 4, 4));
}

static const struct cfg_kind vsec = {
	.name = "Vendor-Specific Extended",
	.verdict = CFG_READONLY,
	.reason = "vendor's own registers: reads as the snapshot",
	.need = 8,
	.len = vsec_len,
};

#define DVSEC_CXL 0x1e98

static const char *dvsec_take(struct cfg_layout *l, const struct cfg_cap *c)
{
	if (cfg_raw(l, c->off + 4, 2) == DVSEC_CXL)
		return "CXL memory and caches are not assigned";
	return NULL;
}

static const struct cfg_kind dvsec = {
	.name = "Designated Vendor-Specific",
	.verdict = CFG_READONLY,
	.reason = "vendor's own registers: reads as the snapshot",
	.need = 10,
	.len = vsec_len,
	.take = dvsec_take,
};

#define HIDE(name_, reason_)                                                   \
	&(const struct cfg_kind)                                               \
	{                                                                      \
		.name = (name_), .verdict = CFG_HIDDEN, .reason = (reason_)    \
	}

static const char link[] = "the link is the host's";
static const char fabric[] = "the fabric above is the host's";
static const char root[] = "not a root port";
static const char translate[] =
	"address translation is the host's: no IOMMU in the guest";

static const struct cfg_kind *const kinds[] = {
	// clang-format off
	[0x00] = HIDE("Null", "holds nothing"),
	[0x01] = &aer,
	[0x02] = HIDE("Virtual Channel", link),
	[0x03] = &serial,
	[0x04] = HIDE("Power Budgeting", "power is the host's"),
	[0x05] = HIDE("Root Complex Link Declaration", root),
	[0x06] = HIDE("Root Complex Internal Link Control", root),
	[0x07] = HIDE("Root Complex Event Collector", root),
	[0x08] = HIDE("Multi-Function Virtual Channel", link),
	[0x09] = HIDE("Virtual Channel with MFVC", link),
	[0x0a] = HIDE("RCRB Header", root),
	[0x0b] = &vsec,
	[0x0c] = HIDE("Configuration Access Correlation", "obsolete"),
	[0x0d] = HIDE("Access Control Services",
	              "isolation between functions is the host's"),
	[0x0e] = HIDE("Alternative Routing-ID",
	              "its next function is not in this guest"),
	[0x0f] = HIDE("Address Translation Services", translate),
	[0x10] = HIDE("Single Root I/O Virtualization",
	              "VFs are carved by the host, never inside a guest"),
	[0x11] = HIDE("Multi-Root I/O Virtualization", fabric),
	[0x12] = HIDE("Multicast", fabric),
	[0x13] = HIDE("Page Request Interface", translate),
	[0x14] = HIDE("AMD reserved", "nothing says what it can reach"),
	[0x15] = HIDE("Resizable BAR",
	              "the host's bridge windows fit the present size"),
	[0x16] = HIDE("Dynamic Power Allocation", "power is the host's"),
	[0x17] = HIDE("TPH Requester",
	              "steering tags name the host's processors"),
	[0x18] = HIDE("Latency Tolerance Reporting", fabric),
	[0x19] = HIDE("Secondary PCI Express", link),
	[0x1a] = HIDE("Protocol Multiplexing", link),
	[0x1b] = HIDE("Process Address Space ID", translate),
	[0x1c] = HIDE("LN Requester", "reaches the host's caches"),
	[0x1d] = HIDE("Downstream Port Containment", root),
	[0x1e] = HIDE("L1 PM Substates", link),
	[0x1f] = HIDE("Precision Time Measurement", fabric),
	[0x20] = HIDE("PCI Express over M-PHY", link),
	[0x21] = HIDE("FRS Queueing", root),
	[0x22] = HIDE("Readiness Time Reporting",
	              "resets are waited for by the host"),
	[0x23] = &dvsec,
	[0x24] = HIDE("VF Resizable BAR", "VFs are carved by the host"),
	[0x25] = HIDE("Data Link Feature", link),
	[0x26] = HIDE("Physical Layer 16.0 GT/s", link),
	[0x27] = HIDE("Lane Margining at the Receiver", link),
	[0x28] = HIDE("Hierarchy ID", "names the host's hierarchy"),
	[0x29] = HIDE("Native PCIe Enclosure Management", "the host's slot"),
	[0x2a] = HIDE("Physical Layer 32.0 GT/s", link),
	[0x2b] = HIDE("Alternate Protocol", link),
	[0x2c] = HIDE("System Firmware Intermediary", "the host's firmware"),
	[0x2d] = HIDE("Shadow Functions",
	              "its functions are not in this guest"),
	[0x2e] = HIDE("Data Object Exchange",
	              "a mailbox to the device's security processor"),
	[0x2f] = HIDE("Device 3", link),
	[0x30] = HIDE("Integrity and Data Encryption", "its keys are the host's"),
	[0x31] = HIDE("Physical Layer 64.0 GT/s", link),
	[0x32] = HIDE("Flit Logging", link),
	[0x33] = HIDE("Flit Performance Measurement", link),
	[0x34] = HIDE("Flit Error Injection", link),
	// clang-format on
};

const struct cfg_kind *cfg_kind_ext(uint16_t id)
{
	return id < ARRAY_SIZE(kinds) ? kinds[id] : NULL;
}
