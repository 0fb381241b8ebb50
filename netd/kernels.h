/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_KERNELS_H
#define FL_NETD_KERNELS_H

/*
 * kernels: what guests' bzImages have compressed, decompressed once and kept.
 *
 * Theory of operation
 *   A lease looks whether the kernel's payload is kept, and passes it on as
 *   "unpacked": that reads no byte of the kernel. Where it is not, the guest
 *   starts as it always did, and netd makes the entry meanwhile, in a worker of
 *   its own at the lowest priority, for the next start: no start ever waits for
 *   it. Only `kernel-decompression: host` makes the first one wait, too.
 *
 *   The folder, root's alone (0700), has
 *     HASH         the payload of the bzImage with that SHA-256, decompressed
 *     HASH.is      a link whose text says which inode HASH is, how long, and
 *                  when it was last changed. Its own time is that of the last
 *                  use
 *     at-FILE      a link to HASH, or to "none": which kernel has been looked
 *                  at, by device, inode, size and times; "none" is one that the
 *                  guest has to decompress
 *   A kernel that is replaced or written has other times, so is looked at anew;
 *   the same content elsewhere finds the same HASH. Times are those of the
 *   kernel's (ctime), which nobody sets; one younger than KERNELS_SETTLED_NS is
 *   not noted, because a further write might leave them (some file systems
 *   count in seconds).
 *
 *   Order of making one: the kernel is copied to memory that cannot change ->
 *   hashed -> decompressed into a temporary file -> fsync -> renamed -> its
 *   HASH.is -> its at-FILE -> fsync of the folder. A crash leaves an entry
 *   without HASH.is, which is not used, or a temporary file; both are removed
 *   when the next one is made.
 *
 * Why the content is not hashed at each start: it would cost more than half of
 * what is saved. The folder is as closed as the state folder, and who may
 * write to either is root. What changes an entry by accident (a copy, a
 * restore, a truncation) changes inode, size or ctime, and then HASH.is does
 * not fit: it is removed and made anew. Bits that rot on the disk are found
 * here no more than in the kernel file itself.
 *
 * Who decompresses
 *   A child of the worker that has nothing but two mappings, the image to read
 *   and the entry to write: no descriptor, no capability, no path (Landlock),
 *   no system call but for its own memory (seccomp), limits of memory and time.
 *   So a decompressor that a crafted image takes over can write what the image
 *   could have contained anyhow, for the one hash of that image: the hash is
 *   the worker's own, of the same bytes. The VMM believes nothing of an entry
 *   (vmm/boot_direct.h).
 *
 * Formats: gzip, xz, lzma, lz4, zstd. bzip2 and LZO kernels, which no
 * distribution makes, are "none".
 * Limits: an image of KERNELS_IMAGE_MAX, a payload of KERNELS_UNPACKED_MAX,
 * KERNELS_MAX entries of KERNELS_TOTAL_MAX together; those used longest ago go.
 */

#include "netd/priv.h"

#define KERNELS_IMAGE_MAX (128u << 20)
#define KERNELS_UNPACKED_MAX (256u << 20)
#define KERNELS_MAX 16u
#define KERNELS_TOTAL_MAX (1ull << 30)
#define KERNELS_SETTLED_NS 1100000000ull

/* ---- kernels.c ----------------------------------------------------------- */

/* Makes the folder and its parents. -EPERM: it is there, and not ours alone. */
_must_check_ int kernels_open(const char *path, int *ret_fd);
/* -ENOENT: not kept; -ENOTSUP: known as "none". Else a descriptor to read. */
_must_check_ int kernels_find(int cache_fd, int kernel_fd, int *ret_fd);
/* Makes it, unless it is there by its content, and opens it; waits for whoever
 * else makes one. -EBUSY: they do not end; -ENOTSUP and the errors of
 * payload_find(), payload_unpack(). */
_must_check_ int kernels_make(int cache_fd, int kernel_fd, unsigned ms,
                              int *ret_fd);

#endif
