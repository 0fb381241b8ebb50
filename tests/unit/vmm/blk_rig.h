/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disk with the kernel's own io_uring over files of tmpfs, its queue and
 * its loop played by the test: what is in the file afterwards, what the driver
 * is told. To be included by one file of a test.
 */
#ifndef FL_TESTS_BLK_RIG_H
#define FL_TESTS_BLK_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/devices.h"
#include "vmm/virtio/blk.h"

#define MIB (1u << 20)
#define DISK (4u * MIB)
#define CHAINS 256u

/* ---- the loop, played ---------------------------------------------------- */

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

static inline void turn(struct io *io)
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

/* ---- the transport and its queue, played --------------------------------- */

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

static inline struct virtio *of(struct vq *q)
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

/* ---- the rig ------------------------------------------------------------- */

static inline struct vm_disk *disk(struct rig *r)
{
	return &r->vm.cfg.disk[0];
}

static inline int setup(void **state)
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

static inline void stop(struct rig *r)
{
	r->v->desc.ops->stop(r->v->desc.ctx);
}

/* As after a reset: the queue begins anew. */
static inline void start(struct rig *r, uint64_t without)
{
	r->v->q.inflight = 0;
	r->v->desc.ops->reset(r->v->desc.ctx);
	r->v->desc.ops->start(r->v->desc.ctx, r->v->desc.features & ~without);
}

static inline void forget_chains(struct rig *r)
{
	r->v->n = r->v->next = 0;
	memset(r->v->chain, 0, sizeof(r->v->chain));
}

static inline void begin(struct rig *r)
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

static inline int teardown(void **state)
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
static inline struct chain *offer(struct rig *r, uint32_t type, uint64_t sector,
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

static inline void kick(struct rig *r)
{
	r->v->desc.ops->kick(r->v->desc.ctx, 0);
}

static inline void wait_for(struct rig *r, const struct chain *k)
{
	uint64_t end = now_ns() + 10000000000ull;

	while (!k->pushed && now_ns() < end)
		turn(&r->io);
	assert_true(k->pushed);
}

static inline int ask(struct rig *r, uint32_t type, uint64_t sector, void *data,
                      size_t len)
{
	struct chain *k = offer(r, type, sector, data, len);

	kick(r);
	wait_for(r, k);
	return k->status;
}

static inline void fill(uint8_t *p, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(seed + i * 7 + i / 251);
}

static inline void file_is(const struct rig *r, uint64_t off, const void *want,
                           size_t len)
{
	uint8_t *got = malloc(len);

	assert_non_null(got);
	assert_int_equal(fd_pread_full(r->fd, got, len, off), 0);
	assert_memory_equal(got, want, len);
	free(got);
}

static inline bool all_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

static inline uint64_t config(struct rig *r, size_t off, unsigned width)
{
	return r->v->desc.ops->config_read(r->v->desc.ctx, (unsigned)off,
	                                   width);
}
#define CONFIG(r, field)                                                       \
	config(r, offsetof(struct virtio_blk_config, field),                   \
	       sizeof(((struct virtio_blk_config *)NULL)->field))

static inline bool offers(const struct rig *r, unsigned bit)
{
	return r->v->desc.features & VIRTIO_F(bit);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
