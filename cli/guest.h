/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_CLI_GUEST_H
#define FL_CLI_GUEST_H

/*
 * A running guest's control socket (docs/control.md), as its client: guest.c
 * talks, control.c and console.c are verbs. The sockets lie beside netd's, in
 * the folder NETD_GUESTS, by the guests' names.
 */

#include "cli/cli.h"

#define GUEST_LINE_MAX (1u << 20)

struct guest {
	const char *name;
	int fd;
	json_int_t id; /* of the last request */
	char *buf;     /* read, and not yet a whole line */
	size_t len, size;
};

/* The folder of the sockets, allocated; NULL: no memory. */
char *guest_folder(const struct cli *c);
/* FL_CLI_GUEST where nobody listens. guest_close() in any case. */
_must_check_ int guest_open(const struct cli *c, const char *name,
                            struct guest *ret, struct diag *d);
void guest_close(struct guest *g);
/* One request; `params` is taken and may be NULL, `fd` goes along where it is
 * none of -1. */
_must_check_ int guest_send(struct guest *g, const char *method, json_t *params,
                            int fd, struct diag *d);
/* The next object: 1 and *ret, or 0: the guest has ended. `ms` -1 = however
 * long it takes; -ETIMEDOUT. */
_must_check_ int guest_next(struct guest *g, int ms, json_t **ret,
                            struct diag *d);
/* The answer to the last request; events before it are passed over. A refusal
 * is -EREMOTEIO with what the VMM says in *d. */
_must_check_ int guest_answer(struct guest *g, int ms, json_t **ret,
                              struct diag *d);
/* Both. */
_must_check_ int guest_call(struct guest *g, const char *method, json_t *params,
                            json_t **ret, struct diag *d);

#endif
