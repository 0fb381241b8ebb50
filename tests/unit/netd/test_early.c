/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A policy before the host's network is there: all of it but what waits, also
 * over a crash; then the rest; and back. */

#include "netd/early.h"
#include "tests/unit/netd/transact.h"

#define FILES "applied.yaml original.json"

static int early(struct rig *r)
{
	r->early = true;
	return apply(r);
}

static size_t waits(const struct rig *r)
{
	return json_array_size(json_object_get(r->reply, "waits"));
}

static const char *waits_for(const json_t *reply, size_t i)
{
	return json_string_value(
		json_array_get(json_object_get(reply, "waits"), i));
}

static int setup(void **state)
{
	struct rig *r;

	rig_setup(state);
	r = *state;
	r->sim->offline = true;
	return 0;
}

static void test_not_early(void **state)
{
	struct rig *r = *state;

	assert_int_equal(apply(r), -ENODEV);
	assert_int_equal(r->d.code, FL_POL_OVERLAY_OUTER);
	rig_is(r, r->before, "");
}

static void test_then_the_rest(void **state)
{
	struct rig *r = *state;

	assert_int_equal(early(r), 0);
	assert_int_equal(waits(r), 1);
	assert_string_equal(waits_for(r->reply, 0), "br-o");
	assert_int_equal(r->sim->num_vfs, 3);
	assert_false(r->sim->over.there);
	rig_files(r, FILES);
	/* Not there yet: as little as before. */
	assert_int_equal(early(r), 0);
	assert_int_equal(r->sim->n, 0);
	assert_int_equal(waits(r), 1);
	r->sim->offline = false;
	r->early = false;
	assert_int_equal(apply(r), 0);
	assert_int_equal(waits(r), 0);
	assert_int_equal(r->sim->n, 1);
	assert_true(r->sim->over.there);
	assert_int_equal(rig_restore(r), 0);
	rig_is(r, r->before, "");
}

/* With the network there it is an apply as any. */
static void test_nothing_waits(void **state)
{
	struct rig *r = *state;

	r->sim->offline = false;
	assert_int_equal(early(r), 0);
	assert_int_equal(waits(r), 0);
	assert_true(r->sim->over.there);
}

/* A daemon that finishes it finds no more of the network than it did. */
static void test_cut_short(void **state)
{
	for (int at = 1;; at++) {
		struct rig *r;
		bool died;

		rig_teardown(state);
		setup(state);
		r = *state;
		died = rig_die(r, at, early);
		assert_int_equal(rig_recover(r), 0);
		assert_int_equal(r->sim->num_vfs, 3);
		rig_files(r, FILES);
		if (!died)
			break;
	}
}

/* ---- switches ------------------------------------------------------------ */

static void port(struct pol_port *p, uint32_t *set, const char *bridge)
{
	*set |= POL_HAS_PORT | POL_HAS_PORT_VLAN;
	strcpy(p->bridge, bridge);
}

struct machine_of {
	struct pol_vf vf[2];
	struct pol_pf pf[2];
	struct pol_over over[2];
	struct pol_state s;
};

/* Two PFs in br-linux, VF 0 of the first there and VF 1 in br-ovs. */
static void make(struct machine_of *m)
{
	*m = (struct machine_of){ 0 };
	for (unsigned i = 0; i < 2; i++) {
		m->pf[i].bdf.bus = (uint8_t)(i + 1);
		m->pf[i].set = POL_HAS_BRIDGE | POL_HAS_LINK;
		m->pf[i].sw.bridge[0] = (struct pol_bridge){ .name = "br-linux",
			                                     .there = true,
			                                     .given = true };
		m->pf[i].sw.n_bridges = 1;
		port(&m->pf[i].sw.port, &m->pf[i].set, "br-linux");
		m->vf[i].set = POL_HAS_MAC;
		m->vf[i].index = (uint16_t)i;
		port(&m->vf[i].port, &m->vf[i].set, i ? "br-ovs" : "br-linux");
	}
	m->pf[0].vf = m->vf;
	m->pf[0].n_vfs = 2;
	m->over[0] = (struct pol_over){ .there = true, .o.ovs = true };
	strcpy(m->over[0].o.bridge, "br-ovs");
	m->s = (struct pol_state){
		.pf = m->pf, .n_pfs = 2, .over = m->over, .n_overs = 1
	};
}

static void test_linux(void **state)
{
	struct machine_of want, seen;
	json_t *reply = json_object();

	(void)state;
	make(&want);
	make(&seen);
	seen.pf[0].sw.bridge[0].there = false;
	seen.pf[1].sw.bridge[0].there = false;
	early_rest(&want.s, &seen.s, reply);
	/* Once, whatever goes into it. */
	assert_int_equal(json_array_size(json_object_get(reply, "waits")), 1);
	assert_string_equal(waits_for(reply, 0), "br-linux");
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(want.pf[i].set, POL_HAS_LINK);
		assert_false(seen.pf[i].set & POL_HAS_BRIDGE);
	}
	assert_int_equal(want.vf[0].set, POL_HAS_MAC);
	assert_int_equal(want.vf[1].set,
	                 POL_HAS_MAC | POL_HAS_PORT | POL_HAS_PORT_VLAN);
	assert_int_equal(want.s.n_overs, 1);
	json_decref(reply);
}

static void test_there(void **state)
{
	struct machine_of want, seen, same;
	json_t *reply = json_object();

	(void)state;
	make(&want);
	make(&seen);
	make(&same);
	early_rest(&want.s, &seen.s, reply);
	assert_null(json_object_get(reply, "waits"));
	assert_memory_equal(want.vf, same.vf, sizeof(same.vf));
	assert_int_equal(want.pf[0].set, same.pf[0].set);
	json_decref(reply);
}

static void test_ovs(void **state)
{
	struct state_dir dir;
	struct env e = { 0 };
	struct machine_of want;
	json_t *reply = json_object();
	char line[128];

	(void)state;
	dir_make(&dir);
	e.root_fd = dir.fd;
	make(&want);
	early_ovs(&e, &want.s, reply);
	assert_string_equal(waits_for(reply, 0), "br-ovs");
	assert_int_equal(want.s.n_overs, 0);
	assert_int_equal(want.vf[1].set, POL_HAS_MAC);
	assert_true(want.vf[0].set & POL_HAS_PORT);
	/* It runs. */
	json_object_clear(reply);
	snprintf(line, sizeof(line),
	         "cd %s && mkdir -p run/openvswitch && "
	         "touch run/openvswitch/db.sock",
	         dir.path);
	assert_int_equal(system(line), 0);
	make(&want);
	early_ovs(&e, &want.s, reply);
	assert_null(json_object_get(reply, "waits"));
	assert_int_equal(want.s.n_overs, 1);
	json_decref(reply);
	dir_drop(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_not_early, setup,
		                                rig_teardown),
		cmocka_unit_test_setup_teardown(test_then_the_rest, setup,
		                                rig_teardown),
		cmocka_unit_test_setup_teardown(test_nothing_waits, setup,
		                                rig_teardown),
		cmocka_unit_test_setup_teardown(test_cut_short, setup,
		                                rig_teardown),
		cmocka_unit_test(test_linux),
		cmocka_unit_test(test_there),
		cmocka_unit_test(test_ovs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
