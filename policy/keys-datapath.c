/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * datapath: one word of a guest's nic that has a pool, for comparing. The same
 * nic, with its MAC, slot and network, is the pool's VF (passthrough), a
 * virtio NIC that the host's kernel serves (vhost), or one that the VMM itself
 * is (emulated).
 *
 * Away from passthrough the VF stays the nic's and idle: given to another it
 * would move all VFs after it, and the way back would be barred. It must not
 * have the nic's MAC then (resolve.c): the device's own switch would keep what
 * is for the tap.
 */

#include "policy/priv.h"

READER(read_datapath)
{
	static const struct word word[] = {
		{ .text = "passthrough", .value = POL_BACKEND_NONE },
		{ .text = "vhost", .value = POL_BACKEND_VHOST },
		{ .text = "emulated", .value = POL_BACKEND_TAP },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_guest_nic *nic = obj;
	unsigned value;

	if (!scalar_word(r, k, v, &words, &value))
		return;
	nic->datapath = (enum pol_backend)value;
	nic->own.pos = v->pos;
}

/* `bridge` and `model` beside it may stay when it is passthrough: one word is
 * to be all that changes. */
static void only_beside(struct read *r, const struct node *map, const char *key)
{
	const struct node *v = node_get(map, key);
	struct diag *d;

	if (!v || node_get(map, "datapath"))
		return;
	d = pol_err(r->errs, v->key->pos, FL_POL_DATAPATH,
	            "guest nic: '%s' without 'datapath'", key);
	diag_why(d, "it is how the nic is where it is no VF");
	diag_mend(d, "add `datapath: passthrough`, `vhost` or `emulated`; or "
	             "remove it");
}

static void refuse_failover(struct read *r, const struct node *map)
{
	struct diag *d =
		pol_err(r->errs, node_get(map, "failover")->key->pos,
	                FL_POL_DATAPATH, "guest nic: 'failover' beside a tap");

	diag_why(d, "it stands in for a VF, and with this 'datapath' the nic "
	            "is none");
	diag_mend(d, "remove it, or write `datapath: passthrough`");
}

void datapath_done(struct read *r, const struct node *map,
                   struct pol_guest_nic *nic)
{
	only_beside(r, map, "bridge");
	only_beside(r, map, "model");
	if (nic->datapath == POL_BACKEND_NONE)
		return;
	nic->own.backend = nic->datapath;
	nic->idle_pool = nic->pool;
	nic->pool = SIZE_MAX;
	/* vhost knows virtio's rings only. */
	if (nic->datapath == POL_BACKEND_VHOST)
		nic->own.model = POL_NIC_VIRTIO;
	if (node_get(map, "failover"))
		refuse_failover(r, map);
}

static bool has_bridge(const struct pol_policy *p,
                       const struct pol_guest_nic *nic)
{
	return *nic->own.bridge || (nic->network < p->n_networks &&
	                            *p->network[nic->network].bridge);
}

void check_datapath(struct read *r, const struct pol_guest *g,
                    const struct pol_guest_nic *nic)
{
	uint8_t mac[6];
	struct diag *d;

	if (nic->idle_pool == SIZE_MAX)
		return;
	if (!has_bridge(r->policy, nic)) {
		d = pol_err(r->errs, nic->own.pos, FL_POL_DATAPATH,
		            "nic %s is a tap, and in no bridge", nic->name);
		diag_why(d, "where a VF is on its network by itself, a tap is "
		            "by a bridge");
		diag_mend(d, "add `bridge: NAME` to the nic: one that has its "
		             "physical function as a port");
	}
	if (pol_guest_nic_mac(r->policy, g, nic, mac) ||
	    pol_nic_draws(r->policy, nic, mac))
		return;
	d = pol_err(r->errs, nic->own.pos, FL_POL_DATAPATH,
	            "nic %s has 'datapath', but no MAC", nic->name);
	diag_why(d, "it is the same nic only with the same MAC");
	mend_mac(r, d, nic, nic->idle_pool);
}
