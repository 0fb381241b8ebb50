/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine without what tells it from others: MACs, addresses, serial numbers,
 * its name and machine-id. The n-th of all addresses in their order becomes
 * 02:00:00:00:00:n, so that equal ones stay equal, and each stays the same from
 * one recording to the next as long as the same ones are there. None stays
 * none. A hash would not do: there are so few addresses of one vendor that all
 * can be tried. Serial numbers become SN-n likewise, n by the order of the
 * functions, and addresses those that are nobody's; names that udev makes of a
 * MAC go.
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

/* ---- addresses ----------------------------------------------------------- */

/* Of documentation and tests, which are nobody's: RFC 2544, 3849, 6676. The
 * number is added to the last four bytes. */
static const struct pol_ip nobodys[2][2] = {
	{ { 4, { 198, 18 } }, { 4, { 233, 252 } } },
	{ { 6, { 0x20, 0x01, 0x0d, 0xb8 } },
	  { 6, { 0xff, 0x0e, [10] = 0x0d, [11] = 0xb8 } } },
};

static bool ip_tells(const struct pol_ip *ip)
{
	static const uint8_t self[16] = { [15] = 1 };

	return ip->family &&
	       (ip->family == 4 ? ip->b[0] != 127
	                        : memcmp(ip->b, self, sizeof(self)) != 0);
}

/* Each that tells something, once or more. Returns how many. */
static size_t each_ip(struct pol_state *s,
                      void (*fn)(struct pol_ip *ip, void *arg), void *arg)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_links; i++)
		for (size_t k = 0; k < s->link[i].n_addresses; k++)
			if (ip_tells(&s->link[i].address[k]) && ++n)
				fn(&s->link[i].address[k], arg);
	for (size_t i = 0; i < s->n_overs; i++) {
		struct pol_overlay *o = &s->over[i].o;
		struct pol_ip *of[] = { &o->local, &o->group };

		for (size_t k = 0; k < ARRAY_SIZE(of); k++)
			if (ip_tells(of[k]) && ++n)
				fn(of[k], arg);
		for (size_t k = 0; k < o->n_remotes; k++)
			if (ip_tells(&o->remote[k]) && ++n)
				fn(&o->remote[k], arg);
	}
	return n;
}

struct ips_seen {
	struct pol_ip *ip; /* NULL = they are only counted */
	size_t n;
};

static void take_ip(struct pol_ip *ip, void *arg)
{
	struct ips_seen *all = arg;

	if (all->ip)
		all->ip[all->n++] = *ip;
}

static int order_ips(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct pol_ip));
}

static void replace_ip(struct pol_ip *ip, void *arg)
{
	const struct ips_seen *all = arg;
	const struct pol_ip *at =
		bsearch(ip, all->ip, all->n, sizeof(*at), order_ips);
	size_t n = at ? (size_t)(at - all->ip) + 1 : 0;
	bool six = ip->family == 6;
	struct pol_ip to =
		nobodys[six][six ? ip->b[0] == 0xff : ip->b[0] >> 4 == 0xe];
	size_t last = six ? 15 : 3;

	for (size_t i = 0; i < (six ? 4u : 2u); i++)
		to.b[last - i] = (uint8_t)(n >> 8 * i);
	*ip = to;
}

static int anonymize_addresses(struct pol_state *s)
{
	struct ips_seen all = { NULL, 0 };
	size_t n = each_ip(s, take_ip, &all), once = 0;

	if (!n)
		return 0;
	all.ip = calloc(n, sizeof(*all.ip));
	if (!all.ip)
		return -ENOMEM;
	(void)each_ip(s, take_ip, &all);
	qsort(all.ip, n, sizeof(*all.ip), order_ips);
	for (size_t i = 1; i < n; i++)
		if (order_ips(&all.ip[i], &all.ip[once]) != 0)
			all.ip[++once] = all.ip[i];
	all.n = once + 1;
	(void)each_ip(s, replace_ip, &all);
	free(all.ip);
	return 0;
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
	int r;

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
	r = anonymize_addresses(s);
	return r ? r : anonymize_serials(s);
}
