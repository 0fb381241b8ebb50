/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Room for one more decompressed kernel. Order: entries are counted -> those
 * used longest ago go, until one more fits -> links that lead nowhere go. With
 * the lock of the folder held; a lease that has one open keeps what it has.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netd/kernels-priv.h"

/* Beyond it, which no use of ours reaches, entries are not looked at but
 * removed. */
#define ENTRIES_MAX 64u
#define LINKS_MAX 128u

struct room {
	int dir;
	struct entry {
		char hash[KERNELS_HASH + 1];
		uint64_t bytes;
		struct timespec used;
	} e[ENTRIES_MAX];
	size_t n, links;
	uint64_t bytes;
};

static int count_one(const char *name, void *arg)
{
	struct room *r = arg;
	struct entry *e = &r->e[r->n];
	char is[KERNELS_TEXT];
	struct stat st, used;

	if (!kernels_is_hash(name))
		return 0;
	snprintf(is, sizeof(is), "%.64s" KERNELS_IS, name);
	if (r->n == ENTRIES_MAX ||
	    fstatat(r->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(r->dir, is, &used, AT_SYMLINK_NOFOLLOW) < 0) {
		kernels_drop(r->dir, name);
		return 0;
	}
	memcpy(e->hash, name, sizeof(e->hash));
	e->bytes = (uint64_t)st.st_size;
	e->used = used.st_mtim;
	r->bytes += e->bytes;
	r->n++;
	return 0;
}

static bool is_older(const struct entry *a, const struct entry *b)
{
	return a->used.tv_sec != b->used.tv_sec
	               ? a->used.tv_sec < b->used.tv_sec
	               : a->used.tv_nsec < b->used.tv_nsec;
}

static void drop_oldest(struct room *r)
{
	struct entry *old = &r->e[0];

	for (size_t i = 1; i < r->n; i++)
		if (is_older(&r->e[i], old))
			old = &r->e[i];
	kernels_drop(r->dir, old->hash);
	r->bytes -= old->bytes;
	*old = r->e[--r->n];
}

static bool has_entry(const struct room *r, const char *name)
{
	for (size_t i = 0; i < r->n; i++)
		if (!strncmp(r->e[i].hash, name, KERNELS_HASH))
			return true;
	return false;
}

/* at-FILE to what is not there, or of too many; HASH.is without HASH. */
static int sweep_one(const char *name, void *arg)
{
	struct room *r = arg;
	char to[KERNELS_TEXT];
	bool at = !strncmp(name, KERNELS_AT, strlen(KERNELS_AT));
	size_t len = strlen(name);

	if (at && ++r->links <= LINKS_MAX &&
	    kernels_link_read(r->dir, name, to) == 0 &&
	    (!strcmp(to, KERNELS_NONE) || has_entry(r, to)))
		return 0;
	if (at ||
	    (len == KERNELS_HASH + strlen(KERNELS_IS) &&
	     !strcmp(name + KERNELS_HASH, KERNELS_IS) && !has_entry(r, name)))
		unlinkat(r->dir, name, 0);
	return 0;
}

void kernels_room(int dir, uint64_t bytes)
{
	struct room *r = calloc(1, sizeof(*r));

	if (!r)
		return;
	r->dir = dir;
	(void)!sysfs_each(dir, ".", count_one, r);
	while (r->n &&
	       (r->n >= KERNELS_MAX || r->bytes + bytes > KERNELS_TOTAL_MAX))
		drop_oldest(r);
	(void)!sysfs_each(dir, ".", sweep_one, r);
	free(r);
}
