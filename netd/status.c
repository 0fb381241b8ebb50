/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine as it is, read from the kernel for each question. What is not
 * known is null. */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "iommu/iommu.h"
#include "irq-remap/irq-remap.h"
#include "netd/confirm.h"
#include "netd/guard.h"
#include "netd/guests.h"
#include "netd/ledger.h"
#include "netd/nvme.h"
#include "netd/ovs.h"
#include "netd/reconcile.h"
#include "netd/refused.h"
#include "netd/reload.h"
#include "netd/stuck.h"
#include "netd/switch.h"

static json_t *known(uint32_t set, uint32_t has, json_t *v)
{
	if (set & has)
		return v;
	json_decref(v);
	return json_null();
}

/* A process calls itself what it likes, and a name that is cut may end within a
 * character: jansson takes neither, and what has it must not be missing. */
static json_t *holder(const char *label, const char *name, int pid)
{
	const char *who = *label ? label : name;
	json_t *o;

	if (pid)
		o = json_sprintf("%s (pid %d)", who, pid);
	else
		o = json_string(label);
	return o ? o : json_sprintf("? (pid %d)", pid);
}

static const char *proto(uint16_t p)
{
	return p == 0x88a8 ? "802.1ad" : "802.1q";
}

static json_t *rate_json(const struct pol_vf *v)
{
	return json_pack("{s:I, s:I}", "min", (json_int_t)v->rate_min, "max",
	                 (json_int_t)v->rate_max);
}

static json_t *vf_json(const struct pol_vf *v, const struct refused *r)
{
	uint32_t s = v->set;
	char b[BDF_STRLEN], mac[MAC_STRLEN];

	return json_pack(
		"{s:i, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
		"s:o, s:o, s:o}",
		"index", v->index, "bdf", bdf_format(v->bdf, b), "driver",
		v->driver, "mac",
		known(s, POL_HAS_MAC, json_string(mac_format(v->mac, mac))),
		"vlan", known(s, POL_HAS_VLAN, json_integer(v->vlan)), "qos",
		known(s, POL_HAS_VLAN, json_integer(v->qos)), "proto",
		known(s, POL_HAS_VLAN, json_string(proto(v->proto))),
		"spoof-check", known(s, POL_HAS_SPOOF, json_boolean(v->spoof)),
		"trust", known(s, POL_HAS_TRUST, json_boolean(v->trust)),
		"tx-rate", known(s, POL_HAS_RATE, rate_json(v)), "query-rss",
		known(s, POL_HAS_RSS, json_boolean(v->rss)), "link-state",
		known(s, POL_HAS_LINK_STATE,
	              json_string(pol_link_state_name(v->link_state))),
		"group", v->group < 0 ? json_null() : json_integer(v->group),
		"refused", refused_json(r, v->index), "holder",
		holder(v->label, v->holder, v->holder_pid));
}

static json_t *pf_json(const struct env *e, const struct pol_pf *p)
{
	_cleanup_refused_ struct refused r = { 0 };
	json_t *vfs = json_array();
	char b[BDF_STRLEN];

	(void)!refused_read(e->state_fd, p->bdf, &r);
	if (strcmp(r.driver, p->driver) != 0)
		r.n = 0;
	for (size_t i = 0; i < p->n_vfs; i++)
		json_array_append_new(vfs, vf_json(&p->vf[i], &r));
	return json_pack(
		"{s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o}",
		"bdf", bdf_format(p->bdf, b), "ifname", p->ifname, "driver",
		p->driver, "vfio-driver", pol_driver_vfio(p), "total-vfs",
		p->total_vfs, "num-vfs",
		known(p->set, POL_HAS_NUMVFS, json_integer(p->num_vfs)),
		"autoprobe",
		known(p->set, POL_HAS_AUTOPROBE, json_boolean(p->autoprobe)),
		"link",
		known(p->set, POL_HAS_LINK,
	              json_string(p->link_up ? "up" : "down")),
		"mtu", known(p->set, POL_HAS_MTU, json_integer(p->mtu)),
		"speed", p->speed ? json_integer(p->speed) : json_null(), "vfs",
		vfs);
}

/* Whole functions that are given away, or ready to be. */
static bool is_shown(const struct pol_whole *w)
{
	return !w->virtual_fn && (*w->label || iommu_driver_is_vfio(w->driver));
}

static json_t *whole_json(const struct pol_whole *w)
{
	char b[BDF_STRLEN], id[16], class[8];

	snprintf(id, sizeof(id), "%04x:%04x", w->vendor, w->device);
	snprintf(class, sizeof(class), "%04x", w->class_code);
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "bdf",
	                 bdf_format(w->bdf, b), "id", id, "class", class,
	                 "driver", w->driver, "group",
	                 w->group < 0 ? json_null() : json_integer(w->group),
	                 "holder", holder(w->label, w->holder, w->holder_pid));
}

static json_t *host_json(int root_fd)
{
	_cleanup_free_ struct iommu_facts *f = calloc(1, sizeof(*f));
	struct irq_facts i = { .remapping = IRQ_FACT_UNKNOWN,
		               .posting = IRQ_FACT_UNKNOWN };
	bool known_iommu = f && !iommu_facts_read(root_fd, f);

	(void)!irq_facts_read(root_fd, &i);
	return json_pack("{s:o, s:s, s:s, s:s, s:s, s:o}", "iommu",
	                 known_iommu ? json_boolean(!iommu_facts_check(f, NULL))
	                             : json_null(),
	                 "remapping", irq_fact_name(i.remapping),
	                 "remapping-evidence", i.remapping_evidence, "posting",
	                 irq_fact_name(i.posting), "posting-evidence",
	                 i.posting_evidence, "cdev",
	                 known_iommu ? json_boolean(f->cdev) : json_null());
}

/* The interface as it is: put elsewhere or set down, that shows. */
static void nic_state(const struct env *e, const json_t *guards,
                      const char *ifname, json_t *o)
{
	struct pol_port in = { .ovs = false };
	char path[96], text[64];
	int root_fd = e->root_fd;
	json_t *drops;

	json_object_set_new(o, "tap", json_string(ifname));
	snprintf(path, sizeof(path), "sys/class/net/%.15s/master", ifname);
	snprintf(in.ifname, sizeof(in.ifname), "%.15s", ifname);
	if (sysfs_link_name(root_fd, path, text, sizeof(text)) >= 0)
		snprintf(in.bridge, sizeof(in.bridge), "%.15s", text);
	ovs_where(e, &in);
	if (*in.bridge)
		json_object_set_new(o, "bridge", json_string(in.bridge));
	if (in.ovs)
		json_object_set_new(o, "bridge-type", json_string("ovs"));
	snprintf(path, sizeof(path), "sys/class/net/%.15s/operstate", ifname);
	json_object_set_new(o, "state",
	                    sysfs_read(root_fd, path, text, sizeof(text)) < 0
	                            ? json_string("gone")
	                            : json_string(text));
	/* Only where it has a guard: what that dropped. */
	drops = guard_drops(guards, ifname);
	if (drops)
		json_object_set_new(o, "spoof-drops", drops);
}

static json_t *own_json(const struct env *e, const json_t *guards,
                        const struct lease_own *own)
{
	json_t *o = json_pack("{s:s, s:s, s:i}", "kind", own->kind, "name",
	                      own->name, "slot", own->slot);

	if (!strcmp(own->kind, "disk"))
		json_object_set_new(o, "path", json_string(own->what));
	if (!strcmp(own->kind, "nic"))
		nic_state(e, guards, own->what, o);
	return o;
}

static json_t *lease_json(const struct env *e, const json_t *guards,
                          const struct lease *l)
{
	json_t *devices = json_array(), *names = json_array();
	json_t *own = json_array();
	char b[BDF_STRLEN], since[32] = "";
	time_t t = l->since;
	struct tm tm;

	if (gmtime_r(&t, &tm))
		strftime(since, sizeof(since), "%Y-%m-%dT%H:%M:%SZ", &tm);
	for (size_t i = 0; i < l->n; i++) {
		json_array_append_new(
			devices, json_string(bdf_format(l->device[i].bdf, b)));
		json_array_append_new(names, json_string(l->device[i].name));
	}
	for (size_t i = 0; i < l->n_own; i++)
		json_array_append_new(own, own_json(e, guards, &l->own[i]));
	return json_pack("{s:s, s:i, s:s, s:o, s:o, s:o}", "guest", l->guest,
	                 "pid", l->pid, "since", since, "devices", devices,
	                 "names", names, "own", own);
}

static json_t *leases_json(const struct env *e)
{
	json_t *list = json_array(), *guards = guard_read(&e->leases);

	for (size_t i = 0; i < LEASES_MAX; i++)
		if (*e->leases.l[i].guest && !e->leases.l[i].ending)
			json_array_append_new(
				list, lease_json(e, guards, &e->leases.l[i]));
	json_decref(guards);
	return list;
}

static void functions_json(struct work *w)
{
	struct ledger book = { 0 };

	if (!ledger_read(w->env, &book, &w->diag))
		json_object_set_new(w->reply, "functions", ledger_json(&book));
	ledger_free(&book);
}

int verb_status(struct work *w)
{
	json_t *pfs = json_array(), *devices = json_array();
	struct pol_state *s = NULL;
	struct machine m = { 0 };
	int phase = journal_phase(w->env->state_fd, &w->diag);
	int r = MIN(phase, 0);

	if (!r)
		r = machine_open(w->env, &m, &w->diag);
	if (!r)
		r = observe(w->env, m.rtnl, NULL, &s, &w->diag);
	for (size_t i = 0; !r && i < s->n_pfs; i++)
		json_array_append_new(pfs, pf_json(w->env, &s->pf[i]));
	if (!r)
		status_switches(s, pfs);
	if (!r)
		status_nvme(s, pfs);
	for (size_t i = 0; !r && i < s->n_wholes; i++)
		if (is_shown(&s->whole[i]))
			json_array_append_new(devices,
			                      whole_json(&s->whole[i]));
	json_object_set_new(w->reply, "host", host_json(w->env->root_fd));
	json_object_set_new(w->reply, "pfs", pfs);
	json_object_set_new(w->reply, "devices", devices);
	json_object_set_new(w->reply, "leases", leases_json(w->env));
	json_object_set_new(w->reply, "guests", guests_json(w->env));
	functions_json(w);
	json_object_set_new(w->reply, "policy-file",
	                    reload_json(w->env->reload));
	json_object_set_new(w->reply, "reconcile",
	                    reconcile_json(w->env->reconcile));
	json_object_set_new(w->reply, "dma-faults",
	                    faults_json(&w->env->faults));
	json_object_set_new(w->reply, "stuck", stuck_json(w->env));
	json_object_set_new(w->reply, "unconfirmed",
	                    confirm_status(w->env->state_fd));
	if (phase >= 0)
		json_object_set_new(w->reply, "journal",
		                    json_string(journal_phase_name(
					    (enum journal_phase)phase)));
	pol_state_free(s);
	machine_close(&m);
	return r;
}
