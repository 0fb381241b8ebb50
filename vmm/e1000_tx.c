/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The transmit ring, SDM 3.3 and 3.4: descriptors to packets. The vCPU that
 * writes TDT sends up to IO_BURST packets itself: waking the loop would cost
 * more than sending one. What is left over, or what the tap has no room for,
 * is the loop's, which waits until the tap can be written to.
 *
 * A packet is taken when all of it is there. Its descriptors are read once;
 * nothing is changed in them but the status of those that ask for it.
 */

#include "vmm/e1000.h"

/* Second quadword. */
enum {
	CMD_EOP = BIT(0),
	CMD_IFCS = BIT(1),
	CMD_TSE = BIT(2), /* legacy: IC, insert checksum */
	CMD_RS = BIT(3),
	CMD_DEXT = BIT(5),
	CMD_VLE = BIT(6),
	CMD_IDE = BIT(7),
	POPTS_IXSM = BIT(0),
	POPTS_TXSM = BIT(1),
	DESC_DONE = 1,
	DESC_STATUS = 12, /* its byte */
};
#define Q_CMD BITS64(31, 24)
#define Q_TUCMD_TCP BIT64(24)
#define Q_TUCMD_IP4 BIT64(25)
#define Q_TYPE BITS64(23, 20)
#define Q_LEN_LEGACY BITS64(15, 0)
#define Q_LEN BITS64(19, 0)
#define Q_CSO BITS64(23, 16) /* legacy */
#define Q_CSS BITS64(47, 40) /* legacy; POPTS of the others; HDRLEN */
#define Q_SPECIAL BITS64(63, 48)

struct desc {
	uint64_t q[2];
	uint8_t cmd;
	bool extended, context;
};

static void load_desc(const uint8_t *at, struct desc *d)
{
	const uint64_t *q = (const void *)at;

	d->q[0] = le64toh(__atomic_load_n(&q[0], __ATOMIC_RELAXED));
	d->q[1] = le64toh(__atomic_load_n(&q[1], __ATOMIC_RELAXED));
	d->cmd = (uint8_t)FIELD_GET(Q_CMD, d->q[1]);
	d->extended = d->cmd & CMD_DEXT;
	d->context = d->extended && !(d->q[1] & Q_TYPE);
	if (d->context) /* it ends no packet */
		d->cmd &= (uint8_t)~CMD_EOP;
}

static void report(const struct e1000_ring *r, uint32_t i)
{
	__atomic_store_n(r->base + i * E1000_DESC + DESC_STATUS, DESC_DONE,
	                 __ATOMIC_RELEASE);
}

static uint32_t next(const struct e1000_ring *r, uint32_t i)
{
	return i + 1 == r->n ? 0 : i + 1;
}

/* A descriptor with RS raises TXDW when it is done: SDM 3.3.3.1. */
static void note_report(struct e1000_tx *t, uint8_t cmd)
{
	if (!(cmd & CMD_RS))
		return;
	if (cmd & CMD_IDE)
		t->late |= INT_TXDW;
	else
		t->causes |= INT_TXDW;
}

/* ---- descriptors to a packet --------------------------------------------- */

static void take_context(struct e1000_tx *t, const struct desc *d)
{
	uint64_t a = d->q[0], b = d->q[1];

	t->cx[!!(d->cmd & CMD_TSE)] = (struct e1000_context){
		.ipcss = (uint8_t)a,
		.ipcso = (uint8_t)(a >> 8),
		.ipcse = (uint16_t)(a >> 16),
		.tucss = (uint8_t)(a >> 32),
		.tucso = (uint8_t)(a >> 40),
		.tucse = (uint16_t)(a >> 48),
		.hdrlen = (uint8_t)FIELD_GET(Q_CSS, b),
		.mss = (uint16_t)FIELD_GET(Q_SPECIAL, b),
		.ip4 = d->q[1] & Q_TUCMD_IP4,
		.tcp = d->q[1] & Q_TUCMD_TCP,
	};
}

static void begin(struct e1000_packet *p)
{
	p->n = p->descs = 0;
	p->len = 0;
	p->bad = p->tso = p->ixsm = p->txsm = p->tag = false;
	memset(p->report, 0, sizeof(p->report));
}

static void add_piece(struct e1000 *e, struct e1000_packet *p,
                      const struct desc *d)
{
	uint64_t mask = d->extended ? Q_LEN : Q_LEN_LEGACY;
	uint32_t len = (uint32_t)FIELD_GET(mask, d->q[1]);
	void *at;

	if (!len)
		return;
	p->len += len; /* E1000_SEGS of 2^20 do not overflow it */
	at = memory_at(e->vm, (struct gpa){ d->q[0] }, len);
	if (!at || p->len > E1000_SEND_MAX) {
		p->bad = true;
		return;
	}
	p->iov[2 + p->n++] = (struct iovec){ at, len };
}

/* POPTS counts in the first descriptor, SDM 3.3.7. */
static void take_first(const struct e1000_tx *t, struct e1000_packet *p,
                       const struct desc *d)
{
	unsigned popts = (unsigned)FIELD_GET(Q_CSS, d->q[1]);

	if (!d->extended)
		return;
	p->tso = d->cmd & CMD_TSE;
	p->ixsm = popts & POPTS_IXSM;
	p->txsm = popts & POPTS_TXSM;
	p->cx = t->cx[p->tso];
}

/* Without IFCS the guest has made the CRC itself; the tap has none. */
static void cut_crc(struct e1000_packet *p)
{
	uint32_t cut = MIN(E1000_CRC, p->len);

	p->len -= cut;
	while (cut && p->n) {
		struct iovec *v = &p->iov[1 + p->n];
		uint32_t part = MIN(cut, (uint32_t)v->iov_len);

		v->iov_len -= part;
		cut -= part;
		if (!v->iov_len)
			p->n--;
	}
}

/* VLE, IFCS and a legacy descriptor's checksum count in the last one. */
static void take_last(const struct e1000 *e, struct e1000_packet *p,
                      const struct desc *d)
{
	if (!d->extended && d->cmd & CMD_TSE) {
		p->txsm = true;
		p->cx = (struct e1000_context){
			.tucss = (uint8_t)FIELD_GET(Q_CSS, d->q[1]),
			.tucso = (uint8_t)FIELD_GET(Q_CSO, d->q[1]),
		};
	}
	p->tag = d->cmd & CMD_VLE && e1000_reg(e, R_CTRL) & CTRL_VME;
	p->vlan = (uint16_t)FIELD_GET(Q_SPECIAL, d->q[1]);
	if (!(d->cmd & CMD_IFCS) && !p->bad)
		cut_crc(p);
}

static void add_desc(struct e1000 *e, struct e1000_packet *p,
                     const struct desc *d)
{
	if (p->descs == 0)
		take_first(&e->tx, p, d);
	if (d->cmd & CMD_RS)
		p->report[p->descs / 64] |= BIT64(p->descs % 64);
	note_report(&e->tx, d->cmd);
	p->descs++;
	if (d->context) { /* in the midst of it */
		take_context(&e->tx, d);
		return;
	}
	add_piece(e, p, d);
	if (d->cmd & CMD_EOP)
		take_last(e, p, d);
}

/* ---- the ring ------------------------------------------------------------ */

static void done(struct e1000_ring *r, const struct e1000_packet *p,
                 uint32_t end)
{
	uint32_t i = atomic_load(&r->head);

	for (unsigned k = 0; k < p->descs; k++, i = next(r, i))
		if (p->report[k / 64] & BIT64(k % 64))
			report(r, i);
	atomic_store(&r->head, end);
}

/* One descriptor of a packet that is lost already, or a context. */
static int skip(struct e1000 *e, uint32_t i, const struct desc *d)
{
	struct e1000_tx *t = &e->tx;

	if (d->context)
		take_context(t, d);
	else if (d->cmd & CMD_EOP)
		t->dropping = false;
	note_report(t, d->cmd);
	if (d->cmd & CMD_RS)
		report(&t->ring, i);
	atomic_store(&t->ring.head, next(&t->ring, i));
	return 1;
}

/* 1 = something was taken, 0 = there is no whole packet, -EAGAIN. */
static int one(struct e1000 *e)
{
	struct e1000_tx *t = &e->tx;
	struct e1000_ring *r = &t->ring;
	struct e1000_packet *p = &t->packet;
	uint32_t i = atomic_load(&r->head), tail = atomic_load(&r->tail);
	uint32_t late = t->late, causes = t->causes;
	struct desc d = { .cmd = 0 };

	begin(p);
	while (i != tail && !(d.cmd & CMD_EOP) && p->descs < E1000_SEGS) {
		load_desc(r->base + i * E1000_DESC, &d);
		if (!p->descs && (d.context || t->dropping))
			return skip(e, i, &d);
		add_desc(e, p, &d);
		i = next(r, i);
	}
	if (!(d.cmd & CMD_EOP) && p->descs == E1000_SEGS)
		t->dropping = true;
	else if (!(d.cmd & CMD_EOP) ||
	         (!p->bad && e1000_send(e, p) == -EAGAIN)) {
		/* It comes again: nothing of it is done. */
		t->late = late;
		t->causes = causes;
		return d.cmd & CMD_EOP ? -EAGAIN : 0;
	}
	t->fresh += p->descs;
	done(r, p, i);
	return 1;
}

static bool ready(const struct e1000 *e)
{
	const struct e1000_ring *r = &e->tx.ring;

	return e->tx.on && r->base && atomic_load(&r->head) < r->n &&
	       atomic_load(&r->tail) < r->n && own_dma(e->own);
}

/* ---- a burst ------------------------------------------------------------- */

/* Causes, SDM 13.4.17. TXDW that may wait does not while a quarter of the ring
 * waits with it. */
static void tell(struct e1000 *e)
{
	struct e1000_tx *t = &e->tx;
	uint32_t ticks = MAX(e1000_reg(e, R_TIDV), e1000_reg(e, R_TADV));
	uint32_t causes = t->causes, late = t->late;

	if (!(e->irq.late & INT_TXDW))
		t->untold = 0; /* the guest has been told meanwhile */
	t->untold += t->fresh;
	t->fresh = 0;
	if (!e1000_reg(e, R_TIDV) || t->untold >= t->ring.n / 4) {
		causes |= late;
		late = 0;
	}
	if (atomic_load(&t->ring.head) == atomic_load(&t->ring.tail)) {
		causes |= INT_TXQE;
		if (e1000_reg(e, R_TXDCTL) >> 25)
			causes |= INT_TXD_LOW;
	}
	t->causes = t->late = 0;
	e1000_raise(e, causes);
	if (late)
		e1000_raise_late(e, late, ticks);
}

static bool more(const struct e1000_tx *t)
{
	return atomic_load(&t->ring.head) != atomic_load(&t->ring.tail);
}

/* tx.lock held. */
static void burst(struct e1000 *e)
{
	struct e1000_tx *t = &e->tx;
	unsigned n = 0;
	int r = 0;

	if (!ready(e)) {
		atomic_store(&t->want, false);
	} else {
		while (n < IO_BURST && (r = one(e)) > 0)
			n++;
		atomic_store(&t->want, r < 0 || (r > 0 && more(t)));
	}
	pthread_mutex_lock(&e->lock);
	if (n) {
		e1000_count_tx(e, &t->count);
		tell(e);
	}
	e1000_watch(e);
	pthread_mutex_unlock(&e->lock);
}

void e1000_tx_run(struct e1000 *e)
{
	pthread_mutex_lock(&e->tx.lock);
	burst(e);
	pthread_mutex_unlock(&e->tx.lock);
}

void e1000_tx_kick(struct e1000 *e, uint32_t tail)
{
	pthread_mutex_lock(&e->tx.lock);
	atomic_store(&e->tx.ring.tail, tail & 0xffff);
	burst(e);
	pthread_mutex_unlock(&e->tx.lock);
}

void e1000_tx_setup(struct e1000 *e)
{
	struct e1000_tx *t = &e->tx;

	e1000_ring_setup(e, &t->ring, R_TDBAL);
	t->on = e1000_reg(e, R_TCTL) & TCTL_EN;
	t->loop = e1000_reg(e, R_RCTL) & RCTL_LBM || e1000_phy_loops(e);
	t->dropping = false;
	/* What has waited for this is the loop's to find. */
	if (t->on && atomic_load(&t->ring.head) != atomic_load(&t->ring.tail))
		atomic_store(&t->want, true);
}
