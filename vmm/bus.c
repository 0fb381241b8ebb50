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
	_Atomic unsigned tag;
};

struct bus {
	_Atomic unsigned seq; /* odd while a writer is at work */
	_Atomic unsigned n;
	/* What was found last, by anybody: a driver stays at one place. */
	_Atomic(struct range *) hint;
	pthread_mutex_t lock; /* writers */
	/* Behind the last one all are empty, and one always is. */
	struct range range[BUS_RANGES_MAX + 1];
};

#define INLINE static inline __attribute__((always_inline))

/* What a search found, copied out. */
struct hit {
	uint64_t off;  /* of the address in the range */
	uint64_t room; /* bytes behind the addressed one */
	const struct bus_ops *ops;
	void *ctx;
	unsigned tag;
};

#define GET(v) atomic_load_explicit(&(v), memory_order_relaxed)
#define PUT(v, to) atomic_store_explicit(&(v), to, memory_order_relaxed)

/* Covers no address. */
static void range_clear(struct range *r)
{
	PUT(r->base, UINT64_MAX);
	PUT(r->last, 0);
}

int bus_new(struct bus **ret)
{
	struct bus *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	pthread_mutex_init(&b->lock, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(b->range); i++)
		range_clear(&b->range[i]);
	PUT(b->hint, b->range);
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

/* Where nobody is: one byte at a time, since the next may be somebody's. */
static uint64_t nobody_read(void *ctx, uint64_t off, unsigned width)
{
	(void)ctx;
	(void)off;
	(void)width;
	return UINT64_MAX;
}

static void nobody_write(void *ctx, uint64_t off, unsigned width,
                         uint64_t value)
{
	(void)ctx;
	(void)off;
	(void)width;
	(void)value;
}

static const struct bus_ops nobody_ops = {
	.read = nobody_read,
	.write = nobody_write,
};

static inline struct hit hit(const struct range *r, uint64_t addr)
{
	return (struct hit){
		.off = addr - GET(r->base),
		.room = GET(r->last) - addr,
		.ops = GET(r->ops),
		.ctx = GET(r->ctx),
		.tag = GET(r->tag),
	};
}

INLINE unsigned read_begin(struct bus *b)
{
	return atomic_load_explicit(&b->seq, memory_order_acquire);
}

/* No writer was there since read_begin() gave `seq`. */
INLINE bool read_is_good(struct bus *b, unsigned seq)
{
	atomic_thread_fence(memory_order_acquire);
	return GET(b->seq) == seq && !(seq & 1);
}

static struct hit find_once(struct bus *b, uint64_t addr)
{
	struct range *r = &b->range[search(b, addr)];

	if (!covers(r, addr))
		return (struct hit){ .ops = &nobody_ops };
	PUT(b->hint, r);
	return hit(r, addr);
}

static struct hit find(struct bus *b, uint64_t addr)
{
	for (;;) {
		unsigned seq = read_begin(b);
		struct hit h = find_once(b, addr);

		if (read_is_good(b, seq))
			return h;
	}
}

/* What find() would say, where the hint knows and all of the access is inside;
 * else false. Inlined, so that a hit stays in registers: this is in every exit.
 */
INLINE bool find_hinted(struct bus *b, uint64_t addr, unsigned width,
                        struct hit *ret)
{
	unsigned seq = read_begin(b);
	const struct range *r = GET(b->hint);

	if (!covers(r, addr))
		return false;
	*ret = hit(r, addr);
	return ret->room >= width - 1u && read_is_good(b, seq);
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
	PUT(to->tag, GET(from->tag));
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
	PUT(r->tag, what->tag);
	PUT(b->n, n + 1);
	return 0;
}

int bus_add(struct bus *b, uint64_t base, uint64_t size, unsigned tag,
            const struct bus_ops *ops, void *ctx)
{
	const struct hit what = { .ops = ops, .ctx = ctx, .tag = tag };
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
		range_clear(&b->range[n - 1]);
		PUT(b->n, n - 1);
	}
	write_end(b);
}

/* The lowest bytes of a value; `width` is 1 to 8. */
static uint64_t lowest(uint64_t value, unsigned width)
{
	return value & UINT64_MAX >> (-8u * width % 64);
}

/* An access over the end of a range is answered byte by byte, as a bus with
 * byte enables would. */
static uint64_t read_bytes(struct bus *b, uint64_t addr, unsigned width)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < width; i++) {
		const struct hit h = find(b, addr + i);

		v |= (h.ops->read(h.ctx, h.off, 1) & 0xff) << 8 * i;
	}
	return v;
}

static __attribute__((noinline)) unsigned
read_searched(struct bus *b, uint64_t addr, unsigned width, uint64_t *ret)
{
	const struct hit h = find(b, addr);

	*ret = h.room < width - 1u
	               ? read_bytes(b, addr, width)
	               : lowest(h.ops->read(h.ctx, h.off, width), width);
	return h.tag;
}

unsigned bus_read(struct bus *b, uint64_t addr, unsigned width, uint64_t *ret)
{
	struct hit h;

	if (!find_hinted(b, addr, width, &h))
		return read_searched(b, addr, width, ret);
	*ret = lowest(h.ops->read(h.ctx, h.off, width), width);
	return h.tag;
}

static void write_bytes(struct bus *b, uint64_t addr, unsigned width,
                        uint64_t value)
{
	for (unsigned i = 0; i < width; i++) {
		const struct hit h = find(b, addr + i);

		h.ops->write(h.ctx, h.off, 1, value >> 8 * i & 0xff);
	}
}

static __attribute__((noinline)) unsigned
write_searched(struct bus *b, uint64_t addr, unsigned width, uint64_t value)
{
	const struct hit h = find(b, addr);

	if (h.room < width - 1u)
		write_bytes(b, addr, width, value);
	else
		h.ops->write(h.ctx, h.off, width, value);
	return h.tag;
}

unsigned bus_write(struct bus *b, uint64_t addr, unsigned width, uint64_t value)
{
	struct hit h;

	if (!find_hinted(b, addr, width, &h))
		return write_searched(b, addr, width, value);
	h.ops->write(h.ctx, h.off, width, value);
	return h.tag;
}
