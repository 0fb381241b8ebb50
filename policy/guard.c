/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest may send through a tap whose network says `spoof-check`, as the
 * text that nft(8) reads: so that a plan shows it, and netd/guard.c has no
 * second form of it. The first rule that matches drops; each has a comment by
 * which its drops are counted.
 *
 *   mac  another Ethernet source than the NIC's own
 *   tag  a VLAN tag: behind it the rules below would not look, and a bridge's
 *        port takes one of its own VLAN
 *   arp  ARP that names another hardware address as the sender's (RFC 826)
 *   nd   IPv6 neighbour discovery (RFC 4861) that names another link-layer
 *        address. Its options come in any order: so what may be there is said
 *        by place and length, and all else is dropped. A solicitation has the
 *        source's address (option 1), a nonce (14, RFC 7527) or the first
 *        before the second; an advertisement the target's (2) or nothing
 *   ip   another address of IPv4 or IPv6 than `addresses` has, as the source
 *        of a packet, the sender of ARP or the target of an advertisement; but
 *        the unspecified, with which DHCP and duplicate address detection
 *        begin, and link-local ones of IPv6 pass. Of a family that has none in
 *        the list nothing else passes
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

bool network_guards(const struct pol_network *n)
{
	const struct pol_bool *b = &n->set.spoof_check;

	/* null is the kernel's drivers' beginning: on. */
	return b->given == POL_DEFAULT || (b->given == POL_GIVEN && b->v);
}

bool pol_own_guarded(const struct pol_own *o)
{
	return o->kind == POL_OWN_NIC && o->network &&
	       network_guards(o->network);
}

/* Of what nft takes for a name; other characters as "//" and their number,
 * which no interface's name has. */
void pol_guard_chain(const char *ifname, char ret[static POL_GUARD_CHAIN])
{
	size_t n = (size_t)snprintf(ret, POL_GUARD_CHAIN, "tap/");

	for (const char *s = ifname; *s && n + 5 < POL_GUARD_CHAIN; s++) {
		bool plain = (*s >= 'a' && *s <= 'z') ||
		             (*s >= 'A' && *s <= 'Z') ||
		             (*s >= '0' && *s <= '9') || strchr("-_.", *s);

		n += (size_t)snprintf(ret + n, POL_GUARD_CHAIN - n,
		                      plain ? "%c" : "//%02x",
		                      (unsigned char)*s);
	}
}

struct script {
	struct pen pen;
	const char *chain;
};

static void rule(struct script *s, const char *what, const char *match)
{
	pen_put(&s->pen,
	        "add rule netdev fairlead %s %s counter drop comment \"%s\"\n",
	        s->chain, match, what);
}

static void rules_nd(struct script *s, const char *mac)
{
	/* Behind the header and its 20 bytes: bit 192. */
	static const char *const fixed[] = {
		"icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 "
		"nexthdr != ipv6-icmp",
		"icmpv6 type nd-neighbor-advert ip6 length > 32",
		"icmpv6 type nd-neighbor-advert ip6 length > 24 @th,192,16 != "
		"0x0201",
		"icmpv6 type nd-neighbor-solicit ip6 length > 40",
		"icmpv6 type nd-neighbor-solicit ip6 length > 24 @th,192,16 != "
		"{ 0x0101, 0x0e01 }",
		"icmpv6 type nd-neighbor-solicit ip6 length > 32 @th,192,8 14",
		"icmpv6 type nd-neighbor-solicit ip6 length > 32 @th,256,16 != "
		"0x0e01",
	};
	static const char *const named[] = {
		"icmpv6 type nd-neighbor-advert ip6 length > 24 @th,208,48 !=",
		"icmpv6 type nd-neighbor-solicit ip6 length > 24 @th,192,8 1 "
		"@th,208,48 !=",
	};
	char match[160];

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		rule(s, "nd", fixed[i]);
	for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
		snprintf(match, sizeof(match), "%s 0x%s", named[i], mac);
		rule(s, "nd", match);
	}
}

/* Those of `family`, behind what always passes. */
static void put_set(struct pen *pen, const struct pol_addresses *a, int family)
{
	char text[POL_IP_TEXT];

	pen_put(pen, "%s", family == 4 ? "{ 0.0.0.0" : "{ ::, fe80::/10");
	for (size_t i = 0; i < a->n; i++)
		if (a->ip[i].family == family)
			pen_put(pen, ", %s", pol_ip_format(&a->ip[i], text));
	pen_put(pen, " }");
}

/* The target is behind 8 bytes of the message (RFC 4861 4.4); nft 1.0.6 has no
 * word for it. Of fe80::/10 the first 10 bits tell. */
static void rule_target(struct script *s, const struct pol_addresses *a)
{
	char match[POL_GUARD_SCRIPT / 4];
	struct pen pen = { .buf = match, .size = sizeof(match) };
	const char *sep = " @th,64,128 != { ";

	pen_put(&pen, "icmpv6 type nd-neighbor-advert @th,64,10 != 0x3fa");
	for (size_t i = 0; i < a->n; i++) {
		if (a->ip[i].family != 6)
			continue;
		pen_put(&pen, "%s0x", sep);
		for (size_t b = 0; b < sizeof(a->ip[i].b); b++)
			pen_put(&pen, "%02x", a->ip[i].b[b]);
		sep = ", ";
	}
	pen_put(&pen, "%s", *sep == ',' ? " }" : "");
	rule(s, "ip", match);
}

static void rules_ip(struct script *s, const struct pol_addresses *a)
{
	static const struct {
		const char *what;
		int family;
	} source[] = { { "ip saddr", 4 },
		       { "arp saddr ip", 4 },
		       { "ip6 saddr", 6 } };

	for (size_t i = 0; i < ARRAY_SIZE(source); i++) {
		char match[POL_GUARD_SCRIPT / 4];
		struct pen pen = { .buf = match, .size = sizeof(match) };

		pen_put(&pen, "%s != ", source[i].what);
		put_set(&pen, a, source[i].family);
		rule(s, "ip", match);
	}
	rule_target(s, a);
}

size_t pol_guard_script(const struct pol_own *o, char *buf, size_t size)
{
	char chain[POL_GUARD_CHAIN], mac[MAC_STRLEN], hex[13], match[64];
	struct script s = { { .buf = buf, .size = size }, chain };

	if (size)
		*buf = '\0';
	pol_guard_chain(o->ifname, chain);
	mac_format(o->mac, mac);
	snprintf(hex, sizeof(hex), "%02x%02x%02x%02x%02x%02x", o->mac[0],
	         o->mac[1], o->mac[2], o->mac[3], o->mac[4], o->mac[5]);
	pen_put(&s.pen,
	        "add table netdev fairlead\n"
	        "add chain netdev fairlead %s { type filter hook ingress device "
	        "\"%s\" priority 0; policy accept; }\n"
	        "flush chain netdev fairlead %s\n",
	        chain, o->ifname, chain);
	snprintf(match, sizeof(match), "ether saddr != %s", mac);
	rule(&s, "mac", match);
	rule(&s, "tag", "ether type { 8021q, 8021ad }");
	snprintf(match, sizeof(match), "arp saddr ether != %s", mac);
	rule(&s, "arp", match);
	rules_nd(&s, hex);
	if (o->addresses->n)
		rules_ip(&s, o->addresses);
	return s.pen.n;
}
