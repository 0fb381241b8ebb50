/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an inventory tells of switches, bridges and overlays: it comes back
 * whole, what a policy names is found in it as netd finds it on the machine,
 * and an older one that lacks it is refused.
 */

#include "tests/unit/policy/state.h"

#include <jansson.h>

static struct pol_errors errs;
static struct text text;

#define PF_LINE                                                                \
	"pf 0000:3b:00.0 id=15b3:101d driver=mlx5_core ifname=ens1f0np0 "      \
	"total=8 vfs=2 offset=2 stride=1 autoprobe=0 link=up mtu=9000 "        \
	"mode=switchdev group=gold:1:2:3:4 "                                   \
	"param=flow_steering_mode:dmfs param=esw_multiport:false "             \
	"in=br-fast:1 tagged=10-20 up=1 port-name=ens1f0np0\n"                 \
	"vf 0 mac=02:00:00:00:00:01 rate-group=gold in=br-fast:100 up=1 "      \
	"port-name=eth7\n"                                                     \
	"vf 1 in=bond0 strange=1 driver=\n"
#define LINKS                                                                  \
	"link lo mtu=65536 address=127.0.0.1\n"                                \
	"link ens1f0np0 mtu=9000 address=192.0.2.1 address=2001:db8::1\n"      \
	"link under mtu=1600 address=192.0.2.9\n"                              \
	"link br-fast mtu=1500 bridge=1\nlink br-slow mtu=1500 bridge=0\n"     \
	"link bond0 mtu=1500\nlink br-int mtu=1500\nlink vx200 mtu=1500\n"     \
	"link br-blue mtu=1450 bridge=1 made=1\nlink vx100 mtu=1450 made=1\n"  \
	"link br-red mtu=1450 bridge=0 made=1\nlink vx300 mtu=1450 made=1\n"
#define OVERS                                                                  \
	"over br-blue made=1 dev=vx100 id=100 local=192.0.2.1 "                \
	"remote=192.0.2.2 remote=192.0.2.3 udp=4789 mtu=1450 learning=1 "      \
	"vlan=7 dev-down=1 bridge-down=1 port=tap0\n"                          \
	"over br-red made=1\n"                                                 \
	"over br-int ovs=1 made=1 datapath=netdev port=tap1\n"                 \
	"over br-ex ovs=1 others=1 datapath=system\n"

static const char machine[] =
	"host iommu remapping open-vswitch\n" PF_LINE LINKS OVERS;

static struct pol_state *make(const char *lines)
{
	static char copy[4096];

	assert_true(strlen(lines) < sizeof(copy));
	strcpy(copy, lines);
	return state_parse(copy);
}

static char *format(const struct pol_state *s)
{
	char *out = NULL;
	size_t len = 0;

	assert_int_equal(pol_inventory_format(s, "test", &out, &len), 0);
	return out;
}

static struct pol_state *parse(const char *from)
{
	struct pol_state *s = NULL;

	if (pol_inventory_parse(from, strlen(from), &s, &errs)) {
		text.n = 0;
		text_errors(&text, &errs);
		fail_msg("%s", text.buf);
	}
	return s;
}

/* ---- round --------------------------------------------------------------- */

static void check_links(const struct pol_state *a, const struct pol_state *b)
{
	assert_int_equal(a->n_links, b->n_links);
	for (size_t i = 0; i < a->n_links; i++) {
		struct pol_link x = a->link[i], y = b->link[i];

		assert_int_equal(x.n_addresses, y.n_addresses);
		if (x.n_addresses)
			assert_memory_equal(x.address, y.address,
			                    x.n_addresses * sizeof(*x.address));
		x.address = y.address = NULL;
		assert_memory_equal(&x, &y, sizeof(x));
	}
}

/* Byte by byte, as in test_inventory.c: a field without a row is noticed. */
static void test_round(void **state)
{
	struct pol_state *s = make(machine), *back;
	char *once = format(s), *twice;

	(void)state;
	back = parse(once);
	assert_memory_equal(&s->pf[0].sw, &back->pf[0].sw, sizeof(s->pf->sw));
	for (size_t i = 0; i < 2; i++)
		assert_memory_equal(&s->pf[0].vf[i], &back->pf[0].vf[i],
		                    sizeof(*s->pf->vf));
	check_links(s, back);
	assert_int_equal(s->n_overs, back->n_overs);
	for (size_t i = 0; i < s->n_overs; i++)
		assert_memory_equal(&s->over[i], &back->over[i],
		                    sizeof(*s->over));
	assert_true(back->ovs);
	twice = format(back);
	assert_string_equal(once, twice);
	pol_state_free(back);
	pol_state_free(s);
	free(twice);
	free(once);
}

/* In the journal as an earlier version wrote it, which also reads back. */
static void test_journal(void **state)
{
	static const char was[] =
		"[{\"there\":true,\"bridge\":\"br-blue\",\"dev\":\"vx100\","
		"\"id\":100,\"local\":\"192.0.2.1\",\"group\":\"\",\"remote\":"
		"[\"192.0.2.2\",\"192.0.2.3\"],\"device\":\"\",\"port\":4789,"
		"\"mtu\":1450,\"learning\":true,\"vlan\":7,\"dev-down\":true,"
		"\"bridge-down\":true},{\"there\":false,\"bridge\":\"br-none\","
		"\"dev\":\"vx9\",\"id\":0,\"local\":\"\",\"group\":\"\","
		"\"remote\":[],\"device\":\"\",\"port\":0,\"mtu\":0,"
		"\"learning\":false,\"vlan\":0,\"dev-down\":false,"
		"\"bridge-down\":false},{\"there\":true,\"bridge\":\"br-int\","
		"\"type\":\"ovs\",\"datapath-type\":\"netdev\"},{\"there\":"
		"false,\"bridge\":\"br-none2\",\"type\":\"ovs\"}]";
	struct pol_state *s =
		make("over br-blue made=1 dev=vx100 id=100 local=192.0.2.1 "
	             "remote=192.0.2.2 remote=192.0.2.3 udp=4789 mtu=1450 "
	             "learning=1 vlan=7 dev-down=1 bridge-down=1\n"
	             "over br-none dev=vx9\n"
	             "over br-int ovs=1 made=1 datapath=netdev\n"
	             "over br-none2 ovs=1\n");
	struct pol_state *back = NULL;
	json_t *doc = pol_state_to_json(s);
	json_t *overs = json_object_get(doc, "overlays");
	char *is = json_dumps(overs, JSON_COMPACT);

	(void)state;
	assert_string_equal(is, was);
	assert_int_equal(pol_state_from_json(doc, &back), 0);
	assert_int_equal(back->n_overs, s->n_overs);
	for (size_t i = 0; i < s->n_overs; i++)
		assert_memory_equal(&s->over[i], &back->over[i],
		                    sizeof(*s->over));
	pol_state_free(back);
	json_object_del(json_array_get(overs, 0), "dev-down");
	assert_int_equal(pol_state_from_json(doc, &back), 0);
	assert_false(back->over[0].o.dev_down);
	pol_state_free(back);
	json_object_del(json_array_get(overs, 0), "id");
	assert_int_equal(pol_state_from_json(doc, &back), -EBADMSG);
	json_decref(doc);
	free(is);
	pol_state_free(s);
}

/* ---- asked --------------------------------------------------------------- */

static struct pol_over asked(const char *lines, const char *want)
{
	struct pol_state *s = make(lines), *w = make(want);
	const struct pol_over *o;
	struct pol_over ret;

	assert_int_equal(pol_inventory_ask(w, s), 0);
	o = state_over(s, w->over[0].o.bridge);
	assert_non_null(o);
	ret = *o;
	pol_state_free(w);
	pol_state_free(s);
	return ret;
}

/* As netd/overlay-read.c has it. */
static void test_overlay(void **state)
{
	static const struct {
		const char *want;
		bool there;
		const char *outer;
		uint32_t mtu, id;
		const char *foreign, *ports;
	} t[] = {
		{ "over br-blue dev=vx100 local=192.0.2.1", true, "ens1f0np0",
		  9000, 100, "", "tap0" },
		{ "over br-blue dev=vx100 local=192.0.2.7 device=under", true,
		  "under", 1600, 100, "", "tap0" },
		{ "over br-blue dev=vx100 local=192.0.2.7", true, "", 0, 100,
		  "", "tap0" },
		{ "over br-blue dev=vx100 local=192.0.2.1 device=none", true,
		  "none", 0, 100, "", "tap0" },
		/* Another id: the old tunnel is in the bridge. */
		{ "over br-blue dev=vx101 local=192.0.2.9", true, "under", 1600,
		  0, "", "vx100" },
		{ "over br-red dev=vx100 local=2001:db8::1", true, "ens1f0np0",
		  9000, 0, "", "" },
		/* A part of one that is ours. */
		{ "over br-new dev=vx300 local=192.0.2.1", true, "ens1f0np0",
		  9000, 0, "", "" },
		{ "over br-new dev=vx9 local=192.0.2.1", false, "ens1f0np0",
		  9000, 0, "", "" },
		{ "over br-fast dev=vx9 local=192.0.2.1", false, "ens1f0np0",
		  9000, 0, "br-fast", "" },
		{ "over br-new dev=vx200 local=192.0.2.1", false, "ens1f0np0",
		  9000, 0, "vx200", "" },
		{ "over br-int dev=vx9 local=192.0.2.1", false, "ens1f0np0",
		  9000, 0, "br-int", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct pol_over o = asked(machine, t[i].want);

		if (o.there != t[i].there || o.o.id != t[i].id ||
		    o.outer_mtu != t[i].mtu ||
		    strcmp(o.outer, t[i].outer) != 0 ||
		    strcmp(o.foreign, t[i].foreign) != 0 ||
		    strcmp(o.ports, t[i].ports) != 0 || o.o.ovs)
			fail_msg("%s: there %d id %u by %s (%u), '%s' is "
			         "another's, '%s' in it",
			         t[i].want, o.there, o.o.id, o.outer,
			         o.outer_mtu, o.foreign, o.ports);
	}
}

/* As netd/ovs-set.c has it. */
static void test_ovs(void **state)
{
	static const struct {
		const char *want;
		bool there;
		enum pol_ovs_datapath datapath;
		const char *foreign, *ports;
	} t[] = {
		{ "over br-int ovs=1", true, POL_OVS_NETDEV, "", "tap1" },
		{ "over br-ex ovs=1", false, POL_OVS_SYSTEM, "br-ex", "" },
		{ "over br-new ovs=1", false, POL_OVS_ANY, "", "" },
		{ "over br-fast ovs=1", false, POL_OVS_ANY, "br-fast", "" },
		{ "over br-blue ovs=1", false, POL_OVS_ANY, "br-blue", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct pol_over o = asked(machine, t[i].want);

		if (o.there != t[i].there || o.o.datapath != t[i].datapath ||
		    strcmp(o.foreign, t[i].foreign) != 0 ||
		    strcmp(o.ports, t[i].ports) != 0 || !o.o.ovs)
			fail_msg("%s: there %d datapath %d, '%s' is another's, "
			         "'%s' in it",
			         t[i].want, o.there, (int)o.o.datapath,
			         o.foreign, o.ports);
	}
}

static void test_bridge(void **state)
{
	static const struct {
		const char *name;
		bool there, filtering;
	} t[] = {
		{ "br-fast", true, true },
		{ "br-slow", true, false },
		{ "bond0", false, false },
		{ "br-none", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct pol_state *s = make(machine), *w = make(machine);
		struct pol_switch *sw = &s->pf[0].sw;

		/* What a policy before this one met is no answer. */
		set_text(sw->bridge[0].name, POL_IFNAME, "br-other");
		sw->n_bridges = 1;
		s->pf[0].set |= POL_HAS_BRIDGE;
		w->pf[0].set = POL_HAS_BRIDGE;
		w->n_overs = 0;
		set_text(w->pf[0].sw.bridge[0].name, POL_IFNAME, t[i].name);
		w->pf[0].sw.n_bridges = 1;
		assert_int_equal(pol_inventory_ask(w, s), 0);
		assert_int_equal(sw->n_bridges, 1);
		assert_string_equal(sw->bridge[0].name, t[i].name);
		assert_int_equal(sw->bridge[0].there, t[i].there);
		assert_int_equal(sw->bridge[0].filtering, t[i].filtering);
		pol_state_free(w);
		pol_state_free(s);
	}
}

/* More parameters than a policy can name are all kept, and found. */
static void test_params(void **state)
{
	struct pol_state *s = make(machine), *w = make(machine), *back;
	struct pol_action a = { .op = POL_OP_PARAM, .vf = -1 };
	const struct pol_plan plan = { &a, 1 };
	struct diag d = { .code = 0 };
	struct pol_switch *sw = &s->pf[0].sw;
	char *out;

	(void)state;
	sw->n_all = 40;
	sw->all = calloc(sw->n_all, sizeof(*sw->all));
	for (unsigned i = 0; i < sw->n_all; i++) {
		snprintf(sw->all[i].name, POL_NAME, "param-%u", i / 2);
		snprintf(sw->all[i].value, POL_PARAM_VALUE, "%u", i);
		sw->all[i].init = i % 2;
	}
	out = format(s);
	back = parse(out);
	free(out);
	assert_int_equal(back->pf[0].sw.n_all, 40);
	assert_int_equal(back->pf[0].sw.n_params, 0);
	w->n_overs = 0;
	w->pf[0].set = POL_HAS_PARAMS;
	w->pf[0].sw.n_params = 2;
	w->pf[0].sw.param[0] = sw->all[37];
	strcpy(w->pf[0].sw.param[0].value, "other");
	assert_int_equal(pol_inventory_ask(w, back), 0);
	assert_int_equal(back->pf[0].sw.n_params, 1);
	assert_string_equal(back->pf[0].sw.param[0].value, "37");
	a.pf = back->pf[0].bdf;
	a.param = w->pf[0].sw.param[0];
	assert_int_equal(pol_sim(back, &plan, &d), 0);
	out = format(back);
	assert_non_null(strstr(out, "\"param-18\", \"value\": \"other\""));
	assert_non_null(strstr(out, "\"param-0\", \"value\": \"0\""));
	free(out);
	pol_state_free(back);
	pol_state_free(w);
	pol_state_free(s);
}

/* ---- what is missing ----------------------------------------------------- */

static void check_lacks(const char *lines, const char *want, unsigned n,
                        const char *word)
{
	struct pol_state *s = make(lines), *w = make(want);

	assert_int_equal(pol_inventory_ask(w, s), 0);
	assert_int_equal(pol_inventory_lacks(w, s, &errs), n ? -EINVAL : 0);
	assert_int_equal(errs.n, n);
	if (n)
		assert_non_null(strstr(errs.e[0].diag.what, word));
	for (size_t i = 0; i < errs.n; i++)
		assert_int_equal(errs.e[i].diag.code, FL_POL_INVENTORY_LACKS);
	pol_state_free(w);
	pol_state_free(s);
}

/* An older recording tells nothing of all this; a new one, that there is none.
 * Open vSwitch that did not run is not known. */
static void test_lacks(void **state)
{
#define OLD "host\npf 0000:3b:00.0 vfs=0\n"
#define BLUE "over br-blue dev=vx100 made=1\n"
#define INT "over br-int ovs=1 made=1\n"
	(void)state;
	check_lacks(OLD, "pf 0000:3b:00.0 param=x:1\n", 1, "'devlink-params'");
	check_lacks(OLD, "pf 0000:3b:00.0 bridge=br0:1\n", 1, "'bridge'");
	check_lacks(OLD, BLUE, 1, "br-blue");
	check_lacks(OLD, INT, 1, "br-int");
	check_lacks(OLD "link lo mtu=1\n", "pf 0000:3b:00.0 bridge=br0:1\n", 0,
	            NULL);
	check_lacks(OLD "link lo mtu=1\n", BLUE, 0, NULL);
	check_lacks(OLD "link lo mtu=1\n", BLUE INT, 1, "br-int");
	check_lacks("host open-vswitch\npf 0000:3b:00.0 vfs=0\n", INT, 0, NULL);
}

#define HOST                                                                   \
	"{\"fairlead-inventory\": 1, \"iommu\": true, "                        \
	"\"interrupt-remapping\": true}\n"

static void test_bad(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *word;
	} t[] = {
		{ "{\"interface\": \"eth0\"}", FL_POL_INVENTORY_LACKS,
		  "'mtu'" },
		{ "{\"interface\": \"eth0\", \"mtu\": 1, \"mac\": 1}",
		  FL_POL_INVENTORY, "'mac'" },
		{ "{\"interface\": \"eth0\", \"mtu\": 1, \"addresses\": "
		  "[\"192.0.2.1\", \"192.0.2\"]}",
		  FL_POL_INVENTORY, "'addresses'" },
		{ "{\"interface\": \"eth0\", \"mtu\": 1}\n"
		  "{\"interface\": \"eth0\", \"mtu\": 1}",
		  FL_POL_INVENTORY, "eth0 is there twice" },
		{ "{\"overlay\": \"br0\", \"id\": 1}", FL_POL_INVENTORY_LACKS,
		  "'interface'" },
		{ "{\"overlay\": \"br0\", \"id\": 16777216}", FL_POL_INVENTORY,
		  "'id'" },
		{ "{\"overlay\": \"br0\", \"local\": \"here\"}",
		  FL_POL_INVENTORY, "'local'" },
		{ "{\"interface\": \"lo\", \"mtu\": 1}\n"
		  "{\"overlay\": \"br0\", \"bridge\": \"br0\"}",
		  FL_POL_INVENTORY, "'bridge'" },
		{ "{\"ovs-bridge\": \"br0\"}", FL_POL_INVENTORY_LACKS,
		  "'datapath-type'" },
		{ "{\"ovs-bridge\": \"br0\", \"datapath-type\": \"dpdk\"}",
		  FL_POL_INVENTORY, "'datapath-type'" },
	};
	char all[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct pol_state *s = NULL;

		snprintf(all, sizeof(all), HOST "%s", t[i].text);
		assert_int_equal(
			pol_inventory_parse(all, strlen(all), &s, &errs),
			-EINVAL);
		assert_null(s);
		if (errs.n != 1 || errs.e[0].diag.code != t[i].code ||
		    !strstr(errs.e[0].diag.what, t[i].word))
			fail_msg("%s: %zu errors, FL-%04d %s", t[i].text,
			         errs.n, errs.e[0].diag.code,
			         errs.e[0].diag.what);
	}
}

/* ---- what an apply leaves ------------------------------------------------ */

/* A second policy meets what the first has made: the overlay, the bridge's
 * filtering, the PF's MTU below it. */
static void test_after(void **state)
{
	struct pol_state *s = make(machine), *back;
	struct pol_over over = { .there = true, .o = { .id = 9, .mtu = 1450 } };
	struct pol_action a[] = {
		{ .op = POL_OP_OVERLAY, .vf = -1, .over = &over },
		{ .op = POL_OP_BRIDGE, .vf = -1, .number = 0 },
		{ .op = POL_OP_PF_MTU, .vf = -1, .number = 1500 },
	};
	const struct pol_plan plan = { a, ARRAY_SIZE(a) };
	struct pol_state *w = make("over br-new dev=vx9 local=192.0.2.1\n");
	struct diag d = { .code = 0 };
	const struct pol_over *o;
	char *out;

	(void)state;
	over.o.local = w->over[0].o.local;
	strcpy(over.o.bridge, "br-new");
	strcpy(over.o.dev, "vx9");
	for (size_t i = 0; i < ARRAY_SIZE(a); i++)
		a[i].pf = s->pf[0].bdf;
	strcpy(a[1].port.bridge, "br-fast");
	assert_int_equal(pol_inventory_ask(w, s), 0);
	assert_int_equal(pol_sim(s, &plan, &d), 0);
	out = format(s);
	assert_null(strstr(out, "\"bridge\": {"));
	back = parse(out);
	free(out);
	assert_int_equal(pol_inventory_ask(w, back), 0);
	o = state_over(back, "br-new");
	assert_true(o->there);
	assert_int_equal(o->o.id, 9);
	assert_int_equal(o->outer_mtu, 1500);
	assert_false(back->link[3].filtering);
	pol_state_free(back);
	/* And one that goes is there no more. */
	a[0].op = POL_OP_OVERLAY_GONE;
	strcpy(over.o.bridge, "br-blue");
	assert_int_equal(pol_sim(s, &plan, &d), 0);
	out = format(s);
	assert_null(strstr(out, "br-blue"));
	assert_null(strstr(out, "vx100"));
	free(out);
	pol_state_free(w);
	pol_state_free(s);
}

static void test_anonymize(void **state)
{
	struct pol_state *s = make(machine);
	char ip[POL_IP_TEXT];

	(void)state;
	assert_true(pol_ip_parse("239.1.1.1", &s->over[0].o.group));
	assert_int_equal(pol_anonymize(s), 0);
	assert_string_equal(pol_ip_format(&s->link[0].address[0], ip),
	                    "127.0.0.1");
	assert_string_equal(pol_ip_format(&s->link[1].address[0], ip),
	                    "198.18.0.1");
	assert_true(pol_ip_equal(&s->link[1].address[0], &s->over[0].o.local));
	assert_string_equal(pol_ip_format(&s->over[0].o.remote[1], ip),
	                    "198.18.0.3");
	assert_string_equal(pol_ip_format(&s->over[0].o.group, ip),
	                    "233.252.0.5");
	assert_string_equal(pol_ip_format(&s->link[1].address[1], ip),
	                    "2001:db8::6");
	pol_state_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_journal),
		cmocka_unit_test(test_overlay),
		cmocka_unit_test(test_ovs),
		cmocka_unit_test(test_bridge),
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_lacks),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_after),
		cmocka_unit_test(test_anonymize),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
