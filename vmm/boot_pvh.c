/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An ELF kernel by the PVH protocol (docs/misc/pvh.pandoc of Xen;
 * include/xen/interface/hvm/start_info.h of Linux): segments to their physical
 * addresses, entry in 32-bit protected mode at the address of the note
 * XEN_ELFNOTE_PHYS32_ENTRY, with EBX at the start info.
 */

#include <elf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vmm/boot.h"

#define NOTE_PHYS32_ENTRY 18u
#define NOTES_MAX 65536u
#define SEGMENTS_MAX 64u
#define START_MAGIC 0x336ec578u

/* The layout is the protocol's; all little-endian. */
struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist, cmdline, rsdp, memmap;
	uint32_t memmap_entries, reserved;
};
struct start_module {
	uint64_t paddr, size, cmdline, reserved;
};
struct start_range {
	uint64_t addr, size;
	uint32_t type, reserved;
};
struct start_page {
	struct start_info info;
	struct start_module module;
	struct start_range range[BOOT_RANGES_MAX];
};
CHECK_SIZE(struct start_info, 56);
CHECK_SIZE(struct start_module, 32);
CHECK_SIZE(struct start_range, 24);
_Static_assert(MAP_BOOT_PVH + sizeof(struct start_page) <= MAP_BOOT_PARAMS,
               "start info within its page");

struct elf {
	struct vm *vm;
	uint64_t file_size;
	uint64_t entry, end; /* end: behind the highest segment */
	bool has_entry;
	struct {
		uint64_t at, size;
	} loaded[SEGMENTS_MAX];
	unsigned n;
};

static _printf_(3, 4) int refuse(struct diag *d, int err, const char *fmt, ...)
{
	char why[DIAG_LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	diag_fail(d, err, FL_VMM_KERNEL, "the kernel image (ELF)");
	diag_why(d, "%s", why);
	diag_mend(d, err == -ENOMEM
	                     ? "more memory: in the policy"
	                     : "readelf -ln IMAGE; take a vmlinux built with "
	                       "CONFIG_PVH=y, or a bzImage");
	return err;
}

/* One note: name and value each padded to 4 bytes. Returns its whole length,
 * 0 when it does not fit. */
static size_t note(struct elf *e, const uint8_t *p, size_t left)
{
	uint64_t name, size, at, whole;

	if (left < 12)
		return 0;
	name = load_le(p, 4);
	size = load_le(p + 4, 4);
	at = 12 + ALIGN_UP(name, 4);
	whole = at + ALIGN_UP(size, 4);
	if (at + size > left)
		return 0;
	if (name == 4 && !memcmp(p + 12, "Xen", 4) &&
	    load_le(p + 8, 4) == NOTE_PHYS32_ENTRY &&
	    (size == 4 || size == 8)) {
		e->entry = load_le(p + at, (unsigned)size);
		e->has_entry = true;
	}
	return (size_t)MIN(whole, left);
}

static int notes(struct elf *e, const Elf64_Phdr *ph, struct diag *d)
{
	_cleanup_free_ uint8_t *buf = NULL;
	size_t at = 0, step = 1;
	int r;

	if (ph->p_filesz > NOTES_MAX)
		return refuse(d, -ENOEXEC, "its notes are too long");
	buf = malloc(ph->p_filesz + 1);
	if (!buf)
		return diag_fail(d, -ENOMEM, FL_VMM_KERNEL,
		                 "the kernel's notes");
	r = fd_pread_full(e->vm->cfg.kernel_fd, buf, ph->p_filesz,
	                  ph->p_offset);
	if (r < 0)
		return refuse(d, r, "reading its notes: %s", strerror(-r));
	for (; at < ph->p_filesz && step; at += step)
		step = note(e, buf + at, ph->p_filesz - at);
	return 0;
}

/* A byte of [at, at + size) is in a segment that was loaded. */
static bool is_loaded(const struct elf *e, uint64_t at, uint64_t size)
{
	for (unsigned i = 0; i < e->n; i++)
		if (at < e->loaded[i].at + e->loaded[i].size &&
		    e->loaded[i].at < at + size)
			return true;
	return false;
}

static int load(struct elf *e, const Elf64_Phdr *ph, struct diag *d)
{
	struct gpa gpa = { ph->p_paddr };
	char *at = memory_at(e->vm, gpa, ph->p_memsz);
	int r;

	if (!ph->p_memsz)
		return 0;
	if (ph->p_paddr < MAP_KERNEL || ph->p_filesz > ph->p_memsz)
		return refuse(d, -ENOEXEC, "a segment at 0x%llx",
		              (unsigned long long)ph->p_paddr);
	if (!at || ph->p_paddr >= MAP_LOW_RAM_END)
		return refuse(d, -ENOMEM,
		              "its segment of %llu bytes at 0x%llx is not in "
		              "guest memory",
		              (unsigned long long)ph->p_memsz,
		              (unsigned long long)ph->p_paddr);
	if (is_loaded(e, ph->p_paddr, ph->p_memsz))
		return refuse(d, -ENOEXEC, "two segments at 0x%llx",
		              (unsigned long long)ph->p_paddr);
	r = boot_read(e->vm, e->vm->cfg.kernel_fd, ph->p_offset, ph->p_filesz,
	              gpa);
	if (r < 0)
		return refuse(d, r, "reading it: %s", strerror(-r));
	memset(at + ph->p_filesz, 0, ph->p_memsz - ph->p_filesz);
	e->end = MAX(e->end, ph->p_paddr + ph->p_memsz);
	e->loaded[e->n].at = ph->p_paddr;
	e->loaded[e->n++].size = ph->p_memsz;
	return 0;
}

static int segment(struct elf *e, uint64_t off, struct diag *d)
{
	Elf64_Phdr ph;
	int r = fd_pread_full(e->vm->cfg.kernel_fd, &ph, sizeof(ph), off);

	if (r < 0)
		return refuse(d, r, "its program headers are cut off");
	if ((ph.p_type == PT_LOAD || ph.p_type == PT_NOTE) &&
	    !range_inside(ph.p_offset, ph.p_filesz, e->file_size))
		return refuse(d, -ENOEXEC, "it is truncated: %llu bytes",
		              (unsigned long long)e->file_size);
	if (ph.p_type == PT_LOAD)
		return load(e, &ph, d);
	return ph.p_type == PT_NOTE ? notes(e, &ph, d) : 0;
}

static int segments(struct elf *e, const Elf64_Ehdr *h, struct diag *d)
{
	if (h->e_machine != EM_X86_64)
		return refuse(d, -ENOEXEC, "it is not for x86-64");
	if (h->e_phentsize != sizeof(Elf64_Phdr) || !h->e_phnum ||
	    h->e_phnum > SEGMENTS_MAX ||
	    !range_inside(h->e_phoff, h->e_phnum * sizeof(Elf64_Phdr),
	                  e->file_size))
		return refuse(d, -ENOEXEC, "its program headers are cut off");
	for (unsigned i = 0; i < h->e_phnum; i++) {
		int r = segment(e, h->e_phoff + i * sizeof(Elf64_Phdr), d);

		if (r < 0)
			return r;
	}
	if (!e->has_entry)
		return refuse(d, -ENOEXEC,
		              "it has no PVH entry (XEN_ELFNOTE_PHYS32_ENTRY)");
	if (!is_loaded(e, e->entry, 1))
		return refuse(d, -ENOEXEC,
		              "its PVH entry 0x%llx is outside its segments",
		              (unsigned long long)e->entry);
	return 0;
}

static int start_page(struct elf *e, struct diag *d)
{
	struct vm *vm = e->vm;
	struct boot_range map[BOOT_RANGES_MAX];
	struct start_page *p =
		memory_at(vm, (struct gpa){ MAP_BOOT_PVH }, sizeof(*p));
	uint64_t at, size;
	unsigned n = boot_map(vm, map);
	int r = boot_initrd(vm, ALIGN_UP(e->end, 4096), MAP_LOW_RAM_END, &at,
	                    &size, d);

	if (r == 0)
		r = boot_cmdline(vm, UINT32_MAX, d);
	if (r < 0)
		return r;
	if (!p)
		return refuse(d, -ENOMEM, "no memory below 640 KiB");
	*p = (struct start_page){
		.info = {
			.magic = START_MAGIC,
			.version = 1,
			.nr_modules = size ? 1 : 0,
			.modlist = MAP_BOOT_PVH +
			           offsetof(struct start_page, module),
			.cmdline = MAP_CMDLINE,
			.rsdp = vm->rsdp.v,
			.memmap = MAP_BOOT_PVH +
			          offsetof(struct start_page, range),
			.memmap_entries = n,
		},
		.module = { .paddr = at, .size = size },
	};
	for (unsigned i = 0; i < n; i++)
		p->range[i] = (struct start_range){ map[i].start, map[i].size,
			                            map[i].type, 0 };
	return 0;
}

int boot_pvh(struct vm *vm, const uint8_t *head, size_t len, uint64_t file_size,
             struct boot_entry *ret, struct diag *d)
{
	struct elf e = { .vm = vm, .file_size = file_size };
	Elf64_Ehdr h;
	int r;

	if (len < sizeof(h))
		return refuse(d, -ENOEXEC, "its header is cut off");
	memcpy(&h, head, sizeof(h));
	r = segments(&e, &h, d);
	if (r == 0)
		r = start_page(&e, d);
	if (r < 0)
		return r;
	*ret = (struct boot_entry){
		.mode = BOOT_PVH,
		.rip = e.entry,
		.arg = MAP_BOOT_PVH,
	};
	return 0;
}
