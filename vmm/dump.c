/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory and registers as an ELF core (gABI chapter 5), by physical
 * address: what `crash` and gdb read. Of each vCPU an NT_PRSTATUS, and the note
 * "QEMU" with control registers and descriptor tables, from which crash finds a
 * kernel that has moved itself.
 *
 *   ELF header, program headers, notes; memory from the next page on
 *
 * The file is written in slices, each by whoever calls: the guest is parked
 * meanwhile, others are served between them. Memory that the guest never
 * touched is a hole in the memfd, and becomes one in the file.
 */

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/control.h"

#define SLICE (4u << 20)
#define PAGE 4096u
#define NOTE_NAME 8 /* "CORE" and "QEMU", with their zeros, aligned */

struct dump {
	struct vm *vm;
	int fd;
	uint64_t begin; /* of memory, in the file */
	unsigned region;
	uint64_t off; /* in it */
	uint64_t at;  /* of the region, in the file */
};

/* Version 1, as QEMU's target/i386/arch_dump.c writes it. */
struct qemu_segment {
	uint32_t selector, limit, flags, pad;
	uint64_t base;
};
struct qemu_cpu {
	uint32_t version, size;
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rip, rflags;
	struct qemu_segment cs, ds, es, fs, gs, ss, ldt, tr, gdt, idt;
	uint64_t cr[5];
	uint64_t kernel_gs_base;
};
/* Of 4 bytes' alignment, where what follows has 8: copied, not laid over. */
struct note {
	Elf64_Nhdr head;
	char name[NOTE_NAME];
};
#define CPU_NOTES                                                              \
	(2 * sizeof(struct note) + sizeof(struct elf_prstatus) +               \
	 sizeof(struct qemu_cpu))
CHECK_SIZE(struct note, 20);
CHECK_SIZE(struct qemu_cpu, 8 + 18 * 8 + 10 * 24 + 6 * 8);

static int fail(int err, const char *why, struct diag *d)
{
	diag_fail(d, err, FL_VMM_DUMP, "writing the guest's memory to a file");
	diag_why(d, "%s", why);
	diag_mend(d, "fairlead dump GUEST FILE, to where there is room");
	return err;
}

/* ---- registers ----------------------------------------------------------- */

static struct qemu_segment segment(const struct kvm_segment *s)
{
	return (struct qemu_segment){
		.selector = s->selector,
		.limit = s->limit,
		.base = s->base,
		/* As in the upper half of a descriptor, SDM 3A 3.4.5. */
		.flags = (uint32_t)s->type << 8 | (uint32_t)s->s << 12 |
		         (uint32_t)s->dpl << 13 | (uint32_t)s->present << 15 |
		         (uint32_t)s->avl << 20 | (uint32_t)s->l << 21 |
		         (uint32_t)s->db << 22 | (uint32_t)s->g << 23,
	};
}

static void put_status(struct elf_prstatus *p, unsigned cpu,
                       const struct kvm_regs *r, const struct kvm_sregs *s)
{
	/* struct user_regs_struct, <sys/user.h>. */
	const unsigned long long regs[ELF_NGREG] = {
		r->r15,         r->r14,         r->r13,         r->r12,
		r->rbp,         r->rbx,         r->r11,         r->r10,
		r->r9,          r->r8,          r->rax,         r->rcx,
		r->rdx,         r->rsi,         r->rdi,         r->rax,
		r->rip,         s->cs.selector, r->rflags,      r->rsp,
		s->ss.selector, s->fs.base,     s->gs.base,     s->ds.selector,
		s->es.selector, s->fs.selector, s->gs.selector,
	};

	p->pr_pid = (int)cpu + 1;
	memcpy(p->pr_reg, regs, sizeof(regs));
}

static void put_qemu(struct qemu_cpu *q, const struct kvm_regs *r,
                     const struct kvm_sregs *s)
{
	*q = (struct qemu_cpu){
		.version = 1,
		.size = sizeof(*q),
		.rax = r->rax,
		.rbx = r->rbx,
		.rcx = r->rcx,
		.rdx = r->rdx,
		.rsi = r->rsi,
		.rdi = r->rdi,
		.rsp = r->rsp,
		.rbp = r->rbp,
		.r8 = r->r8,
		.r9 = r->r9,
		.r10 = r->r10,
		.r11 = r->r11,
		.r12 = r->r12,
		.r13 = r->r13,
		.r14 = r->r14,
		.r15 = r->r15,
		.rip = r->rip,
		.rflags = r->rflags,
		.cs = segment(&s->cs),
		.ds = segment(&s->ds),
		.es = segment(&s->es),
		.fs = segment(&s->fs),
		.gs = segment(&s->gs),
		.ss = segment(&s->ss),
		.ldt = segment(&s->ldt),
		.tr = segment(&s->tr),
		.gdt = { .limit = s->gdt.limit, .base = s->gdt.base },
		.idt = { .limit = s->idt.limit, .base = s->idt.base },
		.cr = { s->cr0, 0, s->cr2, s->cr3, s->cr4 },
	};
}

static uint8_t *put_note(uint8_t *to, const char *name, uint32_t type,
                         const void *body, size_t size)
{
	struct note n = { .head = { 5, (Elf64_Word)size, type } };

	memcpy(n.name, name, 5);
	memcpy(to, &n, sizeof(n));
	memcpy(to + sizeof(n), body, size);
	return to + sizeof(n) + size;
}

static int cpu_notes(const struct vcpu *c, uint8_t *to)
{
	struct elf_prstatus status = { .pr_pid = 0 };
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	struct qemu_cpu qemu;

	if (ioctl(c->fd, KVM_GET_REGS, &regs) < 0 ||
	    ioctl(c->fd, KVM_GET_SREGS, &sregs) < 0)
		return -errno;
	put_status(&status, c->index, &regs, &sregs);
	put_qemu(&qemu, &regs, &sregs);
	to = put_note(to, "CORE", NT_PRSTATUS, &status, sizeof(status));
	put_note(to, "QEMU", 0, &qemu, sizeof(qemu));
	return 0;
}

/* ---- the head ------------------------------------------------------------ */

static uint64_t notes_at(const struct vm *vm)
{
	return sizeof(Elf64_Ehdr) + (1 + vm->mem.n) * sizeof(Elf64_Phdr);
}

static void put_headers(const struct dump *p, uint8_t *to)
{
	const struct vm *vm = p->vm;
	const Elf64_Ehdr head = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
		             ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(head),
		.e_ehsize = sizeof(head),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (Elf64_Half)(1 + vm->mem.n),
	};
	Elf64_Phdr part = {
		.p_type = PT_NOTE,
		.p_offset = notes_at(vm),
		.p_filesz = vm->cfg.cpus * CPU_NOTES,
		.p_align = 4,
	};
	uint64_t at = p->begin;

	memcpy(to, &head, sizeof(head));
	to += sizeof(head);
	memcpy(to, &part, sizeof(part));
	for (unsigned i = 0; i < vm->mem.n; i++) {
		const struct mem_region *r = &vm->mem.region[i];

		part = (Elf64_Phdr){
			.p_type = PT_LOAD,
			.p_flags = PF_R | PF_W | PF_X,
			.p_offset = at,
			.p_vaddr = r->gpa.v,
			.p_paddr = r->gpa.v,
			.p_filesz = r->size,
			.p_memsz = r->size,
			.p_align = PAGE,
		};
		memcpy(to + (1 + i) * sizeof(part), &part, sizeof(part));
		at += r->size;
	}
}

static int write_head(struct dump *p)
{
	struct vm *vm = p->vm;
	_cleanup_free_ uint8_t *head = calloc(1, p->begin);
	uint64_t at = notes_at(vm);
	int r = head ? 0 : -ENOMEM;

	if (r < 0)
		return r;
	put_headers(p, head);
	for (unsigned i = 0; r == 0 && i < vm->cfg.cpus; i++) {
		r = cpu_notes(&vm->cpu[i], head + at);
		at += CPU_NOTES;
	}
	return r < 0 ? r : fd_pwrite_full(p->fd, head, p->begin, 0);
}

/* Memory that nobody touched is not written: the file must be empty. And what
 * is no file could have the guest wait for whoever reads it. */
static int check(int fd, struct diag *d)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (fstat(fd, &st) < 0 || flags < 0)
		return fail(-errno, strerror(errno), d);
	if (!S_ISREG(st.st_mode) || st.st_size ||
	    (flags & O_ACCMODE) == O_RDONLY || (flags & O_APPEND))
		return fail(-EINVAL,
		            "it must be an empty regular file, "
		            "opened for writing",
		            d);
	return 0;
}

int dump_new(struct vm *vm, int fd, struct dump **ret, struct diag *d)
{
	struct dump *p = calloc(1, sizeof(*p));
	int r = p ? check(fd, d) : fail(-ENOMEM, strerror(ENOMEM), d);

	if (r < 0) {
		close_fd(&fd);
		free(p);
		return r;
	}
	p->vm = vm;
	p->fd = fd;
	p->begin = ALIGN_UP(notes_at(vm) + vm->cfg.cpus * CPU_NOTES,
	                    (uint64_t)PAGE);
	p->at = p->begin;
	r = write_head(p);
	if (r < 0) {
		dump_free(p);
		return fail(r, strerror(-r), d);
	}
	*ret = p;
	return 0;
}

void dump_free(struct dump *p)
{
	if (!p)
		return;
	close_fd(&p->fd);
	free(p);
}

uint64_t dump_bytes(const struct dump *p)
{
	uint64_t sum = p->begin;

	for (unsigned i = 0; i < p->vm->mem.n; i++)
		sum += p->vm->mem.region[i].size;
	return sum;
}

/* ---- memory -------------------------------------------------------------- */

/* Up to the next byte that is there; a file system that knows no holes has
 * bytes everywhere. */
static void skip_hole(struct dump *p, const struct mem_region *r)
{
	off_t from = (off_t)(r->memfd_off + p->off);
	off_t data = lseek(p->vm->mem.memfd, from, SEEK_DATA);

	if (data < 0 && errno == ENXIO)
		p->off = r->size;
	else if (data > from)
		p->off = MIN(r->size, (uint64_t)data - r->memfd_off);
}

static uint64_t slice(const struct dump *p, const struct mem_region *r)
{
	off_t from = (off_t)(r->memfd_off + p->off);
	off_t hole = lseek(p->vm->mem.memfd, from, SEEK_HOLE);
	uint64_t n = MIN(r->size - p->off, (uint64_t)SLICE);

	return hole > from ? MIN(n, (uint64_t)(hole - from)) : n;
}

/* The last byte makes the file as long as it says that it is. */
static int write_end(struct dump *p)
{
	const struct mem_region *r = &p->vm->mem.region[p->vm->mem.n - 1];

	return fd_pwrite_full(p->fd, (uint8_t *)r->hva + r->size - 1, 1,
	                      dump_bytes(p) - 1);
}

int dump_step(struct dump *p, struct diag *d)
{
	const struct mem_region *r = &p->vm->mem.region[p->region];
	uint64_t n;
	int err = 0;

	if (p->region == p->vm->mem.n) {
		err = write_end(p);
		return err < 0 ? fail(err, strerror(-err), d) : 0;
	}
	skip_hole(p, r);
	n = p->off < r->size ? slice(p, r) : 0;
	if (n)
		err = fd_pwrite_full(p->fd, (uint8_t *)r->hva + p->off, n,
		                     p->at + p->off);
	if (err < 0)
		return fail(err, strerror(-err), d);
	p->off += n;
	if (p->off == r->size) {
		p->at += r->size;
		p->off = 0;
		p->region++;
	}
	return 1;
}
