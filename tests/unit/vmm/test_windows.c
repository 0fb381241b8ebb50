/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Windows on device memory: what KVM and the IOMMU are asked, in which order.
 * Slots and DMA maps are this file's own; the bus is the real one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/assign.h"

#define PAGE 4096u
#define LOG 64

enum event {
	SLOT_ADD,
	SLOT_ADD_RO,
	SLOT_DEL,
	PEER_MAP,
	PEER_UNMAP,
};
struct fixture {
	struct vm vm;
	struct {
		enum event event;
		uint64_t at, size;
	} log[LOG];
	unsigned n;
	int slot_error, map_error, unmap_error;
	unsigned told;
	struct diag last;
};
static struct fixture *now; /* what the functions below are asked of */

static void note(enum event e, uint64_t at, uint64_t size)
{
	assert_true(now->n < LOG);
	now->log[now->n].event = e;
	now->log[now->n].at = at;
	now->log[now->n++].size = size;
}

int slot_add(struct vm *vm, struct gpa gpa, void *hva, uint64_t size,
             bool writable)
{
	assert_ptr_equal(vm, &now->vm);
	assert_non_null(hva);
	if (now->slot_error)
		return now->slot_error;
	note(writable ? SLOT_ADD : SLOT_ADD_RO, gpa.v, size);
	return 0;
}

int slot_del(struct vm *vm, struct gpa gpa, uint64_t size)
{
	assert_ptr_equal(vm, &now->vm);
	note(SLOT_DEL, gpa.v, size);
	return 0;
}

int iommu_map_peer(struct iommu_space *s, struct iova iova, void *hva,
                   uint64_t size, struct diag *d)
{
	assert_ptr_equal(s, now->vm.space);
	assert_non_null(hva);
	if (now->map_error) {
		diag_fail(d, now->map_error, FL_IOMMU_PEER, "map");
		diag_why(d, "the kernel does not");
		return now->map_error;
	}
	note(PEER_MAP, iova.v, size);
	return 0;
}

int iommu_unmap(struct iommu_space *s, struct iova iova, uint64_t size)
{
	assert_ptr_equal(s, now->vm.space);
	if (now->unmap_error)
		return now->unmap_error;
	note(PEER_UNMAP, iova.v, size);
	return 0;
}

void assign_keep_fault(struct assigned *a, const struct diag *d)
{
	assert_ptr_equal(a->vm, &now->vm);
	now->told++;
	now->last = *d;
}

static const struct bus_ops nothing = { NULL, NULL };

static void answer(struct fixture *f, uint64_t at, uint64_t size)
{
	assert_int_equal(bus_add(f->vm.mmio, at, size, EXIT_BAR, &nothing, f),
	                 0);
}

static int show(struct fixture *f, uint64_t at, uint64_t size)
{
	return windows_add(&f->vm.assigned[0], (struct gpa){ at }, f, size,
	                   true);
}

static int hide(struct fixture *f, uint64_t at, uint64_t size)
{
	return windows_del(&f->vm, (struct gpa){ at }, size);
}

static void functions(struct fixture *f, unsigned n)
{
	f->vm.cfg.n_devices = VM_DEVICES_MAX;
	for (unsigned i = 0; i < VM_DEVICES_MAX; i++)
		f->vm.assigned[i].dev = i < n ? (struct vfio_dev *)f : NULL;
	windows_share(&f->vm);
}

#define EXPECT(f, i, e, a)                                                     \
	do {                                                                   \
		assert_true((i) < (f)->n);                                     \
		assert_int_equal((f)->log[i].event, e);                        \
		assert_int_equal((f)->log[i].at, a);                           \
	} while (0)

/* One function alone: nobody is there to reach it. */
static void test_alone(void **state)
{
	struct fixture *f = *state;

	functions(f, 1);
	answer(f, 0x10000, 2 * PAGE);
	assert_int_equal(show(f, 0x10000, 2 * PAGE), 0);
	assert_int_equal(hide(f, 0x10000, PAGE), -ENOENT);
	assert_int_equal(hide(f, 0x10000, 0), -ENOENT);
	assert_int_equal(hide(f, 0x10000, 2 * PAGE), 0);
	assert_int_equal(hide(f, 0x10000, 2 * PAGE), -ENOENT);
	assert_int_equal(f->n, 2);
	EXPECT(f, 0, SLOT_ADD, 0x10000);
	EXPECT(f, 1, SLOT_DEL, 0x10000);
}

/* The second function's coming maps what is shown; its going unmaps. */
static void test_shared(void **state)
{
	struct fixture *f = *state;

	functions(f, 1);
	answer(f, 0x10000, 2 * PAGE);
	answer(f, 0x20000, PAGE);
	answer(f, 0x30000, PAGE);
	assert_int_equal(show(f, 0x10000, 2 * PAGE), 0);
	assert_int_equal(windows_add(&f->vm.assigned[0],
	                             (struct gpa){ 0x30000 }, f, PAGE, false),
	                 0);
	functions(f, 2);
	EXPECT(f, 1, SLOT_ADD_RO, 0x30000); /* a ROM is not mapped */
	EXPECT(f, 2, PEER_MAP, 0x10000);
	functions(f, 3); /* once is enough */
	assert_int_equal(f->n, 3);
	assert_int_equal(show(f, 0x20000, PAGE), 0);
	EXPECT(f, 3, SLOT_ADD, 0x20000);
	EXPECT(f, 4, PEER_MAP, 0x20000);
	assert_int_equal(hide(f, 0x20000, PAGE), 0);
	EXPECT(f, 5, PEER_UNMAP, 0x20000);
	EXPECT(f, 6, SLOT_DEL, 0x20000);
	functions(f, 1);
	EXPECT(f, 7, PEER_UNMAP, 0x10000);
	assert_int_equal(hide(f, 0x10000, 2 * PAGE), 0);
	EXPECT(f, 8, SLOT_DEL, 0x10000);
	assert_int_equal(f->n, 9);
}

/* What devices still reach is not taken from the guest, nor forgotten. */
static void test_stuck(void **state)
{
	struct fixture *f = *state;

	functions(f, 2);
	answer(f, 0x10000, PAGE);
	assert_int_equal(show(f, 0x10000, PAGE), 0);
	f->unmap_error = -EIO;
	assert_int_equal(hide(f, 0x10000, PAGE), -EIO);
	assert_int_equal(f->n, 2);
	f->unmap_error = 0;
	assert_int_equal(hide(f, 0x10000, PAGE), 0);
	EXPECT(f, 2, PEER_UNMAP, 0x10000);
	EXPECT(f, 3, SLOT_DEL, 0x10000);
}

static void test_told_once(void **state)
{
	struct fixture *f = *state;

	f->map_error = -EOPNOTSUPP;
	functions(f, 2);
	for (uint64_t at = 0x10000; at < 0x18000; at += PAGE) {
		answer(f, at, PAGE);
		assert_int_equal(show(f, at, PAGE), 0);
	}
	assert_int_equal(f->told, 1);
	assert_int_equal(f->last.code, FL_IOMMU_PEER);
	assert_non_null(strstr(f->last.why, "the kernel does not"));
	assert_non_null(strstr(f->last.why,
	                       "DMA between the guest's own devices fails"));
	for (uint64_t at = 0x10000; at < 0x18000; at += PAGE)
		assert_int_equal(hide(f, at, PAGE), 0);
	for (unsigned i = 0; i < f->n; i++)
		assert_true(f->log[i].event == SLOT_ADD ||
		            f->log[i].event == SLOT_DEL);
}

/* More than a guest may make a vCPU wait for. */
static void test_too_large(void **state)
{
	const uint64_t size = 32ull << 30;
	struct fixture *f = *state;

	functions(f, 2);
	answer(f, size, size);
	assert_int_equal(show(f, size, size), 0);
	assert_int_equal(f->n, 1);
	assert_int_equal(f->told, 1);
	assert_int_equal(hide(f, size, size), 0);
}

/* A BAR of 256 bytes shows its page: as long as nobody else is in it. */
static void test_small(void **state)
{
	struct fixture *f = *state;

	functions(f, 2);
	answer(f, 0x10000, 256);
	answer(f, 0x20100, 256);
	answer(f, 0x20000, 256);
	assert_int_equal(show(f, 0x20000, PAGE), -EADDRINUSE);
	assert_int_equal(f->n, 0);
	assert_int_equal(show(f, 0x10000, PAGE), 0);
	/* Next to it, not in it. */
	assert_int_equal(windows_evict(&f->vm, 0x11000, 256), 0);
	assert_int_equal(f->n, 2);
	answer(f, 0x10f00, 256);
	assert_int_equal(windows_evict(&f->vm, 0x10f00, 256), 0);
	EXPECT(f, 2, PEER_UNMAP, 0x10000);
	EXPECT(f, 3, SLOT_DEL, 0x10000);
	/* vfio takes away what it believes to be there. */
	assert_int_equal(hide(f, 0x10000, PAGE), 0);
	assert_int_equal(f->n, 4);
}

static void test_refused(void **state)
{
	struct fixture *f = *state;

	functions(f, 2);
	answer(f, 0x10000, PAGE);
	f->slot_error = -ENOSPC;
	assert_int_equal(show(f, 0x10000, PAGE), -ENOSPC);
	assert_int_equal(show(f, 0x10000, 0), -EINVAL);
	f->slot_error = 0;
	assert_int_equal(hide(f, 0x10000, PAGE), -ENOENT);
	assert_int_equal(f->n, 0);
}

static void test_bus_count(void **state)
{
	struct fixture *f = *state;
	struct bus *b = f->vm.mmio;

	answer(f, 0x1000, 0x1000);
	answer(f, 0x3000, 0x10);
	answer(f, UINT64_MAX - 0xfff, 0x1000);
	assert_int_equal(bus_count(b, 0, 0x1000), 0);
	assert_int_equal(bus_count(b, 0, 0x1001), 1);
	assert_int_equal(bus_count(b, 0x1fff, 1), 1);
	assert_int_equal(bus_count(b, 0x1fff, 0x1002), 2);
	assert_int_equal(bus_count(b, 0x2000, 0x1000), 0);
	assert_int_equal(bus_count(b, 0x3010, UINT64_MAX - 0x3010), 1);
	assert_int_equal(bus_count(b, 0, UINT64_MAX), 3);
	assert_int_equal(bus_count(b, 0x1000, 0), 0);
}

static int setup(void **state)
{
	now = calloc(1, sizeof(*now));
	if (!now || bus_new(&now->vm.mmio) < 0 ||
	    windows_new(&now->vm.windows) < 0)
		return -1;
	now->vm.assigned = calloc(VM_DEVICES_MAX, sizeof(*now->vm.assigned));
	if (!now->vm.assigned)
		return -1;
	now->vm.space = (struct iommu_space *)now;
	for (unsigned i = 0; i < VM_DEVICES_MAX; i++)
		now->vm.assigned[i].vm = &now->vm;
	*state = now;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	windows_free(f->vm.windows);
	bus_free(f->vm.mmio);
	free(f->vm.assigned);
	free(f);
	return 0;
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_alone),     TEST(test_shared),    TEST(test_stuck),
		TEST(test_told_once), TEST(test_too_large), TEST(test_small),
		TEST(test_refused),   TEST(test_bus_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
