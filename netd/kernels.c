/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decompressed kernels, kept by content: found and made. What the folder has,
 * in which order it changes, and why it is believed: kernels.h. Room for a new
 * one is kernels-room.c's.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "netd/digest.h"
#include "netd/kernels-priv.h"
#include "netd/unpack.h"

#define LOCK_STEP_MS 20

/* ---- names --------------------------------------------------------------- */

static unsigned long long ns_of(struct timespec t)
{
	return (unsigned long long)t.tv_sec * 1000000000ull +
	       (unsigned long long)t.tv_nsec;
}

/* `before`, then what no change of the file leaves as it is. */
static void identity(const struct stat *st, const char *before,
                     char ret[static KERNELS_TEXT])
{
	snprintf(ret, KERNELS_TEXT, "%s%llx-%llx-%llx-%llx", before,
	         (unsigned long long)st->st_ino,
	         (unsigned long long)st->st_size, ns_of(st->st_mtim),
	         ns_of(st->st_ctim));
}

static void entry_is(const struct stat *st, char ret[static KERNELS_TEXT])
{
	identity(st, "", ret);
}

static void kernel_at(const struct stat *st, char ret[static KERNELS_TEXT])
{
	char before[32];

	snprintf(before, sizeof(before), KERNELS_AT "%llx-",
	         (unsigned long long)st->st_dev);
	identity(st, before, ret);
}

static void is_of(const char *hash, char ret[static KERNELS_TEXT])
{
	snprintf(ret, KERNELS_TEXT, "%.64s" KERNELS_IS, hash);
}

bool kernels_is_hash(const char *name)
{
	return strlen(name) == KERNELS_HASH &&
	       strspn(name, "0123456789abcdef") == KERNELS_HASH;
}

/* ---- links: a text under a name, whole or not there ---------------------- */

int kernels_link_read(int dir, const char *name, char ret[static KERNELS_TEXT])
{
	ssize_t n = readlinkat(dir, name, ret, KERNELS_TEXT);

	if (n < 0)
		return -errno;
	if (n >= KERNELS_TEXT)
		return -ENOENT; /* none that we would make */
	ret[n] = '\0';
	return 0;
}

static int link_put(int dir, const char *name, const char *text)
{
	static const char tmp[] = "link.new";

	unlinkat(dir, tmp, 0);
	if (symlinkat(text, dir, tmp) < 0 || renameat(dir, tmp, dir, name) < 0)
		return -errno;
	return 0;
}

/* ---- found --------------------------------------------------------------- */

void kernels_drop(int dir, const char *hash)
{
	char is[KERNELS_TEXT];

	is_of(hash, is);
	unlinkat(dir, is, 0);
	unlinkat(dir, hash, 0);
}

static bool fits(int dir, const char *hash, int fd)
{
	char name[KERNELS_TEXT], text[KERNELS_TEXT], is[KERNELS_TEXT];
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_uid != geteuid() || st.st_mode & 0022)
		return false;
	entry_is(&st, is);
	is_of(hash, name);
	return kernels_link_read(dir, name, text) == 0 && !strcmp(text, is);
}

/* -ENOENT: there is none, or what was there is not what was made, and gone. */
static int open_entry(int dir, const char *hash, int *ret_fd)
{
	_cleanup_close_ int fd =
		openat(dir, hash, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char is[KERNELS_TEXT];

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0 || !fits(dir, hash, fd)) {
		kernels_drop(dir, hash);
		return -ENOENT;
	}
	/* Used now. */
	is_of(hash, is);
	(void)!utimensat(dir, is, NULL, AT_SYMLINK_NOFOLLOW);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int kernels_find(int cache_fd, int kernel_fd, int *ret_fd)
{
	char at[KERNELS_TEXT], hash[KERNELS_TEXT];
	struct stat st;
	int r;

	if (fstat(kernel_fd, &st) < 0)
		return -errno;
	kernel_at(&st, at);
	r = kernels_link_read(cache_fd, at, hash);
	if (r < 0)
		return r;
	if (!strcmp(hash, KERNELS_NONE))
		return -ENOTSUP;
	return kernels_is_hash(hash) ? open_entry(cache_fd, hash, ret_fd)
	                             : -ENOENT;
}

/* ---- made ---------------------------------------------------------------- */

struct image {
	struct stat st;
	uint8_t *data;
	size_t len;
	char hash[DIGEST_STRLEN]; /* a name of KERNELS_HASH digits */
};

static void image_free(struct image *im)
{
	if (im->data)
		munmap(im->data, im->len);
}

static int lock(int dir, unsigned ms, int *ret_fd)
{
	const struct timespec step = { .tv_nsec = LOCK_STEP_MS * 1000000L };
	_cleanup_close_ int fd = openat(
		dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	uint64_t end = now_ns() + ms * 1000000ull;

	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return -errno;
		if (now_ns() > end)
			return -EBUSY;
		nanosleep(&step, NULL);
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* A copy: the file may change, also between two looks at one byte of it. */
static int copy(int kernel_fd, struct image *ret)
{
	struct stat st;
	void *at;
	int r;

	if (fstat(kernel_fd, &st) < 0)
		return -errno;
	if (st.st_size <= 0 || st.st_size > KERNELS_IMAGE_MAX)
		return -EFBIG;
	at = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
	          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		return -errno;
	ret->data = at;
	ret->len = (size_t)st.st_size;
	ret->st = st;
	r = fd_pread_full(kernel_fd, at, ret->len, 0);
	mprotect(at, ret->len, PROT_READ);
	return r;
}

static int hash(struct image *im)
{
	uint8_t sum[DIGEST_LEN];
	int r = digest_of(im->data, im->len, sum);

	if (!r)
		digest_format(sum, im->hash);
	return r;
}

static int unpack_to(int fd, const struct payload *p, unsigned ms)
{
	uint8_t *out;
	int r = -posix_fallocate(fd, 0, (off_t)p->unpacked);

	if (r < 0)
		return r;
	out = mmap(NULL, p->unpacked, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
	           0);
	if (out == MAP_FAILED)
		return -errno;
	r = payload_unpack_apart(p, out, ms);
	if (r == 0 && memcmp(out, "\177ELF", 4) != 0)
		r = -EBADMSG;
	munmap(out, p->unpacked);
	return r;
}

/* From the temporary name to HASH and HASH.is. The inode's change time is
 * final with the rename. */
static int publish(int dir, const char *hash_name, int fd)
{
	char is[KERNELS_TEXT], name[KERNELS_TEXT];
	struct stat st;

	if (fchmod(fd, 0400) < 0 || fsync(fd) < 0 ||
	    renameat(dir, KERNELS_NEW, dir, hash_name) < 0 ||
	    fstat(fd, &st) < 0)
		return -errno;
	entry_is(&st, is);
	is_of(hash_name, name);
	return link_put(dir, name, is);
}

static int make(int dir, const struct image *im, unsigned ms)
{
	_cleanup_close_ int fd = -1;
	struct payload p;
	int r = payload_find(im->data, im->len, &p);

	if (r < 0)
		return r;
	kernels_room(dir, p.unpacked);
	fd = openat(dir, KERNELS_NEW,
	            O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = unpack_to(fd, &p, ms);
	if (r == 0)
		r = publish(dir, im->hash, fd);
	if (r < 0)
		unlinkat(dir, KERNELS_NEW, 0);
	return r;
}

/* What will be so at the next start, too. */
static bool is_final(int r)
{
	return r == -ENOEXEC || r == -ENOTSUP || r == -EFBIG || r == -EBADMSG ||
	       r == -ECHILD;
}

/* A further write would show. In the future: the clock has been set back, and
 * will hardly come by the same tick again. */
static bool is_settled(const struct stat *st)
{
	uint64_t at = ns_of(st->st_ctim), now_at;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	now_at = ns_of(now);
	return (now_at > at ? now_at - at : at - now_at) > KERNELS_SETTLED_NS;
}

/* Not of a kernel that may have been written since, or may yet be within the
 * same tick of its clock. */
static void note(int dir, int kernel_fd, const struct image *im,
                 const char *what)
{
	char before[KERNELS_TEXT], at[KERNELS_TEXT];
	struct stat st;

	if (!im->data || fstat(kernel_fd, &st) < 0)
		return;
	kernel_at(&im->st, before);
	kernel_at(&st, at);
	if (!strcmp(before, at) && is_settled(&st))
		(void)!link_put(dir, at, what);
}

static int make_or_find(int dir, int kernel_fd, struct image *im, unsigned ms,
                        int *ret_fd)
{
	int r = copy(kernel_fd, im);

	if (r == 0)
		r = hash(im);
	if (r == 0)
		r = open_entry(dir, im->hash, ret_fd);
	if (r != -ENOENT)
		return r;
	r = make(dir, im, ms);
	return r < 0 ? r : open_entry(dir, im->hash, ret_fd);
}

int kernels_make(int cache_fd, int kernel_fd, unsigned ms, int *ret_fd)
{
	_cleanup_close_ int locked = -1;
	struct image im = { .data = NULL };
	int r = lock(cache_fd, ms, &locked);

	if (r < 0)
		return r;
	/* Somebody else's work may have been the same. */
	r = kernels_find(cache_fd, kernel_fd, ret_fd);
	if (r != -ENOENT)
		return r;
	r = make_or_find(cache_fd, kernel_fd, &im, ms, ret_fd);
	if (r == 0 || is_final(r))
		note(cache_fd, kernel_fd, &im, r == 0 ? im.hash : KERNELS_NONE);
	fsync(cache_fd);
	image_free(&im);
	return r;
}
