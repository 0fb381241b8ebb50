/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ledger as JSON, and scrubs of a machine that does not always do what it
 * says (sim.h). */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "netd/ledger.h"
#include "tests/unit/netd/sim.h"

static const struct bdf vf0 = { 0, 1, 16, 0 };
static const struct bdf vf1 = { 0, 1, 16, 1 };

/* ---- the document -------------------------------------------------------- */

static json_t *document(const struct ledger *l)
{
	return json_pack("{s:i, s:s, s:o}", "version", 1, "boot", "b1",
	                 "functions", ledger_json(l));
}

static struct ledger sample(void)
{
	struct ledger l = { 0 };
	struct ledger_fn *f = ledger_get(&l, vf0);

	ledger_give(&l, f, "pod/net0", false);
	ledger_give(&l, f, "pod/net1", false);
	strcpy(f->loan.holder, "pod/net1");
	strcpy(f->loan.pool, "edge");
	f->loan.uid = 7;
	f->loan.since = 100;
	f->loan.attr.set = POL_HAS_VLAN | POL_HAS_TRUST;
	f->loan.attr.vlan = 5;
	f->loan.attr.proto = 0x8100;
	f->loan.attr.trust = true;
	f = ledger_get(&l, vf1);
	ledger_give(&l, f, "g/a", false);
	f->state = LEDGER_QUARANTINED;
	f->resets = 3;
	f->scrub = (struct ledger_scrub){ .time = 9,
		                          .generation = 1,
		                          .done = POL_SCRUB_RESET };
	strcpy(f->scrub.why, "trust stays on");
	return l;
}

static void test_round_trip(void **state)
{
	struct ledger l = sample(), back;
	json_t *doc = document(&l);
	const struct ledger_fn *f;

	(void)state;
	assert_int_equal(ledger_decode(doc, "b1", &back), 0);
	assert_int_equal(back.n, 2);
	f = ledger_held_by(&back, "pod/net1");
	assert_non_null(f);
	assert_int_equal(f->generation, 2);
	assert_int_equal(f->loan.uid, 7);
	assert_int_equal(f->loan.attr.set, POL_HAS_VLAN | POL_HAS_TRUST);
	assert_int_equal(f->loan.attr.vlan, 5);
	f = ledger_find(&back, vf1);
	assert_int_equal(f->state, LEDGER_QUARANTINED);
	assert_int_equal(f->scrub.done, POL_SCRUB_RESET);
	assert_int_equal(f->resets, 3);
	assert_int_equal(ledger_find(&back, vf0)->resets, 0);
	assert_string_equal(f->scrub.why, "trust stays on");
	assert_null(ledger_held_by(&back, ""));
	ledger_free(&back);
	json_decref(doc);
	ledger_free(&l);
}

/* Another boot has neither tenants nor traces; the fence stays. */
static void test_new_boot(void **state)
{
	struct ledger l = sample(), back;
	json_t *doc = document(&l);

	(void)state;
	assert_int_equal(ledger_decode(doc, "b2", &back), 0);
	assert_null(ledger_held_by(&back, "pod/net1"));
	assert_int_equal(ledger_find(&back, vf0)->generation, 2);
	assert_int_equal(ledger_find(&back, vf1)->state, LEDGER_CLEAN);
	assert_int_equal(ledger_find(&back, vf1)->resets, 3);
	ledger_free(&back);
	json_decref(doc);
	ledger_free(&l);
}

/* What an earlier netd wrote has no resets, and is as good. */
static void test_older(void **state)
{
	json_t *doc = json_loads("{\"boot\":\"b\",\"functions\":[{\"bdf\":"
	                         "\"0000:01:10.0\",\"generation\":4,"
	                         "\"state\":\"clean\",\"tenant\":\"\"}]}",
	                         0, NULL);
	struct ledger l;

	(void)state;
	assert_int_equal(ledger_decode(doc, "b", &l), 0);
	assert_int_equal(l.fn[0].generation, 4);
	assert_int_equal(l.fn[0].resets, 0);
	ledger_free(&l);
	json_decref(doc);
}

/* ... but not what a tenant has written to a disk. */
static void test_hold(void **state)
{
	struct ledger l = { 0 }, back;
	struct ledger_fn *f = ledger_get(&l, vf0);
	json_t *doc;

	(void)state;
	ledger_give(&l, f, "g/disk", true);
	doc = document(&l);
	assert_int_equal(ledger_decode(doc, "b1", &back), 0);
	assert_int_equal(ledger_find(&back, vf0)->state, LEDGER_GIVEN);
	assert_true(ledger_find(&back, vf0)->hold);
	ledger_free(&back);
	assert_int_equal(ledger_decode(doc, "b2", &back), 0);
	assert_int_equal(ledger_find(&back, vf0)->state, LEDGER_QUARANTINED);
	assert_true(ledger_find(&back, vf0)->hold);
	assert_string_equal(ledger_find(&back, vf0)->tenant, "g/disk");
	json_decref(doc);
	/* With the reason, which outlives another boot. */
	doc = document(&back);
	ledger_free(&back);
	assert_int_equal(ledger_decode(doc, "b3", &back), 0);
	assert_non_null(strstr(ledger_find(&back, vf0)->scrub.why, "release"));
	ledger_free(&back);
	json_decref(doc);
	/* Looked after since: it is as any other. */
	f->state = LEDGER_CLEAN;
	f->hold = false;
	doc = document(&l);
	assert_int_equal(ledger_decode(doc, "b2", &back), 0);
	assert_int_equal(ledger_find(&back, vf0)->state, LEDGER_CLEAN);
	ledger_free(&back);
	json_decref(doc);
	/* Given anew, to one whose policy holds nothing. */
	ledger_give(&l, f, "g/disk", false);
	assert_false(f->hold);
	ledger_free(&l);
}

static void test_damaged(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"boot\":\"b\"}",
		"{\"boot\":\"b\",\"functions\":{}}",
		"{\"boot\":\"b\",\"functions\":[{}]}",
		"{\"boot\":\"b\",\"functions\":[{\"bdf\":\"0000:01:10.0\","
		"\"generation\":-1,\"state\":\"clean\",\"tenant\":\"\"}]}",
		"{\"boot\":\"b\",\"functions\":[{\"bdf\":\"0000:01:10.0\","
		"\"generation\":1,\"state\":\"spotless\",\"tenant\":\"\"}]}",
		"{\"boot\":\"b\",\"functions\":[{\"bdf\":\"0000:01:10.0\","
		"\"generation\":1,\"resets\":\"1\",\"state\":\"clean\","
		"\"tenant\":\"\"}]}",
		"{\"boot\":\"b\",\"functions\":[{\"bdf\":\"0000:01:10.0\","
		"\"generation\":1,\"state\":\"clean\",\"tenant\":\"\","
		"\"loan\":{\"holder\":\"x\"}}]}",
		"{\"boot\":\"b\",\"functions\":[{\"bdf\":\"0000:01:10.0\","
		"\"generation\":1,\"state\":\"clean\",\"tenant\":\"\"},"
		"{\"bdf\":\"0000:01:10.0\",\"generation\":1,"
		"\"state\":\"clean\",\"tenant\":\"\"}]}",
	};
	struct ledger l = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		json_t *doc = json_loads(bad[i], 0, NULL);

		assert_non_null(doc);
		assert_int_equal(ledger_decode(doc, "b", &l), -EBADMSG);
		assert_null(l.fn);
		json_decref(doc);
	}
}

/* A boot id that cannot be read is an error: the tenants are not forgotten. */
static void test_boot_unread(void **state)
{
	struct state_dir dir;
	struct env e = { .root_fd = -1 };
	struct ledger l = sample(), back;
	struct diag d = { 0 };
	char line[256];

	(void)state;
	dir_make(&dir);
	e.root_fd = e.state_fd = dir.fd;
	snprintf(line, sizeof(line),
	         "cd %s && mkdir -p proc/sys/kernel/random && "
	         "echo b1 > proc/sys/kernel/random/boot_id",
	         dir.path);
	assert_int_equal(system(line), 0);
	assert_int_equal(ledger_write(&e, &l, &d), 0);
	snprintf(line, sizeof(line),
	         "cd %s/proc/sys/kernel/random && mv boot_id was && "
	         "mkdir boot_id",
	         dir.path);
	assert_int_equal(system(line), 0);
	assert_int_equal(ledger_read(&e, &back, &d), -EISDIR);
	assert_int_equal(d.code, FL_NETD_JOURNAL);
	assert_int_equal(ledger_write(&e, &l, &d), -EISDIR);
	assert_int_equal(journal_boot(&e, &d), -EISDIR);
	snprintf(line, sizeof(line),
	         "cd %s/proc/sys/kernel/random && rmdir boot_id && "
	         "mv was boot_id",
	         dir.path);
	assert_int_equal(system(line), 0);
	assert_int_equal(ledger_read(&e, &back, &d), 0);
	assert_non_null(ledger_held_by(&back, "pod/net1"));
	ledger_free(&back);
	ledger_free(&l);
	dir_drop(&dir);
}

/* The file: absent is empty, rubbish is an error and not an empty one. */
static void test_file(void **state)
{
	struct state_dir dir;
	struct env e = { .root_fd = -1 };
	struct ledger l = sample(), back;
	struct diag d = { 0 };

	(void)state;
	dir_make(&dir);
	e.root_fd = e.state_fd = dir.fd;
	assert_int_equal(ledger_read(&e, &back, &d), 0);
	assert_int_equal(back.n, 0);
	assert_int_equal(ledger_write(&e, &l, &d), 0);
	assert_int_equal(ledger_read(&e, &back, &d), 0);
	assert_int_equal(back.n, 2);
	ledger_free(&back);
	assert_int_equal(journal_put(dir.fd, LEDGER_FILE, "[", 1, &d), 0);
	assert_int_equal(ledger_read(&e, &back, &d), -EBADMSG);
	assert_int_equal(d.code, FL_NETD_JOURNAL);
	dir_drop(&dir);
	ledger_free(&l);
}

/* ---- scrubs -------------------------------------------------------------- */

static struct {
	int reset_errno, resets;
	bool keeps_trust, fallback_mac, refuses_zero, keeps_mac, keeps_port;
} machine;

static int reset(void *ctx, struct bdf b, struct diag *d)
{
	(void)ctx;
	assert_true(bdf_equal(b, vf1));
	machine.resets++;
	if (machine.reset_errno)
		return diag_fail(d, machine.reset_errno, FL_SRIOV_WRITE,
		                 "no reset");
	return 0;
}

/* A driver that says yes and does another thing. */
static int act(void *ctx, const struct pol_action *a, struct diag *d)
{
	static const uint8_t own[6] = { 2, 9, 9, 9, 9, 9 }, none[6];
	struct sim *s = ctx;

	if (a->op == POL_OP_VF_TRUST && machine.keeps_trust)
		return 0;
	if (a->op == POL_OP_PORT && !machine.keeps_port)
		s->vf[a->vf].port = a->port;
	if (a->op == POL_OP_PORT)
		return 0;
	if (a->op == POL_OP_VF_MAC &&
	    (machine.keeps_mac ||
	     (machine.refuses_zero && !memcmp(a->mac, none, 6))))
		return diag_fail(d, -EINVAL, FL_NETD_LINK, "no such MAC");
	if (a->op == POL_OP_VF_MAC && machine.fallback_mac) {
		memcpy(s->vf[a->vf].mac, own, 6);
		return diag_fail(d, -EIO, FL_NETD_READBACK, "another");
	}
	return sim_ops.act[a->op](ctx, a, d);
}

/* A disk as a whole: reset, or there is no such thing, which is no failure. */
static void test_whole(void **state)
{
	const struct scrub_ops so = { .apply = &sim_ops, .reset = reset };
	struct ledger_scrub ret;

	(void)state;
	memset(&machine, 0, sizeof(machine));
	scrub_whole(&so, NULL, vf1, &ret);
	assert_true(ret.proved && ret.time);
	assert_int_equal(ret.done, POL_SCRUB_RESET);
	machine.reset_errno = -EOPNOTSUPP;
	scrub_whole(&so, NULL, vf1, &ret);
	assert_true(ret.proved);
	assert_int_equal(ret.done, 0);
	machine.reset_errno = -EIO;
	scrub_whole(&so, NULL, vf1, &ret);
	assert_false(ret.proved);
	assert_string_equal(ret.why, "no reset");
	assert_int_equal(machine.resets, 3);
}

static struct sim *used_machine(void)
{
	static const uint8_t mac[6] = { 2, 1, 2, 3, 4, 5 };
	struct sim *s = sim_new();
	struct pol_action a = { .op = POL_OP_NUMVFS, .number = 2, .vf = -1 };
	struct diag d;

	memset(&machine, 0, sizeof(machine));
	assert_int_equal(sim_ops.act[a.op](s, &a, &d), 0);
	memcpy(s->vf[1].mac, mac, 6);
	s->vf[1].vlan = 100;
	s->vf[1].qos = 3;
	s->vf[1].spoof = false;
	s->vf[1].trust = true;
	s->vf[1].rate_max = 100;
	s->vf[1].link_state = POL_LINK_ENABLE;
	s->vf[1].rss = true;
	strcpy(s->vf[1].driver, "vfio-pci");
	return s;
}

static struct scrub_seen told; /* of the last scrub */

static struct ledger_scrub scrub_as(struct sim *s, const struct scrub_how *how)
{
	struct apply_ops ops = sim_ops;
	struct scrub_ops so = { .apply = &ops, .reset = reset };
	struct ledger_scrub ret;

	for (size_t i = 0; i < POL_OP_MAX; i++)
		ops.act[i] = act;
	scrub_function(&so, s, vf1, how, &ret, &told);
	return ret;
}

static struct ledger_scrub scrub(struct sim *s, unsigned steps, bool exact)
{
	const struct scrub_how how = { .steps = steps, .exact = exact };

	return scrub_as(s, &how);
}

static void test_scrub(void **state)
{
	static const uint8_t none[6];
	struct sim *s = used_machine();
	struct ledger_scrub r = scrub(s, POL_SCRUB_ALL, true);

	(void)state;
	assert_true(r.proved);
	assert_int_equal(r.done, POL_SCRUB_ALL);
	assert_int_equal(machine.resets, 1);
	/* Of switches, disks and other functions nothing is asked. */
	assert_int_equal(s->asked, SEE_ANSWERS);
	/* For the history: both as the kernel told them. */
	assert_int_equal(told.index, 1);
	assert_int_equal(told.before.vlan, 100);
	assert_true(told.verified && told.before.trust && !told.after.trust);
	assert_int_equal(told.after.vlan, 0);
	assert_memory_equal(s->vf[1].mac, none, 6);
	assert_int_equal(s->vf[1].vlan, 0);
	assert_true(s->vf[1].spoof);
	assert_false(s->vf[1].trust);
	assert_int_equal(s->vf[1].rate_max, 0);
	assert_int_equal(s->vf[1].link_state, POL_LINK_AUTO);
	assert_false(s->vf[1].rss);
	assert_string_equal(s->vf[1].driver, "vfio-pci");
	/* Again: reset, and nothing is written. */
	s->n = 0;
	r = scrub(s, POL_SCRUB_ALL, true);
	assert_true(r.proved);
	assert_int_equal(s->n, 0);
	sim_free(s);
}

/* In switchdev mode: out of the bridge, and read back. */
static void test_scrub_port(void **state)
{
	struct pol_network net = { .overlay = { .id = 7 } };
	const struct pol_policy policy = { .network = &net, .n_networks = 1 };
	const struct scrub_how how = { .steps = POL_SCRUB_ALL, .port = true };
	const struct scrub_how in_overlays = { .steps = POL_SCRUB_ALL,
		                               .port = true,
		                               .overlays = &policy };
	struct sim *s = used_machine();
	struct pol_vf *v = &s->vf[1];
	struct ledger_scrub r;

	(void)state;
	v->set |= POL_HAS_PORT | POL_HAS_PORT_VLAN | POL_HAS_GROUP;
	v->port = (struct pol_port){ .bridge = "br", .pvid = 100, .up = true };
	strcpy(v->rate_group, "gold");
	/* Others' bridges are not looked at. */
	assert_true(scrub(s, POL_SCRUB_ALL, true).proved);
	assert_string_equal(v->port.bridge, "br");
	assert_int_equal(s->asked, SEE_ANSWERS);
	r = scrub_as(s, &how);
	assert_true(r.proved);
	assert_int_equal(r.done, POL_SCRUB_ALL);
	assert_string_equal(v->port.bridge, "");
	assert_true(v->port.up);
	assert_string_equal(v->rate_group, "gold");
	assert_int_equal(s->asked, SEE_ANSWERS | SEE_SWITCH);
	/* Of a nic without a bridge: an overlay's, and no other. */
	strcpy(v->port.bridge, "br");
	assert_true(scrub_as(s, &in_overlays).proved);
	assert_string_equal(v->port.bridge, "br");
	strcpy(net.overlay.bridge, "br");
	assert_true(scrub_as(s, &in_overlays).proved);
	assert_string_equal(v->port.bridge, "");
	strcpy(v->port.bridge, "br");
	machine.keeps_port = true;
	r = scrub_as(s, &how);
	assert_false(r.proved);
	assert_false(r.done & POL_SCRUB_VERIFY);
	sim_free(s);
}

static bool traces(struct sim *s, uint32_t knobs, const struct ledger_scrub *l)
{
	static const struct observing what = { .parts = SEE_ANSWERS };
	const struct scrub_how how = { .port = true };
	struct pol_state *seen = NULL;
	struct diag d = { 0 };
	bool ret;

	assert_int_equal(sim_ops.observe(s, &what, &seen, &d), 0);
	ret = scrub_traces(seen, vf1, &how, knobs, l);
	pol_state_free(seen);
	return ret;
}

/* What is stated for the next one anyhow is none; a MAC only if it came since
 * the last scrub. */
static void test_traces(void **state)
{
	const uint32_t rates = POL_HAS_RATE;
	struct sim *s = used_machine();
	struct ledger_scrub r, unknown = { .time = 1 };

	(void)state;
	assert_true(traces(s, POL_HAS_KNOBS, NULL));
	assert_true(traces(s, rates, NULL));
	assert_false(traces(s, POL_HAS_MAC, NULL));
	assert_false(traces(s, 0, NULL));
	r = scrub(s, POL_SCRUB_ALL, true);
	assert_true(r.has_mac);
	assert_false(traces(s, POL_HAS_KNOBS, &r));
	s->vf[1].mac[0] = 2;
	assert_true(traces(s, POL_HAS_KNOBS, &r));
	assert_false(traces(s, POL_HAS_KNOBS, &unknown));
	assert_false(traces(s, rates, &r));
	sim_free(s);
}

/* A bridge that is stated is one, in the VLANs of one that joins. */
static void test_port_traces(void **state)
{
	struct sim *s = used_machine();
	struct pol_vf *v = &s->vf[1];

	(void)state;
	v->set |= POL_HAS_PORT | POL_HAS_PORT_VLAN;
	v->port = (struct pol_port){ .bridge = "br", .pvid = 100, .up = true };
	assert_false(traces(s, 0, NULL));
	assert_true(traces(s, POL_HAS_PORT, NULL));
	assert_true(traces(s, POL_HAS_PORT_VLAN, NULL));
	v->port.pvid = 1;
	assert_false(traces(s, POL_HAS_PORT_VLAN, NULL));
	assert_true(traces(s, POL_HAS_PORT | POL_HAS_PORT_VLAN, NULL));
	v->port.bridge[0] = '\0';
	v->port.pvid = 0;
	assert_false(traces(s, POL_HAS_PORT | POL_HAS_PORT_VLAN, NULL));
	sim_free(s);
}

/* A host's driver does not sleep through a reset of its function. */
static void test_scrub_host(void **state)
{
	struct sim *s = used_machine();

	(void)state;
	strcpy(s->vf[1].driver, "igbvf");
	assert_true(scrub(s, POL_SCRUB_ALL, true).proved);
	assert_string_equal(s->vf[1].driver, "");
	sim_free(s);
}

static void test_scrub_lies(void **state)
{
	struct sim *s = used_machine();
	struct ledger_scrub r;

	(void)state;
	machine.keeps_trust = true;
	r = scrub(s, POL_SCRUB_ALL, false);
	assert_false(r.proved);
	assert_int_equal(r.done, POL_SCRUB_RESET | POL_SCRUB_ZERO);
	assert_non_null(strstr(r.why, "trust"));
	sim_free(s);
}

/* Another MAC is no trace of the tenant; its own is. */
static void test_scrub_mac(void **state)
{
	struct sim *s = used_machine();

	(void)state;
	machine.fallback_mac = true;
	assert_true(scrub(s, POL_SCRUB_ALL, true).proved);
	sim_free(s);
	s = used_machine();
	/* Refused as 0: one that is nobody's, and that it may keep. */
	machine.refuses_zero = true;
	assert_true(scrub(s, POL_SCRUB_ALL, true).proved);
	assert_int_equal(s->vf[1].mac[1], 0xf1);
	assert_true(scrub(s, POL_SCRUB_ALL, true).proved);
	/* Whatever it is asked: it is the tenant's still. */
	s->vf[1].mac[1] = 0xf2;
	machine.keeps_mac = true;
	assert_false(scrub(s, POL_SCRUB_ALL, true).proved);
	sim_free(s);
}

static void test_scrub_reset(void **state)
{
	struct sim *s = used_machine();
	struct ledger_scrub r;

	(void)state;
	machine.reset_errno = -EOPNOTSUPP;
	assert_false(scrub(s, POL_SCRUB_ALL, true).proved);
	r = scrub(s, POL_SCRUB_ALL, false);
	assert_true(r.proved);
	assert_int_equal(r.done, POL_SCRUB_ZERO | POL_SCRUB_VERIFY);
	/* One that was tried and went wrong is no "as far as it goes". */
	machine.reset_errno = -EIO;
	assert_false(scrub(s, POL_SCRUB_ALL, false).proved);
	sim_free(s);
}

static void test_scrub_gone(void **state)
{
	struct sim *s = used_machine();

	(void)state;
	s->num_vfs = 1;
	assert_false(scrub(s, POL_SCRUB_ALL, false).proved);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_new_boot),
		cmocka_unit_test(test_older),
		cmocka_unit_test(test_boot_unread),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_scrub),
		cmocka_unit_test(test_scrub_port),
		cmocka_unit_test(test_traces),
		cmocka_unit_test(test_port_traces),
		cmocka_unit_test(test_scrub_host),
		cmocka_unit_test(test_scrub_lies),
		cmocka_unit_test(test_scrub_mac),
		cmocka_unit_test(test_scrub_reset),
		cmocka_unit_test(test_scrub_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
