/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Routes that wait for their vector's first interrupt (vfio.h, "late
 * routes"). The eventfds of vectors that are armed but not routed lie in one
 * epoll set; when it is readable, everything that waits is committed in one
 * table write, and KVM finds the interrupt still counted in the eventfd.
 * A vector that is live with an older message never waits: its interrupts
 * would go to the wrong handler.
 */

#include <sys/epoll.h>
#include <unistd.h>

#include "vfio/priv.h"

int vfio_late_init(struct vfio_dev *v)
{
	v->irq.late_fd = -1;
	if (!v->late_routes)
		return 0;
	v->irq.late_fd = epoll_create1(EPOLL_CLOEXEC);
	return v->irq.late_fd < 0 ? -errno : 0;
}

static void stop_waiting(struct vfio_irqs *q, unsigned i)
{
	if (!q->late[i])
		return;
	q->late[i] = false;
	/* Not there is as good as removed. */
	(void)epoll_ctl(q->late_fd, EPOLL_CTL_DEL, irq_bank_eventfd(q->bank, i),
	                NULL);
}

void vfio_late_forget(struct vfio_dev *v)
{
	for (unsigned i = 0; i < v->irq.max; i++)
		stop_waiting(&v->irq, i);
}

void vfio_vector_unmask(struct vfio_dev *v, unsigned i, struct irq_msg msg)
{
	if (v->irq.held[i])
		vfio_vector_mask(v, i);
	else
		v->irq.want[i] = irq_bank_stage(v->irq.bank, i, msg) >= 0;
}

/* An interrupt that came before is counted in the eventfd, and would be
 * delivered by another vector's commit: a vector without a route gets none
 * while it is masked. The count stays for the unmask. */
void vfio_vector_mask(struct vfio_dev *v, unsigned i)
{
	struct vfio_irqs *q = &v->irq;

	q->want[i] = false;
	stop_waiting(q, i);
	if (irq_bank_state(q->bank, i) == IRQ_VECTOR_NEW)
		irq_bank_unstage(q->bank, i);
}

/* Whatever becomes of the commit, nobody waits any more: a set that stays
 * readable would spin the VMM's loop. */
static __attribute__((noinline)) void commit(struct vfio_dev *v)
{
	struct diag d = { 0 };
	int r = irq_bank_commit(v->irq.bank, &d);

	vfio_late_forget(v);
	if (r < 0)
		*vfio_fault(v) = d;
}

/* False when the vector cannot wait. Apart, because most vectors are live. */
static __attribute__((noinline)) bool let_wait(struct vfio_dev *v, unsigned i)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct vfio_irqs *q = &v->irq;
	int fd;

	if (q->late[i])
		return true;
	if (q->late_fd < 0)
		return false;
	fd = irq_bank_eventfd(q->bank, i);
	if (fd < 0 || epoll_ctl(q->late_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return false;
	q->late[i] = true;
	return true;
}

void vfio_routes_update(struct vfio_dev *v, unsigned lo, unsigned hi)
{
	bool now = false;

	for (unsigned i = lo; i < hi && !now; i++) {
		if (!v->irq.want[i])
			continue;
		switch (irq_bank_state(v->irq.bank, i)) {
		case IRQ_VECTOR_STALE:
			now = true;
			break;
		case IRQ_VECTOR_NEW:
			now = !let_wait(v, i);
			break;
		case IRQ_VECTOR_UNUSED:
		case IRQ_VECTOR_LIVE:
			break;
		}
	}
	if (now)
		commit(v);
}

int vfio_dev_late_fd(const struct vfio_dev *v)
{
	return v->irq.late_fd;
}

void vfio_dev_late_settle(struct vfio_dev *v)
{
	bool any = false;

	if (!vfio_lock_soon(v))
		return;
	for (unsigned i = 0; i < v->irq.max; i++)
		any |= v->irq.late[i];
	if (any)
		commit(v);
	pthread_mutex_unlock(&v->lock);
}
