/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_BOOT_DIRECT_H
#define FL_VMM_BOOT_DIRECT_H

/*
 * boot_direct: a bzImage whose payload somebody has decompressed already.
 *
 * Theory of operation
 *   A bzImage is a small program with a compressed ELF kernel in it, and the
 *   table of that kernel's relocations behind the ELF file. The program
 *   decompresses both, chooses where the kernel lies in physical and in
 *   virtual memory (KASLR), corrects the kernel by the table and jumps to it.
 *   Done by each guest at each start that is a third of the time to its init.
 *   Here cfg.unpacked_fd has ELF file and table as they come out of the
 *   payload (netd keeps them: netd/kernels.h), and we do the rest:
 *
 *     read the table -> initrd, command line, boot_params as for the bzImage
 *     -> choose the places -> segments into memory -> relocations applied in
 *     it -> entry at the ELF's entry by the 64-bit boot protocol.
 *
 *   The bzImage is still there. Its header has what only the kernel knows:
 *   alignment, the address that it is linked for, limits of initrd and command
 *   line. And it is what boots where anything here is refused.
 *
 * KASLR
 *   The kernel does not lose it. The virtual address is chosen among all that
 *   its own decompressor would choose from, the physical one among those below
 *   the initrd in the memory below 4 GiB, by getrandom(2), anew at each reset;
 *   and KASLR_FLAG in boot_params tells the kernel, which then randomizes its
 *   other regions and modules itself. `nokaslr` is honoured. Where the command
 *   line takes memory away (mem=, memmap=, hugepages) the physical address is
 *   the preferred one, since that is never taken. A kernel without the table is
 *   one that was built without KASLR.
 *   Why not PVH, whose entry the ELF has, too: it is 32-bit, it ignores
 *   boot_params (so no KASLR_FLAG, no setup_data), and its code assumes that
 *   the kernel lies where it was linked.
 *   What is lost: 5-level paging, which only the decompressor can turn on. The
 *   kernel uses four levels then, enough for 64 TiB; a guest has 4.
 *
 * Trust
 *   Image and table are the user's, and were decompressed by a program that a
 *   broken image may have taken over: nothing in them is believed. Segments lie
 *   within the kernel's place, each relocation within it; the table is read
 *   once, into memory of ours. What is wrong is -ENOEXEC.
 *
 * Limits: a table of KASLR_TABLE_MAX bytes, BOOT_SEGMENTS_MAX program headers.
 */

#include <asm/bootparam.h>

#include "vmm/boot.h"

#define BOOT_SEGMENTS_MAX 64u
#define BOOT_IMAGE_MAX (1ull << 30)

/* ---- boot_direct.c ------------------------------------------------------- */

/* `h` has been checked (boot_bzimage.c). On failure guest memory holds
 * anything, and *ret is untouched. */
_must_check_ int boot_direct(struct vm *vm, const struct setup_header *h,
                             struct boot_entry *ret, struct diag *d);

/* ---- boot_bzimage.c: what both ways need --------------------------------- */

/* initrd (from `floor` on), command line, boot_params, page tables, GDT.
 * *ret_initrd: its address, 0 = there is none. */
_must_check_ int boot_page(struct vm *vm, const struct setup_header *h,
                           uint64_t at, uint64_t floor, uint64_t *ret_initrd,
                           struct diag *d);

/* ---- boot_kaslr.c: pure -------------------------------------------------- */

#define KASLR_TABLE_MAX (64u << 20)
/* arch/x86/include/asm/page_64_types.h: with KASLR. */
#define KASLR_IMAGE_SIZE (1ull << 30)
#define KASLR_MAP 0xffffffff80000000ull /* __START_KERNEL_map */
#define KASLR_ALIGN_MIN 0x200000ull     /* a PMD */

/* Where a kernel may go, and what it would be without KASLR. */
struct kaslr_place {
	uint64_t link;    /* physical address it is linked for */
	uint64_t span;    /* bytes from there to its end */
	uint64_t align;   /* of its places */
	uint64_t ceiling; /* first physical address that is not free */
};
/* The places that two random numbers stand for. `link` + `span` lies below
 * `ceiling`. */
uint64_t kaslr_physical(const struct kaslr_place *p, uint64_t random);
uint64_t kaslr_virtual(const struct kaslr_place *p, uint64_t random);

/* Words of the command line. */
bool kaslr_wanted(const char *cmdline);
bool kaslr_may_move(const char *cmdline);

/* arch/x86/boot/compressed/misc.c, handle_relocations(): from the end, 32-bit
 * addresses of what is to be corrected, in three lists (32-bit, 32-bit to be
 * lessened, 64-bit; from Linux 6.15 on two, without the second), a zero before
 * each. */
struct kaslr_table {
	const uint8_t *words; /* little-endian */
	size_t n;             /* of 4 bytes */
	unsigned lists;
};
/* Whole: zeros where they must be. -ENOEXEC. */
_must_check_ int kaslr_table(const uint8_t *bytes, size_t len,
                             struct kaslr_table *ret);
/* `kernel`: its p->span bytes as they lie in memory; `delta`: its virtual
 * address beyond KASLR_MAP + p->link. -ENOEXEC where an entry lies outside;
 * those before it are applied then. */
_must_check_ int kaslr_apply(const struct kaslr_table *t,
                             const struct kaslr_place *p, uint8_t *kernel,
                             uint64_t delta);

#endif
