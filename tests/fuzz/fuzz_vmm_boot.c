/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a kernel image: it loads inside guest memory or is refused with
 * a reason; nothing is written below or behind it. The first byte of the input
 * turns garbage into something near one of the two formats, so that most runs
 * get past the first check.
 * fuzz: runs=200000 time=60
 */

#include "boot_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void nudge(uint8_t *image, size_t size, uint8_t how)
{
	if (how < 96 && size > 0x268) {
		memcpy(image + 0x202, "HdrS", 4);
		image[0x201] = 0x6a;
		image[0x1fe] = 0x55;
		image[0x1ff] = 0xaa;
		image[0x207] = 2;
		image[0x236] |= 1;
		image[0x211] |= 1;
	} else if (how < 192 && size > 64) {
		memcpy(image, "\177ELF\2\1", 6);
		image[18] = 62;
		image[19] = 0;
		store_le(image + 32, 8, 64);
		store_le(image + 54, 2, 56);
		store_le(image + 56, 2, how % 4);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rig *r = rig();
	struct boot_entry e = { .rip = 0 };
	struct diag d = { 0 };
	uint8_t *image;

	if (size < 2)
		return 0;
	image = malloc(size - 1);
	if (!image)
		return 0;
	memcpy(image, data + 1, size - 1);
	nudge(image, size - 1, data[0]);
	put_image(r, image, size - 1);
	r->vm.cfg.kernel_fd = r->image;
	judge(r, boot_load(&r->vm, &e, &d), &e, &d);
	return 0;
}
