/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is counted: of a PF's VFs as the kernel's rtnl_fill_vfinfo() says it, of
 * spoofed frames as drivers do, and of requests. */

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "netd/guard.h"
#include "netd/metrics.h"
#include "tests/unit/netd/daemon.h"

/* ---- VFs' counters ------------------------------------------------------- */

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static json_int_t number_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void put_vf(struct nl_msg *m, uint32_t index, uint64_t first)
{
	struct ifla_vf_mac mac = { .vf = index };
	struct nlattr *info = nla_nest_start(m, IFLA_VF_INFO), *stats;

	nla_put(m, IFLA_VF_MAC, sizeof(mac), &mac);
	stats = nla_nest_start(m, IFLA_VF_STATS);
	for (int i = IFLA_VF_STATS_RX_PACKETS; i <= IFLA_VF_STATS_TX_DROPPED;
	     i++)
		if (i != IFLA_VF_STATS_PAD)
			nla_put_u64(m, i, first ? first + (uint64_t)i : 0);
	nla_nest_end(m, stats);
	nla_nest_end(m, info);
}

static struct link_stats *decoded(uint32_t index, uint64_t first)
{
	struct ifinfomsg i = { .ifi_index = 7 };
	struct link_stats *s = calloc(1, sizeof(*s));
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWLINK, 0);
	struct nlattr *list;

	nlmsg_append(m, &i, sizeof(i), NLMSG_ALIGNTO);
	list = nla_nest_start(m, IFLA_VFINFO_LIST);
	put_vf(m, index, first);
	nla_nest_end(m, list);
	assert_int_equal(rtnl_stats_decode(nlmsg_hdr(m), s), 0);
	nlmsg_free(m);
	return s;
}

static void test_stats(void **state)
{
	struct link_stats *s = decoded(3, 100);

	(void)state;
	assert_true(s->vf[3].there);
	assert_false(s->vf[0].there);
	assert_int_equal(s->vf[3].v[VF_RX_PACKETS],
	                 100 + IFLA_VF_STATS_RX_PACKETS);
	assert_int_equal(s->vf[3].v[VF_TX_DROPPED],
	                 100 + IFLA_VF_STATS_TX_DROPPED);
	free(s);
}

/* Beyond the table, cut short, of another kind: nothing is made of it. */
static void test_stats_bad(void **state)
{
	struct link_stats *s = decoded(POL_VFS_MAX, 1);
	struct nl_msg *m = nlmsg_alloc_simple(RTM_DELLINK, 0);

	(void)state;
	for (size_t i = 0; i < POL_VFS_MAX; i++)
		assert_false(s->vf[i].there);
	assert_int_equal(rtnl_stats_decode(nlmsg_hdr(m), s), -EBADMSG);
	nlmsg_hdr(m)->nlmsg_type = RTM_NEWLINK;
	assert_int_equal(rtnl_stats_decode(nlmsg_hdr(m), s), -EBADMSG);
	nlmsg_free(m);
	free(s);
}

/* Zeros are a number only where the driver is known to count. */
static void test_counted(void **state)
{
	struct link_stats *zeros = decoded(0, 0), *some = decoded(0, 1);

	(void)state;
	assert_false(stats_counted(zeros, "igb"));
	assert_true(stats_counted(zeros, "ice"));
	assert_true(stats_counted(some, "igb"));
	free(zeros);
	free(some);
}

/* ---- spoofed frames ------------------------------------------------------ */

static void test_spoof_words(void **state)
{
	static const struct {
		const char *record;
		bool is;
		int vf;
		uint64_t count;
	} t[] = {
		{ "4,812,99,-;igb 0000:01:00.0: Spoof event(s) detected on "
		  "VF 6\n SUBSYSTEM=pci\n",
		  true, 6, 1 },
		{ "4,812,99,-;ixgbe 0000:01:00.0 eth0: 12 Spoofed packets "
		  "detected\n",
		  true, -1, 12 },
		/* From a program, by its facility. */
		{ "12,812,99,-;igb 0000:01:00.0: Spoof event(s) detected on "
		  "VF 6",
		  false, 0, 0 },
		{ "4,1,1,-;igb 0000:01:00.0: Spoof event(s) detected on VF ",
		  false, 0, 0 },
		{ "4,1,1,-;igb 0000:01:00.0: Spoof event(s) detected on VF 6x",
		  false, 0, 0 },
		{ "4,1,1,-;igbvf 0000:01:00.0: Spoof event(s) detected on VF 6",
		  false, 0, 0 },
		{ "4,1,1,-;igb 0000:01:0g.0: Spoof event(s) detected on VF 6",
		  false, 0, 0 },
		{ "4,1,1,-;ice 0000:01:00.0: 12 Spoofed packets detected",
		  false, 0, 0 },
		{ "4,1,1,-;igb", false, 0, 0 },
		{ "4,1,1,-;", false, 0, 0 },
		{ "", false, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct spoof_count c = { .vf = 0 };

		if (spoofs_record(t[i].record, &c) != t[i].is)
			fail_msg("%s", t[i].record);
		if (!t[i].is)
			continue;
		assert_int_equal(c.vf, t[i].vf);
		assert_int_equal(c.count, t[i].count);
		assert_int_equal(c.pf.bus, 1);
	}
}

static void test_spoof_table(void **state)
{
	static struct spoofs all;
	struct spoof_count c = { .count = 2 };

	(void)state;
	for (int i = 0; i < SPOOFS_MAX + 5; i++) {
		c.vf = i;
		spoofs_note(&all, &c);
	}
	c.vf = 1;
	spoofs_note(&all, &c);
	assert_int_equal(all.n, SPOOFS_MAX);
	assert_int_equal(all.s[1].count, 4);
}

/* ---- functions that the kernel recovers ---------------------------------- */

#define RECOVERY(s, c) recoveries_uevent(s, sizeof(s), c)
#define OF_PCI                                                                 \
	"change@/devices/pci0000:00/0000:3b:00.1\0ACTION=change\0"             \
	"SUBSYSTEM=pci\0PCI_SLOT_NAME=0000:3b:00.1"

static void test_recoveries(void **state)
{
	static const char begun[] = OF_PCI "\0ERROR_EVENT=BEGIN_RECOVERY\0"
					   "DEVICE_ONLINE=0";
	static struct recoveries all;
	struct recovery_count c;
	json_t *list;

	(void)state;
	assert_false(RECOVERY(OF_PCI, &c));
	assert_false(RECOVERY(OF_PCI "\0ERROR_EVENT=BEGIN", &c));
	assert_false(RECOVERY("SUBSYSTEM=net\0PCI_SLOT_NAME=0000:3b:00.1\0"
	                      "ERROR_EVENT=BEGIN_RECOVERY",
	                      &c));
	assert_false(RECOVERY("SUBSYSTEM=pci\0PCI_SLOT_NAME=3b\0"
	                      "ERROR_EVENT=BEGIN_RECOVERY",
	                      &c));
	assert_false(recoveries_uevent(begun, sizeof(begun) - 1, &c));
	assert_false(recoveries_uevent(begun, 0, &c));
	for (int i = 0; i < 2; i++) {
		assert_true(RECOVERY(begun, &c));
		recoveries_note(&all, &c);
	}
	assert_true(RECOVERY(OF_PCI "\0ERROR_EVENT=FAILED_RECOVERY", &c));
	recoveries_note(&all, &c);
	list = recoveries_json(&all);
	assert_string_equal(text_of(json_array_get(list, 0), "bdf"),
	                    "0000:3b:00.1");
	assert_string_equal(text_of(json_array_get(list, 0), "event"), "begun");
	assert_int_equal(number_of(json_array_get(list, 0), "count"), 2);
	assert_string_equal(text_of(json_array_get(list, 1), "event"),
	                    "failed");
	assert_int_equal(number_of(json_array_get(list, 1), "count"), 1);
	json_decref(list);
	for (unsigned i = 0; i < RECOVERIES_MAX + 5; i++) {
		c.bdf.bus = (uint8_t)i;
		recoveries_note(&all, &c);
	}
	assert_int_equal(all.n, RECOVERIES_MAX);
}

/* ---- guards of taps ------------------------------------------------------ */

#define OF_TABLE "\"family\":\"netdev\",\"table\":\"fairlead\","
#define CHAIN(name) "{\"chain\":{" OF_TABLE "\"name\":\"" name "\"}}"
#define RULE(chain, comment, n)                                                \
	"{\"rule\":{" OF_TABLE "\"chain\":\"" chain                            \
	"\",\"comment\":\"" comment                                            \
	"\",\"expr\":[{\"match\":{}},{\"counter\":{\"packets\":" #n            \
	",\"bytes\":1}},{\"drop\":null}]}}"

/* As nft lists the table: of each interface its own, and a guard that dropped
 * nothing is not one that is not there. */
static void test_drops(void **state)
{
	json_t *all = json_loads(
		"{\"nftables\":[{\"metainfo\":{}},{\"table\":{}}," CHAIN("tap/a") "," CHAIN(
			"tap/b") "," RULE("tap/a", "mac",
	                                  3) "," RULE("tap/a", "nd",
	                                              1) "," RULE("tap/a", "nd",
	                                                          4) "]}",
		0, NULL);
	json_t *drops = guard_drops(all, "a");

	(void)state;
	assert_int_equal(json_object_size(drops), 2);
	assert_int_equal(number_of(drops, "mac"), 3);
	assert_int_equal(number_of(drops, "nd"), 5);
	json_decref(drops);
	drops = guard_drops(all, "b");
	assert_true(json_is_object(drops));
	assert_int_equal(json_object_size(drops), 0);
	json_decref(drops);
	assert_null(guard_drops(all, "c"));
	assert_null(guard_drops(NULL, "a"));
	json_decref(all);
}

/* ---- the verb ------------------------------------------------------------ */

static json_t *ask_metrics(struct daemon *d)
{
	_cleanup_close_ int fd = dial(d);
	json_t *doc;

	say(fd, "{\"version\":1,\"verb\":\"metrics\"}");
	doc = receive(fd, 5000);
	assert_true(json_is_true(json_object_get(doc, "ok")));
	return doc;
}

/* Requests are counted, its own among them, the time after. */
static void test_verb(void **state)
{
	json_t *doc = ask_metrics(*state);
	const json_t *list, *v = NULL;

	assert_true(json_is_array(json_object_get(doc, "pfs")));
	assert_true(json_is_array(json_object_get(doc, "leases")));
	assert_true(json_is_array(json_object_get(doc, "health")));
	assert_true(json_is_array(json_object_get(doc, "drops")));
	assert_true(json_is_array(json_object_get(doc, "recoveries")));
	assert_string_equal(json_string_value(json_object_get(doc, "journal")),
	                    "none");
	json_decref(doc);
	doc = ask_metrics(*state);
	list = json_object_get(doc, "requests");
	/* Others are netd's own. */
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);

		if (!strcmp(json_string_value(json_object_get(one, "verb")),
		            "metrics"))
			v = one;
	}
	assert_non_null(v);
	assert_int_equal(json_integer_value(json_object_get(v, "done")), 1);
	json_decref(doc);
}

/* Where to listen, and by which names, is the applied policy's. */
static void test_listen(void **state)
{
	static const struct {
		const char *policy, *listen, *names;
	} t[] = {
		{ "version: 1\n", NULL, "sriov-exporter" },
		{ "version: 1\nhost:\n  metrics: { listen: "
		  "\"127.0.0.2:9808\" }\n",
		  "127.0.0.2:9808", "sriov-exporter" },
		{ "version: 1\nhost:\n  metrics: { listen: \"[::1]:80\", "
		  "names: fairlead }\n",
		  "[::1]:80", "fairlead" },
		{ "version: 2\n", NULL, NULL },
	};
	struct daemon *d = *state;
	char path[160];

	snprintf(path, sizeof(path), "%s/state/applied.yaml", d->dir.path);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		FILE *f = fopen(path, "w");
		json_t *doc;
		const char *s;

		assert_non_null(f);
		fputs(t[i].policy, f);
		fclose(f);
		doc = ask_metrics(d);
		s = json_string_value(json_object_get(doc, "listen"));
		assert_string_equal(s ? s : "", t[i].listen ? t[i].listen : "");
		s = json_string_value(json_object_get(doc, "names"));
		assert_string_equal(s ? s : "", t[i].names ? t[i].names : "");
		json_decref(doc);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stats),
		cmocka_unit_test(test_stats_bad),
		cmocka_unit_test(test_counted),
		cmocka_unit_test(test_spoof_words),
		cmocka_unit_test(test_spoof_table),
		cmocka_unit_test(test_recoveries),
		cmocka_unit_test(test_drops),
		cmocka_unit_test_setup_teardown(test_verb, setup, teardown),
		cmocka_unit_test_setup_teardown(test_listen, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
