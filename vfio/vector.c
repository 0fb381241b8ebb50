/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The function's interrupts one by one, for people and for the storm limiter.
 * A vector that is held back is to everybody else one that the guest has
 * masked (late.c), so its interrupts wait in the device's pending bit; INTx is
 * held back by INTx Disable (config.c), behind which the level waits.
 *
 * MSI without mask bits has no pending bit: what comes while it is held is
 * lost, and so one interrupt is sent as it is let go, for the driver to look.
 */

#include <sys/eventfd.h>

#include "vfio/priv.h"

/* ---- facts ---- */

static struct irq_msg message(const struct vfio_dev *v, unsigned i)
{
	if (v->irq.index == VFIO_PCI_MSI_IRQ_INDEX)
		return vfio_msi_message(v, i);
	return (struct irq_msg){ .addr = v->msix.entry[i].addr,
		                 .data = v->msix.entry[i].data };
}

static bool is_used(const struct vfio_irqs *q, unsigned i)
{
	return q->armed[i] || q->held[i] ||
	       irq_bank_state(q->bank, i) != IRQ_VECTOR_UNUSED;
}

static unsigned list_messages(const struct vfio_dev *v, struct vfio_vector *ret,
                              unsigned max)
{
	const struct vfio_irqs *q = &v->irq;
	bool msi = q->index == VFIO_PCI_MSI_IRQ_INDEX;
	unsigned n = 0;

	for (unsigned i = 0; q->index != IRQ_OFF && i < q->count; i++) {
		if (!is_used(q, i))
			continue;
		if (n < max)
			ret[n] = (struct vfio_vector){
				.kind = msi ? VFIO_KIND_MSI : VFIO_KIND_MSIX,
				.index = (uint16_t)i,
				.armed = q->armed[i],
				.throttled = q->held[i],
				.msg = message(v, i),
			};
		n++;
	}
	return n;
}

unsigned vfio_dev_vectors(struct vfio_dev *v, struct vfio_vector *ret,
                          unsigned max)
{
	unsigned n;

	if (!vfio_lock_soon(v))
		return 0;
	n = list_messages(v, ret, max);
	/* One kind at a time. */
	if (v->intx.armed) {
		n = 1;
		if (max)
			ret[0] = (struct vfio_vector){
				.kind = VFIO_KIND_INTX,
				.armed = true,
				.throttled = v->intx.throttled,
				.gsi = irq_line_gsi(v->intx.line),
			};
	}
	pthread_mutex_unlock(&v->lock);
	return n;
}

/* ---- holding back ---- */

static void follow(struct vfio_dev *v, unsigned i)
{
	struct vfio_irqs *q = &v->irq;
	bool was = q->armed[i];

	if (q->index == VFIO_PCI_MSIX_IRQ_INDEX)
		vfio_msix_follow(v, i);
	if (q->index != VFIO_PCI_MSI_IRQ_INDEX)
		return;
	vfio_msi_update(v);
	/* It fails only when the count is full: an interrupt, too. */
	// cppcheck-suppress incorrectLogicOperator ; the update arms it
	if (q->armed[i] && !was && !v->layout.msi.maskable)
		(void)!eventfd_write(irq_bank_eventfd(q->bank, i), 1);
}

static void throttle_message(struct vfio_dev *v, unsigned i, bool on)
{
	if (i >= v->irq.max || v->irq.held[i] == on)
		return;
	v->irq.held[i] = on;
	follow(v, i);
}

static void throttle_intx(struct vfio_dev *v, bool on)
{
	if (!v->intx.line || v->intx.throttled == on)
		return;
	v->intx.throttled = on;
	vfio_command_write(v);
}

bool vfio_dev_throttle(struct vfio_dev *v, enum vfio_irq_kind kind,
                       unsigned index, bool on)
{
	if (!vfio_lock_soon(v))
		return false;
	if (kind == VFIO_KIND_INTX)
		throttle_intx(v, on);
	else
		throttle_message(v, index, on);
	pthread_mutex_unlock(&v->lock);
	return true;
}
