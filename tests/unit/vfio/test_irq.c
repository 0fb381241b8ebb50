/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MSI-X and MSI: what the guest writes, and the kernel calls that follow, in
 * number and order. The kernel is played (fake.h). */

#include "tests/unit/vfio/fake.h"

#include <linux/pci_regs.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

static void expect_fault(struct fake *f, int code)
{
	struct diag d = { 0 };

	assert_true(vfio_dev_take_fault(f->dev, &d));
	assert_int_equal(d.code, code);
	assert_false(vfio_dev_take_fault(f->dev, &d)); /* once */
}

/* 64 vectors: one route commit, one SET_IRQS. */
static void test_64(void **state)
{
	struct fake *f = *state;
	uint32_t before;

	f->vectors = 64;
	fake_open_ok(f, false);
	before = vfio_dev_stats(f->dev).set_irqs; /* request, error */
	for (unsigned i = 0; i < 64; i++)
		guest_entry(f, i, 0x40 + i, false);
	guest_msix(f, true, false);
	assert_int_equal(vfio_dev_stats(f->dev).vectors, 64);
	assert_int_equal(vfio_dev_stats(f->dev).set_irqs, before + 1);
	assert_int_equal(irq_table_stats(f->table).commits, 1);
	assert_int_equal(f->n_routes, 64);
	/* All at once by the function's mask: the routes are there. */
	guest_msix(f, true, true);
	guest_msix(f, true, false);
	assert_int_equal(vfio_dev_stats(f->dev).set_irqs, before + 3);
	assert_int_equal(irq_table_stats(f->table).commits, 1);
	fake_no_fault(f);
}

/* The VMM hears of each that is unmasked, whether MSI-X is on or not. */
static void test_unmasked(void **state)
{
	struct fake *f = *state;

	fake_open_ok(f, false);
	guest_entry(f, 1, 0x41, true);
	assert_int_equal(f->unmasked[1], 0);
	guest_mask(f, 1, false);
	guest_mask(f, 1, false);
	assert_int_equal(f->unmasked[1], 1);
	guest_msix(f, true, false);
	guest_mask(f, 1, true);
	assert_int_equal(f->unmasked[1], 1);
	guest_mask(f, 1, false);
	assert_int_equal(f->unmasked[1], 2);
	assert_int_equal(f->unmasked[0] + f->unmasked[2], 0);
	fake_no_fault(f);
}

/* A guest that fills the table first: one route commit, one SET_IRQS. */
static void test_burst(void **state)
{
	struct fake *f = *state;

	fake_open_ok(f, false);
	for (unsigned i = 0; i < 3; i++)
		guest_entry(f, i, 0x40 + i, false);
	fake_expect(f, "");
	guest_msix(f, true, false);
	fake_expect(f, "routes 3\nirqfd 24\nirqfd 25\nirqfd 26\n"
	               "irqs MSIX 0: + + +\n");
	assert_int_equal(vfio_dev_stats(f->dev).vectors, 3);
	assert_int_equal(f->allocated, 3); /* 3 and 4 were never unmasked */
	guest_msix(f, false, false);
	fake_expect(f, "irqs MSIX off\n-irqfd 24\n-irqfd 25\n-irqfd 26\n");
	fake_no_fault(f);
}

/* Linux: enabled and masked, placeholders, function unmasked, then one vector
 * after the other. Without late routes a commit at each unmask. */
static void linux_enable(struct fake *f, unsigned n)
{
	guest_msix(f, true, true);
	for (unsigned i = 0; i < n; i++)
		guest_entry(f, i, 0xef, true);
	guest_msix(f, true, false);
	for (unsigned i = 0; i < n; i++)
		guest_entry(f, i, 0x40 + i, false);
}

static void test_linux_immediate(void **state)
{
	struct fake *f = *state;

	fake_open_ok(f, false);
	linux_enable(f, 2);
	fake_expect(f, "irqs MSIX 0: -\n"
	               "routes 1\nirqfd 24\nirqs MSIX 0: +\n"
	               "routes 2\nirqfd 25\nirqs MSIX 1: +\n");
}

/* With them, none until the first interrupt, then one for all. */
static void test_linux_late(void **state)
{
	struct fake *f = *state;
	struct pollfd pfd = { .events = POLLIN };
	uint64_t one = 1;

	fake_open_ok(f, true);
	pfd.fd = vfio_dev_late_fd(f->dev);
	assert_true(pfd.fd >= 0);
	linux_enable(f, 3);
	fake_expect(f, "irqs MSIX 0: -\nirqs MSIX 0: +\nirqs MSIX 1: +\n"
	               "irqs MSIX 2: +\n");
	assert_int_equal(poll(&pfd, 1, 0), 0);
	/* The device interrupts: VFIO signals the eventfd. */
	assert_int_equal(write(irq_bank_eventfd(f->dev->irq.bank, 1), &one, 8),
	                 8);
	assert_int_equal(poll(&pfd, 1, 0), 1);
	vfio_dev_late_settle(f->dev);
	fake_expect(f, "routes 3\nirqfd 24\nirqfd 25\nirqfd 26\n");
	assert_int_equal(f->eventfd[25], irq_bank_eventfd(f->dev->irq.bank, 1));
	assert_int_equal(poll(&pfd, 1, 0), 0);
	vfio_dev_late_settle(f->dev);
	fake_expect(f, "");
	assert_int_equal(irq_table_stats(f->table).commits, 1);
	fake_no_fault(f);
}

/* A live vector's new message cannot wait; those that wait go with it. */
static void test_late_stale(void **state)
{
	struct fake *f = *state;

	fake_open_ok(f, true);
	linux_enable(f, 1);
	vfio_dev_late_settle(f->dev);
	fake_forget(f);
	guest_entry(f, 1, 0x51, false);
	fake_expect(f, "irqs MSIX 1: +\n");
	guest_mask(f, 0, true);
	guest_entry(f, 0, 0x60, false);
	fake_expect(f, "irqs MSIX 0: -\nroutes 2\nirqfd 25\n"
	               "irqs MSIX 0: +\n");
	vfio_dev_late_settle(f->dev);
	fake_expect(f, "");
}

/* Off before any interrupt: nothing waits any more, nothing was committed. */
static void test_late_off(void **state)
{
	struct fake *f = *state;
	struct pollfd pfd = { .events = POLLIN };
	uint64_t one = 1;

	fake_open_ok(f, true);
	linux_enable(f, 2);
	fake_forget(f);
	guest_msix(f, false, false);
	fake_expect(f, "irqs MSIX off\n");
	pfd.fd = vfio_dev_late_fd(f->dev);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	/* The next driver's vectors wait anew. */
	linux_enable(f, 2);
	assert_int_equal(write(irq_bank_eventfd(f->dev->irq.bank, 0), &one, 8),
	                 8);
	assert_int_equal(poll(&pfd, 1, 0), 1);
	fake_forget(f);
	vfio_dev_late_settle(f->dev);
	fake_expect(f, "routes 2\nirqfd 24\nirqfd 25\n");
}

static void *settle_beside(void *arg)
{
	struct fake *f = arg;
	struct vfio_stats s = { .resets = 77 };
	struct diag d;

	vfio_dev_late_settle(f->dev);
	assert_false(vfio_dev_stats_soon(f->dev, &s));
	assert_int_equal(s.resets, 77);
	assert_false(vfio_dev_take_fault(f->dev, &d));
	return NULL;
}

/* Another thread is in a reset: the loop goes on, and settles later. */
static void test_late_busy(void **state)
{
	struct fake *f = *state;
	struct pollfd pfd = { .events = POLLIN };
	struct vfio_stats s;
	pthread_t beside;

	fake_open_ok(f, true);
	linux_enable(f, 1);
	pfd.fd = vfio_dev_late_fd(f->dev);
	assert_int_equal(
		eventfd_write(irq_bank_eventfd(f->dev->irq.bank, 0), 1), 0);
	fake_forget(f);
	pthread_mutex_lock(&f->dev->lock);
	assert_int_equal(pthread_create(&beside, NULL, settle_beside, f), 0);
	assert_int_equal(pthread_join(beside, NULL), 0);
	pthread_mutex_unlock(&f->dev->lock);
	fake_expect(f, "");
	assert_int_equal(poll(&pfd, 1, 0), 1); /* not forgotten */
	vfio_dev_late_settle(f->dev);
	fake_expect(f, "routes 1\nirqfd 24\n");
	assert_true(vfio_dev_stats_soon(f->dev, &s));
	assert_int_equal(s.vectors, 1);
}

/* A masked vector is not delivered by way of another one's first interrupt;
 * what came before waits for the unmask. */
static void test_late_masked(void **state)
{
	struct fake *f = *state;
	struct pollfd pfd = { .events = POLLIN };

	fake_open_ok(f, true);
	guest_entry(f, 0, 0x40, false);
	guest_entry(f, 1, 0x41, false);
	guest_msix(f, true, false);
	pfd.fd = vfio_dev_late_fd(f->dev);
	assert_int_equal(
		eventfd_write(irq_bank_eventfd(f->dev->irq.bank, 0), 1), 0);
	assert_int_equal(poll(&pfd, 1, 0), 1);
	/* Masked before anybody looked: it must wait for the unmask. */
	guest_mask(f, 0, true);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	assert_int_equal(
		eventfd_write(irq_bank_eventfd(f->dev->irq.bank, 1), 1), 0);
	fake_forget(f);
	vfio_dev_late_settle(f->dev);
	fake_expect(f, "routes 1\nirqfd 24\n"); /* vector 1 alone */
	assert_int_equal(f->route[0].msg.data, 0x41);
	guest_mask(f, 0, false);
	fake_expect(f, "irqs MSIX 0: +\n");
	assert_int_equal(poll(&pfd, 1, 0), 1); /* its count is still there */
	vfio_dev_late_settle(f->dev);
	fake_expect(f, "routes 2\nirqfd 25\n");
	fake_no_fault(f);
}

/* A mask and an unmask are one SET_IRQS each, and no route commit. */
static void test_mask(void **state)
{
	struct fake *f = *state;

	fake_open_ok(f, false);
	linux_enable(f, 3);
	fake_forget(f);
	guest_mask(f, 1, true);
	fake_expect(f, "irqs MSIX 1: -\n");
	guest_mask(f, 1, true);
	fake_expect(f, "");
	guest_mask(f, 1, false);
	fake_expect(f, "irqs MSIX 1: +\n");
	guest_msix(f, true, true);
	fake_expect(f, "irqs MSIX 0: - - -\n");
	guest_mask(f, 2, true);
	fake_expect(f, "");
	guest_msix(f, true, false);
	fake_expect(f, "irqs MSIX 0: + +\n");
	assert_int_equal(vfio_dev_stats(f->dev).vectors, 2);
	/* Undefined by the specification while unmasked; at once here. */
	vfio_dev_bar_write(f->dev, 0, FAKE_TABLE_OFF + PCI_MSIX_ENTRY_DATA, 4,
	                   0x77);
	fake_expect(f, "routes 3\n");
	assert_int_equal(f->route[0].msg.data, 0x77);
}

/* Runs: an armed vector must not lie in one, a masked one may. */
static void test_runs(void **state)
{
	struct fake *f = *state;

	fake_open_ok(f, false);
	for (unsigned i = 0; i < 5; i++)
		guest_entry(f, i, 0x40 + i, i == 0 || i == 2);
	guest_msix(f, true, false);
	fake_expect(f, "routes 3\nirqfd 24\nirqfd 25\nirqfd 26\n"
	               "irqs MSIX 0: -\nirqs MSIX 1: + - + +\n");
	guest_msix(f, true, true);
	fake_expect(f, "irqs MSIX 1: - - - -\n");
	guest_mask(f, 0, false);
	guest_mask(f, 2, false);
	guest_msix(f, true, false);
	fake_expect(f, "routes 5\nirqfd 27\nirqfd 28\n"
	               "irqs MSIX 0: + + + + +\n");
}

/* Without dynamic MSI-X all vectors are allocated by the enabling call. */
static void test_static(void **state)
{
	struct fake *f = *state;

	f->dynamic = false;
	fake_open_ok(f, false);
	assert_false(vfio_dev_stats(f->dev).dynamic_msix);
	linux_enable(f, 2);
	fake_expect(f, "irqs MSIX 0: - - - - -\n"
	               "routes 1\nirqfd 24\nirqs MSIX 0: +\n"
	               "routes 2\nirqfd 25\nirqs MSIX 1: +\n");
	assert_int_equal(f->allocated, 5);
}

/* Too few host vectors: those there are serve, the rest is said. */
static void test_few_vectors(void **state)
{
	struct fake *f = *state;
	struct diag d = { 0 };

	f->dynamic = false;
	f->available = 2;
	fake_open_ok(f, false);
	for (unsigned i = 0; i < 5; i++)
		guest_entry(f, i, 0x40 + i, false);
	guest_msix(f, true, false);
	assert_int_equal(vfio_dev_stats(f->dev).vectors, 2);
	assert_true(f->armed[1] && !f->armed[2]);
	assert_true(vfio_dev_take_fault(f->dev, &d));
	assert_int_equal(d.code, FL_VFIO_IRQ);
	assert_non_null(strstr(d.what, "vectors 2-4"));
	assert_non_null(strstr(d.why, "5 asked for, 2 to be had"));
	assert_non_null(strstr(d.mend, "/sys/kernel/debug/irq"));
	fake_forget(f);
	guest_mask(f, 3, true); /* past the limit: no call */
	fake_expect(f, "");
	assert_false(vfio_dev_take_fault(f->dev, &d));
	guest_mask(f, 3, false); /* but it is said again */
	fake_expect(f, "");
	assert_true(vfio_dev_take_fault(f->dev, &d));
	assert_int_equal(d.code, FL_VFIO_IRQ);
	assert_non_null(strstr(d.what, "vectors 3-3"));
	guest_mask(f, 1, true);
	guest_mask(f, 1, false);
	fake_no_fault(f);
}

/* MSI, too: the kernel has fewer than the guest asked for. */
static void test_few_msi(void **state)
{
	struct fake *f = *state;

	f->vectors = 0;
	f->msi_vectors = 4;
	f->available = 1;
	fake_open_ok(f, false);
	vfio_dev_cfg_write(f->dev, FAKE_MSI_CAP + PCI_MSI_FLAGS, 2,
	                   2 << 4 | PCI_MSI_FLAGS_ENABLE);
	assert_int_equal(f->index, VFIO_PCI_MSI_IRQ_INDEX);
	assert_true(f->armed[0] && !f->armed[1]);
	expect_fault(f, FL_VFIO_IRQ);
	vfio_dev_cfg_write(f->dev, FAKE_MSI_CAP + PCI_MSI_MASK_64, 4, 8);
	expect_fault(f, FL_VFIO_IRQ); /* 1 and 2 are still wanted */
	vfio_dev_cfg_write(f->dev, FAKE_MSI_CAP + PCI_MSI_MASK_64, 4, 0xe);
	fake_no_fault(f);
}

/* One vector is refused: the others are armed one by one. */
static void test_one_refused(void **state)
{
	struct fake *f = *state;

	fake_open_ok(f, false);
	f->refuse_vector = 2;
	for (unsigned i = 0; i < 4; i++)
		guest_entry(f, i, 0x40 + i, false);
	guest_msix(f, true, false);
	assert_true(f->armed[0] && f->armed[1] && !f->armed[2] && f->armed[3]);
	assert_int_equal(vfio_dev_stats(f->dev).vectors, 3);
	expect_fault(f, FL_VFIO_IRQ);
}

static void guest_msi(struct fake *f, uint32_t data, unsigned log,
                      uint32_t mask, bool enable)
{
	struct vfio_dev *v = f->dev;

	vfio_dev_cfg_write(v, FAKE_MSI_CAP + PCI_MSI_ADDRESS_LO, 4, 0xfee00000);
	vfio_dev_cfg_write(v, FAKE_MSI_CAP + PCI_MSI_ADDRESS_HI, 4, 0);
	vfio_dev_cfg_write(v, FAKE_MSI_CAP + PCI_MSI_DATA_64, 2, data);
	vfio_dev_cfg_write(v, FAKE_MSI_CAP + PCI_MSI_MASK_64, 4, mask);
	vfio_dev_cfg_write(v, FAKE_MSI_CAP + PCI_MSI_FLAGS, 2,
	                   log << 4 | (enable ? PCI_MSI_FLAGS_ENABLE : 0u));
}

/* The same, in a run that also masks: what is to be masked behind it, is. */
static void test_refused_then_mask(void **state)
{
	struct fake *f = *state;

	f->vectors = 0;
	f->msi_vectors = 4;
	fake_open_ok(f, false);
	guest_msi(f, 0x40, 2, 0x5, true); /* 1 and 3 of four */
	assert_true(!f->armed[0] && f->armed[1] && f->armed[3]);
	f->refuse_vector = 2;
	fake_forget(f);
	vfio_dev_cfg_write(f->dev, FAKE_MSI_CAP + PCI_MSI_MASK_64, 4, 0x8);
	assert_true(f->armed[0] && f->armed[1] && !f->armed[2] && !f->armed[3]);
	assert_int_equal(vfio_dev_stats(f->dev).vectors, 2);
	expect_fault(f, FL_VFIO_IRQ);
}

/* No descriptor left for a vector: not armed, said, and armed when there is
 * one again. */
static void test_no_eventfd(void **state)
{
	struct fake *f = *state;
	struct rlimit old, none;

	fake_open_ok(f, false);
	guest_entry(f, 0, 0x40, false);
	guest_msix(f, true, false);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){ .rlim_cur = 3, .rlim_max = old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	guest_entry(f, 1, 0x41, false);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(vfio_dev_stats(f->dev).vectors, 1);
	expect_fault(f, FL_IRQ_EVENTFD);
	fake_forget(f);
	guest_mask(f, 1, false);
	guest_mask(f, 1, true);
	guest_mask(f, 1, false);
	assert_true(f->armed[1]);
	assert_int_equal(vfio_dev_stats(f->dev).vectors, 2);
	fake_no_fault(f);
}

/* MSI-X cannot be enabled at all; the guest goes on, and off again. */
static void test_all_refused(void **state)
{
	struct fake *f = *state;

	fake_open_ok(f, false);
	f->refuse_vector = 0;
	guest_entry(f, 0, 0x40, false);
	guest_msix(f, true, false);
	expect_fault(f, FL_VFIO_IRQ);
	assert_int_equal(irq_table_stats(f->table).irqfds, 0);
	fake_forget(f);
	guest_mask(f, 0, true);
	guest_msix(f, false, false);
	fake_expect(f, "");
}

/* ---- MSI ---- */

static void test_msi(void **state)
{
	struct fake *f = *state;

	f->vectors = 0;
	f->msi_vectors = 4;
	fake_open_ok(f, false);
	/* The low bits of the data are the function's. */
	guest_msi(f, 0x41, 1, 0, true);
	fake_expect(f, "routes 2\nirqfd 24\nirqfd 25\nirqs MSI 0: + +\n");
	assert_int_equal(f->route[0].msg.data, 0x40);
	assert_int_equal(f->route[1].msg.data, 0x41);
	vfio_dev_cfg_write(f->dev, FAKE_MSI_CAP + PCI_MSI_MASK_64, 4, 2);
	fake_expect(f, "irqs MSI 1: -\n");
	vfio_dev_cfg_write(f->dev, FAKE_MSI_CAP + PCI_MSI_DATA_64, 2, 0x80);
	fake_expect(f, "routes 2\n");
	vfio_dev_cfg_write(f->dev, FAKE_MSI_CAP + PCI_MSI_MASK_64, 4, 0);
	fake_expect(f, "routes 2\nirqs MSI 1: +\n");
	/* Another number of vectors: off and on. */
	vfio_dev_cfg_write(f->dev, FAKE_MSI_CAP + PCI_MSI_FLAGS, 2,
	                   2 << 4 | PCI_MSI_FLAGS_ENABLE);
	fake_expect(f, "irqs MSI off\n-irqfd 24\n-irqfd 25\nroutes 4\n"
	               "irqfd 24\nirqfd 25\nirqfd 26\nirqfd 27\n"
	               "irqs MSI 0: + + + +\n");
	/* Two masked at once; the armed ones between are left alone. */
	vfio_dev_cfg_write(f->dev, FAKE_MSI_CAP + PCI_MSI_MASK_64, 4, 9);
	fake_expect(f, "irqs MSI 0: -\nirqs MSI 3: -\n");
	guest_msi(f, 0x80, 2, 0, false);
	assert_int_equal(f->index, IRQ_OFF);
	fake_no_fault(f);
}

/* Both at once is undefined in the specification; here MSI-X wins, and VFIO
 * is never asked for two. */
static void test_msi_and_msix(void **state)
{
	struct fake *f = *state;

	f->msi_vectors = 1;
	fake_open_ok(f, false);
	guest_msi(f, 0x40, 0, 0, true);
	assert_int_equal(f->index, VFIO_PCI_MSI_IRQ_INDEX);
	guest_entry(f, 0, 0x50, false);
	guest_msix(f, true, false);
	assert_int_equal(f->index, VFIO_PCI_MSIX_IRQ_INDEX);
	guest_msi(f, 0x41, 0, 0, true);
	assert_int_equal(f->index, VFIO_PCI_MSIX_IRQ_INDEX);
	guest_msix(f, false, false);
	assert_int_equal(f->index, VFIO_PCI_MSI_IRQ_INDEX);
	fake_no_fault(f);
}

/* Nonsense at the table, every width and place: no call past the table's
 * entries, no fault, and the entries beyond it are the device's registers. */
static void test_table_edges(void **state)
{
	struct fake *f = *state;
	uint64_t end = FAKE_TABLE_OFF + 5 * 16;

	fake_open_ok(f, false);
	guest_msix(f, true, false);
	fake_forget(f);
	for (uint64_t off = FAKE_TABLE_OFF - 8; off < end + 8; off++)
		for (unsigned width = 0; width <= 9; width++) {
			vfio_dev_bar_write(f->dev, 0, off, width, UINT64_MAX);
			(void)vfio_dev_bar_read(f->dev, 0, off, width);
		}
	fake_expect(f, "");
	vfio_dev_bar_write(f->dev, 0, end, 4, 0x1234);
	assert_int_equal(f->reg[end / 4], 0x1234);
	assert_int_equal(vfio_dev_bar_read(f->dev, 0, end, 4), 0x1234);
	assert_int_equal(vfio_dev_bar_read(f->dev, 0, FAKE_BAR0_SIZE, 4),
	                 UINT64_MAX);
	assert_int_equal(vfio_dev_bar_read(f->dev, 1, 0, 4), UINT64_MAX);
	assert_int_equal(vfio_dev_bar_read(f->dev, 99, 0, 4), UINT64_MAX);
	fake_no_fault(f);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		T(test_64),
		T(test_unmasked),
		T(test_burst),
		T(test_linux_immediate),
		T(test_linux_late),
		T(test_late_stale),
		T(test_late_off),
		T(test_late_masked),
		T(test_refused_then_mask),
		T(test_no_eventfd),
		T(test_late_busy),
		T(test_mask),
		T(test_runs),
		T(test_static),
		T(test_few_vectors),
		T(test_few_msi),
		T(test_one_refused),
		T(test_all_refused),
		T(test_msi),
		T(test_msi_and_msix),
		T(test_table_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
