/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_CONTROL_H
#define FL_VMM_CONTROL_H

/*
 * control: who looks after a running guest, over one socket. The protocol is
 * docs/control.md's: JSON-RPC 2.0, an object a line.
 *
 * Theory of operation
 *   The listening socket is a descriptor of the lease; its file's mode says who
 *   may connect, and the kernel holds to that. peer.c moves bytes: lines in,
 *   lines out, neither without a bound. rpc.c makes a request of a line, or the
 *   error it is. control.c has the methods, and the peers.
 *
 *   All of it is the main thread's, and nothing here waits for a peer: one that
 *   does not read loses its connection, and is told; as a viewer of the console
 *   it loses the oldest bytes, and is told how many. One request of each peer
 *   is done a pass, so that none can keep the others, or the guest, waiting.
 *
 * Trust: peers are root's, the guest's owner's, or the group's. They may end
 * the guest; they must not be able to hurt the VMM by how they write.
 *
 * Limits: CONTROL_PEERS connections, CONTROL_LINE bytes a request,
 * CONTROL_QUEUE bytes of answers that wait to be read.
 */

#include <jansson.h>
#include <poll.h>

#include "vmm/priv.h"

#define CONTROL_VERSION 1
#define CONTROL_PEERS 16
#define CONTROL_POLLS (1 + CONTROL_PEERS)
#define CONTROL_LINE 65536u
/* All that the console keeps, each byte of it as \u00xx. */
#define CONTROL_QUEUE (512u << 10)
#define CONTROL_GRACE_MS 30000u
#define CONTROL_GRACE_MAX_MS 3600000u

/* ---- rpc.c: JSON-RPC 2.0 ------------------------------------------------- */

enum rpc_error {
	RPC_PARSE = -32700,
	RPC_INVALID = -32600,
	RPC_METHOD = -32601,
	RPC_PARAMS = -32602,
	RPC_REFUSED =
		-32000, /* "data" has the refusal: code, what, why, mend */
};
struct rpc_request {
	json_t *doc;
	const char *method;   /* of doc, as are these: */
	const json_t *params; /* an object, or NULL */
	const json_t *id;     /* NULL = nobody wants to hear of it */
};
/* 0, or an rpc_error; then ret->id is as far as it was understood. In both
 * cases rpc_free(). */
_must_check_ int rpc_parse(const char *line, size_t len,
                           struct rpc_request *ret);
void rpc_free(struct rpc_request *r);
/* Each makes a whole object; `id` is borrowed, NULL = null. */
json_t *rpc_result(const json_t *id, json_t *result); /* takes result */
json_t *rpc_error(const json_t *id, int error, const char *text);
json_t *rpc_refusal(const json_t *id, const struct diag *d);
json_t *rpc_event(const char *event, json_t *params); /* takes params */
/* params.key: -EBADMSG where it is there and of another kind or out of range */
_must_check_ int rpc_number(const json_t *params, const char *key, uint64_t max,
                            uint64_t fallback, uint64_t *ret);
_must_check_ int rpc_bool(const json_t *params, const char *key, bool fallback,
                          bool *ret);

/* ---- peer.c: one connection ---------------------------------------------- */

struct peer {
	int fd;        /* -1 = free */
	int passed_fd; /* came with what was read last; -1 = none */
	bool owner;    /* root, or the account that runs the guest */
	bool eof;      /* it says no more; what it said is answered */
	bool closing;  /* once its output is out, or by need of its place */
	bool events;   /* wants to be told of them */
	bool viewer, read_only; /* of the console: the stream is that, raw */
	uint64_t at, lost;      /* in the console's output */
	char *in;               /* CONTROL_LINE at most; NULL = none yet */
	size_t in_len, in_size;
	char *out;
	size_t out_at, out_len, out_size;
};
void peer_init(struct peer *p, int fd);
void peer_close(struct peer *p);
/* Reads what there is room for; sets `eof`. */
void peer_read(struct peer *p);
/* Length of the first whole line, with its end; 0 = none yet, SIZE_MAX = it is
 * longer than a line may be. peer_drop() takes it off. */
size_t peer_line(const struct peer *p);
void peer_drop(struct peer *p, size_t n);
/* Takes `doc`. A peer that has not read for too long loses what waits, is told
 * why, and is closing. */
void peer_say(struct peer *p, json_t *doc);
/* Raw, before a viewer. */
void peer_text(struct peer *p, const char *text);
void peer_write(struct peer *p);
static inline bool peer_behind(const struct peer *p)
{
	return p->out_len > p->out_at;
}

/* ---- dump.c: guest memory and registers as an ELF core ------------------- */

struct dump;
/* vCPUs are parked, and stay so. Takes `fd`, on failure too: an empty file
 * opened for writing. */
_must_check_ int dump_new(struct vm *vm, int fd, struct dump **ret,
                          struct diag *d);
/* A slice: 1 = there is more, 0 = it is whole; negative errno FL_VMM_DUMP. */
_must_check_ int dump_step(struct dump *p, struct diag *d);
uint64_t dump_bytes(const struct dump *p); /* of the file, when whole */
void dump_free(struct dump *p);

/* ---- control.c ----------------------------------------------------------- */

/* `vm->cfg.control_fd` -1: all of these do nothing. Before the sandbox. */
_must_check_ int control_new(struct vm *vm, struct control **ret,
                             struct diag *d);
void control_free(struct control *c);
/* What to poll for: CONTROL_POLLS entries, of which as many are in use as is
 * returned. Then, what came of it; true when the guest is to end. */
unsigned control_prepare(struct control *c, struct pollfd *p);
_must_check_ bool control_serve(struct control *c, const struct pollfd *p);
/* Until control_serve() is due without that; -1 = it is not. */
int control_wait_ms(const struct control *c);

/* The guest's memory is being written to a file: what a vCPU asked for waits,
 * and the loop is woken when it is over. */
bool control_holds(const struct control *c);

/* Something happened. `params` is taken; NULL = no more to say. */
void control_event(struct control *c, const char *event, json_t *params);
void control_device(struct control *c, const char *event, const char *device,
                    const char *reason);
/* The machine was put back to power-on: a pause is over. */
void control_was_reset(struct control *c);
/* The last word, written as far as it can be at once. */
void control_end(struct control *c, const char *reason);

#endif
