/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verb "metrics": what is counted, as JSON. What is not known is null. */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "netd/devlink.h"
#include "netd/guard.h"
#include "netd/ledger.h"
#include "netd/metrics.h"
#include "netd/priv.h"
#include "netd/reconcile.h"
#include "netd/stuck.h"
#include "netd/switch.h"

struct scrape {
	struct work *w;
	struct rtnl *rtnl;
	struct devlink *dl;
	struct devlink_view view;
	json_t *pfs, *health;
	struct sriov_pf pf; /* the one being read */
	struct link_stats stats;
	struct stuck stuck;
};

static json_t *numa_node(int root_fd, struct bdf b)
{
	char path[96], text[16], bdf[BDF_STRLEN];
	uint64_t node;

	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/numa_node",
	         bdf_format(b, bdf));
	if (sysfs_read(root_fd, path, text, sizeof(text)) < 0 ||
	    parse_u64(text, POL_HOST_NODES, &node))
		return json_null();
	return json_integer((json_int_t)node);
}

static json_t *stats_json(const struct vf_stats *v)
{
	json_t *o;

	if (!v->there)
		return json_null();
	o = json_object();
	for (size_t i = 0; i < VF_STATS; i++)
		json_object_set_new(o, vf_stat_names[i],
		                    json_integer((json_int_t)v->v[i]));
	return o;
}

static json_t *vf_json(const struct scrape *s, unsigned i, bool counted)
{
	const struct leases *all = &s->w->env->leases;
	char b[BDF_STRLEN];
	size_t k = 0;
	const struct lease *l = lease_of_device(all, s->pf.vf[i], &k);

	return json_pack("{s:i, s:s, s:s, s:s, s:o}", "index", (int)i, "bdf",
	                 bdf_format(s->pf.vf[i], b), "guest", l ? l->guest : "",
	                 "device", l ? l->device[k].name : "", "stats",
	                 counted ? stats_json(&s->stats.vf[i]) : json_null());
}

/* Errors of the device that its driver has noticed, and what it has recovered
 * of by itself: a reset of it, as a rule. */
static void add_health(struct scrape *s)
{
	json_t *list = switch_health(s->dl, &s->view, s->pf.fn.ifname);
	char b[BDF_STRLEN];

	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *o = json_array_get(list, i);

		json_object_set_new(o, "bdf",
		                    json_string(bdf_format(s->pf.fn.bdf, b)));
		json_object_set_new(o, "ifname", json_string(s->pf.fn.ifname));
	}
	if (json_is_array(list))
		json_array_extend(s->health, list);
	json_decref(list);
}

static int add_pf(struct bdf b, void *arg)
{
	struct scrape *s = arg;
	json_t *vfs = json_array();
	bool counted = false;
	char text[BDF_STRLEN];

	/* One that comes or goes meanwhile is told the next time; one that
	 * hangs, when it is back: whoever reads of it hangs with it. */
	if (stuck_hangs(&s->stuck, b) ||
	    sriov_pf_read(s->w->env->root_fd, b, &s->pf, NULL) < 0) {
		json_decref(vfs);
		return 0;
	}
	if (s->rtnl && *s->pf.fn.ifname &&
	    !rtnl_stats_read(s->rtnl, s->pf.fn.ifname, &s->stats))
		counted = stats_counted(&s->stats, s->pf.fn.driver);
	add_health(s);
	for (unsigned i = 0; i < s->pf.num_vfs; i++)
		json_array_append_new(vfs, vf_json(s, i, counted));
	json_array_append_new(
		s->pfs,
		json_pack("{s:s, s:s, s:s, s:o, s:i, s:i, s:b, s:o}", "bdf",
	                  bdf_format(b, text), "ifname", s->pf.fn.ifname,
	                  "driver", s->pf.fn.driver, "numa-node",
	                  numa_node(s->w->env->root_fd, b), "num-vfs",
	                  s->pf.num_vfs, "total-vfs", s->pf.total_vfs,
	                  "counted", counted, "vfs", vfs));
	return 0;
}

/* Where the endpoint is to listen, and what it is to tell. A policy that cannot
 * be read any more says neither. */
static void add_policy(struct work *w)
{
	_cleanup_free_ struct pol_errors *errs = calloc(1, sizeof(*errs));
	struct pol_policy *p = NULL;
	const struct pol_metrics *m;
	struct diag d = { 0 };

	if (!errs || policy_applied(w->env, &p, errs, &d))
		return;
	m = &p->host.metrics;
	if (m->given && m->v6)
		json_object_set_new(w->reply, "listen",
		                    json_sprintf("[::1]:%u", m->port));
	else if (m->given)
		json_object_set_new(w->reply, "listen",
		                    json_sprintf("%u.%u.%u.%u:%u", m->v4[0],
		                                 m->v4[1], m->v4[2], m->v4[3],
		                                 m->port));
	json_object_set_new(w->reply, "names",
	                    json_string(m->names == POL_METRICS_OWN
	                                        ? "fairlead"
	                                        : "sriov-exporter"));
	pol_free(p);
}

/* Who has had which VF, and what is in quarantine. */
static void add_functions(struct work *w)
{
	struct ledger book = { 0 };
	struct diag d = { 0 };

	if (!ledger_read(w->env, &book, &d))
		json_object_set_new(w->reply, "functions", ledger_json(&book));
	ledger_free(&book);
}

static json_t *leases_json(const struct leases *all)
{
	json_t *list = json_array();
	time_t now = time(NULL);

	for (size_t i = 0; i < LEASES_MAX; i++) {
		const struct lease *l = &all->l[i];

		if (!*l->guest || l->ending)
			continue;
		json_array_append_new(
			list,
			json_pack("{s:s, s:I, s:i}", "guest", l->guest, "age",
		                  (json_int_t)MAX(now - l->since, (time_t)0),
		                  "devices", (int)l->n));
	}
	return list;
}

/* What the guard of a tap dropped, by what was wrong with it. */
static void add_drops(json_t *list, const json_t *guards, const struct lease *l,
                      const struct lease_own *own)
{
	json_t *drops = guard_drops(guards, own->what), *n;
	const char *reason;

	json_object_foreach(drops, reason, n) json_array_append_new(
		list,
		json_pack("{s:s, s:s, s:s, s:O}", "guest", l->guest, "nic",
	                  own->name, "reason", reason, "count", n));
	json_decref(drops);
}

static json_t *drops_json(const struct leases *all)
{
	json_t *list = json_array(), *guards = guard_read(all);

	for (size_t i = 0; guards && i < LEASES_MAX; i++)
		for (size_t k = 0; k < all->l[i].n_own; k++)
			if (!strcmp(all->l[i].own[k].kind, "nic"))
				add_drops(list, guards, &all->l[i],
				          &all->l[i].own[k]);
	json_decref(guards);
	return list;
}

static int add_pfs(struct work *w)
{
	struct scrape *s = calloc(1, sizeof(*s));
	enum stuck_devlink devlink;
	int r;

	if (!s)
		return -ENOMEM;
	s->w = w;
	s->pfs = json_array();
	s->health = json_array();
	devlink = stuck_look(w->env, STUCK_MS, NULL);
	stuck_read(w->env, &s->stuck);
	/* Without netlink there are no counters, and all the rest. */
	(void)!rtnl_open(&s->rtnl, &(struct diag){ 0 });
	if (devlink == STUCK_DEVLINK_ANSWERS && !s->stuck.devlink_hangs &&
	    !devlink_open(&s->dl, NULL))
		(void)!devlink_view_read(s->dl, &s->view);
	r = sriov_each_pf(w->env->root_fd, add_pf, s);
	devlink_view_free(&s->view);
	devlink_close(s->dl);
	rtnl_close(s->rtnl);
	json_object_set_new(w->reply, "pfs", s->pfs);
	json_object_set_new(w->reply, "health", s->health);
	free(s);
	return r;
}

int verb_metrics(struct work *w)
{
	int phase = journal_phase(w->env->state_fd, NULL);
	int r = add_pfs(w);

	if (r == -ENOMEM)
		return diag_fail(&w->diag, r, FL_NETD_MEMORY, "no memory");
	add_policy(w);
	add_functions(w);
	if (w->env->reconcile)
		json_object_set_new(w->reply, "reconcile",
		                    reconcile_json(w->env->reconcile));
	json_object_set_new(w->reply, "leases", leases_json(&w->env->leases));
	json_object_set_new(w->reply, "requests", tally_json(&w->env->tally));
	json_object_set_new(w->reply, "spoofs", spoofs_json(&w->env->spoofs));
	json_object_set_new(w->reply, "recoveries",
	                    recoveries_json(&w->env->recoveries));
	json_object_set_new(w->reply, "drops", drops_json(&w->env->leases));
	json_object_set_new(w->reply, "dma-faults",
	                    faults_json(&w->env->faults));
	json_object_set_new(w->reply, "journal",
	                    phase < 0 ? json_null()
	                              : json_string(journal_phase_name(
						(enum journal_phase)phase)));
	if (!r)
		return 0;
	diag_fail(&w->diag, r, FL_NETD_METRICS,
	          "cannot read the machine's functions");
	diag_why(&w->diag, "%s", strerror(-r));
	diag_mend(&w->diag, "see `ls /sys/bus/pci/devices` and `dmesg`");
	return r;
}
