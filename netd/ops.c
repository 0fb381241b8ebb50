/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Actions on the real machine. A VF's address is read when its turn comes:
 * the plan's is foretold, and the capability may say otherwise once numvfs
 * has changed (PCIe 6.0 9.3.3.9).
 */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "netd/nvme.h"
#include "netd/overlay.h"
#include "netd/ovs.h"
#include "netd/refused.h"
#include "netd/stuck.h"
#include "netd/switch.h"
#include "netd/vectors.h"

static int op_autoprobe(void *ctx, const struct pol_action *a, struct diag *d)
{
	const struct machine *m = ctx;

	return sriov_set_autoprobe(m->env->root_fd, a->pf, a->number, d);
}

static int op_numvfs(void *ctx, const struct pol_action *a, struct diag *d)
{
	const struct machine *m = ctx;
	int r = refused_forget(m->env->state_fd, a->pf, d);

	if (!r)
		r = sriov_set_numvfs(m->env->root_fd, a->pf, a->number, d);
	if (!r)
		ovs_sweep(m->env);
	return r;
}

static bool all_named(const struct pol_action *a, size_t n)
{
	size_t i = 0;

	while (i < n && *a[i].ifname)
		i++;
	return i == n;
}

/* A PF that a driver has just been given back to had no interface when the
 * plan was made. */
static struct pol_action *with_ifname(const struct pol_action *a, size_t n,
                                      const struct sriov_fn *f)
{
	struct pol_action *named = reallocarray(NULL, n, sizeof(*named));

	for (size_t i = 0; named && i < n; i++) {
		named[i] = a[i];
		if (!*named[i].ifname)
			snprintf(named[i].ifname, sizeof(named[i].ifname), "%s",
			         f->ifname);
	}
	return named;
}

/* One link and its VFs being set; what it refuses, and may, is noted. */
struct setting {
	const struct machine *m;
	const struct pol_action *a;
	size_t n;
	char driver[SRIOV_NAME];
	struct refused refused;
	bool noted;
};

static int pass_over(struct setting *s, const struct pol_action *a, int err,
                     struct diag *d)
{
	int state_fd = s->m->env->state_fd, r = 0;
	struct refused *n = &s->refused;

	/* Of some switches a VF's MAC is its port's alone. */
	if (a->op == POL_OP_VF_MAC && !op_function_mac(s->m, a)) {
		memset(d, 0, sizeof(*d));
		return 0;
	}
	if (!a->may_fail || !rtnl_unsupported(a, err))
		return err;
	if (!s->noted)
		r = refused_read(state_fd, a->pf, n);
	/* Another driver's are nothing to this one. */
	if (!r && strcmp(n->driver, s->driver) != 0)
		n->n = 0;
	snprintf(n->driver, sizeof(n->driver), "%s", s->driver);
	if (!r)
		r = refused_add(n, a, err, observe_speed(s->m->env, a->ifname),
		                d->why);
	if (r)
		return diag_fail(d, -ENOMEM, FL_NETD_MEMORY, "no memory");
	s->noted = true;
	memset(d, 0, sizeof(*d));
	return 0;
}

#define CARRIER_TRIES 50
#define CARRIER_STEP_NS 100000000l

/* How many come first: some drivers compare a VF's rate with the speed of the
 * link, and refuse any while that has just gone up and has none yet. */
static size_t before_rates(const struct setting *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->a[i].op == POL_OP_VF_RATE)
			for (size_t k = 0; k < i; k++)
				if (s->a[k].op == POL_OP_PF_LINK &&
				    s->a[k].number)
					return k + 1;
	return 0;
}

/* A cable that is not there is waited for, too, once. */
static int up_first(struct setting *s, size_t *ret_done, struct diag *d)
{
	const struct timespec step = { .tv_nsec = CARRIER_STEP_NS };
	size_t n = before_rates(s);
	int r = n ? rtnl_set(s->m->rtnl, s->a, n, s->driver, ret_done, d) : 0;

	for (int i = 0; n && !r && i < CARRIER_TRIES &&
	                !observe_speed(s->m->env, s->a->ifname);
	     i++)
		nanosleep(&step, NULL);
	return r;
}

static int set_link(struct setting *s, size_t *ret_done, struct diag *d)
{
	int r = up_first(s, ret_done, d);

	while (!r && *ret_done < s->n) {
		const struct pol_action *a = &s->a[*ret_done];
		size_t done = 0;

		r = rtnl_set(s->m->rtnl, a, s->n - *ret_done, s->driver, &done,
		             d);
		*ret_done += done;
		if (r)
			r = pass_over(s, &a[done], r, d);
		else
			continue;
		*ret_done += !r;
	}
	return r;
}

static int op_many(void *ctx, const struct pol_action *a, size_t n,
                   size_t *ret_done, struct diag *d)
{
	_cleanup_free_ struct pol_action *named = NULL;
	struct setting s = { .m = ctx, .a = a, .n = n };
	int root_fd = s.m->env->root_fd, r, e;
	struct sriov_fn f;

	sriov_fn_driver(root_fd, a->pf, s.driver);
	if (!all_named(a, n) && !sriov_fn_look(root_fd, a->pf, &f)) {
		s.a = named = with_ifname(a, n, &f);
		if (!named)
			return diag_fail(d, -ENOMEM, FL_NETD_MEMORY,
			                 "no memory");
	}
	*ret_done = 0;
	r = set_link(&s, ret_done, d);
	e = s.noted ? refused_write(s.m->env->state_fd, a->pf, &s.refused,
	                            r ? NULL : d)
	            : 0;
	refused_clear(&s.refused);
	return r ? r : e;
}

static int op_netlink(void *ctx, const struct pol_action *a, struct diag *d)
{
	size_t done;

	return op_many(ctx, a, 1, &done, d);
}

int op_vf_address(const struct machine *m, const struct pol_action *a,
                  struct bdf *ret, struct diag *d)
{
	_cleanup_free_ struct sriov_pf *pf = calloc(1, sizeof(*pf));
	char b[BDF_STRLEN];
	int r;

	if (!pf)
		return diag_fail(d, -ENOMEM, FL_NETD_MEMORY, "no memory");
	r = sriov_pf_read(m->env->root_fd, a->pf, pf, d);
	if (r)
		return r;
	if (a->vf < 0 || (unsigned)a->vf >= pf->num_vfs) {
		diag_fail(d, -ENODEV, FL_NETD_DEVICE, "%s has no VF %d",
		          bdf_format(a->pf, b), a->vf);
		diag_why(d, "it has %u", pf->num_vfs);
		diag_mend(d, "somebody else removed it: fairlead apply FILE");
		return -ENODEV;
	}
	*ret = pf->vf[a->vf];
	return 0;
}

static int op_driver(void *ctx, const struct pol_action *a, struct diag *d)
{
	const struct machine *m = ctx;
	struct bdf vf = { 0 };
	int r = op_vf_address(m, a, &vf, d);

	if (r)
		return r;
	if (!strcmp(a->driver, POL_DRIVER_DEFAULT))
		return sriov_bind_default(m->env->root_fd, vf, d);
	return sriov_bind_to(m->env->root_fd, vf, a->driver, a->override, d);
}

static int op_msix(void *ctx, const struct pol_action *a, struct diag *d)
{
	const struct machine *m = ctx;
	struct bdf vf = { 0 };
	int r = op_vf_address(m, a, &vf, d);

	if (!r)
		r = sriov_set_msix(m->env->root_fd, vf, a->number, d);
	if (!r && !sriov_msix_count(m->env->root_fd, vf))
		r = vectors_note(m->env, vf, a->number, d);
	return r;
}

static int op_device(void *ctx, const struct pol_action *a, struct diag *d)
{
	const struct machine *m = ctx;

	return sriov_bind_to(m->env->root_fd, a->pf, a->driver, a->override, d);
}

static int op_overlay(void *ctx, const struct pol_action *a, struct diag *d)
{
	const struct machine *m = ctx;

	if (a->over->o.ovs)
		return a->op == POL_OP_OVERLAY
		               ? ovs_bridge_make(m->env, &a->over->o, d)
		               : ovs_bridge_remove(m->env, &a->over->o, d);
	return a->op == POL_OP_OVERLAY ? overlay_make(m->rtnl, a->over, d)
	                               : overlay_remove(m->rtnl, a->over, d);
}

static int op_observe(void *ctx, const struct observing *what,
                      struct pol_state **ret, struct diag *d)
{
	struct machine *m = ctx;

	return observe(m->env, m->rtnl, what, ret, d);
}

static int op_observe_more(void *ctx, struct pol_state *seen,
                           const struct pol_state *want, struct diag *d)
{
	const struct machine *m = ctx;
	int r = overlay_observe(m, seen, want, d);

	if (r)
		return r;
	r = observe_overrides(m->env, seen, want);
	if (!r)
		r = observe_switch_more(m->rtnl, seen, want);
	if (!r)
		return 0;
	diag_fail(d, r, FL_NETD_DEVICE, "cannot read a device's settings: %s",
	          strerror(-r));
	diag_mend(d, "see `dmesg`; one that was pulled meanwhile is gone when "
	             "you try again");
	return r;
}

/* A socket that two processes ask on gives each the other's answers. And one
 * that hangs must not keep the lock when its worker has ended. */
static int op_enter(void *ctx, struct diag *d)
{
	struct machine *m = ctx;

	if (m->lock)
		close_fd(m->lock);
	rtnl_close(m->rtnl);
	m->rtnl = NULL;
	return rtnl_open(&m->rtnl, d);
}

static bool op_hangs(void *ctx, struct bdf pf, const char *what)
{
	const struct machine *m = ctx;

	return stuck_probe(m->env, pf, what);
}

const struct apply_ops machine_ops = {
	.enter = op_enter,
	.hangs = op_hangs,
	.act = {
		[POL_OP_AUTOPROBE] = op_autoprobe,
		[POL_OP_PF_MTU] = op_netlink,
		[POL_OP_NUMVFS] = op_numvfs,
		[POL_OP_PARAM] = op_param,
		[POL_OP_ESWITCH] = op_eswitch,
		[POL_OP_PF_LINK] = op_netlink,
		[POL_OP_VF_MAC] = op_netlink,
		[POL_OP_VF_VLAN] = op_netlink,
		[POL_OP_VF_RATE] = op_netlink,
		[POL_OP_VF_SPOOF] = op_netlink,
		[POL_OP_VF_TRUST] = op_netlink,
		[POL_OP_VF_RSS] = op_netlink,
		[POL_OP_VF_LINK] = op_netlink,
		[POL_OP_GROUP] = op_group,
		[POL_OP_VF_GROUP] = op_vf_group,
		[POL_OP_GROUP_DEL] = op_group_del,
		[POL_OP_BRIDGE] = op_bridge,
		[POL_OP_PORT] = op_port,
		[POL_OP_VF_MSIX] = op_msix,
		[POL_OP_NVME_KEEP] = op_nvme,
		[POL_OP_VF_RESOURCES] = op_nvme,
		[POL_OP_VF_DRIVER] = op_driver,
		[POL_OP_OVERLAY] = op_overlay,
		[POL_OP_OVERLAY_GONE] = op_overlay,
		[POL_OP_DEV_DRIVER] = op_device,
	},
	.together = rtnl_together,
	.many = op_many,
	.observe = op_observe,
	.observe_more = op_observe_more,
};

int machine_open(const struct env *e, struct machine *ret, struct diag *d)
{
	struct machine m = { .env = e };
	int r = rtnl_open(&m.rtnl, d);

	if (!r)
		*ret = m;
	return r;
}

void machine_close(struct machine *m)
{
	rtnl_close(m->rtnl);
	m->rtnl = NULL;
}
