/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses to functions of our own: configuration cycles, and what follows
 * from them; BARs.
 *
 * Order, when a register changes: BARs go from where they do not decode any
 * more -> DMA and interrupts follow COMMAND -> BARs come to where they decode
 * now -> the device is told. A range that is refused there (it is RAM's, or
 * another function's) leaves the BAR silent; it is offered again when the
 * function's registers change or something else has moved away.
 */

#include "vmm/assign.h"
#include "vmm/own_priv.h"

#define REG_STATUS_LOW 0x06u
#define STATUS_INTX BIT(3)

/* ---- BARs ---------------------------------------------------------------- */

#define INLINE static inline __attribute__((always_inline))

/* A bus hands on what the guest did; devices know registers: 1, 2, 4, 8. */
INLINE bool is_whole(unsigned width)
{
	return width <= 8 && 0x116u >> width & 1;
}

INLINE uint64_t read_one(struct own *o, unsigned bar, uint64_t off,
                         unsigned width)
{
	if (own_table_has(&o->desc, bar, off))
		return own_table_read(o, off, width);
	return o->desc.ops->read(o->desc.ctx, bar, off, width);
}

INLINE void write_one(struct own *o, unsigned bar, uint64_t off, unsigned width,
                      uint64_t value)
{
	if (own_table_has(&o->desc, bar, off))
		own_table_write(o, off, width, value);
	else
		o->desc.ops->write(o->desc.ctx, bar, off, width, value);
}

static __attribute__((noinline)) uint64_t
read_bytes(const struct own_bar *b, uint64_t off, unsigned width)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < width && i < 8; i++)
		value |= (read_one(b->owner, b->index, off + i, 1) & 0xff)
		         << 8 * i;
	return value;
}

static __attribute__((noinline)) void write_bytes(const struct own_bar *b,
                                                  uint64_t off, unsigned width,
                                                  uint64_t value)
{
	for (unsigned i = 0; i < width && i < 8; i++)
		write_one(b->owner, b->index, off + i, 1,
		          value >> 8 * i & 0xff);
}

static uint64_t bar_read(void *ctx, uint64_t off, unsigned width)
{
	const struct own_bar *b = ctx;

	return is_whole(width) ? read_one(b->owner, b->index, off, width)
	                       : read_bytes(b, off, width);
}

static void bar_write(void *ctx, uint64_t off, unsigned width, uint64_t value)
{
	const struct own_bar *b = ctx;

	if (is_whole(width))
		write_one(b->owner, b->index, off, width, value);
	else
		write_bytes(b, off, width, value);
}

static const struct bus_ops bar_ops = {
	.read = bar_read,
	.write = bar_write,
};

static bool is_io(const struct own *o, unsigned i)
{
	return o->desc.bar[i].kind == CFG_BAR_IO;
}

static void tell_moved(struct own *o, unsigned i, bool decodes)
{
	if (o->desc.ops->moved)
		o->desc.ops->moved(o->desc.ctx, i, o->bar[i].at, decodes);
}

void own_withdraw(struct own *o, bool all)
{
	for (unsigned i = 0; i < CFG_BARS; i++) {
		struct own_bar *b = &o->bar[i];

		if (!b->placed || (!all && cfg_bar_decodes(&o->cfg, i) &&
		                   cfg_bar_addr(&o->cfg, i) == b->at))
			continue;
		trap_del(o->vm, is_io(o, i), b->at, o->desc.bar[i].size);
		b->placed = false;
		o->moved = true;
		tell_moved(o, i, false);
	}
}

/* `refused` is true from before the attempt, so that whoever frees the range
 * meanwhile sees it. */
static bool place(struct own *o, unsigned i)
{
	const uint64_t at = cfg_bar_addr(&o->cfg, i);
	const uint64_t size = o->desc.bar[i].size;
	struct own_bar *b = &o->bar[i];

	if (!trap_fits(o->vm, is_io(o, i), at, size) ||
	    trap_add(o->vm, is_io(o, i), at, size,
	             EXIT_AT(EXIT_OWN, o->desc.slot, i), &bar_ops, b) < 0)
		return false;
	b->placed = true;
	b->at = at;
	tell_moved(o, i, true);
	return true;
}

void own_offer(struct own *o)
{
	bool all = true;

	o->refused = true;
	for (unsigned i = 0; i < CFG_BARS; i++)
		if (!o->bar[i].placed && cfg_bar_decodes(&o->cfg, i))
			all &= place(o, i);
	if (all)
		o->refused = false;
}

void own_offer_all(struct vm *vm)
{
	for (uint8_t slot = 1; vm->own && slot <= VM_SLOTS_MAX; slot++) {
		struct own *o = vm->own->at[slot];

		if (!o || !o->refused)
			continue;
		pthread_mutex_lock(&o->lock);
		own_offer(o);
		pthread_mutex_unlock(&o->lock);
	}
}

/* Without any lock: what others were refused may be free now. */
static void offer_others(struct vm *vm, bool moved)
{
	if (!moved)
		return;
	own_offer_all(vm);
	assign_offer_all(vm);
}

/* ---- what follows from registers ----------------------------------------- */

static void tell(struct own *o)
{
	const uint16_t command = own_command(o);
	const bool vectors = cfg_msix_state(&o->cfg).enabled;
	const struct own_ops *ops = o->desc.ops;

	if (command != o->command) {
		o->command = command;
		if (ops->command)
			ops->command(o->desc.ctx, command);
	}
	if (vectors != o->vectors) {
		o->vectors = vectors;
		if (ops->vectors)
			ops->vectors(o->desc.ctx, vectors);
	}
}

#define MOVES (CFG_EV_COMMAND | CFG_EV_BAR | CFG_EV_POWER)

static void follow(struct own *o, uint32_t events)
{
	if (!(events & (MOVES | CFG_EV_MSIX)))
		return;
	if (events & MOVES)
		own_withdraw(o, false);
	own_vectors_follow(o);
	if (events & MOVES)
		own_offer(o);
	tell(o);
}

void own_reset(struct own *o)
{
	cfg_reset(&o->cfg);
	own_withdraw(o, true);
	o->dma = false;
	o->command = 0;
	o->vectors = false;
	o->refused = false;
	own_vectors_reset(o);
	o->desc.ops->reset(o->desc.ctx);
}

/* ---- configuration cycles ------------------------------------------------ */

/* The capability whose registers the device answers, where the access lies
 * wholly among them; -1 = none. */
static int find_live(const struct own *o, unsigned off, unsigned width,
                     unsigned *ret_off)
{
	if (off < o->live_from)
		return -1;
	for (unsigned i = 0; i < o->desc.n_caps; i++) {
		const struct own_cap *cap = &o->desc.cap[i];
		const unsigned begin = o->cap_at[i];

		if (!cap->live || off < begin + cap->live ||
		    !range_inside(off - begin, width, cap->len))
			continue;
		*ret_off = off - begin;
		return (int)i;
	}
	return -1;
}

static bool in_area(const struct own *o, unsigned off, unsigned width)
{
	return off >= o->desc.area.at &&
	       range_inside(off - o->desc.area.at, width, o->desc.area.len);
}

static uint32_t read_locked(struct own *o, unsigned off, unsigned width)
{
	struct cfg_read r = cfg_read(&o->cfg, off, width);
	uint32_t status = o->v.level ? STATUS_INTX : 0;
	unsigned cap_off;
	int cap = find_live(o, off, width, &cap_off);

	if (cap >= 0 && o->desc.ops->cap_read)
		return o->desc.ops->cap_read(o->desc.ctx, (unsigned)cap,
		                             cap_off, width);
	if (in_area(o, off, width))
		return o->desc.ops->area_read(o->desc.ctx, off, width);
	if (!r.hw_mask)
		return r.value;
	/* Of what a device has to say, only Interrupt Status is not 0. */
	if (off <= REG_STATUS_LOW && off + width > REG_STATUS_LOW)
		r.value |= status << 8 * (REG_STATUS_LOW - off) & r.hw_mask;
	return r.value;
}

static void write_locked(struct own *o, unsigned off, unsigned width,
                         uint32_t value)
{
	struct cfg_write w;
	unsigned cap_off;
	int cap = find_live(o, off, width, &cap_off);

	if (cap >= 0 && o->desc.ops->cap_write) {
		o->desc.ops->cap_write(o->desc.ctx, (unsigned)cap, cap_off,
		                       width, value);
		return;
	}
	if (in_area(o, off, width)) {
		o->desc.ops->area_write(o->desc.ctx, off, width, value);
		return;
	}
	w = cfg_write(&o->cfg, off, width, value);
	if (w.events & CFG_EV_FLR)
		own_reset(o);
	else
		follow(o, w.events);
}

uint32_t own_cfg_read(struct vm *vm, uint8_t slot, unsigned off, unsigned width)
{
	struct own *o = own_at(vm, slot);
	uint32_t value;

	if (!o)
		return UINT32_MAX;
	pthread_mutex_lock(&o->lock);
	value = read_locked(o, off, width);
	pthread_mutex_unlock(&o->lock);
	return value;
}

static bool take_moved(struct own *o)
{
	bool moved = o->moved;

	o->moved = false;
	return moved;
}

bool own_cfg_write(struct vm *vm, uint8_t slot, unsigned off, unsigned width,
                   uint32_t value)
{
	struct own *o = own_at(vm, slot);
	bool moved;

	if (!o)
		return false;
	pthread_mutex_lock(&o->lock);
	write_locked(o, off, width, value);
	moved = take_moved(o);
	pthread_mutex_unlock(&o->lock);
	offer_others(vm, moved);
	return true;
}

bool own_bus_reset(struct vm *vm, uint8_t slot)
{
	struct own *o = own_at(vm, slot);
	bool moved;

	if (!o)
		return false;
	pthread_mutex_lock(&o->lock);
	own_reset(o);
	moved = take_moved(o);
	pthread_mutex_unlock(&o->lock);
	offer_others(vm, moved);
	return true;
}
