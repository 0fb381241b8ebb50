/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks at a machine that others change (sim.h), what is remembered of them,
 * and which words of the kernel make one look. That a real driver's reload
 * comes back is tested in the lab (netd-drift.sh).
 */

#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "netd/events.h"
#include "netd/reconcile.h"
#include "tests/unit/netd/sim.h"

static const char body[] =
	"nics:\n"
	"  - { name: e, match: { pci: \"0000:01:00.0\" }, link: up,\n"
	"      virtual-function-count: 3, drivers-autoprobe: false }\n"
	"networks:\n"
	"  - { name: net, vlan: { id: 100 }, spoof-check: false, trust: true }\n"
	"  - { name: blue, bridge: br-blue, overlay: { type: vxlan, id: 100,\n"
	"      local: 192.0.2.1, remote: [192.0.2.2] } }\n"
	"pools:\n"
	"  - { name: p, functions: [\"e#0-2\"], driver: vfio,\n"
	"      mac: { prefix: \"02:5a:10\", assign: stable } }\n"
	"guests:\n"
	"  - { name: g, memory: 512M, kernel: /k, nics: [\n"
	"      { name: a, pool: p, network: net }, { name: b, pool: p } ] }\n";

struct fixture {
	struct sim *sim;
	struct pol_policy *policy;
	struct reconcile *past;
	json_t *found, *tried;
	int64_t now;
	int told;
	bool bridge_gone; /* the PF is to be in one that is not there */
};

static int begin_with(void **state, const char *host)
{
	struct fixture *f = calloc(1, sizeof(*f));
	static struct pol_errors errs;
	char text[2048];

	snprintf(text, sizeof(text), "version: 1\n%s%s", host, body);
	f->sim = sim_new();
	f->past = calloc(1, sizeof(*f->past));
	f->now = 1000;
	assert_int_equal(pol_parse(text, strlen(text), &f->policy, &errs), 0);
	*state = f;
	return 0;
}

static int begin(void **state)
{
	return begin_with(state, "");
}

static int begin_observe(void **state)
{
	return begin_with(state, "host: { mode: observe }\n");
}

static int begin_ignore(void **state)
{
	return begin_with(state, "host: { reconcile: { drift: { safe: ignore, "
	                         "disruptive: ignore } } }\n");
}

static int end(void **state)
{
	struct fixture *f = *state;

	json_decref(f->found);
	json_decref(f->tried);
	pol_free(f->policy);
	sim_free(f->sim);
	free(f->past);
	free(f);
	return 0;
}

static void told(const struct drift *d, void *arg)
{
	struct fixture *f = arg;

	(void)d;
	f->told++;
}

static void no_bridge(struct pol_state *want, struct pol_state *seen)
{
	for (int i = 0; i < 2; i++) {
		struct pol_pf *pf = i ? seen->pf : want->pf;

		pf->set |= POL_HAS_BRIDGE;
		pf->sw.n_bridges = 1;
		pf->sw.bridge[0] =
			(struct pol_bridge){ .name = "br-gone", .there = !i };
	}
}

/* As the worker does it, and what main makes of it. */
static void look(struct fixture *f)
{
	static struct pol_errors errs;
	struct look l = { .ops = &sim_ops,
		          .ctx = f->sim,
		          .policy = f->policy,
		          .past = f->past,
		          .now = f->now,
		          .found = json_array(),
		          .tried = json_array() };
	struct pol_state *seen, *want;
	json_t *reply;

	assert_int_equal(sim_ops.observe(f->sim, NULL, &seen, NULL), 0);
	assert_int_equal(pol_resolve(f->policy, seen, &want, &errs), 0);
	assert_int_equal(sim_ops.observe_more(f->sim, seen, want, NULL), 0);
	if (f->bridge_gone)
		no_bridge(want, seen);
	l.was = pol_state_to_json(seen);
	assert_int_equal(look_run(&l, want, seen), 0);
	pol_state_free(want);
	pol_state_free(seen);
	json_decref(l.was);
	json_decref(f->tried);
	f->tried = l.tried;
	json_decref(f->found);
	f->found = json_incref(l.found);
	reply = json_pack("{s:b, s:o}", "active", 1, "found", l.found);
	f->told = 0;
	drift_merge(f->past, reply, f->now, told, f);
	json_decref(reply);
}

static size_t count(const struct fixture *f, enum drift_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(f->found); i++)
		n += json_integer_value(json_object_get(
			     json_array_get(f->found, i), "state")) ==
		     (json_int_t)state;
	return n;
}

static const struct drift_key trust_of_0 = { .op = POL_OP_VF_TRUST,
	                                     .pf = { .bus = 1 } };
static const struct drift_key overlay = { .op = POL_OP_OVERLAY,
	                                  .vf = -1,
	                                  .bridge = "br-blue" };

static void settle(struct fixture *f)
{
	look(f);
	look(f);
	assert_int_equal(json_array_size(f->found), 0);
}

/* A driver that was reloaded: no VFs, and all of it comes back in one look;
 * the next finds nothing and writes nothing. */
static void test_reload(void **state)
{
	struct fixture *f = *state;

	look(f);
	assert_int_equal(f->sim->num_vfs, 3);
	assert_true(f->sim->vf[0].trust);
	assert_int_equal(f->sim->vf[0].vlan, 100);
	assert_string_equal(f->sim->vf[2].driver, "vfio-pci");
	assert_false(f->sim->autoprobe);
	assert_int_equal(count(f, DRIFT_REPAIRED), json_array_size(f->found));
	f->sim->n = 0;
	look(f);
	assert_int_equal(json_array_size(f->found), 0);
	assert_int_equal(f->sim->n, 0);
	f->sim->num_vfs = 0;
	f->sim->up = false;
	look(f);
	assert_int_equal(f->sim->num_vfs, 3);
	assert_true(f->sim->up);
}

/* What is refused of the PF keeps nobody's VF from its repair. */
static void test_bridge_gone(void **state)
{
	struct fixture *f = *state;
	const json_t *of_pf;

	settle(f);
	f->bridge_gone = true;
	f->sim->vf[0].trust = false;
	look(f);
	assert_true(f->sim->vf[0].trust);
	assert_int_equal(count(f, DRIFT_REPAIRED), 1);
	assert_int_equal(count(f, DRIFT_REFUSED), 1);
	of_pf = json_array_get(f->found, 0);
	assert_string_equal(json_string_value(json_object_get(of_pf, "text")),
	                    "0000:01:00.0 is not as applied");
}

/* A mere look changes nothing, and says whether there is anything to do. */
static void test_only(void **state)
{
	static struct pol_errors errs;
	struct fixture *f = *state;
	struct look l = { .ops = &sim_ops,
		          .ctx = f->sim,
		          .policy = f->policy,
		          .past = f->past,
		          .only = true };
	struct pol_state *seen, *want;

	for (int differs = 1; differs >= 0; differs--) {
		l.found = json_array();
		l.differs = false;
		f->sim->n = 0;
		assert_int_equal(sim_ops.observe(f->sim, NULL, &seen, NULL), 0);
		assert_int_equal(pol_resolve(f->policy, seen, &want, &errs), 0);
		assert_int_equal(look_run(&l, want, seen), 0);
		assert_int_equal(l.differs, differs);
		assert_int_equal(f->sim->n, 0);
		assert_int_equal(json_array_size(l.found), 0);
		json_decref(l.found);
		pol_state_free(want);
		pol_state_free(seen);
		settle(f);
	}
}

static void test_attributes(void **state)
{
	struct fixture *f = *state;
	const struct drift *d;
	const json_t *a;

	settle(f);
	assert_int_equal(json_array_size(f->tried), 0);
	f->sim->vf[0].trust = false;
	f->sim->vf[1].mac[5] ^= 1;
	f->sim->vf[2].driver[0] = '\0';
	look(f);
	assert_int_equal(count(f, DRIFT_REPAIRED), 3);
	assert_int_equal(f->told, 3);
	assert_true(f->sim->vf[0].trust);
	assert_string_equal(f->sim->vf[2].driver, "vfio-pci");
	/* For the history. */
	assert_int_equal(json_array_size(f->tried), 3);
	a = json_array_get(f->tried, 0);
	assert_string_equal(json_string_value(json_object_get(a, "op")),
	                    pol_op_name(POL_OP_VF_MAC));
	a = json_array_get(f->tried, 1);
	assert_true(json_is_false(json_object_get(a, "before")));
	assert_string_equal(json_string_value(json_object_get(a, "outcome")),
	                    "done");
	d = drift_find(f->past, &trust_of_0);
	assert_non_null(d);
	assert_false(d->open);
}

/* Somebody else's count, a host's driver: told once, and left. */
static void test_disruptive(void **state)
{
	struct fixture *f = *state;
	struct pol_action a = { .op = POL_OP_NUMVFS, .vf = -1 };
	struct diag d;
	char before[2048], after[2048];

	settle(f);
	strcpy(f->sim->vf[1].driver, "igbvf");
	f->sim->vf[1].override[0] = '\0';
	look(f);
	assert_int_equal(count(f, DRIFT_REPORTED), 1);
	assert_int_equal(f->told, 1);
	assert_string_equal(f->sim->vf[1].driver, "igbvf");
	look(f);
	assert_int_equal(f->told, 0);
	assert_int_equal(sim_ops.act[a.op](f->sim, &a, &d), 0);
	a.number = 2;
	assert_int_equal(sim_ops.act[a.op](f->sim, &a, &d), 0);
	sim_text(f->sim, before);
	look(f);
	assert_string_equal(sim_text(f->sim, after), before);
	assert_int_equal(count(f, DRIFT_REPAIRED), 0);
	assert_true(count(f, DRIFT_REPORTED) > 0);
}

/* A VF that somebody has keeps no other from its own. */
static void test_held(void **state)
{
	struct fixture *f = *state;

	settle(f);
	f->sim->vf[0].holder_pid = 7;
	f->sim->vf[0].mac[5] ^= 1;
	f->sim->vf[2].driver[0] = '\0';
	look(f);
	assert_int_equal(count(f, DRIFT_REFUSED), 1);
	assert_int_equal(count(f, DRIFT_REPAIRED), 1);
	assert_string_equal(f->sim->vf[2].driver, "vfio-pci");
}

/* What one VF refuses is not kept from another. */
static void test_failed(void **state)
{
	struct fixture *f = *state;

	settle(f);
	f->sim->vf[0].trust = false;
	f->sim->vf[2].driver[0] = '\0';
	f->sim->n = 0;
	f->sim->fail_at = 1;
	f->sim->fail_errno = -EOPNOTSUPP;
	f->sim->fail_code = FL_NETD_LINK;
	look(f);
	assert_int_equal(count(f, DRIFT_FAILED), 1);
	assert_string_equal(f->sim->vf[2].driver, "vfio-pci");
	/* A device that hangs: nothing more is asked of any. */
	f->sim->vf[2].driver[0] = '\0';
	f->sim->n = 0;
	f->sim->fail_code = FL_SRIOV_STUCK;
	look(f);
	assert_int_equal(f->sim->n, 1);
}

static void drift_again(struct fixture *f, int seconds)
{
	f->sim->vf[0].trust = false;
	f->now += seconds;
	look(f);
}

/* Three times is chance, the fourth is somebody's will. It ends when nobody
 * has touched it for long enough. */
static void test_fight(void **state)
{
	struct fixture *f = *state;

	settle(f);
	f->now += FIGHT_SECONDS + 1;
	for (int i = 0; i < FIGHT_MAX; i++) {
		drift_again(f, 5);
		assert_true(f->sim->vf[0].trust);
	}
	drift_again(f, 5);
	assert_int_equal(count(f, DRIFT_FOUGHT), 1);
	assert_int_equal(f->told, 1);
	assert_false(f->sim->vf[0].trust);
	for (int i = 0; i < FIGHT_SECONDS / 30; i++) {
		drift_again(f, 30);
		assert_false(f->sim->vf[0].trust);
		assert_int_equal(f->told, 0);
	}
	/* Nobody has touched it for as long, as far as a look can tell. */
	drift_again(f, 30);
	assert_true(f->sim->vf[0].trust);
}

/* What fails is not tried at each look, for ever. */
static void test_hopeless(void **state)
{
	struct fixture *f = *state;
	int tried;

	settle(f);
	f->sim->fail_always = true;
	f->sim->fail_errno = -EOPNOTSUPP;
	f->sim->fail_code = FL_NETD_LINK;
	f->sim->n = 0;
	f->sim->fail_at = 1;
	f->now += FIGHT_SECONDS + 1;
	for (int i = 0; i < FIGHT_MAX; i++)
		drift_again(f, 5);
	assert_int_equal(count(f, DRIFT_FAILED), 1);
	tried = f->sim->n;
	assert_int_equal(tried, FIGHT_MAX);
	for (int i = 0; i < FIGHT_SECONDS / 30; i++)
		drift_again(f, 30);
	assert_int_equal(count(f, DRIFT_FAILED), 1);
	assert_int_equal(f->sim->n, tried);
	drift_again(f, 30);
	assert_int_equal(f->sim->n, tried + 1);
}

/* Rarely enough is no fight. */
static void test_no_fight(void **state)
{
	struct fixture *f = *state;

	settle(f);
	for (int i = 0; i < 10; i++) {
		drift_again(f, FIGHT_SECONDS + 1);
		assert_true(f->sim->vf[0].trust);
	}
}

static void test_observe(void **state)
{
	struct fixture *f = *state;

	look(f);
	assert_int_equal(f->sim->n, 0);
	assert_int_equal(f->sim->num_vfs, 0);
	assert_true(count(f, DRIFT_REPORTED) > 3);
}

static void test_ignore(void **state)
{
	struct fixture *f = *state;

	look(f);
	assert_int_equal(f->sim->n, 0);
	assert_int_equal(json_array_size(f->found), 0);
}

static void assert_overlay(const struct fixture *f, enum drift_state state)
{
	const struct drift *d = drift_find(f->past, &overlay);
	json_t *all = reconcile_json(f->past);
	const json_t *o = json_array_get(json_object_get(all, "counters"), 0);

	assert_int_equal(json_array_size(f->found), 1);
	assert_non_null(d);
	assert_int_equal(d->state, state);
	/* It was the first to be put right. It has no PF, and says so. */
	assert_string_equal(json_string_value(json_object_get(o, "attribute")),
	                    "overlay");
	assert_string_equal(json_string_value(json_object_get(o, "pf")), "");
	json_decref(all);
}

/* An overlay that has gone or has lost its tunnel comes back; one by which
 * somebody talks is not made anew; another's is left. */
static void test_overlay(void **state)
{
	struct fixture *f = *state;
	const struct pol_overlay *o = &f->sim->over.o;

	settle(f);
	assert_int_equal(o->id, 100);
	memset(&f->sim->over, 0, sizeof(f->sim->over));
	look(f);
	assert_overlay(f, DRIFT_REPAIRED);
	assert_int_equal(o->id, 100);
	f->sim->over.o.id = 0;
	f->sim->over.o.mtu = 1300;
	look(f);
	assert_overlay(f, DRIFT_REPAIRED);
	assert_int_equal(o->id, 100);
	assert_int_equal(o->mtu, 1450);
	f->sim->over.o.id = 7;
	look(f);
	assert_overlay(f, DRIFT_REPORTED);
	assert_int_equal(o->id, 7);
	f->sim->over.there = false;
	strcpy(f->sim->over.foreign, "vx100");
	look(f);
	assert_overlay(f, DRIFT_REFUSED);
}

/* A look that could not tell closes nothing; rubbish in a reply is passed
 * over; the table does not grow. */
static void test_memory(void **state)
{
	struct fixture *f = *state;
	const struct drift_key other = { .op = POL_OP_VF_MAC,
		                         .pf = { .bus = 4 },
		                         .vf = 1 };
	json_t *list = json_array(), *reply;

	settle(f);
	f->policy->host.mode = POL_MODE_OBSERVE;
	f->sim->vf[0].trust = false;
	look(f);
	assert_true(drift_find(f->past, &trust_of_0)->open);
	reply = json_pack("{s:b, s:s}", "active", 1, "why", "gone");
	drift_merge(f->past, reply, f->now, NULL, NULL);
	json_decref(reply);
	assert_true(drift_find(f->past, &trust_of_0)->open);
	/* One that told a part: what it found counts, and closes nothing. */
	reply = json_pack("{s:b, s:s, s:b, s:[{s:s, s:i, s:i, s:i}]}", "active",
	                  1, "why", "gone", "partial", 1, "found", "pf",
	                  "0000:04:00.0", "vf", 1, "op", POL_OP_VF_MAC, "state",
	                  DRIFT_REPORTED);
	drift_merge(f->past, reply, f->now, NULL, NULL);
	json_decref(reply);
	assert_true(drift_find(f->past, &trust_of_0)->open);
	assert_non_null(drift_find(f->past, &other));
	for (int i = -2; i < 2 * DRIFT_MAX; i++)
		json_array_append_new(list,
		                      json_pack("{s:s, s:i, s:i, s:i}", "pf",
		                                "0000:05:00.0", "vf", i, "op",
		                                POL_OP_VF_MAC, "state",
		                                i == 5 ? 99 : 0));
	json_array_append_new(list, json_pack("{s:s}", "pf", "x"));
	json_array_append_new(list, json_integer(1));
	reply = json_pack("{s:b, s:o}", "active", 1, "found", list);
	for (int i = 0; i < 3; i++)
		drift_merge(f->past, reply, f->now + i, NULL, NULL);
	assert_int_equal(f->past->n, DRIFT_MAX);
	assert_true(f->past->lost > 0);
	json_decref(reply);
	reply = reconcile_json(f->past);
	assert_non_null(reply);
	json_decref(reply);
}

/* ---- words of the kernel ------------------------------------------------- */

static void test_links(void **state)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} m[2] = {
		{ .h = { .nlmsg_len = sizeof(m[0]), .nlmsg_type = RTM_NEWLINK },
		  .i = { .ifi_index = 3 } },
		{ .h = { .nlmsg_len = sizeof(m[0]), .nlmsg_type = RTM_DELLINK },
		  .i = { .ifi_index = 8 } }
	};
	static const int index[] = { 5, 8 };

	(void)state;
	assert_true(event_of_link(m, sizeof(m), index, 2));
	assert_false(event_of_link(m, sizeof(m[0]), index, 2));
	assert_false(event_of_link(m, sizeof(m), index, 1));
	for (size_t len = 0; len < sizeof(m); len++)
		assert_false(event_of_link(m, len, index, 2));
	m[0].h.nlmsg_len = 0;
	assert_false(event_of_link(m, sizeof(m), index, 2));
	m[0].h.nlmsg_len = sizeof(struct nlmsghdr);
	assert_false(event_of_link(m, sizeof(m[0]), index, 2));
}

#define UEVENT(s) event_of_uevent(s, sizeof(s))

static void test_uevents(void **state)
{
	static const char tap[] = "add@/devices/virtual/net/t0\0ACTION=add\0"
				  "DEVPATH=/devices/virtual/net/t0\0"
				  "SUBSYSTEM=net";
	static const char nic[] = "add@/devices/pci0/net/e0\0ACTION=add\0"
				  "DEVPATH=/devices/pci0/net/e0\0"
				  "SUBSYSTEM=net";

	(void)state;
	assert_true(UEVENT("bind@/d\0ACTION=bind\0SUBSYSTEM=pci"));
	assert_true(UEVENT(nic));
	assert_false(UEVENT(tap));
	assert_false(UEVENT("add@/d\0SUBSYSTEM=block"));
	assert_false(UEVENT("add@/d\0XSUBSYSTEM=pci"));
	assert_false(UEVENT(""));
	assert_false(event_of_uevent("SUBSYSTEM=pci", 13));
	for (size_t len = 0; len < sizeof(nic) - 1; len++)
		(void)event_of_uevent(nic, len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reload, begin, end),
		cmocka_unit_test_setup_teardown(test_bridge_gone, begin, end),
		cmocka_unit_test_setup_teardown(test_only, begin, end),
		cmocka_unit_test_setup_teardown(test_attributes, begin, end),
		cmocka_unit_test_setup_teardown(test_disruptive, begin, end),
		cmocka_unit_test_setup_teardown(test_held, begin, end),
		cmocka_unit_test_setup_teardown(test_failed, begin, end),
		cmocka_unit_test_setup_teardown(test_fight, begin, end),
		cmocka_unit_test_setup_teardown(test_hopeless, begin, end),
		cmocka_unit_test_setup_teardown(test_no_fight, begin, end),
		cmocka_unit_test_setup_teardown(test_observe, begin_observe,
		                                end),
		cmocka_unit_test_setup_teardown(test_ignore, begin_ignore, end),
		cmocka_unit_test_setup_teardown(test_overlay, begin, end),
		cmocka_unit_test_setup_teardown(test_memory, begin, end),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_uevents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
