/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The slot of a root port, PCIe 6.0 6.7.1 and 7.5.3.6 to 7.5.3.11: presence,
 * power, link and the hot-plug events.
 *
 * What is in the slot is no register's reset value but a fact, so it is put
 * into the reset image too: a machine that is reset finds its slots as they
 * are, without events.
 */
#include "pci-config/priv.h"

#define LINK_SPEED BITS(3, 0)
#define LINK_WIDTH BITS(9, 4)
#define LINK_DISABLE BIT(4)
#define LINK_ACTIVE BIT(13)
#define LNKCAP2 0x2c
#define LNKCTL2 0x30

#define CAP_HOTPLUG BIT(6)

#define CTL_HOTPLUG_IRQ BIT(5)
#define CTL_ATTENTION BITS(7, 6)
#define CTL_POWER_LED BITS(9, 8)
#define CTL_POWER_OFF BIT(10)
#define LED_ON 1u
#define LED_OFF 3u

/* Button, power fault, presence and link: event and its enable are the same
 * bit of Slot Status and Slot Control but for the last. */
#define STA_PRESSED BIT(0)
#define STA_SAME (BIT(3) | BIT(1) | BIT(0))
#define STA_PRESENCE_CHANGED BIT(3)
#define STA_PRESENT BIT(6)
#define STA_LINK_CHANGED BIT(8)
#define CTL_LINK_CHANGED BIT(12)

static uint32_t get(const struct cfg_space *s, unsigned reg)
{
	return (uint32_t)load_le(s->now + s->express + reg, 2);
}

static void put(struct cfg_space *s, unsigned reg, uint32_t value)
{
	store_le(s->now + s->express + reg, 2, value);
}

/* A field of now and of after a reset. */
static void fix(struct cfg_space *s, unsigned reg, uint32_t mask,
                uint32_t value)
{
	uint8_t *const images[] = { s->now, s->reset };

	for (unsigned i = 0; i < ARRAY_SIZE(images); i++) {
		uint8_t *p = images[i] + s->express + reg;

		store_le(p, 2, (load_le(p, 2) & ~mask) | value);
	}
}

static bool is_port(const struct cfg_space *s)
{
	return s->express && (s->now[0x0e] & 0x7f) == 1;
}

static bool takes_in_and_out(const struct cfg_space *s)
{
	return is_port(s) && (get(s, CFG_EXP_SLTCAP) & CAP_HOTPLUG);
}

/* Link Status of a link that is up, or down: nothing is negotiated then. */
static uint32_t link_status(const struct cfg_space *s, bool up)
{
	if (!up)
		return 0;
	return (get(s, CFG_EXP_LNKCAP) & (LINK_SPEED | LINK_WIDTH)) |
	       LINK_ACTIVE;
}

static bool link_wanted(const struct cfg_space *s)
{
	return (get(s, CFG_EXP_SLTSTA) & STA_PRESENT) &&
	       !(get(s, CFG_EXP_SLTCTL) & CTL_POWER_OFF) &&
	       !(get(s, CFG_EXP_LNKCTL) & LINK_DISABLE);
}

void cfg_port_settle(struct cfg_space *s)
{
	const bool up = get(s, CFG_EXP_LNKSTA) & LINK_ACTIVE;
	const bool want = link_wanted(s);

	if (!takes_in_and_out(s) || up == want)
		return;
	put(s, CFG_EXP_LNKSTA, link_status(s, want));
	put(s, CFG_EXP_SLTSTA, get(s, CFG_EXP_SLTSTA) | STA_LINK_CHANGED);
}

/* What a slot is after reset: what is in it has power and a link. */
static void fix_reset(struct cfg_space *s, bool present)
{
	const uint32_t control =
		FIELD_PREP(CTL_ATTENTION, LED_OFF) |
		(present ? FIELD_PREP(CTL_POWER_LED, LED_ON)
	                 : FIELD_PREP(CTL_POWER_LED, LED_OFF) | CTL_POWER_OFF);
	uint8_t *express = s->reset + s->express;

	store_le(express + CFG_EXP_SLTCTL, 2, control);
	store_le(express + CFG_EXP_SLTSTA, 2, present ? STA_PRESENT : 0);
	store_le(express + CFG_EXP_LNKSTA, 2, link_status(s, present));
}

void cfg_port_set_link(struct cfg_space *s, const struct cfg_port *p)
{
	/* 1 to 6 = 2.5 to 64 GT/s. */
	const uint32_t speed = MAX(1u, MIN(p->link_speed, 6u));
	const uint32_t width = MAX(1u, MIN(p->link_width, 32u));
	const uint32_t link =
		FIELD_PREP(LINK_SPEED, speed) | FIELD_PREP(LINK_WIDTH, width);

	if (!is_port(s))
		return;
	fix(s, CFG_EXP_LNKCAP, LINK_SPEED | LINK_WIDTH, link);
	/* Supported speeds: every one up to this; target: this. */
	fix(s, LNKCAP2, BITS(7, 1), BITS(speed, 1));
	fix(s, LNKCTL2, LINK_SPEED, speed);
	put(s, CFG_EXP_LNKSTA,
	    link_status(s, get(s, CFG_EXP_LNKSTA) & LINK_ACTIVE));
	if (load_le(s->reset + s->express + CFG_EXP_LNKSTA, 2))
		store_le(s->reset + s->express + CFG_EXP_LNKSTA, 2,
		         link_status(s, true));
}

void cfg_port_begin(struct cfg_space *s, const struct cfg_port *p)
{
	cfg_port_set_link(s, p);
	if (takes_in_and_out(s))
		fix_reset(s, !p->empty);
	else
		store_le(s->reset + s->express + CFG_EXP_LNKSTA, 2,
		         link_status(s, true));
	cfg_reset(s);
}

struct cfg_slot cfg_port_slot(const struct cfg_space *s)
{
	uint32_t control, status;

	if (!is_port(s))
		return (struct cfg_slot){ 0 };
	control = get(s, CFG_EXP_SLTCTL);
	status = get(s, CFG_EXP_SLTSTA);
	return (struct cfg_slot){
		.present = status & STA_PRESENT,
		.link = get(s, CFG_EXP_LNKSTA) & LINK_ACTIVE,
		.powered = !(control & CTL_POWER_OFF),
		.power_led = (uint8_t)FIELD_GET(CTL_POWER_LED, control),
		.attention_led = (uint8_t)FIELD_GET(CTL_ATTENTION, control),
	};
}

void cfg_port_set_present(struct cfg_space *s, bool present)
{
	uint32_t status;

	if (!takes_in_and_out(s))
		return;
	fix_reset(s, present);
	status = get(s, CFG_EXP_SLTSTA);
	if (present == !!(status & STA_PRESENT))
		return;
	put(s, CFG_EXP_SLTSTA, (status ^ STA_PRESENT) | STA_PRESENCE_CHANGED);
	cfg_port_settle(s);
}

void cfg_port_press(struct cfg_space *s)
{
	if (takes_in_and_out(s))
		put(s, CFG_EXP_SLTSTA, get(s, CFG_EXP_SLTSTA) | STA_PRESSED);
}

bool cfg_port_interrupt(const struct cfg_space *s)
{
	uint32_t control, status;

	if (!takes_in_and_out(s))
		return false;
	control = get(s, CFG_EXP_SLTCTL);
	status = get(s, CFG_EXP_SLTSTA);
	if (!(control & CTL_HOTPLUG_IRQ))
		return false;
	return (status & control & STA_SAME) ||
	       ((status & STA_LINK_CHANGED) && (control & CTL_LINK_CHANGED));
}
