/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's nics: a VF of a pool, with or without a standby beside it, or one
 * that the VMM itself is. A VF is given here, as the nic is read (place.c).
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

/* ---- VFs ----------------------------------------------------------------- */

static READER(read_nic_pool)
{
	const struct pol_policy *p = r->policy;
	struct pol_guest_nic *nic = obj;
	size_t pool = find_named(r, k, k->name, v, p->pool, sizeof(*p->pool),
	                         p->n_pools);
	struct diag *d;

	if (pool == SIZE_MAX)
		return;
	if (p->pool[pool].kind != POL_KIND_NIC) {
		d = pol_err(r->errs, v->pos, FL_POL_REFERENCE,
		            "'%s' is no pool but a %s", v->text,
		            pool_word(&p->pool[pool]));
		diag_mend(d, "write `%s: [{ use: %s }]` in the guest instead",
		          kind_list(p->pool[pool].kind), v->text);
		return;
	}
	if (*p->pool[pool].driver &&
	    !pol_driver_is_vfio(p->pool[pool].driver)) {
		d = pol_err(r->errs, v->pos, FL_POL_CONFLICT,
		            "pool %s is no guest's: its driver is %s",
		            p->pool[pool].name, p->pool[pool].driver);
		diag_why(d, "only a VF bound to a vfio driver can be given "
		            "to a guest");
		diag_mend(d, "write `driver: vfio` in the pool (%s)",
		          WHERE(p, p->pool[pool].pos, v->pos));
		return;
	}
	place_nic(r, v, nic, pool);
}

static READER(read_nic_network)
{
	const struct pol_policy *p = r->policy;
	struct pol_guest_nic *nic = obj;

	nic->network = find_named(r, k, k->name, v, p->network,
	                          sizeof(*p->network), p->n_networks);
}

/* ---- what the VMM itself is ---------------------------------------------- */

static void take_backend(struct read *r, const struct key *k,
                         const struct node *v, const struct words *words,
                         struct pol_tap *t)
{
	unsigned value;

	if (scalar_word(r, k, v, words, &value))
		t->backend = (enum pol_backend)value;
}

static READER(read_backend)
{
	static const struct word word[] = {
		{ .text = "tap", .value = POL_BACKEND_TAP },
		{ .text = "vhost", .value = POL_BACKEND_VHOST },
		{ .text = "vhost-user", .later = true },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };

	take_backend(r, k, v, &words, obj);
}

/* A standby is a bridge's. */
static READER(read_any_backend)
{
	static const struct word word[] = {
		{ .text = "tap", .value = POL_BACKEND_TAP },
		{ .text = "vhost", .value = POL_BACKEND_VHOST },
		{ .text = "macvtap", .value = POL_BACKEND_MACVTAP },
		{ .text = "vhost-user", .later = true },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };

	take_backend(r, k, v, &words, obj);
}

static READER(read_model)
{
	static const struct word word[] = {
		{ .text = "virtio", .value = POL_NIC_VIRTIO },
		{ .text = "e1000", .value = POL_NIC_E1000 },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_tap *t = obj;
	unsigned value;

	if (scalar_word(r, k, v, &words, &value))
		t->model = (enum pol_nic_model)value;
}

static READER(read_nic_model)
{
	struct pol_guest_nic *nic = obj;

	read_model(r, k, v, &nic->own);
}

static READER(read_queues)
{
	static const struct range range = { 1, POL_QUEUES_MAX };
	struct pol_tap *t = obj;

	scalar_u32(r, k, v, &range, &t->queues);
}

/* An 82540EM has one queue, and registers that no kernel thread serves. */
static void emulated_done(struct read *r, const struct node *map, void *obj)
{
	struct pol_tap *t = obj;
	struct diag *d;

	macvtap_done(r, map, t);
	if (t->model != POL_NIC_E1000)
		return;
	if (t->queues > 1) {
		d = pol_err(r->errs, node_get(map, "queues")->pos,
		            FL_POL_CONFLICT, "an e1000 with %u queues",
		            t->queues);
		diag_why(d, "the 82540EM has one pair");
		diag_mend(d, "remove 'queues', or write `model: virtio`");
	}
	if (t->backend == POL_BACKEND_VHOST) {
		d = pol_err(r->errs, node_get(map, "backend")->pos,
		            FL_POL_CONFLICT, "an e1000 served by vhost");
		diag_why(d, "vhost knows virtio's rings only");
		diag_mend(d, "write `backend: tap`, or `model: virtio`");
	}
}

// clang-format off
#define TAP_KEYS                                                               \
	{ .name = "bridge", .read = read_ifname,                               \
	  .at = offsetof(struct pol_tap, bridge) },                            \
	{ .name = "tap", .read = read_ifname,                                  \
	  .at = offsetof(struct pol_tap, tap) },                               \
	{ .name = "queues", .read = read_queues }
static const struct key emulated_keys[] = {
	{ .name = "backend", .flags = KEY_REQUIRED, .read = read_any_backend },
	TAP_KEYS,
	{ .name = "parent", .read = read_ifname,
	  .at = offsetof(struct pol_tap, parent) },
	{ .name = "mode", .read = read_macvtap_mode },
	{ .name = "model", .read = read_model },
};
static const struct table emulated_table = {
	.what = "emulated", .keys = emulated_keys,
	.n = ARRAY_SIZE(emulated_keys), .done = emulated_done,
};
static const struct key failover_keys[] = {
	{ .name = "backend", .flags = KEY_REQUIRED, .read = read_backend },
	TAP_KEYS,
	{ .name = "slot", .read = read_slot,
	  .at = offsetof(struct pol_tap, slot) },
};
static const struct table failover_table = {
	.what = "failover", .keys = failover_keys,
	.n = ARRAY_SIZE(failover_keys),
};
// clang-format on

static READER(read_tap)
{
	struct pol_tap *t = field(k, obj);

	t->pos = v->pos;
	read_map(r, v, k->arg, t);
}

/* From virtio 1.2 5.1.4.1 on; more than a tap can carry is refused by it. */
static READER(read_mtu)
{
	static const struct range range = { 68, 65521 };
	struct pol_guest_nic *nic = obj;

	scalar_u32(r, k, v, &range, &nic->mtu);
}

static void only_with(struct read *r, const struct node *map, const char *key,
                      const char *why, const char *mend)
{
	const struct node *v = node_get(map, key);
	struct diag *d;

	if (!v)
		return;
	d = pol_err(r->errs, v->key->pos, FL_POL_CONFLICT,
	            "guest nic: '%s' cannot be used here", key);
	diag_why(d, "%s", why);
	diag_mend(d, "%s", mend);
}

static const char keep_one[] = "remove one of the two";

static void check_e1000_mtu(struct read *r, const struct node *map,
                            const struct pol_guest_nic *nic)
{
	if (nic->own.model == POL_NIC_E1000)
		only_with(r, map, "mtu",
		          "an 82540EM cannot tell its guest an MTU",
		          "set it in the guest and at the bridge, or write "
		          "`model: virtio`");
}

static void emulated_nic_done(struct read *r, const struct node *map,
                              const struct pol_guest_nic *nic)
{
	static const char vf[] = "it is a setting of a VF, and the nic is "
				 "emulated";

	only_with(r, map, "pool", "the nic is emulated: it takes no VF",
	          keep_one);
	only_with(r, map, "failover",
	          "it stands in for a VF, and the nic is emulated", keep_one);
	only_with(r, map, "on-dma-fault", vf, "remove it");
	only_with(r, map, "datapath",
	          "it has a word for each, and 'emulated' is one", keep_one);
	only_with(r, map, "bridge", "'emulated' has its own", "write it there");
	only_with(r, map, "model", "'emulated' has its own", "write it there");
	check_e1000_mtu(r, map, nic);
}

/* The standby is NAME:standby to the VMM. */
#define FAILOVER_NAME (POL_NAME - 1 - (sizeof(":standby") - 1))

static void guest_nic_done(struct read *r, const struct node *map, void *obj)
{
	struct pol_guest_nic *nic = obj;
	struct diag *d;

	if (node_get(map, "emulated")) {
		emulated_nic_done(r, map, nic);
		return;
	}
	if (!node_get(map, "pool")) {
		d = pol_err(r->errs, map->pos, FL_POL_MISSING,
		            "guest nic needs 'pool' or 'emulated'");
		diag_mend(d, "add 'pool:' for a VF, or 'emulated:' for one "
		             "that the VMM itself is");
	}
	datapath_done(r, map, nic);
	if (nic->own.backend) {
		check_e1000_mtu(r, map, nic);
	} else if (!node_get(map, "failover")) {
		only_with(r, map, "mtu",
		          "a VF's is the guest's to set, up to its physical "
		          "function's",
		          "remove it");
	} else if (strlen(nic->name) > FAILOVER_NAME) {
		d = pol_err(r->errs, node_get(map, "name")->pos, FL_POL_VALUE,
		            "'name' is too long for a nic with 'failover'");
		diag_why(d,
		         "its standby is called NAME:standby, so it has at "
		         "most %zu characters",
		         FAILOVER_NAME);
		diag_mend(d, "shorten it");
	}
}

/* ---- nics ---------------------------------------------------------------- */

void guest_nic_init(void *item)
{
	struct pol_guest_nic *nic = item;

	nic->pool = nic->idle_pool = SIZE_MAX;
	nic->network = SIZE_MAX;
	nic->own.queues = nic->standby.queues = 1;
}

CHECK_NAMED(pol_guest_nic);
// clang-format off
static const struct key guest_nic_keys[] = {
	{ .name = "name", .flags = KEY_REQUIRED, .read = read_name,
	  .at = offsetof(struct pol_guest_nic, name) },
	{ .name = "pool", .read = read_nic_pool },
	{ .name = "datapath", .read = read_datapath },
	{ .name = "bridge", .read = read_ifname,
	  .at = offsetof(struct pol_guest_nic, own.bridge) },
	{ .name = "model", .read = read_nic_model },
	{ .name = "emulated", .read = read_tap, .arg = &emulated_table,
	  .at = offsetof(struct pol_guest_nic, own) },
	{ .name = "failover", .read = read_tap, .arg = &failover_table,
	  .at = offsetof(struct pol_guest_nic, standby) },
	{ .name = "mtu", .read = read_mtu },
	{ .name = "network", .read = read_nic_network },
	{ .name = "addresses", .flags = KEY_NULL, .read = read_addresses,
	  .at = offsetof(struct pol_guest_nic, addresses) },
	{ .name = "slot", .read = read_slot,
	  .at = offsetof(struct pol_guest_nic, slot) },
	{ .name = "on-dma-fault", .read = read_on_fault,
	  .at = offsetof(struct pol_guest_nic, on_fault) },
	{ .name = "mac-address", .flags = KEY_NULL, .read = read_mac,
	  .at = offsetof(struct pol_guest_nic, mac) },
	{ .name = "msix-vectors", .read = read_msix_vectors },
};
static const struct table guest_nic_table = {
	.what = "guest nic", .keys = guest_nic_keys,
	.n = ARRAY_SIZE(guest_nic_keys), .done = guest_nic_done,
};
const struct list list_guest_nics = {
	.item = &guest_nic_table, .size = sizeof(struct pol_guest_nic),
	.count = offsetof(struct pol_guest, n_nics), .max = POL_GUEST_NICS_MAX,
	.init = guest_nic_init,
};
// clang-format on

/* ---- a nic and its guest ------------------------------------------------- */

void mend_mac(const struct read *r, struct diag *d,
              const struct pol_guest_nic *nic, size_t index)
{
	const struct pol_pool *pool = &r->policy->pool[index];

	diag_mend(d,
	          "add 'mac-address', or `mac: { prefix: ... }` to pool %s "
	          "(%s)",
	          pool->name, WHERE(r->policy, pool->pos, nic->pos));
}

/* The guest joins the two by their MAC (virtio 1.2 5.1.6.1 has no other
 * word), so it must be known what it is. */
static void check_standby(struct read *r, const struct pol_guest *g,
                          const struct pol_guest_nic *nic)
{
	uint8_t mac[6];
	struct diag *d;

	if (!nic->standby.backend || nic->pool == SIZE_MAX ||
	    pol_guest_nic_mac(r->policy, g, nic, mac) ||
	    pol_nic_draws(r->policy, nic, mac))
		return;
	d = pol_err(r->errs, nic->standby.pos, FL_POL_MISSING,
	            "nic %s has 'failover', but no MAC", nic->name);
	diag_why(d, "the guest joins the VF and its standby by their MAC");
	mend_mac(r, d, nic, nic->pool);
}

void check_nics(struct read *r, const struct node *map,
                const struct pol_guest *g)
{
	struct diag *d;
	size_t n = 0;

	for (size_t i = 0; i < g->n_nics; i++) {
		check_standby(r, g, &g->nic[i]);
		check_datapath(r, g, &g->nic[i]);
		check_macvtap(r, &g->nic[i]);
		check_addresses(r, &g->nic[i]);
		n += g->nic[i].own.backend || g->nic[i].standby.backend;
	}
	if (n <= POL_OWN_NICS_MAX)
		return;
	d = pol_err(r->errs, node_get(map, "nics")->pos, FL_POL_RANGE,
	            "guest %s has %zu emulated nics and standbys", g->name, n);
	diag_why(d, "at most %d are possible", POL_OWN_NICS_MAX);
	diag_mend(d, "give it fewer, or VFs of a pool");
}
