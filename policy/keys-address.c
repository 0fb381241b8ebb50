/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses of IPv4 and IPv6: one, and lists of them. And `addresses` of a
 * guest's nic, which its tap's guard holds the guest to (guard.c): for a VF
 * nobody could, because cards check a VF's MAC and no more.
 */

#include <arpa/inet.h>
#include <string.h>

#include "policy/priv.h"

bool pol_ip_parse(const char *text, struct pol_ip *ret)
{
	struct pol_ip ip = { .family = 4 };

	if (inet_pton(AF_INET, text, ip.b) != 1) {
		ip.family = 6;
		if (inet_pton(AF_INET6, text, ip.b) != 1)
			return false;
	}
	*ret = ip;
	return true;
}

const char *pol_ip_format(const struct pol_ip *ip, char buf[static POL_IP_TEXT])
{
	if (!ip->family || !inet_ntop(ip->family == 4 ? AF_INET : AF_INET6,
	                              ip->b, buf, POL_IP_TEXT))
		*buf = '\0';
	return buf;
}

bool pol_ip_equal(const struct pol_ip *a, const struct pol_ip *b)
{
	return a->family == b->family &&
	       !memcmp(a->b, b->b, a->family == 4 ? 4 : sizeof(a->b));
}

static bool is_multicast(const struct pol_ip *ip)
{
	return ip->family == 4 ? (ip->b[0] & 0xf0) == 0xe0 : ip->b[0] == 0xff;
}

static bool is_unspecified(const struct pol_ip *ip)
{
	static const uint8_t none[16];

	return !memcmp(ip->b, none, ip->family == 4 ? 4 : 16);
}

bool scalar_ip(struct read *r, const struct key *k, const struct node *v,
               bool multicast, struct pol_ip *ret)
{
	struct pol_ip ip;

	if (told_text(r, v, TOLD_TEXT, "^[0-9A-Fa-f:.]+$") ||
	    !want_scalar(r, k, v))
		return false;
	if (pol_ip_parse(v->text, &ip) && is_multicast(&ip) == multicast &&
	    !is_unspecified(&ip)) {
		*ret = ip;
		return true;
	}
	bad_value(r, k, v,
	          multicast ? "a multicast address of IPv4 or IPv6"
	                    : "the address of one host, of IPv4 or IPv6",
	          multicast ? "239.1.1.1" : "192.0.2.1");
	return false;
}

static void add_ip(struct read *r, const struct key *k, const struct node *v,
                   const struct ips *form, struct pol_ip *list, size_t *n)
{
	struct pol_ip ip;

	if (!scalar_ip(r, k, v, false, &ip))
		return;
	for (size_t i = 0; i < *n; i++)
		if (pol_ip_equal(&list[i], &ip)) {
			diag_mend(pol_err(r->errs, v->pos, FL_POL_DUPLICATE,
			                  "'%s' has %s twice", k->name,
			                  v->text),
			          "remove one of the two");
			return;
		}
	if (*n < form->max)
		list[(*n)++] = ip;
	else
		diag_mend(wrong_value(r, k, v, form->many),
		          "remove what is too much");
}

void read_ips(struct read *r, const struct key *k, const struct node *v,
              const struct ips *form, struct pol_ip *list, size_t *n)
{
	struct diag *d;

	if (v->kind != NODE_LIST) {
		d = pol_err(r->errs, v->pos, FL_POL_TYPE, "'%s' must be a list",
		            k->name);
		diag_mend(d, "write %s", form->form);
		return;
	}
	for (const struct node *c = v->first; c; c = c->next)
		add_ip(r, k, c, form, list, n);
}

/* ---- addresses of a guest's nic ------------------------------------------ */

/* null and [] are no bound, as it is without the key. */
READER(read_addresses)
{
	static const struct ips form = {
		.form = "`addresses: [192.0.2.7, \"2001:db8::7\"]`",
		.many = "one of at most 16",
		.max = POL_ADDRESSES_MAX,
	};
	struct pol_addresses *a = field(k, obj);

	a->pos = v->pos;
	if (!node_is_null(v))
		read_ips(r, k, v, &form, a->ip, &a->n);
}

static void refuse(struct read *r, const struct pol_guest_nic *nic,
                   const char *why, const char *mend)
{
	struct diag *d = pol_err(r->errs, nic->addresses.pos, FL_POL_ADDRESSES,
	                         "nic %s: nothing would hold its guest to "
	                         "'addresses'",
	                         nic->name);

	diag_why(d, "%s", why);
	diag_mend(d, "%s", mend);
}

void check_addresses(struct read *r, const struct pol_guest_nic *nic)
{
	const struct pol_policy *p = r->policy;

	if (!nic->addresses.n)
		return;
	if (nic->own.backend == POL_BACKEND_NONE)
		refuse(r, nic,
		       "a VF's frames leave by its card, which looks at no "
		       "address of IP",
		       "remove it; or write `datapath: vhost`");
	else if (nic->own.backend == POL_BACKEND_MACVTAP)
		refuse(r, nic,
		       "what a macvtap sends passes no place where netd could "
		       "look at it",
		       "remove it, or write `backend: tap`");
	else if (nic->network >= p->n_networks ||
	         !network_guards(&p->network[nic->network]))
		refuse(r, nic,
		       "an address can be claimed with any MAC, and its "
		       "network has no `spoof-check: true`",
		       "add that to the network, or name another");
}
