/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The descriptors of a lease. The VMM opens nothing by name: what it is to
 * have is opened here, checked, and passed on.
 *
 * Back end: iommufd where /dev/iommu is there and every function has a
 * character device, else groups. A group can be opened once on the whole host,
 * so functions that share one share the descriptor.
 */

#include <fcntl.h>
#include <linux/iommufd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netd/priv.h"

static int fail(struct work *w, int err, const char *what, const char *path,
                const char *mend)
{
	diag_fail(&w->diag, err, FL_NETD_OPEN, "lease %s: cannot open %s %s",
	          w->req.guest, what, path);
	diag_why(&w->diag, "%s", strerror(-err));
	diag_mend(&w->diag, "%s", mend);
	return err;
}

int open_add(struct work *w, const char *name, int fd)
{
	json_t *names = json_object_get(w->reply, "fds");

	if (w->n_fds == NETD_FDS_MAX) {
		close_fd(&fd);
		return -E2BIG;
	}
	w->fd[w->n_fds++] = fd;
	return json_array_append_new(names, json_string(name)) ? -ENOMEM : 0;
}

/* Paths of the policy are absolute; they are taken below root_fd. */
const char *open_below(const char *path)
{
	while (*path == '/')
		path++;
	return path;
}

int open_node(struct work *w, const char *name, const char *path,
              const char *mend)
{
	int fd = openat(w->env->root_fd, open_below(path), O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return fail(w, -errno, name, path, mend);
	return open_add(w, name, fd);
}

/* Links are followed: the policy is root's. A FIFO or device would block. */
static int open_image(struct work *w, const char *name, const char *path)
{
	static const char mend[] = "name a readable file in the policy";
	struct stat st;
	int fd;

	if (!*path)
		return 0;
	fd = openat(w->env->root_fd, open_below(path),
	            O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fail(w, -errno, name, path, mend);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close_fd(&fd);
		return fail(w, -EINVAL, name, path,
		            "it must be a regular file");
	}
	return open_add(w, name, fd);
}

/* The host's counters, by which the VMM tells how often a vector came. */
static int open_interrupts(struct work *w)
{
	static const char path[] = "/proc/interrupts";
	int fd =
		openat(w->env->root_fd, open_below(path), O_RDONLY | O_CLOEXEC);

	return fd < 0 ? fail(w, -errno, "interrupts", path, "mount /proc")
	              : open_add(w, "interrupts", fd);
}

/* ---- VFIO ---------------------------------------------------------------- */

static bool has_cdevs(const struct work *w, const struct grant *give)
{
	char name[SRIOV_NAME];

	if (!sysfs_exists(w->env->root_fd, "dev/iommu"))
		return false;
	for (size_t i = 0; i < give->n; i++)
		if (sriov_vfio_cdev(w->env->root_fd, give->fn[i].bdf, name) < 0)
			return false;
	return give->n > 0;
}

/*
 * Pinned pages are counted against the process (as type1 does), not against
 * its user, whose every guest shares one account. Only CAP_SYS_RESOURCE may
 * say so, and only while the iommufd is empty: here.
 */
static int open_iommufd(struct work *w)
{
	struct iommu_option o = { .size = sizeof(o),
		                  .option_id = IOMMU_OPTION_RLIMIT_MODE,
		                  .op = IOMMU_OPTION_OP_SET,
		                  .val64 = 1 };
	int r = open_node(w, "iommu", "/dev/iommu", "modprobe iommufd");

	if (!r && ioctl(w->fd[w->n_fds - 1], IOMMU_OPTION, &o) < 0)
		reply_warn(w->reply,
		           "pinned memory counts against the user, not the "
		           "guest: %s",
		           strerror(errno));
	return r;
}

/* The descriptor of an earlier function in the same group. */
static int shared_group(const struct work *w, const struct grant *give,
                        const int *at, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (give->fn[k].group == give->fn[i].group)
			return w->fd[at[k]];
	return -1;
}

static int open_path(struct work *w, const char *name, const char *path)
{
	int fd = openat(w->env->root_fd, open_below(path), O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return fail(w, -errno, "VFIO device", path,
		            errno == EBUSY
		                    ? "another process has it: fairlead status"
		                    : "see `fairlead doctor`");
	return open_add(w, name, fd);
}

/* at[i]: where its descriptor is in w->fd. */
static int open_device(struct work *w, const struct grant *give, size_t i,
                       int *at, bool cdev)
{
	const struct grant_fn *f = &give->fn[i];
	char path[64], name[64], node[SRIOV_NAME];
	int r, fd;

	snprintf(name, sizeof(name), "device:%s", f->name);
	at[i] = (int)w->n_fds;
	if (cdev) {
		r = sriov_vfio_cdev(w->env->root_fd, f->bdf, node);
		if (r)
			return fail(w, r, "device of", f->name,
			            "see `fairlead doctor`");
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s", node);
		return open_path(w, name, path);
	}
	fd = shared_group(w, give, at, i);
	fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (fd >= 0)
		return open_add(w, name, fd);
	snprintf(path, sizeof(path), "/dev/vfio/%d", f->group);
	return open_path(w, name, path);
}

static int open_rom(struct work *w, const struct grant_fn *f)
{
	char name[64];

	if (f->rom != POL_ROM_FILE)
		return 0;
	snprintf(name, sizeof(name), "rom:%s", f->name);
	return open_image(w, name, f->rom_file);
}

static int open_functions(struct work *w, const struct grant *give, bool cdev)
{
	int at[LEASE_DEVICES_MAX], r = 0;

	for (size_t i = 0; !r && i < give->n; i++)
		r = open_device(w, give, i, at, cdev);
	for (size_t i = 0; !r && i < give->n; i++)
		r = open_rom(w, &give->fn[i]);
	return r;
}

static int open_space(struct work *w, bool cdev)
{
	json_object_set_new(w->reply, "backend",
	                    json_string(cdev ? "iommufd" : "group"));
	return cdev ? open_iommufd(w)
	            : open_node(w, "iommu", "/dev/vfio/vfio", "modprobe vfio");
}

static int open_devices(struct work *w, const struct grant *give)
{
	bool cdev = has_cdevs(w, give);
	int r = open_space(w, cdev);

	return r ? r : open_functions(w, give, cdev);
}

/* The guest that runs keeps the back end that it has. */
int open_more(struct work *w, const struct lease *l, const struct grant *give)
{
	bool cdev = !strcmp(l->backend, "iommufd");

	json_object_set_new(w->reply, "fds", json_array());
	if (!*l->backend)
		return open_devices(w, give);
	if (cdev && !has_cdevs(w, give))
		return fail(w, -ENOENT, "device of", give->fn[0].name,
		            "it has no VFIO character device, which the guest "
		            "uses: start the guest anew");
	return open_functions(w, give, cdev);
}

int open_guest(struct work *w, const struct pol_guest *g,
               const struct grant *give)
{
	int r;

	json_object_set_new(w->reply, "fds", json_array());
	r = open_node(w, "kvm", "/dev/kvm",
	              "modprobe kvm_intel or kvm_amd; turn virtualization on "
	              "in the firmware");
	if (!r)
		r = open_image(w, "kernel", g->kernel);
	if (!r)
		r = open_unpacked(w, g, w->fd[w->n_fds - 1]);
	if (!r)
		r = open_image(w, "initrd", g->initrd);
	/* Without a device there is no DMA to remap, and no back end. */
	if (!r && give->n)
		r = open_devices(w, give);
	if (!r && g->interrupts)
		r = open_interrupts(w);
	return r;
}
