/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSI (PCIe 6.0 6.1.4.1, 7.7.1): one message, whose low data bits the
 * function replaces by the vector's number. The number of vectors is fixed
 * while MSI is enabled; when the guest changes it nevertheless, MSI goes off
 * and on again.
 */

#include "vfio/priv.h"

static struct irq_msg message(const struct cfg_msi_state *s, unsigned n,
                              unsigned i)
{
	return (struct irq_msg){
		.addr = s->addr,
		.data = (s->data & ~(uint32_t)(n - 1)) | i,
	};
}

struct irq_msg vfio_msi_message(const struct vfio_dev *v, unsigned i)
{
	struct cfg_msi_state s = cfg_msi_state(&v->cfg);

	return message(&s, v->irq.count, i);
}

static void follow(struct vfio_dev *v, const struct cfg_msi_state *s,
                   unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (!(s->mask >> i & 1))
			vfio_vector_unmask(v, i, message(s, n, i));
		else
			vfio_vector_mask(v, i);
	}
	vfio_irqs_apply(v, VFIO_PCI_MSI_IRQ_INDEX, n, 0, n);
}

void vfio_msi_update(struct vfio_dev *v)
{
	struct cfg_msi_state s = cfg_msi_state(&v->cfg);
	unsigned n = MIN(s.vectors, v->layout.msi.vectors);

	if (!v->layout.msi.cap || v->irq.index == VFIO_PCI_MSIX_IRQ_INDEX)
		return;
	if (v->irq.index == VFIO_PCI_MSI_IRQ_INDEX &&
	    (!s.enabled || v->irq.count != n))
		vfio_irqs_off(v);
	if (s.enabled && n)
		follow(v, &s, n);
}
