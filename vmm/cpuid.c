/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What CPUID tells the guest: what KVM can give, less what this machine does
 * not offer, with this machine's topology: one package, one thread a core,
 * APIC id = vCPU index.
 *
 * Hidden, and why:
 *   VMX, SVM   no nested guests: a second hypervisor's state would widen the
 *              attack surface and cannot be reset here
 *   PMU        the counters are the host's; they tell about neighbours
 *   MONITOR    would let a guest keep a host core from others
 */

#include <string.h>
#include <sys/ioctl.h>

#include "vmm/numa.h"

#define LEAVES_MAX 256

struct leaves {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 e[LEAVES_MAX];
};

/* Bits of APIC id below the package. */
static unsigned id_bits(unsigned cpus)
{
	unsigned bits = 0;

	while (1u << bits < cpus)
		bits++;
	return bits;
}

static void leaf_1(struct vcpu *c, struct kvm_cpuid_entry2 *e)
{
	struct vm *vm = c->vm;
	unsigned ids = 1u << id_bits(vm->cfg.cpus);

	e->ebx = (e->ebx & 0x0000ffff) | MIN(ids, 255u) << 16 | c->index << 24;
	/* MONITOR, VMX, PDCM (its MSR is the PMU's) */
	e->ecx &= ~(BIT(3) | BIT(5) | BIT(15));
	/* x2APIC, HYPERVISOR */
	e->ecx |= BIT(21) | BIT(31);
	/* Emulated by KVM on any host, so KVM tells of it by a capability.
	 * Without it the guest calibrates the APIC timer: 100 ms. */
	if (ioctl(vm->kvm, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0)
		e->ecx |= BIT(24);
	e->edx &= ~BIT(28);
	if (vm->cfg.cpus > 1)
		e->edx |= BIT(28); /* HTT: EBX[23:16] counts */
}

/* Caches: the first two levels are a core's own, the rest is shared by the
 * vCPUs of a memory node. Intel's
 * leaf 4 and AMD's 0x8000001d have the same shape. */
static void leaf_cache(const struct vcpu *c, struct kvm_cpuid_entry2 *e)
{
	unsigned level = FIELD_GET(BITS(7, 5), e->eax);
	unsigned ids = 1u << id_bits(c->vm->cfg.cpus);
	unsigned shared = numa_shared(&c->vm->cfg);

	if (!FIELD_GET(BITS(4, 0), e->eax))
		return;
	e->eax &= BITS(13, 0);
	e->eax |= FIELD_PREP(BITS(25, 14), level > 2 ? shared - 1 : 0);
	if (e->function == 4)
		e->eax |= FIELD_PREP(BITS(31, 26), MIN(ids - 1, 63u));
}

/* Extended topology, 0xb and 0x1f: threads, then cores, then the end. */
static void leaf_topology(const struct vcpu *c, struct kvm_cpuid_entry2 *e)
{
	e->eax = e->ebx = 0;
	e->ecx = e->index & 0xff;
	e->edx = c->index;
	if (e->index == 0) {
		e->ebx = 1;
		e->ecx |= 1 << 8;
	} else if (e->index == 1) {
		e->eax = id_bits(c->vm->cfg.cpus);
		e->ebx = c->vm->cfg.cpus;
		e->ecx |= 2 << 8;
	}
}

static void leaf_amd_features(const struct vcpu *c, struct kvm_cpuid_entry2 *e)
{
	/* SVM; core, northbridge and cache counters */
	e->ecx &= ~(BIT(1) | BIT(2) | BIT(23) | BIT(24) | BIT(28));
	if (c->vm->cfg.cpus > 1)
		e->ecx |= BIT(1); /* CmpLegacy: the threads are cores */
}

static void filter(struct vcpu *c, struct kvm_cpuid_entry2 *e)
{
	switch (e->function) {
	case 0x1:
		leaf_1(c, e);
		break;
	case 0x4:
	case 0x8000001d:
		leaf_cache(c, e);
		break;
	case 0xb:
	case 0x1f:
		leaf_topology(c, e);
		break;
	case 0x5:        /* MONITOR */
	case 0xa:        /* PMU */
	case 0x8000000a: /* SVM */
	case 0x80000022: /* AMD's PMU, version 2 */
		e->eax = e->ebx = e->ecx = e->edx = 0;
		break;
	case 0x80000001:
		leaf_amd_features(c, e);
		break;
	case 0x80000008:
		e->ecx = id_bits(c->vm->cfg.cpus) << 12 | (c->vm->cfg.cpus - 1);
		break;
	case 0x8000001e:
		e->eax = c->index;
		e->ebx = c->index & 0xff; /* core, one thread in it */
		e->ecx = 0;               /* one node */
		break;
	default:
		break;
	}
}

/* KVM gives one subleaf of a topology leaf where the host has none. */
static void complete_topology(struct leaves *l, uint32_t function)
{
	unsigned have = 0;

	for (unsigned i = 0; i < l->head.nent; i++)
		have |= l->e[i].function == function
		                ? BIT(MIN(l->e[i].index, 31u))
		                : 0;
	for (uint32_t sub = 0; have && sub < 3; sub++)
		if (!(have & BIT(sub)) && l->head.nent < LEAVES_MAX)
			l->e[l->head.nent++] = (struct kvm_cpuid_entry2){
				.function = function,
				.index = sub,
				.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
			};
}

int cpuid_set(struct vcpu *c, struct diag *d)
{
	_cleanup_free_ struct leaves *l = calloc(1, sizeof(*l));
	int r = -ENOMEM;

	if (l) {
		l->head.nent = LEAVES_MAX;
		r = ioctl(c->vm->kvm, KVM_GET_SUPPORTED_CPUID, l) < 0 ? -errno
		                                                      : 0;
	}
	if (r == 0) {
		complete_topology(l, 0xb);
		complete_topology(l, 0x1f);
		for (unsigned i = 0; i < l->head.nent; i++)
			filter(c, &l->e[i]);
		r = ioctl(c->fd, KVM_SET_CPUID2, l) < 0 ? -errno : 0;
	}
	if (r < 0) {
		diag_fail(d, r, FL_VMM_KVM, "CPUID of vCPU %u", c->index);
		diag_why(d, "KVM: %s", strerror(-r));
		diag_mend(d, "fairlead doctor");
	}
	return r;
}
