/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files that note what is stuck; stuck-look.c asks the devices. */

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "netd/stuck-priv.h"

#define PREFIX "stuck-"
#define SUFFIX ".json"
#define DEVLINK "devlink"
#define NAME_LEN 48

/* Of what is noted: a PF, or (NULL) devlink. */
static const char *of(const struct bdf *pf, char b[static BDF_STRLEN])
{
	return pf ? bdf_format(*pf, b) : DEVLINK;
}

static void name_of(const struct bdf *pf, char ret[static NAME_LEN])
{
	char b[BDF_STRLEN];

	snprintf(ret, NAME_LEN, PREFIX "%s" SUFFIX, of(pf, b));
}

static bool is_name(const char *name, struct bdf *ret)
{
	char b[BDF_STRLEN], again[NAME_LEN];
	size_t len = strlen(name);
	size_t extra = sizeof(PREFIX) + sizeof(SUFFIX) - 2;

	if (len <= extra || len - extra >= sizeof(b) ||
	    strncmp(name, PREFIX, sizeof(PREFIX) - 1) != 0)
		return false;
	memcpy(b, name + sizeof(PREFIX) - 1, len - extra);
	b[len - extra] = '\0';
	if (bdf_parse(b, ret))
		return false;
	name_of(ret, again);
	return !strcmp(again, name);
}

static bool is_devlink(const char *name)
{
	return !strcmp(name, PREFIX DEVLINK SUFFIX);
}

/* ---- processes ----------------------------------------------------------- */

/* Field 22 of proc/PID/stat, behind the name in brackets; false where the
 * process has ended, be it waited for or not. */
static bool started_at(int root_fd, pid_t pid, uint64_t *ret)
{
	char path[48], text[512], state;
	const char *at;

	snprintf(path, sizeof(path), "proc/%d/stat", pid);
	if (pid <= 0 || sysfs_read(root_fd, path, text, sizeof(text)) < 0)
		return false;
	at = strrchr(text, ')');
	return at &&
	       sscanf(at + 1,
	              " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
	              "%*s %*s %*s %*s %*s %*s %" SCNu64,
	              &state, ret) == 2 &&
	       state != 'Z' && state != 'X';
}

static json_t *read_note(const struct env *e, const char *name)
{
	_cleanup_free_ char *text = NULL;
	struct diag said = { 0 };
	size_t len = 0;

	if (journal_get(e->state_fd, name, &text, &len, &said))
		return NULL;
	return json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
}

static bool note_hangs(const struct env *e, const json_t *note)
{
	json_int_t pid = json_integer_value(json_object_get(note, "pid"));
	json_int_t start = json_integer_value(json_object_get(note, "start"));
	uint64_t now = 0;

	return pid > 0 && started_at(e->root_fd, (pid_t)pid, &now) &&
	       now == (uint64_t)start;
}

void stuck_note(const struct env *e, const struct bdf *pf, const char *what,
                pid_t pid)
{
	char name[NAME_LEN], b[BDF_STRLEN], since[32] = "";
	struct diag said = { 0 };
	time_t t = time(NULL);
	uint64_t start = 0;
	struct tm tm;
	json_t *o;
	char *text;

	(void)!started_at(e->root_fd, pid, &start);
	if (gmtime_r(&t, &tm))
		strftime(since, sizeof(since), "%Y-%m-%dT%H:%M:%SZ", &tm);
	o = json_pack("{s:s, s:s, s:s, s:I, s:I}", "pf", of(pf, b), "what",
	              what, "since", since, "pid", (json_int_t)pid, "start",
	              (json_int_t)start);
	text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(o);
	name_of(pf, name);
	/* Without the note it will be asked again, and hang again. */
	if (!text || journal_put(e->state_fd, name, text, strlen(text), &said))
		log_line(e->log, LOG_LVL_WARN,
		         "%s is stuck, and cannot be "
		         "noted so",
		         of(pf, b));
	free(text);
}

/* ---- all ----------------------------------------------------------------- */

struct walk {
	const struct env *e;
	struct stuck *all;
	json_t *list;
	bool drop;
};

static int see_note(const char *name, void *arg)
{
	struct walk *w = arg;
	bool devlink = is_devlink(name), hangs;
	json_t *note;
	struct bdf pf;

	if (!devlink && !is_name(name, &pf))
		return 0;
	note = read_note(w->e, name);
	hangs = note_hangs(w->e, note);
	if (w->all && devlink) {
		w->all->devlink = true;
		w->all->devlink_hangs = hangs;
	} else if (w->all && w->all->n < STUCK_MAX) {
		w->all->pf[w->all->n++] = (struct stuck_pf){ pf, hangs };
	}
	if (w->list)
		json_array_append_new(
			w->list,
			json_pack("{s:O?, s:O?, s:O?, s:b}", "pf",
		                  json_object_get(note, "pf"), "what",
		                  json_object_get(note, "what"), "since",
		                  json_object_get(note, "since"), "hangs",
		                  hangs));
	if (w->drop && !hangs)
		unlinkat(w->e->state_fd, name, 0);
	json_decref(note);
	return 0;
}

static void walk(struct walk *w)
{
	(void)!sysfs_each(w->e->state_fd, ".", see_note, w);
}

void stuck_read(const struct env *e, struct stuck *ret)
{
	struct walk w = { .e = e, .all = ret };

	*ret = (struct stuck){ .n = 0 };
	walk(&w);
}

bool stuck_hangs(const struct stuck *all, struct bdf pf)
{
	for (size_t i = 0; i < all->n; i++)
		if (bdf_equal(all->pf[i].pf, pf))
			return all->pf[i].hangs;
	return false;
}

void stuck_forget(const struct env *e)
{
	struct walk w = { .e = e, .drop = true };

	walk(&w);
}

json_t *stuck_json(const struct env *e)
{
	struct walk w = { .e = e, .list = json_array() };

	walk(&w);
	return w.list;
}

static int note_there(const char *name, void *arg)
{
	struct bdf pf;

	*(bool *)arg |= is_devlink(name) || is_name(name, &pf);
	return 0;
}

bool stuck_noted(int state_fd)
{
	bool there = false;

	(void)!sysfs_each(state_fd, ".", note_there, &there);
	return there;
}
