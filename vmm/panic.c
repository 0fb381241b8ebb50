/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pvpanic: one byte port by which a guest's kernel says that it has crashed
 * (QEMU's docs/specs/pvpanic). Reading tells which events are known:
 *
 *   bit 0  it panicked
 *   bit 1  it panicked, and a crash kernel of its own takes over
 *
 * By the second nothing is done: the guest deals with it. A guest may write as
 * often as it likes; what is kept is one bit.
 */

#include <unistd.h>

#include "vmm/priv.h"

enum {
	PANICKED = 1 << 0,
	CRASH_LOADED = 1 << 1,
};

static uint64_t panic_read(void *ctx, uint64_t off, unsigned width)
{
	(void)ctx;
	(void)off;
	(void)width;
	return PANICKED | CRASH_LOADED;
}

static void wake_loop(struct vm *vm)
{
	uint64_t one = 1;

	(void)!write(vm->event_fd, &one, sizeof(one));
}

static void panic_write(void *ctx, uint64_t off, unsigned width, uint64_t value)
{
	struct vm *vm = ctx;

	(void)off;
	(void)width;
	if (!(value & (PANICKED | CRASH_LOADED)))
		return;
	if (!atomic_exchange(&vm->panicked, true))
		wake_loop(vm);
	if (!(value & PANICKED))
		return;
	if (vm->cfg.on_panic == VM_PANIC_STOP)
		vm_request(vm, VM_REQ_PANIC);
	else if (vm->cfg.on_panic == VM_PANIC_RESET)
		vm_request(vm, VM_REQ_RESET);
}

static const struct bus_ops panic_ops = {
	.read = panic_read,
	.write = panic_write,
};

int panic_init(struct vm *vm)
{
	return bus_add(vm->pio, PORT_PANIC, 1, EXIT_POWER, &panic_ops, vm);
}

bool panic_take(struct vm *vm)
{
	return atomic_exchange(&vm->panicked, false);
}
