/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Screens and render nodes that a process has open: a desktop, a compute job.
 * Their driver would be taken from under them. The kernel tells only who has
 * a file open, process by process, so that is looked through once, and only
 * where a function has such a node at all. Of the screen that the firmware
 * started on it is known already that the host uses it: a server with no other
 * is spared the walk.
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sriov/priv.h"

#define DRI "/dev/dri/"
/* Older kernels have 64 cards at most, and as many render nodes. */
#define NODES_MAX 256
#define LINK_MAX 512

struct screens {
	int root_fd;
	size_t n;
	struct {
		struct bdf bdf;
		char path[SRIOV_NAME];
	} node[NODES_MAX];
};

static bool is_boot_screen(int root_fd, struct bdf b)
{
	char path[SRIOV_PATH];
	uint64_t boot = 0;

	return !sysfs_read_u64(root_fd, fn_path(path, b, "boot_vga"), &boot) &&
	       boot == 1;
}

/* "card0", "renderD128"; "card0-DP-1" is a plug of it. */
static int see_node(const char *name, void *arg)
{
	char path[SRIOV_PATH], link[LINK_MAX];
	struct screens *s = arg;
	struct bdf b;
	ssize_t n;

	if (strchr(name, '-'))
		return 0;
	snprintf(path, sizeof(path), "sys/class/drm/%.60s", name);
	n = readlinkat(s->root_fd, path, link, sizeof(link) - 1);
	if (n < 0)
		return 0;
	link[n] = '\0';
	if (!owner_of(link, &b) || is_boot_screen(s->root_fd, b))
		return 0;
	if (s->n == NODES_MAX)
		return -E2BIG;
	s->node[s->n].bdf = b;
	snprintf(s->node[s->n++].path, SRIOV_NAME, DRI "%.20s", name);
	return 0;
}

int each_open_screen(int root_fd,
                     int (*fn)(struct bdf b, const char *node,
                               const struct sriov_holder *who, void *arg),
                     void *arg)
{
	struct screens s = { .root_fd = root_fd };
	struct sriov_holders *h;
	int r = sysfs_each(root_fd, "sys/class/drm", see_node, &s);

	if (!r && s.n)
		r = open_files(root_fd, DRI, &h);
	/* Without /proc (a recorded tree) nobody is seen to have any. What is
	 * there and cannot be read is not nobody. */
	if (r || !s.n)
		return r == -ENOENT ? 0 : r;
	for (size_t i = 0; !r && i < s.n; i++) {
		const struct sriov_holder *who =
			holder_of_file(h, s.node[i].path);

		if (who)
			r = fn(s.node[i].bdf, s.node[i].path, who, arg);
	}
	sriov_holders_free(h);
	return r;
}
