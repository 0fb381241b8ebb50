/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's edu, which raises and lowers its INTx when told to: the kernel's side
 * of a level, step by step. The end of interrupt is a count in the resample
 * eventfd, as KVM writes it.
 */

#include <sys/eventfd.h>

#include "tests/lab/probe/probe.h"

/* QEMU docs/specs/edu.rst */
#define EDU_RAISE 0x60u
#define EDU_ACK 0x64u
#define CAUSE 1u

#define SOON 2000 /* ms; what comes, comes much sooner */
#define NEVER 100

static void edu_write(struct probe *p, unsigned off, uint32_t value)
{
	vfio_dev_bar_write(p->dev, 0, off, 4, value);
}

static void end_of_interrupt(struct probe *p)
{
	CHECK(eventfd_write(p->play.resample, 1) == 0, "resample eventfd");
}

static void fires(struct probe *p, const char *when)
{
	uint64_t n = count_of(p->play.trigger, SOON);

	CHECK(n == 1, "%s: %u interrupts", when, (unsigned)n);
}

static void silent(struct probe *p, const char *when)
{
	uint64_t n = count_of(p->play.trigger, NEVER);

	CHECK(n == 0, "%s: %u interrupts", when, (unsigned)n);
}

static void check_level(struct probe *p)
{
	edu_write(p, EDU_RAISE, CAUSE);
	fires(p, "raised");
	edu_write(p, EDU_RAISE, CAUSE << 1);
	silent(p, "masked until the end of interrupt");
	end_of_interrupt(p);
	fires(p, "the level is still there");
	edu_write(p, EDU_ACK, CAUSE | CAUSE << 1);
	end_of_interrupt(p);
	silent(p, "acknowledged");
	for (int i = 0; i < 20; i++) {
		edu_write(p, EDU_RAISE, CAUSE);
		fires(p, "again");
		edu_write(p, EDU_ACK, CAUSE);
		end_of_interrupt(p);
	}
	silent(p, "after 20 rounds");
	ok("INTx: a level fires once, and again when it outlives its end of "
	   "interrupt");
}

static void check_disable(struct probe *p)
{
	command(p, MEM_MASTER | PCI_COMMAND_INTX_DISABLE);
	edu_write(p, EDU_RAISE, CAUSE);
	silent(p, "INTx Disable");
	end_of_interrupt(p);
	silent(p, "INTx Disable, and an end of interrupt");
	command(p, MEM_MASTER);
	fires(p, "INTx Disable cleared over a level");
	edu_write(p, EDU_ACK, CAUSE);
	end_of_interrupt(p);
	vfio_dev_throttle(p->dev, VFIO_KIND_INTX, 0, true);
	edu_write(p, EDU_RAISE, CAUSE);
	command(p, MEM_MASTER);
	end_of_interrupt(p);
	silent(p, "held back");
	vfio_dev_throttle(p->dev, VFIO_KIND_INTX, 0, false);
	fires(p, "let go");
	edu_write(p, EDU_ACK, CAUSE);
	end_of_interrupt(p);
	ok("INTx Disable and the limiter hold a level, and lose none");
}

/* A level that stands while nobody listens is there when somebody does. */
static void check_pending(struct probe *p)
{
	edu_write(p, EDU_RAISE, CAUSE);
	fires(p, "raised");
	command(p, 0);
	CHECK(!p->play.lines, "decode off: %u lines", p->play.lines);
	command(p, MEM_MASTER);
	CHECK(p->play.lines == 1, "decode on: %u lines", p->play.lines);
	fires(p, "pending when armed");
	edu_write(p, EDU_ACK, CAUSE);
	end_of_interrupt(p);
	ok("INTx: a level that stands is told when the line is armed");
}

static void check_msi(struct probe *p)
{
	msi_control(p, PCI_MSI_FLAGS_ENABLE, 0x40);
	CHECK(!p->play.lines, "MSI on: %u lines", p->play.lines);
	edu_write(p, EDU_RAISE, CAUSE);
	CHECK(count_of(vector_fd(p, 0), SOON) == 1, "no MSI");
	edu_write(p, EDU_ACK, CAUSE);
	msi_control(p, 0, 0x40);
	CHECK(p->play.lines == 1, "MSI off: %u lines", p->play.lines);
	edu_write(p, EDU_RAISE, CAUSE);
	fires(p, "INTx after MSI");
	edu_write(p, EDU_ACK, CAUSE);
	end_of_interrupt(p);
	ok("MSI and INTx, one at a time");
}

void probe_edu(struct probe *p)
{
	struct diag d = { 0 };

	place_all(p);
	CHECK(!p->play.lines, "a line before COMMAND");
	command(p, MEM_MASTER);
	CHECK(p->play.lines == 1, "%u lines", p->play.lines);
	check_level(p);
	check_disable(p);
	check_pending(p);
	check_msi(p);
	expect_no_fault(p);
	MUST(vfio_dev_reset(p->dev, &d), &d);
	CHECK(!p->play.lines, "a line after the reset");
	place_all(p);
	command(p, MEM_MASTER);
	edu_write(p, EDU_RAISE, CAUSE);
	fires(p, "after a reset");
	close_device(p);
	ok("INTx after a reset; closed");
}
