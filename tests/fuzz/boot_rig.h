/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the targets that load kernels have in common: a guest's memory, a file,
 * and what must be true whatever was in it.
 */
#ifndef FL_TESTS_FUZZ_BOOT_RIG_H
#define FL_TESTS_FUZZ_BOOT_RIG_H

#include <string.h>
#include <unistd.h>

#include "guarded.h"
#include "vmm/boot.h"

#define RAM (16u << 20)

struct rig {
	struct vm vm;
	int image;
};

static inline struct rig *rig(void)
{
	static struct rig r; /* the fuzzer's process has one guest */

	if (r.vm.mem.n)
		return &r;
	guarded_ram(&r.vm, RAM);
	r.vm.cfg.initrd_fd = r.vm.cfg.unpacked_fd = r.vm.cfg.kernel_fd = -1;
	r.vm.cfg.cmdline = "console=ttyS0";
	r.image = memfd_create("image", MFD_CLOEXEC);
	return &r;
}

/* Writes the image to the file, and frees it. */
static inline void put_image(struct rig *r, uint8_t *image, size_t size)
{
	if (ftruncate(r->image, 0) < 0 ||
	    fd_pwrite_full(r->image, image, size, 0) < 0)
		abort();
	free(image);
}

/* A refusal says why; an entry lies in memory. */
static inline void judge(struct rig *r, int ret, const struct boot_entry *e,
                         const struct diag *d)
{
	if (ret < 0 ? d->err != ret || !d->why[0] || !d->mend[0]
	            : !memory_at(&r->vm, (struct gpa){ e->rip }, 1))
		abort();
}

#endif
