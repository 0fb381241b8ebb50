/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices of a guest that its VMM itself is, as one list: whoever gives,
 * shows or counts them walks it. And what no two guests may share of them.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

/* ---- names of interfaces ------------------------------------------------- */

/* Its authors' 64-bit offset basis and prime. */
static uint64_t hash_names(const char *guest, const char *nic)
{
	const char *const part[] = { guest, "/", nic };
	uint64_t h = 14695981039346656037ull;

	for (size_t i = 0; i < ARRAY_SIZE(part); i++)
		for (const char *s = part[i]; *s; s++)
			h = (h ^ (uint8_t)*s) * 1099511628211ull;
	return h;
}

/* ':' parts a name from ":standby", which no interface may bear. */
static bool is_readable(const char *guest, const char *nic)
{
	return strlen(guest) + strlen(nic) + strlen("fl--") < POL_IFNAME &&
	       !strchr(guest, '-') && !strpbrk(nic, "-:");
}

void pol_tap_name(const struct pol_guest *g, const char *nic,
                  const struct pol_tap *t, char ret[static POL_IFNAME])
{
	uint64_t h = hash_names(g->name, nic);
	char text[POL_NAME + POL_NAME + sizeof("fl--")];

	if (*t->tap)
		snprintf(text, sizeof(text), "%s", t->tap);
	else if (is_readable(g->name, nic))
		snprintf(text, sizeof(text), "fl-%s-%s", g->name, nic);
	else
		snprintf(text, sizeof(text), "fl-%012llx",
		         (unsigned long long)((h >> 48) ^ (h & BITS64(47, 0))));
	copy_text(ret, POL_IFNAME, text);
}

const char *pol_nic_model_name(enum pol_nic_model m)
{
	return m == POL_NIC_E1000 ? "e1000" : "virtio";
}

/* ---- the list ------------------------------------------------------------ */

static void fill_nic(const struct pol_policy *p, const struct pol_guest *g,
                     const struct pol_guest_nic *n, bool standby,
                     struct pol_own *o)
{
	struct pol_attributes set;

	o->kind = POL_OWN_NIC;
	o->tap = standby ? &n->standby : &n->own;
	o->standby = standby;
	o->tap_of_vf = n->datapath != POL_BACKEND_NONE;
	o->slot = standby ? n->standby.slot : n->slot;
	/* An 82540EM cannot tell its guest. */
	pol_guest_nic_set(p, n, &set);
	o->mtu = n->mtu;
	if (!o->mtu && set.mtu.given && o->tap->model != POL_NIC_E1000)
		o->mtu = set.mtu.v;
	o->vlan = set.vlan;
	o->addresses = &n->addresses;
	snprintf(o->name, sizeof(o->name), "%.31s", n->name);
	if (standby)
		snprintf(o->name, sizeof(o->name), "%.23s:standby", n->name);
	if (n->network < p->n_networks)
		o->network = &p->network[n->network];
	copy_text(o->bridge, sizeof(o->bridge),
	          !*o->tap->bridge && o->network ? o->network->bridge
	                                         : o->tap->bridge);
	for (size_t i = 0; i < p->n_nics; i++)
		o->ovs |= p->nic[i].bridge.ovs &&
		          !strcmp(p->nic[i].bridge.name, o->bridge);
	pol_tap_name(g, o->name, o->tap, o->ifname);
	(void)pol_guest_nic_mac(p, g, n, o->mac);
}

/* Counts `i` down over those that are there; true = this is the one. */
static bool here(size_t *i, bool there)
{
	return there && !(*i)--;
}

static bool own_nic(const struct pol_policy *p, const struct pol_guest *g,
                    size_t *i, struct pol_own *o)
{
	for (int standby = 0; standby < 2; standby++)
		for (size_t k = 0; k < g->n_nics; k++) {
			const struct pol_guest_nic *n = &g->nic[k];
			const struct pol_tap *t =
				standby ? &n->standby : &n->own;

			if (!here(i, t->backend != POL_BACKEND_NONE))
				continue;
			fill_nic(p, g, n, standby, o);
			return true;
		}
	return false;
}

static bool plain(struct pol_own *o, enum pol_own_kind kind, const char *name,
                  uint8_t slot)
{
	o->kind = kind;
	o->slot = slot;
	copy_text(o->name, sizeof(o->name), name);
	return true;
}

bool pol_guest_own(const struct pol_policy *p, const struct pol_guest *g,
                   size_t i, struct pol_own *ret)
{
	*ret = (struct pol_own){ 0 };
	if (own_nic(p, g, &i, ret))
		return true;
	for (size_t k = 0; k < g->n_disks; k++)
		if (here(&i, true)) {
			ret->disk = &g->disk[k];
			return plain(ret, POL_OWN_DISK, g->disk[k].name,
			             g->disk[k].slot);
		}
	if (here(&i, g->vsock.cid)) {
		ret->cid = g->vsock.cid;
		return plain(ret, POL_OWN_VSOCK, "vsock", g->vsock.slot);
	}
	if (here(&i, g->console_slot))
		return plain(ret, POL_OWN_CONSOLE, "console", g->console_slot);
	if (here(&i, g->watchdog.action)) {
		ret->watchdog = &g->watchdog;
		return plain(ret, POL_OWN_WATCHDOG, "watchdog",
		             g->watchdog.slot);
	}
	if (here(&i, g->rng_slot))
		return plain(ret, POL_OWN_RNG, "rng", g->rng_slot);
	return false;
}

/* ---- as text ------------------------------------------------------------- */

static int nic_text(const struct pol_own *o, char *buf, size_t size)
{
	const struct pol_tap *t = o->tap;
	char mac[MAC_STRLEN], queues[32] = "", vlan[16] = "";

	if (t->queues > 1)
		snprintf(queues, sizeof(queues), ", %u pairs of queues",
		         t->queues);
	if (pol_own_vlan(o))
		snprintf(vlan, sizeof(vlan), ", VLAN %u", pol_own_vlan(o));
	if (t->backend == POL_BACKEND_MACVTAP)
		return snprintf(buf, size,
		                "nic %s in %02x.0: %s %s by macvtap %s on %s "
		                "(%s)%s",
		                o->name, o->slot, pol_nic_model_name(t->model),
		                mac_format(o->mac, mac), o->ifname, t->parent,
		                pol_macvtap_mode_name(t->mode), queues);
	return snprintf(buf, size, "nic %s in %02x.0: %s %s by %s %s%s%s%s%s%s",
	                o->name, o->slot, pol_nic_model_name(t->model),
	                mac_format(o->mac, mac),
	                t->backend == POL_BACKEND_VHOST ? "vhost, tap" : "tap",
	                o->ifname, *o->bridge ? " in bridge " : "", o->bridge,
	                vlan, pol_own_guarded(o) ? ", guarded" : "", queues);
}

uint16_t pol_own_vlan(const struct pol_own *o)
{
	return *o->bridge ? o->vlan.id : 0;
}

int pol_own_text(const struct pol_own *o, char *buf, size_t size)
{
	switch (o->kind) {
	case POL_OWN_NIC:
		return nic_text(o, buf, size);
	case POL_OWN_DISK:
		return snprintf(buf, size, "disk %s in %02x.0: %s%s%s", o->name,
		                o->slot, o->disk->path,
		                o->disk->read_only ? ", read-only" : "",
		                o->disk->direct ? ", direct" : "");
	case POL_OWN_VSOCK:
		return snprintf(buf, size, "vsock in %02x.0: cid %u", o->slot,
		                o->cid);
	case POL_OWN_WATCHDOG:
		return snprintf(buf, size, "watchdog in %02x.0: %s", o->slot,
		                pol_watchdog_name(o->watchdog->action));
	default:
		return snprintf(buf, size, "%s in %02x.0", o->name, o->slot);
	}
}

/* Into its bridge, before it is up. */
static void join_command(const struct pol_own *o, char *buf, size_t size)
{
	struct pol_port port = { .pvid = pol_own_vlan(o) ? pol_own_vlan(o)
		                                         : 1 };
	struct pol_ovs_words w = { .n = 0 };
	struct pen pen = { .buf = buf, .size = size };

	*buf = '\0';
	if (!*o->bridge)
		return;
	if (!o->ovs) {
		pen_put(&pen, " master %s", o->bridge);
		if (pol_own_vlan(o))
			pen_put(&pen,
			        " && bridge vlan del dev %s vid 1 && bridge "
			        "vlan add dev %s vid %u pvid untagged && ip "
			        "link set dev %s",
			        o->ifname, o->ifname, pol_own_vlan(o),
			        o->ifname);
		return;
	}
	pol_ovs_words(&port, &w);
	pen_put(&pen, " down && ovs-vsctl add-port %s %s", o->bridge,
	        o->ifname);
	for (unsigned i = 0; i < w.n; i++)
		pen_put(&pen, " %s", w.word[i]);
	pen_put(&pen, " && ip link set dev %s", o->ifname);
}

static int nic_command(const struct pol_own *o, char *buf, size_t size)
{
	const char *ifname = o->ifname;
	char mtu[24] = "", join[224], told[64] = "", mac[MAC_STRLEN];

	if (o->mtu)
		snprintf(mtu, sizeof(mtu), " mtu %u", o->mtu);
	if (o->tap->backend == POL_BACKEND_MACVTAP)
		return snprintf(buf, size,
		                "ip link add link %s name %s address %s%s "
		                "type macvtap mode %s && ip link set %s up",
		                o->tap->parent, ifname, mac_format(o->mac, mac),
		                mtu, pol_macvtap_mode_name(o->tap->mode),
		                ifname);
	join_command(o, join, sizeof(join));
	if (o->standby && *o->bridge && !o->ovs)
		snprintf(told, sizeof(told),
		         " && bridge link set dev %s learning off", ifname);
	return snprintf(buf, size,
	                "ip tuntap add dev %s mode tap vnet_hdr%s && ip link "
	                "set dev %s%s%s up%s",
	                ifname, o->tap->queues > 1 ? " multi_queue" : "",
	                ifname, mtu, join, told);
}

int pol_own_command(const struct pol_own *o, char *buf, size_t size)
{
	if (o->kind == POL_OWN_NIC)
		return nic_command(o, buf, size);
	return snprintf(buf, size, "%s", "");
}

/* ---- what two want ------------------------------------------------------- */

static void refuse_path(struct read *r, const struct pol_guest *g,
                        const struct pol_disk *disk, const struct pol_guest *og,
                        const struct pol_disk *other)
{
	struct diag *d = pol_err(r->errs, disk->pos, FL_POL_CONFLICT,
	                         "disk %s of %s: %s is a disk twice",
	                         disk->name, g->name, disk->path);

	diag_why(d, "%s/%s has it, too (%s), and %s may write", og->name,
	         other->name, WHERE(r->policy, other->pos, disk->pos),
	         disk->read_only    ? "that"
	         : other->read_only ? "this one"
	                            : "both");
	diag_mend(d, "copy the image, or write `read-only: true` in both");
}

static void refuse_tap(struct read *r, const struct pol_own *o,
                       const struct pol_guest *og, const struct pol_own *other)
{
	struct diag *d = pol_err(r->errs, o->tap->pos, FL_POL_CONFLICT,
	                         "interface %s is made twice", o->ifname);

	diag_why(d, "%s/%s makes it, too (%s)", og->name, other->name,
	         WHERE(r->policy, other->tap->pos, o->tap->pos));
	diag_mend(d, "write another name with 'tap'");
}

static void refuse_cid(struct read *r, const struct pol_guest *g,
                       const struct pol_guest *other)
{
	struct diag *d = pol_err(r->errs, g->vsock.pos, FL_POL_CONFLICT,
	                         "cid %u is used twice", g->vsock.cid);

	diag_why(d, "guest %s has it (%s); it is one on the whole host",
	         other->name, WHERE(r->policy, other->vsock.pos, g->vsock.pos));
	diag_mend(d, "give one of them another 'cid'");
}

static void check_pair(struct read *r, const struct pol_guest *g,
                       const struct pol_own *o, const struct pol_guest *og,
                       const struct pol_own *other)
{
	if (o->kind != other->kind)
		return;
	if (o->kind == POL_OWN_DISK &&
	    !(o->disk->read_only && other->disk->read_only) &&
	    !strcmp(o->disk->path, other->disk->path))
		refuse_path(r, g, o->disk, og, other->disk);
	if (o->kind == POL_OWN_NIC && !strcmp(o->ifname, other->ifname))
		refuse_tap(r, o, og, other);
	if (o->kind == POL_OWN_VSOCK && o->cid == other->cid)
		refuse_cid(r, g, og);
}

/* With all before it: of its own guest, and of earlier ones. The first that
 * clashes is enough. */
static void check_one(struct read *r, const struct pol_guest *g, size_t i,
                      const struct pol_own *o)
{
	const struct pol_policy *p = r->policy;
	size_t before = r->errs->n + r->errs->dropped;
	struct pol_own other;

	for (const struct pol_guest *og = p->guest; og <= g; og++)
		for (size_t k = 0; (og < g || k < i) &&
		                   before == r->errs->n + r->errs->dropped &&
		                   pol_guest_own(p, og, k, &other);
		     k++)
			check_pair(r, g, o, og, &other);
}

void check_own(struct read *r)
{
	const struct pol_policy *p = r->policy;
	struct pol_own o;

	for (size_t g = 0; g < p->n_guests; g++)
		for (size_t i = 0; pol_guest_own(p, &p->guest[g], i, &o); i++)
			if (o.kind <= POL_OWN_VSOCK)
				check_one(r, &p->guest[g], i, &o);
}
