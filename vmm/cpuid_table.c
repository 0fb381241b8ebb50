/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What CPUID tells the guest, by leaf, register and bit, each with its reason:
 * Intel SDM 2A "CPUID", AMD APM 3 appendix E, Documentation/virt/kvm/x86/
 * cpuid.rst. In leaf order. A leaf with neither PASS nor MAKE is not in the
 * guest, and nor is one without a row.
 *
 * What KVM does not give is not listed as hidden, but where a kernel may give
 * it one day: the reason would be the same.
 */

#include "vmm/cpus.h"

/* ---- made here ----------------------------------------------------------- */

static unsigned in_socket(const struct cpuid_vcpu *v)
{
	return v->shape->cores * v->shape->threads;
}

/* APIC ids that a socket takes, those between its CPUs' too. */
static uint32_t ids_in_socket(const struct cpuid_vcpu *v)
{
	return 1u << v->shape->socket_shift;
}

static uint32_t make_max_leaf(const struct cpuid_vcpu *v,
                              const struct kvm_cpuid_entry2 *e)
{
	(void)v;
	return MAX(e->eax, 0xbu);
}

static uint32_t make_leaf1_ebx(const struct cpuid_vcpu *v,
                               const struct kvm_cpuid_entry2 *e)
{
	(void)e;
	return v->id << 24 | MIN(ids_in_socket(v), 255u) << 16;
}

static uint32_t make_ones(const struct cpuid_vcpu *v,
                          const struct kvm_cpuid_entry2 *e)
{
	(void)v;
	(void)e;
	return UINT32_MAX;
}

static uint32_t make_tsc_deadline(const struct cpuid_vcpu *v,
                                  const struct kvm_cpuid_entry2 *e)
{
	(void)e;
	return v->tsc_deadline ? UINT32_MAX : 0;
}

static uint32_t make_if_many(const struct cpuid_vcpu *v,
                             const struct kvm_cpuid_entry2 *e)
{
	(void)e;
	return in_socket(v) > 1 ? UINT32_MAX : 0;
}

/* Levels 1 and 2 are a core's own, the others a socket's. Intel's leaf 4 and
 * AMD's 0x8000001d have the same shape. Only leaf 4 counts cores. */
static uint32_t make_cache(const struct cpuid_vcpu *v,
                           const struct kvm_cpuid_entry2 *e)
{
	unsigned level = FIELD_GET(BITS(7, 5), e->eax);
	uint32_t core = 1u << v->shape->thread_bits;
	uint32_t ids = level > 2 ? ids_in_socket(v) : core;
	uint32_t cores = ids_in_socket(v) / core;

	if (!FIELD_GET(BITS(4, 0), e->eax))
		return 0;
	return FIELD_PREP(BITS(25, 14), MIN(ids - 1, 4095u)) |
	       FIELD_PREP(BITS(31, 26), MIN(cores - 1, 63u));
}

/* Of the extended topology: subleaf 0 is of threads, 1 of cores. */
static uint32_t make_level_shift(const struct cpuid_vcpu *v,
                                 const struct kvm_cpuid_entry2 *e)
{
	if (e->index == 0)
		return v->shape->thread_bits;
	return e->index == 1 ? v->shape->socket_shift : 0;
}

static uint32_t make_level_count(const struct cpuid_vcpu *v,
                                 const struct kvm_cpuid_entry2 *e)
{
	if (e->index == 0)
		return v->shape->threads;
	return e->index == 1 ? in_socket(v) : 0;
}

static uint32_t make_level_type(const struct cpuid_vcpu *v,
                                const struct kvm_cpuid_entry2 *e)
{
	enum {
		LEVEL_THREAD = 1,
		LEVEL_CORE = 2
	};
	uint32_t type = e->index == 0   ? LEVEL_THREAD
	                : e->index == 1 ? LEVEL_CORE
	                                : 0;

	(void)v;
	return (e->index & 0xff) | type << 8;
}

static uint32_t make_id(const struct cpuid_vcpu *v,
                        const struct kvm_cpuid_entry2 *e)
{
	(void)e;
	return v->id;
}

static uint32_t make_wide(const struct cpuid_vcpu *v,
                          const struct kvm_cpuid_entry2 *e)
{
	(void)e;
	return cpu_id_last(v->shape) >= 255 ? UINT32_MAX : 0;
}

static uint32_t make_dedicated(const struct cpuid_vcpu *v,
                               const struct kvm_cpuid_entry2 *e)
{
	(void)e;
	return v->dedicated ? UINT32_MAX : 0;
}

static uint32_t make_amd_sizes(const struct cpuid_vcpu *v,
                               const struct kvm_cpuid_entry2 *e)
{
	(void)e;
	return (in_socket(v) - 1) | v->shape->socket_shift << 12;
}

/* The core within its socket, and its threads. */
static uint32_t make_amd_core(const struct cpuid_vcpu *v,
                              const struct kvm_cpuid_entry2 *e)
{
	unsigned core = v->index / v->shape->threads % v->shape->cores;

	(void)e;
	return core | (v->shape->threads - 1) << 8;
}

/* A node a socket. */
static uint32_t make_amd_node(const struct cpuid_vcpu *v,
                              const struct kvm_cpuid_entry2 *e)
{
	(void)e;
	return v->index / in_socket(v);
}

static uint32_t make_zero(const struct cpuid_vcpu *v,
                          const struct kvm_cpuid_entry2 *e)
{
	(void)v;
	(void)e;
	return 0;
}

/* ---- the table ----------------------------------------------------------- */

#define ANY .sub = CPUID_ALL_SUBS
#define LEAF(l) .leaf = (l), .last = (l)
#define LEAVES(from, to) .leaf = (from), .last = (to)
#define WHOLE .reg = CPUID_WHOLE
#define EAX(b) .reg = CPUID_EAX, .bits = (b)
#define EBX(b) .reg = CPUID_EBX, .bits = (b)
#define ECX(b) .reg = CPUID_ECX, .bits = (b)
#define EDX(b) .reg = CPUID_EDX, .bits = (b)
#define PASS .act = CPUID_PASS
#define HIDE .act = CPUID_HIDE
#define MAKE(f) .act = CPUID_MAKE, .make = make_##f
#define SAY(w, y) .what = (w), .why = (y)
#define ALL UINT32_MAX

static const char not_host[] = "what the host's KVM gives: real speed, and "
			       "nothing that KVM does not emulate or switch";
static const char no_nested[] =
	"no guests in guests: another hypervisor's state widens what is "
	"exposed, and a reset could not undo it";
static const char no_pmu[] = "counters are the host's: they tell of its other "
			     "guests, and cost at each switch";
static const char no_tiles[] = "8 KiB more of state a vCPU, for which the "
			       "kernel wants to be asked before the start";
static const char topology[] = "the policy's sockets, cores and threads";

/* clang-format off */
const struct cpuid_rule cpuid_rules[] = {
	{ LEAF(0x0), ANY, WHOLE, PASS,
	  SAY("vendor", not_host) },
	{ LEAF(0x0), ANY, EAX(ALL), MAKE(max_leaf),
	  SAY("highest leaf", "0xb is always there") },

	{ LEAF(0x1), ANY, WHOLE, PASS,
	  SAY("family, features", not_host) },
	{ LEAF(0x1), ANY, EBX(BITS(31, 16)), MAKE(leaf1_ebx),
	  SAY("APIC id, ids a socket", topology) },
	{ LEAF(0x1), ANY, ECX(BIT(2) | BIT(4)), HIDE,
	  SAY("DTES64, DS-CPL", no_pmu) },
	{ LEAF(0x1), ANY, ECX(BIT(3)), HIDE,
	  SAY("MONITOR", "a guest that waits by it keeps the host's CPU") },
	{ LEAF(0x1), ANY, ECX(BIT(5)), HIDE,
	  SAY("VMX", no_nested) },
	{ LEAF(0x1), ANY, ECX(BIT(15)), HIDE,
	  SAY("PDCM", no_pmu) },
	{ LEAF(0x1), ANY, ECX(BIT(21)), MAKE(ones),
	  SAY("x2APIC", "KVM emulates it on any host; half the exits") },
	{ LEAF(0x1), ANY, ECX(BIT(24)), MAKE(tsc_deadline),
	  SAY("TSC deadline", "where KVM emulates it; without it a guest "
	      "calibrates the APIC timer for 100 ms") },
	{ LEAF(0x1), ANY, ECX(BIT(31)), MAKE(ones),
	  SAY("hypervisor", "leaves from 0x40000000 on") },
	{ LEAF(0x1), ANY, EDX(BIT(21)), HIDE,
	  SAY("DS", no_pmu) },
	{ LEAF(0x1), ANY, EDX(BIT(28)), MAKE(if_many),
	  SAY("HTT", topology) },

	{ LEAF(0x2), ANY, WHOLE, PASS,
	  SAY("cache descriptors", not_host) },

	{ LEAF(0x4), ANY, WHOLE, PASS,
	  SAY("caches", not_host) },
	{ LEAF(0x4), ANY, EAX(BITS(31, 14)), MAKE(cache),
	  SAY("who shares them", "levels 1 and 2 a core, the others a socket") },

	{ LEAF(0x6), ANY, WHOLE, PASS,
	  SAY("ARAT", "the APIC timer does not stop; KVM gives no more of "
	      "power and heat") },

	{ LEAF(0x7), ANY, WHOLE, PASS,
	  SAY("features", not_host) },
	{ LEAF(0x7), .sub = 0, EBX(BIT(2)), HIDE,
	  SAY("SGX", "enclaves need the host's page cache for them") },
	{ LEAF(0x7), .sub = 0, EBX(BIT(12) | BIT(15)), HIDE,
	  SAY("RDT", "sharing out caches is the host's") },
	{ LEAF(0x7), .sub = 0, EBX(BIT(25)), HIDE,
	  SAY("processor trace", no_pmu) },
	{ LEAF(0x7), .sub = 0, ECX(BIT(30)), HIDE,
	  SAY("SGX launch control", "as SGX") },
	{ LEAF(0x7), .sub = 0, EDX(BIT(19)), HIDE,
	  SAY("architectural LBR", no_pmu) },
	{ LEAF(0x7), .sub = 0, EDX(BIT(22) | BIT(24) | BIT(25)), HIDE,
	  SAY("AMX", no_tiles) },
	{ LEAF(0x7), .sub = 1, EAX(BIT(21)), HIDE,
	  SAY("AMX-FP16", no_tiles) },
	{ LEAF(0x7), .sub = 1, EDX(BIT(8)), HIDE,
	  SAY("AMX-COMPLEX", no_tiles) },

	{ LEAF(0xa), ANY, WHOLE, HIDE,
	  SAY("PMU", no_pmu) },

	{ LEAF(0xb), ANY, EAX(ALL), MAKE(level_shift),
	  SAY("bits of the id", topology) },
	{ LEAF(0xb), ANY, EBX(ALL), MAKE(level_count),
	  SAY("CPUs of the level", topology) },
	{ LEAF(0xb), ANY, ECX(ALL), MAKE(level_type),
	  SAY("subleaf, level", "threads, cores, the end") },
	{ LEAF(0xb), ANY, EDX(ALL), MAKE(id),
	  SAY("x2APIC id", topology) },

	{ LEAF(0xd), ANY, WHOLE, PASS,
	  SAY("XSAVE", not_host) },
	{ LEAF(0xd), .sub = 0, EAX(BITS(18, 17)), HIDE,
	  SAY("AMX state", no_tiles) },
	{ LEAF(0xd), .sub = 17, WHOLE, HIDE,
	  SAY("AMX state", no_tiles) },
	{ LEAF(0xd), .sub = 18, WHOLE, HIDE,
	  SAY("AMX state", no_tiles) },

	{ LEAVES(0xf, 0x10), ANY, WHOLE, HIDE,
	  SAY("RDT", "sharing out caches is the host's") },
	{ LEAF(0x12), ANY, WHOLE, HIDE,
	  SAY("SGX", "enclaves need the host's page cache for them") },
	{ LEAF(0x14), ANY, WHOLE, HIDE,
	  SAY("processor trace", no_pmu) },
	{ LEAF(0x1c), ANY, WHOLE, HIDE,
	  SAY("architectural LBR", no_pmu) },
	{ LEAVES(0x1d, 0x1e), ANY, WHOLE, HIDE,
	  SAY("AMX", no_tiles) },

	{ LEAF(0x1f), ANY, EAX(ALL), MAKE(level_shift),
	  SAY("as 0xb", "where the host has it") },
	{ LEAF(0x1f), ANY, EBX(ALL), MAKE(level_count),
	  SAY("as 0xb", "where the host has it") },
	{ LEAF(0x1f), ANY, ECX(ALL), MAKE(level_type),
	  SAY("as 0xb", "where the host has it") },
	{ LEAF(0x1f), ANY, EDX(ALL), MAKE(id),
	  SAY("as 0xb", "where the host has it") },

	{ LEAF(0x24), ANY, WHOLE, PASS,
	  SAY("AVX10", not_host) },

	{ LEAF(0x40000000), ANY, WHOLE, PASS,
	  SAY("\"KVMKVMKVM\"", "a guest that knows KVM has its clock and calls") },
	{ LEAF(0x40000001), ANY, WHOLE, PASS,
	  SAY("kvmclock, stable; steal time; PV EOI, IPI, TLB flush, unhalt",
	      "fewer exits, and a clock without calibration") },
	{ LEAF(0x40000001), ANY, EAX(BIT(10)), HIDE,
	  SAY("page faults as exits", no_nested) },
	{ LEAF(0x40000001), ANY, EAX(BIT(15)), MAKE(wide),
	  SAY("15-bit destinations", "where an APIC id is beyond 254") },
	{ LEAF(0x40000001), ANY, EDX(BIT(0)), MAKE(dedicated),
	  SAY("dedicated CPUs", "with `scheduler: fifo`: no vCPU waits for a "
	      "CPU, so locks spin and idle polls") },

	{ LEAF(0x80000000), ANY, WHOLE, PASS,
	  SAY("highest leaf", not_host) },
	{ LEAF(0x80000001), ANY, WHOLE, PASS,
	  SAY("features", not_host) },
	{ LEAF(0x80000001), ANY, ECX(BIT(1)), MAKE(if_many), .amd_only = true,
	  SAY("CmpLegacy", topology) },
	{ LEAF(0x80000001), ANY, ECX(BIT(2) | BIT(12)), HIDE,
	  SAY("SVM, SKINIT", no_nested) },
	{ LEAF(0x80000001), ANY,
	  ECX(BIT(10) | BIT(15) | BIT(23) | BIT(24) | BIT(28)), HIDE,
	  SAY("IBS, LWP, counters of core, northbridge, cache", no_pmu) },
	{ LEAVES(0x80000002, 0x80000004), ANY, WHOLE, PASS,
	  SAY("the host CPU's name", not_host) },
	{ LEAVES(0x80000005, 0x80000006), ANY, WHOLE, PASS,
	  SAY("caches, TLBs", not_host) },
	{ LEAF(0x80000007), ANY, WHOLE, PASS,
	  SAY("invariant TSC", "a guest stays on its host") },
	{ LEAF(0x80000008), ANY, WHOLE, PASS,
	  SAY("address widths, features", not_host) },
	{ LEAF(0x80000008), ANY, ECX(ALL), MAKE(amd_sizes), .amd_only = true,
	  SAY("CPUs a socket, their id bits", topology) },
	{ LEAF(0x8000000a), ANY, WHOLE, HIDE,
	  SAY("SVM", no_nested) },
	{ LEAVES(0x80000019, 0x8000001a), ANY, WHOLE, PASS,
	  SAY("1 GiB TLBs, hints of speed", not_host) },
	{ LEAVES(0x8000001b, 0x8000001c), ANY, WHOLE, HIDE,
	  SAY("IBS, LWP", no_pmu) },
	{ LEAF(0x8000001d), ANY, WHOLE, PASS,
	  SAY("caches", not_host) },
	{ LEAF(0x8000001d), ANY, EAX(BITS(25, 14)), MAKE(cache),
	  SAY("who shares them", "levels 1 and 2 a core, the others a socket") },
	{ LEAF(0x8000001e), ANY, EAX(ALL), MAKE(id),
	  SAY("APIC id", topology) },
	{ LEAF(0x8000001e), ANY, EBX(ALL), MAKE(amd_core),
	  SAY("core, its threads", topology) },
	{ LEAF(0x8000001e), ANY, ECX(ALL), MAKE(amd_node),
	  SAY("node", "one a socket") },
	{ LEAF(0x8000001e), ANY, EDX(ALL), MAKE(zero),
	  SAY("reserved", "0") },
	{ LEAF(0x8000001f), ANY, WHOLE, HIDE,
	  SAY("SEV", "memory that devices write by DMA is not encrypted") },
	{ LEAF(0x80000020), ANY, WHOLE, HIDE,
	  SAY("QoS", "sharing out caches is the host's") },
	{ LEAF(0x80000021), ANY, WHOLE, PASS,
	  SAY("features", not_host) },
	{ LEAF(0x80000022), ANY, WHOLE, HIDE,
	  SAY("PMU", no_pmu) },
};
/* clang-format on */
const size_t cpuid_n_rules = ARRAY_SIZE(cpuid_rules);
