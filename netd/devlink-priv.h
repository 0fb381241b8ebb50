/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_DEVLINK_PRIV_H
#define FL_NETD_DEVLINK_PRIV_H

/* Between devlink's files. */

#include "netd/devlink.h"

struct devlink {
	struct rtnl *sock; /* of generic netlink */
	uint16_t family;
};

/* `h` NULL = of all instances. NULL = no memory. */
struct nl_msg *devlink_request(const struct devlink *dl, uint8_t cmd, int flags,
                               const struct devlink_handle *h);

#endif
