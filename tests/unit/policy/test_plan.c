/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Golden plans. A file under tests/golden/plan has sections, each begun by a
 * line "--- NAME":
 *   policy   the file to apply, or
 *   saved    the state to go back to (state.h has the form)
 *   seen     the machine as it is
 *   expect   the plan with its commands, or the refusal
 */

#include "tests/unit/policy/state.h"

static struct pol_errors errs;
static struct text file, got;

struct sections {
	char *policy, *saved, *seen, *expect;
};

/* Cuts `text` at its "--- " lines. */
static struct sections cut(const char *path, char *text)
{
	struct sections s = { NULL, NULL, NULL, NULL };

	for (char *at = text, *eol; at && !strncmp(at, "--- ", 4);) {
		char *name = at + 4;

		eol = strchr(at, '\n');
		if (!eol)
			fail_msg("%s: no end of line", path);
		*eol = '\0';
		if (!strcmp(name, "policy"))
			s.policy = eol + 1;
		else if (!strcmp(name, "saved"))
			s.saved = eol + 1;
		else if (!strcmp(name, "seen"))
			s.seen = eol + 1;
		else if (!strcmp(name, "expect"))
			s.expect = eol + 1;
		else
			fail_msg("%s: section %s?", path, name);
		at = strncmp(eol + 1, "--- ", 4) ? strstr(eol + 1, "\n--- ")
		                                 : eol;
		if (at)
			*at++ = '\0';
	}
	if (!s.seen || !s.expect || !s.policy == !s.saved)
		fail_msg("%s: a section is missing", path);
	return s;
}

static unsigned codes_seen[200];

static void print_diag(const struct diag *d)
{
	char buf[4 * DIAG_LINE];

	codes_seen[d->code]++;
	diag_format(d, buf, sizeof(buf));
	text_add(&got, "refused (%d): %s", d->err, buf);
}

/* Written down and read again, as the journal is. */
static struct pol_state *journaled(struct pol_state *saved)
{
	json_t *doc = pol_state_to_json(saved);
	struct pol_state *again = NULL;

	assert_int_equal(pol_state_from_json(doc, &again), 0);
	json_decref(doc);
	pol_state_free(saved);
	return again;
}

static struct pol_state *wanted(const char *path, const struct sections *s,
                                const struct pol_state *seen)
{
	struct pol_state *want = NULL, *saved;
	struct pol_policy *p;
	int r;

	if (s->saved) {
		saved = journaled(state_parse(s->saved));
		assert_int_equal(pol_want_from_state(saved, &want), 0);
		pol_state_free(saved);
		return want;
	}
	if (pol_parse(s->policy, strlen(s->policy), &p, &errs)) {
		text_errors(&got, &errs);
		fail_msg("%s: %s", path, got.buf);
	}
	r = pol_resolve(p, seen, &want, &errs);
	pol_free(p);
	if (!r)
		return want;
	assert_int_equal(r, -EINVAL);
	assert_true(errs.n > 0);
	text_errors(&got, &errs);
	for (size_t i = 0; i < errs.n; i++) {
		assert_true(errs.e[i].pos.line && errs.e[i].diag.err);
		codes_seen[errs.e[i].diag.code]++;
	}
	return NULL;
}

/* Done by the kernel's rules, nothing is left to do. Of switches only: the
 * corpus does it of the rest (test_corpus.c). */
static void check_done(const char *path, struct pol_state *seen,
                       const struct pol_state *want,
                       const struct pol_plan *plan)
{
	struct pol_plan *again = NULL;
	struct diag d = { .code = 0 };

	if (!strstr(path, "switch") && !strstr(path, "msix"))
		return;
	if (pol_sim(seen, plan, &d) || pol_plan(want, seen, &again, &d))
		fail_msg("%s: %s: %s", path, d.what, d.why);
	if (again->n) {
		text_add(&got, "left to do:\n");
		plan_print(&got, again);
		fail_msg("%s: %s", path, got.buf);
	}
	pol_plan_free(again);
}

static void check_plan(const char *path)
{
	struct pol_state *seen, *want;
	struct pol_plan *plan = NULL;
	struct sections s;
	struct diag d = { .code = 0 };
	size_t head;
	int r;

	text_read(&file, path);
	head = (size_t)(strstr(file.buf, "--- expect\n") + 11 - file.buf);
	char *copy = strdup(file.buf);
	s = cut(path, file.buf);
	seen = state_parse(s.seen);
	got.n = 0;
	got.buf[0] = '\0';
	want = wanted(path, &s, seen);
	if (want) {
		r = pol_plan(want, seen, &plan, &d);
		if (r)
			print_diag(&d);
		else
			plan_print(&got, plan);
	}
	if (golden_update()) {
		char *whole = malloc(head + got.n + 1);

		memcpy(whole, copy, head);
		memcpy(whole + head, got.buf, got.n + 1);
		text_write(path, whole);
		free(whole);
	} else if (strcmp(got.buf, copy + head) != 0) {
		fail_msg("%s\n--- got\n%s--- expected\n%s", path, got.buf,
		         copy + head);
	}
	if (plan)
		check_done(path, seen, want, plan);
	pol_plan_free(plan);
	pol_state_free(want);
	pol_state_free(seen);
	free(copy);
}

static void test_golden(void **state)
{
	static const int codes[] = {
		FL_POL_RANGE,      FL_POL_CONFLICT, FL_POL_NO_MATCH,
		FL_POL_TOTAL,      FL_POL_IN_USE,   FL_POL_PF_DRIVER,
		FL_POL_GROUP,      FL_POL_NO_IOMMU, FL_POL_NO_IR,
		FL_POL_ADDRESS,    FL_POL_HOST_USE, FL_POL_HAS_VFS,
		FL_POL_COMPANIONS, FL_POL_MTU,      FL_POL_RATE,
		FL_POL_DEVLINK,    FL_POL_BRIDGE,   FL_POL_VFS_BOUND,
		FL_POL_HOST,       FL_POL_UNLISTED, FL_POL_IDENTITY,
		FL_POL_MSIX,       FL_POL_RESET,
	};

	(void)state;
	assert_true(each_file("tests/golden/plan", ".plan", check_plan) >= 30);
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (!codes_seen[codes[i]])
			fail_msg("no plan gives FL-%04d", codes[i]);
}

/* Texts into buffers of any size: as snprintf, never beyond. */
static void test_small_buffers(void **state)
{
	const struct pol_action a = {
		.op = POL_OP_VF_DRIVER,
		.pf = { .bus = 1 },
		.vf = 3,
		.vf_bdf = { .bus = 1 }, /* not known: the longest line */
		.driver = "igbvf",
		.driver_from = "?",
		.label = "guest/nic",
	};
	char whole[1024], cut_at[1024];
	int n = pol_action_command(&a, whole, sizeof(whole));

	(void)state;
	assert_int_equal(n, strlen(whole));
	for (size_t size = 0; size <= (size_t)n + 1; size++) {
		char *buf = malloc(size ? size : 1);

		assert_int_equal(pol_action_command(&a, buf, size), n);
		if (size) {
			snprintf(cut_at, size, "%s", whole);
			assert_string_equal(buf, cut_at);
		}
		pol_action_text(&a, buf, size);
		free(buf);
	}
	assert_string_equal(pol_op_name(POL_OP_MAX), "unknown");
	assert_string_equal(pol_disruption_name((enum pol_disruption)9),
	                    "unknown");
}

/* A want that no policy made (a damaged journal) is refused, not believed. */
static void test_bad_want(void **state)
{
	char text[] = "host iommu remapping\n"
		      "pf 0000:01:00.0 driver=igb ifname=e vfs=1 total=7\n"
		      "vf 0 mac=00:00:00:00:00:00\n";
	struct pol_state *seen = state_parse(text), *want;
	struct pol_plan *plan = NULL;
	struct diag d;

	(void)state;
	assert_int_equal(pol_want_from_state(seen, &want), 0);
	want->pf[0].vf[0].index = 1;
	assert_int_equal(pol_plan(want, seen, &plan, &d), -EINVAL);
	assert_int_equal(d.code, FL_POL_RANGE);
	assert_null(plan);
	assert_int_equal(pol_plan(want, seen, &plan, NULL), -EINVAL);
	pol_state_free(want);
	pol_state_free(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_small_buffers),
		cmocka_unit_test(test_bad_want),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
