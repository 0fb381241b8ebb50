/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a disk's descriptor is: its size, its blocks, whether parts of it can be
 * given back. All of it is found out before the sandbox, and stays: an image
 * that grows is not seen before the next start, one that shrinks gives errors.
 *
 * The block size that the guest is told is the backing's, so that no request of
 * a well-behaved driver needs a block read before it can be written (virtio 1.2
 * 5.2.5, blk_size is no more than a hint).
 */

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "vmm/virtio/blk.h"

#define BLOCK_MAX 4096u /* Linux' drivers refuse more than a page */

static int fail(const struct vm_disk *c, struct diag *d, int err,
                const char *why, const char *mend)
{
	diag_fail(d, err, FL_VMM_DISK, "disk %s", c->name);
	diag_why(d, "%s", why);
	diag_mend(d, "%s", mend);
	return err;
}

static uint32_t block_size(uint64_t bytes)
{
	if (!is_power_of_2(bytes) || bytes < BLK_SECTOR)
		return BLK_SECTOR;
	return (uint32_t)MIN(bytes, BLOCK_MAX);
}

/* linux/fs.h says which types; a value that a driver does not know is 0. */
static int of_device(const struct vm_disk *c, struct blk_backing *b)
{
	int logical = 0, offset = 0;
	unsigned physical = 0, min = 0, opt = 0;

	if (ioctl(c->fd, BLKGETSIZE64, &b->bytes) < 0 ||
	    ioctl(c->fd, BLKSSZGET, &logical) < 0)
		return -errno;
	b->logical = block_size((uint64_t)logical);
	if (ioctl(c->fd, BLKPBSZGET, &physical) == 0 && is_power_of_2(physical))
		b->physical = MAX(physical, b->logical);
	if (ioctl(c->fd, BLKALIGNOFF, &offset) == 0 && offset > 0)
		b->align_off = (uint32_t)offset;
	if (ioctl(c->fd, BLKIOMIN, &min) == 0)
		b->io_min = min;
	if (ioctl(c->fd, BLKIOOPT, &opt) == 0)
		b->io_opt = opt;
	if (c->direct)
		b->dio_off = b->dio_mem = (uint32_t)logical;
	b->punches = true; /* asked for at each discard: a hint */
	return 0;
}

/* Behind its end, where there is nothing to lose. */
static bool file_punches(int fd, uint64_t end)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	                 (off_t)ALIGN_UP(end, BLOCK_MAX), BLOCK_MAX) == 0;
}

/* statx(2), 6.1; without it, what every file system takes. */
static void file_alignment(int fd, struct blk_backing *b)
{
	struct statx s = { .stx_mask = 0 };

	b->dio_off = b->dio_mem = BLOCK_MAX;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &s) < 0 ||
	    !(s.stx_mask & STATX_DIOALIGN) ||
	    !is_power_of_2(s.stx_dio_offset_align) ||
	    !is_power_of_2(s.stx_dio_mem_align))
		return;
	b->dio_off = s.stx_dio_offset_align;
	b->dio_mem = s.stx_dio_mem_align;
}

static int of_file(const struct vm_disk *c, const struct stat *s,
                   struct blk_backing *b)
{
	b->bytes = (uint64_t)s->st_size;
	if (c->direct) {
		file_alignment(c->fd, b);
		b->logical = block_size(b->dio_off);
	}
	b->physical = MAX(block_size((uint64_t)s->st_blksize), b->logical);
	b->punches = !b->read_only && file_punches(c->fd, b->bytes);
	return 0;
}

static int of_any(const struct vm_disk *c, struct blk_backing *b)
{
	struct stat s;
	int flags = fcntl(c->fd, F_GETFL);

	if (flags < 0 || fstat(c->fd, &s) < 0)
		return -errno;
	b->read_only = c->read_only || (flags & O_ACCMODE) == O_RDONLY;
	if (S_ISBLK(s.st_mode))
		return of_device(c, b);
	return S_ISREG(s.st_mode) ? of_file(c, &s, b) : -ENOTBLK;
}

int blk_backing(const struct vm_disk *c, struct blk_backing *ret,
                struct diag *d)
{
	struct blk_backing b = {
		.logical = BLK_SECTOR,
		.physical = BLK_SECTOR,
		.dio_off = 1,
		.dio_mem = 1,
	};
	int r = of_any(c, &b);

	if (r == -ENOTBLK)
		return fail(c, d, r, "neither a file nor a block device",
		            "`path:` of the disk names a raw image, or a block "
		            "device");
	if (r < 0)
		return fail(c, d, r, strerror(-r),
		            "`dmesg`: is the device still there?");
	if (b.dio_off > BLOCK_MAX)
		return fail(c, d, -EOPNOTSUPP,
		            "direct I/O to it is in blocks of more than 4096 "
		            "bytes, which guests do not know",
		            "`direct: false` of the disk");
	b.bytes = ALIGN_DOWN(b.bytes, b.logical);
	if (!b.bytes)
		return fail(c, d, -ENODATA, "it holds no block at all",
		            "`truncate -s SIZE IMAGE` makes room in an image");
	*ret = b;
	return 0;
}
