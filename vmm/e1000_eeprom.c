/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 82540EM's EEPROM: 64 words behind four wires (Microwire, SDM 5.3), which
 * the guest moves by EECD, and behind EERD, which reads a word at once.
 *
 * An instruction is a start bit, two bits of opcode and six of address, each
 * taken when the clock rises while chip select is high; a read's sixteen bits
 * follow. It is write-protected: a write is clocked in, and "ready" never
 * comes, by which a driver knows that it failed. So a guest cannot keep an
 * address that the host did not give it.
 */

#include "vmm/e1000.h"

enum {
	EECD_SK = BIT(0),
	EECD_CS = BIT(1),
	EECD_DI = BIT(2),
	EECD_DO = BIT(3),
	EECD_FWE = BITS(5, 4),
	EECD_REQ = BIT(6),
	EECD_GNT = BIT(7),
	EECD_PRES = BIT(8),
	EECD_WIRES = EECD_SK | EECD_CS | EECD_DI | EECD_FWE | EECD_REQ,
	EERD_START = BIT(0),
	EERD_DONE = BIT(4),
	EERD_ADDR = BITS(15, 8),
	EERD_DATA_SHIFT = 16,
};

enum {
	WORDS = 64,
	CHECKSUM = 0x3f,
	SUM = 0xbaba,
	/* start 1, read 10, six bits of address */
	BITS_INSTRUCTION = 9,
	READ = 6,
};

/* SDM table 5-2. What is absent is not programmed. */
static const struct {
	uint8_t at;
	uint16_t value;
} contents[] = {
	{ 0x03, 0x0000 }, /* compatibility */
	{ 0x04, 0xffff }, /* LEDs: as the driver likes */
	{ 0x0a, 0x640b }, /* 1: valid, ids of here, full duplex, PM */
	{ 0x0b, 0x001e }, /* subsystem: PRO/1000 MT Desktop */
	{ 0x0c, 0x8086 }, { 0x0d, 0x100e },
	{ 0x0e, 0x8086 }, { 0x0f, 0x3000 }, /* 2: PAUSE both ways */
	{ 0x10, 0x0000 }, { 0x21, 0x0000 },
	{ 0x24, 0x0000 }, /* 3: no wake-up */
};

void e1000_eeprom_init(struct e1000_eeprom *p, const uint8_t mac[static 6])
{
	uint16_t sum = 0;

	memset(p, 0, sizeof(*p));
	memset(p->word, 0xff, sizeof(p->word));
	for (unsigned i = 0; i < 3; i++)
		p->word[i] = (uint16_t)load_le(mac + (size_t)2 * i, 2);
	for (size_t i = 0; i < ARRAY_SIZE(contents); i++)
		p->word[contents[i].at] = contents[i].value;
	for (unsigned i = 0; i < CHECKSUM; i++)
		sum = (uint16_t)(sum + p->word[i]);
	p->word[CHECKSUM] = (uint16_t)(SUM - sum);
}

/* ---- four wires ---------------------------------------------------------- */

static void deselect(struct e1000_eeprom *p)
{
	p->bits = 0;
	p->in = 0;
	p->out = 0;
}

/* The clock has risen. */
static void clock_in(struct e1000_eeprom *p, bool di)
{
	if (p->bits == 0 && !di)
		return; /* before the start bit */
	if (p->bits < BITS_INSTRUCTION) {
		p->in = p->in << 1 | di;
		p->bits++;
		/* A zero comes before the data. */
		if (p->bits == BITS_INSTRUCTION && p->in >> 6 == READ)
			p->out = p->word[p->in & (WORDS - 1)];
		return;
	}
	/* What was shown is shifted out; bit 16 is the one on the wire. */
	p->out = p->out << 1 & 0x1ffff;
}

uint32_t e1000_eecd_read(struct e1000 *e)
{
	uint32_t v = e1000_reg(e, R_EECD) | EECD_PRES;

	if (v & EECD_REQ)
		v |= EECD_GNT; /* nobody else wants it */
	if (v & EECD_CS && e->eeprom.out >> 16)
		v |= EECD_DO;
	return v;
}

void e1000_eecd_write(struct e1000 *e, uint32_t v)
{
	uint32_t was = e1000_reg(e, R_EECD);

	e->reg[R_EECD / 4] = v & EECD_WIRES;
	if (!(v & EECD_CS))
		deselect(&e->eeprom);
	else if (v & EECD_SK && !(was & EECD_SK) && was & EECD_CS)
		clock_in(&e->eeprom, v & EECD_DI);
}

void e1000_eerd_write(struct e1000 *e, uint32_t v)
{
	uint32_t at = FIELD_GET(EERD_ADDR, v);
	uint16_t word = at < WORDS ? e->eeprom.word[at] : UINT16_MAX;

	e->reg[R_EERD / 4] = v & EERD_ADDR;
	if (v & EERD_START)
		e->reg[R_EERD / 4] |= EERD_DONE | (uint32_t)word
		                                          << EERD_DATA_SHIFT;
}
