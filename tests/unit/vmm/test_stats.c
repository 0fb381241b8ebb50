/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM's counters: descriptions as a kernel gave them (tests/golden/kvm),
 * cut and bent ones, and what is told of the values.
 */
#include <linux/kvm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/priv.h"
#include "vmm/stats.h"

#define DATA 3080u
#define DESCS 72u
#define STEP 64u

struct text {
	uint8_t buf[16384];
	size_t len;
};

static void load(struct text *t, const char *name)
{
	char path[80];
	FILE *f;

	memset(t, 0, sizeof(*t));
	snprintf(path, sizeof(path), "tests/golden/kvm/%s.stats", name);
	f = fopen(path, "r");
	assert_non_null(f);
	t->len = fread(t->buf, 1, sizeof(t->buf), f);
	assert_int_equal(fclose(f), 0);
}

/* ---- the kernel ---- */

static struct {
	bool absent;
	int refuse_after; /* descriptors; -1 = none is refused */
	uint32_t shorter; /* the files, by so much */
} host;

static int stats_file(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	struct text t;
	uint32_t data_off;

	load(&t, name);
	data_off = (uint32_t)load_le(t.buf + 20, 4);
	for (unsigned i = 0; i < 400; i++)
		store_le(t.buf + data_off + (size_t)8 * i, 8, 1000 + i);
	assert_int_equal(write(fd, t.buf, sizeof(t.buf) - host.shorter),
	                 sizeof(t.buf) - host.shorter);
	return fd;
}

int ioctl(int fd, unsigned long request, ...)
{
	if (request == KVM_CHECK_EXTENSION)
		return !host.absent;
	assert_int_equal(request, KVM_GET_STATS_FD);
	if (host.refuse_after >= 0 && !host.refuse_after--) {
		errno = EMFILE;
		return -1;
	}
	return stats_file(fd == 100 ? "vm" : "vcpu");
}

/* ---- the description ---- */

static void as_recorded(void **state)
{
	struct kvm_stats *s;
	struct text t;

	(void)state;
	load(&t, "vcpu");
	assert_int_equal(kvm_stats_block(t.buf, 24), t.len);
	assert_int_equal(kvm_stats_parse(t.buf, t.len, &s), 0);
	assert_int_equal(s->n, 45);
	assert_int_equal(s->data_off, DATA);
	assert_string_equal(s->stat[0].name, "halt_successful_poll");
	assert_string_equal(s->stat[9].name, "halt_wait_hist");
	assert_int_equal(s->stat[9].values, 32);
	assert_int_equal(s->stat[9].off, 568);
	assert_int_equal(s->stat[9].kind, 4);
	assert_int_equal(s->stat[9].unit, 2);
	assert_int_equal(s->stat[9].exponent, -9);
	kvm_stats_free(s);
	kvm_stats_free(NULL);
}

static void refused(const struct text *t)
{
	struct kvm_stats *s = NULL;

	assert_int_equal(kvm_stats_parse(t->buf, t->len, &s), -EBADMSG);
	assert_null(s);
}

static void cut(void **state)
{
	struct text t;

	(void)state;
	load(&t, "vm");
	for (size_t n = t.len; n--;) {
		t.len = n;
		refused(&t);
	}
	assert_int_equal(kvm_stats_block(t.buf, 23), 0);
}

/* One field each: what no kernel says, and would lead out of the block or of
 * the data. */
static void bent(void **state)
{
	static const struct {
		unsigned at, width;
		uint64_t value;
	} field[] = {
		{ 4, 4, 0 }, /* size of names */
		{ 4, 4, 257 },
		{ 4, 4, UINT32_MAX },
		{ 8, 4, 0 }, /* how many */
		{ 8, 4, 17 },
		{ 8, 4, 1025 },
		{ 8, 4, UINT32_MAX },
		{ 16, 4, 0 }, /* where they are */
		{ 16, 4, 23 },
		{ 16, 4, 73 },
		{ 16, 4, UINT32_MAX },
		{ DESCS + 6, 2, 0 }, /* values */
		{ DESCS + 6, 2, 257 },
		{ DESCS + 6, 2, UINT16_MAX },
		{ DESCS + 8, 4, 4 }, /* their place */
		{ DESCS + 8, 4, 65536 },
		{ DESCS + 8, 4, UINT32_MAX - 7 },
		{ DESCS + STEP + 16, 1, 0 }, /* names */
		{ DESCS + STEP + 17, 1, '\n' },
		{ DESCS + STEP + 17, 1, 0xff },
	};
	struct text t;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(field); i++) {
		load(&t, "vm");
		store_le(t.buf + field[i].at, field[i].width, field[i].value);
		refused(&t);
	}
	/* A name without an end. */
	load(&t, "vm");
	memset(t.buf + DESCS + 16, 'a', 48);
	refused(&t);
}

/* ---- the values ---- */

static void open_them(struct vm *vm, struct vcpu *cpu, struct kvm_counters **k)
{
	struct diag d;

	memset(vm, 0, sizeof(*vm));
	memset(cpu, 0, 2 * sizeof(*cpu));
	vm->fd = 100;
	vm->cfg.cpus = 2;
	vm->cpu = cpu;
	assert_int_equal(kvm_counters_open(vm, k, &d), 0);
}

static json_int_t at(const json_t *o, const char *name)
{
	const json_t *v = json_object_get(o, name);

	assert_true(json_is_integer(v));
	return json_integer_value(v);
}

static void values(void **state)
{
	struct kvm_counters *k;
	const char *why = NULL;
	json_t *o, *cpu, *hist;
	struct vcpu cpus[2];
	struct vm vm;

	(void)state;
	memset(&host, 0, sizeof(host));
	host.refuse_after = -1;
	open_them(&vm, cpus, &k);
	for (unsigned i = 0; i < 2; i++) { /* described once, read twice */
		o = kvm_counters_of(k, &why);
		assert_non_null(o);
		assert_int_equal(at(json_object_get(o, "vm"), "pages_1g"),
		                 1011);
		cpu = json_array_get(json_object_get(o, "vcpus"), 1);
		assert_int_equal(at(cpu, "exits"), 1113);
		hist = json_object_get(cpu, "halt_wait_hist");
		assert_int_equal(json_array_size(hist), 32);
		assert_int_equal(json_integer_value(json_array_get(hist, 31)),
		                 1000 + 71 + 31);
		json_decref(o);
	}
	o = kvm_counters_describe(k);
	cpu = json_array_get(json_object_get(o, "vcpu"), 9);
	assert_string_equal(json_string_value(json_object_get(cpu, "kind")),
	                    "log-histogram");
	assert_string_equal(json_string_value(json_object_get(cpu, "unit")),
	                    "seconds");
	json_decref(o);
	kvm_counters_free(k);
	kvm_counters_free(NULL);
}

/* Each is a reason in words, and never the guest's end. */
static void without(void **state)
{
	struct kvm_counters *k;
	struct vcpu cpus[2];
	const char *why;
	struct vm vm;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		memset(&host, 0, sizeof(host));
		host.absent = i == 0;
		host.refuse_after = i >= 1 && i <= 3 ? (int)i - 1 : -1;
		host.shorter = i == 4 ? 16384 - 1000 : 0;
		open_them(&vm, cpus, &k);
		why = NULL;
		assert_null(kvm_counters_of(k, &why));
		assert_non_null(why);
		assert_null(kvm_counters_describe(k));
		kvm_counters_free(k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_recorded), cmocka_unit_test(cut),
		cmocka_unit_test(bent),        cmocka_unit_test(values),
		cmocka_unit_test(without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
