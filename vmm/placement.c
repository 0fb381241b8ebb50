/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which CPUs of the host the guest's threads run on, and by which scheduler:
 * cpus.h, whose order must be kept.
 *
 * RLIMIT_RTPRIO is netd's to raise, to the policy's priority and no further;
 * so a thread asks for itself, and after the sandbox none can ask again.
 */

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "vmm/cpus.h"

_Static_assert(VM_HOST_CPUS == CPU_SETSIZE, "a cpu_set_t holds them all");

static void set_of(const uint16_t *cpu, unsigned n, cpu_set_t *ret)
{
	CPU_ZERO(ret);
	for (unsigned i = 0; i < n; i++)
		CPU_SET(cpu[i], ret);
}

/* The first that is wanted and not had. */
static unsigned missing(const cpu_set_t *want, const cpu_set_t *have)
{
	unsigned i = 0;

	while (i < CPU_SETSIZE && (!CPU_ISSET(i, want) || CPU_ISSET(i, have)))
		i++;
	return i;
}

static int pin_fail(struct diag *d, int err, const char *who, unsigned cpu)
{
	diag_fail(d, err, FL_VMM_PIN, "%s cannot run on CPU %u of the host",
	          who, cpu);
	if (err == -EINVAL)
		diag_why(d, "it is offline, or outside of the cpuset that "
		            "fairlead-vmm is in");
	else
		diag_why(d, "sched_setaffinity: %s", strerror(-err));
	diag_mend(d, "cat /sys/devices/system/cpu/online; the unit's "
	             "AllowedCPUs=; or another pin:, emulator: in the policy");
	return err;
}

/* Of a thread of ours, 0 = the caller. Part of a request is no success: the
 * kernel takes away what the cpuset has not, and says nothing. */
static int move(pid_t tid, const cpu_set_t *want, const char *who,
                struct diag *d)
{
	cpu_set_t have;
	int err = 0;

	CPU_ZERO(&have);
	if (sched_setaffinity(tid, sizeof(*want), want) < 0 ||
	    sched_getaffinity(tid, sizeof(have), &have) < 0)
		err = -errno;
	if (!err && !CPU_EQUAL(want, &have))
		err = -EINVAL;
	return err ? pin_fail(d, err, who, missing(want, &have)) : 0;
}

int placement_begin(struct vm *vm, struct diag *d)
{
	const struct vm_cpu_list *l = &vm->cfg.cpu.emulator;
	struct placement *p = &vm->placement;
	cpu_set_t want;

	if (!l->n)
		return 0;
	CPU_ZERO(&p->process);
	if (sched_getaffinity(0, sizeof(p->process), &p->process) < 0)
		return pin_fail(d, -errno, "the main thread", l->cpu[0]);
	set_of(l->cpu, l->n, &want);
	p->moved = true;
	return move(0, &want, "the main thread", d);
}

/* One CPU each, where there are as many; else all for all. Without a word of
 * the policy it is where the process was. */
static bool place_of(const struct vm *vm, unsigned i, cpu_set_t *ret)
{
	const struct vm_cpu_list *l = &vm->cfg.cpu.pin;

	if (l->n == vm->cfg.cpus)
		set_of(&l->cpu[i], 1, ret);
	else if (l->n)
		set_of(l->cpu, l->n, ret);
	else if (vm->placement.moved)
		*ret = vm->placement.process;
	else
		return false;
	return true;
}

static int make_fifo(pid_t tid, unsigned priority, const char *who,
                     struct diag *d)
{
	const struct sched_param to = { .sched_priority = (int)priority };
	struct rlimit limit = { 0 };
	int err;

	if (sched_setscheduler(tid, SCHED_FIFO, &to) == 0)
		return 0;
	err = -errno;
	(void)getrlimit(RLIMIT_RTPRIO, &limit);
	diag_fail(d, err, FL_VMM_SCHEDULER, "%s by SCHED_FIFO, priority %u",
	          who, priority);
	diag_why(d, "%s; RLIMIT_RTPRIO is %llu", strerror(-err),
	         (unsigned long long)limit.rlim_cur);
	diag_mend(d, "let fairlead-netd raise it (fairlead run); a control "
	             "group with real-time groups needs cpu.rt_runtime_us; or "
	             "no scheduler: in the policy");
	return err;
}

int placement_vcpus(struct vm *vm, struct diag *d)
{
	const unsigned fifo = vm->cfg.cpu.fifo;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < vm->cfg.cpus; i++) {
		const pid_t tid = atomic_load(&vm->cpu[i].tid);
		cpu_set_t want;
		char who[16];

		snprintf(who, sizeof(who), "vCPU %u", i);
		if (place_of(vm, i, &want))
			r = move(tid, &want, who, d);
		if (r == 0 && fifo)
			r = make_fifo(tid, fifo, who, d);
	}
	return r;
}
