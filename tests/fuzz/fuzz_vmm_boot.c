/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a kernel image: it loads inside guest memory or is refused with
 * a reason; nothing is written below or behind it. The first byte of the input
 * turns garbage into something near one of the two formats, so that most runs
 * get past the first check.
 * fuzz: runs=200000 time=60
 */

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/priv.h"

#define RAM (16u << 20)
#define GUARD 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct rig {
	struct vm vm;
	uint8_t *area;
};

static struct rig *rig(void)
{
	static struct rig r; /* the fuzzer's process has one guest */

	if (r.area)
		return &r;
	r.area = mmap(NULL, RAM + 2 * GUARD, PROT_READ | PROT_WRITE,
	              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r.area == MAP_FAILED)
		abort();
	/* What steps out of guest memory faults. */
	mprotect(r.area, GUARD, PROT_NONE);
	mprotect(r.area + GUARD + RAM, GUARD, PROT_NONE);
	r.vm.mem.n = 1;
	r.vm.mem.region[0].size = RAM;
	r.vm.mem.region[0].hva = r.area + GUARD;
	r.vm.cfg.initrd_fd = r.vm.cfg.unpacked_fd = -1;
	r.vm.cfg.cmdline = "console=ttyS0";
	r.vm.cfg.kernel_fd = memfd_create("image", MFD_CLOEXEC);
	return &r;
}

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
	int ret;

	if (size < 2)
		return 0;
	image = malloc(size - 1);
	if (!image)
		return 0;
	memcpy(image, data + 1, size - 1);
	nudge(image, size - 1, data[0]);
	if (ftruncate(r->vm.cfg.kernel_fd, 0) < 0 ||
	    fd_pwrite_full(r->vm.cfg.kernel_fd, image, size - 1, 0) < 0)
		abort();
	free(image);
	ret = boot_load(&r->vm, &e, &d);
	/* A refusal says why; an entry lies in memory. */
	if (ret < 0 ? d.err != ret || !d.why[0] || !d.mend[0]
	            : !memory_at(&r->vm, (struct gpa){ e.rip }, 1))
		abort();
	return 0;
}
