/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a chain of buffers of a disk's queue: cut in any way, with any
 * header and any ranges. What is accepted lies inside the disk, and its buffers
 * are those of the chain. The first bytes say how it is cut, the rest is guest
 * memory.
 * fuzz: runs=300000 time=60
 */

#include <string.h>

#include "vmm/virtio/blk.h"

#define DISK (1u << 20)
#define CUTS 12u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each buffer is memory of its own: what leaves it is seen. */
static void cut(struct vq_chain *c, const uint8_t *how, const uint8_t *from,
                size_t left)
{
	unsigned out = how[0] % (CUTS + 1);

	for (unsigned i = 0; i < CUTS; i++) {
		size_t n = MIN(left, how[1 + i] & 0x80 ? how[1 + i] * 8u
		                                       : how[1 + i] % 32u);
		uint8_t *p = malloc(MAX(n, (size_t)1));

		if (!p)
			abort();
		memcpy(p, from, n);
		c->iov[i] = (struct iovec){ p, n };
		from += n;
		left -= n;
		if (i < out)
			c->out_len += (uint32_t)n;
		else
			c->in_len += (uint32_t)n;
	}
	c->n_out = (uint16_t)out;
	c->n_in = (uint16_t)(CUTS - out);
}

static void must(bool holds)
{
	if (!holds)
		abort();
}

static uint64_t total(const struct blk_request *r)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < r->n; i++)
		n += r->iov[i].iov_len;
	return n;
}

static void ranges(const struct blk_backing *b, struct blk_request *r)
{
	bool unmap;

	while (blk_parse_range(b, r, &unmap) == VIRTIO_BLK_S_OK) {
		must(range_inside(r->range_off, r->range_len, b->bytes));
		must(!unmap || r->type == VIRTIO_BLK_T_WRITE_ZEROES);
		must(total(r) == r->len);
	}
}

static void accepted(const struct blk_backing *b, struct blk_request *r,
                     uint8_t step)
{
	bool moves = r->type == VIRTIO_BLK_T_IN || r->type == VIRTIO_BLK_T_OUT;

	must(!moves || range_inside(r->off, r->len, b->bytes));
	must(!b->read_only || r->type != VIRTIO_BLK_T_OUT);
	must(total(r) == r->len);
	if (r->type == VIRTIO_BLK_T_DISCARD ||
	    r->type == VIRTIO_BLK_T_WRITE_ZEROES)
		ranges(b, r);
	/* As short transfers do. */
	while (r->len) {
		uint8_t piece[256] = { 0 };
		size_t n = MIN(r->len, step + 1u);

		if (r->type == VIRTIO_BLK_T_IN)
			blk_give(r, piece, n);
		else if (step & 1)
			blk_take(r, piece, n);
		else
			blk_skip(r, n);
		must(total(r) == r->len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct blk_backing b = { .bytes = DISK, .logical = 512 };
	struct blk_request r = { .len = 0 };
	void *buffer[CUTS];
	int s;

	if (size < CUTS + 3)
		return 0;
	b.read_only = data[CUTS + 1] & 1;
	cut(&r.chain, data, data + CUTS + 3, size - CUTS - 3);
	for (unsigned i = 0; i < CUTS; i++)
		buffer[i] = r.chain.iov[i].iov_base;
	s = blk_parse(&b, &r);
	must(s == -EBADMSG || r.status);
	if (s == VIRTIO_BLK_S_OK)
		accepted(&b, &r, data[CUTS + 2]);
	if (s != -EBADMSG)
		*r.status = (uint8_t)s;
	for (unsigned i = 0; i < CUTS; i++)
		free(buffer[i]);
	return 0;
}
