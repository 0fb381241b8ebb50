/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Open vSwitch by its tool. The parser is given what ovs-vsctl prints; a script
 * plays it for the rest: it notes its arguments, and answers with a file.
 */

#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "netd/ovs.h"
#include "netd/tool.h"
#include "tests/unit/netd/tree.h"

/* ---- what it prints ------------------------------------------------------ */

#define BRIDGES(rows)                                                          \
	"{\"data\":[" rows "],\"headings\":[\"name\",\"ports\","               \
	"\"datapath_type\",\"external_ids\"]}\n"
#define PORTS(rows)                                                            \
	"{\"data\":[" rows "],\"headings\":[\"_uuid\",\"name\",\"tag\","       \
	"\"trunks\",\"vlan_mode\",\"interfaces\",\"external_ids\","            \
	"\"bond_mode\",\"cvlans\",\"lacp\",\"other_config\",\"qos\"]}\n"
#define IFACES(rows)                                                           \
	"{\"data\":[" rows "],\"headings\":[\"_uuid\",\"name\",\"type\","      \
	"\"error\",\"options\",\"ofport_request\",\"other_config\","           \
	"\"external_ids\"]}\n"
#define NONE "[\"set\",[]]"
#define EMPTY "[\"map\",[]]"
#define OURS "[\"map\",[[\"fairlead\",\"made\"]]]"
#define PLAIN NONE "," NONE "," NONE "," EMPTY "," NONE
#define PORT(name, vlans, ids)                                                 \
	"[[\"uuid\",\"p-" name "\"],\"" name "\"," vlans                       \
	",[\"uuid\",\"i-" name "\"]," ids "," PLAIN "]"
#define IFACE(name, type, error)                                               \
	"[[\"uuid\",\"i-" name "\"],\"" name "\",\"" type "\"," error          \
	"," EMPTY "," NONE "," EMPTY "," EMPTY "]"

static const char tables[] = BRIDGES(
	"[\"br-int\",[\"set\",[[\"uuid\",\"p-br-int\"],"
	"[\"uuid\",\"p-tap1\"],[\"uuid\",\"p-rep2\"],"
	"[\"uuid\",\"p-rep3\"],[\"uuid\",\"p-up\"],"
	"[\"uuid\",\"p-odd\"],[\"uuid\",\"p-gone\"]]],\"\"," OURS
	"],[\"br-own\",[\"uuid\",\"p-br-own\"],\"netdev\"," EMPTY "]")
	PORTS(PORT("br-int", NONE "," NONE "," NONE, EMPTY) "," PORT("br-own", NONE "," NONE "," NONE, EMPTY) "," PORT(
		"tap1", "0," NONE ",\"access\"",
		OURS) "," PORT("rep2",
                               "10,[\"set\",[22,20,21]],"
                               "\"native-untagged\"",
                               OURS) "," PORT("rep3", NONE ",30," NONE,
                                              OURS) "," PORT("up",
                                                             NONE "," NONE
                                                                  "," NONE,
                                                             EMPTY) "," PORT("odd",
                                                                             "5,7,\"dot1q-"
                                                                             "tunnel\"",
                                                                             EMPTY) "," PORT("gone",
                                                                                             "9," NONE
                                                                                             "," NONE,
                                                                                             OURS))
		IFACES(IFACE("br-int", "internal", NONE) "," IFACE("br-own", "internal", NONE) "," IFACE(
			"tap1", "",
			NONE) "," IFACE("rep2", "",
                                        NONE) "," IFACE("rep3", "system",
                                                        NONE) "," IFACE("up",
                                                                        "",
                                                                        NONE) "," IFACE("odd",
                                                                                        "",
                                                                                        NONE) "," IFACE("gone",
                                                                                                        "",
                                                                                                        "\"could not open\""));

static struct pol_port where(const struct ovs_view *v, const char *ifname)
{
	struct pol_port p = { .up = true };

	snprintf(p.ifname, sizeof(p.ifname), "%s", ifname);
	ovs_port_see(v, &p);
	return p;
}

static void test_parse(void **state)
{
	struct ovs_view v;
	struct pol_port p;

	(void)state;
	assert_int_equal(ovs_parse(tables, &v), 0);
	assert_int_equal(v.n_bridges, 2);
	assert_true(v.bridge[0].ours && !v.bridge[1].ours);
	assert_int_equal(v.bridge[0].datapath, POL_OVS_SYSTEM);
	assert_int_equal(v.bridge[1].datapath, POL_OVS_NETDEV);
	assert_int_equal(v.n_ports, 6);
	p = where(&v, "tap1");
	assert_true(p.ovs && p.up && !p.strange);
	assert_string_equal(p.bridge, "br-int");
	assert_int_equal(p.pvid, 1);
	assert_int_equal(p.n_tagged, 0);
	p = where(&v, "rep2");
	assert_int_equal(p.pvid, 10);
	assert_int_equal(p.n_tagged, 1);
	assert_int_equal(p.tagged[0].first, 20);
	assert_int_equal(p.tagged[0].last, 22);
	p = where(&v, "rep3");
	assert_int_equal(p.pvid, 0);
	assert_int_equal(p.tagged[0].last, 30);
	p = where(&v, "up");
	assert_true(pol_ovs_all(&p) && !p.strange);
	p = where(&v, "odd");
	assert_true(p.strange);
	/* What ovs-vswitchd could not take is in no bridge. */
	p = where(&v, "gone");
	assert_false(p.ovs || *p.bridge);
	p = where(&v, "br-int");
	assert_false(p.ovs);
	ovs_view_free(&v);
}

/* What is written is what is read. */
static void test_words(void **state)
{
	static const struct {
		struct pol_port p;
		const char *word[3];
	} row[] = {
		{ { .pvid = 1 }, { "vlan_mode=access", "tag=0" } },
		{ { .pvid = 7 }, { "vlan_mode=access", "tag=7" } },
		{ { .n_tagged = 2, .tagged = { { 7, 7 }, { 9, 12 } } },
		  { "vlan_mode=trunk", "trunks=7,9-12" } },
		{ { .pvid = 1, .n_tagged = 1, .tagged = { { 2, 4094 } } },
		  { NULL } },
		{ { .pvid = 5, .n_tagged = 1, .tagged = { { 6, 6 } } },
		  { "vlan_mode=native-untagged", "tag=5", "trunks=6" } },
	};
	struct pol_ovs_words w;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		unsigned n = 0;

		pol_ovs_words(&row[i].p, &w);
		for (; n < 3 && row[i].word[n]; n++)
			assert_string_equal(w.word[n], row[i].word[n]);
		assert_int_equal(w.n, n);
	}
}

static void test_damaged(void **state)
{
	static const char *const text[] = {
		"",
		"{}",
		"{\"data\":[],\"headings\":[]}",
		BRIDGES("") PORTS("") "{\"data\":1,\"headings\":[]}",
		BRIDGES("") "ovs-vsctl: no\n",
	};
	struct ovs_view v;
	char cut[sizeof(tables)];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(text); i++)
		assert_int_equal(ovs_parse(text[i], &v), -EBADMSG);
	for (size_t n = 0; n < sizeof(tables); n += 7) {
		memcpy(cut, tables, n);
		cut[n] = '\0';
		if (!ovs_parse(cut, &v))
			ovs_view_free(&v);
	}
	/* Cells of other kinds are not there. */
	assert_int_equal(ovs_parse(BRIDGES("[7,{},[],\"x\"],[\"b\",1,2,3],[]")
	                                   PORTS("[1,2,3],[]") IFACES("[]"),
	                           &v),
	                 0);
	assert_int_equal(v.n_bridges, 1);
	ovs_view_free(&v);
}

/* ---- the tool that is played --------------------------------------------- */

struct host {
	struct tree tree; /* first: tree_teardown() */
	struct env env;
	struct log log;
	struct diag d;
};

static void play(struct host *h, const char *name, const char *does)
{
	char script[512], path[64];

	snprintf(script, sizeof(script),
	         "#!/bin/sh\necho \"$0 $*\" | sed 's,^[^ ]*,%s,' >>%s/said\n"
	         "%s\n",
	         name, h->tree.dir, does);
	snprintf(path, sizeof(path), "usr/bin/%s", name);
	put(&h->tree, path, script);
	assert_int_equal(fchmodat(h->tree.fd, path, 0755, 0), 0);
}

/* Answers a read with `answer`; takes all else. */
static void play_vsctl(struct host *h, const char *answer)
{
	char does[256];

	put(&h->tree, "answer", answer);
	put(&h->tree, "run/openvswitch/db.sock", "");
	snprintf(does, sizeof(does),
	         "case \"$*\" in *list*) cat %s/answer;; esac", h->tree.dir);
	play(h, "ovs-vsctl", does);
}

static int set_up(void **state)
{
	struct host *h = calloc(1, sizeof(*h));

	tree_make(&h->tree);
	h->env.root_fd = h->tree.fd;
	h->env.log = &h->log;
	*state = h;
	return 0;
}

static int tear_down(void **state)
{
	int r = tree_teardown(state);

	free(*state);
	return r;
}

/* The lines that the tool was called with, but those that only read. */
static void said(const struct host *h, const char *want)
{
	_cleanup_close_ int fd = openat(h->tree.fd, "said", O_RDONLY);
	char have[4096] = "", *to = have, line[1024];
	FILE *f = fdopen(dup(fd), "r");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (!strstr(line, " list "))
			to += snprintf(to, sizeof(have) - (size_t)(to - have),
			               "%s", line);
	fclose(f);
	assert_string_equal(have, want);
}

static void test_nobody(void **state)
{
	struct host *h = *state;
	struct pol_over s = { .o = { .bridge = "br-int" } };
	const struct pol_state none = { .n_pfs = 0 };
	struct ovs_view v;

	/* Without a socket nothing is run. */
	play(h, "ovs-vsctl", "exit 1");
	assert_int_equal(ovs_view_read(&h->env, &v, &h->d), 0);
	assert_int_equal(v.n_ports, 0);
	assert_int_equal(ovs_bridge_see(&h->env, &none, false, &s, &h->d), 0);
	assert_int_equal(ovs_bridge_see(&h->env, &none, true, &s, &h->d),
	                 -ENOENT);
	assert_int_equal(h->d.code, FL_NETD_NO_OVS);
	assert_int_equal(faccessat(h->tree.fd, "said", F_OK, 0), -1);
	/* Nor without the tool, but that is told. */
	put(&h->tree, "run/openvswitch/db.sock", "");
	unlinkat(h->tree.fd, "usr/bin/ovs-vsctl", 0);
	assert_int_equal(ovs_view_read(&h->env, &v, &h->d), -ENOENT);
	assert_int_equal(h->d.code, FL_NETD_NO_OVS);
	assert_non_null(strstr(h->d.mend, "apt install"));
}

static void test_refused(void **state)
{
	struct host *h = *state;
	struct ovs_view v;

	play_vsctl(h, "");
	play(h, "ovs-vsctl", "echo 'ovs-vsctl: no such thing' >&2; exit 1");
	assert_int_equal(ovs_view_read(&h->env, &v, &h->d), -EIO);
	assert_int_equal(h->d.code, FL_NETD_OVS);
	assert_string_equal(h->d.why, "ovs-vsctl: no such thing");
	/* Its own deadline. */
	play(h, "ovs-vsctl", "kill -ALRM $$");
	assert_int_equal(ovs_view_read(&h->env, &v, &h->d), -ETIMEDOUT);
	assert_string_equal(h->d.why, "ovs-vswitchd did not answer");
}

static void test_late(void **state)
{
	static const char *const argv[] = { "ovs-vsctl", NULL };
	struct host *h = *state;
	char words[TOOL_WORDS];
	uint64_t begin = now_ns();

	play(h, "ovs-vsctl", "exec sleep 30");
	assert_int_equal(tool_run(h->tree.fd, OVS_TOOL, argv, 200, NULL, words),
	                 -ETIMEDOUT);
	assert_true(now_ns() - begin < 10000000000ull);
}

static void test_bridge(void **state)
{
	struct host *h = *state;
	struct pol_overlay o = { .bridge = "br-int", .ovs = true };
	const struct pol_state none = { .n_pfs = 0 };
	struct pol_over s = { .o = o };

	play_vsctl(h, tables);
	assert_int_equal(ovs_bridge_see(&h->env, &none, true, &s, &h->d), 0);
	assert_true(s.there && !*s.foreign);
	assert_int_equal(s.o.datapath, POL_OVS_SYSTEM);
	/* Of its ports those count that are there, or not ours. */
	assert_string_equal(s.ports, "up");
	s = (struct pol_over){ .o = { .bridge = "br-own" } };
	assert_int_equal(ovs_bridge_see(&h->env, &none, true, &s, &h->d), 0);
	assert_false(s.there);
	assert_int_equal(s.o.datapath, POL_OVS_NETDEV);
	assert_string_equal(s.foreign, "br-own");
	s = (struct pol_over){ .o = { .bridge = "lo" } };
	assert_int_equal(ovs_bridge_see(&h->env, &none, true, &s, &h->d), 0);
	assert_true(!s.o.datapath && *s.foreign);
	assert_int_equal(ovs_bridge_make(&h->env, &o, &h->d), 0);
	/* Another datapath than asked for is no success. */
	o.datapath = POL_OVS_NETDEV;
	assert_int_equal(ovs_bridge_make(&h->env, &o, &h->d), -EIO);
	assert_int_equal(h->d.code, FL_NETD_READBACK);
	said(h, "ovs-vsctl --timeout=15 -- --may-exist add-br br-int -- set "
	        "bridge br-int datapath_type=system external_ids:fairlead="
	        "made\n"
	        "ovs-vsctl --timeout=15 -- --may-exist add-br br-int -- set "
	        "bridge br-int datapath_type=netdev external_ids:fairlead="
	        "made\n");
}

/* For a recording each bridge is looked at; nobody to ask is not "none". */
static void test_each(void **state)
{
	struct host *h = *state;
	struct pol_state s = { .n_pfs = 0 };

	assert_int_equal(ovs_bridges_see(&h->env, &s), 0);
	assert_false(s.ovs);
	play_vsctl(h, tables);
	assert_int_equal(ovs_bridges_see(&h->env, &s), 0);
	assert_true(s.ovs);
	assert_int_equal(s.n_overs, 2);
	assert_string_equal(s.over[0].o.bridge, "br-int");
	assert_true(s.over[0].there && s.over[0].o.ovs);
	assert_string_equal(s.over[0].ports, "up");
	assert_string_equal(s.over[1].foreign, "br-own");
	assert_int_equal(s.over[1].o.datapath, POL_OVS_NETDEV);
	free(s.over);
	s = (struct pol_state){ .n_pfs = 0 };
	play(h, "ovs-vsctl", "exit 1");
	assert_int_equal(ovs_bridges_see(&h->env, &s), 0);
	assert_false(s.ovs);
}

/* The records of interfaces that have gone go; with another in it it stays. */
static void test_remove(void **state)
{
	struct host *h = *state;
	const struct pol_overlay o = { .bridge = "br-int", .ovs = true };
	const struct pol_overlay others = { .bridge = "br-own", .ovs = true };

	play_vsctl(h, tables);
	assert_int_equal(ovs_bridge_remove(&h->env, &o, &h->d), -EIO);
	assert_int_equal(ovs_bridge_remove(&h->env, &others, &h->d), 0);
	play_vsctl(h, BRIDGES("") PORTS("") IFACES(""));
	assert_int_equal(ovs_bridge_remove(&h->env, &o, &h->d), 0);
	said(h, "ovs-vsctl --timeout=15 -- --if-exists del-port tap1\n"
	        "ovs-vsctl --timeout=15 -- --if-exists del-port rep2\n"
	        "ovs-vsctl --timeout=15 -- --if-exists del-port rep3\n"
	        "ovs-vsctl --timeout=15 -- --if-exists del-port gone\n"
	        "ovs-vsctl --timeout=15 -- --if-exists del-port tap1\n"
	        "ovs-vsctl --timeout=15 -- --if-exists del-port rep2\n"
	        "ovs-vsctl --timeout=15 -- --if-exists del-port rep3\n"
	        "ovs-vsctl --timeout=15 -- --if-exists del-port gone\n");
}

/* Who does not answer is not asked of each of them. */
static void test_sweep_late(void **state)
{
	struct host *h = *state;
	char does[256];

	play_vsctl(h, tables);
	snprintf(does, sizeof(does),
	         "case \"$*\" in *list*) cat %s/answer;; *) kill -ALRM $$;; "
	         "esac",
	         h->tree.dir);
	play(h, "ovs-vsctl", does);
	ovs_sweep(&h->env);
	said(h, "ovs-vsctl --timeout=15 -- --if-exists del-port tap1\n");
}

static void test_tap(void **state)
{
	struct host *h = *state;

	play_vsctl(h, tables);
	assert_int_equal(ovs_tap_put(&h->env, "tap1", "br-int", 0, &h->d), 0);
	/* It is in another VLAN when read back. */
	assert_int_equal(ovs_tap_put(&h->env, "tap1", "br-int", 7, &h->d),
	                 -EIO);
	assert_int_equal(h->d.code, FL_NETD_READBACK);
	/* Somebody else's, and no command. */
	assert_int_equal(ovs_tap_put(&h->env, "up", "br-int", 7, &h->d),
	                 -EEXIST);
	assert_int_equal(h->d.code, FL_NETD_OVS);
	assert_int_equal(ovs_tap_put(&h->env, "gone", "br-int", 9, &h->d),
	                 -EIO);
	assert_non_null(strstr(h->d.why, "could not open"));
	said(h, "ovs-vsctl --timeout=15 -- --if-exists del-port tap1 -- "
	        "add-port br-int tap1 vlan_mode=access tag=0 "
	        "external_ids:fairlead=made\n"
	        "ovs-vsctl --timeout=15 -- --if-exists del-port tap1 -- "
	        "add-port br-int tap1 vlan_mode=access tag=7 "
	        "external_ids:fairlead=made\n"
	        "ovs-vsctl --timeout=15 -- --if-exists del-port gone -- "
	        "add-port br-int gone vlan_mode=access tag=9 "
	        "external_ids:fairlead=made\n");
}

static void test_forget(void **state)
{
	struct host *h = *state;

	play_vsctl(h, tables);
	play(h, "ovs-appctl", "");
	assert_false(ovs_forget(&h->env, "tap9"));
	assert_true(ovs_forget(&h->env, "tap1"));
	put(&h->tree, "run/openvswitch/ovs-vswitchd.pid", "417\n");
	assert_true(ovs_forget(&h->env, "tap1"));
	said(h, "ovs-appctl --target=ovs-vswitchd --timeout=5 fdb/flush "
	        "br-int\n"
	        "ovs-appctl --target=/run/openvswitch/ovs-vswitchd.417.ctl "
	        "--timeout=5 fdb/flush br-int\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test_setup_teardown(test_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(test_late, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bridge, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_each, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_remove, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sweep_late, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(test_tap, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_forget, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
