/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the guest reaches the device's BARs and its ROM. Order, when the guest
 * changes COMMAND, a BAR or the power state: first withdraw what no longer
 * decodes there, then let the device see the write (config.c), then offer what
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
			diag_mend_else(d, "journalctl -k | grep -i kvm");
			all = false;
			continue;
		}
		bar->shown[i] = false;
		v->stats.windows--;
	}
	return all;
}

/* Slower, not wrong: the trap answers. */
static void fault_window(struct vfio_dev *v, int err)
{
	struct diag *d = vfio_fault(v);

	diag_fail(d, err, FL_VFIO_WINDOW, "map %s's memory into the guest",
	          v->bdf);
	diag_why(d, "%s; accesses go through the VMM", strerror(-err));
	diag_mend_else(d, "journalctl -k | grep -i kvm");
}

static void show_windows(struct vfio_dev *v, unsigned range)
{
	struct vfio_bar *bar = &v->bar[range];

	for (unsigned i = 0; i < bar->n_spans; i++) {
		const struct vfio_span *s = &bar->span[i];
		struct gpa gpa = { .v = bar->at + s->off };
		int r;

		if (bar->shown[i])
			continue;
		r = v->host->window_add(v->host_ctx, gpa,
		                        (char *)bar->base + s->off, s->size,
		                        range != VFIO_ROM);
		bar->shown[i] = r >= 0;
		v->stats.windows += r >= 0;
		/* Another function may lie in a small BAR's page. */
		if (r < 0 && !(r == -EADDRINUSE && bar->size < PAGE))
			fault_window(v, r);
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

static bool decodes(const struct vfio_dev *v, unsigned i, uint64_t *ret_at)
{
	if (i == VFIO_ROM)
		return cfg_rom_decodes(&v->cfg, ret_at);
	*ret_at = cfg_bar_addr(&v->cfg, i);
	return v->bar[i].size && cfg_bar_decodes(&v->cfg, i);
}

/* A BAR smaller than a page has its page to itself on the host, and the guest
 * may put it where it likes: the window is the whole page, or there is none. */
static bool fits(const struct vfio_dev *v, unsigned i)
{
	const struct vfio_bar *bar = &v->bar[i];

	if (bar->size >= PAGE)
		return true;
	if (!IS_ALIGNED(bar->at, PAGE))
		return false;
	for (unsigned k = 0; k < VFIO_RANGES; k++) {
		const struct vfio_bar *other = &v->bar[k];

		if (k != i && other->placed && !other->io &&
		    ranges_overlap(bar->at, PAGE, other->at, other->size))
			return false;
	}
	return true;
}

void vfio_windows_withdraw(struct vfio_dev *v)
{
	for (unsigned i = 0; i < VFIO_RANGES; i++) {
		const struct vfio_bar *bar = &v->bar[i];
		uint64_t at;

		if (bar->placed && (!decodes(v, i, &at) || at != bar->at))
			withdraw(v, i);
	}
}

void vfio_windows_withdraw_all(struct vfio_dev *v)
{
	for (unsigned i = 0; i < VFIO_RANGES; i++)
		if (v->bar[i].placed)
			withdraw(v, i);
}

static void place(struct vfio_dev *v, unsigned i)
{
	struct vfio_bar *bar = &v->bar[i];
	uint64_t at;

	if (bar->placed || !decodes(v, i, &at))
		return;
	/* Refused is not a fault: while it sizes BARs or moves them past one
	 * another, a guest passes through such addresses. */
	if (v->host->trap_add(v->host_ctx, i, bar->io, at, bar->size) < 0)
		return;
	bar->placed = true;
	bar->fresh = true;
	bar->at = at;
	if (i == VFIO_ROM)
		vfio_rom_copy(v);
}

/* All traps first: one may lie in a page that another would show. */
void vfio_windows_offer(struct vfio_dev *v)
{
	for (unsigned i = 0; i < VFIO_RANGES; i++)
		place(v, i);
	for (unsigned i = 0; i < VFIO_RANGES; i++) {
		struct vfio_bar *bar = &v->bar[i];
		bool fit = bar->placed && fits(v, i);

		if (bar->placed && !fit)
			(void)hide_windows(v, bar);
		else if (fit && (bar->fresh || bar->size < PAGE))
			show_windows(v, i);
		bar->fresh = false;
	}
}

void vfio_dev_offer(struct vfio_dev *v)
{
	pthread_mutex_lock(&v->lock);
	vfio_windows_offer(v);
	pthread_mutex_unlock(&v->lock);
}
