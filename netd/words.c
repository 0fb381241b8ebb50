/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last words of guests that run in the background. Who asks for a lease
 * "with log" gets a textring (base.h) as one of its descriptors, for the VMM's
 * standard error; netd keeps it, so that what a VMM said can be read when
 * nobody is left who could be asked, and so that the next run of the guest
 * goes on in it.
 *
 * Bounded: a ring cannot grow, and of guests that have ended the one that
 * began longest ago is forgotten when there is no room. Nothing is written to
 * a disk: what is to be kept for longer belongs into the journal, where
 * `fairlead run` under systemd has it.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "netd/priv.h"

void words_init(struct words *all)
{
	for (size_t i = 0; i < LEASES_MAX; i++)
		all->w[i] = (struct guest_words){ .fd = -1 };
}

void words_clear(struct words *all)
{
	for (size_t i = 0; i < LEASES_MAX; i++)
		close_fd(&all->w[i].fd);
}

int words_of(const struct words *all, const char *guest)
{
	for (size_t i = 0; i < LEASES_MAX; i++)
		if (all->w[i].fd >= 0 && !strcmp(all->w[i].guest, guest))
			return all->w[i].fd;
	return -1;
}

/* The guest's own place, a free one, or that of who ended, the oldest. */
static struct guest_words *place(struct env *e, const char *guest)
{
	struct guest_words *best = NULL;

	for (size_t i = 0; i < LEASES_MAX; i++) {
		struct guest_words *w = &e->words.w[i];

		if (w->fd >= 0 && !strcmp(w->guest, guest))
			return w;
		if (w->fd >= 0 && lease_find(&e->leases, w->guest))
			continue;
		if (!best ||
		    (best->fd >= 0 && (w->fd < 0 || w->since < best->since)))
			best = w;
	}
	return best;
}

static void say(const struct words *all, const struct lease *l,
                const char *what)
{
	char text[80];
	int fd = words_of(all, l->guest);

	if (fd < 0)
		return;
	snprintf(text, sizeof(text), "fairlead-netd: its VMM, pid %d, %s",
	         l->pid, what);
	textring_put(fd, text);
}

void words_keep(struct env *e, const struct lease *l, int fd)
{
	struct guest_words *w = place(e, l->guest);
	int copy = w ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;

	/* Without one its words are told to nobody; it runs all the same. */
	if (copy < 0)
		return;
	close_fd(&w->fd);
	*w = (struct guest_words){ .fd = copy, .since = l->since };
	snprintf(w->guest, sizeof(w->guest), "%s", l->guest);
	say(&e->words, l, "begins");
}

void words_end(const struct words *all, const struct lease *l)
{
	say(all, l, "is gone");
}

/* ---- a worker ------------------------------------------------------------ */

int words_open(struct work *w)
{
	int kept = words_of(&w->env->words, w->req.guest);
	int fd = kept >= 0 ? fcntl(kept, F_DUPFD_CLOEXEC, 0) : textring_new();

	if (fd >= 0)
		return open_add(w, "log", fd);
	diag_fail(&w->diag, -ENOMEM, FL_NETD_MEMORY,
	          "guest %s: no memory for its log", w->req.guest);
	return -ENOMEM;
}

int verb_log(struct work *w)
{
	const struct lease *l = lease_find(&w->env->leases, w->req.guest);
	int fd = words_of(&w->env->words, w->req.guest);
	_cleanup_free_ char *text = NULL;
	json_t *s;
	int r;

	if (fd < 0) {
		diag_fail(&w->diag, -ENOENT, FL_NETD_NO_LOG,
		          "nothing is kept of guest %s", w->req.guest);
		diag_why(&w->diag,
		         "it has not been started by `fairlead up` since "
		         "fairlead-netd began, or has ended long ago");
		diag_mend(&w->diag,
		          "fairlead up %s; of `fairlead run` the "
		          "messages go where it was started",
		          w->req.guest);
		return -ENOENT;
	}
	r = textring_read(fd, &text);
	if (r < 0)
		return r;
	/* Bytes above 0x7f may be no UTF-8. */
	s = json_string(text);
	for (char *p = text; !s && *p; p++)
		if (*p & 0x80)
			*p = '?';
	json_object_set_new(w->reply, "guest", json_string(w->req.guest));
	json_object_set_new(w->reply, "running", json_boolean(l != NULL));
	json_object_set_new(w->reply, "text", s ? s : json_string(text));
	return 0;
}
