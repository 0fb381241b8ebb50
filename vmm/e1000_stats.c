/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Statistics, SDM 13.7: each clears when it is read and stays at its largest;
 * one of 64 bits clears with its upper half. They are counted by the burst,
 * without a lock, and added here.
 */

#include "vmm/e1000.h"

enum {
	S_MPC = 0x4010,
	S_PRC64 = 0x405c, /* six, by size */
	S_GPRC = 0x4074,
	S_BPRC = 0x4078,
	S_MPRC = 0x407c,
	S_GPTC = 0x4080,
	S_GORCL = 0x4088,
	S_GOTCL = 0x4090,
	S_RUC = 0x40a4,
	S_ROC = 0x40ac,
	S_TORL = 0x40c0,
	S_TOTL = 0x40c8,
	S_TPR = 0x40d0,
	S_TPT = 0x40d4,
	S_PTC64 = 0x40d8, /* six */
	S_MPTC = 0x40f0,
	S_BPTC = 0x40f4,
	S_TSCTC = 0x40f8,
	S_TSCTFC = 0x40fc,
};

static void add(struct e1000 *e, unsigned off, uint32_t n)
{
	uint32_t *v = &e->reg[off / 4];

	if (n && __builtin_add_overflow(*v, n, v))
		*v = UINT32_MAX;
}

static void add64(struct e1000 *e, unsigned low, uint64_t n)
{
	uint32_t *v = &e->reg[low / 4];
	uint64_t sum = (uint64_t)v[1] << 32 | v[0];

	if (__builtin_add_overflow(sum, n, &sum))
		sum = UINT64_MAX;
	v[0] = (uint32_t)sum;
	v[1] = (uint32_t)(sum >> 32);
}

/* 64, 65-127, 128-255, 256-511, 512-1023, 1024 and more: with the CRC. */
static unsigned size_class(uint32_t len)
{
	unsigned bits;

	if (len <= 64)
		return 0;
	bits = 31u - (unsigned)__builtin_clz(len);
	return MIN(bits - 5, 5u);
}

void e1000_count_frame(struct e1000_count *c, const uint8_t *dst, uint32_t len)
{
	static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	c->packets++;
	c->bytes += len;
	c->size[size_class(len)]++;
	if (!(dst[0] & 1))
		return;
	if (!memcmp(dst, all, sizeof(all)))
		c->broadcast++;
	else
		c->multicast++;
}

static void add_sizes(struct e1000 *e, unsigned off,
                      const struct e1000_count *c)
{
	for (unsigned i = 0; i < ARRAY_SIZE(c->size); i++)
		add(e, off + 4 * i, c->size[i]);
}

void e1000_count_tx(struct e1000 *e, struct e1000_count *c)
{
	add(e, S_GPTC, c->packets);
	add(e, S_TPT, c->packets);
	add64(e, S_GOTCL, c->bytes);
	add64(e, S_TOTL, c->bytes);
	add_sizes(e, S_PTC64, c);
	add(e, S_BPTC, c->broadcast);
	add(e, S_MPTC, c->multicast);
	add(e, S_TSCTC, c->tso);
	add(e, S_TSCTFC, c->tso_failed);
	memset(c, 0, sizeof(*c));
}

void e1000_count_rx(struct e1000 *e, struct e1000_count *c)
{
	add(e, S_GPRC, c->packets);
	add(e, S_TPR, c->packets);
	add64(e, S_GORCL, c->bytes);
	add64(e, S_TORL, c->bytes);
	add_sizes(e, S_PRC64, c);
	add(e, S_BPRC, c->broadcast);
	add(e, S_MPRC, c->multicast);
	add(e, S_MPC, c->missed);
	add(e, S_ROC, c->long_);
	add(e, S_RUC, c->short_);
	memset(c, 0, sizeof(*c));
}

uint32_t e1000_stat_read(struct e1000 *e, uint32_t off)
{
	uint32_t v = e1000_reg(e, off);

	switch (off) {
	case S_GORCL:
	case S_GOTCL:
	case S_TORL:
	case S_TOTL:
		return v;
	case S_GORCL + 4:
	case S_GOTCL + 4:
	case S_TORL + 4:
	case S_TOTL + 4:
		e->reg[off / 4 - 1] = 0;
		break;
	default:
		break;
	}
	e->reg[off / 4] = 0;
	return v;
}
