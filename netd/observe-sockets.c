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
	uint64_t node, package;
	unsigned long cpu;
	char *end = NULL;

	if (strncmp(name, "node", 4) != 0 ||
	    parse_u64(name + 4, POL_SOCKET_NODES - 1, &node))
		return 0;
	snprintf(path, sizeof(path), "sys/devices/system/node/%.16s/cpulist",
	         name);
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

	(void)!sysfs_each(e->root_fd, "sys/devices/system/node", see_node, &s);
}
