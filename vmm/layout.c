/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where guest RAM and the windows for 64-bit BARs lie. Pure.
 *
 * IOVA is guest physical address, so what a device or its IOMMU cannot use as
 * IOVA must hold neither RAM nor, where functions reach one another, BARs.
 * There are holes in every host: the MSI window, which our map leaves free
 * anyway; the end, at the width of the IOMMU; on AMD the 12 GiB below 1 TiB
 * (HyperTransport); and memory that firmware keeps for a device (RMRR).
 *
 * RAM below 4 GiB ends at the first hole there, and the rest goes above; RAM
 * above 4 GiB begins where it fits as one. Both by themselves, since no guest
 * has been told yet. With 1 GiB pages the split is on such a page, so that
 * the two parts can be mapped by them too.
 */

#include <inttypes.h>

#include "vmm/priv.h"

#define GIB (1ull << 30)
#define HUGE (2ull << 20)
#define LOW_LEAST (64ull << 20) /* kernel, command line, tables */

/* The lowest aligned address from `from` on where `size` bytes fit in one
 * range and below `end`. */
static bool lowest_fit(const struct layout_host *h, uint64_t from,
                       uint64_t size, uint64_t align, uint64_t *ret)
{
	for (size_t i = 0; i < h->n; i++) {
		uint64_t at = ALIGN_UP(MAX(h->usable[i].start, from), align);
		uint64_t last = MIN(h->usable[i].last, h->end - 1);

		if (at >= from && at <= last && size - 1 <= last - at) {
			*ret = at;
			return true;
		}
	}
	return false;
}

/* What is in the way from `at` on: the gap behind the range that has it. */
static struct iommu_range hole_from(const struct layout_host *h, uint64_t at)
{
	struct iommu_range hole = { at, UINT64_MAX };

	for (size_t i = 0; i < h->n; i++)
		if (h->usable[i].start <= at && at <= h->usable[i].last)
			hole.start =
				MAX(h->usable[i].last + 1, h->usable[i].last);
	for (size_t i = h->n; i-- > 0;)
		if (h->usable[i].start > hole.start)
			hole.last = h->usable[i].start - 1;
	return hole;
}

static int fail(const struct layout_host *h, uint64_t gpa, uint64_t size,
                uint64_t at_most, struct diag *d)
{
	struct iommu_range hole = hole_from(h, gpa);

	diag_fail(d, -EADDRNOTAVAIL, FL_IOMMU_RESERVED,
	          "place %" PRIu64 " MiB of guest memory at %#" PRIx64,
	          size >> 20, gpa);
	if (hole.start >= h->end)
		diag_why(d, "addresses of this host's guests end at %#" PRIx64,
		         h->end - 1);
	else if (hole.last == UINT64_MAX)
		diag_why(d,
		         "the IOMMU, or a device of this guest, reaches no "
		         "address from %#" PRIx64 " on",
		         hole.start);
	else
		diag_why(d,
		         "%#" PRIx64 "-%#" PRIx64
		         " is reserved by the IOMMU or a device of this guest "
		         "(/sys/kernel/iommu_groups/N/reserved_regions), and "
		         "the memory fits nowhere else as one",
		         hole.start, hole.last);
	if (at_most)
		diag_mend(d, "memory: %" PRIu64 "M at most in the policy",
		          at_most >> 20);
	else
		diag_mend(d, "assign another device");
	return -EADDRNOTAVAIL;
}

/* How much would fit from 4 GiB on. */
static uint64_t most_above(const struct layout_host *h)
{
	uint64_t most = 0;

	for (size_t i = 0; i < h->n; i++) {
		uint64_t at = ALIGN_UP(
			MAX(h->usable[i].start, (uint64_t)MAP_HIGH_RAM), GIB);
		uint64_t last = MIN(h->usable[i].last, h->end - 1);

		if (at >= MAP_HIGH_RAM && at <= last)
			most = MAX(most, ALIGN_DOWN(last - at + 1, HUGE));
	}
	return most;
}

/* Windows for 64-bit BARs: in each usable range above RAM; last of all, for
 * BARs that fit in none, all that the guest's CPUs can address. */
static void add_windows(const struct layout_host *h, uint64_t from,
                        struct layout *l)
{
	l->n_windows = 0;
	for (size_t i = 0; i < h->n && l->n_windows < LAYOUT_WINDOWS - 1; i++) {
		uint64_t at = ALIGN_UP(MAX(h->usable[i].start, from), GIB);
		uint64_t last = MIN(h->usable[i].last, h->end - 1);

		if (at >= from && at < last && last - at >= GIB - 1)
			l->window[l->n_windows++] =
				(struct iommu_range){ at, last };
	}
	from = ALIGN_UP(from, GIB);
	if (from < h->end && (!l->n_windows || l->window[0].start != from ||
	                      l->window[0].last != h->end - 1))
		l->window[l->n_windows++] =
			(struct iommu_range){ from, h->end - 1 };
}

int layout_ram(const struct layout_host *host, uint64_t bytes, uint64_t page,
               struct layout *ret, struct diag *d)
{
	const struct iommu_range all = { 0, host->end - 1 };
	struct layout_host h = *host;
	uint64_t align = MAX(page, HUGE), low, high = 0, first;
	struct layout l = { 0 };

	if (!h.n) {
		h.usable = &all;
		h.n = 1;
	}
	/* Kernel and tables are at the bottom: there is no other place. */
	first = hole_from(&h, 0).start;
	low = MIN(bytes,
	          ALIGN_DOWN(MIN((uint64_t)MAP_LOW_RAM_END, first), align));
	if (low < MIN(bytes, LOW_LEAST))
		return fail(&h, 0, MIN(bytes, LOW_LEAST), 0, d);
	l.ram[l.n_ram++] = (struct layout_ram){ .size = low };
	if (bytes > low) {
		if (!lowest_fit(&h, MAP_HIGH_RAM, bytes - low, GIB, &high))
			return fail(&h, MAP_HIGH_RAM, bytes - low,
			            low + most_above(&h), d);
		l.ram[l.n_ram++] = (struct layout_ram){
			.gpa = high,
			.size = bytes - low,
			.off = low,
		};
	}
	add_windows(&h, MAX((uint64_t)MAP_HIGH_RAM, high + (bytes - low)), &l);
	*ret = l;
	return 0;
}
