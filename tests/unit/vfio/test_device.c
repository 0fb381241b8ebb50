/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening, windows, configuration cycles and reset; the kernel is played
 * (fake.h). BAR 0 is 32 KiB with the MSI-X table in its third page. */

#include "tests/unit/vfio/fake.h"

#include <linux/pci_regs.h>
#include <sys/mman.h>

#define AT 0xc0000000ull
#define MEM_MASTER (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)
#define SHOWN "+trap 0 c0000000\n+win c0000000 2000\n+win c0003000 5000\n"
#define GONE "-win c0000000 2000\n-win c0003000 5000\n-trap 0 c0000000\n"

static void placed(struct fake *f)
{
	fake_open_ok(f, false);
	assert_int_equal(vfio_dev_bar_place(f->dev, 0, AT), 0);
	fake_expect(f, "");
	guest_command(f, MEM_MASTER);
	fake_expect(f, "cfg 4=0006\n" SHOWN);
}

/* ---- opening ---- */

static void test_open(void **state)
{
	struct fake *f = *state;
	struct vfio_stats s;

	fake_open_ok(f, false);
	s = vfio_dev_stats(f->dev);
	assert_int_equal(s.resets, 1);
	assert_int_equal(s.set_irqs, 1); /* the request interrupt */
	assert_int_equal(s.windows, 0);
	assert_true(s.dynamic_msix);
	assert_true(vfio_dev_request_fd(f->dev) >= 0);
	assert_int_equal(vfio_dev_late_fd(f->dev), -1);
	assert_int_equal(vfio_dev_bars(f->dev)[0].size, FAKE_BAR0_SIZE);
	assert_int_equal(vfio_dev_layout(f->dev)->msix.vectors, 5);
	assert_int_equal(vfio_dev_cfg_read(f->dev, 0, 4), 0x10ca8086);
}

static void test_no_vectors(void **state)
{
	struct fake *f = *state;

	f->vectors = 0;
	f->no_request = true;
	fake_open_ok(f, false);
	assert_int_equal(vfio_dev_request_fd(f->dev), -1);
	vfio_dev_late_settle(f->dev);
	guest_command(f, MEM_MASTER);
}

static void refused(struct fake *f, int err, int code)
{
	struct diag d = { 0 };

	assert_int_equal(fake_open(f, false, &d), err);
	assert_int_equal(d.code, code);
	assert_non_null(strstr(d.what, "0000:01:10.0"));
	assert_true(d.why[0]);
	assert_null(f->dev);
}

static void test_unreadable(void **state)
{
	struct fake *f = *state;

	f->config_error = EIO;
	refused(f, -EIO, FL_VFIO_CONFIG);
}

/* The capability says the table reaches past the BAR's end: hidden, so that
 * nothing here ever meets it. */
static void test_table_outside(void **state)
{
	struct fake *f = *state;

	f->vectors = 2048;
	fake_open_ok(f, false);
	assert_int_equal(vfio_dev_layout(f->dev)->msix.cap, 0);
	assert_int_equal(vfio_dev_stats(f->dev).vectors, 0);
	guest_msix(f, true, false);
	guest_entry(f, 0, 0x40, false);
	fake_expect(f, "");
}

/* ---- windows ---- */

static void test_decode(void **state)
{
	struct fake *f = *state;

	placed(f);
	assert_int_equal(vfio_dev_stats(f->dev).windows, 2);
	/* Taken away before the device stops answering. */
	guest_command(f, PCI_COMMAND_MASTER);
	fake_expect(f, GONE "cfg 4=0004\n");
	guest_command(f, MEM_MASTER);
	fake_expect(f, "cfg 4=0006\n" SHOWN);
	/* Memory decode stays: the windows do, too. */
	guest_command(f, PCI_COMMAND_MEMORY);
	fake_expect(f, "cfg 4=0002\n");
}

static void test_move(void **state)
{
	struct fake *f = *state;

	placed(f);
	vfio_dev_cfg_write(f->dev, PCI_BASE_ADDRESS_0, 4, 0xd0000000);
	fake_expect(f, GONE "+trap 0 d0000000\n+win d0000000 2000\n"
	                    "+win d0003000 5000\n");
	/* A refused place: the BAR does not decode, and comes back later. */
	f->refuse_trap = 0xe0000000;
	vfio_dev_cfg_write(f->dev, PCI_BASE_ADDRESS_0, 4, 0xe0000000);
	fake_expect(f, "-win d0000000 2000\n-win d0003000 5000\n"
	               "-trap 0 d0000000\n");
	assert_int_equal(vfio_dev_stats(f->dev).windows, 0);
	vfio_dev_cfg_write(f->dev, PCI_BASE_ADDRESS_0, 4, 0xc0000000);
	fake_expect(f, SHOWN);
	assert_int_equal(vfio_dev_stats(f->dev).faults, 0);
}

/* No window to be had: slower, said, not wrong. */
static void test_window_refused(void **state)
{
	struct fake *f = *state;
	struct diag d = { 0 };

	fake_open_ok(f, false);
	f->refuse_window = true;
	f->reg[2] = 0x800c8483;
	assert_int_equal(vfio_dev_bar_place(f->dev, 0, AT), 0);
	guest_command(f, MEM_MASTER);
	fake_expect(f, "cfg 4=0006\n+trap 0 c0000000\n");
	assert_true(vfio_dev_take_fault(f->dev, &d));
	assert_int_equal(d.code, FL_VFIO_WINDOW);
	assert_int_equal(vfio_dev_bar_read(f->dev, 0, 8, 4), 0x800c8483);
	guest_command(f, 0);
	fake_expect(f, "-trap 0 c0000000\ncfg 4=0000\n");
}

static void test_trapped_widths(void **state)
{
	struct fake *f = *state;

	placed(f);
	vfio_dev_bar_write(f->dev, 0, 0x100, 8, 0x1122334455667788);
	assert_int_equal(f->reg[0x40], 0x55667788);
	assert_int_equal(vfio_dev_bar_read(f->dev, 0, 0x104, 2), 0x3344);
	assert_int_equal(vfio_dev_bar_read(f->dev, 0, 0x101, 1), 0x77);
	vfio_dev_bar_write(f->dev, 0, FAKE_BAR0_SIZE - 2, 4, 0);
	assert_int_equal(vfio_dev_stats(f->dev).bar_writes, 1);
}

static void test_config_gone(void **state)
{
	struct fake *f = *state;

	f->pin = 1;
	fake_open_ok(f, false);
	f->config_error = EIO; /* the device was pulled */
	/* Interrupt Status comes from the device: all ones. */
	assert_true(vfio_dev_cfg_read(f->dev, PCI_STATUS, 2) &
	            PCI_STATUS_INTERRUPT);
	assert_int_equal(vfio_dev_cfg_read(f->dev, 0, 4), 0x10ca8086);
	assert_int_equal(vfio_dev_cfg_read(f->dev, 0x1000, 4), UINT32_MAX);
	assert_int_equal(vfio_dev_cfg_read(f->dev, 0, 3), UINT32_MAX);
	vfio_dev_cfg_write(f->dev, 0xffffffff, 4, 0);
}

/* ---- reset ---- */

/* Interrupts, then windows, then the reset; bus master stays off after it. */
static void test_flr(void **state)
{
	struct fake *f = *state;

	placed(f);
	guest_entry(f, 0, 0x40, false);
	guest_msix(f, true, false);
	fake_forget(f);
	vfio_dev_cfg_write(f->dev, FAKE_EXP_CAP + PCI_EXP_DEVCTL, 2,
	                   PCI_EXP_DEVCTL_BCR_FLR);
	fake_expect(f, "irqs MSIX off\n-irqfd 24\n" GONE "reset\ncfg 4=0000\n");
	assert_int_equal(vfio_dev_stats(f->dev).resets, 2);
	assert_int_equal(vfio_dev_cfg_read(f->dev, PCI_COMMAND, 2), 0);
	assert_int_equal(vfio_dev_cfg_read(f->dev, PCI_BASE_ADDRESS_0, 4),
	                 PCI_BASE_ADDRESS_MEM_TYPE_64);
	/* Entries are masked again, and MSI-X is off. */
	assert_int_equal(vfio_dev_bar_read(f->dev, 0, FAKE_TABLE_OFF + 12, 4),
	                 1);
	guest_mask(f, 0, false);
	fake_expect(f, "");
}

static void test_reset_refused(void **state)
{
	struct fake *f = *state;
	struct diag d = { 0 };

	placed(f);
	f->reset_error = -EIO;
	assert_int_equal(vfio_dev_reset(f->dev, &d), -EIO);
	assert_int_equal(d.code, FL_VFIO_RESET);
	fake_expect(f, GONE "reset\ncfg 4=0000\n");
	assert_int_equal(vfio_dev_stats(f->dev).resets, 1);
	assert_int_equal(vfio_dev_stats(f->dev).faults, 1);
	/* The caller has been told; the guest's own FLR is told later. */
	assert_false(vfio_dev_take_fault(f->dev, &d));
	vfio_dev_cfg_write(f->dev, FAKE_EXP_CAP + PCI_EXP_DEVCTL, 2,
	                   PCI_EXP_DEVCTL_BCR_FLR);
	assert_true(vfio_dev_take_fault(f->dev, &d));
	assert_int_equal(d.code, FL_VFIO_RESET);
}

/* Somebody else has the device for a moment: tried again, but not for ever. */
static void test_reset_busy(void **state)
{
	struct fake *f = *state;
	struct diag d = { 0 };

	placed(f);
	f->reset_busy = 2;
	assert_int_equal(vfio_dev_reset(f->dev, &d), 0);
	fake_expect(f, GONE "busy\nbusy\nreset\ncfg 4=0000\n");
	assert_int_equal(vfio_dev_stats(f->dev).resets, 2);
	f->reset_busy = 1000;
	assert_int_equal(vfio_dev_reset(f->dev, &d), -EAGAIN);
	assert_int_equal(d.code, FL_VFIO_RESET);
	assert_true(f->reset_busy > 900);
}

/* A window that stays keeps the BAR's place until it can be taken away, and
 * its pages as long as it is there. */
static void test_window_stays(void **state)
{
	struct fake *f = *state;
	struct diag d = { 0 };

	placed(f);
	f->keep_window = true;
	vfio_dev_cfg_write(f->dev, PCI_BASE_ADDRESS_0, 4, 0xd0000000);
	fake_expect(f, "");
	assert_true(vfio_dev_take_fault(f->dev, &d));
	assert_int_equal(d.code, FL_VFIO_WINDOW);
	assert_int_equal(vfio_dev_stats(f->dev).windows, 2);
	f->keep_window = false;
	guest_command(f, 0);
	fake_expect(f, GONE "cfg 4=0000\n");
	assert_int_equal(vfio_dev_stats(f->dev).windows, 0);
}

static void test_window_stays_closed(void **state)
{
	struct fake *f = *state;
	volatile const char *page;
	void *base;

	placed(f);
	base = f->dev->bar[0].base;
	page = base;
	f->keep_window = true;
	vfio_dev_close(f->dev);
	f->dev = NULL;
	assert_int_equal(page[0], 0); /* else SIGSEGV */
	assert_int_equal(munmap(base, FAKE_BAR0_SIZE), 0);
}

/* Whatever is written where, the device answers and closes clean. */
static void test_noise(void **state)
{
	struct fake *f = *state;
	uint64_t x = 88172645463325252ull; /* xorshift64 */

	placed(f);
	for (unsigned i = 0; i < 200000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		if (x & BIT64(40))
			vfio_dev_cfg_write(f->dev, x & 0x1ff, x >> 16 & 7,
			                   (uint32_t)(x >> 20));
		else
			vfio_dev_bar_write(f->dev, x & 7,
			                   x >> 8 & (FAKE_BAR0_SIZE * 2 - 1),
			                   x >> 50 & 15, x >> 3);
		fake_forget(f);
	}
	assert_int_equal(vfio_dev_cfg_read(f->dev, 0, 4), 0x10ca8086);
}

/* ---- pure parts ---- */

static void test_carve(void **state)
{
	static const struct {
		struct vfio_span area[2];
		unsigned n;
		uint64_t hole, hole_size;
		struct vfio_span want[4];
		unsigned n_want;
	} row[] = {
		/* no hole */
		{ { { 0, 0x4000 } }, 1, 0, 0, { { 0, 0x4000 } }, 1 },
		/* in the middle, to whole pages */
		{ { { 0, 0x8000 } },
		  1,
		  0x2ff0,
		  0x20,
		  { { 0, 0x2000 }, { 0x4000, 0x4000 } },
		  2 },
		/* at the begin, at the end, everything */
		{ { { 0, 0x4000 } }, 1, 0, 48, { { 0x1000, 0x3000 } }, 1 },
		{ { { 0, 0x4000 } }, 1, 0x3800, 48, { { 0, 0x3000 } }, 1 },
		{ { { 0, 0x1000 } }, 1, 0, 48, { { 0, 0 } }, 0 },
		/* two areas; the hole touches the second only */
		{ { { 0, 0x2000 }, { 0x4000, 0x4000 } },
		  2,
		  0x4000,
		  16,
		  { { 0, 0x2000 }, { 0x5000, 0x3000 } },
		  2 },
		/* between the areas */
		{ { { 0, 0x2000 }, { 0x4000, 0x4000 } },
		  2,
		  0x3000,
		  16,
		  { { 0, 0x2000 }, { 0x4000, 0x4000 } },
		  2 },
		/* a 64 GiB BAR */
		{ { { 0, 64ull << 30 } },
		  1,
		  32ull << 30,
		  16,
		  { { 0, 32ull << 30 },
		    { (32ull << 30) + 0x1000, (32ull << 30) - 0x1000 } },
		  2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct vfio_span got[SPANS_MAX];
		unsigned n =
			vfio_spans_carve(row[i].area, row[i].n, row[i].hole,
		                         row[i].hole_size, got, SPANS_MAX);

		assert_int_equal(n, row[i].n_want);
		for (unsigned k = 0; k < n; k++) {
			assert_int_equal(got[k].off, row[i].want[k].off);
			assert_int_equal(got[k].size, row[i].want[k].size);
		}
	}
}

static void test_carve_full(void **state)
{
	struct vfio_span area = { 0, 0x8000 }, got[1];

	(void)state;
	assert_int_equal(vfio_spans_carve(&area, 1, 0x2000, 16, got, 1), 1);
	assert_int_equal(got[0].size, 0x2000);
}

/* A region info as the kernel lays it out: head, sparse capability, areas. */
struct region_bytes {
	struct vfio_region_info info;
	uint16_t next; /* of the capability */
	struct vfio_region_sparse_mmap_area area[4];
	size_t size; /* of what is valid */
	char bytes[256];
};

static struct vfio_areas parsed(struct region_bytes *b)
{
	const struct vfio_region_info_cap_sparse_mmap sparse = {
		.header = { .id = VFIO_REGION_INFO_CAP_SPARSE_MMAP,
		            .next = b->next },
		.nr_areas = ARRAY_SIZE(b->area),
	};
	size_t at = sizeof(b->info);
	struct vfio_areas a;

	memcpy(b->bytes, &b->info, sizeof(b->info));
	memcpy(b->bytes + at, &sparse, sizeof(sparse));
	at += sizeof(sparse);
	memcpy(b->bytes + at, b->area, sizeof(b->area));
	vfio_areas_parse(b->bytes, b->size, &a);
	return a;
}

static void test_areas(void **state)
{
	const size_t head = sizeof(struct vfio_region_info);
	const size_t areas =
		head + sizeof(struct vfio_region_info_cap_sparse_mmap);
	struct region_bytes b = {
		.info = { .size = 0x10000,
		          .flags = VFIO_REGION_INFO_FLAG_MMAP |
		                   VFIO_REGION_INFO_FLAG_CAPS,
		          .cap_offset = (uint32_t)head },
		.area = { { 0, 0x1000 },
		          { 0x2800, 0x2000 }, /* whole pages: 3000-4000 */
		          { 0xf000, 0x2000 }, /* past the end: ignored */
		          { 0x8000, UINT64_MAX } },
		.size = areas + sizeof(b.area),
	};
	struct vfio_areas a = parsed(&b);

	(void)state;
	assert_int_equal(a.n, 2);
	assert_int_equal(a.span[1].off, 0x3000);
	assert_int_equal(a.span[1].size, 0x1000);
	/* A chain that bites its tail. */
	b.next = (uint16_t)head;
	assert_int_equal(parsed(&b).n, 2);
	/* Cut short: the areas that are there. */
	b.size = areas + sizeof(b.area[0]);
	assert_int_equal(parsed(&b).n, 1);
	/* A capability outside: none, so the whole region. */
	b.info.cap_offset = UINT32_MAX;
	a = parsed(&b);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.span[0].size, 0x10000);
	b.info.flags = 0;
	assert_int_equal(parsed(&b).n, 0);
	b.info.flags = VFIO_REGION_INFO_FLAG_MMAP;
	b.info.size = 256; /* alone in its page */
	a = parsed(&b);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.span[0].size, PAGE);
	b.info.size = 0;
	assert_int_equal(parsed(&b).n, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		T(test_open),
		T(test_no_vectors),
		T(test_unreadable),
		T(test_table_outside),
		T(test_decode),
		T(test_move),
		T(test_window_refused),
		T(test_trapped_widths),
		T(test_config_gone),
		T(test_flr),
		T(test_reset_refused),
		T(test_reset_busy),
		T(test_window_stays),
		T(test_window_stays_closed),
		T(test_noise),
		cmocka_unit_test(test_carve),
		cmocka_unit_test(test_carve_full),
		cmocka_unit_test(test_areas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
