/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a running guest says: of itself, of devices that have gone, nonsense. */

#include "tests/unit/netd/script.h"

static void test_gone(void **state)
{
	struct daemon *d = *state;
	struct peers p;

	build(d, policy);
	p = start(d, "g");
	say(p.vmm, "{\"event\":\"gone\",\"device\":\"other\",\"reason\":"
	           "\"host\"}");
	usleep(100000);
	assert_string_equal(names(d, "g"), "disk");
	say(p.vmm, "{\"event\":\"gone\",\"device\":\"disk\",\"reason\":"
	           "\"host\"}");
	usleep(200000);
	assert_string_equal(names(d, "g"), "");
	/* The rest of the lease goes on. */
	request(p.user, "attach", "g", "disk", "");
	reply_done(p.vmm, hear(p.vmm, "attach", 1, NULL), true);
	expect(p.user, 0);
	end(&p);
}

/* However often: nothing of the lease changes by it. */
static void test_dark(void **state)
{
	struct daemon *d = *state;
	struct peers p;

	build(d, policy);
	p = start(d, "g");
	for (int i = 0; i < 20; i++)
		say(p.vmm, "{\"event\":\"dark\",\"device\":\"disk\"}");
	usleep(200000);
	assert_string_equal(names(d, "g"), "disk");
	request(p.user, "detach", "g", "disk", "");
	reply_done(p.vmm, hear(p.vmm, "detach", 0, NULL), true);
	expect(p.user, 0);
	end(&p);
}

static bool override_is(const struct daemon *d, const char *want)
{
	char line[256];

	snprintf(line, sizeof(line),
	         "test \"$(cat %s/" DISK "/driver_override)\" = %s",
	         d->dir.path, want);
	return system(line) == 0;
}

/* What the guest gave away is put right at once; what the host took stays as
 * the host wants it. */
static void test_host_takes(void **state)
{
	struct daemon *d = *state;
	struct peers p;

	build(d, policy);
	p = start(d, "g");
	shell(d, "echo nvme > " DISK "/driver_override");
	say(p.vmm, "{\"event\":\"gone\",\"device\":\"disk\",\"reason\":"
	           "\"host\"}");
	usleep(300000);
	assert_string_equal(names(d, "g"), "");
	assert_true(override_is(d, "nvme"));
	request(p.user, "attach", "g", "disk", "");
	reply_done(p.vmm, hear(p.vmm, "attach", 1, NULL), true);
	expect(p.user, 0);
	assert_true(override_is(d, "vfio-pci"));
	shell(d, "echo nvme > " DISK "/driver_override");
	say(p.vmm, "{\"event\":\"gone\",\"device\":\"disk\",\"reason\":"
	           "\"guest\"}");
	for (int i = 0; i < 50 && !override_is(d, "vfio-pci"); i++)
		usleep(50000);
	assert_true(override_is(d, "vfio-pci"));
	end(&p);
}

/* Nothing of this does anything, and the lease stays. */
static void test_nonsense(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"{}",
		"7",
		"{\"event\":7}",
		"{\"event\":\"done\"}",
		"{\"event\":\"done\",\"id\":-1,\"ok\":true}",
		"{\"event\":\"done\",\"id\":99,\"ok\":true}",
		"{\"event\":\"done\",\"id\":\"1\",\"ok\":true}",
		"{\"event\":\"state\",\"id\":1}",
		"{\"event\":\"dark\"}",
		"{\"event\":\"dark\",\"device\":\"other\"}",
		"{\"event\":\"gone\"}",
		"{\"event\":\"gone\",\"device\":\"\"}",
		"{\"event\":\"gone\",\"device\":[\"disk\"]}",
		"{\"event\":\"gone\",\"device\":\"disk:\"}",
		"{\"body\":\"memfd\"}",
	};
	struct daemon *d = *state;
	struct peers p;
	json_int_t id;
	int pipes[2];

	build(d, policy);
	p = start(d, "g");
	for (size_t i = 1; i < ARRAY_SIZE(texts); i++)
		say(p.vmm, texts[i]);
	/* A body that would block whoever read it. */
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(fd_send(p.vmm, texts[ARRAY_SIZE(texts) - 1],
	                         strlen(texts[ARRAY_SIZE(texts) - 1]), pipes,
	                         1),
	                 0);
	/* A state where a detach was asked, and the reverse. */
	request(p.user, "detach", "g", "disk", "");
	id = hear(p.vmm, "detach", 0, NULL);
	char text[64];
	snprintf(text, sizeof(text), "{\"event\":\"state\",\"id\":%lld}",
	         (long long)id);
	say(p.vmm, text);
	assert_null(receive(p.user, 200));
	assert_string_equal(names(d, "g"), "disk");
	reply_done(p.vmm, id, false);
	expect(p.user, 601);
	close(pipes[0]);
	close(pipes[1]);
	end(&p);
}

static void test_query(void **state)
{
	struct daemon *d = *state;
	struct peers p;
	json_t *doc;
	char text[128];
	json_int_t id;

	build(d, policy);
	p = start(d, "g");
	request(p.user, "query", "g", NULL, "");
	id = hear(p.vmm, "query", 0, NULL);
	snprintf(text, sizeof(text),
	         "{\"event\":\"state\",\"id\":%lld,\"vcpus\":[41]}",
	         (long long)id);
	say(p.vmm, text);
	doc = receive(p.user, 5000);
	assert_true(json_is_true(json_object_get(doc, "ok")));
	assert_int_equal(json_integer_value(json_array_get(
				 json_object_get(doc, "vcpus"), 0)),
	                 41);
	assert_null(json_object_get(doc, "id"));
	assert_string_equal(member(doc, "guest"), "g");
	json_decref(doc);
	end(&p);
}

/* More than a datagram holds, both ways. */
static void test_long_query(void **state)
{
	static char text[2 * NETD_MSG_MAX];
	struct daemon *d = *state;
	struct peers p;
	json_t *doc;
	int mem, n;

	build(d, policy);
	p = start(d, "g");
	request(p.user, "query", "g", NULL, "");
	n = snprintf(text, sizeof(text),
	             "{\"event\":\"state\",\"id\":%lld,\"vcpus\":[",
	             (long long)hear(p.vmm, "query", 0, NULL));
	while (n < NETD_MSG_MAX + 1000)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "1000000,");
	n += snprintf(text + n, sizeof(text) - (size_t)n, "7]}");
	mem = memfd_create("state", MFD_ALLOW_SEALING);
	assert_int_equal(fd_pwrite_full(mem, text, (size_t)n, 0), 0);
	assert_int_equal(fcntl(mem, F_ADD_SEALS,
	                       F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK),
	                 0);
	assert_int_equal(fd_send(p.vmm, "{\"body\":\"memfd\"}", 16, &mem, 1),
	                 0);
	close(mem);
	doc = receive(p.user, 5000);
	assert_string_equal(member(doc, "body"), "memfd");
	json_decref(doc);
	end(&p);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_gone),     T(test_dark),  T(test_host_takes),
		T(test_nonsense), T(test_query), T(test_long_query),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
