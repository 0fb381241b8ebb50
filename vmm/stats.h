/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_STATS_H
#define FL_VMM_STATS_H

/*
 * Counters: what the machine has cost, and what its devices have done.
 *
 * Theory of operation
 *   Whoever does the work counts, in a field of its own that nobody else
 *   writes: a vCPU its exits, a queue's server its chains. That is a load, an
 *   addition and a store of memory it has at hand (stats_add()); there is no
 *   lock for it, no locked instruction, no call, and nothing runs by time.
 *   What a table of struct stats_def says of those fields (name, unit, place)
 *   is all that the reader knows of them, and the order in which they are
 *   told. A device hands out its tables by own_ops->counters.
 *
 *   The reader is the main thread, when somebody asks over the control socket
 *   (`counters`, docs/control.md). Fields are read one by one, not at one
 *   moment: two of them may differ by what happened between.
 *
 *   KVM's own (KVM_GET_STATS_FD) are descriptors of the VM and of each vCPU,
 *   made before the sandbox. What they have is described by the kernel in the
 *   same file; that is read at the first asking and kept, and values then take
 *   one pread() each. A kernel without them (before 5.14) leaves them out, and
 *   the answer says why.
 *
 * Not here: interrupts that the kernel raises by an irqfd. No process sees
 * them; KVM counts what it injects, /proc/interrupts what devices raise.
 *
 * Threads: all of it is the main thread's but stats_add().
 *
 * Trust: the kernel's description is checked before it is used: no length or
 * offset of it is believed.
 *
 * Limits: KVM_STATS_MAX descriptors, of KVM_STATS_BUCKETS values each.
 */

#include <jansson.h>
#include <stddef.h>

#include "base/base.h"

struct vm;

/* A lone writer needs no locked instruction. */
// NOLINTNEXTLINE(readability-non-const-parameter): it is written to
static inline void stats_add(uint64_t *v, uint64_t n)
{
	__atomic_store_n(v, __atomic_load_n(v, __ATOMIC_RELAXED) + n,
	                 __ATOMIC_RELAXED);
}
static inline uint64_t stats_get(const uint64_t *v)
{
	return __atomic_load_n(v, __ATOMIC_RELAXED);
}

enum stats_unit {
	STATS_COUNT,
	STATS_BYTES,
	STATS_NS,
};
struct stats_def {
	const char *name;
	enum stats_unit unit;
	uint16_t at; /* of a uint64_t, from the set's base */
};
/* A table for objects that are alike, and one of the objects. */
struct stats_set {
	const char *what; /* "queue" */
	unsigned index;   /* of those of this kind */
	const struct stats_def *def;
	unsigned n;
	const void *base;
};

/* All of it, as `counters` answers; with `describe`, what each name means. */
json_t *stats_of(struct vm *vm, bool describe);

/* ---- kvm_stats.c --------------------------------------------------------- */

#define KVM_STATS_MAX 1024u
#define KVM_STATS_BUCKETS 256u
#define KVM_STATS_NAME_MAX 256u
#define KVM_STATS_BLOCK_MAX (256u << 10) /* header and descriptors */
#define KVM_STATS_DATA_MAX (64u << 10)

struct kvm_stat {
	const char *name;   /* in the block; printable ASCII */
	uint32_t off;       /* in the data, whole values */
	uint16_t values;    /* 1, or the buckets of a histogram */
	uint8_t kind, unit; /* KVM_STATS_TYPE_*, KVM_STATS_UNIT_*, unshifted */
	uint8_t base;
	int16_t exponent; /* of the unit, in powers of `base` */
	uint32_t bucket;  /* a linear histogram's */
};
struct kvm_stats {
	char *block;
	struct kvm_stat *stat;
	unsigned n;
	uint32_t data_off, data_len;
};
/* How long the header and the descriptors behind it are; 0 = it is none. */
size_t kvm_stats_block(const void *header, size_t len);
/* Takes a copy of `block`. -EBADMSG where it is not what the kernel's
 * documentation says (Documentation/virt/kvm/api.rst, 4.133). */
_must_check_ int kvm_stats_parse(const void *block, size_t len,
                                 struct kvm_stats **ret);
void kvm_stats_free(struct kvm_stats *s);

struct kvm_counters;
/* Before the sandbox. Without the capability: 0, and *ret has nothing. */
_must_check_ int kvm_counters_open(struct vm *vm, struct kvm_counters **ret,
                                   struct diag *d);
/* Before the VM's descriptor is closed. */
void kvm_counters_free(struct kvm_counters *k);
/* {"vm": {...}, "vcpus": [{...}]}, or NULL and the reason. */
json_t *kvm_counters_of(struct kvm_counters *k, const char **ret_why);
/* {"vm": [{"name", "kind", "unit" ...}], "vcpu": [...]}; NULL = nothing. */
json_t *kvm_counters_describe(struct kvm_counters *k);

#endif
