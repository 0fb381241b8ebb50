/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts: causes, their mask, and the pin (SDM 13.4.17 to 13.4.21); the
 * throttle (ITR, 13.4.18) and the delays of TIDV, TADV, RDTR, RADV.
 *
 * A cause that may wait is kept aside until its time, or until another one
 * raises the pin: the handler then finds both. Its time goes on while it is
 * masked, and counts when it is not any more. The pin does not go high sooner
 * than ITR after it last did. One timer serves both, is set only while there is
 * something to wait for, and is left as it is where it comes too early: setting
 * it costs more than once in a while to find nothing.
 */

#include "vmm/e1000.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define ITR_NS 256u
#define TICK_NS 1024u /* of the delays */

static uint64_t itr_ns(const struct e1000 *e)
{
	return (uint64_t)e1000_reg(e, R_ITR) * ITR_NS;
}

static void timer_at(struct e1000 *e, uint64_t at)
{
	struct e1000_irq *q = &e->irq;
	struct itimerspec t = {
		.it_value = { .tv_sec = (time_t)(at / 1000000000u),
		              .tv_nsec = (long)(at % 1000000000u) },
	};

	if (q->timer_ns && q->timer_ns <= at)
		return;
	q->timer_ns = at;
	(void)timerfd_settime(q->timer_fd, TFD_TIMER_ABSTIME, &t, NULL);
}

static void set_level(struct e1000 *e, bool level)
{
	if (e->irq.level == level)
		return;
	e->irq.level = level;
	own_intx(e->own, level);
}

/* Is it too early for the pin? Then the timer is on. */
static bool throttled(struct e1000 *e)
{
	uint64_t gap = itr_ns(e), now;

	if (!gap)
		return false;
	now = now_ns();
	if (now - e->irq.last_ns < gap) {
		timer_at(e, e->irq.last_ns + gap);
		return true;
	}
	e->irq.last_ns = now;
	return false;
}

void e1000_irq_update(struct e1000 *e)
{
	uint32_t *icr = &e->reg[R_ICR / 4], ims = e1000_reg(e, R_IMS);

	if (!(*icr & ims)) {
		set_level(e, false);
		return;
	}
	if (e->irq.level || throttled(e))
		return;
	*icr |= e->irq.late;
	e->irq.late = 0;
	set_level(e, true);
}

void e1000_raise(struct e1000 *e, uint32_t causes)
{
	e->reg[R_ICR / 4] |= causes;
	e1000_irq_update(e);
}

void e1000_raise_late(struct e1000 *e, uint32_t causes, uint32_t ticks)
{
	struct e1000_irq *q = &e->irq;
	uint64_t at;

	if (!ticks) {
		e1000_raise(e, causes);
		return;
	}
	if (causes & ~q->late) {
		at = MAX(now_ns() + (uint64_t)ticks * TICK_NS,
		         q->last_ns + itr_ns(e));
		q->late_ns = q->late ? MIN(q->late_ns, at) : at;
	}
	q->late |= causes;
	/* Nobody who is waited for: it is enough to be found. */
	if (q->late & e1000_reg(e, R_IMS))
		timer_at(e, q->late_ns);
}

/* The guest may wait now for what came while it did not. */
void e1000_unmasked(struct e1000 *e)
{
	struct e1000_irq *q = &e->irq;

	if (!(q->late & e1000_reg(e, R_IMS)))
		return;
	if (now_ns() < q->late_ns) {
		timer_at(e, q->late_ns);
		return;
	}
	e->reg[R_ICR / 4] |= q->late;
	q->late = 0;
}

/* What is read is cleared, and with it what would have come. */
uint32_t e1000_icr_take(struct e1000 *e)
{
	uint32_t v = e1000_reg(e, R_ICR) | e->irq.late;

	e->reg[R_ICR / 4] = 0;
	e->irq.late = 0;
	set_level(e, false);
	return v;
}

void e1000_irq_reset(struct e1000 *e)
{
	e->reg[R_ICR / 4] = 0;
	e->reg[R_IMS / 4] = 0;
	e->irq.late = 0;
	e->irq.last_ns = 0;
	set_level(e, false);
}

void e1000_irq_ready(void *ctx, uint32_t events _unused_)
{
	struct e1000 *e = ctx;
	struct e1000_irq *q = &e->irq;
	uint64_t n;

	if (read(q->timer_fd, &n, sizeof(n)) < 0)
		return;
	pthread_mutex_lock(&e->lock);
	q->timer_ns = 0;
	if (q->late && now_ns() >= q->late_ns) {
		e->reg[R_ICR / 4] |= q->late;
		q->late = 0;
	} else if (q->late) {
		timer_at(e, q->late_ns);
	}
	e1000_irq_update(e);
	pthread_mutex_unlock(&e->lock);
}

int e1000_irq_init(struct e1000 *e)
{
	struct e1000_irq *q = &e->irq;

	q->timer_fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (q->timer_fd < 0)
		return -errno;
	q->watch = (struct io_watch){ .fd = q->timer_fd,
		                      .ready = e1000_irq_ready,
		                      .ctx = e };
	return io_add(e->vm->io, &q->watch, EPOLLIN);
}
