/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages with fields: as journald gets them, and as a line without one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "netd/audit.h"

struct rig {
	char path[64], text[2 * AUDIT_MAX];
	int journal, err;
	struct log log;
};

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(r->path, sizeof(r->path), "/tmp/fl-journal-%d", getpid());
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", r->path);
	r->journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(r->journal, (struct sockaddr *)&a, sizeof(a)), 0);
	r->err = memfd_create("stderr", MFD_CLOEXEC);
	r->log = (struct log){ .fd = r->err, .level = LOG_LVL_INFO };
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	close_fd(&r->journal);
	close_fd(&r->err);
	unlink(r->path);
	free(r);
	return 0;
}

/* The next message, "" when there is none. */
static const char *heard(struct rig *r)
{
	ssize_t n = recv(r->journal, r->text, sizeof(r->text) - 1, 0);

	r->text[n > 0 ? n : 0] = '\0';
	return r->text;
}

static const char *lines(struct rig *r)
{
	ssize_t n = pread(r->err, r->text, sizeof(r->text) - 1, 0);

	r->text[n > 0 ? n : 0] = '\0';
	return r->text;
}

static void expect(const char *text, const char *want)
{
	if (!strstr(text, want))
		fail_msg("no \"%s\" in \"%s\"", want, text);
}

static void begin(struct rig *r, struct audit *a, const char *socket)
{
	audit_begin(a, &r->log, socket, AUDIT_REFUSED, LOG_LVL_WARN,
	            "lease %s: refused", "f\nw");
	audit_field(a, "GUEST", "%s", "fw");
	audit_field(a, "DEVICE", "%s", "");
	audit_field(a, "CODE", "FL-%04d", 710);
}

static void test_fields(void **state)
{
	struct rig *r = *state;
	static struct audit a;

	begin(r, &a, r->path);
	audit_send(&a);
	heard(r);
	expect(r->text, "SYSLOG_IDENTIFIER=fairlead-netd\nMESSAGE_ID=");
	expect(r->text, "\nPRIORITY=4\nMESSAGE=lease f w: refused\n");
	expect(r->text, "\nFAIRLEAD_GUEST=fw\nFAIRLEAD_CODE=FL-0710\n");
	assert_null(strstr(r->text, "DEVICE"));
	assert_string_equal(heard(r), "");
	assert_string_equal(lines(r), "");
}

/* No journald, or one that does not read: the text is on standard error. */
static void test_without(void **state)
{
	struct rig *r = *state;
	static struct audit a;

	begin(r, &a, NULL);
	audit_send(&a);
	assert_string_equal(lines(r), "warning: lease f w: refused\n");
	begin(r, &a, "/nowhere/at/all");
	audit_send(&a);
	assert_string_equal(lines(r), "warning: lease f w: refused\n"
	                              "warning: lease f w: refused\n");
	for (int i = 0; i < 10000 && strlen(lines(r)) < 80; i++) {
		begin(r, &a, r->path);
		audit_send(&a);
	}
	assert_true(strlen(lines(r)) >= 80);
}

/* Cut, but each field is whole, and below the limit. */
static void test_long(void **state)
{
	struct rig *r = *state;
	static char much[3 * AUDIT_MAX];
	static struct audit a;
	const char *text;

	memset(much, 'x', sizeof(much) - 1);
	audit_begin(&a, &r->log, r->path, AUDIT_LEASE, LOG_LVL_INFO, "a");
	audit_field(&a, "BEFORE", "%s", much);
	audit_field(&a, "AFTER", "%s", much);
	audit_field(&a, "GUEST", "fw");
	audit_send(&a);
	text = heard(r);
	assert_true(strlen(text) > AUDIT_MAX - 64 && strlen(text) <= AUDIT_MAX);
	assert_int_equal(text[strlen(text) - 1], '\n');
	expect(text, "\nFAIRLEAD_BEFORE=xxx");
}

static json_t *entry(const char *result)
{
	return json_pack("{s:i, s:s, s:{s:i, s:i, s:n}, s:s, s:s, s:{s:i, s:s},"
	                 " s:[{s:s, s:s, s:s, s:i, s:s, s:s, s:o, s:n},"
	                 "    {s:s, s:s, s:s}]}",
	                 "id", 12, "verb", "apply", "who", "uid", 0, "pid", 77,
	                 "loginuid", "result", result, "policy", "sha256:ab",
	                 "error", "code", 705, "what", "it refused", "actions",
	                 "op", "vf-mac", "text", "MAC of VF 3", "pf",
	                 "0000:01:00.0", "vf", 3, "label", "fw/wan", "outcome",
	                 "failed", "before", json_string("00:00:00:00:00:00"),
	                 "after", "op", "vf-trust", "text", "trust of VF 3",
	                 "outcome", "not-tried");
}

static void test_entry(void **state)
{
	struct rig *r = *state;
	json_t *e = entry("undone");

	audit_entry(&r->log, r->path, e);
	heard(r);
	expect(r->text, "MESSAGE=apply by uid 0, pid 77: MAC of VF 3: was "
	                "00:00:00:00:00:00, is unknown, failed\n");
	expect(r->text, "FAIRLEAD_CHANGE=12\nFAIRLEAD_UID=0\nFAIRLEAD_PID=77\n"
	                "FAIRLEAD_OP=vf-mac\n");
	expect(r->text, "FAIRLEAD_BDF=0000:01:00.0\nFAIRLEAD_VF=3\n"
	                "FAIRLEAD_GUEST=fw\n");
	expect(r->text, "FAIRLEAD_BEFORE=00:00:00:00:00:00\n"
	                "FAIRLEAD_AFTER=unknown\n");
	/* What was not tried is no change. */
	heard(r);
	expect(r->text, "MESSAGE=apply by uid 0, pid 77: undone, 2 action(s): "
	                "it refused; fairlead history 12\n");
	expect(r->text, "FAIRLEAD_RESULT=undone\n");
	expect(r->text, "FAIRLEAD_CODE=FL-0705\n");
	assert_string_equal(heard(r), "");
	json_decref(e);
}

/* Of a loan neither VF, holder nor pool was there: it has no list. */
static void test_reply(void **state)
{
	static const char *const replies[] = {
		"{\"holder\":\"cni/n/c/i\",\"pool\":\"p\","
		"\"device\":{\"bdf\":\"0000:01:10.0\",\"vf\":0}}",
		"{\"holder\":\"cni/n/c/i\",\"pool\":\"p\","
		"\"device\":\"0000:01:10.0\",\"released\":true}",
	};
	struct rig *r = *state;
	static struct audit a;
	char of[AUDIT_SUBJECT];
	json_t *doc;

	for (size_t i = 0; i < ARRAY_SIZE(replies); i++) {
		doc = json_loads(replies[i], 0, NULL);
		audit_subject(doc, "", of);
		assert_string_equal(of, " cni/n/c/i (0000:01:10.0 of pool p)");
		audit_begin(&a, &r->log, r->path, AUDIT_LEASE, LOG_LVL_INFO,
		            "x");
		audit_reply(&a, doc);
		audit_send(&a);
		expect(heard(r), "\nFAIRLEAD_BDF=0000:01:10.0\n"
		                 "FAIRLEAD_HOLDER=cni/n/c/i\n"
		                 "FAIRLEAD_POOL=p\n");
		json_decref(doc);
	}
	doc = json_loads("{\"devices\":[{\"bdf\":\"0000:01:10.0\"},"
	                 "{\"bdf\":\"0000:01:10.1\"}]}",
	                 0, NULL);
	audit_subject(doc, "fw", of);
	assert_string_equal(of, " fw");
	audit_begin(&a, &r->log, r->path, AUDIT_LEASE, LOG_LVL_INFO, "x");
	audit_reply(&a, doc);
	audit_send(&a);
	expect(heard(r), "\nFAIRLEAD_BDF=0000:01:10.0\n"
	                 "FAIRLEAD_BDF=0000:01:10.1\n");
	json_decref(doc);
	/* Nothing was to give back, or it was refused. */
	audit_subject(NULL, "x", of);
	assert_string_equal(of, " x");
	audit_subject(NULL, "", of);
	assert_string_equal(of, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_entry, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reply, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
