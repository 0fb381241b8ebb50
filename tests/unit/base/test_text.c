/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people and files write: addresses, sizes, numbers, words, refusals. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"

static void bdf_good(void **state _unused_)
{
	static const struct {
		const char *text, *canonical;
		struct bdf b;
	} t[] = {
		{ "0000:00:00.0", "0000:00:00.0", { 0, 0, 0, 0 } },
		{ "0000:01:10.7", "0000:01:10.7", { 0, 1, 16, 7 } },
		{ "FFFF:Ff:1f.0", "ffff:ff:1f.0", { 0xffff, 0xff, 31, 0 } },
		{ "0000abcd:3b:00.1", "abcd:3b:00.1", { 0xabcd, 0x3b, 0, 1 } },
		{ "10000:e1:00.0", "10000:e1:00.0", { 0x10000, 0xe1, 0, 0 } },
	};
	char buf[BDF_STRLEN];

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct bdf b;

		assert_int_equal(bdf_parse(t[i].text, &b), 0);
		assert_true(bdf_equal(b, t[i].b));
		assert_string_equal(bdf_format(b, buf), t[i].canonical);
	}
}

static void bdf_bad(void **state _unused_)
{
	static const char *const t[] = {
		"",
		"0",
		"01:10.0",
		"000:01:10.0",
		"0000:1:10.0",
		"0000:01:10",
		"0000:01:10.",
		"0000:01:10.8",
		"0000:01:20.0",
		"0000:01:10.00",
		"0000:01:10.0 ",
		" 0000:01:10.0",
		"0000:01:10.0\n",
		"000000000:01:10.0",
		"0000-01-10.0",
		"0000:0g:10.0",
		"+000:01:10.0",
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct bdf b = { 1, 2, 3, 4 };

		if (bdf_parse(t[i], &b) != -EINVAL)
			fail_msg("\"%s\" was taken", t[i]);
		assert_true(bdf_equal(b, (struct bdf){ 1, 2, 3, 4 }));
	}
}

/* A struct bdf with nonsense in it must still fit the buffer. */
static void bdf_format_bounded(void **state _unused_)
{
	char buf[BDF_STRLEN];

	bdf_format((struct bdf){ 0xffffffff, 0xff, 0xff, 0xff }, buf);
	assert_string_equal(buf, "ffffffff:ff:1f.7");
}

static void sizes(void **state _unused_)
{
	static const struct {
		const char *text;
		int r;
		uint64_t v;
	} t[] = {
		{ "0", 0, 0 },
		{ "65536", 0, 65536 },
		{ "1K", 0, 1024 },
		{ "512M", 0, 512ull << 20 },
		{ "2G", 0, 2ull << 30 },
		{ "3T", 0, 3ull << 40 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "16777216T", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "M", -EINVAL, 0 },
		{ "1MB", -EINVAL, 0 },
		{ "1m", -EINVAL, 0 },
		{ "1 M", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
		{ "1.5G", -EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		uint64_t v = 77;

		assert_int_equal(parse_size(t[i].text, &v), t[i].r);
		assert_int_equal(v, t[i].r ? 77 : t[i].v);
	}
}

static void numbers(void **state _unused_)
{
	static const struct {
		const char *text;
		uint64_t max;
		int r;
		uint64_t v;
	} t[] = {
		{ "0", 0, 0, 0 },
		{ "007", 7, 0, 7 },
		{ "4094", 4094, 0, 4094 },
		{ "4095", 4094, -ERANGE, 0 },
		{ "0x10", 16, 0, 16 },
		{ "0XfF", 255, 0, 255 },
		{ "0xffffffffffffffff", UINT64_MAX, 0, UINT64_MAX },
		{ "0x10000000000000000", UINT64_MAX, -ERANGE, 0 },
		{ "0x", 16, -EINVAL, 0 },
		{ "", 1, -EINVAL, 0 },
		{ "ff", 255, -EINVAL, 0 },
		{ "12 ", 255, -EINVAL, 0 },
		{ "-1", UINT64_MAX, -EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		uint64_t v = 77;

		assert_int_equal(parse_u64(t[i].text, t[i].max, &v), t[i].r);
		assert_int_equal(v, t[i].r ? 77 : t[i].v);
	}
}

static void macs(void **state _unused_)
{
	static const char *const bad[] = {
		"",
		"02:00:00:00:00",
		"02:00:00:00:00:01:",
		"02:00:00:00:00:1",
		"02-00-00-00-00-01",
		"02:00:00:00:00:0g",
		"020000000001",
		"02:00:00:00:00:011",
	};
	static const uint8_t want[6] = { 2, 0xab, 0, 0xff, 0, 0x1f };
	uint8_t mac[6];
	char buf[MAC_STRLEN];

	assert_int_equal(mac_parse("02:aB:00:FF:00:1f", mac), 0);
	assert_memory_equal(mac, want, 6);
	assert_string_equal(mac_format(mac, buf), "02:ab:00:ff:00:1f");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(mac_parse(bad[i], mac), -EINVAL);
		assert_memory_equal(mac, want, 6);
	}
}

static void uuids(void **state _unused_)
{
	static const char *const bad[] = {
		"",
		"00112233-4455-6677-8899-aabbccddeef",
		"00112233-4455-6677-8899-aabbccddeeff0",
		"00112233-4455-6677-8899-aabbccddeefg",
		"001122334455-6677-8899-aabbccddeeff",
		"00112233-4455-6677-8899aabbccddeeff",
		"{0112233-4455-6677-8899-aabbccddeeff",
		"00112233 4455-6677-8899-aabbccddeeff",
	};
	char buf[UUID_STRLEN];
	uint8_t uuid[16];

	assert_int_equal(
		uuid_parse("00112233-4455-6677-8899-AAbbccDDeeff", uuid), 0);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(uuid[i], i * 0x11);
	assert_string_equal(uuid_format(uuid, buf),
	                    "00112233-4455-6677-8899-aabbccddeeff");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(uuid_parse(bad[i], uuid), -EINVAL);
}

static void near_words(void **state _unused_)
{
	static const char *const keys[] = { "virtual-function-count",
		                            "drivers-autoprobe", "trust",
		                            "vlan", "spoof-check" };
	static const struct {
		const char *word, *near;
	} t[] = {
		{ "vlan", "vlan" },
		{ "vlam", "vlan" },
		{ "vln", "vlan" },
		{ "truts", NULL }, /* two slips in five letters */
		{ "trus", "trust" },
		{ "spoofcheck", "spoof-check" },
		{ "virtual-functions-count", "virtual-function-count" },
		{ "autoprobe", NULL },
		{ "x", NULL },
		{ "", NULL },
		{ "driver-autoprobe-and-a-long-tail-behind-it-of-more-than-"
		  "sixty-three-characters",
		  NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		const char *near =
			nearest_word(t[i].word, keys, ARRAY_SIZE(keys));

		if (t[i].near)
			assert_string_equal(near, t[i].near);
		else
			assert_null(near);
	}
	assert_null(nearest_word("vlan", NULL, 0));
}

static void diags(void **state _unused_)
{
	struct diag d = { .mend = "old" };
	char buf[1024];
	int n;

	assert_int_equal(diag_fail(&d, -EBUSY, 7, "write %s", "numvfs"),
	                 -EBUSY);
	assert_int_equal(d.err, -EBUSY);
	assert_string_equal(d.mend, "");
	diag_format(&d, buf, sizeof(buf));
	assert_string_equal(buf, "FL-0007: write numvfs\n");
	diag_why(&d, "driver said: %s", "no\nway\x1b[2J\n");
	diag_mend(&d, "modprobe %s", "vfio-pci");
	n = diag_format(&d, buf, sizeof(buf));
	assert_string_equal(buf, "FL-0007: write numvfs\n"
	                         "  why: driver said: no way [2J\n"
	                         "  mend: modprobe vfio-pci\n");
	assert_int_equal(n, strlen(buf));
	/* What went before may be quoted in what replaces it. */
	diag_fail(&d, -EIO, 8, "after %s", d.what);
	assert_string_equal(d.what, "after write numvfs");
	assert_int_equal(diag_fail(NULL, -EIO, 8, "nobody listens"), -EIO);
	diag_why(NULL, "-");
	diag_mend(NULL, "-");
}

/* What mends memory and descriptors is not for each caller to say. */
static void diag_mends(void **state _unused_)
{
	struct diag d;

	diag_fail(&d, -ENOMEM, 1, "x");
	diag_mend_else(&d, "dmesg");
	assert_non_null(strstr(d.mend, "free -m"));
	diag_fail(&d, -EMFILE, 1, "x");
	diag_mend_else(&d, "dmesg");
	assert_non_null(strstr(d.mend, "--nofile"));
	diag_fail(&d, -ENFILE, 1, "x");
	assert_non_null(strstr(d.mend, "fs.file-max"));
	diag_fail(&d, -EIO, 1, "x");
	assert_string_equal(d.mend, "");
	diag_mend_else(&d, "dmesg %d", 1);
	assert_string_equal(d.mend, "dmesg 1");
	diag_mend_else(NULL, "-");
}

static void diag_long(void **state _unused_)
{
	char text[1024];
	struct diag d;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	diag_fail(&d, -EIO, 1, "%s", text);
	diag_why(&d, "%s", text);
	assert_int_equal(strlen(d.what), DIAG_LINE - 1);
	assert_int_equal(strlen(d.why), DIAG_LINE - 1);
}

/* Whatever bytes a kernel says, JSON and terminals can take the line. */
static void diag_utf8(void **state _unused_)
{
	static const struct {
		const char *in, *out;
	} t[] = {
		{ "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		  "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
		{ "\xc3", "?" },
		{ "\xc0\xaf", "??" },
		{ "\xc2\x9b[2J", "??[2J" },
		{ "\xed\xa0\x80", "???" },
		{ "\xf4\x90\x80\x80", "????" },
		{ "\xff\xfe.", "??." },
		{ "\xe2\x82x", "??x" },
	};
	char text[300];
	struct diag d;

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		diag_fail(&d, -EIO, 1, "%s", t[i].in);
		assert_string_equal(d.what, t[i].out);
	}
	memset(text, 'x', sizeof(text));
	memcpy(text + DIAG_LINE - 2, "\xc3\xa9", 3);
	diag_fail(&d, -EIO, 1, "%s", text);
	assert_string_equal(d.what + DIAG_LINE - 3, "x?");
}

static void ranges(void **state _unused_)
{
	assert_true(ranges_overlap(0, 1, 0, 1));
	assert_false(ranges_overlap(0, 1, 1, 1));
	assert_false(ranges_overlap(0, 0, 0, 1));
	assert_true(ranges_overlap(UINT64_MAX - 1, 100, UINT64_MAX, 1));
	assert_false(ranges_overlap(UINT64_MAX, 100, 0, 1));
	assert_true(range_inside(0, 0, 0));
	assert_true(range_inside(4, 4, 8));
	assert_false(range_inside(5, 4, 8));
	assert_false(range_inside(UINT64_MAX, 2, 8));
	assert_false(range_inside(2, UINT64_MAX, 8));
}

static void fields(void **state _unused_)
{
	uint8_t b[9] = { 0 };

	assert_int_equal(BITS(31, 0), 0xffffffff);
	assert_int_equal(BITS(15, 12), 0xf000);
	assert_int_equal(BITS64(63, 32), 0xffffffff00000000);
	assert_int_equal(FIELD_GET(BITS(15, 12), 0xabcd), 0xa);
	assert_int_equal(FIELD_PREP(BITS(15, 12), 0xfau), 0xa000);
	assert_int_equal(ALIGN_UP(4097u, 4096u), 8192);
	store_le(b + 1, 8, 0x0807060504030201);
	assert_int_equal(b[1], 1);
	assert_int_equal(b[8], 8);
	assert_int_equal(load_le(b + 1, 4), 0x04030201);
	assert_int_equal(load_le(b + 2, 2), 0x0302);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bdf_good),
		cmocka_unit_test(bdf_bad),
		cmocka_unit_test(bdf_format_bounded),
		cmocka_unit_test(sizes),
		cmocka_unit_test(numbers),
		cmocka_unit_test(macs),
		cmocka_unit_test(uuids),
		cmocka_unit_test(near_words),
		cmocka_unit_test(diags),
		cmocka_unit_test(diag_mends),
		cmocka_unit_test(diag_long),
		cmocka_unit_test(diag_utf8),
		cmocka_unit_test(ranges),
		cmocka_unit_test(fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
