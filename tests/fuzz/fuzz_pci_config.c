/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshots (recorded ones, patched; or nothing but patches) and accesses to
 * them, against a model that reads the same register tables one bit at a time
 * and keeps what it knows of a byte in its own way.
 *
 * Always true, whatever the snapshot and the accesses:
 *   no bit changes that no row lets the guest change; nothing is sent to the
 *   device outside `fwd` but what it already held; both chains end, and lead
 *   to what is shown, in order, and to nothing else; a BAR's address is a
 *   multiple of its size, and the ROM's; MSI-X lies inside its BARs; reset
 *   restores all; no byte of what is hidden or read-only can be written or
 *   sent; every byte that differs from the snapshot is in one difference of
 *   cfg_explain(), and only one.
 *
 * fuzz: runs=1000000 time=300
 */

#include "pci-config/priv.h"
#include "tests/unit/pci-config/recorded.h"

#define CHECK(cond)                                                            \
	do {                                                                   \
		if (!(cond))                                                   \
			abort();                                               \
	} while (0)

#define INPUT_MAX 400
#define BASES (ARRAY_SIZE(recorded_names) + 1)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The last is left all zero but for an id: patches alone. */
static struct recorded base[BASES];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	for (unsigned i = 0; i < BASES - 1; i++)
		CHECK(recorded_read(recorded_names[i], &base[i]) == 0);
	base[BASES - 1].size = CFG_SIZE;
	base[BASES - 1].raw[0] = 1;
	base[BASES - 1].raw[CFG_STATUS] = CFG_STATUS_CAPS;
	return 0;
}

/* ---- input --------------------------------------------------------------- */

struct input {
	const uint8_t *p, *end;
};

static unsigned take(struct input *in, unsigned bytes)
{
	unsigned v = 0;

	while (bytes--)
		v = v << 8 | (in->p < in->end ? *in->p++ : 0);
	return v;
}

/* A place where something is: half of all in the first 256 bytes. */
static unsigned take_off(struct input *in)
{
	const unsigned v = take(in, 2);

	return v & 0x8000 ? v & 0xff : v & 0xfff;
}

static void take_snapshot(struct input *in, struct recorded *r)
{
	*r = base[take(in, 1) % BASES];
	for (unsigned n = take(in, 1) % 24; n; n--) {
		const unsigned off = take_off(in);

		r->raw[off] = (uint8_t)take(in, 1);
	}
	for (unsigned n = take(in, 1) % 4; n; n--) {
		const unsigned bar = take(in, 1) % CFG_BARS;

		r->bar_size[bar] = 1ull << (take(in, 1) % 64);
	}
}

/* ---- the model
 * ---------------------------------------------------------------- */

/* A byte's part of the row that speaks for it; zero masks if none does. */
struct attr {
	bool row;
	uint8_t snap, init, rw, w1c, hw, fwd, event;
};

/* A byte is looked up when it is first touched. */
struct model {
	const struct cfg_layout *l;
	struct cfg_plan plan;
	bool known[CFG_SIZE];
	uint8_t value[CFG_SIZE];
	struct attr attr[CFG_SIZE];
};

static struct attr find_attr(const struct model *m, unsigned at)
{
	struct attr a = { 0 };

	for (unsigned b = 0; b < m->plan.n_blocks; b++) {
		const struct cfg_block *k = &m->plan.block[b];

		if (at < k->base || at >= k->base + (unsigned)k->len)
			continue;
		for (unsigned i = 0; i < k->n; i++) {
			const struct cfg_row *r = &k->row[i];
			const unsigned first = k->base + r->off;
			const unsigned sh = 8 * (at - first);

			if (at < first || at >= first + r->width ||
			    r->off + (unsigned)r->width > k->len)
				continue;
			a = (struct attr){ true,
				           (uint8_t)(r->snap >> sh),
				           (uint8_t)(r->init >> sh),
				           (uint8_t)(r->rw >> sh),
				           (uint8_t)(r->w1c >> sh),
				           (uint8_t)(r->hw >> sh),
				           (uint8_t)(r->fwd >> sh),
				           r->event };
		}
	}
	return a;
}

static const struct cfg_cap *shown_at(const struct model *m, unsigned at)
{
	for (unsigned i = 0; i < m->l->n_caps; i++) {
		const struct cfg_cap *c = &m->l->cap[i];

		if (c->verdict != CFG_HIDDEN && at >= c->off &&
		    at < c->off + (unsigned)c->len)
			return c;
	}
	return NULL;
}

/* Where the chain goes on behind `c` (NULL: at its beginning). */
static unsigned next_shown(const struct model *m, bool ext,
                           const struct cfg_cap *c)
{
	const struct cfg_cap *end = m->l->cap + m->l->n_caps;

	for (c = c ? c + 1 : m->l->cap; c < end; c++)
		if (c->ext == ext && c->verdict != CFG_HIDDEN)
			return c->off;
	return 0;
}

static uint32_t ext_head(const struct model *m, const struct cfg_cap *c)
{
	if (c)
		return c->id | (uint32_t)c->version << 16 |
		       next_shown(m, true, c) << 20;
	/* At 100h, hidden: Null, leading to the first that is shown. */
	return next_shown(m, true, NULL) << 20;
}

static uint8_t initial(const struct model *m, unsigned at)
{
	const struct cfg_cap *c = shown_at(m, at);
	const struct attr a = m->attr[at];
	uint8_t v = a.row ? (m->l->raw[at] & a.snap) | a.init
	            : c   ? m->l->raw[at]
	                  : 0;

	if (at == CFG_CAP_PTR)
		return (uint8_t)next_shown(m, false, NULL);
	if (at == CFG_STATUS && next_shown(m, false, NULL))
		return v | CFG_STATUS_CAPS;
	if (c && !c->ext && at - c->off < 2)
		return at == c->off ? (uint8_t)c->id
		                    : (uint8_t)next_shown(m, false, c);
	if (c && c->ext && at - c->off < 4)
		return (uint8_t)(ext_head(m, c) >> 8 * (at - c->off));
	if (at >= CFG_SIZE_PCI && at < CFG_SIZE_PCI + 4)
		return (uint8_t)(ext_head(m, NULL) >> 8 * (at - CFG_SIZE_PCI));
	return v;
}

static uint8_t *model_byte(struct model *m, unsigned at)
{
	if (!m->known[at]) {
		m->known[at] = true;
		m->attr[at] = find_attr(m, at);
		m->value[at] = initial(m, at);
	}
	return &m->value[at];
}

struct outcome {
	unsigned events;
	bool forward;
	uint8_t hw;
};

static struct outcome model_write(struct model *m, unsigned at, uint8_t v)
{
	uint8_t *now = model_byte(m, at);
	const struct attr a = m->attr[at];
	const uint8_t was = *now;
	struct outcome o = { .forward = a.fwd != 0 };
	bool one = false;

	for (unsigned bit = 1; bit < 0x100; bit <<= 1) {
		bool sent = m->l->raw[at] & bit;

		if (a.rw & bit)
			*now = (uint8_t)((*now & ~bit) | (v & bit));
		if ((a.w1c & bit) && (v & bit)) {
			*now &= (uint8_t)~bit;
			one = true;
		}
		if (a.fwd & bit)
			sent = a.w1c & bit ? v & bit : *now & bit;
		else if ((a.w1c | a.hw) & bit)
			sent = false;
		o.hw |= sent ? bit : 0;
	}
	if (!(a.rw | a.w1c))
		return o;
	if (a.event & (CFG_EV_POWER | CFG_EV_SLOT) ||
	    (a.event & CFG_EV_FLR && one) ||
	    (a.event & ~CFG_EV_FLR && *now != was))
		o.events = a.event;
	return o;
}

/* ---- accesses
 * ------------------------------------------------------------------- */

static bool legal(unsigned off, unsigned width)
{
	return (width == 1 || width == 2 || width == 4) && off < CFG_SIZE &&
	       off + width <= CFG_SIZE;
}

static void do_read(const struct cfg_space *s, struct model *m, unsigned off,
                    unsigned width)
{
	const struct cfg_read r = cfg_read(s, off, width);
	uint32_t value = 0, hw = 0;

	if (!legal(off, width)) {
		CHECK(r.value == UINT32_MAX && r.hw_mask == 0);
		return;
	}
	for (unsigned i = 0; i < width; i++) {
		value |= (uint32_t)*model_byte(m, off + i) << 8 * i;
		hw |= (uint32_t)m->attr[off + i].hw << 8 * i;
	}
	CHECK(r.value == value && r.hw_mask == hw);
}

static void do_write(struct cfg_space *s, struct model *m, unsigned off,
                     unsigned width, uint32_t v)
{
	const struct cfg_write w = cfg_write(s, off, width, v);
	uint32_t events = 0, hw = 0;
	bool forward = false;

	for (unsigned i = 0; legal(off, width) && i < width; i++) {
		const struct outcome o =
			model_write(m, off + i, (uint8_t)(v >> 8 * i));

		events |= o.events;
		forward |= o.forward;
		hw |= (uint32_t)o.hw << 8 * i;
	}
	CHECK(w.events == events && w.forward == forward);
	CHECK(w.hw_value == (forward ? hw : 0));
	do_read(s, m, off, width);
}

static void do_place(struct cfg_space *s, struct model *m, unsigned bar,
                     uint64_t addr)
{
	const unsigned at = CFG_BAR0 + 4 * bar;

	if (cfg_bar_place(s, bar, addr) < 0)
		return;
	CHECK(cfg_bar_addr(s, bar) == addr);
	for (unsigned i = 0; i < 8 && at + i < CFG_BAR0 + 4 * CFG_BARS; i++) {
		/* The flags below are the model's own, and the next BAR's. */
		uint8_t *now = model_byte(m, at + i);
		const uint8_t rw = m->attr[at + i].rw;

		if (i < 4 || s->bar[bar].kind == CFG_BAR_MEM64)
			*now = (uint8_t)((*now & ~rw) |
			                 ((uint8_t)(addr >> 8 * i) & rw));
	}
	do_read(s, m, at, 4);
}

static void one_access(struct input *in, struct cfg_space *s, struct model *m)
{
	static const uint8_t widths[8] = { 4, 2, 1, 4, 2, 1, 3, 8 };
	const unsigned op = take(in, 1), off = take_off(in);
	const unsigned width = widths[op & 7];

	switch (op >> 3 & 7) {
	case 0:
	case 1:
		do_read(s, m, off, width);
		break;
	case 2:
		do_write(s, m, off, width, UINT32_MAX);
		break;
	case 3:
		do_place(s, m, off % 8, (uint64_t)take(in, 4) << off % 33);
		break;
	case 4:
		if (op & 0x80)
			do_read(s, m, off << 20, width);
		else
			cfg_reset(s), memset(m->known, 0, sizeof(m->known));
		break;
	default:
		do_write(s, m, off, width, take(in, 4));
	}
}

/* ---- what must hold
 * ---------------------------------------------------------------- */

/* Comparisons in the loops of these two teach the fuzzer nothing and would
 * take half of its time. */
#define UNTRACED __attribute__((no_sanitize("coverage")))

UNTRACED static void check_layout(const struct cfg_layout *l)
{
	const struct cfg_msix_facts *x = &l->msix;

	CHECK(l->n_caps <= CFG_MAX_CAPS);
	for (unsigned i = 0; i < l->n_caps; i++) {
		const struct cfg_cap *c = &l->cap[i];

		CHECK(c->off % 4 == 0 && c->len >= 2 && c->reason);
		CHECK(c->off + c->len <= (c->ext ? l->size : CFG_SIZE_PCI));
		CHECK(c->off >= (c->ext ? CFG_SIZE_PCI : CFG_HEADER_SIZE));
		/* The bytes of two never overlap. */
		for (const struct cfg_cap *o = l->cap; o < c; o++)
			CHECK(o->off + o->len <= c->off ||
			      c->off + c->len <= o->off);
	}
	if (x->cap) {
		CHECK(range_inside(x->table_off, x->vectors * 16u,
		                   l->bar[x->table_bar].size));
		CHECK(range_inside(x->pba_off, cfg_msix_pba_size(x->vectors),
		                   l->bar[x->pba_bar].size));
	}
}

static void check_std_chain(const struct cfg_space *s, const struct model *m)
{
	unsigned off = s->now[CFG_CAP_PTR], steps = 0;
	const struct cfg_cap *c = NULL;

	CHECK(off == next_shown(m, false, NULL));
	CHECK(!off == !(s->now[CFG_STATUS] & CFG_STATUS_CAPS));
	for (; off; off = s->now[off + 1]) {
		CHECK(++steps <= 48);
		c = shown_at(m, off);
		CHECK(c && !c->ext && c->off == off && c->id == s->now[off]);
		CHECK(s->now[off + 1] == next_shown(m, false, c));
	}
}

static void check_ext_chain(const struct cfg_space *s, const struct model *m)
{
	unsigned off = CFG_SIZE_PCI, steps = 0;

	do {
		const uint32_t head = (uint32_t)load_le(s->now + off, 4);
		const struct cfg_cap *c = shown_at(m, off);

		CHECK(++steps <= CFG_MAX_CAPS + 1);
		CHECK(!c || (c->ext && c->off == off));
		CHECK(c || off == CFG_SIZE_PCI);
		CHECK(head == ext_head(m, c));
		off = head >> 20;
	} while (off);
}

static void check_bars(struct cfg_space *s)
{
	for (unsigned i = 0; i < CFG_BARS; i++) {
		const struct cfg_bar b = s->bar[i];
		const unsigned at = CFG_BAR0 + 4 * i;
		const bool wide = b.kind == CFG_BAR_MEM64;
		uint64_t mask;

		if (b.kind == CFG_BAR_NONE)
			CHECK(load_le(s->now + at, 4) == 0);
		if (!b.size)
			continue;
		CHECK(cfg_bar_addr(s, i) % b.size == 0);
		if (cfg_bar_decodes(s, i))
			CHECK(cfg_bar_addr(s, i) + b.size > b.size - 1);
		cfg_write(s, at, 4, UINT32_MAX);
		if (wide)
			cfg_write(s, at + 4, 4, UINT32_MAX);
		mask = load_le(s->now + at, wide ? 8 : 4);
		mask &= b.kind == CFG_BAR_IO ? ~3ull : ~15ull;
		/* The size as every system finds it: the lowest bit set. */
		CHECK((mask & -mask) == b.size);
	}
}

/* A guest finds the ROM's size as it finds a BAR's. */
static void check_rom(struct cfg_space *s)
{
	const uint64_t size = s->rom_size;
	const bool offered =
		is_power_of_2(size) && size >= 2048 && size <= 16 << 20;
	uint64_t addr = 0;

	if (s->pm)
		cfg_write(s, s->pm + 4u, 1, 0);
	cfg_write(s, CFG_COMMAND, 2, CFG_COMMAND_MEM);
	cfg_write(s, CFG_ROM, 4, 0xfffffffe);
	CHECK(load_le(s->now + CFG_ROM, 4) ==
	      (offered ? (~(size - 1) & UINT32_MAX) : 0));
	CHECK(!cfg_rom_decodes(s, &addr));
	cfg_write(s, CFG_ROM, 1, 1);
	CHECK(cfg_rom_decodes(s, &addr) == offered);
	CHECK(!offered || addr == (~(size - 1) & UINT32_MAX));
	cfg_write(s, CFG_COMMAND, 2, 0);
	CHECK(!cfg_rom_decodes(s, &addr));
}

UNTRACED static uint64_t word(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

UNTRACED static bool differs(const struct cfg_space *s,
                             const struct cfg_layout *l, unsigned at)
{
	return (l->raw[at] ^ s->reset[at]) & ~s->hw[at];
}

/* Beyond the header, only what is shown has bits that a guest may change or
 * that reach the device. */
UNTRACED static void check_closed(const struct cfg_space *s,
                                  const struct cfg_layout *l)
{
	static uint8_t open[CFG_SIZE];

	memset(open, 0, sizeof(open));
	memset(open, 0xff, CFG_HEADER_SIZE);
	for (unsigned i = 0; i < l->n_caps; i++)
		if (l->cap[i].verdict == CFG_SHOWN)
			memset(open + l->cap[i].off, 0xff, l->cap[i].len);
	for (unsigned i = 0; i < CFG_SIZE; i += 8)
		CHECK(!(~word(open + i) &
		        (word(s->rw + i) | word(s->w1c + i) | word(s->hw + i) |
		         word(s->fwd + i) | word(s->event + i))));
}

#define DIFFERENCES 512

UNTRACED static void check_explained(const struct cfg_space *s,
                                     const struct cfg_layout *l,
                                     const struct cfg_place *place)
{
	static struct cfg_difference d[DIFFERENCES];
	const size_t n = cfg_explain(l, place, s, d, DIFFERENCES);
	unsigned at = 0;

	CHECK(n <= DIFFERENCES);
	for (size_t i = 0; i <= n; i++) {
		const unsigned off = i < n ? d[i].off : CFG_SIZE;

		/* What lies between is the same. */
		CHECK(at <= off);
		for (; at < off && at % 8; at++)
			CHECK(!differs(s, l, at));
		for (; at + 8 <= off; at += 8)
			CHECK(!((word(l->raw + at) ^ word(s->reset + at)) &
			        ~word(s->hw + at)));
		for (; at < off; at++)
			CHECK(!differs(s, l, at));
		if (i == n)
			break;
		at = off + d[i].len;
		CHECK(d[i].len && d[i].what && d[i].reason);
		CHECK(differs(s, l, off) && differs(s, l, at - 1));
	}
}

UNTRACED static void check_read_only(const struct cfg_space *s)
{
	for (unsigned i = 0; i < CFG_SIZE; i += 8)
		CHECK(!((word(s->now + i) ^ word(s->reset + i)) &
		        ~(word(s->rw + i) | word(s->w1c + i))));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct recorded r;
	static struct cfg_layout l;
	static struct cfg_space s;
	static struct model m;
	struct input in = { data, data + MIN(size, INPUT_MAX) };
	struct cfg_place place;
	unsigned flags;

	take_snapshot(&in, &r);
	if (cfg_layout_parse(r.raw, r.size, r.bar_size, &l, NULL) < 0)
		return 0;
	flags = take(&in, 1);
	place = (struct cfg_place){ flags & 1, flags & 2, flags >> 2 & 7 };
	l.rom_size = flags & 0x20 ? 1ull << flags % 64 : 0;
	check_layout(&l);
	cfg_compose_endpoint(&s, &l, &place);
	m.l = &l;
	memset(m.known, 0, sizeof(m.known));
	cfg_plan_endpoint(&m.plan, &l, &place);
	CHECK(m.plan.n_blocks < CFG_PLAN_BLOCKS &&
	      m.plan.n_rows < CFG_PLAN_ROWS);

	while (in.p < in.end)
		one_access(&in, &s, &m);
	check_std_chain(&s, &m);
	check_ext_chain(&s, &m);
	check_bars(&s);
	check_rom(&s);
	check_read_only(&s);
	check_closed(&s, &l);
	check_explained(&s, &l, &place);
	(void)cfg_quirk_next(&l, NULL);
	/* All reserved values at once must be answered, whatever they are. */
	(void)cfg_msi_state(&s);
	(void)cfg_msix_state(&s);
	cfg_reset(&s);
	CHECK(!memcmp(s.now, s.reset, CFG_SIZE));
	return 0;
}
