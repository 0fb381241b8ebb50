/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NICs on interfaces of the host; macvtap.h says how. */

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "netd/macvtap.h"
#include "netd/rtnl-make.h"
#include "netd/tap.h"

#define MARK "fairlead macvtap "
#define MARK_MAX (sizeof(MARK) + 2ul * POL_NAME)

static int refused(struct work *w, const struct pol_own *o, int err,
                   const char *why, const char *mend)
{
	diag_fail(&w->diag, err, FL_NETD_MACVTAP,
	          "guest %s: cannot make %s for nic %s", w->req.guest,
	          o->ifname, o->name);
	diag_why(&w->diag, "%s", why);
	diag_mend(&w->diag, "%s", mend);
	return err;
}

/* ---- what is marked --------------------------------------------------------
 */

#define MARKED_MAX 64
struct marked {
	const char *guest, *nic; /* nic: NULL = any */
	size_t n;
	struct {
		int ifindex;
		char ifname[IF_NAMESIZE], nic[POL_NAME];
	} link[MARKED_MAX];
};

/* The nic in the mark of a link that is the guest's; NULL = it is not. */
static const char *nic_of(const char *alias, const char *guest)
{
	size_t n = strlen(guest);

	if (strncmp(alias, MARK, sizeof(MARK) - 1) != 0)
		return NULL;
	alias += sizeof(MARK) - 1;
	return !strncmp(alias, guest, n) && alias[n] == '/' ? alias + n + 1
	                                                    : NULL;
}

static int decode(struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *i = nlmsg_data(h);
	struct marked *m = arg;
	struct nlattr *alias, *name;
	char text[MARK_MAX];
	const char *nic;

	if (h->nlmsg_type != RTM_NEWLINK ||
	    h->nlmsg_len < NLMSG_HDRLEN + sizeof(*i) || m->n == MARKED_MAX)
		return 0;
	alias = nlmsg_find_attr(h, sizeof(*i), IFLA_IFALIAS);
	name = nlmsg_find_attr(h, sizeof(*i), IFLA_IFNAME);
	if (!alias || !name)
		return 0;
	nla_strlcpy(text, alias, sizeof(text));
	nic = nic_of(text, m->guest);
	if (!nic || (m->nic && strcmp(nic, m->nic) != 0))
		return 0;
	m->link[m->n].ifindex = i->ifi_index;
	nla_strlcpy(m->link[m->n].ifname, name, IF_NAMESIZE);
	snprintf(m->link[m->n].nic, POL_NAME, "%.*s", POL_NAME - 1, nic);
	m->n++;
	return 0;
}

void macvtap_sweep(const struct work *w, struct rtnl *rtnl, const char *guest,
                   const char *nic)
{
	const struct lease *l = lease_find(&w->env->leases, guest);
	struct marked m = { .guest = guest, .nic = nic };
	char words[RTNL_WORDS] = "";

	if (rtnl_each_link(rtnl, decode, &m) < 0)
		return;
	for (size_t i = 0; i < m.n; i++) {
		if (l && !l->ending && lease_has_own(l, m.link[i].nic))
			continue;
		if (rtnl_remove_link(rtnl, m.link[i].ifname, words) < 0)
			log_line(w->env->log, LOG_LVL_WARN,
			         "cannot remove %s: %s", m.link[i].ifname,
			         words);
	}
}

int verb_unlink(struct work *w)
{
	struct rtnl *rtnl = NULL;
	int r = rtnl_open(&rtnl, &w->diag);

	if (!r)
		macvtap_sweep(w, rtnl, w->req.guest, NULL);
	rtnl_close(rtnl);
	return r;
}

/* ---- the interface ---------------------------------------------------------
 */

static bool put_mode(struct nl_msg *m, const void *arg)
{
	const struct pol_own *o = arg;

	return nla_put_u32(m, IFLA_MACVLAN_MODE, o->tap->mode) >= 0;
}

static bool put_link(struct nl_msg *m, const void *arg)
{
	const struct pol_own *o = arg;

	return nla_put_u32(m, IFLA_LINK, if_nametoindex(o->tap->parent)) >= 0 &&
	       nla_put(m, IFLA_ADDRESS, sizeof(o->mac), o->mac) >= 0 &&
	       nla_put_u32(m, IFLA_NUM_TX_QUEUES, o->tap->queues) >= 0 &&
	       nla_put_u32(m, IFLA_NUM_RX_QUEUES, o->tap->queues) >= 0;
}

static int make(struct work *w, struct rtnl *rtnl, const struct pol_own *o)
{
	char mark[MARK_MAX + 1], words[RTNL_WORDS] = "", why[DIAG_LINE];
	const struct rtnl_new new = { .kind = "macvtap",
		                      .temporary = "flnew-macvtap",
		                      .name = o->ifname,
		                      .mark = mark,
		                      .data = put_mode,
		                      .link = put_link,
		                      .arg = o };
	int r;

	if (!if_nametoindex(o->tap->parent))
		return refused(w, o, -ENODEV, "its parent is not there",
		               "see `ip link`; correct 'parent'");
	if (if_nametoindex(o->ifname))
		return refused(w, o, -EEXIST,
		               "an interface of that name is there",
		               "remove it, or write another name with 'tap'");
	snprintf(mark, sizeof(mark), MARK "%s/%s", w->req.guest, o->name);
	r = rtnl_make_link(rtnl, &new, words);
	if (!r)
		return 0;
	snprintf(why, sizeof(why), "on %s: %s%s%s", o->tap->parent,
	         strerror(-r), *words ? ": " : "", words);
	return refused(w, o, r, why,
	               r == -EOPNOTSUPP ? "modprobe macvtap"
	               : r == -EBUSY
	                       ? "its parent is a bridge's port, or another "
	                         "has it alone (passthru)"
	                       : "see `ip -d link` and `dmesg`");
}

/* ---- its descriptors -------------------------------------------------------
 */

/* A node of that name may be anything. */
static bool is_its(const struct work *w, const struct pol_own *o, unsigned n,
                   int fd)
{
	char path[128], text[32], want[32];
	struct stat st;

	snprintf(path, sizeof(path), "sys/class/net/%.15s/tap%u/dev", o->ifname,
	         n);
	if (sysfs_read(w->env->root_fd, path, text, sizeof(text)) < 0 ||
	    fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode))
		return false;
	snprintf(want, sizeof(want), "%u:%u", major(st.st_rdev),
	         minor(st.st_rdev));
	return !strcmp(text, want);
}

static int open_queue(struct work *w, const struct pol_own *o, unsigned k)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	unsigned n = if_nametoindex(o->ifname);
	_cleanup_close_ int fd = -1;
	char name[2 * POL_NAME];

	snprintf(name, sizeof(name), "dev/tap%u", n);
	fd = openat(w->env->root_fd, name, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return refused(w, o, -errno, "its /dev/tapN cannot be opened",
		               "is devtmpfs mounted at /dev?");
	if (!is_its(w, o, n, fd))
		return refused(w, o, -ENODEV, "its /dev/tapN is another device",
		               "see `ls -l /dev/tap*`: remove what is not "
		               "udev's or devtmpfs'");
	if (o->tap->queues > 1)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		return refused(w, o, -errno, strerror(errno), "see `dmesg`");
	snprintf(name, sizeof(name), "tap:%s:%u", o->name, k);
	return open_add(w, name, TAKE_FD(fd));
}

int macvtap_nic(struct work *w, struct rtnl *rtnl, const struct pol_own *o)
{
	const struct tap_place place = { .bridge = "", .mtu = o->mtu };
	char words[RTNL_WORDS];
	int r;

	/* What a crash has left of it; of this nic alone, as the others may
	 * have been made for this very lease. */
	macvtap_sweep(w, rtnl, w->req.guest, o->name);
	r = make(w, rtnl, o);
	if (r)
		return r;
	r = rtnl_tap(rtnl, o->ifname, &place, &w->diag);
	for (unsigned k = 0; !r && k < o->tap->queues; k++)
		r = open_queue(w, o, k);
	if (r)
		(void)!rtnl_remove_link(rtnl, o->ifname, words);
	return r;
}
