/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine without what tells it from others: MACs. The n-th of all addresses
 * in their order becomes 02:00:00:00:00:n, so that equal ones stay equal, and
 * each stays the same from one recording to the next as long as the same ones
 * are there. None stays none. A hash would not do: there are so few addresses
 * of one vendor that all can be tried.
 */

#include <string.h>

#include "policy/priv.h"

#define MAC 6

static int order(const void *a, const void *b)
{
	return memcmp(a, b, MAC);
}

/* All MACs, each once, in their order; [0] is none. Returns how many. */
static size_t collect(const struct pol_state *s, uint8_t (*mac)[MAC])
{
	size_t all = 1, n = 0;

	for (size_t i = 0; i < s->n_pfs; i++)
		for (size_t j = 0; j < s->pf[i].n_vfs; j++)
			memcpy(mac[all++], s->pf[i].vf[j].mac, MAC);
	qsort(mac, all, sizeof(*mac), order);
	for (size_t i = 1; i < all; i++)
		if (memcmp(mac[i], mac[n], MAC) != 0)
			memcpy(mac[++n], mac[i], MAC);
	return n + 1;
}

static void replace(uint8_t m[static MAC], uint8_t (*mac)[MAC], size_t n)
{
	const uint8_t(*at)[MAC] = bsearch(m, mac, n, sizeof(*mac), order);
	size_t k = at ? (size_t)(at - (const uint8_t(*)[MAC])mac) : 0;
	uint8_t anonymous[MAC] = {
		2, 0, 0, (uint8_t)(k >> 16), (uint8_t)(k >> 8), (uint8_t)k
	};

	if (k)
		memcpy(m, anonymous, MAC);
}

int pol_anonymize(struct pol_state *s)
{
	size_t n = 1;
	uint8_t(*mac)[MAC];

	for (size_t i = 0; i < s->n_pfs; i++)
		n += s->pf[i].n_vfs;
	mac = calloc(n, sizeof(*mac));
	if (!mac)
		return -ENOMEM;
	n = collect(s, mac);
	for (size_t i = 0; i < s->n_pfs; i++)
		for (size_t j = 0; j < s->pf[i].n_vfs; j++)
			replace(s->pf[i].vf[j].mac, mac, n);
	free(mac);
	return 0;
}
