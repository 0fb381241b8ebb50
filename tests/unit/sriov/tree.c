/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/sriov/tree.h"

#define DEVICES "sys/bus/pci/devices/"
#define DRIVERS "sys/bus/pci/drivers/"
#define STEP_NS 2000000l

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

static void make_parents(const struct tree *t, const char *path)
{
	char part[TREE_PATH];

	for (size_t i = 1; path[i]; i++)
		if (path[i] == '/') {
			memcpy(part, path, i);
			part[i] = '\0';
			must(!mkdirat(t->root_fd, part, 0755) ||
			             errno == EEXIST,
			     part);
		}
}

#define FORMAT(path, fmt)                                                      \
	char path[TREE_PATH];                                                  \
	va_list ap;                                                            \
	va_start(ap, fmt);                                                     \
	vsnprintf(path, sizeof(path), fmt, ap);                                \
	va_end(ap)

static void put(const struct tree *t, const char *path, const char *text)
{
	int fd;

	make_parents(t, path);
	fd = openat(t->root_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
	            0644);
	must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text),
	     path);
	close(fd);
}

void tree_put(const struct tree *t, const char *text, const char *fmt, ...)
{
	FORMAT(path, fmt);
	put(t, path, text);
}

void tree_link(const struct tree *t, const char *target, const char *fmt, ...)
{
	FORMAT(path, fmt);
	make_parents(t, path);
	unlinkat(t->root_fd, path, 0);
	must(!symlinkat(target, t->root_fd, path), path);
}

void tree_fifo(const struct tree *t, const char *path)
{
	make_parents(t, path);
	unlinkat(t->root_fd, path, 0);
	must(!mkfifoat(t->root_fd, path, 0644), path);
}

void tree_remove(const struct tree *t, const char *fmt, ...)
{
	char command[2 * TREE_PATH];
	FORMAT(path, fmt);

	snprintf(command, sizeof(command), "rm -rf '%s/%s'", t->dir, path);
	must(system(command) == 0, command);
}

const char *tree_get(const struct tree *t, const char *path, char buf[64])
{
	if (sysfs_read(t->root_fd, path, buf, 64) < 0)
		strcpy(buf, "?");
	return buf;
}

struct bdf bdf_of(const char *s)
{
	struct bdf b = { 0 };

	must(!bdf_parse(s, &b), s);
	return b;
}

void tree_make(struct tree *t)
{
	memset(t, 0, sizeof(*t));
	strcpy(t->dir, "/tmp/fl-sriov-XXXXXX");
	must(mkdtemp(t->dir), "mkdtemp");
	t->root_fd = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(t->root_fd >= 0, t->dir);
	tree_put(t, "", "sys/bus/pci/drivers_probe");
	tree_put(t, "", DRIVERS "igb/unbind");
	tree_put(t, "", DRIVERS "igbvf/unbind");
	tree_put(t, "", DRIVERS "vfio-pci/unbind");
	tree_put(t, "init\n", "proc/1/comm");
	tree_link(t, "/dev/null", "proc/1/fd/0");
}

void tree_drop(struct tree *t)
{
	if (t->kernel) {
		kill(t->kernel, SIGKILL);
		waitpid(t->kernel, NULL, 0);
	}
	tree_remove(t, ".%s", "/sys");
	tree_remove(t, "proc");
	tree_remove(t, "lib");
	must(!rmdir(t->dir), t->dir);
	close(t->root_fd);
}

int tree_setup(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));

	tree_make(t);
	*state = t;
	return 0;
}

int tree_teardown(void **state)
{
	tree_drop(*state);
	free(*state);
	return 0;
}

void tree_add_pf(const struct tree *t, unsigned total, unsigned num)
{
	char n[16];

	tree_put(t, "0x8086\n", DEVICES PF "/vendor");
	tree_put(t, "0x10c9\n", DEVICES PF "/device");
	tree_put(t, "0x020000\n", DEVICES PF "/class");
	tree_put(t, "-1\n", DEVICES PF "/numa_node");
	tree_put(t, "(null)\n", DEVICES PF "/driver_override");
	tree_put(t, "1\n", DEVICES PF "/sriov_drivers_autoprobe");
	tree_put(t, "384\n", DEVICES PF "/sriov_offset");
	tree_put(t, "2\n", DEVICES PF "/sriov_stride");
	tree_put(t, "0x1003\n", DEVICES PF "/net/eth0/flags");
	tree_link(t, "../../drivers/igb", DEVICES PF "/driver");
	snprintf(n, sizeof(n), "%u\n", total);
	tree_put(t, n, DEVICES PF "/sriov_totalvfs");
	for (unsigned i = 0; i < num; i++)
		tree_add_vf(t, i, "");
	snprintf(n, sizeof(n), "%u\n", num);
	tree_put(t, n, DEVICES PF "/sriov_numvfs");
}

void tree_add_vf(const struct tree *t, unsigned i, const char *driver)
{
	char target[TREE_PATH];

	tree_put(t, "0x8086\n", DEVICES VF_FMT "/vendor", i);
	tree_put(t, "0x10ca\n", DEVICES VF_FMT "/device", i);
	tree_put(t, "(null)\n", DEVICES VF_FMT "/driver_override", i);
	tree_link(t, "../" PF, DEVICES VF_FMT "/physfn", i);
	snprintf(target, sizeof(target), "../../../kernel/iommu_groups/%u",
	         20 + i);
	tree_link(t, target, DEVICES VF_FMT "/iommu_group", i);
	snprintf(target, sizeof(target), "../../drivers/%s", driver);
	if (*driver)
		tree_link(t, target, DEVICES VF_FMT "/driver", i);
	snprintf(target, sizeof(target), "../" VF_FMT, i);
	tree_link(t, target, DEVICES PF "/virtfn%u", i);
}

void tree_drop_vf(const struct tree *t, unsigned i)
{
	tree_remove(t, DEVICES PF "/virtfn%u", i);
	tree_remove(t, DEVICES VF_FMT, i);
}

/* ---- the kernel's part --------------------------------------------------- */

/* What somebody wrote, once. */
static bool take(const struct tree *t, const char *path, char buf[64])
{
	if (sysfs_read(t->root_fd, path, buf, 64) <= 0)
		return false;
	put(t, path, "");
	return true;
}

static void play_numvfs(const struct tree *t, unsigned *have)
{
	uint64_t n;

	if (sysfs_read_u64(t->root_fd, DEVICES PF "/sriov_numvfs", &n) < 0)
		return;
	for (; *have > n; --*have)
		tree_drop_vf(t, *have - 1);
	for (; *have < n; ++*have)
		tree_add_vf(t, *have, "");
}

static void play_unbind(const struct tree *t)
{
	static const char *const drivers[] = { "igb", "igbvf", "vfio-pci" };
	char path[TREE_PATH], name[64];

	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		snprintf(path, sizeof(path), DRIVERS "%s/unbind", drivers[i]);
		if (take(t, path, name))
			tree_remove(t, DEVICES "%s/driver", name);
	}
}

static void play_probe(const struct tree *t, const char *refuse)
{
	char path[TREE_PATH], target[TREE_PATH], name[64], driver[64];

	if (!take(t, "sys/bus/pci/drivers_probe", name))
		return;
	snprintf(path, sizeof(path), DEVICES "%s/driver_override", name);
	tree_get(t, path, driver);
	if (!*driver || !strcmp(driver, "(null)"))
		strcpy(driver, "igbvf");
	if (!strcmp(driver, refuse))
		return;
	snprintf(target, sizeof(target), "../../drivers/%s", driver);
	tree_link(t, target, DEVICES "%s/driver", name);
}

void tree_kernel(struct tree *t, const char *refuse)
{
	const struct timespec step = { .tv_nsec = STEP_NS };
	uint64_t n = 0;
	unsigned have;

	must(!sysfs_read_u64(t->root_fd, DEVICES PF "/sriov_numvfs", &n),
	     "numvfs");
	have = (unsigned)n;
	t->kernel = fork();
	if (t->kernel)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		play_numvfs(t, &have);
		play_unbind(t);
		play_probe(t, refuse);
		nanosleep(&step, NULL);
	}
}
