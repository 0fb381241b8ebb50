/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A nic on another VF than the policy gives it: what an apply makes of it, with
 * the same policy and with one that it is in the way of. */

#include "netd/ledger.h"
#include "netd/moves.h"
#include "tests/unit/netd/rig.h"

#define HEAD                                                                   \
	"version: 1\n"                                                         \
	"nics:\n"                                                              \
	"  - { name: e, match: { pci: \"0000:01:00.0\" }, link: up,\n"         \
	"      virtual-function-count: 3, drivers-autoprobe: false }\n"        \
	"networks:\n"                                                          \
	"  - { name: net, vlan: { id: 100 } }\n"                               \
	"pools:\n"                                                             \
	"  - { name: p, functions: [\"e#0-2\"], driver: vfio }\n"              \
	"guests:\n"
#define GUEST(name, mac)                                                       \
	"  - name: " name "\n"                                                 \
	"    memory: 512M\n"                                                   \
	"    kernel: /k\n"                                                     \
	"    nics: [{ name: a, pool: p, network: net, mac-address: \"" mac     \
	"\" }]\n"

static const char one[] = HEAD GUEST("g", "02:00:00:00:00:01");
static const char two[] =
	HEAD GUEST("g", "02:00:00:00:00:01") GUEST("h", "02:00:00:00:00:02");
/* Of another pool, in which VF 1 is not. */
static const char small[] =
	"version: 1\n"
	"nics:\n"
	"  - { name: e, match: { pci: \"0000:01:00.0\" }, link: up,\n"
	"      virtual-function-count: 3, drivers-autoprobe: false }\n"
	"pools:\n"
	"  - { name: p, functions: [\"e#0\"], driver: vfio }\n"
	"guests:\n"
	"  - name: g\n"
	"    memory: 512M\n"
	"    kernel: /k\n"
	"    nics: [{ name: a, pool: p,\n"
	"             mac-address: \"02:00:00:00:00:01\" }]\n";
static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };

/* VF 1 is g/a's, since a failover, and g has it. */
static void move(struct rig *r)
{
	struct ledger book = { 0 };
	struct ledger_fn *f;
	struct diag d = { 0 };

	r->env.root_fd = r->dir.fd;
	assert_int_equal(rig_apply(r, one), 0);
	f = ledger_get(&book, r->sim->vf[1].bdf);
	assert_non_null(f);
	ledger_give(&book, f, "g/a", false);
	f->moved = (struct ledger_moved){ .nic = "e", .vf = 1 };
	assert_int_equal(ledger_write(&r->env, &book, &d), 0);
	ledger_free(&book);
	memcpy(r->sim->vf[0].mac, r->sim->vf[1].mac, 6);
	memcpy(r->sim->vf[1].mac, mac, 6);
	r->sim->vf[1].holder_pid = 7;
	strcpy(r->sim->vf[1].label, "g/a");
}

/* As the policy is, with the other VF in the own one's place. */
static void test_same(void **state)
{
	struct rig *r = *state;
	struct pol_policy *p = NULL;
	char why[DIAG_LINE];

	move(r);
	assert_int_equal(r->sim->vf[1].vlan, 0);
	r->allow = (struct allow){ true, POL_BUDGET_ALLOW };
	assert_int_equal(rig_apply(r, one), 0);
	assert_memory_equal(r->sim->vf[1].mac, mac, 6);
	assert_int_equal(r->sim->vf[1].vlan, 100);
	/* The own one is left as it is: the MAC is not its any more. */
	assert_memory_not_equal(r->sim->vf[0].mac, mac, 6);
	assert_int_equal(rig_apply(r, one), 0);
	assert_int_equal(r->sim->n, 0);
	/* And so where it is told. */
	assert_int_equal(policy_applied(&r->env, &p, &r->errs, &r->d), 0);
	assert_true(p->guest[0].nic[0].moved);
	assert_int_equal(p->guest[0].nic[0].fn.vf, 1);
	assert_int_equal(p->guest[0].nic[0].home.vf, 0);
	pol_why_text(p, &p->guest[0].nic[0], why, sizeof(why));
	assert_non_null(strstr(why, "in place of VF 0 of e"));
	/* Nobody else's: neither of them. */
	assert_non_null(pol_fn_nic(p, (struct pol_fn){ 0, 0 }, NULL));
	assert_non_null(pol_fn_nic(p, (struct pol_fn){ 0, 1 }, NULL));
	assert_null(pol_fn_nic(p, (struct pol_fn){ 0, 2 }, NULL));
	pol_free(p);
}

static void test_in_the_way(void **state)
{
	struct rig *r = *state;

	move(r);
	assert_int_equal(rig_apply(r, two), -EBUSY);
	assert_int_equal(r->d.code, FL_NETD_MOVED);
	assert_non_null(strstr(r->d.mend, "fairlead failover g a"));
	assert_int_equal(r->sim->n, 0);
	assert_int_equal(rig_apply(r, small), -EBUSY);
	assert_int_equal(r->d.code, FL_NETD_MOVED);
	/* Whose guest has gone, whoever saw it, is in nobody's way. */
	r->sim->vf[1].holder_pid = 0;
	r->sim->vf[1].label[0] = '\0';
	assert_int_equal(rig_apply(r, two), 0);
	assert_memory_equal(r->sim->vf[0].mac, mac, 6);
	assert_int_equal(r->sim->vf[1].mac[5], 2);
}

/* With the scrub it is over. */
static void test_over(void **state)
{
	struct rig *r = *state;
	struct pol_policy *p = NULL;
	struct ledger book;

	move(r);
	assert_int_equal(ledger_read(&r->env, &book, &r->d), 0);
	assert_int_equal(book.n, 1);
	assert_string_equal(book.fn[0].moved.nic, "e");
	book.fn[0].state = LEDGER_CLEAN;
	assert_int_equal(ledger_write(&r->env, &book, &r->d), 0);
	ledger_free(&book);
	assert_int_equal(policy_applied(&r->env, &p, &r->errs, &r->d), 0);
	assert_false(p->guest[0].nic[0].moved);
	assert_int_equal(p->guest[0].nic[0].fn.vf, 0);
	pol_free(p);
}

/* Nor is a nic in two places: given its own again, whatever became of the
 * other. */
static void test_given(void **state)
{
	static struct work w;
	struct rig *r = *state;
	struct pol_policy *p = NULL;
	uint64_t generation;

	move(r);
	w.env = &r->env;
	assert_int_equal(
		tenancy_give(&w, r->sim->vf[0].bdf, "g/a", false, &generation),
		0);
	assert_int_equal(policy_applied(&r->env, &p, &r->errs, &r->d), 0);
	assert_false(p->guest[0].nic[0].moved);
	pol_free(p);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(test_same),
		T(test_in_the_way),
		T(test_over),
		T(test_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
