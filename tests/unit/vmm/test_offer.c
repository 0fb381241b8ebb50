/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ranges that were refused, and who offers them again. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/assign.h"

static int setup(void **state)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	if (!vm)
		return -1;
	vm->assigned = calloc(VM_DEVICES_MAX, sizeof(*vm->assigned));
	if (!vm->assigned)
		return -1;
	for (unsigned i = 0; i < VM_DEVICES_MAX; i++) {
		vm->assigned[i].vm = vm;
		pthread_mutex_init(&vm->assigned[i].lock, NULL);
	}
	*state = vm;
	return 0;
}

static int teardown(void **state)
{
	struct vm *vm = *state;

	free(vm->assigned);
	free(vm);
	return 0;
}

/* One that is in a reset is not waited for; whoever has it offers its own. */
static void test_soon(void **state)
{
	struct vm *vm = *state;
	struct assigned *busy = &vm->assigned[1], *idle = &vm->assigned[2];

	busy->refused = idle->refused = true;
	pthread_mutex_lock(&busy->lock);
	assign_offer_others_soon(&vm->assigned[0]);
	assert_true(busy->refused && busy->due);
	assert_false(idle->refused || idle->due);
	assign_offer_due(busy);
	assert_false(busy->refused || busy->due);
	pthread_mutex_unlock(&busy->lock);
}

/* What nobody asked for stays until somebody has moved. */
static void test_not_due(void **state)
{
	struct vm *vm = *state;

	vm->assigned[1].refused = true;
	assign_offer_due(&vm->assigned[1]);
	assert_true(vm->assigned[1].refused);
	assign_offer_others(&vm->assigned[1]);
	assert_true(vm->assigned[1].refused);
	assign_offer_others(&vm->assigned[0]);
	assert_false(vm->assigned[1].refused);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_soon, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_due, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
