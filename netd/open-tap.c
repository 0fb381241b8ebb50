/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's ends of a guest's NIC: tap.h says what they are, and in which
 * order they are made.
 */

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "netd/guard.h"
#include "netd/macvtap.h"
#include "netd/ovs.h"
#include "netd/tap.h"

/* A VMM that was killed closes its connection a moment before its tap. */
#define GONE_TRIES 10
#define GONE_STEP_NS 50000000l

/* ---- interfaces ---------------------------------------------------------- */

int tap_fail(struct work *w, const struct pol_own *o, int err, const char *why,
             const char *mend)
{
	diag_fail(&w->diag, err, FL_NETD_TAP,
	          "guest %s: cannot make %s for nic %s", w->req.guest,
	          o->ifname, o->name);
	diag_why(&w->diag, "%s", why);
	diag_mend(&w->diag, "%s", mend);
	return err;
}

static int is_ovs(struct work *w, const char *name, bool *ret)
{
	struct ovs_view v = { 0 };
	int r = ovs_view_read(w->env, &v, &w->diag);

	if (!r)
		*ret = ovs_find_bridge(&v, name);
	ovs_view_free(&v);
	return r;
}

static int check_bridge(struct work *w, const struct pol_own *o, bool *ret_ovs)
{
	char path[96], why[DIAG_LINE], mend[DIAG_LINE];
	const char *br = o->bridge;
	int r;

	snprintf(path, sizeof(path), "sys/class/net/%s/bridge", br);
	if (!*br || sysfs_exists(w->env->root_fd, path))
		return 0;
	r = is_ovs(w, br, ret_ovs);
	if (r || *ret_ovs)
		return r;
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

/* ---- where it is --------------------------------------------------------- */

static int no_vlan(struct work *w, const struct pol_own *o, const char *why,
                   const char *mend)
{
	diag_fail(&w->diag, -EOPNOTSUPP, FL_NETD_VLAN,
	          "guest %s: nic %s cannot be in VLAN %u%s%s", w->req.guest,
	          o->name, pol_own_vlan(o), o->network ? " of network " : "",
	          o->network ? o->network->name : "");
	diag_why(&w->diag, "%s", why);
	diag_mend(&w->diag, "%s", mend);
	return -EOPNOTSUPP;
}

/* A bridge that knows no VLANs may be one VLAN's itself. For a nic that could
 * be a VF, which is tagged by its card, that is taken for granted, and told. */
static int unfiltered(struct work *w, const struct pol_own *o)
{
	char why[DIAG_LINE], mend[DIAG_LINE];

	if (o->standby || o->tap_of_vf) {
		reply_warn(w->reply,
		           "nic %s: bridge %s filters no VLANs, so it must be "
		           "of VLAN %u as a whole",
		           o->name, o->bridge, pol_own_vlan(o));
		return 0;
	}
	snprintf(why, sizeof(why), "bridge %s does not filter VLANs",
	         o->bridge);
	snprintf(mend, sizeof(mend),
	         "ip link set %s type bridge vlan_filtering 1; or, where the "
	         "bridge is of that VLAN as a whole, name a network without "
	         "'vlan'",
	         o->bridge);
	return no_vlan(w, o, why, mend);
}

static int other_protocol(struct work *w, const struct pol_own *o)
{
	char mend[DIAG_LINE];

	snprintf(mend, sizeof(mend),
	         "ip link set %s type bridge vlan_protocol %s", o->bridge,
	         o->vlan.proto == ETH_P_8021AD ? "802.1ad" : "802.1Q");
	return no_vlan(w, o, "its bridge filters tags of another protocol",
	               mend);
}

static void no_priority(struct work *w, const struct pol_own *o)
{
	if (o->vlan.qos)
		reply_warn(w->reply,
		           "nic %s: a bridge sets no priority, so 'qos: %u' is "
		           "a VF's only",
		           o->name, o->vlan.qos);
}

static int join_ovs(struct work *w, const struct pol_own *o)
{
	uint16_t vlan = pol_own_vlan(o);

	if (vlan && o->vlan.proto == ETH_P_8021AD)
		return no_vlan(w, o,
		               "Open vSwitch puts a port into a VLAN of "
		               "802.1Q only",
		               "write `protocol: 802.1q` in the network");
	no_priority(w, o);
	return ovs_tap_put(w->env, o->ifname, o->bridge, vlan, &w->diag);
}

/* What there is to be set at the bridge, for the nic's network. */
static int plan_vlan(struct work *w, struct rtnl *rtnl, const struct pol_own *o,
                     struct tap_place *place)
{
	const struct pol_vlan *v = pol_own_vlan(o) ? &o->vlan : NULL;
	struct rtnl_bridge b;
	int r = v && !place->ovs
	                ? rtnl_bridge_read(rtnl, o->bridge, &b, &w->diag)
	                : 0;

	if (r < 0 || !v || place->ovs)
		return r;
	if (!b.filtering)
		return unfiltered(w, o);
	if (b.proto != v->proto)
		return other_protocol(w, o);
	no_priority(w, o);
	place->vlan = v->id;
	place->pvid = b.pvid;
	return 0;
}

/* A frame that the tunnel has no room for is dropped, and nobody is told: so
 * the guest is told before. */
static void take_mtu(struct work *w, struct pol_own *o)
{
	char path[96], text[16];
	uint64_t mtu;

	if (!o->network || !o->network->overlay.id || o->mtu)
		return;
	snprintf(path, sizeof(path), "sys/class/net/%.15s/mtu", o->bridge);
	if (sysfs_read(w->env->root_fd, path, text, sizeof(text)) < 0 ||
	    parse_u64(text, 65535, &mtu))
		return;
	if (o->tap->model == POL_NIC_VIRTIO)
		o->mtu = (uint32_t)mtu;
	else
		reply_warn(w->reply,
		           "nic %s: an 82540EM cannot be told that the overlay "
		           "takes %u bytes: set it in the guest",
		           o->name, (uint32_t)mtu);
}

static int place_nic(struct work *w, struct rtnl *rtnl, struct pol_own *o,
                     bool ovs)
{
	struct tap_place place = { .bridge = o->bridge, .ovs = ovs };
	int r = plan_vlan(w, rtnl, o, &place);

	take_mtu(w, o);
	place.mtu = o->mtu;
	if (r == 0 && pol_own_guarded(o))
		r = guard_set(w, o);
	if (r == 0 && ovs)
		r = join_ovs(w, o);
	if (r == 0)
		r = rtnl_tap(rtnl, o->ifname, &place, &w->diag);
	if (r == 0 && o->standby && *o->bridge && !ovs)
		r = rtnl_no_learning(rtnl, o->ifname, &w->diag);
	return r;
}

int tap_nic(struct work *w, struct rtnl *rtnl, struct pol_own *o)
{
	bool ovs = false;
	int r;

	if (o->tap->backend == POL_BACKEND_MACVTAP)
		return macvtap_nic(w, rtnl, o);
	r = check_bridge(w, o, &ovs);
	for (unsigned k = 0; r == 0 && k < o->tap->queues; k++) {
		r = tap_open(w, o, k);
		if (r == 0 && !k)
			r = place_nic(w, rtnl, o, ovs);
		if (r == 0)
			r = vhost_open(w, o, k);
	}
	return r;
}
