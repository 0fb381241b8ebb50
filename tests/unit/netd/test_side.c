/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PFs side by side, each in a process: failed, killed and hanging at every
 * action. What comes first is a matter of luck; what comes out is not. */

#include "netd/apply.h"
#include "tests/unit/netd/rig.h"

static const char policy[] =
	"version: 1\n"
	"nics:\n"
	"  - { name: e, match: { pci: \"0000:01:00.0\" }, link: up,\n"
	"      virtual-function-count: 3, drivers-autoprobe: false }\n"
	"  - { name: f, match: { pci: \"0000:02:00.0\" }, link: up,\n"
	"      drivers-autoprobe: true }\n"
	"networks:\n"
	"  - { name: net, vlan: { id: 100, qos: 3 }, trust: true }\n"
	"pools:\n"
	"  - { name: p, functions: [\"e#0-2\"], driver: vfio }\n"
	"devices:\n"
	"  - { name: d, match: { pci: \"0000:03:00.0\" },\n"
	"      group: with-companions }\n"
	"guests:\n"
	"  - name: g\n"
	"    cpus: { count: 1 }\n"
	"    memory: { size: 512M }\n"
	"    kernel: /k\n"
	"    nics: [{ name: a, pool: p, network: net }]\n"
	"    devices: [{ use: d }]\n";

static int side_setup(void **state)
{
	int e = rig_setup(state);
	struct rig *r = *state;

	r->ops = &sim_side_ops;
	r->sim->two = true;
	sim_text(r->sim, r->before);
	return e;
}

static int apply(struct rig *r)
{
	return rig_apply(r, policy);
}

static void test_same(void **state)
{
	struct rig *r = *state;
	char now[2048], side[2048];
	int n;

	assert_int_equal(apply(r), 0);
	n = r->sim->n;
	assert_true(n > 10);
	assert_int_equal(json_integer_value(json_object_get(r->reply, "done")),
	                 n);
	sim_text(r->sim, side);
	assert_int_equal(rig_restore(r), 0);
	rig_is(r, r->before, "");
	r->ops = &sim_ops;
	assert_int_equal(apply(r), 0);
	assert_string_equal(sim_text(r->sim, now), side);
	assert_int_equal(r->sim->n, n);
}

static void test_fail_each(void **state)
{
	struct rig *r = *state;
	char now[2048];
	int n;

	for (n = 1;; n++) {
		rig_fail(r, n, false);
		if (!apply(r))
			break;
		assert_int_equal(r->d.code, FL_NETD_LINK);
		assert_non_null(strstr(r->d.why, "all was put back"));
		rig_is(r, r->before, "");
	}
	assert_true(n > 10);
	rig_is(r, sim_text(r->sim, now), "applied.yaml original.json");
}

/* A process of the apply is killed, or the worker itself (a barrier is done
 * there): undone, or done by the next start. */
static void test_die_each(void **state)
{
	struct rig *r = *state;
	char desired[2048];
	bool undone = false, recovered = false;
	int n, status;

	assert_int_equal(apply(r), 0);
	sim_text(r->sim, desired);
	assert_int_equal(rig_restore(r), 0);
	for (n = 1;; n++) {
		pid_t pid;

		r->sim->die_at = n;
		pid = fork();
		if (!pid)
			_exit(apply(r) ? 1 : 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		r->sim->die_at = 0;
		assert_true(WIFEXITED(status));
		if (!WEXITSTATUS(status))
			break;
		if (WEXITSTATUS(status) == 1) {
			rig_is(r, r->before, "");
			undone = true;
			continue;
		}
		assert_int_equal(rig_recover(r), 0);
		rig_is(r, desired, "applied.yaml original.json");
		assert_int_equal(rig_restore(r), 0);
		rig_is(r, r->before, "");
		recovered = true;
	}
	assert_true(undone && recovered && n > 12);
}

/* Those of undoing fail, too, for one PF: the other is as before. */
static void test_undo_goes_on(void **state)
{
	struct rig *r = *state;

	rig_fail(r, 6, true);
	assert_int_equal(apply(r), -EIO);
	assert_non_null(strstr(r->d.why, "not put back"));
	rig_fail(r, 0, false);
	assert_int_equal(rig_restore(r), 0);
	rig_is(r, r->before, "");
}

struct planned {
	struct pol_policy *p;
	struct pol_state *seen, *want;
	struct pol_plan *plan;
	uint8_t outcome[64];
};

static void plan_it(struct rig *r, struct planned *x)
{
	memset(x, 0, sizeof(*x));
	assert_int_equal(pol_parse(policy, strlen(policy), &x->p, &r->errs), 0);
	assert_int_equal(r->ops->observe(r->sim, NULL, &x->seen, &r->d), 0);
	assert_int_equal(pol_resolve(x->p, x->seen, &x->want, &r->errs), 0);
	assert_int_equal(r->ops->observe_more(r->sim, x->seen, x->want, &r->d),
	                 0);
	assert_int_equal(pol_plan(x->want, x->seen, &x->plan, &r->d), 0);
	assert_true(x->plan->n < sizeof(x->outcome));
}

static void plan_drop(struct planned *x)
{
	pol_plan_free(x->plan);
	pol_state_free(x->want);
	pol_state_free(x->seen);
	pol_free(x->p);
}

/* One action of the first PF does not come back: its deadline ends it, the
 * second PF and what is behind the PFs are done. */
static void test_hang_each(void **state)
{
	const struct apply_how how = { .action_ms = 150 };
	struct rig *r = *state;
	struct planned x;
	int hung = 0;

	r->sim->hangs = true;
	for (int n = 1; n <= 6; n++) {
		int e;

		plan_it(r, &x);
		r->sim->n = 0;
		r->sim->sleep_at = n;
		e = apply_plan(r->ops, r->sim, x.plan, x.outcome, &how, &r->d);
		assert_true(e == -ETIMEDOUT);
		if (r->d.code == FL_NETD_STUCK) {
			hung++;
			assert_true(r->sim->stuck);
			assert_true(r->sim->up2);
			assert_string_equal(r->sim->whole[0].driver,
			                    "vfio-pci");
			for (size_t i = 0; i < x.plan->n; i++)
				assert_true(x.plan->action[i].pf.bus == 1 ||
				            x.outcome[i] == APPLY_DONE);
		} else { /* it was the second's turn, which answers again */
			assert_int_equal(r->d.code, FL_SRIOV_STUCK);
		}
		plan_drop(&x);
		r->sim->sleep_at = 0;
		r->sim->stuck = false;
		r->sim->up = r->sim->up2 = r->sim->autoprobe2 = false;
		r->sim->autoprobe = true;
		r->sim->num_vfs = 0;
		for (int i = 0; i < SIM_WHOLES; i++) {
			strcpy(r->sim->whole[i].driver, i ? "" : "nvme");
			r->sim->whole[i].override[0] = '\0';
		}
	}
	assert_true(hung > 0);
}

/* Errors of some leave the rest alone, or do not, as asked. */
static void test_go_on(void **state)
{
	const struct apply_how how = { .go_on = true, .one_by_one = true };
	struct rig *r = *state;
	struct planned x;

	plan_it(r, &x);
	rig_fail(r, 2, false);
	assert_int_equal(
		apply_plan(r->ops, r->sim, x.plan, x.outcome, &how, &r->d),
		-EIO);
	assert_true(r->sim->up2);
	assert_string_equal(r->sim->whole[0].driver, "vfio-pci");
	plan_drop(&x);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, side_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(test_same),         T(test_fail_each), T(test_die_each),
		T(test_undo_goes_on), T(test_hang_each), T(test_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
