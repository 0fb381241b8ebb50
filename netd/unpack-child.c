/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A decompressor is a parser of what a stranger wrote, and netd is root. So it
 * runs in a fork that gives up everything first: see kernels.h.
 *
 * Order: the two mappings are there before the fork -> the decompressor is
 * loaded -> capabilities -> Landlock -> descriptors closed -> limits -> seccomp
 * -> the first byte is looked at.
 */

#include <cap-ng.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netd/unpack.h"

/* Beside the mappings: liblzma's dictionary, the heap. */
#define DATA_MAX (256ull << 20)

/* What the process has already counts, too (proc(5), statm: data). */
static int data_now(rlim_t *ret)
{
	char text[SYSFS_MAX];
	char *at = text;
	_cleanup_close_ int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	for (int i = 0; at && i < 5; i++)
		at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL;
	if (!at)
		return -EBADMSG;
	*ret = strtoul(at, NULL, 10) * (rlim_t)sysconf(_SC_PAGESIZE);
	return 0;
}

static int limit(rlim_t data, unsigned ms)
{
	const struct {
		__rlimit_resource_t which; /* of glibc's: an enum */
		rlim_t max;
	} row[] = {
		{ RLIMIT_DATA, data + DATA_MAX },
		{ RLIMIT_CPU, ms / 1000 + 1 },
		{ RLIMIT_CORE, 0 },
		{ RLIMIT_FSIZE, 0 },
		{ RLIMIT_NPROC, 0 },
		{ RLIMIT_NOFILE, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct rlimit l = { row[i].max, row[i].max };

		if (setrlimit(row[i].which, &l) < 0)
			return -errno;
	}
	return 0;
}

static int drop_capabilities(void)
{
	capng_clear(CAPNG_SELECT_CAPS);
	return capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
}

/* No rule: no path. A kernel without Landlock leaves it to seccomp. */
static int no_paths(void)
{
	struct landlock_ruleset_attr a = {
		.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1,
	};
	_cleanup_close_ int fd = (int)syscall(SYS_landlock_create_ruleset, &a,
	                                      sizeof(a.handled_access_fs), 0);

	if (fd < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
	return syscall(SYS_landlock_restrict_self, fd, 0) < 0 ? -errno : 0;
}

static int no_calls(void)
{
	static const int allowed[] = {
		SCMP_SYS(brk),
		SCMP_SYS(munmap),
		SCMP_SYS(mremap),
		SCMP_SYS(futex),
		SCMP_SYS(exit),
		SCMP_SYS(exit_group),
		SCMP_SYS(madvise),
		/* ASan, before a call that does not return */
		SCMP_SYS(sigaltstack),
	};
	/* Memory that is shared is not counted as data. */
	const struct scmp_arg_cmp is_private =
		SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_TYPE, MAP_PRIVATE);
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = f ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < ARRAY_SIZE(allowed); i++)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, allowed[i], 0);
	if (!r)
		r = seccomp_rule_add_array(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
		                           &is_private);
	if (!r)
		r = seccomp_load(f);
	if (f)
		seccomp_release(f);
	return r;
}

static int confine(unsigned ms)
{
	rlim_t data = 0;
	int r = prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? -errno : 0;

	if (!r && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = -errno;
	if (!r)
		r = drop_capabilities();
	if (!r)
		r = data_now(&data);
	if (!r)
		r = no_paths();
	if (!r && close_range(0, ~0u, 0) < 0)
		r = -errno;
	if (!r)
		r = limit(data, ms);
	return r ? r : no_calls();
}

/* Its status is what it has to say: an errno, as a number of a byte. */
static _Noreturn void child(const struct payload *p, uint8_t *out, unsigned ms)
{
	struct payload mine = *p;
	int r = payload_load(&mine);

	if (!r)
		r = confine(ms);
	if (!r)
		r = payload_unpack(&mine, out);
	_exit(-r & 0xff);
}

int payload_unpack_apart(const struct payload *p, uint8_t *out, unsigned ms)
{
	pid_t pid = fork();
	int s, r;

	if (pid < 0)
		return -errno;
	if (!pid)
		child(p, out, ms);
	r = child_wait(pid, ms, &s, NULL);
	if (r)
		return r;
	return WIFEXITED(s) ? -WEXITSTATUS(s) : -ECHILD;
}
