/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the endpoint may still ask of the kernel once it listens. An address is
 * not among it: neither to listen at, nor to connect to, but for sockets of the
 * filesystem's, of which netd's is one (connect() cannot be told by its path
 * here; the unit's mount namespace shows no others).
 */

#include "cli/metrics.h"

#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>

// clang-format off
#define SECCOMP(fn) \
	fn(seccomp_init) \
	fn(seccomp_rule_add) \
	fn(seccomp_load) \
	fn(seccomp_release)
// clang-format on
struct seccomp {
	SECCOMP(LIB_FN)
};
static const char *const names[] = { SECCOMP(LIB_NAME) };

static const int allowed[] = {
	SCMP_SYS(accept4),
	SCMP_SYS(brk),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(close),
	SCMP_SYS(connect),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(fcntl),
	SCMP_SYS(fstat),
	SCMP_SYS(futex),
	SCMP_SYS(getrandom),
	SCMP_SYS(lseek),
	SCMP_SYS(madvise),
	SCMP_SYS(mremap),
	SCMP_SYS(munmap),
	SCMP_SYS(newfstatat),
	SCMP_SYS(poll),
	SCMP_SYS(pread64),
	SCMP_SYS(read),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(setsockopt),
	SCMP_SYS(shutdown),
	SCMP_SYS(write),
};

static int rules(const struct seccomp *lib, scmp_filter_ctx ctx)
{
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(allowed); i++)
		r = lib->seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	/* Memory without execution, of nobody's file. */
	if (!r)
		r = lib->seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap),
		                          1, SCMP_A2(SCMP_CMP_MASKED_EQ, 4, 0));
	if (!r)
		r = lib->seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket),
		                          1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	return r;
}

int metrics_shut_in(void)
{
	struct seccomp lib;
	scmp_filter_ctx ctx;
	int r = lib_load("libseccomp.so.2", names, ARRAY_SIZE(names), &lib);

	if (r)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	ctx = lib.seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!ctx)
		return -ENOMEM;
	r = rules(&lib, ctx);
	if (!r)
		r = lib.seccomp_load(ctx);
	lib.seccomp_release(ctx);
	return r;
}
