/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMBIOS tables as a kernel finds and walks them, and as dmidecode reads them,
 * which must have nothing to complain of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/vmm/run_tool.h"
#include "vmm/smbios.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define ENTRY 32 /* its place; the table is behind it */

static const struct vm_smbios plain_id;
static const struct vm_smbios given_id = {
	.manufacturer = "ACME",
	.product = "Router 9",
	.version = "rev B",
	.serial = "ds=nocloud",
	.uuid = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99,
	          0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff },
};

struct fixture {
	struct smbios_machine m;
	uint8_t buf[MAP_SMBIOS_SIZE];
	size_t len;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	f->m = (struct smbios_machine){
		.id = &plain_id,
		.name = "vrouter",
		.sockets = 1,
		.cores = 4,
		.threads = 4,
		.device = { 512 * MIB },
		.n_devices = 1,
		.range = { { 0, 512 * MIB } },
		.n_ranges = 1,
	};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void write_it(struct fixture *f)
{
	int r;

	memset(f->buf, 0xcc, sizeof(f->buf));
	r = smbios_write(&f->m, MAP_SMBIOS, f->buf, sizeof(f->buf));
	assert_true(r > ENTRY);
	f->len = (size_t)r;
}

/* The next structure; NULL behind the last one. */
static const uint8_t *next(const struct fixture *f, const uint8_t *p)
{
	const uint8_t *end = f->buf + f->len;

	p += p[1];
	while (p + 1 < end && (p[0] || p[1]))
		p++;
	p += 2;
	assert_true(p <= end);
	return p < end ? p : NULL;
}

static const uint8_t *find(const struct fixture *f, unsigned type, unsigned i)
{
	const uint8_t *p = f->buf + ENTRY;

	for (; p; p = next(f, p))
		if (p[0] == type && !i--)
			return p;
	return NULL;
}

/* The string whose number is in field `at` of the structure. */
static const char *string(const uint8_t *p, unsigned at)
{
	const char *s = (const char *)p + p[1];

	for (unsigned i = 1; p[at] && i < p[at]; i++)
		s += strlen(s) + 1;
	return p[at] ? s : "";
}

static void test_entry(void **state)
{
	struct fixture *f = *state;
	uint8_t sum = 0;

	write_it(f);
	/* As Linux does: dmi_smbios3_present(). */
	assert_memory_equal(f->buf, "_SM3_", 5);
	assert_int_equal(f->buf[6], 24);
	for (unsigned i = 0; i < 24; i++)
		sum = (uint8_t)(sum + f->buf[i]);
	assert_int_equal(sum, 0);
	assert_int_equal(load_le(f->buf + 16, 8), MAP_SMBIOS + ENTRY);
	assert_int_equal(load_le(f->buf + 12, 4), f->len - ENTRY);
	assert_true(IS_ALIGNED(MAP_SMBIOS, 16));
	assert_true(MAP_SMBIOS + MAP_SMBIOS_SIZE <= MAP_RESET);
}

static void test_walk(void **state)
{
	static const uint8_t order[] = { 0,  1,  3,  4,  4,  16,
		                         17, 17, 19, 19, 32, 127 };
	struct fixture *f = *state;
	const uint8_t *p = f->buf + ENTRY;
	uint16_t handle[ARRAY_SIZE(order)];

	f->m.sockets = f->m.n_devices = f->m.n_ranges = 2;
	f->m.device[1] = GIB;
	f->m.range[1].start = 4 * GIB;
	f->m.range[1].size = GIB;
	write_it(f);
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++, p = next(f, p)) {
		assert_non_null(p);
		assert_int_equal(p[0], order[i]);
		assert_true(p[1] >= 4);
		handle[i] = (uint16_t)load_le(p + 2, 2);
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(handle[i], handle[k]);
	}
	assert_null(p);
}

static void test_identity(void **state)
{
	static const uint8_t uuid[] = { 0x33, 0x22, 0x11, 0x00, 0x55, 0x44,
		                        0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb,
		                        0xcc, 0xdd, 0xee, 0xff };
	static const uint8_t none[16];
	struct fixture *f = *state;
	const uint8_t *p;

	write_it(f);
	p = find(f, 1, 0);
	assert_string_equal(string(p, 4), "fairlead");
	assert_string_equal(string(p, 5), "fairlead guest");
	assert_string_equal(string(p, 6), "");
	assert_string_equal(string(p, 7), "vrouter");
	assert_memory_equal(p + 8, none, 16);
	f->m.id = &given_id;
	write_it(f);
	p = find(f, 1, 0);
	assert_string_equal(string(p, 4), "ACME");
	assert_string_equal(string(p, 5), "Router 9");
	assert_string_equal(string(p, 6), "rev B");
	assert_string_equal(string(p, 7), "ds=nocloud");
	assert_memory_equal(p + 8, uuid, 16);
	assert_string_equal(string(find(f, 3, 0), 4), "ACME");
}

/* Sizes at the edges of their fields: 7.18.5, 7.17, 7.20. */
static void test_sizes(void **state)
{
	static const struct {
		uint64_t bytes;
		uint16_t mib;
		uint32_t extended;
	} edge[] = {
		{ 16 * MIB, 16, 0 },
		{ 32766 * MIB, 32766, 0 },
		{ 32768 * MIB, 0x7fff, 32768 },
		{ 4096 * GIB, 0x7fff, 4096 * 1024 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(edge); i++) {
		uint64_t last;
		const uint8_t *p;

		f->m.device[0] = edge[i].bytes;
		f->m.range[0].size = edge[i].bytes;
		last = edge[i].bytes - 1;
		write_it(f);
		p = find(f, 17, 0);
		assert_int_equal(load_le(p + 0x0c, 2), edge[i].mib);
		assert_int_equal(load_le(p + 0x1c, 4), edge[i].extended);
		assert_int_equal(load_le(p + 0x3c, 8), edge[i].bytes);
		p = find(f, 16, 0);
		if (edge[i].bytes < 2048 * GIB) {
			assert_int_equal(load_le(p + 7, 4),
			                 edge[i].bytes >> 10);
			assert_int_equal(load_le(p + 0x0f, 8), 0);
		} else {
			assert_int_equal(load_le(p + 7, 4), 0x80000000);
			assert_int_equal(load_le(p + 0x0f, 8), edge[i].bytes);
		}
		p = find(f, 19, 0);
		if (last >> 10 < UINT32_MAX) {
			assert_int_equal(load_le(p + 8, 4), last >> 10);
			assert_int_equal(load_le(p + 0x17, 8), 0);
		} else {
			assert_int_equal(load_le(p + 8, 4), UINT32_MAX);
			assert_int_equal(load_le(p + 0x17, 8), last);
		}
	}
}

/* Whatever the buffer's size, nothing is written behind it. */
static void test_full(void **state)
{
	struct fixture *f = *state;

	f->m.sockets = VM_CPUS_MAX;
	write_it(f);
	for (size_t size = 0; size <= f->len; size++) {
		size_t len = f->len;

		memset(f->buf, 0xcc, sizeof(f->buf));
		assert_int_equal(smbios_write(&f->m, MAP_SMBIOS, f->buf, size),
		                 size < len ? -ENOSPC : (int)len);
		for (size_t i = size; i < len + 64; i++)
			assert_int_equal(f->buf[i], 0xcc);
	}
}

/* All that can be, of the longest texts, has room. */
static void test_most(void **state)
{
	struct fixture *f = *state;
	struct vm_smbios id;

	memset(&id, 'x', sizeof(id));
	id.manufacturer[VM_SMBIOS_TEXT - 1] = '\0';
	id.product[VM_SMBIOS_TEXT - 1] = '\0';
	id.version[VM_SMBIOS_TEXT - 1] = '\0';
	id.serial[VM_SMBIOS_TEXT - 1] = '\0';
	f->m.id = &id;
	f->m.sockets = VM_CPUS_MAX;
	f->m.n_devices = SMBIOS_NODES_MAX;
	f->m.n_ranges = SMBIOS_RANGES_MAX;
	write_it(f);
}

/* ---- dmidecode ---- */

/* As `dmidecode --dump-bin` writes it: the table is at 32 of the file. */
static void dump(struct fixture *f, const char *path)
{
	FILE *out = fopen(path, "wb");
	uint8_t sum = 0;

	assert_non_null(out);
	store_le(f->buf + 16, 8, ENTRY);
	f->buf[5] = 0;
	for (unsigned i = 0; i < 24; i++)
		sum = (uint8_t)(sum + f->buf[i]);
	f->buf[5] = (uint8_t)-sum;
	assert_int_equal(fwrite(f->buf, f->len, 1, out), 1);
	assert_int_equal(fclose(out), 0);
}

/* It says them in angle brackets, or on standard error. */
static const char complaints[] =
	"<|broken|invalid|wrong|truncated|bad |out of spec|not implemented";
#define DMIDECODE "PATH=$PATH:/usr/sbin dmidecode --from-dump"

static void test_dmidecode(void **state)
{
	struct fixture *f = *state;
	char path[] = "/tmp/fl-smbios.XXXXXX";
	int fd;

	WANT_TOOL("dmidecode", "dmidecode");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	f->m.id = &given_id;
	f->m.sockets = 2;
	f->m.n_devices = 2;
	f->m.device[0] = 2 * GIB + 2 * MIB;
	f->m.device[1] = 64 * GIB;
	write_it(f);
	dump(f, path);
	RUN(DMIDECODE " %s >%s.out 2>&1", path, path);
	RUN("! grep -niE '%s' %s.out", complaints, path);
	RUN("grep -q 'SMBIOS 3.3.0 present' %s.out", path);
	RUN("test \"$(" DMIDECODE " %s -s system-uuid)\" = "
	    "00112233-4455-6677-8899-aabbccddeeff",
	    path);
	RUN("test \"$(" DMIDECODE " %s -s system-serial-number)\" = "
	    "ds=nocloud",
	    path);
	RUN("grep -qE 'Size: 2050 MB' %s.out && grep -qE 'Size: 64 GB' "
	    "%s.out",
	    path, path);
	RUN("rm %s %s.out", path, path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_entry, setup, teardown),
		cmocka_unit_test_setup_teardown(test_walk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_identity, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_most, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dmidecode, setup,
		                                teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
