/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A function among others on its bus, all bound to vfio-pci: where its group
 * covers the bus it is reset as a whole, else those that are missing are named.
 */

#include "tests/lab/probe/probe.h"

static int reset_bus(struct probe *p, struct diag *d)
{
	bool groups = p->backend == IOMMU_TYPE1;

	return vfio_hot_reset(&p->dev, 1, &p->fd, groups ? 1 : 0, d);
}

void probe_bus(struct probe *p)
{
	unsigned before = vfio_dev_stats(p->dev).resets;
	struct diag d = { 0 };
	int r;

	if (!vfio_dev_resets_alone(p->dev)) {
		r = vfio_dev_reset(p->dev, &d);
		CHECK(r == -EOPNOTSUPP && d.code == FL_VFIO_NO_RESET,
		      "reset alone: %d, FL-%04d", r, d.code);
		ok("no reset of its own: FL-%04d", d.code);
	}
	place_all(p);
	command(p, MEM_MASTER);
	d = (struct diag){ 0 };
	r = reset_bus(p, &d);
	if (r == -EPERM) {
		CHECK(d.code == FL_VFIO_HOT_RESET && d.why[0], "%s", d.what);
		CHECK(p->play.windows, "refused, and the windows are gone");
		ok("FL-%04d: %s: %s", d.code, d.what, d.why);
	} else {
		MUST(r, &d);
		CHECK(vfio_dev_stats(p->dev).resets == before + 1, "resets");
		CHECK(!p->play.windows && !p->play.lines, "not withdrawn");
		CHECK(!vfio_dev_cfg_read(p->dev, PCI_COMMAND, 2), "COMMAND");
		MUST(vfio_dev_check(p->dev, &d), &d);
		place_all(p);
		command(p, MEM_MASTER);
		CHECK(p->play.windows, "no window after the reset");
		ok("the bus is reset, the function works");
	}
	expect_no_fault(p);
	close_device(p);
	ok("closed");
}
