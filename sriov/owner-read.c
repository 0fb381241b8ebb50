/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files of other owners. They are theirs and are believed no further than
 * that: read whole or not at all (OWNER_FILE_MAX bytes, OWNER_FILES_MAX of a
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
#include <sys/stat.h>
#include <unistd.h>

#include "sriov/owner-priv.h"

#define OWNER_FILES_MAX 256
#define OWNER_FILE_MAX (64u << 10)
#define OWNER_BYTES_MAX (4u << 20)
#define PATH 640
/* A file begins in no section. */
#define SEAM "\n[]\n"

struct reading {
	int root_fd;
	const struct owner_place *place;
	struct sriov_owner_files *all;
	size_t at; /* in place->dirs */
	unsigned files;
	/* the one whose drop-ins are read */
	struct owner_file file;
};

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

static bool is_hidden(const struct reading *r, const char *of, const char *name)
{
	char path[PATH];
	struct stat st;

	for (size_t i = 0; i < r->at; i++) {
		path_of(r, i, of, name, path);
		if (!fstatat(r->root_fd, path, &st, AT_SYMLINK_NOFOLLOW))
			return true;
	}
	return false;
}

/* NULL where it is no file, or too long. */
static char *read_text(const struct reading *r, const char *path)
{
	_cleanup_close_ int fd = openat(
		r->root_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	char *text = NULL;
	size_t len;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    fd_read_file(fd, OWNER_FILE_MAX, &text, &len) < 0)
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

/* 1 = one more than is sensible. */
static int too_many(struct reading *r)
{
	return r->files++ >= OWNER_FILES_MAX || r->all->bytes > OWNER_BYTES_MAX;
}

static int add_drop_in(const char *name, void *arg)
{
	struct reading *r = arg;
	_cleanup_free_ char *text = NULL, *both = NULL;
	struct owner_file *f = &r->file;
	char path[PATH];

	if (*name == '.' || !ends_so(name, ".conf") ||
	    is_hidden(r, f->name, name))
		return 0;
	if (too_many(r))
		return 1;
	path_of(r, r->at, f->name, name, path);
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

static int add_drop_ins(const struct reading *of, struct owner_file *f)
{
	struct reading r = *of;
	char dir[PATH];
	int e = 0;

	r.file = *f;
	r.files = 0;
	for (r.at = 0; e >= 0 && r.at < OWNER_DIRS && r.place->dirs[r.at];
	     r.at++) {
		path_of(&r, r.at, f->name, "", dir);
		e = sysfs_each(r.root_fd, dir, add_drop_in, &r);
		/* A folder that is not there, mostly. */
		e = e == -ENOMEM ? e : 0;
	}
	*f = r.file;
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

static int add_file(const char *name, void *arg)
{
	struct reading *r = arg;
	struct owner_file f = { .place = r->place };
	char path[PATH];
	int e;

	if (*name == '.' || !ends_so(name, r->place->end) ||
	    is_hidden(r, NULL, name))
		return 0;
	if (too_many(r))
		return 1;
	path_of(r, r->at, NULL, name, path);
	f.name = strdup(name);
	e = !f.name            ? -ENOMEM
	    : r->place->speaks ? read_file(r, path, &f)
	                       : set_path(&f, path);
	if (!e && f.path)
		e = keep(r->all, &f);
	drop_file(&f);
	return e;
}

int owner_read(int root_fd, const struct owner_place *p,
               struct sriov_owner_files *all)
{
	struct reading r = { .root_fd = root_fd, .place = p, .all = all };
	int e = 0;

	for (; e != -ENOMEM && r.at < OWNER_DIRS && p->dirs[r.at]; r.at++) {
		r.files = 0;
		e = sysfs_each(root_fd, p->dirs[r.at], add_file, &r);
	}
	return e == -ENOMEM ? e : 0;
}
