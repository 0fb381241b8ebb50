/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A decompressed Linux kernel, with its relocations behind it, into guest
 * memory: see boot_direct.h for the order, and for what is not believed.
 */

#include <elf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "vmm/boot_direct.h"

struct direct {
	struct vm *vm;
	int fd;
	uint64_t file_size;
	Elf64_Ehdr eh;
	Elf64_Phdr ph[BOOT_SEGMENTS_MAX];
	struct kaslr_place place;
	uint64_t at;              /* the physical address chosen */
	uint64_t delta;           /* virtual, as of kaslr_apply() */
	uint64_t elf_end;         /* in the file; the table follows */
	struct kaslr_table table; /* no words = there is none */
};

static _printf_(3, 4) int refuse(struct diag *d, int err, const char *fmt, ...)
{
	char why[DIAG_LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	diag_fail(d, err, FL_VMM_DIRECT, "the decompressed kernel");
	diag_why(d, "%s", why);
	diag_mend(d, "none is needed: the guest decompresses its kernel "
	             "itself; `kernel-decompression: guest` in the policy "
	             "says that it always is to");
	return err;
}

/* ---- the file ------------------------------------------------------------ */

static int read_headers(struct direct *x, struct diag *d)
{
	struct stat st;

	if (fstat(x->fd, &st) < 0)
		return refuse(d, -errno, "%s", strerror(errno));
	x->file_size = st.st_size > 0 ? (uint64_t)st.st_size : 0;
	if (x->file_size < sizeof(x->eh) || x->file_size > BOOT_IMAGE_MAX ||
	    fd_pread_full(x->fd, &x->eh, sizeof(x->eh), 0) < 0 ||
	    memcmp(x->eh.e_ident, "\177ELF\2\1", 6) != 0 ||
	    x->eh.e_machine != EM_X86_64)
		return refuse(d, -ENOEXEC, "it is no ELF file for x86-64");
	if (x->eh.e_phentsize != sizeof(Elf64_Phdr) || !x->eh.e_phnum ||
	    x->eh.e_phnum > BOOT_SEGMENTS_MAX ||
	    fd_pread_full(x->fd, x->ph, x->eh.e_phnum * sizeof(x->ph[0]),
	                  x->eh.e_phoff) < 0)
		return refuse(d, -ENOEXEC, "its program headers are cut off");
	return 0;
}

/* The ELF file ends behind whatever its headers name. */
static int find_end(struct direct *x, struct diag *d)
{
	uint64_t sections = (uint64_t)x->eh.e_shnum * x->eh.e_shentsize;
	uint64_t end = sizeof(x->eh);

	if (!range_inside(x->eh.e_phoff, x->eh.e_phnum * sizeof(x->ph[0]),
	                  x->file_size) ||
	    !range_inside(x->eh.e_shoff, sections, x->file_size))
		return refuse(d, -ENOEXEC, "its headers are cut off");
	end = MAX(end, x->eh.e_phoff + x->eh.e_phnum * sizeof(x->ph[0]));
	end = MAX(end, x->eh.e_shoff + sections);
	for (unsigned i = 0; i < x->eh.e_phnum; i++) {
		const Elf64_Phdr *ph = &x->ph[i];

		if (!range_inside(ph->p_offset, ph->p_filesz, x->file_size))
			return refuse(d, -ENOEXEC, "it is truncated");
		end = MAX(end, ph->p_offset + ph->p_filesz);
	}
	x->elf_end = end;
	return 0;
}

/* From the address it is linked for to the end of its last segment. */
static int find_span(struct direct *x, struct diag *d)
{
	uint64_t end = x->place.link;

	for (unsigned i = 0; i < x->eh.e_phnum; i++) {
		const Elf64_Phdr *ph = &x->ph[i];

		if (ph->p_type != PT_LOAD)
			continue;
		if (ph->p_paddr < x->place.link || ph->p_filesz > ph->p_memsz ||
		    !range_inside(ph->p_paddr, ph->p_memsz, BOOT_IMAGE_MAX))
			return refuse(d, -ENOEXEC, "a segment at 0x%llx",
			              (unsigned long long)ph->p_paddr);
		end = MAX(end, ph->p_paddr + ph->p_memsz);
	}
	x->place.span = ALIGN_UP(end - x->place.link, KASLR_ALIGN_MIN);
	if (x->eh.e_entry < x->place.link || x->eh.e_entry >= end)
		return refuse(d, -ENOEXEC, "its entry 0x%llx is outside",
		              (unsigned long long)x->eh.e_entry);
	return 0;
}

/* *ret is the table's memory, which x->table points into. */
static int read_table(struct direct *x, uint8_t **ret, struct diag *d)
{
	uint64_t len = x->file_size - x->elf_end;
	_cleanup_free_ uint8_t *bytes = NULL;
	int r;

	if (!len)
		return 0;
	if (len > KASLR_TABLE_MAX)
		return refuse(d, -ENOEXEC, "its relocations are too many");
	bytes = malloc((size_t)len);
	if (!bytes)
		return refuse(d, -ENOMEM, "no memory for its relocations");
	r = fd_pread_full(x->fd, bytes, (size_t)len, x->elf_end);
	if (r == 0)
		r = kaslr_table(bytes, (size_t)len, &x->table);
	if (r < 0)
		return refuse(d, r, "its relocations are not understood");
	*ret = TAKE_PTR(bytes);
	return 0;
}

/* ---- its place ----------------------------------------------------------- */

static int check_header(struct direct *x, const struct setup_header *h,
                        struct diag *d)
{
	x->place.link = h->pref_address;
	x->place.align = MAX((uint64_t)h->kernel_alignment, KASLR_ALIGN_MIN);
	if (x->place.link < MAP_KERNEL || x->place.link > BOOT_IMAGE_MAX ||
	    !is_power_of_2(x->place.align) ||
	    !IS_ALIGNED(x->place.link, KASLR_ALIGN_MIN))
		return refuse(d, -ENOEXEC, "the bzImage says 0x%llx by 0x%llx",
		              (unsigned long long)x->place.link,
		              (unsigned long long)x->place.align);
	return 0;
}

/* Where the initrd, or memory, begins or ends above the lowest place. */
static int check_room(struct direct *x, uint64_t initrd, struct diag *d)
{
	uint64_t end = x->vm->mem.region[0].size;

	x->place.ceiling = initrd ? initrd : MIN(end, MAP_LOW_RAM_END);
	if (x->place.link + x->place.span > x->place.ceiling)
		return refuse(d, -ENOMEM, "it needs %llu MiB at 0x%llx",
		              (unsigned long long)(x->place.span >> 20),
		              (unsigned long long)x->place.link);
	return 0;
}

static int choose(struct direct *x, const struct setup_header *h,
                  struct diag *d)
{
	const char *cmdline = x->vm->cfg.cmdline ? x->vm->cfg.cmdline : "";
	uint64_t random[2];

	x->at = x->place.link;
	if (!x->table.n || !h->relocatable_kernel || !kaslr_wanted(cmdline))
		return 0;
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return refuse(d, -EIO, "the host has no random numbers");
	if (kaslr_may_move(cmdline))
		x->at = kaslr_physical(&x->place, random[0]);
	x->delta = kaslr_virtual(&x->place, random[1]) - x->place.link;
	return 0;
}

/* ---- into memory --------------------------------------------------------- */

static int load_segments(struct direct *x, uint8_t *kernel, struct diag *d)
{
	for (unsigned i = 0; i < x->eh.e_phnum; i++) {
		const Elf64_Phdr *ph = &x->ph[i];
		uint64_t off = ph->p_paddr - x->place.link;
		int r;

		if (ph->p_type != PT_LOAD)
			continue;
		r = boot_read(x->vm, x->fd, ph->p_offset, ph->p_filesz,
		              (struct gpa){ x->at + off });
		if (r < 0)
			return refuse(d, r, "reading it: %s", strerror(-r));
		memset(kernel + off + ph->p_filesz, 0,
		       ph->p_memsz - ph->p_filesz);
	}
	return 0;
}

static int load(struct direct *x, const struct setup_header *h, struct diag *d)
{
	uint8_t *kernel;
	int r = choose(x, h, d);

	if (r < 0)
		return r;
	kernel = memory_at(x->vm, (struct gpa){ x->at }, x->place.span);
	if (!kernel)
		return refuse(d, -ENOMEM, "0x%llx is no memory",
		              (unsigned long long)x->at);
	r = load_segments(x, kernel, d);
	if (r < 0 || !x->delta)
		return r;
	r = kaslr_apply(&x->table, &x->place, kernel, x->delta);
	return r < 0 ? refuse(d, r, "a relocation lies outside of it") : 0;
}

/* Linux randomizes the rest by itself where it is told that this was done. */
static void tell_kaslr(struct vm *vm, const struct direct *x)
{
	struct boot_params *bp =
		memory_at(vm, (struct gpa){ MAP_BOOT_PARAMS }, sizeof(*bp));
	const char *cmdline = vm->cfg.cmdline ? vm->cfg.cmdline : "";

	if (!bp)
		return;
	bp->hdr.loadflags &= (uint8_t)~KASLR_FLAG;
	if (x->table.n && kaslr_wanted(cmdline))
		bp->hdr.loadflags |= KASLR_FLAG;
}

int boot_direct(struct vm *vm, const struct setup_header *h,
                struct boot_entry *ret, struct diag *d)
{
	struct direct x = { .vm = vm, .fd = vm->cfg.unpacked_fd };
	_cleanup_free_ uint8_t *table = NULL;
	uint64_t initrd;
	int r = check_header(&x, h, d);

	if (r == 0)
		r = read_headers(&x, d);
	if (r == 0)
		r = find_end(&x, d);
	if (r == 0)
		r = find_span(&x, d);
	if (r == 0)
		r = read_table(&x, &table, d);
	if (r == 0)
		r = boot_page(vm, h, x.place.link, x.place.link + x.place.span,
		              &initrd, d);
	if (r == 0)
		r = check_room(&x, initrd, d);
	if (r == 0)
		r = load(&x, h, d);
	if (r < 0)
		return r;
	tell_kaslr(vm, &x);
	*ret = (struct boot_entry){
		.mode = BOOT_LINUX64,
		.rip = x.eh.e_entry - x.place.link + x.at,
		.arg = MAP_BOOT_PARAMS,
	};
	return 0;
}
