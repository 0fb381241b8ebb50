/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files of other owners. They are theirs and are believed no further than
 * that: read whole or not at all (OWNER_FILE_MAX bytes, OWNER_NAMES_MAX of a
 * folder, OWNER_BYTES_MAX of all), never waited for, never followed out of
 * being files. Kept is only what speaks of VFs.
 *
 * Drop-ins as systemd.network(5) has them: a name in an earlier folder replaces
 * that in later ones, of a drop-in as of the file itself; a file that is empty,
 * or a link to /dev/null, is none, and its drop-ins with it.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sriov/owner-priv.h"

#define OWNER_NAMES_MAX 1024
#define OWNER_FILE_MAX (64u << 10)
#define OWNER_BYTES_MAX (4u << 20)
#define PATH 640
/* A file begins in no section. */
#define SEAM "\n[]\n"

struct name {
	size_t dir; /* of the place's */
	char *name;
};
/* What is in a place's folders, in their order: each is listed once, and no
 * file is asked for that no listing has. */
struct listing {
	struct name *e;
	size_t n;
	size_t dir, of_dir; /* that is being listed, and names of it */
};

struct reading {
	int root_fd;
	const struct owner_place *place;
	struct sriov_owner_files *all;
	struct listing names;
};

static void listing_done(struct listing *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->e[i].name);
	free(l->e);
	*l = (struct listing){ .e = NULL };
}

static int list_name(const char *name, void *arg)
{
	struct listing *l = arg;
	struct name *more;

	if (*name == '.')
		return 0;
	if (l->of_dir++ >= OWNER_NAMES_MAX)
		return 1;
	more = reallocarray(l->e, l->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	l->e = more;
	more[l->n].name = strdup(name);
	if (!more[l->n].name)
		return -ENOMEM;
	more[l->n++].dir = l->dir;
	return 0;
}

/* A folder that is not there has no names. */
static int list_dir(int root_fd, const char *path, size_t dir,
                    struct listing *l)
{
	int e;

	l->dir = dir;
	l->of_dir = 0;
	e = sysfs_each(root_fd, path, list_name, l);
	return e == -ENOMEM ? e : 0;
}

static bool ends_so(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n >= m && !strcmp(name + n - m, end);
}

/* `of`: the file whose drop-in it is, or NULL. */
static void path_of(const struct reading *r, size_t dir, const char *of,
                    const char *name, char ret[static PATH])
{
	snprintf(ret, PATH, "%s/%s%s%s", r->place->dirs[dir], of ? of : "",
	         of ? ".d/" : "", name);
}

/* By the same name in an earlier folder. */
static bool is_hidden(const struct listing *l, const struct name *x)
{
	for (size_t i = 0; i < l->n && l->e[i].dir < x->dir; i++)
		if (!strcmp(l->e[i].name, x->name))
			return true;
	return false;
}

/* NULL where it is no file, or too long. */
static char *read_text(const struct reading *r, const char *path)
{
	_cleanup_close_ int fd = openat(
		r->root_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char *text = NULL;
	size_t len;

	if (fd < 0 || fd_read_file(fd, OWNER_FILE_MAX, &text, &len) < 0)
		return NULL;
	return text;
}

static void drop_file(struct owner_file *f)
{
	free(f->name);
	free(f->path);
	free(f->text);
}

void sriov_owners_free(struct sriov_owner_files *all)
{
	for (size_t i = 0; all && i < all->n; i++)
		drop_file(&all->file[i]);
	if (all)
		free(all->file);
	free(all);
}

/* The first part that speaks is the one to be told of. */
static int set_path(struct owner_file *f, const char *path)
{
	if (f->path)
		return 0;
	return asprintf(&f->path, "/%s", path) < 0 ? -ENOMEM : 0;
}

static int add_drop_in(const struct reading *r, const struct name *x,
                       struct owner_file *f)
{
	_cleanup_free_ char *text = NULL, *both = NULL;
	char path[PATH];

	path_of(r, x->dir, f->name, x->name, path);
	text = read_text(r, path);
	if (!text)
		return 0;
	if (asprintf(&both, "%s" SEAM "%s", f->text, text) < 0) {
		both = NULL;
		return -ENOMEM;
	}
	free(f->text);
	f->text = TAKE_PTR(both);
	return r->place->speaks(text) ? set_path(f, path) : 0;
}

/* Only of the folders that have a NAME.d. */
static int list_drop_ins(const struct reading *r, const char *name,
                         struct listing *l)
{
	size_t n = strlen(name);
	char path[PATH];
	int e = 0;

	for (size_t i = 0; !e && i < r->names.n; i++) {
		const struct name *d = &r->names.e[i];

		if (strncmp(d->name, name, n) != 0 ||
		    strcmp(d->name + n, ".d") != 0)
			continue;
		path_of(r, d->dir, name, "", path);
		e = list_dir(r->root_fd, path, d->dir, l);
	}
	return e;
}

static int add_drop_ins(const struct reading *r, struct owner_file *f)
{
	struct listing l = { .e = NULL };
	int e = list_drop_ins(r, f->name, &l);

	for (size_t i = 0; !e && i < l.n; i++)
		if (ends_so(l.e[i].name, ".conf") && !is_hidden(&l, &l.e[i]) &&
		    strlen(f->text) <= OWNER_BYTES_MAX)
			e = add_drop_in(r, &l.e[i], f);
	listing_done(&l);
	return e;
}

static int keep(struct sriov_owner_files *all, struct owner_file *f)
{
	struct owner_file *more =
		reallocarray(all->file, all->n + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	all->file = more;
	all->bytes += f->text ? strlen(f->text) : 0;
	more[all->n++] = *f;
	*f = (struct owner_file){ .name = NULL };
	return 0;
}

/* Its text, all of it; without a path it speaks of nothing. */
static int read_file(const struct reading *r, const char *path,
                     struct owner_file *f)
{
	int e = 0;

	f->text = read_text(r, path);
	if (!f->text || !*f->text)
		return 0;
	if (r->place->speaks(f->text))
		e = set_path(f, path);
	return !e && r->place->drop_ins ? add_drop_ins(r, f) : e;
}

static int add_file(const struct reading *r, const struct name *x)
{
	struct owner_file f = { .place = r->place };
	char path[PATH];
	int e;

	path_of(r, x->dir, NULL, x->name, path);
	f.name = strdup(x->name);
	e = !f.name            ? -ENOMEM
	    : r->place->speaks ? read_file(r, path, &f)
	                       : set_path(&f, path);
	if (!e && f.path)
		e = keep(r->all, &f);
	drop_file(&f);
	return e;
}

static int add_place(struct reading *r)
{
	int e = 0;

	for (size_t i = 0; !e && i < r->names.n; i++) {
		const struct name *x = &r->names.e[i];

		if (r->all->bytes <= OWNER_BYTES_MAX &&
		    ends_so(x->name, r->place->end) && !is_hidden(&r->names, x))
			e = add_file(r, x);
	}
	return e;
}

/* Places in a row that have the same folders are listed once. */
int owner_read(int root_fd, const struct owner_place *p, size_t n,
               struct sriov_owner_files *all)
{
	struct reading r = { .root_fd = root_fd, .all = all };
	int e = 0;

	for (size_t i = 0; !e && i < n; i++) {
		r.place = &p[i];
		if (!i || p[i].dirs != p[i - 1].dirs) {
			listing_done(&r.names);
			for (size_t k = 0; !e && p[i].dirs[k]; k++)
				e = list_dir(root_fd, p[i].dirs[k], k,
				             &r.names);
		}
		if (!e)
			e = add_place(&r);
	}
	listing_done(&r.names);
	return e;
}
