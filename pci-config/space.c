/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine: register rows compiled to bytes, and accesses to them. It knows
 * no capability. An access of any width at any place is a few masks over the
 * bytes it touches; a byte no row speaks of is all zero masks, so it cannot be
 * written, raise an event or reach the device.
 */
#include "pci-config/priv.h"

#include <endian.h>
#include <string.h>

/* Inlined with a constant width each is one load or store. */
#define INLINE static inline __attribute__((always_inline))

INLINE uint32_t get(const uint8_t *p, unsigned width)
{
	uint32_t d;
	uint16_t w;

	switch (width) {
	case 4:
		memcpy(&d, p, 4);
		return le32toh(d);
	case 2:
		memcpy(&w, p, 2);
		return le16toh(w);
	default:
		return *p;
	}
}

INLINE void put(uint8_t *p, unsigned width, uint32_t v)
{
	const uint32_t d = htole32(v);
	const uint16_t w = htole16((uint16_t)v);

	switch (width) {
	case 4:
		memcpy(p, &d, 4);
		break;
	case 2:
		memcpy(p, &w, 2);
		break;
	default:
		*p = (uint8_t)v;
	}
}

/* ---- compiling ----------------------------------------------------------- */

void cfg_space_init(struct cfg_space *s)
{
	memset(s, 0, sizeof(*s));
}

static void put_row(struct cfg_space *s, const uint8_t *raw, unsigned base,
                    const struct cfg_row *r)
{
	for (unsigned i = 0; i < r->width; i++) {
		const unsigned at = base + r->off + i, shift = 8 * i;
		const uint8_t snap = (uint8_t)(r->snap >> shift);
		const uint8_t init = (uint8_t)(r->init >> shift);

		s->now[at] = (uint8_t)((raw ? raw[at] & snap : 0) | init);
		s->rw[at] = (uint8_t)(r->rw >> shift);
		s->w1c[at] = (uint8_t)(r->w1c >> shift);
		s->hw[at] = (uint8_t)(r->hw >> shift);
		s->fwd[at] = (uint8_t)(r->fwd >> shift);
		s->event[at] = s->rw[at] | s->w1c[at] ? r->event : 0;
	}
}

void cfg_space_plan(struct cfg_space *s, const uint8_t *raw,
                    const struct cfg_plan *p)
{
	for (unsigned b = 0; b < p->n_blocks; b++) {
		const struct cfg_block *k = &p->block[b];

		for (unsigned i = 0; i < k->n; i++)
			if (range_inside(k->row[i].off, k->row[i].width,
			                 k->len))
				put_row(s, raw, k->base, &k->row[i]);
	}
}

void cfg_space_seal(struct cfg_space *s, const uint8_t *raw)
{
	memcpy(s->reset, s->now, sizeof(s->reset));
	if (!raw)
		return;
	/* A forward writes whole registers. The bits beside the guest's keep
	 * what the host had put there, but a 1 in RW1C would clear. */
	for (unsigned i = 0; i < CFG_SIZE; i += 4)
		put(s->keep + i, 4,
		    get(raw + i, 4) & ~(get(s->w1c + i, 4) | get(s->hw + i, 4) |
		                        get(s->fwd + i, 4)));
}

void cfg_plan_add(struct cfg_plan *p, unsigned base, unsigned len,
                  const struct cfg_row *row, size_t n)
{
	/* Full is impossible by construction (each kind is shown once); a
	 * table left out would deny its registers, never open them. */
	if (p->n_blocks == CFG_PLAN_BLOCKS || base + len > CFG_SIZE)
		return;
	p->block[p->n_blocks++] = (struct cfg_block){
		.base = (uint16_t)base,
		.len = (uint16_t)len,
		.row = row,
		.n = (unsigned)n,
	};
}

void cfg_plan_row(struct cfg_plan *p, unsigned base, unsigned len,
                  struct cfg_row row)
{
	if (p->n_rows == CFG_PLAN_ROWS)
		return;
	p->row[p->n_rows] = row;
	cfg_plan_add(p, base, len, &p->row[p->n_rows++], 1);
}

/* ---- accesses
 * ---------------------------------------------------------------- */

/* 0xff in each byte of `v` that is not 0. */
INLINE uint32_t spread(uint32_t v)
{
	const uint32_t high = ((v & 0x7f7f7f7fu) + 0x7f7f7f7fu) | v;

	return (high >> 7 & 0x01010101u) * 0xff;
}

INLINE struct cfg_read read_at(const struct cfg_space *s, unsigned off,
                               unsigned width)
{
	return (struct cfg_read){
		.value = get(s->now + off, width),
		.hw_mask = get(s->hw + off, width),
	};
}

struct cfg_read cfg_read(const struct cfg_space *s, unsigned off,
                         unsigned width)
{
	if (range_inside(off, width, CFG_SIZE)) {
		switch (width) {
		case 4:
			return read_at(s, off, 4);
		case 2:
			return read_at(s, off, 2);
		case 1:
			return read_at(s, off, 1);
		default:
			break;
		}
	}
	return (struct cfg_read){ .value = UINT32_MAX };
}

/* In each byte of an event word: events raised by any write, by a change, by
 * a 1 written to RW1C. */
#define EACH_BYTE 0x01010101u
#define ON_WRITE (EACH_BYTE * (CFG_EV_POWER | CFG_EV_SLOT))
#define ON_ONE (EACH_BYTE * CFG_EV_FLR)
#define ON_CHANGE (~(ON_WRITE | ON_ONE))

INLINE uint8_t events(uint32_t ev, uint32_t changed, uint32_t ones)
{
	uint32_t r = ev & (ON_WRITE | (ON_CHANGE & spread(changed)) |
	                   (ON_ONE & spread(ones)));
	r |= r >> 16;
	r |= r >> 8;
	return (uint8_t)r;
}

/* What follows from a write. Apart: from most nothing does. */
static __attribute__((noinline)) struct cfg_write
outcome(struct cfg_space *s, unsigned off, unsigned width, uint32_t old,
        uint32_t ones)
{
	const uint32_t now = get(s->now + off, width);
	const uint32_t w1c = get(s->w1c + off, width);
	const uint32_t fwd = get(s->fwd + off, width);
	struct cfg_write w = {
		.events = events(get(s->event + off, width), old ^ now, ones),
		.forward = fwd != 0,
	};

	if (fwd)
		w.hw_value = (((now & ~w1c) | ones) & fwd) |
		             get(s->keep + off, width);
	/* The one register that another follows: link after power. */
	if (w.events & CFG_EV_SLOT)
		cfg_port_settle(s);
	return w;
}

INLINE struct cfg_write write_at(struct cfg_space *s, unsigned off,
                                 unsigned width, uint32_t value)
{
	const uint32_t old = get(s->now + off, width);
	const uint32_t rw = get(s->rw + off, width);
	const uint32_t ones = value & get(s->w1c + off, width);

	put(s->now + off, width, ((old & ~rw) | (value & rw)) & ~ones);
	if (!(get(s->event + off, width) | get(s->fwd + off, width)))
		return (struct cfg_write){ 0 };
	return outcome(s, off, width, old, ones);
}

struct cfg_write cfg_write(struct cfg_space *s, unsigned off, unsigned width,
                           uint32_t value)
{
	if (range_inside(off, width, CFG_SIZE)) {
		switch (width) {
		case 4:
			return write_at(s, off, 4, value);
		case 2:
			return write_at(s, off, 2, value);
		case 1:
			return write_at(s, off, 1, value);
		default:
			break;
		}
	}
	return (struct cfg_write){ 0 };
}

void cfg_reset(struct cfg_space *s)
{
	memcpy(s->now, s->reset, sizeof(s->now));
}
