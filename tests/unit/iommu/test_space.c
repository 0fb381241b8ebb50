/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a space decides before the kernel is asked. Its two back ends need a
 * kernel with an IOMMU: the lab's scenario vfio-library has them. Here a back
 * end of our own stands in, which records.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "iommu/priv.h"

static unsigned map_calls;
static int map_result;

static int fake_map(struct iommu_space *s, const struct iommu_region *r)
{
	(void)s;
	(void)r;
	map_calls++;
	return map_result;
}

static int fake_unmap(struct iommu_space *s, struct iova iova, uint64_t size)
{
	(void)s;
	(void)iova;
	return size ? 0 : -ENOENT;
}

static const struct iommu_ops FAKE = {
	.name = "fake",
	.map = fake_map,
	.unmap = fake_unmap,
};

/* As VT-d says it: all below the MSI window, all above. */
static struct iommu_space space(void)
{
	map_calls = 0;
	map_result = 0;
	return (struct iommu_space){
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.ops = &FAKE,
		.fd = -1,
		.n_ranges = 2,
		.range = { { 0, 0xfedfffff },
		           { 0xfef00000, (1ull << 39) - 1 } },
	};
}

static struct iommu_region region(uint64_t iova, uint64_t size)
{
	return (struct iommu_region){
		.iova = { .v = iova },
		.size = size,
		.memfd = -1,
		.writable = true,
	};
}

static void says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

static void test_ranges(void **state)
{
	static const struct iommu_range range[] = { { 0, 0xfff },
		                                    { 0x1000, 0x1fff },
		                                    { 0x3000, UINT64_MAX } };

	static const struct iommu_range all = { 0, UINT64_MAX };

	(void)state;
	assert_false(iommu_range_allows(&all, 1, 0, 0));
	assert_true(iommu_range_allows(range, 3, 0, 0x1000));
	assert_false(iommu_range_allows(range, 3, 0, 0x1001));
	assert_false(iommu_range_allows(range, 3, 0x800, 0x1000));
	assert_false(iommu_range_allows(range, 3, 0x2000, 0x1000));
	assert_true(iommu_range_allows(range, 3, 0x3000, UINT64_MAX - 0x2fff));
	assert_false(iommu_range_allows(range, 3, 0x3000, UINT64_MAX));
	assert_false(iommu_range_allows(range, 3, 0x1000, 0));
	assert_false(iommu_range_allows(range, 0, 0, 1));
}

static void test_reserved(void **state)
{
	struct iommu_space s = space();
	struct iommu_region r = region(0xfe000000, 16ull << 20);
	struct diag d = { 0 };

	(void)state;
	assert_int_equal(iommu_map(&s, &r, &d), -EADDRNOTAVAIL);
	assert_int_equal(d.code, FL_IOMMU_RESERVED);
	assert_int_equal(map_calls, 0);
	r = region(1ull << 39, PAGE);
	assert_int_equal(iommu_map(&s, &r, &d), -EADDRNOTAVAIL);
	s.n_ranges = 0; /* an old kernel that does not say: it decides */
	assert_int_equal(iommu_map(&s, &r, &d), 0);
	assert_int_equal(map_calls, 1);
}

static void test_pages(void **state)
{
	static const struct {
		uint64_t iova, size;
	} row[] = { { 0, 0 },
		    { 1, PAGE },
		    { 0, PAGE + 1 },
		    { UINT64_MAX - 0xfff, 2 * PAGE } };
	struct diag d = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct iommu_space s = space();
		struct iommu_region r = region(row[i].iova, row[i].size);

		assert_int_equal(iommu_map(&s, &r, &d), -EINVAL);
		assert_int_equal(d.code, FL_IOMMU_MAP);
		assert_int_equal(map_calls, 0);
	}
}

static void test_stats(void **state)
{
	struct iommu_space s = space();
	struct iommu_region r = region(0, 2 * PAGE);
	struct diag d = { 0 };

	(void)state;
	assert_int_equal(iommu_map(&s, &r, &d), 0);
	map_result = -EEXIST;
	assert_int_equal(iommu_map(&s, &r, &d), -EEXIST);
	assert_int_equal(d.code, FL_IOMMU_MAP);
	assert_int_equal(iommu_space_stats(&s).maps, 1);
	assert_int_equal(iommu_space_stats(&s).bytes, 2 * PAGE);
	assert_int_equal(iommu_unmap(&s, r.iova, r.size), 0);
	assert_int_equal(iommu_unmap(&s, r.iova, 0), -ENOENT);
	assert_int_equal(iommu_space_stats(&s).unmaps, 1);
	assert_int_equal(iommu_space_stats(&s).bytes, 0);
}

static void test_peer(void **state)
{
	struct iommu_space s = space();
	struct iommu_region r = region(0, 2 * PAGE);
	const struct iova at = { .v = 4ull << 30 };
	struct diag d = { 0 };

	(void)state;
	assert_int_equal(iommu_map(&s, &r, &d), 0);
	assert_int_equal(iommu_map_peer(&s, at, NULL, PAGE, &d), 0);
	assert_int_equal(iommu_space_stats(&s).maps, 1);
	assert_int_equal(iommu_space_stats(&s).bytes, 2 * PAGE);
	assert_int_equal(iommu_space_stats(&s).peer_maps, 1);
	assert_int_equal(iommu_space_stats(&s).peer_bytes, PAGE);
	assert_int_equal(iommu_unmap(&s, at, PAGE), 0);
	assert_int_equal(iommu_space_stats(&s).peer_unmaps, 1);
	assert_int_equal(iommu_space_stats(&s).peer_bytes, 0);
	assert_int_equal(iommu_space_stats(&s).unmaps, 0);
	assert_int_equal(iommu_space_stats(&s).bytes, 2 * PAGE);
}

static void test_peer_refused(void **state)
{
	struct iommu_space s = space();
	struct iova at = { .v = 0xfee00000 };
	struct diag d = { 0 };

	(void)state;
	assert_int_equal(iommu_map_peer(&s, at, NULL, PAGE, &d),
	                 -EADDRNOTAVAIL);
	assert_int_equal(d.code, FL_IOMMU_RESERVED);
	at.v = PAGE;
	assert_int_equal(iommu_map_peer(&s, at, NULL, 1, &d), -EINVAL);
	assert_int_equal(d.code, FL_IOMMU_PEER);
	assert_int_equal(map_calls, 0);
	map_result = -EFAULT;
	s.backend = IOMMU_IOMMUFD;
	assert_int_equal(iommu_map_peer(&s, at, NULL, PAGE, &d), -EOPNOTSUPP);
	assert_int_equal(d.code, FL_IOMMU_PEER);
	says(d.why, "DMA between devices of this guest is blocked");
	s.backend = IOMMU_TYPE1;
	assert_int_equal(iommu_map_peer(&s, at, NULL, PAGE, &d), -EFAULT);
	map_result = -ENOSPC;
	assert_int_equal(iommu_map_peer(&s, at, NULL, PAGE, &d), -ENOSPC);
	says(d.mend, "dma_entry_limit");
	assert_int_equal(iommu_space_stats(&s).peer_maps, 0);
}

/* What was refused left no entry behind, and all of them can be had. */
static void test_peers_max(void **state)
{
	struct iommu_space s = space();
	struct diag d = { 0 };

	(void)state;
	map_result = -EEXIST;
	for (uint64_t i = 0; i < 2 * IOMMU_PEERS_MAX; i++)
		assert_int_equal(iommu_map_peer(&s, (struct iova){ i * PAGE },
		                                NULL, PAGE, &d),
		                 -EEXIST);
	map_result = 0;
	for (uint64_t i = 0; i < IOMMU_PEERS_MAX; i++)
		assert_int_equal(iommu_map_peer(&s, (struct iova){ i * PAGE },
		                                NULL, PAGE, &d),
		                 0);
	map_calls = 0;
	assert_int_equal(
		iommu_map_peer(&s, (struct iova){ 1ull << 32 }, NULL, PAGE, &d),
		-ENOSPC);
	assert_int_equal(map_calls, 0);
	assert_int_equal(iommu_unmap(&s, (struct iova){ 7 * PAGE }, PAGE), 0);
	assert_int_equal(
		iommu_map_peer(&s, (struct iova){ 1ull << 32 }, NULL, PAGE, &d),
		0);
}

static void test_usable(void **state)
{
	struct iommu_range range[IOMMU_RANGES_MAX];
	struct iommu_space s = space();

	(void)state;
	assert_int_equal(iommu_usable(&s, range), 2);
	assert_int_equal(range[1].start, 0xfef00000);
	s.n_ranges = 0;
	assert_int_equal(iommu_usable(&s, range), -ENODATA);
}

static void test_memlock(void **state)
{
	struct iommu_memlock m = { .limit = 8 << 20 };
	struct diag d = { 0 };

	(void)state;
	assert_int_equal(iommu_memlock_check(&m, 0, 8 << 20, &d), 0);
	assert_int_equal(iommu_memlock_check(&m, 4 << 20, 4 << 20, &d), 0);
	assert_int_equal(iommu_memlock_check(&m, 8 << 20, PAGE, &d), -ENOMEM);
	assert_int_equal(d.code, FL_IOMMU_MEMLOCK);
	says(d.mend, "prlimit --memlock=8392704");
	says(d.mend, "LimitMEMLOCK=");
	says(d.why, "RLIMIT_MEMLOCK is 8388608 bytes");
	assert_int_equal(iommu_memlock_check(&m, UINT64_MAX, PAGE, &d),
	                 -ENOMEM);
	m.exempt = true;
	assert_int_equal(iommu_memlock_check(&m, 8 << 20, PAGE, &d), 0);
	m = (struct iommu_memlock){ .limit = UINT64_MAX };
	assert_int_equal(iommu_memlock_check(&m, UINT64_MAX, PAGE, &d), 0);
}

static void test_entries(void **state)
{
	struct iommu_facts f = { .type1 = true, .dma_entry_limit = 65535 };
	struct diag d = { 0 };

	(void)state;
	assert_int_equal(iommu_entries_check(&f, 65535, &d), 0);
	assert_int_equal(iommu_entries_check(&f, 65536, &d), -ENOSPC);
	assert_int_equal(d.code, FL_IOMMU_MAP);
	says(d.why, "65536 maps");
	says(d.mend, "dma_entry_limit");
	assert_int_equal(iommu_entries_check(&f, 65536, NULL), -ENOSPC);
	f.cdev = true; /* iommufd, which has no such limit */
	assert_int_equal(iommu_entries_check(&f, 65536, &d), 0);
	f = (struct iommu_facts){ .type1 = true }; /* not loaded yet */
	assert_int_equal(iommu_entries_check(&f, 2, &d), 0);
}

/* The limit as this process has it, lowered for the test. */
static void test_memlock_read(void **state)
{
	struct rlimit was, low;
	struct iommu_memlock m;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &was), 0);
	low = was;
	low.rlim_cur = 64 << 10;
	if (was.rlim_max < low.rlim_cur)
		skip();
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &low), 0);
	m = iommu_memlock_read();
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &was), 0);
	assert_int_equal(m.limit, 64 << 10);
	if (geteuid() != 0)
		assert_false(m.exempt);
}

static void test_open_refused(void **state)
{
	struct iommu_space *s = NULL;
	struct diag d = { 0 };
	int pipes[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_true(iommu_space_open(IOMMU_IOMMUFD, pipes[0], &s, &d) < 0);
	assert_int_equal(d.code, FL_IOMMU_OPEN);
	assert_true(iommu_space_open(IOMMU_TYPE1, pipes[0], &s, &d) < 0);
	assert_int_equal(d.code, FL_IOMMU_OPEN);
	assert_int_equal(iommu_space_open(IOMMU_TYPE1, -1, &s, &d), -EINVAL);
	assert_null(s);
	/* Refused: the descriptors are still ours. */
	assert_int_equal(close(pipes[0]), 0);
	assert_int_equal(close(pipes[1]), 0);
	iommu_space_close(NULL);
	assert_string_equal(iommu_backend_name(IOMMU_IOMMUFD), "iommufd");
	assert_string_equal(iommu_backend_name(IOMMU_TYPE1), "group");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_reserved),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_stats),
		cmocka_unit_test(test_peer),
		cmocka_unit_test(test_peer_refused),
		cmocka_unit_test(test_peers_max),
		cmocka_unit_test(test_usable),
		cmocka_unit_test(test_memlock),
		cmocka_unit_test(test_memlock_read),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_open_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
