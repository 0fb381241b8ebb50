/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a vector is judged, and `fairlead irq` as it prints. The lab cannot post:
 * a host that can is made up here. */

#include "tests/unit/cli/stand-in.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "cli/irq.h"

#define IR "tests/golden/sysfs/intel-ir"

static struct outcome o;

static const struct irq_facts CANNOT = {
	.remapping = IRQ_FACT_YES,
	.posting = IRQ_FACT_NO,
	.posting_evidence = "dmar0 cannot post",
};
static const struct irq_facts CAN = {
	.remapping = IRQ_FACT_YES,
	.posting = IRQ_FACT_YES,
};
static const struct irq_facts BARE = {
	.remapping = IRQ_FACT_NO,
	.posting = IRQ_FACT_NO,
};
static const struct irq_facts BLIND = {
	.remapping = IRQ_FACT_UNKNOWN,
	.posting = IRQ_FACT_UNKNOWN,
};

#define MSIX(from, to)                                                         \
	{                                                                      \
		.kind = IRQ_HOST_MSIX, .armed = true, .found = true,           \
		.found_again = true, .before = (from), .after = (to),          \
	}

static void test_judge(void **state)
{
	static const struct {
		struct irq_row row;
		const struct irq_facts *host;
		enum irq_how how;
		double rate;
		const char *says;
	} t[] = {
		{ MSIX(100, 150), &CANNOT, IRQ_HOW_REMAPPED, 25, "+50 in 2.0" },
		/* A line that counts is not posted, whatever the host can. */
		{ MSIX(100, 150), &CAN, IRQ_HOW_REMAPPED, 25, "+50" },
		{ MSIX(100, 150), &BARE, IRQ_HOW_UNREMAPPED, 25, "+50" },
		{ MSIX(100, 150), &BLIND, IRQ_HOW_UNKNOWN, 25, "+50" },
		{ MSIX(100, 100), &CANNOT, IRQ_HOW_REMAPPED, 0,
		  "counted 100, none in 2.0 s; the host cannot post: dmar0" },
		{ MSIX(0, 0), &CANNOT, IRQ_HOW_UNKNOWN, 0,
		  "nothing has moved" },
		/* Silent, or posted: not claimed. */
		{ MSIX(100, 100), &CAN, IRQ_HOW_UNKNOWN, 0,
		  "posted, or silent" },
		{ MSIX(0, 0), &BLIND, IRQ_HOW_UNKNOWN, 0, "posted, or silent" },
		/* Another line meanwhile. */
		{ MSIX(100, 7), &CANNOT, IRQ_HOW_UNKNOWN, -1, "no line" },
		{ { .kind = IRQ_HOST_MSIX, .armed = true },
		  &CANNOT,
		  IRQ_HOW_UNKNOWN,
		  -1,
		  "no line" },
		{ { .kind = IRQ_HOST_MSI },
		  &CAN,
		  IRQ_HOW_UNKNOWN,
		  -1,
		  "masked" },
		{ { .kind = IRQ_HOST_MSI, .armed = true, .throttled = true },
		  &CAN,
		  IRQ_HOW_UNKNOWN,
		  -1,
		  "interrupt-limit" },
		{ { .kind = IRQ_HOST_INTX,
		    .armed = true,
		    .found = true,
		    .found_again = true,
		    .after = 4,
		    .gsi = 17 },
		  &CAN,
		  IRQ_HOW_EMULATED,
		  2,
		  "pin 17" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct irq_verdict v = irq_judge(&t[i].row, t[i].host, 2);

		if (v.how != t[i].how || v.rate < t[i].rate ||
		    v.rate > t[i].rate || !strstr(v.evidence, t[i].says))
			fail_msg("row %zu: %s, %f: %s", i, irq_how_name(v.how),
			         v.rate, v.evidence);
	}
}

static const char ANSWER[] =
	"{\"version\": 1, \"ok\": true, \"guest\": \"demo\", \"report\": "
	"{\"devices\": [{\"name\": \"wan\", \"bdf\": \"0000:01:10.0\"}]}, "
	"\"vectors\": [{\"device\": \"wan\", \"kind\": \"msix\", \"index\": 2, "
	"\"armed\": true, \"throttled\": false, \"vcpu\": 1, \"guest_vector\": "
	"35}, {\"device\": \"wan\", \"kind\": \"odd\"}, 7, {}], \"vcpus\": "
	"[11, 12]}";

static void test_text(void **state)
{
	static const char *const args[] = { "irq", "--root", IR, "demo", NULL };
	struct daemon *d = *state;

	run_served(&o, d, args, ANSWER, NULL, 0);
	assert_int_equal(o.status, 0);
	assert_non_null(strstr(d->request, "\"verb\":\"query\""));
	assert_non_null(strstr(d->request, "\"guest\":\"demo\""));
	expect_text(&o, "irq", o.out, "interrupt remapping yes");
	expect_text(&o, "irq", o.out, "posted interrupts no (dmar0 cannot");
	expect_text(&o, "irq", o.out, "wan           msix[2]     unknown ");
	expect_text(&o, "irq", o.out, "no line of it in /proc/interrupts");
}

static void test_json(void **state)
{
	static const char *const args[] = { "-j", "irq",  "--root",
		                            IR,   "demo", NULL };
	json_t *doc, *v;

	run_served(&o, *state, args, ANSWER, NULL, 0);
	assert_int_equal(o.status, 0);
	doc = json_loads(o.out, 0, NULL);
	v = json_object_get(doc, "vectors");
	/* What is no vector is not one here. */
	assert_int_equal(json_array_size(v), 1);
	v = json_array_get(v, 0);
	assert_string_equal(json_string_value(json_object_get(v, "bdf")),
	                    "0000:01:10.0");
	assert_string_equal(json_string_value(json_object_get(v, "how")),
	                    "unknown");
	assert_true(json_is_null(json_object_get(v, "rate")));
	assert_true(json_is_null(json_object_get(v, "irq")));
	assert_int_equal(json_integer_value(json_object_get(v, "vcpu")), 1);
	json_decref(doc);
}

static void test_refused(void **state)
{
	static const char *const seconds[] = { "irq", "demo", "0", NULL };
	static const char *const endless[] = { "irq", "demo", "61", NULL };
	static const char *const nowhere[] = { "irq", "--root", "/nowhere",
		                               "demo", NULL };

	run(&o, seconds);
	assert_int_equal(o.status, 2);
	expect_text(&o, "irq", o.err, "seconds, from 1 to 60");
	run(&o, endless);
	assert_int_equal(o.status, 2);
	run_served(&o, *state, nowhere, ANSWER, NULL, 0);
	assert_int_equal(o.status, 1);
	expect_text(&o, "irq", o.err, "FL-0803: ");
}

int main(int argc, char **argv, char **envp)
{
#define T(name)                                                                \
	cmocka_unit_test_setup_teardown(name, daemon_setup, daemon_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judge),
		T(test_text),
		T(test_json),
		T(test_refused),
	};

	(void)argc;
	stand_in_vmm(argv, envp);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
