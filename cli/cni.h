/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_CLI_CNI_H
#define FL_CLI_CNI_H

#include "cli/cli.h"

/*
 * fairlead-cni: a plugin by the specification of CNI (1.1.0, and back to
 * 0.3.1), for pods that are to have a VF. The same program as `fairlead`, by
 * another name; the configuration has the keys of sriov-cni, and `pool`.
 *
 * Theory of operation
 *   ADD borrows a VF of the pool from netd, with the attributes of the
 *   configuration, and moves its interface, if it has one, into the container's
 *   network namespace by the name that was asked for. The loan is durable: it
 *   is of a holder whose name is made of the network, the container and the
 *   interface, the specification's own key. So nothing is kept here, DEL needs
 *   no file, a second DEL does nothing, and a late one cannot take a VF from
 *   who has it by then. DEL moves the interface back and returns the loan, and
 *   netd scrubs the VF. CHECK and GC look at what netd's status lists.
 *
 *   Order: borrowed, then moved; moved back, then returned. Where the move
 *   fails, the loan is returned. A container that is gone has given its
 *   interface back itself (the kernel does).
 *
 * Limits: no IPAM: addresses are another plugin's of the chain, or the pod's;
 * a configuration with one is refused. 1 MiB of configuration.
 */

/* The specification's codes; from 100 on, FL-nnnn is the plugin's own. */
enum {
	CNI_VERSION = 1,
	CNI_UNSUPPORTED = 2,
	CNI_ENVIRONMENT = 4,
	CNI_IO = 5,
	CNI_DECODE = 6,
	CNI_CONFIG = 7,
	CNI_TRY_LATER = 11,
	CNI_NOT_AVAILABLE = 50,
};
struct cni_error {
	int code; /* 0 = none */
	char msg[DIAG_LINE], details[2 * DIAG_LINE];
};
struct cni {
	const char *command, *container, *netns, *ifname;
	char version[16], network[80];
	json_t *conf;
	struct cli cli; /* where netd is */
	struct cni_error error;
};
/* Fills the error, and is -EINVAL. */
int cni_fail(struct cni *n, int code, const char *msg, const char *fmt, ...)
	_printf_(4, 5);

/* cni-conf.c: "borrow" as the configuration has it. */
_must_check_ int cni_request(struct cni *n, json_t **ret);
/* Who has the loan: of this attachment, or of another's ids. */
#define CNI_HOLDER NETD_HOLDER_MAX
void cni_holder(const char *network, const char *container, const char *ifname,
                char ret[static CNI_HOLDER]);
bool cni_is_of_network(const char *holder, const char *network);

/* cni-verbs.c: each prints its result. */
_must_check_ int cni_add(struct cni *n);
_must_check_ int cni_del(struct cni *n);
_must_check_ int cni_check(struct cni *n);
_must_check_ int cni_gc(struct cni *n);
_must_check_ int cni_status(struct cni *n);

/* cni-link.c: negative errno. */
#define CNI_MAC 18
/* From this namespace into that, by its new name, up. */
_must_check_ int cni_link_in(const char *from, const char *netns,
                             const char *to, char ret_mac[static CNI_MAC]);
/* -ENOENT: the namespace or the interface is gone. */
_must_check_ int cni_link_out(const char *netns, const char *ifname);
_must_check_ int cni_link_look(const char *netns, const char *ifname,
                               char ret_mac[static CNI_MAC]);

#endif
