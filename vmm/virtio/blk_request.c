/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request as a row of operations, one after the other: pieces of a transfer,
 * ranges to be given back, an fdatasync. Whoever completes one asks for the
 * next (blk_go_on()), until there is a status.
 *
 * What is durable (virtio 1.2 5.2.6.2):
 *   write-back     a write ends when the kernel has it; a flush is an
 *                  fdatasync that begins after all writes that ended before it
 *   write-through  a write ends when it is on the disk (RWF_DSYNC). What ended
 *                  before the driver chose write-through is brought in by an
 *                  fdatasync before the next write ends; what was under way
 *                  then, by one of its own.
 * An fdatasync that failed is the last that may be believed: see blk.lost.
 *
 * O_DIRECT: buffers that the file does not take go through a copy, of a piece
 * at a time. A read of parts of a block reads the block. A write of parts is
 * refused: the guest was told the block size.
 */

#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>

#include "vmm/virtio/blk.h"

#define BOUNCE (128u << 10)
#define TRIES 8u

static const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
static const int zero_range = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;

/* ---- what the host is told ----------------------------------------------- */

static const char *verb(const struct blk_request *r)
{
	if (r->syncing)
		return "a flush";
	switch (r->type) {
	case VIRTIO_BLK_T_IN:
		return "a read";
	case VIRTIO_BLK_T_OUT:
		return "a write";
	case VIRTIO_BLK_T_DISCARD:
		return "a discard";
	default:
		return "a write of zeroes";
	}
}

static const char *mend(int err)
{
	switch (err) {
	case -ENOSPC:
	case -EDQUOT:
	case -EFBIG:
		return "make room in the file system of the image";
	case -ENODATA:
		return "the image is shorter than when the guest started: "
		       "`truncate -s` to its former size, and look for who "
		       "cut it";
	case -EINVAL:
		return "`direct: false` of the disk, if the guest writes less "
		       "than a block of it";
	case -ENOMEM:
	case -EAGAIN:
		return "more memory for the host";
	default:
		return "`dmesg`: is the device, or the server, still there?";
	}
}

/* The guest can have it happen as often as it likes. */
static int fail(struct blk *b, const struct blk_request *r, int err)
{
	char at[40] = "";
	struct diag d;

	if (!ratelimit_pass(&b->say, now_ns()))
		return VIRTIO_BLK_S_IOERR;
	if (!r->syncing)
		snprintf(at, sizeof(at), " at byte %llu",
		         (unsigned long long)r->off);
	diag_fail(&d, err, FL_VMM_DISK,
	          "disk %s: %s failed%s; the guest got an I/O error",
	          b->cfg->name, verb(r), at);
	diag_why(&d, "%s",
	         err == -ENODATA ? "the file ends before" : strerror(-err));
	diag_mend(&d, "%s", mend(err));
	loop_say_diag(&d);
	return VIRTIO_BLK_S_IOERR;
}

/* ---- fdatasync ----------------------------------------------------------- */

static int sync_data(struct blk *b, struct blk_request *r)
{
	r->syncing = true;
	if (b->lost)
		return fail(b, r, b->lost);
	r->epoch = b->epoch;
	uring_datasync(b->vm->uring, b->disk, &r->op);
	return BLK_UNDER_WAY;
}

static int synced(struct blk *b, struct blk_request *r)
{
	if (r->op.res < 0) {
		/* O_DIRECT leaves no pages behind. */
		if (!b->cfg->direct)
			b->lost = r->op.res;
		return fail(b, r, r->op.res);
	}
	b->synced = MAX(b->synced, r->epoch);
	return VIRTIO_BLK_S_OK;
}

/* What is to be brought in may be what it failed of, and the kernel tells of
 * that once, whoever asks: RWF_DSYNC does. */
static void note_lost(struct blk *b, const struct blk_request *r)
{
	if (r->op.res == -EIO && r->type == VIRTIO_BLK_T_OUT &&
	    b->synced != b->epoch && !b->cfg->direct)
		b->lost = r->op.res;
}

/* Something was written; does more have to happen before it may end? */
static int written(struct blk *b, struct blk_request *r)
{
	if (b->write_back || (!r->lazy && b->synced == b->epoch))
		return VIRTIO_BLK_S_OK;
	return sync_data(b, r);
}

/* ---- transfers ----------------------------------------------------------- */

static bool fits(const struct blk *b, const struct blk_request *r)
{
	uint32_t off = b->back.dio_off, mem = b->back.dio_mem;

	if (off == 1 && mem == 1)
		return true;
	if (!IS_ALIGNED(r->off, off))
		return false;
	for (unsigned i = 0; i < r->n; i++)
		if (!IS_ALIGNED((uintptr_t)r->iov[i].iov_base, mem) ||
		    !IS_ALIGNED(r->iov[i].iov_len, off))
			return false;
	return true;
}

static void peek(const struct blk_request *r, uint8_t *to, size_t len)
{
	for (const struct iovec *v = r->iov; len; v++) {
		size_t n = MIN(len, v->iov_len);

		memcpy(to, v->iov_base, n);
		to += n;
		len -= n;
	}
}

static void ask(struct blk *b, struct blk_request *r, const struct iovec *iov,
                unsigned n, uint64_t off)
{
	bool out = r->type == VIRTIO_BLK_T_OUT;
	bool durable = out && !b->write_back;

	r->lazy |= out && !durable;
	uring_rw(b->vm->uring, b->disk, &r->op, out, iov, n, off,
	         durable ? RWF_DSYNC : 0);
}

static int ask_bounced(struct blk *b, struct blk_request *r)
{
	bool out = r->type == VIRTIO_BLK_T_OUT;
	uint64_t skip = r->off & (b->back.dio_off - 1);
	uint64_t len = ALIGN_UP(skip + r->len, (uint64_t)b->back.dio_off);
	void *p;

	if (out && len != r->len)
		return fail(b, r, -EINVAL);
	len = MIN(len, BOUNCE);
	if (posix_memalign(&p, MAX(b->back.dio_mem, BLK_SECTOR), len))
		return fail(b, r, -ENOMEM);
	if (out)
		peek(r, p, len);
	r->bounce.iov_base = p;
	r->bounce.iov_len = len;
	r->bounce_skip = skip;
	ask(b, r, &r->bounce, 1, r->off - skip);
	return BLK_UNDER_WAY;
}

static int transfer(struct blk *b, struct blk_request *r)
{
	if (!r->len)
		return r->type == VIRTIO_BLK_T_OUT ? written(b, r)
		                                   : VIRTIO_BLK_S_OK;
	if (!fits(b, r))
		return ask_bounced(b, r);
	ask(b, r, r->iov, r->n, r->off);
	return BLK_UNDER_WAY;
}

/* How far it got in what was asked for; the copy is gone. */
static uint64_t unbounce(struct blk_request *r, uint64_t n)
{
	uint8_t *p = r->bounce.iov_base;

	n = n > r->bounce_skip ? MIN(n - r->bounce_skip, r->len) : 0;
	if (r->type == VIRTIO_BLK_T_IN)
		blk_give(r, p + r->bounce_skip, n);
	else
		blk_skip(r, n);
	blk_drop(r);
	return n;
}

static int transferred(struct blk *b, struct blk_request *r)
{
	uint64_t n = (uint64_t)MAX(r->op.res, 0);

	if (r->op.res < 0) {
		blk_drop(r);
		note_lost(b, r);
		return fail(b, r, r->op.res);
	}
	if (r->bounce.iov_base) {
		n = unbounce(r, n);
	} else {
		n = MIN(n, r->len);
		blk_skip(r, n);
	}
	if (!n)
		return fail(b, r, -ENODATA);
	r->tries = 0;
	r->off += n;
	if (r->type == VIRTIO_BLK_T_IN)
		r->written += (uint32_t)n;
	return transfer(b, r);
}

void blk_drop(struct blk_request *r)
{
	free(r->bounce.iov_base);
	r->bounce.iov_base = NULL;
}

/* ---- ranges -------------------------------------------------------------- */

static void ask_range(struct blk *b, struct blk_request *r, int mode)
{
	r->mode = mode;
	r->lazy = true;
	r->off = r->range_off; /* for the message */
	uring_fallocate(b->vm->uring, b->disk, &r->op, mode, r->range_off,
	                r->range_len);
}

/* Zeroes that nothing wrote are as good, but where the kernel cannot. */
static int range_mode(const struct blk *b, const struct blk_request *r,
                      bool unmap)
{
	if (r->type == VIRTIO_BLK_T_DISCARD)
		return punch;
	return (unmap && !b->no_punch) || b->no_zero_range ? punch : zero_range;
}

static int range(struct blk *b, struct blk_request *r)
{
	while (r->len) {
		bool unmap;
		int s = blk_parse_range(&b->back, r, &unmap);

		if (s != VIRTIO_BLK_S_OK)
			return s;
		if (!r->range_len)
			continue;
		ask_range(b, r, range_mode(b, r, unmap));
		return BLK_UNDER_WAY;
	}
	return r->type == VIRTIO_BLK_T_WRITE_ZEROES ? written(b, r)
	                                            : VIRTIO_BLK_S_OK;
}

/* A discard is a hint; zeroes have another way. */
static int range_unknown(struct blk *b, struct blk_request *r)
{
	if (r->mode == punch)
		b->no_punch = true;
	else
		b->no_zero_range = true;
	if (r->type == VIRTIO_BLK_T_DISCARD)
		return range(b, r);
	if (b->no_punch && b->no_zero_range)
		return fail(b, r, r->op.res);
	ask_range(b, r, r->mode == punch ? zero_range : punch);
	return BLK_UNDER_WAY;
}

static int ranged(struct blk *b, struct blk_request *r)
{
	if (r->op.res == -EOPNOTSUPP)
		return range_unknown(b, r);
	if (r->op.res < 0)
		return fail(b, r, r->op.res);
	r->tries = 0;
	return range(b, r);
}

static int begin_ranges(struct blk *b, struct blk_request *r)
{
	if (!b->back.punches)
		return VIRTIO_BLK_S_UNSUPP;
	/* 16 bytes each. */
	if (!IS_ALIGNED(r->len, 16u) || r->len > BLK_RANGES_MAX * 16ul)
		return VIRTIO_BLK_S_IOERR;
	return range(b, r);
}

/* ---- one request --------------------------------------------------------- */

static int give_id(const struct blk *b, struct blk_request *r)
{
	r->written = (uint32_t)MIN(r->len, sizeof(b->id));
	blk_give(r, b->id, r->written);
	return VIRTIO_BLK_S_OK;
}

int blk_begin(struct blk *b, struct blk_request *r)
{
	switch (r->type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		return transfer(b, r);
	case VIRTIO_BLK_T_FLUSH:
		return sync_data(b, r);
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return begin_ranges(b, r);
	default:
		return give_id(b, r);
	}
}

/* The same once more: nothing of it was done. */
static int repeat(struct blk *b, struct blk_request *r)
{
	blk_drop(r);
	if (r->syncing)
		return sync_data(b, r);
	if (r->type == VIRTIO_BLK_T_IN || r->type == VIRTIO_BLK_T_OUT)
		return transfer(b, r);
	ask_range(b, r, r->mode);
	return BLK_UNDER_WAY;
}

int blk_go_on(struct blk *b, struct blk_request *r)
{
	int res = r->op.res;

	if ((res == -EINTR || res == -EAGAIN) && r->tries++ < TRIES)
		return repeat(b, r);
	if (r->syncing)
		return synced(b, r);
	if (r->type == VIRTIO_BLK_T_IN || r->type == VIRTIO_BLK_T_OUT)
		return transferred(b, r);
	return ranged(b, r);
}
