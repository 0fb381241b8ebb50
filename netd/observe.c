/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine as a pol_state: functions and drivers from sysfs, attributes of
 * VFs from rtnetlink, groups from sysfs, holders from proc, labels from the
 * leases. What a driver does not report is not set; it is never taken for 0.
 */

#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "iommu/iommu.h"
#include "irq-remap/irq-remap.h"
#include "netd/ledger.h"
#include "netd/modules.h"
#include "netd/nvme.h"
#include "netd/stuck.h"
#include "netd/switch.h"
#include "netd/vectors.h"

#define MAKING_TRIES 40
#define MAKING_STEP_NS 50000000l

struct observer {
	const struct env *env;
	struct rtnl *rtnl;
	const struct observing *what;
	struct sriov_holders *holders;
	struct ledger book;
	struct pol_state *s;
	size_t room;
	struct sriov_pf pf;    /* the one being read */
	struct rtnl_link link; /* its link */
	bool msix;             /* it shares out vectors */
	struct iommu_group group;
	struct stuck stuck;
	struct stuck_pfs pfs;
	struct diag *d;
};

const struct pol_pf *state_find_pf(const struct pol_state *s, struct bdf b)
{
	for (size_t i = 0; i < s->n_pfs; i++)
		if (bdf_equal(s->pf[i].bdf, b))
			return &s->pf[i];
	return NULL;
}

const struct pol_whole *state_find_whole(const struct pol_state *s,
                                         struct bdf b)
{
	for (size_t i = 0; i < s->n_wholes; i++)
		if (bdf_equal(s->whole[i].bdf, b))
			return &s->whole[i];
	return NULL;
}

const struct pol_vf *state_find_vf(const struct pol_pf *pf, unsigned index)
{
	for (size_t i = 0; i < pf->n_vfs; i++)
		if (pf->vf[i].index == index)
			return &pf->vf[i];
	return NULL;
}

/* ---- a VF ---------------------------------------------------------------- */

static void see_attributes(const struct rtnl_vf *n, struct pol_vf *v)
{
	v->set |= n->has;
	memcpy(v->mac, n->mac, sizeof(v->mac));
	v->vlan = n->vlan;
	v->qos = n->qos;
	v->proto = n->proto;
	v->spoof = n->spoof;
	v->trust = n->trust;
	v->rss = n->rss;
	v->rate_min = n->rate_min;
	v->rate_max = n->rate_max;
	v->link_state = n->link_state;
}

/* The group's first member that a host driver has. */
static void see_blocker(struct observer *o, struct pol_vf *v)
{
	const struct iommu_group *g = &o->group;
	char b[BDF_STRLEN];

	if (v->group < 0 ||
	    iommu_group_read(o->env->root_fd, v->bdf, &o->group, NULL) < 0)
		return;
	for (size_t i = 0; i < g->n; i++) {
		const struct iommu_member *m = &g->member[i];

		if (m->bridge || !*m->driver ||
		    iommu_driver_is_vfio(m->driver) ||
		    bdf_equal(m->bdf, v->bdf))
			continue;
		snprintf(v->blocker, sizeof(v->blocker), "%s (%s)",
		         bdf_format(m->bdf, b), m->driver);
		return;
	}
}

static int see_users(struct observer *o, struct pol_vf *v)
{
	struct sriov_holder h = { 0 };
	const struct ledger_fn *f;
	const struct lease *l;
	size_t k = 0;
	int r = sriov_holders_find(o->holders, o->env->root_fd, v->bdf, &h);

	if (r < 0)
		return r;
	if (r) {
		v->holder_pid = h.pid;
		snprintf(v->holder, sizeof(v->holder), "%.*s", POL_NAME - 1,
		         h.comm);
	}
	f = ledger_find(&o->book, v->bdf);
	if (f && *f->loan.holder) {
		snprintf(v->holder, sizeof(v->holder), "%.*s", POL_NAME - 1,
		         f->loan.holder);
		snprintf(v->label, sizeof(v->label), "loan %.*s",
		         (int)sizeof(v->label) - 6, f->loan.holder);
	}
	l = lease_of_device(&o->env->leases, v->bdf, &k);
	/* A lease that has ended protects nothing: only its holder does. */
	if (l && !l->ending) {
		snprintf(v->holder, sizeof(v->holder), "%s", l->guest);
		v->holder_pid = l->pid;
		snprintf(v->label, sizeof(v->label), "%s/%s", l->guest,
		         l->device[k].name);
	}
	return 0;
}

static int see_driver(struct observer *o, struct pol_vf *v)
{
	struct sriov_fn f;
	int r = sriov_vf_read(o->env->root_fd, v->bdf, &f);

	if (r)
		return r;
	v->group = f.group;
	snprintf(v->driver, sizeof(v->driver), "%s", f.driver);
	snprintf(v->override, sizeof(v->override), "%s", f.override);
	v->set = POL_HAS_DRIVER | POL_HAS_OVERRIDE;
	return 0;
}

static int see_vf(struct observer *o, unsigned index, struct pol_vf *v)
{
	int r;

	v->index = (uint16_t)index;
	v->bdf = o->pf.vf[index];
	v->group = -1;
	r = o->what->no_drivers ? 0 : see_driver(o, v);
	if (r)
		return r;
	see_attributes(&o->link.vf[index], v);
	if (o->what->parts & SEE_ASSIGN)
		see_blocker(o, v);
	if (o->msix)
		v->msix = (uint16_t)sriov_msix_count(o->env->root_fd, v->bdf);
	if (o->msix && !v->msix)
		v->msix = (uint16_t)vectors_noted(o->env, v->bdf);
	v->set |= v->msix ? POL_HAS_MSIX : 0u;
	return see_users(o, v);
}

/* ---- a PF ---------------------------------------------------------------- */

/* VFs that are just being made (by a write that outlived a killed netd) are
 * waited for, and so is what changes. */
static int read_pf(struct observer *o, struct bdf b)
{
	const struct timespec step = { .tv_nsec = MAKING_STEP_NS };
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < MAKING_TRIES; i++) {
		if (i)
			nanosleep(&step, NULL);
		r = sriov_pf_read(o->env->root_fd, b, &o->pf, o->d);
		if (r == -ENODEV && sriov_fn_exists(o->env->root_fd, b))
			r = -EAGAIN;
	}
	return r;
}

/* 0 = not known: a link that is down has none (EINVAL, or -1). */
uint32_t observe_speed(const struct env *e, const char *ifname)
{
	char path[64], text[24];
	uint64_t v;

	snprintf(path, sizeof(path), "sys/class/net/%.15s/speed", ifname);
	return sysfs_read(e->root_fd, path, text, sizeof(text)) >= 0 &&
	                       !parse_u64(text, INT32_MAX, &v)
	               ? (uint32_t)v
	               : 0;
}

static void see_link(struct observer *o, struct pol_pf *p)
{
	memset(&o->link, 0, sizeof(o->link));
	if (!*p->ifname || !o->rtnl ||
	    rtnl_link_read(o->rtnl, p->ifname, if_nametoindex(p->ifname),
	                   &o->link, NULL) < 0)
		return;
	p->link_up = o->link.up;
	p->mtu = o->link.mtu;
	p->set |= POL_HAS_LINK | (p->mtu ? POL_HAS_MTU : 0u);
	p->speed = p->link_up ? observe_speed(o->env, p->ifname) : 0;
	memcpy(p->altname, o->link.altname, sizeof(p->altname));
	memcpy(p->id.mac, o->link.perm_mac, sizeof(p->id.mac));
	p->set |= o->link.has_perm_mac ? POL_HAS_PERM_MAC : 0;
}

static int see_pf(struct observer *o, struct pol_pf *p)
{
	const struct sriov_pf *pf = &o->pf;
	int r = 0;

	*p = (struct pol_pf){ .set = POL_HAS_AUTOPROBE | POL_HAS_NUMVFS,
		              .bdf = pf->fn.bdf,
		              .num_vfs = pf->num_vfs,
		              .autoprobe = pf->autoprobe,
		              .vendor = pf->fn.vendor,
		              .device = pf->fn.device,
		              .total_vfs = pf->total_vfs,
		              .vf_offset = pf->offset,
		              .vf_stride = pf->stride };
	snprintf(p->driver, sizeof(p->driver), "%s", pf->fn.driver);
	snprintf(p->ifname, sizeof(p->ifname), "%s", pf->fn.ifname);
	see_ident(o->env, &pf->fn, &p->id, &p->set);
	modules_variant(o->env, &pf->fn, p->variant);
	see_link(o, p);
	/* The file takes the device's lock: of one that hangs it is not read.
	 */
	p->msix_total = stuck_hangs(&o->stuck, p->bdf)
	                        ? 0
	                        : sriov_msix_total(o->env->root_fd, p->bdf);
	o->msix = p->msix_total;
	if (o->what->parts & SEE_ASSIGN)
		foretell_blocker(o->env, p);
	if (!p->num_vfs)
		return 0;
	p->vf = calloc(p->num_vfs, sizeof(*p->vf));
	if (!p->vf)
		return -ENOMEM;
	p->n_vfs = p->num_vfs;
	for (unsigned i = 0; !r && i < p->num_vfs; i++)
		r = see_vf(o, i, &p->vf[i]);
	return r;
}

/* What can be told without waiting for the driver: among it which card it is,
 * so that a policy finds it still. */
static int see_stuck(struct observer *o, struct bdf b)
{
	int r = sriov_pf_look(o->env->root_fd, b, &o->pf, o->d);

	if (r)
		return r;
	r = see_pf(o, &o->s->pf[o->s->n_pfs]);
	o->s->pf[o->s->n_pfs].stuck = true;
	o->s->pf[o->s->n_pfs].set &= POL_HAS_IDENT;
	return r;
}

static int make_room(struct observer *o)
{
	size_t room = o->room ? 2 * o->room : 8;
	struct pol_pf *pf;

	if (o->s->n_pfs < o->room)
		return 0;
	pf = realloc(o->s->pf, room * sizeof(*pf));
	if (!pf)
		return -ENOMEM;
	o->s->pf = pf;
	o->room = room;
	return 0;
}

static int add_pf(struct bdf b, void *arg)
{
	struct observer *o = arg;
	bool hangs = stuck_hangs(&o->stuck, b);
	int r = make_room(o);

	if (!r)
		r = hangs ? see_stuck(o, b) : read_pf(o, b);

	/* One that has just gone, or has more VFs than we can hold, is none of
	 * ours; it must not hide the others. One that is there and cannot be
	 * read must not pass for gone: nobody would put it back. */
	if (r == -ERANGE ||
	    (r == -ENODEV && !sriov_fn_exists(o->env->root_fd, b))) {
		log_diag(o->env->log, LOG_LVL_DEBUG, o->d);
		memset(o->d, 0, sizeof(*o->d));
		return 0;
	}
	if (r)
		return r;
	if (!hangs)
		r = see_pf(o, &o->s->pf[o->s->n_pfs]);
	o->s->n_pfs++;
	return r;
}

/* ---- all ----------------------------------------------------------------- */

/* Which machine this is, for policies that are for one only. What cannot be
 * read is not known, and such a policy is then refused. */
static void see_machine(struct observer *o)
{
	struct pol_machine *m = &o->s->machine;
	char id[40];

	if (!(o->what->parts & SEE_MACHINE))
		return;
	if (sysfs_read(o->env->root_fd, "proc/sys/kernel/hostname", m->hostname,
	               sizeof(m->hostname)) < 0)
		m->hostname[0] = '\0';
	if (sysfs_read(o->env->root_fd, "etc/machine-id", id, sizeof(id)) < 0 ||
	    !pol_machine_id(id, m->id))
		m->id[0] = '\0';
}

/* Where remapping cannot be told the kernel decides at the attach. */
static void see_host(struct observer *o)
{
	_cleanup_free_ struct iommu_facts *f = calloc(1, sizeof(*f));
	struct irq_facts i = { 0 };

	if (f && !iommu_facts_read(o->env->root_fd, f))
		o->s->iommu = !iommu_facts_check(f, NULL);
	if (!irq_facts_read(o->env->root_fd, &i))
		o->s->remapping = i.remapping != IRQ_FACT_NO;
}

/* Who uses VFs, and which host this is. */
static int see_users_at_all(struct observer *o)
{
	int r = 0;

	/* To look through all processes is most of the work; and nobody holds
	 * through VFIO what no vfio driver has. */
	if (sriov_vfio_has_any(o->env->root_fd))
		r = sriov_holders_read(o->env->root_fd, &o->holders);
	if (r) {
		diag_fail(o->d, r, FL_NETD_DEVICE, "cannot read /proc");
		diag_why(o->d, "%s; so nobody can tell who uses a VF",
		         strerror(-r));
		diag_mend(o->d, "fairlead-netd wants CAP_SYS_PTRACE and "
		                "CAP_DAC_READ_SEARCH, as its unit has it");
		return r;
	}
	see_machine(o);
	return ledger_read(o->env, &o->book, o->d);
}

/* Those of the plan. */
static int see_planned(struct observer *o, const struct pol_plan *plan)
{
	int r = 0;

	for (size_t i = 0; !r && i < plan->n; i++) {
		const struct pol_action *a = &plan->action[i];

		if (a->op < POL_OP_OVERLAY && !state_find_pf(o->s, a->pf))
			r = add_pf(a->pf, o);
	}
	return r;
}

/* To find them takes a look at each function, VFs and all: who were asked
 * whether they answer need not be looked for again. */
static int see_pfs(struct observer *o)
{
	int r = 0;

	if (o->what->plan)
		return see_planned(o, o->what->plan);
	if (!o->pfs.n)
		return sriov_each_pf(o->env->root_fd, add_pf, o);
	for (size_t i = 0; !r && i < o->pfs.n; i++)
		r = add_pf(o->pfs.pf[i], o);
	return r;
}

static void see_switches(struct observer *o, enum stuck_devlink devlink)
{
	bool hangs = devlink == STUCK_DEVLINK_HANGS || o->stuck.devlink_hangs;

	for (size_t i = 0; i < o->s->n_pfs; i++)
		o->s->pf[i].unasked = hangs;
	if (o->rtnl && !hangs && devlink != STUCK_DEVLINK_NONE)
		observe_switches(o->env, o->rtnl, o->s);
}

static int see_all(struct observer *o)
{
	enum stuck_devlink devlink = STUCK_DEVLINK_ANSWERS;
	unsigned ms = o->what->patient_ms;
	unsigned parts = o->what->parts;
	int r = o->what->plan ? 0 : see_users_at_all(o);

	if (parts & SEE_ASSIGN)
		see_host(o);
	if (parts & SEE_SOCKETS)
		observe_sockets(o->env, &o->s->machine);
	if (!r && parts & SEE_PAGES)
		r = observe_pages(o->env, &o->s->machine);
	if (parts & SEE_ANSWERS)
		devlink = stuck_look(o->env, ms ? ms : STUCK_MS, &o->pfs);
	stuck_read(o->env, &o->stuck);
	if (!r)
		r = see_pfs(o);
	/* No PCI at all is a machine without PFs. */
	if (r == -ENOENT && !o->s->n_pfs)
		r = 0;
	if (!r && parts & SEE_SWITCH)
		see_switches(o, devlink);
	if (!r && parts & SEE_WHOLES)
		r = observe_wholes(o->env, o->holders, o->s);
	if (!r && parts & SEE_QUEUES)
		observe_nvme(o->env, o->s);
	ledger_free(&o->book);
	sriov_holders_free(o->holders);
	return r;
}

static void say_unreadable(int err, struct diag *d)
{
	diag_fail(d, err, FL_NETD_DEVICE, "cannot read the devices: %s",
	          strerror(-err));
	diag_mend(d, "see `dmesg` and `ls /sys/bus/pci/devices`; a device that "
	             "was pulled meanwhile is gone when you try again");
}

int observe(const struct env *e, struct rtnl *rtnl,
            const struct observing *what, struct pol_state **ret,
            struct diag *d)
{
	static const struct observing all = { .parts = SEE_ALL };
	struct diag said = { 0 };
	struct observer *o = calloc(1, sizeof(*o));
	int r = -ENOMEM;

	if (o) {
		*o = (struct observer){ .env = e,
			                .rtnl = rtnl,
			                .what = what ? what : &all,
			                .d = &said };
		o->s = calloc(1, sizeof(*o->s));
		r = o->s ? see_all(o) : -ENOMEM;
	}
	if (!r)
		*ret = o->s;
	else if (o)
		pol_state_free(o->s);
	free(o);
	if (r && said.code && d)
		*d = said;
	else if (r)
		say_unreadable(r, d);
	return r;
}
