/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest memory that faults where something steps out of it. */
#ifndef FL_TESTS_GUARDED_H
#define FL_TESTS_GUARDED_H

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "vmm/priv.h"

#define GUARD 4096u

/* For as long as the process lives. `size` is of whole pages. */
static inline uint8_t *guarded(size_t size)
{
	uint8_t *area = mmap(NULL, size + 2ul * GUARD, PROT_READ | PROT_WRITE,
	                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED || mprotect(area, GUARD, PROT_NONE) < 0 ||
	    mprotect(area + GUARD + size, GUARD, PROT_NONE) < 0)
		abort();
	return area + GUARD;
}

/* All RAM of a machine, from address 0. */
static inline uint8_t *guarded_ram(struct vm *vm, size_t size)
{
	uint8_t *ram = guarded(size);

	vm->mem.n = 1;
	vm->mem.region[0].size = size;
	vm->mem.region[0].hva = ram;
	return ram;
}

#endif
