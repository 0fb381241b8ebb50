/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's memory without a guest, for kernel images, whole and broken: files
 * for them, ELF heads, and lists of what is spoilt in a good one. To be
 * included by one file of a test.
 */
#ifndef FL_TESTS_BOOT_RIG_H
#define FL_TESTS_BOOT_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/boot.h"
#include "vmm/priv.h"

#define RAM (64u << 20)

struct rig {
	struct vm vm;
	struct boot_entry e;
	struct diag d;
};

static inline int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->vm.mem.n = 1;
	r->vm.mem.region[0].size = RAM;
	r->vm.mem.region[0].hva = mmap(NULL, RAM, PROT_READ | PROT_WRITE,
	                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(r->vm.mem.region[0].hva, MAP_FAILED);
	r->vm.cfg.cmdline = "console=ttyS0";
	r->vm.cfg.initrd_fd = r->vm.cfg.kernel_fd = -1;
	r->vm.cfg.unpacked_fd = -1;
	r->vm.rsdp.v = MAP_ACPI;
	*state = r;
	return 0;
}

static inline int teardown(void **state)
{
	struct rig *r = *state;

	munmap(r->vm.mem.region[0].hva, RAM);
	close_fd(&r->vm.cfg.kernel_fd);
	close_fd(&r->vm.cfg.initrd_fd);
	close_fd(&r->vm.cfg.unpacked_fd);
	free(r);
	return 0;
}

static inline void *at(struct rig *r, uint64_t gpa)
{
	return (uint8_t *)r->vm.mem.region[0].hva + gpa;
}

static inline int file_of(const void *buf, size_t len)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_pwrite_full(fd, buf, len, 0), 0);
	return fd;
}

/* Another image in the place of the one before, of which nothing is left. */
static inline void put_image(struct rig *r, int *fd, const void *image,
                             size_t len)
{
	memset(&r->d, 0, sizeof(r->d));
	r->e = (struct boot_entry){ .mode = (enum boot_mode) - 1 };
	close_fd(fd);
	*fd = file_of(image, len);
}

/* ---- ELF files ----------------------------------------------------------- */

/* Of two segments, whose headers are at `phoff`. */
static inline void elf_head(Elf64_Ehdr *eh, size_t phoff)
{
	memcpy(eh->e_ident, "\177ELF\2\1\1", 7);
	eh->e_machine = EM_X86_64;
	eh->e_phoff = phoff;
	eh->e_phentsize = sizeof(Elf64_Phdr);
	eh->e_phnum = 2;
}

static inline Elf64_Phdr elf_load(size_t offset, uint64_t gpa, size_t filesz,
                                  size_t memsz)
{
	return (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_offset = offset,
		.p_paddr = gpa,
		.p_filesz = filesz,
		.p_memsz = memsz,
	};
}

/* ---- one field of a good image, spoilt ----------------------------------- */

struct spoil {
	size_t at;
	unsigned width;
	uint64_t value;
	int err;
	const char *why; /* a word of the reason, or NULL */
};
#define SPOIL(image, field, value)                                             \
	offsetof(image, field), sizeof(((image *)0)->field), value

/* Of any that begins with its ELF header. */
static const struct spoil elf_spoils[] = {
	{ SPOIL(Elf64_Ehdr, e_machine, EM_386), -ENOEXEC, NULL },
	{ SPOIL(Elf64_Ehdr, e_phnum, 0), -ENOEXEC, NULL },
	{ SPOIL(Elf64_Ehdr, e_phnum, 65535), -ENOEXEC, NULL },
	{ SPOIL(Elf64_Ehdr, e_phentsize, 1), -ENOEXEC, NULL },
	{ SPOIL(Elf64_Ehdr, e_phoff, UINT64_MAX - 8), -ENOEXEC, NULL },
};

static inline void spoil_image(void *image, const struct spoil *s)
{
	store_le((uint8_t *)image + s->at, s->width, s->value);
}

/* `load` loads a good image that is spoilt so. */
static inline void refuses_all(struct rig *r, const struct spoil *s, size_t n,
                               int (*load)(struct rig *, const struct spoil *),
                               unsigned code)
{
	for (; n; s++, n--) {
		assert_int_equal(load(r, s), s->err);
		assert_int_equal(r->d.code, code);
		assert_true(r->d.why[0] && r->d.mend[0]);
		assert_true(!s->why || strstr(r->d.why, s->why));
		assert_int_equal(r->e.rip, 0);
	}
}

#endif
