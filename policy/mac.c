/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MAC addresses: which a function may have, the stable one of a guest NIC,
 * and that no two are the same.
 *
 * Stable means: the same guest and NIC names give the same address on any
 * host and in any file, without a record of what was given. The price is that
 * 24 bits may collide; that is an error of the policy, found here.
 *
 * Random means: nobody can tell it from the names, and it is no other host's
 * by the same policy. Who applies the policy draws it and keeps it; here it is
 * known or not.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

bool mac_is_zero(const uint8_t mac[static 6])
{
	static const uint8_t zero[6];

	return !memcmp(mac, zero, sizeof(zero));
}

/* As the kernel's is_valid_ether_addr(). */
const char *mac_refused(const uint8_t mac[static 6])
{
	if (mac[0] & 1)
		return "that is a multicast address";
	if (mac_is_zero(mac))
		return "no function can have the address of zeros";
	return NULL;
}

/* FNV-1a, 32 bits: offset basis and prime as its authors give them. */
static uint32_t fnv1a(uint32_t h, const char *s)
{
	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	return h;
}

static uint32_t name_hash(const struct pol_guest *g,
                          const struct pol_guest_nic *n)
{
	uint32_t h = fnv1a(2166136261u, g->name);

	h = fnv1a(h, "/");
	h = fnv1a(h, n->name);
	return (h >> 24) ^ (h & BITS(23, 0));
}

static void stable_mac(const struct pol_guest *g, const struct pol_guest_nic *n,
                       const uint8_t prefix[static 3], uint8_t ret[static 6])
{
	uint32_t h = name_hash(g, n);

	memcpy(ret, prefix, 3);
	ret[3] = (uint8_t)(h >> 16);
	ret[4] = (uint8_t)(h >> 8);
	ret[5] = (uint8_t)h;
}

/* Its own, or its VF's of `overrides`. */
static const struct pol_mac *nic_mac(const struct pol_policy *p,
                                     const struct pol_guest_nic *n)
{
	const struct pol_override_vf *o =
		n->mac.given == POL_ABSENT ? pol_nic_override(p, n) : NULL;

	return o ? &o->mac : &n->mac;
}

bool pol_guest_nic_mac(const struct pol_policy *p, const struct pol_guest *g,
                       const struct pol_guest_nic *n, uint8_t ret[static 6])
{
	static const uint8_t emulated[] = { MAC_LOCAL, 0xf1, 0x1d };
	size_t pool = n->datapath ? n->idle_pool : n->pool;
	const struct pol_mac *own = nic_mac(p, n);

	if (own->given == POL_GIVEN) {
		memcpy(ret, own->v, 6);
		return true;
	}
	if (n->own.backend && !n->datapath) {
		stable_mac(g, n, emulated, ret);
		return true;
	}
	/* Without a name it is a borrower, or nobody: what is made of the name
	 * would be the same for all of them. */
	if (own->given != POL_ABSENT || pool >= p->n_pools || !*g->name ||
	    p->pool[pool].mac_assign == POL_MAC_NONE)
		return false;
	if (p->pool[pool].mac_assign == POL_MAC_STABLE)
		stable_mac(g, n, p->pool[pool].mac_prefix, ret);
	else
		memcpy(ret, n->drawn.v, 6);
	return p->pool[pool].mac_assign == POL_MAC_STABLE ||
	       n->drawn.given == POL_GIVEN;
}

unsigned pol_nic_draws(const struct pol_policy *p,
                       const struct pol_guest_nic *n, uint8_t ret[static 6])
{
	size_t pool = n->datapath ? n->idle_pool : n->pool;

	if (nic_mac(p, n)->given != POL_ABSENT || pool >= p->n_pools ||
	    p->pool[pool].mac_assign != POL_MAC_RANDOM)
		return 0;
	memset(ret, 0, 6);
	memcpy(ret, p->pool[pool].mac_prefix, sizeof(p->pool[pool].mac_prefix));
	return 6u - p->pool[pool].mac_fixed;
}

bool pol_mac_taken(const struct pol_policy *p, const uint8_t mac[static 6],
                   const struct pol_guest_nic *but)
{
	uint8_t other[6];

	for (size_t g = 0; g < p->n_guests; g++)
		for (size_t i = 0; i < p->guest[g].n_nics; i++) {
			const struct pol_guest_nic *n = &p->guest[g].nic[i];

			if (n != but &&
			    pol_guest_nic_mac(p, &p->guest[g], n, other) &&
			    !memcmp(mac, other, sizeof(other)))
				return true;
		}
	for (size_t i = 0; i < p->n_overrides; i++)
		for (size_t k = 0; k < p->override[i].n_vfs; k++)
			if (p->override[i].vf[k].mac.given == POL_GIVEN &&
			    !memcmp(mac, p->override[i].vf[k].mac.v, 6))
				return true;
	return false;
}

struct used_mac {
	uint8_t mac[6];
	struct pol_pos pos;
	char who[2 * POL_NAME + 16]; /* "guest/nic", "VF 3 of edge0" */
	bool given;
};

/* By address, then by place in the file: the later one is told off. */
static int compare_macs(const void *va, const void *vb)
{
	const struct used_mac *a = va, *b = vb;
	int r = memcmp(a->mac, b->mac, sizeof(a->mac));

	if (r)
		return r;
	if (a->pos.line != b->pos.line)
		return a->pos.line < b->pos.line ? -1 : 1;
	return a->pos.column < b->pos.column ? -1 : 1;
}

static size_t collect_guests(const struct pol_policy *p, struct used_mac *used)
{
	size_t n = 0;

	for (size_t g = 0; g < p->n_guests; g++)
		for (size_t i = 0; i < p->guest[g].n_nics; i++) {
			const struct pol_guest_nic *nic = &p->guest[g].nic[i];

			if (!pol_guest_nic_mac(p, &p->guest[g], nic,
			                       used[n].mac))
				continue;
			used[n].pos = nic->pos;
			used[n].given = nic_mac(p, nic)->given == POL_GIVEN;
			snprintf(used[n].who, sizeof(used[n].who), "%s/%s",
			         p->guest[g].name, nic->name);
			n++;
		}
	return n;
}

static bool has_guest(const struct pol_policy *p, size_t nic, uint32_t vf)
{
	for (size_t g = 0; g < p->n_guests; g++)
		for (size_t i = 0; i < p->guest[g].n_nics; i++) {
			const struct pol_guest_nic *n = &p->guest[g].nic[i];

			if (n->pool != SIZE_MAX && n->fn.nic == nic &&
			    n->fn.vf == vf)
				return true;
		}
	return false;
}

/* Those of VFs that are no guest's: of the others it is known by now. */
static size_t collect_overrides(const struct pol_policy *p,
                                struct used_mac *used)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_overrides; i++)
		for (size_t k = 0; k < p->override[i].n_vfs; k++) {
			const struct pol_override *o = &p->override[i];

			if (o->vf[k].mac.given != POL_GIVEN ||
			    has_guest(p, o->nic, o->vf[k].id))
				continue;
			memcpy(used[n].mac, o->vf[k].mac.v, 6);
			used[n].pos = o->vf[k].pos;
			used[n].given = true;
			snprintf(used[n].who, sizeof(used[n].who),
			         "VF %u of %s", o->vf[k].id, o->name);
			n++;
		}
	return n;
}

static void refuse_mac(struct read *r, const struct used_mac *first,
                       const struct used_mac *second)
{
	char text[MAC_STRLEN];
	struct diag *d = pol_err(r->errs, second->pos, FL_POL_CONFLICT,
	                         "%s has the MAC of %s: %s", second->who,
	                         first->who, mac_format(first->mac, text));

	diag_why(d, "%s, %s (%s)",
	         second->given ? "given" : "stable, from its name",
	         first->given ? "the other's is given"
	                      : "the other's is stable, from its name",
	         WHERE(r->policy, first->pos, second->pos));
	diag_mend(d, "give one of them another `mac-address`");
}

void check_macs(struct read *r)
{
	const struct pol_policy *p = r->policy;
	struct used_mac *used;
	size_t n = 0;

	for (size_t g = 0; g < p->n_guests; g++)
		n += p->guest[g].n_nics;
	for (size_t i = 0; i < p->n_overrides; i++)
		n += p->override[i].n_vfs;
	if (!n)
		return;
	used = calloc(n, sizeof(*used));
	if (!used) {
		r->oom = true;
		return;
	}
	n = collect_guests(p, used);
	n += collect_overrides(p, used + n);
	qsort(used, n, sizeof(*used), compare_macs);
	for (size_t i = 1; i < n; i++)
		if (!memcmp(used[i - 1].mac, used[i].mac, 6))
			refuse_mac(r, &used[i - 1], &used[i]);
	free(used);
}
