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
	         CFG_COMMAND_INTX_OFF },

	/*
	 * Status. Interrupt Status lives. The error bits are RW1C, but VFIO
	 * drops writes to them, and a bit that can be seen and not cleared
	 * lies: they read 0 and their clearing is not forwarded. Immediate
	 * Readiness is true of any function here, because the host waits in
	 * each reset; it spares the guest its own 100 ms (PCIe 6.0 6.6.1).
	 */
	{ .off = CFG_STATUS, .width = 2, .init = CFG_STATUS_READY,
	  .hw = CFG_STATUS_INTX, .w1c = CFG_STATUS_ERRORS },

	{ .off = 0x08, .width = 4, .snap = 0xffffffff }, /* Revision, Class */
	{ .off = 0x0c, .width = 1, .snap = 0xff },       /* Cache Line Size */
	{ .off = 0x0d, .width = 1 },                     /* Latency Timer: 0 */
	/* BIST: 0 = not capable. A self-test would run on the host's time. */
	{ .off = 0x0f, .width = 1 },
	{ .off = 0x28, .width = 4 },                     /* CardBus CIS: 0 */
	{ .off = 0x2c, .width = 4, .snap = 0xffffffff }, /* Subsystem IDs */
	/* Interrupt Line means nothing to hardware: firmware's notepad. */
	{ .off = 0x3c, .width = 1, .rw = 0xff },
	/* 3Eh, 3Fh: Min_Gnt and Max_Lat are 0 in PCI Express. */
	// clang-format on
};

void cfg_plan_header(struct cfg_plan *p, const struct cfg_place *place)
{
	CFG_PLAN_ADD(p, 0, CFG_HEADER_SIZE, rows);
	cfg_plan_row(p, 0, CFG_HEADER_SIZE,
	             (struct cfg_row){
			     .off = 0x0e, /* Header Type */
			     .width = 1,
			     .init = place->multifunction ? 0x80 : 0,
		     });
	cfg_plan_row(p, 0, CFG_HEADER_SIZE,
	             (struct cfg_row){
			     .off = 0x3d, /* Interrupt Pin */
			     .width = 1,
			     .init = place->intx_pin <= 4 ? place->intx_pin : 0,
		     });
}

uint16_t cfg_command(const struct cfg_space *s)
{
	return (uint16_t)load_le(s->now + CFG_COMMAND, 2);
}
