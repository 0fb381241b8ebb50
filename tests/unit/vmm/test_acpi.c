/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The AML writer against bytes taken from the specification, the tables'
 * structure, and the whole against iasl, which takes each table apart and puts
 * it together again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/vmm/run_tool.h"
#include "vmm/acpi.h"

#define HEADER 36

struct fixture {
	uint8_t tables[MAP_ACPI_SIZE];
	uint8_t aml[1u << 16];
	struct aml a;
};

static void begin(struct fixture *f, size_t size)
{
	memset(f->aml, 0xcc, sizeof(f->aml));
	f->a = (struct aml){ .buf = f->aml, .size = size };
}

/* Each a socket of its own, `shift` bits of APIC id apart. */
static struct cpu_shape sockets(unsigned cpus, unsigned shift)
{
	return (struct cpu_shape){
		.sockets = cpus, .cores = 1, .threads = 1, .socket_shift = shift
	};
}

static void write_with(struct fixture *f, unsigned cpus, unsigned shift)
{
	const struct acpi_machine m = {
		.cpus = cpus,
		.shape = sockets(cpus, shift),
		.mem64 = 0x140000000,
		.mem64_end = 0x1140000000,
		.last_bus = VM_SLOTS_MAX,
		.ports = UINT32_MAX & ~BIT(0),
	};

	memset(f->tables, 0xcc, sizeof(f->tables));
	assert_int_equal(acpi_write(&m, f->tables, sizeof(f->tables)), 0);
}

static void write_tables(struct fixture *f, unsigned cpus)
{
	write_with(f, cpus, 0);
}

/* Four nodes: vCPUs one after the other, the first two below 4 GiB. */
static void write_nodes(struct fixture *f, unsigned cpus)
{
	static const struct vm_node node[4] = {
		{ .cpus = 0x1111111111111111, .distance = { 10, 21, 31, 31 } },
		{ .cpus = 0x2222222222222222, .distance = { 21, 10, 31, 5 } },
		{ .cpus = 0x4444444444444444 },
		{ .cpus = 0x8888888888888888 },
	};
	const struct acpi_machine m = {
		.cpus = cpus,
		.shape = sockets(cpus, 0),
		.mem64 = 0x240000000,
		.mem64_end = 0x1240000000,
		.last_bus = VM_SLOTS_MAX,
		.ports = UINT32_MAX & ~BIT(0),
		.node = node,
		.n_nodes = ARRAY_SIZE(node),
		.pci_node = 3,
		.range = { { 0, 0xa0000, 0 },
		           { 0x100000, 0x3ff00000, 0 },
		           { 0x40000000, 0x70000000, 1 },
		           { 0x100000000, 0x80000000, 2 },
		           { 0x180000000, 0x80000000, 3 } },
		.n_ranges = 5,
	};

	memset(f->tables, 0xcc, sizeof(f->tables));
	assert_int_equal(acpi_write(&m, f->tables, sizeof(f->tables)), 0);
}

static uint8_t sum(const uint8_t *p, size_t n)
{
	uint8_t s = 0;

	while (n--)
		s = (uint8_t)(s + *p++);
	return s;
}

static const uint8_t *at(const struct fixture *f, uint64_t address)
{
	assert_in_range(address, MAP_ACPI, MAP_ACPI + MAP_ACPI_SIZE - HEADER);
	return f->tables + (address - MAP_ACPI);
}

/* Through RSDP and XSDT, as a kernel goes; the DSDT through the FADT. */
static const uint8_t *table(const struct fixture *f, const char *signature)
{
	const uint8_t *xsdt = at(f, load_le(f->tables + 24, 8));
	size_t n = ((size_t)load_le(xsdt + 4, 4) - HEADER) / 8;

	if (!strcmp(signature, "XSDT"))
		return xsdt;
	if (!strcmp(signature, "DSDT"))
		return at(f, load_le(table(f, "FACP") + 140, 8));
	for (size_t i = 0; i < n; i++) {
		const uint8_t *t = at(f, load_le(xsdt + HEADER + 8 * i, 8));

		if (!memcmp(t, signature, 4))
			return t;
	}
	fail_msg("no table %s", signature);
	return NULL;
}

/* ---- the writer ---- */

#define EXPECT(f, ...)                                                         \
	do {                                                                   \
		static const uint8_t want[] = { __VA_ARGS__ };                 \
		assert_false((f)->a.full);                                     \
		assert_int_equal((f)->a.len, sizeof(want));                    \
		assert_memory_equal((f)->aml, want, sizeof(want));             \
	} while (0)

static void test_integers(void **state)
{
	struct fixture *f = *state;

	begin(f, sizeof(f->aml));
	aml_int(&f->a, 0);
	aml_int(&f->a, 1);
	aml_int(&f->a, 0xff);
	aml_int(&f->a, 0x100);
	aml_int(&f->a, 0x10000);
	aml_int(&f->a, 0x100000000);
	EXPECT(f, 0x00, 0x01, 0x0a, 0xff, 0x0b, 0x00, 0x01, 0x0c, 0x00, 0x00,
	       0x01, 0x00, 0x0e, 0, 0, 0, 0, 1, 0, 0, 0);
}

static void test_names(void **state)
{
	struct fixture *f = *state;

	begin(f, sizeof(f->aml));
	aml_name(&f->a, "\\_S5");
	aml_namestring(&f->a, "\\");
	aml_eisaid(&f->a, "PNP0A03");
	aml_string(&f->a, "A1");
	EXPECT(f, 0x08, '\\', '_', 'S', '5', '_', '\\', 0x00, 0x0c, 0x41, 0xd0,
	       0x0a, 0x03, 0x0d, 'A', '1', 0x00);
}

static void test_uuid(void **state)
{
	struct fixture *f = *state;

	begin(f, sizeof(f->aml));
	aml_uuid(&f->a, "33DB4D5B-1FF7-401C-9657-7441C03DD766");
	EXPECT(f, 0x11, 0x13, 0x0a, 0x10, 0x5b, 0x4d, 0xdb, 0x33, 0xf7, 0x1f,
	       0x1c, 0x40, 0x96, 0x57, 0x74, 0x41, 0xc0, 0x3d, 0xd7, 0x66);
}

static void test_template(void **state)
{
	struct fixture *f = *state;
	size_t open;

	begin(f, sizeof(f->aml));
	open = aml_crs(&f->a);
	aml_res_io(&f->a, 0x3f8, 8);
	aml_crs_end(&f->a, open);
	EXPECT(f, 0x08, '_', 'C', 'R', 'S', 0x11, 0x0d, 0x0a, 0x0a, 0x47, 0x01,
	       0xf8, 0x03, 0xf8, 0x03, 0x01, 0x08, 0x79, 0x00);
}

/* The length's own bytes count, so each step of its size has an edge. */
static void test_lengths(void **state)
{
	static const struct {
		size_t body, bytes;
	} edge[] = {
		{ 0, 1 },    { 62, 1 },   { 63, 2 },
		{ 4093, 2 }, { 4094, 3 }, { 60000, 3 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(edge); i++) {
		size_t open, length;
		uint8_t lead;

		begin(f, sizeof(f->aml));
		open = aml_if(&f->a);
		aml_bytes(&f->a, NULL, edge[i].body);
		aml_end(&f->a, open);
		assert_false(f->a.full);
		assert_int_equal(f->a.len, 1 + edge[i].bytes + edge[i].body);
		lead = f->aml[1];
		assert_int_equal(lead >> 6, edge[i].bytes - 1);
		length = lead & (edge[i].bytes == 1 ? 0x3f : 0x0f);
		for (size_t k = 1; k < edge[i].bytes; k++)
			length |= (size_t)f->aml[1 + k] << (8 * k - 4);
		assert_int_equal(length, edge[i].bytes + edge[i].body);
	}
}

/* Whatever the buffer's size, nothing is written behind it. */
static void test_full(void **state)
{
	struct fixture *f = *state;
	const struct acpi_machine m = { .cpus = VM_CPUS_MAX,
		                        .shape = sockets(VM_CPUS_MAX, 8),
		                        .mem64 = 1ull << 32,
		                        .mem64_end = 1ull << 36,
		                        .ports = BITS(31, 1) };
	unsigned fits = 0;

	for (size_t size = 0; size < 8192; size++) {
		memset(f->tables, 0xcc, sizeof(f->tables));
		if (acpi_write(&m, f->tables, size) == 0) {
			fits++;
			continue;
		}
		for (size_t i = size; i < 8300; i++)
			assert_int_equal(f->tables[i], 0xcc);
	}
	assert_in_range(fits, 1, 8000);
}

/* ---- the tables ---- */

static void test_structure(void **state)
{
	static const char *const all[] = { "XSDT", "FACP", "APIC", "MCFG",
		                           "DSDT" };
	struct fixture *f = *state;

	write_tables(f, 3);
	assert_memory_equal(f->tables, "RSD PTR ", 8);
	assert_int_equal(sum(f->tables, 20), 0);
	assert_int_equal(sum(f->tables, 36), 0);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		const uint8_t *t = table(f, all[i]);

		assert_int_equal(sum(t, load_le(t + 4, 4)), 0);
	}
}

static void test_fadt(void **state)
{
	struct fixture *f = *state;
	const uint8_t *t;

	write_tables(f, 1);
	t = table(f, "FACP");
	assert_int_equal(load_le(t + 4, 4), 276);
	assert_true(load_le(t + 112, 4) & BIT(20)); /* hardware-reduced */
	assert_true(load_le(t + 112, 4) & BIT(10)); /* reset register */
	assert_int_equal(load_le(t + 116 + 4, 8), PORT_ACPI + ACPI_RESET);
	assert_int_equal(t[128], ACPI_RESET_VALUE);
	assert_int_equal(load_le(t + 244 + 4, 8),
	                 PORT_ACPI + ACPI_SLEEP_CONTROL);
	/* No 8042, no legacy devices; no VGA; a CMOS clock, with a century. */
	assert_int_equal(load_le(t + 109, 2) & 0x27, 0x04);
	assert_int_equal(t[108], 0x32);
}

static void test_madt(void **state)
{
	struct fixture *f = *state;
	unsigned lapics = 0, ioapics = 0;
	const uint8_t *t;

	write_tables(f, VM_CPUS_MAX);
	t = table(f, "APIC");
	assert_int_equal(load_le(t + 40, 4), 0); /* no 8259 */
	for (size_t i = 44; i < load_le(t + 4, 4); i += t[i + 1]) {
		assert_int_not_equal(t[i + 1], 0);
		if (t[i] == 0) {
			assert_int_equal(t[i + 2], lapics);
			assert_int_equal(t[i + 3], lapics);
			lapics++;
		}
		ioapics += t[i] == 1;
	}
	assert_int_equal(lapics, VM_CPUS_MAX);
	assert_int_equal(ioapics, 1);
}

/* Ids from 255 on have an entry of their own kind, and their own word about
 * NMI; the UID stays the index. */
static void test_madt_wide(void **state)
{
	struct fixture *f = *state;
	unsigned x2apics = 0, nmis = 0;
	const uint8_t *t;

	write_with(f, 4, 8);
	t = table(f, "APIC");
	for (size_t i = 44; i < load_le(t + 4, 4); i += t[i + 1]) {
		assert_int_not_equal(t[i + 1], 0);
		if (t[i] == 9) {
			x2apics++;
			assert_int_equal(load_le(t + i + 4, 4), x2apics << 8);
			assert_int_equal(load_le(t + i + 8, 4), 1);
			assert_int_equal(load_le(t + i + 12, 4), x2apics);
		} else if (t[i] == 10) {
			nmis++;
			assert_int_equal(load_le(t + i + 4, 4), UINT32_MAX);
			assert_int_equal(t[i + 8], 1);
		} else if (t[i] == 0) {
			assert_int_equal(t[i + 3], 0);
		}
	}
	assert_int_equal(x2apics, 3);
	assert_int_equal(nmis, 1);
}

static bool has_table(const struct fixture *f, const char *signature)
{
	const uint8_t *xsdt = table(f, "XSDT");

	for (size_t i = HEADER; i < load_le(xsdt + 4, 4); i += 8)
		if (!memcmp(at(f, load_le(xsdt + i, 8)), signature, 4))
			return true;
	return false;
}

static void test_srat(void **state)
{
	static const uint8_t memory[] = {
		1, 40, 1, 0,    0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0,
		0, 0,  0, 0x70, 0, 0, 0, 0, 0, 0, 0, 0,    1, 0, 0, 0,
	};
	struct fixture *f = *state;
	unsigned cpus[4] = { 0 }, ranges = 0;
	const uint8_t *t;
	size_t size;

	write_tables(f, 4);
	assert_false(has_table(f, "SRAT") || has_table(f, "SLIT"));
	write_nodes(f, VM_CPUS_MAX);
	t = table(f, "SRAT");
	size = (size_t)load_le(t + 4, 4);
	assert_int_equal(sum(t, size), 0);
	for (size_t i = 48; i < size; i += t[i + 1]) {
		assert_int_not_equal(t[i + 1], 0);
		if (t[i] == 0) {
			assert_int_equal(t[i + 2], t[i + 3] % 4);
			cpus[t[i + 2]]++;
		}
		ranges += t[i] == 1;
	}
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(cpus[i], VM_CPUS_MAX / 4);
	assert_int_equal(ranges, 5);
	begin(f, sizeof(f->aml));
	aml_name(&f->a, "_PXM");
	aml_int(&f->a, 2);
	assert_non_null(memmem(f->tables, sizeof(f->tables), f->aml, f->a.len));
	assert_non_null(memmem(t, size, memory, sizeof(memory)));
}

/* Without a word of the host's: 20. A 5 would be nearer than "here". */
static void test_slit(void **state)
{
	static const uint8_t want[] = { 10, 21, 31, 31, 21, 10, 31, 20,
		                        20, 20, 10, 20, 20, 20, 20, 10 };
	struct fixture *f = *state;
	const uint8_t *t;

	write_nodes(f, 1);
	t = table(f, "SLIT");
	assert_int_equal(sum(t, load_le(t + 4, 4)), 0);
	assert_int_equal(load_le(t + HEADER, 8), 4);
	assert_int_equal(load_le(t + 4, 4), HEADER + 8 + 16);
	assert_memory_equal(t + HEADER + 8, want, sizeof(want));
}

/* Pin by pin: what the PCI-to-PCI Bridge specification's rotation and the line
 * that vfio is given agree on, below the IOAPIC's end. */
static void test_prt(void **state)
{
	struct fixture *f = *state;
	const uint8_t *dsdt;
	size_t size;

	write_tables(f, 1);
	dsdt = table(f, "DSDT");
	size = (size_t)load_le(dsdt + 4, 4);
	for (uint8_t slot = 1; slot <= VM_SLOTS_MAX; slot++)
		for (unsigned pin = 1; pin <= 4; pin++) {
			size_t open;

			begin(f, sizeof(f->aml));
			open = aml_package(&f->a, 4);
			aml_int(&f->a, (uint32_t)slot << 16 | 0xffff);
			aml_int(&f->a, pin - 1);
			aml_int(&f->a, 0);
			aml_int(&f->a, topology_gsi(slot, pin));
			aml_end(&f->a, open);
			assert_non_null(memmem(dsdt, size, f->aml, f->a.len));
			assert_in_range(topology_gsi(slot, pin), 16,
			                GSI_PINS - 1);
		}
}

/* ---- iasl ---- */

static void save(const char *dir, const char *name, const uint8_t *t)
{
	char path[256];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s.aml", dir, name);
	out = fopen(path, "wb");
	assert_non_null(out);
	assert_int_equal(fwrite(t, load_le(t + 4, 4), 1, out), 1);
	assert_int_equal(fclose(out), 0);
}

static void compare(const char *dir, const char *name, const uint8_t *want)
{
	size_t size = (size_t)load_le(want + 4, 4);
	char path[256];
	uint8_t *got = calloc(1, size + 1);
	FILE *in;

	snprintf(path, sizeof(path), "%s/new-%s.aml", dir, name);
	in = fopen(path, "rb");
	assert_non_null(in);
	assert_non_null(got);
	assert_int_equal(fread(got, 1, size + 1, in), size);
	fclose(in);
	/* The compiler signs the header with its own name. */
	assert_memory_equal(got + HEADER, want + HEADER, size - HEADER);
	free(got);
}

static void through_iasl(struct fixture *f)
{
	static const char *const all[] = { "FACP", "APIC", "MCFG",
		                           "DSDT", "SRAT", "SLIT" };
	char dir[] = "/tmp/fl-acpi.XXXXXX";

	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (!has_table(f, all[i]) && strcmp(all[i], "DSDT") != 0)
			continue;
		save(dir, all[i], table(f, all[i]));
		RUN("cd %s && iasl -d %s.aml >%s.log 2>&1", dir, all[i],
		    all[i]);
		RUN("cd %s && ! grep -iE 'warning|error' %s.log", dir, all[i]);
		RUN("cd %s && iasl -oa -p new-%s %s.dsl >%s.log 2>&1", dir,
		    all[i], all[i], all[i]);
		RUN("cd %s && grep -q ' 0 Errors, 0 Warnings' %s.log || "
		    "{ cat %s.log; false; }",
		    dir, all[i], all[i]);
		compare(dir, all[i], table(f, all[i]));
	}
	RUN("rm -r %s", dir);
}

static void test_iasl(void **state)
{
	WANT_TOOL("iasl", "acpica-tools");
	write_tables(*state, VM_CPUS_MAX);
	through_iasl(*state);
	write_with(*state, VM_CPUS_MAX, 8);
	through_iasl(*state);
	write_nodes(*state, VM_CPUS_MAX);
	through_iasl(*state);
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_uuid),
		cmocka_unit_test(test_template),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_fadt),
		cmocka_unit_test(test_madt),
		cmocka_unit_test(test_madt_wide),
		cmocka_unit_test(test_srat),
		cmocka_unit_test(test_slit),
		cmocka_unit_test(test_prt),
		cmocka_unit_test(test_iasl),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
