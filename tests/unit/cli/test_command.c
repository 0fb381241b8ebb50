/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command as people and scripts meet it: exit statuses, words, JSON. */

#include "tests/unit/cli/stand-in.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "netd/netd-proto.h"

#define GOOD "docs/examples/demo.yaml"
#define BAD "tests/golden/policy/bad/conflict-guest-driver.yaml"
#define SIM "tests/golden/inventory/igb"
#define BARE "tests/golden/inventory/bare"
#define SIM_POLICY "tests/golden/inventory/igb/carve.yaml"
#define IR "tests/golden/sysfs/intel-ir"

static struct outcome o;

/* Words, how it ends, what it says. */
static const struct {
	const char *args[ARGS_MAX];
	int status;
	const char *out, *err;
} command[] = {
	{ { NULL }, 2, "", "usage: fairlead" },
	{ { "--help" }, 0, "exit status: 0 done", "" },
	{ { "-h" }, 0, "restore", "" },
	{ { "--version" }, 0, "fairlead ", "" },
	{ { "run", "--help" }, 0, "usage: fairlead run GUEST", "" },
	{ { "statsu" }, 2, "", "did you mean \"status\"?" },
	{ { "xyzzy" }, 2, "", "unknown verb \"xyzzy\"" },
	{ { "--jsno", "status" }, 2, "", "--jsno" },
	{ { "status", "extra" }, 2, "", "usage: fairlead status" },
	{ { "check" }, 2, "", "usage: fairlead check FILE" },
	{ { "status", "--root", "/" }, 2, "", "does not take --root" },
	{ { "check", GOOD }, 0, "good: ", "" },
	{ { "check", BAD }, 1, "", ".yaml:20:28: FL-0110: " },
	{ { "-j", "check", BAD }, 1, "\"line\": 20", "" },
	{ { "check", "/nowhere" }, 1, "", "FL-0803: " },
	{ { "check", "/dev/zero" }, 1, "", "FL-0803: " },
	{ { "check", "/" }, 1, "", "FL-0803: " },
	{ { "plan", "/nowhere" }, 1, "", "FL-0803: " },
	{ { "plan", "--sim", SIM, SIM_POLICY }, 0, "would be done", "" },
	{ { "-j", "plan", "--sim", SIM, SIM_POLICY },
	  0,
	  "\"op\": \"numvfs\"",
	  "" },
	{ { "plan", "--sim", SIM, GOOD }, 0, "2 VFs on ens1f0", "" },
	{ { "plan", "--sim", BARE, GOOD }, 1, "", ".yaml:7:12: FL-0120: " },
	{ { "plan", "--sim", SIM "/inventory.jsonl", SIM_POLICY },
	  0,
	  "would be done",
	  "" },
	{ { "plan", "--sim", "/nowhere", GOOD }, 1, "", "FL-0211: " },
	{ { "plan", "--sim", GOOD, GOOD }, 1, "", ".yaml:3:1: FL-0157" },
	{ { "export", "--sim", SIM }, 0, "driver: vfio", "" },
	{ { "-j", "export", "--sim", SIM }, 0, "\"policy\": ", "" },
	{ { "apply", "--sim", SIM, SIM_POLICY }, 0, "\"num-vfs\": 4", "" },
	{ { "apply", "--sim", BARE, GOOD }, 1, "", "FL-0120: " },
	{ { "apply", "--sim", SIM, "--confirm-within", "9s", SIM_POLICY },
	  2,
	  "",
	  "--sim changes no machine" },
	{ { "apply", "--sim", SIM, "--allow-disruption", "allow", SIM_POLICY },
	  2,
	  "",
	  "--sim changes no machine" },
	{ { "apply", "--sim", SIM, "--early", SIM_POLICY },
	  2,
	  "",
	  "--sim changes no machine" },
	{ { "apply", "--sim", SIM, "--wait", "9s", SIM_POLICY },
	  2,
	  "",
	  "--sim changes no machine" },
	{ { "apply", "--wait=soon", GOOD }, 2, "", "--wait soon: a time" },
	{ { "apply", "--allow-disruption=all", GOOD }, 2, "", "none-in-use" },
	{ { "status", "--sim", SIM }, 2, "", "not take --sim" },
	{ { "record", "--root", "/nowhere" }, 3, "", "FL-0212: " },
	{ { "status", "--socket", "/nowhere" }, 3, "", "FL-0801: " },
	{ { "-j", "status", "--socket", "/nowhere" }, 3, "\"code\": 801", "" },
	{ { "run", "g", "--socket", "/nowhere" }, 3, "", "FL-0801: " },
	{ { "attach", "g" }, 2, "", "usage: fairlead attach GUEST" },
	{ { "attach", "--now", "g", "d" }, 2, "", "take --now" },
	{ { "failover", "--back", "--to-standby", "g", "d" },
	  2,
	  "",
	  "two things" },
	{ { "failover", "g", "d", "--socket", "/nowhere" },
	  3,
	  "",
	  "FL-0801: " },
	{ { "up" }, 2, "", "fairlead up --boot" },
	{ { "up", "--boot", "--report", "/nowhere" }, 2, "", "of one guest" },
	{ { "down", "--boot", "g" }, 2, "", "fairlead down --boot" },
	{ { "up", "--boot", "--socket", "/nowhere" }, 3, "", "FL-0801: " },
	{ { "stop", "--boot" }, 2, "", "does not take --boot" },
	{ { "failover", "g", "\xff" }, 1, "", "FL-0806: " },
	{ { "failover", "--device", "\xff", "g", "n" }, 1, "", "FL-0806: " },
	{ { "lease", "p", "--hold", "h", "--device", "\xff" },
	  1,
	  "",
	  "FL-0806: " },
	{ { "detach", "g", "d", "--socket", "/nowhere" }, 3, "", "FL-0801: " },
	{ { "detach", "g", "\xff", "--socket", "/nowhere" },
	  1,
	  "",
	  "FL-0806: " },
	{ { "doctor", "01:00.0" }, 1, "", "not a PCI address" },
	{ { "doctor", "00ff:00:00.0" }, 1, "", "FL-0806: " },
	{ { "doctor", "--root", "/nowhere" }, 1, "", "FL-0803: " },
	{ { "doctor", "--root", IR }, 1, "on: 1 unit(s) (dmar0", "" },
	{ { "doctor", "--root", IR, "0000:01:10.0" },
	  1,
	  "6, type DMA-FQ: 0000:01:10.0 (vfio-pci)",
	  "" },
	{ { "doctor", "--root", IR, "0000:00:1f.0" },
	  1,
	  "a bridge is never assigned",
	  "" },
	{ { "-j", "doctor", "--root", IR }, 1, "\"assignable\": false", "" },
};

static void words(void **state _unused_)
{
	for (size_t i = 0; i < ARRAY_SIZE(command); i++) {
		char where[64];

		snprintf(where, sizeof(where), "row %zu, %s", i,
		         command[i].args[0] ? command[i].args[0] : "-");
		run(&o, command[i].args);
		expect_text(&o, where, o.out, command[i].out);
		expect_text(&o, where, o.err, command[i].err);
		if (o.status != command[i].status)
			fail_msg("%s: status %d", where, o.status);
		/* Results and refusals do not mix. */
		assert_true(!*command[i].out || !*o.err);
		assert_true(!*command[i].err || !*o.out);
	}
}

/* Each verb of --help explains itself. */
static void every_help(void **state _unused_)
{
	static const char *const verbs[] = { "doctor",  "explain", "check",
		                             "plan",    "record",  "apply",
		                             "status",  "restore", "latency",
		                             "run",     "attach",  "detach",
		                             "failover" };

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		run(&o, (const char *[]){ verbs[i], "--help", NULL });
		assert_int_equal(o.status, 0);
		expect_text(&o, verbs[i], o.out, verbs[i]);
		run(&o, (const char *[]){ "--help", NULL });
		expect_text(&o, verbs[i], o.out, verbs[i]);
	}
}

static void json_always(void **state _unused_)
{
	static const char *const args[][ARGS_MAX] = {
		{ "-j", "check", GOOD },
		{ "-j", "check", BAD },
		{ "-j", "check", "/nowhere" },
		{ "-j", "doctor" },
		{ "-j", "doctor", "--root", IR, "0000:01:10.0" },
		{ "-j", "doctor", "nonsense" },
		{ "-j", "plan", "/nowhere" },
		{ "-j", "restore", "--socket", "/nowhere" },
		{ "-j", "run", "g", "--socket", "/nowhere" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(args); i++) {
		json_t *doc;

		run(&o, args[i]);
		doc = json_loads(o.out, 0, NULL);
		if (!json_is_object(doc))
			fail_msg("row %zu: %s", i, o.out);
		assert_true(json_is_boolean(json_object_get(doc, "ok")));
		json_decref(doc);
	}
}

/* ---- with a daemon ------------------------------------------------------- */

#define OK_HEAD "{\"version\": 1, \"ok\": true, "

static void plan(void **state)
{
	static const char reply[] = OK_HEAD
		"\"actions\": [{\"op\": \"vf-mac\", \"text\": \"set VF 1\","
		" \"command\": \"ip link set\", \"disruption\": \"link\"}],"
		" \"warnings\": [\"take care\"]}";
	static const char *const args[] = { "plan", GOOD, NULL };
	_cleanup_close_ int want = open(GOOD, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL, *sent = NULL;
	struct daemon *d = *state;
	size_t len, sent_len;

	run_served(&o, d, args, reply, NULL, 0);
	assert_int_equal(o.status, 0);
	expect_text(&o, "plan", o.out, "  1. set VF 1  [link]\n");
	expect_text(&o, "plan", o.out, "       ip link set\n");
	expect_text(&o, "plan", o.err, "warning: take care");
	expect_text(&o, "request", d->request, "\"verb\":\"plan\"");
	expect_text(&o, "request", d->request, "\"file\":\"" GOOD "\"");
	/* The very text, and nobody can change it any more. */
	assert_int_equal(d->n_fds, 1);
	assert_int_equal(fcntl(d->fds[0], F_GET_SEALS),
	                 F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW |
	                         F_SEAL_SEAL);
	assert_int_equal(fd_read_file(want, 1 << 20, &text, &len), 0);
	assert_int_equal(fd_read_file(d->fds[0], 1 << 20, &sent, &sent_len), 0);
	assert_string_equal(sent, text);
}

static void nothing_to_do(void **state)
{
	static const char *const args[] = { "apply", GOOD, NULL };

	run_served(&o, *state, args, OK_HEAD "\"actions\": []}", NULL, 0);
	assert_int_equal(o.status, 0);
	expect_text(&o, "apply", o.out, "nothing to do");
}

static void refused(void **state)
{
	static const char reply[] =
		"{\"version\": 1, \"ok\": false, \"error\": {\"code\": 122,"
		" \"errno\": 16, \"what\": \"set sriov_numvfs\", \"why\":"
		" \"VF 1 is held\", \"mend\": \"end guest a\"}}";
	static const char *const args[] = { "restore", NULL };

	run_served(&o, *state, args, reply, NULL, 0);
	assert_int_equal(o.status, 1);
	assert_string_equal(o.out, "");
	assert_string_equal(o.err, "FL-0122: set sriov_numvfs\n"
	                           "  why: VF 1 is held\n"
	                           "  mend: end guest a\n");
}

static void hot_plug(void **state)
{
	static const char reply[] =
		OK_HEAD "\"guest\": \"g\", \"device\": \"disk\","
			" \"forced\": true, \"warnings\": [\"drifted\"]}";
	static const char *const detach[] = { "detach", "--now", "g", "disk",
		                              NULL };
	static const char *const attach[] = { "-j", "attach", "g", "disk",
		                              NULL };
	struct daemon *d = *state;
	json_t *doc;

	run_served(&o, d, detach, reply, NULL, 0);
	assert_int_equal(o.status, 0);
	assert_string_equal(o.out, "g: disk detached, by force: the guest did "
	                           "not let go in time\n");
	assert_string_equal(o.err, "fairlead: warning: drifted\n");
	doc = json_loads(d->request, 0, NULL);
	assert_true(json_is_true(json_object_get(doc, "now")));
	assert_string_equal(json_string_value(json_object_get(doc, "verb")),
	                    "detach");
	assert_string_equal(json_string_value(json_object_get(doc, "device")),
	                    "disk");
	json_decref(doc);
	run_served(&o, d, attach, reply, NULL, 0);
	assert_int_equal(o.status, 0);
	assert_null(strstr(d->request, "now"));
	doc = json_loads(o.out, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(doc, "device")),
	                    "disk");
	json_decref(doc);
}

/* Those that go with the machine, each by itself: last first when they end. */
static void with_the_machine(void **state)
{
	static const char reply[] = OK_HEAD
		"\"guests\": ["
		"{\"guest\": \"a\", \"boot\": \"auto\", \"running\": true},"
		"{\"guest\": \"b\", \"boot\": \"manual\", \"running\": true},"
		"{\"guest\": \"c\", \"boot\": \"auto\", \"running\": true},"
		"{\"guest\": \"d\", \"boot\": \"manual\", \"running\": false}"
		"]}";
	static const char *const up[] = { "up", "--boot", NULL };
	static const char *const down[] = { "down", "--boot", NULL };
	struct daemon *d = *state;
	const char *first;

	run_served(&o, d, up, reply, NULL, 0);
	assert_int_equal(o.status, 0);
	assert_string_equal(o.out, "");
	assert_string_equal(o.err, "");
	expect_text(&o, "request", d->request, "\"verb\":\"guests\"");
	/* Nobody listens: each is tried, and told. */
	run_served(&o, d, down, reply, NULL, 0);
	assert_int_equal(o.status, 6);
	first = strstr(o.err, "cannot reach guest c");
	assert_non_null(first);
	expect_text(&o, "down", first, "cannot reach guest a");
	assert_null(strstr(o.err, "guest b"));
}

static void policy_refused(void **state)
{
	static const char reply[] =
		"{\"version\": 1, \"ok\": false, \"error\": {\"code\": 121},"
		" \"errors\": [{\"line\": 7, \"column\": 3, \"code\": 121,"
		" \"what\": \"too many\"}, {\"line\": 9, \"column\": 1,"
		" \"code\": 120, \"what\": \"no device\"}]}";
	static const char *const args[] = { "plan", GOOD, NULL };

	run_served(&o, *state, args, reply, NULL, 0);
	assert_int_equal(o.status, 1);
	assert_string_equal(o.err, GOOD ":7:3: FL-0121: too many\n" GOOD
	                                ":9:1: FL-0120: no device\n");
}

static const char status_body[] = OK_HEAD
	"\"host\": {\"iommu\": true, \"remapping\": \"yes\","
	" \"posting\": \"unknown\"}, \"journal\": \"applied\", \"pfs\": ["
	"{\"bdf\": \"0000:01:00.0\", \"ifname\": \"ens1\", \"driver\":"
	" \"igb\", \"total-vfs\": 7, \"num-vfs\": 1, \"link\": \"up\","
	" \"vfs\": [{\"index\": 0, \"bdf\": \"0000:01:10.0\", \"driver\":"
	" \"vfio-pci\", \"mac\": \"02:00:00:00:00:01\", \"vlan\": 100,"
	" \"spoof-check\": true, \"trust\": null, \"group\": 12,"
	" \"holder\": \"vrouter\"}]}], \"leases\": [{\"guest\":"
	" \"vrouter\", \"pid\": 42, \"devices\": [\"0000:01:10.0\"]}]}";

/* Nothing is said where all is as the policy says. */
static void status_of_care(void **state)
{
	static const char reply[] = OK_HEAD
		"\"functions\": [{\"bdf\": \"0000:01:10.0\", \"state\":"
		" \"quarantined\", \"scrub\": {\"why\": \"no reset\"}},"
		" {\"bdf\": \"0000:01:10.1\", \"state\": \"clean\"},"
		" {\"bdf\": \"0000:01:10.2\", \"state\": \"given\", \"tenant\":"
		" \"g/wan\", \"moved\": {\"nic\": \"e\", \"vf\": 2}}],"
		" \"reconcile\": {\"drift\": [{\"open\": false, \"text\": \"old\"},"
		" {\"open\": true, \"state\": \"fought\", \"text\": \"set VF 1\","
		" \"why\": \"it came back\"}]}, \"policy-file\": {\"path\":"
		" \"/etc/fairlead\", \"ok\": false, \"error\": {\"code\": 761,"
		" \"why\": \"no file\", \"mend\": \"fairlead apply\"}}}";
	static const char *const args[] = { "status", NULL };
	struct daemon *d = *state;

	run_served(&o, d, args, reply, NULL, 0);
	assert_int_equal(o.status, 0);
	expect_text(&o, "status", o.out,
	            "functions away from the policy\n  0000:01:10.0  in "
	            "quarantine: no reset\n");
	expect_text(&o, "status", o.out, "`fairlead scrub 0000:01:10.0`");
	expect_text(&o, "status", o.out, "10.2  g/wan has it since a failover");
	assert_null(strstr(o.out, "10.1"));
	expect_text(&o, "status", o.out, "set VF 1 (fought)\n    why: it came");
	assert_null(strstr(o.out, "old"));
	expect_text(&o, "status", o.out,
	            "FL-0761: no file\n    mend: fairlead apply\n");
	run_served(&o, d, args, OK_HEAD "\"functions\": []}", NULL, 0);
	assert_null(strstr(o.out, "not taken"));
	assert_null(strstr(o.out, "not as applied"));
	assert_null(strstr(o.out, "away from the policy"));
}

static void check_status(void)
{
	assert_int_equal(o.status, 0);
	expect_text(&o, "status", o.out,
	            "driver igb, link up, MTU unknown, VFs 1 of 7");
	expect_text(&o, "status", o.out, "02:00:00:00:00:01  100");
	/* What the driver does not tell is not "off". */
	expect_text(&o, "status", o.out, "on       unknown  12");
	expect_text(&o, "status", o.out, "1 guest(s) with a lease");
}

static void status(void **state)
{
	static const char *const args[] = { "status", NULL };

	run_served(&o, *state, args, status_body, NULL, 0);
	check_status();
}

/* A reply too long for a datagram comes as a file. */
static void status_as_memfd(void **state)
{
	static const char *const args[] = { "status", NULL };
	_cleanup_close_ int body = text_memfd(status_body);

	run_served(&o, *state, args, "{\"body\": \"memfd\"}", &body, 1);
	check_status();
}

static void bad_reply(const char *reply, int fd, void **state)
{
	static const char *const args[] = { "status", NULL };

	run_served(&o, *state, args, reply, &fd, fd >= 0 ? 1 : 0);
	assert_int_equal(o.status, 4);
	expect_text(&o, reply ? reply : "closed", o.err, "FL-0802: ");
}

static void reply_closed(void **state)
{
	bad_reply(NULL, -1, state);
}

static void reply_garbage(void **state)
{
	bad_reply("{\"ok\": tru", -1, state);
}

static void reply_list(void **state)
{
	bad_reply("[]", -1, state);
}

static void reply_no_body(void **state)
{
	bad_reply("{\"body\": \"memfd\"}", -1, state);
}

static void reply_bad_body(void **state)
{
	_cleanup_close_ int fd = text_memfd("[1, 2]");

	bad_reply("{\"body\": \"memfd\"}", fd, state);
}

/* A lease without its document must not start anything either. */
static void lease_bad_body(void **state)
{
	static const char *const args[] = { "run", "g", NULL };
	_cleanup_close_ int fd = text_memfd("");

	run_served(&o, *state, args, "{\"body\": \"memfd\"}", &fd, 1);
	assert_int_equal(o.status, 4);
}

static void run_guest(void **state)
{
	static const char *const args[] = { "run", "vrouter", "--no-reboot",
		                            NULL };
	const int fds[] = { text_memfd("one"), text_memfd("two"),
		            text_memfd("three") };
	struct daemon *d = *state;

	run_served(&o, d, args,
	           OK_HEAD "\"guest\": {}, \"warnings\": [\"slow\"]}", fds,
	           ARRAY_SIZE(fds));
	expect_text(&o, "request", d->request, "\"guest\":\"vrouter\"");
	expect_text(&o, "run", o.err, "warning: slow");
	expect_text(&o, "run", o.out,
	            "args --no-reboot\nenvironment is empty\n");
	expect_text(&o, "run", o.out, "no_new_privs 1\n");
	expect_text(&o, "run", o.out, "open 0 1 2 3 4 5 6 7 8\n");
	expect_text(&o, "run", o.out, "6: one\n7: two\n8: three\n");
	expect_text(&o, "run", o.out, "lease {\"version");
	expect_text(&o, "run", o.out, "report 3\n");
	if (geteuid() == 0)
		expect_text(&o, "run", o.out, "user is not root\ngroups 0\n");
	/* The VMM's exit status is the command's. */
	assert_int_equal(o.status, 10);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

static void run_refused(void **state)
{
	static const char *const args[] = { "run", "nobody-here", NULL };

	run_served(&o, *state, args,
	           "{\"version\": 1, \"ok\": false, \"error\": {\"code\": 709,"
	           " \"what\": \"no guest nobody-here\"}}",
	           NULL, 0);
	assert_int_equal(o.status, 1);
	expect_text(&o, "run", o.err, "FL-0709: no guest nobody-here\n");
}

/* As root, an account that is root's or nobody's starts no guest. */
static void run_as_root(void **state)
{
	static const char *const args[] = { "run", "g", "--user", "root",
		                            NULL };

	if (geteuid() != 0) {
		print_message("skipped: only root can give up being root\n");
		skip();
	}
	run_served(&o, *state, args, OK_HEAD "\"guest\": {}}", NULL, 0);
	assert_int_equal(o.status, 1);
	expect_text(&o, "run", o.err, "FL-0805: ");
	assert_string_equal(o.out, "");
}

/* The VMM is this program, whatever was built. */
static int be_the_vmm(void **state _unused_)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	assert_true(n > 0);
	path[n] = '\0';
	return setenv("FAIRLEAD_VMM", path, 1);
}

int main(int argc _unused_, char **argv, char **envp)
{
#define D(f) cmocka_unit_test_setup_teardown(f, daemon_setup, daemon_teardown)
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(every_help),
		cmocka_unit_test(json_always),
		D(plan),
		D(nothing_to_do),
		D(refused),
		D(hot_plug),
		D(with_the_machine),
		D(status_of_care),
		D(policy_refused),
		D(status),
		D(status_as_memfd),
		D(reply_closed),
		D(reply_garbage),
		D(reply_list),
		D(reply_no_body),
		D(reply_bad_body),
		D(lease_bad_body),
		D(run_guest),
		D(run_refused),
		D(run_as_root),
	};

	stand_in_vmm(argv, envp);
	return cmocka_run_group_tests(tests, be_the_vmm, NULL);
}
