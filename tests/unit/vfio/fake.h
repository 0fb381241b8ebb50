/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_VFIO_FAKE_H
#define TESTS_VFIO_FAKE_H

/*
 * A device and a VMM that are played. The device stands in at struct
 * vfio_kern, the only place where vfio/ calls the kernel: it answers the
 * ioctls as vfio-pci does and writes down what was asked. The VMM stands in
 * at vfio_host_ops and irq_sink_ops. Everything between is the real code.
 * What the real kernel does, tests/lab/scenarios/vfio-library.sh shows.
 *
 * All calls go to one journal, a line each, so that order can be compared:
 *   irqs MSIX 0: 7 -1 9      SET_IRQS with those vectors armed or not
 *   irqs MSIX off            disabled
 *   intx trigger, intx resample, intx mask, intx unmask, intx off; "refused"
 *   behind those that failed
 *   reset, hot reset N       VFIO_DEVICE_RESET, with N groups
 *   cfg 4=0006               COMMAND written
 *   routes N, irqfd GSI, -irqfd GSI, line GSI, -line GSI
 *   +trap BAR AT, -trap BAR AT, +win AT SIZE, -win AT SIZE; +rom AT SIZE is
 *   a window of this process's own memory; read rom
 *   bar BAR AT, bar BAR AT=VALUE: the device's, where it is not `reg`
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vfio/priv.h"

#define FAKE_VECTORS_MAX 128
#define FAKE_MSIX_CAP 0x50
#define FAKE_EXP_CAP 0x60
#define FAKE_PM_CAP 0x90
#define FAKE_MSI_CAP 0xa0
#define FAKE_TABLE_OFF 0x2000u
#define FAKE_BAR0_SIZE 0x8000u
#define FAKE_PIN_GSI 20u /* of INTA */

struct fake {
	struct fake *next; /* of those that are open */
	const char *bdf;
	int fd; /* a real one, of nothing: vfio_dev_close closes it */
	/* the device */
	uint8_t config[CFG_SIZE_PCI];
	unsigned vectors, msi_vectors; /* 0 = no such capability */
	bool dynamic, no_reset, no_request;
	bool plain_msi;      /* no mask bits, 32-bit address */
	uint32_t ids, class; /* as in its header */
	/* 64 bits, 64 bits, ports; 0 = none */
	uint64_t bar0_size, bar2_size, bar4_size;
	uint64_t rom_size;
	int rom_error;             /* errno of reads of the ROM */
	uint8_t pin;               /* of INTx */
	bool no_intx;              /* the host has not connected it */
	const char *refuse_action; /* SET_IRQS of INTx that fails, or NULL */
	int config_error;          /* errno of reads of configuration space */
	unsigned available;        /* host vectors when enabling; 0 = all */
	int refuse_vector;         /* SET_IRQS that arms it fails; -1 = none */
	int reset_error;
	unsigned reset_busy; /* so many resets answer -EAGAIN */
	/* What VFIO says is on its bus; with devids when opened so. */
	struct vfio_pci_dependent_device bus[16];
	unsigned n_bus;
	bool devids;
	int bus_error;    /* of the question */
	int err_count;    /* of VFIO_PCI_ERR_IRQ_INDEX; 0 = no such interrupt */
	int refuse_index; /* SET_IRQS of this index fails, too; -1 = none */
	uint32_t reg[FAKE_BAR0_SIZE / 4];
	uint16_t command;
	uint32_t index; /* enabled */
	bool armed[FAKE_VECTORS_MAX];
	unsigned allocated; /* host vectors taken by enabling */
	/* Of the calls on its file, the one that fails: 1, 2, ...; 0 = none. */
	unsigned calls, fail_call;
	int fail_error;
	const char *failed;  /* which it was */
	uint32_t failed_irq; /* index of a failed GET_IRQ_INFO */
	/* the VMM */
	uint64_t refuse_trap;                /* address that trap_add refuses */
	bool refuse_window, keep_window;     /* window_add, window_del */
	int window_error;                    /* of refuse_window */
	const void *hva;                     /* of the latest window_add */
	bool refuse_line;                    /* line_add */
	unsigned unmasked[FAKE_VECTORS_MAX]; /* vector_unmasked */
	int trigger, resample;         /* of the line that is tied, or -1 */
	int eventfd[FAKE_VECTORS_MAX]; /* by GSI */
	struct irq_route route[FAKE_VECTORS_MAX];
	size_t n_routes;
	/* both */
	char journal[8192];
	struct irq_table *table;
	struct vfio_dev *dev;
};

void fake_init(struct fake *f);
/* With the table, through vfio_dev_setup. */
int fake_open(struct fake *f, bool late, struct diag *d);
/* With more said about how. */
struct fake_how {
	bool late, no_rom;
	int rom_fd;
};
int fake_open_how(struct fake *f, const struct fake_how *how, struct diag *d);
/* Byte `off` of the device's ROM. */
uint8_t fake_rom(uint64_t off);
void fake_close(struct fake *f);
/* Fails the test unless the journal is `want`; empties it. */
void fake_expect(struct fake *f, const char *want);
void fake_forget(struct fake *f);

/* For cmocka: a fresh fake as the state, and its end. */
int fake_setup(void **state);
int fake_teardown(void **state);
/* Fail the test when the device does not open, or has met a refusal. */
void fake_open_ok(struct fake *f, bool late);
void fake_no_fault(struct fake *f);

void guest_command(struct fake *f, uint16_t value);
void guest_msix(struct fake *f, bool enable, bool mask);
void guest_entry(struct fake *f, unsigned vector, uint32_t data, bool mask);
void guest_mask(struct fake *f, unsigned vector, bool mask);

/* ---- between fake.c and fake_vmm.c ---- */

void fake_note(struct fake *f, const char *fmt, ...) _printf_(2, 3);
extern const struct irq_sink_ops fake_sink;
extern const struct vfio_host_ops fake_host;

#endif
