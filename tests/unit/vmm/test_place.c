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
	struct cfg_layout layout;
	uint64_t placed[VFIO_RANGES];
};

const struct cfg_bar *vfio_dev_bars(const struct vfio_dev *v)
{
	return v->bar;
}

const struct cfg_layout *vfio_dev_layout(const struct vfio_dev *v)
{
	return &v->layout;
}

bool vfio_dev_cfg_write(struct vfio_dev *v, unsigned off, unsigned width,
                        uint32_t value)
{
	assert_int_equal(off, 0x30);
	assert_int_equal(width, 4);
	v->placed[VFIO_ROM] = value;
	return true;
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
		f->vm.cfg.device[i].slot = (uint8_t)(i + 1);
		f->vm.ports |= BIT(i + 1);
	}
}

static void move(struct fixture *f, unsigned dev, uint8_t slot, uint8_t fn)
{
	f->vm.cfg.device[dev].slot = slot;
	f->vm.cfg.device[dev].function = fn;
	assert_int_equal(topology_init(&f->vm, &f->d), 0);
}

static const struct assign_window *window_at(const struct fixture *f,
                                             unsigned dev)
{
	return &f->vm.window[f->vm.cfg.device[dev].slot];
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

/* Every range that was placed: where, how much, and in which space. */
struct range {
	uint64_t at, size;
	bool io;
};

static void check_apart(const struct range *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < i; k++)
			assert_false(r[i].io == r[k].io &&
			             ranges_overlap(r[i].at, r[i].size, r[k].at,
			                            r[k].size));
}

static void check_bar(const struct fixture *f, unsigned dev, unsigned i,
                      struct range *r, unsigned *n)
{
	const struct cfg_bar *b = &f->dev[dev].bar[i];
	const uint64_t at = f->dev[dev].placed[i];
	uint64_t base, size, take;

	if (!b->size || b->kind == CFG_BAR_UPPER) {
		assert_int_equal(at, 0);
		return;
	}
	if (b->kind == CFG_BAR_IO && !at)
		return;
	window_of(window_at(f, dev), b, &base, &size);
	take = b->kind == CFG_BAR_IO ? b->size : MAX(b->size, 4096ull);
	assert_true(IS_ALIGNED(at, take));
	assert_true(at >= base && range_inside(at - base, take, size));
	r[(*n)++] = (struct range){ at, take, b->kind == CFG_BAR_IO };
}

static void check_rom(const struct fixture *f, unsigned dev, struct range *r,
                      unsigned *n)
{
	const uint64_t size = f->dev[dev].layout.rom_size;
	const uint64_t at = f->dev[dev].placed[VFIO_ROM];
	const struct assign_window *w = window_at(f, dev);

	if (!size) {
		assert_int_equal(at, 0);
		return;
	}
	assert_true(IS_ALIGNED(at, MAX(size, 4096ull)));
	assert_true(at >= w->mem32 &&
	            range_inside(at - w->mem32, size, w->mem32_size));
	r[(*n)++] = (struct range){ at, MAX(size, 4096ull), false };
}

static void check_windows(const struct fixture *f)
{
	struct range r[3 * (VM_SLOTS_MAX + 1)];
	unsigned n = 0;

	for (unsigned s = 1; s <= VM_SLOTS_MAX; s++) {
		const struct assign_window *w = &f->vm.window[s];

		assert_true(IS_ALIGNED(w->mem32 | w->mem32_size, MIB));
		assert_true(IS_ALIGNED(w->mem64 | w->mem64_size, MIB));
		assert_true(IS_ALIGNED(w->io | w->io_size, 4096u));
		assert_true(!w->mem32_size ||
		            (w->mem32 >= MAP_MMIO32 &&
		             w->mem32 + w->mem32_size <= MAP_MMIO32_END));
		assert_true(!w->mem64_size ||
		            (w->mem64 >= f->vm.mem.mmio64 &&
		             w->mem64 + w->mem64_size <=
		                     topology_mem64_end(&f->vm)));
		assert_true(w->io + w->io_size <= 0x10000);
		/* Only ports have any. */
		assert_true(f->vm.ports & BIT(s) ||
		            !(w->io_size | w->mem32_size | w->mem64_size));
		r[n++] = (struct range){ w->mem32, w->mem32_size, false };
		r[n++] = (struct range){ w->mem64, w->mem64_size, false };
		r[n++] = (struct range){ w->io, w->io_size, true };
	}
	check_apart(r, n);
}

static void check(const struct fixture *f)
{
	struct range r[VM_DEVICES_MAX * VFIO_RANGES];
	unsigned n = 0;

	check_windows(f);
	for (unsigned i = 0; i < f->vm.cfg.n_devices; i++) {
		for (unsigned k = 0; k < CFG_BARS; k++)
			check_bar(f, i, k, r, &n);
		check_rom(f, i, r, &n);
	}
	check_apart(r, n);
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
	assert_int_equal(window_at(f, 0)->mem64, 5 * GIB);
	assert_int_equal(f->dev[0].placed[0], 5 * GIB);
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

/* Fifteen bridges' I/O windows fit; the sixteenth function does without. */
static void test_ports_run_out(void **state)
{
	struct fixture *f = *state;
	unsigned placed = 0;

	start(f, 16);
	for (unsigned i = 0; i < 16; i++) {
		set_bar(f, i, 0, CFG_BAR_MEM32, MIB, false);
		set_bar(f, i, 1, CFG_BAR_IO, 32, false);
	}
	assert_int_equal(place(f), 0);
	check(f);
	for (unsigned i = 0; i < 16; i++)
		placed += f->dev[i].placed[1] != 0;
	assert_int_equal(placed, 15);
}

/* 64 GiB of BAR, and room for another one behind it. */
static void test_large(void **state)
{
	static const uint64_t sizes[] = { GIB, 8 * GIB, 64 * GIB };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t end;

		start(f, 2);
		set_bar(f, 0, 0, CFG_BAR_MEM64, sizes[i], true);
		set_bar(f, 1, 0, CFG_BAR_MEM64, MIB, true);
		if (place(f) == -ENOSPC)
			skip(); /* a host of 36 address bits */
		check(f);
		end = f->dev[0].placed[0] + sizes[i];
		assert_true(
			topology_mem64_end(&f->vm) >=
			MIN(ALIGN_UP(end, 64 * GIB) + 64 * GIB, address_end()));
	}
}

/* Three functions in one slot, as ehci and its companions, one with a ROM. */
static void test_functions(void **state)
{
	struct fixture *f = *state;

	start(f, 4);
	for (unsigned i = 0; i < 3; i++) {
		move(f, i, 5, (uint8_t)i);
		set_bar(f, i, 0, CFG_BAR_MEM32, 1024, false);
		set_bar(f, i, 1, CFG_BAR_IO, 32, false);
		set_bar(f, i, 2, CFG_BAR_MEM64, MIB << i, true);
	}
	f->dev[1].layout.rom_size = 2048;
	set_bar(f, 3, 0, CFG_BAR_MEM32, MIB, false);
	assert_int_equal(f->vm.ports, BIT(5) | BIT(4));
	assert_int_equal(place(f), 0);
	check(f);
	assert_true(f->dev[1].placed[VFIO_ROM]);
	assert_int_equal(f->vm.window[5].io_size, 4096);
	assert_int_equal(topology_bus(&f->vm, 5), 2);
	assert_int_equal(topology_last_bus(&f->vm), 2);
}

/* Empty ports are at the lowest free numbers, and have windows. */
static void test_spare(void **state)
{
	struct fixture *f = *state;

	start(f, 1);
	set_bar(f, 0, 0, CFG_BAR_MEM32, MIB, false);
	f->vm.cfg.spare_slots = 3;
	move(f, 0, 2, 0);
	assert_int_equal(f->vm.ports, BITS(4, 1));
	assert_int_equal(topology_last_bus(&f->vm), 4);
	assert_int_equal(topology_bus(&f->vm, 2), 2);
	assert_int_equal(place(f), 0);
	check(f);
	for (unsigned s = 1; s <= 4; s++) {
		assert_true(f->vm.window[s].mem32_size >= 2 * MIB);
		assert_true(f->vm.window[s].mem64_size >= 256 * MIB);
	}
	/* Where there is no room for those, nothing is refused. */
	set_bar(f, 0, 0, CFG_BAR_MEM32, 512 * MIB, false);
	set_bar(f, 0, 1, CFG_BAR_MEM32, 256 * MIB, false);
	set_bar(f, 0, 2, CFG_BAR_MEM32, 128 * MIB, false);
	set_bar(f, 0, 3, CFG_BAR_MEM32, 64 * MIB, false);
	set_bar(f, 0, 4, CFG_BAR_MEM32, 32 * MIB, false);
	assert_int_equal(place(f), 0);
	check(f);
}

static void test_slots_refused(void **state)
{
	struct fixture *f = *state;
	struct vm_device more = { .slot = 9, .fd = 0 };

	start(f, 2);
	f->vm.cfg.device[0].slot = 32;
	assert_int_equal(topology_init(&f->vm, &f->d), -EINVAL);
	f->vm.cfg.device[0].slot = 2;
	assert_int_equal(topology_init(&f->vm, &f->d), -EINVAL);
	f->vm.cfg.device[0].function = 1;
	assert_int_equal(topology_init(&f->vm, &f->d), 0);
	assert_int_equal(f->vm.ports, BIT(2));
	assert_true(topology_has_more(&f->vm, &f->vm.cfg.device[1]));
	f->vm.cfg.device[1].function = 7;
	assert_int_equal(topology_init(&f->vm, &f->d), -EINVAL);
	assert_non_null(strstr(f->d.why, "no function 0"));
	f->vm.cfg.device[1].function = 0;
	f->vm.cfg.spare_slots = 31;
	assert_int_equal(topology_init(&f->vm, &f->d), -ENOSPC);
	assert_int_equal(f->d.code, FL_VMM_SLOT);
	f->vm.cfg.spare_slots = 0;
	assert_int_equal(topology_init(&f->vm, &f->d), 0);
	/* While it runs: only where a port is, and nothing is there. */
	assert_int_equal(topology_check(&f->vm, &more, &f->d), -ENOENT);
	more.slot = 2;
	assert_int_equal(topology_check(&f->vm, &more, &f->d), -EINVAL);
	f->vm.cfg.device[1].fd = -1; /* released */
	assert_int_equal(topology_check(&f->vm, &more, &f->d), 0);
}

/* A plan that fails changes nothing. */
static void test_kept(void **state)
{
	struct fixture *f = *state;
	uint64_t at;

	start(f, 1);
	set_bar(f, 0, 0, CFG_BAR_MEM32, MIB, false);
	assert_int_equal(place(f), 0);
	at = f->assigned[0].at[0];
	assert_true(at);
	set_bar(f, 0, 1, CFG_BAR_MEM32, 2048 * MIB, false);
	assert_int_equal(place(f), -ENOSPC);
	assert_int_equal(f->assigned[0].at[0], at);
	assert_int_equal(f->assigned[0].at[1], 0);
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
			else if (r % 16 == 7)
				f->dev[i].layout.rom_size =
					1ull << (11 + (r >> 8) % 14);
		}
}

/* Some functions share a slot; some slots are empty. */
static void random_slots(struct fixture *f, uint64_t *seed)
{
	uint8_t slot = 1, fn = 0;

	for (unsigned i = 0; i < f->vm.cfg.n_devices; i++) {
		f->vm.cfg.device[i].slot = slot;
		f->vm.cfg.device[i].function = fn++;
		if (noise(seed) % 3 || fn == VM_FUNCTIONS_MAX) {
			slot++;
			fn = 0;
		}
	}
	f->vm.cfg.spare_slots = (unsigned)(noise(seed) % 8);
	assert_int_equal(topology_init(&f->vm, &f->d), 0);
}

static void test_random(void **state)
{
	struct fixture *f = *state;
	uint64_t seed = 88172645463325252ull;
	unsigned placed = 0;

	for (unsigned i = 0; i < 2000; i++) {
		start(f, 1 + (unsigned)(noise(&seed) % VM_DEVICES_MAX));
		random_slots(f, &seed);
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
		cmocka_unit_test(test_functions),
		cmocka_unit_test(test_spare),
		cmocka_unit_test(test_slots_refused),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
