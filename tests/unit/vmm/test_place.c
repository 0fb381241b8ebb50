/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses for BARs. Functions are this file's own: only what place.c asks of
 * vfio is there, so their BARs are what each test says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/assign.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

struct vfio_dev {
	struct cfg_bar bar[CFG_BARS];
	uint64_t placed[CFG_BARS];
};

const struct cfg_bar *vfio_dev_bars(const struct vfio_dev *v)
{
	return v->bar;
}

int vfio_dev_bar_place(struct vfio_dev *v, unsigned bar, uint64_t addr)
{
	assert_true(bar < CFG_BARS);
	v->placed[bar] = addr;
	return IS_ALIGNED(addr, v->bar[bar].size) ? 0 : -EINVAL;
}

struct fixture {
	struct vm vm;
	struct assigned assigned[VM_DEVICES_MAX];
	struct vfio_dev dev[VM_DEVICES_MAX];
	struct diag d;
};

static void start(struct fixture *f, unsigned devices)
{
	memset(f, 0, sizeof(*f));
	f->vm.cfg.n_devices = devices;
	f->vm.mem.window[0] =
		(struct iommu_range){ 5 * GIB, address_end() - 1 };
	f->vm.mem.n_windows = 1;
	f->vm.assigned = f->assigned;
	for (unsigned i = 0; i < devices; i++) {
		f->assigned[i].vm = &f->vm;
		f->assigned[i].index = i;
		f->assigned[i].dev = &f->dev[i];
		strcpy(f->vm.cfg.device[i].bdf, "0000:01:10.0");
	}
}

static void set_bar(struct fixture *f, unsigned dev, unsigned i,
                    enum cfg_bar_kind kind, uint64_t size, bool prefetch)
{
	f->dev[dev].bar[i] = (struct cfg_bar){ kind, prefetch, size };
	if (kind == CFG_BAR_MEM64)
		f->dev[dev].bar[i + 1].kind = CFG_BAR_UPPER;
}

static int place(struct fixture *f)
{
	int r = place_all(&f->vm, &f->d);

	for (unsigned i = 0; r == 0 && i < f->vm.cfg.n_devices; i++)
		r = place_apply(&f->assigned[i], &f->d);
	return r;
}

/* The window of its bridge that a BAR must be in. */
static void window_of(const struct assign_window *w, const struct cfg_bar *b,
                      uint64_t *base, uint64_t *size)
{
	if (b->kind == CFG_BAR_IO) {
		*base = w->io;
		*size = w->io_size;
	} else if (b->kind == CFG_BAR_MEM64 && b->prefetch) {
		*base = w->mem64;
		*size = w->mem64_size;
	} else {
		*base = w->mem32;
		*size = w->mem32_size;
	}
}

static void check_bar(const struct fixture *f, unsigned dev, unsigned i)
{
	const struct cfg_bar *b = &f->dev[dev].bar[i];
	uint64_t at = f->dev[dev].placed[i], base, size;

	if (!b->size || (b->kind == CFG_BAR_IO && !at))
		return;
	assert_true(at != 0);
	assert_true(IS_ALIGNED(at, b->size));
	window_of(&f->assigned[dev].window, b, &base, &size);
	assert_true(at >= base && at + b->size <= base + size);
	for (unsigned k = 0; k < i; k++) {
		const struct cfg_bar *o = &f->dev[dev].bar[k];
		bool io = b->kind == CFG_BAR_IO;

		/* Memory BARs share no page, ports no port. */
		if (o->size && (o->kind == CFG_BAR_IO) == io)
			assert_false(
				ranges_overlap(at, MAX(b->size, io ? 1 : 4096u),
			                       f->dev[dev].placed[k],
			                       MAX(o->size, io ? 1 : 4096u)));
	}
}

static void check_windows(const struct fixture *f)
{
	for (unsigned i = 0; i < f->vm.cfg.n_devices; i++) {
		const struct assign_window *w = &f->assigned[i].window;

		assert_true(IS_ALIGNED(w->mem32 | w->mem32_size, MIB));
		assert_true(IS_ALIGNED(w->mem64 | w->mem64_size, MIB));
		assert_true(IS_ALIGNED(w->io | w->io_size, 4096u));
		assert_true(!w->mem32_size ||
		            (w->mem32 >= MAP_MMIO32 &&
		             w->mem32 + w->mem32_size <= MAP_MMIO32_END));
		assert_true(!w->mem64_size || w->mem64 >= f->vm.mem.mmio64);
		for (unsigned k = 0; k < i; k++) {
			const struct assign_window *o = &f->assigned[k].window;

			assert_false(ranges_overlap(w->mem32, w->mem32_size,
			                            o->mem32, o->mem32_size));
			assert_false(ranges_overlap(w->mem64, w->mem64_size,
			                            o->mem64, o->mem64_size));
			assert_false(ranges_overlap(w->io, w->io_size, o->io,
			                            o->io_size));
		}
	}
}

static void check(const struct fixture *f)
{
	check_windows(f);
	for (unsigned i = 0; i < f->vm.cfg.n_devices; i++)
		for (unsigned k = 0; k < CFG_BARS; k++)
			check_bar(f, i, k);
}

/* As the lab's igb VF: two 16 KiB BARs, 64-bit and prefetchable. */
static void test_vf(void **state)
{
	struct fixture *f = *state;

	start(f, 1);
	set_bar(f, 0, 0, CFG_BAR_MEM64, 16384, true);
	set_bar(f, 0, 3, CFG_BAR_MEM64, 16384, true);
	assert_int_equal(place(f), 0);
	check(f);
	assert_int_equal(f->assigned[0].window.mem32_size, 0);
	assert_int_equal(f->assigned[0].window.mem64, 5 * GIB);
	assert_int_equal(f->assigned[0].window.mem64_size, MIB);
}

/* The window above 4G of a bridge is prefetchable: what is not goes below. */
static void test_not_prefetchable(void **state)
{
	struct fixture *f = *state;

	start(f, 1);
	set_bar(f, 0, 0, CFG_BAR_MEM64, 32 * MIB, false);
	set_bar(f, 0, 2, CFG_BAR_MEM32, 64, false);
	assert_int_equal(place(f), 0);
	check(f);
	assert_in_range(f->dev[0].placed[0], MAP_MMIO32, MAP_MMIO32_END);
	assert_int_equal(f->assigned[0].window.mem64_size, 0);
}

static void test_no_room(void **state)
{
	struct fixture *f = *state;

	start(f, 2);
	set_bar(f, 0, 0, CFG_BAR_MEM32, 256 * MIB, false);
	set_bar(f, 1, 0, CFG_BAR_MEM32, 1024 * MIB, false);
	assert_int_equal(place(f), -ENOSPC);
	assert_int_equal(f->d.code, FL_VMM_SLOT);
	assert_non_null(strstr(f->d.why, "1024 MiB of memory below 4 GiB"));
	assert_true(f->d.mend[0]);
	/* Nor a BAR whose address does not exist. */
	start(f, 1);
	set_bar(f, 0, 0, CFG_BAR_MEM64, 1ull << 62, true);
	assert_int_equal(place(f), -ENOSPC);
}

/* Four bridges' I/O windows fit; the fifth function does without. */
static void test_ports_run_out(void **state)
{
	struct fixture *f = *state;
	unsigned placed = 0;

	start(f, 6);
	for (unsigned i = 0; i < 6; i++) {
		set_bar(f, i, 0, CFG_BAR_MEM32, MIB, false);
		set_bar(f, i, 1, CFG_BAR_IO, 32, false);
	}
	assert_int_equal(place(f), 0);
	check(f);
	for (unsigned i = 0; i < 6; i++)
		placed += f->dev[i].placed[1] != 0;
	assert_int_equal(placed, 4);
}

/* 64 GiB of BAR moves the end of the host bridge's window. */
static void test_large(void **state)
{
	struct fixture *f = *state;

	start(f, 2);
	set_bar(f, 0, 0, CFG_BAR_MEM64, 16 * GIB, true);
	set_bar(f, 1, 0, CFG_BAR_MEM64, MIB, true);
	if (place(f) == -ENOSPC)
		skip(); /* a host of 36 address bits */
	check(f);
	assert_true(assign_mem64_end(&f->vm) >= f->dev[0].placed[0] + 16 * GIB);
}

static uint64_t noise(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	return *state ^= *state << 17;
}

static void random_bars(struct fixture *f, uint64_t *seed)
{
	for (unsigned i = 0; i < f->vm.cfg.n_devices; i++)
		for (unsigned k = 0; k < CFG_BARS; k++) {
			uint64_t r = noise(seed);

			if (f->dev[i].bar[k].kind == CFG_BAR_UPPER)
				continue;
			if (r % 4 == 1)
				set_bar(f, i, k, CFG_BAR_MEM32,
				        1ull << (4 + (r >> 8) % 20), r & 16);
			else if (r % 4 == 2 && k + 1 < CFG_BARS)
				set_bar(f, i, k, CFG_BAR_MEM64,
				        1ull << (4 + (r >> 8) % 22), r & 16);
			else if (r % 16 == 3)
				set_bar(f, i, k, CFG_BAR_IO,
				        1ull << (2 + (r >> 8) % 7), false);
		}
}

static void test_random(void **state)
{
	struct fixture *f = *state;
	uint64_t seed = 88172645463325252ull;
	unsigned placed = 0;

	for (unsigned i = 0; i < 2000; i++) {
		start(f, 1 + (unsigned)(noise(&seed) % VM_DEVICES_MAX));
		random_bars(f, &seed);
		if (place(f) == 0) {
			check(f);
			placed++;
		}
	}
	assert_true(placed > 1900);
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vf),
		cmocka_unit_test(test_not_prefetchable),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_ports_run_out),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
