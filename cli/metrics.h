/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_CLI_METRICS_H
#define FL_CLI_METRICS_H

#include "cli/cli.h"

/*
 * `fairlead metrics`: what netd counts, in Prometheus' text format (0.0.4):
 * printed once, for node_exporter's textfile collector and for people, or
 * served at the address that the policy has in host.metrics.listen.
 *
 * Theory of operation
 *   Serving is a process of its own, and not the daemon's: what speaks HTTP
 *   with anybody on this host has no right but to ask netd's "metrics", as
 *   anybody may. After it listens it shuts itself in (seccomp): it can accept,
 *   read, write, and connect to netd; no file, no program, no other socket.
 *
 *   By hand and not by libmicrohttpd: one method, one path, one line of a
 *   request that is looked at, no body, no keep-alive, no thread; a library
 *   would bring TLS, uploads and digests to the place that is to have nothing.
 *
 *   One request of netd is under way at a time, and no more than one in
 *   SERVE_FRESH_MS: who scrapes faster gets the same text again. So a flood on
 *   the port is no flood on netd.
 *
 *   The address is the applied policy's. Where it has none, this waits and asks
 *   again each minute; where it has changed, this ends, and systemd begins it
 *   anew (contrib/systemd/fairlead-metrics.service): what is shut in cannot
 *   bind another.
 *
 * Limits: SERVE_CLIENTS at a time, the rest wait in the kernel's queue; a
 * request has SERVE_REQUEST bytes and SERVE_MS to come, its answer as long to
 * go.
 */
#define SERVE_CLIENTS 16
#define SERVE_REQUEST 4096
#define SERVE_MS 5000u
#define SERVE_FRESH_MS 1000u

/* metrics.c: pure. The text of netd's reply; the caller frees it. */
_must_check_ int metrics_text(const json_t *reply, char **ret, size_t *ret_len);

/* metrics-serve.c: until `get` says -ESTALE (0 is then returned), or something
 * fails. */
struct metrics_source {
	/* -EAGAIN: netd does not answer now; an empty page says so */
	int (*get)(void *arg, char **ret, size_t *ret_len);
	void *arg;
};
/* Loopback only: -EADDRNOTAVAIL. "127.0.0.1:9808", "[::1]:9808". */
_must_check_ int metrics_listen(const char *address, int *ret_fd);
_must_check_ int metrics_serve(int listener, const struct metrics_source *s);
/* metrics-sandbox.c: nothing but what serving needs, from here on. */
_must_check_ int metrics_shut_in(void);

#endif
