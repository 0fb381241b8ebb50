/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/bench/packet.h"

void bench_map(struct vm *vm, const char *file)
{
	_cleanup_close_ int fd = open(file, O_RDWR | O_CLOEXEC);
	void *p = fd < 0 ? MAP_FAILED
	                 : mmap(NULL, BENCH_RAM, PROT_READ | PROT_WRITE,
	                        MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		bench_fail(file);
	vm->mem.n = 1;
	vm->mem.region[0].size = BENCH_RAM;
	vm->mem.region[0].hva = p;
}
