/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CPUs that a guest's threads are to have. Here it is looked at whether the
 * host has them, before anything of the guest is opened; the VMM then moves its
 * threads itself, and reads back what came of it (a cpuset may have less).
 *
 * A real-time priority needs RLIMIT_RTPRIO. It is raised for the process that
 * asked, to the priority of the policy and no further: that takes no capability
 * beyond what netd has for RLIMIT_MEMLOCK, whereas setting the scheduler of
 * another's threads would take CAP_SYS_NICE, and a word from the VMM about when
 * they are there.
 */

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "netd/priv.h"

#define CPU_DIR "sys/devices/system/cpu"
#define LIST_MAX 1024 /* of a CPU list's text */

/* ---- lists as the kernel prints them, of any host ------------------------ */

int cpus_parse(const char *s, struct cpus *ret)
{
	*ret = (struct cpus){ 0 };
	while (*s && *s != '\n') {
		char *end;
		unsigned long lo = strtoul(s, &end, 10), hi = lo;

		if (end == s)
			return -EINVAL;
		s = end;
		if (*s == '-') {
			hi = strtoul(s + 1, &end, 10);
			if (end == s + 1)
				return -EINVAL;
			s = end;
		}
		if (hi >= CPUS_MAX || lo > hi)
			return -EINVAL;
		for (; lo <= hi; lo++)
			ret->bit[lo / 64] |= 1ull << lo % 64;
		if (*s == ',')
			s++;
	}
	return 0;
}

static int read_list(int root_fd, const char *path, struct cpus *ret)
{
	char text[LIST_MAX];
	int r = sysfs_read(root_fd, path, text, sizeof(text));

	return r < 0 ? r : cpus_parse(text, ret);
}

static bool has(const struct cpus *c, unsigned cpu)
{
	return c->bit[cpu / 64] >> cpu % 64 & 1;
}

/* ---- the host ------------------------------------------------------------ */

/* Itself, where the kernel does not say. */
static uint16_t core_of(int root_fd, uint16_t cpu)
{
	struct cpus siblings;
	char path[96];

	snprintf(path, sizeof(path),
	         CPU_DIR "/cpu%u/topology/"
	                 "thread_siblings_list",
	         cpu);
	if (read_list(root_fd, path, &siblings) < 0)
		return cpu;
	for (uint16_t i = 0; i < cpu; i++)
		if (has(&siblings, i))
			return i;
	return cpu;
}

static void read_cores(int root_fd, const struct pol_cpu_list *l,
                       struct pol_host_cpus *h)
{
	for (uint32_t i = 0; i < l->n; i++)
		h->core[l->cpu[i]] = core_of(root_fd, l->cpu[i]);
}

int cpus_check(struct work *w, const struct pol_policy *p,
               const struct pol_guest *g)
{
	const int root_fd = w->env->root_fd;
	struct pol_host_cpus h = { 0 };
	struct cpus online;
	int r;

	if (!g->cpu.pin.n && !g->cpu.emulator.n)
		return 0;
	r = read_list(root_fd, CPU_DIR "/online", &online);
	if (r < 0) {
		reply_warn(w->reply, "cannot see which CPUs the host has: %s",
		           strerror(-r));
		return 0;
	}
	for (unsigned i = 0; i < POL_HOST_CPUS; i++)
		h.online[i] = has(&online, i);
	for (size_t i = 0; g->cpu.apart && i < p->n_guests; i++) {
		read_cores(root_fd, &p->guest[i].cpu.pin, &h);
		read_cores(root_fd, &p->guest[i].cpu.emulator, &h);
	}
	return pol_cpus_check(p, g, &h, &w->diag);
}

/* ---- the lease ----------------------------------------------------------- */

static void add_list(json_t *o, const char *key, const struct pol_cpu_list *l)
{
	json_t *list;

	if (!l->n)
		return;
	list = json_array();
	for (uint32_t i = 0; i < l->n; i++)
		json_array_append_new(list, json_integer(l->cpu[i]));
	json_object_set_new(o, key, list);
}

static void add_number(json_t *o, const char *key, uint32_t n)
{
	if (n)
		json_object_set_new(o, key, json_integer(n));
}

void cpus_describe(json_t *guest, const struct pol_cpus *c)
{
	add_number(guest, "sockets", c->sockets);
	add_number(guest, "cores", c->cores);
	add_number(guest, "threads", c->threads);
	add_number(guest, "apic_id_shift", c->id_shift);
	add_list(guest, "pin", &c->pin);
	add_list(guest, "emulator", &c->emulator);
	add_number(guest, "fifo", c->fifo);
	if (c->halt_poll.given == POL_GIVEN)
		json_object_set_new(
			guest, "halt_poll_ns",
			json_integer((json_int_t)c->halt_poll.v * 1000));
}

void cpus_allow_fifo(struct work *w, const struct pol_cpus *c)
{
	int r;

	if (!c->fifo)
		return;
	r = limit_raise(w, RLIMIT_RTPRIO, c->fifo);
	if (r < 0)
		reply_warn(w->reply,
		           "cannot raise RLIMIT_RTPRIO of pid %d to %u: %s",
		           w->peer.pid, c->fifo, strerror(-r));
}
