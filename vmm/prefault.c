/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest RAM brought in before it is pinned: zeroing is all the cost there is,
 * and the pinning in the kernel would do it on one CPU. One thread a CPU that
 * we may use, each kept on its CPU.
 *
 * Where those CPUs are of several NUMA nodes, each node's threads bring in a
 * part of RAM of their own, so that it comes from their node: the guest sees
 * one node, and all memory controllers serve it. Who wants a guest on one
 * node starts it on that node's CPUs (CPUAffinity=, numactl --cpunodebind).
 *
 * Where memory is bound to nodes (numa.h), the parts are those: pages come from
 * their node whoever asks, so a node's CPUs begin with theirs, and then help
 * with what is left of the others'.
 *
 * A slice at a time, by MADV_COLLAPSE first where pages are not huge by
 * themselves: it makes huge pages of a memfd even where the host's
 * shmem_enabled says "never", as Debian's does. But it passes over 2 MiB that
 * are wholly empty, so each gets its first page before. In instructions, for
 * 512 MiB: so 194 million, page by page 1045 million. What it could not do is
 * left to MADV_POPULATE_WRITE, which says so when memory runs out.
 */

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>

#include "vmm/priv.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1; glibc 2.36 does not know it */
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif
#define HUGE (2ull << 20)
#define SLICE (128ull << 20)

struct part { /* of RAM, for one node */
	_Atomic uint64_t next;
	uint64_t end;
	int node; /* that it is bound to; -1 = none */
};
struct job {
	char *hva;
	uint64_t slice;
	bool collapse;
	_Atomic int err;
	struct part part[PREFAULT_CPUS_MAX];
	unsigned n_parts;
	bool bound; /* the parts are the caller's */
};
struct worker {
	struct job *job;
	struct part *part; /* where parts are not bound: its own */
	pthread_t thread;
	unsigned node; /* of its CPU */
	bool started;
};

static int bring_in(const struct job *j, uint64_t from, uint64_t size)
{
	char *hva = j->hva + from;

	if (j->collapse) {
		for (uint64_t at = 0; at < size; at += HUGE)
			((volatile char *)hva)[at] = 0;
		/* Only a hint: memory may be in pieces. */
		(void)madvise(hva, size, MADV_COLLAPSE);
	}
	return madvise(hva, size, MADV_POPULATE_WRITE) < 0 ? -errno : 0;
}

static void work_on(struct job *j, struct part *p)
{
	while (!j->err) {
		uint64_t from = atomic_fetch_add(&p->next, j->slice);
		int r;

		if (from >= p->end)
			return;
		r = bring_in(j, from, MIN(j->slice, p->end - from));
		if (r < 0)
			j->err = r;
	}
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct job *j = w->job;

	if (!j->bound)
		work_on(j, w->part);
	for (unsigned i = 0; j->bound && i < j->n_parts; i++)
		if (j->part[i].node == (int)w->node)
			work_on(j, &j->part[i]);
	for (unsigned i = 0; j->bound && i < j->n_parts; i++)
		work_on(j, &j->part[i]);
	return NULL;
}

/* ---- which CPUs, and of which nodes
 * ------------------------------------------
 */

/* At most `max` of those that we may use, spread evenly. */
static unsigned choose_cpus(const cpu_set_t *allowed, unsigned max,
                            unsigned cpu[static PREFAULT_CPUS_MAX])
{
	unsigned all = (unsigned)CPU_COUNT(allowed), seen = 0, n = 0;

	max = MIN(MIN(max, all), (unsigned)PREFAULT_CPUS_MAX);
	for (unsigned i = 0; i < CPU_SETSIZE && n < max; i++)
		if (CPU_ISSET(i, allowed) && seen++ == n * all / max)
			cpu[n++] = i;
	return n;
}

/* Nobody can be asked for the node of a CPU without reading /sys, which this
 * process does not see; but a thread knows its own. */
static unsigned node_of(unsigned cpu)
{
	unsigned at = 0, node = 0;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0 || getcpu(&at, &node))
		return 0;
	return node;
}

/* Which part each CPU works on: one a node, in the order of their first CPU. */
unsigned prefault_parts(const unsigned *node, unsigned n, unsigned *ret_part)
{
	unsigned parts = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned k = 0;

		while (k < i && node[k] != node[i])
			k++;
		ret_part[i] = k < i ? ret_part[k] : parts++;
	}
	return parts;
}

/* Whole slices each; the last has the rest. */
static void split(struct job *j, uint64_t bytes, unsigned parts)
{
	uint64_t each = parts < 2 ? bytes : ALIGN_UP(bytes / parts, j->slice);

	j->n_parts = parts;
	for (unsigned i = 0; i < parts; i++) {
		j->part[i].next = MIN(i * each, bytes);
		j->part[i].end =
			i + 1 == parts ? bytes : MIN((i + 1) * each, bytes);
	}
}

static void take_parts(struct job *j, const struct prefault_part *part,
                       unsigned n)
{
	j->n_parts = MIN(n, (unsigned)PREFAULT_CPUS_MAX);
	for (unsigned i = 0; i < j->n_parts; i++) {
		j->part[i].next = part[i].off;
		j->part[i].end = part[i].off + part[i].size;
		j->part[i].node = part[i].node;
	}
}

/* ---- all of it
 * -----------------------------------------------------------------
 */

static void start(struct worker *w, unsigned cpu)
{
	pthread_attr_t attr;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (pthread_attr_init(&attr))
		return;
	if (!pthread_attr_setaffinity_np(&attr, sizeof(one), &one))
		w->started = !pthread_create(&w->thread, &attr, worker_main, w);
	pthread_attr_destroy(&attr);
}

static unsigned run(struct job *j, const cpu_set_t *allowed, uint64_t bytes,
                    unsigned max)
{
	unsigned cpu[PREFAULT_CPUS_MAX], node[PREFAULT_CPUS_MAX];
	unsigned part[PREFAULT_CPUS_MAX] = { 0 }, n, started = 0;
	struct worker w[PREFAULT_CPUS_MAX] = { 0 };

	n = choose_cpus(allowed, max, cpu);
	for (unsigned i = 0; i < n; i++)
		node[i] = node_of(cpu[i]);
	(void)sched_setaffinity(0, sizeof(*allowed), allowed);
	if (!j->bound)
		split(j, bytes, prefault_parts(node, n, part));
	for (unsigned i = 0; i < n; i++) {
		w[i].job = j;
		w[i].node = node[i];
		w[i].part = &j->part[part[i]];
		start(&w[i], cpu[i]);
		started += w[i].started;
	}
	for (unsigned i = 0; i < n; i++)
		if (w[i].started)
			pthread_join(w[i].thread, NULL);
	/* What nobody did, because a thread could not be made. */
	for (unsigned i = 0; i < j->n_parts; i++)
		work_on(j, &j->part[i]);
	return MAX(started, 1u);
}

int prefault(void *hva, uint64_t bytes, uint64_t page,
             const struct prefault_part *part, unsigned n_parts,
             struct prefault_stats *ret)
{
	struct job j = { .hva = hva, .collapse = !page, .bound = n_parts };
	uint64_t begin = now_ns();
	cpu_set_t allowed;

	*ret = (struct prefault_stats){ .bytes = bytes, .threads = 1 };
	j.slice = MAX(SLICE, page);
	CPU_ZERO(&allowed);
	if (bytes <= j.slice ||
	    sched_getaffinity(0, sizeof(allowed), &allowed) ||
	    CPU_COUNT(&allowed) < 2) {
		j.slice = bytes; /* one call to the kernel */
		split(&j, bytes, 1);
		work_on(&j, &j.part[0]);
	} else {
		take_parts(&j, part, n_parts);
		ret->threads = run(&j, &allowed, bytes,
		                   (unsigned)MIN(bytes / j.slice,
		                                 (uint64_t)PREFAULT_CPUS_MAX));
	}
	ret->ns = now_ns() - begin;
	return j.err;
}
