/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resets of assigned functions, three occasions for one ladder:
 *   attach   opening has reset what can be reset alone; what cannot is reset
 *            now, with all functions of its bus, and refused where some of
 *            them are not this guest's;
 *   machine  each by its own reset, or a bus at a time where there is one that
 *            has none;
 *   guest    Secondary Bus Reset of a port: what is in the slot, by a reset of
 *            the bus where the slot holds all of it, else one by one.
 *
 * Never is a bus reset with a function of this guest on it that is not told
 * so: its view would be of a device that is no more. With groups the kernel
 * could not say; so bus addresses are compared here.
 */

#include <stdio.h>
#include <string.h>

#include "vmm/assign.h"

/* Functions that go together; each locked, by ascending index. */
struct together {
	struct vfio_dev *dev[VM_DEVICES_MAX];
	int fd[VM_DEVICES_MAX]; /* open groups, each once */
	unsigned n, n_fds;
};

static void add(struct together *t, const struct assigned *a)
{
	const struct vm *vm = a->vm;

	t->dev[t->n++] = a->dev;
	/* A character device speaks for itself. One group may be there by
	 * several descriptors: the kernel counts them all the same. */
	if (vm->space && iommu_space_backend(vm->space) == IOMMU_TYPE1)
		t->fd[t->n_fds++] = vm->cfg.device[a->index].fd;
}

static int hot_reset(const struct together *t, struct diag *d)
{
	return vfio_hot_reset(t->dev, t->n, t->fd, t->n_fds, d);
}

/* ---- a whole bus; the main thread, and nobody else is at work ------------ */

static struct together bus_of(struct assigned *a)
{
	struct together t = { .n = 0 };

	for (unsigned i = 0; i < VM_DEVICES_MAX; i++) {
		struct assigned *b = &a->vm->assigned[i];

		if (b->dev && a->bus == b->bus)
			add(&t, b);
	}
	return t;
}

/* Is another slot of this guest on the bus as well, and at work? */
static bool is_shared(const struct assigned *a, uint8_t slot)
{
	for (unsigned i = 0; slot && i < VM_DEVICES_MAX; i++) {
		const struct assigned *b = &a->vm->assigned[i];

		if (b->dev && b->bus == a->bus && b->place >> 3 != slot)
			return true;
	}
	return false;
}

static int check_one(struct assigned *a, uint8_t slot, struct diag *d)
{
	struct together t = bus_of(a);
	struct diag why;

	if (is_shared(a, slot)) {
		diag_fail(&why, -EBUSY, FL_VFIO_HOT_RESET, "reset its bus");
		diag_why(&why, "another slot of the guest has a function of "
		               "it, which is at work");
		diag_mend(&why, "put all functions of the bus into one slot");
	} else if (hot_reset(&t, &why) == 0) {
		return 0;
	}
	diag_fail(d, -EOPNOTSUPP, FL_VFIO_NO_RESET, "give the guest %s",
	          a->vm->cfg.device[a->index].bdf);
	diag_why(d,
	         "the kernel cannot reset it alone, and its state would pass "
	         "from guest to guest; with its bus: %s",
	         why.why);
	diag_mend(d, "%s", why.mend[0] ? why.mend : "fairlead doctor");
	return -EOPNOTSUPP;
}

/* Has one before it had the same bus reset? */
static bool is_done(struct vm *vm, unsigned i)
{
	for (unsigned k = 0; k < i; k++) {
		const struct assigned *a = &vm->assigned[k];

		if (a->dev && a->bus == vm->assigned[i].bus &&
		    a->place >> 3 == vm->assigned[i].place >> 3 &&
		    !vfio_dev_resets_alone(a->dev))
			return true;
	}
	return false;
}

int reset_check(struct vm *vm, uint8_t slot, struct diag *d)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < vm->cfg.n_devices; i++) {
		struct assigned *a = &vm->assigned[i];

		if (a->dev && !vfio_dev_resets_alone(a->dev) &&
		    (!slot || a->place >> 3 == slot) && !is_done(vm, i))
			r = check_one(a, slot, d);
	}
	return r;
}

static bool bus_needs_it(const struct together *t)
{
	for (unsigned i = 0; i < t->n; i++)
		if (!vfio_dev_resets_alone(t->dev[i]))
			return true;
	return false;
}

static bool is_first(const struct together *t, const struct assigned *a)
{
	return t->n && t->dev[0] == a->dev;
}

int assign_reset_all(struct vm *vm, struct diag *d)
{
	struct diag none;
	int r = 0;

	for (unsigned i = 0; r == 0 && vm->assigned && i < vm->cfg.n_devices;
	     i++) {
		struct assigned *a = &vm->assigned[i];
		struct together t;

		if (!a->dev)
			continue;
		t = bus_of(a);
		if (!bus_needs_it(&t))
			r = vfio_dev_reset(a->dev, d);
		else if (is_first(&t, a))
			r = hot_reset(&t, d);
	}
	/* What came while the guest ran has its place, too, where there is
	 * room; else its guest makes some, as it did before. */
	if (r == 0)
		(void)!place_all(vm, &none);
	for (unsigned i = 0; r == 0 && vm->assigned && i < vm->cfg.n_devices;
	     i++)
		if (vm->assigned[i].dev)
			r = place_apply(&vm->assigned[i], d);
	return r;
}

/* ---- a slot; any vCPU ---------------------------------------------------- */

static void leave(struct assigned *const *in, unsigned n)
{
	while (n)
		pthread_mutex_unlock(&in[--n]->lock);
}

/* The functions of a slot, locked. */
static unsigned enter(struct vm *vm, uint8_t slot,
                      struct assigned *ret[static VM_DEVICES_MAX])
{
	unsigned n = 0;

	for (unsigned i = 0; vm->assigned && i < VM_DEVICES_MAX; i++) {
		struct assigned *a = &vm->assigned[i];

		if (a->place >> 3 != slot)
			continue;
		pthread_mutex_lock(&a->lock);
		if (a->place >> 3 == slot && a->dev)
			ret[n++] = a;
		else
			pthread_mutex_unlock(&a->lock);
	}
	return n;
}

/* Another function of this guest on the bus of the first, in another slot? */
static bool bus_goes_on(struct assigned *const *in)
{
	struct vm *vm = in[0]->vm;

	for (unsigned i = 0; i < VM_DEVICES_MAX; i++) {
		const struct assigned *b = &vm->assigned[i];
		uint16_t place = b->place;

		if (place && place >> 3 != in[0]->place >> 3 &&
		    b->bus == in[0]->bus)
			return true;
	}
	return false;
}

/* By its bus. False: one by one, then. */
static bool reset_bus(struct assigned *const *in, unsigned n)
{
	struct together t = { .n = 0 };
	struct diag d;

	if (bus_goes_on(in))
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (in[0]->bus != in[i]->bus)
			return false;
		add(&t, in[i]);
	}
	return hot_reset(&t, &d) == 0;
}

void assign_bus_reset(struct vm *vm, uint8_t slot)
{
	struct assigned *in[VM_DEVICES_MAX];
	unsigned n = enter(vm, slot, in);
	bool moved = false;
	struct diag d;

	if (n && !reset_bus(in, n))
		for (unsigned i = 0; i < n; i++)
			/* Refused by the host: the guest's view is reset all
			 * the same. */
			if (vfio_dev_reset(in[i]->dev, &d) < 0)
				assign_keep_fault(in[i], &d);
	for (unsigned i = 0; i < n; i++)
		moved |= assign_has_moved(in[i]);
	leave(in, n);
	if (moved)
		assign_offer_others(in[0]);
}
