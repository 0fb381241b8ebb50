/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel images into guest memory: what both kinds share. The image is the
 * user's file, not trusted to be what its name says: every size in it is held
 * against the file and against guest memory before a byte is read.
 *
 * Order: recognise -> place and read the kernel -> place and read the initrd
 * behind it -> command line -> memory map -> entry tables. A reset does it all
 * again from the same descriptors, so the guest finds what a cold start had.
 */

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/boot.h"

#define HEAD_SIZE 4096u
#define READ_MAX (1u << 30) /* one pread moves 2 GiB - 4096 at most */

enum {
	E820_RAM = 1,
	E820_RESERVED = 2,
	E820_ACPI = 3,
};

unsigned boot_map(const struct vm *vm,
                  struct boot_range ret[static BOOT_RANGES_MAX])
{
	const struct mem_region *low = &vm->mem.region[0];
	unsigned n = 0;

	ret[n++] = (struct boot_range){ 0, 0xa0000, E820_RAM };
	ret[n++] = (struct boot_range){ MAP_ACPI, MAP_ACPI_SIZE, E820_ACPI };
	ret[n++] = (struct boot_range){ MAP_SMBIOS, MAP_KERNEL - MAP_SMBIOS,
		                        E820_RESERVED };
	ret[n++] = (struct boot_range){ MAP_KERNEL, low->size - MAP_KERNEL,
		                        E820_RAM };
	/* PCI Firmware 3.3, 4.1.2: ECAM is reserved in the memory map. */
	ret[n++] =
		(struct boot_range){ MAP_ECAM, MAP_ECAM_SIZE, E820_RESERVED };
	if (vm->mem.n > 1)
		ret[n++] =
			(struct boot_range){ vm->mem.region[1].gpa.v,
			                     vm->mem.region[1].size, E820_RAM };
	return n;
}

int boot_read(struct vm *vm, int fd, uint64_t off, uint64_t len, struct gpa gpa)
{
	char *at = memory_at(vm, gpa, len);

	if (!at)
		return -EFAULT;
	while (len) {
		size_t part = (size_t)MIN(len, READ_MAX);
		int r = fd_pread_full(fd, at, part, off);

		if (r < 0)
			return r;
		at += part;
		off += part;
		len -= part;
	}
	return 0;
}

static int file_size(int fd, uint64_t *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (st.st_size < 0)
		return -EINVAL;
	*ret = (uint64_t)st.st_size;
	return 0;
}

static int initrd_fail(struct diag *d, int err, const char *why)
{
	diag_fail(d, err, FL_VMM_INITRD, "the initrd");
	diag_why(d, "%s", why);
	diag_mend(d, "a smaller initrd:, or more memory: in the policy");
	return err;
}

int boot_initrd(struct vm *vm, uint64_t floor, uint64_t ceiling,
                uint64_t *ret_at, uint64_t *ret_size, struct diag *d)
{
	uint64_t size = 0, at;
	int r;

	if (vm->cfg.initrd_fd < 0) {
		*ret_at = *ret_size = 0;
		return 0;
	}
	r = file_size(vm->cfg.initrd_fd, &size);
	if (r < 0)
		return initrd_fail(d, r, strerror(-r));
	ceiling = MIN(ceiling, vm->mem.region[0].size);
	if (!size)
		return initrd_fail(d, -ENOEXEC, "the file is empty");
	if (size > ceiling || floor > ceiling - size)
		return initrd_fail(d, -ENOMEM,
		                   "it does not fit in guest memory beside the "
		                   "kernel");
	at = ALIGN_DOWN(ceiling - size, 4096);
	if (at < floor)
		return initrd_fail(d, -ENOMEM,
		                   "it does not fit in guest memory beside the "
		                   "kernel");
	r = boot_read(vm, vm->cfg.initrd_fd, 0, size, (struct gpa){ at });
	if (r < 0)
		return initrd_fail(d, r, strerror(-r));
	*ret_at = at;
	*ret_size = size;
	return 0;
}

int boot_cmdline(struct vm *vm, uint64_t limit, struct diag *d)
{
	const char *text = vm->cfg.cmdline ? vm->cfg.cmdline : "";
	size_t len = strlen(text);
	char *at = memory_at(vm, (struct gpa){ MAP_CMDLINE }, len + 1);

	limit = MIN(limit, 0xa0000u - MAP_CMDLINE - 1);
	if (!at || len > limit) {
		diag_fail(d, -E2BIG, FL_VMM_KERNEL, "the kernel command line");
		diag_why(d, "it has %zu characters, this kernel takes %llu",
		         len, (unsigned long long)limit);
		diag_mend(d, "shorten cmdline: in the policy");
		return -E2BIG;
	}
	memcpy(at, text, len + 1);
	return 0;
}

static int kernel_unreadable(struct diag *d, int err)
{
	diag_fail(d, err, FL_VMM_KERNEL, "the kernel image");
	diag_why(d, "%s", strerror(-err));
	diag_mend(d, "file IMAGE; kernel: in the policy must name a readable "
	             "file");
	return err;
}

static int kernel_unknown(struct diag *d)
{
	diag_fail(d, -ENOEXEC, FL_VMM_KERNEL, "the kernel image");
	diag_why(d, "it is neither a bzImage (\"HdrS\" at 0x202) nor a 64-bit "
	            "ELF kernel");
	diag_mend(d, "file IMAGE; a distribution's is /boot/vmlinuz-*");
	return -ENOEXEC;
}

/*
 * The one piece of firmware: what a processor would run after RESET, at
 * F000:FFF0. Linux on a hardware-reduced machine believes that EFI must reset
 * it, finds none, and jumps here in real mode. It asks for the reset:
 *	mov $(PORT_ACPI + ACPI_RESET), %dx; mov $ACPI_RESET_VALUE, %al
 *	out %al, %dx; hlt; jmp the hlt
 */
static void put_reset_vector(struct vm *vm)
{
	static const uint8_t code[] = {
		0xba,
		(PORT_ACPI + ACPI_RESET) & 0xff,
		(PORT_ACPI + ACPI_RESET) >> 8,
		0xb0,
		ACPI_RESET_VALUE,
		0xee,
		0xf4,
		0xeb,
		0xfd,
	};
	void *at = memory_at(vm, (struct gpa){ MAP_RESET }, sizeof(code));

	if (at)
		memcpy(at, code, sizeof(code));
}

int boot_load(struct vm *vm, struct boot_entry *ret, struct diag *d)
{
	uint8_t head[HEAD_SIZE] = { 0 };
	uint64_t size = 0;
	size_t len;
	int r = file_size(vm->cfg.kernel_fd, &size);

	if (r < 0)
		return kernel_unreadable(d, r);
	put_reset_vector(vm);
	len = (size_t)MIN(size, sizeof(head));
	r = fd_pread_full(vm->cfg.kernel_fd, head, len, 0);
	if (r < 0)
		return kernel_unreadable(d, r);
	if (len >= 0x268 && !memcmp(head + 0x202, "HdrS", 4))
		return boot_bzimage(vm, head, len, size, ret, d);
	if (len >= 64 && !memcmp(head, "\177ELF\2\1", 6))
		return boot_pvh(vm, head, len, size, ret, d);
	return kernel_unknown(d);
}
