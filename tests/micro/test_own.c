/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device of the machine's own, small and complete, and a guest that drives
 * it: the guest says what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/micro/machine.h"
#include "vmm/own.h"
#include "vmm/stats.h"

#define SLOT 2u
#define ID 0x600d1deau

/* Registers, as tests/micro/guest/own.c has them. */
enum {
	REG_SCRATCH = 0x00,
	REG_ID = 0x04,
	REG_MESSAGE = 0x08,
	REG_PIN = 0x0c,
};

struct device {
	struct own *own;
	_Atomic uint32_t scratch;
	_Atomic unsigned resets, frees;
};
static struct device device;

static uint64_t dev_read(void *ctx, unsigned bar, uint64_t off, unsigned width)
{
	struct device *v = ctx;
	uint64_t regs = (uint64_t)ID << 32 | v->scratch;

	(void)bar;
	(void)width;
	return off < 8 ? regs >> 8 * off : UINT64_MAX;
}

static void dev_write(void *ctx, unsigned bar, uint64_t off, unsigned width,
                      uint64_t value)
{
	struct device *v = ctx;

	(void)bar;
	(void)width;
	if (off == REG_SCRATCH)
		v->scratch = (uint32_t)value;
	else if (off == REG_MESSAGE)
		own_raise(v->own, (unsigned)value);
	else if (off == REG_PIN)
		own_intx(v->own, value);
}

static void dev_reset(void *ctx)
{
	struct device *v = ctx;

	v->scratch = 0;
	v->resets++;
}

static void dev_free(void *ctx)
{
	struct device *v = ctx;

	v->frees++;
}

static const struct own_ops ops = {
	.read = dev_read,
	.write = dev_write,
	.reset = dev_reset,
	.free = dev_free,
};

static void add(struct vm *vm)
{
	const struct own_desc c = {
		.name = "probe",
		.slot = SLOT,
		.vendor = 0x1af4,
		.device = 1,
		.class = 0xff0000,
		.bar = { [0] = { CFG_BAR_MEM32, false, 4096 } },
		.vectors = 2,
		.table_off = 0x800,
		.pba_off = 0xc00,
		.intx = true,
		.ops = &ops,
		.ctx = &device,
	};
	struct diag d;

	device = (struct device){ 0 };
	assert_int_equal(own_add(vm, &c, &device.own, &d), 0);
}

static json_int_t number(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	assert_true(json_is_integer(v));
	return json_integer_value(v);
}

/* As the control socket would tell them; KVM's are of this host's kernel. */
static void check_counters(struct vm *vm, uint64_t exits)
{
	json_t *o = stats_of(vm, true), *v, *kvm = json_object_get(o, "kvm");

	assert_non_null(o);
	v = json_array_get(json_object_get(o, "devices"), 0);
	assert_string_equal(json_string_value(json_object_get(v, "name")),
	                    "probe");
	assert_int_equal(number(json_object_get(v, "bar_exits"), "0"), exits);
	v = json_object_get(json_array_get(json_object_get(o, "vcpus"), 0),
	                    "exits");
	assert_int_equal(number(v, "own"), exits);
	assert_true(number(v, "total") > (json_int_t)exits);
	if (json_is_object(kvm)) {
		v = json_array_get(json_object_get(kvm, "vcpus"), 0);
		assert_true(number(v, "exits") > (json_int_t)exits);
	} else {
		assert_true(json_is_string(json_object_get(o, "kvm_absent")));
	}
	json_decref(o);
}

static void test_driver(void **state)
{
	struct machine m;
	uint64_t exits = 0;

	(void)state;
	machine_start_with(&m, "own", 1, add);
	assert_int_equal(machine_wait(&m), VM_END_POWEROFF);
	assert_non_null(strstr(m.text, "done 00000007"));
	assert_int_equal(device.resets, 2);
	exits = vcpu_exits(&m.vm->cpu[0], EXIT_OWN);
	assert_true(exits > 20);
	check_counters(m.vm, exits);
	machine_free(&m);
	assert_int_equal(device.frees, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_driver),
	};

	machine_need_kvm();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
