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

/* "0000:3b:00.0#0-3", or "eth3#0-3" where the policy knows it by that. */
static int add_root(struct format *f, size_t nic, const char *ranges,
                    json_t *roots, json_t *names)
{
	const struct pol_match *m = &f->p->nic[nic].match;
	char b[BDF_STRLEN];

	if (m->by_pci) {
		json_array_append_new(
			roots,
			json_sprintf("%s#%s", bdf_format(m->pci, b), ranges));
		return 0;
	}
	if (m->by_ifname) {
		json_array_append_new(names,
		                      json_sprintf("%s#%s", m->ifname, ranges));
		return 0;
	}
	if (f->pf[nic].num_vfs) {
		json_array_append_new(
			roots,
			json_sprintf("%s#%s", bdf_format(f->pf[nic].fn.bdf, b),
		                     ranges));
		return 0;
	}
	diag_fail(f->d, -ENODEV, FL_CLI_FORMAT,
	          "nic %s is matched by neither address nor name, and is not "
	          "on this machine",
	          f->p->nic[nic].name);
	diag_mend(f->d, "export where the policy is applied");
	return -ENODEV;
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
			return f->d->err ? f->d->err : -ENOMEM;
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
