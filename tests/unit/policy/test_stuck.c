/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a guest gets a VF of a function that does not answer, or of whose
 * switch nothing is known because devlink was not asked. What a plan makes of
 * such functions is in the golden plans (unasked*.plan). */

#include "tests/unit/policy/state.h"

#define MODE(mode)                                                             \
	"version: 1\n"                                                         \
	"nics:\n"                                                              \
	"  - name: e\n"                                                        \
	"    match: { pci: \"0000:01:00.0\" }\n"                               \
	"    virtual-function-count: 1\n" mode "pools:\n"                      \
	"  - { name: p, functions: [\"e#0\"], driver: vfio }\n"                \
	"guests:\n"                                                            \
	"  - { name: g, memory: 512M, kernel: /k,\n"                           \
	"      nics: [{ name: a, pool: p }] }\n"
#define SWITCHDEV MODE("    embedded-switch-mode: switchdev\n")
#define LEGACY MODE("    embedded-switch-mode: legacy\n")
#define SILENT MODE("")

#define SEEN(words)                                                            \
	"host iommu remapping\n"                                               \
	"pf 0000:01:00.0 id=8086:10c9 driver=ice ifname=eth1 total=7 vfs=1 "   \
	"offset=128 stride=2 autoprobe=0 link=up " words "\n"                  \
	"vf 0 driver=vfio-pci override=vfio-pci group=7\n"

static struct pol_errors errs;

/* The refusal of the guest's lease; 0 = none. */
static int refusal(const char *policy, const char *seen_text)
{
	_cleanup_free_ char *text = strdup(seen_text);
	struct pol_state *seen = state_parse(text), *want = NULL;
	struct pol_policy *p = NULL;
	int r;

	memset(&errs, 0, sizeof(errs));
	assert_int_equal(pol_parse(policy, strlen(policy), &p, &errs), 0);
	r = pol_resolve_guest(p, &p->guest[0], NULL, seen, &want, &errs);
	assert_int_equal(!r, !errs.n);
	pol_state_free(want);
	pol_state_free(seen);
	pol_free(p);
	if (r)
		assert_true(*errs.e[0].diag.mend);
	return r ? errs.e[0].diag.code : 0;
}

static void test_lease(void **state)
{
	(void)state;
	assert_int_equal(refusal(SWITCHDEV, SEEN("mode=switchdev")), 0);
	assert_int_equal(refusal(SWITCHDEV, SEEN("unasked=1")), FL_POL_STUCK);
	assert_non_null(strstr(errs.e[0].diag.why, "devlink"));
	assert_int_equal(refusal(SWITCHDEV, SEEN("stuck=1 unasked=1")),
	                 FL_POL_STUCK);
	/* Of whose switch nothing is wanted is as ever. */
	assert_int_equal(refusal(LEGACY, SEEN("unasked=1")), 0);
	assert_int_equal(refusal(SILENT, SEEN("unasked=1")), 0);
	assert_int_equal(refusal(SILENT, SEEN("stuck=1")), FL_POL_STUCK);
}

static void test_which(void **state)
{
	const struct pol_pf hangs = { .stuck = true }, fine = { .set = 0 };
	const struct pol_pf unasked = { .unasked = true };
	struct pol_vf vf = { .set = POL_HAS_MAC | POL_HAS_VLAN };
	struct pol_pf want = { .set = POL_HAS_NUMVFS | POL_HAS_LINK |
		                      POL_HAS_MTU | POL_HAS_AUTOPROBE,
		               .vf = &vf,
		               .n_vfs = 1 };

	(void)state;
	assert_true(pol_pf_stuck(&want, &hangs));
	assert_false(pol_pf_stuck(&want, &unasked));
	vf.set |= POL_HAS_GROUP;
	assert_true(pol_pf_stuck(&want, &unasked));
	assert_false(pol_pf_stuck(&want, &fine));
	vf.set = 0;
	want.set |= POL_HAS_PARAMS;
	assert_true(pol_pf_stuck(&want, &unasked));
	assert_non_null(strstr(pol_stuck_why(&unasked), "devlink"));
	assert_null(strstr(pol_stuck_why(&hangs), "devlink"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_lease),
		                            cmocka_unit_test(test_which) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
