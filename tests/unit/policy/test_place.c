/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which VF of its pool each guest's nic gets, and what is said of it; and that
 * what follows in the file changes nothing of what is before. */

#include "tests/unit/policy/golden.h"

static struct pol_errors errs;
static struct text file;

static struct pol_policy *parse(const char *text, size_t len)
{
	struct pol_policy *p = NULL;

	if (pol_parse(text, len, &p, &errs))
		fail_msg("%s", errs.e[0].diag.what);
	return p;
}

static void check(const struct pol_policy *p, size_t g, size_t n,
                  const char *of, unsigned vf, const char *why)
{
	const struct pol_guest_nic *nic = &p->guest[g].nic[n];
	char text[DIAG_LINE];

	assert_string_equal(p->nic[nic->fn.nic].name, of);
	assert_int_equal(nic->fn.vf, vf);
	assert_true(pol_why_text(p, nic, text, sizeof(text)) > 0);
	assert_string_equal(text, why);
}

#define FIRST "the first that guests before this left, in the order written"

static void test_placement(void **state)
{
	struct pol_policy *p;

	(void)state;
	text_read(&file, "tests/golden/policy/good/placement.yaml");
	p = parse(file.buf, file.n);
	check(p, 0, 0, "a", 0, FIRST);
	check(p, 0, 1, "b", 2,
	      "balanced: guests before this have 0 VF(s) of b, and of no other "
	      "less");
	check(p, 0, 2, "c", 2,
	      "balanced: guests before this have 0 VF(s) of c, and of no other "
	      "less");
	check(p, 1, 0, "b", 0, "at the guest's memory node 1, " FIRST);
	check(p, 1, 1, "b", 3,
	      "at the guest's memory node 1, balanced: guests before this have "
	      "2 VF(s) of b, and of no other less");
	check(p, 2, 0, "b", 1, "at the guest's memory node 1, " FIRST);
	/* Of c nothing is stated; a is known to be elsewhere. */
	check(p, 2, 1, "c", 0, FIRST);
	check(p, 2, 2, "c", 1, FIRST);
	pol_free(p);
}

static void check_others(const struct pol_policy *p, size_t g, size_t n,
                         const char *others)
{
	char text[DIAG_LINE];

	assert_int_equal(
		pol_others_text(p, &p->guest[g].nic[n], text, sizeof(text)),
		(int)strlen(others));
	assert_string_equal(text, others);
}

#define SOCKET "in its socket, at memory node 1, "
#define BELOW "below root port 0000:00:02.0, "

/* Sockets, root ports, and what is said of the VFs that were not taken. */
static void test_near(void **state)
{
	struct pol_policy *p;

	(void)state;
	text_read(&file, "tests/golden/policy/good/placement-near.yaml");
	p = parse(file.buf, file.n);
	check(p, 0, 0, "c", 0, "at the guest's memory node 0, " FIRST);
	check(p, 0, 1, "c", 1, "at the guest's memory node 0, " FIRST);
	check(p, 0, 2, "b", 0, SOCKET FIRST);
	check_others(p, 0, 2,
	             "2 given to nics before it, 2 too far from its memory, "
	             "2 farther from its memory, 1 as good, and later in the "
	             "order written");
	check(p, 1, 0, "b", 1, SOCKET FIRST);
	/* d states nothing, a is in the other socket. */
	check(p, 1, 1, "d", 0, FIRST);
	check(p, 2, 0, "a", 0, "below root port 0000:00:01.0, " FIRST);
	check(p, 2, 1, "a", 2,
	      "below root port 0000:00:01.0, balanced: guests before this have "
	      "1 VF(s) of a, and of no other less");
	check_others(p, 2, 1,
	             "4 not below the guest's root port, "
	             "1 as good, and later in the order written");
	/* Its device is below b's and c's, which have given two each. */
	check(p, 3, 0, "b", 2,
	      BELOW "balanced: guests before this have 2 VF(s) of b, and of no "
	            "other less");
	check(p, 3, 1, "c", 2,
	      BELOW "balanced: guests before this have 2 VF(s) of c, and of no "
	            "other less");
	check_others(p, 3, 1,
	             "2 given to nics before it, 1 not below the guest's root "
	             "port, 1 of a nic that serves more, 1 as good, and later "
	             "in the order written");
	/* Its disk is below theirs, too; of a fewer are given. */
	check(p, 4, 0, "b", 3,
	      BELOW "balanced: guests before this have 3 VF(s) of b, and of no "
	            "other less");
	pol_free(p);
}

/* Where it is known, the address is told: `explain` goes by it. */
static void test_address(void **state)
{
	struct pol_vf vf = { .bdf = { 0, 1, 2, 3 } };
	struct pol_pf pf = { .vf = &vf, .n_vfs = 1 };
	struct pol_state want = { .pf = &pf, .n_pfs = 1 };
	struct pol_policy *p;
	json_t *list;

	(void)state;
	text_read(&file, "tests/golden/policy/good/placement.yaml");
	p = parse(file.buf, file.n);
	snprintf(vf.label, sizeof(vf.label), "%s/%s", p->guest[0].name,
	         p->guest[0].nic[1].name);
	vf.index = p->guest[0].nic[1].fn.vf;
	list = pol_placement_to_json(p, &want);
	assert_null(json_object_get(json_array_get(list, 0), "bdf"));
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(list, 1), "bdf")),
	                    "0000:01:02.3");
	json_decref(list);
	pol_free(p);
}

/* What was named, or has taken another's place, was not chosen: there is
 * nothing to say of the others. */
static void test_not_chosen(void **state)
{
	struct pol_guest_nic *any;
	struct pol_policy *p;

	(void)state;
	text_read(&file, "tests/golden/policy/good/gpus.yaml");
	p = parse(file.buf, file.n);
	any = &p->guest[0].nic[1];
	check(p, 0, 0, "gpu1", 0, "the guest names it");
	check_others(p, 0, 0, "");
	check(p, 0, 1, "gpu1", 1, FIRST);
	check_others(p, 0, 1,
	             "1 given to nics before it, 2 as good, and later in the "
	             "order written");
	pol_nic_move(any, (struct pol_fn){ any->fn.nic, 3 });
	check_others(p, 0, 1, "");
	pol_free(p);
}

static const char head[] =
	"version: 1\n"
	"nics:\n"
	"  - { name: a, match: { pci: \"0000:01:00.0\" }, "
	"virtual-function-count: 8 }\n"
	"  - { name: b, match: { pci: \"0000:02:00.0\" }, "
	"virtual-function-count: 8 }\n"
	"pools:\n"
	"  - { name: p, functions: [\"a#0-7\", \"b#0-7\"], driver: vfio, "
	"placement: %s }\n"
	"guests:\n";
static const char guest[] =
	"  - { name: g%u, memory: 16M, kernel: /k, nics: [ { name: w, pool: p "
	"}, { name: l, pool: p } ] }\n";

static struct pol_policy *with_guests(const char *placement, unsigned n)
{
	file.n = 0;
	text_add(&file, head, placement);
	for (unsigned i = 0; i < n; i++)
		text_add(&file, guest, i);
	return parse(file.buf, file.n);
}

static void assert_same(const struct pol_guest_nic *a,
                        const struct pol_guest_nic *b)
{
	assert_int_equal(a->fn.nic, b->fn.nic);
	assert_int_equal(a->fn.vf, b->fn.vf);
}

/* A guest added at the end moves nobody, whatever the placement. */
static void test_stable(void **state)
{
	static const struct {
		const char *placement;
		unsigned guests;
	} c[] = { { "packed", 8 }, { "balanced", 8 }, { "isolate", 2 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct pol_policy *all =
			with_guests(c[i].placement, c[i].guests);
		bool seen[2][8] = { { false } };

		for (unsigned n = 1; n < c[i].guests; n++) {
			struct pol_policy *p = with_guests(c[i].placement, n);

			for (unsigned g = 0; g < n; g++)
				for (unsigned k = 0; k < 2; k++)
					assert_same(&p->guest[g].nic[k],
					            &all->guest[g].nic[k]);
			pol_free(p);
		}
		for (unsigned g = 0; g < c[i].guests; g++)
			for (unsigned k = 0; k < 2; k++) {
				struct pol_fn fn = all->guest[g].nic[k].fn;

				assert_false(seen[fn.nic][fn.vf]);
				seen[fn.nic][fn.vf] = true;
			}
		pol_free(all);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_placement),
		cmocka_unit_test(test_near),
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_not_chosen),
		cmocka_unit_test(test_stable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
