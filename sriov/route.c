/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which functions the host's default route goes through: the interface of the
 * route, and what is below it (a bridge's ports, a bond's members, a VLAN's
 * device: sys/class/net/X/lower_*), down to PCI. A VF counts as its PF, whose
 * driver carries it. Of a route with several next hops the kernel's files show
 * the first alone: those of the others are the caller's to tell.
 *
 * Interfaces above one another may be any number and, in a damaged tree, a
 * ring: each is looked at once, and at most NAMES_MAX of them.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sriov/priv.h"

#define NAMES_MAX 64
#define LINE_MAX_LEN 512

struct walk {
	int root_fd;
	char name[NAMES_MAX][SRIOV_NAME];
	size_t n;
	struct bdf *ret;
	size_t n_ret;
};

static int add_name(struct walk *w, const char *name)
{
	if (!*name || strlen(name) >= SRIOV_NAME || strchr(name, '/'))
		return 0;
	for (size_t i = 0; i < w->n; i++)
		if (!strcmp(w->name[i], name))
			return 0;
	if (w->n == NAMES_MAX)
		return -E2BIG;
	snprintf(w->name[w->n++], SRIOV_NAME, "%s", name);
	return 0;
}

/* ---- the routes ---------------------------------------------------------- */

/* "eth0 00000000 GATEWAY FLAGS REFCNT USE METRIC MASK ...": destination and
 * mask 0. */
static int route4(const char *line, void *arg)
{
	char name[SRIOV_NAME], dest[16], mask[16];

	if (sscanf(line, "%31s %15s %*s %*s %*s %*s %*s %15s", name, dest,
	           mask) != 3 ||
	    strcmp(dest, "00000000") != 0 || strcmp(mask, "00000000") != 0)
		return 0;
	return add_name(arg, name);
}

/* "DEST PLEN SRC PLEN NEXT METRIC REF USE FLAGS eth0"; a next hop of zeroes is
 * on the link itself. What refuses goes nowhere (the kernel's own ::/0 of lo).
 */
static int route6(const char *line, void *arg)
{
	char name[SRIOV_NAME], plen[8], flags[12];

	if (sscanf(line, "%*s %7s %*s %*s %*s %*s %*s %*s %11s %31s", plen,
	           flags, name) != 3 ||
	    strcmp(plen, "00") != 0 || strtoul(flags, NULL, 16) & ROUTE_REJECTS)
		return 0;
	return add_name(arg, name);
}

int each_line(int root_fd, const char *path,
              int (*fn)(const char *line, void *arg), void *arg)
{
	int fd = openat(root_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char line[LINE_MAX_LEN];
	FILE *f;
	int r = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	f = fdopen(fd, "r");
	if (!f) {
		r = -errno;
		close_fd(&fd);
		return r;
	}
	errno = 0;
	while (!r && fgets(line, sizeof(line), f))
		r = fn(line, arg);
	if (!r && ferror(f))
		r = errno ? -errno : -EIO;
	fclose(f);
	return r;
}

/* ---- what is below ------------------------------------------------------- */

static int add_lower(const char *name, void *arg)
{
	return strncmp(name, "lower_", 6) ? 0 : add_name(arg, name + 6);
}

static int add_function(struct walk *w, const char *name)
{
	char path[SRIOV_PATH], text[SRIOV_NAME];
	struct bdf b, pf;

	snprintf(path, sizeof(path), "sys/class/net/%s/device", name);
	if (sysfs_link_name(w->root_fd, path, text, sizeof(text)) < 0 ||
	    bdf_parse(text, &b))
		return 0;
	if (!sriov_pf_of(w->root_fd, b, &pf))
		b = pf;
	for (size_t i = 0; i < w->n_ret; i++)
		if (bdf_equal(w->ret[i], b))
			return 0;
	if (w->n_ret == SRIOV_ROUTE_MAX)
		return -E2BIG;
	w->ret[w->n_ret++] = b;
	return 0;
}

static int look_below(struct walk *w, const char *name)
{
	char path[SRIOV_PATH];
	int r = add_function(w, name);

	snprintf(path, sizeof(path), "sys/class/net/%s", name);
	if (!r)
		r = sysfs_each(w->root_fd, path, add_lower, w);
	return r == -ENOENT || r == -ENOTDIR ? 0 : r;
}

int sriov_route_functions(int root_fd, const char *const *also, size_t n_also,
                          struct bdf ret[static SRIOV_ROUTE_MAX], size_t *ret_n)
{
	struct walk w = { .root_fd = root_fd, .ret = ret };
	int r = each_line(root_fd, "proc/net/route", route4, &w);

	if (!r)
		r = each_line(root_fd, "proc/net/ipv6_route", route6, &w);
	for (size_t i = 0; !r && i < n_also; i++)
		r = add_name(&w, also[i]);
	for (size_t i = 0; !r && i < w.n; i++)
		r = look_below(&w, w.name[i]);
	if (!r)
		*ret_n = w.n_ret;
	return r;
}
