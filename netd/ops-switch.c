/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Actions on the switch of a PF. The instance and the ports are looked up when
 * an action's turn comes: the one before may have made them.
 */

#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "netd/bridge.h"
#include "netd/devlink.h"
#include "netd/ovs.h"
#include "netd/switch.h"

#define WAIT_MS 30000u
#define STEP_NS 20000000l

/* An action and what it is on. */
struct spot {
	const struct machine *m;
	const struct pol_action *a;
	struct devlink *dl;
	struct devlink_view v;
	struct devlink_target t;
	unsigned ifindex; /* of the PF */
	char text[DIAG_LINE];
};

static void spot_close(struct spot *s)
{
	devlink_view_free(&s->v);
	devlink_close(s->dl);
}

static int no_instance(const struct spot *s, struct diag *d)
{
	char b[BDF_STRLEN];

	diag_fail(d, -ENODEV, FL_NETD_NO_DEVLINK, "cannot %s", s->text);
	diag_why(d, "no devlink instance has the interface of %s",
	         bdf_format(s->a->pf, b));
	diag_mend(d, "see `devlink port show` and `lspci -k -s %s`", b);
	return -ENODEV;
}

static int look(struct spot *s)
{
	struct sriov_fn f = { 0 };

	devlink_view_free(&s->v);
	if (sriov_fn_look(s->m->env->root_fd, s->a->pf, &f) < 0)
		return -ENODEV;
	s->ifindex = *f.ifname ? if_nametoindex(f.ifname) : 0;
	return devlink_view_read(s->dl, &s->v);
}

static void unanswered(const struct spot *s, int err, struct diag *d)
{
	diag_fail(d, err, FL_NETD_DEVLINK, "cannot %s: %s", s->text,
	          strerror(-err));
	diag_mend(d, "see whether `devlink port show` answers; then `dmesg`");
}

static int spot_open(const struct machine *m, const struct pol_action *a,
                     struct spot *s, struct diag *d)
{
	int r;

	memset(s, 0, sizeof(*s));
	s->m = m;
	s->a = a;
	pol_action_text(a, s->text, sizeof(s->text));
	r = devlink_open(&s->dl, d);
	if (!r)
		r = look(s);
	s->t = (struct devlink_target){ .dl = s->dl,
		                        .h = devlink_of(&s->v, s->ifindex),
		                        .what = s->text };
	if (!r && !s->t.h)
		r = no_instance(s, d);
	else if (r && d && !d->code)
		unanswered(s, r, d);
	return r;
}

/* ---- on the instance ----------------------------------------------------- */

static int set_mode(struct spot *s, struct diag *d)
{
	const struct timespec step = { .tv_nsec = STEP_NS };
	uint64_t end = now_ns() + WAIT_MS * 1000000ull;
	int r = devlink_set_mode(&s->t, s->a->number, d);

	/* Some drivers make the PF's own interface anew. */
	while (!r && now_ns() < end) {
		if (!look(s) && devlink_of(&s->v, s->ifindex)) {
			ovs_sweep(s->m->env);
			return 0;
		}
		nanosleep(&step, NULL);
	}
	return r ? r : no_instance(s, d);
}

static int set_param(struct spot *s, struct diag *d)
{
	return devlink_set_param(&s->t, &s->a->param, d);
}

static int set_group(struct spot *s, struct diag *d)
{
	return devlink_set_group(&s->t, &s->a->group, s->a->number, d);
}

static int del_group(struct spot *s, struct diag *d)
{
	return devlink_del_group(&s->t, s->a->group.name, d);
}

static int on_instance(void *ctx, const struct pol_action *a,
                       int (*fn)(struct spot *s, struct diag *d),
                       struct diag *d)
{
	struct spot s;
	int r = spot_open(ctx, a, &s, d);

	if (!r)
		r = fn(&s, d);
	spot_close(&s);
	return r;
}

int op_eswitch(void *ctx, const struct pol_action *a, struct diag *d)
{
	return on_instance(ctx, a, set_mode, d);
}

int op_param(void *ctx, const struct pol_action *a, struct diag *d)
{
	return on_instance(ctx, a, set_param, d);
}

int op_group(void *ctx, const struct pol_action *a, struct diag *d)
{
	return on_instance(ctx, a, set_group, d);
}

int op_group_del(void *ctx, const struct pol_action *a, struct diag *d)
{
	return on_instance(ctx, a, del_group, d);
}

/* ---- on a VF's port ------------------------------------------------------ */

static int no_port(const struct spot *s, struct diag *d)
{
	diag_fail(d, -ETIMEDOUT, FL_NETD_REPRESENTOR, "cannot %s", s->text);
	diag_why(d, "the switch showed no port of VF %d within %u s", s->a->vf,
	         WAIT_MS / 1000);
	diag_mend(d, "see `devlink port show` and `dmesg`");
	return -ETIMEDOUT;
}

static int vf_port(struct spot *s, uint32_t *ret_index, struct diag *d)
{
	const struct timespec step = { .tv_nsec = STEP_NS };
	uint64_t end = now_ns() + WAIT_MS * 1000000ull;
	const struct devlink_handle *h;
	const struct devlink_port *p;

	do {
		h = devlink_of(&s->v, s->ifindex);
		p = h ? devlink_vf_port(&s->v, h, (unsigned)s->a->vf) : NULL;
		if (p) {
			s->t.h = &p->h;
			*ret_index = p->index;
			return 0;
		}
		nanosleep(&step, NULL);
	} while (now_ns() < end && !look(s));
	return no_port(s, d);
}

static int set_parent(struct spot *s, struct diag *d)
{
	uint32_t index = 0;
	int r = vf_port(s, &index, d);

	return r ? r : devlink_set_parent(&s->t, index, s->a->group.name, d);
}

int op_vf_group(void *ctx, const struct pol_action *a, struct diag *d)
{
	return on_instance(ctx, a, set_parent, d);
}

int op_function_mac(const struct machine *m, const struct pol_action *a)
{
	const struct devlink_port *p;
	struct spot s;
	int r = spot_open(m, a, &s, NULL);

	p = r ? NULL : devlink_vf_port(&s.v, s.t.h, (unsigned)a->vf);
	r = p && p->has_mac ? devlink_set_mac(&s.t, p->index, a->mac, NULL)
	                    : -EOPNOTSUPP;
	spot_close(&s);
	return r;
}

/* ---- interfaces ---------------------------------------------------------- */

/* Its index, 0 = it is not there yet. */
static unsigned representor(struct spot *s)
{
	const struct devlink_handle *h = devlink_of(&s->v, s->ifindex);
	const struct devlink_port *p =
		h ? devlink_vf_port(&s->v, h, (unsigned)s->a->vf) : NULL;
	const struct net_link *pf, *l = NULL;
	struct net_view n = { 0 };
	unsigned ifindex = 0;

	if (net_view_read(s->m->rtnl, &n, NULL))
		return 0;
	pf = net_find(&n, s->ifindex);
	if (pf)
		l = net_representor(&n, pf, p ? p->pf : s->a->pf.fn,
		                    (unsigned)s->a->vf);
	if (l)
		ifindex = l->ifindex;
	net_view_free(&n);
	return ifindex;
}

static int set_port(struct spot *s, struct diag *d)
{
	const struct timespec step = { .tv_nsec = STEP_NS };
	uint64_t end = now_ns() + WAIT_MS * 1000000ull;
	unsigned ifindex = s->a->vf < 0 ? s->ifindex : representor(s);

	while (!ifindex) {
		nanosleep(&step, NULL);
		if (now_ns() >= end || look(s))
			return no_port(s, d);
		ifindex = representor(s);
	}
	if (s->a->port.ovs || s->a->number_from == POL_MASTER_OVS)
		return ovs_port_set(s->m->env, s->m->rtnl, ifindex, &s->a->port,
		                    s->a->port_set, s->a->vf >= 0, d);
	return bridge_port_set(s->m->rtnl, ifindex, &s->a->port, s->a->port_set,
	                       s->a->vf >= 0, d);
}

int op_port(void *ctx, const struct pol_action *a, struct diag *d)
{
	return on_instance(ctx, a, set_port, d);
}

int op_bridge(void *ctx, const struct pol_action *a, struct diag *d)
{
	const struct machine *m = ctx;

	return bridge_filtering_set(m->rtnl, a->port.bridge, a->number, d);
}
