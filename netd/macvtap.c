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

/* ---- what is marked ------------------------------------------------------ */

struct marked {
	const char *guest, *nic; /* NULL = any */
	size_t n;
	struct marked_link {
		unsigned ifindex;
		char ifname[IF_NAMESIZE], guest[POL_NAME], nic[POL_NAME];
	} * link;
};

/* "fairlead macvtap GUEST/NIC" */
static bool parse_mark(const char *alias, char guest[static POL_NAME],
                       char nic[static POL_NAME])
{
	const char *slash;

	if (strncmp(alias, MARK, sizeof(MARK) - 1) != 0)
		return false;
	alias += sizeof(MARK) - 1;
	slash = strchr(alias, '/');
	if (!slash || slash - alias >= POL_NAME)
		return false;
	snprintf(guest, POL_NAME, "%.*s", (int)(slash - alias), alias);
	snprintf(nic, POL_NAME, "%.*s", POL_NAME - 1, slash + 1);
	return true;
}

static int decode(struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *i = nlmsg_data(h);
	struct marked_link l, *more;
	struct marked *m = arg;
	struct nlattr *alias, *name;
	char text[MARK_MAX];

	if (h->nlmsg_type != RTM_NEWLINK ||
	    h->nlmsg_len < NLMSG_HDRLEN + sizeof(*i))
		return 0;
	alias = nlmsg_find_attr(h, sizeof(*i), IFLA_IFALIAS);
	name = nlmsg_find_attr(h, sizeof(*i), IFLA_IFNAME);
	if (!alias || !name)
		return 0;
	nla_strlcpy(text, alias, sizeof(text));
	if (!parse_mark(text, l.guest, l.nic) ||
	    (m->guest && strcmp(l.guest, m->guest) != 0) ||
	    (m->nic && strcmp(l.nic, m->nic) != 0))
		return 0;
	l.ifindex = (unsigned)i->ifi_index;
	nla_strlcpy(l.ifname, name, IF_NAMESIZE);
	more = reallocarray(m->link, m->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	m->link = more;
	m->link[m->n++] = l;
	return 0;
}

static bool is_leased(const struct work *w, const struct marked *m, size_t i)
{
	const struct lease *l = lease_find(&w->env->leases, m->link[i].guest);

	return l && !l->ending && lease_has_own(l, m->link[i].nic);
}

static void remove_it(const struct work *w, struct rtnl *rtnl,
                      const struct marked *m, size_t i)
{
	char words[RTNL_WORDS] = "";

	if (rtnl_remove_link(rtnl, m->link[i].ifname, words) < 0)
		log_line(w->env->log, LOG_LVL_WARN, "cannot remove %s: %s",
		         m->link[i].ifname, words);
}

/* What was told before a failure counts, too. */
static void find(struct rtnl *rtnl, struct marked *m)
{
	(void)!rtnl_each_link(rtnl, decode, m, NULL);
}

void macvtap_sweep(const struct work *w, struct rtnl *rtnl, const char *guest,
                   const char *nic)
{
	struct marked m = { .guest = guest, .nic = nic };

	find(rtnl, &m);
	for (size_t i = 0; i < m.n; i++)
		if (!is_leased(w, &m, i))
			remove_it(w, rtnl, &m, i);
	free(m.link);
}

/* A guest that an earlier netd leased it to runs on, and has it open. Where
 * that cannot be told it has. */
static bool is_left(const struct work *w, const struct marked *m, size_t i)
{
	char node[32];

	snprintf(node, sizeof(node), "/dev/tap%u", m->link[i].ifindex);
	return !is_leased(w, m, i) &&
	       !sriov_node_is_open(w->env->root_fd, node);
}

static void find_all(const struct work *w, struct rtnl *rtnl, struct marked *m)
{
	/* The class is there when the first one was. */
	if (sysfs_exists(w->env->root_fd, "sys/class/macvtap"))
		find(rtnl, m);
}

bool macvtap_left(const struct work *w, struct rtnl *rtnl)
{
	struct marked m = { .n = 0 };
	bool any = false;

	find_all(w, rtnl, &m);
	for (size_t i = 0; !any && i < m.n; i++)
		any = is_left(w, &m, i);
	free(m.link);
	return any;
}

void macvtap_tidy(const struct work *w)
{
	struct marked m = { .n = 0 };
	struct rtnl *rtnl = NULL;

	if (!rtnl_open(&rtnl, NULL))
		find_all(w, rtnl, &m);
	for (size_t i = 0; i < m.n; i++)
		if (is_left(w, &m, i))
			remove_it(w, rtnl, &m, i);
	free(m.link);
	rtnl_close(rtnl);
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

/* ---- the interface ------------------------------------------------------- */

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

/* ---- its descriptors ----------------------------------------------------- */

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
