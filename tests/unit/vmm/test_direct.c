/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A decompressed kernel, whole and broken, into a small guest memory; its
 * place, and its relocations. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/boot_direct.h"

#define RAM (64u << 20)
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
	memcpy(k->eh.e_ident, "\177ELF\2\1\1", 7);
	k->eh.e_machine = EM_X86_64;
	k->eh.e_phoff = offsetof(struct kernel, ph);
	k->eh.e_phentsize = sizeof(Elf64_Phdr);
	k->eh.e_phnum = 2;
	k->eh.e_entry = LINK + 0x123;
	k->ph[0] = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_offset = offsetof(struct kernel, text),
		.p_paddr = LINK,
		.p_filesz = PART,
		.p_memsz = PART,
	};
	k->ph[1] = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_offset = offsetof(struct kernel, data),
		.p_paddr = LINK + MIB2,
		.p_filesz = PART,
		.p_memsz = 3ull * PART,
	};
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

static int file_of(const void *buf, size_t len)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_pwrite_full(fd, buf, len, 0), 0);
	return fd;
}

static struct vm *make_vm(void)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	assert_non_null(vm);
	vm->mem.n = 1;
	vm->mem.region[0].size = RAM;
	vm->mem.region[0].hva = mmap(NULL, RAM, PROT_READ | PROT_WRITE,
	                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(vm->mem.region[0].hva, MAP_FAILED);
	vm->cfg.initrd_fd = vm->cfg.unpacked_fd = -1;
	return vm;
}

static void drop_vm(struct vm *vm)
{
	munmap(vm->mem.region[0].hva, RAM);
	close_fd(&vm->cfg.unpacked_fd);
	close_fd(&vm->cfg.initrd_fd);
	free(vm);
}

static uint8_t *at(struct vm *vm, uint64_t gpa)
{
	return (uint8_t *)vm->mem.region[0].hva + gpa;
}

static int load(struct vm *vm, const void *k, size_t len, struct boot_entry *e,
                struct diag *d)
{
	memset(d, 0, sizeof(*d));
	memset(e, 0, sizeof(*e));
	close_fd(&vm->cfg.unpacked_fd);
	vm->cfg.unpacked_fd = file_of(k, len);
	return boot_direct(vm, &header, e, d);
}

static bool says_kaslr(struct vm *vm)
{
	const struct boot_params *bp = (void *)at(vm, MAP_BOOT_PARAMS);

	return bp->hdr.loadflags & KASLR_FLAG;
}

/* ---- loading ---------------------------------------------------------------
 */

static void as_linked(void **state)
{
	struct vm *vm = make_vm();
	struct boot_entry e;
	struct kernel k;
	struct diag d;

	(void)state;
	make_kernel(&k);
	vm->cfg.cmdline = "quiet nokaslr";
	memset(at(vm, LINK + MIB2), 0xff, 3 * PART); /* before a reset */
	assert_int_equal(load(vm, &k, sizeof(k), &e, &d), 0);
	assert_int_equal(e.mode, BOOT_LINUX64);
	assert_int_equal(e.rip, LINK + 0x123);
	assert_int_equal(e.arg, MAP_BOOT_PARAMS);
	assert_memory_equal(at(vm, LINK), k.text, PART);
	assert_memory_equal(at(vm, LINK + MIB2), k.data, PART);
	for (unsigned i = PART; i < 3 * PART; i++)
		assert_int_equal(*at(vm, LINK + MIB2 + i), 0);
	assert_false(says_kaslr(vm));
	drop_vm(vm);
}

static uint64_t dword_delta(struct vm *vm, uint64_t gpa)
{
	return (uint32_t)(load_le(at(vm, gpa), 4) - 0x11111111);
}

/* Physically and virtually elsewhere, each time anew, and corrected. */
static void elsewhere(void **state)
{
	struct vm *vm = make_vm();
	unsigned moved = 0, shifted = 0;
	struct boot_entry e;
	struct kernel k;
	struct diag d;

	(void)state;
	make_kernel(&k);
	vm->cfg.initrd_fd = file_of("initrd", 6);
	for (int i = 0; i < 64; i++) {
		uint64_t base, delta;

		assert_int_equal(load(vm, &k, sizeof(k), &e, &d), 0);
		assert_true(says_kaslr(vm));
		base = e.rip - 0x123;
		assert_true(base >= LINK && IS_ALIGNED(base, MIB2));
		/* The initrd is in the last page. */
		assert_true(base + 2ull * MIB2 <= RAM - PART);
		moved += base != LINK;
		delta = dword_delta(vm, base + 0x30);
		shifted += delta != 0;
		assert_true(IS_ALIGNED(delta, MIB2));
		assert_true(LINK + delta + 2ull * MIB2 <= KASLR_IMAGE_SIZE);
		assert_int_equal(dword_delta(vm, base + 0x34), delta);
		assert_int_equal(dword_delta(vm, base + 0x20),
		                 (uint32_t)-delta);
		assert_int_equal(load_le(at(vm, base + 0x10), 8),
		                 0x1111111111111111 + delta);
		assert_int_equal(load_le(at(vm, base + MIB2), 8),
		                 0x2222222222222222 + delta);
		assert_memory_equal(at(vm, base + 0x38), k.text, 256);
	}
	/* One of 22 and one of 504 places. */
	assert_true(moved > 32 && shifted > 48);
	drop_vm(vm);
}

static void word_by_word(void **state)
{
	struct vm *vm = make_vm();
	struct boot_entry e;
	struct kernel k;
	struct diag d;

	(void)state;
	make_kernel(&k);
	vm->cfg.cmdline = "mem=60M nokaslr=";
	for (int i = 0; i < 8; i++) {
		assert_int_equal(load(vm, &k, sizeof(k), &e, &d), 0);
		assert_int_equal(e.rip, LINK + 0x123);
		assert_true(says_kaslr(vm));
	}
	/* Built without KASLR: no table. */
	vm->cfg.cmdline = "";
	assert_int_equal(load(vm, &k, offsetof(struct kernel, table), &e, &d),
	                 0);
	assert_int_equal(e.rip, LINK + 0x123);
	assert_false(says_kaslr(vm));
	drop_vm(vm);
	assert_true(kaslr_wanted("a nokaslrx xnokaslr"));
	assert_false(kaslr_wanted("\tnokaslr\t"));
	assert_false(kaslr_wanted("nokaslr"));
	assert_false(kaslr_may_move("x hugepages=4"));
	assert_false(kaslr_may_move("memmap=1G$2G"));
	assert_true(kaslr_may_move("xmem=1G member=2 hugepage"));
}

static void refused(void **state)
{
	struct vm *vm = make_vm();
	struct boot_entry e;
	struct kernel k;
	struct diag d;

	(void)state;
	vm->cfg.cmdline = "";
#define REFUSED(err, field, value)                                             \
	do {                                                                   \
		make_kernel(&k);                                               \
		k.field = value;                                               \
		assert_int_equal(load(vm, &k, sizeof(k), &e, &d), err);        \
		assert_int_equal(d.code, FL_VMM_DIRECT);                       \
		assert_true(d.why[0] && d.mend[0]);                            \
		assert_int_equal(e.rip, 0);                                    \
	} while (0)
	REFUSED(-ENOEXEC, eh.e_ident[0], 0);
	REFUSED(-ENOEXEC, eh.e_machine, EM_386);
	REFUSED(-ENOEXEC, eh.e_phnum, 0);
	REFUSED(-ENOEXEC, eh.e_phnum, 65535);
	REFUSED(-ENOEXEC, eh.e_phentsize, 1);
	REFUSED(-ENOEXEC, eh.e_phoff, UINT64_MAX - 8);
	REFUSED(-ENOEXEC, eh.e_shoff, UINT64_MAX - 8);
	REFUSED(-ENOEXEC, eh.e_entry, LINK - 1);
	REFUSED(-ENOEXEC, eh.e_entry, LINK + 2 * MIB2);
	REFUSED(-ENOEXEC, ph[0].p_paddr, LINK - 1);
	REFUSED(-ENOEXEC, ph[0].p_paddr, UINT64_MAX);
	REFUSED(-ENOEXEC, ph[0].p_memsz, 1);
	REFUSED(-ENOEXEC, ph[0].p_memsz, UINT64_MAX);
	REFUSED(-ENOEXEC, ph[0].p_filesz, UINT64_MAX);
	REFUSED(-ENOEXEC, ph[0].p_offset, UINT64_MAX);
	REFUSED(-ENOMEM, ph[1].p_memsz, RAM);
	REFUSED(-ENOEXEC, table[0], 1);
	REFUSED(-ENOEXEC, table[1], 0);
	for (size_t len = 0; len < offsetof(struct kernel, table); len += 7) {
		make_kernel(&k);
		assert_int_equal(load(vm, &k, len, &e, &d), -ENOEXEC);
	}
	drop_vm(vm);
}

/* ---- the table, and places -------------------------------------------------
 */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_linked),    cmocka_unit_test(elsewhere),
		cmocka_unit_test(word_by_word), cmocka_unit_test(refused),
		cmocka_unit_test(tables),       cmocka_unit_test(edges),
		cmocka_unit_test(places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
