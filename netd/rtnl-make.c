/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interfaces made, marked and named; rtnl-make.h says why in this order. */

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "netd/rtnl-make.h"

/* ---- messages ------------------------------------------------------------ */

static struct nl_msg *message(int type, int flags, unsigned ifindex, bool up)
{
	struct ifinfomsg i = { .ifi_index = (int)ifindex,
		               .ifi_change = up ? IFF_UP : 0,
		               .ifi_flags = up ? IFF_UP : 0 };
	struct nl_msg *m = nlmsg_alloc_simple(type, NLM_F_ACK | flags);

	if (m && nlmsg_append(m, &i, sizeof(i), NLMSG_ALIGNTO) < 0) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

int rtnl_try(struct rtnl *r, struct nl_msg *m, bool ok,
             char words[static RTNL_WORDS])
{
	if (m && ok)
		return rtnl_talk(r, m, NULL, NULL, words);
	if (m)
		nlmsg_free(m);
	return -ENOMEM;
}

static int create(struct rtnl *r, const struct rtnl_new *n,
                  char words[static RTNL_WORDS])
{
	struct nl_msg *m =
		message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, false);
	struct nlattr *info, *data;
	bool ok = m && nla_put_string(m, IFLA_IFNAME, n->temporary) >= 0 &&
	          (!n->link || n->link(m, n->arg)) &&
	          (info = nla_nest_start(m, IFLA_LINKINFO)) &&
	          nla_put_string(m, IFLA_INFO_KIND, n->kind) >= 0 &&
	          (data = nla_nest_start(m, IFLA_INFO_DATA)) &&
	          n->data(m, n->arg);

	if (ok) {
		nla_nest_end(m, data);
		nla_nest_end(m, info);
	}
	return rtnl_try(r, m, ok, words);
}

/* IN6_ADDR_GEN_MODE_NONE. Where the host has no IPv6 there is nothing to keep
 * it from. */
static int no_address(struct rtnl *r, unsigned ifindex)
{
	struct nl_msg *m = message(RTM_SETLINK, 0, ifindex, false);
	struct nlattr *spec, *inet6;
	char words[RTNL_WORDS];
	bool ok = m && (spec = nla_nest_start(m, IFLA_AF_SPEC)) &&
	          (inet6 = nla_nest_start(m, AF_INET6)) &&
	          nla_put_u8(m, IFLA_INET6_ADDR_GEN_MODE, 1) >= 0;
	int e;

	if (ok) {
		nla_nest_end(m, inet6);
		nla_nest_end(m, spec);
	}
	e = rtnl_try(r, m, ok, words);
	return e == -EAFNOSUPPORT || e == -EOPNOTSUPP ? 0 : e;
}

static int set_text(struct rtnl *r, unsigned ifindex, int attr,
                    const char *text, char words[static RTNL_WORDS])
{
	struct nl_msg *m = message(RTM_SETLINK, 0, ifindex, false);

	return rtnl_try(r, m, m && nla_put_string(m, attr, text) >= 0, words);
}

int rtnl_link_u32(struct rtnl *r, unsigned ifindex, int attr, uint32_t v,
                  char words[static RTNL_WORDS])
{
	struct nl_msg *m = message(RTM_SETLINK, 0, ifindex, false);

	return rtnl_try(r, m, m && nla_put_u32(m, attr, v) >= 0, words);
}

int rtnl_link_up(struct rtnl *r, const char *name,
                 char words[static RTNL_WORDS])
{
	return rtnl_try(r, message(RTM_SETLINK, 0, if_nametoindex(name), true),
	                true, words);
}

int rtnl_link_down(struct rtnl *r, const char *name,
                   char words[static RTNL_WORDS])
{
	struct nl_msg *m = message(RTM_SETLINK, 0, if_nametoindex(name), false);
	struct ifinfomsg *i = m ? nlmsg_data(nlmsg_hdr(m)) : NULL;

	if (i)
		i->ifi_change = IFF_UP;
	return rtnl_try(r, m, i != NULL, words);
}

int rtnl_remove_link(struct rtnl *r, const char *name,
                     char words[static RTNL_WORDS])
{
	unsigned ifindex = if_nametoindex(name);

	return ifindex ? rtnl_try(r, message(RTM_DELLINK, 0, ifindex, false),
	                          true, words)
	               : 0;
}

int rtnl_make_link(struct rtnl *r, const struct rtnl_new *n,
                   char words[static RTNL_WORDS])
{
	int e = rtnl_remove_link(r, n->temporary, words);
	unsigned ifindex;

	if (!e)
		e = create(r, n, words);
	ifindex = e ? 0 : if_nametoindex(n->temporary);
	if (!e && !ifindex)
		e = -ENODEV;
	if (!e)
		e = no_address(r, ifindex);
	if (!e)
		e = set_text(r, ifindex, IFLA_IFALIAS, n->mark, words);
	if (!e)
		e = set_text(r, ifindex, IFLA_IFNAME, n->name, words);
	if (e)
		(void)!rtnl_remove_link(r, n->temporary,
		                        (char[RTNL_WORDS]){ "" });
	return e;
}

int rtnl_each_link(struct rtnl *r, int (*decode)(struct nlmsghdr *h, void *arg),
                   void *arg, size_t *n)
{
	struct ifinfomsg i = { .ifi_family = AF_UNSPEC };
	struct nl_msg *m = nlmsg_alloc_simple(RTM_GETLINK, NLM_F_DUMP);

	if (!m)
		return -ENOMEM;
	if (nlmsg_append(m, &i, sizeof(i), NLMSG_ALIGNTO) < 0 ||
	    nla_put_u32(m, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS) < 0) {
		nlmsg_free(m);
		return -ENOMEM;
	}
	return rtnl_dump(r, m, decode, arg, n);
}
