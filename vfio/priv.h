/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VFIO_PRIV_H
#define FL_VFIO_PRIV_H

/*
 * Inside vfio: one device, by the file that owns each part. All functions
 * here are called with the device's lock held, but for those of open and
 * close, which nobody else can see yet or any more.
 */

#include "vfio/vfio.h"

#include <linux/vfio.h>
#include <pthread.h>
#include <stdatomic.h>

#define PAGE 4096u
#define GIANT_PAGE (1ull << 30)

/* ---- kern.c: the kernel, behind one table, so that tests can record ------
 */

/* Each returns 0 or above, or negative errno. */
struct vfio_kern {
	int (*ioctl)(int fd, unsigned long request, void *arg);
	int (*read)(int fd, void *buf, size_t len, uint64_t off); /* all */
	int (*write)(int fd, const void *buf, size_t len, uint64_t off);
	/* `size` bytes of the device file at `off`, exactly at `at`. */
	int (*map)(int fd, uint64_t off, uint64_t size, void *at);
};
extern const struct vfio_kern vfio_kern_linux;

/* ---- region.c ------------------------------------------------------------ */

struct vfio_span {
	uint64_t off, size; /* in the BAR, page multiples */
};
#define SPANS_MAX 16
struct vfio_areas {
	struct vfio_span span[SPANS_MAX];
	unsigned n; /* 0: the region cannot be mapped */
};
struct vfio_bar {
	uint64_t size;           /* 0 = not implemented */
	uint64_t offset;         /* in the device file */
	struct vfio_areas areas; /* what the kernel lets be mapped */
	/* What the guest may be given, and where it is in this process. */
	struct vfio_span span[SPANS_MAX];
	unsigned n_spans;
	void *base; /* of the whole BAR's address space, NULL = none */
	uint64_t reserved;
	/* window.c: what the guest has now. */
	bool placed;
	bool fresh; /* and its windows are not shown yet */
	bool io;
	uint64_t at;
	bool shown[SPANS_MAX];
};
/* From a region info's bytes, of which `size` are valid. Without the sparse
 * capability one area that covers the region. MSIX_MAPPABLE is not looked
 * for: the table's pages are never mapped. */
void vfio_areas_parse(const void *info, size_t size, struct vfio_areas *ret);
/* Areas without the pages that [hole, hole+hole_size) touches; returns how
 * many spans were written, at most `max`. */
unsigned vfio_spans_carve(const struct vfio_span *area, unsigned n,
                          uint64_t hole, uint64_t hole_size,
                          struct vfio_span *ret, unsigned max);
/* Sizes and file offsets, all BARs and configuration space. */
int vfio_regions_read(struct vfio_dev *v, struct diag *d);
/* Once the layout is known. */
int vfio_regions_map(struct vfio_dev *v, struct diag *d);
void vfio_regions_unmap(struct vfio_dev *v);

/* ---- rom.c --------------------------------------------------------------- */

/* Once the layout is known, whose rom_size it sets. */
int vfio_rom_init(struct vfio_dev *v, const struct vfio_open *o,
                  struct diag *d);
/* From the device, on first need; COMMAND must let it decode. */
void vfio_rom_copy(struct vfio_dev *v);
uint64_t vfio_rom_read(const struct vfio_dev *v, uint64_t off, unsigned width);

/* ---- window.c ------------------------------------------------------------ */

/* Take away what does not decode any more, or elsewhere. */
void vfio_windows_withdraw(struct vfio_dev *v);
/* Give what decodes and is not there. */
void vfio_windows_offer(struct vfio_dev *v);
void vfio_windows_withdraw_all(struct vfio_dev *v);

/* ---- config.c ------------------------------------------------------------ */

/* The view's COMMAND to the device, after a reset. */
void vfio_command_write(struct vfio_dev *v);

/* A cycle as the guest's view decides it. */
uint32_t vfio_cfg_read(struct vfio_dev *v, unsigned off, unsigned width);
void vfio_cfg_write(struct vfio_dev *v, unsigned off, unsigned width,
                    uint32_t value);

/* ---- quirk.c ------------------------------------------------------------- */

#define DOORS_MAX 8
struct vfio_door {
	const struct cfg_quirk *q;
	uint32_t address, data; /* what the guest wrote, of a WINDOW */
};
/* Once the layout is known. */
void vfio_quirks_init(struct vfio_dev *v);
/* n spans of a BAR without the pages of back doors; returns how many. */
unsigned vfio_quirks_carve(const struct vfio_dev *v, unsigned bar,
                           struct vfio_span *span, unsigned n);
/* True when the access met one; `width` 1, 2, 4. */
bool vfio_quirks_read(struct vfio_dev *v, unsigned bar, uint64_t off,
                      unsigned width, uint32_t *ret);
/* False when it goes to the device, whether it met one or not. */
bool vfio_quirks_write(struct vfio_dev *v, unsigned bar, uint64_t off,
                       unsigned width, uint32_t value);

/* ---- irq.c: any message interrupt, by VFIO's index ----------------------- */

#define IRQ_OFF UINT32_MAX
struct vfio_irqs {
	struct irq_bank *bank;    /* NULL = the function has no MSI, no MSI-X */
	unsigned max;             /* vectors of the bank */
	uint32_t index;           /* VFIO index that is enabled, or IRQ_OFF */
	unsigned count;           /* vectors the guest has for the index */
	bool dynamic;             /* MSI-X vectors may be added while enabled */
	unsigned limit;           /* vectors the host has given for the index */
	bool *want;               /* by vector: the guest has it unmasked */
	bool *armed;              /* VFIO has its eventfd */
	bool *held;               /* vector.c: as if the guest had it masked */
	bool *late;               /* armed, its route waits */
	int late_fd;              /* epoll over the eventfds of those, or -1 */
	struct vfio_irq_set *set; /* room for max descriptors */
};
int vfio_irqs_init(struct vfio_dev *v, struct diag *d);
void vfio_irqs_fini(struct vfio_dev *v);
void vfio_irqs_off(struct vfio_dev *v);
/* Make the kernel follow `want` and the staged messages of vectors lo..hi-1.
 * When `index` is not the one enabled, enables it, with `n` vectors, and lo,
 * hi must cover them all. */
void vfio_irqs_apply(struct vfio_dev *v, uint32_t index, unsigned n,
                     unsigned lo, unsigned hi);
/* SET_IRQS, counted. */
int vfio_set_irqs(struct vfio_dev *v, struct vfio_irq_set *set);

/* late.c */
int vfio_late_init(struct vfio_dev *v);
/* What the guest wants of a vector; vfio_irqs_apply() then has it so. */
void vfio_vector_unmask(struct vfio_dev *v, unsigned i, struct irq_msg msg);
void vfio_vector_mask(struct vfio_dev *v, unsigned i);
/* Commit, or let wait, the routes of the wanted vectors lo..hi-1. */
void vfio_routes_update(struct vfio_dev *v, unsigned lo, unsigned hi);
void vfio_late_forget(struct vfio_dev *v);

/* ---- intx.c -------------------------------------------------------------- */

struct vfio_intx {
	struct irq_line *line; /* NULL = the guest has no pin */
	bool armed;            /* VFIO has both eventfds */
	bool throttled;        /* the device is told INTx Disable */
};
/* Finds the pin; 0 in *ret_pin where the guest gets none. `gsi` is
 * vfio_open.intx_gsi. */
int vfio_intx_init(struct vfio_dev *v, const uint32_t *gsi, uint8_t *ret_pin,
                   struct diag *d);
void vfio_intx_fini(struct vfio_dev *v);
/* Off where the guest's view no more allows INTx: before MSI goes on. */
void vfio_intx_withdraw(struct vfio_dev *v);
/* On where it does: after MSI is off. */
void vfio_intx_offer(struct vfio_dev *v);
void vfio_intx_off(struct vfio_dev *v);

/* ---- msix.c, msi.c ------------------------------------------------------- */

int vfio_msix_init(struct vfio_dev *v);
void vfio_msix_fini(struct vfio_dev *v);
/* After the guest has written Message Control. */
void vfio_msix_update(struct vfio_dev *v);
/* One vector, of an MSI-X that is enabled. */
void vfio_msix_follow(struct vfio_dev *v, unsigned i);
uint64_t vfio_msix_table_read(struct vfio_dev *v, uint64_t off, unsigned width);
void vfio_msix_table_write(struct vfio_dev *v, uint64_t off, unsigned width,
                           uint64_t value);
void vfio_msi_update(struct vfio_dev *v);
/* The guest's, while MSI is enabled. */
struct irq_msg vfio_msi_message(const struct vfio_dev *v, unsigned i);

/* ---- event.c ------------------------------------------------------------- */

int vfio_events_arm(struct vfio_dev *v, struct diag *d);
void vfio_events_fini(struct vfio_dev *v);

/* ---- device.c ------------------------------------------------------------ */

struct vfio_dev {
	pthread_mutex_t lock;
	const struct vfio_kern *kern;
	const struct vfio_host_ops *host;
	void *host_ctx;
	struct irq_table *table;
	struct cfg_layout layout;
	struct cfg_space cfg;
	uint64_t config_off; /* of configuration space in the device file */
	size_t config_size;
	uint64_t rom_region; /* bytes of the device's own, 0 = none */
	struct vfio_bar bar[VFIO_RANGES]; /* the ROM is the last */
	struct vfio_door door[DOORS_MAX];
	struct cfg_msix msix;
	struct vfio_irqs irq;
	struct vfio_intx intx;
	struct vfio_stats stats;
	struct diag fault;
	unsigned n_doors;
	uint32_t guest_devid;
	int fd, request_fd, error_fd;
	bool late_routes, resets_alone, rom_failed;
	_Atomic bool has_fault; /* written under the lock */
	char bdf[BDF_STRLEN];
};

/* The part of opening behind the attach, over any kernel. Takes `fd` on
 * success only. */
int vfio_dev_setup(const struct vfio_open *o, const struct vfio_kern *kern,
                   int fd, struct vfio_dev **ret, struct diag *d);
/* False when the lock stays taken for 10 ms. */
bool vfio_lock_soon(struct vfio_dev *v);
static inline bool vfio_has_fault(const struct vfio_dev *v)
{
	return atomic_load_explicit(&v->has_fault, memory_order_relaxed);
}

/* Does the access meet the MSI-X table? It lies inside the BAR, and so does the
 * access: nothing overflows. */
static inline bool vfio_msix_owns(const struct vfio_dev *v, unsigned bar,
                                  uint64_t off, unsigned width)
{
	const struct cfg_msix_facts *m = &v->layout.msix;

	return bar == m->table_bar && m->cap && off + width > m->table_off &&
	       off < m->table_off + (uint64_t)m->vectors * CFG_MSIX_ENTRY;
}

/* To be filled by diag_fail; counts. */
struct diag *vfio_fault(struct vfio_dev *v);
/* Where the kernel has more to say of the device. */
void vfio_mend(const struct vfio_dev *v, struct diag *d);
/* VFIO's `call` refused to tell: `what` is "read its size of". Returns `err`.
 */
int vfio_fail_info(const struct vfio_dev *v, int err, const char *what,
                   const char *call, struct diag *d);

/* ---- reset.c ------------------------------------------------------------- */

/* Interrupts, windows and view as after a reset, and the device too. */
int vfio_reset_locked(struct vfio_dev *v, struct diag *d);
/* The parts of it, around the reset itself: what must not meet a device in
 * reset goes away; the view, and the device's COMMAND, at reset values. */
void vfio_quiesce(struct vfio_dev *v);
void vfio_view_reset(struct vfio_dev *v);
/* A reset ioctl, tried again while somebody else has a lock that the kernel
 * only tries for. */
int vfio_reset_call(const struct vfio_dev *v, unsigned long request, void *arg);

#endif
