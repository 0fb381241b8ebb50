/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An Intel 82540EM (8086:100e) on a tap, for guests that have a driver for it
 * and none for virtio. Registers in BAR 0, and by a window of two in BAR 1
 * (SDM 13.3), through which drivers reset it; INTA, no MSI.
 *
 * The tap has headers of virtio's and is asked to compute what it sends: the
 * guest's driver has no way to take a checksum that is not there, or a frame
 * that is longer than its own.
 *
 * Order: the tap is set up and the timer made before the sandbox, in which
 * neither is possible.
 */

#include "vmm/e1000.h"

#include "vmm/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

enum {
	IOADDR = 0,
	IODATA = 4,
	BAR_MEM = 0,
	BAR_IO = 1,
};

/* ---- BARs ---------------------------------------------------------------- */

static uint32_t io_read(struct e1000 *e, uint32_t off)
{
	uint32_t at;

	pthread_mutex_lock(&e->lock);
	at = e->ioaddr;
	pthread_mutex_unlock(&e->lock);
	if (off == IOADDR)
		return at;
	return off == IODATA ? e1000_read_reg(e, at) : 0;
}

static void io_write(struct e1000 *e, uint32_t off, uint32_t v)
{
	uint32_t at;

	pthread_mutex_lock(&e->lock);
	if (off == IOADDR)
		e->ioaddr = v & (E1000_BAR_MEM - 1) & ~3u;
	at = e->ioaddr;
	pthread_mutex_unlock(&e->lock);
	if (off == IODATA)
		e1000_write_reg(e, at, v);
}

/* Registers are dwords, SDM 13.3; less of one is its bytes, and is not
 * written. */
static uint64_t bar_read(void *ctx, unsigned bar, uint64_t off, unsigned width)
{
	struct e1000 *e = ctx;
	uint32_t at = (uint32_t)off & ~3u;
	uint64_t v;

	v = bar == BAR_IO ? io_read(e, at) : e1000_read_reg(e, at);
	if (width == 8 && bar == BAR_MEM)
		v |= (uint64_t)e1000_read_reg(e, at + 4) << 32;
	return v >> 8 * (off & 3);
}

static void bar_write(void *ctx, unsigned bar, uint64_t off, unsigned width,
                      uint64_t value)
{
	struct e1000 *e = ctx;
	uint32_t at = (uint32_t)off;

	if (width < 4 || off & 3)
		return;
	if (bar == BAR_IO) {
		io_write(e, at, (uint32_t)value);
		return;
	}
	e1000_write_reg(e, at, (uint32_t)value);
	if (width == 8)
		e1000_write_reg(e, at + 4, (uint32_t)(value >> 32));
}

/* ---- state --------------------------------------------------------------- */

void e1000_ring_setup(struct e1000 *e, struct e1000_ring *r, unsigned off)
{
	uint32_t len = e1000_reg(e, off + 8); /* RDLEN, TDLEN */
	struct gpa at = { (uint64_t)e1000_reg(e, off + 4) << 32 |
		          e1000_reg(e, off) };

	r->n = (uint32_t)(len / E1000_DESC);
	r->base = len ? memory_at(e->vm, at, len) : NULL;
}

/* What is not 0, SDM 13.4; the address is from the EEPROM. */
static void initial(struct e1000 *e)
{
	static const struct {
		uint16_t off;
		uint32_t v;
	} table[] = {
		{ R_CTRL, CTRL_FD | BIT(9) },
		{ R_EECD, BIT(5) }, /* no writes */
		{ R_MDIC, BIT(28) },
		{ R_LEDCTL, 0x07061302 },
		{ R_PBA, 0x00100030 },
		{ R_TXCW, BIT(31) },
		{ R_TIPG, 0x00602008 },
		{ R_RXDCTL, BIT(24) | BIT(16) },
		{ R_RXCSUM, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		e->reg[table[i].off / 4] = table[i].v;
	e->reg[R_RA / 4] = (uint32_t)load_le(e->mac, 4);
	e->reg[R_RA / 4 + 1] = (uint32_t)load_le(e->mac + 4, 2) | RAH_AV;
}

static void ring_reset(struct e1000_ring *r)
{
	atomic_store(&r->head, 0);
	atomic_store(&r->tail, 0);
}

/* All locks held. The PHY goes on: CTRL.PHY_RST is its own, SDM 14. */
void e1000_reset_mac(struct e1000 *e)
{
	uint32_t status = e1000_reg(e, R_STATUS);

	e1000_irq_reset(e);
	memset(e->reg, 0, sizeof(e->reg));
	/* Its loss by a reset is nothing that an interrupt tells. */
	e->reg[R_STATUS / 4] = status & ~(uint32_t)STATUS_LU;
	initial(e);
	e1000_link_update(e);
	e1000_eeprom_init(&e->eeprom, e->mac);
	ring_reset(&e->tx.ring);
	ring_reset(&e->rx.ring);
	memset(e->tx.cx, 0, sizeof(e->tx.cx));
	e1000_tx_setup(e);
	e1000_rx_setup(e);
	atomic_store(&e->tx.want, false);
}

static void lock_all(struct e1000 *e)
{
	pthread_mutex_lock(&e->tx.lock);
	pthread_mutex_lock(&e->rx.lock);
	pthread_mutex_lock(&e->lock);
}

static void unlock_all(struct e1000 *e)
{
	pthread_mutex_unlock(&e->lock);
	pthread_mutex_unlock(&e->rx.lock);
	pthread_mutex_unlock(&e->tx.lock);
}

static void reset(void *ctx)
{
	struct e1000 *e = ctx;

	lock_all(e);
	e1000_reset_mac(e);
	e1000_phy_init(e);
	e->ioaddr = 0;
	e1000_watch(e);
	unlock_all(e);
}

/* What has waited for bus master is the loop's to find. */
static void command(void *ctx, uint16_t value _unused_)
{
	struct e1000 *e = ctx;

	lock_all(e);
	e1000_tx_setup(e);
	e1000_watch(e);
	unlock_all(e);
}

/* ---- the tap ------------------------------------------------------------- */

void e1000_watch(struct e1000 *e)
{
	uint32_t events = e1000_rx_ready(e) ? EPOLLIN : 0;

	if (atomic_load(&e->tx.want) && own_dma(e->own))
		events |= EPOLLOUT;
	if (e->gone || events == e->events)
		return;
	e->events = events;
	(void)!io_change(e->vm->io, &e->watch, events);
}

/* Once: nobody can give it another. */
void e1000_gone(struct e1000 *e)
{
	struct diag d;
	bool was;

	pthread_mutex_lock(&e->lock);
	was = e->gone;
	e->gone = true;
	if (!was) {
		io_del(e->vm->io, &e->watch);
		e1000_link_update(e);
	}
	pthread_mutex_unlock(&e->lock);
	if (was)
		return;
	diag_fail(&d, -ENODEV, FL_VMM_DEVICE, "NIC %s", e->name);
	diag_why(&d, "its tap is gone from the host; the guest sees no link");
	diag_mend(&d, "restart the guest");
	loop_say_diag(&d);
}

static void tap_ready(void *ctx, uint32_t events)
{
	struct e1000 *e = ctx;

	if (events & EPOLLOUT)
		e1000_tx_run(e);
	if (events & EPOLLIN)
		e1000_rx_run(e);
	else if (events & (EPOLLERR | EPOLLHUP))
		e1000_gone(e);
}

/* ENOTTY: a socket of datagrams, in tests, is as good. */
static int prepare_tap(int fd)
{
	int size = sizeof(struct virtio_net_hdr_mrg_rxbuf);
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	if (ioctl(fd, TUNSETVNETHDRSZ, &size) < 0)
		return errno == ENOTTY ? 0 : -errno;
	return ioctl(fd, TUNSETOFFLOAD, 0) < 0 ? -errno : 0;
}

/* ---- begin and end ------------------------------------------------------- */

static void e1000_free(void *ctx)
{
	struct e1000 *e = ctx;

	if (!e)
		return;
	io_del(e->vm->io, &e->watch);
	io_del(e->vm->io, &e->irq.watch);
	close_fd(&e->irq.timer_fd);
	pthread_mutex_destroy(&e->tx.lock);
	pthread_mutex_destroy(&e->rx.lock);
	pthread_mutex_destroy(&e->lock);
	free(e->tx.bounce);
	free(e->rx.sink);
	free(e);
}

static const struct own_ops ops = {
	.read = bar_read,
	.write = bar_write,
	.reset = reset,
	.command = command,
	.free = e1000_free,
};

static int make(struct vm *vm, const struct vm_nic *c, struct e1000 **ret)
{
	struct e1000 *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->vm = vm;
	e->tap = c->tap_fd[0];
	memcpy(e->name, c->name, sizeof(e->name));
	memcpy(e->mac, c->mac, sizeof(e->mac));
	e->irq.timer_fd = e->irq.watch.fd = -1;
	pthread_mutex_init(&e->tx.lock, NULL);
	pthread_mutex_init(&e->rx.lock, NULL);
	pthread_mutex_init(&e->lock, NULL);
	e->watch =
		(struct io_watch){ .fd = e->tap, .ready = tap_ready, .ctx = e };
	*ret = e;
	return 0;
}

static int add(struct e1000 *e, const struct vm_nic *c, struct diag *d)
{
	struct own_desc o = {
		.slot = c->slot,
		.vendor = 0x8086,
		.device = 0x100e,
		.subvendor = 0x8086,
		.subdevice = 0x001e,
		.class = 0x020000,
		.revision = 2,
		.bar = {
			[BAR_MEM] = { .kind = CFG_BAR_MEM32,
			              .size = E1000_BAR_MEM },
			[BAR_IO] = { .kind = CFG_BAR_IO, .size = E1000_BAR_IO },
		},
		.intx = true,
		.ops = &ops,
		.ctx = e,
	};

	memcpy(o.name, c->name, sizeof(o.name));
	return own_add(e->vm, &o, &e->own, d);
}

/* Nothing runs: the loop comes later, or is parked. */
static int watch_all(struct e1000 *e)
{
	int r = e1000_irq_init(e);

	return r == 0 ? io_add(e->vm->io, &e->watch, 0) : r;
}

static int refuse(const struct vm_nic *c, int err, struct diag *d)
{
	diag_fail(d, err, FL_VMM_DEVICE, "NIC %s, an e1000", c->name);
	diag_why(d, "its tap: %s", strerror(-err));
	diag_mend(d, "a tap with virtio headers: fairlead run opens one");
	return err;
}

int e1000_add(struct vm *vm, const struct vm_nic *c, struct diag *d)
{
	struct e1000 *e = NULL;
	int r = make(vm, c, &e);

	if (r == 0)
		r = prepare_tap(e->tap);
	if (r == 0)
		r = watch_all(e);
	if (r < 0) {
		e1000_free(e);
		return refuse(c, r, d);
	}
	r = add(e, c, d);
	if (r < 0) {
		e1000_free(e);
		return r;
	}
	reset(e);
	return 0;
}
