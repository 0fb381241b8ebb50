/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_AUDIT_H
#define FL_NETD_AUDIT_H

/*
 * Messages with fields, for systemd's journal: who changed what, what it was
 * and what it is; leases; refusals by their number.
 *
 * Theory of operation
 *   Where netd runs under systemd (JOURNAL_STREAM), a message is one datagram
 *   to journald's own socket, by its native protocol; else its text is a line
 *   on standard error, which says the same to a person. The fields are
 *   FAIRLEAD_*, and each kind has a MESSAGE_ID: `journalctl MESSAGE_ID=...`,
 *   `journalctl FAIRLEAD_GUEST=fw` (docs/integration.md has the list).
 *
 *   Not by sd_journal_send(3): it keeps its socket's number in the process, and
 *   netd's workers are forks that close what they were not given, so that a
 *   worker would write to whatever has the number by then; and it waits where
 *   journald does not read, which main must not. Here each message has its own
 *   socket, three calls; what journald cannot take at once goes to standard
 *   error instead. That is a stream to the same journald, so main does not wait
 *   there either (struct log's `room`): what has no room is counted, and the
 *   count told once there is. A worker waits: it has a deadline of its own.
 *
 *   An audit record is of what was read back. It is made from the entry of the
 *   history (history.h) when that is written for the last time, so that both
 *   say the same; a change that was refused before anything was done is one
 *   line with its number.
 *
 * Limits: AUDIT_MAX bytes a message, longer values are cut; AUDIT_ACTIONS of a
 * change, the rest are in `fairlead history`.
 */

#include <jansson.h>

#include "base/base.h"

#define AUDIT_SOCKET "/run/systemd/journal/socket"
#define AUDIT_MAX 4096u
#define AUDIT_ACTIONS 1024u

enum audit_kind {
	AUDIT_CHANGE, /* a change as a whole */
	AUDIT_ACTION, /* one action of it */
	AUDIT_LEASE,  /* begun, changed or ended */
	AUDIT_REFUSED,
	AUDIT_FAULT, /* DMA that the IOMMU refused */
	AUDIT_DRIFT, /* a setting was found changed */
};
struct audit {
	const struct log *log;
	const char *socket; /* NULL: a line on log's descriptor */
	enum log_level level;
	size_t n, text; /* the message's text begins there */
	char buf[AUDIT_MAX];
};
/* Where to: AUDIT_SOCKET, or NULL, for main to ask once. */
const char *audit_where(void);
void audit_begin(struct audit *a, const struct log *log, const char *socket,
                 enum audit_kind kind, enum log_level level, const char *fmt,
                 ...) _printf_(6, 7);
/* FAIRLEAD_KEY=...; an empty value has no field. */
void audit_field(struct audit *a, const char *key, const char *fmt, ...)
	_printf_(3, 4);
void audit_send(struct audit *a);

/* audit-reply.c: what a reply has of functions and loans, as fields: BDF (one a
 * function), HOLDER, POOL. As text: " NAME" and, of a loan, " (0000:01:10.0 of
 * pool p)"; `name` NULL or "": the reply's holder. */
#define AUDIT_SUBJECT 192
void audit_reply(struct audit *a, const json_t *reply);
void audit_subject(const json_t *reply, const char *name,
                   char ret[static AUDIT_SUBJECT]);
/* All of a history's entry (history.h has its shape). */
void audit_entry(const struct log *log, const char *socket,
                 const json_t *entry);

#endif
