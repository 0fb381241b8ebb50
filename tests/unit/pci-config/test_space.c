/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses of every width at every offset of every recorded function, against
 * a bit-by-bit reading of the attributes. The masks themselves are judged by
 * the golden views.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/pci-config/recorded.h"

static const unsigned widths[] = { 1, 2, 4 };
static const uint32_t patterns[] = { 0,          0xffffffff, 0x5a5aa5a5,
	                             0x00ff00ff, 0x80000001, 0x12345678 };

struct fixture {
	struct cfg_layout l;
	struct cfg_space s;
};

static void compose(struct fixture *f, const char *name)
{
	static const struct cfg_place place = { .behind_port = true,
		                                .intx_pin = 2 };

	assert_int_equal(recorded_layout(name, &f->l), 0);
	cfg_compose_endpoint(&f->s, &f->l, &place);
}

static unsigned bit(const uint8_t *p, unsigned off, unsigned b)
{
	return p[off + b / 8] >> (b % 8) & 1;
}

/* What each bit must become. */
static void expect_write(const struct cfg_space *old,
                         const struct cfg_space *now, unsigned off,
                         unsigned width, uint32_t value,
                         const struct cfg_write *w)
{
	bool fwd = false;

	for (unsigned b = 0; b < 8 * width; b++) {
		const unsigned v = value >> b & 1, was = bit(old->now, off, b);
		const bool rw = bit(old->rw, off, b);
		const bool w1c = bit(old->w1c, off, b);
		const unsigned is = rw ? v : w1c && v ? 0 : was;
		unsigned hw = bit(old->keep, off, b);

		assert_int_equal(bit(now->now, off, b), is);
		if (bit(old->fwd, off, b)) {
			fwd = true;
			hw = w1c ? v : is;
		}
		if (w->forward)
			assert_int_equal(w->hw_value >> b & 1, hw);
	}
	assert_int_equal(w->forward, fwd);
	if (!fwd)
		assert_int_equal(w->hw_value, 0);
}

static void expect_rest_untouched(const struct cfg_space *old,
                                  const struct cfg_space *now, unsigned off,
                                  unsigned width)
{
	assert_memory_equal(old->now, now->now, off);
	assert_memory_equal(old->now + off + width, now->now + off + width,
	                    CFG_SIZE - off - width);
	assert_memory_equal(old->rw, now->rw, sizeof(*old) - sizeof(old->now));
}

static void one_write(const struct fixture *f, unsigned off, unsigned width,
                      uint32_t value)
{
	static struct cfg_space s;
	struct cfg_write w;
	struct cfg_read r;

	s = f->s;
	w = cfg_write(&s, off, width, value);
	expect_write(&f->s, &s, off, width, value, &w);
	expect_rest_untouched(&f->s, &s, off, width);
	r = cfg_read(&s, off, width);
	assert_int_equal(r.value, load_le(s.now + off, width));
	assert_int_equal(r.hw_mask, load_le(s.hw + off, width));
}

static void every_access(void **state)
{
	static struct fixture f;
	/* Sparse in the extended space, where nothing can be written. */
	const unsigned dense = CFG_SIZE_PCI + 8;

	compose(&f, *state);
	for (unsigned w = 0; w < ARRAY_SIZE(widths); w++)
		for (unsigned off = 0; off + widths[w] <= CFG_SIZE;
		     off += off < dense ? 1 : 13)
			for (unsigned p = 0; p < ARRAY_SIZE(patterns); p++)
				one_write(&f, off, widths[w], patterns[p]);
}

/* Everything written everywhere: what is not rw or w1c never moves, and
 * reset brings all of it back. */
static void read_only_stays(void **state)
{
	static struct fixture f;
	static struct cfg_space s;

	compose(&f, *state);
	s = f.s;
	for (unsigned p = 0; p < ARRAY_SIZE(patterns); p++)
		for (unsigned w = 0; w < ARRAY_SIZE(widths); w++)
			for (unsigned off = 0; off < CFG_SIZE; off++)
				cfg_write(&s, off, widths[w], patterns[p]);
	for (unsigned i = 0; i < CFG_SIZE; i++)
		assert_int_equal(
			(s.now[i] ^ f.s.now[i]) & ~(f.s.rw[i] | f.s.w1c[i]), 0);
	cfg_reset(&s);
	assert_memory_equal(&s, &f.s, sizeof(s));
}

static void out_of_range(void **state)
{
	static const struct {
		unsigned off, width;
	} bad[] = { { 4096, 1 },
		    { 4095, 2 },
		    { 4093, 4 },
		    { 4094, 4 },
		    { UINT32_MAX, 1 },
		    { UINT32_MAX, 4 },
		    { UINT32_MAX - 3, 4 },
		    { 0, 0 },
		    { 0, 3 },
		    { 0, 8 },
		    { 4, 5 },
		    { 4, UINT32_MAX } };
	static struct fixture f;
	static struct cfg_space s;

	(void)state;
	compose(&f, "nvme");
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cfg_read r = cfg_read(&f.s, bad[i].off, bad[i].width);
		struct cfg_write w;

		assert_int_equal(r.value, UINT32_MAX);
		assert_int_equal(r.hw_mask, 0);
		s = f.s;
		w = cfg_write(&s, bad[i].off, bad[i].width, 0);
		assert_memory_equal(&s, &f.s, sizeof(s));
		assert_int_equal(w.events, 0);
		assert_false(w.forward);
	}
	assert_int_equal(cfg_read(&f.s, 4092, 4).value, 0);
}

/* One dword write over the last byte of one register and three of the next. */
static void straddling(void **state)
{
	static struct fixture f;
	struct cfg_write w;

	(void)state;
	compose(&f, "nvme");
	assert_int_equal(cfg_read(&f.s, 0x02, 4).value, 0x00000010);
	w = cfg_write(&f.s, 0x02, 4, 0x0406ffff);
	assert_int_equal(cfg_read(&f.s, 0x02, 4).value, 0x04060010);
	assert_int_equal(w.events, CFG_EV_COMMAND);
	assert_true(w.forward);
	/* Beside the guest's bits go out the device id and the host's own SERR#
	 * Enable, as they were. */
	assert_int_equal(w.hw_value, 0x05060010);
	/* BAR 0's top byte and the lower three of its upper half. */
	w = cfg_write(&f.s, 0x13, 4, 0xddccbbaa);
	assert_int_equal(w.events, CFG_EV_BAR);
	assert_false(w.forward);
	assert_true(cfg_bar_addr(&f.s, 0) == 0x00ddccbbaa000000);
}

static void a_short_device_ends_at_256(void **state)
{
	static struct fixture f;

	(void)state;
	compose(&f, "multifn-1");
	assert_int_equal(f.l.size, CFG_SIZE_PCI);
	for (unsigned off = CFG_SIZE_PCI; off < CFG_SIZE; off += 4)
		assert_int_equal(cfg_read(&f.s, off, 4).value, 0);
}

#define EACH(fn, name)                                                         \
	{                                                                      \
#fn " " name, fn, NULL, NULL, (void *)(uintptr_t)(name)        \
	}
#define ALL(fn)                                                                \
	EACH(fn, "igb-vf"), EACH(fn, "nvme"), EACH(fn, "e1000e"),              \
		EACH(fn, "bochs-display"), EACH(fn, "multifn-0"),              \
		EACH(fn, "multifn-1"), EACH(fn, "broken-loops"),               \
		EACH(fn, "hidden-middle")

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALL(every_access),
		ALL(read_only_stays),
		cmocka_unit_test(out_of_range),
		cmocka_unit_test(straddling),
		cmocka_unit_test(a_short_device_ends_at_256),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
