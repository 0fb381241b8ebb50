/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What status tells of PFs' switches: mode, groups, where their interfaces
 * are, and how the device says it fares; and of vectors. */

#include <net/if.h>
#include <string.h>

#include "netd/devlink.h"
#include "netd/switch.h"

/* Null = in none, or it is not known where. */
static json_t *port_json(uint32_t set, const struct pol_port *p)
{
	json_t *o, *tagged;

	if (!(set & POL_HAS_PORT))
		return json_null();
	o = json_pack("{s:s, s:s, s:s}", "ifname", p->ifname, "bridge",
	              p->bridge, "link", p->up ? "up" : "down");
	if (p->ovs)
		json_object_set_new(o, "bridge-type", json_string("ovs"));
	if (!(set & POL_HAS_PORT_VLAN))
		return o;
	tagged = json_array();
	for (unsigned i = 0; i < p->n_tagged; i++)
		json_array_append_new(tagged,
		                      json_pack("[i, i]", p->tagged[i].first,
		                                p->tagged[i].last));
	json_object_set_new(o, "untagged", json_integer(p->pvid));
	json_object_set_new(o, "tagged", tagged);
	return o;
}

static json_t *groups_json(const struct pol_switch *sw)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < sw->n_groups; i++) {
		const struct pol_group *g = &sw->group[i];

		json_array_append_new(
			list,
			json_pack("{s:s, s:I, s:I, s:I, s:I}", "name", g->name,
		                  "tx-share", (json_int_t)g->share, "tx-max",
		                  (json_int_t)g->max, "tx-priority",
		                  (json_int_t)g->priority, "tx-weight",
		                  (json_int_t)g->weight));
	}
	return list;
}

static void add_health(const struct devlink_health *h, void *arg)
{
	json_array_append_new(
		arg, json_pack("{s:s, s:s, s:I, s:I}", "reporter", h->name,
	                       "state", h->error ? "error" : "healthy",
	                       "errors", (json_int_t)h->errors, "recoveries",
	                       (json_int_t)h->recoveries));
}

json_t *switch_health(struct devlink *dl, const struct devlink_view *v,
                      const char *ifname)
{
	const struct devlink_handle *h = devlink_of(v, if_nametoindex(ifname));
	json_t *list = json_array();

	if (h && !devlink_health_each(dl, h, add_health, list))
		return list;
	json_decref(list);
	return json_null();
}

static void vf_status(const struct pol_vf *v, json_t *o)
{
	json_object_set_new(o, "rate-group",
	                    v->set & POL_HAS_GROUP ? json_string(v->rate_group)
	                                           : json_null());
	json_object_set_new(o, "representor", port_json(v->set, &v->port));
}

static void pf_status(const struct pol_pf *p, json_t *o)
{
	json_t *vfs = json_object_get(o, "vfs");

	json_object_set_new(o, "msix-total", json_integer(p->msix_total));
	for (size_t i = 0; p->msix_total && i < p->n_vfs; i++)
		json_object_set_new(json_array_get(vfs, i), "msix-vectors",
		                    p->vf[i].set & POL_HAS_MSIX
		                            ? json_integer(p->vf[i].msix)
		                            : json_null());
	json_object_set_new(
		o, "embedded-switch-mode",
		p->set & POL_HAS_ESWITCH
			? json_string(p->sw.switchdev ? "switchdev" : "legacy")
			: json_null());
	if (!p->sw.instance)
		return;
	json_object_set_new(o, "rate-groups",
	                    p->set & POL_HAS_GROUPS ? groups_json(&p->sw)
	                                            : json_null());
	json_object_set_new(o, "port", port_json(p->set, &p->sw.port));
	for (size_t i = 0; p->sw.switchdev && i < p->n_vfs; i++)
		vf_status(&p->vf[i], json_array_get(vfs, i));
}

void status_switches(const struct pol_state *s, json_t *pfs)
{
	struct devlink_view v = { .n_ports = 0 };
	struct devlink *dl = NULL;
	bool any = false, known;

	for (size_t i = 0; i < s->n_pfs; i++)
		any |= s->pf[i].sw.instance;
	known = any && !devlink_open(&dl, NULL) && !devlink_view_read(dl, &v);
	for (size_t i = 0; i < s->n_pfs; i++) {
		json_t *o = json_array_get(pfs, i);

		pf_status(&s->pf[i], o);
		if (known && s->pf[i].sw.instance)
			json_object_set_new(
				o, "health",
				switch_health(dl, &v, s->pf[i].ifname));
	}
	devlink_view_free(&v);
	devlink_close(dl);
}
