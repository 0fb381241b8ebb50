/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that hangs is written to a file before it is reset: what its watchdog
 * does with the action "dump". The file came with the lease, so it is done
 * once; the guest is reset in any case.
 *
 * Order: the request to the main loop keeps the vCPUs where they are; a pause
 * stops the clocks; slices, others being served between them. The reset that
 * follows ends the pause.
 */

#include <stdio.h>

#include "vmm/control.h"
#include "vmm/watchdog.h"

static void end(struct vm *vm)
{
	int done = VM_REQ_DUMP;

	dump_free(vm->core);
	vm->core = NULL;
	/* One that failed meanwhile stays so. */
	(void)atomic_compare_exchange_strong(&vm->request, &done, VM_REQ_RESET);
}

/* False: there is nothing to be done. */
static bool begin(struct vm *vm, struct diag *d)
{
	int *fd = &vm->cfg.watchdog.core_fd;

	if (*fd < 0) {
		loop_say("its memory is not written: there is one file for "
		         "that, which has been used");
		return false;
	}
	pause_begin(vm);
	if (dump_new(vm, TAKE_FD(*fd), &vm->core, d) == 0)
		return true;
	loop_say_diag(d);
	return false;
}

/* As dump_step(). */
static int step(struct vm *vm, struct diag *d)
{
	int r = dump_step(vm->core, d);
	char text[80];

	if (r == 0) {
		snprintf(text, sizeof(text),
		         "its memory is in the core file: %llu bytes",
		         (unsigned long long)dump_bytes(vm->core));
		loop_say(text);
	} else if (r < 0) {
		loop_say_diag(d);
	}
	return r;
}

void core_go_on(struct vm *vm)
{
	struct diag d;

	if (atomic_load(&vm->request) != VM_REQ_DUMP)
		return;
	if ((!vm->core && !begin(vm, &d)) || step(vm, &d) <= 0)
		end(vm);
}
