/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The split ring, virtio 1.2 2.7.
 *
 *   desc    16 bytes an entry, 2.7.5
 *   driver  flags, idx, ring[size], used_event: 2.7.6
 *   device  flags, idx, { id, len }[size], avail_event: 2.7.8
 */

#include "vmm/virtio/vq_priv.h"

enum {
	RING_FLAGS = 0,
	RING_IDX = 2,
	RING_ENTRIES = 4,
	AVAIL_NO_INTERRUPT = 1,
	USED_NO_NOTIFY = 1,
	USED_LEN = 8, /* of an entry */
};

static size_t used_event_off(const struct vq *q)
{
	return RING_ENTRIES + 2u * q->size;
}

static size_t avail_event_off(const struct vq *q)
{
	return RING_ENTRIES + (size_t)USED_LEN * q->size;
}

int split_start(struct vq *q, const struct vq_setup *s)
{
	if (!is_power_of_2(s->size))
		return -EINVAL;
	q->desc = vq_area(q, s->desc, (uint64_t)VQ_DESC_LEN * s->size, 16);
	q->driver = vq_area(q, s->driver, used_event_off(q) + 2, 2);
	q->device = vq_area(q, s->device, avail_event_off(q) + 2, 4);
	return q->desc && q->driver && q->device ? 0 : -EINVAL;
}

/* ---- what is available --------------------------------------------------- */

static struct vq_desc read_desc(const void *table, uint32_t i)
{
	size_t off = (size_t)i * VQ_DESC_LEN;

	return (struct vq_desc){
		.addr = get64(table, off),
		.len = get32(table, off + 8),
		.flags = get16(table, off + 12),
		.next = get16(table, off + 14),
	};
}

/* A table of `n` from entry `i` on. An indirect one may end a chain of the
 * ring's, and has none below it (2.7.5.3). */
static int walk(struct vq *q, struct vq_chain *c, const void *table, uint32_t n,
                uint32_t i)
{
	bool inner = table != q->desc;

	for (uint32_t left = n; left > 0 && i < n; left--) {
		struct vq_desc d = read_desc(table, i);
		int r;

		if (d.flags & DESC_F_INDIRECT) {
			if (inner || (d.flags & DESC_F_NEXT))
				return -EPROTO;
			inner = true;
			table = vq_indirect(q, d.addr, d.len, &n);
			if (!table)
				return -EPROTO;
			/* One more, for the loop takes one. */
			left = n + 1;
			i = 0;
			continue;
		}
		r = vq_chain_add(q, c, d.addr, d.len, d.flags & DESC_F_WRITE);
		if (r < 0 || !(d.flags & DESC_F_NEXT))
			return r;
		i = d.next;
	}
	return -EPROTO; /* a loop, or a jump out of the table */
}

int split_pop(struct vq *q, struct vq_chain *c)
{
	uint16_t idx = get16(q->driver, RING_IDX);
	uint16_t ready = (uint16_t)(idx - q->next_avail);
	int r;

	if (!ready)
		return 0;
	if (ready > q->size || q->inflight >= q->size)
		return -EPROTO;
	c->id = get16(q->driver, RING_ENTRIES + 2u * (q->next_avail % q->size));
	c->descs = 1;
	r = walk(q, c, q->desc, q->size, c->id);
	if (r < 0)
		return r;
	q->next_avail++;
	return 1;
}

/* ---- what is used -------------------------------------------------------- */

void split_push(struct vq *q, const struct vq_chain *c, uint32_t len)
{
	unsigned at = (uint16_t)(q->next_used + q->ahead) % q->size;
	size_t off = RING_ENTRIES + (size_t)USED_LEN * at;

	put32(q->device, off, c->id);
	put32(q->device, off + 4, len);
}

void split_flush(struct vq *q)
{
	q->next_used = (uint16_t)(q->next_used + q->ahead);
	put16(q->device, RING_IDX, q->next_used);
}

bool split_wants_interrupt(struct vq *q)
{
	if (!q->event_idx)
		return !(get16(q->driver, RING_FLAGS) & AVAIL_NO_INTERRUPT);
	return vq_passed(get16(q->driver, used_event_off(q)), q->next_used,
	                 q->unsignalled);
}

/* With event indices nothing needs to be written: the driver kicks once, when
 * it passes the index that it was given last. */
void split_disarm(struct vq *q)
{
	if (!q->event_idx)
		put16(q->device, RING_FLAGS, USED_NO_NOTIFY);
}

bool split_arm(struct vq *q)
{
	if (q->event_idx)
		put16(q->device, avail_event_off(q), q->next_avail);
	else
		put16(q->device, RING_FLAGS, 0);
	vq_fence();
	return get16(q->driver, RING_IDX) != q->next_avail;
}
