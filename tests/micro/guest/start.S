/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's first instructions: PVH entry (32-bit, flat, no paging), our own
 * segments, since an interrupt loads CS from them, a stack, then guest_main().
 */
	.section .note.xen, "a", @note
	.long 4, 4, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long start

	.text
	.globl start
start:
	lgdt gdt_pointer
	ljmp $8, $1f
1:
	mov $16, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov $stack_top, %esp
	call guest_main
2:
	hlt
	jmp 2b

	.data
	.balign 8
gdt:
	.quad 0
	.quad 0x00cf9b000000ffff /* 8: code, 4 GiB */
	.quad 0x00cf93000000ffff /* 16: data, 4 GiB */
gdt_pointer:
	.word . - gdt - 1
	.long gdt

	.bss
	.balign 16
	.space 8192
stack_top:
	.section .note.GNU-stack, "", @progbits
