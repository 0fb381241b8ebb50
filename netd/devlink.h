/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_DEVLINK_H
#define FL_NETD_DEVLINK_H

/*
 * Inside netd: what the kernel knows of a device as a whole, over devlink
 * (generic netlink): its switch, parameters, ports and rates. A worker's.
 *
 * Theory of operation
 *   A devlink instance is named by a bus and a device. Which one a physical
 *   function has is not guessed from its address: the dump of all ports says
 *   which instance has the function's interface. A function whose interface
 *   is in no port has no instance for us.
 *
 *   Reading is one dump for all devices (struct devlink_view), however many
 *   VFs there are. A port of flavour PCI VF is the switch's end of a VF: its
 *   interface is the representor.
 *
 *   Every change is read back; a refusal has the kernel's words (extended
 *   acknowledgement). The kernel makes a change before the send returns, and
 *   a driver may take long or hang: so each is sent by a child of its own
 *   with a deadline, as device writes to sysfs are.
 *
 * Decoding is pure: devlink-decode.c takes one message each, of any length
 * and content.
 *
 * Against itself
 *   - An instance may go and another of its name come between the dump and
 *     the change. So may a function behind its address; both are read back.
 *   - A name longer than ours would be cut and mean another: such an object is
 *     passed over, and `rates_known` says that not all rates are in the view.
 *   - A function in another network namespace has its instance there: its
 *     interface is not found, so there is nothing to be said of it.
 */

#include "netd/priv.h"

#define DEVLINK_BUS 16
#define DEVLINK_DEV 48
#define DEVLINK_WORDS RTNL_WORDS
#define DEVLINK_CMODES 3
#define DEVLINK_VALUE 33 /* __DEVLINK_PARAM_MAX_STRING_VALUE and a NUL */

struct devlink_handle {
	char bus[DEVLINK_BUS], dev[DEVLINK_DEV]; /* "pci", "0000:3b:00.0" */
};
struct devlink_port {
	struct devlink_handle h;
	uint32_t index;
	int flavour;      /* enum devlink_port_flavour, -1 = not said */
	unsigned ifindex; /* 0 = none */
	uint16_t pf, vf;  /* of flavour PCI VF */
	bool external;    /* of another host: not ours */
	bool has_mac;     /* the function behind it has one that can be set */
	uint8_t mac[6];
};
struct devlink_rate {
	struct devlink_handle h;
	bool node;     /* a group; else the leaf of a port */
	uint32_t port; /* of a leaf */
	struct pol_group group;
	char parent[POL_NAME]; /* "" = none */
	bool strange;          /* a name that is longer than ours */
};
struct devlink_eswitch {
	bool has_mode, has_inline, has_encap;
	uint16_t mode; /* enum devlink_eswitch_mode */
	uint8_t inline_mode, encap;
};
struct devlink_param {
	struct devlink_handle h;
	char name[POL_NAME];
	uint8_t type; /* as netlink has them: NLA_U8, _U16, _U32, _STRING,
	                 _FLAG */
	struct {
		bool has;
		char text[DEVLINK_VALUE]; /* "smfs", "true", "32" */
	} value[DEVLINK_CMODES];
};
struct devlink_health {
	struct devlink_handle h;
	char name[POL_NAME];
	bool error; /* its state; else healthy */
	uint64_t errors, recoveries;
};

struct nlmsghdr;
/* Pure: one message each. -EBADMSG when it is none. */
_must_check_ int devlink_decode_port(const struct nlmsghdr *h,
                                     struct devlink_port *ret);
_must_check_ int devlink_decode_rate(const struct nlmsghdr *h,
                                     struct devlink_rate *ret);
_must_check_ int devlink_decode_eswitch(const struct nlmsghdr *h,
                                        struct devlink_eswitch *ret);
_must_check_ int devlink_decode_param(const struct nlmsghdr *h,
                                      struct devlink_param *ret);
_must_check_ int devlink_decode_health(const struct nlmsghdr *h,
                                       struct devlink_health *ret);

/* ---- devlink.c: reading -------------------------------------------------- */

struct devlink;
/* *ret = NULL where the kernel has no devlink. */
_must_check_ int devlink_open(struct devlink **ret, struct diag *d);
void devlink_close(struct devlink *dl);

struct devlink_view {
	struct devlink_port *port;
	size_t n_ports;
	struct devlink_rate *rate;
	size_t n_rates;
	bool rates_known;
};
/* `dl` may be NULL: then there is nothing. */
_must_check_ int devlink_view_read(struct devlink *dl,
                                   struct devlink_view *ret);
void devlink_view_free(struct devlink_view *v);
/* The instance that has the interface; NULL = none has. */
const struct devlink_handle *devlink_of(const struct devlink_view *v,
                                        unsigned ifindex);
/* The switch's port of VF `vf` of this instance, NULL = there is none. */
const struct devlink_port *devlink_vf_port(const struct devlink_view *v,
                                           const struct devlink_handle *h,
                                           unsigned vf);
bool devlink_same(const struct devlink_handle *a,
                  const struct devlink_handle *b);

/* Of one instance. -EOPNOTSUPP and the like as the kernel has it. */
_must_check_ int devlink_eswitch_read(struct devlink *dl,
                                      const struct devlink_handle *h,
                                      struct devlink_eswitch *ret);
/* Only `name`. -ENOENT, -EINVAL where there is none such. */
_must_check_ int devlink_param_read(struct devlink *dl,
                                    const struct devlink_handle *h,
                                    const char *name,
                                    struct devlink_param *ret);
/* All parameters of all instances, by one dump. */
_must_check_ int devlink_params_each(struct devlink *dl,
                                     void (*fn)(const struct devlink_param *p,
                                                void *arg),
                                     void *arg);
_must_check_ int
devlink_health_each(struct devlink *dl, const struct devlink_handle *h,
                    void (*fn)(const struct devlink_health *r, void *arg),
                    void *arg);

/* ---- devlink-set.c: changes, each read back ------------------------------ */

struct devlink_target {
	struct devlink *dl;
	const struct devlink_handle *h;
	const char *what; /* the action, for people */
};
_must_check_ int devlink_set_mode(const struct devlink_target *t,
                                  bool switchdev, struct diag *d);
_must_check_ int devlink_set_param(const struct devlink_target *t,
                                   const struct pol_param_value *p,
                                   struct diag *d);
/* A group: made where it is not there. */
_must_check_ int devlink_set_group(const struct devlink_target *t,
                                   const struct pol_group *r, bool is_there,
                                   struct diag *d);
_must_check_ int devlink_del_group(const struct devlink_target *t,
                                   const char *name, struct diag *d);
/* The port's leaf goes into the group, "" = into none. */
_must_check_ int devlink_set_parent(const struct devlink_target *t,
                                    uint32_t port, const char *group,
                                    struct diag *d);
/* The MAC of the function behind the port. */
_must_check_ int devlink_set_mac(const struct devlink_target *t, uint32_t port,
                                 const uint8_t mac[static 6], struct diag *d);

#endif
