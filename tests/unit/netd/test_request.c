/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may ask for what, and how a request must look. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "netd/priv.h"

#define LEASE_GID 990

static const struct peer root = { .uid = 0 };
static const struct peer member = {
	.uid = 1000, .gid = 1000, .group = { 4, LEASE_GID }, .n_groups = 2
};
static const struct peer primary = { .uid = 1001, .gid = LEASE_GID };
static const struct peer stranger = {
	.uid = 65534, .gid = 65534, .group = { 4 }, .n_groups = 1
};

static bool may(const char *verb, const struct peer *p, gid_t gid)
{
	struct diag d = { 0 };
	int r = permit_check(permit_find(verb), p, gid, &d);

	assert_true(r == 0 || (r == -EPERM && d.code == FL_NETD_DENIED));
	return r == 0;
}

/* The whole table, so that a change of it is seen. */
static void test_permits(void **state)
{
	static const struct {
		const char *verb;
		bool root, member, stranger;
	} want[] = {
		{ "status", true, true, true },
		{ "guests", true, true, true },
		{ "plan", true, true, true },
		{ "apply", true, false, false },
		{ "restore", true, false, false },
		{ "confirm", true, false, false },
		{ "history", true, true, false },
		{ "rollback", false, false, false },
		{ "lease", true, true, false },
		{ "log", true, true, false },
		{ "recover", false, false, false },
		{ "release", false, false, false },
		{ "nonsense", false, false, false },
		{ "", false, false, false },
		{ "applyx", false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		const char *v = want[i].verb;

		assert_int_equal(may(v, &root, LEASE_GID), want[i].root);
		assert_int_equal(may(v, &member, LEASE_GID), want[i].member);
		assert_int_equal(may(v, &primary, LEASE_GID), want[i].member);
		assert_int_equal(may(v, &stranger, LEASE_GID),
		                 want[i].stranger);
		/* No such group on this host: nobody is in it. */
		assert_int_equal(may(v, &member, (gid_t)-1), want[i].stranger);
	}
}

static int check(const char *verb, const char *guest, size_t fds)
{
	struct request r = { 0 };
	struct diag d = { 0 };

	snprintf(r.guest, sizeof(r.guest), "%s", guest);
	return permit_request(permit_find(verb), &r, fds, &d);
}

static int check_early(const char *verb, size_t fds)
{
	const struct request r = { .early = true };
	struct diag d = { 0 };

	return permit_request(permit_find(verb), &r, fds, &d);
}

static void test_complete(void **state)
{
	(void)state;
	assert_int_equal(check_early("plan", 1), 0);
	assert_int_equal(check_early("apply", 1), 0);
	assert_int_equal(check_early("restore", 0), -EPROTO);
	assert_int_equal(check("status", "", 0), 0);
	assert_int_equal(check("status", "", 1), -EPROTO);
	assert_int_equal(check("status", "g", 0), -EPROTO);
	assert_int_equal(check("plan", "", 0), 0);
	assert_int_equal(check("plan", "", 1), 0);
	assert_int_equal(check("plan", "", 2), -EPROTO);
	assert_int_equal(check("apply", "", 0), -EPROTO);
	assert_int_equal(check("apply", "", 1), 0);
	assert_int_equal(check("restore", "", 1), -EPROTO);
	assert_int_equal(check("lease", "", 0), -EPROTO);
	assert_int_equal(check("lease", "g", 0), 0);
	assert_int_equal(check("lease", "g", 1), -EPROTO);
}

static int parse(const char *text, struct request *r)
{
	struct diag d = { 0 };
	int e = frame_parse(text, strlen(text), r, &d);

	assert_true(e == 0 || (e == -EPROTO && d.code == FL_NETD_REQUEST));
	return e;
}

static void test_good(void **state)
{
	struct request r = { 0 };

	(void)state;
	assert_int_equal(parse("{\"version\":1,\"verb\":\"lease\","
	                       "\"guest\":\"demo\",\"file\":\"a/b.yaml\"}",
	                       &r),
	                 0);
	assert_string_equal(r.verb, "lease");
	assert_string_equal(r.guest, "demo");
	assert_string_equal(r.file, "a/b.yaml");
	assert_false(r.log || r.now);
	assert_int_equal(parse("{\"version\":1,\"verb\":\"lease\","
	                       "\"guest\":\"demo\",\"log\":true}",
	                       &r),
	                 0);
	assert_true(r.log && !r.now);
	assert_int_equal(parse("{\"version\":1,\"verb\":\"apply\","
	                       "\"allow-disruption\":\"none\"}",
	                       &r),
	                 0);
	assert_true(r.allow.given && r.allow.budget == POL_BUDGET_NONE);
}

static void test_bad(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"1",
		"null",
		"{}",
		"{\"version\":1}",
		"{\"verb\":\"status\"}",
		"{\"version\":2,\"verb\":\"status\"}",
		"{\"version\":\"1\",\"verb\":\"status\"}",
		"{\"version\":1,\"verb\":\"\"}",
		"{\"version\":1,\"verb\":1}",
		"{\"version\":1,\"verb\":\"apply\",\"allow-disruption\":\"all\"}",
		"{\"version\":1,\"verb\":\"apply\",\"allow-disruption\":1}",
		"{\"version\":1,\"verb\":\"apply\",\"force\":1}",
		"{\"version\":1,\"verb\":\"apply\",\"early\":1}",
		"{\"version\":1,\"verb\":\"status\",\"more\":1}",
		"{\"version\":1,\"verb\":\"status\",\"verb\":\"apply\"}",
		"{\"version\":1,\"verb\":\"a-verb-that-is-too-long\"}",
		"{\"version\":1,\"verb\":\"lease\",\"guest\":\"a\\u001b[2J\"}",
		"{\"version\":1,\"verb\":\"lease\",\"guest\":\"a\\u0000b\"}",
		"{\"version\":1,\"verb\":\"lease\",\"guest\":[\"a\"]}",
		"{\"version\":1,\"verb\":\"lease\",\"log\":1}",
		"{\"version\":1,\"verb\":\"status\"} {}",
		"{\"version\":1,\"verb\":\"\xff\xfe\"}",
	};
	struct request r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		memset(&r, 0x55, sizeof(r));
		if (!parse(bad[i], &r))
			fail_msg("not refused: %s", bad[i]);
		/* Untouched on refusal. */
		assert_int_equal((unsigned char)r.verb[0], 0x55);
	}
}

static void test_long(void **state)
{
	char *text = malloc(NETD_MSG_MAX + 2);
	struct diag d = { 0 };
	struct request r;

	(void)state;
	memset(text, ' ', NETD_MSG_MAX + 2);
	memcpy(text, "{\"version\":1,\"verb\":\"status\"}", 29);
	assert_int_equal(frame_parse(text, NETD_MSG_MAX, &r, &d), 0);
	assert_int_equal(frame_parse(text, NETD_MSG_MAX + 1, &r, &d), -EPROTO);
	free(text);
}

/* ---- leases, which main keeps from a granted answer ---------------------- */

static json_t *granted(const char *guest, const char *bdf)
{
	return json_pack("{s:{s:s}, s:[{s:s, s:s}]}", "guest", "name", guest,
	                 "devices", "name", "wan", "bdf", bdf);
}

static void test_leases(void **state)
{
	struct leases *all = calloc(1, sizeof(*all));
	json_t *a = granted("a", "0000:01:10.0");
	json_t *b = granted("b", "0000:01:10.1");
	json_t *bad = granted("c", "nonsense");
	struct bdf dev = { 0, 1, 16, 1 };
	struct lease *l;
	size_t k = 9;

	(void)state;
	l = lease_add(all, a, 70, 1);
	assert_non_null(l);
	assert_null(lease_add(all, a, 71, 2)); /* twice */
	assert_null(lease_add(all, bad, 72, 3));
	assert_non_null(lease_add(all, b, 73, 4));
	assert_int_equal(lease_find(all, "a")->pid, 70);
	assert_int_equal(lease_of_device(all, dev, &k)->pid, 73);
	assert_int_equal(k, 0);
	lease_end(all, "a"); /* its connection is still there */
	assert_non_null(lease_find(all, "a"));
	l->ending = true;
	lease_end(all, "a");
	assert_null(lease_find(all, "a"));
	assert_null(lease_find(all, ""));
	json_decref(a);
	json_decref(b);
	json_decref(bad);
	free(all);
}

static void test_leases_full(void **state)
{
	struct leases *all = calloc(1, sizeof(*all));
	char name[16];

	(void)state;
	for (int i = 0; i <= LEASES_MAX; i++) {
		json_t *j;

		snprintf(name, sizeof(name), "g%d", i);
		j = granted(name, "0000:01:10.0");
		assert_int_equal(lease_add(all, j, 1, 1) != NULL,
		                 i < LEASES_MAX);
		json_decref(j);
	}
	free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_permits),
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_leases),
		cmocka_unit_test(test_leases_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
