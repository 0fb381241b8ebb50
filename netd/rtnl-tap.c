/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's end of a guest's NIC: MTU, bridge, VLAN, up; and read back. First
 * where it belongs, then up: an interface that is up alone, be it for a moment,
 * gets IPv6 addresses and routes.
 */

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "netd/tap.h"

struct tap_link {
	uint32_t mtu, master;
	bool up;
};

static int refused(const char *ifname, const char *what, int err,
                   const char *words, struct diag *d)
{
	diag_fail(d, err, FL_NETD_TAP, "cannot %s %s", what, ifname);
	diag_why(d, "%s%s%s", strerror(-err), *words ? ": " : "", words);
	diag_mend(d, "see `ip -d link` and `dmesg`");
	return err;
}

/* `master`, `mtu` 0 = left alone. */
static struct nl_msg *request(unsigned ifindex, unsigned master, uint32_t mtu,
                              bool up)
{
	struct ifinfomsg i = { .ifi_index = (int)ifindex,
		               .ifi_change = up ? IFF_UP : 0,
		               .ifi_flags = up ? IFF_UP : 0 };
	struct nl_msg *m = nlmsg_alloc_simple(RTM_SETLINK, NLM_F_ACK);
	int r = m ? nlmsg_append(m, &i, sizeof(i), NLMSG_ALIGNTO) : -1;

	if (r >= 0 && mtu)
		r = nla_put_u32(m, IFLA_MTU, mtu);
	if (r >= 0 && master)
		r = nla_put_u32(m, IFLA_MASTER, master);
	if (m && r < 0) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

static int set(struct rtnl *r, struct nl_msg *m, char words[static RTNL_WORDS])
{
	return m ? rtnl_talk(r, m, NULL, NULL, words) : -ENOMEM;
}

static int decode(struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *i = nlmsg_data(h);
	struct tap_link *l = arg;
	struct nlattr *a;

	if (h->nlmsg_type != RTM_NEWLINK ||
	    h->nlmsg_len < NLMSG_HDRLEN + sizeof(*i))
		return -EBADMSG;
	l->up = i->ifi_flags & IFF_UP;
	a = nlmsg_find_attr(h, sizeof(*i), IFLA_MTU);
	l->mtu = a ? nla_get_u32(a) : 0;
	a = nlmsg_find_attr(h, sizeof(*i), IFLA_MASTER);
	l->master = a ? nla_get_u32(a) : 0;
	return 0;
}

static int read_back(struct rtnl *r, const char *ifname, unsigned ifindex,
                     unsigned master, const struct tap_place *p, struct diag *d)
{
	struct tap_link l = { 0 };
	int e = rtnl_get_link(r, ifindex, decode, &l);

	if (e)
		return refused(ifname, "read the link", e, "", d);
	if (l.up && (p->ovs || l.master == master) &&
	    (!p->mtu || l.mtu == p->mtu))
		return 0;
	diag_fail(d, -EIO, FL_NETD_TAP, "cannot set up %s", ifname);
	diag_why(d, "the kernel accepted it, but reports another %s",
	         !l.up                           ? "state"
	         : !p->ovs && l.master != master ? "bridge"
	                                         : "MTU");
	diag_mend(d,
	          "see `ip -d link show dev %s`: does another program "
	          "(NetworkManager, networkd) take such interfaces?",
	          ifname);
	return -EIO;
}

/* All that is to be so before the first frame. */
static int place(struct rtnl *r, const char *ifname, unsigned ifindex,
                 unsigned master, const struct tap_place *p, struct diag *d)
{
	char words[RTNL_WORDS] = "";
	int e = 0;

	if (p->mtu)
		e = set(r, request(ifindex, 0, p->mtu, false), words);
	if (e)
		return refused(ifname, "set the MTU of", e, words, d);
	if (master)
		e = set(r, request(ifindex, master, 0, false), words);
	if (e)
		return refused(ifname, "put into its bridge", e, words, d);
	return p->vlan ? rtnl_port_vlan(r, ifname, p->vlan, p->pvid, d) : 0;
}

int rtnl_tap(struct rtnl *r, const char *ifname, const struct tap_place *p,
             struct diag *d)
{
	unsigned ifindex = if_nametoindex(ifname);
	bool in_linux = *p->bridge && !p->ovs;
	unsigned master = in_linux ? if_nametoindex(p->bridge) : 0;
	char words[RTNL_WORDS] = "";
	int e;

	if (!ifindex)
		return refused(ifname, "find", -ENODEV, words, d);
	if (in_linux && !master)
		return refused(p->bridge, "find", -ENODEV, words, d);
	e = place(r, ifname, ifindex, master, p, d);
	if (e)
		return e;
	e = set(r, request(ifindex, 0, 0, true), words);
	if (e)
		return refused(ifname, "bring up", e, words, d);
	return read_back(r, ifname, ifindex, master, p, d);
}
