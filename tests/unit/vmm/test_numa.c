/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory nodes: which fit together, what addresses they have around the holes,
 * what the vCPUs may share, and that memory comes from where it is bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/cpus.h"
#include "vmm/numa.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

/* Node `i` of `n` has an nth of memory and CPUs. */
static struct vm_config config(unsigned n, uint64_t memory, unsigned cpus)
{
	struct vm_config c = { .memory = memory, .cpus = cpus, .n_nodes = n };

	for (unsigned i = 0; i < n; i++) {
		c.node[i].size = memory / n;
		c.node[i].host = -1;
	}
	for (unsigned i = 0; n && i < cpus; i++)
		c.node[i * n / cpus].cpus |= VM_CPU(i);
	return c;
}

/* ---- do they fit together? ---- */

static int check(const struct vm_config *c)
{
	struct diag d = { 0 };
	int r = numa_check(c, &d);

	if (r < 0) {
		assert_int_equal(r, -EINVAL);
		assert_int_equal(d.code, FL_VMM_NUMA);
	}
	return r;
}

static void test_fit(void **state)
{
	(void)state;
	for (unsigned n = 0; n <= VM_NODES_MAX; n++)
		for (unsigned cpus = 1; cpus <= VM_CPUS_MAX; cpus++) {
			struct vm_config c = config(n, GIB, cpus);

			if (n && !IS_ALIGNED(GIB / n, 2 * MIB))
				continue;
			assert_int_equal(check(&c), 0);
		}
}

static void more(struct vm_config *c)
{
	c->node[1].size += 2 * MIB;
}
static void less(struct vm_config *c)
{
	c->node[1].size -= 2 * MIB;
}
static void wrap(struct vm_config *c)
{
	c->node[0].size = 0 - 2 * MIB;
	c->node[1].size = GIB + 2 * MIB;
}
static void odd(struct vm_config *c)
{
	c->node[0].size -= 4096;
	c->node[1].size += 4096;
}
static void none(struct vm_config *c)
{
	c->node[0].size = 0;
	c->node[1].size = GIB;
}
static void huge(struct vm_config *c)
{
	c->ram.page = GIB;
}
static void no_cpu(struct vm_config *c)
{
	c->node[0].cpus = 0;
}
static void twice(struct vm_config *c)
{
	c->node[1].cpus |= 1;
}
static void far_cpu(struct vm_config *c)
{
	c->node[1].cpus |= VM_CPU(4);
}
static void far_host(struct vm_config *c)
{
	c->node[1].host = VM_HOST_NODES;
}
static void minus_host(struct vm_config *c)
{
	c->node[1].host = -2;
}

static void test_refused(void **state)
{
	static void (*const spoil[])(struct vm_config *) = {
		more,   less,  wrap,    odd,      none,       huge,
		no_cpu, twice, far_cpu, far_host, minus_host,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(spoil); i++) {
		struct vm_config c = config(2, GIB, 4);

		spoil[i](&c);
		assert_int_equal(check(&c), -EINVAL);
	}
}

/* ---- addresses ---- */

static void test_ranges(void **state)
{
	const struct mem_region ram[] = {
		{ .gpa = { 0 }, .size = 0xb0000000, .memfd_off = 0 },
		{ .gpa = { 4 * GIB },
		  .size = 6 * GIB - 0xb0000000,
		  .memfd_off = 0xb0000000 },
	};
	static const struct numa_range across[] = {
		{ 0, 0xa0000, 0 },
		{ MIB, 0xb0000000 - MIB, 0 },
		{ 4 * GIB, 3 * GIB - 0xb0000000, 0 },
		{ 4 * GIB + (3 * GIB - 0xb0000000), 3 * GIB, 1 },
	};
	static const struct numa_range low[] = {
		{ 0, 0xa0000, 0 },
		{ MIB, GIB - MIB, 0 },
		{ GIB, GIB, 1 },
		{ 2 * GIB, 0xb0000000 - 2 * GIB, 2 },
		{ 4 * GIB, 3 * GIB - 0xb0000000, 2 },
		{ 4 * GIB + (3 * GIB - 0xb0000000), 3 * GIB, 3 },
	};
	struct numa_range got[NUMA_RANGES_MAX];
	struct vm_config c = config(2, 6 * GIB, 2);

	(void)state;
	assert_int_equal(numa_ranges(&c, ram, 2, got), ARRAY_SIZE(across));
	for (size_t i = 0; i < ARRAY_SIZE(across); i++)
		assert_memory_equal(&got[i], &across[i], sizeof(got[i]));
	c = config(4, 6 * GIB, 4);
	c.node[0].size = c.node[1].size = c.node[2].size = GIB;
	c.node[3].size = 3 * GIB;
	assert_int_equal(numa_ranges(&c, ram, 2, got), ARRAY_SIZE(low));
	for (size_t i = 0; i < ARRAY_SIZE(low); i++)
		assert_memory_equal(&got[i], &low[i], sizeof(got[i]));
}

/* Any split of any RAM: all of it but the hole is some node's, none twice, in
 * ascending order, and there is room for what comes. */
static void test_ranges_whole(void **state)
{
	(void)state;
	srandom(1);
	for (unsigned round = 0; round < 20000; round++) {
		unsigned n = 1 + (unsigned)random() % VM_NODES_MAX;
		uint64_t size = (16 + 2 * ((uint64_t)random() % 9000)) * MIB;
		uint64_t low =
			MIN(size, (8 + 2 * ((uint64_t)random() % 1400)) * MIB);
		struct mem_region ram[] = {
			{ .gpa = { 0 }, .size = low },
			{ .gpa = { 8 * GIB },
			  .size = size - low,
			  .memfd_off = low },
		};
		struct vm_config c = config(n, size, 1);
		struct numa_range got[NUMA_RANGES_MAX + 1];
		uint64_t sum = 0, end = 0, left = size;
		unsigned k;

		for (unsigned i = 0; i < n; i++) {
			c.node[i].size = i + 1 < n ? (uint64_t)random() %
			                                     (left / MIB) * MIB
			                           : left;
			left -= c.node[i].size;
			if (!left && i + 1 < n)
				n = c.n_nodes = i + 1;
		}
		got[NUMA_RANGES_MAX].node = 77;
		k = numa_ranges(&c, ram, low < size ? 2 : 1, got);
		assert_in_range(k, 2, NUMA_RANGES_MAX);
		assert_int_equal(got[NUMA_RANGES_MAX].node, 77);
		for (unsigned i = 0; i < k; i++) {
			assert_true(got[i].size && got[i].start >= end);
			end = got[i].start + got[i].size;
			sum += got[i].size;
		}
		assert_int_equal(sum, size - (MIB - 0xa0000));
	}
}

/* ---- sockets ---- */

static void test_group(void **state)
{
	struct vm_config c = config(0, GIB, 6);

	(void)state;
	assert_int_equal(numa_group(&c), 6);
	c = config(1, GIB, 6);
	assert_int_equal(numa_group(&c), 6);
	c = config(2, GIB, 6); /* 0-2, 3-5 */
	assert_int_equal(numa_group(&c), 3);
	c = config(2, GIB, 64);
	assert_int_equal(numa_group(&c), 32);
	c = config(2, GIB, 6);
	c.node[0].cpus = 3; /* 0-1, 2-5 */
	c.node[1].cpus = 0x3c;
	assert_int_equal(numa_group(&c), 2);
	c = config(2, GIB, 4);
	c.node[0].cpus = 5; /* 0, 2 */
	c.node[1].cpus = 10;
	assert_int_equal(numa_group(&c), 1);
}

/* Ids far enough apart for the Zen that takes its last level cache from them.
 */
static void test_shape(void **state)
{
	struct vm_config c = config(2, GIB, 4);
	struct cpu_shape s;
	struct diag d;

	(void)state;
	assert_int_equal(cpu_shape_of(&c, &s, &d), 0);
	assert_int_equal(s.sockets, 2);
	assert_int_equal(s.cores, 2);
	assert_int_equal(cpu_id(&s, 1), 1);
	assert_int_equal(cpu_id(&s, 2), 8);
	c.cpu.sockets = 1; /* as it is said */
	c.cpu.cores = 4;
	c.cpu.threads = 1;
	assert_int_equal(cpu_shape_of(&c, &s, &d), 0);
	assert_int_equal(s.sockets, 1);
	assert_int_equal(cpu_id(&s, 2), 2);
	c = config(1, GIB, 4);
	assert_int_equal(cpu_shape_of(&c, &s, &d), 0);
	assert_int_equal(s.sockets, 1);
}

/* ---- on the host ---- */

static void test_bind(void **state)
{
	const uint64_t bytes = 8 * MIB;
	struct vm_config c = config(2, bytes, 1);
	struct prefault_part part[] = { { 0, bytes / 2, 0 },
		                        { bytes / 2, bytes / 2, -1 } };
	struct prefault_stats s;
	struct diag d = { 0 };
	int fd = memfd_create("test", MFD_CLOEXEC);
	char *at;
	int r;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	/* Nothing to bind needs nothing of the kernel. */
	assert_int_equal(numa_bind(&c, at, &d), 0);
	c.node[0].host = 0;
	r = numa_bind(&c, at, &d);
	if (r == -ENOSYS || r == -EPERM) {
		print_message("skipped: no mbind here: %s\n", strerror(-r));
		skip();
	}
	assert_int_equal(r, 0);
	assert_int_equal(prefault(at, bytes, 0, part, 2, &s), 0);
	c.node[1].host = VM_HOST_NODES - 1;
	assert_int_equal(numa_bind(&c, at, &d), -EINVAL);
	assert_int_equal(d.code, FL_VMM_NUMA);
	assert_non_null(strstr(d.what, "node 1023 of the host"));
	munmap(at, bytes);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fit),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_ranges_whole),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_shape),
		cmocka_unit_test(test_bind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
