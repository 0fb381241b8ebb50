/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The resourceList of the SR-IOV network device plugin for Kubernetes, and
 * nova's device_spec lines. Both only say which functions there are: attributes
 * are set by who uses them, so fairlead's own have to be left alone by those.
 */

#include "cli/formats.h"

#include <string.h>

/* ---- device plugin ------------------------------------------------------- */

/* A resource's name has letters, digits and '_' (its README). */
static void resource_name(const char *name, char ret[static POL_NAME])
{
	snprintf(ret, POL_NAME, "%s", name);
	for (char *c = ret; *c; c++)
		if (*c == '-' || *c == '.')
			*c = '_';
}

/* Is the card to be more than what is at that address, or so called? */
static bool asserts_more(const struct pol_nic *nic)
{
	const struct pol_match *m = &nic->match;

	return (m->by_pci && (m->by_ifname || *nic->ifname)) || m->by_vendor ||
	       m->by_device || m->by_driver || m->by_class || m->by_subvendor ||
	       m->by_subdevice || m->by_serial || m->by_mac || m->by_node ||
	       m->by_root;
}

/* "0000:3b:00.0#0-3", or "eth3#0-3" where the policy knows it by that; then it
 * need not be on this machine. The plugin knows no alternative names. */
static int add_root(struct format *f, size_t nic, const char *ranges,
                    json_t *roots, json_t *names)
{
	const struct pol_match *m = &f->p->nic[nic].match;
	bool more = asserts_more(&f->p->nic[nic]);
	const struct pol_pf *pf = NULL;
	char b[BDF_STRLEN];
	int r = 0;

	if (more || strlen(m->ifname) >= POL_IFNAME || f->recorded)
		r = format_pf(f, nic, &pf);
	if (r)
		return r;
	if (m->by_ifname && !m->by_pci &&
	    (!pf || !strcmp(m->ifname, pf->ifname)))
		json_array_append_new(names,
		                      json_sprintf("%s#%s", m->ifname, ranges));
	else
		json_array_append_new(
			roots,
			json_sprintf("%s#%s",
		                     bdf_format(pf ? pf->bdf : m->pci, b),
		                     ranges));
	return 0;
}

static json_t *resource(struct format *f, const struct pol_pool *pool)
{
	json_t *roots = json_array(), *names = json_array();
	json_t *selectors = json_object();
	char ranges[4 * POL_VFS_MAX], name[POL_NAME];
	int r = 0;

	for (size_t i = 0; !r && i < pool->n_fn;) {
		const struct pol_fn *fn = &pool->fn[i];

		i += format_ranges(fn, pool->n_fn - i, ranges, sizeof(ranges));
		r = add_root(f, fn->nic, ranges, roots, names);
	}
	/* "vfio" may be any driver that VFIO has for the device. */
	if (*pool->driver && strcmp(pool->driver, "vfio") != 0 &&
	    strcmp(pool->driver, POL_DRIVER_DEFAULT) != 0)
		json_object_set_new(selectors, "drivers",
		                    json_pack("[s]", pool->driver));
	if (json_array_size(roots))
		json_object_set(selectors, "rootDevices", roots);
	if (json_array_size(names))
		json_object_set(selectors, "pfNames", names);
	json_decref(roots);
	json_decref(names);
	resource_name(pool->name, name);
	if (!r)
		return json_pack("{s:s, s:s, s:s, s:o}", "resourceName", name,
		                 "resourcePrefix", "fairlead", "deviceType",
		                 "netDevice", "selectors", selectors);
	json_decref(selectors);
	return NULL;
}

int export_device_plugin(struct format *f)
{
	json_t *list = json_array(), *doc;

	for (size_t i = 0; i < f->p->n_pools; i++) {
		json_t *o;

		if (f->p->pool[i].kind != POL_KIND_NIC) {
			fprintf(stderr,
			        "fairlead: not held: %s %s: the plugin finds "
			        "network cards by their physical function, and "
			        "nothing else\n",
			        pol_kind_name(f->p->pool[i].kind),
			        f->p->pool[i].name);
			continue;
		}
		o = resource(f, &f->p->pool[i]);
		if (!o) {
			json_decref(list);
			return -EINVAL;
		}
		json_array_append_new(list, o);
	}
	doc = json_pack("{s:o}", "resourceList", list);
	json_dumpf(doc, f->out, JSON_INDENT(2));
	fputc('\n', f->out);
	json_decref(doc);
	if (f->p->n_networks || f->p->n_guests)
		fprintf(stderr,
		        "fairlead: not held: networks and guests; "
		        "fairlead-cni sets what a pod's VF is to have\n");
	return 0;
}

/* ---- nova ---------------------------------------------------------------- */

/* Each VF by its address: ranges are no part of an "address" there. A guest's
 * trust is the port's affair in OpenStack, and a physical network has no name
 * in a policy. */
int export_openstack(struct format *f)
{
	char b[BDF_STRLEN];
	struct bdf at;

	fputs("[pci]\n", f->out);
	for (size_t i = 0; i < f->p->n_pools; i++) {
		const struct pol_pool *pool = &f->p->pool[i];

		if (pool->kind == POL_KIND_NIC)
			format_left_out(f, "# ", "",
			                "pool %s: its physical_network",
			                pool->name);
		for (size_t k = 0; k < pool->n_fn; k++) {
			int r = format_address(f, pool->fn[k], &at);

			if (r)
				return r;
			fprintf(f->out,
			        "device_spec = { \"address\": \"%s\", "
			        "\"managed\": \"no\" }\n",
			        bdf_format(at, b));
		}
	}
	for (size_t i = 0; i < f->p->n_networks; i++)
		format_left_out(f, "# ", "",
		                "network %s: nova and neutron set VLAN, "
		                "spoof check and trust by the port",
		                f->p->network[i].name);
	return 0;
}
