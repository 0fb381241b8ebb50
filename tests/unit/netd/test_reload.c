/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policy file, written and reloaded, on a tree without devices; and that a
 * daemon that has nothing to do does nothing. */

#include "tests/unit/netd/daemon.h"

static const char small[] = "version: 1\n";
static const char larger[] =
	"version: 1\nguests:\n  - { name: g, memory: 512M, kernel: /k }\n";

static void write_file(const struct daemon *d, const char *name,
                       const char *text)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", d->dir.path, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static bool applied_is(const struct daemon *d, const char *text)
{
	char path[160], buf[256] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/state/applied.yaml", d->dir.path);
	f = fopen(path, "r");
	if (!f)
		return false;
	buf[fread(buf, 1, sizeof(buf) - 1, f)] = '\0';
	fclose(f);
	return !strcmp(buf, text);
}

static void wait_applied(const struct daemon *d, const char *text)
{
	for (int i = 0; i < 300 && !applied_is(d, text); i++)
		usleep(20000);
	assert_true(applied_is(d, text));
}

static json_t *policy_file(const struct daemon *d)
{
	int fd = dial(d);
	json_t *doc, *o;

	say(fd, "{\"version\":1,\"verb\":\"status\"}");
	doc = receive(fd, 5000);
	o = json_incref(json_object_get(doc, "policy-file"));
	json_decref(doc);
	close(fd);
	return o;
}

/* Its error, 0 = it is well; -1 = nothing yet. */
static int reload_code(const struct daemon *d)
{
	json_t *o = policy_file(d);
	const json_t *e = json_object_get(o, "error");
	int c = json_object_get(o, "time") ? 0 : -1;

	if (e) {
		c = (int)json_integer_value(json_object_get(e, "code"));
		assert_true(json_string_length(json_object_get(e, "mend")) > 0);
	}
	json_decref(o);
	return c;
}

static void wait_code(const struct daemon *d, int code)
{
	for (int i = 0; i < 300 && reload_code(d) != code; i++)
		usleep(20000);
	assert_int_equal(reload_code(d), code);
}

static void apply(const struct daemon *d, const char *text)
{
	int fd = dial(d);

	send_policy(fd, "apply", text);
	expect(fd, 0);
	close(fd);
}

static void test_written(void **state)
{
	struct daemon *d = *state;

	apply(d, small);
	write_file(d, "policy.yaml", larger);
	wait_applied(d, larger);
	wait_code(d, 0);
	/* As editors do it. */
	write_file(d, "new", small);
	shell(d, "mv new policy.yaml");
	wait_applied(d, small);
}

/* What is wrong changes nothing, and is told. */
static void test_errors(void **state)
{
	struct daemon *d = *state;

	apply(d, small);
	write_file(d, "policy.yaml", "version: 1\nguestz: []\n");
	wait_code(d, FL_POL_KEY);
	assert_true(applied_is(d, small));
	write_file(d, "policy.yaml", larger);
	wait_code(d, 0);
	assert_true(applied_is(d, larger));
	shell(d, "chmod 666 policy.yaml");
	kill(d->pid, SIGHUP);
	wait_code(d, FL_NETD_RELOAD);
	shell(d, "chmod 644 policy.yaml; rm policy.yaml; mkfifo policy.yaml");
	kill(d->pid, SIGHUP);
	usleep(100000);
	wait_code(d, FL_NETD_RELOAD);
}

/* A worker of no daemon, where `applied` is the policy. */
struct alone {
	struct state_dir dir;
	struct reload reload;
	struct env env;
	struct log log;
	struct work w;
};

static struct alone *alone_new(const char *applied)
{
	struct alone *a = calloc(1, sizeof(*a));
	struct diag d;

	dir_make(&a->dir);
	a->log.fd = -1;
	a->env = (struct env){ .reload = &a->reload,
		               .log = &a->log,
		               .root_fd = a->dir.fd,
		               .state_fd = a->dir.fd,
		               .nvme_fd = -1 };
	a->w.env = &a->env;
	a->w.policy_fd = -1;
	a->w.reply = json_object();
	snprintf(a->reload.path, sizeof(a->reload.path), "%s/policy",
	         a->dir.path);
	assert_int_equal(journal_put(a->dir.fd, JOURNAL_APPLIED_FILE, applied,
	                             strlen(applied), &d),
	                 0);
	return a;
}

static void alone_drop(struct alone *a)
{
	json_decref(a->w.reply);
	dir_drop(&a->dir);
	free(a);
}

/* What mends it is of what is wrong. */
static void test_mend(void **state)
{
	struct alone *a = alone_new(small);
	struct work *w = &a->w;

	(void)state;
	assert_int_equal(verb_reload(w), -ENOENT);
	assert_null(strstr(w->diag.mend, "chown"));
	assert_int_equal(mkdirat(a->dir.fd, "policy", 0777), 0);
	assert_int_equal(fchmodat(a->dir.fd, "policy", 0777, 0), 0);
	assert_int_equal(verb_reload(w), -EPERM);
	assert_non_null(strstr(w->diag.mend, "chown"));
	assert_int_equal(fchmodat(a->dir.fd, "policy", 0755, 0), 0);
	assert_int_equal(verb_reload(w), -ENOENT);
	assert_null(strstr(w->diag.mend, "chown"));
	alone_drop(a);
}

/* Cut to its room, within a character: status is whole all the same. */
static void test_long_words(void **state)
{
	struct reload r = { .path = "/p" };
	json_t *reply, *why = json_string(""), *said;

	(void)state;
	for (int i = 0; i < 200; i++) {
		json_t *more = json_sprintf("%s\u00e4", json_string_value(why));

		json_decref(why);
		why = more;
	}
	reply = json_pack("{s:b, s:{s:i, s:s, s:O, s:s}, s:[{s:i, s:s}]}", "ok",
	                  0, "error", "code", FL_POL_KEY, "what", "w", "why",
	                  why, "mend", "m", "errors", "line", 7, "file",
	                  "a.yaml");
	reload_note(&r, reply, 1);
	said = reload_json(&r);
	assert_string_equal(json_string_value(json_object_get(
				    json_object_get(said, "error"), "mend")),
	                    "m");
	assert_memory_equal(r.said.why, "a.yaml, line 7: \u00e4", 18);
	json_decref(said);
	json_decref(reply);
	json_decref(why);
}

/* Nor is one file taken where of those that are applied not all is known. */
static void test_several_unknown(void **state)
{
	static const char two[] =
		"#fairlead-files 1\n"
		"#file 11 a.yaml\nversion: 1\n"
		"#file 272 b.yaml\nversion: 1\n"
		"nics:\n"
		"  - { name: e, match: { pci: \"0000:01:00.0\" },\n"
		"      virtual-function-count: 1 }\n"
		"pools:\n"
		"  - { name: p, functions: [\"e#0\"], driver: vfio,\n"
		"      mac: { assign: random } }\n"
		"guests:\n"
		"  - { name: g, memory: 512M, kernel: /k,\n"
		"      nics: [{ name: a, pool: p }] }\n";
	struct alone *a = alone_new(two);
	struct pol_policy *p = NULL;
	int fd;

	(void)state;
	assert_int_equal(policy_applied(&a->env, &p, &a->w.errs, &a->w.diag),
	                 -ENODATA);
	fd = openat(a->dir.fd, "policy", O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, small, strlen(small)), strlen(small));
	close(fd);
	assert_int_equal(verb_reload(&a->w), -EBUSY);
	assert_int_equal(a->w.diag.code, FL_NETD_RELOAD);
	alone_drop(a);
}

/* A restore that is back, and whose files could not go: its policy is none that
 * a saved file would carve by. */
static void test_restored(void **state)
{
	static const struct permit reload = { .verb = "reload",
		                              .run = verb_reload };
	struct alone *a = alone_new(small);
	struct pol_state none = { 0 };
	struct intent left = { .kind = INTENT_RESTORE,
		               .back = true,
		               .before = &none };

	(void)state;
	a->w.permit = &reload;
	assert_int_equal(intent_write(a->dir.fd, &left, &a->w.diag), 0);
	assert_int_equal(verb_reload(&a->w), 0);
	assert_int_equal(journal_phase(a->dir.fd, NULL), JOURNAL_NONE);
	a->w.req.now = true;
	assert_int_equal(verb_reload(&a->w), -ENOENT);
	assert_int_equal(a->w.diag.code, FL_NETD_NO_POLICY);
	alone_drop(a);
}

/* One file is not taken for all of them. */
static void test_several(void **state)
{
	static const char two[] = "#fairlead-files 1\n"
				  "#file 11 a.yaml\nversion: 1\n"
				  "#file 11 b.yaml\nversion: 1\n";
	static const char one[] = "#fairlead-files 1\n"
				  "#file 11 a.yaml\nversion: 1\n";
	struct daemon *d = *state;

	apply(d, two);
	write_file(d, "policy.yaml", larger);
	wait_code(d, FL_NETD_RELOAD);
	assert_true(applied_is(d, two));
	apply(d, one);
	write_file(d, "policy.yaml", larger);
	wait_code(d, 0);
	assert_true(applied_is(d, larger));
}

static int history_entries(const struct daemon *d)
{
	char line[200];
	FILE *f;
	int n = -1;

	snprintf(line, sizeof(line), "ls %s/state/history 2>/dev/null | wc -l",
	         d->dir.path);
	f = popen(line, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &n), 1);
	pclose(f);
	return n;
}

/* A folder in the file's place; its files, whichever way they come and go, and
 * what is none of them. */
static void test_folder(void **state)
{
	static const char one[] = "#fairlead-files 1\n"
				  "#file 11 a.yaml\nversion: 1\n";
	static const char two[] = "#fairlead-files 1\n"
				  "#file 11 a.yaml\nversion: 1\n"
				  "#file 11 b.yaml\nversion: 1\n";
	struct daemon *d = *state;
	int n;

	apply(d, two);
	shell(d, "mkdir policy.yaml");
	wait_code(d, FL_NETD_RELOAD); /* none is no wish */
	assert_true(applied_is(d, two));
	write_file(d, "policy.yaml/a.yaml", small);
	wait_applied(d, one);
	n = history_entries(d);
	write_file(d, "policy.yaml/.b.yaml.swp", "x");
	write_file(d, "policy.yaml/.b.yaml", "x");
	write_file(d, "policy.yaml/b.yaml~", "x");
	write_file(d, "policy.yaml/4913", "x");
	write_file(d, "policy.yaml/b.tmp", small);
	kill(d->pid, SIGHUP);
	usleep(500000);
	wait_code(d, 0);
	assert_true(applied_is(d, one));
	/* What says nothing new leaves no trace. */
	assert_int_equal(history_entries(d), n);
	shell(d, "mv policy.yaml/b.tmp policy.yaml/b.yaml");
	wait_applied(d, two);
	assert_int_equal(history_entries(d), n + 1);
	write_file(d, "policy.yaml/b.yaml", "version: 1\nguestz: []\n");
	wait_code(d, FL_POL_KEY);
	assert_true(applied_is(d, two));
	shell(d, "rm policy.yaml/b.yaml");
	wait_applied(d, one);
	shell(d, "chmod 775 policy.yaml");
	kill(d->pid, SIGHUP);
	wait_code(d, FL_NETD_RELOAD);
}

/* It goes as a whole, by rm or by mv, and another is put there. */
static void test_folder_goes(void **state)
{
	static const char one[] = "#fairlead-files 1\n"
				  "#file 11 a.yaml\nversion: 1\n";
	static const char other[] = "#fairlead-files 1\n"
				    "#file 11 b.yaml\nversion: 1\n";
	struct daemon *d = *state;

	apply(d, small);
	shell(d, "mkdir policy.yaml");
	write_file(d, "policy.yaml/a.yaml", small);
	wait_applied(d, one);
	wait_code(d, 0);
	shell(d, "rm -r policy.yaml");
	wait_code(d, FL_NETD_RELOAD);
	shell(d, "mkdir policy.yaml");
	write_file(d, "policy.yaml/b.yaml", small);
	wait_applied(d, other);
	wait_code(d, 0);
	shell(d, "mv policy.yaml away");
	wait_code(d, FL_NETD_RELOAD);
	/* What is written there is not the policy any more. */
	write_file(d, "away/c.yaml", small);
	shell(d,
	      "mkdir new && cp away/b.yaml new/a.yaml && mv new policy.yaml");
	wait_applied(d, one);
}

static int setup_below(void **state)
{
	return setup_with(state, "etc/site/policy.yaml", false);
}

/* A file whose folder is not there yet, nor the one above; then both go. */
static void test_file_below(void **state)
{
	struct daemon *d = *state;

	apply(d, small);
	shell(d, "mkdir -p etc/site");
	write_file(d, "etc/site/policy.yaml", larger);
	wait_applied(d, larger);
	shell(d, "rm -r etc");
	usleep(500000);
	assert_true(applied_is(d, larger));
	shell(d, "mkdir etc");
	usleep(500000);
	shell(d, "mkdir etc/site");
	write_file(d, "etc/site/policy.yaml", small);
	wait_applied(d, small);
	write_file(d, "etc/site/policy.yaml", larger);
	wait_applied(d, larger);
}

static int setup_etc(void **state)
{
	return setup_with(state, "policy.yaml", true);
}

/* As /etc/fairlead: one file, and those of a folder that comes later. */
static void test_etc(void **state)
{
	static const char one[] = "#fairlead-files 1\n"
				  "#file 11 policy.yaml\nversion: 1\n";
	static const char both[] = "#fairlead-files 1\n"
				   "#file 11 policy.d/a.yaml\nversion: 1\n"
				   "#file 11 policy.yaml\nversion: 1\n";
	struct daemon *d = *state;

	apply(d, larger);
	shell(d, "mkdir policy.yaml");
	write_file(d, "policy.yaml/policy.yaml", small);
	wait_applied(d, one);
	write_file(d, "policy.yaml/other.yaml", larger);
	shell(d, "mkdir policy.yaml/policy.d");
	usleep(500000);
	write_file(d, "policy.yaml/policy.d/a.yaml", small);
	wait_applied(d, both);
	shell(d, "chmod 777 policy.yaml/policy.d");
	kill(d->pid, SIGHUP);
	wait_code(d, FL_NETD_RELOAD);
	shell(d, "chmod 755 policy.yaml/policy.d");
	shell(d, "mv policy.yaml/policy.d policy.yaml/away");
	wait_applied(d, one);
}

/* Saving a file carves nobody's machine. */
static void test_never_applied(void **state)
{
	struct daemon *d = *state;

	write_file(d, "policy.yaml", larger);
	wait_code(d, 0);
	assert_false(applied_is(d, larger));
	kill(d->pid, SIGHUP);
	wait_code(d, FL_NETD_NO_POLICY);
	assert_false(applied_is(d, larger));
}

static long switches(const struct daemon *d)
{
	char path[64], line[128];
	long n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", d->pid);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "voluntary_ctxt_switches:", 24))
			n = strtol(line + 24, NULL, 10);
	fclose(f);
	return n;
}

/* With a policy that asks for no sweep soon. */
static void test_idle(void **state)
{
	struct daemon *d = *state;
	long before;

	apply(d, "version: 1\nhost: { reconcile: { interval: 600s } }\n");
	sleep(2);
	before = switches(d);
	sleep(3);
	assert_int_equal(switches(d), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mend),
		cmocka_unit_test(test_several_unknown),
		cmocka_unit_test(test_long_words),
		cmocka_unit_test_setup_teardown(test_written, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
		cmocka_unit_test(test_restored),
		cmocka_unit_test_setup_teardown(test_several, setup, teardown),
		cmocka_unit_test_setup_teardown(test_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(test_folder_goes, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_file_below, setup_below,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_etc, setup_etc, teardown),
		cmocka_unit_test_setup_teardown(test_never_applied, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_idle, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
