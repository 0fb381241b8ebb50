/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bridges that netd makes in a plan, with an overlay's tunnel in it or Open
 * vSwitch's: made, changed or removed; and as text. An overlay's MTU is what
 * the underlay's leaves: the outer Ethernet header is not counted by an MTU,
 * but the inner one is, so VXLAN takes 50 bytes over IPv4 and 70 over IPv6.
 *
 * What bears the name and was not made by netd is left alone: refused, but a
 * bridge of Open vSwitch, which ports can be put into, whoever made it.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

#define OVERHEAD_4 50 /* 20 IPv4, 8 UDP, 8 VXLAN, 14 Ethernet */
#define OVERHEAD_6 70

static uint32_t overhead(const struct pol_overlay *o)
{
	return o->local.family == 4 ? OVERHEAD_4 : OVERHEAD_6;
}

const struct pol_over *state_over(const struct pol_state *s, const char *bridge)
{
	for (size_t i = 0; i < s->n_overs; i++)
		if (!strcmp(s->over[i].o.bridge, bridge))
			return &s->over[i];
	return NULL;
}

/* ---- what is to be done -------------------------------------------------- */

static bool same_tunnel(const struct pol_overlay *a,
                        const struct pol_overlay *b)
{
	return a->id == b->id && a->port == b->port &&
	       a->learning == b->learning && a->vlan == b->vlan &&
	       !strcmp(a->dev, b->dev) && !strcmp(a->device, b->device) &&
	       pol_ip_equal(&a->local, &b->local) &&
	       pol_ip_equal(&a->group, &b->group);
}

/* Where none is wanted, they are somebody else's (EVPN). */
static bool same_remotes(const struct pol_overlay *a,
                         const struct pol_overlay *b)
{
	size_t found = 0;

	if (!a->n_remotes)
		return true;

	for (size_t i = 0; i < a->n_remotes; i++)
		for (size_t k = 0; k < b->n_remotes; k++)
			found += pol_ip_equal(&a->remote[i], &b->remote[k]);
	return a->n_remotes == b->n_remotes && found == a->n_remotes;
}

static bool same_links(const struct pol_overlay *a, const struct pol_overlay *b)
{
	return a->mtu == b->mtu && a->dev_down == b->dev_down &&
	       a->bridge_down == b->bridge_down;
}

static int too_large(const struct pol_over *w, const struct pol_over *seen,
                     struct diag *d)
{
	diag_fail(d, -EINVAL, FL_POL_OVERLAY_MTU,
	          "overlay of bridge %s: mtu %u is too large", w->o.bridge,
	          w->o.mtu);
	diag_why(d, "%s has %u, and the tunnel takes %u of it", seen->outer,
	         seen->outer_mtu, overhead(&w->o));
	diag_mend(d, "leave 'mtu' out, or ip link set %s mtu %u", seen->outer,
	          w->o.mtu + overhead(&w->o));
	return -EINVAL;
}

static int no_outer(const struct pol_over *w, struct diag *d)
{
	char local[POL_IP_TEXT];

	diag_fail(d, -ENODEV, FL_POL_OVERLAY_OUTER,
	          "overlay of bridge %s has nothing to go over", w->o.bridge);
	if (*w->o.device)
		diag_why(d, "there is no interface %s", w->o.device);
	else
		diag_why(d, "no interface has the address %s",
		         pol_ip_format(&w->o.local, local));
	diag_mend(d, "see `ip address`; correct 'local' or 'device'");
	return -ENODEV;
}

static int add(struct pol_plan *plan, enum pol_op op, const struct pol_over *w,
               bool remade)
{
	struct pol_action *a = &plan->action[plan->n];
	struct pol_over *copy = malloc(sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	*copy = *w;
	*a = (struct pol_action){ .op = op,
		                  .disruption =
		                          remade ? POL_DIS_LINK : POL_DIS_NONE,
		                  .vf = -1,
		                  .over = copy };
	copy_text(a->ifname, sizeof(a->ifname), w->o.bridge);
	plan->n++;
	return 0;
}

static const char *what_of(const struct pol_over *over)
{
	return over->o.ovs ? "Open vSwitch" : "an overlay";
}

static int is_foreign(const struct pol_over *w, const struct pol_over *seen,
                      struct diag *d)
{
	diag_fail(d, -EEXIST, FL_POL_OVERLAY_TAKEN,
	          "bridge %s of %s: %s is there, and not fairlead's",
	          w->o.bridge, what_of(w), seen->foreign);
	diag_why(d, "what others made is not changed");
	if (w->o.ovs && seen->o.datapath)
		diag_mend(d, "leave 'datapath-type' out; it is %s",
		          pol_ovs_datapath_name(seen->o.datapath));
	else
		diag_mend(d, "name another bridge or id; or ip link del %s",
		          seen->foreign);
	return -EEXIST;
}

static int in_use(const struct pol_over *seen, const char *port, struct diag *d)
{
	diag_fail(d, -EBUSY, FL_POL_IN_USE, "bridge %s of %s cannot be removed",
	          seen->o.bridge, what_of(seen));
	diag_why(d, "%s is in it", port);
	diag_mend(d, "stop the guests whose nics are in it");
	return -EBUSY;
}

/* Will it still be in `bridge` when the plan is done? */
static bool port_stays(const struct pol_port *s, uint32_t seen_set,
                       const struct pol_port *w, uint32_t want_set,
                       const char *bridge)
{
	if (!(seen_set & POL_HAS_PORT) || strcmp(s->bridge, bridge) != 0)
		return false;
	return !(want_set & POL_HAS_PORT) || !strcmp(w->bridge, bridge);
}

/* Its name; NULL = none of this PF's. */
static const char *pf_stays(const struct pol_pf *s, const struct pol_pf *w,
                            const char *bridge)
{
	static const struct pol_vf nothing;
	static const struct pol_pf no_pf;
	bool legacy;

	w = w ? w : &no_pf;
	legacy = w->set & POL_HAS_ESWITCH && !w->sw.switchdev;
	if (port_stays(&s->sw.port, s->set, &w->sw.port, w->set, bridge))
		return s->sw.port.ifname;
	for (size_t i = 0; i < s->n_vfs; i++) {
		const struct pol_vf *v = &s->vf[i];
		const struct pol_vf *wv = state_vf(w, v->index);
		bool goes = legacy ||
		            (w->set & POL_HAS_NUMVFS && w->num_vfs <= v->index);

		wv = wv ? wv : &nothing;
		if (!goes &&
		    port_stays(&v->port, v->set, &wv->port, wv->set, bridge))
			return v->port.ifname;
	}
	return NULL;
}

static int plan_gone(const struct pol_state *want, const struct pol_state *all,
                     const struct pol_over *seen, struct pol_plan *plan,
                     struct diag *d)
{
	const char *port = *seen->ports ? seen->ports : NULL;

	for (size_t i = 0; !port && i < all->n_pfs; i++)
		port = pf_stays(&all->pf[i], state_pf(want, all->pf[i].bdf),
		                seen->o.bridge);
	return port ? in_use(seen, port, d)
	            : add(plan, POL_OP_OVERLAY_GONE, seen, true);
}

/* Another datapath takes all its ports out and in. */
static int plan_ovs(const struct pol_over *w, const struct pol_over *seen,
                    struct pol_plan *plan)
{
	if (seen->there &&
	    (!w->o.datapath || w->o.datapath == seen->o.datapath))
		return 0;
	return add(plan, POL_OP_OVERLAY, w, seen->there);
}

/* Others', and good enough to put ports into. */
static bool can_join(const struct pol_over *w, const struct pol_over *seen)
{
	return w->o.ovs && seen->o.datapath &&
	       (!w->o.datapath || w->o.datapath == seen->o.datapath);
}

/* That of another id than is wanted: in one bridge the two would join. */
static void note_left(const struct pol_over *w, const struct pol_over *seen,
                      struct pol_over *to)
{
	if (seen->o.id && (w->bare || strcmp(seen->o.dev, w->o.dev) != 0))
		copy_text(to->left, sizeof(to->left), seen->o.dev);
}

/* Back to how it was found: somebody had taken its tunnel away. */
static int plan_bare(const struct pol_over *w, const struct pol_over *seen,
                     struct pol_plan *plan)
{
	struct pol_over to = *w;

	if (seen->bare && seen->o.bridge_down == w->o.bridge_down)
		return 0;
	note_left(w, seen, &to);
	return add(plan, POL_OP_OVERLAY, &to, *to.left);
}

static int plan_make(const struct pol_over *w, const struct pol_over *seen,
                     struct pol_plan *plan, struct diag *d)
{
	struct pol_over to = *w;

	if (w->o.ovs)
		return plan_ovs(w, seen, plan);
	if (w->bare)
		return plan_bare(w, seen, plan);
	if (!seen->outer_mtu)
		return no_outer(w, d);
	if (w->o.mtu && w->o.mtu + overhead(&w->o) > seen->outer_mtu)
		return too_large(w, seen, d);
	if (!to.o.mtu)
		to.o.mtu =
			seen->outer_mtu - MIN(overhead(&w->o), seen->outer_mtu);
	if (seen->there && same_tunnel(&to.o, &seen->o) &&
	    same_remotes(&to.o, &seen->o) && same_links(&to.o, &seen->o))
		return 0;
	note_left(w, seen, &to);
	/* One that is away, or in no bridge, carries nothing. */
	return add(plan, POL_OP_OVERLAY, &to,
	           seen->o.id && !same_tunnel(&to.o, &seen->o));
}

int plan_overlays(const struct pol_state *want, const struct pol_state *seen,
                  struct pol_plan *plan, struct diag *d)
{
	int r = 0;

	for (size_t i = 0; !r && i < want->n_overs; i++) {
		const struct pol_over *w = &want->over[i];
		const struct pol_over *s = state_over(seen, w->o.bridge);

		/* Not looked at: unknown.c refuses that of an inventory. */
		if (!w->there || !s)
			continue;
		if (!*s->foreign)
			r = plan_make(w, s, plan, d);
		else if (!can_join(w, s))
			r = is_foreign(w, s, d);
	}
	return r;
}

int plan_overlays_gone(const struct pol_state *want,
                       const struct pol_state *seen, struct pol_plan *plan,
                       struct diag *d)
{
	int r = 0;

	for (size_t i = 0; !r && i < want->n_overs; i++) {
		const struct pol_over *w = &want->over[i];
		const struct pol_over *s = state_over(seen, w->o.bridge);

		if (!w->there && s && s->there)
			r = plan_gone(want, seen, s, plan, d);
	}
	return r;
}

/* ---- what is wanted ------------------------------------------------------ */

static struct pol_over *want_over(struct resolve *r,
                                  const struct pol_overlay *o)
{
	struct pol_over *over = r->want->over;

	for (size_t i = 0; i < r->want->n_overs; i++)
		if (!strcmp(over[i].o.bridge, o->bridge))
			return &over[i];
	over += r->want->n_overs++;
	*over = (struct pol_over){ .there = true, .o = *o };
	return over;
}

static void want_ovs(struct resolve *r, const struct pol_nic_bridge *b)
{
	struct pol_overlay o = { .ovs = true,
		                 .datapath = b->datapath,
		                 .pos = b->pos };

	struct pol_over *over;

	copy_text(o.bridge, sizeof(o.bridge), b->name);
	over = want_over(r, &o);
	/* One of the nics that share it may say nothing of this. */
	if (b->datapath)
		over->o.datapath = b->datapath;
}

int resolve_overlays(struct resolve *r)
{
	const struct pol_policy *p = r->p;
	size_t n = p->n_networks + p->n_nics;

	if (r->only || !n)
		return 0;
	r->want->over = calloc(n, sizeof(*r->want->over));
	if (!r->want->over)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_networks; i++)
		if (p->network[i].overlay.id)
			(void)want_over(r, &p->network[i].overlay);
	for (size_t i = 0; i < p->n_nics; i++)
		if (p->nic[i].bridge.ovs)
			want_ovs(r, &p->nic[i].bridge);
	return 0;
}

/* ---- as text ------------------------------------------------------------- */

static struct pen begin(char *buf, size_t size)
{
	if (size)
		*buf = '\0';
	return (struct pen){ .buf = buf, .size = size };
}

size_t overlay_text(const struct pol_over *over, char *buf, size_t size)
{
	const struct pol_overlay *o = &over->o;
	struct pen pen = begin(buf, size);
	char ip[POL_IP_TEXT];

	if (o->ovs) {
		ovs_bridge_text(o, false, &pen);
		return pen.n;
	}
	if (over->bare) {
		pen_put(&pen, "leave bridge %s without its tunnel %s",
		        o->bridge, over->left);
		return pen.n;
	}
	pen_put(&pen, "make overlay %u in bridge %s by %s from %s", o->id,
	        o->bridge, o->dev, pol_ip_format(&o->local, ip));
	if (o->group.family)
		pen_put(&pen, " to group %s", pol_ip_format(&o->group, ip));
	for (size_t i = 0; i < o->n_remotes; i++)
		pen_put(&pen, "%s %s", i ? "," : " to",
		        pol_ip_format(&o->remote[i], ip));
	pen_put(&pen, ", mtu %u", o->mtu);
	if (*over->left)
		pen_put(&pen, ", in place of %s", over->left);
	return pen.n;
}

size_t overlay_gone_text(const struct pol_over *over, char *buf, size_t size)
{
	struct pen pen = begin(buf, size);

	if (over->o.ovs)
		ovs_bridge_text(&over->o, true, &pen);
	else if (!over->o.id)
		pen_put(&pen, "remove bridge %s, which has no tunnel",
		        over->o.bridge);
	else
		pen_put(&pen, "remove overlay %u and its bridge %s", over->o.id,
		        over->o.bridge);
	return pen.n;
}

/* The tunnel is removed first, so that it is the same from whatever was; the
 * mark is by what netd knows both again. */
size_t overlay_command(const struct pol_over *over, char *buf, size_t size)
{
	static const char ours[] =
		"addrgenmode none alias '" POL_OVERLAY_MARK "'";
	const struct pol_overlay *o = &over->o;
	struct pen pen = begin(buf, size);
	char ip[POL_IP_TEXT];

	if (o->ovs) {
		ovs_bridge_command(o, false, &pen);
		return pen.n;
	}
	if (*over->left)
		pen_put(&pen, "ip link del %s; ", over->left);
	pen_put(&pen,
	        "[ -e /sys/class/net/%s ] || ip link add %s type bridge; ip "
	        "link set %s %s type bridge vlan_filtering %d",
	        o->bridge, o->bridge, o->bridge, ours, o->vlan ? 1 : 0);
	if (over->bare) {
		pen_put(&pen, " && ip link set %s %s", o->bridge,
		        o->bridge_down ? "down" : "up");
		return pen.n;
	}
	pen_put(&pen,
	        "; [ ! -e /sys/class/net/%s ] || ip link del %s; ip link add "
	        "%s mtu %u type vxlan id %u local %s dstport %u %slearning",
	        o->dev, o->dev, o->dev, o->mtu, o->id,
	        pol_ip_format(&o->local, ip), o->port, o->learning ? "" : "no");
	if (o->group.family)
		pen_put(&pen, " group %s", pol_ip_format(&o->group, ip));
	if (*o->device)
		pen_put(&pen, " dev %s", o->device);
	pen_put(&pen, " && ip link set %s master %s %s", o->dev, o->bridge,
	        ours);
	if (o->vlan)
		pen_put(&pen,
		        " && bridge vlan del dev %s vid 1 && bridge vlan add dev "
		        "%s vid %u pvid untagged",
		        o->dev, o->dev, o->vlan);
	for (size_t i = 0; i < o->n_remotes; i++)
		pen_put(&pen, " && bridge fdb append 0:0:0:0:0:0 dev %s dst %s",
		        o->dev, pol_ip_format(&o->remote[i], ip));
	pen_put(&pen, " && ip link set %s up && ip link set %s up", o->dev,
	        o->bridge);
	return pen.n;
}

size_t overlay_gone_command(const struct pol_over *over, char *buf, size_t size)
{
	struct pen pen = begin(buf, size);

	if (over->o.ovs) {
		ovs_bridge_command(&over->o, true, &pen);
		return pen.n;
	}
	/* It may be another bridge's by now. */
	if (*over->o.dev)
		pen_put(&pen,
		        "[ ! -e /sys/class/net/%s/brif/%s ] || ip link del "
		        "%s; ",
		        over->o.bridge, over->o.dev, over->o.dev);
	pen_put(&pen, "ip link del %s", over->o.bridge);
	return pen.n;
}
