/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An interface into a container's network namespace and out of it: one netlink
 * message, with the namespace and the new name. What has to be done inside a
 * namespace is a child's, that enters it and ends.
 */

#include "cli/cni.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- in the namespace that we are in ------------------------------------- */

struct message {
	struct nlmsghdr h;
	struct ifinfomsg i;
	char attr[64];
};

static void put(struct message *m, unsigned short type, const void *data,
                size_t len)
{
	struct rtattr *a = (void *)((char *)m + NLMSG_ALIGN(m->h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	m->h.nlmsg_len =
		(uint32_t)(NLMSG_ALIGN(m->h.nlmsg_len) + RTA_ALIGN(a->rta_len));
}

static int answer(int fd)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char more[4096];
	} a;
	ssize_t n = recv(fd, &a, sizeof(a), 0);

	if (n < (ssize_t)(sizeof(a.h) + sizeof(a.e)) ||
	    a.h.nlmsg_type != NLMSG_ERROR)
		return -EIO;
	return a.e.error;
}

/* `to`: a name, or a pattern as "vf%d". */
static int move(const char *from, int ns, const char *to)
{
	const struct timeval patience = { .tv_sec = 10 };
	_cleanup_close_ int fd = -1;
	uint32_t target = (uint32_t)ns;
	struct message m = {
		.h = { .nlmsg_len = NLMSG_LENGTH(sizeof(m.i)),
		       .nlmsg_type = RTM_SETLINK,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		       .nlmsg_seq = 1 },
		.i = { .ifi_index = (int)if_nametoindex(from) },
	};

	if (!m.i.ifi_index)
		return -ENOENT;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	(void)!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
	                  sizeof(patience));
	put(&m, IFLA_NET_NS_FD, &target, sizeof(target));
	put(&m, IFLA_IFNAME, to, strlen(to) + 1);
	if (send(fd, &m, m.h.nlmsg_len, 0) < 0)
		return -errno;
	return answer(fd);
}

static int with_socket(const char *ifname, unsigned long what,
                       struct ifreq *ret)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(ret->ifr_name, sizeof(ret->ifr_name), "%s", ifname);
	return fd < 0 || ioctl(fd, what, ret) < 0 ? -errno : 0;
}

static int read_mac(const char *ifname, char ret[static CNI_MAC])
{
	struct ifreq q = { 0 };
	uint8_t mac[6];
	int r = with_socket(ifname, SIOCGIFHWADDR, &q);

	if (r < 0)
		return r == -ENODEV ? -ENOENT : r;
	memcpy(mac, q.ifr_hwaddr.sa_data, sizeof(mac));
	mac_format(mac, ret);
	return 0;
}

static int set_up(const char *ifname)
{
	struct ifreq q = { 0 };
	int r = with_socket(ifname, SIOCGIFFLAGS, &q);

	if (r < 0)
		return r;
	q.ifr_flags |= IFF_UP;
	return with_socket(ifname, SIOCSIFFLAGS, &q);
}

/* ---- in another ---------------------------------------------------------- */

struct inside {
	const char *ifname;
	int home; /* where it is to go, -1 = it stays */
	bool up;
};

static int act(const struct inside *in, char ret_mac[static CNI_MAC])
{
	int r = in->up ? set_up(in->ifname) : 0;

	if (!r)
		r = read_mac(in->ifname, ret_mac);
	if (!r && in->home >= 0)
		r = move(in->ifname, in->home, "flcni%d");
	return r;
}

static _Noreturn void be_inside(int ns, const struct inside *in, int out)
{
	struct {
		int r;
		char mac[CNI_MAC];
	} a = { 0 };

	a.r = setns(ns, CLONE_NEWNET) < 0 ? -errno : act(in, a.mac);
	_exit(write(out, &a, sizeof(a)) == sizeof(a) ? 0 : 1);
}

static int go_inside(const char *netns, const struct inside *in,
                     char ret_mac[static CNI_MAC])
{
	_cleanup_close_ int ns = open(netns, O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int from = -1;
	int ends[2], status;
	struct {
		int r;
		char mac[CNI_MAC];
	} a;
	pid_t pid;

	if (ns < 0)
		return -errno;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	from = ends[0];
	pid = fork();
	if (pid == 0)
		be_inside(ns, in, ends[1]);
	close(ends[1]);
	if (pid < 0)
		return -ENOMEM;
	if (read(from, &a, sizeof(a)) != sizeof(a))
		a.r = -EIO;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!a.r)
		memcpy(ret_mac, a.mac, CNI_MAC);
	return a.r;
}

int cni_link_in(const char *from, const char *netns, const char *to,
                char ret_mac[static CNI_MAC])
{
	const struct inside in = { .ifname = to, .home = -1, .up = true };
	_cleanup_close_ int ns = open(netns, O_RDONLY | O_CLOEXEC);
	char mac[CNI_MAC];
	int r;

	if (ns < 0)
		return -errno;
	/* The kernel moves it first, then finds that the name is taken. */
	r = cni_link_look(netns, to, mac);
	if (r != -ENOENT)
		return r ? r : -EEXIST;
	r = move(from, ns, to);
	if (r) {
		if (!if_nametoindex(from))
			(void)!cni_link_out(netns, from);
		return r;
	}
	r = go_inside(netns, &in, ret_mac);
	if (r)
		(void)!cni_link_out(netns, to);
	return r;
}

int cni_link_out(const char *netns, const char *ifname)
{
	_cleanup_close_ int home =
		open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	const struct inside in = { .ifname = ifname, .home = home };
	char mac[CNI_MAC];

	return home < 0 ? -errno : go_inside(netns, &in, mac);
}

int cni_link_look(const char *netns, const char *ifname,
                  char ret_mac[static CNI_MAC])
{
	const struct inside in = { .ifname = ifname, .home = -1 };

	return go_inside(netns, &in, ret_mac);
}
