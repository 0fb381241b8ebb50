/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_TEST_SRIOV_TREE_H
#define FL_TEST_SRIOV_TREE_H

/*
 * A sysfs of plain files in a temporary folder, and a process that plays the
 * kernel's part in it: what is written to sriov_numvfs, unbind and
 * drivers_probe has its effect a moment later. What it cannot play (a driver
 * that refuses with EBUSY, the device lock) is tested in the lab.
 */

#include "base/base.h"

#define PF "0000:01:00.0"
#define VF_FMT "0000:01:10.%u"
#define TREE_PATH 256

struct tree {
	char dir[64];
	int root_fd;
	pid_t kernel; /* 0 = nobody plays it */
};

void tree_make(struct tree *t);
void tree_drop(struct tree *t);
/* For cmocka: *state is a tree. */
int tree_setup(void **state);
int tree_teardown(void **state);
/* Parents are made. */
void tree_put(const struct tree *t, const char *text, const char *fmt, ...)
	_printf_(3, 4);
void tree_link(const struct tree *t, const char *target, const char *fmt, ...)
	_printf_(3, 4);
void tree_fifo(const struct tree *t, const char *path);
void tree_remove(const struct tree *t, const char *fmt, ...) _printf_(2, 3);
const char *tree_get(const struct tree *t, const char *path, char buf[64]);

/* A PF with `total` VFs possible and `num` there, and the drivers igb,
 * igbvf and vfio-pci. */
void tree_add_pf(const struct tree *t, unsigned total, unsigned num);
void tree_add_vf(const struct tree *t, unsigned index, const char *driver);
void tree_drop_vf(const struct tree *t, unsigned index);
/* From here on writes have effects. `refuse`: this driver takes no device. */
void tree_kernel(struct tree *t, const char *refuse);

struct bdf bdf_of(const char *s);
static inline struct bdf vf_bdf(unsigned i)
{
	return (struct bdf){ 0, 1, 16, (uint8_t)i };
}

#endif
