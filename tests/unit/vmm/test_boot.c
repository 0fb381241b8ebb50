/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernel images, whole and broken, into a small guest memory. */

#include "boot_rig.h"

#include <asm/bootparam.h>

#define SETUP_SECTS 4u
#define PAYLOAD 8192u
#define PREF 0x1000000u

/* ---- bzImage ------------------------------------------------------------- */

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

static int load(struct rig *r, const void *image, size_t len)
{
	put_image(r, &r->vm.cfg.kernel_fd, image, len);
	return boot_load(&r->vm, &r->e, &r->d);
}

static void bz_loads(void **state)
{
	struct rig *r = *state;
	struct bz b;
	const struct boot_params *bp = at(r, MAP_BOOT_PARAMS);

	make_bz(&b);
	r->vm.cfg.initrd_fd = file_of("initrd", 6);
	assert_int_equal(load(r, &b, sizeof(b)), 0);
	assert_int_equal(r->e.mode, BOOT_LINUX64);
	assert_int_equal(r->e.rip, PREF + 0x200);
	assert_int_equal(r->e.arg, MAP_BOOT_PARAMS);
	assert_memory_equal(at(r, PREF), b.byte + (SETUP_SECTS + 1) * 512,
	                    PAYLOAD);
	assert_string_equal(at(r, bp->hdr.cmd_line_ptr), "console=ttyS0");
	assert_int_equal(bp->hdr.ramdisk_size, 6);
	assert_int_equal(bp->hdr.ramdisk_image % 4096, 0);
	assert_memory_equal(at(r, bp->hdr.ramdisk_image), "initrd", 6);
	assert_true(bp->hdr.ramdisk_image >= PREF + 0x100000);
	assert_int_equal(bp->hdr.type_of_loader, 0xff);
	assert_int_equal(bp->acpi_rsdp_addr, MAP_ACPI);
	assert_int_equal(bp->e820_entries, 5);
	/* PML4 -> PDPT -> page directory: 0 maps to 0, 1 GiB to 1 GiB */
	assert_int_equal(load_le(at(r, MAP_BOOT_PAGES), 8),
	                 (MAP_BOOT_PAGES + 4096) | 3);
	assert_int_equal(load_le(at(r, MAP_BOOT_PAGES + 3 * 4096), 8),
	                 (1u << 30) | 0x83);
}

/* What cannot be used in its payload's place changes nothing. */
static void bz_goes_on(void **state)
{
	struct rig *r = *state;
	struct bz b;

	make_bz(&b);
	r->vm.cfg.unpacked_fd = file_of("none", 4);
	assert_int_equal(load(r, &b, sizeof(b)), 0);
	assert_int_equal(r->e.rip, PREF + 0x200);
	assert_memory_equal(at(r, PREF), b.byte + (SETUP_SECTS + 1) * 512,
	                    PAYLOAD);
}

/* Where the preferred place is not RAM, the lowest aligned one. */
static void bz_relocates(void **state)
{
	struct rig *r = *state;
	struct bz b;

	make_bz(&b);
	header(&b)->pref_address = RAM;
	assert_int_equal(load(r, &b, sizeof(b)), 0);
	assert_int_equal(r->e.rip, 0x200200);
	header(&b)->relocatable_kernel = 0;
	assert_int_equal(load(r, &b, sizeof(b)), -ENOMEM);
}

static int load_spoilt_bz(struct rig *r, const struct spoil *s)
{
	struct bz b;

	make_bz(&b);
	spoil_image(header(&b), s);
	return load(r, &b, sizeof(b));
}

#define SETUP(field, value) SPOIL(struct setup_header, field, value)

static void bz_refused(void **state)
{
	static const struct spoil row[] = {
		{ SETUP(boot_flag, 0), -ENOEXEC, "0xAA55" },
		{ SETUP(version, 0x20b), -ENOEXEC, "2.11" },
		{ SETUP(xloadflags, 0), -ENOEXEC, "64-bit" },
		{ SETUP(loadflags, 0), -ENOEXEC, "zImage" },
		{ SETUP(setup_sects, 255), -ENOEXEC, "truncated" },
		{ SETUP(syssize, 0xffffffff), -ENOEXEC, "truncated" },
		{ SETUP(init_size, 16), -ENOEXEC, "init_size" },
		{ SETUP(init_size, 0xffffffff), -ENOEXEC, "init_size" },
		{ SETUP(init_size, RAM), -ENOMEM, "65 MiB" },
		{ SETUP(header, 0), -ENOEXEC, "neither" },
	};

	refuses_all(*state, row, ARRAY_SIZE(row), load_spoilt_bz,
	            FL_VMM_KERNEL);
}

/* Cut at every length, nothing but the whole image loads. */
static void bz_truncated(void **state)
{
	struct rig *r = *state;
	struct bz b;

	make_bz(&b);
	for (size_t len = 0; len < sizeof(b) - 16; len += 13) {
		assert_true(load(r, &b, len) < 0);
		assert_int_equal(r->d.code, FL_VMM_KERNEL);
	}
	assert_int_equal(load(r, &b, sizeof(b)), 0);
}

static void cmdline_limit(void **state)
{
	struct rig *r = *state;
	struct bz b;
	char text[33] = { 0 };

	make_bz(&b);
	header(&b)->cmdline_size = 31;
	memset(text, 'x', 32);
	r->vm.cfg.cmdline = text;
	assert_int_equal(load(r, &b, sizeof(b)), -E2BIG);
	text[31] = '\0';
	assert_int_equal(load(r, &b, sizeof(b)), 0);
}

static void initrd_refused(void **state)
{
	struct rig *r = *state;
	struct bz b;

	make_bz(&b);
	r->vm.cfg.initrd_fd = file_of("", 0);
	assert_int_equal(load(r, &b, sizeof(b)), -ENOEXEC);
	assert_int_equal(r->d.code, FL_VMM_INITRD);
	/* Between the kernel's end and the end of memory there are 47 MiB. */
	assert_int_equal(ftruncate(r->vm.cfg.initrd_fd, 48 << 20), 0);
	assert_int_equal(load(r, &b, sizeof(b)), -ENOMEM);
	assert_int_equal(ftruncate(r->vm.cfg.initrd_fd, 46 << 20), 0);
	assert_int_equal(load(r, &b, sizeof(b)), 0);
	/* A kernel that wants it low. */
	header(&b)->initrd_addr_max = PREF + (1 << 20);
	assert_int_equal(load(r, &b, sizeof(b)), -ENOMEM);
}

/* ---- PVH ----------------------------------------------------------------- */

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
	elf_head(&p->eh, offsetof(struct pvh, ph));
	p->ph[0] = elf_load(offsetof(struct pvh, code), 0x200000,
	                    sizeof(p->code), 2 * sizeof(p->code));
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
	struct rig *r = *state;
	struct pvh p;
	uint8_t *beyond = (uint8_t *)r->vm.mem.region[0].hva + 0x200000 + 64;

	make_pvh(&p);
	*beyond = 1; /* of the guest before a reset */
	r->vm.cfg.initrd_fd = file_of("initrd", 6);
	assert_int_equal(load(r, &p, sizeof(p)), 0);
	assert_int_equal(r->e.mode, BOOT_PVH);
	assert_int_equal(r->e.rip, 0x200010);
	assert_memory_equal(at(r, 0x200000), p.code, sizeof(p.code));
	assert_int_equal(*beyond, 0);
	/* start_info: magic, one module, its address, command line, RSDP */
	assert_int_equal(load_le(at(r, r->e.arg), 4), 0x336ec578);
	assert_int_equal(load_le(at(r, r->e.arg + 12), 4), 1);
	assert_memory_equal(
		at(r, load_le(at(r, load_le(at(r, r->e.arg + 16), 8)), 8)),
		"initrd", 6);
	assert_string_equal(at(r, load_le(at(r, r->e.arg + 24), 8)),
	                    "console=ttyS0");
	assert_int_equal(load_le(at(r, r->e.arg + 32), 8), MAP_ACPI);
}

static int load_spoilt_pvh(struct rig *r, const struct spoil *s)
{
	struct pvh p;

	make_pvh(&p);
	spoil_image(&p, s);
	return load(r, &p, sizeof(p));
}

#define PVH(field, value) SPOIL(struct pvh, field, value)

static void pvh_refused(void **state)
{
	static const struct spoil row[] = {
		{ PVH(ph[0].p_filesz, UINT64_MAX), -ENOEXEC, NULL },
		{ PVH(ph[0].p_offset, UINT64_MAX), -ENOEXEC, NULL },
		{ PVH(ph[0].p_memsz, 1), -ENOEXEC, NULL },
		{ PVH(ph[0].p_memsz, UINT64_MAX), -ENOMEM, NULL },
		{ PVH(ph[0].p_paddr, RAM - 1), -ENOMEM, NULL },
		{ PVH(ph[0].p_paddr, UINT64_MAX), -ENOMEM, NULL },
		{ PVH(ph[0].p_paddr, 0), -ENOEXEC, NULL },
		{ PVH(ph[1].p_filesz, 1u << 30), -ENOEXEC, NULL },
		{ PVH(ph[1].p_type, PT_NULL), -ENOEXEC, NULL },
		{ PVH(note.h.n_type, 1), -ENOEXEC, NULL },
		{ PVH(note.h.n_namesz, UINT32_MAX), -ENOEXEC, NULL },
		{ PVH(note.h.n_descsz, UINT32_MAX), -ENOEXEC, NULL },
		{ PVH(note.entry, 0x1000), -ENOEXEC, NULL },
		{ PVH(note.entry, 0x200000 + 128), -ENOEXEC, NULL },
		{ PVH(note.entry, 0x300000), -ENOEXEC, NULL },
	};
	struct rig *r = *state;
	struct pvh p;

	refuses_all(r, elf_spoils, ARRAY_SIZE(elf_spoils), load_spoilt_pvh,
	            FL_VMM_KERNEL);
	refuses_all(r, row, ARRAY_SIZE(row), load_spoilt_pvh, FL_VMM_KERNEL);
	make_pvh(&p);
	for (size_t len = 0; len < offsetof(struct pvh, code[64]); len++)
		assert_true(load(r, &p, len) < 0);
}

/* Which of the two would be there is for chance to say. */
static void pvh_overlaps(void **state)
{
	const uint64_t end = 0x200000 + 2 * sizeof(((struct pvh *)0)->code);
	struct rig *r = *state;
	struct pvh p;

	make_pvh(&p);
	p.ph[1] = elf_load(offsetof(struct pvh, code), end, 1, 1);
	assert_int_equal(load(r, &p, sizeof(p)), -ENOEXEC);
	assert_non_null(strstr(r->d.why, "no PVH entry"));
	p.ph[1].p_paddr--;
	assert_int_equal(load(r, &p, sizeof(p)), -ENOEXEC);
	assert_non_null(strstr(r->d.why, "two segments"));
	p.ph[1].p_paddr = 0x200000 - 1;
	assert_int_equal(load(r, &p, sizeof(p)), -ENOEXEC);
	assert_non_null(strstr(r->d.why, "no PVH entry"));
	p.ph[1].p_memsz++;
	assert_int_equal(load(r, &p, sizeof(p)), -ENOEXEC);
	assert_non_null(strstr(r->d.why, "two segments"));
}

static void not_a_file(void **state)
{
	struct rig *r = *state;

	assert_int_equal(boot_load(&r->vm, &r->e, &r->d), -EBADF);
	assert_int_equal(r->d.code, FL_VMM_KERNEL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bz_loads),       TEST(bz_goes_on),   TEST(bz_relocates),
		TEST(bz_refused),     TEST(bz_truncated), TEST(cmdline_limit),
		TEST(initrd_refused), TEST(pvh_loads),    TEST(pvh_refused),
		TEST(pvh_overlaps),   TEST(not_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
