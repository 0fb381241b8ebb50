/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registers, SDM 13.4 to 13.8: a row for each says which bits a write
 * keeps, and what else a read or a write does. What has no row reads 0 and
 * keeps nothing.
 *
 * TDT and RDT come first, without the lock of all: their engines are told, and
 * lock what they need.
 */

#include "vmm/e1000.h"

enum side {
	NOTHING,
	COMMON, /* as kept */
	STAT,   /* clears when read */
	RAISE,  /* ICR */
	MASK,   /* IMS */
	UNMASK, /* IMC */
	CAUSE,  /* ICS */
	CONTROL,
	EXTENDED,
	EECD,
	EERD,
	MDIC,
	RING, /* head or tail */
	TX,   /* the engine takes its settings anew */
	RX,
	BOTH,
	DELAY, /* RDTR, TIDV: bit 31 flushes */
	BUFFER,
};

struct row {
	uint32_t keep;
	uint8_t read, write;
};

#define ALL UINT32_MAX
#define AT(r) [(r) / 4]

/* clang-format off */
static const struct row rows[E1000_REGS_END / 4] = {
	/* general, 13.4.1 */
	AT(R_CTRL) = { 0xf8fc1bed, COMMON, CONTROL },
	AT(R_STATUS) = { 0, COMMON, NOTHING },
	AT(R_EECD) = { 0, EECD, EECD },
	AT(R_EERD) = { 0, COMMON, EERD },
	AT(R_CTRL_EXT) = { 0x00d8cfff, COMMON, EXTENDED },
	AT(R_FLA) = { 0, COMMON, NOTHING },
	AT(R_MDIC) = { 0, COMMON, MDIC },
	AT(R_FCAL) = { ALL, COMMON, COMMON },
	AT(R_FCAH) = { 0xffff, COMMON, COMMON },
	AT(R_FCT) = { 0xffff, COMMON, COMMON },
	AT(R_VET) = { 0xffff, COMMON, BOTH },
	/* interrupts, 13.4.17 */
	AT(R_ICR) = { 0, RAISE, RAISE },
	AT(R_ITR) = { 0xffff, COMMON, COMMON },
	AT(R_ICS) = { 0, NOTHING, CAUSE },
	AT(R_IMS) = { 0, COMMON, MASK },
	AT(R_IMC) = { 0, NOTHING, UNMASK },
	/* receive control and flow control, 13.4.22 */
	AT(R_RCTL) = { 0x06dfb3fe, COMMON, BOTH },
	AT(R_FCTTV) = { 0xffff, COMMON, COMMON },
	AT(R_TXCW) = { 0xc000ffff, COMMON, COMMON },
	AT(R_RXCW) = { 0, COMMON, NOTHING },
	/* transmit control, 13.4.33 */
	AT(R_TCTL) = { 0x017ffffa, COMMON, TX },
	AT(R_TIPG) = { 0x3fffffff, COMMON, COMMON },
	AT(R_AIT) = { 0xffff, COMMON, COMMON },
	AT(R_LEDCTL) = { 0xefefefef, COMMON, COMMON },
	AT(R_PBA) = { 0xffff, COMMON, BUFFER },
	AT(R_FCRTL) = { 0x8000fff8, COMMON, COMMON },
	AT(R_FCRTH) = { 0xfff8, COMMON, COMMON },
	/* packet buffer's pointers, 13.8: kept for who tests them */
	AT(R_RDFH) = { 0x1fff, COMMON, COMMON },
	AT(R_RDFT) = { 0x1fff, COMMON, COMMON },
	AT(R_RDFHS) = { 0x1fff, COMMON, COMMON },
	AT(R_RDFTS) = { 0x1fff, COMMON, COMMON },
	AT(R_RDFPC) = { 0x1fff, COMMON, COMMON },
	/* receive ring, 13.4.25 */
	AT(R_RDBAL) = { 0xfffffff0, COMMON, RX },
	AT(R_RDBAH) = { ALL, COMMON, RX },
	AT(R_RDLEN) = { 0x000fff80, COMMON, RX },
	AT(R_RDH) = { 0, RING, RING },
	AT(R_RDT) = { 0, RING, RING },
	AT(R_RDTR) = { 0xffff, COMMON, DELAY },
	AT(R_RXDCTL) = { 0x013f3f3f, COMMON, COMMON },
	AT(R_RADV) = { 0xffff, COMMON, COMMON },
	AT(R_RSRPD) = { 0x0fff, COMMON, COMMON },
	/* transmit ring, 13.4.36 */
	AT(R_TXDMAC) = { 1, COMMON, COMMON },
	AT(R_TDFH) = { 0x07ff, COMMON, COMMON },
	AT(R_TDFT) = { 0x07ff, COMMON, COMMON },
	AT(R_TDFHS) = { 0x07ff, COMMON, COMMON },
	AT(R_TDFTS) = { 0x07ff, COMMON, COMMON },
	AT(R_TDFPC) = { 0x07ff, COMMON, COMMON },
	AT(R_TDBAL) = { 0xfffffff0, COMMON, TX },
	AT(R_TDBAH) = { ALL, COMMON, TX },
	AT(R_TDLEN) = { 0x000fff80, COMMON, TX },
	AT(R_TDH) = { 0, RING, RING },
	AT(R_TDT) = { 0, RING, RING },
	AT(R_TIDV) = { 0xffff, COMMON, DELAY },
	AT(R_TXDCTL) = { 0xff3f3f3f, COMMON, COMMON },
	AT(R_TADV) = { 0xffff, COMMON, COMMON },
	AT(R_TSPMT) = { ALL, COMMON, COMMON },
	/* statistics, 13.7 */
	[R_STATS / 4 ... R_STATS_END / 4 - 1] = { 0, STAT, NOTHING },
	/* filters, 13.5; wake-up and management, 13.6, which are kept only */
	AT(R_RXCSUM) = { 0x07ff, COMMON, RX },
	[R_MTA / 4 ... R_MTA / 4 + 127] = { ALL, COMMON, RX },
	[R_RA / 4 ... R_RA / 4 + 31] = { ALL, COMMON, RX },
	[R_VFTA / 4 ... R_VFTA / 4 + 127] = { ALL, COMMON, RX },
	AT(R_WUC) = { 0x000f, COMMON, COMMON },
	AT(R_WUFC) = { 0x000f80ff, COMMON, COMMON },
	AT(R_WUS) = { 0, COMMON, NOTHING },
	AT(R_MANC) = { 0x003ff703, COMMON, COMMON },
	AT(R_IPAV) = { 0x0001000f, COMMON, COMMON },
	[R_IP4AT / 4 ... R_IP4AT / 4 + 7] = { ALL, COMMON, COMMON },
	[R_IP6AT / 4 ... R_IP6AT / 4 + 3] = { ALL, COMMON, COMMON },
	AT(R_WUPL) = { 0x0fff, COMMON, NOTHING },
	[R_WUPM / 4 ... R_WUPM / 4 + 31] = { ALL, COMMON, COMMON },
};
/* clang-format on */

/* RAH has no bits 30:18, SDM 13.5.3. */
static uint32_t keep_of(uint32_t off)
{
	if (off >= R_RA && off < R_RA + 8 * E1000_RAR && off & 4)
		return 0x8003ffff;
	return rows[off / 4].keep;
}

/* ---- reads --------------------------------------------------------------- */

static uint32_t ring_read(struct e1000 *e, uint32_t off)
{
	switch (off) {
	case R_RDH:
		return atomic_load(&e->rx.ring.head);
	case R_RDT:
		return atomic_load(&e->rx.ring.tail);
	case R_TDH:
		return atomic_load(&e->tx.ring.head);
	default:
		return atomic_load(&e->tx.ring.tail);
	}
}

static uint32_t read_locked(struct e1000 *e, uint32_t off)
{
	switch (rows[off / 4].read) {
	case COMMON:
		return e1000_reg(e, off);
	case STAT:
		return e1000_stat_read(e, off);
	case RAISE:
		return e1000_icr_take(e);
	case EECD:
		return e1000_eecd_read(e);
	case RING:
		return ring_read(e, off);
	default:
		return 0;
	}
}

uint32_t e1000_read_reg(struct e1000 *e, uint32_t off)
{
	uint32_t v;

	if (off >= E1000_REGS_END)
		return 0;
	pthread_mutex_lock(&e->lock);
	v = read_locked(e, off);
	pthread_mutex_unlock(&e->lock);
	return v;
}

/* ---- writes -------------------------------------------------------------- */

/* Bits that do something clear themselves. */
static void write_control(struct e1000 *e, uint32_t v)
{
	const uint32_t acts = CTRL_RST | CTRL_PHY_RST;

	if (v & CTRL_RST) {
		e1000_reset_mac(e);
		return;
	}
	if (v & CTRL_PHY_RST)
		e1000_phy_init(e);
	e->reg[R_CTRL / 4] = v & keep_of(R_CTRL) & ~acts;
	e1000_link_update(e);
	e1000_tx_setup(e);
	e1000_rx_setup(e);
}

static void write_extended(struct e1000 *e, uint32_t v)
{
	if (v & CTRL_EXT_EE_RST)
		e1000_eeprom_init(&e->eeprom, e->mac);
	e->reg[R_CTRL_EXT / 4] =
		v & keep_of(R_CTRL_EXT) & ~(uint32_t)CTRL_EXT_EE_RST;
}

static void write_ring(struct e1000 *e, uint32_t off, uint32_t v)
{
	if (off == R_RDH)
		atomic_store(&e->rx.ring.head, v & 0xffff);
	else if (off == R_TDH)
		atomic_store(&e->tx.ring.head, v & 0xffff);
}

static void write_irq(struct e1000 *e, uint8_t how, uint32_t v)
{
	if (how == RAISE)
		e->reg[R_ICR / 4] &= ~v;
	else if (how == UNMASK)
		e->reg[R_IMS / 4] &= ~v;
	else if (how == MASK)
		e->reg[R_IMS / 4] |= v & INT_FORCE;
	else
		e->reg[R_ICR / 4] |= v & INT_FORCE;
	if (how == MASK)
		e1000_unmasked(e);
	e1000_irq_update(e);
}

/* SDM 13.4.30: Flush Partial Descriptor block, at once. */
static void write_delay(struct e1000 *e, uint32_t off, uint32_t v)
{
	uint32_t cause = off == R_RDTR ? INT_RXT0 : INT_TXDW;

	e->reg[off / 4] = v & keep_of(off);
	if (!(v & BIT(31)) || !(e->irq.late & cause))
		return;
	e->irq.late &= ~cause;
	e1000_raise(e, cause);
}

static void write_locked(struct e1000 *e, uint32_t off, uint32_t v)
{
	uint8_t how = rows[off / 4].write;

	switch (how) {
	case COMMON:
	case TX:
	case RX:
	case BOTH:
		e->reg[off / 4] = v & keep_of(off);
		if (how == TX || how == BOTH)
			e1000_tx_setup(e);
		if (how == RX || how == BOTH)
			e1000_rx_setup(e);
		return;
	case RAISE:
	case MASK:
	case UNMASK:
	case CAUSE:
		write_irq(e, how, v);
		return;
	case CONTROL:
		write_control(e, v);
		return;
	case EXTENDED:
		write_extended(e, v);
		return;
	case EECD:
		e1000_eecd_write(e, v);
		return;
	case EERD:
		e1000_eerd_write(e, v);
		return;
	case MDIC:
		e1000_mdic_write(e, v);
		e1000_tx_setup(e); /* it may loop back now */
		return;
	case RING:
		write_ring(e, off, v);
		return;
	case BUFFER: /* 64 KiB: the transmitter has what is left */
		v = MIN(v & keep_of(off), 64u);
		e->reg[off / 4] = v | (64u - v) << 16;
		return;
	case DELAY:
		write_delay(e, off, v);
		return;
	default:
		return;
	}
}

/* Do the engines have to stand still for it? */
static bool stops_engines(uint8_t how)
{
	return how == CONTROL || how == MDIC || how == RING || how == TX ||
	       how == RX || how == BOTH;
}

static __attribute__((noinline)) void write_stopped(struct e1000 *e,
                                                    uint32_t off, uint32_t v)
{
	pthread_mutex_lock(&e->tx.lock);
	pthread_mutex_lock(&e->rx.lock);
	pthread_mutex_lock(&e->lock);
	write_locked(e, off, v);
	e1000_watch(e);
	pthread_mutex_unlock(&e->lock);
	pthread_mutex_unlock(&e->rx.lock);
	pthread_mutex_unlock(&e->tx.lock);
}

void e1000_write_reg(struct e1000 *e, uint32_t off, uint32_t v)
{
	if (off == R_TDT) {
		e1000_tx_kick(e, v);
	} else if (off == R_RDT) {
		e1000_rx_tail(e, v);
	} else if (off >= E1000_REGS_END) {
		return;
	} else if (stops_engines(rows[off / 4].write)) {
		write_stopped(e, off, v);
	} else {
		pthread_mutex_lock(&e->lock);
		write_locked(e, off, v);
		pthread_mutex_unlock(&e->lock);
	}
}
