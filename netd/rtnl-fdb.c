/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's end of a standby in its bridge: which frames go there is told to
 * the bridge, not learnt by it. standby.c says when, and why.
 */

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "netd/priv.h"

static int refused(const char *ifname, int err, const char *words,
                   struct diag *d)
{
	diag_fail(d, err, FL_NETD_TAP, "cannot set what goes to %s", ifname);
	diag_why(d, "%s%s%s", strerror(-err), *words ? ": " : "", words);
	diag_mend(d, "see `bridge fdb show br BRIDGE`: is %s in its bridge?",
	          ifname);
	return err;
}

static struct nl_msg *no_learning(unsigned ifindex)
{
	struct ifinfomsg i = { .ifi_family = AF_BRIDGE,
		               .ifi_index = (int)ifindex };
	struct nl_msg *m = nlmsg_alloc_simple(RTM_SETLINK, NLM_F_ACK);
	struct nlattr *port;

	if (!m)
		return NULL;
	if (nlmsg_append(m, &i, sizeof(i), NLMSG_ALIGNTO) >= 0 &&
	    (port = nla_nest_start(m, IFLA_PROTINFO | NLA_F_NESTED)) &&
	    nla_put_u8(m, IFLA_BRPORT_LEARNING, 0) >= 0) {
		nla_nest_end(m, port);
		return m;
	}
	nlmsg_free(m);
	return NULL;
}

static struct nl_msg *entry(unsigned ifindex, const uint8_t mac[static 6],
                            bool here)
{
	struct ndmsg n = { .ndm_family = PF_BRIDGE,
		           .ndm_ifindex = (int)ifindex,
		           .ndm_flags = NTF_MASTER,
		           .ndm_state = NUD_NOARP };
	int flags = NLM_F_ACK | (here ? NLM_F_CREATE | NLM_F_REPLACE : 0);
	struct nl_msg *m =
		nlmsg_alloc_simple(here ? RTM_NEWNEIGH : RTM_DELNEIGH, flags);

	if (!m)
		return NULL;
	if (nlmsg_append(m, &n, sizeof(n), NLMSG_ALIGNTO) >= 0 &&
	    nla_put(m, NDA_LLADDR, 6, mac) >= 0)
		return m;
	nlmsg_free(m);
	return NULL;
}

static int talk(struct rtnl *r, struct nl_msg *m, char words[static RTNL_WORDS])
{
	return m ? rtnl_talk(r, m, NULL, NULL, words) : -ENOMEM;
}

int rtnl_no_learning(struct rtnl *r, const char *ifname, struct diag *d)
{
	unsigned ifindex = if_nametoindex(ifname);
	char words[RTNL_WORDS] = "";
	int e = ifindex ? talk(r, no_learning(ifindex), words) : -ENODEV;

	return e ? refused(ifname, e, words, d) : 0;
}

int rtnl_fdb(struct rtnl *r, const char *ifname, const uint8_t mac[static 6],
             bool here, struct diag *d)
{
	unsigned ifindex = if_nametoindex(ifname);
	char words[RTNL_WORDS] = "";
	int e = ifindex ? talk(r, entry(ifindex, mac, here), words) : -ENODEV;

	/* None is there, or it has moved to another port: as wanted. */
	if (!here && e == -ENOENT)
		e = 0;
	return e ? refused(ifname, e, words, d) : 0;
}
