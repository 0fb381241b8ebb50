/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine without what tells it from others: MACs, serial numbers, its name
 * and machine-id. The n-th of all addresses in their order becomes
 * 02:00:00:00:00:n, so that equal ones stay equal, and each stays the same from
 * one recording to the next as long as the same ones are there. None stays
 * none. A hash would not do: there are so few addresses of one vendor that all
 * can be tried. Serial numbers become SN-n likewise, n by the order of the
 * functions; names that udev makes of a MAC go.
 */

#include <stdio.h>
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
	for (size_t i = 0; i < s->n_pfs; i++)
		memcpy(mac[all++], s->pf[i].id.mac, MAC);
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

/* ---- serial numbers ------------------------------------------------------ */

static struct pol_ident *ident(struct pol_state *s, size_t i)
{
	return i < s->n_pfs ? &s->pf[i].id : &s->whole[i - s->n_pfs].id;
}

/* Each text becomes the number of the first that was the same. */
static void number_texts(struct pol_state *s, bool vpd, uint32_t *rank)
{
	size_t n = s->n_pfs + s->n_wholes;
	char *t, number[24];
	uint32_t next = 0;

	for (size_t i = 0; i < n; i++) {
		const char *is = vpd ? ident(s, i)->vpd : ident(s, i)->dsn;
		size_t j = 0;

		while (j < i && strcmp(is, vpd ? ident(s, j)->vpd
		                               : ident(s, j)->dsn) != 0)
			j++;
		rank[i] = j < i ? rank[j] : *is ? ++next : 0;
	}
	for (size_t i = 0; i < n; i++) {
		t = vpd ? ident(s, i)->vpd : ident(s, i)->dsn;
		snprintf(number, sizeof(number), "SN-%u", rank[i]);
		copy_text(t, sizeof(ident(s, i)->dsn), rank[i] ? number : "");
	}
}

static int anonymize_serials(struct pol_state *s)
{
	uint32_t *rank = calloc(s->n_pfs + s->n_wholes + 1, sizeof(*rank));

	if (!rank)
		return -ENOMEM;
	number_texts(s, false, rank);
	number_texts(s, true, rank);
	free(rank);
	return 0;
}

static void anonymize_names(struct pol_state *s)
{
	if (*s->machine.hostname)
		copy_text(s->machine.hostname, sizeof(s->machine.hostname),
		          "host");
	s->machine.id[0] = '\0';
	for (size_t i = 0; i < s->n_pfs; i++) {
		size_t n = 0;

		for (size_t j = 0; j < POL_ALTNAMES; j++)
			if (strncmp(s->pf[i].altname[j], "enx", 3) != 0)
				memmove(s->pf[i].altname[n++],
				        s->pf[i].altname[j], POL_ALTNAME);
		for (; n < POL_ALTNAMES; n++)
			s->pf[i].altname[n][0] = '\0';
	}
}

int pol_anonymize(struct pol_state *s)
{
	size_t n = 1 + s->n_pfs;
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
	for (size_t i = 0; i < s->n_pfs; i++)
		replace(s->pf[i].id.mac, mac, n);
	free(mac);
	anonymize_names(s);
	return anonymize_serials(s);
}
