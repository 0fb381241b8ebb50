/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which host interrupts are moved, and where; over a tree of files, for the
 * kernel's own have no pinned guest here. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/netd/tree.h"

#define PID 700
#define LINE(irq, owner) " " irq ": 1 2 IR-PCI-MSIX 0-edge " owner "\n"
#define INTERRUPTS                                                             \
	"  CPU0 CPU1\n" LINE("40", "vfio-msix[0](0000:01:10.0)")               \
		LINE("41", "vfio-msix[1](0000:01:10.0)")                       \
			LINE("42", "vfio-msix[2](0000:01:10.0)")               \
				LINE("43", "vfio-msix[0](0000:01:10.2)")       \
					LINE("44", "eth0-rx-0")
#define STATUS(cpus)                                                           \
	"Name:\tvcpu\nCpus_allowed:\tff\nCpus_allowed_list:\t" cpus            \
	"\nMems_allowed:\t1\n"

static void affinity_is(const struct tree *t, const char *irq, const char *want)
{
	char path[64], text[64];

	snprintf(path, sizeof(path), "proc/irq/%s/smp_affinity_list", irq);
	assert_true(sysfs_read(t->fd, path, text, sizeof(text)) >= 0);
	assert_string_equal(text, want);
}

static int setup(void **state)
{
	static struct tree t;
	static const char *const irq[] = { "40", "41", "42", "43", "44" };

	tree_make(&t);
	put(&t, "proc/interrupts", INTERRUPTS);
	put(&t, "proc/cmdline", "quiet\n");
	put(&t, "sys/devices/system/cpu/online", "0-7\n");
	put(&t, "proc/700/task/701/status", STATUS("3"));
	put(&t, "proc/700/task/702/status", STATUS("4-5"));
	put(&t, "proc/700/task/703/status", STATUS("0-127"));
	for (size_t i = 0; i < ARRAY_SIZE(irq); i++) {
		char path[64];

		snprintf(path, sizeof(path), "proc/irq/%s/smp_affinity_list",
		         irq[i]);
		put(&t, path, "0-7");
	}
	*state = &t;
	return 0;
}

static struct lease lease(void)
{
	struct lease l = { .guest = "demo", .pid = PID, .n = 1 };

	snprintf(l.device[0].name, sizeof(l.device[0].name), "wan");
	assert_int_equal(bdf_parse("0000:01:10.0", &l.device[0].bdf), 0);
	return l;
}

static json_t *vector(const char *device, int index, int vcpu)
{
	return json_pack("{s:s, s:s, s:i, s:i}", "device", device, "kind",
	                 "msix", "index", index, "vcpu", vcpu);
}

/* Follows; *ret_n is how many it reports. */
static void follow(const struct tree *t, json_t *vectors, size_t *ret_n)
{
	struct lease l = lease();
	json_t *state = json_pack("{s:o, s:[i, i, i]}", "vectors", vectors,
	                          "vcpus", 701, 702, 703);
	json_t *r = affinity_follow(t->fd, &l, state);

	assert_non_null(r);
	*ret_n = json_array_size(json_object_get(r, "vectors"));
	json_decref(r);
	json_decref(state);
}

static void test_pinned(void **state)
{
	const struct tree *t = *state;
	size_t n;

	follow(t,
	       json_pack("[o, o, o]", vector("wan", 0, 0), vector("wan", 1, 1),
	                 vector("wan", 2, 2)),
	       &n);
	assert_int_equal(n, 2);
	affinity_is(t, "40", "3");
	affinity_is(t, "41", "4-5");
	/* Its vCPU may run anywhere: the host's choice stays. */
	affinity_is(t, "42", "0-7");
}

/* A VMM that lies moves nothing but its own. */
static void test_hostile(void **state)
{
	const struct tree *t = *state;
	size_t n;

	follow(t,
	       json_pack("[o, o, o, o, {}, i, {s:s}]", vector("lan", 0, 0),
	                 vector("wan", 0, 77), vector("wan", 9, 0),
	                 vector("wan", -1, -1), 3, "device", "wan"),
	       &n);
	assert_int_equal(n, 0);
	affinity_is(t, "40", "0-7");
	affinity_is(t, "43", "0-7");
	affinity_is(t, "44", "0-7");
}

/* A thread that is not of the process, a list that is none. */
static void test_unreadable(void **state)
{
	const struct tree *t = *state;
	size_t n;

	unlinkat(t->fd, "proc/700/task/701/status", 0);
	put(t, "proc/700/task/702/status", STATUS("4-x"));
	put(t, "proc/700/task/703/status", "Name:\tvcpu\n");
	follow(t,
	       json_pack("[o, o, o]", vector("wan", 0, 0), vector("wan", 1, 1),
	                 vector("wan", 2, 2)),
	       &n);
	assert_int_equal(n, 0);
}

static void test_posting(void **state)
{
	const struct tree *t = *state;
	size_t n;

	put(t, "sys/class/iommu/dmar0/intel-iommu/cap", "8d2008c222f0606\n");
	put(t, "sys/module/kvm_intel/parameters/enable_apicv", "Y\n");
	follow(t, json_pack("[o]", vector("wan", 0, 0)), &n);
	assert_int_equal(n, 0);
	affinity_is(t, "40", "0-7");
}

/* The kernel refuses: said, not hidden. */
static void test_refused(void **state)
{
	const struct tree *t = *state;
	struct lease l = lease();
	json_t *s = json_pack("{s:[o], s:[i]}", "vectors", vector("wan", 0, 0),
	                      "vcpus", 701);
	json_t *r, *v;

	unlinkat(t->fd, "proc/irq/40/smp_affinity_list", 0);
	r = affinity_follow(t->fd, &l, s);
	v = json_array_get(json_object_get(r, "vectors"), 0);
	assert_true(json_is_false(json_object_get(v, "ok")));
	assert_string_equal(json_string_value(json_object_get(v, "why")),
	                    strerror(ENOENT));
	json_decref(r);
	json_decref(s);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, tree_teardown)
	const struct CMUnitTest tests[] = {
		T(test_pinned),  T(test_hostile), T(test_unreadable),
		T(test_posting), T(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
