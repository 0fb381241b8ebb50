/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The folder of what bzImages have compressed: kept, made anew, bounded; and
 * what a lease has of it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/netd/bzimage.h"

/* ---- the folder ---------------------------------------------------------- */

struct cache {
	char path[64], cache[80];
	int dir, fd; /* kernels; the cache */
};

static int set_up(void **state)
{
	struct cache *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->path, "/tmp/fl-kernels-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(f->cache, sizeof(f->cache), "%s/a/kernels", f->path);
	assert_int_equal(kernels_open(f->cache, &f->fd), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct cache *f = *state;
	char line[128];

	close(f->dir);
	close(f->fd);
	snprintf(line, sizeof(line), "rm -rf %s", f->path);
	assert_int_equal(system(line), 0);
	free(f);
	return 0;
}

static int kernel(struct cache *f, const char *name, const struct packer *k,
                  unsigned seed)
{
	struct image im = make_image(k, seed);
	int fd = openat(f->dir, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_pwrite_full(fd, im.byte, im.len, 0), 0);
	free(im.byte);
	return fd;
}

static ino_t inode(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

/* Takes fd. */
static ino_t check(int fd, unsigned seed)
{
	uint8_t *want = malloc(UNPACKED), *have = malloc(UNPACKED);
	ino_t ino = inode(fd);

	make_kernel(want, seed);
	assert_int_equal(fd_pread_full(fd, have, UNPACKED, 0), 0);
	assert_memory_equal(have, want, UNPACKED);
	free(want);
	free(have);
	close(fd);
	return ino;
}

static int first_hash(const char *name, void *arg)
{
	if (!kernels_is_hash(name))
		return 0;
	memcpy(arg, name, KERNELS_HASH + 1);
	return 1;
}

static int count_hash(const char *name, void *arg)
{
	unsigned *n = arg;

	*n += kernels_is_hash(name);
	return 0;
}

/* But links from kernels: a slow machine notes some that were young. */
static int count_rest(const char *name, void *arg)
{
	unsigned *n = arg;

	*n += strncmp(name, KERNELS_AT, strlen(KERNELS_AT)) != 0;
	return 0;
}

static unsigned count(struct cache *f, int (*fn)(const char *, void *))
{
	unsigned n = 0;

	assert_int_equal(sysfs_each(f->fd, ".", fn, &n), 0);
	return n;
}

static void settle(void)
{
	const uint64_t ns = KERNELS_SETTLED_NS + 50000000;
	const struct timespec t = { .tv_sec = (time_t)(ns / 1000000000),
		                    .tv_nsec = (long)(ns % 1000000000) };

	nanosleep(&t, NULL);
}

static void kept(void **state)
{
	struct cache *f = *state;
	uint64_t began = now_ns();
	int k = kernel(f, "k", &packers[ZSTD], 5), fd = -1;
	int same = kernel(f, "same", &packers[ZSTD], 5);
	int elf = openat(f->dir, "elf", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ino_t ino;

	assert_int_equal(fd_pwrite_full(elf, "\177ELF", 4, 0), 0);
	/* Too young to be noted, but of use at once, and kept. */
	assert_int_equal(kernels_find(f->fd, k, &fd), -ENOENT);
	assert_int_equal(kernels_make(f->fd, k, 20000, &fd), 0);
	ino = check(fd, 5);
	fd = -1;
	if (kernels_find(f->fd, k, &fd) == 0)
		assert_true(now_ns() - began > KERNELS_SETTLED_NS);
	close_fd(&fd);
	settle();
	assert_int_equal(kernels_make(f->fd, k, 20000, &fd), 0);
	assert_int_equal(check(fd, 5), ino);
	assert_int_equal(kernels_find(f->fd, k, &fd), 0);
	assert_int_equal(check(fd, 5), ino);
	/* By its content */
	assert_int_equal(kernels_find(f->fd, same, &fd), -ENOENT);
	assert_int_equal(kernels_make(f->fd, same, 20000, &fd), 0);
	assert_int_equal(check(fd, 5), ino);
	assert_int_equal(count(f, count_hash), 1);
	/* Looked at once */
	assert_int_equal(kernels_find(f->fd, elf, &fd), -ENOENT);
	assert_int_equal(kernels_make(f->fd, elf, 20000, &fd), -ENOEXEC);
	assert_int_equal(kernels_find(f->fd, elf, &fd), -ENOTSUP);
	/* Another content under the same name */
	close(kernel(f, "k", &packers[ZSTD], 6));
	assert_int_equal(kernels_find(f->fd, k, &fd), -ENOENT);
	assert_int_equal(kernels_make(f->fd, k, 20000, &fd), 0);
	assert_true(check(fd, 6) != ino);
	close(k);
	close(same);
	close(elf);
}

/* Whatever happened to an entry, the next start has a whole one or none. */
static void spoil_byte(struct cache *f, const char *hash)
{
	int fd;

	assert_int_equal(fchmodat(f->fd, hash, 0600, 0), 0);
	fd = openat(f->fd, hash, O_RDWR | O_CLOEXEC);
	assert_int_equal(fd_pwrite_full(fd, "x", 1, 100), 0);
	close(fd);
}

static void spoil_length(struct cache *f, const char *hash)
{
	int fd;

	assert_int_equal(fchmodat(f->fd, hash, 0600, 0), 0);
	fd = openat(f->fd, hash, O_RDWR | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, 100), 0);
	close(fd);
}

static void spoil_mode(struct cache *f, const char *hash)
{
	assert_int_equal(fchmodat(f->fd, hash, 0666, 0), 0);
}

static void spoil_is(struct cache *f, const char *hash)
{
	char is[KERNELS_TEXT];

	snprintf(is, sizeof(is), "%.64s" KERNELS_IS, hash);
	assert_int_equal(unlinkat(f->fd, is, 0), 0);
}

static void spoil_away(struct cache *f, const char *hash)
{
	assert_int_equal(unlinkat(f->fd, hash, 0), 0);
}

static void spoil_link(struct cache *f, const char *hash)
{
	spoil_away(f, hash);
	assert_int_equal(symlinkat("/etc/passwd", f->fd, hash), 0);
}

static void anew(void **state)
{
	static void (*const spoil[])(struct cache *, const char *) = {
		spoil_byte, spoil_length, spoil_mode,
		spoil_is,   spoil_away,   spoil_link,
	};
	struct cache *f = *state;
	int k = kernel(f, "k", &packers[XZ], 9), fd = -1;

	settle();
	for (size_t i = 0; i < ARRAY_SIZE(spoil); i++) {
		char hash[KERNELS_HASH + 1];

		assert_int_equal(kernels_make(f->fd, k, 20000, &fd), 0);
		check(fd, 9);
		assert_int_equal(sysfs_each(f->fd, ".", first_hash, hash), 1);
		spoil[i](f, hash);
		assert_int_equal(kernels_find(f->fd, k, &fd), -ENOENT);
		assert_int_equal(count(f, count_hash), 0);
	}
	assert_int_equal(kernels_make(f->fd, k, 20000, &fd), 0);
	check(fd, 9);
	close(k);
}

static void bounded(void **state)
{
	struct cache *f = *state;
	int keep = kernel(f, "keep", &packers[ZSTD], 1), fd = -1;

	settle();
	assert_int_equal(kernels_make(f->fd, keep, 20000, &fd), 0);
	close(fd);
	for (unsigned i = 0; i < KERNELS_MAX + 8; i++) {
		int k = kernel(f, "k", &packers[ZSTD], 10 + i);

		assert_int_equal(kernels_make(f->fd, k, 20000, &fd), 0);
		check(fd, 10 + i);
		close(k);
		/* Used all the time, it stays. */
		assert_int_equal(kernels_find(f->fd, keep, &fd), 0);
		close(fd);
	}
	assert_int_equal(count(f, count_hash), KERNELS_MAX);
	/* Entries, their .is, lock. */
	assert_int_equal(count(f, count_rest), 2 * KERNELS_MAX + 1);
	close(keep);
}

/* What a crash leaves: a temporary file, an entry without its .is. */
static void left_over(void **state)
{
	static const char hash[] =
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd"
		"ef";
	struct cache *f = *state;
	int k = kernel(f, "k", &packers[GZIP], 2), fd = -1;

	close(openat(f->fd, KERNELS_NEW, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
	close(openat(f->fd, hash, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
	assert_int_equal(symlinkat(hash, f->fd, "at-1-2-3-4-5"), 0);
	assert_int_equal(symlinkat("x", f->fd, "link.new"), 0);
	assert_int_equal(kernels_make(f->fd, k, 20000, &fd), 0);
	check(fd, 2);
	/* Entry, .is, lock. */
	assert_int_equal(count(f, count_rest), 3);
	assert_int_equal(
		faccessat(f->fd, "at-1-2-3-4-5", F_OK, AT_SYMLINK_NOFOLLOW),
		-1);
	close(k);
}

static void not_ours(void **state)
{
	struct cache *f = *state;
	int fd = -1;

	assert_int_equal(chmod(f->cache, 0777), 0);
	assert_int_equal(kernels_open(f->cache, &fd), -EPERM);
	assert_int_equal(fd, -1);
}

/* ---- leases -------------------------------------------------------------- */

/* What a lease has of kernel `k`: "unpacked", "later" (netd is to make it),
 * "nothing", or "refused". */
static const char *lease(struct cache *f, int k, enum pol_unpack unpack,
                         bool cache)
{
	struct env env = { .root_fd = f->dir, .cache_fd = cache ? f->fd : -1 };
	struct pol_guest g = { .unpack = unpack, .kernel = "k" };
	struct work *w = calloc(1, sizeof(*w));
	const char *ret = "nothing";

	assert_non_null(w);
	w->env = &env;
	w->reply = json_pack("{s:[]}", "fds");
	if (open_unpacked(w, &g, k) < 0) {
		assert_int_equal(w->diag.code, FL_NETD_UNPACK);
		assert_true(w->diag.why[0] && w->diag.mend[0]);
		ret = "refused";
	} else if (json_is_true(json_object_get(w->reply, "unpack"))) {
		ret = "later";
	} else if (w->n_fds) {
		assert_string_equal(
			json_string_value(json_array_get(
				json_object_get(w->reply, "fds"), 0)),
			"unpacked");
		ret = "unpacked";
	}
	while (w->n_fds)
		close_fd(&w->fd[--w->n_fds]);
	json_decref(w->reply);
	free(w);
	return ret;
}

static void leases(void **state)
{
	struct cache *f = *state;
	int k = kernel(f, "k", &packers[ZSTD], 5), fd = -1;
	int elf = openat(f->dir, "elf", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(fd_pwrite_full(elf, "\177ELF", 4, 0), 0);
	settle();
	assert_string_equal(lease(f, k, POL_UNPACK_GUEST, true), "nothing");
	assert_string_equal(lease(f, k, POL_UNPACK_ANY, false), "nothing");
	assert_string_equal(lease(f, k, POL_UNPACK_HOST, false), "refused");
	assert_string_equal(lease(f, k, POL_UNPACK_ANY, true), "later");
	assert_string_equal(lease(f, k, POL_UNPACK_HOST, true), "unpacked");
	assert_string_equal(lease(f, k, POL_UNPACK_ANY, true), "unpacked");
	assert_string_equal(lease(f, k, POL_UNPACK_GUEST, true), "nothing");
	/* What has been found to be none is not tried again. */
	assert_string_equal(lease(f, elf, POL_UNPACK_ANY, true), "later");
	assert_int_equal(kernels_make(f->fd, elf, 20000, &fd), -ENOEXEC);
	assert_string_equal(lease(f, elf, POL_UNPACK_ANY, true), "nothing");
	assert_string_equal(lease(f, elf, POL_UNPACK_HOST, true), "refused");
	close(k);
	close(elf);
}

#define IN_FOLDER(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(kept),      IN_FOLDER(anew),     IN_FOLDER(bounded),
		IN_FOLDER(left_over), IN_FOLDER(not_ours), IN_FOLDER(leases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
