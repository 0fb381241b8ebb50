/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPUID of a vCPU: KVM's leaves through the table of cpuid_table.c.
 *
 * Order: a leaf that the table passes on begins as KVM gives it, another as
 * zeros; then its rows, as written. Leaves of the topology are made from
 * nothing, since KVM gives one subleaf where the host has none.
 */

#include <string.h>
#include <sys/ioctl.h>

#include "vmm/cpus.h"

enum {
	LEAF_TOPOLOGY = 0xb,
	LEAF_TOPOLOGY_V2 = 0x1f,
	TOPOLOGY_SUBS = 3, /* threads, cores, the end */
};

static uint32_t *reg_of(struct kvm_cpuid_entry2 *e, enum cpuid_reg r)
{
	switch (r) {
	case CPUID_EAX:
		return &e->eax;
	case CPUID_EBX:
		return &e->ebx;
	case CPUID_ECX:
		return &e->ecx;
	default:
		return &e->edx;
	}
}

static bool is_for(const struct cpuid_rule *r, const struct kvm_cpuid_entry2 *e)
{
	return e->function >= r->leaf && e->function <= r->last &&
	       (r->sub == CPUID_ALL_SUBS || (uint32_t)r->sub == e->index);
}

static void apply_one(const struct cpuid_rule *r, enum cpuid_reg reg,
                      const struct cpuid_vcpu *v, struct kvm_cpuid_entry2 *e)
{
	uint32_t *at = reg_of(e, reg);
	uint32_t bits = r->reg == CPUID_WHOLE ? UINT32_MAX : r->bits;
	uint32_t value = r->act == CPUID_MAKE ? r->make(v, e) : 0;

	*at = (*at & ~bits) | (value & bits);
}

static void apply(const struct cpuid_rule *r, const struct cpuid_vcpu *v,
                  struct kvm_cpuid_entry2 *e)
{
	if (r->act == CPUID_PASS || (r->amd_only && !v->amd))
		return;
	if (r->reg != CPUID_WHOLE) {
		apply_one(r, r->reg, v, e);
		return;
	}
	for (unsigned i = 0; i < CPUID_REGS; i++)
		apply_one(r, (enum cpuid_reg)i, v, e);
}

/* False where the guest does not have that leaf. */
static bool filter(const struct cpuid_vcpu *v, struct kvm_cpuid_entry2 *e)
{
	bool passed = false, made = false;

	for (size_t i = 0; i < cpuid_n_rules; i++)
		if (is_for(&cpuid_rules[i], e)) {
			passed |= cpuid_rules[i].act == CPUID_PASS;
			made |= cpuid_rules[i].act == CPUID_MAKE;
		}
	if (!passed)
		e->eax = e->ebx = e->ecx = e->edx = 0;
	for (size_t i = 0; i < cpuid_n_rules; i++)
		if (is_for(&cpuid_rules[i], e))
			apply(&cpuid_rules[i], v, e);
	return passed || made;
}

static int add(struct cpuid_leaves *l, struct kvm_cpuid_entry2 e,
               const struct cpuid_vcpu *v)
{
	if (!filter(v, &e))
		return 0;
	if (l->head.nent == CPUID_LEAVES_MAX)
		return -E2BIG;
	l->e[l->head.nent++] = e;
	return 0;
}

static int add_topology(struct cpuid_leaves *l, uint32_t leaf,
                        const struct cpuid_vcpu *v)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < TOPOLOGY_SUBS; i++)
		r = add(l,
		        (struct kvm_cpuid_entry2){
				.function = leaf,
				.index = i,
				.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
			},
		        v);
	return r;
}

/* "AuthenticAMD", "HygonGenuine": EBX tells. */
static bool is_amd(const struct cpuid_leaves *host)
{
	for (unsigned i = 0; i < host->head.nent; i++)
		if (!host->e[i].function)
			return host->e[i].ebx == 0x68747541 ||
			       host->e[i].ebx == 0x6f677948;
	return false;
}

int cpuid_compose(const struct cpuid_leaves *host, const struct cpuid_vcpu *v,
                  struct cpuid_leaves *ret)
{
	struct cpuid_vcpu to = *v;
	bool v2 = false;
	int r = 0;

	to.amd = is_amd(host);
	memset(&ret->head, 0, sizeof(ret->head));
	for (unsigned i = 0; r == 0 && i < host->head.nent; i++) {
		const struct kvm_cpuid_entry2 *e = &host->e[i];

		v2 |= e->function == LEAF_TOPOLOGY_V2;
		if (e->function != LEAF_TOPOLOGY &&
		    e->function != LEAF_TOPOLOGY_V2)
			r = add(ret, *e, &to);
	}
	if (r == 0)
		r = add_topology(ret, LEAF_TOPOLOGY, &to);
	if (r == 0 && v2)
		r = add_topology(ret, LEAF_TOPOLOGY_V2, &to);
	return r;
}

/* Once a machine: each leaf of it costs the host a CPUID, which is an exit
 * where the host is a guest itself. */
static int read_host(struct vm *vm)
{
	_cleanup_free_ struct cpuid_leaves *l = NULL;

	if (vm->cpuid)
		return 0;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->head.nent = CPUID_LEAVES_MAX;
	if (ioctl(vm->kvm, KVM_GET_SUPPORTED_CPUID, l) < 0)
		return -errno;
	vm->cpuid = TAKE_PTR(l);
	return 0;
}

static int set(struct vcpu *c)
{
	struct vm *vm = c->vm;
	_cleanup_free_ struct cpuid_leaves *l = calloc(1, sizeof(*l));
	const struct cpuid_vcpu v = {
		.shape = &vm->shape,
		.index = c->index,
		.id = cpu_id(&vm->shape, c->index),
		.tsc_deadline = ioctl(vm->kvm, KVM_CHECK_EXTENSION,
		                      KVM_CAP_TSC_DEADLINE_TIMER) > 0,
		.dedicated =
			vm->cfg.cpu.fifo && vm->cfg.cpu.pin.n == vm->cfg.cpus,
	};
	int r = l ? cpuid_compose(vm->cpuid, &v, l) : -ENOMEM;

	if (r == 0 && ioctl(c->fd, KVM_SET_CPUID2, l) < 0)
		r = -errno;
	return r;
}

int cpuid_set(struct vcpu *c, struct diag *d)
{
	int r = read_host(c->vm);

	if (r == 0)
		r = set(c);
	if (r < 0) {
		diag_fail(d, r, FL_VMM_KVM, "CPUID of vCPU %u", c->index);
		diag_why(d, "KVM: %s", strerror(-r));
		diag_mend(d, "fairlead doctor");
	}
	return r;
}
