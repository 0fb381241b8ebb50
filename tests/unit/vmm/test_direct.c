/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A decompressed kernel, whole and broken, into a small guest memory; its
 * place, and its relocations. */

#include "boot_rig.h"

#include "vmm/boot_direct.h"

#define LINK 0x1000000u
#define PART 4096u
#define MIB2 0x200000u

/* Two segments, and three lists behind them. */
struct kernel {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[2];
	uint8_t text[PART], data[PART];
	uint32_t table[8];
};

static uint32_t linked(uint32_t offset)
{
	return (uint32_t)(KASLR_MAP + LINK + offset);
}

static void make_kernel(struct kernel *k)
{
	const uint32_t table[] = {
		0, linked(0x10), linked(MIB2), 0, linked(0x20),
		0, linked(0x30), linked(0x34),
	};

	memset(k, 0, sizeof(*k));
	elf_head(&k->eh, offsetof(struct kernel, ph));
	k->eh.e_entry = LINK + 0x123;
	k->ph[0] = elf_load(offsetof(struct kernel, text), LINK, PART, PART);
	k->ph[1] = elf_load(offsetof(struct kernel, data), LINK + MIB2, PART,
	                    3ul * PART);
	memset(k->text, 0x11, PART);
	memset(k->data, 0x22, PART);
	memcpy(k->table, table, sizeof(table));
}

static const struct setup_header header = {
	.pref_address = LINK,
	.kernel_alignment = MIB2,
	.relocatable_kernel = 1,
	.cmdline_size = 2047,
	.initrd_addr_max = 0x7fffffff,
	.init_size = 4 * MIB2,
};

static int load(struct rig *r, const void *k, size_t len)
{
	put_image(r, &r->vm.cfg.unpacked_fd, k, len);
	return boot_direct(&r->vm, &header, &r->e, &r->d);
}

static bool says_kaslr(struct rig *r)
{
	const struct boot_params *bp = (void *)at(r, MAP_BOOT_PARAMS);

	return bp->hdr.loadflags & KASLR_FLAG;
}

/* ---- loading ------------------------------------------------------------- */

static void as_linked(void **state)
{
	struct rig *r = *state;
	struct kernel k;

	make_kernel(&k);
	r->vm.cfg.cmdline = "quiet nokaslr";
	memset(at(r, LINK + MIB2), 0xff, 3 * PART); /* before a reset */
	assert_int_equal(load(r, &k, sizeof(k)), 0);
	assert_int_equal(r->e.mode, BOOT_LINUX64);
	assert_int_equal(r->e.rip, LINK + 0x123);
	assert_int_equal(r->e.arg, MAP_BOOT_PARAMS);
	assert_memory_equal(at(r, LINK), k.text, PART);
	assert_memory_equal(at(r, LINK + MIB2), k.data, PART);
	for (unsigned i = PART; i < 3 * PART; i++)
		assert_int_equal(*(uint8_t *)at(r, LINK + MIB2 + i), 0);
	assert_false(says_kaslr(r));
}

static uint64_t dword_delta(struct rig *r, uint64_t gpa)
{
	return (uint32_t)(load_le(at(r, gpa), 4) - 0x11111111);
}

/* Physically and virtually elsewhere, each time anew, and corrected. */
static void elsewhere(void **state)
{
	struct rig *r = *state;
	unsigned moved = 0, shifted = 0;
	struct kernel k;

	make_kernel(&k);
	r->vm.cfg.cmdline = NULL;
	r->vm.cfg.initrd_fd = file_of("initrd", 6);
	for (int i = 0; i < 64; i++) {
		uint64_t base, delta;

		assert_int_equal(load(r, &k, sizeof(k)), 0);
		assert_true(says_kaslr(r));
		base = r->e.rip - 0x123;
		assert_true(base >= LINK && IS_ALIGNED(base, MIB2));
		/* The initrd is in the last page. */
		assert_true(base + 2ull * MIB2 <= RAM - PART);
		moved += base != LINK;
		delta = dword_delta(r, base + 0x30);
		shifted += delta != 0;
		assert_true(IS_ALIGNED(delta, MIB2));
		assert_true(LINK + delta + 2ull * MIB2 <= KASLR_IMAGE_SIZE);
		assert_int_equal(dword_delta(r, base + 0x34), delta);
		assert_int_equal(dword_delta(r, base + 0x20), (uint32_t)-delta);
		assert_int_equal(load_le(at(r, base + 0x10), 8),
		                 0x1111111111111111 + delta);
		assert_int_equal(load_le(at(r, base + MIB2), 8),
		                 0x2222222222222222 + delta);
		assert_memory_equal(at(r, base + 0x38), k.text, 256);
	}
	/* One of 22 and one of 504 places. */
	assert_true(moved > 32 && shifted > 48);
}

static void word_by_word(void **state)
{
	struct rig *r = *state;
	struct kernel k;

	make_kernel(&k);
	r->vm.cfg.cmdline = "mem=60M nokaslr=";
	for (int i = 0; i < 8; i++) {
		assert_int_equal(load(r, &k, sizeof(k)), 0);
		assert_int_equal(r->e.rip, LINK + 0x123);
		assert_true(says_kaslr(r));
	}
	/* Built without KASLR: no table. */
	r->vm.cfg.cmdline = "";
	assert_int_equal(load(r, &k, offsetof(struct kernel, table)), 0);
	assert_int_equal(r->e.rip, LINK + 0x123);
	assert_false(says_kaslr(r));
	assert_true(kaslr_wanted("a nokaslrx xnokaslr"));
	assert_false(kaslr_wanted("\tnokaslr\t"));
	assert_false(kaslr_wanted("nokaslr"));
	assert_false(kaslr_may_move("x hugepages=4"));
	assert_false(kaslr_may_move("memmap=1G$2G"));
	assert_true(kaslr_may_move("xmem=1G member=2 hugepage"));
}

static int load_spoilt(struct rig *r, const struct spoil *s)
{
	struct kernel k;

	make_kernel(&k);
	spoil_image(&k, s);
	return load(r, &k, sizeof(k));
}

#define KERNEL(field, value) SPOIL(struct kernel, field, value)

static void refused(void **state)
{
	static const struct spoil row[] = {
		{ KERNEL(eh.e_ident[0], 0), -ENOEXEC, NULL },
		{ KERNEL(eh.e_shoff, UINT64_MAX - 8), -ENOEXEC, NULL },
		{ KERNEL(eh.e_entry, LINK - 1), -ENOEXEC, NULL },
		{ KERNEL(eh.e_entry, LINK + 2 * MIB2), -ENOEXEC, NULL },
		{ KERNEL(ph[0].p_paddr, LINK - 1), -ENOEXEC, NULL },
		{ KERNEL(ph[0].p_paddr, UINT64_MAX), -ENOEXEC, NULL },
		{ KERNEL(ph[0].p_memsz, 1), -ENOEXEC, NULL },
		{ KERNEL(ph[0].p_memsz, UINT64_MAX), -ENOEXEC, NULL },
		{ KERNEL(ph[0].p_filesz, UINT64_MAX), -ENOEXEC, NULL },
		{ KERNEL(ph[0].p_offset, UINT64_MAX), -ENOEXEC, NULL },
		{ KERNEL(ph[1].p_memsz, RAM), -ENOMEM, NULL },
		{ KERNEL(table[0], 1), -ENOEXEC, NULL },
		{ KERNEL(table[1], 0), -ENOEXEC, NULL },
	};
	struct rig *r = *state;
	struct kernel k;

	r->vm.cfg.cmdline = "";
	refuses_all(r, elf_spoils, ARRAY_SIZE(elf_spoils), load_spoilt,
	            FL_VMM_DIRECT);
	refuses_all(r, row, ARRAY_SIZE(row), load_spoilt, FL_VMM_DIRECT);
	make_kernel(&k);
	for (size_t len = 0; len < offsetof(struct kernel, table); len += 7)
		assert_int_equal(load(r, &k, len), -ENOEXEC);
}

/* ---- the table, and places ----------------------------------------------- */

static void tables(void **state)
{
	static const struct {
		uint32_t word[6];
		size_t n;
		int ret;
	} row[] = {
		{ { 0, 1, 0, 2, 0, 3 }, 6, 0 },
		{ { 0, 0, 0 }, 3, 0 },
		{ { 0, 1, 2, 0, 3 }, 5, 0 }, /* Linux 6.15 */
		{ { 0, 0 }, 2, 0 },
		{ { 0 }, 1, -ENOEXEC },
		{ { 1, 0, 0, 0 }, 4, -ENOEXEC },
		{ { 0, 0, 0, 0 }, 4, -ENOEXEC },
		{ { 0 }, 0, -ENOEXEC },
	};
	struct kaslr_table t;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		assert_int_equal(kaslr_table((const uint8_t *)row[i].word,
		                             row[i].n * 4, &t),
		                 row[i].ret);
	assert_int_equal(kaslr_table((const uint8_t *)row[0].word, 23, &t),
	                 -ENOEXEC);
}

/* The last byte of a place is in it, the next is not; below it is not. */
static void edges(void **state)
{
	static const struct kaslr_place place = { .link = LINK, .span = MIB2 };
	static const struct {
		uint32_t list64, list32;
		int ret;
	} row[] = {
		{ 0, 0, 0 },
		{ MIB2 - 8, MIB2 - 4, 0 },
		{ MIB2 - 7, 0, -ENOEXEC },
		{ 0, MIB2 - 3, -ENOEXEC },
		{ 0, (uint32_t)-1, -ENOEXEC },
		{ (uint32_t)-1, 0, -ENOEXEC },
		{ 0x7fffffff, 0, -ENOEXEC },
		{ 0, 0x80000000, -ENOEXEC },
	};
	uint8_t *mem = calloc(1, MIB2);

	(void)state;
	assert_non_null(mem);
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		const uint32_t words[] = { 0, linked(row[i].list64), 0,
			                   linked(row[i].list32) };
		struct kaslr_table t;

		assert_int_equal(
			kaslr_table((const uint8_t *)words, sizeof(words), &t),
			0);
		assert_int_equal(kaslr_apply(&t, &place, mem, MIB2),
		                 row[i].ret);
	}
	free(mem);
}

static void places(void **state)
{
	const struct kaslr_place p = { .link = LINK,
		                       .span = 3 * MIB2,
		                       .align = MIB2,
		                       .ceiling = LINK + 5 * MIB2 + 1 };
	const struct kaslr_place only = { .link = LINK,
		                          .span = MIB2,
		                          .align = MIB2,
		                          .ceiling = LINK + MIB2 };
	const uint64_t last = KASLR_IMAGE_SIZE - 3 * MIB2;

	(void)state;
	assert_int_equal(kaslr_physical(&p, 0), LINK);
	assert_int_equal(kaslr_physical(&p, 2), LINK + 2 * MIB2);
	assert_int_equal(kaslr_physical(&p, 3), LINK);
	assert_int_equal(kaslr_physical(&only, UINT64_MAX), LINK);
	assert_int_equal(kaslr_virtual(&p, (last - LINK) / MIB2), last);
	assert_int_equal(kaslr_virtual(&p, (last - LINK) / MIB2 + 1), LINK);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(as_linked),          TEST(elsewhere),
		TEST(word_by_word),       TEST(refused),
		cmocka_unit_test(tables), cmocka_unit_test(edges),
		cmocka_unit_test(places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
