/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A transaction cut short: a device hangs, netd is killed at each action, the
 * host starts anew. The machine is a mock (sim.h); the journal's files are
 * real. */

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/netd/transact.h"

static void hang(struct rig *r, int at)
{
	r->sim->fail_at = at;
	r->sim->fail_errno = -ETIMEDOUT;
	r->sim->fail_code = FL_SRIOV_STUCK;
	r->sim->hangs = true;
}

static void unhang(struct rig *r)
{
	r->sim->fail_at = 0;
	r->sim->hangs = r->sim->stuck = false;
}

/* A hanging device is not written again; all else is done, and kept. What is
 * missing is done by the next one. */
static void test_stuck(void **state)
{
	struct rig *r = *state;

	hang(r, 4);
	assert_int_equal(apply(r), -ETIMEDOUT);
	assert_int_equal(r->d.code, FL_NETD_STUCK);
	assert_int_equal(r->sim->n, 6); /* the last two: 03:00.0 and .1 */
	rig_files(r, "applied.yaml original.json");
	assert_string_equal(r->sim->whole[0].driver, "vfio-pci");
	assert_int_equal(apply(r), -ETIMEDOUT); /* nothing but that is left */
	assert_int_equal(r->sim->n, 0);
	unhang(r);
	assert_int_equal(apply(r), 0);
	rig_files(r, "applied.yaml original.json");
	assert_int_equal(r->sim->num_vfs, 3);
	assert_int_equal(rig_restore(r), 0);
	rig_is(r, r->before, "");
}

/* It came back late: an error like any other. */
static void test_late(void **state)
{
	struct rig *r = *state;

	hang(r, 4);
	r->sim->hangs = false;
	assert_int_equal(apply(r), -ETIMEDOUT);
	assert_int_equal(r->d.code, FL_SRIOV_STUCK);
	rig_is(r, r->before, "");
}

/* What was never seen of a PF cannot be put back: it is not noted. */
static void test_stuck_from_the_start(void **state)
{
	struct rig *r = *state;
	struct pol_state *s = NULL;

	r->sim->stuck = true;
	assert_int_equal(apply(r), -ETIMEDOUT);
	assert_int_equal(r->sim->n, 3); /* an overlay, two drivers */
	assert_int_equal(original_read(r->dir.fd, &s, &r->d), 0);
	assert_int_equal(s->n_pfs, 0);
	assert_int_equal(s->n_wholes, 2);
	pol_state_free(s);
	unhang(r);
	assert_int_equal(apply(r), 0);
	assert_int_equal(rig_restore(r), 0);
	rig_machine(r, r->before);
}

/* The journal alone knows what is missing of a restore. */
static void test_stuck_restore(void **state)
{
	struct rig *r = *state;

	assert_int_equal(apply(r), 0);
	hang(r, 3); /* two drivers, then numvfs */
	assert_int_equal(rig_restore(r), -ETIMEDOUT);
	assert_int_equal(r->d.code, FL_NETD_STUCK);
	assert_string_equal(r->sim->whole[0].driver, "nvme");
	rig_files(r, "applied.yaml intent.json original.json");
	assert_int_equal(rig_recover(r), -ETIMEDOUT);
	unhang(r);
	assert_int_equal(rig_recover(r), 0);
	rig_is(r, r->before, "");
}

static void test_die_each_apply(void **state)
{
	struct rig *r = *state;
	int n = actions_of_apply();
	char desired[2048];

	assert_int_equal(apply(r), 0);
	sim_text(r->sim, desired);
	assert_int_equal(rig_restore(r), 0);
	for (int i = 1; i <= n; i++) {
		assert_true(rig_die(r, i, apply));
		assert_int_equal(journal_phase(r->dir.fd, NULL),
		                 JOURNAL_APPLYING);
		assert_int_equal(rig_recover(r), 0);
		rig_machine(r, desired);
		rig_files(r, "applied.yaml original.json");
		assert_int_equal(rig_restore(r), 0);
		rig_machine(r, r->before);
	}
}

static void test_die_each_restore(void **state)
{
	struct rig *r = *state;

	/* Two drivers, numvfs, link, autoprobe. */
	for (int i = 1; i <= 5; i++) {
		assert_int_equal(apply(r), 0);
		r->sim->n = 0;
		assert_true(r->sim->num_vfs == 3);
		assert_true(rig_die(r, i, rig_restore));
		assert_int_equal(rig_recover(r), 0);
		rig_is(r, r->before, "");
	}
}

/* Killed in the middle, and then the way on is barred: back to where the
 * killed one began, not to where it was cut. */
static void test_die_then_fail(void **state)
{
	struct rig *r = *state;

	assert_true(rig_die(r, 6, apply));
	rig_fail(r, 2, false);
	assert_int_equal(rig_recover(r), -EIO);
	rig_is(r, r->before, "");
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
	struct rig *r = *state;
	struct intent old = { 0 };
	struct intent in = { .policy = strdup(other),
		             .policy_len = strlen(other) };

	r->sim->two = true;
	sim_text(r->sim, r->before);
	assert_true(rig_die(r, 6, apply));
	rig_fail(r, 1, true);
	assert_int_equal(rig_recover(r), -EIO);
	rig_files(r, "intent.json original.json");
	r->sim->fail_at = 2;
	r->sim->fail_always = false;
	assert_int_equal(intent_read(r->dir.fd, &old, &r->d), 0);
	in.before = TAKE_PTR(old.before);
	intent_clear(&old);
	assert_int_equal(rig_run(r, "apply", &in), -EIO);
	rig_is(r, r->before, "");
}

/* applied.yaml cannot go, or be replaced, until `on` is false. */
static void bar(struct rig *r, bool on)
{
	if (on) {
		assert_int_equal(
			renameat(r->dir.fd, "applied.yaml", r->dir.fd, "aside"),
			0);
		assert_int_equal(mkdirat(r->dir.fd, "applied.yaml", 0700), 0);
		return;
	}
	assert_int_equal(unlinkat(r->dir.fd, "applied.yaml", AT_REMOVEDIR), 0);
	assert_int_equal(
		renameat(r->dir.fd, "aside", r->dir.fd, "applied.yaml"), 0);
}

/* What verb_apply does. */
static int apply_over(struct rig *r, const char *text)
{
	struct intent in = { .policy = strdup(text),
		             .policy_len = strlen(text) };

	assert_int_equal(rig_recover(r), 0); /* verb_end_back() */
	assert_int_equal(transact_inherit(r->dir.fd, &in, &r->d), 0);
	assert_null(in.before);
	rig_fail(r, 5, false);
	return rig_run(r, "apply", &in);
}

/* A roll-back to the machine as it was, whose files cannot go. */
static void roll_back_barred(struct rig *r)
{
	r->confirm_s = 60;
	assert_int_equal(apply(r), 0);
	r->confirm_s = 0;
	bar(r, true);
	assert_true(rig_rollback(r) < 0);
	rig_machine(r, r->before);
	bar(r, false);
}

/* The machine is as it was, and the disk refuses to let a file go. An apply
 * over that, which fails, goes back to the machine as it was, and so does what
 * a restart finishes. */
static void test_back_and_barred(void **state)
{
	struct rig *r = *state;
	struct intent left = { 0 };

	for (int again = 0; again < 2; again++) {
		assert_int_equal(apply(r), 0);
		bar(r, true);
		assert_true(rig_restore(r) < 0);
		assert_int_equal(r->d.code, FL_NETD_JOURNAL);
		rig_machine(r, r->before);
		assert_int_equal(intent_read(r->dir.fd, &left, &r->d), 0);
		assert_true(left.back);
		intent_clear(&left);
		bar(r, false);
		if (again)
			assert_int_equal(rig_recover(r), 0);
		else
			assert_int_equal(apply_over(r, policy), -EIO);
		rig_is(r, r->before, "");
		r->sim->fail_at = 0;
	}
}

/* The same of a roll-back: to the policy before. */
static void test_rolled_back_and_barred(void **state)
{
	struct rig *r = *state;
	char with_small[2048];

	assert_int_equal(rig_apply(r, small), 0);
	sim_text(r->sim, with_small);
	r->confirm_s = 60;
	assert_int_equal(apply(r), 0);
	r->confirm_s = 0;
	bar(r, true);
	assert_true(rig_rollback(r) < 0);
	rig_machine(r, with_small);
	bar(r, false);
	assert_int_equal(apply_over(r, policy), -EIO);
	rig_is(r, with_small, "applied.yaml original.json");
	rig_applied(r, small);
	r->sim->fail_at = 0;
	assert_int_equal(rig_restore(r), 0);
	rig_is(r, r->before, "");
}

/* What was changed by hand since is not touched when its time rings again, and
 * so is nothing to go back from. */
static void test_rolled_back_rings_again(void **state)
{
	struct rig *r = *state;
	char by_hand[2048];

	roll_back_barred(r);
	r->sim->up = !r->sim->up;
	sim_text(r->sim, by_hand);
	assert_false(rig_die(r, 1, rig_recover));
	rig_is(r, by_hand, "");
}

/* restore asks nothing of a roll-back that is back. */
static void test_restore_over_torn(void **state)
{
	struct rig *r = *state;
	struct intent in = { .kind = INTENT_RESTORE };
	int fd;

	roll_back_barred(r);
	fd = openat(r->dir.fd, "unconfirmed", O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(rig_recover(r), -EBADMSG);
	assert_int_equal(transact_inherit(r->dir.fd, &in, &r->d), 0);
	assert_int_equal(rig_run(r, "restore", &in), 0);
	rig_is(r, r->before, "");
}

/* Left by a crash before the intent; the machine was changed by hand since. */
static void test_stale_original(void **state)
{
	struct rig *r = *state;
	struct pol_state *seen = NULL;
	char by_hand[2048];

	assert_int_equal(sim_ops.observe(r->sim, NULL, &seen, NULL), 0);
	assert_int_equal(original_add(r->dir.fd, seen, seen, &r->d), 0);
	r->sim->up = true;
	r->sim->autoprobe = false;
	sim_text(r->sim, by_hand);
	assert_int_equal(rig_restore(r), 0); /* nothing is ours */
	rig_machine(r, by_hand);
	assert_int_equal(original_add(r->dir.fd, seen, seen, &r->d), 0);
	assert_int_equal(apply(r), 0);
	assert_int_equal(rig_restore(r), 0);
	rig_machine(r, by_hand);
	pol_state_free(seen);
}

/* After a reboot nothing of it is true any more. */
static void test_reboot(void **state)
{
	struct rig *r = *state;
	const struct log log = { .fd = -1, .level = LOG_LVL_ERROR };
	char line[256];

	r->env.log = &log;
	r->env.root_fd = r->dir.fd;
	snprintf(line, sizeof(line),
	         "cd %s && mkdir -p proc/sys/kernel/random && "
	         "echo one > proc/sys/kernel/random/boot_id",
	         r->dir.path);
	assert_int_equal(system(line), 0);
	assert_int_equal(apply(r), 0);
	assert_int_equal(journal_boot(&r->env, &r->d), 0);
	assert_int_equal(journal_boot(&r->env, &r->d), 0); /* the same boot */
	assert_int_equal(journal_phase(r->dir.fd, NULL), JOURNAL_APPLIED);
	rig_files(r, "applied.yaml boot original.json proc");
	snprintf(line, sizeof(line),
	         "echo two > %s/proc/sys/kernel/random/boot_id", r->dir.path);
	assert_int_equal(system(line), 0);
	assert_int_equal(journal_boot(&r->env, &r->d), 0);
	assert_int_equal(journal_phase(r->dir.fd, NULL), JOURNAL_NONE);
	rig_files(r, "applied-before-boot.yaml boot proc");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(test_stuck),
		T(test_late),
		T(test_stuck_from_the_start),
		T(test_stuck_restore),
		T(test_die_each_apply),
		T(test_die_each_restore),
		T(test_die_then_fail),
		T(test_die_then_fail_elsewhere),
		T(test_back_and_barred),
		T(test_rolled_back_and_barred),
		T(test_rolled_back_rings_again),
		T(test_restore_over_torn),
		T(test_stale_original),
		T(test_reboot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
