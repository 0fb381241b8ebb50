/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A transaction: what it does, failed at each action, refused, undone. The
 * machine is a mock (sim.h); the journal's files are real. */

#include <fcntl.h>
#include <sys/stat.h>

#include "tests/unit/netd/transact.h"
#include "tests/unit/netd/tree.h"

static void test_apply_restore(void **state)
{
	struct rig *r = *state;
	char text[2048];

	assert_int_equal(apply(r), 0);
	rig_files(r, "applied.yaml original.json");
	assert_int_equal(journal_phase(r->dir.fd, NULL), JOURNAL_APPLIED);
	assert_int_equal(r->sim->num_vfs, 3);
	assert_int_equal(json_array_size(json_object_get(r->reply, "actions")),
	                 r->sim->n);
	assert_int_equal(json_integer_value(json_object_get(r->reply, "done")),
	                 r->sim->n);
	sim_text(r->sim, text);
	assert_non_null(strstr(text, "vlan 100/3 rate 0-0 spoof 0 trust 1"));
	assert_int_equal(apply(r), 0); /* again: nothing */
	assert_int_equal(r->sim->n, 0);
	assert_int_equal(rig_restore(r), 0);
	rig_is(r, r->before, "");
	assert_int_equal(rig_restore(r), 0); /* nothing to restore */
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
	struct rig *r = *state;

	assert_int_equal(apply(r), 0);
	assert_int_equal(r->sim->n, ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		assert_int_equal(r->sim->log[i], want[i]);
}

static void test_fail_each(void **state)
{
	struct rig *r = *state;
	int n = actions_of_apply();

	assert_true(n > 5);
	for (int i = 1; i <= n; i++) {
		r->sim->fail_at = i;
		r->sim->fail_errno = -EOPNOTSUPP;
		r->sim->fail_code = FL_NETD_LINK;
		assert_int_equal(apply(r), -EOPNOTSUPP);
		assert_int_equal(r->d.code, FL_NETD_LINK);
		assert_non_null(strstr(r->d.why, "all was put back"));
		assert_true(json_is_true(json_object_get(
			json_object_get(r->reply, "undo"), "ok")));
		rig_is(r, r->before, "");
	}
}

/* Over an applied policy: back to that, and it stays the applied one. */
static void test_fail_over_applied(void **state)
{
	struct rig *r = *state;
	char applied[2048], other[sizeof(policy)];
	int n;

	assert_int_equal(apply(r), 0);
	sim_text(r->sim, applied);
	strcpy(other, policy);
	*strstr(other, "count: 3") = 'c';
	memcpy(strstr(other, "count: 3"), "count: 5", 8);
	for (n = 1;; n++) {
		r->sim->fail_at = n;
		r->sim->fail_errno = -EIO;
		r->sim->fail_code = FL_NETD_READBACK;
		if (!rig_apply(r, other))
			break;
		rig_machine(r, applied);
		rig_files(r, "applied.yaml original.json");
	}
	assert_true(n > 5);
	assert_int_equal(r->sim->num_vfs, 5);
	r->sim->fail_at = 0;
	assert_int_equal(rig_restore(r), 0);
	rig_machine(r, r->before);
}

/* What only the failed one was to touch is not put back by a later restore. */
static void test_fail_forgets(void **state)
{
	_cleanup_free_ char *was = NULL, *now = NULL;
	struct rig *r = *state;
	size_t len, len_now;

	assert_int_equal(rig_apply(r, small), 0);
	assert_int_equal(
		journal_get(r->dir.fd, JOURNAL_ORIGINAL, &was, &len, &r->d), 0);
	assert_null(strstr(was, "0000:01:00.0"));
	rig_fail(r, 5, false);
	assert_int_equal(apply(r), -EIO);
	assert_non_null(strstr(r->d.why, "all was put back"));
	assert_int_equal(
		journal_get(r->dir.fd, JOURNAL_ORIGINAL, &now, &len_now, &r->d),
		0);
	assert_int_equal(len, len_now);
	assert_memory_equal(was, now, len);
	rig_files(r, "applied.yaml original.json");
}

/* A disk that is full, at each of the journal's files: nothing stays, whether
 * it is the first policy or another. */
static void test_file_fails(void **state)
{
	static const char *const files[] = { "original.json.new",
		                             "intent.json.new",
		                             "applied.yaml.new" };
	struct rig *r = *state;
	char other[sizeof(policy)], applied[2048];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		assert_int_equal(mkdirat(r->dir.fd, files[i], 0700), 0);
		assert_int_equal(apply(r), -EISDIR);
		assert_int_equal(r->d.code, FL_NETD_JOURNAL);
		assert_int_equal(unlinkat(r->dir.fd, files[i], AT_REMOVEDIR),
		                 0);
		rig_is(r, r->before, "");
	}
	assert_int_equal(apply(r), 0);
	sim_text(r->sim, applied);
	strcpy(other, policy);
	memcpy(strstr(other, "count: 3"), "count: 5", 8);
	for (size_t i = 1; i < ARRAY_SIZE(files); i++) {
		assert_int_equal(mkdirat(r->dir.fd, files[i], 0700), 0);
		assert_int_equal(rig_apply(r, other), -EISDIR);
		assert_non_null(strstr(r->d.why, "all was put back"));
		assert_int_equal(unlinkat(r->dir.fd, files[i], AT_REMOVEDIR),
		                 0);
		rig_machine(r, applied);
		rig_files(r, "applied.yaml original.json");
	}
}

/* Undoing fails, too: the journal keeps all, and says so; then it is done. */
static void test_undo_fails(void **state)
{
	struct rig *r = *state;

	rig_fail(r, 5, true);
	assert_int_equal(apply(r), -EIO);
	assert_non_null(strstr(r->d.why, "not put back"));
	rig_files(r, "intent.json original.json");
	r->sim->fail_at = 0;
	assert_int_equal(rig_restore(r), 0);
	rig_is(r, r->before, "");
}

/* A card is pulled after the policy was applied: the others get back what
 * they had, and the answer says which one is missing. */
static void test_restore_without(void **state)
{
	struct rig *r = *state;
	const char *said;
	char now[2048];

	for (int gone = 0; gone < 2; gone++) {
		assert_int_equal(apply(r), 0);
		r->sim->pf_gone = gone == 0;
		r->sim->whole_gone = gone == 1;
		assert_int_equal(rig_restore(r), 0);
		said = json_string_value(json_array_get(
			json_object_get(r->reply, "warnings"), 0));
		assert_non_null(said);
		assert_non_null(
			strstr(said, gone ? "0000:03:00.0" : "0000:01:00.0"));
		rig_files(r, "");
		r->sim->pf_gone = r->sim->whole_gone = false;
		if (gone) { /* it comes back as a new one */
			assert_int_equal(r->sim->num_vfs, 0);
			strcpy(r->sim->whole[0].driver, "nvme");
			r->sim->whole[0].override[0] = '\0';
		} else {
			assert_string_equal(r->sim->whole[0].driver, "nvme");
			r->sim->num_vfs = 0;
			r->sim->up = false;
			r->sim->autoprobe = true;
		}
		assert_string_equal(sim_text(r->sim, now), r->before);
	}
}

/* Only when the VFs are there does it show that their group is not theirs. */
static void test_shared_group(void **state)
{
	struct rig *r = *state;

	r->sim->shared_group = true;
	assert_int_equal(apply(r), -EINVAL);
	assert_int_equal(r->errs.e[0].diag.code, FL_POL_GROUP);
	assert_true(json_is_true(
		json_object_get(json_object_get(r->reply, "undo"), "ok")));
	rig_is(r, r->before, "");
}

static void test_refused_before(void **state)
{
	struct rig *r = *state;
	char bad[sizeof(policy)];

	strcpy(bad, policy);
	memcpy(strstr(bad, "count: 3"), "count: 9", 8);
	assert_int_equal(rig_apply(r, bad), -EINVAL);
	assert_int_equal(r->errs.e[0].diag.code, FL_POL_TOTAL);
	rig_is(r, r->before, "");
}

/* One that is there and not seen has not gone. */
static void test_restore_unseen(void **state)
{
	struct rig *r = *state;
	struct tree t;
	void *tree = &t;

	tree_make(&t);
	put(&t, "sys/bus/pci/devices/0000:01:00.0/sriov_totalvfs", "512\n");
	r->env.root_fd = t.fd;
	assert_int_equal(apply(r), 0);
	r->sim->pf_gone = true;
	assert_int_equal(rig_restore(r), -ERANGE);
	assert_int_equal(r->d.code, FL_NETD_DEVICE);
	rig_files(r, "applied.yaml original.json");
	r->sim->pf_gone = false;
	assert_int_equal(rig_restore(r), 0);
	rig_is(r, r->before, "");
	tree_teardown(&tree);
}

/* Only a missing original.json means that nothing is to restore. */
static void test_stray_enoent(void **state)
{
	struct rig *r = *state;

	assert_int_equal(apply(r), 0);
	r->sim->observe_errno = -ENOENT;
	assert_int_equal(rig_restore(r), -ENOENT);
	rig_files(r, "applied.yaml original.json");
	r->sim->observe_errno = 0;
	assert_int_equal(rig_restore(r), 0);
	rig_machine(r, r->before);
}

/* Beside no policy, too: it may be the only trace of how things were. */
static void test_damaged_original(void **state)
{
	struct rig *r = *state;

	assert_int_equal(journal_put(r->dir.fd, JOURNAL_ORIGINAL, "{", 1, NULL),
	                 0);
	assert_int_equal(apply(r), -EBADMSG);
	assert_int_equal(r->d.code, FL_NETD_JOURNAL);
	assert_int_equal(rig_restore(r), -EBADMSG);
	rig_machine(r, r->before);
	rig_files(r, "original.json");
}

/* A file that cannot be looked at is not absent. */
static void test_phase_unknown(void **state)
{
	struct rig *r = *state;

	assert_int_equal(symlinkat(JOURNAL_INTENT, r->dir.fd, JOURNAL_INTENT),
	                 0);
	assert_int_equal(journal_phase(r->dir.fd, &r->d), -ELOOP);
	assert_int_equal(r->d.code, FL_NETD_JOURNAL);
	assert_int_equal(rig_restore(r), -ELOOP);
}

/* What cannot be read now could not be put back. */
static void test_link_unread(void **state)
{
	struct rig *r = *state;

	r->sim->no_link = true;
	assert_int_equal(apply(r), -EIO);
	assert_int_equal(r->d.code, FL_NETD_LINK);
	rig_is(r, r->before, "");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(test_apply_restore),    T(test_order),
		T(test_fail_forgets),     T(test_restore_unseen),
		T(test_fail_each),        T(test_fail_over_applied),
		T(test_undo_fails),       T(test_file_fails),
		T(test_restore_without),  T(test_shared_group),
		T(test_refused_before),   T(test_stray_enoent),
		T(test_damaged_original), T(test_phase_unknown),
		T(test_link_unread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
