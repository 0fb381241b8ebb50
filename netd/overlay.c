/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Overlays made, changed and removed; overlay.h has the order. */

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "netd/overlay.h"
#include "netd/rtnl-make.h"
#include "netd/tap.h"

/* Names of what is not marked yet; what bears one was left by a crash. */
#define NEW_BRIDGE "flnew-bridge"
#define NEW_VXLAN "flnew-vxlan"

static int refused(const char *what, const char *name, int err,
                   const char *words, struct diag *d)
{
	diag_fail(d, err, FL_NETD_OVERLAY, "cannot %s %s", what, name);
	diag_why(d, "%s%s%s", strerror(-err), *words ? ": " : "", words);
	diag_mend(d, err == -EOPNOTSUPP ? "modprobe -a bridge vxlan"
	                                : "see `ip -d link` and `dmesg`");
	return err;
}

static bool put_ip(struct nl_msg *m, int v4, int v6, const struct pol_ip *ip)
{
	if (!ip->family)
		return true;
	return nla_put(m, ip->family == 4 ? v4 : v6, ip->family == 4 ? 4 : 16,
	               ip->b) >= 0;
}

static bool put_vxlan(struct nl_msg *m, const void *arg)
{
	const struct pol_overlay *o = arg;
	unsigned lower = *o->device ? if_nametoindex(o->device) : 0;

	return nla_put_u32(m, IFLA_VXLAN_ID, o->id) >= 0 &&
	       nla_put_u16(m, IFLA_VXLAN_PORT, htons(o->port)) >= 0 &&
	       nla_put_u8(m, IFLA_VXLAN_LEARNING, o->learning) >= 0 &&
	       (!lower || nla_put_u32(m, IFLA_VXLAN_LINK, lower) >= 0) &&
	       put_ip(m, IFLA_VXLAN_LOCAL, IFLA_VXLAN_LOCAL6, &o->local) &&
	       put_ip(m, IFLA_VXLAN_GROUP, IFLA_VXLAN_GROUP6, &o->group);
}

static bool put_bridge(struct nl_msg *m, const void *arg)
{
	const struct pol_overlay *o = arg;

	return nla_put_u8(m, IFLA_BR_VLAN_FILTERING, o->vlan != 0) >= 0;
}

/* ---- whom it floods to --------------------------------------------------- */

static int flood(struct rtnl *r, unsigned ifindex, const struct pol_ip *ip,
                 bool here, char words[static RTNL_WORDS])
{
	static const uint8_t zero[6];
	struct ndmsg n = { .ndm_family = PF_BRIDGE,
		           .ndm_ifindex = (int)ifindex,
		           .ndm_flags = NTF_SELF,
		           .ndm_state = NUD_NOARP | NUD_PERMANENT };
	struct nl_msg *m = nlmsg_alloc_simple(
		here ? RTM_NEWNEIGH : RTM_DELNEIGH,
		NLM_F_ACK | (here ? NLM_F_CREATE | NLM_F_APPEND : 0));
	bool ok = m && nlmsg_append(m, &n, sizeof(n), NLMSG_ALIGNTO) >= 0 &&
	          nla_put(m, NDA_LLADDR, sizeof(zero), zero) >= 0 &&
	          put_ip(m, NDA_DST, NDA_DST, ip);

	return rtnl_try(r, m, ok, words);
}

static bool has(const struct pol_overlay *o, const struct pol_ip *ip)
{
	for (size_t i = 0; i < o->n_remotes; i++)
		if (pol_ip_equal(&o->remote[i], ip))
			return true;
	return false;
}

/* With none wanted, they are somebody else's. */
static int set_remotes(struct rtnl *r, const struct pol_overlay *o,
                       char words[static RTNL_WORDS])
{
	unsigned ifindex = if_nametoindex(o->dev);
	struct pol_overlay now = { .group = o->group };
	int e = overlay_remotes_read(r, (int)ifindex, &now);

	for (size_t i = 0; !e && o->n_remotes && i < now.n_remotes; i++)
		if (!has(o, &now.remote[i]))
			e = flood(r, ifindex, &now.remote[i], false, words);
	for (size_t i = 0; !e && i < o->n_remotes; i++)
		if (!has(&now, &o->remote[i]))
			e = flood(r, ifindex, &o->remote[i], true, words);
	return e;
}

/* ---- all ----------------------------------------------------------------- */

static bool must_remake(const struct overlay_link *vx,
                        const struct pol_overlay *o)
{
	char lower[IF_NAMESIZE] = "";

	if (vx->lower)
		(void)!if_indextoname((unsigned)vx->lower, lower);
	return !vx->vxlan || vx->o.id != o->id || vx->o.port != o->port ||
	       vx->o.learning != o->learning || strcmp(lower, o->device) != 0 ||
	       !pol_ip_equal(&vx->o.local, &o->local) ||
	       !pol_ip_equal(&vx->o.group, &o->group);
}

static int make_bridge(struct rtnl *r, const struct pol_overlay *o,
                       char words[static RTNL_WORDS])
{
	struct overlay_link l;
	int e = overlay_link_read(r, o->bridge, &l);

	if (e == -ENODEV)
		return rtnl_make_link(
			r,
			&(struct rtnl_new){ .kind = "bridge",
		                            .temporary = NEW_BRIDGE,
		                            .name = o->bridge,
		                            .mark = POL_OVERLAY_MARK,
		                            .data = put_bridge,
		                            .arg = o },
			words);
	if (e || l.filtering == (o->vlan != 0))
		return e;
	return rtnl_bridge_filtering(r, o->bridge, o->vlan != 0, words);
}

/* Of other ids, or, for a bridge that is to have none, all. */
static int drop_strays(struct rtnl *r, const char *bridge, const char *but,
                       char words[static RTNL_WORDS])
{
	char name[POL_IFNAME];
	int e;

	do {
		e = overlay_stray(r, (int)if_nametoindex(bridge), but, name);
		if (!e && *name)
			e = rtnl_remove_link(r, name, words);
	} while (!e && *name);
	return e;
}

static int make_tunnel(struct rtnl *r, const struct pol_overlay *o,
                       char words[static RTNL_WORDS])
{
	struct overlay_link l;
	int e = overlay_link_read(r, o->dev, &l);

	if (!e && must_remake(&l, o)) {
		e = rtnl_remove_link(r, o->dev, words);
		if (!e)
			e = -ENODEV;
	}
	if (e == -ENODEV)
		e = rtnl_make_link(r,
		                   &(struct rtnl_new){ .kind = "vxlan",
		                                       .temporary = NEW_VXLAN,
		                                       .name = o->dev,
		                                       .mark = POL_OVERLAY_MARK,
		                                       .data = put_vxlan,
		                                       .arg = o },
		                   words);
	return e;
}

static int place_tunnel(struct rtnl *r, const struct pol_overlay *o,
                        char words[static RTNL_WORDS])
{
	unsigned dev = if_nametoindex(o->dev);
	int e = rtnl_link_u32(r, dev, IFLA_MTU, o->mtu, words);

	return e ? e
	         : rtnl_link_u32(r, dev, IFLA_MASTER, if_nametoindex(o->bridge),
	                         words);
}

static int set_up(struct rtnl *r, const char *name, bool up,
                  char words[static RTNL_WORDS])
{
	return up ? rtnl_link_up(r, name, words)
	          : rtnl_link_down(r, name, words);
}

/* Each step was acknowledged; somebody else may have undone one since. */
static int read_back(struct rtnl *r, const struct pol_overlay *o)
{
	struct overlay_link vx, bridge;
	int e = overlay_link_read(r, o->dev, &vx);

	if (!e)
		e = overlay_link_read(r, o->bridge, &bridge);
	if (e)
		return e;
	return vx.up == !o->dev_down && bridge.up == !o->bridge_down &&
	                       vx.mtu == o->mtu &&
	                       vx.master == bridge.ifindex &&
	                       !must_remake(&vx, o)
	               ? 0
	               : -EIO;
}

static int make(struct rtnl *r, const struct pol_overlay *o, struct diag *d)
{
	char words[RTNL_WORDS] = "";
	struct rtnl_bridge bridge = { 0 };
	int e = make_bridge(r, o, words);

	if (e)
		return refused("make bridge", o->bridge, e, words, d);
	e = drop_strays(r, o->bridge, o->dev, words);
	if (e)
		return refused("remove another id's tunnel of", o->bridge, e,
		               words, d);
	e = make_tunnel(r, o, words);
	if (e)
		return refused("make the tunnel", o->dev, e, words, d);
	e = place_tunnel(r, o, words);
	if (e)
		return refused("put into its bridge", o->dev, e, words, d);
	if (o->vlan)
		e = rtnl_bridge_read(r, o->bridge, &bridge, d);
	if (!e && o->vlan)
		e = rtnl_port_vlan(r, o->dev, o->vlan, bridge.pvid, d);
	if (e)
		return e;
	e = set_remotes(r, o, words);
	if (e)
		return refused("set the remotes of", o->dev, e, words, d);
	e = set_up(r, o->dev, !o->dev_down, words);
	if (!e)
		e = set_up(r, o->bridge, !o->bridge_down, words);
	if (!e)
		e = read_back(r, o);
	return e ? refused("bring up", o->bridge, e, words, d) : 0;
}

static int make_bare(struct rtnl *r, const struct pol_overlay *o,
                     struct diag *d)
{
	char words[RTNL_WORDS] = "";
	int e = make_bridge(r, o, words);

	if (!e)
		e = drop_strays(r, o->bridge, "", words);
	if (!e)
		e = set_up(r, o->bridge, !o->bridge_down, words);
	return e ? refused("leave without a tunnel", o->bridge, e, words, d)
	         : 0;
}

int overlay_make(struct rtnl *r, const struct pol_over *over, struct diag *d)
{
	return over->bare ? make_bare(r, &over->o, d) : make(r, &over->o, d);
}

/* A tunnel may be another bridge's by now. */
static bool is_its(const struct overlay_link *l, const char *bridge)
{
	return l->ours &&
	       (!l->master || l->master == (int)if_nametoindex(bridge));
}

int overlay_remove(struct rtnl *r, const struct pol_over *over, struct diag *d)
{
	char words[RTNL_WORDS] = "";
	const char *const name[] = { over->o.dev, over->o.bridge };
	struct overlay_link l;
	int e = drop_strays(r, over->o.bridge, over->o.dev, words);

	if (e && e != -ENODEV)
		return refused("remove", over->o.bridge, e, words, d);
	for (size_t i = 0; i < ARRAY_SIZE(name); i++) {
		e = overlay_link_read(r, name[i], &l);
		if (!e && is_its(&l, over->o.bridge))
			e = rtnl_remove_link(r, name[i], words);
		if (e && e != -ENODEV)
			return refused("remove", name[i], e, words, d);
	}
	return 0;
}
