/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * INTx: a level on a pin of the IOAPIC, told by two eventfds. The pin's route
 * is the sink's own, so that no table is written here. Order: tied before the
 * source is started and untied after it has stopped; the sink lowers the pin
 * as it unties.
 */

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "irq-remap/priv.h"

struct irq_line {
	struct irq_table *table;
	uint32_t gsi;
	int trigger, resample;
	bool tied;
};

static int fail_eventfd(uint32_t gsi, int err, struct diag *d)
{
	diag_fail(d, err, FL_IRQ_EVENTFD, "make the eventfds of pin %u", gsi);
	diag_why(d, "the kernel says: %s", strerror(-err));
	diag_mend_else(d, "journalctl -k");
	return err;
}

int irq_line_new(struct irq_table *t, uint32_t gsi, struct irq_line **ret,
                 struct diag *d)
{
	_cleanup_close_ int trigger = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	_cleanup_close_ int resample = -1;
	struct irq_line *l;

	if (trigger >= 0)
		resample = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (resample < 0)
		return fail_eventfd(gsi, -errno, d);
	l = calloc(1, sizeof(*l));
	if (!l)
		return fail_eventfd(gsi, -ENOMEM, d);
	l->table = t;
	l->gsi = gsi;
	l->trigger = TAKE_FD(trigger);
	l->resample = TAKE_FD(resample);
	*ret = l;
	return 0;
}

void irq_line_free(struct irq_line *l)
{
	if (!l)
		return;
	irq_line_untie(l);
	close_fd(&l->trigger);
	close_fd(&l->resample);
	free(l);
}

/* A count from before would be an interrupt that the device did not send. */
static void drain(int fd)
{
	uint64_t count;

	/* Nothing to read is as good. */
	(void)!read(fd, &count, sizeof(count));
}

int irq_line_tie(struct irq_line *l, struct diag *d)
{
	struct irq_table *t = l->table;
	int r;

	if (l->tied)
		return 0;
	drain(l->trigger);
	drain(l->resample);
	pthread_mutex_lock(&t->lock);
	r = t->ops->line_add(t->ctx, l->trigger, l->resample, l->gsi);
	l->tied = r >= 0;
	t->stats.irqfds += l->tied;
	pthread_mutex_unlock(&t->lock);
	if (r >= 0)
		return 0;
	diag_fail(d, r, FL_IRQ_IRQFD, "tie a line to pin %u", l->gsi);
	diag_why(d, "the kernel says: %s", strerror(-r));
	diag_mend_else(d, "journalctl -k | grep -i kvm");
	return r;
}

void irq_line_untie(struct irq_line *l)
{
	struct irq_table *t = l->table;

	if (!l->tied)
		return;
	pthread_mutex_lock(&t->lock);
	/* Fails only when the irqfd is not there: the aim. */
	(void)t->ops->line_del(t->ctx, l->trigger, l->gsi);
	l->tied = false;
	t->stats.irqfds--;
	pthread_mutex_unlock(&t->lock);
}

int irq_line_trigger_fd(const struct irq_line *l)
{
	return l->trigger;
}

int irq_line_resample_fd(const struct irq_line *l)
{
	return l->resample;
}

uint32_t irq_line_gsi(const struct irq_line *l)
{
	return l->gsi;
}
