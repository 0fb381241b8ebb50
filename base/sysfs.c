/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysfs and procfs below a directory descriptor. Each call opens anew:
 * nothing read is ever older than the call. Links are followed (sysfs is made
 * of them), but only below root_fd's own file system view; recorded trees
 * hold relative links, as the kernel makes them.
 */

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

#define NAMES_READ 4096

static bool is_attribute(const char *path)
{
	static const char *const under[] = { "sys/bus/", "sys/class/",
		                             "sys/devices/" };

	for (size_t i = 0; i < ARRAY_SIZE(under); i++)
		if (!strncmp(path, under[i], strlen(under[i])))
			return true;
	return false;
}

/* The kernel makes an attribute of a device in one piece for the first read
 * (sysfs_kf_seq_show()), so that a line that is whole is all there is, and no
 * further read needs to say so. */
static int read_text(int dir_fd, const char *path, bool attribute, char *buf,
                     size_t size)
{
	_cleanup_close_ int fd = -1;
	char page[SYSFS_MAX];
	size_t len = 0;

	fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	while (len < sizeof(page)) {
		ssize_t n = read(fd, page + len, sizeof(page) - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += (size_t)n;
		if (attribute && page[len - 1] == '\n')
			break;
	}
	while (len && page[len - 1] == '\n')
		len--;
	if (len >= size)
		return -ENOBUFS;
	memcpy(buf, page, len);
	buf[len] = '\0';
	return (int)len;
}

int sysfs_read(int root_fd, const char *path, char *buf, size_t size)
{
	return read_text(root_fd, path, is_attribute(path), buf, size);
}

int sysfs_attr(int dir_fd, const char *name, char *buf, size_t size)
{
	return read_text(dir_fd, name, true, buf, size);
}

int sysfs_read_u64(int root_fd, const char *path, uint64_t *ret)
{
	char buf[32];
	int r = sysfs_read(root_fd, path, buf, sizeof(buf));

	return r < 0 ? r : parse_u64(buf, UINT64_MAX, ret);
}

int sysfs_attr_u64(int dir_fd, const char *name, uint64_t *ret)
{
	char buf[32];
	int r = sysfs_attr(dir_fd, name, buf, sizeof(buf));

	return r < 0 ? r : parse_u64(buf, UINT64_MAX, ret);
}

/* An attribute takes its value in one write(2); O_TRUNC is for recorded trees,
 * where attributes are plain files. */
int sysfs_write(int root_fd, const char *path, const char *value)
{
	_cleanup_close_ int fd = -1;
	size_t len = strlen(value);
	ssize_t n;

	fd = openat(root_fd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_TRUNC);
	if (fd < 0)
		return -errno;
	do
		n = write(fd, value, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

int sysfs_link_name(int root_fd, const char *path, char *buf, size_t size)
{
	char target[SYSFS_MAX];
	const char *name;
	ssize_t n = readlinkat(root_fd, path, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	name = strrchr(target, '/');
	name = name ? name + 1 : target;
	if (strlen(name) >= size)
		return -ENOBUFS;
	memcpy(buf, name, strlen(name) + 1);
	return (int)strlen(name);
}

bool sysfs_exists(int root_fd, const char *path)
{
	return faccessat(root_fd, path, F_OK, 0) == 0;
}

struct names {
	char **v;
	size_t n, room;
};

static void names_free(struct names *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
}

static int names_add(struct names *l, const char *name)
{
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 64;
		char **v = realloc(l->v, room * sizeof(*v));

		if (!v)
			return -ENOMEM;
		l->v = v;
		l->room = room;
	}
	l->v[l->n] = strdup(name);
	if (!l->v[l->n])
		return -ENOMEM;
	l->n++;
	return 0;
}

static int names_order(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* Those of one piece of a folder. */
static int names_take(struct names *l, const char *buf, size_t len)
{
	const struct dirent64 *e;
	int r = 0;

	for (size_t at = 0; !r && at < len; at += e->d_reclen) {
		e = (const void *)(buf + at);
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = names_add(l, e->d_name);
	}
	return r;
}

/* Not by readdir(3): most folders here have few entries, and the buffer it
 * allocates is as large as the file system likes, half a MiB for some. */
static int names_read(int root_fd, const char *dir, struct names *l)
{
	_Alignas(struct dirent64) char buf[NAMES_READ];
	_cleanup_close_ int fd = -1;
	ssize_t n = 1;
	int r = 0;

	fd = openat(root_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (!r && n) {
		n = getdents64(fd, buf, sizeof(buf));
		r = n < 0 ? -errno : names_take(l, buf, (size_t)n);
	}
	return r;
}

int sysfs_each(int root_fd, const char *dir,
               int (*fn)(const char *name, void *arg), void *arg)
{
	_cleanup_(names_free) struct names l = { 0 };
	int r = names_read(root_fd, dir, &l);

	if (r)
		return r;
	if (l.n)
		qsort(l.v, l.n, sizeof(*l.v), names_order);
	for (size_t i = 0; i < l.n && !r; i++)
		r = fn(l.v[i], arg);
	return r;
}
