/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LAB_PROBE_H
#define TESTS_LAB_PROBE_H

/*
 * Inside vfio-probe (main.c says what it is). Only KVM and the machine are
 * played, in play.c: routes and irqfds are recorded, and the program reads the
 * eventfds. Everything else is the library over the real kernel.
 */

#include <errno.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <string.h>

#include "vfio/priv.h"

#define VECTORS_MAX 128u
#define BAR0_AT 0xc0000000ull
#define BAR3_AT 0xc0010000ull
#define MEM_MASTER (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)

#define CHECK(cond, ...)                                                       \
	do {                                                                   \
		if (!(cond))                                                   \
			die(__FILE_NAME__, __LINE__, __VA_ARGS__);             \
	} while (0)
#define MUST(r, d) must((r), (d), __FILE_NAME__, __LINE__)

_printf_(3, 4) _Noreturn void die(const char *file, int line, const char *fmt,
                                  ...);
_printf_(1, 2) void ok(const char *fmt, ...);
void must(int r, const struct diag *d, const char *file, int line);

/* ---- play.c ---- */

struct play {
	unsigned commits, irqfds, windows, traps, lines;
	int eventfd[VECTORS_MAX]; /* by GSI */
	uint32_t data[VECTORS_MAX];
	int trigger, resample; /* of the line */
	uint8_t *hva0;         /* BAR 0 as the guest sees it */
};
extern const struct irq_sink_ops play_sink;
extern const struct vfio_host_ops play_host;

/* ---- device.c ---- */

struct probe {
	enum iommu_backend backend;
	const char *bdf, *space_node, *device_node;
	struct iommu_space *space;
	struct irq_table *irqs;
	struct vfio_dev *dev;
	int fd;
	struct play play;
};
void open_device(struct probe *p);
void close_device(struct probe *p);
void command(struct probe *p, uint16_t value);
/* Addresses for all memory BARs; the first is at BAR0_AT. */
void place_all(struct probe *p);
/* No refusal met since the last time. */
void expect_no_fault(struct probe *p);
/* How many interrupts an eventfd has counted; waits a little for the first. */
uint64_t count_of(int fd, int wait_ms);
int vector_fd(struct probe *p, unsigned vector);

void msix_control(struct probe *p, uint16_t value);
void msix_message(struct probe *p, unsigned vector, uint32_t data);
void msix_mask(struct probe *p, unsigned vector, bool on);
void msi_control(struct probe *p, uint16_t value, uint32_t data);

/* ---- what is tried ---- */

void probe_igbvf(struct probe *p); /* igbvf.c */
void probe_any(struct probe *p);   /* any.c */
void probe_edu(struct probe *p);   /* edu.c */
void probe_bus(struct probe *p);   /* bus.c */
void probe_wide(struct probe *p);  /* wide.c */
void probe_hold(struct probe *p);  /* main.c */

#endif
