/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's CPUs: ids by shape, CPUID from leaves of hosts (tests/golden/
 * cpuid, GOLDEN_UPDATE=1 writes what is expected), the table itself, and what
 * docs/cpu.md says of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/cpus.h"

static struct cpu_shape shape(unsigned sockets, unsigned cores,
                              unsigned threads, unsigned id_shift)
{
	const struct vm_config c = {
		.cpus = sockets * cores * threads,
		.cpu = { .sockets = sockets,
		         .cores = cores,
		         .threads = threads,
		         .id_shift = id_shift },
	};
	struct cpu_shape s;
	struct diag d;

	assert_int_equal(cpu_shape_of(&c, &s, &d), 0);
	return s;
}

/* ---- ids ---- */

static void ids(void **state)
{
	static const struct {
		unsigned sockets, cores, threads, shift;
		uint32_t last, third; /* the third is vCPU 2 */
	} row[] = {
		{ 1, 64, 1, 0, 63, 2 },       { 64, 1, 1, 0, 63, 2 },
		{ 2, 1, 2, 0, 3, 2 },         { 1, 3, 1, 0, 2, 2 },
		{ 2, 3, 1, 0, 6, 2 },         { 2, 5, 3, 0, 32 + 18, 2 },
		{ 2, 2, 2, 0, 7, 2 },         { 4, 1, 1, 8, 768, 512 },
		{ 2, 1, 2, 8, 257, 256 },     { 64, 1, 1, 2, 252, 8 },
		{ 9, 1, 1, 12, 32768, 8192 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct cpu_shape s = shape(row[i].sockets, row[i].cores,
		                           row[i].threads, row[i].shift);
		unsigned n = s.sockets * s.cores * s.threads;

		assert_int_equal(cpu_id_last(&s), row[i].last);
		assert_int_equal(cpu_id(&s, 2), row[i].third);
		for (unsigned k = 0; k < n; k++) {
			uint32_t id = cpu_id(&s, k);

			assert_int_equal(cpu_index(&s, id), k);
			assert_true(!k || id > cpu_id(&s, k - 1));
		}
		assert_int_equal(cpu_index(&s, row[i].last + 1), -1);
		assert_int_equal(cpu_index(&s, UINT32_MAX), -1);
	}
}

static void shapes_refused(void **state)
{
	static const struct {
		unsigned cpus;
		struct vm_cpus cpu;
	} row[] = {
		{ .cpus = 0 },
		{ .cpus = VM_CPUS_MAX + 1 },
		{ .cpus = 4, .cpu = { .sockets = 3 } },
		{ .cpus = 4,
		  .cpu = { .sockets = 2, .cores = 2, .threads = 2 } },
		/* whose product is 4, were it of 32 bits */
		{ .cpus = 4,
		  .cpu = { .sockets = 1u << 31, .cores = 2, .threads = 4 } },
		{ .cpus = 2,
		  .cpu = { .sockets = 2, .cores = 1, .id_shift = 13 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct vm_config c = { .cpus = row[i].cpus, .cpu = row[i].cpu };
		struct cpu_shape s;
		struct diag d = { 0 };

		assert_int_equal(cpu_shape_of(&c, &s, &d), -EINVAL);
		assert_int_equal(d.code, FL_VMM_CPUS);
		assert_true(d.why[0] && d.mend[0]);
	}
}

static void what_kvm_makes(void **state)
{
	struct cpu_shape s = shape(4, 1, 1, 8);
	struct diag d = { 0 };

	(void)state;
	assert_int_equal(cpu_ids_check(&s, 4, 769, &d), 0);
	assert_int_equal(cpu_ids_check(&s, 4, 768, &d), -ERANGE);
	assert_int_equal(d.code, FL_VMM_APIC_ID);
	assert_non_null(strstr(d.why, "768"));
	assert_int_equal(cpu_ids_check(&s, 3, 4096, &d), -ERANGE);
	/* A message has 15 bits, whatever KVM has. */
	s = shape(9, 1, 1, 12);
	assert_int_equal(cpu_ids_check(&s, 64, 1u << 20, &d), -ERANGE);
	s = shape(8, 1, 1, 12);
	assert_int_equal(cpu_ids_check(&s, 64, 1u << 20, &d), 0);
}

static void messages(void **state)
{
	(void)state;
	/* 0x123: 0x23 at 19:12, 1 at 11:5. */
	assert_int_equal(cpu_msi_upper(0xfee23020, true), 0x100);
	assert_int_equal(cpu_msi_upper(0xfee23020, false), 0);
	assert_int_equal(cpu_msi_upper(0xfeeffffc, true), 0x7f00);
	assert_int_equal(cpu_msi_upper(0x123400fee23000, false), 0x123400);
	/* Its lower byte is reserved: KVM refuses the message for it. */
	assert_int_equal(cpu_msi_upper(0xfffee00000, false), 0);
}

/* ---- CPUID ---- */

static void host_read(const char *name, struct cpuid_leaves *ret)
{
	char path[128], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "tests/golden/cpuid/%s.host", name);
	f = fopen(path, "r");
	if (!f)
		fail_msg("%s: cannot be read", path);
	memset(ret, 0, sizeof(*ret));
	while (fgets(line, sizeof(line), f)) {
		struct kvm_cpuid_entry2 *e = &ret->e[ret->head.nent];

		if (*line == '#')
			continue;
		assert_int_equal(sscanf(line, "%x %u %u %x %x %x %x",
		                        &e->function, &e->index, &e->flags,
		                        &e->eax, &e->ebx, &e->ecx, &e->edx),
		                 7);
		ret->head.nent++;
	}
	fclose(f);
}

static void compose(const struct cpuid_leaves *host, const struct cpu_shape *s,
                    unsigned index, struct cpuid_leaves *ret)
{
	const struct cpuid_vcpu v = {
		.shape = s,
		.index = index,
		.id = cpu_id(s, index),
		.tsc_deadline = true,
	};

	assert_int_equal(cpuid_compose(host, &v, ret), 0);
}

static const struct kvm_cpuid_entry2 *leaf(const struct cpuid_leaves *l,
                                           uint32_t function, uint32_t index)
{
	for (unsigned i = 0; i < l->head.nent; i++)
		if (l->e[i].function == function && l->e[i].index == index)
			return &l->e[i];
	return NULL;
}

static int by_leaf(const void *a, const void *b)
{
	const struct kvm_cpuid_entry2 *x = a, *y = b;

	if (x->function != y->function)
		return x->function < y->function ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static void print(struct cpuid_leaves *l, char *buf, size_t size)
{
	size_t at = 0;

	qsort(l->e, l->head.nent, sizeof(l->e[0]), by_leaf);
	for (unsigned i = 0; i < l->head.nent; i++) {
		const struct kvm_cpuid_entry2 *e = &l->e[i];

		at += (size_t)snprintf(buf + at, size - at,
		                       "0x%08x %u %u 0x%08x 0x%08x 0x%08x "
		                       "0x%08x\n",
		                       e->function, e->index, e->flags, e->eax,
		                       e->ebx, e->ecx, e->edx);
		assert_true(at < size);
	}
}

static void golden(const char *path, const char *text)
{
	static char want[32768];
	FILE *f = fopen(path, getenv("GOLDEN_UPDATE") ? "w+" : "r");
	size_t n;

	if (!f)
		fail_msg("%s: cannot be read", path);
	if (getenv("GOLDEN_UPDATE")) {
		fputs(text, f);
		rewind(f);
	}
	n = fread(want, 1, sizeof(want) - 1, f);
	want[n] = '\0';
	fclose(f);
	assert_string_equal(text, want);
}

static const char *const hosts[] = { "amd-nested", "amd", "intel" };

/* vCPU 7 of 2 sockets, 3 cores, 2 threads: socket 1, core 0, thread 1. */
static void of_hosts(void **state)
{
	static char text[32768];
	const struct cpu_shape s = shape(2, 3, 2, 0);
	static struct cpuid_leaves host, guest;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		char path[128];

		host_read(hosts[i], &host);
		compose(&host, &s, 7, &guest);
		print(&guest, text, sizeof(text));
		snprintf(path, sizeof(path), "tests/golden/cpuid/%s.guest",
		         hosts[i]);
		golden(path, text);
	}
}

/* What a kernel reads of the topology: 0xb (or 0x1f). */
static void decode(const struct cpuid_leaves *l, const struct cpu_shape *s,
                   unsigned index, uint32_t function)
{
	const struct kvm_cpuid_entry2 *threads = leaf(l, function, 0);
	const struct kvm_cpuid_entry2 *cores = leaf(l, function, 1);
	const struct kvm_cpuid_entry2 *end = leaf(l, function, 2);
	uint32_t id;

	assert_true(threads && cores && end);
	assert_int_equal(FIELD_GET(BITS(15, 8), threads->ecx), 1);
	assert_int_equal(FIELD_GET(BITS(15, 8), cores->ecx), 2);
	assert_int_equal(FIELD_GET(BITS(15, 8), end->ecx), 0);
	assert_int_equal(threads->ebx, s->threads);
	assert_int_equal(cores->ebx, s->threads * s->cores);
	assert_int_equal(end->ebx, 0);
	id = threads->edx;
	assert_int_equal(cores->edx, id);
	assert_int_equal(id >> cores->eax, index / s->threads / s->cores);
	assert_int_equal((id & ((1u << cores->eax) - 1)) >> threads->eax,
	                 index / s->threads % s->cores);
	assert_int_equal(id & ((1u << threads->eax) - 1), index % s->threads);
}

/* Who shares a cache has the same id but for so many bits. */
static void decode_cache(const struct kvm_cpuid_entry2 *e,
                         const struct cpu_shape *s)
{
	unsigned sharing = FIELD_GET(BITS(25, 14), e->eax) + 1;

	if (!FIELD_GET(BITS(4, 0), e->eax))
		return;
	assert_int_equal(sharing, FIELD_GET(BITS(7, 5), e->eax) > 2
	                                  ? 1u << s->socket_shift
	                                  : 1u << s->thread_bits);
}

static void topologies(void **state)
{
	static struct cpuid_leaves host, guest;

	(void)state;
	host_read("intel", &host);
	for (unsigned n = 1; n <= VM_CPUS_MAX; n++)
		for (unsigned so = 1; so <= n; so++)
			for (unsigned th = 1; n % so == 0 && th <= n / so;
			     th++) {
				struct cpu_shape s;

				if (n / so % th)
					continue;
				s = shape(so, n / so / th, th, n & 8);
				compose(&host, &s, n - 1, &guest);
				decode(&guest, &s, n - 1, 0xb);
				decode(&guest, &s, n - 1, 0x1f);
				for (unsigned i = 0; i < 4; i++)
					decode_cache(leaf(&guest, 4, i), &s);
			}
}

static void legacy_topology(void **state)
{
	const struct cpu_shape s = shape(2, 3, 2, 0), one = shape(2, 1, 1, 0);
	static struct cpuid_leaves host, guest;
	const struct kvm_cpuid_entry2 *e;

	(void)state;
	host_read("amd", &host);
	compose(&host, &s, 11, &guest); /* socket 1, core 2, thread 1 */
	e = leaf(&guest, 1, 0);
	assert_int_equal(e->ebx >> 24, 13);
	assert_int_equal(e->ebx >> 16 & 0xff, 8);
	assert_true(e->edx & BIT(28));
	e = leaf(&guest, 0x80000008, 0);
	assert_int_equal(e->ecx, 3 << 12 | 5);
	e = leaf(&guest, 0x8000001e, 0);
	assert_int_equal(e->eax, 13);
	assert_int_equal(e->ebx, 1 << 8 | 2);
	assert_int_equal(e->ecx, 1);
	for (unsigned i = 0; i < 4; i++)
		decode_cache(leaf(&guest, 0x8000001d, i), &s);
	assert_true(leaf(&guest, 0x80000001, 0)->ecx & BIT(1));
	compose(&host, &one, 1, &guest);
	assert_false(leaf(&guest, 1, 0)->edx & BIT(28));
	assert_false(leaf(&guest, 0x80000001, 0)->ecx & BIT(1));
}

static void wide_ids(void **state)
{
	struct cpu_shape s = shape(2, 1, 1, 8);
	static struct cpuid_leaves host, guest;

	(void)state;
	host_read("amd", &host);
	compose(&host, &s, 1, &guest);
	assert_int_equal(leaf(&guest, 0xb, 0)->edx, 256);
	assert_int_equal(leaf(&guest, 1, 0)->ebx >> 24, 0);
	assert_true(leaf(&guest, 0x40000001, 0)->eax & BIT(15));
	s = shape(2, 1, 1, 7);
	compose(&host, &s, 1, &guest);
	assert_false(leaf(&guest, 0x40000001, 0)->eax & BIT(15));
}

/* A host that has every bit of every leaf: none that is hidden comes through,
 * and nothing that nobody thought of. */
static void hidden_stays_hidden(void **state)
{
	const struct cpu_shape s = shape(1, 2, 1, 0);
	static struct cpuid_leaves host, guest;
	unsigned n = 0;

	(void)state;
	memset(&host, 0xff, sizeof(host));
	for (uint32_t f = 0; f < 0x30; f++)
		host.e[n++].function = f;
	for (uint32_t f = 0x40000000; f < 0x40000012; f++)
		host.e[n++].function = f;
	for (uint32_t f = 0x80000000; f < 0x80000030; f++)
		host.e[n++].function = f;
	host.e[n++].function = 0xc0000001;
	host.head.nent = n;
	for (unsigned i = 0; i < n; i++)
		host.e[i].index = 0;
	compose(&host, &s, 0, &guest);
	for (size_t i = 0; i < cpuid_n_rules; i++) {
		const struct cpuid_rule *r = &cpuid_rules[i];

		for (uint32_t f = r->leaf;
		     r->act == CPUID_HIDE && r->sub <= 0 && f <= r->last; f++) {
			const struct kvm_cpuid_entry2 *e = leaf(&guest, f, 0);
			const uint32_t reg[] = { e ? e->eax : 0, e ? e->ebx : 0,
				                 e ? e->ecx : 0,
				                 e ? e->edx : 0 };

			for (unsigned k = 0; k < CPUID_REGS; k++)
				if (r->reg == k || r->reg == CPUID_WHOLE)
					assert_false(reg[k] &
					             (r->reg == k
					                      ? r->bits
					                      : UINT32_MAX));
		}
	}
	assert_null(leaf(&guest, 0x12, 0));
	assert_null(leaf(&guest, 0x20, 0));
	assert_null(leaf(&guest, 0x40000010, 0));
	assert_null(leaf(&guest, 0x80000026, 0));
	assert_null(leaf(&guest, 0xc0000001, 0));
	assert_true(leaf(&guest, 1, 0)->ecx & BIT(21)); /* x2APIC */
}

/* KVM's hint, where it is true. */
static void dedicated(void **state)
{
	static struct cpuid_leaves host, guest;
	const struct cpu_shape s = shape(1, 1, 1, 0);
	struct cpuid_vcpu v = { .shape = &s };

	(void)state;
	host_read("intel", &host);
	assert_int_equal(cpuid_compose(&host, &v, &guest), 0);
	assert_false(leaf(&guest, 0x40000001, 0)->edx);
	v.dedicated = true;
	assert_int_equal(cpuid_compose(&host, &v, &guest), 0);
	assert_int_equal(leaf(&guest, 0x40000001, 0)->edx, BIT(0));
}

static void too_many(void **state)
{
	static struct cpuid_leaves host, guest;
	const struct cpu_shape s = shape(1, 1, 1, 0);
	const struct cpuid_vcpu v = { .shape = &s };

	(void)state;
	host.head.nent = CPUID_LEAVES_MAX; /* all are leaf 0 */
	assert_int_equal(cpuid_compose(&host, &v, &guest), -E2BIG);
}

/* ---- the table, and its page ---- */

static void table_in_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < cpuid_n_rules; i++) {
		const struct cpuid_rule *r = &cpuid_rules[i];

		assert_true(r->leaf <= r->last);
		assert_true(r->what && *r->what && r->why && *r->why);
		assert_true((r->act == CPUID_MAKE) == (r->make != NULL));
		assert_true((r->reg == CPUID_WHOLE) == !r->bits);
		if (!i)
			continue;
		assert_true(r[-1].leaf == r->leaf || r[-1].last < r->leaf);
	}
}

static void bits_text(uint32_t bits, char *buf, size_t size)
{
	size_t at = 0;

	buf[0] = '\0';
	for (int hi = 31; hi >= 0; hi--) {
		int lo = hi;

		if (!(bits >> hi & 1))
			continue;
		while (lo && bits >> (lo - 1) & 1)
			lo--;
		at += (size_t)snprintf(buf + at, size - at,
		                       hi == lo ? "%s%d" : "%s%d:%d",
		                       at ? ", " : "", hi, lo);
		hi = lo;
	}
}

static void row_text(const struct cpuid_rule *r, char *buf, size_t size)
{
	static const char *const reg[] = { "EAX", "EBX", "ECX", "EDX" };
	static const char *const act[] = { "passed", "hidden", "made" };
	char of[40], bits[80] = "", sub[16] = "";

	if (r->leaf == r->last)
		snprintf(of, sizeof(of), "0x%x", r->leaf);
	else
		snprintf(of, sizeof(of), "0x%x to 0x%x", r->leaf, r->last);
	if (r->sub >= 0)
		snprintf(sub, sizeof(sub), ".%d", r->sub);
	if (r->reg != CPUID_WHOLE && r->bits != UINT32_MAX) {
		bits[0] = ' ';
		bits_text(r->bits, bits + 1, sizeof(bits) - 1);
	}
	snprintf(buf, size, "| %s%s | %s%s | %s%s | %s | %s |\n", of, sub,
	         r->reg == CPUID_WHOLE ? "" : reg[r->reg], bits, act[r->act],
	         r->amd_only ? " (AMD)" : "", r->what, r->why);
}

/* The page has the table's rows, all of them, in its order. */
static void table_is_documented(void **state)
{
	static char page[65536];
	FILE *f = fopen("docs/cpu.md", "r");
	const char *at = page;
	size_t n;

	(void)state;
	assert_non_null(f);
	n = fread(page, 1, sizeof(page) - 1, f);
	page[n] = '\0';
	fclose(f);
	for (size_t i = 0; i < cpuid_n_rules; i++) {
		char row[512];
		const char *found;

		row_text(&cpuid_rules[i], row, sizeof(row));
		if (getenv("GOLDEN_UPDATE")) {
			print_message("%s", row);
			continue;
		}
		found = strstr(at, row);
		if (!found)
			fail_msg("docs/cpu.md lacks, or has elsewhere: %s",
			         row);
		at = found + strlen(row) - 1;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids),
		cmocka_unit_test(shapes_refused),
		cmocka_unit_test(what_kvm_makes),
		cmocka_unit_test(messages),
		cmocka_unit_test(of_hosts),
		cmocka_unit_test(topologies),
		cmocka_unit_test(legacy_topology),
		cmocka_unit_test(wide_ids),
		cmocka_unit_test(hidden_stays_hidden),
		cmocka_unit_test(dedicated),
		cmocka_unit_test(too_many),
		cmocka_unit_test(table_in_order),
		cmocka_unit_test(table_is_documented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
