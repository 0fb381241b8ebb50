/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The corpus: tests/golden/inventory/MACHINE/inventory.jsonl, and beside it
 * policies with what `plan --sim` would say of them. Of each policy that is
 * accepted:
 *   - its plan, done, gives what is wanted: a plan of that is empty;
 *   - going back gives the machine that was, byte for byte;
 *   - cut short after any of its actions, planning again comes to its end, and
 *     going back to where it began;
 * and of each machine, that its inventory is what would be written of it, and
 * that what is exported of it (MACHINE/exported) has an empty plan there.
 */

#include "tests/unit/policy/state.h"

#include <libgen.h>

static struct pol_errors errs;
static struct text file, got;
static unsigned machines, accepted, refused;

static struct pol_state *machine_of(const char *policy)
{
	struct pol_state *s = NULL;
	char path[512], dir[256];
	FILE *f;
	size_t n;
	static char big[1 << 20];

	snprintf(dir, sizeof(dir), "%s", policy);
	snprintf(path, sizeof(path), "%s/inventory.jsonl", dirname(dir));
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(big, 1, sizeof(big), f);
	fclose(f);
	if (pol_inventory_parse(big, n, &s, &errs)) {
		got.n = 0;
		text_errors(&got, &errs);
		fail_msg("%s: %s", path, got.buf);
	}
	return s;
}

/* A transaction sees of bridges those that it makes; one that is not there has
 * nothing but its name. */
static void keep_overs(struct pol_state *s, const struct pol_state *want)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_overs; i++)
		if (state_over(want, s->over[i].o.bridge))
			s->over[n++] = s->over[i];
	s->n_overs = n;
	for (size_t i = 0; i < n; i++)
		if (!s->over[i].there)
			s->over[i].o.dev[0] = '\0';
}

static struct pol_state *asked(const char *policy, const struct pol_state *want)
{
	struct pol_state *s = machine_of(policy);

	assert_int_equal(pol_inventory_ask(want, s), 0);
	keep_overs(s, want);
	return s;
}

/* A transaction keeps what it is about; VFs are told by their PFs. */
static void keep_whole(struct pol_state *s, const struct pol_state *want)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_wholes; i++)
		for (size_t j = 0; j < want->n_wholes; j++)
			if (bdf_equal(s->whole[i].bdf, want->whole[j].bdf))
				s->whole[n++] = s->whole[i];
	s->n_wholes = n;
}

static char *saved(const struct pol_state *s, const struct pol_state *want)
{
	struct pol_whole *w = calloc(s->n_wholes + 1, sizeof(*w));
	struct pol_state kept = *s;
	json_t *doc;
	char *out;

	memcpy(w, s->whole, s->n_wholes * sizeof(*w));
	kept.whole = w;
	keep_whole(&kept, want);
	doc = pol_state_to_json(&kept);
	out = json_dumps(doc, JSON_INDENT(1));
	free(w);

	json_decref(doc);
	assert_non_null(out);
	return out;
}

static void carry_out(struct pol_state *s, const struct pol_plan *plan)
{
	struct diag d = { .code = 0 };

	if (pol_sim(s, plan, &d))
		fail_msg("FL-%04d %s: %s", d.code, d.what, d.why);
}

static void check_empty(const struct pol_state *want,
                        const struct pol_state *seen)
{
	struct pol_plan *plan = plan_for(want, seen);

	if (plan->n) {
		got.n = 0;
		plan_print(&got, plan);
		fail_msg("left to do:\n%s", got.buf);
	}
	pol_plan_free(plan);
}

static void check_done(const char *policy, const struct pol_state *want,
                       const struct pol_plan *plan)
{
	struct pol_state *s = asked(policy, want), *back = NULL;
	char *before = saved(s, want), *after;
	struct pol_plan *undo;

	assert_int_equal(pol_want_from_state(s, &back), 0);
	keep_whole(back, want);
	carry_out(s, plan);
	check_empty(want, s);
	undo = plan_for(back, s);
	carry_out(s, undo);
	check_empty(back, s);
	after = saved(s, want);
	assert_string_equal(before, after);
	pol_plan_free(undo);
	pol_state_free(back);
	pol_state_free(s);
	free(before);
	free(after);
}

/* Where a crash or a refusal may leave it: on, or back. */
static void check_cut(const char *policy, const struct pol_state *want,
                      const struct pol_plan *plan, size_t done)
{
	struct pol_plan cut = { .action = plan->action, .n = done }, *rest;
	struct pol_state *s = asked(policy, want), *back = NULL;
	char *before = saved(s, want), *after;

	assert_int_equal(pol_want_from_state(s, &back), 0);
	keep_whole(back, want);
	carry_out(s, &cut);
	rest = plan_for(want, s);
	carry_out(s, rest);
	check_empty(want, s);
	pol_plan_free(rest);
	pol_state_free(s);
	s = asked(policy, want);
	carry_out(s, &cut);
	rest = plan_for(back, s);
	carry_out(s, rest);
	after = saved(s, want);
	assert_string_equal(before, after);
	pol_plan_free(rest);
	pol_state_free(back);
	pol_state_free(s);
	free(before);
	free(after);
}

static void add_risk(const char *text, void *arg)
{
	text_add(arg, "warning: %s\n", text);
}

static void risk_print(const struct pol_policy *p, const struct pol_state *want,
                       const struct pol_state *seen,
                       const struct pol_plan *plan)
{
	uint32_t within = pol_confirm_within(p, seen, plan);

	pol_each_risk(p, want, seen, plan, add_risk, &got);
	if (within)
		text_add(&got, "to be confirmed in %u s\n", within);
}

/* As `plan --sim` does it. */
static void try(const char *path, struct pol_state *seen)
{
	struct pol_state *want = NULL;
	struct pol_plan *plan = NULL;
	struct diag d = { .code = 0 };
	struct pol_policy *p = NULL;
	char buf[4 * DIAG_LINE];

	text_read(&file, path);
	got.n = 0;
	if (pol_parse(file.buf, file.n, &p, &errs) ||
	    pol_resolve(p, seen, &want, &errs) ||
	    pol_inventory_ask(want, seen) ||
	    pol_inventory_lacks(want, seen, &errs)) {
		text_errors(&got, &errs);
		refused++;
	} else if (pol_plan(want, seen, &plan, &d)) {
		diag_format(&d, buf, sizeof(buf));
		text_add(&got, "%s", buf);
		refused++;
	} else {
		static struct text keep;

		plan_print(&got, plan);
		risk_print(p, want, seen, plan);
		keep = got;
		check_done(path, want, plan);
		for (size_t i = 1; i < plan->n; i++)
			check_cut(path, want, plan, i);
		got = keep;
		accepted++;
	}
	pol_plan_free(plan);
	pol_state_free(want);
	pol_free(p);
}

static void check_policy(const char *path)
{
	struct pol_state *seen = machine_of(path);
	static struct text expect;
	char golden[512];

	try(path, seen);
	pol_state_free(seen);
	snprintf(golden, sizeof(golden), "%.*s.plan",
	         (int)(strlen(path) - strlen(".yaml")), path);
	if (golden_update()) {
		text_write(golden, got.buf);
		return;
	}
	text_read(&expect, golden);
	if (strcmp(expect.buf, got.buf) != 0)
		fail_msg("%s: expected\n%s\nbut is\n%s", golden, expect.buf,
		         got.buf);
}

/* The next line that is no note, as JSON. */
static json_t *next_line(char **at)
{
	for (char *line; (line = strsep(at, "\n"));)
		if (*line && *line != '#')
			return json_loads(line, 0, NULL);
	return NULL;
}

/* Who wrote it is in the first line; else it is what we would write. */
static void check_written(const char *path)
{
	struct pol_state *s = machine_of(path);
	static char text[1 << 20];
	char *out = NULL, *a = text, *b;
	FILE *f = fopen(path, "r");
	json_t *x, *y;
	size_t n, len;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	assert_int_equal(pol_inventory_format(s, "x", &out, &len), 0);
	b = out;
	x = next_line(&a);
	y = next_line(&b);
	for (bool first = true; x || y; first = false) {
		if (!first && !json_equal(x, y))
			fail_msg("%s: %s", path, json_dumps(x, 0));
		json_decref(x);
		json_decref(y);
		x = next_line(&a);
		y = next_line(&b);
	}
	free(out);
	pol_state_free(s);
}

static void check_export(const char *path)
{
	struct pol_state *s = machine_of(path), *want = NULL;
	struct pol_policy *p = NULL;
	char golden[512], *out = NULL;
	size_t len;

	assert_int_equal(pol_export(s, &out, &len), 0);
	snprintf(golden, sizeof(golden), "%.*sexported",
	         (int)(strlen(path) - strlen("inventory.jsonl")), path);
	if (golden_update())
		text_write(golden, out);
	text_read(&file, golden);
	assert_string_equal(file.buf, out);
	if (pol_parse(out, len, &p, &errs) || pol_resolve(p, s, &want, &errs)) {
		got.n = 0;
		text_errors(&got, &errs);
		fail_msg("%s\n%s", out, got.buf);
	}
	check_empty(want, s);
	pol_state_free(want);
	pol_state_free(s);
	pol_free(p);
	free(out);
}

static void check_machine(const char *dir)
{
	each_file(dir, ".jsonl", check_export);
	machines += (unsigned)each_file(dir, ".jsonl", check_written);
	each_file(dir, ".yaml", check_policy);
}

static void each_machine(void (*fn)(const char *dir))
{
	static const char top[] = "tests/golden/inventory";
	struct dirent **list;
	char path[300];
	int n = scandir(top, &list, NULL, alphasort);

	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", top, list[i]->d_name);
		if (list[i]->d_name[0] != '.' && list[i]->d_type == DT_DIR)
			fn(path);
		free(list[i]);
	}
	free(list);
}

static void test_machines(void **state)
{
	(void)state;
	each_machine(check_machine);
	assert_true(machines >= 7);
	assert_true(accepted >= 6);
	assert_true(refused >= 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_machines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
