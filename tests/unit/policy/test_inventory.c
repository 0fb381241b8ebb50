/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inventories: what was seen comes back whole; what is missing or wrong in one
 * is named; a recorded machine gives the plans that lie beside it.
 */

#include "tests/unit/policy/state.h"

static struct pol_errors errs;
static struct text text;

static const char machine[] =
	"host iommu remapping\n"
	"pf 0000:01:00.0 id=8086:10c9 driver=igb ifname=ens1f0 total=7 vfs=2 "
	"offset=128 stride=2 autoprobe=1 link=up blocker=0000:00:01.0_(igb)\n"
	"vf 0 mac=02:00:00:00:00:01 vlan=100 qos=3 proto=88a8 spoof=1 trust=0 "
	"driver=vfio-pci override=vfio-pci group=7 blocker=0000:01:10.1 pid=12 "
	"holder=qemu label=demo/wan\n"
	"vf 1 driver= group=8\n"
	"pf 0000:02:00.0 id=15b3:101d driver= total=0 vfs=0\n"
	"dev 0000:00:00.0 id=8086:0d57 class=0600 driver= override= bridge=1\n"
	"dev 0000:01:00.0 id=8086:10c9 class=0200 driver=igb override= group=3 "
	"vfs=2 vf-user=demo/wan_(pid_12)_has_VF_0,_0000:01:10.0 "
	"use=ens1f0_has_an_address use=bond0\n"
	"dev 0000:01:10.0 id=8086:10ca class=0200 driver=vfio-pci "
	"override=vfio-pci group=7 vf=1 pid=12 holder=qemu label=demo/wan\n"
	"dev 0000:01:10.2 id=8086:10ca class=0200 driver= vf=1 group=8\n"
	"dev 0000:03:00.0 id=1b36:0010 class=0108 driver=nvme group=9\n"
	"dev 0000:09:10.0 id=8086:10ca class=0200 driver=igbvf vf=1\n";

static struct pol_state *make(void)
{
	static char copy[sizeof(machine)];

	memcpy(copy, machine, sizeof(copy));
	return state_parse(copy);
}

static char *format(const struct pol_state *s)
{
	char *out = NULL;
	size_t len = 0;

	assert_int_equal(pol_inventory_format(s, "test", &out, &len), 0);
	assert_int_equal(strlen(out), len);
	return out;
}

static struct pol_state *parse(const char *from)
{
	struct pol_state *s = NULL;

	if (pol_inventory_parse(from, strlen(from), &s, &errs)) {
		text.n = 0;
		text_errors(&text, &errs);
		fail_msg("%s", text.buf);
	}
	return s;
}

/* Byte by byte: a field that machine.h has, and machine-fields.c has not, is
 * noticed as soon as a test gives it a value. */
static void check_same(const struct pol_state *a, const struct pol_state *b)
{
	assert_int_equal(a->n_pfs, b->n_pfs);
	assert_int_equal(a->iommu, b->iommu);
	assert_int_equal(a->remapping, b->remapping);
	for (size_t i = 0; i < a->n_pfs; i++) {
		struct pol_pf x = a->pf[i], y = b->pf[i];

		assert_int_equal(x.n_vfs, y.n_vfs);
		for (size_t j = 0; j < x.n_vfs; j++)
			assert_memory_equal(&x.vf[j], &y.vf[j], sizeof(*x.vf));
		x.vf = y.vf = NULL;
		assert_memory_equal(&x, &y, sizeof(x));
	}
	assert_int_equal(a->n_wholes, b->n_wholes);
	for (size_t i = 0; i < a->n_wholes; i++)
		assert_memory_equal(&a->whole[i], &b->whole[i],
		                    sizeof(*a->whole));
}

static void test_round(void **state)
{
	struct pol_state *s = make(), *back;
	char *once = format(s), *twice;

	(void)state;
	back = parse(once);
	check_same(s, back);
	twice = format(back);
	assert_string_equal(once, twice);
	pol_state_free(back);
	pol_state_free(s);
	free(twice);
	free(once);
}

/* As people leave it: lines moved, notes, blanks, null for what is not known,
 * no end of line at the end. */
static void test_edited(void **state)
{
	struct pol_state *s = parse(
		"# the two ports in the left slot\r\n\n  "
		"{\"bdf\": \"0000:01:00.0\", \"vendor-id\": \"8086\", "
		"\"device-id\": \"10c9\", \"total-vfs\": 7, \"num-vfs\": 1, "
		"\"autoprobe\": null}\n"
		"\t{\"bdf\": \"0000:01:10.0\", \"vf-of\": \"0000:01:00.0\", "
		"\"index\": 0, \"mac\": null, \"trust\": true}\n"
		"{\"fairlead-inventory\": 1, \"iommu\": true, "
		"\"interrupt-remapping\": false}");

	(void)state;
	assert_int_equal(s->n_pfs, 1);
	assert_int_equal(s->pf[0].set, POL_HAS_NUMVFS);
	assert_int_equal(s->pf[0].vf[0].set, POL_HAS_TRUST);
	assert_int_equal(s->pf[0].vf[0].group, -1);
	assert_true(s->iommu && !s->remapping);
	pol_state_free(s);
}

#define HOST                                                                   \
	"{\"fairlead-inventory\": 1, \"iommu\": true, "                        \
	"\"interrupt-remapping\": true}\n"
#define ID "\"vendor-id\": \"8086\", \"device-id\": \"10c9\""
#define PF                                                                     \
	"{\"bdf\": \"0000:01:00.0\", " ID ", \"total-vfs\": 7, "               \
	"\"num-vfs\": 1}\n"
#define VF                                                                     \
	"{\"bdf\": \"0000:01:10.0\", \"vf-of\": \"0000:01:00.0\", \"index\": " \
	"0}\n"

static void test_bad(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		int code;
		const char *word;
	} t[] = {
		{ "", 0, FL_POL_INVENTORY_LACKS, "fairlead-inventory" },
		{ "{\"fairlead-inventory\": 2}", 1, FL_POL_INVENTORY,
		  "version" },
		{ HOST HOST, 2, FL_POL_INVENTORY, "two in one" },
		{ "{\"fairlead-inventory\": 1, \"iommu\": true}", 1,
		  FL_POL_INVENTORY_LACKS, "'interrupt-remapping'" },
		{ HOST "[]", 2, FL_POL_INVENTORY, "one JSON object" },
		{ HOST "{", 2, FL_POL_INVENTORY, "one JSON object" },
		{ HOST "{} {}", 2, FL_POL_INVENTORY, "one JSON object" },
		{ HOST "{\"bdf\": 1, \"bdf\": 2}", 2, FL_POL_INVENTORY, "one" },
		{ HOST PF VF VF, 4, FL_POL_INVENTORY, "VF 0" },
		{ HOST PF PF VF, 3, FL_POL_INVENTORY, "twice" },
		{ HOST VF PF, 2, FL_POL_INVENTORY_LACKS, "0000:01:00.0 above" },
		{ HOST PF VF "{\"bdf\": \"0000:01:10.0\", " ID
		             ", \"total-vfs\": "
		             "7, \"num-vfs\": 0}",
		  4, FL_POL_INVENTORY, "01:10.0 is there" },
		{ HOST PF, 2, FL_POL_INVENTORY_LACKS, "no line for VF 0" },
		{ HOST "{\"bdf\": \"0000:01:00.0\", " ID "}", 2,
		  FL_POL_INVENTORY_LACKS, "'class'" },
		{ HOST "{\"bdf\": \"0000:01:00.0\", " ID ", \"total-vfs\": 7}",
		  2, FL_POL_INVENTORY_LACKS, "'num-vfs'" },
		{ HOST "{\"bdf\": \"0000:01:00.0\", " ID ", \"total-vfs\": 7, "
		       "\"num-vfs\": 300}",
		  2, FL_POL_INVENTORY, "'num-vfs'" },
		{ HOST "{\"bdf\": \"01:00.0\", " ID ", \"class\": \"0200\"}", 2,
		  FL_POL_INVENTORY, "'bdf'" },
		{ HOST "{\"bdf\": \"0000:01:00.0\", \"clas\": \"0200\"}", 2,
		  FL_POL_INVENTORY, "'clas'" },
		{ HOST "{\"bdf\": \"0000:01:00.0\", " ID ", \"class\": \"20\"}",
		  2, FL_POL_INVENTORY, "'class'" },
		{ HOST "{\"bdf\": \"0000:01:00.0\", " ID ", \"class\": \"0200\""
		       ", \"used-as\": [1]}",
		  2, FL_POL_INVENTORY, "'used-as'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct pol_state *s = NULL;

		assert_int_equal(pol_inventory_parse(t[i].text,
		                                     strlen(t[i].text), &s,
		                                     &errs),
		                 -EINVAL);
		assert_null(s);
		if (errs.e[0].diag.code != t[i].code ||
		    errs.e[0].pos.line != t[i].line ||
		    !strstr(errs.e[0].diag.what, t[i].word))
			fail_msg("%zu: line %u FL-%04d %s", i,
			         errs.e[0].pos.line, errs.e[0].diag.code,
			         errs.e[0].diag.what);
	}
}

/* Where a line has other members than the one before, or the same in another
 * order, each is what its key says. */
static void test_order(void **state)
{
	struct pol_state *s = parse(
		HOST PF VF
		"{\"total-vfs\": 7, " ID
		", \"class\": \"0200\", \"num-vfs\": 1, "
		"\"bdf\": \"0000:02:00.0\"}\n"
		"{\"index\": 0, \"trust\": true, \"vf-of\": \"0000:02:00.0\", "
		"\"bdf\": \"0000:02:10.0\"}\n"
		"{\"bdf\": \"0000:03:00.0\", \"class\": \"0108\", " ID
		", \"driver\": \"nvme\"}\n"
		"{\"driver\": \"ast\", \"bdf\": \"0000:04:00.0\", " ID
		", \"class\": \"0300\"}\n");

	(void)state;
	assert_int_equal(s->n_pfs, 2);
	assert_int_equal(s->pf[1].bdf.bus, 2);
	assert_int_equal(s->pf[1].vf[0].bdf.bus, 2);
	assert_int_equal(s->pf[1].vf[0].set, POL_HAS_TRUST);
	assert_int_equal(s->pf[0].vf[0].set, 0);
	assert_int_equal(s->n_wholes, 3);
	assert_string_equal(s->whole[1].driver, "nvme");
	assert_int_equal(s->whole[2].class_code, 0x300);
	assert_string_equal(s->whole[2].driver, "ast");
	pol_state_free(s);
}

/* A line with more members than are remembered, and one without a name. */
static void test_strange(void **state)
{
	static char line[64 * 1024];
	size_t n = (size_t)snprintf(line, sizeof(line), "%s", HOST "{");
	struct pol_state *s = NULL;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		n += (size_t)snprintf(line + n, sizeof(line) - n,
		                      "\"none-%u\": 1, ", i);
	snprintf(line + n, sizeof(line) - n, "%s",
	         "\"\": 1, \"bdf\": \"0000:01:00.0\", " ID
	         ", \"class\": \"0200\"}\n{\"\": 1}\n");
	assert_int_equal(pol_inventory_parse(line, strlen(line), &s, &errs),
	                 -EINVAL);
	assert_int_equal(errs.n, POL_ERRORS_MAX);
	assert_non_null(strstr(errs.e[0].diag.what, "'none-0'"));
	for (size_t i = 0; i < errs.n; i++)
		assert_int_equal(errs.e[i].diag.code, FL_POL_INVENTORY);
	/* 100 and the nameless one; then that, and no address. */
	assert_int_equal(errs.n + errs.dropped, 101 + 2);
}

/* All errors at once, and no more than there is room for. */
static void test_many(void **state)
{
	static char many[100 * 4 + 1];
	struct pol_state *s = NULL;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		memcpy(many + 4 * i, "{}\n\n", 5);
	assert_int_equal(pol_inventory_parse(many, 400, &s, &errs), -EINVAL);
	assert_int_equal(errs.n, POL_ERRORS_MAX);
	assert_int_equal(errs.dropped, 101 - POL_ERRORS_MAX);
	/* Of a file that is something else, one. */
	assert_int_equal(pol_inventory_parse("a\nb\n", 4, &s, &errs), -EINVAL);
	assert_int_equal(errs.n, 1);
}

static void test_anonymize(void **state)
{
	struct pol_state *s = make();
	static const uint8_t none[6], first[6] = { 2, 0, 0, 0, 0, 1 };
	struct pol_pf *pf = &s->pf[0];

	(void)state;
	memcpy(pf->vf[0].mac, (uint8_t[6]){ 0x52, 0x54, 0, 1, 2, 3 }, 6);
	memcpy(pf->vf[1].mac, none, 6);
	assert_int_equal(pol_anonymize(s), 0);
	assert_memory_equal(pf->vf[0].mac, first, 6);
	assert_memory_equal(pf->vf[1].mac, none, 6);
	memcpy(pf->vf[0].mac, (uint8_t[6]){ 0x52, 0x54, 0, 1, 2, 3 }, 6);
	memcpy(pf->vf[1].mac, (uint8_t[6]){ 0, 0x54, 0, 1, 2, 3 }, 6);
	assert_int_equal(pol_anonymize(s), 0);
	assert_memory_equal(pf->vf[1].mac, first, 6);
	assert_int_equal(pf->vf[0].mac[5], 2);
	memcpy(pf->vf[0].mac, pf->vf[1].mac, 6);
	assert_int_equal(pol_anonymize(s), 0);
	assert_memory_equal(pf->vf[0].mac, pf->vf[1].mac, 6);
	pol_state_free(s);
}

/* Serial numbers that are the same stay the same; names made of a MAC go. */
static void test_anonymize_card(void **state)
{
	struct pol_state *s = make();
	struct pol_pf *pf = &s->pf[0];

	(void)state;
	assert_true(s->n_wholes > 0);
	strcpy(s->machine.hostname, "nfv-a1");
	strcpy(s->machine.id, "00112233445566778899aabbccddeeff");
	strcpy(pf->id.dsn, "00-1b-21-ff-ff-00-00-01");
	strcpy(pf->id.vpd, "MT2135X00000");
	strcpy(s->whole[0].id.vpd, "MT2135X00000");
	memcpy(pf->id.mac, (uint8_t[6]){ 0x52, 0x54, 0, 1, 2, 3 }, 6);
	strcpy(pf->altname[0], "enx525400010203");
	strcpy(pf->altname[1], "wan");
	assert_int_equal(pol_anonymize(s), 0);
	assert_string_equal(s->machine.hostname, "host");
	assert_string_equal(s->machine.id, "");
	assert_string_equal(pf->id.dsn, "SN-1");
	assert_string_equal(pf->id.vpd, s->whole[0].id.vpd);
	assert_int_equal(pf->id.mac[0], 2);
	assert_string_equal(pf->altname[0], "wan");
	assert_string_equal(pf->altname[1], "");
	pol_state_free(s);
}

/* What a plan sets blindly is told, of a PF and of all its VFs once. */
static void count_words(const char *said, void *arg)
{
	text_add(arg, "%s\n", said);
}

static void test_unknown(void **state)
{
	struct pol_state *s = make(), *want = make();

	(void)state;
	want->pf[0].set = POL_HAS_NUMVFS | POL_HAS_LINK;
	s->pf[0].set &= ~(uint32_t)POL_HAS_LINK;
	want->pf[0].vf[1].set = POL_HAS_TRUST;
	text.n = 0;
	pol_each_unknown(want, s, count_words, &text);
	assert_string_equal(
		text.buf,
		"it is not known what 'link-up' of 0000:01:00.0 is; the plan "
		"sets it in any case\n"
		"it is not known what 'trust' of VFs of 0000:01:00.0 is; the "
		"plan sets it in any case\n");
	text.n = 0;
	text.buf[0] = '\0';
	want->pf[0].set = POL_HAS_NUMVFS;
	want->pf[0].num_vfs = 1;
	pol_each_unknown(want, s, count_words, &text);
	assert_string_equal(text.buf, "");
	pol_state_free(want);
	pol_state_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_edited),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_strange),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_anonymize),
		cmocka_unit_test(test_anonymize_card),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
