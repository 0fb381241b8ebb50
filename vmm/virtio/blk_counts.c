/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a disk has done: requests that ended, counted under its lock. */

#include "vmm/virtio/blk.h"

static uint64_t *counter(struct blk_counts *c, uint32_t type)
{
	switch (type) {
	case VIRTIO_BLK_T_IN:
		return &c->reads;
	case VIRTIO_BLK_T_OUT:
		return &c->writes;
	case VIRTIO_BLK_T_FLUSH:
		return &c->flushes;
	case VIRTIO_BLK_T_DISCARD:
		return &c->discards;
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return &c->zeroes;
	default:
		return &c->others;
	}
}

#define DEF(field, unit)                                                       \
	{                                                                      \
#field, unit, offsetof(struct blk_counts, field)               \
	}
/* In the order of docs/control.md. */
static const struct stats_def request_defs[] = {
	DEF(reads, STATS_COUNT),         DEF(writes, STATS_COUNT),
	DEF(flushes, STATS_COUNT),       DEF(discards, STATS_COUNT),
	DEF(zeroes, STATS_COUNT),        DEF(others, STATS_COUNT),
	DEF(errors, STATS_COUNT),        DEF(read_bytes, STATS_BYTES),
	DEF(written_bytes, STATS_BYTES),
};
#undef DEF

bool blk_counters(void *ctx, unsigned i, struct stats_set *ret)
{
	const struct blk *b = ctx;

	if (i)
		return false;
	*ret = (struct stats_set){
		.what = "disk",
		.def = request_defs,
		.n = ARRAY_SIZE(request_defs),
		.base = &b->counts,
	};
	return true;
}

void blk_count(struct blk *b, const struct blk_request *r, int status)
{
	struct blk_counts *c = &b->counts;

	stats_add(counter(c, r->type), 1);
	if (status != VIRTIO_BLK_S_OK)
		stats_add(&c->errors, 1);
	else if (r->type == VIRTIO_BLK_T_IN)
		stats_add(&c->read_bytes, r->written);
	else if (r->type == VIRTIO_BLK_T_OUT)
		stats_add(&c->written_bytes,
		          r->chain.out_len - sizeof(struct virtio_blk_outhdr));
}
