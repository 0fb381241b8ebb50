/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An apply that holds only if it is confirmed: rolled back to what was before
 * it, cut at every point, and what goes on meanwhile. The timer is the real
 * one, over a daemon on a tree of files. */

#include "netd/confirm.h"
#include "tests/unit/netd/daemon.h"
#include "tests/unit/netd/rig.h"

static const char one[] =
	"version: 1\n"
	"nics:\n"
	"  - { name: e, match: { pci: \"0000:01:00.0\" }, link: up,\n"
	"      virtual-function-count: 2, drivers-autoprobe: false }\n"
	"pools:\n"
	"  - { name: p, functions: [\"e#0-1\"], driver: vfio }\n";
static const char other[] =
	"version: 1\n"
	"nics:\n"
	"  - { name: e, match: { pci: \"0000:01:00.0\" }, link: up,\n"
	"      virtual-function-count: 3, drivers-autoprobe: false }\n"
	"networks:\n"
	"  - { name: net, vlan: { id: 100, qos: 3 }, trust: true }\n"
	"pools:\n"
	"  - { name: p, functions: [\"e#0-2\"], driver: vfio }\n"
	"guests:\n"
	"  - name: g\n"
	"    cpus: { count: 1 }\n"
	"    memory: { size: 512M }\n"
	"    kernel: /k\n"
	"    nics: [{ name: a, pool: p, network: net }]\n";

static int apply_other(struct rig *r)
{
	return rig_apply(r, other);
}

static void test_first(void **state)
{
	struct rig *r = *state;
	struct unconfirmed u = { 0 };
	char now[2048];

	r->confirm_s = 120;
	assert_int_equal(rig_apply(r, one), 0);
	assert_int_equal(
		json_integer_value(json_object_get(r->reply, "confirm-within")),
		120);
	assert_int_equal(journal_phase(r->dir.fd, &r->d),
	                 JOURNAL_UNCONFIRMED_YET);
	rig_is(r, sim_text(r->sim, now),
	       "applied.yaml original.json unconfirmed");
	assert_int_equal(unconfirmed_read(r->dir.fd, &u, &r->d), 0);
	assert_null(u.policy);
	assert_string_equal(u.file, "test.yaml");
	assert_int_equal(u.history, 1);
	assert_true(u.due_ns > confirm_now_ns() + 100000000000ull);
	assert_true(u.due_ns <= confirm_now_ns() + 120000000000ull);
	assert_true(unconfirmed_due(r->dir.fd) == u.due_ns);
	unconfirmed_clear(&u);
	assert_int_equal(rig_rollback(r), 0);
	rig_is(r, r->before, "");
	assert_int_equal(rig_rollback(r), 0); /* there is none */
}

/* Back to the policy before, and to the state before, not to the file's idea
 * of it. */
static void test_over_applied(void **state)
{
	struct rig *r = *state;
	char was[2048];

	assert_int_equal(rig_apply(r, one), 0);
	sim_text(r->sim, was);
	r->confirm_s = 60;
	assert_int_equal(rig_apply(r, other), 0);
	assert_int_equal(r->sim->num_vfs, 3);
	rig_applied(r, other);
	assert_int_equal(rig_rollback(r), 0);
	rig_is(r, was, "applied.yaml original.json");
	rig_applied(r, one);
	assert_int_equal(rig_restore(r), 0);
	rig_is(r, r->before, "");
}

static void test_restore_instead(void **state)
{
	struct rig *r = *state;

	r->confirm_s = 60;
	assert_int_equal(rig_apply(r, one), 0);
	assert_int_equal(rig_restore(r), 0);
	rig_is(r, r->before, "");
}

/* Nothing to do needs no word. */
static void test_nothing(void **state)
{
	struct rig *r = *state;
	char now[2048];

	assert_int_equal(rig_apply(r, one), 0);
	r->confirm_s = 60;
	assert_int_equal(rig_apply(r, one), 0);
	rig_is(r, sim_text(r->sim, now), "applied.yaml original.json");
}

/* The policy's own word, where nothing was asked for. */
static void test_policy_says(void **state)
{
	struct rig *r = *state;
	char text[1024];

	snprintf(text, sizeof(text),
	         "%shost: { apply: { confirm-within: 30s } }\n", one);
	assert_int_equal(rig_apply(r, text), 0);
	assert_int_equal(
		json_integer_value(json_object_get(r->reply, "confirm-within")),
		30);
	assert_int_equal(rig_rollback(r), 0);
	rig_is(r, r->before, "");
}

/* New VFs bounce the PF's link. */
static void test_budget(void **state)
{
	struct rig *r = *state;
	char text[1024];

	snprintf(text, sizeof(text),
	         "%shost: { apply: { disruption-budget: none } }\n", one);
	assert_int_equal(rig_apply(r, text), -EBUSY);
	assert_int_equal(r->d.code, FL_NETD_BUDGET);
	rig_is(r, r->before, "");
	snprintf(text, sizeof(text),
	         "%shost: { apply: { disruption-budget: none-in-use } }\n",
	         one);
	assert_int_equal(rig_apply(r, text), 0);
}

static const char down[] =
	"version: 1\n"
	"nics:\n"
	"  - { name: e, match: { pci: \"0000:01:00.0\" }, link: down }\n";

/* Without a word of the policy: nobody's link who has a VF. Whoever asks may
 * say otherwise, and the history tells it. */
static void test_allow(void **state)
{
	struct rig *r = *state;
	json_t *e = NULL;

	assert_int_equal(rig_apply(r, one), 0);
	r->sim->vf[0].holder_pid = 77;
	assert_int_equal(rig_apply(r, down), -EBUSY);
	assert_int_equal(r->d.code, FL_NETD_BUDGET);
	r->allow = (struct allow){ true, POL_BUDGET_ALLOW };
	assert_int_equal(rig_apply(r, down), 0);
	assert_int_equal(history_get(r->dir.fd, 2, &e, &r->d), 0);
	assert_string_equal(
		json_string_value(json_object_get(e, "allow-disruption")),
		"allow");
	json_decref(e);
	/* Less than the policy, too. */
	r->sim->vf[0].holder_pid = 0;
	r->allow.budget = POL_BUDGET_NONE;
	assert_int_equal(rig_apply(r, one), 0); /* up disrupts nobody */
	assert_int_equal(rig_apply(r, down), -EBUSY);
	r->allow.given = false;
	assert_int_equal(rig_apply(r, down), 0);
}

/* Killed anywhere in the apply: what goes on is not for good either. */
static void test_die_in_apply(void **state)
{
	struct rig *r = *state;
	char was[2048], now[2048];
	int n;

	assert_int_equal(rig_apply(r, one), 0);
	sim_text(r->sim, was);
	r->confirm_s = 60;
	for (n = 1; rig_die(r, n, apply_other); n++) {
		assert_int_equal(journal_phase(r->dir.fd, &r->d),
		                 JOURNAL_APPLYING);
		assert_int_equal(rig_recover(r), 0);
		rig_is(r, sim_text(r->sim, now),
		       "applied.yaml original.json unconfirmed");
		rig_applied(r, other);
		assert_int_equal(rig_rollback(r), 0);
		rig_is(r, was, "applied.yaml original.json");
		rig_applied(r, one);
	}
	assert_true(n > 5);
}

static void test_die_in_rollback(void **state)
{
	struct rig *r = *state;
	char was[2048];
	int n;

	assert_int_equal(rig_apply(r, one), 0);
	sim_text(r->sim, was);
	r->confirm_s = 60;
	for (n = 1;; n++) {
		assert_int_equal(rig_apply(r, other), 0);
		if (!rig_die(r, n, rig_rollback))
			break;
		assert_int_equal(journal_phase(r->dir.fd, &r->d),
		                 JOURNAL_APPLYING);
		assert_int_equal(rig_recover(r), 0);
		rig_is(r, was, "applied.yaml original.json");
		rig_applied(r, one);
	}
	assert_true(n > 3);
}

/* It does not come off: the machine is whole, the file says so and rings no
 * more, and restore still works. */
static void test_rollback_fails(void **state)
{
	struct rig *r = *state;
	struct unconfirmed u = { 0 };
	char was[2048];

	assert_int_equal(rig_apply(r, one), 0);
	r->confirm_s = 60;
	assert_int_equal(rig_apply(r, other), 0);
	sim_text(r->sim, was);
	rig_fail(r, 3, false);
	assert_int_equal(rig_rollback(r), -EIO);
	rig_is(r, was, "applied.yaml original.json unconfirmed");
	rig_applied(r, other);
	assert_int_equal(unconfirmed_due(r->dir.fd), 0);
	assert_int_equal(unconfirmed_read(r->dir.fd, &u, &r->d), 0);
	assert_int_equal(json_integer_value(json_object_get(u.error, "code")),
	                 FL_NETD_LINK);
	assert_string_equal(u.policy, one);
	unconfirmed_clear(&u);
	rig_fail(r, 0, false);
	assert_int_equal(rig_restore(r), 0);
	rig_is(r, r->before, "");
}

/* An apply that failed and was undone needs no word. */
static void test_failed_apply(void **state)
{
	struct rig *r = *state;

	r->confirm_s = 60;
	rig_fail(r, 4, false);
	assert_int_equal(rig_apply(r, one), -EIO);
	rig_is(r, r->before, "");
}

static struct work work_of(struct rig *r)
{
	struct work w = { .env = &r->env,
		          .permit = permit_find("confirm"),
		          .policy_fd = -1,
		          .peer = { .pid = 4242, .pidfd = -1 } };

	w.reply = json_object();
	return w;
}

static void test_confirm(void **state)
{
	struct rig *r = *state;
	struct work w = work_of(r);
	json_t *e = NULL;
	char now[2048];

	r->env.root_fd = r->dir.fd;
	assert_int_equal(verb_confirm(&w), -ENOENT);
	assert_int_equal(w.diag.code, FL_NETD_CONFIRMED);
	r->confirm_s = 60;
	assert_int_equal(rig_apply(r, one), 0);
	assert_int_equal(confirm_refuse(&w, "lease g"), -EAGAIN);
	assert_int_equal(w.diag.code, FL_NETD_UNCONFIRMED);
	assert_non_null(strstr(w.diag.why, " 60 s"));
	assert_int_equal(verb_confirm(&w), 0);
	rig_is(r, sim_text(r->sim, now), "applied.yaml original.json");
	assert_int_equal(confirm_refuse(&w, "lease g"), 0);
	assert_int_equal(history_get(r->dir.fd, 2, &e, &r->d), 0);
	assert_string_equal(json_string_value(json_object_get(e, "verb")),
	                    "confirm");
	assert_int_equal(json_integer_value(json_object_get(e, "continues")),
	                 1);
	json_decref(e);
	json_decref(w.reply);
}

/* A roll-back that has begun is not stopped half-way. */
static void test_confirm_too_late(void **state)
{
	struct rig *r = *state;
	struct work w = work_of(r);

	r->env.root_fd = r->dir.fd;
	r->confirm_s = 60;
	assert_int_equal(rig_apply(r, other), 0);
	assert_true(rig_die(r, 2, rig_rollback));
	assert_int_equal(verb_confirm(&w), -EAGAIN);
	assert_int_equal(w.diag.code, FL_NETD_UNFINISHED);
	assert_int_equal(rig_recover(r), 0);
	rig_is(r, r->before, "");
	json_decref(w.reply);
}

static void test_status(void **state)
{
	struct rig *r = *state;
	json_t *o = confirm_status(r->dir.fd);
	json_int_t left;

	assert_true(json_is_null(o));
	json_decref(o);
	r->confirm_s = 60;
	assert_int_equal(rig_apply(r, one), 0);
	o = confirm_status(r->dir.fd);
	left = json_integer_value(json_object_get(o, "left"));
	assert_true(left > 50 && left <= 60);
	json_decref(o);
}

static void test_damaged(void **state)
{
	static const char *const texts[] = { "", "x", "12\n", "12\n{}",
		                             "12\n[" };
	struct rig *r = *state;
	struct unconfirmed u = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(journal_put(r->dir.fd, JOURNAL_UNCONFIRMED,
		                             texts[i], strlen(texts[i]), NULL),
		                 0);
		assert_int_equal(unconfirmed_read(r->dir.fd, &u, &r->d),
		                 -EBADMSG);
		assert_int_equal(r->d.code, FL_NETD_JOURNAL);
	}
}

/* ---- the timer ----------------------------------------------------------- */

static bool has_gone(const struct daemon *d, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/state/%s", d->dir.path, name);
	for (int i = 0; i < 500; i++) {
		if (access(path, F_OK) < 0)
			return true;
		usleep(10000);
	}
	return false;
}

static void put_unconfirmed(struct daemon *d, uint64_t in_ms)
{
	struct pol_state nothing = { 0 };
	struct unconfirmed u = { .within_s = 1,
		                 .file = "f",
		                 .due_ns = confirm_now_ns() + in_ms * 1000000,
		                 .before = &nothing };
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/state", d->dir.path);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(
		journal_put(fd, JOURNAL_APPLIED_FILE, "version: 1\n", 11, NULL),
		0);
	assert_int_equal(unconfirmed_write(fd, &u, NULL), 0);
	close(fd);
}

static void restart(struct daemon *d)
{
	kill(d->pid, SIGKILL);
	assert_int_equal(waitpid(d->pid, NULL, 0), d->pid);
	daemon_run(d);
}

/* netd was killed meanwhile: the one that starts keeps the time. */
static void test_timer(void **state)
{
	struct daemon *d = *state;
	uint64_t begun = now_ns();

	put_unconfirmed(d, 600);
	restart(d);
	assert_true(has_gone(d, JOURNAL_UNCONFIRMED));
	assert_true(now_ns() - begun > 500000000);
	assert_true(has_gone(d, JOURNAL_APPLIED_FILE));
}

/* Its time passed while there was no daemon. */
static void test_timer_past(void **state)
{
	struct daemon *d = *state;

	put_unconfirmed(d, 0);
	restart(d);
	assert_true(has_gone(d, JOURNAL_UNCONFIRMED));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
#define D(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_first),           T(test_over_applied),
		T(test_restore_instead), T(test_nothing),
		T(test_die_in_apply),    T(test_die_in_rollback),
		T(test_rollback_fails),  T(test_failed_apply),
		T(test_confirm),         T(test_confirm_too_late),
		T(test_policy_says),     T(test_budget),
		T(test_allow),           T(test_status),
		T(test_damaged),         D(test_timer),
		D(test_timer_past),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
