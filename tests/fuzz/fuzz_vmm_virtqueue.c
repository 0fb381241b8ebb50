/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that writes to its rings, tables and indices between any two reads
 * of ours (vq_fuzz_read()): every chain that comes out lies inside of RAM, is
 * no longer than it may be, and there are never more out than the ring holds;
 * nothing is read or written outside of RAM, whose ends are guarded.
 *
 * Input: 8 bytes of set-up, then orders to the device and words for the guest
 * to write, both taken as they are needed.
 * fuzz: runs=200000 time=60
 */

#include "guarded.h"
#include "vmm/virtio/virtio.h"

#define RAM 0x10000u
#define HIGH 0x100000u
#define OUT 32u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void vq_fuzz_read(void);

struct rig {
	struct vm vm;
	uint8_t *ram[2];
	const uint8_t *data;
	size_t left;
	struct vq_setup setup;
	struct vq q;
	struct vq_chain out[OUT];
	unsigned n_out;
	bool hold; /* the guest writes nothing for now */
};

static struct rig *rig(void)
{
	static struct rig r; /* the fuzzer's process has one guest */

	return &r;
}

static uint8_t next(struct rig *r)
{
	if (!r->left)
		return 0;
	r->left--;
	return *r->data++;
}

/* Near the areas and small tables, mostly: that is where it matters. */
static uint32_t place(struct rig *r, uint8_t how)
{
	const uint64_t area[] = { r->setup.desc, r->setup.driver,
		                  r->setup.device, RAM - 64 };

	return (uint32_t)(area[how & 3] + next(r)) % (RAM - 8);
}

void vq_fuzz_read(void)
{
	struct rig *r = rig();
	uint8_t how;

	if (r->hold || !r->left)
		return;
	how = next(r);
	if (how & 0x80)
		return; /* half of the reads see what was there */
	for (unsigned i = 0; i <= (how >> 2 & 3u); i++)
		r->ram[0][place(r, how)] = next(r);
}

static void machine(struct rig *r)
{
	r->vm.mem.n = 2;
	for (unsigned i = 0; i < 2; i++) {
		if (!r->ram[i])
			r->ram[i] = guarded(RAM);
		r->vm.mem.region[i].gpa.v = i ? HIGH : 0;
		r->vm.mem.region[i].size = RAM;
		r->vm.mem.region[i].hva = r->ram[i];
		memset(r->ram[i], 0, RAM);
	}
}

/* A ring somewhere, and descriptors that make some sense. */
static bool begin(struct rig *r)
{
	uint8_t flags = next(r), n = next(r);
	uint64_t features = (flags & 1 ? VIRTIO_F(34) : 0) |
	                    (flags & 2 ? VIRTIO_F(29) : 0) |
	                    (flags & 4 ? VIRTIO_F(28) : 0);
	uint16_t size = (uint16_t)(flags & 1 ? 1 + n % 40 : BIT(n % 6));

	r->setup = (struct vq_setup){
		.desc = 16u * next(r),
		.driver = 0x1000u + 4u * next(r),
		.device = 0x2000u + 4u * next(r),
		.size = flags & 8 ? n * 8 : size,
	};
	for (unsigned i = 0; i < size; i++) {
		uint8_t *d = r->ram[0] + r->setup.desc + 16ul * i;
		uint8_t how = next(r);

		store_le(d, 8, (how & 3) == 3 ? HIGH : 0x3000u + 16u * how);
		store_le(d + 8, 4, how & 4 ? 16u * (how >> 3) : how);
		store_le(d + (flags & 1 ? 14 : 12), 2, next(r));
		store_le(d + (flags & 1 ? 12 : 14), 2, (i + 1u) % size);
	}
	store_le(r->ram[0] + r->setup.driver + 2, 2, next(r));
	return vq_start(&r->q, &r->vm, &r->setup, features) == 0;
}

static void check_piece(const struct rig *r, const struct iovec *v)
{
	const uint8_t *at = v->iov_base;

	for (unsigned i = 0; i < 2; i++)
		if (at >= r->ram[i] && v->iov_len &&
		    range_inside((uint64_t)(at - r->ram[i]), v->iov_len, RAM))
			return;
	abort();
}

static void check(const struct rig *r, const struct vq_chain *c)
{
	uint64_t in = 0, out = 0;

	if (c->n_out + c->n_in > VQ_SEGS || !c->descs || c->descs > r->q.size ||
	    r->q.inflight > r->q.size)
		abort();
	for (unsigned i = 0; i < c->n_out + c->n_in; i++) {
		check_piece(r, &c->iov[i]);
		*(i < c->n_out ? &out : &in) += c->iov[i].iov_len;
	}
	if (in != c->in_len || out != c->out_len)
		abort();
}

static void pop(struct rig *r)
{
	struct vq_chain *c = &r->out[r->n_out];
	uint8_t bytes[64];
	int n;

	if (r->n_out == OUT)
		return;
	n = vq_pop(&r->q, c);
	if (n < 0 && n != -EPROTO)
		abort();
	if (n <= 0)
		return;
	check(r, c);
	if (vq_copy_out(c, 1, bytes, sizeof(bytes)) > sizeof(bytes))
		abort();
	(void)vq_copy_in(c, 0, bytes, sizeof(bytes));
	r->n_out++;
}

static void push(struct rig *r, unsigned n)
{
	for (; n && r->n_out; n--) {
		r->n_out--;
		vq_push_more(&r->q, &r->out[r->n_out], r->n_out);
	}
	vq_push_flush(&r->q);
	(void)!vq_wants_interrupt(&r->q);
}

static void unpop(struct rig *r)
{
	struct vq_chain again;
	uint16_t inflight = r->q.inflight;

	r->hold = true;
	if (r->n_out < OUT && vq_pop(&r->q, &again) > 0)
		vq_unpop(&r->q, &again);
	if (r->q.inflight != inflight)
		abort();
	r->hold = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rig *r = rig();

	r->data = data;
	r->left = size;
	r->n_out = 0;
	r->hold = false;
	machine(r);
	memset(&r->q, 0, sizeof(r->q));
	if (!begin(r))
		return 0;
	for (unsigned i = 0; r->left && i < 500; i++) {
		uint8_t order = next(r);

		if (order < 128)
			pop(r);
		else if (order < 192)
			push(r, 1 + order % 4);
		else if (order < 208)
			unpop(r);
		else if (order < 224)
			vq_disarm(&r->q);
		else
			(void)!vq_arm(&r->q);
	}
	return 0;
}
