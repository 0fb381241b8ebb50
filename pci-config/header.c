/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The type 0 header, PCIe 6.0 7.5.1.1 and 7.5.1.2. BARs are in bar.c; the
 * type 1 header of our own ports is in port.c.
 */
#include "pci-config/priv.h"

static const struct cfg_row rows[] = {
	// clang-format off
	/* Vendor and Device ID: a VF's own read FFFFh (9.3.4.1.1); VFIO's
	 * snapshot has them mended. */
	{ .off = 0x00, .width = 2, .snap = 0xffff },
	{ .off = 0x02, .width = 2, .snap = 0xffff },

	/*
	 * Command. Decode, master and INTx Disable take effect in the device;
	 * parity and SERR# reporting stay the host's, the guest's are kept
	 * for it to read. The rest is hardwired to 0 in PCI Express.
	 */
	{ .off = CFG_COMMAND, .width = 2, .event = CFG_EV_COMMAND,
	  .rw = CFG_COMMAND_IO | CFG_COMMAND_MEM | CFG_COMMAND_MASTER |
	        CFG_COMMAND_PARITY | CFG_COMMAND_SERR | CFG_COMMAND_INTX_OFF,
	  .fwd = CFG_COMMAND_IO | CFG_COMMAND_MEM | CFG_COMMAND_MASTER |
	         CFG_COMMAND_INTX_OFF,
	  .what = "Command",
	  .why = "the guest's own: off until it turns it on; parity and SERR# "
	         "stay the host's" },

	{ .off = 0x08, .width = 4, .snap = 0xffffffff }, /* Revision, Class */
	{ .off = 0x0c, .width = 1, .snap = 0xff },       /* Cache Line Size */
	{ .off = 0x0d, .width = 1, .what = "Latency Timer",
	  .why = "0 in PCI Express" },
	/* BIST: 0 = not capable. A self-test would run on the host's time. */
	{ .off = 0x0f, .width = 1, .what = "BIST",
	  .why = "no self-test on the host's time" },
	{ .off = 0x28, .width = 4, .what = "CardBus CIS Pointer",
	  .why = "0 in PCI Express" },
	{ .off = 0x2c, .width = 4, .snap = 0xffffffff }, /* Subsystem IDs */
	/* Interrupt Line means nothing to hardware: firmware's notepad. */
	{ .off = 0x3c, .width = 1, .rw = 0xff, .what = "Interrupt Line",
	  .why = "a notepad; the host's firmware wrote the host's" },
	{ .off = 0x3e, .width = 2, .what = "Min_Gnt, Max_Lat",
	  .why = "0 in PCI Express" },
	// clang-format on
};

/*
 * Status. Interrupt Status lives where the guest has an INTx. The error bits
 * are RW1C, but VFIO drops writes to them, and a bit that can be seen and not
 * cleared lies: they read 0 and their clearing is not forwarded. Immediate
 * Readiness is true of any function here, because the host waits in each reset;
 * it spares the guest its own 100 ms (PCIe 6.0 6.6.1).
 */
static struct cfg_row status_row(unsigned pin)
{
	return (struct cfg_row){
		.off = CFG_STATUS,
		.width = 2,
		.init = CFG_STATUS_READY,
		.hw = pin ? CFG_STATUS_INTX : 0,
		.w1c = CFG_STATUS_ERRORS,
		.what = "Status",
		.why = "errors are the host's; ready at once, since the host "
		       "waits in each reset",
	};
}

void cfg_plan_header(struct cfg_plan *p, const struct cfg_place *place)
{
	const uint8_t pin = place->intx_pin <= 4 ? place->intx_pin : 0;
	const struct cfg_row own[] = {
		status_row(pin),
		{
			.off = 0x0e,
			.width = 1,
			.init = place->multifunction ? 0x80 : 0,
			.what = "Header Type",
			.why = "multi-function as its slot in the guest is",
		},
		{
			.off = 0x3d,
			.width = 1,
			.init = pin,
			.what = "Interrupt Pin",
			.why = "as the guest's INTx is wired",
		},
	};

	CFG_PLAN_ADD(p, 0, CFG_HEADER_SIZE, rows);
	for (unsigned i = 0; i < ARRAY_SIZE(own); i++)
		cfg_plan_row(p, 0, CFG_HEADER_SIZE, own[i]);
}

uint16_t cfg_command(const struct cfg_space *s)
{
	return (uint16_t)load_le(s->now + CFG_COMMAND, 2);
}
