/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_TEST_NETD_TREE_H
#define FL_TEST_NETD_TREE_H

/* A folder that stands for a host's root. After cmocka.h. */

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netd/priv.h"

struct tree {
	char dir[64];
	int fd;
};

static inline void tree_make(struct tree *t)
{
	snprintf(t->dir, sizeof(t->dir), P_tmpdir "/fairlead-tree-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	t->fd = open(t->dir, O_RDONLY | O_DIRECTORY);
	assert_true(t->fd >= 0);
}

static inline void put(const struct tree *t, const char *path, const char *text)
{
	_cleanup_close_ int fd = -1;
	char dir[256];

	for (const char *s = strchr(path, '/'); s; s = strchr(s + 1, '/')) {
		snprintf(dir, sizeof(dir), "%.*s", (int)(s - path), path);
		mkdirat(t->fd, dir, 0755);
	}
	fd = openat(t->fd, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static inline int tree_remove_one(const char *path, const struct stat *st,
                                  int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int tree_teardown(void **state)
{
	struct tree *t = *state;

	close(t->fd);
	nftw(t->dir, tree_remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

#endif
