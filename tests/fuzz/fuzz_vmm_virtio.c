/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver of the entropy device, or of the virtio console, that means harm:
 * any chains, memory that changes between two reads, input that comes whenever
 * it likes. Nothing outside of guest memory is touched, no turn takes more than
 * a turn may, and the device starts again after a reset.
 *
 * The input: which device, features, then steps as in fuzz_vmm_net.c.
 * fuzz: runs=30000 time=90
 */

#include "virtio_guest.h"
#include "vmm/devices.h"

#define QUEUES 2u /* the console's; the other has one */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add(struct guest *g, bool console)
{
	struct diag d;

	own_remove(&g->vm, SLOT);
	g->queues = console ? QUEUES : 1;
	if ((console ? vconsole_add(&g->vm, SLOT, &d)
	             : rng_add(&g->vm, SLOT, &d)) < 0)
		abort();
}

static struct guest *machine(void)
{
	struct guest *g = guest();
	struct diag d;

	if (g->ram)
		return g;
	guest_machine(g);
	g->vm.cfg.in_fd = g->vm.cfg.out_fd = g->vm.event_fd = -1;
	if (console_new(&g->vm, &g->vm.console, &d) < 0)
		abort();
	return g;
}

/* What somebody types, as far as there is room. */
static void type(struct guest *g)
{
	uint8_t buf[64];
	size_t n = MIN(take(g, 1) % sizeof(buf), vconsole_room(g->vm.vconsole));

	memset(buf, 'x', sizeof(buf));
	if (vconsole_input(g->vm.vconsole, buf, n) > n)
		abort();
}

static void step(struct guest *g, struct virtio *v)
{
	const unsigned what = take(g, 1), i = what / 8 % g->queues;
	struct piece good;

	switch (what % 8) {
	case 0:
		give_any(g, i);
		break;
	case 1:
	case 2:
		good = (struct piece){ DATA + take(g, 2) * 8,
			               1 + take(g, 2) % 3000, i ? 0 : 2 };
		give(g, i, &good, 1);
		break;
	case 3:
	case 4:
		kick_queue(v, i);
		break;
	case 5:
		if (g->vm.vconsole)
			type(g);
		break;
	case 6:
		scribble(g);
		break;
	default:
		(void)virtio_bar_read(v, 0, BAR_CONFIG + take(g, 1) % 20, 4);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guest *g = machine();
	struct virtio *v;

	if (!size)
		return 0;
	add(g, *data & 1);
	v = guest_begin(g, data + 1, size - 1);
	while (g->left)
		step(g, v);
	guest_end(g);
	return 0;
}
