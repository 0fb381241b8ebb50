/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_IRQ_REMAP_H
#define FL_IRQ_REMAP_H

/*
 * irq-remap: from a device's vector to the guest's handler.
 *
 * Theory of operation
 *   A guest's MSI message (address, data) becomes a KVM route with a GSI. The
 *   device's interrupt arrives on an eventfd; an irqfd ties that eventfd to
 *   the GSI. The same eventfd is given to VFIO and to KVM: that is what lets
 *   the kernel's IRQ bypass manager join the two, so that a host with posted
 *   interrupts delivers without any host code running.
 *
 *   Routes are committed in two phases, because each commit rewrites the
 *   whole table in the kernel and waits for SRCU readers:
 *     irq_bank_stage() notes vectors' messages, any number of them;
 *     irq_bank_commit() makes one route commit if any message really changed
 *     (none otherwise), then ties the irqfds of vectors that are new.
 *   Routes come before irqfds: an irqfd on a GSI without a route has crashed
 *   hosts. An eventfd may be signalled before its irqfd exists: it counts,
 *   and KVM looks at the count when the irqfd is made, so nothing is lost.
 *   That is why a commit may wait until a vector's first interrupt.
 *
 *   A route whose irqfd is gone is dead weight, not a hazard, so dropping
 *   vectors writes no table: the next commit leaves the dead routes out.
 *
 *   Masking is not done here: a masked vector keeps its route and its irqfd,
 *   and the owner stops the source (vfio: SET_IRQS with fd -1, so that the
 *   device's own pending bit is the truth). Where the source knows nothing of
 *   masks (vhost), the owner holds the vector.
 *
 *   This folder holds no KVM descriptor and makes no VFIO call: it calls the
 *   ops that the VMM lends.
 *
 * INTx is a level, and shared: irq_line ties one trigger eventfd and one
 * resample eventfd to a pin of the IOAPIC. The kernel masks the device's line
 * as it fires (VFIO automask); the guest's end of interrupt deasserts the pin
 * and signals the resample eventfd, which VFIO takes as the unmask. A level
 * that is still there then fires again. Nobody in userspace sees any of it.
 *
 * Storms: irq_storm is a pure state machine, one an interrupt source. It is
 * fed counts and times, and says when to mask the source and when to try it
 * again, later each time (back-off).
 *
 * Threads: a table locks itself; a bank is its device's, under that device's
 * lock. The ops are called with the table's lock held and must not call back.
 * Limits: GSIs base .. base+max-1; KVM has 4096 in all. IRQ_VECTORS_MAX
 * vectors a bank.
 */

#include "base/base.h"

/* ---- errors: FL-05xx ---- */
enum {
	FL_IRQ_NO_GSI = 501, /* route table full */
	FL_IRQ_ROUTES = 502, /* kernel refused the route table */
	FL_IRQ_IRQFD = 503,
	FL_IRQ_EVENTFD = 504,
};

#define IRQ_VECTORS_MAX 2048u /* PCIe 6.0 7.7.2.2: MSI-X table size */

struct irq_msg {
	uint64_t addr;
	uint32_t data;
};
struct irq_route {
	uint32_t gsi;
	struct irq_msg msg;
	/* Guest requester id (bus << 8 | devfn), as the machine was built: KVM
	 * looks at it only where an ITS would, not on x86, so a guest that
	 * renumbers its buses changes nothing. */
	uint32_t devid;
};

/* Lent by the VMM. Each returns 0 or negative errno. */
struct irq_sink_ops {
	/* Replace all MSI routes; the sink adds its own fixed ones (IOAPIC). */
	int (*set_routes)(void *ctx, const struct irq_route *routes, size_t n);
	int (*irqfd_add)(void *ctx, int eventfd, uint32_t gsi);
	int (*irqfd_del)(void *ctx, int eventfd, uint32_t gsi);
	/* A pin, with KVM_IRQFD_FLAG_RESAMPLE. */
	int (*line_add)(void *ctx, int trigger, int resample, uint32_t gsi);
	int (*line_del)(void *ctx, int trigger, uint32_t gsi);
};

struct irq_table;
/* `ops` and `ctx` must outlive the table. */
_must_check_ int irq_table_new(const struct irq_sink_ops *ops, void *ctx,
                               uint32_t gsi_base, uint32_t gsi_max,
                               struct irq_table **ret);
/* After all its banks. NULL is allowed. */
void irq_table_free(struct irq_table *t);

struct irq_stats {
	uint32_t commits; /* route tables written */
	uint32_t routes;  /* live now */
	uint32_t irqfds;  /* live now */
};
struct irq_stats irq_table_stats(struct irq_table *t);

/* The vectors of one device function. */
struct irq_bank;
/* -EINVAL when `vectors` is 0 or above IRQ_VECTORS_MAX. */
_must_check_ int irq_bank_new(struct irq_table *t, uint32_t devid,
                              unsigned vectors, struct irq_bank **ret);
/* Releases all vectors (irqfds first, then GSIs, then eventfds). */
void irq_bank_free(struct irq_bank *b);

/* Note the guest's message for a vector. No kernel call. -EINVAL when the
 * vector is out of range. */
_must_check_ int irq_bank_stage(struct irq_bank *b, unsigned vector,
                                struct irq_msg msg);
/* Note that a vector is not used any more; the next commit unties it. No
 * kernel call. */
void irq_bank_unstage(struct irq_bank *b, unsigned vector);
/* For a source that cannot be stopped: a vector that is held has its route, and
 * what is signalled stays in its eventfd until it is let go. Takes effect with
 * the next commit, which writes no table for it. */
void irq_bank_hold(struct irq_bank *b, unsigned vector, bool hold);

enum irq_vector_state {
	IRQ_VECTOR_UNUSED, /* nothing staged; out of range, too */
	IRQ_VECTOR_NEW,    /* staged, never committed: no irqfd yet */
	IRQ_VECTOR_STALE,  /* interrupts arrive, by an older message */
	IRQ_VECTOR_LIVE,   /* interrupts arrive by the staged message */
};
enum irq_vector_state irq_bank_state(const struct irq_bank *b, unsigned vector);

/* See theory of operation. On error the staged state is kept, what was live
 * stays live, and the diag says which limit was met. -ENOSPC (no GSI left) and
 * refused irqfds concern single vectors: the others are live all the same. */
_must_check_ int irq_bank_commit(struct irq_bank *b, struct diag *d);
/* The vector's eventfd (made on first need) for VFIO to trigger; borrowed.
 * Negative errno when it cannot be made. */
_must_check_ int irq_bank_eventfd(struct irq_bank *b, unsigned vector);
/* Drop every vector: the device's MSI or MSI-X was disabled. */
void irq_bank_clear(struct irq_bank *b);
/* Vectors whose irqfd is tied. */
unsigned irq_bank_live(const struct irq_bank *b);

/* ---- INTx: a pin of the IOAPIC, PCIe 6.0 6.1.2 ---- */

struct irq_line;
/* `gsi` is the pin; several lines may share it. Makes the two eventfds, ties
 * nothing yet. -EMFILE and others, FL_IRQ_EVENTFD. */
_must_check_ int irq_line_new(struct irq_table *t, uint32_t gsi,
                              struct irq_line **ret, struct diag *d);
/* Unties first. NULL is allowed. */
void irq_line_free(struct irq_line *l);
/* Before the source is started, and after it has stopped. Tying what is tied
 * does nothing. FL_IRQ_IRQFD. */
_must_check_ int irq_line_tie(struct irq_line *l, struct diag *d);
void irq_line_untie(struct irq_line *l);
/* Borrowed: VFIO signals the one and waits on the other. */
int irq_line_trigger_fd(const struct irq_line *l);
int irq_line_resample_fd(const struct irq_line *l);
uint32_t irq_line_gsi(const struct irq_line *l);

/* ---- storms ---- */

struct irq_storm_limit {
	uint32_t per_second; /* 0 = no limit */
	uint32_t first_ms;   /* masked so long at first */
	uint32_t longest_ms; /* doubled up to this */
};
struct irq_storm {
	uint64_t since_ns, count; /* of the latest sample; 0, 0 = none yet */
	uint32_t off_ms;          /* the present back-off */
	uint64_t quiet_ns;        /* has kept its limit since; 0 = has not */
	uint64_t until_ns;        /* masked until then, 0 = not masked */
	uint32_t masked;          /* how often */
};
enum irq_storm_verdict {
	IRQ_STORM_NONE, /* as it is */
	IRQ_STORM_MASK,
	IRQ_STORM_UNMASK,
};
/* A sample of the source's count. Pure. Counts that go backwards begin anew. */
enum irq_storm_verdict irq_storm_sample(struct irq_storm *s,
                                        const struct irq_storm_limit *l,
                                        uint64_t now_ns, uint64_t count);

/* ---- the host's lines: /proc/interrupts ----
 *
 * The count of a vector that is posted to its vCPU stands still while the
 * guest's rises: the host sees nothing of it, and has no cost by it.
 */

enum irq_host_kind { /* in vfio_irq_kind's order */
	IRQ_HOST_INTX,
	IRQ_HOST_MSI,
	IRQ_HOST_MSIX
};
struct irq_host {
	enum irq_host_kind kind;
	uint16_t index; /* of the vector; 0 for INTx */
	char bdf[BDF_STRLEN];
	unsigned irq;   /* Linux' number */
	uint64_t count; /* of all CPUs; of a shared pin: all its devices' */
};
const char *
irq_host_kind_name(enum irq_host_kind k); /* "intx", "msi", "msix" */
/* Byte by byte, in bounded memory, from a reader of zeros. True when `c` ends
 * the line of a vector that VFIO owns: *ret has it. Pure. */
struct irq_host_reader {
	enum {
		IRQ_HOST_NUMBER,
		IRQ_HOST_COUNTS,
		IRQ_HOST_NAMES
	} part;
	bool numbered, owned;
	struct irq_host line;
	char word[64];
	size_t len;
};
bool irq_host_feed(struct irq_host_reader *r, char c, struct irq_host *ret);
/* Every such line of the open file, from its begin. Negative errno when it
 * cannot be read. Allocates nothing. */
_must_check_ int
irq_host_each(int fd, void (*fn)(const struct irq_host *line, void *arg),
              void *arg);

/* ---- facts: interrupt remapping and posting, each with its evidence ---- */

enum irq_fact {
	IRQ_FACT_NO,
	IRQ_FACT_YES,
	IRQ_FACT_UNKNOWN
};
const char *irq_fact_name(enum irq_fact f); /* "no", "yes", "unknown" */
struct irq_facts {
	enum irq_fact remapping;
	char remapping_evidence[160];
	enum irq_fact
		posting; /* YES only when every part of the chain says so */
	char posting_evidence[160];
};
/*
 * From sys/class/iommu, proc/interrupts, proc/cmdline and the parameters of
 * kvm_intel or kvm_amd. What cannot be read makes a fact UNKNOWN, never YES;
 * the call itself fails only when `root_fd` is no directory of "/".
 */
_must_check_ int irq_facts_read(int root_fd, struct irq_facts *ret);

#endif
