/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libvirt's XML: a pool is a network of mode hostdev, a network a portgroup of
 * it, a guest's nic an interface with the VF that it has, and where that has a
 * standby, another with it: libvirt's teaming. managed='no' in all: who binds
 * VFs to vfio is fairlead, and libvirt has only to use them. What is left out,
 * formats-held.c says.
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

static void say_vlan(const struct format *f, const char *indent,
                     const struct pol_vlan *v)
{
	if (v->given == POL_GIVEN && v->id)
		fprintf(f->out, "%s<vlan><tag id='%u'/></vlan>\n", indent,
		        v->id);
}

/* Without the tag that it should have it would be another network: then there
 * is none. */
static void say_portgroup(struct format *f, const struct pol_network *n)
{
	if (n->set.vlan.n_trunk)
		return;
	fprintf(f->out, "    <portgroup name='%s'>\n", n->name);
	say_vlan(f, "      ", &n->set.vlan);
	fputs("    </portgroup>\n", f->out);
}

static int say_pool(struct format *f, const struct pol_pool *pool)
{
	struct bdf b;
	int r;

	if (pool->kind != POL_KIND_NIC)
		return 0;
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
	return 0;
}

/* ---- guests' nics -------------------------------------------------------- */

bool format_in_pair(const struct format *f, const struct pol_guest *g,
                    const struct pol_guest_nic *nic)
{
	uint8_t mac[6];

	return nic->standby.backend != POL_BACKEND_NONE &&
	       pol_guest_nic_mac(f->p, g, nic, mac);
}

/* An alias has not all letters that a name of ours may have: the nic's place is
 * in it. */
static void say_teaming(struct format *f, const struct pol_guest *g,
                        const struct pol_guest_nic *nic, bool standby)
{
	size_t at = (size_t)(nic - g->nic);

	if (standby)
		fprintf(f->out,
		        "    <alias name='ua-standby%zu'/>\n"
		        "    <teaming type='persistent'/>\n",
		        at);
	else
		fprintf(f->out,
		        "    <teaming type='transient' "
		        "persistent='ua-standby%zu'/>\n",
		        at);
}

static void say_host_end(struct format *f, const struct pol_own *o)
{
	fprintf(f->out, "  <interface type='%s'>\n",
	        *o->bridge ? "bridge" : "ethernet");
	if (*o->bridge)
		fprintf(f->out, "    <source bridge='%s'/>\n", o->bridge);
	if (o->ovs) {
		fputs("    <virtualport type='openvswitch'/>\n", f->out);
		say_vlan(f, "    ", &o->vlan);
	}
	if (*o->tap->tap)
		fprintf(f->out, "    <target dev='%s'/>\n", o->tap->tap);
}

/* The virtio NIC that stays when the VF is away. */
static void say_standby(struct format *f, const struct pol_guest *g,
                        const struct pol_guest_nic *nic, const char *name)
{
	char mac[MAC_STRLEN];
	struct pol_own o;

	for (size_t i = 0; pol_guest_own(f->p, g, i, &o); i++)
		if (o.standby && o.tap == &nic->standby)
			break;
	say_host_end(f, &o);
	fprintf(f->out,
	        "    <mac address='%s'/>\n    <model type='virtio'/>\n"
	        "    <driver name='%s' queues='%u'/>\n",
	        mac_format(o.mac, mac),
	        o.tap->backend == POL_BACKEND_VHOST ? "vhost" : "qemu",
	        o.tap->queues);
	if (o.mtu)
		fprintf(f->out, "    <mtu size='%u'/>\n", o.mtu);
	say_teaming(f, g, nic, true);
	fputs("  </interface>\n", f->out);
	if (pol_own_vlan(&o) && !o.ovs)
		format_left_out(f, "  <!-- ", " -->",
		                "guest %s: the VLAN of its standby, at a Linux "
		                "bridge",
		                name);
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
	if (nic->pool == SIZE_MAX || f->p->pool[nic->pool].kind != POL_KIND_NIC)
		return 0;
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
	if (format_in_pair(f, g, nic))
		say_teaming(f, g, nic, false);
	fputs("  </interface>\n", f->out);
	if (format_in_pair(f, g, nic))
		say_standby(f, g, nic, name);
	return 0;
}

int export_libvirt(struct format *f)
{
	int r;

	fputs("<fairlead>\n", f->out);
	r = format_held(f);
	for (size_t i = 0; !r && i < f->p->n_pools; i++)
		r = say_pool(f, &f->p->pool[i]);
	for (size_t g = 0; g < f->p->n_guests; g++)
		for (size_t i = 0; !r && i < f->p->guest[g].n_nics; i++)
			r = say_nic(f, &f->p->guest[g], &f->p->guest[g].nic[i]);
	fputs("</fairlead>\n", f->out);
	return r;
}
