/* SPDX-License-Identifier: GPL-2.0-or-later */
/* KVM and the machine, played: what they are asked is written down. */

#include "tests/lab/probe/probe.h"

static int play_routes(void *ctx, const struct irq_route *r, size_t n)
{
	struct play *p = ctx;

	p->commits++;
	for (size_t i = 0; i < n; i++)
		p->data[r[i].gsi % VECTORS_MAX] = r[i].msg.data;
	return 0;
}

static int play_irqfd_add(void *ctx, int eventfd, uint32_t gsi)
{
	struct play *p = ctx;

	CHECK(p->data[gsi % VECTORS_MAX], "irqfd before its route");
	p->eventfd[gsi % VECTORS_MAX] = eventfd;
	p->irqfds++;
	return 0;
}

static int play_irqfd_del(void *ctx, int eventfd _unused_, uint32_t gsi)
{
	struct play *p = ctx;

	p->eventfd[gsi % VECTORS_MAX] = -1;
	p->irqfds--;
	return 0;
}

static int play_line_add(void *ctx, int trigger, int resample,
                         uint32_t gsi _unused_)
{
	struct play *p = ctx;

	p->trigger = trigger;
	p->resample = resample;
	p->lines++;
	return 0;
}

static int play_line_del(void *ctx, int trigger _unused_, uint32_t gsi _unused_)
{
	((struct play *)ctx)->lines--;
	return 0;
}

const struct irq_sink_ops play_sink = {
	.set_routes = play_routes,
	.irqfd_add = play_irqfd_add,
	.irqfd_del = play_irqfd_del,
	.line_add = play_line_add,
	.line_del = play_line_del,
};

static int play_window_add(void *ctx, struct gpa gpa, void *hva,
                           uint64_t size _unused_, bool device _unused_)
{
	struct play *p = ctx;

	p->windows++;
	if (gpa.v == BAR0_AT)
		p->hva0 = hva;
	return 0;
}

static int play_window_del(void *ctx, struct gpa gpa _unused_,
                           void *hva _unused_, uint64_t size _unused_)
{
	((struct play *)ctx)->windows--;
	return 0;
}

static int play_trap_add(void *ctx, unsigned bar _unused_, bool io _unused_,
                         uint64_t addr _unused_, uint64_t size _unused_)
{
	((struct play *)ctx)->traps++;
	return 0;
}

static void play_trap_del(void *ctx, unsigned bar _unused_, bool io _unused_,
                          uint64_t addr _unused_, uint64_t size _unused_)
{
	((struct play *)ctx)->traps--;
}

static void play_vector_unmasked(void *ctx _unused_, unsigned vector _unused_)
{
}

const struct vfio_host_ops play_host = {
	.window_add = play_window_add,
	.window_del = play_window_del,
	.trap_add = play_trap_add,
	.trap_del = play_trap_del,
	.vector_unmasked = play_vector_unmasked,
};
