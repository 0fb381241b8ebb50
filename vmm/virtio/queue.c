/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rings, whichever kind: what a device calls. The kinds are queue_split.c and
 * queue_packed.c; here a chain is put together from guest addresses.
 *
 * Order of a push: the buffers' bytes, the used entry, the index or the flags
 * that show it (a release), a full fence, and only then the guest's wish for
 * interrupts is read. Of arming: our wish, a full fence, then the ring once
 * more; else a chain and its missing kick could pass each other.
 *
 * Bounds: a chain has VQ_SEGS pieces at most, a walk `size` descriptors or one
 * table's, and a table no more than VQ_TABLE_MAX; whatever loop the guest
 * builds ends there.
 */

#include "vmm/virtio/vq_priv.h"

/* Zero-length entries are no pieces, and still end. */
#define VQ_TABLE_MAX (VQ_SIZE_MAX * 2u)

int vq_start(struct vq *q, struct vm *vm, const struct vq_setup *s,
             uint64_t features)
{
	struct vq new = {
		.vm = vm,
		.packed = features & VIRTIO_F(34),
		.event_idx = features & VIRTIO_F(29),
		.indirect = features & VIRTIO_F(28),
		.size = s->size,
		.avail_wrap = true,
		.used_wrap = true,
		.chains = q->chains,
		.out_bytes = q->out_bytes,
		.in_bytes = q->in_bytes,
	};
	int r;

	if (!s->size || s->size > VQ_SIZE_MAX)
		return -EINVAL;
	r = new.packed ? packed_start(&new, s) : split_start(&new, s);
	if (r < 0)
		return r;
	*q = new;
	return 0;
}

void *vq_area(const struct vq *q, uint64_t addr, uint64_t len, unsigned align)
{
	return addr % align ? NULL
	                    : memory_at(q->vm, (struct gpa){ addr }, len);
}

/* ---- chains -------------------------------------------------------------- */

/* RAM from `addr` on, `*len` cut to what lies in one region. */
static void *piece_at(const struct vm *vm, uint64_t addr, uint32_t *len)
{
	for (unsigned i = 0; i < vm->mem.n; i++) {
		const struct mem_region *g = &vm->mem.region[i];
		uint64_t off = addr - g->gpa.v;

		if (addr < g->gpa.v || off >= g->size)
			continue;
		*len = (uint32_t)MIN((uint64_t)*len, g->size - off);
		return (char *)g->hva + off;
	}
	return NULL;
}

int vq_chain_add(const struct vq *q, struct vq_chain *c, uint64_t addr,
                 uint32_t len, bool write)
{
	uint32_t *total = write ? &c->in_len : &c->out_len;
	uint16_t *n = write ? &c->n_in : &c->n_out;

	/* 2.7.4.2: what is read comes before what is written. */
	if ((!write && c->n_in) || __builtin_add_overflow(*total, len, total))
		return -EPROTO;
	while (len) {
		unsigned at = c->n_out + c->n_in;
		uint32_t part = len;
		void *hva = piece_at(q->vm, addr, &part);

		if (!hva || at == VQ_SEGS)
			return -EPROTO;
		c->iov[at] = (struct iovec){ hva, part };
		(*n)++;
		addr += part;
		len -= part;
	}
	return 0;
}

const void *vq_indirect(const struct vq *q, uint64_t addr, uint32_t len,
                        uint32_t *ret_n)
{
	/* 2.7.5.3.1 leaves its alignment open; ours reads whole words. Linux's
	 * come from kmalloc(). */
	if (!q->indirect || !len || len % VQ_DESC_LEN ||
	    len / VQ_DESC_LEN > VQ_TABLE_MAX || addr % sizeof(uint64_t))
		return NULL;
	*ret_n = len / VQ_DESC_LEN;
	return memory_at(q->vm, (struct gpa){ addr }, len);
}

int vq_pop(struct vq *q, struct vq_chain *c)
{
	int r;

	if (q->broken)
		return -EPROTO;
	c->n_out = c->n_in = 0;
	c->out_len = c->in_len = 0;
	r = q->packed ? packed_pop(q, c) : split_pop(q, c);
	if (r < 0)
		q->broken++;
	if (r > 0) {
		q->inflight = (uint16_t)(q->inflight + c->descs);
		stats_add(&q->chains, 1);
		stats_add(&q->out_bytes, c->out_len);
	}
	return r;
}

void vq_unpop(struct vq *q, const struct vq_chain *c)
{
	if (q->packed)
		packed_unpop(q, c->descs);
	else
		q->next_avail--;
	q->inflight = (uint16_t)(q->inflight - c->descs);
	stats_add(&q->chains, -1ull);
	stats_add(&q->out_bytes, -(uint64_t)c->out_len);
}

/* ---- what is used -------------------------------------------------------- */

void vq_push_more(struct vq *q, const struct vq_chain *c, uint32_t len)
{
	if (q->packed)
		packed_push(q, c, len);
	else
		split_push(q, c, len);
	q->ahead = (uint16_t)(q->ahead + c->descs);
	stats_add(&q->in_bytes, len);
}

void vq_push_flush(struct vq *q)
{
	unsigned pending = q->unsignalled + q->ahead;

	if (!q->ahead)
		return;
	if (q->packed)
		packed_flush(q);
	else
		split_flush(q);
	q->unsignalled = (uint16_t)MIN(pending, (unsigned)UINT16_MAX);
	q->inflight = (uint16_t)(q->inflight - q->ahead);
	q->ahead = 0;
}

void vq_push(struct vq *q, const struct vq_chain *c, uint32_t len)
{
	vq_push_more(q, c, len);
	vq_push_flush(q);
}

bool vq_wants_interrupt(struct vq *q)
{
	bool wants;

	vq_fence();
	wants = q->packed ? packed_wants_interrupt(q)
	                  : split_wants_interrupt(q);
	q->unsignalled = 0;
	return wants;
}

void vq_disarm(struct vq *q)
{
	if (q->packed)
		packed_disarm(q);
	else
		split_disarm(q);
}

bool vq_arm(struct vq *q)
{
	return q->packed ? packed_arm(q) : split_arm(q);
}

/* ---- bytes --------------------------------------------------------------- */

/* What of the pieces lies at `off`, `*len` cut to the piece; NULL = nothing. */
static void *bytes_at(const struct iovec *iov, unsigned n, size_t off,
                      size_t *len)
{
	for (unsigned i = 0; i < n; i++) {
		if (off < iov[i].iov_len) {
			*len = MIN(*len, iov[i].iov_len - off);
			return (char *)iov[i].iov_base + off;
		}
		off -= iov[i].iov_len;
	}
	return NULL;
}

size_t vq_copy_out(const struct vq_chain *c, size_t off, void *to, size_t len)
{
	size_t done = 0;

	while (done < len) {
		size_t n = len - done;
		const void *at = bytes_at(c->iov, c->n_out, off + done, &n);

		if (!at)
			break;
		memcpy((char *)to + done, at, n);
		done += n;
	}
	return done;
}

size_t vq_copy_in(const struct vq_chain *c, size_t off, const void *from,
                  size_t len)
{
	size_t done = 0;

	while (done < len) {
		size_t n = len - done;
		void *at = bytes_at(c->iov + c->n_out, c->n_in, off + done, &n);

		if (!at)
			break;
		memcpy(at, (const char *)from + done, n);
		done += n;
	}
	return done;
}
