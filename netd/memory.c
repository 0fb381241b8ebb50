/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's memory nodes and its identity: what the lease says of them, and
 * whether the host's nodes have what the policy wants of them.
 *
 * Looked at before anything of the guest is made ready: nothing is held back
 * for it, so memory that others take in between is missing all the same.
 *
 * The UUID is made of this host's machine-id and the guest's name, by
 * sd_id128_get_machine_app_specific(3), from which the machine-id cannot be
 * told: the same over restarts, another on another host. A system in the guest
 * takes it for its own machine-id, and that is in its DHCP requests.
 */

#include <stdio.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "netd/priv.h"

#define NODES "sys/devices/system/node"

/* "Node 0 MemFree:         9974480 kB" */
static uint64_t amount(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? strtoull(at + strlen(key), NULL, 10) << 10 : 0;
}

/* What is not there leaves zeros, which say so. */
static void look(int root_fd, int node, uint64_t page,
                 struct pol_host_node *ret)
{
	char text[SYSFS_MAX], path[128];
	uint64_t pages = 0;

	snprintf(path, sizeof(path), NODES "/node%d/meminfo", node);
	if (sysfs_read(root_fd, path, text, sizeof(text)) < 0)
		return;
	ret->total = amount(text, " MemTotal:");
	ret->there = ret->total;
	ret->free = amount(text, " MemFree:") + amount(text, " Active(file):") +
	            amount(text, " Inactive(file):") +
	            amount(text, " SReclaimable:");
	ret->free = MIN(ret->free, ret->total);
	if (!page)
		return;
	snprintf(path, sizeof(path),
	         NODES "/node%d/hugepages/hugepages-%llukB/free_hugepages",
	         node, (unsigned long long)page >> 10);
	if (!sysfs_read_u64(root_fd, path, &pages))
		ret->free_pages = pages * page;
}

/* From its start on: pinned, of a pool, or asked for. */
static bool is_held(const struct pol_guest *g)
{
	bool held = g->n_devices || g->page || g->prefault || g->lock;

	for (size_t i = 0; i < g->n_nics; i++)
		held = held || g->nic[i].pool != SIZE_MAX;
	return held;
}

int memory_check(struct work *w, const struct pol_guest *g)
{
	struct pol_memory_node node[POL_MEMORY_NODES_MAX];
	_cleanup_free_ struct pol_host_node *host =
		calloc(POL_HOST_NODES, sizeof(*host));
	size_t n = pol_guest_nodes(g, node);
	struct diag d = { 0 };
	int r;

	if (!host)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (node[i].host >= 0)
			look(w->env->root_fd, node[i].host, g->page,
			     &host[node[i].host]);
	r = pol_nodes_check(g, is_held(g), host, POL_HOST_NODES, &d);
	if (!r)
		return 0;
	if (g->numa != POL_NUMA_PREFERRED) {
		w->diag = d;
		return r;
	}
	reply_warn(w->reply, "%s: %s; others serve", d.what, d.why);
	return 0;
}

/* ---- what the lease says ------------------------------------------------- */

/* Which number in a list of distances is a node's: those of the nodes that are
 * online, in their order. -1 = none. */
static int place_of(const char *online, int node)
{
	int place = 0;

	for (const char *s = online; *s; s += *s == ',') {
		char *end;
		long first = strtol(s, &end, 10), last = first;

		if (end == s)
			return -1;
		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		if (node >= first && node <= last)
			return place + (int)(node - first);
		place += (int)(last - first + 1);
		s = end;
	}
	return -1;
}

static unsigned distance(int root_fd, const char *online, int from, int to)
{
	char path[96], text[SYSFS_MAX], *at = text;
	int place = place_of(online, to);
	unsigned long far = 0;

	snprintf(path, sizeof(path), NODES "/node%d/distance", from);
	if (from < 0 || place < 0 ||
	    sysfs_read(root_fd, path, text, sizeof(text)) < 0)
		return 0;
	for (int i = 0; i <= place; i++) {
		char *end;

		far = strtoul(at, &end, 10);
		if (end == at)
			return 0;
		at = end;
	}
	return far <= UINT8_MAX ? (unsigned)far : 0;
}

static json_t *cpus_json(uint64_t cpus)
{
	json_t *list = json_array();

	for (int i = 0; i < POL_CPUS_MAX; i++)
		if (cpus & 1ull << i)
			json_array_append_new(list, json_integer(i));
	return list;
}

static json_t *node_json(int root_fd, const char *online,
                         const struct pol_memory_node *node, size_t n, size_t i)
{
	json_t *far = json_array();
	json_t *o = json_pack("{s:I, s:o}", "size", (json_int_t)node[i].size,
	                      "cpus", cpus_json(node[i].cpus));

	if (node[i].host >= 0)
		json_object_set_new(o, "host", json_integer(node[i].host));
	for (size_t k = 0; k < n; k++)
		json_array_append_new(
			far,
			json_integer(distance(root_fd, online, node[i].host,
		                              node[k].host)));
	json_object_set_new(o, "distances", far);
	return o;
}

/* The host's node that all functions are of; -1 = they are of several, or there
 * is none, or the firmware does not say. */
static int node_of_all(int root_fd, const struct grant *give)
{
	int node = -1;

	for (size_t i = 0; i < give->n; i++) {
		char b[BDF_STRLEN], path[96], text[16];
		int of = -1;

		snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/numa_node",
		         bdf_format(give->fn[i].bdf, b));
		if (sysfs_read(root_fd, path, text, sizeof(text)) > 0)
			of = (int)strtol(text, NULL, 10);
		if (of < 0 || (i && of != node))
			return -1;
		node = of;
	}
	return node;
}

static void add_pci_node(int root_fd, const struct grant *give,
                         const struct pol_memory_node *node, size_t n,
                         json_t *guest)
{
	int host = node_of_all(root_fd, give);

	for (size_t i = 0; host >= 0 && i < n; i++)
		if (node[i].host == host) {
			json_object_set_new(guest, "pci_node",
			                    json_integer((json_int_t)i));
			return;
		}
}

void memory_describe(int root_fd, const struct pol_guest *g,
                     const struct grant *give, json_t *guest)
{
	struct pol_memory_node node[POL_MEMORY_NODES_MAX];
	size_t n = pol_guest_nodes(g, node);
	json_t *list = json_array();
	char online[SYSFS_MAX];

	if (sysfs_read(root_fd, NODES "/online", online, sizeof(online)) < 0)
		online[0] = '\0';
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list,
		                      node_json(root_fd, online, node, n, i));
	if (n)
		json_object_set(guest, "nodes", list);
	json_decref(list);
	add_pci_node(root_fd, give, node, n, guest);
	if (n && g->numa == POL_NUMA_PREFERRED)
		json_object_set_new(guest, "prefer_nodes", json_true());
	if (g->lock)
		json_object_set_new(guest, "lock", json_true());
}

uint64_t memory_locked(const struct pol_guest *g)
{
	uint64_t bytes = g->memory;

	/* What is locked counts once, what VFIO pins of it once more. */
	return g->lock ? 2 * bytes : bytes;
}

/* ---- who it is ----------------------------------------------------------- */

struct id128 {
	LIB_FN(sd_id128_get_machine_app_specific)
};

/* FNV-1a of 128 bits. */
static sd_id128_t name_hash(const char *name)
{
	static const char space[] = "fairlead guest ";
	const unsigned __int128 prime = (unsigned __int128)1 << 88 | 0x13b;
	unsigned __int128 h = (unsigned __int128)0x6c62272e07bb0142 << 64 |
	                      0x62b821756295c58d;
	sd_id128_t ret;

	for (const char *s = space; *s; s++)
		h = (h ^ (uint8_t)*s) * prime;
	for (const char *s = name; *s; s++)
		h = (h ^ (uint8_t)*s) * prime;
	memcpy(&ret, &h, sizeof(ret));
	return ret;
}

static int host_specific(const char *name, sd_id128_t *ret)
{
	static const char *const names[] = { LIB_NAME(
		sd_id128_get_machine_app_specific) };
	struct id128 lib;
	int r = lib_load("libsystemd.so.0", names, ARRAY_SIZE(names), &lib);

	return r ? r
	         : lib.sd_id128_get_machine_app_specific(name_hash(name), ret);
}

/* A host without a machine-id gives none: the system in the guest then makes
 * one up by itself. */
static void add_uuid(const struct pol_guest *g, json_t *o)
{
	char text[UUID_STRLEN];
	sd_id128_t id;

	if (g->smbios.has_uuid)
		memcpy(&id, g->smbios.uuid, sizeof(id));
	else if (host_specific(g->name, &id) < 0)
		return;
	json_object_set_new(o, "uuid",
	                    json_string(uuid_format(id.bytes, text)));
}

void identity_describe(const struct pol_guest *g, json_t *guest)
{
	const struct {
		const char *key, *value;
	} text[] = {
		{ "manufacturer", g->smbios.manufacturer },
		{ "product", g->smbios.product },
		{ "version", g->smbios.version },
		{ "serial", g->smbios.serial },
	};
	json_t *o = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(text); i++)
		if (*text[i].value)
			json_object_set_new(o, text[i].key,
			                    json_string(text[i].value));
	add_uuid(g, o);
	json_object_set_new(guest, "smbios", o);
}
