/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Could a guest have the VF that a failover is to give it? On a tree that has a
 * card with two VFs; nothing of it is changed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "netd/ledger.h"
#include "tests/unit/netd/card.h"
#include "tests/unit/netd/tree.h"

#define POOL(functions)                                                        \
	"version: 1\n"                                                         \
	"nics:\n"                                                              \
	"  - { name: e, match: { pci: \"0000:01:00.0\" } }\n"                  \
	"  - { name: x, match: { pci: \"0000:09:00.0\" } }\n"                  \
	"pools:\n"                                                             \
	"  - { name: p, functions: [" functions "] }\n"                        \
	"guests:\n"
#define GUEST(name)                                                            \
	"  - { name: " name ", memory: 512M, kernel: /k,\n"                    \
	"      nics: [{ name: wan, pool: p }] }\n"

static const char one[] = POOL("\"e#0-1\"") GUEST("g");
static const char two[] = POOL("\"e#0-1\"") GUEST("g") GUEST("h");
static const char other[] = POOL("\"x#1\", \"e#0\"") GUEST("g");

struct rig {
	struct tree t;
	struct env env;
	struct log log;
};

static void put_group(const struct rig *r, const char *vf, int id)
{
	char line[512];

	snprintf(line, sizeof(line),
	         "set -e; cd %s; g=sys/kernel/iommu_groups/%d; "
	         "mkdir -p $g/devices; ln -s x $g/devices/%s; "
	         "ln -s ../../../../kernel/iommu_groups/%d "
	         "sys/bus/pci/devices/%s/iommu_group",
	         r->t.dir, id, vf, id, vf);
	assert_int_equal(system(line), 0);
}

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	tree_make(&r->t);
	put(&r->t, "state/x", "");
	put_card(r->t.dir, 1, -1);
	put_group(r, "0000:01:10.0", 1);
	put_group(r, "0000:01:10.1", 2);
	put(&r->t, "proc/x", "");
	r->log.fd = -1;
	r->env = (struct env){ .root_fd = r->t.fd, .cache_fd = -1 };
	r->env.log = &r->log;
	r->env.state_fd = openat(r->t.fd, "state", O_RDONLY | O_DIRECTORY);
	assert_true(r->env.state_fd >= 0);
	put_applied(r->t.dir, one);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;
	void *tree = &r->t;

	close(r->env.state_fd);
	tree_teardown(&tree);
	free(r);
	return 0;
}

/* -> the code of the refusal; 0 = it could. */
static int foresee(const struct rig *r, const char *vf, char why[DIAG_LINE])
{
	struct work *w = calloc(1, sizeof(*w));
	int code;

	w->env = &r->env;
	w->permit = permit_find("foresee");
	w->reply = json_object();
	strcpy(w->req.guest, "g");
	strcpy(w->req.device, "wan");
	snprintf(w->req.function, sizeof(w->req.function), "%s", vf);
	code = verb_foresee(w) ? w->diag.code : 0;
	assert_int_equal(w->errs.n, 0);
	snprintf(why, DIAG_LINE, "%s", w->diag.why);
	json_decref(w->reply);
	free(w);
	return code;
}

static void test_good(void **state)
{
	struct rig *r = *state;
	char why[DIAG_LINE];

	assert_int_equal(foresee(r, "0000:01:10.1", why), 0);
	/* The one that it has, too. */
	strcpy(r->env.leases.l[0].guest, "g");
	strcpy(r->env.leases.l[0].device[0].name, "wan");
	r->env.leases.l[0].device[0].bdf = (struct bdf){ 0, 1, 0x10, 0 };
	r->env.leases.l[0].n = 1;
	assert_int_equal(foresee(r, "0000:01:10.0", why), 0);
	/* Nothing was written. */
	assert_int_equal(faccessat(r->env.state_fd, LEDGER_FILE, F_OK, 0), -1);
}

static void test_none_such(void **state)
{
	struct rig *r = *state;
	char why[DIAG_LINE];

	assert_int_equal(foresee(r, "0000:01:10.7", why), FL_NETD_WISH);
	assert_string_equal(why, "it is no VF of pool p that is there");
	put_applied(r->t.dir, two);
	assert_int_equal(foresee(r, "0000:01:10.1", why), FL_NETD_WISH);
	assert_string_equal(why,
	                    "the policy gives it to another guest, as wan");
}

/* Of x, of which it could be one, nothing is known: that is told, and not that
 * it is none of the pool. */
static void test_not_known(void **state)
{
	struct rig *r = *state;
	char why[DIAG_LINE];

	put_applied(r->t.dir, other);
	assert_int_equal(foresee(r, "0000:01:10.1", why), FL_NETD_WISH);
	assert_non_null(strstr(why, "nic x: no device matches"));
}

static void put_ledger(const struct rig *r, const char *more)
{
	char text[512];

	snprintf(text, sizeof(text),
	         "{\"version\":1,\"boot\":\"\",\"functions\":[{\"bdf\":"
	         "\"0000:01:10.1\",\"generation\":4,\"tenant\":\"x\",%s}]}",
	         more);
	put(&r->t, "state/" LEDGER_FILE, text);
}

static void test_held(void **state)
{
	struct rig *r = *state;
	char why[DIAG_LINE];

	put_ledger(r, "\"state\":\"quarantined\"");
	assert_int_equal(foresee(r, "0000:01:10.1", why), FL_NETD_QUARANTINE);
	put_ledger(r, "\"state\":\"given\",\"loan\":{\"holder\":\"job\","
	              "\"pool\":\"p\",\"uid\":0,\"pid\":1,\"since\":1,"
	              "\"attributes\":{}}");
	assert_int_equal(foresee(r, "0000:01:10.1", why), FL_NETD_LEASED);
	assert_string_equal(why, "job has it");
}

static void test_no_group(void **state)
{
	struct rig *r = *state;
	char why[DIAG_LINE];

	assert_int_equal(unlinkat(r->t.fd,
	                          "sys/bus/pci/devices/0000:01:10.1/"
	                          "iommu_group",
	                          0),
	                 0);
	assert_int_equal(foresee(r, "0000:01:10.1", why), FL_IOMMU_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_good, setup, teardown),
		cmocka_unit_test_setup_teardown(test_none_such, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_not_known, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_held, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_group, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
