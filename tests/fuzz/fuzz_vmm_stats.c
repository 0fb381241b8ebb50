/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as KVM's description of its counters: refused, or every name and
 * place in it keeps what stats.h promises. The first byte of the input puts
 * small numbers into the header, so that most runs get past it.
 * fuzz: runs=200000 time=30
 */

#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "vmm/stats.h"

#define CHECK(cond)                                                            \
	do {                                                                   \
		if (!(cond))                                                   \
			abort();                                               \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void nudge(uint8_t *block, size_t size, uint8_t how)
{
	struct kvm_stats_header h;

	if (size < sizeof(h) || how < 64)
		return;
	memcpy(&h, block, sizeof(h));
	h.name_size = h.name_size % 64 + 1;
	h.num_desc = h.num_desc % 8 + 1;
	h.desc_offset = sizeof(h) + h.desc_offset % 16;
	memcpy(block, &h, sizeof(h));
}

static void check(const struct kvm_stats *s, size_t size)
{
	CHECK(s->n && s->n <= KVM_STATS_MAX);
	CHECK(s->data_len && s->data_len <= KVM_STATS_DATA_MAX);
	for (unsigned i = 0; i < s->n; i++) {
		const struct kvm_stat *v = &s->stat[i];

		CHECK(*v->name && strlen(v->name) < KVM_STATS_NAME_MAX);
		CHECK(v->name > s->block && v->name < s->block + size);
		CHECK(v->values && v->values <= KVM_STATS_BUCKETS);
		CHECK(v->off % 8 == 0 &&
		      v->off + 8u * v->values <= s->data_len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kvm_stats *s = NULL;
	uint8_t *block;

	if (size < 2)
		return 0;
	/* Of its exact size: what reads on is seen. */
	block = malloc(size - 1);
	CHECK(block);
	memcpy(block, data + 1, size - 1);
	nudge(block, size - 1, data[0]);
	if (kvm_stats_parse(block, size - 1, &s) == 0)
		check(s, size);
	kvm_stats_free(s);
	free(block);
	return 0;
}
