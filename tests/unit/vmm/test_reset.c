/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ladder of resets: which functions are reset, by what, and what is
 * refused. The functions, and the kernel's word on a bus, are this file's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/assign.h"

struct vfio_dev {
	bool alone;
	unsigned own, bus; /* resets */
};
struct fixture {
	struct vm vm;
	struct assigned assigned[VM_DEVICES_MAX];
	struct vfio_dev dev[VM_DEVICES_MAX];
	enum iommu_backend backend;
	int bus_error, own_error;
	unsigned calls, n, n_fds; /* of the last bus reset */
	unsigned placed, told;
	struct diag d;
};
static struct fixture *now;

bool vfio_dev_resets_alone(const struct vfio_dev *v)
{
	return v->alone;
}

int vfio_dev_reset(struct vfio_dev *v, struct diag *d)
{
	if (now->own_error)
		return diag_fail(d, now->own_error, FL_VFIO_RESET, "reset");
	v->own++;
	return 0;
}

int vfio_hot_reset(struct vfio_dev *const *devs, unsigned n,
                   const int *group_fds, unsigned n_groups, struct diag *d)
{
	now->calls++;
	now->n = n;
	now->n_fds = n_groups;
	for (unsigned i = 0; i < n_groups; i++)
		assert_true(group_fds[i] >= 100);
	if (now->bus_error) {
		diag_fail(d, now->bus_error, FL_VFIO_HOT_RESET, "reset");
		diag_why(d, "0000:01:00.7 is somebody's");
		return now->bus_error;
	}
	for (unsigned i = 0; i < n; i++)
		devs[i]->bus++;
	return 0;
}

enum iommu_backend iommu_space_backend(const struct iommu_space *s)
{
	assert_non_null(s);
	return now->backend;
}

int place_all(struct vm *vm, struct diag *d)
{
	(void)vm;
	(void)d;
	return 0;
}

int place_apply(struct assigned *a, struct diag *d)
{
	(void)d;
	assert_non_null(a->dev);
	now->placed++;
	return 0;
}

void assign_keep_fault(struct assigned *a, const struct diag *d)
{
	(void)a;
	assert_int_equal(d->code, FL_VFIO_RESET);
	now->told++;
}

void assign_offer_others(struct assigned *a)
{
	fail_msg("nothing of %u has moved", a->index);
}

static void put(struct fixture *f, unsigned i, uint8_t slot, uint8_t fn,
                uint64_t bus, bool alone)
{
	struct assigned *a = &f->assigned[i];

	a->dev = &f->dev[i];
	a->dev->alone = alone;
	a->place = ASSIGN_PLACE(slot, fn);
	a->bus = bus;
	f->vm.cfg.device[i].slot = slot;
	f->vm.cfg.device[i].function = fn;
	f->vm.cfg.device[i].fd = 100 + (int)i;
	f->vm.cfg.n_devices = MAX(f->vm.cfg.n_devices, i + 1);
}

#define COUNTS(f, i, own_, bus_)                                               \
	do {                                                                   \
		assert_int_equal((f)->dev[i].own, own_);                       \
		assert_int_equal((f)->dev[i].bus, bus_);                       \
	} while (0)

/* The slot is the bus: at once. */
static void test_guest_whole(void **state)
{
	struct fixture *f = *state;

	put(f, 0, 5, 0, 1, true);
	put(f, 1, 5, 1, 1, true);
	put(f, 2, 6, 0, 2, true);
	assign_bus_reset(&f->vm, 5);
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->n_fds, 0);
	COUNTS(f, 0, 0, 1);
	COUNTS(f, 1, 0, 1);
	COUNTS(f, 2, 0, 0);
	f->backend = IOMMU_TYPE1;
	assign_bus_reset(&f->vm, 5);
	assert_int_equal(f->n_fds, 2);
	/* An empty slot, none at all. */
	assign_bus_reset(&f->vm, 9);
	assert_int_equal(f->calls, 2);
}

/* A function of the bus is somebody else's, or in another slot of the guest. */
static void test_guest_part(void **state)
{
	struct fixture *f = *state;

	put(f, 0, 5, 0, 1, true);
	put(f, 1, 5, 1, 1, true);
	f->bus_error = -EPERM;
	assign_bus_reset(&f->vm, 5);
	COUNTS(f, 0, 1, 0);
	COUNTS(f, 1, 1, 0);
	f->bus_error = 0;
	put(f, 2, 6, 0, 1, true);
	f->calls = 0;
	assign_bus_reset(&f->vm, 5);
	assert_int_equal(f->calls, 0);
	COUNTS(f, 1, 2, 0);
	COUNTS(f, 2, 0, 0);
	assert_int_equal(f->told, 0);
	f->own_error = -EIO;
	assign_bus_reset(&f->vm, 5);
	assert_int_equal(f->told, 2);
}

/* Functions of one slot that are of two buses, as VFs may be. */
static void test_guest_two_buses(void **state)
{
	struct fixture *f = *state;

	put(f, 0, 5, 0, 1, true);
	put(f, 1, 5, 1, 2, true);
	assign_bus_reset(&f->vm, 5);
	assert_int_equal(f->calls, 0);
	COUNTS(f, 0, 1, 0);
	COUNTS(f, 1, 1, 0);
}

static void test_machine(void **state)
{
	struct fixture *f = *state;

	put(f, 0, 1, 0, 1, true);
	put(f, 1, 5, 0, 2, true);
	put(f, 2, 5, 1, 2, false);
	put(f, 4, 6, 0, 3, true);
	assert_int_equal(assign_reset_all(&f->vm, &f->d), 0);
	COUNTS(f, 0, 1, 0);
	COUNTS(f, 1, 0, 1);
	COUNTS(f, 2, 0, 1);
	COUNTS(f, 4, 1, 0);
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->n, 2);
	assert_int_equal(f->placed, 4);
	f->own_error = -EIO;
	assert_int_equal(assign_reset_all(&f->vm, &f->d), -EIO);
}

static void test_attach(void **state)
{
	struct fixture *f = *state;

	put(f, 0, 1, 0, 1, true);
	assert_int_equal(reset_check(&f->vm, 0, &f->d), 0);
	assert_int_equal(f->calls, 0);
	/* Three functions, two without a reset: once for the bus. */
	put(f, 1, 5, 0, 2, false);
	put(f, 2, 5, 1, 2, true);
	put(f, 3, 5, 2, 2, false);
	assert_int_equal(reset_check(&f->vm, 0, &f->d), 0);
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->n, 3);
	COUNTS(f, 2, 0, 1);
	f->bus_error = -EPERM;
	assert_int_equal(reset_check(&f->vm, 0, &f->d), -EOPNOTSUPP);
	assert_int_equal(f->d.code, FL_VFIO_NO_RESET);
	assert_non_null(strstr(f->d.why, "0000:01:00.7 is somebody's"));
}

/* One that comes while the guest runs never resets what is at work. */
static void test_attach_late(void **state)
{
	struct fixture *f = *state;

	put(f, 0, 1, 0, 1, false);
	put(f, 1, 2, 0, 2, false);
	assert_int_equal(reset_check(&f->vm, 2, &f->d), 0);
	assert_int_equal(f->calls, 1);
	COUNTS(f, 0, 0, 0);
	COUNTS(f, 1, 0, 1);
	put(f, 2, 3, 0, 1, false);
	assert_int_equal(reset_check(&f->vm, 3, &f->d), -EOPNOTSUPP);
	assert_int_equal(f->calls, 1);
	assert_non_null(strstr(f->d.why, "at work"));
	COUNTS(f, 0, 0, 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	f->vm.assigned = f->assigned;
	f->vm.space = (struct iommu_space *)f;
	for (unsigned i = 0; i < VM_DEVICES_MAX; i++) {
		f->assigned[i].vm = &f->vm;
		f->assigned[i].index = i;
		pthread_mutex_init(&f->assigned[i].lock, NULL);
	}
	*state = now = f;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_guest_whole),     TEST(test_guest_part),
		TEST(test_guest_two_buses), TEST(test_machine),
		TEST(test_attach),          TEST(test_attach_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
