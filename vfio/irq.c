/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSI and MSI-X towards the kernel. msi.c and msix.c say which vectors the
 * guest wants (unmasked and enabled) and stage their messages; this file
 * makes the kernel follow. Order: routes, irqfds, then SET_IRQS, so that the
 * first interrupt finds its way (late.c has the exception).
 *
 * Fewest calls: SET_IRQS takes a run of vectors, with -1 for those to be
 * masked. A vector that is masked and stays so may lie inside a run, since -1
 * does nothing to it; one that is armed and stays so may not, since the
 * kernel would free and request its interrupt again.
 *
 * Enabling by itself allocates host vectors 0..count-1. With dynamic MSI-X,
 * count is as small as can be: vector 0, masked if need be, so that the
 * device's MSI-X Enable follows the guest's. Others are allocated when first
 * armed. Without, all are allocated at once.
 */

#include <string.h>
#include <unistd.h>

#include "vfio/priv.h"

int vfio_set_irqs(struct vfio_dev *v, struct vfio_irq_set *set)
{
	v->stats.set_irqs++;
	return v->kern->ioctl(v->fd, VFIO_DEVICE_SET_IRQS, set);
}

static const char *index_name(uint32_t index)
{
	return index == VFIO_PCI_MSIX_IRQ_INDEX ? "MSI-X" : "MSI";
}

static unsigned count_true(const bool *b, unsigned n)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += b[i];
	return sum;
}

/* Where the host's vectors went, for who meets the end of them. `asked` by
 * the call that was refused. */
static void say_out_of_vectors(const struct vfio_irqs *q, unsigned asked,
                               struct diag *d)
{
	/* Enabling is refused as a whole, and says what there is. */
	unsigned limit = q->limit < q->count ? q->limit : 0;
	unsigned had = MAX(count_true(q->armed, q->max), limit);

	asked = MAX(count_true(q->want, q->max), asked);
	diag_why(d,
	         "the host has run out of interrupt vectors: %u asked for, %u "
	         "to be had; each host CPU has about 200 for all devices",
	         asked, had);
	diag_mend(d, "see /sys/kernel/debug/irq/domains/VECTOR and "
	             "/proc/interrupts; fewer queues in the guest's driver, "
	             "fewer devices, or more CPUs online");
}

static void say_invalid(struct vfio_dev *v, struct diag *d, uint32_t index)
{
	diag_why(d,
	         "VFIO_DEVICE_SET_IRQS: %s: more than the device's %u vectors, "
	         "or another kind of interrupt is still on",
	         strerror(EINVAL),
	         index == VFIO_PCI_MSIX_IRQ_INDEX ? v->layout.msix.vectors
	                                          : v->layout.msi.vectors);
	vfio_mend(v, d);
}

static void why_and_mend(const struct vfio_dev *v, int err, struct diag *d)
{
	diag_why(d, "VFIO_DEVICE_SET_IRQS: %s", strerror(-err));
	vfio_mend(v, d);
}

static void fault_irq(struct vfio_dev *v, int err, uint32_t index,
                      unsigned start, unsigned count)
{
	struct diag *d = vfio_fault(v);

	diag_fail(d, err, FL_VFIO_IRQ, "enable %s vectors %u-%u of %s",
	          index_name(index), start, start + count - 1, v->bdf);
	if (err == -ENOSPC)
		say_out_of_vectors(&v->irq, start + count, d);
	else if (err == -EINVAL)
		say_invalid(v, d, index);
	else
		why_and_mend(v, err, d);
}

/* ---- one call ---- */

/* Vectors start..start+count-1 as wanted; descriptors only where armed. */
static int set_run(struct vfio_dev *v, uint32_t index, unsigned start,
                   unsigned count)
{
	struct vfio_irq_set *set = v->irq.set;
	int r;

	*set = (struct vfio_irq_set){
		.argsz = (uint32_t)(sizeof(*set) + count * sizeof(int32_t)),
		.flags =
			VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = index,
		.start = start,
		.count = count,
	};
	for (unsigned i = 0; i < count; i++) {
		int32_t fd = -1;

		if (v->irq.want[start + i])
			fd = irq_bank_eventfd(v->irq.bank, start + i);
		/* No eventfd: masked rather than the whole run refused. */
		fd = MAX(fd, -1);
		memcpy(set->data + i * sizeof(fd), &fd, sizeof(fd));
	}
	r = vfio_set_irqs(v, set);
	if (r != 0)
		return r;
	/* As sent, not as wanted: what could not be had is tried again. */
	for (unsigned i = 0; i < count; i++) {
		int32_t fd;

		memcpy(&fd, set->data + i * sizeof(fd), sizeof(fd));
		v->irq.armed[start + i] = fd >= 0;
	}
	return 0;
}

static void arm_one(struct vfio_dev *v, unsigned i)
{
	int r = set_run(v, v->irq.index, i, 1);

	if (r >= 0)
		return;
	/* A refused vector is left masked. One that could not be masked is
	 * tried again. */
	if (v->irq.want[i])
		v->irq.armed[i] = false;
	fault_irq(v, r, v->irq.index, i, 1);
}

/* After a refusal the kernel has masked the run up to the vector that it
 * refused, and not looked at what comes after. One by one, each gets what it
 * can. */
static void arm_run(struct vfio_dev *v, unsigned start, unsigned count)
{
	if (set_run(v, v->irq.index, start, count) >= 0)
		return;
	for (unsigned i = start; i < start + count; i++)
		arm_one(v, i);
}

/* ---- runs ---- */

static bool differs(const struct vfio_irqs *q, unsigned i)
{
	return q->want[i] != q->armed[i];
}

static void arm_range(struct vfio_dev *v, unsigned lo, unsigned hi)
{
	const struct vfio_irqs *q = &v->irq;

	hi = MIN(hi, q->limit);
	for (unsigned i = lo; i < hi; i++) {
		unsigned end;

		if (!differs(q, i))
			continue;
		end = i + 1;
		for (unsigned k = end; k < hi; k++) {
			if (differs(q, k))
				end = k + 1;
			else if (q->armed[k])
				break;
		}
		arm_run(v, i, end - i);
		i = end - 1;
	}
}

/* The guest has unmasked what the host has not given. */
static void fault_beyond(struct vfio_dev *v, unsigned lo, unsigned hi)
{
	const struct vfio_irqs *q = &v->irq;
	unsigned first = MAX(lo, q->limit), n = 0;

	while (first < hi && !q->want[first])
		first++;
	while (first + n < hi && q->want[first + n])
		n++;
	if (n)
		fault_irq(v, -ENOSPC, q->index, first, n);
}

/* ---- enable and disable ---- */

/* With the index off in the kernel. */
static void forget(struct vfio_dev *v)
{
	struct vfio_irqs *q = &v->irq;

	vfio_late_forget(v);
	irq_bank_clear(q->bank);
	memset(q->armed, 0, q->max * sizeof(q->armed[0]));
	memset(q->want, 0, q->max * sizeof(q->want[0]));
	q->index = IRQ_OFF;
}

/* How many vectors the enabling call itself names. */
static unsigned first_run(const struct vfio_irqs *q, unsigned n)
{
	unsigned run = 0;

	if (!q->dynamic || q->index != VFIO_PCI_MSIX_IRQ_INDEX)
		return n;
	while (run < n && q->want[run])
		run++;
	return MAX(run, 1u);
}

/* The kernel answers with a positive number when it has fewer vectors than
 * asked for, and enables nothing; then as many as it has. */
static int enable_run(struct vfio_dev *v, unsigned count)
{
	struct vfio_irqs *q = &v->irq;
	int r = set_run(v, q->index, 0, count);

	if (r <= 0)
		return r;
	if ((unsigned)r >= count)
		return -EIO;
	q->limit = (unsigned)r;
	fault_irq(v, -ENOSPC, q->index, q->limit, count - q->limit);
	r = set_run(v, q->index, 0, q->limit);
	return r > 0 ? -ENOSPC : r;
}

static void enable(struct vfio_dev *v, uint32_t index, unsigned n)
{
	struct vfio_irqs *q = &v->irq;
	unsigned run;
	int r;

	q->index = index;
	q->count = n;
	q->limit = n;
	run = first_run(q, n);
	r = enable_run(v, run);
	/* One vector that cannot be had must not keep the others away. */
	if (r < 0 && run < n)
		r = enable_run(v, 1);
	if (r >= 0) {
		arm_range(v, 0, n);
		return;
	}
	fault_irq(v, r, index, 0, n);
	forget(v);
}

void vfio_irqs_off(struct vfio_dev *v)
{
	struct vfio_irqs *q = &v->irq;
	struct diag *d;
	struct vfio_irq_set off = {
		.argsz = sizeof(off),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = q->index,
	};
	int r;

	if (q->index == IRQ_OFF)
		return;
	/* The source first: an eventfd without a listener loses nothing. */
	r = vfio_set_irqs(v, &off);
	if (r < 0) {
		d = vfio_fault(v);
		diag_fail(d, r, FL_VFIO_IRQ, "disable %s of %s",
		          index_name(q->index), v->bdf);
		why_and_mend(v, r, d);
	}
	forget(v);
}

void vfio_irqs_apply(struct vfio_dev *v, uint32_t index, unsigned n,
                     unsigned lo, unsigned hi)
{
	vfio_routes_update(v, lo, hi);
	if (v->irq.index != index) {
		enable(v, index, n);
		return;
	}
	arm_range(v, lo, hi);
	fault_beyond(v, lo, hi);
}

/* ---- open and close ---- */

static int read_info(struct vfio_dev *v, struct diag *d)
{
	struct vfio_irq_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_MSIX_IRQ_INDEX,
	};
	int r;

	if (!v->layout.msix.cap)
		return 0;
	r = v->kern->ioctl(v->fd, VFIO_DEVICE_GET_IRQ_INFO, &info);
	if (r < 0)
		return vfio_fail_info(v, r, "read MSI-X facts of",
		                      "VFIO_DEVICE_GET_IRQ_INFO", d);
	v->irq.dynamic = !(info.flags & VFIO_IRQ_INFO_NORESIZE);
	v->stats.dynamic_msix = v->irq.dynamic;
	return 0;
}

int vfio_irqs_init(struct vfio_dev *v, struct diag *d)
{
	struct vfio_irqs *q = &v->irq;
	int r;

	q->max = MAX(v->layout.msix.cap ? v->layout.msix.vectors : 0u,
	             v->layout.msi.cap ? v->layout.msi.vectors : 0u);
	if (!q->max)
		return 0;
	r = read_info(v, d);
	if (r < 0)
		return r;
	q->want = calloc(q->max, sizeof(*q->want));
	q->armed = calloc(q->max, sizeof(*q->armed));
	q->held = calloc(q->max, sizeof(*q->held));
	q->late = calloc(q->max, sizeof(*q->late));
	q->set = calloc(1, sizeof(*q->set) + q->max * sizeof(int32_t));
	r = q->want && q->armed && q->held && q->late && q->set ? 0 : -ENOMEM;
	if (r >= 0)
		r = irq_bank_new(v->table, v->guest_devid, q->max, &q->bank);
	if (r >= 0)
		r = vfio_late_init(v);
	if (r < 0) {
		diag_fail(d, r, FL_VFIO_IRQ, "prepare %u vectors of %s", q->max,
		          v->bdf);
		diag_why(d, "%s", strerror(-r));
		vfio_mend(v, d);
	}
	return r;
}

void vfio_irqs_fini(struct vfio_dev *v)
{
	struct vfio_irqs *q = &v->irq;

	if (q->bank)
		vfio_irqs_off(v);
	irq_bank_free(q->bank);
	close_fd(&q->late_fd);
	free(q->want);
	free(q->armed);
	free(q->held);
	free(q->late);
	free(q->set);
}
