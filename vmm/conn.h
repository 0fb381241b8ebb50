/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_CONN_H
#define FL_VMM_CONN_H

/*
 * The lease's connection while the guest runs: netd's orders, and our answers
 * (netd/netd-proto.h). netd is trusted with what it orders, not with how it
 * writes: a message that is not understood is answered with an error, its
 * descriptors are closed, and the guest goes on.
 *
 * Nothing here waits. What netd does not read is kept, up to CONN_QUEUE_MAX
 * messages; beyond them the newest is lost, and that is said.
 */

#include <jansson.h>

#include "vmm/plug.h"
#include "vmm/priv.h"

#define CONN_QUEUE_MAX 64

enum conn_verb {
	CONN_NOTHING, /* not an order that is known here: ignored */
	CONN_ATTACH,
	CONN_DETACH,
	CONN_QUERY,
	CONN_FAULT,
};
enum conn_action {
	CONN_STOP,
	CONN_RESET,
	CONN_GO_ON,
};
struct conn_order {
	enum conn_verb verb;
	uint64_t id;
	/* attach: one slot's; descriptors are the order's until taken */
	struct vm_device device[VM_FUNCTIONS_MAX];
	unsigned n;
	int iommu_fd; /* -1 = not sent */
	enum iommu_backend backend;
	struct plug own; /* instead of devices: one of our own; n is 0 */
	/* detach, dma-fault */
	char name[VM_NAME];
	uint64_t deadline_ms;
	enum conn_action action;
	char text[DIAG_LINE];
};
/* What is left in it is closed. */
void conn_order_close(struct conn_order *o);

/* Takes the descriptors, on failure too. On failure (-EBADMSG FL_VMM_CONN)
 * verb and id are as far as they were understood. */
_must_check_ int conn_parse(const char *text, size_t len, const int *fds,
                            size_t n_fds, struct conn_order *ret,
                            struct diag *d);

struct conn;
/* `fd` is borrowed. What is no socket (tests) never says a word. */
_must_check_ int conn_new(int fd, struct conn **ret);
void conn_free(struct conn *c);
/* For poll(): -1 once netd has gone. */
int conn_fd(const struct conn *c);
bool conn_wants_output(const struct conn *c);
void conn_output(struct conn *c);
/* When readable. 1 and an order, 0 where there is none (what was not
 * understood has been answered), -ECONNRESET where netd has gone. */
_must_check_ int conn_input(struct conn *c, struct conn_order *ret);

/* Answers; none fails: see above. */
void conn_done(struct conn *c, uint64_t id, bool forced);
void conn_refuse(struct conn *c, uint64_t id, const struct diag *why);
void conn_gone(struct conn *c, const char *device, const char *reason);
void conn_dark(struct conn *c, const char *device);
/* `state` is taken; event and id are put into it. */
void conn_state(struct conn *c, uint64_t id, json_t *state);
/* Messages that netd did not take. */
uint64_t conn_dropped(const struct conn *c);

#endif
