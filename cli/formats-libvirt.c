/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libvirt's XML: a pool is a network of mode hostdev, a network a portgroup of
 * it, a guest's nic an interface with the VF that it has. managed='no' in all:
 * who binds VFs to vfio is fairlead, and libvirt has only to use them.
 */

#include "cli/formats.h"

#include <string.h>

static void say_address(const struct format *f, const char *indent,
                        struct bdf b)
{
	fprintf(f->out,
	        "%s<address type='pci' domain='0x%04x' bus='0x%02x' "
	        "slot='0x%02x' function='0x%x'/>\n",
	        indent, (unsigned)b.domain, b.bus, b.dev & 31u, b.fn & 7u);
}

static void left_out(struct format *f, const char *what, const char *name,
                     const char *key)
{
	format_left_out(f, "  <!-- ", " -->", "%s %s: %s", what, name, key);
}

static void say_vlan(const struct format *f, const char *indent,
                     const struct pol_vlan *v)
{
	if (v->given == POL_GIVEN && v->id)
		fprintf(f->out, "%s<vlan><tag id='%u'/></vlan>\n", indent,
		        v->id);
}

static void say_portgroup(struct format *f, const struct pol_network *n)
{
	fprintf(f->out, "    <portgroup name='%s'>\n", n->name);
	say_vlan(f, "      ", &n->set.vlan);
	fputs("    </portgroup>\n", f->out);
}

/* What libvirt's vlan has not, and what it has no element for at all. */
static void network_left_out(struct format *f, const struct pol_network *n)
{
	const struct pol_attributes *s = &n->set;
	const struct {
		bool given;
		const char *key;
	} keys[] = {
		{ s->vlan.given == POL_DEFAULT, "vlan: null" },
		{ s->vlan.given == POL_GIVEN && s->vlan.qos, "vlan qos" },
		{ s->vlan.given == POL_GIVEN && s->vlan.proto != 0x8100,
		  "vlan protocol 802.1ad" },
		{ s->spoof_check.given, "spoof-check" },
		{ s->trust.given, "trust" },
		{ s->query_rss.given, "query-rss" },
		{ s->link_state.given, "link-state" },
		{ s->rate.given, "tx-rate" },
		{ s->mtu.given, "mtu" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].given)
			left_out(f, "network", n->name, keys[i].key);
}

static int say_pool(struct format *f, const struct pol_pool *pool)
{
	struct bdf b;
	int r;

	if (pool->kind != POL_KIND_NIC) {
		left_out(f, pol_kind_name(pool->kind), pool->name,
		         "its VFs are no network's");
		return 0;
	}
	fprintf(f->out,
	        "  <network>\n    <name>%s</name>\n"
	        "    <forward mode='hostdev' managed='no'>\n",
	        pool->name);
	for (size_t i = 0; i < pool->n_fn; i++) {
		r = format_address(f, pool->fn[i], &b);
		if (r)
			return r;
		say_address(f, "      ", b);
	}
	fputs("    </forward>\n", f->out);
	for (size_t i = 0; i < f->p->n_networks; i++)
		say_portgroup(f, &f->p->network[i]);
	fputs("  </network>\n", f->out);
	if (pool->mac_assign != POL_MAC_NONE)
		left_out(f, "pool", pool->name, "mac (interfaces have it)");
	if (*pool->driver && !pol_driver_is_vfio(pool->driver))
		left_out(f, "pool", pool->name, "driver");
	return 0;
}

static int say_nic(struct format *f, const struct pol_guest *g,
                   const struct pol_guest_nic *nic)
{
	char name[2 * POL_NAME + 8], mac[MAC_STRLEN];
	struct pol_attributes set;
	uint8_t address[6];
	struct bdf b;
	int r;

	snprintf(name, sizeof(name), "%s, nic %s", g->name, nic->name);
	if (nic->pool == SIZE_MAX) {
		left_out(f, "guest", name, "emulated");
		return 0;
	}
	if (f->p->pool[nic->pool].kind != POL_KIND_NIC) {
		left_out(f, "guest", name, "it is no network interface");
		return 0;
	}
	r = format_address(f, nic->fn, &b);
	if (r)
		return r;
	fprintf(f->out,
	        "  <!-- guest %s -->\n"
	        "  <interface type='hostdev' managed='no'>\n"
	        "    <source>\n",
	        name);
	say_address(f, "      ", b);
	fputs("    </source>\n", f->out);
	if (pol_guest_nic_mac(f->p, g, nic, address))
		fprintf(f->out, "    <mac address='%s'/>\n",
		        mac_format(address, mac));
	pol_guest_nic_set(f->p, nic, &set);
	say_vlan(f, "    ", &set.vlan);
	fputs("  </interface>\n", f->out);
	left_out(f, "guest", name, "slot");
	return 0;
}

int export_libvirt(struct format *f)
{
	int r = 0;

	fputs("<fairlead>\n", f->out);
	for (size_t i = 0; i < f->p->n_networks; i++)
		network_left_out(f, &f->p->network[i]);
	for (size_t i = 0; !r && i < f->p->n_pools; i++)
		r = say_pool(f, &f->p->pool[i]);
	for (size_t g = 0; g < f->p->n_guests; g++)
		for (size_t i = 0; !r && i < f->p->guest[g].n_nics; i++)
			r = say_nic(f, &f->p->guest[g], &f->p->guest[g].nic[i]);
	fputs("</fairlead>\n", f->out);
	return r;
}
