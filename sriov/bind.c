/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drivers. Order: is the driver there; does anybody hold the function; the
 * override, so that nothing else takes it from here on; unbind; probe; read
 * back; then the override that is to stay. A named driver is probed with its
 * name in the override even where that goes again: with autoprobe off the
 * kernel binds a VF to nothing else.
 */

#include <stdio.h>
#include <string.h>

#include "sriov/priv.h"

struct job {
	int root_fd;
	struct bdf b;
	const char *driver; /* NULL = whatever the kernel chooses */
	const char *override;
	const struct patience *p;
	struct diag *d;
	char what[96];
};

static bool is_vfio(const char *driver)
{
	size_t n = strlen(driver), tail = strlen("vfio-pci");

	return n >= tail && (!strcmp(driver + n - tail, "vfio-pci") ||
	                     !strcmp(driver + n - tail, "vfio_pci"));
}

static bool satisfied(const struct job *j, const struct sriov_fn *f)
{
	return j->driver ? !strcmp(f->driver, j->driver)
	                 : *f->driver && !is_vfio(f->driver);
}

static bool is_bound_so(const void *arg)
{
	const struct job *j = arg;
	struct sriov_fn f;

	return !sriov_fn_read(j->root_fd, j->b, &f) && satisfied(j, &f);
}

static bool is_unbound(const void *arg)
{
	const struct job *j = arg;
	struct sriov_fn f;

	return !sriov_fn_read(j->root_fd, j->b, &f) && !*f.driver;
}

static int check_driver(const struct job *j)
{
	char path[SRIOV_PATH];

	if (!j->driver || !*j->driver)
		return 0;
	snprintf(path, sizeof(path), "sys/bus/pci/drivers/%s", j->driver);
	if (!strchr(j->driver, '/') && sysfs_exists(j->root_fd, path))
		return 0;
	diag_fail(j->d, -ENOENT, FL_SRIOV_NO_DRIVER, "%s", j->what);
	diag_why(j->d, "no driver %s is loaded", j->driver);
	diag_mend(j->d, "modprobe %s", j->driver);
	return -ENOENT;
}

/* Unbinding waits for a VFIO user as removing does. */
static int check_holder(const struct job *j)
{
	struct sriov_holders *h;
	int r = sriov_holders_read(j->root_fd, &h);

	if (r)
		return users_unknown(r, j->what, j->d);
	r = refuse_held(h, j->root_fd, j->b, j->what, j->d);
	sriov_holders_free(h);
	return r;
}

static int write_override(const struct job *j, const char *value)
{
	char path[SRIOV_PATH];

	/* The kernel takes an empty line, but not an empty write. */
	return write_attr(j->root_fd, fn_path(path, j->b, "driver_override"),
	                  *value ? value : "\n", j->p, FL_SRIOV_BIND, j->what,
	                  j->d);
}

static int set_override(const struct job *j, const char *value)
{
	struct sriov_fn f;
	int r = sriov_fn_read(j->root_fd, j->b, &f);

	if (!r && !strcmp(f.override, value))
		return 0;
	r = write_override(j, value);
	if (!r)
		r = sriov_fn_read(j->root_fd, j->b, &f);
	if (!r && strcmp(f.override, value) != 0) {
		diag_fail(j->d, -EIO, FL_SRIOV_BIND, "%s", j->what);
		diag_why(j->d,
		         "driver_override reads \"%s\" after \"%s\" was "
		         "written",
		         f.override, value);
		diag_mend(j->d,
		          "another program sets it, too: see "
		          "`fairlead doctor`; driverctl(8) and udev rules "
		          "do");
		r = -EIO;
	}
	return r;
}

static int unbind(const struct job *j)
{
	char path[SRIOV_PATH], name[BDF_STRLEN];
	int r = write_attr(j->root_fd, fn_path(path, j->b, "driver/unbind"),
	                   bdf_format(j->b, name), j->p, FL_SRIOV_BIND, j->what,
	                   j->d);

	if (r)
		return r;
	r = wait_until(j->p, is_unbound, j);
	if (r) {
		diag_fail(j->d, r, FL_SRIOV_BIND, "%s", j->what);
		diag_why(j->d, "its driver did not let go");
		diag_mend(j->d, "see `dmesg | grep %s`", name);
	}
	return r;
}

static int not_taken(const struct job *j)
{
	char name[BDF_STRLEN];
	struct sriov_fn f = { 0 };

	bdf_format(j->b, name);
	diag_fail(j->d, -ENODEV, FL_SRIOV_BIND, "%s", j->what);
	if (sriov_fn_read(j->root_fd, j->b, &f))
		diag_why(j->d, "the function has gone");
	else if (!j->driver)
		diag_why(j->d, "no driver of the host took it");
	else
		diag_why(j->d, "the driver did not take it; it has %s now",
		         *f.driver ? f.driver : "none");
	if (!j->driver)
		diag_mend(j->d,
		          "load its driver: modprobe $(cat "
		          "/sys/bus/pci/devices/%s/modalias); with "
		          "drivers-autoprobe off name the driver",
		          name);
	else
		diag_mend(j->d, "see `dmesg | grep %s`", name);
	return -ENODEV;
}

/* A probe is done when the write returns; the wait is for the links only. */
static int probe(const struct job *j)
{
	static const unsigned links_ms = 500;
	struct patience p = { .wait_ms = MIN(j->p->wait_ms, links_ms) };
	char name[BDF_STRLEN];
	int r = write_attr(j->root_fd, "sys/bus/pci/drivers_probe",
	                   bdf_format(j->b, name), j->p, FL_SRIOV_BIND, j->what,
	                   j->d);

	if (r == -ETIMEDOUT)
		return r;
	/* A refused probe is told by the outcome, in words that help. */
	return wait_until(&p, is_bound_so, j) ? not_taken(j) : 0;
}

static int rebind(const struct job *j, const struct sriov_fn *f)
{
	bool named = j->driver && *j->driver;
	int r = check_driver(j);

	if (!r && *f->driver)
		r = check_holder(j);
	if (!r)
		r = set_override(j, named ? j->driver : j->override);
	if (!r && *f->driver)
		r = unbind(j);
	if (!r && (named || !j->driver))
		r = probe(j);
	return r;
}

int bind_to(int root_fd, struct bdf b, const char *driver, const char *override,
            const struct patience *p, struct diag *d)
{
	struct job j = { .root_fd = root_fd,
		         .b = b,
		         .driver = driver,
		         .override = override,
		         .p = p,
		         .d = d };
	char name[BDF_STRLEN];
	struct sriov_fn f;
	int r = fn_check(root_fd, b, d);

	if (r)
		return r;
	bdf_format(b, name);
	if (driver && !*driver)
		snprintf(j.what, sizeof(j.what), "cannot unbind %s", name);
	else
		snprintf(j.what, sizeof(j.what), "cannot bind %s to %s", name,
		         driver ? driver : "its default driver");
	r = sriov_fn_read(root_fd, b, &f);
	if (r) {
		diag_fail(d, r, FL_SRIOV_NO_DEVICE, "%s", j.what);
		diag_why(d, "its files cannot be read: %s", strerror(-r));
		diag_mend(d, "see `lspci -D` and `dmesg`: has it been pulled?");
		return r;
	}
	if (!satisfied(&j, &f))
		r = rebind(&j, &f);
	return r ? r : set_override(&j, override);
}
