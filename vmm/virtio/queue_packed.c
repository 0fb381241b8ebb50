/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packed ring, virtio 1.2 2.8: one ring that both sides write, each with a
 * place and a wrap counter.
 *
 *   desc    addr 8, len 4, id 2, flags 2: 2.8.13
 *   driver  off_wrap 2, flags 2: for our interrupts, 2.8.14
 *   device  the same, for the driver's kicks
 *
 * A chain's used entry takes the place of its first descriptor, and the place
 * then goes on by as many as the chain had. The flags of a batch's first entry
 * are written last, so that the driver sees all of it or nothing (2.8.8).
 */

#include "vmm/virtio/vq_priv.h"

enum {
	DESC_ADDR = 0,
	DESC_LEN = 8,
	DESC_ID = 12,
	DESC_FLAGS = 14,
	EVENT_OFF_WRAP = 0,
	EVENT_FLAGS = 2,
	EVENT_LEN = 4,
	EVENT_ENABLE = 0,
	EVENT_DISABLE = 1,
	EVENT_DESC = 2,
	EVENT_MASK = 3,
	EVENT_WRAP = 0x8000,
};

int packed_start(struct vq *q, const struct vq_setup *s)
{
	q->desc = vq_area(q, s->desc, (uint64_t)VQ_DESC_LEN * s->size, 16);
	q->driver = vq_area(q, s->driver, EVENT_LEN, 4);
	q->device = vq_area(q, s->device, EVENT_LEN, 4);
	return q->desc && q->driver && q->device ? 0 : -EINVAL;
}

static void forward(const struct vq *q, uint16_t *place, bool *wrap, unsigned n)
{
	unsigned at = *place + n;

	if (at >= q->size) {
		at -= q->size;
		*wrap = !*wrap;
	}
	*place = (uint16_t)at;
}

static size_t desc_off(unsigned i)
{
	return (size_t)i * VQ_DESC_LEN;
}

/* ---- what is available --------------------------------------------------- */

/* 2.8.1: AVAIL as the driver's counter, USED not. */
static bool is_available(uint16_t flags, bool wrap)
{
	return !!(flags & DESC_F_AVAIL) == wrap &&
	       !!(flags & DESC_F_USED) != wrap;
}

static int add(struct vq *q, struct vq_chain *c, const void *table, unsigned i,
               uint16_t flags)
{
	size_t off = desc_off(i);

	return vq_chain_add(q, c, get64(table, off + DESC_ADDR),
	                    get32(table, off + DESC_LEN), flags & DESC_F_WRITE);
}

/* All entries of the table, of whose flags WRITE alone counts (2.8.7). */
static int add_table(struct vq *q, struct vq_chain *c)
{
	size_t off = desc_off(q->next_avail);
	uint64_t addr = get64(q->desc, off + DESC_ADDR);
	uint32_t n, len = get32(q->desc, off + DESC_LEN);
	const void *table = vq_indirect(q, addr, len, &n);
	int r = table ? 0 : -EPROTO;

	for (uint32_t i = 0; r == 0 && i < n; i++)
		r = add(q, c, table, i, get16(table, desc_off(i) + DESC_FLAGS));
	return r;
}

/* The ring's descriptors from next_avail on, the first one's flags known. The
 * buffer id is in the last one (2.8.6). */
static int walk(struct vq *q, struct vq_chain *c, uint16_t flags)
{
	unsigned i = q->next_avail, room = q->size - q->inflight;
	unsigned n = 0;

	for (;;) {
		/* A list goes through no table (2.8.19.1). */
		int r = flags & DESC_F_INDIRECT ? -EPROTO
		                                : add(q, c, q->desc, i, flags);

		if (r < 0)
			return r;
		if (++n == room && (flags & DESC_F_NEXT))
			return -EPROTO; /* longer than the ring */
		if (!(flags & DESC_F_NEXT))
			break;
		i = i + 1u == q->size ? 0 : i + 1u;
		flags = get16(q->desc, desc_off(i) + DESC_FLAGS);
	}
	c->id = get16(q->desc, desc_off(i) + DESC_ID);
	c->descs = (uint16_t)n;
	return 0;
}

int packed_pop(struct vq *q, struct vq_chain *c)
{
	size_t off = desc_off(q->next_avail);
	uint16_t flags = get16(q->desc, off + DESC_FLAGS);
	int r;

	if (!is_available(flags, q->avail_wrap))
		return 0;
	if (q->inflight >= q->size)
		return -EPROTO;
	if ((flags & DESC_F_INDIRECT) && !(flags & DESC_F_NEXT)) {
		c->id = get16(q->desc, off + DESC_ID);
		c->descs = 1;
		r = add_table(q, c);
	} else {
		r = walk(q, c, flags);
	}
	if (r < 0)
		return r;
	forward(q, &q->next_avail, &q->avail_wrap, c->descs);
	return 1;
}

void packed_unpop(struct vq *q, unsigned descs)
{
	if (q->next_avail < descs) {
		q->next_avail = (uint16_t)(q->next_avail + q->size);
		q->avail_wrap = !q->avail_wrap;
	}
	q->next_avail = (uint16_t)(q->next_avail - descs);
}

/* ---- what is used -------------------------------------------------------- */

void packed_push(struct vq *q, const struct vq_chain *c, uint32_t len)
{
	uint16_t at = q->next_used, flags;
	bool wrap = q->used_wrap;
	size_t off;

	forward(q, &at, &wrap, q->ahead);
	off = desc_off(at);
	flags = wrap ? DESC_F_AVAIL | DESC_F_USED : 0;
	if (len)
		flags |= DESC_F_WRITE;
	put16(q->desc, off + DESC_ID, c->id);
	put32(q->desc, off + DESC_LEN, len);
	if (q->ahead)
		put16(q->desc, off + DESC_FLAGS, flags);
	else
		q->first_flags = flags;
}

void packed_flush(struct vq *q)
{
	put16(q->desc, desc_off(q->next_used) + DESC_FLAGS, q->first_flags);
	forward(q, &q->next_used, &q->used_wrap, q->ahead);
}

bool packed_wants_interrupt(struct vq *q)
{
	uint16_t flags = get16(q->driver, EVENT_FLAGS) & EVENT_MASK;
	uint16_t off_wrap, event;

	if (flags != EVENT_DESC || !q->event_idx)
		return flags != EVENT_DISABLE;
	off_wrap = get16(q->driver, EVENT_OFF_WRAP);
	event = off_wrap & (uint16_t)~EVENT_WRAP;
	/* A place of the lap before: behind us by a ring. */
	if (!!(off_wrap & EVENT_WRAP) != q->used_wrap)
		event = (uint16_t)(event - q->size);
	return vq_passed(event, q->next_used, q->unsignalled);
}

void packed_disarm(struct vq *q)
{
	put16(q->device, EVENT_FLAGS, EVENT_DISABLE);
}

bool packed_arm(struct vq *q)
{
	size_t off = desc_off(q->next_avail);
	unsigned wrap = q->avail_wrap ? EVENT_WRAP : 0;

	if (q->event_idx) {
		put16(q->device, EVENT_OFF_WRAP,
		      (uint16_t)(q->next_avail | wrap));
		put16(q->device, EVENT_FLAGS, EVENT_DESC);
	} else {
		put16(q->device, EVENT_FLAGS, EVENT_ENABLE);
	}
	vq_fence();
	return is_available(get16(q->desc, off + DESC_FLAGS), q->avail_wrap);
}
