/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which socket each memory node is in: that of the first of its CPUs. One
 * without CPUs (memory of CXL) is in none that could be told.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netd/priv.h"

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
	unsigned node, cpu;
	uint64_t package;
	int end = 0;

	if (sscanf(name, "node%u%n", &node, &end) != 1 || name[end] ||
	    node >= POL_SOCKET_NODES)
		return 0;
	snprintf(path, sizeof(path), "sys/devices/system/node/node%u/cpulist",
	         node);
	if (sysfs_read(s->root_fd, path, text, sizeof(text)) <= 0 ||
	    sscanf(text, "%u", &cpu) != 1)
		return 0;
	snprintf(path, sizeof(path),
	         "sys/devices/system/cpu/cpu%u/topology/physical_package_id",
	         cpu);
	if (sysfs_read(s->root_fd, path, text, sizeof(text)) > 0 &&
	    !parse_u64(text, INT32_MAX, &package))
		s->socket[node] = number_of(s, (unsigned)package);
	return 0;
}

void observe_sockets(const struct env *e, struct pol_machine *m)
{
	struct sockets s = { .root_fd = e->root_fd, .socket = m->socket };

	(void)!sysfs_each(e->root_fd, "sys/devices/system/node", see_node, &s);
}
