/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A driver's rings, written from the specification and not from queue.c. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/mman.h>

#include "tests/unit/vmm/virtio_driver.h"

#define AREAS 0x1000u /* of queue 0; 32 KiB each */
#define AREA_STEP 0x8000u
#define TABLES 0x40000u /* indirect, 16 entries each */
#define TABLE_MAX 16u

enum {
	F_NEXT = 1,
	F_WRITE = 2,
	F_INDIRECT = 4,
	F_AVAIL = 0x80,
	F_USED = 0x8000,
};

/* ---- a machine of RAM ---------------------------------------------------- */

int drv_vm_init(struct drv_machine *m)
{
	struct memory *mem = &m->vm.mem;

	memset(m, 0, sizeof(*m));
	m->ram =
		mmap(NULL, DRV_LOW_SIZE + DRV_HIGH_SIZE, PROT_READ | PROT_WRITE,
	             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m->ram == MAP_FAILED)
		return -errno;
	mem->n = 2;
	mem->region[0].size = DRV_LOW_SIZE;
	mem->region[0].hva = m->ram;
	mem->region[1].gpa.v = DRV_HIGH;
	mem->region[1].size = DRV_HIGH_SIZE;
	mem->region[1].hva = (char *)m->ram + DRV_LOW_SIZE;
	m->vm.fd = m->vm.event_fd = -1;
	return 0;
}

void drv_vm_fini(struct drv_machine *m)
{
	munmap(m->ram, DRV_LOW_SIZE + DRV_HIGH_SIZE);
}

void *drv_ram(struct vm *vm, uint64_t gpa)
{
	return memory_at(vm, (struct gpa){ gpa }, 1);
}

static void put(struct drv *g, uint64_t gpa, unsigned width, uint64_t v)
{
	store_le(drv_ram(g->vm, gpa), width, v);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static uint64_t get(struct drv *g, uint64_t gpa, unsigned width)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return load_le(drv_ram(g->vm, gpa), width);
}

static void put_desc(struct drv *g, uint64_t at, uint64_t addr, uint32_t len,
                     uint16_t third, uint16_t fourth)
{
	put(g, at, 8, addr);
	put(g, at + 8, 4, len);
	put(g, at + 12, 2, third);
	put(g, at + 14, 2, fourth);
}

void drv_poke(struct drv *g, unsigned i, uint64_t addr, uint32_t len,
              uint16_t flags, uint16_t next)
{
	uint64_t at = g->setup.desc + 16ull * i;

	if (g->packed)
		put_desc(g, at, addr, len, next, flags);
	else
		put_desc(g, at, addr, len, flags, next);
}

void drv_poke_idx(struct drv *g, uint16_t idx)
{
	put(g, g->setup.driver + 2, 2, idx);
}

void drv_poke_entry(struct drv *g, unsigned i, uint16_t head)
{
	put(g, g->setup.driver + 4 + 2ull * i, 2, head);
}

void drv_init_nth(struct drv *g, struct vm *vm, unsigned nth, uint16_t size,
                  uint64_t features)
{
	uint64_t at = AREAS + (uint64_t)AREA_STEP * nth;

	memset(g, 0, sizeof(*g));
	g->vm = vm;
	g->features = features;
	g->packed = features & VIRTIO_F(34);
	g->event_idx = features & VIRTIO_F(29);
	g->size = g->free = size;
	g->setup.size = size;
	g->setup.desc = at;
	g->setup.driver = at + 16ull * size;
	g->setup.device = ALIGN_UP(g->setup.driver + 6 + 2ull * size, 4ull);
	memset(drv_ram(vm, at), 0, 16u * size + 32u + 12u * size);
	for (unsigned i = 0; i < size; i++)
		g->next[i] = (uint16_t)(i + 1);
	g->avail_wrap = g->used_wrap = true;
}

void drv_init(struct drv *g, struct vm *vm, uint16_t size, uint64_t features)
{
	drv_init_nth(g, vm, 0, size, features);
}

/* ---- adding -------------------------------------------------------------- */

static uint16_t flags_of(const struct drv_buf *b, bool more)
{
	return (uint16_t)((b->write ? F_WRITE : 0) | (more ? F_NEXT : 0));
}

static uint64_t table_of(struct drv *g, unsigned id)
{
	return TABLES + 16ull * TABLE_MAX * (id % 256) +
	       (g->setup.desc > AREAS ? DRV_HIGH : 0);
}

/* In a packed ring's table the flags but WRITE are garbage on purpose. */
static void fill_table(struct drv *g, unsigned id, const struct drv_buf *buf,
                       unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint16_t f = flags_of(&buf[i], !g->packed && i + 1 < n);
		uint64_t at = table_of(g, id) + 16ull * i;

		if (g->packed)
			put_desc(g, at, buf[i].gpa, buf[i].len, 0xdead,
			         f | F_NEXT | F_AVAIL);
		else
			put_desc(g, at, buf[i].gpa, buf[i].len, f,
			         (uint16_t)(i + 1));
	}
}

static int add_split(struct drv *g, const struct drv_buf *buf, unsigned n,
                     unsigned how)
{
	unsigned need = how & DRV_INDIRECT ? 1 : n;
	uint16_t id = g->head, at = id;

	if (how & DRV_INDIRECT) {
		fill_table(g, id, buf, n);
		drv_poke(g, id, table_of(g, id), 16 * n, F_INDIRECT, 0);
		at = g->next[id];
	}
	for (unsigned i = 0; !(how & DRV_INDIRECT) && i < n; i++) {
		drv_poke(g, at, buf[i].gpa, buf[i].len,
		         flags_of(&buf[i], i + 1 < n), g->next[at]);
		at = g->next[at];
	}
	g->head = at;
	g->free = (uint16_t)(g->free - need);
	g->taken[id] = (uint16_t)need;
	drv_poke_entry(g, g->avail % g->size, id);
	g->avail++;
	g->kicked++;
	if (!(how & DRV_HIDDEN))
		drv_poke_idx(g, g->avail);
	return id;
}

static void step(const struct drv *g, uint16_t *place, bool *wrap, unsigned n)
{
	unsigned at = *place + n;

	*wrap ^= at >= g->size;
	*place = (uint16_t)(at % g->size);
}

/* The first descriptor of a batch shows all of it: its flags come last. */
static void place_packed(struct drv *g, const struct drv_buf *b, uint16_t id,
                         uint16_t flags)
{
	bool wrap = g->avail_wrap;
	uint16_t whole = (uint16_t)(flags | (wrap ? F_AVAIL : F_USED));
	uint64_t at = g->setup.desc + 16ull * g->avail;

	put(g, at, 8, b->gpa);
	put(g, at + 8, 4, b->len);
	put(g, at + 12, 2, id);
	if (g->hidden) {
		put(g, at + 14, 2, whole);
	} else {
		g->hidden = true;
		g->first = g->avail;
		g->first_flags = whole;
	}
	step(g, &g->avail, &g->avail_wrap, 1);
	g->kicked++;
}

static uint16_t free_id(struct drv *g)
{
	uint16_t id = 0;

	while (g->taken[id])
		id++;
	return id;
}

static int add_packed(struct drv *g, const struct drv_buf *buf, unsigned n,
                      unsigned how)
{
	uint16_t id = free_id(g);
	struct drv_buf table = { table_of(g, id), 16 * n, false };
	unsigned need = how & DRV_INDIRECT ? 1 : n;

	if (how & DRV_INDIRECT)
		fill_table(g, id, buf, n);
	for (unsigned i = 0; i < need; i++) {
		const struct drv_buf *b = how & DRV_INDIRECT ? &table : &buf[i];
		uint16_t f = how & DRV_INDIRECT ? F_INDIRECT
		                                : flags_of(b, i + 1 < n);

		/* Only the last one's id counts, 2.8.6. */
		place_packed(g, b, i + 1 < need ? 0xbeef : id, f);
	}
	g->taken[id] = (uint16_t)need;
	g->free = (uint16_t)(g->free - need);
	if (!(how & DRV_HIDDEN)) {
		put(g, g->setup.desc + 16ull * g->first + 14, 2,
		    g->first_flags);
		g->hidden = false;
	}
	return id;
}

int drv_add(struct drv *g, const struct drv_buf *buf, unsigned n, unsigned how)
{
	if (g->free < (how & DRV_INDIRECT ? 1 : n))
		return -1;
	if (how & DRV_INDIRECT)
		assert_true(n <= TABLE_MAX);
	return g->packed ? add_packed(g, buf, n, how)
	                 : add_split(g, buf, n, how);
}

/* ---- used ---------------------------------------------------------------- */

static void take_back(struct drv *g, uint16_t id)
{
	assert_true(id < g->size);
	assert_true(g->taken[id]);
	g->free = (uint16_t)(g->free + g->taken[id]);
}

static bool used_split(struct drv *g, struct drv_used *ret)
{
	uint64_t at = g->setup.device + 4 + 8ull * (g->used % g->size);
	uint16_t last;

	if ((uint16_t)get(g, g->setup.device + 2, 2) == g->used)
		return false;
	ret->id = (uint16_t)get(g, at, 4);
	ret->len = (uint32_t)get(g, at + 4, 4);
	ret->wrote = ret->len;
	take_back(g, ret->id);
	last = ret->id;
	for (unsigned i = 1; i < g->taken[ret->id]; i++)
		last = g->next[last];
	g->next[last] = g->head;
	g->head = ret->id;
	g->taken[ret->id] = 0;
	g->used++;
	return true;
}

static bool used_packed(struct drv *g, struct drv_used *ret)
{
	uint64_t at = g->setup.desc + 16ull * g->used;
	uint16_t flags = (uint16_t)get(g, at + 14, 2);

	if (!!(flags & F_AVAIL) != g->used_wrap ||
	    !!(flags & F_USED) != g->used_wrap)
		return false;
	ret->id = (uint16_t)get(g, at + 12, 2);
	ret->len = (uint32_t)get(g, at + 8, 4);
	ret->wrote = flags & F_WRITE;
	take_back(g, ret->id);
	step(g, &g->used, &g->used_wrap, g->taken[ret->id]);
	g->taken[ret->id] = 0;
	return true;
}

bool drv_used(struct drv *g, struct drv_used *ret)
{
	return g->packed ? used_packed(g, ret) : used_split(g, ret);
}

/* ---- events -------------------------------------------------------------- */

static bool passed(uint16_t event, uint16_t now, uint16_t n)
{
	return (uint16_t)(now - event - 1) < n;
}

static bool wants_split(struct drv *g)
{
	if (!g->event_idx)
		return !(get(g, g->setup.device, 2) & 1);
	return passed((uint16_t)get(g, g->setup.device + 4 + 8ull * g->size, 2),
	              g->avail, g->kicked);
}

static bool wants_packed(struct drv *g)
{
	uint16_t flags = (uint16_t)get(g, g->setup.device + 2, 2);
	uint16_t event = (uint16_t)get(g, g->setup.device, 2);

	if (flags != 2)
		return flags == 0;
	assert_true(g->event_idx);
	assert_true((event & 0x7fff) < g->size);
	if (!!(event & 0x8000) == g->avail_wrap)
		return passed(event & 0x7fff, g->avail, g->kicked);
	return passed((uint16_t)((event & 0x7fff) - g->size), g->avail,
	              g->kicked);
}

bool drv_wants_kick(struct drv *g)
{
	bool wants = g->packed ? wants_packed(g) : wants_split(g);

	g->kicked = 0;
	return wants;
}

void drv_interrupts(struct drv *g, bool on)
{
	if (g->packed) {
		put(g, g->setup.driver + 2, 2, on ? 0 : 1);
		return;
	}
	put(g, g->setup.driver, 2, on ? 0 : 1);
	if (g->event_idx)
		drv_interrupt_at_next(g, on ? 0 : 0x7fff);
}

/* When `after` entries more than the next one are used. */
void drv_interrupt_at_next(struct drv *g, uint16_t after)
{
	uint16_t at = g->used;
	bool wrap = g->used_wrap;

	assert_true(g->event_idx);
	if (!g->packed) {
		put(g, g->setup.driver + 4 + 2ull * g->size, 2,
		    (uint16_t)(g->used + after));
		return;
	}
	step(g, &at, &wrap, after);
	put(g, g->setup.driver, 2, at | (wrap ? 0x8000u : 0));
	put(g, g->setup.driver + 2, 2, 2);
}
