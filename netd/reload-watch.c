/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who writes the policy that netd was told of. A folder is watched, of a file
 * the one that it is in: editors put a new file in the old one's place. Where
 * that folder has another in it (NETD_POLICY_ETC), that one is, too, as soon as
 * it is there. Where it is not there itself, what is to have it in it is: the
 * nearest folder above. To watch what is watched already changes nothing, so
 * all is watched anew whenever a folder has come, or the watched one goes.
 */

#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netd/reload.h"
#include "netd/server.h"

#define WRITTEN (IN_CLOSE_WRITE | IN_MOVED_TO)
#define EVENTS (WRITTEN | IN_MOVED_FROM | IN_DELETE)
#define GONE (IN_DELETE_SELF | IN_MOVE_SELF)
#define WATCH_PATH (POL_PATH + sizeof(NETD_POLICY_MANY))
#define WATCH_TRIES 8 /* folders may come and go meanwhile */

static int watch(const struct server *s, const char *path)
{
	int wd = inotify_add_watch(s->events.file, path,
	                           EVENTS | GONE | IN_CREATE | IN_ONLYDIR);

	return wd < 0 ? -errno : wd;
}

/* The folder that `path` is in, "." and "/" of those at the top. False: it is
 * that already. */
static bool go_up(char path[static WATCH_PATH])
{
	char *slash = strrchr(path, '/');
	bool top = !strcmp(path, "/") || !strcmp(path, ".");

	if (slash)
		slash[slash == path] = '\0';
	else
		snprintf(path, WATCH_PATH, ".");
	return !top;
}

/* As near as there is something. `missing`: what there is not, just below it;
 * "" = nothing. */
static void watch_near(struct server *s, char path[static WATCH_PATH],
                       char missing[static WATCH_PATH])
{
	missing[0] = '\0';
	while ((s->events.top = watch(s, path)) == -ENOENT) {
		snprintf(missing, WATCH_PATH, "%s", path);
		if (!go_up(path))
			return;
	}
}

/* Names in it are files of the policy; else it is a file's. */
static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void forget(const struct server *s, int old, int now)
{
	if (old > 0 && old != now)
		inotify_rm_watch(s->events.file, old);
}

/* True where nothing has come between the look and the watch. */
static bool watch_once(struct server *s)
{
	const struct reload *r = s->env->reload;
	struct events *ev = &s->events;
	char path[WATCH_PATH], missing[WATCH_PATH];
	int top = ev->top, many = ev->many;

	ev->folder = is_folder(r->path);
	snprintf(path, sizeof(path), "%s", r->path);
	if (!ev->folder)
		(void)go_up(path);
	watch_near(s, path, missing);
	ev->near = *missing;
	ev->many = -1;
	if (ev->folder && r->etc) {
		snprintf(path, sizeof(path), "%s/" NETD_POLICY_MANY, r->path);
		ev->many = watch(s, path);
	}
	forget(s, top, ev->top);
	forget(s, many, ev->many);
	return is_folder(r->path) == ev->folder &&
	       !(ev->near && is_folder(missing));
}

int reload_watch_all(struct server *s)
{
	for (int i = 0; i < WATCH_TRIES && !watch_once(s); i++)
		;
	return MIN(s->events.top, 0);
}

int reload_watch(struct server *s)
{
	s->events.file_source = SOURCE_FILE;
	s->events.file = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (s->events.file < 0)
		return -errno;
	if (reload_watch_all(s) < 0)
		return s->events.top;
	return server_watch(s, s->events.file, &s->events.file_source);
}

static bool is_one(const char *name)
{
	size_t n = strlen(name), suffix = strlen(NETD_POLICY_SUFFIX);

	return *name != '.' && n > suffix &&
	       !strcmp(name + n - suffix, NETD_POLICY_SUFFIX);
}

/* A name in the folder that is watched first. */
static bool is_top(const struct server *s, const char *name)
{
	const struct reload *r = s->env->reload;
	const char *slash = strrchr(r->path, '/');

	if (!s->events.folder)
		return !strcmp(name, slash ? slash + 1 : r->path);
	return r->etc ? !strcmp(name, NETD_POLICY_ONE) : is_one(name);
}

/* The watched one has gone, or is elsewhere: a file's policy stays as it was,
 * unless all is there already again. */
static bool has_gone(struct server *s)
{
	bool folder = s->events.folder;

	return reload_watch_all(s) >= 0 && (folder || !s->events.near);
}

/* A folder came or went. What is in it is read when it is reloaded. */
static bool is_new_folder(struct server *s, const char *name)
{
	bool near = s->events.near, ours = near;

	if (!near)
		ours = s->events.folder
		               ? s->env->reload->etc &&
		                         !strcmp(name, NETD_POLICY_MANY)
		               : is_top(s, name);
	return ours && reload_watch_all(s) >= 0 && !(near && s->events.near);
}

bool reload_event(struct server *s, const struct inotify_event *e)
{
	const char *name = e->len ? e->name : "";

	if (e->mask & IN_Q_OVERFLOW)
		return true;
	if (e->mask & GONE)
		return e->wd == s->events.top && has_gone(s);
	if (e->mask & IN_ISDIR)
		return is_new_folder(s, name);
	/* A file that is new is told of again when it is written; one that
	 * goes leaves a folder's policy less, and a file's as it was. */
	if (s->events.near ||
	    !(e->mask & (s->events.folder ? EVENTS : WRITTEN)))
		return false;
	return e->wd == s->events.many
	               ? is_one(name)
	               : e->wd == s->events.top && is_top(s, name);
}
