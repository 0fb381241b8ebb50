/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A root port's slot: what its guest writes anywhere in the port, and what is
 * put in, taken out and pressed meanwhile, against a model that knows the slot
 * as a person would: what is in it, whether it has power, which events stand.
 *
 * Always true: the link is up exactly where something is present, powered and
 * not disabled; only what happened stands as an event, until the guest clears
 * it; an interrupt is due exactly when an enabled event stands; the guest's
 * writes change nothing that is not its own; after a reset a slot is as what
 * is in it says, without events.
 *
 * fuzz: runs=300000 time=300
 */

#include "pci-config/priv.h"

#include <string.h>

#define CHECK(cond)                                                            \
	do {                                                                   \
		if (!(cond))                                                   \
			abort();                                               \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	PRESSED = 1 << 0,
	PRESENCE = 1 << 3,
	PRESENT = 1 << 6,
	LINK = 1 << 8,
	POWER_OFF = 1 << 10,
	LINK_OFF = 1 << 4,
	CONTROL_RW = 0x17eb,
	LINK_RW = 0x00db,
};

struct model {
	bool present;
	uint32_t control, link_control, events;
	uint32_t link; /* speed and width */
};

static bool link_up(const struct model *m)
{
	return m->present && !(m->control & POWER_OFF) &&
	       !(m->link_control & LINK_OFF);
}

static uint32_t reg(const struct cfg_space *s, unsigned off)
{
	return cfg_read(s, s->express + off, 2).value;
}

static void check(const struct cfg_space *s, const struct model *m)
{
	const struct cfg_slot t = cfg_port_slot(s);
	uint32_t due = m->events & m->control & (PRESENCE | PRESSED);

	if (m->control & 1 << 12)
		due |= m->events & LINK;
	CHECK(t.present == m->present);
	CHECK(t.powered == !(m->control & POWER_OFF));
	CHECK(t.link == link_up(m));
	CHECK(t.power_led == (m->control >> 8 & 3));
	CHECK(t.attention_led == (m->control >> 6 & 3));
	CHECK(reg(s, 0x0c) % 1024 == m->link);
	CHECK(reg(s, 0x10) == m->link_control);
	CHECK(reg(s, 0x12) == (link_up(m) ? m->link | 0x2000 : 0));
	CHECK(reg(s, 0x18) == m->control);
	CHECK(reg(s, 0x1a) == (m->events | (m->present ? PRESENT : 0)));
	CHECK(cfg_port_interrupt(s) == (due && (m->control & 1 << 5)));
}

static void model_reset(struct model *m)
{
	m->control = m->present ? 0x01c0 : 0x07c0;
	m->link_control = 0;
	m->events = 0;
}

/* A byte that the guest wrote. */
static void model_byte(struct model *m, const struct cfg_space *s, unsigned at,
                       uint8_t v)
{
	const unsigned off = at - s->express, sh = off % 2 * 8;
	const uint32_t mask = 0xffu << sh, value = (uint32_t)v << sh;

	if (off / 2 == 0x10 / 2)
		m->link_control = (m->link_control & ~(mask & LINK_RW)) |
		                  (value & LINK_RW);
	else if (off / 2 == 0x18 / 2)
		m->control = (m->control & ~(mask & CONTROL_RW)) |
		             (value & CONTROL_RW);
	else if (off / 2 == 0x1a / 2)
		m->events &= ~value;
}

/* Link and Slot Status follow; they are checked against the model. */
__attribute__((no_sanitize("coverage"))) static void
check_untouched(const struct cfg_space *s, const uint8_t *was)
{
	for (unsigned i = 0; i < CFG_SIZE; i += 8) {
		uint64_t before, now, rw, w1c;

		memcpy(&before, was + i, 8);
		memcpy(&now, s->now + i, 8);
		memcpy(&rw, s->rw + i, 8);
		memcpy(&w1c, s->w1c + i, 8);
		if (i == s->express + 0x10u)
			rw |= 0xffff0000u; /* Link Status */
		if (i == s->express + 0x18u)
			rw |= 0xffff0000u; /* Slot Status */
		CHECK(!((before ^ now) & ~(rw | w1c)));
	}
}

static void guest_write(struct cfg_space *s, struct model *m, unsigned off,
                        unsigned width, uint32_t v)
{
	static uint8_t was[CFG_SIZE];
	const bool up = link_up(m);
	struct cfg_write w;

	memcpy(was, s->now, sizeof(was));
	w = cfg_write(s, off, width, v);
	CHECK(!w.forward);
	check_untouched(s, was);
	if ((width != 1 && width != 2 && width != 4) || off + width > CFG_SIZE)
		return;
	for (unsigned i = 0; i < width; i++)
		model_byte(m, s, off + i, (uint8_t)(v >> 8 * i));
	/* An event of this very write is not cleared by it. */
	if (up != link_up(m))
		m->events |= LINK;
	CHECK(up == link_up(m) || (w.events & CFG_EV_SLOT));
}

static void set_present(struct cfg_space *s, struct model *m, bool present)
{
	const bool up = link_up(m);

	cfg_port_set_present(s, present);
	if (present != m->present)
		m->events |= PRESENCE;
	m->present = present;
	if (up != link_up(m))
		m->events |= LINK;
}

static void set_link(struct cfg_space *s, struct model *m, unsigned speed,
                     unsigned width)
{
	cfg_port_set_link(s,
	                  &(struct cfg_port){ .link_speed = (uint16_t)speed,
	                                      .link_width = (uint16_t)width });
	speed = speed < 1 ? 1 : speed > 6 ? 6 : speed;
	width = width < 1 ? 1 : width > 32 ? 32 : width;
	m->link = speed | width << 4;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t widths[8] = { 2, 1, 4, 2, 2, 4, 3, 8 };
	static const uint8_t places[8] = { 0x10, 0x12, 0x18, 0x18,
		                           0x1a, 0x1a, 0x19, 0x1b };
	static struct cfg_space s;
	struct model m = { 0 };
	struct cfg_port p = { .slot = 3, .port = 3, .hotplug = true };

	if (!size)
		return 0;
	p.empty = data[0] & 1;
	cfg_compose_root_port(&s, &p);
	m.present = !p.empty;
	m.link = 0x11;
	model_reset(&m);
	check(&s, &m);
	for (size_t i = 1; i + 4 < size && i < 400; i += 5) {
		const uint8_t *d = data + i;
		const uint32_t v = (uint32_t)load_le(d + 1, 4);

		switch (d[0] & 7) {
		case 0:
			set_present(&s, &m, v & 1);
			break;
		case 1:
			cfg_port_press(&s);
			m.events |= PRESSED;
			break;
		case 2:
			set_link(&s, &m, v & 0xff, v >> 8 & 0xff);
			break;
		case 3:
			if (v % 8)
				guest_write(&s, &m, v >> 8 & 0x1fff,
				            widths[d[0] >> 5], v);
			else
				cfg_reset(&s), model_reset(&m);
			break;
		default:
			guest_write(&s, &m, s.express + (unsigned)places[v & 7],
			            widths[d[0] >> 5], v >> 3);
		}
		check(&s, &m);
	}
	return 0;
}
