/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_EVENTS_H
#define FL_NETD_EVENTS_H

/*
 * What the kernel says by itself, and when to look (main's). Order: the sockets
 * are there before anybody is listened to and before the first look, so that
 * nothing is missed between it and them. One that cannot be had is told once;
 * the sweep is left.
 *
 * Nothing here wakes up by itself: a timer runs while a quiet time does, and
 * for the sweep of an applied policy.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENT_QUIET_MS 300u
#define EVENT_QUIET_MAX_MS 3000u

struct server;
struct job;
struct answer;

/* Is this one to look for? Pure. `index`: interfaces that matter. */
bool event_of_link(const void *msg, size_t len, const int *index, size_t n);
bool event_of_uevent(const char *msg, size_t len);
/* Of a uevent whose last byte is a 0: KEY's value, "" = it has none. */
const char *event_value(const char *msg, size_t len, const char *key);

void events_open(struct server *s);
void events_close(struct server *s);
/* A descriptor is readable: 0 to EVENT_SOCKETS - 1. */
void events_heard(struct server *s, unsigned which);
void events_timer(struct server *s);
/* In the policy file's folder. */
void events_file(struct server *s);
/* A change has ended: look, when it is quiet. */
void events_changed(struct server *s);
/* A look has ended; its reply, NULL = it had none. */
void events_looked(struct server *s, const char *text, size_t len);

#endif
