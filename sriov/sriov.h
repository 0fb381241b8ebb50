/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_SRIOV_H
#define FL_SRIOV_H

/*
 * sriov: physical and virtual functions, found and changed through sysfs.
 *
 * Theory of operation
 *   Discovery walks sys/bus/pci/devices below a root_fd (libpci gives names
 *   and ids from the same tree where asked). Nothing is cached: each call
 *   reads what is.
 *
 *   Changes obey the kernel's rules (performance-reliability facts in
 *   docs/architecture.md):
 *     - sriov_numvfs goes n -> 0 -> m; the kernel refuses n -> m (EBUSY).
 *     - Going to 0 while a VF is open through VFIO blocks the writer, then
 *       every reader of that file. So users are looked for first (open
 *       descriptors of the VF's group or cdev in proc/PID/fd, and the netdevs'
 *       state), and the write is refused with FL_SRIOV_IN_USE.
 *     - Every device write runs in a child with a deadline; one stuck driver
 *       gives -ETIMEDOUT, FL_SRIOV_STUCK, and nothing else waits. Reads are
 *       not guarded: sriov_pf_read sleeps while a write to sriov_numvfs
 *       hangs, so a caller that must not wait reads in a process of its own.
 *     - After numvfs, the VFs' sysfs entries are waited for.
 *     - A driver is chosen by driver_override, then drivers_probe; never by
 *       new_id (which would grab other devices).
 *   No netlink here: MAC, VLAN, spoof check and trust are netd's.
 *
 * Limits: SRIOV_VFS_MAX VFs on a PF (PCIe allows 65535; drivers 256).
 */

#include "base/base.h"

/* ---- errors: FL-02xx ---- */
enum {
	FL_SRIOV_NO_DEVICE = 201,
	FL_SRIOV_NO_CAP =
		202, /* function has no SR-IOV, or its driver offers none */
	FL_SRIOV_TOO_MANY = 203,  /* more VFs than sriov_totalvfs */
	FL_SRIOV_IN_USE = 204,    /* a VF is held: by whom */
	FL_SRIOV_STUCK = 205,     /* device write did not return in time */
	FL_SRIOV_NUMVFS = 206,    /* driver refused sriov_numvfs */
	FL_SRIOV_WAIT = 207,      /* VFs did not appear in time */
	FL_SRIOV_BIND = 208,      /* driver did not take the device */
	FL_SRIOV_NO_DRIVER = 209, /* no such driver is loaded */
	FL_SRIOV_WRITE = 210,     /* any other attribute refused */
	FL_SRIOV_NVME = 312,      /* no NVMe controller to ask */
	FL_SRIOV_NVME_NONE = 313, /* ... that shares out queues */
	FL_SRIOV_NVME_FEW = 314,  /* ... or so many of them */
	FL_SRIOV_NVME_CMD = 315,  /* it refused a command */
	FL_SRIOV_NVME_BACK = 316, /* it took it, and it is not so */
};

#define SRIOV_NAME 32
#define SRIOV_VFS_MAX 256

struct sriov_fn {
	struct bdf bdf;
	uint16_t vendor, device, subvendor, subdevice;
	uint32_t class_code;       /* 24 bits */
	int numa;                  /* -1 = unknown */
	char driver[SRIOV_NAME];   /* "" = none */
	char override[SRIOV_NAME]; /* driver_override, "" = none */
	char ifname[SRIOV_NAME];   /* first netdev, "" = none */
	int group;                 /* IOMMU group, -1 = none */
};
_must_check_ int sriov_fn_read(int root_fd, struct bdf b, struct sriov_fn *ret);
/* The same without the override: the kernel waits for a driver that is just
 * being bound or unbound before it tells that. */
_must_check_ int sriov_fn_look(int root_fd, struct bdf b, struct sriov_fn *ret);
/* Is it there? Of one that is, ENODEV of a file says no more than that
 * something of it has just gone: its interface, its driver. */
bool sriov_fn_exists(int root_fd, struct bdf b);

/* The PCIe root port that it is below; -ENOENT where it is below none, or that
 * cannot be told. */
_must_check_ int sriov_root_port(int root_fd, struct bdf b, struct bdf *ret);

/* What a card's maker numbered it by; "" = has none, or may not be read. */
#define SRIOV_DSN 24 /* "00-1b-21-ff-ff-00-00-01", as lspci has it */
#define SRIOV_VPD 64
struct sriov_serial {
	char dsn[SRIOV_DSN], vpd[SRIOV_VPD];
};
/* One of the two, into its field: the DSN is quick, the VPD may take a good
 * part of a second. */
void sriov_serial_read(int root_fd, struct bdf b, bool vpd,
                       struct sriov_serial *ret);

struct sriov_pf {
	struct sriov_fn fn;
	unsigned total_vfs, num_vfs;
	uint16_t offset, stride; /* PCIe 6.0 9.3.3.9, 9.3.3.10; 0 = unknown */
	bool autoprobe;          /* sriov_drivers_autoprobe */
	struct bdf vf[SRIOV_VFS_MAX]; /* virtfn links, first num_vfs */
};
/* -ENODEV FL_SRIOV_NO_DEVICE, -EOPNOTSUPP FL_SRIOV_NO_CAP, -EAGAIN
 * FL_SRIOV_WAIT while the VFs are being made. */
_must_check_ int sriov_pf_read(int root_fd, struct bdf b, struct sriov_pf *ret,
                               struct diag *d);
/* The same of a PF that is known to hang, without what takes its lock in the
 * kernel: the number of its VFs, they themselves, its override. */
_must_check_ int sriov_pf_look(int root_fd, struct bdf b, struct sriov_pf *ret,
                               struct diag *d);
/* Calls `fn` for each function that can have VFs now. */
_must_check_ int sriov_each_pf(int root_fd, int (*fn)(struct bdf b, void *arg),
                               void *arg);
/* Its driver alone, "" = none or not to be told. */
void sriov_fn_driver(int root_fd, struct bdf b, char ret[static SRIOV_NAME]);
/* What changes of a VF: group, driver and override; the rest is left out. */
_must_check_ int sriov_vf_read(int root_fd, struct bdf b, struct sriov_fn *ret);
/* The PF of a VF, -ENOENT when `vf` is none. */
_must_check_ int sriov_pf_of(int root_fd, struct bdf vf, struct bdf *ret);

/* Who holds a function through VFIO: the first process found. 0 = nobody,
 * 1 = held (ret filled), negative errno when proc cannot be read. */
struct sriov_holder {
	int pid;
	char comm[SRIOV_NAME];
};
_must_check_ int sriov_holder(int root_fd, struct bdf b,
                              struct sriov_holder *ret);
/* The same for many functions with one walk through proc: every open VFIO
 * file of the host, as it was when read. */
struct sriov_holders;
_must_check_ int sriov_holders_read(int root_fd, struct sriov_holders **ret);
void sriov_holders_free(struct sriov_holders *h);
/* Has a vfio driver any function? Else nobody holds one. True where that cannot
 * be told. */
bool sriov_vfio_has_any(int root_fd);
/* Has any process the device node ("/dev/tap7") open? 1, 0, or a negative
 * errno where that cannot be told. */
_must_check_ int sriov_node_is_open(int root_fd, const char *node);
/* `h` NULL = nobody holds any. */
_must_check_ int sriov_holders_find(const struct sriov_holders *h, int root_fd,
                                    struct bdf b, struct sriov_holder *ret);

/* What the host itself does with its functions, all of it at one time:
 * mounts, swap and holders of disks, addresses and routes of interfaces, the
 * console of screens, who has one open (/dev/dri). That a process has another
 * device file open is not seen. */
#define SRIOV_USE 96
struct sriov_uses;
_must_check_ int sriov_uses_read(int root_fd, struct sriov_uses **ret);
void sriov_uses_free(struct sriov_uses *u);
/* One after the other, from *at = 0; NULL at the end. */
const char *sriov_uses_next(const struct sriov_uses *u, struct bdf b,
                            size_t *at);

/* Who else says how it is to be (its drivers, its VFs): driverctl, libvirt,
 * NetworkManager, networkd, netplan, the SR-IOV operator, as far as their files
 * tell. `ifname`: its interface, "" = none. */
#define SRIOV_OWNERS 4
struct sriov_owner {
	const char *who, *what, *mend;
	char file[192];
};
size_t sriov_owners(int root_fd, struct bdf b, const char *ifname,
                    struct sriov_owner *ret, size_t max);
/* For many functions: the files are read once. -ENOMEM. */
struct sriov_owner_files;
_must_check_ int sriov_owners_read(int root_fd, struct sriov_owner_files **ret);
size_t sriov_owners_find(const struct sriov_owner_files *all, struct bdf b,
                         const char *ifname, struct sriov_owner *ret,
                         size_t max);
void sriov_owners_free(struct sriov_owner_files *all);
/* The functions that the host's default routes go through, a VF as its PF; also
 * where a bridge, bond, team or VLAN is in between. `also`: further interfaces
 * of such routes, as the kernel's files show one next hop of each. -E2BIG
 * beyond what is sensible. */
#define SRIOV_ROUTE_MAX 16
_must_check_ int sriov_route_functions(int root_fd, const char *const *also,
                                       size_t n_also,
                                       struct bdf ret[static SRIOV_ROUTE_MAX],
                                       size_t *ret_n);

#define SRIOV_WRITE_MS 10000u
/* Drivers take up to a second for each VF that comes or goes. */
#define SRIOV_VF_MS 1000u
#define SRIOV_NUMVFS_MS (SRIOV_WRITE_MS + SRIOV_VF_MS * SRIOV_VFS_MAX)
_must_check_ int sriov_set_autoprobe(int root_fd, struct bdf pf, bool on,
                                     struct diag *d);
/* To `n` from whatever it is, through 0 where the kernel wants it, after
 * asking who uses the VFs. Returns when the VFs' entries are there. */
_must_check_ int sriov_set_numvfs(int root_fd, struct bdf pf, unsigned n,
                                  struct diag *d);
/* Bind to `driver` ("" = leave unbound), with `override` set in the end:
 * override, unbind, probe, read back. An override that names the driver keeps
 * all others from the device. No-op when already so. */
_must_check_ int sriov_bind_to(int root_fd, struct bdf b, const char *driver,
                               const char *override, struct diag *d);
/* msix.c: vectors that a PF has for all its VFs, 0 = its driver shares out
 * none; those that a VF has, 0 = not known. */
unsigned sriov_msix_total(int root_fd, struct bdf pf);
unsigned sriov_msix_count(int root_fd, struct bdf vf);
/* The VF is without its driver meanwhile. Read back, where the number can be
 * known. FL_SRIOV_WRITE. */
_must_check_ int sriov_set_msix(int root_fd, struct bdf vf, unsigned n,
                                struct diag *d);

/*
 * nvme.c: the queues and interrupts of an NVMe controller's VFs (NVM Express
 * Base 2.0, 8.26, virtualization enhancements). The physical function is the
 * primary controller, each VF a secondary one. Flexible resources are the
 * primary's own, or a secondary's, or nobody's. A secondary has some, and is
 * online, or no driver can start it.
 *
 * Order: offline, which takes all away; queues; interrupts; online; read back.
 * Not at once, as there is no such command: what fails leaves the VF offline,
 * and the transaction it is part of puts back what was.
 *
 * A controller's answer is checked as any input: ids, counts and places of
 * entries are not believed.
 */
struct nvme_passthru_cmd;
struct sriov_nvme_line { /* to a controller; tests play one */
	/* 0; a status of the controller's (> 0), or negative errno. */
	int (*admin)(void *ctx, struct nvme_passthru_cmd *c);
	void *ctx;
};
struct sriov_nvme_pool {       /* of flexible resources */
	uint32_t total, given; /* all of them; the secondaries' */
	uint16_t own;          /* the primary's, until its next reset */
	uint16_t most, step;   /* that one secondary may have; at a time */
};
struct sriov_nvme_vf {
	uint16_t id; /* of the controller */
	uint16_t queues, interrupts;
	bool there, online;
};
struct sriov_nvme {
	uint16_t id; /* the primary's */
	struct sriov_nvme_pool queues, interrupts;
	struct sriov_nvme_vf vf[SRIOV_VFS_MAX]; /* by their number, from 0 */
};
/* "nvme0"; false = the kernel's nvme driver has it not. */
bool sriov_nvme_name(int root_fd, struct bdf pf, char ret[static SRIOV_NAME]);
/* The character device of the controller that the function is; the kernel's
 * nvme driver must have it. FL_SRIOV_NVME. */
_must_check_ int sriov_nvme_open(int root_fd, struct bdf pf, int *ret_fd,
                                 struct diag *d);
/* `fd` is such a one; it must live as long as the line. CAP_SYS_ADMIN. */
struct sriov_nvme_line sriov_nvme_line(const int *fd);
_must_check_ int sriov_nvme_read(const struct sriov_nvme_line *l,
                                 struct sriov_nvme *ret, struct diag *d);
/* VF number `vf` has what `want` says. */
_must_check_ int sriov_nvme_set(const struct sriov_nvme_line *l, unsigned vf,
                                const struct sriov_nvme_vf *want,
                                struct diag *d);
/* How many of the flexible resources are the primary's own after its next
 * reset, which has to be more than one by its own registers. */
_must_check_ int sriov_nvme_keep(const struct sriov_nvme_line *l,
                                 uint16_t queues, uint16_t interrupts,
                                 struct diag *d);

/* Clear the override and let the kernel choose; a driver other than a vfio
 * one that is bound already may stay. FL_SRIOV_BIND when nothing takes it. */
_must_check_ int sriov_bind_default(int root_fd, struct bdf b, struct diag *d);

/* variant.c: vfio drivers that are made for some functions alone
 * ("mlx5_vfio_pci" migrates), as the `vfio_pci:` aliases of the running
 * kernel's modules say. -ENOENT where it has no such file; `all` may be NULL
 * below: there are none. */
struct sriov_variants;
_must_check_ int sriov_variants_read(int root_fd, struct sriov_variants **ret);
void sriov_variants_free(struct sriov_variants *all);
/* The module for a function of this modalias ("pci:v..."), NULL = vfio-pci. */
const char *sriov_variants_find(const struct sriov_variants *all,
                                const char *modalias);
/* The one for the VFs that `pf` has or may have. */
const char *sriov_variant_of_vfs(const struct sriov_variants *all, int root_fd,
                                 const struct sriov_fn *pf);
/* What such a module calls its driver; -ENOENT where it is not loaded. */
_must_check_ int sriov_variant_driver(int root_fd, const char *module,
                                      char ret[static SRIOV_NAME]);

/* Reset the function, which nobody may be using. -EOPNOTSUPP where the kernel
 * offers no reset of it. */
_must_check_ int sriov_reset(int root_fd, struct bdf b, struct diag *d);

/* How the kernel would do that, the first way first: "flr bus", "" = it cannot.
 * -ENODATA: it can, but does not say how (before 5.15). */
#define SRIOV_RESETS 80
_must_check_ int sriov_reset_methods(int root_fd, struct bdf b,
                                     char ret[static SRIOV_RESETS]);
/* Is the function's bus below a port, by which all on it can be reset? */
bool sriov_below_port(int root_fd, struct bdf b);

/* Names of VFIO's character device ("vfio3", -ENOENT where the kernel has no
 * cdev) for a function bound to a vfio driver. */
_must_check_ int sriov_vfio_cdev(int root_fd, struct bdf b,
                                 char ret[static SRIOV_NAME]);

/* "Intel Corporation 82576 Virtual Function" by libpci; falls back to ids. */
void sriov_describe(const struct sriov_fn *f, char *buf, size_t size);

#endif
