/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disk with the kernel's own io_uring over files of tmpfs, its queue and
 * its loop played by the test: what is in the file afterwards, what the driver
 * is told, and that nothing goes into a ring that was reset.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vmm/devices.h"
#include "vmm/virtio/blk.h"

#define MIB (1u << 20)
#define DISK (4u * MIB)
#define CHAINS 256u

/* ---- the loop, played ------------------------------------------------------
 */

struct io {
	struct io_watch *watch[8], *again;
	unsigned n;
};

int io_add(struct io *io, struct io_watch *w, uint32_t events)
{
	(void)events;
	io->watch[io->n++] = w;
	return 0;
}

void io_del(struct io *io, struct io_watch *w)
{
	if (io->again == w)
		io->again = NULL;
	for (unsigned i = 0; i < io->n; i++)
		if (io->watch[i] == w)
			io->watch[i] = io->watch[--io->n];
}

void io_again(struct io *io, struct io_watch *w)
{
	assert_true(!io->again || io->again == w);
	io->again = w;
}

static void turn(struct io *io)
{
	for (unsigned i = 0; i < io->n; i++) {
		struct io_watch *w = io->watch[i];
		struct pollfd p = { .fd = w->fd, .events = POLLIN };

		if (poll(&p, 1, 1) == 1)
			w->ready(w->ctx, POLLIN);
	}
	if (io->again) {
		struct io_watch *w = io->again;

		io->again = NULL;
		w->ready(w->ctx, 0);
	}
}

/* ---- the transport and its queue, played -----------------------------------
 */

struct chain {
	uint8_t header[16];
	uint8_t status;
	uint32_t len;
	bool pushed;
	struct vq_chain c;
};

struct virtio {
	struct virtio_desc desc;
	struct vq q;
	struct chain chain[CHAINS];
	unsigned n, next;
	unsigned interrupts, pushed;
	bool broken;
};

struct rig {
	struct vm vm;
	struct io io;
	struct virtio *v; /* the last that was added */
	uint8_t *mem;     /* the guest's */
	int fd;
};

static struct rig *the_rig; /* for the played transport */

int virtio_add(struct vm *vm, const struct virtio_desc *desc,
               struct virtio **ret, struct diag *d)
{
	struct virtio *v = calloc(1, sizeof(*v));

	(void)d;
	assert_non_null(v);
	v->desc = *desc;
	v->q.vm = vm;
	the_rig->v = *ret = v;
	return 0;
}

struct vq *virtio_queue(struct virtio *v, unsigned i)
{
	assert_int_equal(i, 0);
	return &v->q;
}

static struct virtio *of(struct vq *q)
{
	return CONTAINER_OF(q, struct virtio, q);
}

int vq_pop(struct vq *q, struct vq_chain *ret)
{
	struct virtio *v = of(q);

	if (v->next == v->n)
		return 0;
	*ret = v->chain[v->next].c;
	ret->id = (uint16_t)v->next++;
	q->inflight++;
	return 1;
}

void vq_push(struct vq *q, const struct vq_chain *c, uint32_t len)
{
	struct chain *k = &of(q)->chain[c->id];

	assert_false(k->pushed);
	k->pushed = true;
	k->len = len;
	of(q)->pushed++;
	q->inflight--;
}

void vq_disarm(struct vq *q)
{
	(void)q;
}

bool vq_arm(struct vq *q)
{
	(void)q;
	return false;
}

void virtio_interrupt(struct virtio *v, unsigned i)
{
	assert_int_equal(i, 0);
	v->interrupts++;
}

void virtio_broken(struct virtio *v, const char *why)
{
	assert_non_null(why);
	v->broken = true;
}

/* ---- the rig ---------------------------------------------------------------
 */

static struct vm_disk *disk(struct rig *r)
{
	return &r->vm.cfg.disk[0];
}

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	the_rig = r;
	r->vm.io = &r->io;
	r->fd = memfd_create("disk", MFD_CLOEXEC);
	assert_int_equal(ftruncate(r->fd, DISK), 0);
	r->mem = mmap(NULL, DISK, PROT_READ | PROT_WRITE,
	              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(r->mem, MAP_FAILED);
	r->vm.cfg.n_disks = 1;
	strcpy(disk(r)->name, "root");
	disk(r)->slot = 3;
	disk(r)->fd = r->fd;
	*state = r;
	return 0;
}

static void stop(struct rig *r)
{
	r->v->desc.ops->stop(r->v->desc.ctx);
}

/* As after a reset: the queue begins anew. */
static void start(struct rig *r, uint64_t without)
{
	r->v->q.inflight = 0;
	r->v->desc.ops->reset(r->v->desc.ctx);
	r->v->desc.ops->start(r->v->desc.ctx, r->v->desc.features & ~without);
}

static void forget_chains(struct rig *r)
{
	r->v->n = r->v->next = 0;
	memset(r->v->chain, 0, sizeof(r->v->chain));
}

static void begin(struct rig *r)
{
	struct diag d;
	int e = blk_add(&r->vm, disk(r), &d);

	if (e < 0 && d.code == FL_VMM_URING) {
		print_message("no io_uring here: %s\n", d.why);
		skip();
	}
	assert_int_equal(e, 0);
	start(r, 0);
}

static int teardown(void **state)
{
	struct rig *r = *state;

	if (r->v) {
		r->v->desc.ops->free(r->v->desc.ctx);
		free(r->v);
		assert_null(r->vm.uring);
		assert_int_equal(r->io.n, 0);
	}
	munmap(r->mem, DISK);
	close(r->fd);
	free(r);
	return 0;
}

/* A chain in three buffers, or as few as there is to say. */
static struct chain *offer(struct rig *r, uint32_t type, uint64_t sector,
                           void *data, size_t len)
{
	struct chain *k = &r->v->chain[r->v->n++];
	bool in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
	unsigned n = 0;

	assert_true(r->v->n <= CHAINS);
	store_le(k->header, 4, type);
	store_le(k->header + 8, 8, sector);
	k->status = 0xff;
	k->c.iov[n++] = (struct iovec){ k->header, 16 };
	if (len)
		k->c.iov[n++] = (struct iovec){ data, len };
	k->c.iov[n++] = (struct iovec){ &k->status, 1 };
	k->c.n_in = (uint16_t)(in && len ? 2 : 1);
	k->c.n_out = (uint16_t)(n - k->c.n_in);
	k->c.in_len = (uint32_t)(in ? len + 1 : 1);
	k->c.out_len = (uint32_t)(in ? 16 : len + 16);
	return k;
}

static void kick(struct rig *r)
{
	r->v->desc.ops->kick(r->v->desc.ctx, 0);
}

static void wait_for(struct rig *r, const struct chain *k)
{
	uint64_t end = now_ns() + 10000000000ull;

	while (!k->pushed && now_ns() < end)
		turn(&r->io);
	assert_true(k->pushed);
}

static int ask(struct rig *r, uint32_t type, uint64_t sector, void *data,
               size_t len)
{
	struct chain *k = offer(r, type, sector, data, len);

	kick(r);
	wait_for(r, k);
	return k->status;
}

static void fill(uint8_t *p, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(seed + i * 7 + i / 251);
}

static void file_is(const struct rig *r, uint64_t off, const void *want,
                    size_t len)
{
	uint8_t *got = malloc(len);

	assert_non_null(got);
	assert_int_equal(fd_pread_full(r->fd, got, len, off), 0);
	assert_memory_equal(got, want, len);
	free(got);
}

static bool all_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

static uint64_t config(struct rig *r, size_t off, unsigned width)
{
	return r->v->desc.ops->config_read(r->v->desc.ctx, (unsigned)off,
	                                   width);
}
#define CONFIG(r, field)                                                       \
	config(r, offsetof(struct virtio_blk_config, field),                   \
	       sizeof(((struct virtio_blk_config *)NULL)->field))

static bool offers(const struct rig *r, unsigned bit)
{
	return r->v->desc.features & VIRTIO_F(bit);
}

/* ---- tests -----------------------------------------------------------------
 */

static void reads_and_writes(void **state)
{
	struct rig *r = *state;
	struct chain *k;

	begin(r);
	fill(r->mem, MIB, 1);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 8, r->mem, MIB), 0);
	file_is(r, 4096, r->mem, MIB);
	assert_int_equal(ask(r, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), 0);
	k = offer(r, VIRTIO_BLK_T_IN, 8, r->mem + MIB, MIB);
	kick(r);
	wait_for(r, k);
	assert_int_equal(k->status, 0);
	assert_int_equal(k->len, MIB + 1);
	assert_memory_equal(r->mem, r->mem + MIB, MIB);
	assert_true(r->v->interrupts >= 3);
}

/* 2.7.4.1: the driver may cut where it likes. */
static void any_framing(void **state)
{
	struct rig *r = *state;
	struct chain *k;
	uint8_t *m = r->mem;

	begin(r);
	fill(m, 2048, 5);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, m, 2048), 0);
	k = &r->v->chain[r->v->n++];
	store_le(k->header, 4, VIRTIO_BLK_T_IN);
	store_le(k->header + 8, 8, 1);
	k->c.iov[0] = (struct iovec){ k->header, 5 };
	k->c.iov[1] = (struct iovec){ k->header + 5, 0 };
	k->c.iov[2] = (struct iovec){ k->header + 5, 11 };
	k->c.iov[3] = (struct iovec){ m + 4096, 1 };
	k->c.iov[4] = (struct iovec){ m + 4097, 0 };
	/* The status is the last byte, with data before it. */
	k->c.iov[5] = (struct iovec){ m + 4097, 1024 };
	k->c.iov[6] = (struct iovec){ m + 9000, 0 };
	k->c.n_out = 3;
	k->c.n_in = 4;
	k->c.out_len = 16;
	k->c.in_len = 1025;
	m[4096 + 1024] = 0xff;
	kick(r);
	wait_for(r, k);
	assert_int_equal(m[4096 + 1024], 0);
	assert_memory_equal(m + 4096, m + 512, 1024);
}

static void no_header_or_status_breaks(void **state)
{
	struct rig *r = *state;
	struct chain *k;

	begin(r);
	k = offer(r, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
	k->c.n_in = 0;
	k->c.in_len = 0;
	kick(r);
	assert_true(r->v->broken);
	/* Nothing is taken any more. */
	k = offer(r, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
	kick(r);
	turn(&r->io);
	assert_false(k->pushed);
	/* Until it is reset. */
	stop(r);
	start(r, 0);
	kick(r);
	wait_for(r, k);
	k = offer(r, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
	k->c.iov[0].iov_len = 15;
	k->c.out_len = 15;
	r->v->broken = false;
	kick(r);
	assert_true(r->v->broken);
}

static void outside_is_an_error(void **state)
{
	static const struct {
		uint64_t sector;
		size_t len;
		int status;
	} row[] = {
		{ DISK / 512, 0, 0 },   { DISK / 512 - 1, 512, 0 },
		{ DISK / 512, 512, 1 }, { DISK / 512 - 1, 1024, 1 },
		{ UINT64_MAX, 512, 1 }, { UINT64_MAX / 512, 1024, 1 },
		{ 1ull << 55, 512, 1 }, { 0, 511, 1 },
		{ 0, 513, 1 },
	};
	struct rig *r = *state;

	begin(r);
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, row[i].sector, r->mem,
		                     row[i].len),
		                 row[i].status);
		assert_int_equal(ask(r, VIRTIO_BLK_T_IN, row[i].sector, r->mem,
		                     row[i].len),
		                 row[i].status);
	}
}

static void unknown_types(void **state)
{
	static const uint32_t type[] = {
		2, 3, 5, 7, 9, 10, 12, 14, 16, 1u << 31
	};
	struct rig *r = *state;

	begin(r);
	for (size_t i = 0; i < ARRAY_SIZE(type); i++)
		assert_int_equal(ask(r, type[i], 0, r->mem, 512),
		                 VIRTIO_BLK_S_UNSUPP);
}

static void has_a_serial(void **state)
{
	struct rig *r = *state;

	strcpy(disk(r)->serial, "12345678901234567890");
	begin(r);
	memset(r->mem, 0xee, 64);
	assert_int_equal(ask(r, VIRTIO_BLK_T_GET_ID, 0, r->mem, 20), 0);
	assert_memory_equal(r->mem, "12345678901234567890\xee", 21);
	memset(r->mem, 0xee, 64);
	assert_int_equal(ask(r, VIRTIO_BLK_T_GET_ID, 0, r->mem, 3), 0);
	assert_memory_equal(r->mem, "123\xee", 4);
}

static void name_is_the_serial(void **state)
{
	struct rig *r = *state;

	begin(r);
	memset(r->mem, 0xee, 64);
	assert_int_equal(ask(r, VIRTIO_BLK_T_GET_ID, 0, r->mem, 30), 0);
	assert_memory_equal(r->mem, "root\0\0", 6);
	assert_int_equal(r->mem[19], 0);
	assert_int_equal(r->mem[20], 0xee);
}

static void read_only(void **state)
{
	struct rig *r = *state;

	disk(r)->read_only = true;
	begin(r);
	assert_true(offers(r, VIRTIO_BLK_F_RO));
	assert_false(offers(r, VIRTIO_BLK_F_DISCARD));
	assert_false(offers(r, VIRTIO_BLK_F_WRITE_ZEROES));
	assert_false(offers(r, VIRTIO_BLK_F_CONFIG_WCE));
	memset(r->mem, 1, 512);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 512), 1);
	assert_int_equal(ask(r, VIRTIO_BLK_T_DISCARD, 0, r->mem, 16), 1);
	assert_int_equal(ask(r, VIRTIO_BLK_T_WRITE_ZEROES, 0, r->mem, 16), 1);
	assert_int_equal(ask(r, VIRTIO_BLK_T_IN, 0, r->mem, 512), 0);
	assert_true(all_zero(r->mem, 512));
	assert_int_equal(ask(r, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), 0);
}

static void descriptor_is_read_only(void **state)
{
	struct rig *r = *state;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", r->fd);
	disk(r)->fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(disk(r)->fd >= 0);
	begin(r);
	assert_true(offers(r, VIRTIO_BLK_F_RO));
	close(disk(r)->fd);
}

static void range_of(uint8_t *p, uint64_t sector, uint32_t n, uint32_t flags)
{
	store_le(p, 8, sector);
	store_le(p + 8, 4, n);
	store_le(p + 12, 4, flags);
}

static void discards(void **state)
{
	struct rig *r = *state;
	uint8_t ranges[48], *back = r->mem + MIB;

	begin(r);
	assert_true(offers(r, VIRTIO_BLK_F_DISCARD));
	fill(r->mem, MIB, 3);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, MIB), 0);
	range_of(ranges, 8, 8, 0);
	range_of(ranges + 16, 100, 0, 0);
	range_of(ranges + 32, 32, 16, 0);
	assert_int_equal(ask(r, VIRTIO_BLK_T_DISCARD, 0, ranges, 48), 0);
	assert_int_equal(ask(r, VIRTIO_BLK_T_IN, 0, back, MIB), 0);
	assert_memory_equal(back, r->mem, 4096);
	assert_true(all_zero(back + 4096, 4096));
	assert_memory_equal(back + 8192, r->mem + 8192, 8192);
	assert_true(all_zero(back + 16384, 8192));
	assert_int_equal(lseek(r->fd, 0, SEEK_HOLE), 4096);
}

/* tmpfs has no FALLOC_FL_ZERO_RANGE: the other way is taken. */
static void writes_zeroes(void **state)
{
	struct rig *r = *state;
	uint8_t range[16], *back = r->mem + MIB;

	begin(r);
	for (uint32_t unmap = 0; unmap < 2; unmap++) {
		fill(r->mem, MIB, 3);
		assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, MIB), 0);
		range_of(range, 3, 5, unmap);
		assert_int_equal(
			ask(r, VIRTIO_BLK_T_WRITE_ZEROES, 0, range, 16), 0);
		assert_int_equal(ask(r, VIRTIO_BLK_T_IN, 0, back, MIB), 0);
		memset(r->mem + 1536, 0, 2560);
		assert_memory_equal(back, r->mem, MIB);
	}
}

static void ranges_are_checked(void **state)
{
	static const struct {
		uint64_t sector;
		uint32_t n, flags;
		size_t len;
		int discard, zeroes;
	} row[] = {
		{ 0, 8, 1, 16, 2, 0 },
		{ 0, 8, 2, 16, 2, 2 },
		{ DISK / 512, 1, 0, 16, 1, 1 },
		{ UINT64_MAX, 1, 0, 16, 1, 1 },
		{ 0, UINT32_MAX, 0, 16, 1, 1 },
		{ 0, 8, 0, 15, 1, 1 },
		{ 0, 8, 0, 16 * (BLK_RANGES_MAX + 1), 1, 1 },
		{ 0, 8, 0, 0, 0, 0 },
	};
	struct rig *r = *state;

	begin(r);
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		memset(r->mem, 0, 4096);
		range_of(r->mem, row[i].sector, row[i].n, row[i].flags);
		assert_int_equal(
			ask(r, VIRTIO_BLK_T_DISCARD, 0, r->mem, row[i].len),
			row[i].discard);
		assert_int_equal(ask(r, VIRTIO_BLK_T_WRITE_ZEROES, 0, r->mem,
		                     row[i].len),
		                 row[i].zeroes);
	}
}

static void configuration(void **state)
{
	struct rig *r = *state;
	uint32_t physical;

	begin(r);
	assert_int_equal(config(r, 0, 4), DISK / 512);
	assert_int_equal(config(r, 4, 4), 0);
	assert_int_equal(CONFIG(r, seg_max), VQ_SEGS - 2);
	assert_int_equal(CONFIG(r, blk_size), 512);
	physical = 512u << CONFIG(r, physical_block_exp);
	assert_int_equal(physical, 4096);
	assert_int_equal(CONFIG(r, min_io_size), 8);
	assert_int_equal(CONFIG(r, discard_sector_alignment), 8);
	assert_int_equal(CONFIG(r, write_zeroes_may_unmap), 1);
	assert_int_equal(CONFIG(r, wce), 1);
	assert_int_equal(r->v->desc.config_len, 60);
	assert_int_equal(config(r, 58, 4), UINT32_MAX);
}

/* The driver turns the cache off; without FLUSH there never was one. */
static void write_through(void **state)
{
	struct rig *r = *state;
	const unsigned wce = offsetof(struct virtio_blk_config, wce);

	begin(r);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 512), 0);
	r->v->desc.ops->config_write(r->v->desc.ctx, wce, 1, 0);
	assert_int_equal(CONFIG(r, wce), 0);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 512), 0);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 512), 0);
	assert_int_equal(ask(r, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), 0);
	r->v->desc.ops->config_write(r->v->desc.ctx, wce, 4, 1);
	assert_int_equal(CONFIG(r, wce), 0);
	r->v->desc.ops->config_write(r->v->desc.ctx, 0, 1, 1);
	assert_int_equal(config(r, 0, 4), DISK / 512);
	stop(r);
	start(r, VIRTIO_F(VIRTIO_BLK_F_FLUSH));
	assert_int_equal(CONFIG(r, wce), 0);
}

/* Bus master off and on is no reset, with nothing under way either. */
static void stays_write_through(void **state)
{
	struct rig *r = *state;
	const unsigned wce = offsetof(struct virtio_blk_config, wce);

	begin(r);
	r->v->desc.ops->config_write(r->v->desc.ctx, wce, 1, 0);
	stop(r);
	r->v->desc.ops->start(r->v->desc.ctx, r->v->desc.features);
	assert_int_equal(CONFIG(r, wce), 0);
	stop(r);
	start(r, 0);
	assert_int_equal(CONFIG(r, wce), 1);
}

/* What was written before comes along: struct blk.epoch. */
static void nothing_stays_behind(void **state)
{
	struct rig *r = *state;
	const unsigned wce = offsetof(struct virtio_blk_config, wce);
	const struct blk *b;

	begin(r);
	b = r->v->desc.ctx;
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 512), 0);
	r->v->desc.ops->config_write(r->v->desc.ctx, wce, 1, 0);
	assert_int_not_equal(b->synced, b->epoch);
	assert_int_equal(ask(r, VIRTIO_BLK_T_IN, 0, r->mem, 512), 0);
	assert_int_not_equal(b->synced, b->epoch);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 512), 0);
	assert_int_equal(b->synced, b->epoch);
}

/* What the kernel has done of a request that the test holds by itself. */
static void completes(struct rig *r, struct blk_request *q, int res)
{
	uring_submit(r->vm.uring);
	assert_true(uring_drain(r->vm.uring, 0, 1000));
	assert_ptr_equal(uring_take(r->vm.uring, 0), &q->op);
	if (res)
		q->op.res = res;
}

/* The first part of a write was under way when the driver turned the cache off,
 * and another request's fdatasync may have come too early for it. */
static void every_part_is_durable(void **state)
{
	struct rig *r = *state;
	const unsigned wce = offsetof(struct virtio_blk_config, wce);
	struct blk_request *q;
	struct blk *b;

	begin(r);
	b = r->v->desc.ctx;
	q = &b->request[b->used++];
	q->chain = offer(r, VIRTIO_BLK_T_OUT, 0, r->mem, 8192)->c;
	assert_int_equal(blk_parse(&b->back, q), VIRTIO_BLK_S_OK);
	assert_int_equal(blk_begin(b, q), BLK_UNDER_WAY);
	r->v->desc.ops->config_write(r->v->desc.ctx, wce, 1, 0);
	b->synced = b->epoch;
	completes(r, q, 4096);
	assert_int_equal(blk_go_on(b, q), BLK_UNDER_WAY);
	assert_false(q->syncing);
	completes(r, q, 0);
	assert_int_equal(blk_go_on(b, q), BLK_UNDER_WAY);
	assert_true(q->syncing);
	completes(r, q, 0);
	assert_int_equal(blk_go_on(b, q), VIRTIO_BLK_S_OK);
}

/* The kernel tells of pages that it could not write once, then forgets. */
static void no_flush_after_one_that_failed(void **state)
{
	struct rig *r = *state;
	struct blk_request q = { .syncing = true, .type = VIRTIO_BLK_T_FLUSH };
	struct blk *b;

	begin(r);
	b = r->v->desc.ctx;
	q.op.res = -EIO;
	assert_int_equal(blk_go_on(b, &q), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(r, VIRTIO_BLK_T_FLUSH, 0, NULL, 0),
	                 VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 512), 0);
	r->v->desc.ops->config_write(b, offsetof(struct virtio_blk_config, wce),
	                             1, 0);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 512),
	                 VIRTIO_BLK_S_IOERR);
}

/* Repeated, but not for ever. */
/* A write with RWF_DSYNC may be who is told, of what was written before. */
static void no_sync_after_a_write_that_failed(void **state)
{
	struct rig *r = *state;
	const unsigned wce = offsetof(struct virtio_blk_config, wce);
	struct blk_request *q;
	struct blk *b;

	begin(r);
	b = r->v->desc.ctx;
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 512), 0);
	r->v->desc.ops->config_write(r->v->desc.ctx, wce, 1, 0);
	q = &b->request[b->used++];
	q->chain = offer(r, VIRTIO_BLK_T_OUT, 0, r->mem, 512)->c;
	r->v->next++; /* taken */
	assert_int_equal(blk_parse(&b->back, q), VIRTIO_BLK_S_OK);
	assert_int_equal(blk_begin(b, q), BLK_UNDER_WAY);
	completes(r, q, -EIO);
	assert_int_equal(blk_go_on(b, q), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 512), 1);
	assert_int_equal(ask(r, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), 1);
}

static void interrupted(void **state)
{
	struct rig *r = *state;
	struct blk_request q = { .syncing = true, .type = VIRTIO_BLK_T_FLUSH };
	struct blk *b;

	begin(r);
	b = r->v->desc.ctx;
	q.op.res = -EINTR;
	assert_int_equal(blk_go_on(b, &q), BLK_UNDER_WAY);
	uring_submit(r->vm.uring);
	assert_true(uring_drain(r->vm.uring, 0, 10000));
	assert_ptr_equal(uring_take(r->vm.uring, 0), &q.op);
	assert_int_equal(blk_go_on(b, &q), VIRTIO_BLK_S_OK);
	q.tries = 100;
	q.op.res = -EINTR;
	assert_int_equal(blk_go_on(b, &q), VIRTIO_BLK_S_IOERR);
}

/* What seccomp cannot see in the ring, the ring refuses by itself. */
static void ring_is_sealed(void **state)
{
	struct rig *r = *state;
	unsigned fd;
	int event;

	begin(r);
	fd = (unsigned)r->io.watch[0]->fd;
	event = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(
		io_uring_register(fd, IORING_REGISTER_EVENTFD, &event, 1),
		-EACCES);
	assert_int_equal(
		io_uring_register(fd, IORING_UNREGISTER_FILES, NULL, 0),
		-EACCES);
	close(event);
}

static void image_that_shrank(void **state)
{
	struct rig *r = *state;
	struct chain *k;

	begin(r);
	fill(r->mem, 8192, 1);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 8192), 0);
	assert_int_equal(ftruncate(r->fd, 4096), 0);
	k = offer(r, VIRTIO_BLK_T_IN, 0, r->mem + 16384, 8192);
	kick(r);
	wait_for(r, k);
	assert_int_equal(k->status, VIRTIO_BLK_S_IOERR);
	assert_int_equal(k->len, 4096);
	assert_int_equal(ask(r, VIRTIO_BLK_T_IN, 0, r->mem, 4096), 0);
	assert_int_equal(ask(r, VIRTIO_BLK_T_IN, 64, r->mem, 4096), 1);
}

/* RLIMIT_FSIZE plays the full file system: the write is cut short, then
 * refused. */
static void image_that_cannot_grow(void **state)
{
	struct rig *r = *state;
	struct rlimit was, now;

	begin(r);
	assert_int_equal(ftruncate(r->fd, 0), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	now = was;
	now.rlim_cur = 4096;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
	fill(r->mem, 8192, 1);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 8192), 1);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 4096), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	file_is(r, 0, r->mem, 4096);
}

static void whole_sectors_only(void **state)
{
	struct rig *r = *state;

	assert_int_equal(ftruncate(r->fd, 8192 + 700), 0);
	begin(r);
	assert_int_equal(config(r, 0, 4), 17);
}

static void no_disk_at_all(void **state)
{
	struct rig *r = *state;
	struct diag d;

	assert_int_equal(ftruncate(r->fd, 511), 0);
	assert_int_equal(blk_add(&r->vm, disk(r), &d), -ENODATA);
	assert_int_equal(d.code, FL_VMM_DISK);
	assert_non_null(strstr(d.mend, "truncate"));
	disk(r)->fd = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(blk_add(&r->vm, disk(r), &d), -ENOTBLK);
	assert_true(d.mend[0]);
	close(disk(r)->fd);
	assert_null(r->vm.uring);
}

/* More than fit: those beyond wait in the queue, and all of them end. */
static void a_full_queue(void **state)
{
	struct rig *r = *state;
	uint8_t *back = r->mem + DISK / 2;

	begin(r);
	fill(r->mem, CHAINS / 2 * 4096, 9);
	for (unsigned i = 0; i < CHAINS / 2; i++)
		offer(r, VIRTIO_BLK_T_OUT, i * 8, r->mem + i * 4096u, 4096);
	kick(r);
	for (unsigned i = 0; i < CHAINS / 2; i++)
		wait_for(r, &r->v->chain[i]);
	for (unsigned i = 0; i < CHAINS / 2; i++)
		offer(r, VIRTIO_BLK_T_IN, i * 8, back + i * 4096u, 4096);
	kick(r);
	for (unsigned i = 0; i < CHAINS; i++)
		wait_for(r, &r->v->chain[i]);
	for (unsigned i = 0; i < CHAINS; i++)
		assert_int_equal(r->v->chain[i].status, 0);
	assert_memory_equal(back, r->mem, CHAINS / 2 * 4096);
	assert_true(r->v->interrupts < CHAINS);
}

static void offer_many(struct rig *r)
{
	forget_chains(r);
	for (unsigned i = 0; i < CHAINS; i++)
		offer(r, i % 3 ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_FLUSH, i * 8,
		      r->mem + i * 4096u, i % 3 ? 4096 : 0);
}

/* Nothing is written to guest memory, nor pushed, after stop(). */
static void reset_in_mid_transfer(void **state)
{
	struct rig *r = *state;
	unsigned pushed;

	begin(r);
	for (unsigned round = 0; round < 20; round++) {
		offer_many(r);
		kick(r);
		if (round % 2)
			kick(r);
		stop(r);
		pushed = r->v->pushed;
		kick(r);
		for (unsigned i = 0; i < 4; i++)
			turn(&r->io);
		assert_int_equal(r->v->pushed, pushed);
		start(r, 0);
	}
	forget_chains(r);
	assert_int_equal(ask(r, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), 0);
}

/* Bus master off and on again: nothing is lost, nothing ends twice. */
static void goes_on_where_it_was(void **state)
{
	struct rig *r = *state;

	begin(r);
	for (unsigned round = 0; round < 20; round++) {
		offer_many(r);
		kick(r);
		stop(r);
		turn(&r->io);
		r->v->desc.ops->start(r->v->desc.ctx, r->v->desc.features);
		kick(r);
		for (unsigned i = 0; i < CHAINS; i++)
			wait_for(r, &r->v->chain[i]);
		for (unsigned i = 0; i < CHAINS; i++)
			assert_int_equal(r->v->chain[i].status, 0);
		assert_int_equal(r->v->q.inflight, 0);
	}
}

/* O_DIRECT: whatever the buffers' alignment, if the file takes it at all. */
static void direct(void **state)
{
	struct rig *r = *state;
	char path[] = "/var/tmp/fl-blk-XXXXXX";
	uint8_t *back = r->mem + MIB;
	int fd = mkostemp(path, O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		skip();
	unlink(path);
	assert_int_equal(ftruncate(fd, DISK), 0);
	close(r->fd);
	disk(r)->fd = r->fd = fd;
	disk(r)->direct = true;
	begin(r);
	fill(r->mem, MIB, 4);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 8, r->mem, 300 << 10), 0);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 1024, r->mem + 3, 300 << 10),
	                 0);
	assert_int_equal(ask(r, VIRTIO_BLK_T_IN, 8, back + 5, 300 << 10), 0);
	assert_memory_equal(back + 5, r->mem, 300 << 10);
	assert_int_equal(ask(r, VIRTIO_BLK_T_IN, 1025, back + 5, 3072), 0);
	assert_memory_equal(back + 5, r->mem + 3 + 512, 3072);
	assert_int_equal(ask(r, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_and_writes),
		TEST(any_framing),
		TEST(no_header_or_status_breaks),
		TEST(outside_is_an_error),
		TEST(unknown_types),
		TEST(has_a_serial),
		TEST(name_is_the_serial),
		TEST(read_only),
		TEST(descriptor_is_read_only),
		TEST(discards),
		TEST(writes_zeroes),
		TEST(ranges_are_checked),
		TEST(configuration),
		TEST(write_through),
		TEST(stays_write_through),
		TEST(nothing_stays_behind),
		TEST(every_part_is_durable),
		TEST(no_flush_after_one_that_failed),
		TEST(no_sync_after_a_write_that_failed),
		TEST(interrupted),
		TEST(ring_is_sealed),
		TEST(image_that_shrank),
		TEST(image_that_cannot_grow),
		TEST(whole_sectors_only),
		TEST(no_disk_at_all),
		TEST(a_full_queue),
		TEST(reset_in_mid_transfer),
		TEST(goes_on_where_it_was),
		TEST(direct),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
