/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A chain of buffers as a request of virtio 1.2 5.2.6: a header of 16 bytes,
 * data, and one byte of status, cut into buffers in any way (2.7.4.1). It is
 * trimmed in place: what remains of the chain's buffers is the data.
 *
 * The header and each range are copied once, then checked: the guest may write
 * to them meanwhile.
 */

#include <string.h>

#include "vmm/virtio/blk.h"

#define HEADER 16u
#define RANGE 16u
#define RANGE_UNMAP 1u

/* 5.2.6: what a type needs. */
enum {
	NEEDS_WRITABLE = 1, /* refused where the disk is read-only */
	NEEDS_SECTORS = 2,  /* whole ones, inside the disk */
	TO_GUEST = 4,       /* its data is what the device writes */
};

static int needs(uint32_t type)
{
	switch (type) {
	case VIRTIO_BLK_T_IN:
		return NEEDS_SECTORS | TO_GUEST;
	case VIRTIO_BLK_T_OUT:
		return NEEDS_SECTORS | NEEDS_WRITABLE;
	case VIRTIO_BLK_T_FLUSH:
		return 0;
	case VIRTIO_BLK_T_GET_ID:
		return TO_GUEST;
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return NEEDS_WRITABLE;
	default:
		return -1;
	}
}

/* ---- what is left -------------------------------------------------------- */

static void move(struct blk_request *r, uint8_t *to, const uint8_t *from,
                 size_t len)
{
	r->len -= len;
	while (len) {
		size_t n = MIN(len, r->iov->iov_len);

		if (to)
			memcpy(to, r->iov->iov_base, n);
		else if (from)
			memcpy(r->iov->iov_base, from, n);
		to = to ? to + n : NULL;
		from = from ? from + n : NULL;
		len -= n;
		r->iov->iov_base = (uint8_t *)r->iov->iov_base + n;
		r->iov->iov_len -= n;
		if (!r->iov->iov_len) {
			r->iov++;
			r->n--;
		}
	}
}

void blk_take(struct blk_request *r, void *to, size_t len)
{
	move(r, to, NULL, len);
}

void blk_give(struct blk_request *r, const void *from, size_t len)
{
	move(r, NULL, from, len);
}

void blk_skip(struct blk_request *r, size_t len)
{
	move(r, NULL, NULL, len);
}

/* ---- parsing ------------------------------------------------------------- */

/* The last byte that the device may write. */
static uint8_t *cut_status(struct vq_chain *c)
{
	unsigned i = c->n_out + c->n_in;

	while (i-- > c->n_out) {
		struct iovec *v = &c->iov[i];

		if (!v->iov_len)
			continue;
		v->iov_len--;
		return (uint8_t *)v->iov_base + v->iov_len;
	}
	return NULL;
}

static void leave(struct blk_request *r, struct iovec *iov, unsigned n)
{
	r->iov = iov;
	r->n = n;
	r->len = 0;
	for (unsigned i = 0; i < n; i++)
		r->len += iov[i].iov_len;
}

/* One range inside the disk; nothing here can wrap. */
static bool inside(const struct blk_backing *b, uint64_t sector, uint64_t len)
{
	return sector <= b->bytes / BLK_SECTOR &&
	       range_inside(sector * BLK_SECTOR, len, b->bytes);
}

static int check(const struct blk_backing *b, struct blk_request *r,
                 uint64_t sector)
{
	int what = needs(r->type);

	if (what < 0)
		return VIRTIO_BLK_S_UNSUPP;
	if ((what & NEEDS_WRITABLE) && b->read_only)
		return VIRTIO_BLK_S_IOERR;
	if (what & TO_GUEST)
		leave(r, r->chain.iov + r->chain.n_out, r->chain.n_in);
	if (!(what & NEEDS_SECTORS))
		return VIRTIO_BLK_S_OK;
	if (!IS_ALIGNED(r->len, BLK_SECTOR) || !inside(b, sector, r->len))
		return VIRTIO_BLK_S_IOERR;
	r->off = sector * BLK_SECTOR;
	return VIRTIO_BLK_S_OK;
}

int blk_parse(const struct blk_backing *b, struct blk_request *r)
{
	uint8_t header[HEADER];

	r->status = cut_status(&r->chain);
	leave(r, r->chain.iov, r->chain.n_out);
	if (!r->status || r->len < HEADER)
		return -EBADMSG;
	blk_take(r, header, HEADER);
	r->type = (uint32_t)load_le(header, 4);
	return check(b, r, load_le(header + 8, 8));
}

/* 5.2.6.2: unknown flags, and unmap where it says nothing, are refused. */
int blk_parse_range(const struct blk_backing *b, struct blk_request *r,
                    bool *ret_unmap)
{
	bool discard = r->type == VIRTIO_BLK_T_DISCARD;
	uint32_t most = discard ? BLK_DISCARD_MAX : BLK_ZEROES_MAX;
	uint8_t range[RANGE];
	uint32_t flags, count;
	uint64_t sector;

	if (r->len < RANGE)
		return VIRTIO_BLK_S_IOERR;
	blk_take(r, range, RANGE);
	sector = load_le(range, 8);
	count = (uint32_t)load_le(range + 8, 4);
	flags = (uint32_t)load_le(range + 12, 4);
	if (flags & ~(discard ? 0 : RANGE_UNMAP))
		return VIRTIO_BLK_S_UNSUPP;
	if (count > most || !inside(b, sector, (uint64_t)count * BLK_SECTOR))
		return VIRTIO_BLK_S_IOERR;
	r->range_off = sector * BLK_SECTOR;
	r->range_len = (uint64_t)count * BLK_SECTOR;
	*ret_unmap = flags & RANGE_UNMAP;
	return VIRTIO_BLK_S_OK;
}
