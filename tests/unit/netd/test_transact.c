/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A transaction, cut at every point: failed at each action, killed at each
 * action. The machine is a mock (sim.h); the journal's files are real. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/netd/sim.h"

static const char policy[] =
	"version: 1\n"
	"nics:\n"
	"  - { name: e, match: { pci: \"0000:01:00.0\" }, link: up,\n"
	"      virtual-function-count: 3, drivers-autoprobe: false }\n"
	"networks:\n"
	"  - { name: net, vlan: { id: 100, qos: 3 }, spoof-check: false,\n"
	"      trust: true }\n"
	"  - { name: ov, bridge: br-o, overlay: { type: vxlan, id: 9,\n"
	"      local: 192.0.2.1, remote: [192.0.2.2] } }\n"
	"pools:\n"
	"  - { name: p, functions: [\"e#0-2\"], driver: vfio,\n"
	"      mac: { prefix: \"02:5a:10\", assign: stable } }\n"
	"devices:\n"
	"  - { name: d, match: { pci: \"0000:03:00.0\" },\n"
	"      group: with-companions }\n"
	"guests:\n"
	"  - name: g\n"
	"    cpus: { count: 1 }\n"
	"    memory: { size: 512M }\n"
	"    kernel: /k\n"
	"    nics:\n"
	"      - { name: a, pool: p, network: net }\n"
	"      - { name: b, pool: p }\n"
	"    devices: [{ use: d }]\n";

struct fixture {
	struct sim *sim;
	struct state_dir dir;
	struct env env;
	struct diag d;
	struct pol_errors errs;
	json_t *reply;
	char before[2048];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->sim = sim_new();
	dir_make(&f->dir);
	f->env.root_fd = -1;
	f->env.state_fd = f->dir.fd;
	sim_text(f->sim, f->before);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	json_decref(f->reply);
	dir_drop(&f->dir);
	sim_free(f->sim);
	free(f);
	return 0;
}

static struct transaction begin(struct fixture *f)
{
	json_decref(f->reply);
	f->reply = json_object();
	memset(&f->d, 0, sizeof(f->d));
	f->sim->n = 0;
	return (struct transaction){ .env = &f->env,
		                     .ops = &sim_ops,
		                     .ctx = f->sim,
		                     .reply = f->reply,
		                     .d = &f->d,
		                     .verb = "apply" };
}

static int apply_text(struct fixture *f, const char *text)
{
	struct transaction t = begin(f);
	struct intent in = { .policy = strdup(text),
		             .policy_len = strlen(text),
		             .file = "test.yaml" };

	return transact_policy(&t, &in, &f->errs);
}

static int apply(struct fixture *f)
{
	return apply_text(f, policy);
}

static int restore(struct fixture *f)
{
	struct transaction t = begin(f);
	struct intent in = { .kind = INTENT_RESTORE };

	return transact_restore(&t, &in);
}

/* What verb_recover does. */
static int recover(struct fixture *f)
{
	struct transaction t = begin(f);
	struct intent in = { 0 };
	int r = intent_read(f->dir.fd, &in, &f->d);

	if (r)
		return r == -ENOENT ? 0 : r;
	return in.kind == INTENT_RESTORE ? transact_restore(&t, &in)
	                                 : transact_policy(&t, &in, &f->errs);
}

static void check_machine(struct fixture *f, const char *want)
{
	char now[2048];

	assert_string_equal(sim_text(f->sim, now), want);
}

static void check_files(struct fixture *f, const char *want)
{
	char now[256];

	assert_string_equal(dir_list(&f->dir, now), want);
}

static void test_apply_restore(void **state)
{
	struct fixture *f = *state;
	char text[2048];

	assert_int_equal(apply(f), 0);
	check_files(f, "applied.yaml original.json");
	assert_int_equal(journal_phase(f->dir.fd, NULL), JOURNAL_APPLIED);
	assert_int_equal(f->sim->num_vfs, 3);
	assert_int_equal(json_array_size(json_object_get(f->reply, "actions")),
	                 f->sim->n);
	assert_int_equal(json_integer_value(json_object_get(f->reply, "done")),
	                 f->sim->n);
	sim_text(f->sim, text);
	assert_non_null(strstr(text, "vlan 100/3 rate 0-0 spoof 0 trust 1"));
	assert_int_equal(apply(f), 0); /* again: nothing */
	assert_int_equal(f->sim->n, 0);
	assert_int_equal(restore(f), 0);
	check_machine(f, f->before);
	check_files(f, "");
	assert_int_equal(restore(f), 0); /* nothing to restore */
}

/* The order that policy.h promises, as the ops see it. */
static void test_order(void **state)
{
	static const enum pol_op want[] = {
		POL_OP_OVERLAY,    POL_OP_AUTOPROBE,  POL_OP_NUMVFS,
		POL_OP_PF_LINK,    POL_OP_VF_MAC,     POL_OP_VF_MAC,
		POL_OP_VF_VLAN,    POL_OP_VF_SPOOF,   POL_OP_VF_TRUST,
		POL_OP_VF_DRIVER,  POL_OP_VF_DRIVER,  POL_OP_VF_DRIVER,
		POL_OP_DEV_DRIVER, POL_OP_DEV_DRIVER,
	};
	struct fixture *f = *state;

	assert_int_equal(apply(f), 0);
	assert_int_equal(f->sim->n, ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		assert_int_equal(f->sim->log[i], want[i]);
}

static int actions_of_apply(void)
{
	struct fixture *f;
	void *p;
	int n;

	setup(&p);
	f = p;
	assert_int_equal(apply(f), 0);
	n = f->sim->n;
	teardown(&p);
	return n;
}

static void test_fail_each(void **state)
{
	struct fixture *f = *state;
	int n = actions_of_apply();

	assert_true(n > 5);
	for (int i = 1; i <= n; i++) {
		f->sim->fail_at = i;
		f->sim->fail_errno = -EOPNOTSUPP;
		f->sim->fail_code = FL_NETD_LINK;
		assert_int_equal(apply(f), -EOPNOTSUPP);
		assert_int_equal(f->d.code, FL_NETD_LINK);
		assert_non_null(strstr(f->d.why, "all was put back"));
		assert_true(json_is_true(json_object_get(
			json_object_get(f->reply, "undo"), "ok")));
		check_machine(f, f->before);
		check_files(f, "");
	}
}

/* Over an applied policy: back to that, and it stays the applied one. */
static void test_fail_over_applied(void **state)
{
	struct fixture *f = *state;
	char applied[2048], other[sizeof(policy)];
	int n;

	assert_int_equal(apply(f), 0);
	sim_text(f->sim, applied);
	strcpy(other, policy);
	*strstr(other, "count: 3") = 'c';
	memcpy(strstr(other, "count: 3"), "count: 5", 8);
	for (n = 1;; n++) {
		f->sim->fail_at = n;
		f->sim->fail_errno = -EIO;
		f->sim->fail_code = FL_NETD_READBACK;
		if (!apply_text(f, other))
			break;
		check_machine(f, applied);
		check_files(f, "applied.yaml original.json");
	}
	assert_true(n > 5);
	assert_int_equal(f->sim->num_vfs, 5);
	f->sim->fail_at = 0;
	assert_int_equal(restore(f), 0);
	check_machine(f, f->before);
}

/* Undoing fails, too: the journal keeps all, and says so; then it is done. */
static void test_undo_fails(void **state)
{
	struct fixture *f = *state;

	f->sim->fail_at = 5;
	f->sim->fail_always = true;
	f->sim->fail_errno = -EIO;
	f->sim->fail_code = FL_NETD_LINK;
	assert_int_equal(apply(f), -EIO);
	assert_non_null(strstr(f->d.why, "not put back"));
	check_files(f, "intent.json original.json");
	f->sim->fail_at = 0;
	assert_int_equal(restore(f), 0);
	check_machine(f, f->before);
	check_files(f, "");
}

static void hang(struct fixture *f, int at)
{
	f->sim->fail_at = at;
	f->sim->fail_errno = -ETIMEDOUT;
	f->sim->fail_code = FL_SRIOV_STUCK;
	f->sim->hangs = true;
}

static void unhang(struct fixture *f)
{
	f->sim->fail_at = 0;
	f->sim->hangs = f->sim->stuck = false;
}

/* A hanging device is not written again; all else is done, and kept. What is
 * missing is done by the next one. */
static void test_stuck(void **state)
{
	struct fixture *f = *state;

	hang(f, 4);
	assert_int_equal(apply(f), -ETIMEDOUT);
	assert_int_equal(f->d.code, FL_NETD_STUCK);
	assert_int_equal(f->sim->n, 6); /* the last two: 03:00.0 and .1 */
	check_files(f, "applied.yaml original.json");
	assert_string_equal(f->sim->whole[0].driver, "vfio-pci");
	assert_int_equal(apply(f), -ETIMEDOUT); /* nothing but that is left */
	assert_int_equal(f->sim->n, 0);
	unhang(f);
	assert_int_equal(apply(f), 0);
	check_files(f, "applied.yaml original.json");
	assert_int_equal(f->sim->num_vfs, 3);
	assert_int_equal(restore(f), 0);
	check_machine(f, f->before);
	check_files(f, "");
}

/* It came back late: an error like any other. */
static void test_late(void **state)
{
	struct fixture *f = *state;

	hang(f, 4);
	f->sim->hangs = false;
	assert_int_equal(apply(f), -ETIMEDOUT);
	assert_int_equal(f->d.code, FL_SRIOV_STUCK);
	check_machine(f, f->before);
	check_files(f, "");
}

/* What was never seen of a PF cannot be put back: it is not noted. */
static void test_stuck_from_the_start(void **state)
{
	struct fixture *f = *state;
	struct pol_state *s = NULL;

	f->sim->stuck = true;
	assert_int_equal(apply(f), -ETIMEDOUT);
	assert_int_equal(f->sim->n, 3); /* an overlay, two drivers */
	assert_int_equal(original_read(f->dir.fd, &s, &f->d), 0);
	assert_int_equal(s->n_pfs, 0);
	assert_int_equal(s->n_wholes, 2);
	pol_state_free(s);
	unhang(f);
	assert_int_equal(apply(f), 0);
	assert_int_equal(restore(f), 0);
	check_machine(f, f->before);
}

/* The journal alone knows what is missing of a restore. */
static void test_stuck_restore(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(apply(f), 0);
	hang(f, 3); /* two drivers, then numvfs */
	assert_int_equal(restore(f), -ETIMEDOUT);
	assert_int_equal(f->d.code, FL_NETD_STUCK);
	assert_string_equal(f->sim->whole[0].driver, "nvme");
	check_files(f, "applied.yaml intent.json original.json");
	assert_int_equal(recover(f), -ETIMEDOUT);
	unhang(f);
	assert_int_equal(recover(f), 0);
	check_machine(f, f->before);
	check_files(f, "");
}

static void run_and_die(struct fixture *f, int at,
                        int (*what)(struct fixture *))
{
	int status;
	pid_t pid;

	f->sim->die_at = at;
	pid = fork();
	if (!pid)
		_exit(what(f) ? 1 : 0);
	waitpid(pid, &status, 0);
	f->sim->die_at = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 9);
}

static void test_die_each_apply(void **state)
{
	struct fixture *f = *state;
	int n = actions_of_apply();
	char desired[2048];

	assert_int_equal(apply(f), 0);
	sim_text(f->sim, desired);
	assert_int_equal(restore(f), 0);
	for (int i = 1; i <= n; i++) {
		run_and_die(f, i, apply);
		assert_int_equal(journal_phase(f->dir.fd, NULL),
		                 JOURNAL_APPLYING);
		assert_int_equal(recover(f), 0);
		check_machine(f, desired);
		check_files(f, "applied.yaml original.json");
		assert_int_equal(restore(f), 0);
		check_machine(f, f->before);
	}
}

static void test_die_each_restore(void **state)
{
	struct fixture *f = *state;

	/* Two drivers, numvfs, link, autoprobe. */
	for (int i = 1; i <= 5; i++) {
		assert_int_equal(apply(f), 0);
		f->sim->n = 0;
		assert_true(f->sim->num_vfs == 3);
		run_and_die(f, i, restore);
		assert_int_equal(recover(f), 0);
		check_machine(f, f->before);
		check_files(f, "");
	}
}

/* A card is pulled after the policy was applied: the others get back what
 * they had, and the answer says which one is missing. */
static void test_restore_without(void **state)
{
	struct fixture *f = *state;
	const char *said;
	char now[2048];

	for (int gone = 0; gone < 2; gone++) {
		assert_int_equal(apply(f), 0);
		f->sim->pf_gone = gone == 0;
		f->sim->whole_gone = gone == 1;
		assert_int_equal(restore(f), 0);
		said = json_string_value(json_array_get(
			json_object_get(f->reply, "warnings"), 0));
		assert_non_null(said);
		assert_non_null(
			strstr(said, gone ? "0000:03:00.0" : "0000:01:00.0"));
		check_files(f, "");
		f->sim->pf_gone = f->sim->whole_gone = false;
		if (gone) { /* it comes back as a new one */
			assert_int_equal(f->sim->num_vfs, 0);
			strcpy(f->sim->whole[0].driver, "nvme");
			f->sim->whole[0].override[0] = '\0';
		} else {
			assert_string_equal(f->sim->whole[0].driver, "nvme");
			f->sim->num_vfs = 0;
			f->sim->up = false;
			f->sim->autoprobe = true;
		}
		assert_string_equal(sim_text(f->sim, now), f->before);
	}
}

/* Only when the VFs are there does it show that their group is not theirs. */
static void test_shared_group(void **state)
{
	struct fixture *f = *state;

	f->sim->shared_group = true;
	assert_int_equal(apply(f), -EINVAL);
	assert_int_equal(f->errs.e[0].diag.code, FL_POL_GROUP);
	assert_true(json_is_true(
		json_object_get(json_object_get(f->reply, "undo"), "ok")));
	check_machine(f, f->before);
	check_files(f, "");
}

/* Killed in the middle, and then the way on is barred: back to where the
 * killed one began, not to where it was cut. */
static void test_die_then_fail(void **state)
{
	struct fixture *f = *state;

	run_and_die(f, 6, apply);
	f->sim->fail_at = 2;
	f->sim->fail_errno = -EIO;
	f->sim->fail_code = FL_NETD_LINK;
	assert_int_equal(recover(f), -EIO);
	check_machine(f, f->before);
	check_files(f, "");
}

/* One change is cut short and cannot be finished; the next, of another nic,
 * fails: what the first one did goes back, too. */
static void test_die_then_fail_elsewhere(void **state)
{
	static const char other[] =
		"version: 1\n"
		"nics:\n"
		"  - { name: second, match: { pci: \"0000:02:00.0\" }, link: up,\n"
		"      drivers-autoprobe: true }\n";
	struct fixture *f = *state;
	struct intent old = { 0 };
	struct intent in = { .policy = strdup(other),
		             .policy_len = strlen(other) };
	struct transaction t;

	f->sim->two = true;
	sim_text(f->sim, f->before);
	run_and_die(f, 6, apply);
	f->sim->fail_at = 1;
	f->sim->fail_always = true;
	f->sim->fail_errno = -EIO;
	f->sim->fail_code = FL_NETD_LINK;
	assert_int_equal(recover(f), -EIO);
	check_files(f, "intent.json original.json");
	f->sim->fail_at = 2;
	f->sim->fail_always = false;
	assert_int_equal(intent_read(f->dir.fd, &old, &f->d), 0);
	in.before = TAKE_PTR(old.before);
	intent_clear(&old);
	t = begin(f);
	assert_int_equal(transact_policy(&t, &in, &f->errs), -EIO);
	check_machine(f, f->before);
	check_files(f, "");
}

/* Left by a crash before the intent; the machine was changed by hand since. */
static void test_stale_original(void **state)
{
	struct fixture *f = *state;
	struct pol_state *seen = NULL;
	char by_hand[2048];

	assert_int_equal(sim_ops.observe(f->sim, &seen, NULL), 0);
	assert_int_equal(original_add(f->dir.fd, seen, seen, &f->d), 0);
	f->sim->up = true;
	f->sim->autoprobe = false;
	sim_text(f->sim, by_hand);
	assert_int_equal(restore(f), 0); /* nothing is ours */
	check_machine(f, by_hand);
	assert_int_equal(original_add(f->dir.fd, seen, seen, &f->d), 0);
	assert_int_equal(apply(f), 0);
	assert_int_equal(restore(f), 0);
	check_machine(f, by_hand);
	pol_state_free(seen);
}

static void test_refused_before(void **state)
{
	struct fixture *f = *state;
	char bad[sizeof(policy)];

	strcpy(bad, policy);
	memcpy(strstr(bad, "count: 3"), "count: 9", 8);
	assert_int_equal(apply_text(f, bad), -EINVAL);
	assert_int_equal(f->errs.e[0].diag.code, FL_POL_TOTAL);
	check_machine(f, f->before);
	check_files(f, "");
}

/* Only a missing original.json means that nothing is to restore. */
static void test_stray_enoent(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(apply(f), 0);
	f->sim->observe_errno = -ENOENT;
	assert_int_equal(restore(f), -ENOENT);
	check_files(f, "applied.yaml original.json");
	f->sim->observe_errno = 0;
	assert_int_equal(restore(f), 0);
	check_machine(f, f->before);
}

/* Beside no policy, too: it may be the only trace of how things were. */
static void test_damaged_original(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(journal_put(f->dir.fd, JOURNAL_ORIGINAL, "{", 1, NULL),
	                 0);
	assert_int_equal(apply(f), -EBADMSG);
	assert_int_equal(f->d.code, FL_NETD_JOURNAL);
	assert_int_equal(restore(f), -EBADMSG);
	check_machine(f, f->before);
	check_files(f, "original.json");
}

/* A file that cannot be looked at is not absent. */
static void test_phase_unknown(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(symlinkat(JOURNAL_INTENT, f->dir.fd, JOURNAL_INTENT),
	                 0);
	assert_int_equal(journal_phase(f->dir.fd, &f->d), -ELOOP);
	assert_int_equal(f->d.code, FL_NETD_JOURNAL);
	assert_int_equal(restore(f), -ELOOP);
}

/* What cannot be read now could not be put back. */
static void test_link_unread(void **state)
{
	struct fixture *f = *state;

	f->sim->no_link = true;
	assert_int_equal(apply(f), -EIO);
	assert_int_equal(f->d.code, FL_NETD_LINK);
	check_machine(f, f->before);
	check_files(f, "");
}

/* After a reboot nothing of it is true any more. */
static void test_reboot(void **state)
{
	struct fixture *f = *state;
	const struct log log = { .fd = -1, .level = LOG_LVL_ERROR };
	char line[256];

	f->env.log = &log;
	f->env.root_fd = f->dir.fd;
	snprintf(line, sizeof(line),
	         "cd %s && mkdir -p proc/sys/kernel/random && "
	         "echo one > proc/sys/kernel/random/boot_id",
	         f->dir.path);
	assert_int_equal(system(line), 0);
	assert_int_equal(apply(f), 0);
	assert_int_equal(journal_boot(&f->env, &f->d), 0);
	assert_int_equal(journal_boot(&f->env, &f->d), 0); /* the same boot */
	assert_int_equal(journal_phase(f->dir.fd, NULL), JOURNAL_APPLIED);
	check_files(f, "applied.yaml boot original.json proc");
	snprintf(line, sizeof(line),
	         "echo two > %s/proc/sys/kernel/random/boot_id", f->dir.path);
	assert_int_equal(system(line), 0);
	assert_int_equal(journal_boot(&f->env, &f->d), 0);
	assert_int_equal(journal_phase(f->dir.fd, NULL), JOURNAL_NONE);
	check_files(f, "applied-before-boot.yaml boot proc");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_apply_restore),
		T(test_order),
		T(test_fail_each),
		T(test_fail_over_applied),
		T(test_undo_fails),
		T(test_stuck),
		T(test_late),
		T(test_stuck_from_the_start),
		T(test_stuck_restore),
		T(test_die_each_apply),
		T(test_restore_without),
		T(test_shared_group),
		T(test_die_each_restore),
		T(test_die_then_fail),
		T(test_refused_before),
		T(test_stale_original),
		T(test_link_unread),
		T(test_stray_enoent),
		T(test_damaged_original),
		T(test_phase_unknown),
		T(test_reboot),
		T(test_die_then_fail_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
