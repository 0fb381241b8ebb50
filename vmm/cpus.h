/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_CPUS_H
#define FL_VMM_CPUS_H

/*
 * The guest's CPUs: how they are numbered, what CPUID says of them, and where
 * on the host they run.
 *
 * Theory of operation
 *   Numbers (cpu_ids.c). vCPU i is thread i % threads of core
 *   i / threads % cores of socket i / threads / cores. Its APIC id has a field
 *   for each, as few bits wide as hold it, thread lowest (Intel SDM 3A 10.9.1):
 *   so ids have gaps where a count is no power of two. `id_shift` widens the
 *   part below the socket, as real parts do; ids then go beyond 255.
 *   KVM's vCPU id is the APIC id; everything else of ours counts by index.
 *
 *   Ids from 255 on are x2APIC's only. An interrupt message has 8 bits for its
 *   destination; KVM tells its guests of 7 more in address bits 11:5
 *   (KVM_FEATURE_MSI_EXT_DEST_ID), which cpu_msi_upper() hands on. KVM's IOAPIC
 *   does not have them: pins reach the CPUs up to 254, and the policy asks for
 *   a guest's kernel that is told so.
 *
 *   CPUID (cpuid_table.c, cpuid.c). One const table in leaf order says of each
 *   leaf what is passed on, hidden or made here, and why. A leaf that it does
 *   not name is not in the guest, so a newer host's kernel adds nothing that
 *   nobody thought about. docs/cpu.md prints the table, and a test compares.
 *   cpuid_compose() is pure: KVM's leaves in, one vCPU's leaves out.
 *
 *   Places (placement.c). The main thread goes to the emulator's CPUs when RAM
 *   is being brought in by threads that were made before (these use all CPUs
 *   of the process), and before anything else makes a thread: the data path's
 *   loop and the kernel's vhost workers are where their maker was. vCPUs'
 *   threads get theirs while they wait, parked, for the sandbox, which knows no
 *   call that moves a thread or changes its scheduler. What the kernel made of
 *   a request is read back: it cuts an affinity down without a word.
 *
 * Order: cpu_shape() before the VM's first vCPU; placement_begin() after
 * memory_init(), before devices; placement_vcpus() between vcpus_start() and
 * sandbox_syscalls().
 */

#include "vmm/priv.h"

/* ---- cpu_ids.c; pure ----------------------------------------------------- */

/* -EINVAL FL_VMM_CPUS: the counts do not fit one another. */
_must_check_ int cpu_shape_of(const struct vm_config *c, struct cpu_shape *ret,
                              struct diag *d);
uint32_t cpu_id(const struct cpu_shape *s, unsigned index);
uint32_t cpu_id_last(const struct cpu_shape *s);
/* -1 = no vCPU has that id. */
int cpu_index(const struct cpu_shape *s, uint32_t id);
/* What KVM makes of them. -ERANGE FL_VMM_APIC_ID. */
_must_check_ int cpu_ids_check(const struct cpu_shape *s, unsigned max_cpus,
                               unsigned max_ids, struct diag *d);

/* ---- cpuid_table.c ------------------------------------------------------- */

#define CPUID_LEAVES_MAX 256
struct cpuid_leaves {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 e[CPUID_LEAVES_MAX];
};

enum cpuid_reg {
	CPUID_EAX,
	CPUID_EBX,
	CPUID_ECX,
	CPUID_EDX,
	CPUID_REGS,
	CPUID_WHOLE = CPUID_REGS, /* all four, all bits */
};
enum cpuid_act {
	CPUID_PASS, /* as KVM gives it; the leaf is in the guest */
	CPUID_HIDE, /* zero */
	CPUID_MAKE, /* by `make`; the leaf is in the guest */
};
struct cpuid_vcpu { /* whom it is for */
	const struct cpu_shape *shape;
	unsigned index;
	uint32_t id;
	bool tsc_deadline; /* KVM_CAP_TSC_DEADLINE_TIMER */
	bool dedicated;    /* each has a CPU, in real time */
	bool amd;          /* or Hygon, by leaf 0 */
};
#define CPUID_ALL_SUBS (-1)
struct cpuid_rule {
	uint32_t leaf, last; /* the same leaf, or a range */
	int sub;             /* CPUID_ALL_SUBS, or this one only */
	enum cpuid_reg reg;
	uint32_t bits;
	enum cpuid_act act;
	/* The register's value, of which `bits` are taken; `e` is what there
	 * is so far. */
	uint32_t (*make)(const struct cpuid_vcpu *v,
	                 const struct kvm_cpuid_entry2 *e);
	bool amd_only; /* elsewhere the bits are passed */
	const char *what, *why;
};
extern const struct cpuid_rule cpuid_rules[];
extern const size_t cpuid_n_rules;

/* ---- cpuid.c ------------------------------------------------------------- */

/* Pure. *ret may not be *host. -E2BIG. */
_must_check_ int cpuid_compose(const struct cpuid_leaves *host,
                               const struct cpuid_vcpu *v,
                               struct cpuid_leaves *ret);

/* ---- placement.c --------------------------------------------------------- */

/* FL_VMM_PIN */
_must_check_ int placement_begin(struct vm *vm, struct diag *d);
/* FL_VMM_PIN, FL_VMM_SCHEDULER */
_must_check_ int placement_vcpus(struct vm *vm, struct diag *d);

#endif
