/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One function as sysfs shows it. Attributes that are not there are "none",
 * never an error: what a function lacks is a fact about it. One that cannot be
 * read is no such fact: what would be put back later is an error then. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sriov/priv.h"

const char *fn_path(char buf[static SRIOV_PATH], struct bdf b, const char *attr)
{
	char name[BDF_STRLEN];

	snprintf(buf, SRIOV_PATH, "sys/bus/pci/devices/%s%s%s",
	         bdf_format(b, name), *attr ? "/" : "", attr);
	return buf;
}

int fn_open(int root_fd, struct bdf b, struct diag *d)
{
	char path[SRIOV_PATH], name[BDF_STRLEN];
	int fd = openat(root_fd, fn_path(path, b, ""),
	                O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = errno == ENOENT ? -ENODEV : -errno;

	if (fd >= 0)
		return fd;
	diag_fail(d, r, FL_SRIOV_NO_DEVICE,
	          r == -ENODEV ? "no PCI function %s" : "cannot look at %s",
	          bdf_format(b, name));
	diag_why(d, "/%s: %s", fn_path(path, b, ""),
	         r == -ENODEV ? "it does not exist" : strerror(-r));
	diag_mend(d, "see `lspci -D` for the functions of this machine");
	return r;
}

int fn_check(int root_fd, struct bdf b, struct diag *d)
{
	_cleanup_close_ int dir = fn_open(root_fd, b, d);

	return MIN(dir, 0);
}

static uint64_t attr_u64(int dir, const char *attr)
{
	uint64_t v = 0;

	return sysfs_attr_u64(dir, attr, &v) < 0 ? 0 : v;
}

static int attr_link(int dir, const char *attr, char ret[static SRIOV_NAME])
{
	int r = sysfs_link_name(dir, attr, ret, SRIOV_NAME);

	if (r < 0)
		ret[0] = '\0';
	return r == -ENOENT ? 0 : MIN(r, 0);
}

/* The kernel prints a missing override as "(null)". */
static int read_override(int dir, char ret[static SRIOV_NAME])
{
	int r = sysfs_attr(dir, "driver_override", ret, SRIOV_NAME);

	if (r < 0 || !strcmp(ret, "(null)"))
		ret[0] = '\0';
	return r == -ENOENT ? 0 : MIN(r, 0);
}

static int first_name(const char *name, void *arg)
{
	snprintf(arg, SRIOV_NAME, "%.*s", SRIOV_NAME - 1, name);
	return 1;
}

struct netdevs {
	int dir;
	char *name;
	unsigned n;
};

static int count_name(const char *name, void *arg)
{
	struct netdevs *v = arg;

	if (!v->n++)
		snprintf(v->name, SRIOV_NAME, "%.*s", SRIOV_NAME - 1, name);
	return v->n > 1;
}

/* A port of the function's switch that faces a VF or a part of a function is
 * called "pf0vf3", "pf0sf1" or "c1pf0": those are not its own. */
static int own_name(const char *name, void *arg)
{
	char attr[SRIOV_NAME + 24], port[SRIOV_NAME];
	struct netdevs *v = arg;

	snprintf(attr, sizeof(attr), "net/%.*s/phys_port_name", SRIOV_NAME - 1,
	         name);
	if (sysfs_attr(v->dir, attr, port, sizeof(port)) > 0 &&
	    (!strncmp(port, "pf", 2) || *port == 'c'))
		return 0;
	snprintf(v->name, SRIOV_NAME, "%.*s", SRIOV_NAME - 1, name);
	return 1;
}

/* The first, where there is one; in switchdev mode there are as many more as
 * it has VFs. */
static int read_ifname(int dir, char ret[static SRIOV_NAME])
{
	struct netdevs v = { .dir = dir, .name = ret };
	int r;

	ret[0] = '\0';
	r = sysfs_each(dir, "net", count_name, &v);
	if (r > 0)
		r = sysfs_each(dir, "net", own_name, &v);
	return r == -ENOENT ? 0 : MIN(r, 0);
}

static int read_number(int dir, const char *attr)
{
	uint64_t v;

	if (sysfs_attr_u64(dir, attr, &v) < 0 || v > INT32_MAX)
		return -1;
	return (int)v;
}

static int read_group(int dir)
{
	char name[SRIOV_NAME];
	uint64_t v;

	(void)!attr_link(dir, "iommu_group", name);
	return parse_u64(name, INT32_MAX, &v) < 0 ? -1 : (int)v;
}

int fn_look(int dir, struct bdf b, struct sriov_fn *ret)
{
	struct sriov_fn f = { .bdf = b };
	int r;

	f.vendor = (uint16_t)attr_u64(dir, "vendor");
	f.device = (uint16_t)attr_u64(dir, "device");
	f.subvendor = (uint16_t)attr_u64(dir, "subsystem_vendor");
	f.subdevice = (uint16_t)attr_u64(dir, "subsystem_device");
	f.class_code = (uint32_t)attr_u64(dir, "class");
	f.numa = read_number(dir, "numa_node");
	f.group = read_group(dir);
	r = attr_link(dir, "driver", f.driver);
	if (!r)
		r = read_ifname(dir, f.ifname);
	if (!r)
		*ret = f;
	return r;
}

int fn_read(int dir, struct bdf b, struct sriov_fn *ret)
{
	int r = fn_look(dir, b, ret);

	return r ? r : read_override(dir, ret->override);
}

bool sriov_fn_exists(int root_fd, struct bdf b)
{
	char path[SRIOV_PATH];

	return sysfs_exists(root_fd, fn_path(path, b, ""));
}

int sriov_fn_look(int root_fd, struct bdf b, struct sriov_fn *ret)
{
	_cleanup_close_ int dir = fn_open(root_fd, b, NULL);

	return dir < 0 ? dir : fn_look(dir, b, ret);
}

int sriov_fn_read(int root_fd, struct bdf b, struct sriov_fn *ret)
{
	_cleanup_close_ int dir = fn_open(root_fd, b, NULL);

	return dir < 0 ? dir : fn_read(dir, b, ret);
}

void sriov_fn_driver(int root_fd, struct bdf b, char ret[static SRIOV_NAME])
{
	char path[SRIOV_PATH];

	(void)!attr_link(root_fd, fn_path(path, b, "driver"), ret);
}

int sriov_vf_read(int root_fd, struct bdf b, struct sriov_fn *ret)
{
	_cleanup_close_ int dir = fn_open(root_fd, b, NULL);
	struct sriov_fn f = { .bdf = b, .numa = -1 };
	int r;

	if (dir < 0)
		return dir;
	f.group = read_group(dir);
	r = attr_link(dir, "driver", f.driver);
	if (!r)
		r = read_override(dir, f.override);
	if (!r)
		*ret = f;
	return r;
}

int sriov_pf_of(int root_fd, struct bdf vf, struct bdf *ret)
{
	char path[SRIOV_PATH], name[SRIOV_NAME];
	int r = sysfs_link_name(root_fd, fn_path(path, vf, "physfn"), name,
	                        sizeof(name));

	if (r < 0)
		return r == -EINVAL ? -ENOENT : r;
	return bdf_parse(name, ret);
}

int fn_tree(int root_fd, struct bdf b, char ret[static SRIOV_TREE])
{
	char path[SRIOV_PATH];
	ssize_t n =
		readlinkat(root_fd, fn_path(path, b, ""), ret, SRIOV_TREE - 1);

	if (n < 0)
		return -ENOENT;
	ret[n] = '\0';
	return 0;
}

int sriov_root_port(int root_fd, struct bdf b, struct bdf *ret)
{
	char to[SRIOV_TREE], *port, *end;

	if (fn_tree(root_fd, b, to))
		return -ENOENT;
	port = strstr(to, "/pci");
	port = port ? strchr(port + 1, '/') : NULL;
	end = port ? strchr(port + 1, '/') : NULL;
	if (!end)
		return -ENOENT;
	*end = '\0';
	return bdf_parse(port + 1, ret) ? -ENOENT : 0;
}

/* From Linux 6.1 on vfio-dev names the device; only where it has a number
 * (6.6, VFIO_DEVICE_CDEV) is there a character device of that name. */
int sriov_vfio_cdev(int root_fd, struct bdf b, char ret[static SRIOV_NAME])
{
	char path[SRIOV_PATH], name[SRIOV_NAME], number[2 * SRIOV_NAME];
	int r = sysfs_each(root_fd, fn_path(path, b, "vfio-dev"), first_name,
	                   name);

	if (r < 0)
		return r;
	snprintf(number, sizeof(number), "vfio-dev/%s/dev", r ? name : "");
	if (!r || !sysfs_exists(root_fd, fn_path(path, b, number)))
		return -ENOENT;
	memcpy(ret, name, sizeof(name));
	return 0;
}
