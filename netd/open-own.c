/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a lease has for the devices that the VMM itself is: disks (open-disk.c),
 * interfaces (open-tap.c), vhost files; and in the reply what they are.
 */

#include <string.h>

#include "netd/tap.h"

/* ---- what they are ------------------------------------------------------- */

static json_t *nic_json(const struct pol_own *o)
{
	char mac[MAC_STRLEN];
	json_t *n = json_pack("{s:s, s:i, s:s, s:s, s:i, s:s}", "name", o->name,
	                      "slot", o->slot, "model",
	                      pol_nic_model_name(o->tap->model), "mac",
	                      mac_format(o->mac, mac), "pairs",
	                      (int)o->tap->queues, "tap", o->ifname);

	if (o->mtu)
		json_object_set_new(n, "mtu", json_integer(o->mtu));
	if (o->standby)
		json_object_set_new(n, "standby", json_true());
	return n;
}

static json_t *disk_json(const struct pol_own *o)
{
	json_t *n = json_pack("{s:s, s:i, s:b, s:b, s:s}", "name", o->name,
	                      "slot", o->slot, "read_only", o->disk->read_only,
	                      "direct", o->disk->direct, "path", o->disk->path);

	if (*o->disk->serial)
		json_object_set_new(n, "serial", json_string(o->disk->serial));
	return n;
}

static void append(json_t *reply, const char *key, json_t *v)
{
	json_t *list = json_object_get(reply, key);

	if (!list) {
		list = json_array();
		json_object_set_new(reply, key, list);
	}
	json_array_append_new(list, v);
}

static json_t *place_json(const struct pol_own *o)
{
	return json_pack("{s:i}", "slot", o->slot);
}

static json_t *watchdog_json(const struct pol_own *o)
{
	return json_pack("{s:i, s:s}", "slot", o->slot, "action",
	                 pol_watchdog_name(o->watchdog->action));
}

static void describe(json_t *reply, const struct pol_own *o)
{
	json_t *vsock;

	switch (o->kind) {
	case POL_OWN_NIC:
		append(reply, "nics", nic_json(o));
		break;
	case POL_OWN_DISK:
		append(reply, "disks", disk_json(o));
		break;
	case POL_OWN_VSOCK:
		vsock = place_json(o);
		json_object_set_new(vsock, "cid", json_integer(o->cid));
		json_object_set_new(reply, "vsock", vsock);
		break;
	case POL_OWN_CONSOLE:
		json_object_set_new(reply, "vconsole", place_json(o));
		break;
	case POL_OWN_WATCHDOG:
		json_object_set_new(reply, "watchdog", watchdog_json(o));
		break;
	case POL_OWN_RNG:
		json_object_set_new(reply, "rng", place_json(o));
		break;
	}
}

/* ---- all ----------------------------------------------------------------- */

static int open_one(struct work *w, struct rtnl *rtnl, struct pol_own *o)
{
	switch (o->kind) {
	case POL_OWN_NIC:
		return tap_nic(w, rtnl, o);
	case POL_OWN_DISK:
		return open_disk(w, o->disk);
	case POL_OWN_VSOCK:
		return open_node(w, "vsock", "/dev/vhost-vsock",
		                 "modprobe vhost_vsock");
	case POL_OWN_WATCHDOG:
		return o->watchdog->action == POL_WATCHDOG_DUMP ? core_open(w)
		                                                : 0;
	default:
		return 0;
	}
}

int open_own_one(struct work *w, struct rtnl *rtnl, struct pol_own *o)
{
	int r;

	json_object_set_new(w->reply, "fds", json_array());
	r = open_one(w, rtnl, o);
	if (r == 0)
		describe(w->reply, o);
	return r;
}

int open_own(struct work *w, struct rtnl *rtnl, const struct pol_policy *p,
             const struct pol_guest *g)
{
	struct pol_own o;
	int r = 0;

	for (size_t i = 0; r == 0 && pol_guest_own(p, g, i, &o); i++) {
		r = open_one(w, rtnl, &o);
		if (r == 0)
			describe(w->reply, &o);
	}
	return r;
}
