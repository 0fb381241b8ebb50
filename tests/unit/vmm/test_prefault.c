/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory is there after prefault(), all of it, by however many threads. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/priv.h"

#define MIB (1ull << 20)

static char *map(uint64_t bytes, int *ret_fd)
{
	char *at;

	*ret_fd = memfd_create("test", MFD_CLOEXEC);
	assert_true(*ret_fd >= 0);
	assert_int_equal(ftruncate(*ret_fd, (off_t)bytes), 0);
	at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *ret_fd, 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	return at;
}

static uint64_t missing(char *at, uint64_t bytes)
{
	size_t pages = bytes / 4096;
	unsigned char *in = calloc(pages, 1);
	uint64_t n = 0;

	assert_int_equal(mincore(at, bytes, in), 0);
	for (size_t i = 0; i < pages; i++)
		n += !(in[i] & 1);
	free(in);
	return n;
}

static void test_all_there(void **state)
{
	static const uint64_t mib[] = { 2, 64, 256, 258, 386 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(mib); i++) {
		uint64_t bytes = mib[i] * MIB;
		struct prefault_stats s;
		cpu_set_t before, after;
		int fd;
		char *at = map(bytes, &fd);

		assert_int_equal(missing(at, bytes), bytes / 4096);
		assert_int_equal(sched_getaffinity(0, sizeof(before), &before),
		                 0);
		assert_int_equal(prefault(at, bytes, 0, NULL, 0, &s), 0);
		assert_int_equal(sched_getaffinity(0, sizeof(after), &after),
		                 0);
		assert_true(CPU_EQUAL(&before, &after));
		assert_int_equal(missing(at, bytes), 0);
		assert_int_equal(s.bytes, bytes);
		assert_true(s.ns > 0 && s.threads >= 1);
		if (CPU_COUNT(&before) > 1 && bytes >= 256 * MIB)
			assert_true(s.threads > 1);
		munmap(at, bytes);
		close(fd);
	}
}

/* Parts of nodes, of which some are of no CPU's node, or of none. */
static void test_parts(void **state)
{
	static const uint64_t bytes = 400 * MIB;
	static const struct prefault_part part[] = {
		{ 0, 2 * MIB, 0 },
		{ 2 * MIB, 258 * MIB, 7 },
		{ 260 * MIB, 40 * MIB, -1 },
		{ 300 * MIB, 100 * MIB, 0 },
	};
	struct prefault_stats s;
	int fd;
	char *at = map(bytes, &fd);

	(void)state;
	assert_int_equal(prefault(at, bytes, 0, part, ARRAY_SIZE(part), &s), 0);
	assert_int_equal(missing(at, bytes), 0);
	munmap(at, bytes);
	close(fd);
}

/* What cannot be had is an error, not a signal: here, beyond a file's end. */
static void test_refused(void **state)
{
	struct prefault_stats s;
	int fd;
	char *at = map(4 * MIB, &fd);

	(void)state;
	assert_int_equal(ftruncate(fd, 2 * MIB), 0);
	/* As with hugetlb: no page is touched from here. */
	assert_int_equal(prefault(at, 4 * MIB, 2 * MIB, NULL, 0, &s), -EFAULT);
	munmap(at, 4 * MIB);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_there),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
