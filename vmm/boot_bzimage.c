/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bzImage by the 64-bit boot protocol (Documentation/arch/x86/boot.rst,
 * "64-bit boot protocol"): no real mode, no 32-bit code. The kernel's own
 * header is copied to a zeroed boot_params, filled in, and the kernel is
 * entered at its load address + 0x200 with paging on and memory mapped 1:1.
 */

#include <asm/bootparam.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vmm/boot_direct.h"

CHECK_SIZE(struct boot_params, 4096);

#define SETUP_AT 0x1f1u /* of struct setup_header, in the file and the page */
#define ENTRY_64 0x200u
#define VERSION_MIN 0x20c /* 2.12: xloadflags; Linux 3.8 */
#define LOADER_UNDEFINED 0xff
#define PAGE_4K 4096u
#define INIT_SIZE_MAX (1u << 30)

struct image {
	struct setup_header h;
	uint64_t payload, payload_size; /* in the file */
	uint64_t at;                    /* where it goes */
};

static _printf_(3, 4) int refuse(struct diag *d, int err, const char *fmt, ...)
{
	char why[DIAG_LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	diag_fail(d, err, FL_VMM_KERNEL, "the kernel image (bzImage)");
	diag_why(d, "%s", why);
	diag_mend(d, err == -ENOMEM
	                     ? "more memory: in the policy"
	                     : "file IMAGE; take a whole x86-64 bzImage of "
	                       "Linux 3.8 or newer");
	return err;
}

static int check(struct image *im, uint64_t file_size, struct diag *d)
{
	const struct setup_header *h = &im->h;

	if (h->boot_flag != 0xaa55)
		return refuse(d, -ENOEXEC, "no 0xAA55 at 0x1fe");
	if (h->version < VERSION_MIN)
		return refuse(d, -ENOEXEC,
		              "its boot protocol is %u.%02u, 2.12 is needed",
		              h->version >> 8, h->version & 0xffu);
	if (!(h->xloadflags & XLF_KERNEL_64))
		return refuse(d, -ENOEXEC, "it is not a 64-bit kernel");
	if (!(h->loadflags & LOADED_HIGH))
		return refuse(d, -ENOEXEC,
		              "it is a zImage, loaded below 1 MiB");
	im->payload = ((h->setup_sects ? h->setup_sects : 4u) + 1ull) * 512;
	if (im->payload + ENTRY_64 >= file_size)
		return refuse(d, -ENOEXEC, "it is truncated: %llu bytes",
		              (unsigned long long)file_size);
	im->payload_size = file_size - im->payload;
	if (h->syssize * 16ull > im->payload_size + 15)
		return refuse(d, -ENOEXEC,
		              "it is truncated: %llu bytes of code, %llu said",
		              (unsigned long long)im->payload_size,
		              h->syssize * 16ull);
	if (h->init_size < im->payload_size || h->init_size > INIT_SIZE_MAX)
		return refuse(d, -ENOEXEC, "its init_size 0x%x is absurd",
		              h->init_size);
	return 0;
}

/* Its preferred place where that is RAM; else the lowest that is aligned. */
static int place(const struct vm *vm, struct image *im, struct diag *d)
{
	const struct setup_header *h = &im->h;
	uint64_t align = MAX(h->kernel_alignment, 0x1000u);

	im->at = h->pref_address;
	if (im->at >= MAP_KERNEL && IS_ALIGNED(im->at, 16) &&
	    memory_at(vm, (struct gpa){ im->at }, h->init_size) &&
	    im->at < MAP_LOW_RAM_END)
		return 0;
	if (!h->relocatable_kernel || !is_power_of_2(align) ||
	    align > INIT_SIZE_MAX)
		return refuse(d, -ENOMEM,
		              "it must be at 0x%llx and needs %u MiB there",
		              (unsigned long long)h->pref_address,
		              (h->init_size >> 20) + 1);
	im->at = ALIGN_UP((uint64_t)MAP_KERNEL, align);
	if (!memory_at(vm, (struct gpa){ im->at }, h->init_size))
		return refuse(d, -ENOMEM, "it needs %u MiB to unpack itself",
		              (h->init_size >> 20) + 1);
	return 0;
}

static void fill_e820(const struct vm *vm, struct boot_params *bp)
{
	struct boot_range map[BOOT_RANGES_MAX];
	unsigned n = boot_map(vm, map);

	for (unsigned i = 0; i < n; i++)
		bp->e820_table[i] = (struct boot_e820_entry){
			.addr = map[i].start,
			.size = map[i].size,
			.type = map[i].type,
		};
	bp->e820_entries = (uint8_t)n;
}

/* Identity map of the first 4 GiB by 2 MiB pages. */
static void fill_pages(uint8_t *page)
{
	const uint64_t table = 3, leaf = 0x83; /* present, writable; 2 MiB */

	memset(page, 0, 6ul * PAGE_4K);
	store_le(page, 8, (MAP_BOOT_PAGES + PAGE_4K) | table);
	for (unsigned i = 0; i < 4; i++)
		store_le(page + PAGE_4K + 8ul * i, 8,
		         (MAP_BOOT_PAGES + (2 + i) * PAGE_4K) | table);
	for (uint64_t i = 0; i < 4ull * 512; i++)
		store_le(page + 2ul * PAGE_4K + 8 * i, 8, i << 21 | leaf);
}

static void fill_gdt(uint8_t *gdt)
{
	memset(gdt, 0, 32);
	store_le(gdt + 0x10, 8, 0x00af9b000000ffff); /* __BOOT_CS, 64-bit */
	store_le(gdt + 0x18, 8, 0x00cf93000000ffff); /* __BOOT_DS */
}

int boot_page(struct vm *vm, const struct setup_header *h, uint64_t kernel,
              uint64_t floor, uint64_t *ret_initrd, struct diag *d)
{
	struct boot_params *bp =
		memory_at(vm, (struct gpa){ MAP_BOOT_PARAMS }, sizeof(*bp));
	uint8_t *pages =
		memory_at(vm, (struct gpa){ MAP_BOOT_PAGES }, 6ul * PAGE_4K);
	uint8_t *gdt = memory_at(vm, (struct gpa){ MAP_BOOT_GDT }, 32);
	uint64_t at, size;
	uint64_t ceiling = MAX((uint64_t)h->initrd_addr_max, MAP_KERNEL) + 1;
	int r;

	if (!bp || !pages || !gdt)
		return refuse(d, -ENOMEM, "no memory below 640 KiB");
	r = boot_initrd(vm, floor, ceiling, &at, &size, d);
	if (r == 0)
		r = boot_cmdline(vm, h->cmdline_size, d);
	if (r < 0)
		return r;
	memset(bp, 0, sizeof(*bp));
	bp->hdr = *h;
	bp->hdr.type_of_loader = LOADER_UNDEFINED;
	bp->hdr.code32_start = (uint32_t)kernel;
	bp->hdr.ramdisk_image = (uint32_t)at;
	bp->hdr.ramdisk_size = (uint32_t)size;
	bp->hdr.cmd_line_ptr = MAP_CMDLINE;
	bp->hdr.setup_data = 0;
	bp->acpi_rsdp_addr = vm->rsdp.v;
	fill_e820(vm, bp);
	fill_pages(pages);
	fill_gdt(gdt);
	*ret_initrd = at;
	return 0;
}

/* Where it cannot be done, that is said, and the guest does it: slower, but
 * no other. */
static bool direct(struct vm *vm, const struct image *im,
                   struct boot_entry *ret)
{
	struct diag d = { 0 };

	if (vm->cfg.unpacked_fd < 0)
		return false;
	if (boot_direct(vm, &im->h, ret, &d) == 0)
		return true;
	loop_say_diag(&d);
	return false;
}

int boot_bzimage(struct vm *vm, const uint8_t *head, size_t len,
                 uint64_t file_size, struct boot_entry *ret, struct diag *d)
{
	struct image im = { .at = 0 };
	uint64_t initrd;
	/* The header's length is the offset byte of its first jump. */
	size_t end = 0x202u + head[0x201];
	int r;

	if (end > len)
		return refuse(d, -ENOEXEC, "its header is cut off");
	memcpy(&im.h, head + SETUP_AT,
	       MIN(end - SETUP_AT, sizeof(struct setup_header)));
	r = check(&im, file_size, d);
	if (r == 0 && direct(vm, &im, ret))
		return 0;
	if (r == 0)
		r = place(vm, &im, d);
	if (r < 0)
		return r;
	r = boot_read(vm, vm->cfg.kernel_fd, im.payload, im.payload_size,
	              (struct gpa){ im.at });
	if (r < 0)
		return refuse(d, r, "reading it: %s", strerror(-r));
	r = boot_page(vm, &im.h, im.at, im.at + im.h.init_size, &initrd, d);
	if (r < 0)
		return r;
	*ret = (struct boot_entry){
		.mode = BOOT_LINUX64,
		.rip = im.at + ENTRY_64,
		.arg = MAP_BOOT_PARAMS,
	};
	return 0;
}
