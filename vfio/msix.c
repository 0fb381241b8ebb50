/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSI-X (PCIe 6.0 6.1.4.2, 7.7.2): the guest's table lives here, the device's
 * belongs to the host kernel. A vector is wanted while MSI-X is enabled, the
 * function is not masked and its entry is not. Its message is staged at that
 * moment and not before: Linux first fills masked entries with a spurious
 * vector's message, which is not worth a route.
 *
 * That the table lies inside a BAR that is there is pci-config's promise: it
 * hides the capability of a function where it does not.
 */

#include "vfio/priv.h"

int vfio_msix_init(struct vfio_dev *v)
{
	const struct cfg_msix_facts *m = &v->layout.msix;

	if (!m->cap)
		return 0;
	v->msix.entry = calloc(m->vectors, sizeof(v->msix.entry[0]));
	if (!v->msix.entry)
		return -ENOMEM;
	v->msix.vectors = m->vectors;
	cfg_msix_reset(&v->msix);
	return 0;
}

void vfio_msix_fini(struct vfio_dev *v)
{
	free(v->msix.entry);
	v->msix.entry = NULL;
}

/* Work out vectors lo..hi-1 of an enabled function, and have it so. */
static void follow(struct vfio_dev *v, bool masked, unsigned lo, unsigned hi)
{
	for (unsigned i = lo; i < hi; i++) {
		const struct cfg_msix_entry *e = &v->msix.entry[i];
		struct irq_msg msg = { .addr = e->addr, .data = e->data };

		if (!masked && !cfg_msix_masked(&v->msix, i))
			vfio_vector_unmask(v, i, msg);
		else
			vfio_vector_mask(v, i);
	}
	vfio_irqs_apply(v, VFIO_PCI_MSIX_IRQ_INDEX, v->msix.vectors, lo, hi);
}

void vfio_msix_update(struct vfio_dev *v)
{
	struct cfg_msix_state s = cfg_msix_state(&v->cfg);

	if (!v->msix.vectors)
		return;
	if (!s.enabled) {
		if (v->irq.index == VFIO_PCI_MSIX_IRQ_INDEX)
			vfio_irqs_off(v);
		return;
	}
	/* Both enabled is undefined (PCIe 6.0 6.1.4); here MSI-X wins. */
	if (v->irq.index == VFIO_PCI_MSI_IRQ_INDEX)
		vfio_irqs_off(v);
	follow(v, s.masked, 0, v->msix.vectors);
}

void vfio_msix_follow(struct vfio_dev *v, unsigned i)
{
	follow(v, cfg_msix_state(&v->cfg).masked, i, i + 1);
}

uint64_t vfio_msix_table_read(struct vfio_dev *v, uint64_t off, unsigned width)
{
	const struct cfg_msix_facts *m = &v->layout.msix;

	/* What begins before the table is beyond its end. */
	return cfg_msix_read(&v->msix, off - m->table_off, width);
}

void vfio_msix_table_write(struct vfio_dev *v, uint64_t off, unsigned width,
                           uint64_t value)
{
	struct cfg_msix_change change;
	struct cfg_msix_state s;
	unsigned i;

	change = cfg_msix_write(&v->msix, off - v->layout.msix.table_off, width,
	                        value);
	if (change.vector < 0)
		return;
	i = (unsigned)change.vector;
	if (change.mask && !cfg_msix_masked(&v->msix, i))
		v->host->vector_unmasked(v->host_ctx, i);
	if (v->irq.index != VFIO_PCI_MSIX_IRQ_INDEX)
		return;
	/* A masked entry's new message waits for the unmask. */
	if (!change.mask && !v->irq.want[i])
		return;
	s = cfg_msix_state(&v->cfg);
	if (s.enabled)
		follow(v, s.masked, i, i + 1);
}
