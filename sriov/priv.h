/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_SRIOV_PRIV_H
#define FL_SRIOV_PRIV_H

/* Inside sriov: paths of a function, and writes that explain themselves. */

#include "sriov/sriov.h"

#define SRIOV_PATH 128
#define SRIOV_STEP_MS 5u
#define SRIOV_WAIT_MS 5000u

/* "sys/bus/pci/devices/BDF/ATTR"; returns buf. */
const char *fn_path(char buf[static SRIOV_PATH], struct bdf b,
                    const char *attr);
/* Where the function's link goes: its place in the tree of devices, through all
 * that is above it, ".../pci0000:3a/0000:3a:00.0/0000:3b:00.0". -ENOENT where
 * it is no link. */
#define SRIOV_TREE 512
_must_check_ int fn_tree(int root_fd, struct bdf b,
                         char ret[static SRIOV_TREE]);
/* The function's folder, or -ENODEV FL_SRIOV_NO_DEVICE. The way there goes over
 * a link, which takes the kernel longer than an attribute: who reads several
 * goes it once. */
_must_check_ int fn_open(int root_fd, struct bdf b, struct diag *d);
/* 0, or the same. */
_must_check_ int fn_check(int root_fd, struct bdf b, struct diag *d);
/* sriov_fn_look() and sriov_fn_read(), in the function's folder. */
_must_check_ int fn_look(int dir, struct bdf b, struct sriov_fn *ret);
_must_check_ int fn_read(int dir, struct bdf b, struct sriov_fn *ret);

/* How long to be patient; tests are less so. */
struct patience {
	unsigned write_ms, wait_ms;
	unsigned vf_ms; /* of a write, for each VF that a numvfs moves */
};

/* Write an attribute within p->write_ms. -ETIMEDOUT FL_SRIOV_STUCK, anything
 * else `code`; `what` names the attempt. */
_must_check_ int write_attr(int root_fd, const char *path, const char *value,
                            const struct patience *p, int code,
                            const char *what, struct diag *d);
/* 0 once `done` says so, -ETIMEDOUT after p->wait_ms. */
_must_check_ int wait_until(const struct patience *p,
                            bool (*done)(const void *arg), const void *arg);

/* -EBUSY FL_SRIOV_IN_USE when a process has `b` open; -EIO and the like when
 * that cannot be told. */
_must_check_ int refuse_held(const struct sriov_holders *h, int root_fd,
                             struct bdf b, const char *what, struct diag *d);

/* holder.c: as sriov_holders_read(), of other files than VFIO's: those whose
 * names begin with `prefix`. */
_must_check_ int open_files(int root_fd, const char *prefix,
                            struct sriov_holders **ret);
/* The first who has that file open, or NULL. */
const struct sriov_holder *holder_of_file(const struct sriov_holders *h,
                                          const char *name);
/* use.c: the last PCI function among the components of `path`. */
bool owner_of(const char *path, struct bdf *ret);
/* drm.c: calls `fn` for each node of a screen that a process has open, not of
 * the one that the firmware started on. */
_must_check_ int each_open_screen(int root_fd,
                                  int (*fn)(struct bdf b, const char *node,
                                            const struct sriov_holder *who,
                                            void *arg),
                                  void *arg);

/* It could not be found out who uses what `what` is about: `err`. */
int users_unknown(int err, const char *what, struct diag *d);

_must_check_ int set_numvfs(int root_fd, struct bdf pf, unsigned n,
                            const struct patience *p, struct diag *d);
_must_check_ int set_msix(int root_fd, struct bdf vf, unsigned n,
                          const struct patience *p, struct diag *d);
_must_check_ int bind_to(int root_fd, struct bdf b, const char *driver,
                         const char *override, const struct patience *p,
                         struct diag *d);

/* RTF_REJECT of include/uapi/linux/route.h, in /proc/net/ipv6_route. */
#define ROUTE_REJECTS 0x200u

/* use.c: room for one more behind `n`. */
_must_check_ int grow_array(void **array, size_t n, size_t *room, size_t size);
/* route.c: until `fn` is not 0. What is not there has no lines. */
_must_check_ int each_line(int root_fd, const char *path,
                           int (*fn)(const char *line, void *arg), void *arg);

/* use-routes.c. Connected routes are there while an interface is up and has an
 * address; so is one that is a next hop among several of a route, of which the
 * file shows the first alone (route.c). */
struct routed {
	char name[SRIOV_NAME];
	bool any, all; /* has IPv4 routes; the default one */
	bool all6;
};
struct routes {
	struct routed *at; /* caller frees */
	size_t n, room;
};
_must_check_ int routes_read(int root_fd, struct routes *ret);
/* NULL = none. */
const struct routed *routes_of(const struct routes *all, const char *name);

#endif
