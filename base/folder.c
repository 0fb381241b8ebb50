/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The texts of a folder's files whose names end so, in the order of their
 * names. Hidden files are none of them: editors leave such.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"

struct collect {
	int dir_fd;
	const char *folder, *suffix;
	size_t max;
	struct folder *to;
	char *failed; /* of FOLDER_NAME: what could not be read */
};

static bool ends_with(const char *name, const char *suffix)
{
	size_t n = strlen(name), s = strlen(suffix);

	return n > s && !strcmp(name + n - s, suffix);
}

int folder_add(struct folder *to, int dir_fd, const char *name, size_t max)
{
	struct folder_file *f;
	_cleanup_close_ int fd = -1;
	int r;

	if (to->n == FOLDER_FILES_MAX)
		return -E2BIG;
	f = reallocarray(to->file, to->n + 1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	to->file = f;
	f += to->n;
	if (snprintf(f->name, sizeof(f->name), "%s", name) >=
	    (int)sizeof(f->name))
		return -ENAMETOOLONG;
	/* What is no file must not be waited for. */
	fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	r = fd < 0 ? -errno : to->check ? to->check(fd) : 0;
	if (!r)
		r = fd_read_file(fd, max, &f->text, &f->len);
	to->n += !r;
	return r;
}

static int add_one(const char *name, void *arg)
{
	struct collect *c = arg;
	char path[FOLDER_NAME];
	int r;

	if (*name == '.' || !ends_with(name, c->suffix))
		return 0;
	snprintf(c->failed, FOLDER_NAME, "%s", name);
	if (snprintf(path, sizeof(path), "%s%s%s",
	             strcmp(c->folder, ".") != 0 ? c->folder : "",
	             strcmp(c->folder, ".") != 0 ? "/" : "",
	             name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	r = folder_add(c->to, c->dir_fd, path, c->max);
	return r == -ENOENT ? 0 : r; /* gone since it was listed */
}

int folder_read(int dir_fd, const char *folder, const char *suffix, size_t max,
                struct folder *to, char failed[static FOLDER_NAME])
{
	struct collect c = { .dir_fd = dir_fd,
		             .folder = folder,
		             .suffix = suffix,
		             .max = max,
		             .to = to,
		             .failed = failed };

	failed[0] = '\0';
	return sysfs_each(dir_fd, folder, add_one, &c);
}

int folder_read_both(int dir_fd, const char *sub, const char *one,
                     const char *suffix, size_t max, struct folder *to,
                     char failed[static FOLDER_NAME])
{
	char name[FOLDER_NAME];
	int r = folder_read(dir_fd, sub, suffix, max, to, name);

	if (r && r != -ENOENT) {
		snprintf(failed, FOLDER_NAME, "%.30s%s%.30s", sub,
		         *name ? "/" : "", name);
		return r;
	}
	snprintf(failed, FOLDER_NAME, "%s", one);
	r = folder_add(to, dir_fd, one, max);
	return r == -ENOENT && to->n ? 0 : r;
}

void folder_clear(struct folder *f)
{
	while (f->n)
		free(f->file[--f->n].text);
	free(f->file);
	f->file = NULL;
}
