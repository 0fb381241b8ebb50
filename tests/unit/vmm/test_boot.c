/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernel images, whole and broken, into a small guest memory. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <asm/bootparam.h>
#include <elf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/priv.h"

#define RAM (64u << 20)
#define SETUP_SECTS 4u
#define PAYLOAD 8192u
#define PREF 0x1000000u

static struct vm *make_vm(void)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	assert_non_null(vm);
	vm->mem.n = 1;
	vm->mem.region[0].size = RAM;
	vm->mem.region[0].hva = mmap(NULL, RAM, PROT_READ | PROT_WRITE,
	                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(vm->mem.region[0].hva, MAP_FAILED);
	vm->cfg.cmdline = "console=ttyS0";
	vm->cfg.initrd_fd = vm->cfg.kernel_fd = -1;
	vm->cfg.unpacked_fd = -1;
	vm->rsdp.v = MAP_ACPI;
	return vm;
}

static void drop_vm(struct vm *vm)
{
	munmap(vm->mem.region[0].hva, RAM);
	close_fd(&vm->cfg.kernel_fd);
	close_fd(&vm->cfg.initrd_fd);
	close_fd(&vm->cfg.unpacked_fd);
	free(vm);
}

static int file_of(const void *buf, size_t len)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_pwrite_full(fd, buf, len, 0), 0);
	return fd;
}

static const void *at(struct vm *vm, uint64_t gpa)
{
	return (char *)vm->mem.region[0].hva + gpa;
}

/* ---- bzImage --------------------------------------------------------------
 */

struct bz {
	uint8_t byte[(SETUP_SECTS + 1) * 512 + PAYLOAD];
};

static struct setup_header *header(struct bz *b)
{
	return (void *)(b->byte + 0x1f1);
}

static void make_bz(struct bz *b)
{
	struct setup_header *h = header(b);

	memset(b, 0, sizeof(*b));
	memset(b->byte + (SETUP_SECTS + 1) * 512, 0x90, PAYLOAD);
	h->setup_sects = SETUP_SECTS;
	h->syssize = PAYLOAD / 16;
	h->boot_flag = 0xaa55;
	h->jump = 0x6aeb; /* the header ends at 0x202 + 0x6a */
	h->header = 0x53726448;
	h->version = 0x20f;
	h->loadflags = LOADED_HIGH;
	h->initrd_addr_max = 0x7fffffff;
	h->kernel_alignment = 0x200000;
	h->relocatable_kernel = 1;
	h->cmdline_size = 2047;
	h->pref_address = PREF;
	h->init_size = 0x100000;
	h->xloadflags = XLF_KERNEL_64;
}

static int load(struct vm *vm, const void *image, size_t len,
                struct boot_entry *e, struct diag *d)
{
	memset(d, 0, sizeof(*d));
	close_fd(&vm->cfg.kernel_fd);
	vm->cfg.kernel_fd = file_of(image, len);
	return boot_load(vm, e, d);
}

static void bz_loads(void **state)
{
	struct vm *vm = make_vm();
	struct boot_entry e;
	struct diag d;
	struct bz b;
	const struct boot_params *bp = at(vm, MAP_BOOT_PARAMS);

	(void)state;
	make_bz(&b);
	vm->cfg.initrd_fd = file_of("initrd", 6);
	assert_int_equal(load(vm, &b, sizeof(b), &e, &d), 0);
	assert_int_equal(e.mode, BOOT_LINUX64);
	assert_int_equal(e.rip, PREF + 0x200);
	assert_int_equal(e.arg, MAP_BOOT_PARAMS);
	assert_memory_equal(at(vm, PREF), b.byte + (SETUP_SECTS + 1) * 512,
	                    PAYLOAD);
	assert_string_equal(at(vm, bp->hdr.cmd_line_ptr), "console=ttyS0");
	assert_int_equal(bp->hdr.ramdisk_size, 6);
	assert_int_equal(bp->hdr.ramdisk_image % 4096, 0);
	assert_memory_equal(at(vm, bp->hdr.ramdisk_image), "initrd", 6);
	assert_true(bp->hdr.ramdisk_image >= PREF + 0x100000);
	assert_int_equal(bp->hdr.type_of_loader, 0xff);
	assert_int_equal(bp->acpi_rsdp_addr, MAP_ACPI);
	assert_int_equal(bp->e820_entries, 5);
	/* PML4 -> PDPT -> page directory: 0 maps to 0, 1 GiB to 1 GiB */
	assert_int_equal(load_le(at(vm, MAP_BOOT_PAGES), 8),
	                 (MAP_BOOT_PAGES + 4096) | 3);
	assert_int_equal(load_le(at(vm, MAP_BOOT_PAGES + 3 * 4096), 8),
	                 (1u << 30) | 0x83);
	drop_vm(vm);
}

/* What cannot be used in its payload's place changes nothing. */
static void bz_goes_on(void **state)
{
	struct vm *vm = make_vm();
	struct boot_entry e;
	struct diag d;
	struct bz b;

	(void)state;
	make_bz(&b);
	vm->cfg.unpacked_fd = file_of("none", 4);
	assert_int_equal(load(vm, &b, sizeof(b), &e, &d), 0);
	assert_int_equal(e.rip, PREF + 0x200);
	assert_memory_equal(at(vm, PREF), b.byte + (SETUP_SECTS + 1) * 512,
	                    PAYLOAD);
	drop_vm(vm);
}

/* Where the preferred place is not RAM, the lowest aligned one. */
static void bz_relocates(void **state)
{
	struct vm *vm = make_vm();
	struct boot_entry e;
	struct diag d;
	struct bz b;

	(void)state;
	make_bz(&b);
	header(&b)->pref_address = RAM;
	assert_int_equal(load(vm, &b, sizeof(b), &e, &d), 0);
	assert_int_equal(e.rip, 0x200200);
	header(&b)->relocatable_kernel = 0;
	assert_int_equal(load(vm, &b, sizeof(b), &e, &d), -ENOMEM);
	drop_vm(vm);
}

/* Each row spoils one field of a good image. */
static void spoil_flag(struct setup_header *h)
{
	h->boot_flag = 0;
}
static void spoil_version(struct setup_header *h)
{
	h->version = 0x20b;
}
static void spoil_64(struct setup_header *h)
{
	h->xloadflags = 0;
}
static void spoil_high(struct setup_header *h)
{
	h->loadflags = 0;
}
static void spoil_sects(struct setup_header *h)
{
	h->setup_sects = 255;
}
static void spoil_syssize(struct setup_header *h)
{
	h->syssize = 0xffffffff;
}
static void spoil_init_small(struct setup_header *h)
{
	h->init_size = 16;
}
static void spoil_init_large(struct setup_header *h)
{
	h->init_size = 0xffffffff;
}
static void spoil_init_ram(struct setup_header *h)
{
	h->init_size = RAM;
}
static void spoil_header(struct setup_header *h)
{
	h->header = 0;
}

static void bz_refused(void **state)
{
	static const struct {
		void (*spoil)(struct setup_header *);
		int err;
		const char *why;
	} row[] = {
		{ spoil_flag, -ENOEXEC, "0xAA55" },
		{ spoil_version, -ENOEXEC, "2.11" },
		{ spoil_64, -ENOEXEC, "64-bit" },
		{ spoil_high, -ENOEXEC, "zImage" },
		{ spoil_sects, -ENOEXEC, "truncated" },
		{ spoil_syssize, -ENOEXEC, "truncated" },
		{ spoil_init_small, -ENOEXEC, "init_size" },
		{ spoil_init_large, -ENOEXEC, "init_size" },
		{ spoil_init_ram, -ENOMEM, "65 MiB" },
		{ spoil_header, -ENOEXEC, "neither" },
	};
	struct vm *vm = make_vm();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct boot_entry e;
		struct diag d;
		struct bz b;

		make_bz(&b);
		row[i].spoil(header(&b));
		assert_int_equal(load(vm, &b, sizeof(b), &e, &d), row[i].err);
		assert_int_equal(d.code, FL_VMM_KERNEL);
		assert_non_null(strstr(d.why, row[i].why));
		assert_true(d.mend[0]);
	}
	drop_vm(vm);
}

/* Cut at every length, nothing but the whole image loads. */
static void bz_truncated(void **state)
{
	struct vm *vm = make_vm();
	struct boot_entry e;
	struct diag d;
	struct bz b;

	(void)state;
	make_bz(&b);
	for (size_t len = 0; len < sizeof(b) - 16; len += 13) {
		assert_true(load(vm, &b, len, &e, &d) < 0);
		assert_int_equal(d.code, FL_VMM_KERNEL);
	}
	assert_int_equal(load(vm, &b, sizeof(b), &e, &d), 0);
	drop_vm(vm);
}

static void cmdline_limit(void **state)
{
	struct vm *vm = make_vm();
	struct boot_entry e;
	struct diag d;
	struct bz b;
	char text[33] = { 0 };

	(void)state;
	make_bz(&b);
	header(&b)->cmdline_size = 31;
	memset(text, 'x', 32);
	vm->cfg.cmdline = text;
	assert_int_equal(load(vm, &b, sizeof(b), &e, &d), -E2BIG);
	text[31] = '\0';
	assert_int_equal(load(vm, &b, sizeof(b), &e, &d), 0);
	drop_vm(vm);
}

static void initrd_refused(void **state)
{
	struct vm *vm = make_vm();
	struct boot_entry e;
	struct diag d;
	struct bz b;

	(void)state;
	make_bz(&b);
	vm->cfg.initrd_fd = file_of("", 0);
	assert_int_equal(load(vm, &b, sizeof(b), &e, &d), -ENOEXEC);
	assert_int_equal(d.code, FL_VMM_INITRD);
	/* Between the kernel's end and the end of memory there are 47 MiB. */
	assert_int_equal(ftruncate(vm->cfg.initrd_fd, 48 << 20), 0);
	assert_int_equal(load(vm, &b, sizeof(b), &e, &d), -ENOMEM);
	assert_int_equal(ftruncate(vm->cfg.initrd_fd, 46 << 20), 0);
	assert_int_equal(load(vm, &b, sizeof(b), &e, &d), 0);
	/* A kernel that wants it low. */
	header(&b)->initrd_addr_max = PREF + (1 << 20);
	assert_int_equal(load(vm, &b, sizeof(b), &e, &d), -ENOMEM);
	drop_vm(vm);
}

/* ---- PVH ------------------------------------------------------------------
 */

struct pvh {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[2];
	struct {
		Elf64_Nhdr h;
		char name[4];
		uint32_t entry;
	} note;
	uint8_t code[64];
};

static void make_pvh(struct pvh *p)
{
	memset(p, 0, sizeof(*p));
	memcpy(p->eh.e_ident, "\177ELF\2\1\1", 7);
	p->eh.e_machine = EM_X86_64;
	p->eh.e_phoff = offsetof(struct pvh, ph);
	p->eh.e_phentsize = sizeof(Elf64_Phdr);
	p->eh.e_phnum = 2;
	p->ph[0] = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_offset = offsetof(struct pvh, code),
		.p_paddr = 0x200000,
		.p_filesz = sizeof(p->code),
		.p_memsz = 2 * sizeof(p->code),
	};
	p->ph[1] = (Elf64_Phdr){
		.p_type = PT_NOTE,
		.p_offset = offsetof(struct pvh, note),
		.p_filesz = sizeof(p->note),
	};
	p->note.h = (Elf64_Nhdr){ 4, 4, 18 };
	memcpy(p->note.name, "Xen", 4);
	p->note.entry = 0x200010;
	memset(p->code, 0xf4, sizeof(p->code));
}

static void pvh_loads(void **state)
{
	struct vm *vm = make_vm();
	struct boot_entry e;
	struct diag d;
	struct pvh p;
	uint8_t *beyond = (uint8_t *)vm->mem.region[0].hva + 0x200000 + 64;

	(void)state;
	make_pvh(&p);
	*beyond = 1; /* of the guest before a reset */
	vm->cfg.initrd_fd = file_of("initrd", 6);
	assert_int_equal(load(vm, &p, sizeof(p), &e, &d), 0);
	assert_int_equal(e.mode, BOOT_PVH);
	assert_int_equal(e.rip, 0x200010);
	assert_memory_equal(at(vm, 0x200000), p.code, sizeof(p.code));
	assert_int_equal(*beyond, 0);
	/* start_info: magic, one module, its address, command line, RSDP */
	assert_int_equal(load_le(at(vm, e.arg), 4), 0x336ec578);
	assert_int_equal(load_le(at(vm, e.arg + 12), 4), 1);
	assert_memory_equal(
		at(vm, load_le(at(vm, load_le(at(vm, e.arg + 16), 8)), 8)),
		"initrd", 6);
	assert_string_equal(at(vm, load_le(at(vm, e.arg + 24), 8)),
	                    "console=ttyS0");
	assert_int_equal(load_le(at(vm, e.arg + 32), 8), MAP_ACPI);
	drop_vm(vm);
}

static void pvh_refused(void **state)
{
	struct vm *vm = make_vm();
	struct boot_entry e;
	struct diag d;
	struct pvh p;

	(void)state;
#define REFUSED(err, field, value)                                             \
	do {                                                                   \
		make_pvh(&p);                                                  \
		p.field = value;                                               \
		assert_int_equal(load(vm, &p, sizeof(p), &e, &d), err);        \
		assert_int_equal(d.code, FL_VMM_KERNEL);                       \
	} while (0)
	REFUSED(-ENOEXEC, eh.e_machine, EM_386);
	REFUSED(-ENOEXEC, eh.e_phnum, 0);
	REFUSED(-ENOEXEC, eh.e_phnum, 65535);
	REFUSED(-ENOEXEC, eh.e_phentsize, 1);
	REFUSED(-ENOEXEC, eh.e_phoff, UINT64_MAX - 8);
	REFUSED(-ENOEXEC, ph[0].p_filesz, UINT64_MAX);
	REFUSED(-ENOEXEC, ph[0].p_offset, UINT64_MAX);
	REFUSED(-ENOEXEC, ph[0].p_memsz, 1);
	REFUSED(-ENOMEM, ph[0].p_memsz, UINT64_MAX);
	REFUSED(-ENOMEM, ph[0].p_paddr, RAM - 1);
	REFUSED(-ENOMEM, ph[0].p_paddr, UINT64_MAX);
	REFUSED(-ENOEXEC, ph[0].p_paddr, 0);
	REFUSED(-ENOEXEC, ph[1].p_filesz, 1u << 30);
	REFUSED(-ENOEXEC, ph[1].p_type, PT_NULL);
	REFUSED(-ENOEXEC, note.h.n_type, 1);
	REFUSED(-ENOEXEC, note.h.n_namesz, UINT32_MAX);
	REFUSED(-ENOEXEC, note.h.n_descsz, UINT32_MAX);
	REFUSED(-ENOEXEC, note.entry, 0x1000);
	REFUSED(-ENOEXEC, note.entry, 0x300000);
#undef REFUSED
	for (size_t len = 0; len < offsetof(struct pvh, code[64]); len++) {
		make_pvh(&p);
		assert_true(load(vm, &p, len, &e, &d) < 0);
	}
	drop_vm(vm);
}

static void not_a_file(void **state)
{
	struct vm *vm = make_vm();
	struct boot_entry e;
	struct diag d = { 0 };

	(void)state;
	assert_int_equal(boot_load(vm, &e, &d), -EBADF);
	assert_int_equal(d.code, FL_VMM_KERNEL);
	drop_vm(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bz_loads),
		cmocka_unit_test(bz_goes_on),
		cmocka_unit_test(bz_relocates),
		cmocka_unit_test(bz_refused),
		cmocka_unit_test(bz_truncated),
		cmocka_unit_test(cmdline_limit),
		cmocka_unit_test(initrd_refused),
		cmocka_unit_test(pvh_loads),
		cmocka_unit_test(pvh_refused),
		cmocka_unit_test(not_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
