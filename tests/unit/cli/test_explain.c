/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `fairlead explain` on recorded functions, put into a tree as sysfs has them:
 * its whole text against golden files; what it refuses; whose device it takes.
 */

#include "tests/unit/cli/stand-in.h"
#include "tests/unit/pci-config/recorded.h"

#include <fcntl.h>
#include <jansson.h>
#include <unistd.h>

#define DEVICE "0000:01:00.0"

static struct outcome o;
static bool updated; /* golden files, which fails the test */

struct tree {
	struct daemon *daemon;
	char dir[64];
};

static void shell(const struct tree *t, const char *words)
{
	char line[512];

	snprintf(line, sizeof(line), "cd %s && %s", t->dir, words);
	if (system(line) != 0)
		fail_msg("%s", line);
}

static int setup(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));
	void *daemon = NULL;

	assert_non_null(t);
	snprintf(t->dir, sizeof(t->dir), "/tmp/fl-explain-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	assert_int_equal(daemon_setup(&daemon), 0);
	t->daemon = daemon;
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct tree *t = *state;
	void *daemon = t->daemon;

	shell(t, "rm -rf sys");
	rmdir(t->dir);
	free(t);
	return updated ? -1 : daemon_teardown(&daemon);
}

static FILE *attribute(const struct tree *t, const char *name)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/" DEVICE "/%s",
	         t->dir, name);
	f = fopen(path, "we");
	assert_non_null(f);
	return f;
}

/* A line a BAR as the kernel prints it; the ROM's is the seventh. */
static void put_resources(const struct tree *t, const struct recorded *r,
                          uint64_t rom)
{
	FILE *f = attribute(t, "resource");

	for (unsigned i = 0; i < CFG_BARS; i++) {
		const uint64_t reg = load_le(r->raw + 0x10 + 4 * i, 4);
		const uint64_t base = 0xf0000000ull;

		fprintf(f, "0x%016llx 0x%016llx 0x%016x\n",
		        (unsigned long long)(r->bar_size[i] ? base : 0),
		        (unsigned long long)(r->bar_size[i]
		                                     ? base + r->bar_size[i] - 1
		                                     : 0),
		        !r->bar_size[i] ? 0
		        : reg & 1       ? 0x40101u
		                        : 0x40200u | (reg & 8 ? 0x2000u : 0) |
		                            ((reg & 6) == 4 ? 0x100000u : 0));
	}
	fprintf(f, "0x%016x 0x%016llx 0x%016x\n", rom ? 0xfe000000u : 0,
	        (unsigned long long)(rom ? 0xfe000000u + rom - 1 : 0),
	        rom ? 0x46200u : 0);
	fclose(f);
}

static void put_function(const struct tree *t, const struct recorded *r,
                         size_t bytes, uint64_t rom)
{
	FILE *f;

	shell(t, "mkdir -p sys/bus/pci/devices/" DEVICE);
	f = attribute(t, "config");
	assert_int_equal(fwrite(r->raw, 1, bytes, f), bytes);
	fclose(f);
	f = attribute(t, "vendor");
	fprintf(f, "0x%04x\n", (unsigned)load_le(r->raw, 2));
	fclose(f);
	f = attribute(t, "device");
	fprintf(f, "0x%04x\n", (unsigned)load_le(r->raw + 2, 2));
	fclose(f);
	put_resources(t, r, rom);
}

static void examine(const struct tree *t)
{
	run(&o, (const char *[]){ "explain", "--root", t->dir, DEVICE, NULL });
}

/* ---- the text ------------------------------------------------------------ */

static void check_golden(const char *name)
{
	char path[128], want[TEXT_MAX] = "";
	FILE *f;

	snprintf(path, sizeof(path), "tests/golden/config/%s.explain", name);
	if (getenv("GOLDEN_UPDATE")) {
		f = fopen(path, "we");
		assert_non_null(f);
		fputs(o.out, f);
		fclose(f);
		fprintf(stderr, "%s written anew: review it\n", path);
		updated = true;
		return;
	}
	f = fopen(path, "re");
	if (!f)
		fail_msg("no %s", path);
	assert_true(fread(want, 1, sizeof(want) - 1, f) > 0);
	fclose(f);
	assert_string_equal(o.out, want);
}

static void golden(void **state)
{
	static const struct {
		const char *name;
		uint64_t rom;
	} t[] = { { "nvme", 0 },
		  { "e1000e", 256 << 10 },
		  { "hidden-middle", 0 },
		  { "broken-loops", 0 },
		  { "multifn-1", 0 } };
	struct recorded r;

	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		assert_int_equal(recorded_read(t[i].name, &r), 0);
		put_function(*state, &r, r.size, t[i].rom);
		examine(*state);
		assert_int_equal(o.status, 0);
		assert_string_equal(o.err, "");
		check_golden(t[i].name);
	}
}

/* A VF's own bytes: no ids, no BARs. What the kernel has from its PF is put in
 * their place, so that the text is as of what VFIO shows. */
static void vf(void **state)
{
	struct recorded r, bare;

	assert_int_equal(recorded_read("igb-vf", &r), 0);
	put_function(*state, &r, r.size, 0);
	bare = r;
	memset(bare.raw, 0xff, 4);
	memset(bare.raw + 0x10, 0, 24);
	shell(*state,
	      "ln -sf ../0000:00:01.0 sys/bus/pci/devices/" DEVICE "/physfn");
	{
		FILE *f = attribute(*state, "config");

		assert_int_equal(fwrite(bare.raw, 1, r.size, f), r.size);
		fclose(f);
	}
	examine(*state);
	assert_int_equal(o.status, 0);
	check_golden("igb-vf");
}

/* ---- JSON ---------------------------------------------------------------- */

static void json_covers(void **state)
{
	const struct tree *t = *state;
	const char *function, *guest;
	struct recorded r;
	json_t *doc, *list;
	size_t at = 0;

	assert_int_equal(recorded_read("nvme", &r), 0);
	put_function(t, &r, r.size, 0);
	run(&o, (const char *[]){ "-j", "explain", "--root", t->dir, DEVICE,
	                          NULL });
	assert_int_equal(o.status, 0);
	doc = json_loads(o.out, 0, NULL);
	assert_true(json_is_true(json_object_get(doc, "ok")));
	function = json_string_value(json_object_get(doc, "function"));
	guest = json_string_value(json_object_get(doc, "guest"));
	assert_int_equal(strlen(function), 2 * CFG_SIZE);
	assert_int_equal(strlen(guest), 2 * CFG_SIZE);
	list = json_object_get(doc, "differences");
	assert_true(json_array_size(list) > 5);
	for (size_t i = 0; i <= json_array_size(list); i++) {
		const json_t *d = json_array_get(list, i);
		size_t off = d ? (size_t)json_integer_value(
					 json_object_get(d, "offset"))
		               : CFG_SIZE;

		assert_memory_equal(function + 2 * at, guest + 2 * at,
		                    2 * (off - at));
		at = off +
		     (size_t)json_integer_value(json_object_get(d, "length"));
	}
	json_decref(doc);
}

/* ---- what is refused ----------------------------------------------------- */

static void refused(void **state)
{
	const struct tree *t = *state;
	struct recorded r;

	assert_int_equal(recorded_read("nvme", &r), 0);
	put_function(t, &r, 64, 0);
	examine(t);
	assert_int_equal(o.status, 1);
	expect_text(&o, "64 bytes", o.err, "FL-0807: only 64 bytes of " DEVICE);
	expect_text(&o, "64 bytes", o.err,
	            "mend: sudo fairlead explain " DEVICE "\n");
	r.raw[0x0e] = 1;
	put_function(t, &r, r.size, 0);
	examine(t);
	assert_int_equal(o.status, 1);
	expect_text(&o, "bridge", o.err, "FL-0901: ");
	shell(t, "rm -r sys");
	examine(t);
	assert_int_equal(o.status, 1);
	expect_text(&o, "none", o.err, "FL-0806: ");
	run(&o, (const char *[]){ "explain", "3b:00.0", NULL });
	assert_int_equal(o.status, 1);
	expect_text(&o, "short", o.err, "FL-0806: ");
}

/* ---- a guest's device ---------------------------------------------------- */

#define STATUS                                                                 \
	"{\"version\": 1, \"ok\": true, \"leases\": ["                         \
	"{\"guest\": \"a\", \"devices\": [\"0000:09:00.0\"],"                  \
	" \"names\": [\"disk\"]},"                                             \
	"{\"guest\": \"b\", \"devices\": [\"0000:08:00.0\", \"" DEVICE "\"],"  \
	" \"names\": [\"lan\", \"disk\"]}]}"

static void ask(const struct tree *t, const char *guest, const char *device)
{
	run_served(&o, t->daemon,
	           (const char *[]){ "explain", "--root", t->dir, guest, device,
	                             NULL },
	           STATUS, NULL, 0);
}

static void leased(void **state)
{
	struct tree *t = *state;
	struct recorded r;

	assert_int_equal(recorded_read("nvme", &r), 0);
	put_function(t, &r, r.size, 0);
	ask(t, "b", "disk");
	assert_int_equal(o.status, 0);
	check_golden("nvme");
	expect_text(&o, "request", t->daemon->request, "\"status\"");
	ask(t, "b", "wan");
	assert_int_equal(o.status, 1);
	expect_text(&o, "no such device", o.err,
	            "FL-0808: the guest b has no device wan");
	expect_text(&o, "no such device", o.err, "its devices are: lan disk");
	ask(t, "c", "disk");
	assert_int_equal(o.status, 1);
	expect_text(&o, "no such guest", o.err, "it is not running");
}

/* ---- why that one -------------------------------------------------------- */

#define WHY "at memory node 1, the first that is free"
#define OTHERS "1 held, 2 given to guests"

/* A guest that does not run: what the policy chooses for it. */
static void would_get(void **state)
{
	static const char reply[] =
		"{\"version\": 1, \"ok\": true, \"leases\": [], "
		"\"placement\": ["
		"{\"guest\": \"g\", \"nic\": \"lan\", \"pool\": \"q\","
		" \"bdf\": \"0000:08:00.0\", \"why\": \"x\"},"
		"{\"guest\": \"g\", \"nic\": \"wan\", \"pool\": \"p\","
		" \"bdf\": \"" DEVICE "\", \"why\": \"" WHY "\","
		" \"others\": \"" OTHERS "\"}]}";
	struct tree *t = *state;
	struct recorded r;

	assert_int_equal(recorded_read("nvme", &r), 0);
	put_function(t, &r, r.size, 0);
	run_served(&o, t->daemon,
	           (const char *[]){ "explain", "--root", t->dir, "g", "wan",
	                             NULL },
	           reply, NULL, 0);
	assert_int_equal(o.status, 0);
	expect_text(&o, "head", o.out, DEVICE " [");
	expect_text(&o, "head", o.out,
	            "g does not run: it will get this one as wan\n"
	            "chosen from pool p because: " WHY "\n"
	            "and not the others: " OTHERS "\n");
	run_served(&o, t->daemon,
	           (const char *[]){ "explain", "--root", t->dir, "g", "disk",
	                             NULL },
	           reply, NULL, 0);
	assert_int_equal(o.status, 1);
	expect_text(&o, "no nic", o.err,
	            "FL-0808: the guest g has no device disk");
}

/* Of one that does not run, a plan that is refused is the answer. */
static void no_plan(void **state)
{
	static const char status[] =
		"{\"version\": 1, \"ok\": true, \"leases\": []}";
	struct tree *t = *state;

	t->daemon->then =
		"{\"version\": 1, \"ok\": false, \"error\": {\"code\": 779, "
		"\"errno\": 2, \"what\": \"make bridge br-fast\", \"why\": "
		"\"Open vSwitch does not run\", \"mend\": \"start it\"}}";
	run_served(&o, t->daemon,
	           (const char *[]){ "explain", "--root", t->dir, "g", "wan",
	                             NULL },
	           status, NULL, 0);
	assert_int_equal(o.status, 1);
	expect_text(&o, "its own refusal", o.err,
	            "FL-0779: make bridge br-fast");
	expect_text(&o, "its mend", o.err, "start it");
}

/* A loan: as it was said when the VF was lent. */
static void lent(void **state)
{
	static const char reply[] =
		"{\"version\": 1, \"ok\": true, \"functions\": ["
		"{\"bdf\": \"0000:08:00.0\", \"loan\": {\"holder\": \"a\"}},"
		"{\"bdf\": \"" DEVICE "\", \"loan\": {\"holder\": \"job\","
		" \"pool\": \"p\", \"why\": \"" WHY "\","
		" \"others\": \"" OTHERS "\"}}]}";
	struct tree *t = *state;
	struct recorded r;

	assert_int_equal(recorded_read("nvme", &r), 0);
	put_function(t, &r, r.size, 0);
	run_served(&o, t->daemon,
	           (const char *[]){ "explain", "--root", t->dir, "job", NULL },
	           reply, NULL, 0);
	assert_int_equal(o.status, 0);
	expect_text(&o, "head", o.out, DEVICE " [");
	expect_text(&o, "head", o.out,
	            "chosen from pool p because: " WHY "\n"
	            "and not the others: " OTHERS "\n");
	run_served(
		&o, t->daemon,
		(const char *[]){ "explain", "--root", t->dir, "jobs", NULL },
		reply, NULL, 0);
	assert_int_equal(o.status, 1);
	expect_text(&o, "nobody", o.err,
	            "FL-0808: nobody called jobs has a VF");
}

int main(int argc _unused_, char **argv, char **envp)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(golden, setup, teardown),
		cmocka_unit_test_setup_teardown(vf, setup, teardown),
		cmocka_unit_test_setup_teardown(json_covers, setup, teardown),
		cmocka_unit_test_setup_teardown(refused, setup, teardown),
		cmocka_unit_test_setup_teardown(leased, setup, teardown),
		cmocka_unit_test_setup_teardown(would_get, setup, teardown),
		cmocka_unit_test_setup_teardown(no_plan, setup, teardown),
		cmocka_unit_test_setup_teardown(lent, setup, teardown),
	};

	stand_in_vmm(argv, envp);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
