/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Serial numbers, read by a child while there is the privilege: serials.h. */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netd/priv.h"
#include "netd/serials.h"
#include "sriov/sriov.h"

#define DEVICES "sys/bus/pci/devices"

struct entry {
	struct bdf bdf;
	ino_t inode;
	struct sriov_serial serial;
};
struct serials {
	/* Entries that are whole; a text in one that is being written ends
	 * with the zeros that the memory began with. */
	uint32_t n;
	struct entry entry[SERIALS_MAX];
};

static ino_t inode_of(int root_fd, struct bdf b)
{
	char path[64], name[BDF_STRLEN];
	struct stat st;

	snprintf(path, sizeof(path), DEVICES "/%s", bdf_format(b, name));
	return fstatat(root_fd, path, &st, 0) < 0 ? 0 : st.st_ino;
}

/* ---- the child ----------------------------------------------------------- */

struct reading {
	int root_fd;
	struct serials *s;
};

static int add_one(const char *name, void *arg)
{
	struct reading *r = arg;
	struct entry *e = &r->s->entry[r->s->n];

	if (r->s->n == SERIALS_MAX)
		return 1;
	if (bdf_parse(name, &e->bdf))
		return 0;
	e->inode = inode_of(r->root_fd, e->bdf);
	sriov_serial_read(r->root_fd, e->bdf, false, &e->serial);
	__atomic_store_n(&r->s->n, r->s->n + 1, __ATOMIC_RELEASE);
	return 0;
}

static _Noreturn void child(struct reading *r, pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	if (sysfs_each(r->root_fd, DEVICES, add_one, r) < 0)
		_exit(1);
	for (uint32_t i = 0; i < r->s->n; i++)
		sriov_serial_read(r->root_fd, r->s->entry[i].bdf, true,
		                  &r->s->entry[i].serial);
	_exit(0);
}

/* ---- main ---------------------------------------------------------------- */

struct serials *serials_read(int root_fd)
{
	pid_t parent = getpid(), pid;
	struct reading r = { .root_fd = root_fd };
	int status;

	r.s = mmap(NULL, sizeof(*r.s), PROT_READ | PROT_WRITE,
	           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r.s == MAP_FAILED)
		return NULL;
	pid = fork();
	if (pid == 0)
		child(&r, parent);
	if (pid > 0)
		(void)!child_wait(pid, SERIALS_MS, &status, NULL);
	return r.s;
}

void serials_free(struct serials *s)
{
	if (s)
		munmap(s, sizeof(*s));
}

void serials_find(const struct serials *s, int root_fd, struct bdf b,
                  struct pol_ident *ret, uint32_t *set)
{
	uint32_t n = s ? __atomic_load_n(&s->n, __ATOMIC_ACQUIRE) : 0;
	const struct entry *e = NULL;

	for (uint32_t i = 0; !e && i < n; i++)
		if (bdf_equal(s->entry[i].bdf, b))
			e = &s->entry[i];
	if (!e || !e->inode || e->inode != inode_of(root_fd, b))
		return;
	snprintf(ret->dsn, sizeof(ret->dsn), "%s", e->serial.dsn);
	snprintf(ret->vpd, sizeof(ret->vpd), "%s", e->serial.vpd);
	*set |= *ret->dsn ? POL_HAS_DSN : 0;
}
