/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stopping and starting the vCPUs, and asking the main loop to.
 *
 * park_wanted and every immediate_exit are written under park_lock; a vCPU
 * that leaves the parking place clears its own immediate_exit under the same
 * lock, after it has seen that nobody wants it. So a kick is never lost: if it
 * comes before KVM_RUN, immediate_exit makes KVM_RUN return; if it comes in
 * it, the signal does.
 *
 * The data path's loop is parked with the vCPUs, after them and let go before
 * them: what they have begun it may end.
 *
 * A vCPU that asked for something (reset, power off) waits here too, until the
 * main loop has done it.
 */

#include <signal.h>
#include <unistd.h>

#include "vmm/io.h"
#include "vmm/priv.h"

static bool must_wait(struct vm *vm)
{
	return atomic_load(&vm->park_wanted) ||
	       atomic_load(&vm->request) != VM_REQ_NONE;
}

bool vcpu_park_point(struct vcpu *c)
{
	struct vm *vm = c->vm;

	pthread_mutex_lock(&vm->park_lock);
	vm->parked++;
	pthread_cond_broadcast(&vm->park_cond);
	while (must_wait(vm) && !atomic_load(&vm->stopping))
		pthread_cond_wait(&vm->park_cond, &vm->park_lock);
	vm->parked--;
	c->run->immediate_exit = 0;
	pthread_mutex_unlock(&vm->park_lock);
	return !atomic_load(&vm->stopping);
}

static unsigned started(const struct vm *vm)
{
	unsigned n = 0;

	for (unsigned i = 0; i < vm->cfg.cpus; i++)
		n += vm->cpu[i].started;
	return n;
}

static void kick_all(struct vm *vm)
{
	for (unsigned i = 0; i < vm->cfg.cpus; i++) {
		struct vcpu *c = &vm->cpu[i];

		if (!c->started)
			continue;
		c->run->immediate_exit = 1;
		pthread_kill(c->thread, SIGRTMIN);
	}
}

void vcpus_park(struct vm *vm)
{
	pthread_mutex_lock(&vm->park_lock);
	atomic_store(&vm->park_wanted, true);
	if (vm->parked < started(vm))
		kick_all(vm);
	while (vm->parked < started(vm))
		pthread_cond_wait(&vm->park_cond, &vm->park_lock);
	pthread_mutex_unlock(&vm->park_lock);
	if (vm->io)
		io_park(vm->io);
}

void vcpus_unpark(struct vm *vm)
{
	if (vm->io)
		io_unpark(vm->io);
	pthread_mutex_lock(&vm->park_lock);
	atomic_store(&vm->park_wanted, false);
	pthread_cond_broadcast(&vm->park_cond);
	pthread_mutex_unlock(&vm->park_lock);
}

void vcpus_stop(struct vm *vm)
{
	if (!vm->cpu)
		return;
	vcpus_park(vm);
	pthread_mutex_lock(&vm->park_lock);
	atomic_store(&vm->stopping, true);
	pthread_cond_broadcast(&vm->park_cond);
	pthread_mutex_unlock(&vm->park_lock);
	for (unsigned i = 0; i < vm->cfg.cpus; i++) {
		if (!vm->cpu[i].started)
			continue;
		pthread_join(vm->cpu[i].thread, NULL);
		vm->cpu[i].started = false;
	}
	if (vm->io)
		io_stop(vm->io);
}

static void wake_loop(struct vm *vm)
{
	uint64_t one = 1;

	/* It fails only when the count would overflow: then it is awake. */
	(void)!write(vm->event_fd, &one, sizeof(one));
}

/* The vCPUs that did not ask go on until they are parked; what the guest does
 * in that time is its own affair. */
void vm_request(struct vm *vm, enum vm_request r)
{
	int none = VM_REQ_NONE;

	if (atomic_compare_exchange_strong(&vm->request, &none, (int)r))
		wake_loop(vm);
}

void vm_request_fail(struct vm *vm, const struct diag *why)
{
	pthread_mutex_lock(&vm->park_lock);
	if (!vm->fail.code)
		vm->fail = *why;
	pthread_mutex_unlock(&vm->park_lock);
	/* Stronger than a reset that waits to be done. */
	atomic_store(&vm->request, VM_REQ_FAIL);
	wake_loop(vm);
}
