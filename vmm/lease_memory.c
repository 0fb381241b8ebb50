/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the lease says of the guest's memory nodes and of its maker. As strict
 * as lease.c; whether nodes fit together is numa.c's to say.
 */

#include <string.h>

#include "vmm/lease.h"

static int take_cpus(const json_t *list, uint64_t *ret)
{
	uint64_t set = 0;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *v = json_array_get(list, i);
		json_int_t cpu = json_integer_value(v);

		if (!json_is_integer(v) || cpu < 0 || cpu >= VM_CPUS_MAX)
			return -EBADMSG;
		set |= VM_CPU(cpu);
	}
	*ret = set;
	return 0;
}

static int take_distances(const json_t *list, uint8_t *ret)
{
	size_t n = json_array_size(list);

	if (n > VM_NODES_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_array_get(list, i);
		json_int_t far = json_integer_value(v);

		if (!json_is_integer(v) || far < 0 || far > UINT8_MAX)
			return -EBADMSG;
		ret[i] = (uint8_t)far;
	}
	return 0;
}

static int take_node(const json_t *from, struct vm_node *n)
{
	uint64_t host;
	int r = lease_number(from, "size", INT64_MAX, UINT64_MAX, &n->size);

	n->host = -1;
	if (r == 0 && json_object_get(from, "host")) {
		r = lease_number(from, "host", VM_HOST_NODES - 1, 0, &host);
		n->host = (int)host;
	}
	if (r == 0)
		r = take_cpus(json_object_get(from, "cpus"), &n->cpus);
	if (r == 0)
		r = take_distances(json_object_get(from, "distances"),
		                   n->distance);
	return r;
}

int lease_memory(const json_t *guest, struct vm_config *c)
{
	const json_t *list = json_object_get(guest, "nodes");
	size_t n = json_array_size(list);
	uint64_t pci = 0;
	int r = n > VM_NODES_MAX ? -EBADMSG : 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = take_node(json_array_get(list, i), &c->node[i]);
	c->n_nodes = r < 0 ? 0 : (unsigned)n;
	if (r == 0 && json_object_get(guest, "pci_node")) {
		r = lease_number(guest, "pci_node", n ? n - 1 : 0, 0, &pci);
		c->pci_node = (uint8_t)(pci + 1);
	}
	c->ram.lock = json_is_true(json_object_get(guest, "lock"));
	c->ram.prefer = json_is_true(json_object_get(guest, "prefer_nodes"));
	return r;
}

/* ---- its maker ----------------------------------------------------------- */

int lease_smbios(const json_t *guest, struct vm_smbios *ret)
{
	const json_t *from = json_object_get(guest, "smbios");
	const struct {
		const char *key;
		char *to;
	} text[] = {
		{ "manufacturer", ret->manufacturer },
		{ "product", ret->product },
		{ "version", ret->version },
		{ "serial", ret->serial },
	};
	const char *uuid = json_string_value(json_object_get(from, "uuid"));
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(text); i++)
		if (json_object_get(from, text[i].key))
			r = lease_name(from, text[i].key, text[i].to,
			               VM_SMBIOS_TEXT);
	if (r == 0 && json_object_get(from, "uuid"))
		r = uuid && !uuid_parse(uuid, ret->uuid) ? 0 : -EBADMSG;
	return r;
}
