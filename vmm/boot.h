/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_BOOT_H
#define FL_VMM_BOOT_H

/*
 * boot*.c: kernel images, from a descriptor into guest memory. The image is
 * whoever's who wrote the policy, and read once into what it is checked in.
 */

#include "vmm/priv.h"

/* Loads kernel, initrd, command line, memory map; again at each reset. Uses
 * vm->mem, vm->rsdp and the descriptors of vm->cfg, nothing else. */
_must_check_ int boot_load(struct vm *vm, struct boot_entry *ret,
                           struct diag *d);

/* What the two loaders share; see boot.c. */
struct boot_range {
	uint64_t start, size;
	uint32_t type; /* e820: 1 RAM, 2 reserved, 3 ACPI */
};
#define BOOT_RANGES_MAX 8
unsigned boot_map(const struct vm *vm,
                  struct boot_range ret[static BOOT_RANGES_MAX]);
/* Reads [off, off+len) of the kernel image to guest address `gpa`. */
_must_check_ int boot_read(struct vm *vm, int fd, uint64_t off, uint64_t len,
                           struct gpa gpa);
/* Places the initrd as high as it goes in [floor, ceiling). */
_must_check_ int boot_initrd(struct vm *vm, uint64_t floor, uint64_t ceiling,
                             uint64_t *ret_at, uint64_t *ret_size,
                             struct diag *d);
_must_check_ int boot_cmdline(struct vm *vm, uint64_t limit, struct diag *d);
_must_check_ int boot_bzimage(struct vm *vm, const uint8_t *head, size_t len,
                              uint64_t file_size, struct boot_entry *ret,
                              struct diag *d);
_must_check_ int boot_pvh(struct vm *vm, const uint8_t *head, size_t len,
                          uint64_t file_size, struct boot_entry *ret,
                          struct diag *d);

#endif
