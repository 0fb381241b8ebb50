/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a decompressed kernel with relocations: it loads inside guest
 * memory or is refused with a reason, and nothing is written below or behind
 * it. The first byte of the input makes an ELF file of it, the second how much
 * of the end is the relocations'.
 * fuzz: runs=200000 time=60
 */

#include "boot_rig.h"

#include "vmm/boot_direct.h"

#define LINK 0x200000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct setup_header header = {
	.pref_address = LINK,
	.kernel_alignment = LINK,
	.relocatable_kernel = 1,
	.cmdline_size = 2047,
	.initrd_addr_max = 0x7fffffff,
};

/* Addresses near enough to the kernel's that they may be in it. */
static void make_elf(uint8_t *image, size_t size, unsigned phnum)
{
	memcpy(image, "\177ELF\2\1", 6);
	store_le(image + 18, 2, 62);
	store_le(image + 24, 8, LINK + image[24]);
	store_le(image + 32, 8, 64);
	store_le(image + 40, 8, 0);
	store_le(image + 54, 2, 56);
	store_le(image + 56, 2, phnum);
	store_le(image + 60, 2, 0);
	for (unsigned i = 0; i < phnum && 120 + 56ul * i <= size; i++) {
		uint8_t *ph = image + 64 + 56ul * i;

		store_le(ph, 4, ph[0] % 4 ? 1 : 4);
		store_le(ph + 8, 8, load_le(ph + 8, 1));
		store_le(ph + 24, 8, LINK + load_le(ph + 24, 2) * 256);
		store_le(ph + 32, 8, load_le(ph + 32, 1));
		store_le(ph + 40, 8, load_le(ph + 40, 3));
	}
}

static void make_table(uint8_t *image, size_t size, size_t words)
{
	for (size_t i = 0; i < words && 4 * (i + 1) < size; i++) {
		uint8_t *at = image + size - 4 * (i + 1);

		if (at[3] < 32)
			store_le(at, 4, 0);
		else if (at[3] < 224)
			store_le(at, 4,
			         KASLR_MAP + LINK + (load_le(at, 3) & 0xffff));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rig *r = rig();
	struct boot_entry e = { .rip = 0 };
	struct diag d = { 0 };
	uint8_t *image;

	if (size < 66)
		return 0;
	image = malloc(size - 2);
	if (!image)
		return 0;
	memcpy(image, data + 2, size - 2);
	if (data[0] < 240)
		make_elf(image, size - 2, data[0] % 4);
	make_table(image, size - 2, data[1]);
	put_image(r, image, size - 2);
	r->vm.cfg.unpacked_fd = r->image;
	judge(r, boot_direct(&r->vm, &header, &e, &d), &e, &d);
	return 0;
}
