/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several files as one policy: joined, told apart again, merged; errors name
 * the file of each position. Texts that begin so and are something else are
 * refused whole.
 */

#include "tests/unit/policy/golden.h"

static struct pol_errors errs;
static struct text got;

static const char host[] = "version: 1\n"
			   "host: { mode: observe }\n"
			   "nics:\n"
			   "  - name: edge0\n"
			   "    match: { pci: \"0000:01:00.0\" }\n"
			   "    virtual-function-count: 2\n";
static const char pools[] = "version: 1\n"
			    "nics:\n"
			    "  - name: edge1\n"
			    "    match: { pci: \"0000:02:00.0\" }\n"
			    "    virtual-function-count: 1\n"
			    "pools:\n"
			    "  - name: p\n"
			    "    functions: [\"edge0#0-1\", \"edge1#0\"]\n"
			    "    driver: vfio\n";
static const char guest[] = "version: 1\n"
			    "guests:\n"
			    "  - name: g\n"
			    "    memory: 512M\n"
			    "    kernel: /k\n"
			    "    nics: [ { name: a, pool: p } ]\n";

static char *join(const struct pol_file *f, size_t n, size_t *len)
{
	char *text = NULL;

	assert_int_equal(pol_files_join(f, n, &text, len), 0);
	return text;
}

/* Parsed, or the errors in `got`. */
static struct pol_policy *parse(const struct pol_file *f, size_t n)
{
	struct pol_policy *p = NULL;
	size_t len;
	char *text = join(f, n, &len), *copy = malloc(len);
	int r;

	memcpy(copy, text, len); /* no terminator to lean on */
	free(text);
	r = pol_parse(copy, len, &p, &errs);
	free(copy);
	got.n = 0;
	got.buf[0] = '\0';
	if (r)
		text_errors(&got, &errs);
	return r ? NULL : p;
}

#define FILE_OF(name, text)                                                    \
	{                                                                      \
		name, text, strlen(text)                                       \
	}

static void test_merged(void **state)
{
	const struct pol_file f[] = {
		FILE_OF("10-host.yaml", host),
		FILE_OF("20-pools.yaml", pools),
		FILE_OF("30-guest.yaml", guest),
	};
	struct pol_policy *p = parse(f, ARRAY_SIZE(f));

	(void)state;
	assert_string_equal(got.buf, "");
	assert_non_null(p);
	assert_int_equal(p->files.n, 3);
	assert_string_equal(p->files.name[2], "30-guest.yaml");
	assert_int_equal(p->host.mode, POL_MODE_OBSERVE);
	assert_int_equal(p->n_nics, 2);
	assert_int_equal(p->nic[1].pos.file, 1);
	assert_int_equal(p->nic[1].pos.line, 3);
	assert_int_equal(p->pool[0].n_fn, 3);
	assert_int_equal(p->n_guests, 1);
	assert_int_equal(p->guest[0].pos.file, 2);
	assert_int_equal(p->guest[0].nic[0].fn.nic, 0);
	pol_free(p);
}

/* The names decide the order, and null in one file hides nothing of another. */
static void test_nulls(void **state)
{
	const struct pol_file f[] = {
		FILE_OF("a.yaml", "version: 1\nnics:\nnetworks: []\n"),
		FILE_OF("b.yaml", host),
		FILE_OF("c.yaml", "version: 1\nnics: null\n"),
		FILE_OF("d/e.yaml",
		        "version: 1\nnetworks: [ { name: net } ]\n"),
	};
	struct pol_policy *p = parse(f, ARRAY_SIZE(f));

	(void)state;
	assert_string_equal(got.buf, "");
	assert_int_equal(p->n_nics, 1);
	assert_int_equal(p->nic[0].pos.file, 1);
	assert_int_equal(p->n_networks, 1);
	pol_free(p);
}

static void test_clashes(void **state)
{
	const struct pol_file f[] = {
		FILE_OF("10-a.yaml", host),
		FILE_OF("20-b.yaml", "nics:\n"
		                     "  - name: edge0\n"
		                     "    match: { pci: \"0000:01:00.0\" }\n"
		                     "host: { mode: enforce }\n"
		                     "networks: []\n"
		                     "networks: []\n"),
		FILE_OF("30-c.yaml", "version: 2\n"
		                     "nics: { name: edge0 }\n"),
		FILE_OF("40-d.yaml", "- version: 1\n"),
	};

	(void)state;
	assert_null(parse(f, ARRAY_SIZE(f)));
	assert_string_equal(
		got.buf,
		"policy.yaml/20-b.yaml:1:1: FL-0105: the policy needs "
		"'version'\n"
		"  mend: each file begins with `version: 1`\n"
		"policy.yaml/20-b.yaml:2:11: FL-0106: a second nic is named "
		"'edge0'\n"
		"  why: the first is in line 4 of 10-a.yaml\n"
		"  mend: rename or remove one of the two\n"
		"policy.yaml/20-b.yaml:3:12: FL-0110: nic edge0 and nic edge0 "
		"match 0000:01:00.0\n"
		"  why: the other is in line 4 of 10-a.yaml; a function is "
		"given as a whole, or cut into VFs, once\n"
		"  mend: remove one of them\n"
		"policy.yaml/20-b.yaml:4:1: FL-0106: the policy: 'host' is "
		"given twice\n"
		"  why: the first is in line 2 of 10-a.yaml\n"
		"  mend: only lists may be in several files\n"
		"policy.yaml/20-b.yaml:6:1: FL-0106: the policy: 'networks' is "
		"given twice\n"
		"  why: the first is in line 5\n"
		"  mend: remove one of the two\n"
		"policy.yaml/30-c.yaml:1:10: FL-0104: 'version' is another "
		"than that of the first file\n"
		"  mend: write `version: 1`\n"
		"policy.yaml/30-c.yaml:2:1: FL-0106: the policy: 'nics' is "
		"given twice\n"
		"  why: the first is in line 3 of 10-a.yaml\n"
		"  mend: only lists may be in several files\n"
		"policy.yaml/40-d.yaml:1:1: FL-0103: the policy must be a "
		"mapping\n"
		"  mend: write it with keys, such as `version: 1`\n");
}

#define OVERRIDES "version: 1\noverrides: [{ nic: edge0, vfs: ["
#define OVERLAY                                                                \
	"overlay: { type: vxlan, id: 5, local: 192.0.2.1, "                    \
	"remote: [192.0.2.2] }"

/* What is said of something in another file names that file. */
static void test_elsewhere(void **state)
{
	static const char first[] =
		"version: 1\n"
		"nics:\n"
		"  - name: edge0\n"
		"    match: { pci: \"0000:01:00.0\" }\n"
		"    mtu: 1500\n"
		"    embedded-switch-mode: switchdev\n"
		"    virtual-function-count: 2\n"
		"networks:\n"
		"  - { name: one, bridge: a, " OVERLAY " }\n"
		"pools:\n"
		"  - { name: p, functions: [\"edge0#0\"], driver: vfio }\n";
	static const struct {
		const char *text, *where;
	} c[] = {
		{ OVERRIDES "{ id: 2 }] }]", "count is 2 (line 7 of a.yaml)" },
		{ OVERRIDES "{ id: 0, mtu: 9000 }] }]",
		  "nic edge0 (line 3 of a.yaml)" },
		{ OVERRIDES "{ id: 0, vlan: { id: 9 } }] }]",
		  "nic edge0 (line 3 of a.yaml)" },
		{ OVERRIDES "{ id: 0, rate-group: g }] }]",
		  "`rate-groups` (line 3 of a.yaml)" },
		{ "version: 1\nnetworks: [{ name: two, bridge: b, " OVERLAY
		  " }]",
		  "network one has it (line 9 of a.yaml)" },
		{ "version: 1\nguests: [{ name: g, memory: 16M, kernel: /k, "
		  "nics: [{ name: wan, pool: p, failover: { backend: tap, "
		  "bridge: br0 } }] }]",
		  "to pool p (line 11 of a.yaml)" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		const struct pol_file f[] = {
			FILE_OF("a.yaml", first),
			FILE_OF("b.yaml", c[i].text),
		};

		assert_null(parse(f, ARRAY_SIZE(f)));
		if (!strstr(got.buf, c[i].where))
			fail_msg("%s\n%s", c[i].where, got.buf);
	}
}

/* One that is no YAML does not hide what is wrong in the others. */
static void test_broken(void **state)
{
	const struct pol_file f[] = {
		FILE_OF("a.yaml", "version: [\n"),
		FILE_OF("b.yaml", "version: 1\nnics: *x\n"),
		FILE_OF("c.yaml", ""),
	};

	(void)state;
	assert_null(parse(f, ARRAY_SIZE(f)));
	assert_int_equal(errs.n, 3);
	assert_string_equal(errs.e[0].file, "a.yaml");
	assert_string_equal(errs.e[1].file, "b.yaml");
	assert_string_equal(errs.e[2].file, "c.yaml");
	assert_int_equal(errs.e[2].diag.code, FL_POL_MISSING);
}

/* What is found between the policy and the machine has a file as well. */
static void test_resolved(void **state)
{
	const struct pol_file f[] = {
		FILE_OF("10-host.yaml", host),
		FILE_OF("20-pools.yaml", pools),
	};
	struct pol_policy *p = parse(f, ARRAY_SIZE(f));
	const struct pol_state none = { 0 };
	struct pol_state *want;

	(void)state;
	assert_int_equal(pol_resolve(p, &none, &want, &errs), -EINVAL);
	assert_int_equal(errs.e[0].diag.code, FL_POL_NO_MATCH);
	assert_string_equal(errs.e[0].file, "10-host.yaml");
	assert_string_equal(errs.e[1].file, "20-pools.yaml");
	pol_free(p);
}

/* For a look: the one that is there, and what is said of it, but no more. */
static void test_resolved_part(void **state)
{
	const struct pol_file f[] = { FILE_OF(
		"a.yaml",
		"version: 1\n"
		"nics:\n"
		"  - { name: gone, match: { pci: \"0000:02:00.0\" } }\n"
		"  - { name: here, match: { pci: \"0000:01:00.0\" }, "
		"mtu: 9000 }\n"
		"pools:\n"
		"  - { name: p, functions: [\"gone#0\"] }\n") };
	struct pol_policy *p = parse(f, ARRAY_SIZE(f));
	struct pol_pf pf = { .bdf = { .bus = 1 },
		             .driver = "igb",
		             .ifname = "eth0",
		             .set = POL_HAS_MTU,
		             .mtu = 1500 };
	const struct pol_state seen = { .pf = &pf, .n_pfs = 1 };
	struct pol_state *want;

	(void)state;
	assert_int_equal(pol_resolve(p, &seen, &want, &errs), -EINVAL);
	assert_int_equal(pol_resolve_part(p, &seen, &want, &errs), 0);
	assert_int_equal(errs.n, 1);
	assert_int_equal(errs.e[0].diag.code, FL_POL_NO_MATCH);
	assert_int_equal(want->n_pfs, 1);
	assert_string_equal(want->pf[0].name, "here");
	assert_int_equal(want->pf[0].mtu, 9000);
	pol_state_free(want);
	pol_free(p);
}

/* ... and so has what it clashes with. */
static void test_resolved_clash(void **state)
{
	const struct pol_file f[] = {
		FILE_OF("a.yaml", "version: 1\n"
		                  "devices: [{ name: whole, "
		                  "match: { class: \"0108\" } }]\n"),
		FILE_OF("b.yaml",
		        "version: 1\n"
		        "nvme: [{ name: disk, match: { driver: nvme } }]\n"),
	};
	struct pol_policy *p = parse(f, ARRAY_SIZE(f));
	struct pol_whole disk = { .class_code = 0x0108, .driver = "nvme" };
	const struct pol_state seen = {
		.whole = &disk, .n_wholes = 1, .iommu = true, .remapping = true
	};
	struct pol_state *want;

	(void)state;
	assert_string_equal(got.buf, "");
	assert_int_equal(pol_resolve(p, &seen, &want, &errs), -EINVAL);
	assert_string_equal(errs.e[0].file, "b.yaml");
	assert_string_equal(errs.e[0].diag.what,
	                    "nvme disk: 0000:00:00.0 is part of device whole");
	assert_string_equal(errs.e[0].diag.why, "that is in line 2 of a.yaml");
	pol_free(p);
}

static void test_join_refuses(void **state)
{
	static const struct {
		const char *a, *b;
	} bad[] = { { "", "b" },      { "b", "a" },    { "a", "a" },
		    { "a", "/b" },    { "a", "../b" }, { "a", "b\n" },
		    { "a", "b\xc3" }, { "a", "b:c" } };
	struct pol_file f[POL_FILES_MAX + 1];
	char name[POL_FILES_MAX + 1][8], long_name[POL_FILE_NAME + 1];
	char *text = NULL;
	size_t len = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		f[0] = (struct pol_file)FILE_OF(bad[i].a, "x");
		f[1] = (struct pol_file)FILE_OF(bad[i].b, "x");
		assert_int_equal(pol_files_join(f, 2, &text, &len), -EINVAL);
	}
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[POL_FILE_NAME] = '\0';
	f[0] = (struct pol_file)FILE_OF(long_name, "x");
	assert_int_equal(pol_files_join(f, 1, &text, &len), -EINVAL);
	assert_int_equal(pol_files_join(f, 0, &text, &len), -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++) {
		snprintf(name[i], sizeof(name[i]), "%03zu", i);
		f[i] = (struct pol_file)FILE_OF(name[i], "#\n");
	}
	assert_int_equal(pol_files_join(f, ARRAY_SIZE(f), &text, &len), -E2BIG);
	assert_int_equal(pol_files_join(f, POL_FILES_MAX, &text, &len), 0);
	free(text);
	text = malloc(POL_TEXT_MAX);
	memset(text, '#', POL_TEXT_MAX);
	f[0] = (struct pol_file){ "a", text, POL_TEXT_MAX };
	assert_int_equal(pol_files_join(f, 1, &(char *){ NULL }, &len), -E2BIG);
	free(text);
}

static void refused(const char *text, size_t len)
{
	struct pol_policy *p;
	char *copy = malloc(len ? len : 1);

	memcpy(copy, text, len);
	assert_int_equal(pol_parse(copy, len, &p, &errs), -EINVAL);
	assert_true(errs.n >= 1);
	free(copy);
}

/* Every text cut short, and heads that lie. */
static void test_damaged(void **state)
{
	static const char *const bad[] = {
		"#fairlead-files 1\n",
		"#fairlead-files 1\nversion: 1\n",
		"#fairlead-files 1\n#file 999 a\nversion: 1\n",
		"#fairlead-files 1\n#file -1 a\nversion: 1\n",
		"#fairlead-files 1\n#file 0x1 a\nversion: 1\n",
		"#fairlead-files 1\n#file 11 \nversion: 1\n",
		"#fairlead-files 1\n#file 11a\nversion: 1\n",
		"#fairlead-files 1\n#file 11 /a\nversion: 1\n",
		"#fairlead-files 1\n#file 11 b\nversion: 1\n"
		"#file 11 a\nversion: 1\n",
		"#fairlead-files 1\n#file 10 b\nversion: 1\n",
		"#fairlead-files 1\n#file 18446744073709551615 b\nversion: 1\n",
	};
	const struct pol_file f[] = {
		FILE_OF("10-host.yaml", host),
		FILE_OF("20-pools.yaml", pools),
	};
	char *text;
	size_t len, second;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		refused(bad[i], strlen(bad[i]));
		assert_int_equal(errs.e[0].diag.code, FL_POL_FILES);
	}
	text = join(f, ARRAY_SIZE(f), &len);
	second = len - strlen(pools) -
	         (size_t)snprintf(NULL, 0, "#file %zu %s\n", f[1].len,
	                          f[1].name);
	for (size_t n = strlen("#fairlead-files 1\n"); n < len; n++)
		/* Where the first file ends, a policy does. */
		if (n != second)
			refused(text, n);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merged),
		cmocka_unit_test(test_nulls),
		cmocka_unit_test(test_clashes),
		cmocka_unit_test(test_elsewhere),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_resolved),
		cmocka_unit_test(test_resolved_part),
		cmocka_unit_test(test_resolved_clash),
		cmocka_unit_test(test_join_refuses),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
