/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hot reset (PCIe 6.0 6.6.1): all functions behind one bridge at once. The
 * kernel names those that it meets; each must be accounted for before
 * anything is touched:
 *   - it is one of ours; or
 *   - groups: it is in a group of one of ours, so that whoever holds that
 *     group holds it;
 *   - character devices: the kernel itself says that it is owned (devid 0:
 *     not opened, but in the isolation of one that is), or not (-1).
 * A devid above 0 is a function that this address space has attached, so it
 * is one of ours, or one that the VMM forgot to name: its guest state would
 * be lost behind its back, so it is refused.
 *
 * Locks: those of all devices, by ascending address, for the whole length.
 */

#include <stdio.h>
#include <string.h>

#include "vfio/priv.h"

#define ASKS 4 /* functions may come and go between two questions */

CHECK_SIZE(struct vfio_pci_dependent_device, 8);
CHECK_SIZE(struct vfio_pci_hot_reset_info, 12);
CHECK_SIZE(struct vfio_pci_hot_reset, 12);

struct bus_reset {
	struct vfio_dev *lead; /* the one that the kernel is asked through */
	struct vfio_dev **dev; /* all, in the order of locking */
	unsigned n;
	struct vfio_pci_hot_reset_info *info;
};

static void bus_reset_done(struct bus_reset *b)
{
	free(b->dev);
	free(b->info);
}

static int by_address(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t) * (struct vfio_dev *const *)a;
	uintptr_t y = (uintptr_t) * (struct vfio_dev *const *)b;

	return (x > y) - (x < y);
}

static int fail(const struct bus_reset *b, int err, const char *why,
                struct diag *d)
{
	diag_fail(d, err, FL_VFIO_HOT_RESET, "reset the bus of %s",
	          b->lead->bdf);
	diag_why(d, "%s: %s", why, strerror(-err));
	diag_mend(d,
	          "journalctl -k | grep pcieport: the link of the port above "
	          "it must come back");
	return err;
}

/* ---- who is on the bus ---- */

/* b->info: all functions that a reset of the lead's bus meets. */
static int ask(struct bus_reset *b)
{
	const struct vfio_dev *v = b->lead;
	unsigned room = b->n;

	for (int i = 0; i < ASKS; i++) {
		size_t size =
			sizeof(*b->info) + room * sizeof(b->info->devices[0]);
		int r;

		free(b->info);
		b->info = calloc(1, size);
		if (!b->info)
			return -ENOMEM;
		b->info->argsz = (uint32_t)size;
		r = v->kern->ioctl(v->fd, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO,
		                   b->info);
		if (r >= 0 && b->info->count <= room)
			return 0;
		if (r < 0 && r != -ENOSPC && r != -EAGAIN)
			return r;
		room = MAX(room, MIN(b->info->count, 65536u));
	}
	return -EAGAIN;
}

static struct bdf bdf_of(const struct vfio_pci_dependent_device *e)
{
	return (struct bdf){
		.domain = e->segment,
		.bus = e->bus,
		.dev = (uint8_t)(e->devfn >> 3),
		.fn = e->devfn & 7,
	};
}

static bool is_ours(const struct bus_reset *b, struct bdf at)
{
	struct bdf one;

	for (unsigned i = 0; i < b->n; i++)
		if (bdf_parse(b->dev[i]->bdf, &one) >= 0 && bdf_equal(one, at))
			return true;
	return false;
}

static bool in_our_group(const struct bus_reset *b, uint32_t group)
{
	for (uint32_t i = 0; i < b->info->count; i++) {
		const struct vfio_pci_dependent_device *e =
			&b->info->devices[i];

		if (e->group_id == group && is_ours(b, bdf_of(e)))
			return true;
	}
	return false;
}

static bool is_accounted(const struct bus_reset *b,
                         const struct vfio_pci_dependent_device *e)
{
	if (b->info->flags & VFIO_PCI_HOT_RESET_FLAG_DEV_ID) {
		if (e->devid == (uint32_t)VFIO_PCI_DEVID_NOT_OWNED)
			return false;
		return e->devid == VFIO_PCI_DEVID_OWNED ||
		       is_ours(b, bdf_of(e));
	}
	return is_ours(b, bdf_of(e)) || in_our_group(b, e->group_id);
}

/* Every function is named, as far as a line goes. */
static int check_owned(const struct bus_reset *b, struct diag *d)
{
	char names[DIAG_LINE / 2] = "", one[BDF_STRLEN];
	unsigned others = 0, told = 0;

	for (uint32_t i = 0; i < b->info->count; i++) {
		size_t len = strlen(names);

		if (is_accounted(b, &b->info->devices[i]))
			continue;
		others++;
		if (len + BDF_STRLEN + 1 > sizeof(names))
			continue;
		snprintf(names + len, sizeof(names) - len, " %s",
		         bdf_format(bdf_of(&b->info->devices[i]), one));
		told++;
	}
	if (!others)
		return 0;
	diag_fail(d, -EPERM, FL_VFIO_HOT_RESET, "reset the bus of %s",
	          b->lead->bdf);
	diag_why(d, "it would reset functions that this guest does not have:%s",
	         names);
	if (told < others)
		diag_why(d,
		         "it would reset functions that this guest does not "
		         "have:%s and %u more",
		         names, others - told);
	diag_mend(d, "give the guest all of them, or bind those that nobody "
	             "uses to vfio-pci");
	return -EPERM;
}

/* ---- the reset ---- */

static int reset_call(const struct bus_reset *b, const int *group_fds,
                      unsigned n_groups)
{
	const struct vfio_dev *v = b->lead;
	_cleanup_free_ struct vfio_pci_hot_reset *arg = NULL;
	size_t size = sizeof(*arg) + n_groups * sizeof(arg->group_fds[0]);

	arg = calloc(1, size);
	if (!arg)
		return -ENOMEM;
	arg->argsz = (uint32_t)size;
	arg->count = n_groups;
	for (unsigned i = 0; i < n_groups; i++)
		arg->group_fds[i] = group_fds[i];
	return vfio_reset_call(v, VFIO_DEVICE_PCI_HOT_RESET, arg);
}

static int reset_all(const struct bus_reset *b, const int *group_fds,
                     unsigned n_groups, struct diag *d)
{
	int r;

	for (unsigned i = 0; i < b->n; i++)
		vfio_quiesce(b->dev[i]);
	r = reset_call(b, group_fds, n_groups);
	for (unsigned i = 0; i < b->n; i++) {
		vfio_view_reset(b->dev[i]);
		b->dev[i]->stats.resets += r >= 0;
		b->dev[i]->stats.faults += r < 0;
	}
	return r < 0 ? fail(b, r, "VFIO_DEVICE_PCI_HOT_RESET", d) : 0;
}

static int check_survives(const struct bus_reset *b, struct diag *d)
{
	for (unsigned i = 0; i < b->n; i++) {
		const struct cfg_quirk *q = cfg_quirk_find(
			&b->dev[i]->layout, CFG_QUIRK_NO_BUS_RESET);

		if (!q)
			continue;
		diag_fail(d, -EPERM, FL_VFIO_HOT_RESET, "reset the bus of %s",
		          b->lead->bdf);
		diag_why(d, "%s: %s", b->dev[i]->bdf, q->reason);
		diag_mend(d, "fairlead explain %s", b->dev[i]->bdf);
		return -EPERM;
	}
	return 0;
}

static int reset_locked(struct bus_reset *b, const int *group_fds,
                        unsigned n_groups, struct diag *d)
{
	int r = check_survives(b, d);

	if (r < 0)
		return r;
	r = ask(b);
	if (r == -ENODEV)
		return fail(b, r, "the kernel cannot reset it", d);
	if (r < 0)
		return fail(b, r, "VFIO_DEVICE_GET_PCI_HOT_RESET_INFO", d);
	r = check_owned(b, d);
	if (r < 0)
		return r;
	return reset_all(b, group_fds, n_groups, d);
}

int vfio_hot_reset(struct vfio_dev *const *devs, unsigned n,
                   const int *group_fds, unsigned n_groups, struct diag *d)
{
	_cleanup_(bus_reset_done) struct bus_reset b = { .n = n };
	int r;

	b.dev = n ? calloc(n, sizeof(struct vfio_dev *)) : NULL;
	if (!b.dev)
		return diag_fail(d, n ? -ENOMEM : -EINVAL, FL_VFIO_HOT_RESET,
		                 "reset a bus of %u functions", n);
	b.lead = devs[0];
	memcpy(b.dev, devs, n * sizeof(struct vfio_dev *));
	qsort(b.dev, n, sizeof(struct vfio_dev *), by_address);
	for (unsigned i = 0; i < n; i++)
		pthread_mutex_lock(&b.dev[i]->lock);
	r = reset_locked(&b, group_fds, n_groups, d);
	for (unsigned i = 0; i < n; i++)
		pthread_mutex_unlock(&b.dev[i]->lock);
	return r;
}
