/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory nodes. Which socket each is in: that of the first of its CPUs; one
 * without CPUs (memory of CXL) is in none that could be told. And the huge
 * pages it has, whoever uses them.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netd/priv.h"

#define NODES "sys/devices/system/node"

static bool is_node(const char *name, uint64_t *ret)
{
	return !strncmp(name, "node", 4) &&
	       !parse_u64(name + 4, POL_SOCKET_NODES - 1, ret);
}

/* ---- sockets ------------------------------------------------------------- */

struct sockets {
	int root_fd;
	uint8_t *socket;             /* of each node; the result */
	unsigned package[UINT8_MAX]; /* the kernel's number of each */
	size_t n;
};

/* From 1, in the order in which they are met; 0 = no room. */
static uint8_t number_of(struct sockets *s, unsigned package)
{
	size_t i = 0;

	while (i < s->n && s->package[i] != package)
		i++;
	if (i == ARRAY_SIZE(s->package))
		return 0;
	if (i == s->n)
		s->package[s->n++] = package;
	return (uint8_t)(i + 1);
}

static int see_node(const char *name, void *arg)
{
	struct sockets *s = arg;
	char path[96], text[SYSFS_MAX];
	uint64_t node, package;
	unsigned long cpu;
	char *end = NULL;

	if (!is_node(name, &node))
		return 0;
	snprintf(path, sizeof(path), NODES "/%.16s/cpulist", name);
	if (sysfs_read(s->root_fd, path, text, sizeof(text)) <= 0)
		return 0;
	cpu = strtoul(text, &end, 10);
	if (end == text)
		return 0;
	snprintf(path, sizeof(path),
	         "sys/devices/system/cpu/cpu%lu/topology/physical_package_id",
	         cpu);
	if (sysfs_read(s->root_fd, path, text, sizeof(text)) > 0 &&
	    !parse_u64(text, INT32_MAX, &package))
		s->socket[node] = number_of(s, (unsigned)package);
	return 0;
}

void observe_sockets(const struct env *e, struct pol_machine *m)
{
	struct sockets s = { .root_fd = e->root_fd, .socket = m->socket };

	(void)!sysfs_each(e->root_fd, NODES, see_node, &s);
}

/* ---- huge pages ---------------------------------------------------------- */

struct counting {
	int root_fd;
	struct pol_machine *m;
};

/* Of a size that the host does not know there are none. */
static int count_pages(const char *name, void *arg)
{
	const struct counting *c = arg;
	uint64_t node, pages;
	char path[128];

	if (!is_node(name, &node))
		return 0;
	for (unsigned i = 0; i < POL_PAGE_SIZES; i++) {
		snprintf(path, sizeof(path),
		         NODES "/%.16s/hugepages/hugepages-%" PRIu64
		               "kB/nr_hugepages",
		         name, pol_page_size(i) >> 10);
		if (sysfs_read_u64(c->root_fd, path, &pages) == 0)
			c->m->pages[node].n[i] =
				(uint32_t)MIN(pages, (uint64_t)UINT32_MAX);
	}
	c->m->n_pages = MAX(c->m->n_pages, (size_t)node + 1);
	return 0;
}

int observe_pages(const struct env *e, struct pol_machine *m)
{
	struct counting c = { .root_fd = e->root_fd, .m = m };

	m->pages = calloc(POL_SOCKET_NODES, sizeof(*m->pages));
	if (!m->pages)
		return -ENOMEM;
	(void)!sysfs_each(e->root_fd, NODES, count_pages, &c);
	return 0;
}
