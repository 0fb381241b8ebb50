/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who answers a port or an address: a sorted array of ranges, searched at
 * every exit, changed when a guest moves a BAR.
 *
 * Readers take no lock: a sequence count tells them that a writer was there,
 * and they search again. The fields are relaxed atomics, which cost nothing on
 * x86, so that a torn read is defined, if useless; the count then rejects it.
 * Ops are called after the search, with nothing held: an op may add and remove
 * ranges itself (a config write that moves a BAR does).
 */

#include "vmm/priv.h"

struct range {
	_Atomic uint64_t base, last; /* both included */
	_Atomic(const struct bus_ops *) ops;
	_Atomic(void *) ctx;
	_Atomic unsigned cls;
};

struct bus {
	_Atomic unsigned seq; /* odd while a writer is at work */
	_Atomic unsigned n;
	/* What was found last, by anybody: a driver stays at one place. */
	_Atomic unsigned hint;
	pthread_mutex_t lock; /* writers */
	struct range range[BUS_RANGES_MAX];
};

/* What a search found, copied out. */
struct hit {
	uint64_t base, last;
	const struct bus_ops *ops;
	void *ctx;
	enum exit_class cls;
};

#define GET(v) atomic_load_explicit(&(v), memory_order_relaxed)
#define PUT(v, to) atomic_store_explicit(&(v), to, memory_order_relaxed)

int bus_new(struct bus **ret)
{
	struct bus *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	pthread_mutex_init(&b->lock, NULL);
	*ret = b;
	return 0;
}

void bus_free(struct bus *b)
{
	if (!b)
		return;
	pthread_mutex_destroy(&b->lock);
	free(b);
}

/* Index of the first range that ends at or behind `addr`; n when none does. */
static inline unsigned search(const struct bus *b, uint64_t addr)
{
	unsigned lo = 0, hi = MIN(GET(b->n), BUS_RANGES_MAX);

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (GET(b->range[mid].last) < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static inline bool covers(const struct range *r, uint64_t addr)
{
	return GET(r->base) <= addr && addr <= GET(r->last);
}

static inline __attribute__((always_inline)) bool
search_once(struct bus *b, uint64_t addr, struct hit *ret)
{
	unsigned i = GET(b->hint);
	const struct range *r = &b->range[i];

	if (i >= GET(b->n) || !covers(r, addr)) {
		i = search(b, addr);
		r = &b->range[i];
		if (i >= GET(b->n) || i >= BUS_RANGES_MAX ||
		    GET(r->base) > addr)
			return false;
		PUT(b->hint, i);
	}
	*ret = (struct hit){
		.base = GET(r->base),
		.last = GET(r->last),
		.ops = GET(r->ops),
		.ctx = GET(r->ctx),
		.cls = (enum exit_class)GET(r->cls),
	};
	return true;
}

/* Inlined, so that a hit stays in registers: this is in every exit. */
static inline __attribute__((always_inline)) bool
find(struct bus *b, uint64_t addr, struct hit *ret)
{
	for (;;) {
		unsigned seq =
			atomic_load_explicit(&b->seq, memory_order_acquire);
		bool found;

		if (seq & 1)
			continue;
		found = search_once(b, addr, ret);
		atomic_thread_fence(memory_order_acquire);
		if (GET(b->seq) == seq)
			return found;
	}
}

static void write_begin(struct bus *b)
{
	pthread_mutex_lock(&b->lock);
	PUT(b->seq, GET(b->seq) + 1);
	atomic_thread_fence(memory_order_release);
}

static void write_end(struct bus *b)
{
	atomic_store_explicit(&b->seq, GET(b->seq) + 1, memory_order_release);
	pthread_mutex_unlock(&b->lock);
}

static void range_copy(struct range *to, const struct range *from)
{
	PUT(to->base, GET(from->base));
	PUT(to->last, GET(from->last));
	PUT(to->ops, GET(from->ops));
	PUT(to->ctx, GET(from->ctx));
	PUT(to->cls, GET(from->cls));
}

static int insert(struct bus *b, uint64_t base, uint64_t last,
                  const struct hit *what)
{
	unsigned n = GET(b->n), at = search(b, base);
	struct range *r = &b->range[at];

	if (at < n && GET(r->base) <= last)
		return -EADDRINUSE;
	if (n == BUS_RANGES_MAX)
		return -ENOSPC;
	for (unsigned i = n; i > at; i--)
		range_copy(&b->range[i], &b->range[i - 1]);
	PUT(r->base, base);
	PUT(r->last, last);
	PUT(r->ops, what->ops);
	PUT(r->ctx, what->ctx);
	PUT(r->cls, (unsigned)what->cls);
	PUT(b->n, n + 1);
	return 0;
}

int bus_add(struct bus *b, uint64_t base, uint64_t size, enum exit_class cls,
            const struct bus_ops *ops, void *ctx)
{
	const struct hit what = { .ops = ops, .ctx = ctx, .cls = cls };
	uint64_t last;
	int r;

	if (!size || __builtin_add_overflow(base, size - 1, &last))
		return -EINVAL;
	write_begin(b);
	r = insert(b, base, last, &what);
	write_end(b);
	return r;
}

unsigned bus_count(struct bus *b, uint64_t base, uint64_t size)
{
	unsigned count = 0;

	if (!size)
		return 0;
	pthread_mutex_lock(&b->lock);
	for (unsigned i = search(b, base); i < GET(b->n); i++, count++)
		if (GET(b->range[i].base) - base >= size &&
		    GET(b->range[i].base) > base)
			break;
	pthread_mutex_unlock(&b->lock);
	return count;
}

void bus_del(struct bus *b, uint64_t base, uint64_t size)
{
	unsigned at, n;

	write_begin(b);
	n = GET(b->n);
	at = search(b, base);
	if (at < n && GET(b->range[at].base) == base &&
	    GET(b->range[at].last) == base + (size - 1)) {
		for (unsigned i = at; i + 1 < n; i++)
			range_copy(&b->range[i], &b->range[i + 1]);
		PUT(b->n, n - 1);
	}
	write_end(b);
}

static uint64_t ones(unsigned width)
{
	return width >= 8 ? UINT64_MAX : (1ull << 8 * width) - 1;
}

/* An access over the end of a range is answered byte by byte, as a bus with
 * byte enables would. */
static __attribute__((noinline)) uint64_t
read_bytes(struct bus *b, uint64_t addr, unsigned width)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < width; i++) {
		struct hit h;
		uint64_t byte = 0xff;

		if (find(b, addr + i, &h))
			byte = h.ops->read(h.ctx, addr + i - h.base, 1) & 0xff;
		v |= byte << 8 * i;
	}
	return v;
}

enum exit_class bus_read(struct bus *b, uint64_t addr, unsigned width,
                         uint64_t *ret)
{
	struct hit h;

	if (!find(b, addr, &h)) {
		*ret = read_bytes(b, addr, width);
		return EXIT_OTHER;
	}
	if (h.last - addr < width - 1u)
		*ret = read_bytes(b, addr, width);
	else
		*ret = h.ops->read(h.ctx, addr - h.base, width) & ones(width);
	return h.cls;
}

static __attribute__((noinline)) void
write_bytes(struct bus *b, uint64_t addr, unsigned width, uint64_t value)
{
	for (unsigned i = 0; i < width; i++) {
		struct hit h;

		if (find(b, addr + i, &h))
			h.ops->write(h.ctx, addr + i - h.base, 1,
			             value >> 8 * i & 0xff);
	}
}

enum exit_class bus_write(struct bus *b, uint64_t addr, unsigned width,
                          uint64_t value)
{
	struct hit h;

	if (!find(b, addr, &h)) {
		write_bytes(b, addr, width, value);
		return EXIT_OTHER;
	}
	if (h.last - addr < width - 1u)
		write_bytes(b, addr, width, value);
	else
		h.ops->write(h.ctx, addr - h.base, width, value & ones(width));
	return h.cls;
}
