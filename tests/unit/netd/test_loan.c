/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loans over the socket, on a tree that has a PF with two VFs and no network:
 * who gets which, how it ends, and what a late release does (nothing). That
 * attributes come and go is tested in the lab (netd-tenants.sh). */

#include "tests/unit/netd/daemon.h"

#include "tests/unit/netd/card.h"

static const char policy[] =
	"version: 1\n"
	"nics:\n"
	"  - { name: e, match: { pci: \"0000:01:00.0\" } }\n"
	"pools:\n"
	"  - { name: p, functions: [\"e#0-1\"] }\n";

static void build(const struct daemon *d, const char *text)
{
	put_card(d->dir.path, 1, -1);
	put_applied(d->dir.path, text);
}

static json_t *ask(int fd, const char *request)
{
	char text[256];
	json_t *doc;

	snprintf(text, sizeof(text), "{\"version\":1,%s}", request);
	say(fd, text);
	doc = receive(fd, 20000);
	assert_non_null(doc);
	return doc;
}

static int code(json_t *doc)
{
	int c = (int)json_integer_value(
		json_object_get(json_object_get(doc, "error"), "code"));

	json_decref(doc);
	return c;
}

static json_int_t borrow(int fd, const char *more, char bdf[16],
                         char holder[64])
{
	char text[128];
	json_t *doc;
	json_int_t generation;
	const char *s;

	snprintf(text, sizeof(text), "\"verb\":\"borrow\",\"pool\":\"p\"%s",
	         more);
	doc = ask(fd, text);
	if (!json_is_true(json_object_get(doc, "ok")))
		fail_msg("%s", json_dumps(doc, 0));
	s = json_string_value(
		json_object_get(json_object_get(doc, "device"), "bdf"));
	snprintf(bdf, 16, "%s", s ? s : "");
	s = json_string_value(json_object_get(doc, "holder"));
	snprintf(holder, 64, "%s", s ? s : "");
	generation = json_integer_value(json_object_get(doc, "generation"));
	json_decref(doc);
	return generation;
}

static bool released(int fd, const char *holder, json_int_t generation)
{
	char text[192], number[48] = "";
	json_t *doc;
	bool yes;

	if (generation)
		snprintf(number, sizeof(number), ",\"generation\":%lld",
		         (long long)generation);
	snprintf(text, sizeof(text), "\"verb\":\"return\",\"holder\":\"%s\"%s",
	         holder, number);
	doc = ask(fd, text);
	assert_true(json_is_true(json_object_get(doc, "ok")));
	yes = json_is_true(json_object_get(doc, "released"));
	if (yes)
		assert_string_equal(
			json_string_value(json_object_get(doc, "state")),
			"clean");
	else
		assert_int_equal(
			json_array_size(json_object_get(doc, "warnings")), 1);
	json_decref(doc);
	return yes;
}

/* Another process has it later than this one: two processes, one name. */
static void test_named(void **state)
{
	struct daemon *d = *state;
	int fd = dial(d), other = dial(d);
	char a[16], b[16], h[64];
	json_int_t g;

	build(d, policy);
	g = borrow(fd, ",\"holder\":\"pod1\"", a, h);
	assert_string_equal(a, "0000:01:10.0");
	assert_string_equal(h, "pod1");
	assert_int_equal(code(ask(fd, "\"verb\":\"borrow\",\"pool\":\"p\","
	                              "\"holder\":\"pod1\"")),
	                 FL_NETD_LOAN);
	close(fd);
	borrow(other, ",\"holder\":\"pod2\"", b, h);
	assert_string_equal(b, "0000:01:10.1");
	assert_int_equal(code(ask(other, "\"verb\":\"borrow\",\"pool\":\"p\","
	                                 "\"holder\":\"pod3\"")),
	                 FL_NETD_LOAN);
	assert_true(released(other, "pod1", g));
	/* Late: the next tenant keeps it. */
	assert_int_equal(borrow(other, ",\"holder\":\"pod1\"", b, h), g + 2);
	assert_string_equal(b, a);
	assert_false(released(other, "pod1", g));
	assert_false(released(other, "nobody", 0));
	assert_true(released(other, "pod1", g + 2));
	assert_true(released(other, "pod2", 0));
	close(other);
}

/* The same name, another VF: no number says both. */
static void test_fence(void **state)
{
	struct daemon *d = *state;
	int fd = dial(d);
	char a[16], b[16], h[64];
	json_int_t g;

	build(d, policy);
	g = borrow(fd, ",\"holder\":\"pod1\"", a, h);
	assert_true(released(fd, "pod1", g));
	borrow(fd, ",\"holder\":\"pod9\"", b, h);
	assert_string_equal(b, a);
	borrow(fd, ",\"holder\":\"pod1\"", b, h);
	assert_string_not_equal(b, a);
	assert_false(released(fd, "pod1", g));
	close(fd);
}

static bool is_lent(const struct daemon *d, const char *bdf)
{
	int fd = dial(d);
	json_t *doc = ask(fd, "\"verb\":\"status\""), *f;
	bool lent = false;
	size_t i;

	json_array_foreach(
		json_object_get(doc, "functions"), i,
		f) if (!strcmp(json_string_value(json_object_get(f, "bdf")),
	                       bdf)) lent = json_object_get(f, "loan") != NULL;
	json_decref(doc);
	close(fd);
	return lent;
}

static void wait_lent(const struct daemon *d, const char *bdf, bool yes)
{
	for (int i = 0; i < 200 && is_lent(d, bdf) != yes; i++)
		usleep(20000);
	assert_int_equal(is_lent(d, bdf), yes);
}

/* The connection holds it, and says nothing more. */
static void test_connection(void **state)
{
	struct daemon *d = *state;
	int fd = dial(d);
	char a[16], h[64];

	build(d, policy);
	borrow(fd, "", a, h);
	assert_int_equal(*h, '@');
	assert_int_equal(code(ask(fd, "\"verb\":\"status\"")), FL_NETD_DENIED);
	assert_true(is_lent(d, a));
	close(fd);
	wait_lent(d, a, false);
}

/* The return of a connection's loan went wrong, or who borrowed it was gone
 * before it heard of it: the next look finds the loan. */
static void test_lost_return(void **state)
{
	struct daemon *d = *state;
	int fd = dial(d), root = dial(d);
	char a[16], h[64];

	build(d, policy);
	borrow(fd, "", a, h);
	shell(d, "cp state/ledger.json state/kept");
	/* One that lives is no such. */
	json_decref(ask(root, "\"verb\":\"confirm\""));
	usleep(600000);
	assert_true(is_lent(d, a));
	close(fd);
	wait_lent(d, a, false);
	/* Not while one works. A look of the daemon's own may find it before
	 * the one asked for. */
	shell(d, "sed -i 's/\"generation\": *1\\b/\"generation\":41/g'"
	         " state/kept && grep -q 41 state/kept &&"
	         " flock state/lock mv state/kept state/ledger.json");
	json_decref(ask(root, "\"verb\":\"confirm\""));
	wait_lent(d, a, false);
	assert_true(borrow(root, ",\"holder\":\"pod\"", a, h) > 41);
	close(root);
}

/* netd dies: its connections' loans end with the next one, named ones last. */
static void test_restart(void **state)
{
	struct daemon *d = *state;
	int fd = dial(d), other = dial(d), status;
	char a[16], b[16], h[64];

	build(d, policy);
	borrow(fd, "", a, h);
	borrow(other, ",\"holder\":\"pod\"", b, h);
	kill(d->pid, SIGKILL);
	waitpid(d->pid, &status, 0);
	daemon_run(d);
	wait_lent(d, a, false);
	assert_true(is_lent(d, b));
	close(fd);
	close(other);
}

/* What is given and lent to nobody is scrubbed before the next has it; what is
 * in quarantine is passed over until somebody scrubs it. */
static void test_quarantine(void **state)
{
	struct daemon *d = *state;
	int fd = dial(d);
	char a[16], h[64];

	build(d, policy);
	shell(d, "echo '{\"version\":1,\"boot\":\"\",\"functions\":[{\"bdf\":"
	         "\"0000:01:10.0\",\"generation\":4,\"state\":\"quarantined\","
	         "\"tenant\":\"x\",\"scrub\":{\"time\":1,\"generation\":4,"
	         "\"why\":\"w\",\"done\":[]}}]}' > state/ledger.json");
	borrow(fd, ",\"holder\":\"pod\"", a, h);
	assert_string_equal(a, "0000:01:10.1");
	assert_int_equal(code(ask(fd, "\"verb\":\"scrub\",\"device\":"
	                              "\"0000:01:10.1\"")),
	                 FL_NETD_LEASED);
	assert_int_equal(code(ask(fd, "\"verb\":\"scrub\",\"device\":"
	                              "\"0000:01:10.0\"")),
	                 0);
	assert_int_equal(borrow(fd, ",\"holder\":\"pod2\"", a, h), 6);
	assert_string_equal(a, "0000:01:10.0");
	close(fd);
}

static char *why_of(const struct daemon *d, const char *bdf)
{
	int fd = dial(d);
	json_t *doc = ask(fd, "\"verb\":\"status\""), *f;
	char *why = NULL;
	size_t i;

	json_array_foreach(json_object_get(doc, "functions"), i, f)
	{
		const json_t *loan = json_object_get(f, "loan");
		const char *is = json_string_value(json_object_get(f, "bdf"));

		if (!strcmp(is, bdf))
			why = strdup(json_string_value(
				json_object_get(loan, "why")));
	}
	json_decref(doc);
	close(fd);
	return why;
}

/* By the pool's placement, and where it is asked for. */
static void test_placement(void **state)
{
	static const char two[] =
		"version: 1\n"
		"nics:\n"
		"  - { name: e, match: { pci: \"0000:01:00.0\" } }\n"
		"  - { name: f, match: { pci: \"0000:02:00.0\" } }\n"
		"pools:\n"
		"  - { name: p, functions: [\"e#0-1\", \"f#0-1\"],\n"
		"      placement: balanced }\n";
	_cleanup_free_ char *why = NULL;
	struct daemon *d = *state;
	int fd = dial(d);
	char b[16], h[64];

	put_card(d->dir.path, 1, 0);
	put_card(d->dir.path, 2, 1);
	put_applied(d->dir.path, two);
	borrow(fd, ",\"holder\":\"pod1\"", b, h);
	assert_string_equal(b, "0000:01:10.0");
	borrow(fd, ",\"holder\":\"pod2\"", b, h);
	assert_string_equal(b, "0000:02:10.0");
	borrow(fd, ",\"holder\":\"pod3\",\"numa\":1", b, h);
	assert_string_equal(b, "0000:02:10.1");
	why = why_of(d, b);
	assert_string_equal(why, "at memory node 1, balanced: 1 VF(s) of f are "
	                         "in use, and of no other less");
	assert_int_equal(code(ask(fd, "\"verb\":\"borrow\",\"pool\":\"p\","
	                              "\"holder\":\"pod4\",\"numa\":1")),
	                 FL_NETD_LOAN);
	/* Of no function of the tree a root port is known. */
	assert_int_equal(code(ask(fd, "\"verb\":\"borrow\",\"pool\":\"p\","
	                              "\"holder\":\"pod4\",\"pcie-root\":"
	                              "\"0000:00:01.0\"")),
	                 FL_NETD_LOAN);
	borrow(fd, ",\"holder\":\"pod4\"", b, h);
	assert_string_equal(b, "0000:01:10.1");
	close(fd);
}

static void test_bad_requests(void **state)
{
	static const char *const bad[] = {
		"\"verb\":\"borrow\"",
		"\"verb\":\"borrow\",\"pool\":\"p\",\"holder\":\"@x\"",
		"\"verb\":\"borrow\",\"pool\":\"p\",\"generation\":1",
		"\"verb\":\"borrow\",\"pool\":\"p\",\"attributes\":[]",
		"\"verb\":\"borrow\",\"pool\":\"p\","
		"\"attributes\":{\"driver\":\"x\"}",
		"\"verb\":\"borrow\",\"pool\":\"p\","
		"\"attributes\":{\"rate-group\":\"gold\"}",
		"\"verb\":\"borrow\",\"pool\":\"p\","
		"\"attributes\":{\"mac\":\"01:00:00:00:00:01\"}",
		"\"verb\":\"borrow\",\"pool\":\"p\",\"numa\":-1",
		"\"verb\":\"borrow\",\"pool\":\"p\",\"numa\":\"0\"",
		"\"verb\":\"borrow\",\"pool\":\"p\",\"pcie-root\":\"1\"",
		"\"verb\":\"return\",\"holder\":\"x\",\"numa\":0",
		"\"verb\":\"return\"",
		"\"verb\":\"return\",\"holder\":\"x\",\"generation\":0",
		"\"verb\":\"return\",\"holder\":\"x\",\"pool\":\"p\"",
		"\"verb\":\"status\",\"holder\":\"x\"",
		"\"verb\":\"plan\",\"attributes\":{\"trust\":true}",
	};
	struct daemon *d = *state;

	build(d, policy);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int fd = dial(d);

		assert_int_equal(code(ask(fd, bad[i])), FL_NETD_REQUEST);
		close(fd);
	}
}

static void test_pools(void **state)
{
	struct daemon *d = *state;
	int fd = dial(d);

	build(d, policy);
	assert_int_equal(code(ask(fd, "\"verb\":\"borrow\",\"pool\":\"q\","
	                              "\"holder\":\"x\"")),
	                 FL_NETD_LOAN);
	assert_int_equal(
		code(ask(fd, "\"verb\":\"borrow\",\"pool\":\"p\",\"holder\":"
	                     "\"x\",\"device\":\"0000:01:10.7\"")),
		FL_NETD_LOAN);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_named, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fence, setup, teardown),
		cmocka_unit_test_setup_teardown(test_connection, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_lost_return, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_quarantine, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_bad_requests, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_pools, setup, teardown),
		cmocka_unit_test_setup_teardown(test_placement, setup,
		                                teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
