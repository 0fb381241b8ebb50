/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the guest reaches the device's BARs. Order, when the guest changes
 * COMMAND, a BAR or the power state: first withdraw what no longer decodes
 * there, then let the device see the write (config.c), then offer what
 * decodes now. A guest access between the two steps finds nothing, never a
 * device that does not answer.
 *
 * A BAR's whole range is trapped first: that is where the VMM refuses an
 * address that is RAM, the interrupt controllers' or another BAR's. Windows
 * then lie over the trap.
 */

#include <string.h>

#include "vfio/priv.h"

/* False when one could not be taken away. */
static bool hide_windows(struct vfio_dev *v, struct vfio_bar *bar)
{
	bool all = true;

	for (unsigned i = 0; i < bar->n_spans; i++) {
		const struct vfio_span *s = &bar->span[i];
		struct gpa gpa = { .v = bar->at + s->off };
		int r;

		if (!bar->shown[i])
			continue;
		r = v->host->window_del(v->host_ctx, gpa,
		                        (char *)bar->base + s->off, s->size);
		if (r < 0) {
			struct diag *d = vfio_fault(v);

			diag_fail(d, r, FL_VFIO_WINDOW,
			          "take %s's memory away from the guest",
			          v->bdf);
			diag_why(d, "%s; it is tried again", strerror(-r));
			all = false;
			continue;
		}
		bar->shown[i] = false;
		v->stats.windows--;
	}
	return all;
}

static void show_windows(struct vfio_dev *v, struct vfio_bar *bar)
{
	for (unsigned i = 0; i < bar->n_spans; i++) {
		const struct vfio_span *s = &bar->span[i];
		struct gpa gpa = { .v = bar->at + s->off };
		int r;

		r = v->host->window_add(v->host_ctx, gpa,
		                        (char *)bar->base + s->off, s->size,
		                        true);
		/* Slower, not wrong: the trap answers. */
		if (r < 0) {
			struct diag *d = vfio_fault(v);

			diag_fail(d, r, FL_VFIO_WINDOW,
			          "map %s's memory into the guest", v->bdf);
			diag_why(d, "%s; accesses go through the VMM",
			         strerror(-r));
			continue;
		}
		bar->shown[i] = true;
		v->stats.windows++;
	}
}

static void withdraw(struct vfio_dev *v, unsigned i)
{
	struct vfio_bar *bar = &v->bar[i];

	/* The guest still has a part of it: the range is not free, and the
	 * next change of COMMAND or a BAR tries again. */
	if (!hide_windows(v, bar))
		return;
	v->host->trap_del(v->host_ctx, i, bar->io, bar->at, bar->size);
	bar->placed = false;
}

void vfio_windows_withdraw(struct vfio_dev *v)
{
	for (unsigned i = 0; i < CFG_BARS; i++) {
		const struct vfio_bar *bar = &v->bar[i];

		if (bar->placed && (!cfg_bar_decodes(&v->cfg, i) ||
		                    cfg_bar_addr(&v->cfg, i) != bar->at))
			withdraw(v, i);
	}
}

void vfio_windows_withdraw_all(struct vfio_dev *v)
{
	for (unsigned i = 0; i < CFG_BARS; i++)
		if (v->bar[i].placed)
			withdraw(v, i);
}

void vfio_windows_offer(struct vfio_dev *v)
{
	for (unsigned i = 0; i < CFG_BARS; i++) {
		struct vfio_bar *bar = &v->bar[i];
		uint64_t at;

		if (bar->placed || !bar->size || !cfg_bar_decodes(&v->cfg, i))
			continue;
		at = cfg_bar_addr(&v->cfg, i);
		/* Refused is not a fault: while it sizes BARs or moves them
		 * past one another, a guest passes through such addresses. */
		if (v->host->trap_add(v->host_ctx, i, bar->io, at, bar->size) <
		    0)
			continue;
		bar->placed = true;
		bar->at = at;
		show_windows(v, bar);
	}
}
