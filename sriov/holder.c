/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who has a function open through VFIO. The kernel does not tell, so the
 * open files of every process are looked through: a VFIO group or character
 * device shows there as a link to its node. A device descriptor that came of
 * a group needs no look: the group file stays open with it, since the kernel
 * keeps it, but a process may have closed its own copy; then the descriptor
 * reads "anon_inode:[vfio-device]" and names nothing. The VMM of this
 * project keeps the group open, as QEMU and others do.
 *
 * A link is read from the root of the mount that the file was opened by, where
 * that mount is in no tree any more: who is given a descriptor by a daemon with
 * mounts of its own, as systemd makes them, has "/vfio/12" open once the daemon
 * has ended.
 *
 * A process that ends or closes while it is read is passed over.
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sriov/priv.h"

#define TARGET 64
#define DEV "/dev"
#define VFIO DEV "/vfio/"

struct entry {
	struct sriov_holder holder;
	char node[TARGET]; /* "/dev/vfio/12", "/dev/vfio/devices/vfio3" */
};
struct sriov_holders {
	struct entry *entry;
	size_t n, room;
};

struct walk {
	int root_fd;
	const char *prefix;
	int pid;
	char dir[TARGET];
	struct sriov_holders *h;
};

static int add(struct walk *w, const char *node)
{
	struct sriov_holders *h = w->h;
	struct entry *e;
	char path[TARGET];

	if (h->n == h->room) {
		size_t room = h->room ? 2 * h->room : 16;

		e = realloc(h->entry, room * sizeof(*e));
		if (!e)
			return -ENOMEM;
		h->entry = e;
		h->room = room;
	}
	e = &h->entry[h->n++];
	memset(e, 0, sizeof(*e));
	e->holder.pid = w->pid;
	snprintf(e->node, sizeof(e->node), "%s", node);
	snprintf(path, sizeof(path), "proc/%d/comm", w->pid);
	if (sysfs_read(w->root_fd, path, e->holder.comm,
	               sizeof(e->holder.comm)) < 0)
		e->holder.comm[0] = '\0';
	return 0;
}

static bool is_asked(const struct walk *w, const char *node)
{
	return !strncmp(node, w->prefix, strlen(w->prefix)) &&
	       strcmp(node, VFIO "vfio") != 0;
}

static int visit_fd(const char *name, void *arg)
{
	struct walk *w = arg;
	char path[2 * TARGET], node[sizeof(DEV) - 1 + TARGET] = DEV;
	char *target = node + sizeof(DEV) - 1;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%.*s", w->dir, TARGET - 1, name);
	n = readlinkat(w->root_fd, path, target, TARGET - 1);
	if (n < 0 || n == TARGET - 1)
		return 0; /* gone, or longer than any that is asked for */
	target[n] = '\0';
	if (is_asked(w, target))
		return add(w, target);
	return is_asked(w, node) ? add(w, node) : 0;
}

/* A process that may not be looked at could be the one: an error, unless it
 * has merely ended. */
static int visit_pid(const char *name, void *arg)
{
	struct walk *w = arg;
	uint64_t pid;
	int r;

	if (parse_u64(name, INT32_MAX, &pid) < 0)
		return 0;
	w->pid = (int)pid;
	snprintf(w->dir, sizeof(w->dir), "proc/%d/fd", w->pid);
	r = sysfs_each(w->root_fd, w->dir, visit_fd, w);
	return r == -ENOENT || r == -ESRCH ? 0 : r;
}

/* ---- is there anything that could be held? ------------------------------- */

static int visit_function(const char *name, void *arg)
{
	struct bdf b;

	(void)arg;
	return bdf_parse(name, &b) ? 0 : 1;
}

static int visit_driver(const char *name, void *arg)
{
	const int *root_fd = arg;
	char path[SRIOV_PATH];

	if (!strstr(name, "vfio"))
		return 0;
	snprintf(path, sizeof(path), "sys/bus/pci/drivers/%.60s", name);
	return sysfs_each(*root_fd, path, visit_function, NULL);
}

bool sriov_vfio_has_any(int root_fd)
{
	return sysfs_each(root_fd, "sys/bus/pci/drivers", visit_driver,
	                  &root_fd) != 0;
}

int open_files(int root_fd, const char *prefix, struct sriov_holders **ret)
{
	struct sriov_holders *h = calloc(1, sizeof(*h));
	struct walk w = { .root_fd = root_fd, .prefix = prefix, .h = h };
	int r;

	if (!h)
		return -ENOMEM;
	r = sysfs_each(root_fd, "proc", visit_pid, &w);
	if (r < 0) {
		sriov_holders_free(h);
		return r;
	}
	*ret = h;
	return 0;
}

int sriov_holders_read(int root_fd, struct sriov_holders **ret)
{
	return open_files(root_fd, VFIO, ret);
}

const struct sriov_holder *holder_of_file(const struct sriov_holders *h,
                                          const char *name)
{
	for (size_t i = 0; i < h->n; i++)
		if (!strcmp(h->entry[i].node, name))
			return &h->entry[i].holder;
	return NULL;
}

int sriov_node_is_open(int root_fd, const char *node)
{
	struct sriov_holders *h;
	int r = open_files(root_fd, node, &h);

	if (r)
		return r;
	r = holder_of_file(h, node) != NULL;
	sriov_holders_free(h);
	return r;
}

void sriov_holders_free(struct sriov_holders *h)
{
	if (!h)
		return;
	free(h->entry);
	free(h);
}

int sriov_holders_find(const struct sriov_holders *h, int root_fd, struct bdf b,
                       struct sriov_holder *ret)
{
	char group[TARGET] = "", cdev[TARGET] = "", name[SRIOV_NAME];
	struct sriov_fn f;
	int r;

	if (!h || !h->n)
		return 0;
	r = sriov_fn_read(root_fd, b, &f);
	if (r)
		return r;
	if (f.group >= 0)
		snprintf(group, sizeof(group), VFIO "%d", f.group);
	if (!sriov_vfio_cdev(root_fd, b, name))
		snprintf(cdev, sizeof(cdev), VFIO "devices/%s", name);
	for (size_t i = 0; i < h->n; i++)
		if (!strcmp(h->entry[i].node, group) ||
		    !strcmp(h->entry[i].node, cdev)) {
			*ret = h->entry[i].holder;
			return 1;
		}
	return 0;
}

int sriov_holder(int root_fd, struct bdf b, struct sriov_holder *ret)
{
	struct sriov_holders *h;
	int r = sriov_holders_read(root_fd, &h);

	if (r)
		return r;
	r = sriov_holders_find(h, root_fd, b, ret);
	sriov_holders_free(h);
	return r;
}

int users_unknown(int err, const char *what, struct diag *d)
{
	diag_fail(d, err, FL_SRIOV_IN_USE, "%s: cannot tell who uses it", what);
	diag_why(d, "/proc and the device: %s", strerror(-err));
	diag_mend(d, "as root, with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH; "
	             "see `lspci -D` whether it is still there");
	return err;
}

int refuse_held(const struct sriov_holders *h, int root_fd, struct bdf b,
                const char *what, struct diag *d)
{
	struct sriov_holder who = { 0 };
	int r = sriov_holders_find(h, root_fd, b, &who);
	char name[BDF_STRLEN];

	if (!r)
		return 0;
	if (r < 0)
		return users_unknown(r, what, d);
	diag_fail(d, -EBUSY, FL_SRIOV_IN_USE, "%s: %s is in use", what,
	          bdf_format(b, name));
	diag_why(d,
	         "%s (pid %d) has it open through VFIO; the kernel would "
	         "wait for it, perhaps for ever",
	         *who.comm ? who.comm : "a process", who.pid);
	diag_mend(d, "end that guest first: kill %d", who.pid);
	return -EBUSY;
}
