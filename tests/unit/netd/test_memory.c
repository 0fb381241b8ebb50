/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a lease says of memory nodes and of the guest's identity, and what of
 * the host is looked at before; over a tree of files. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/netd/tree.h"

#define GIB (1ull << 30)
#define NODE "sys/devices/system/node/"
/* As /sys has it, what is not looked at left out. */
#define MEMINFO(n, total, free, active, inactive, slab)                        \
	"Node " #n " MemTotal:       " #total " kB\n"                          \
	"Node " #n " MemFree:        " #free " kB\n"                           \
	"Node " #n " Active(anon):    1 kB\n"                                  \
	"Node " #n " Active(file):    " #active " kB\n"                        \
	"Node " #n " Inactive(file):  " #inactive " kB\n"                      \
	"Node " #n " SReclaimable:    " #slab " kB\n"

/* Nodes 0, 2 and 3; 2 has no memory. */
static int setup(void **state)
{
	static struct tree t;

	tree_make(&t);
	put(&t, NODE "online", "0,2-3\n");
	put(&t, NODE "node0/meminfo",
	    MEMINFO(0, 8388608, 1048576, 524288, 262144, 262144));
	put(&t, NODE "node2/meminfo", MEMINFO(2, 0, 0, 0, 0, 0));
	put(&t, NODE "node3/meminfo", MEMINFO(3, 4194304, 4194304, 0, 0, 0));
	put(&t, NODE "node0/distance", "10 15 21\n");
	put(&t, NODE "node3/distance", "21 12 10\n");
	put(&t, NODE "node3/hugepages/hugepages-2048kB/free_hugepages",
	    "512\n");
	*state = &t;
	return 0;
}

static struct pol_guest guest(uint64_t memory, int host)
{
	return (struct pol_guest){
		.name = "g", .cpus = 2, .memory = memory, .host_node = host
	};
}

static int check(const struct tree *t, const struct pol_guest *g,
                 struct work *w)
{
	struct env e = { .root_fd = t->fd };
	int r;

	*w = (struct work){ .env = &e, .reply = json_object() };
	r = memory_check(w, g);
	w->env = NULL;
	if (r)
		assert_int_equal(json_object_size(w->reply), 0);
	return r;
}

static void test_check(void **state)
{
	struct pol_guest g = guest(2 * GIB, 0);
	struct work w;

	g.prefault = true;
	/* 1 GiB free, 1 GiB of cache */
	assert_int_equal(check(*state, &g, &w), 0);
	json_decref(w.reply);
	g.memory += 2 << 20;
	assert_int_equal(check(*state, &g, &w), -ENOMEM);
	assert_int_equal(w.diag.code, FL_POL_NODE_MEMORY);
	json_decref(w.reply);
	g.prefault = false; /* as it is used */
	assert_int_equal(check(*state, &g, &w), 0);
	json_decref(w.reply);
	for (g.host_node = 1; g.host_node <= 2; g.host_node++) {
		assert_int_equal(check(*state, &g, &w), -ENODEV);
		assert_int_equal(w.diag.code, FL_POL_NODE);
		json_decref(w.reply);
	}
	g = guest(GIB, 3);
	g.page = 2 << 20;
	assert_int_equal(check(*state, &g, &w), 0);
	json_decref(w.reply);
	g.host_node = 0; /* no pool there */
	assert_int_equal(check(*state, &g, &w), -ENOMEM);
	json_decref(w.reply);
}

static void test_preferred(void **state)
{
	struct pol_guest g = guest(16 * GIB, 0);
	struct work w;
	const char *said;

	g.numa = POL_NUMA_PREFERRED;
	assert_int_equal(check(*state, &g, &w), 0);
	assert_int_equal(w.diag.code, 0);
	said = json_string_value(
		json_array_get(json_object_get(w.reply, "warnings"), 0));
	assert_non_null(said);
	assert_non_null(strstr(said, "8192 MiB in all; others serve"));
	json_decref(w.reply);
}

/* With functions 0000:01:00.0 on, as many as `functions`. */
static void described(const struct tree *t, const struct pol_guest *g,
                      size_t functions, const char *want)
{
	static struct grant give;
	json_t *o = json_object();
	char *text;

	give.n = functions;
	for (size_t i = 0; i < functions; i++)
		give.fn[i].bdf = (struct bdf){ .bus = 1, .fn = (uint8_t)i };
	memory_describe(t->fd, g, &give, o);
	text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, want);
	free(text);
	json_decref(o);
}

static void test_describe(void **state)
{
	struct pol_memory_node node[] = {
		{ .size = GIB, .cpus = 1, .host = 3 },
		{ .size = GIB, .cpus = 2, .host = 0 },
		{ .size = GIB, .cpus = 0, .host = -1 },
	};
	struct pol_guest g = guest(GIB, -1);

	described(*state, &g, 0, "{}");
	g.lock = true;
	g.host_node = 3;
	described(*state, &g, 0,
	          "{\"lock\":true,\"nodes\":[{\"cpus\":[0,1],\"distances\":[10]"
	          ",\"host\":3,\"size\":1073741824}]}");
	assert_true(memory_locked(&g) == 2 * GIB);
	g = guest(3 * GIB, -1);
	g.node = node;
	g.n_nodes = 3;
	g.numa = POL_NUMA_PREFERRED;
	described(*state, &g, 0,
	          "{\"nodes\":["
	          "{\"cpus\":[0],\"distances\":[10,21,0],\"host\":3,"
	          "\"size\":1073741824},"
	          "{\"cpus\":[1],\"distances\":[21,10,0],\"host\":0,"
	          "\"size\":1073741824},"
	          "{\"cpus\":[],\"distances\":[0,0,0],\"size\":1073741824}],"
	          "\"prefer_nodes\":true}");
}

/* Where all functions are of one node, and the guest has memory there. */
static void test_pci_node(void **state)
{
	struct pol_memory_node node[] = {
		{ .size = GIB, .cpus = 1, .host = 3 },
		{ .size = GIB, .host = 0 },
	};
	static const char near[] =
		"{\"nodes\":["
		"{\"cpus\":[0],\"distances\":[10,21],\"host\":3,\"size\":"
		"1073741824},"
		"{\"cpus\":[],\"distances\":[21,10],\"host\":0,\"size\":"
		"1073741824}]%s}";
	struct pol_guest g = guest(2 * GIB, -1);
	char want[512];

	g.node = node;
	g.n_nodes = 2;
	put(*state, "sys/bus/pci/devices/0000:01:00.0/numa_node", "0\n");
	put(*state, "sys/bus/pci/devices/0000:01:00.1/numa_node", "0\n");
	put(*state, "sys/bus/pci/devices/0000:01:00.2/numa_node", "-1\n");
	snprintf(want, sizeof(want), near, ",\"pci_node\":1");
	described(*state, &g, 1, want);
	described(*state, &g, 2, want);
	snprintf(want, sizeof(want), near, "");
	described(*state, &g, 3, want);
	described(*state, &g, 0, want);
}

static const char *uuid_of(const char *name, char buf[UUID_STRLEN])
{
	struct pol_guest g = { 0 };
	json_t *o = json_object();
	const char *uuid;

	snprintf(g.name, sizeof(g.name), "%s", name);
	identity_describe(&g, o);
	uuid = json_string_value(
		json_object_get(json_object_get(o, "smbios"), "uuid"));
	snprintf(buf, UUID_STRLEN, "%s", uuid ? uuid : "");
	json_decref(o);
	return buf;
}

static void test_identity(void **state)
{
	char a[UUID_STRLEN], b[UUID_STRLEN];
	struct pol_guest g = {
		.name = "g",
		.smbios = { .serial = "S", .uuid = { 0x12 }, .has_uuid = true }
	};
	json_t *o = json_object();
	char *text;

	(void)state;
	identity_describe(&g, o);
	text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text,
	                    "{\"smbios\":{\"serial\":\"S\",\"uuid\":\"12000000"
	                    "-0000-0000-0000-000000000000\"}}");
	free(text);
	json_decref(o);
	if (!*uuid_of("g", a)) {
		print_message("skipped: this host has no machine-id\n");
		skip();
	}
	assert_string_equal(uuid_of("g", b), a);
	assert_string_not_equal(uuid_of("h", b), a);
	assert_int_equal(a[14], '4'); /* RFC 9562: random, as far as told */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_preferred),
		cmocka_unit_test(test_describe),
		cmocka_unit_test(test_pci_node),
		cmocka_unit_test(test_identity),
	};

	return cmocka_run_group_tests(tests, setup, tree_teardown);
}
