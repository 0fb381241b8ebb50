/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a lease has for the devices that the VMM itself is: disks (open-disk.c),
 * tap interfaces, vhost files; and in the reply what they are.
 *
 * An interface is made by opening it, and goes with its last descriptor: none
 * is persistent, so that whatever happens to the VMM, to netd or to a lease
 * half given, nothing is left. Order: made, owned, then into its bridge and
 * up; further queues after that.
 */

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "netd/priv.h"

/* A VMM that was killed closes its connection a moment before its tap. */
#define GONE_TRIES 10
#define GONE_STEP_NS 50000000l

/* ---- interfaces ------------------------------------------------------------
 */

static int tap_fail(struct work *w, const struct pol_own *o, int err,
                    const char *why, const char *mend)
{
	diag_fail(&w->diag, err, FL_NETD_TAP,
	          "guest %s: cannot make %s for nic %s", w->req.guest,
	          o->ifname, o->name);
	diag_why(&w->diag, "%s", why);
	diag_mend(&w->diag, "%s", mend);
	return err;
}

static int check_bridge(struct work *w, const struct pol_own *o)
{
	char path[96], why[DIAG_LINE], mend[DIAG_LINE];
	const char *br = o->tap->bridge;

	snprintf(path, sizeof(path), "sys/class/net/%s/bridge", br);
	if (!*br || sysfs_exists(w->env->root_fd, path))
		return 0;
	snprintf(path, sizeof(path), "sys/class/net/%s", br);
	if (sysfs_exists(w->env->root_fd, path)) {
		snprintf(why, sizeof(why), "%s is no bridge", br);
		return tap_fail(w, o, -ENOTSUP, why,
		                "name a bridge in the policy; see `ip link "
		                "show type bridge`");
	}
	snprintf(why, sizeof(why), "there is no bridge %s", br);
	snprintf(mend, sizeof(mend),
	         "ip link add %s type bridge && ip link set %s up; or name "
	         "another in the policy",
	         br, br);
	return tap_fail(w, o, -ENODEV, why, mend);
}

/* Queue `k`. The first must make the interface: to join one that is there
 * would be somebody else's. */
static int tap_attach(int fd, const struct pol_own *o, unsigned k)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };

	if (o->tap->queues > 1)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	if (!k)
		ifr.ifr_flags |= (short)IFF_TUN_EXCL;
	memcpy(ifr.ifr_name, o->ifname, sizeof(o->ifname));
	return ioctl(fd, TUNSETIFF, &ifr) < 0 ? -errno : 0;
}

static int tap_attach_patient(int fd, const struct pol_own *o, unsigned k)
{
	const struct timespec step = { .tv_nsec = GONE_STEP_NS };
	int r = tap_attach(fd, o, k);

	for (int i = 0; r == -EBUSY && i < GONE_TRIES; i++) {
		nanosleep(&step, NULL);
		r = tap_attach(fd, o, k);
	}
	return r;
}

static int tap_refused(struct work *w, const struct pol_own *o, int err)
{
	char mend[DIAG_LINE];

	if (err != -EBUSY)
		return tap_fail(w, o, err, strerror(-err),
		                "see `dmesg`; is CAP_NET_ADMIN there?");
	snprintf(mend, sizeof(mend),
	         "see `ip -d link show dev %s`; remove it (ip link del %s), "
	         "or write another name with 'tap'",
	         o->ifname, o->ifname);
	return tap_fail(w, o, err, "an interface of that name is there", mend);
}

/* Without an owner anybody could add a queue of his own (tun.c:
 * tun_not_capable). */
static int tap_open(struct work *w, const struct pol_own *o, unsigned k)
{
	_cleanup_close_ int fd = openat(w->env->root_fd, "dev/net/tun",
	                                O_RDWR | O_CLOEXEC | O_NONBLOCK);
	char name[2 * POL_NAME];
	int r;

	if (fd < 0)
		return tap_fail(w, o, -errno, "/dev/net/tun cannot be opened",
		                "modprobe tun");
	r = tap_attach_patient(fd, o, k);
	if (r == 0 && !k && ioctl(fd, TUNSETOWNER, 0) < 0)
		r = -errno;
	if (r < 0)
		return tap_refused(w, o, r);
	snprintf(name, sizeof(name), "tap:%s:%u", o->name, k);
	return open_add(w, name, TAKE_FD(fd));
}

static int vhost_open(struct work *w, const struct pol_own *o, unsigned k)
{
	char name[2 * POL_NAME];

	if (o->tap->backend != POL_BACKEND_VHOST)
		return 0;
	snprintf(name, sizeof(name), "vhost:%s:%u", o->name, k);
	return open_node(w, name, "/dev/vhost-net",
	                 "modprobe vhost_net; or write `backend: tap`");
}

static int open_nic(struct work *w, struct rtnl *rtnl, const struct pol_own *o)
{
	int r = check_bridge(w, o);

	for (unsigned k = 0; r == 0 && k < o->tap->queues; k++) {
		r = tap_open(w, o, k);
		if (r == 0 && !k)
			r = rtnl_tap(rtnl, o->ifname, o->tap->bridge, o->mtu,
			             &w->diag);
		if (r == 0 && !k && o->standby && *o->tap->bridge)
			r = rtnl_no_learning(rtnl, o->ifname, &w->diag);
		if (r == 0)
			r = vhost_open(w, o, k);
	}
	return r;
}

/* ---- what they are ---------------------------------------------------------
 */

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

/* ---- all -------------------------------------------------------------------
 */

static int open_one(struct work *w, struct rtnl *rtnl, const struct pol_own *o)
{
	switch (o->kind) {
	case POL_OWN_NIC:
		return open_nic(w, rtnl, o);
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

int open_own_one(struct work *w, struct rtnl *rtnl, const struct pol_own *o)
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
