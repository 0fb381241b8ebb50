/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a borrower may state of a VF: root all, others a MAC that is nobody's,
 * and else they get what the policy says. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "netd/ledger.h"

static const char text[] =
	"version: 1\n"
	"nics:\n"
	"  - { name: e, match: { pci: \"0000:01:00.0\" } }\n"
	"pools:\n"
	"  - { name: p, functions: [\"e#0-3\"] }\n"
	"overrides:\n"
	"  - nic: e\n"
	"    vfs:\n"
	"      - { id: 1, mac-address: \"02:00:00:00:00:01\" }\n"
	"      - { id: 2, mac-address: \"02:00:00:00:00:02\" }\n";

static const struct pol_vf asked = { .set = POL_HAS_MAC,
	                             .mac = { 2, 0, 0, 0, 0, 9 } };

static void test_words(void **state)
{
	static const uint32_t more[] = { POL_HAS_VLAN,  POL_HAS_SPOOF,
		                         POL_HAS_TRUST, POL_HAS_RATE,
		                         POL_HAS_RSS,   POL_HAS_LINK_STATE };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		struct work w = { .peer.uid = 1000, .req.attr = asked };

		assert_int_equal(loan_may_state(&w), 0);
		w.req.attr.set |= more[i];
		assert_int_equal(loan_may_state(&w), -EPERM);
		assert_int_equal(w.diag.code, FL_NETD_DENIED);
		w.peer.uid = 0;
		assert_int_equal(loan_may_state(&w), 0);
	}
}

/* Its last byte is `last`; VF 1 is what he gets. */
static int may_have(struct work *w, uint8_t last)
{
	struct pol_errors errs = { 0 };
	struct pol_vf vf[2] = {
		{ .bdf = { 0, 1, 16, 1 } },
		{ .set = POL_HAS_MAC,
		  .index = 3,
		  .bdf = { 0, 1, 16, 3 },
		  .mac = { 2, 0, 0, 0, 0, 3 } },
	};
	struct pol_pf pf = { .set = POL_HAS_PERM_MAC,
		             .id.mac = { 2, 0, 0, 0, 0, 4 },
		             .vf = vf,
		             .n_vfs = 2 };
	const struct pol_state seen = { .pf = &pf, .n_pfs = 1 };
	const struct pol_vf want = {
		.set = POL_HAS_MAC | POL_HAS_VLAN | POL_HAS_DRIVER,
		.bdf = vf[0].bdf,
		.mac = { 2, 0, 0, 0, 0, 1 },
		.vlan = 100,
	};
	struct pol_policy *p;
	int r;

	assert_int_equal(pol_parse(text, strlen(text), &p, &errs), 0);
	w->req.attr.mac[5] = last;
	r = loan_may_have(w, p, &seen, (struct pol_fn){ .nic = 0, .vf = 1 },
	                  &want);
	pol_free(p);
	return r;
}

/* Another VF's by the policy, one that is seen, the PF's. */
static void test_macs(void **state)
{
	(void)state;
	for (uint8_t last = 2; last <= 4; last++) {
		struct work w = { .peer.uid = 1000, .req.attr = asked };

		assert_int_equal(may_have(&w, last), -EEXIST);
		assert_int_equal(w.diag.code, FL_NETD_LOAN);
		w.peer.uid = 0;
		assert_int_equal(may_have(&w, last), 0);
		assert_int_equal(w.req.attr.set, POL_HAS_MAC);
	}
}

static void test_policy(void **state)
{
	struct work w = { .peer.uid = 1000 };

	(void)state;
	assert_int_equal(may_have(&w, 0), 0);
	assert_int_equal(w.req.attr.set, POL_HAS_MAC | POL_HAS_VLAN);
	assert_int_equal(w.req.attr.mac[5], 1);
	assert_int_equal(w.req.attr.vlan, 100);
	w.req.attr = asked;
	assert_int_equal(may_have(&w, 9), 0);
	assert_int_equal(w.req.attr.set, POL_HAS_MAC | POL_HAS_VLAN);
	assert_int_equal(w.req.attr.mac[5], 9);
	assert_int_equal(w.req.attr.vlan, 100);
	/* Its own by the policy. */
	w.req.attr = asked;
	assert_int_equal(may_have(&w, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_macs),
		cmocka_unit_test(test_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
