/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_VIRTIO_VQ_PRIV_H
#define FL_VMM_VIRTIO_VQ_PRIV_H

/*
 * What the two kinds of rings share. All reads of memory that the guest can
 * change go through get16() and its like, once for each field: what was checked
 * is what is used.
 */

#include "vmm/virtio/virtio.h"

struct vq_desc { /* 2.7.5; the packed one has `id` where this has `next` */
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};
#define VQ_DESC_LEN 16u

enum {
	DESC_F_NEXT = 1,
	DESC_F_WRITE = 2,
	DESC_F_INDIRECT = 4,
	DESC_F_AVAIL = 1 << 7, /* packed, 2.8.1 */
	DESC_F_USED = 1 << 15,
};

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
/* The fuzzer's guest, which writes between any two of our reads. */
void vq_fuzz_read(void) __attribute__((weak));
#define VQ_READ() (vq_fuzz_read ? vq_fuzz_read() : (void)0)
#else
#define VQ_READ() ((void)0)
#endif

static inline uint16_t get16(const void *area, size_t off)
{
	const uint16_t *p = (const void *)((const char *)area + off);

	VQ_READ();
	return le16toh(__atomic_load_n(p, __ATOMIC_ACQUIRE));
}

static inline uint32_t get32(const void *area, size_t off)
{
	const uint32_t *p = (const void *)((const char *)area + off);

	VQ_READ();
	return le32toh(__atomic_load_n(p, __ATOMIC_RELAXED));
}

static inline uint64_t get64(const void *area, size_t off)
{
	const uint64_t *p = (const void *)((const char *)area + off);

	VQ_READ();
	return le64toh(__atomic_load_n(p, __ATOMIC_RELAXED));
}

/* Released: what was written before is seen before. */
static inline void put16(void *area, size_t off, uint16_t v)
{
	uint16_t *p = (void *)((char *)area + off);

	__atomic_store_n(p, htole16(v), __ATOMIC_RELEASE);
}

static inline void put32(void *area, size_t off, uint32_t v)
{
	uint32_t *p = (void *)((char *)area + off);

	__atomic_store_n(p, htole32(v), __ATOMIC_RELAXED);
}

/* Between a write of ours and a read of what the guest writes: the one order
 * that x86 does not keep. */
static inline void vq_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* 2.7.10.1: has [used - n, used) gone over `event`? */
static inline bool vq_passed(uint16_t event, uint16_t used, uint16_t n)
{
	return (uint16_t)(used - event - 1) < n;
}

/* queue.c: host address of an area of the ring, NULL = it is not in RAM, or not
 * aligned (2.7, 2.8.10.1). */
void *vq_area(const struct vq *q, uint64_t addr, uint64_t len, unsigned align);
/* One buffer to the chain; the guest's addresses become pieces of
 * RAM. -EPROTO. */
_must_check_ int vq_chain_add(const struct vq *q, struct vq_chain *c,
                              uint64_t addr, uint32_t len, bool write);
/* A table of indirect descriptors, 2.7.5.3, 2.8.7: where, how many entries.
 * NULL = it is none, or outside of RAM. Aligned for 64-bit reads or refused. */
const void *vq_indirect(const struct vq *q, uint64_t addr, uint32_t len,
                        uint32_t *ret_n);

/* queue_split.c, queue_packed.c: the parts of the functions in virtio.h. */
_must_check_ int split_start(struct vq *q, const struct vq_setup *s);
_must_check_ int split_pop(struct vq *q, struct vq_chain *c);
void split_push(struct vq *q, const struct vq_chain *c, uint32_t len);
void split_flush(struct vq *q);
bool split_wants_interrupt(struct vq *q);
void split_disarm(struct vq *q);
bool split_arm(struct vq *q);

_must_check_ int packed_start(struct vq *q, const struct vq_setup *s);
_must_check_ int packed_pop(struct vq *q, struct vq_chain *c);
void packed_unpop(struct vq *q, unsigned descs);
void packed_push(struct vq *q, const struct vq_chain *c, uint32_t len);
void packed_flush(struct vq *q);
bool packed_wants_interrupt(struct vq *q);
void packed_disarm(struct vq *q);
bool packed_arm(struct vq *q);

#endif
