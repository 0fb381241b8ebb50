/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vCPU's registers at power-on, and at the kernel's entry.
 *
 * Order: special registers before the local APIC (APIC base says which form
 * its registers have), the local APIC before MSRs (TSC deadline is refused
 * while the timer is in another mode), mp_state last.
 * A reset must leave no address behind that KVM writes to by itself: clock,
 * steal time, asynchronous page faults; the new kernel would find its memory
 * changed.
 */

#include <string.h>
#include <sys/ioctl.h>

#include "vmm/priv.h"

enum {
	CR0_PE = BIT(0),
	CR0_ET = BIT(4),
	CR0_NE = BIT(5),
	CR0_PG = BIT(31),
	CR4_PAE = BIT(5),
	EFER_LME = BIT(8),
	EFER_LMA = BIT(10),
	APIC_BASE_BSP = BIT(8),
	APIC_BASE_X2 = BIT(10),
	APIC_BASE_ENABLE = BIT(11),
};

/* clang-format off */
/* Values of SDM vol. 3 table 10-1 after RESET, except where said. */
static const struct {
	uint32_t index;
	uint64_t value;
} reset_msr[] = {
	{ 0x000001a0, 1 },                     /* MISC_ENABLE: fast strings */
	{ 0x000002ff, 0x806 },                 /* MTRR: on, write-back: what
	                                          firmware would have set */
	{ 0x00000277, 0x0007040600070406 },    /* PAT */
	{ 0x0000003b, 0 },                     /* TSC_ADJUST */
	{ 0x00000174, 0 },                     /* SYSENTER_CS */
	{ 0x00000175, 0 },                     /* SYSENTER_ESP */
	{ 0x00000176, 0 },                     /* SYSENTER_EIP */
	{ 0xc0000081, 0 },                     /* STAR */
	{ 0xc0000082, 0 },                     /* LSTAR */
	{ 0xc0000083, 0 },                     /* CSTAR */
	{ 0xc0000084, 0 },                     /* SFMASK */
	{ 0xc0000102, 0 },                     /* KERNEL_GS_BASE */
	{ 0xc0000103, 0 },                     /* TSC_AUX */
	{ 0x00000048, 0 },                     /* SPEC_CTRL */
	{ 0x00000da0, 0 },                     /* XSS */
	{ 0x000001d9, 0 },                     /* DEBUGCTL */
	{ 0x000006e0, 0 },                     /* TSC_DEADLINE */
	{ 0x4b564d00, 0 },                     /* KVM wall clock */
	{ 0x4b564d01, 0 },                     /* KVM system time */
	{ 0x4b564d02, 0 },                     /* KVM async page faults */
	{ 0x4b564d03, 0 },                     /* KVM steal time */
	{ 0x4b564d04, 0 },                     /* KVM PV EOI */
	{ 0x4b564d05, 1 },                     /* KVM poll control */
	{ 0x4b564d06, 0 },                     /* KVM async page fault vector */
	{ 0x4b564d08, 0 },                     /* KVM migration control */
};
/* clang-format on */
#define RESET_MSRS ARRAY_SIZE(reset_msr)

/* KVM stops at the first MSR that this host or model has not: skip it. An
 * error is another matter. */
static int set_msrs(int fd)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry e[RESET_MSRS];
	} m;
	size_t at = 0;

	while (at < RESET_MSRS) {
		int done;

		memset(&m, 0, sizeof(m));
		for (size_t i = at; i < RESET_MSRS; i++)
			m.e[i - at] = (struct kvm_msr_entry){
				.index = reset_msr[i].index,
				.data = reset_msr[i].value,
			};
		m.head.nmsrs = (uint32_t)(RESET_MSRS - at);
		done = ioctl(fd, KVM_SET_MSRS, &m);
		if (done < 0)
			return -errno;
		at += (size_t)done + 1;
	}
	return 0;
}

static struct kvm_segment segment(uint16_t selector, uint8_t type, bool code64)
{
	bool code = type & 8;

	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.s = 1,
		.g = 1,
		.l = code64,
		.db = !(code && code64),
	};
}

/* Flat segments with the selectors of Documentation/arch/x86/boot.rst:
 * __BOOT_CS 0x10, __BOOT_DS 0x18. */
static void flat_segments(struct kvm_sregs *s, bool code64)
{
	struct kvm_segment data = segment(0x18, 3, false);

	s->cs = segment(0x10, 11, code64);
	s->ds = s->es = s->fs = s->gs = s->ss = data;
	s->tr = (struct kvm_segment){
		.limit = 0x67,
		.type = 11,
		.present = 1,
	};
	s->ldt = (struct kvm_segment){ .type = 2, .unusable = 1 };
	s->gdt =
		(struct kvm_dtable){ .base = MAP_BOOT_GDT, .limit = 4 * 8 - 1 };
	s->idt = (struct kvm_dtable){ .limit = 0 };
}

static void entry_sregs(struct kvm_sregs *s, enum boot_mode mode)
{
	bool long_mode = mode == BOOT_LINUX64;

	flat_segments(s, long_mode);
	s->cr2 = 0;
	s->cr8 = 0;
	s->cr0 = CR0_PE | CR0_ET | (long_mode ? CR0_PG | CR0_NE : 0u);
	s->cr3 = long_mode ? MAP_BOOT_PAGES : 0;
	s->cr4 = long_mode ? CR4_PAE : 0;
	s->efer = long_mode ? EFER_LME | EFER_LMA : 0;
}

static void entry_regs(struct kvm_regs *g, const struct boot_entry *e)
{
	*g = (struct kvm_regs){ .rip = e->rip, .rflags = 2 };
	if (e->mode == BOOT_PVH)
		g->rbx = e->arg;
	else
		g->rsi = e->arg;
}

static int set_extended(struct vcpu *c)
{
	struct kvm_fpu fpu = { .fcw = 0x37f, .mxcsr = 0x1f80 };
	struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs = { { .value = 1 } } };
	struct kvm_debugregs debug = { .dr6 = 0xffff0ff0, .dr7 = 0x400 };
	struct kvm_vcpu_events events = { .flags = 0 };

	if (ioctl(c->fd, KVM_SET_FPU, &fpu) < 0 ||
	    ioctl(c->fd, KVM_SET_DEBUGREGS, &debug) < 0 ||
	    ioctl(c->fd, KVM_SET_VCPU_EVENTS, &events) < 0)
		return -errno;
	/* A host without XSAVE has no XCR0. */
	if (ioctl(c->fd, KVM_SET_XCRS, &xcrs) < 0 && errno != EINVAL)
		return -errno;
	return 0;
}

/* Where an id is beyond 254, firmware hands over in x2APIC mode (Intel SDM 3A
 * 11.12.7): a kernel that reads the MADT in the other leaves those CPUs out. */
static uint64_t apic_base(const struct vcpu *c)
{
	return MAP_LAPIC | APIC_BASE_ENABLE |
	       (c->vm->wide_ids ? APIC_BASE_X2 : 0u) |
	       (c->index ? 0u : APIC_BASE_BSP);
}

/* KVM makes it in xAPIC mode, in which its registers have another form. */
static int enter_x2apic(struct vcpu *c)
{
	struct kvm_sregs s;

	if (ioctl(c->fd, KVM_GET_SREGS, &s) < 0)
		return -errno;
	s.apic_base = apic_base(c);
	return ioctl(c->fd, KVM_SET_SREGS, &s) < 0 ? -errno : 0;
}

int vcpu_take_lapic(struct vcpu *c)
{
	int r = c->vm->wide_ids ? enter_x2apic(c) : 0;

	if (r == 0 && ioctl(c->fd, KVM_GET_LAPIC, &c->lapic) < 0)
		r = -errno;
	return r;
}

static int set_entry(struct vcpu *c, const struct boot_entry *e)
{
	struct kvm_sregs s;
	struct kvm_regs g;

	if (ioctl(c->fd, KVM_GET_SREGS, &s) < 0)
		return -errno;
	entry_sregs(&s, e->mode);
	entry_regs(&g, e);
	memset(s.interrupt_bitmap, 0, sizeof(s.interrupt_bitmap));
	s.apic_base = apic_base(c);
	if (ioctl(c->fd, KVM_SET_SREGS, &s) < 0 ||
	    ioctl(c->fd, KVM_SET_LAPIC, &c->lapic) < 0 ||
	    ioctl(c->fd, KVM_SET_REGS, &g) < 0)
		return -errno;
	return 0;
}

int vcpu_reset(struct vcpu *c, const struct boot_entry *e, struct diag *d)
{
	struct kvm_mp_state mp = {
		.mp_state = c->index ? KVM_MP_STATE_UNINITIALIZED
		                     : KVM_MP_STATE_RUNNABLE,
	};
	int r = set_entry(c, e);

	if (r == 0)
		r = set_extended(c);
	if (r == 0)
		r = set_msrs(c->fd);
	if (r == 0 && ioctl(c->fd, KVM_SET_MP_STATE, &mp) < 0)
		r = -errno;
	if (r < 0) {
		diag_fail(d, r, FL_VMM_CPUS, "the state of vCPU %u", c->index);
		diag_why(d, "KVM: %s", strerror(-r));
		diag_mend(d, "journalctl -k | grep -i kvm");
	}
	return r;
}
