/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the sandbox leaves, tried in children that enter it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/io_uring.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>
#include <linux/vhost.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/priv.h"

/* Runs `f` inside the sandbox of a guest with so many slots for hot plug;
 * returns the child's wait status. */
static int inside_with(unsigned slots, int (*f)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		struct vm vm = { .fd = -1, .cfg.spare_slots = slots };
		struct rlimit none = { 0, 0 };
		struct diag d;

		setrlimit(RLIMIT_CORE, &none);
		if (loop_init(&vm, &d) < 0 || sandbox_files(&vm, &d) < 0 ||
		    sandbox_syscalls(&vm, &d) < 0)
			_exit(99);
		_exit(f());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int inside(int (*f)(void))
{
	return inside_with(0, f);
}

static void was_killed(int status)
{
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void was_allowed(int status)
{
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void assert_killed(int (*f)(void))
{
	was_killed(inside(f));
}

static void assert_allowed(int (*f)(void))
{
	was_allowed(inside(f));
}

static int nothing(void)
{
	return 0;
}

static int open_file(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES
	               ? 0
	               : 1;
}

static int make_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int exec_file(void)
{
	return execl("/bin/true", "true", NULL);
}

static int fork_child(void)
{
	return fork();
}

static int trace_init(void)
{
	return (int)syscall(SYS_ptrace, 0, 0, 0, 0);
}

static int make_vm(void)
{
	return ioctl(-1, KVM_CREATE_VM, 0);
}

static int steal_terminal(void)
{
	return ioctl(0, TIOCSTI, "x");
}

static int run_vcpu(void)
{
	return ioctl(-1, KVM_RUN, 0) < 0 && errno == EBADF ? 0 : 1;
}

/* The filter sees 64 bits, the kernel 32. */
static int run_vcpu_wide(void)
{
	return syscall(SYS_ioctl, -1, (unsigned long)KVM_RUN | 1ul << 40, 0) <
	                               0 &&
	                       errno == EBADF
	               ? 0
	               : 1;
}

static bool reaches_kernel(unsigned long request)
{
	return ioctl(-1, request, 0) < 0 && errno == EBADF;
}

/* A device that comes while the guest runs, by either back end. */
static int attach_device(void)
{
	static const unsigned long requests[] = {
		VFIO_DEVICE_BIND_IOMMUFD, VFIO_DEVICE_ATTACH_IOMMUFD_PT,
		IOMMU_IOAS_ALLOC,         IOMMU_IOAS_MAP,
		IOMMU_IOAS_IOVA_RANGES,   VFIO_GET_API_VERSION,
		VFIO_CHECK_EXTENSION,     VFIO_SET_IOMMU,
		VFIO_GROUP_GET_STATUS,    VFIO_GROUP_SET_CONTAINER,
		VFIO_GROUP_GET_DEVICE_FD, VFIO_GROUP_UNSET_CONTAINER,
		VFIO_IOMMU_MAP_DMA,       VFIO_DEVICE_GET_INFO,
		KVM_SET_DEVICE_ATTR,      KVM_SIGNAL_MSI,
	};

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		if (!reaches_kernel(requests[i]))
			return 1;
	return 0;
}

static int talk_to_netd(void)
{
	struct msghdr m = { 0 };
	int fd = memfd_create("state", MFD_CLOEXEC);

	return fd < 0 || sendmsg(-1, &m, 0) >= 0 || errno != EBADF ||
	       recvmsg(-1, &m, 0) >= 0 || errno != EBADF;
}

static int make_kvm_device(void)
{
	return ioctl(-1, KVM_CREATE_DEVICE, 0);
}

static int reach_others(void)
{
	return connect(-1, NULL, 0);
}

/* Others of the same account: its user's programs, other guests. */
static int kill_others(void)
{
	return tgkill(getppid(), getppid(), 0);
}

static int limit_others(void)
{
	const struct rlimit none = { 0, 0 };

	return prlimit(getppid(), RLIMIT_NOFILE, &none, NULL);
}

static int lift_limit(void)
{
	const struct rlimit more = { 1, 1 };

	return prlimit(0, RLIMIT_CORE, &more, NULL);
}

/* What comes in on a descriptor is told by any signal, to any process. */
static int signal_others(void)
{
	return fcntl(0, F_SETOWN, getppid());
}

static int give_lock_back(void)
{
	struct flock all = { .l_type = F_UNLCK };

	return fcntl(0, F_OFD_SETLK, &all);
}

static int use_own(void)
{
	struct statfs s;
	struct rlimit l;
	int fd = memfd_create("own", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return getrlimit(RLIMIT_MEMLOCK, &l) < 0 || fstatfs(fd, &s) < 0 ||
	       tgkill(getpid(), gettid(), 0) < 0 || copy < 0 ||
	       fcntl(copy, F_ADD_SEALS, F_SEAL_GROW) < 0 ||
	       fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0;
}

/* ulimit -f, and a guest that writes behind it: an error, not the end. */
static int write_too_far(void)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	return pwrite(fd, "x", 1, 4096) >= 0 || errno != EFBIG;
}

static int use_memory(void)
{
	char *p = malloc(1 << 20), *q;

	if (!p)
		return 1;
	p[4096] = 1;
	free(p);
	q = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return q == MAP_FAILED || munmap(q, 4096) < 0;
}

/* One disk more in the ring that is there. */
static int fill_ring(void)
{
	return syscall(SYS_io_uring_register, 1000,
	               IORING_REGISTER_FILES_UPDATE, NULL, 1) < 0 &&
	                       errno == EBADF
	               ? 0
	               : 1;
}

static int other_register(void)
{
	return (int)syscall(SYS_io_uring_register, -1, IORING_REGISTER_BUFFERS,
	                    NULL, 0);
}

static int make_ring(void)
{
	return (int)syscall(SYS_io_uring_setup, 1, NULL);
}

static int own_vhost(void)
{
	return reaches_kernel(VHOST_SET_OWNER) ? 0 : 1;
}

static int own_tap(void)
{
	return reaches_kernel(TUNSETVNETHDRSZ) && reaches_kernel(BLKGETSIZE64)
	               ? 0
	               : 1;
}

static int make_tap(void)
{
	return ioctl(-1, TUNSETIFF, NULL);
}

/* Devices of the VMM's own, where there are slots for them. */
static void what_plugs(void **state)
{
	(void)state;
	was_allowed(inside_with(1, fill_ring));
	was_allowed(inside_with(1, own_vhost));
	was_allowed(inside_with(1, own_tap));
	was_allowed(inside_with(1, open_file));
	was_killed(inside_with(1, other_register));
	was_killed(inside_with(1, make_ring));
	was_killed(inside_with(1, make_tap));
	was_killed(inside_with(1, make_vm));
	assert_killed(fill_ring);
	assert_killed(own_vhost);
	assert_killed(own_tap);
}

static void what_is_left(void **state)
{
	(void)state;
	assert_allowed(nothing);
	assert_allowed(run_vcpu);
	assert_allowed(run_vcpu_wide);
	assert_allowed(use_memory);
	assert_allowed(open_file);
	assert_allowed(attach_device);
	assert_allowed(talk_to_netd);
	assert_allowed(use_own);
}

static void what_kills(void **state)
{
	(void)state;
	assert_killed(make_socket);
	assert_killed(exec_file);
	assert_killed(fork_child);
	assert_killed(trace_init);
	assert_killed(make_vm);
	assert_killed(steal_terminal);
	assert_killed(make_kvm_device);
	assert_killed(reach_others);
}

static void what_reaches_others_kills(void **state)
{
	(void)state;
	assert_killed(kill_others);
	assert_killed(limit_others);
	assert_killed(lift_limit);
	assert_killed(signal_others);
	assert_killed(give_lock_back);
}

static void what_signals_do_not_kill(void **state)
{
	struct rlimit was, now;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	now = was;
	now.rlim_cur = 4096;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
	assert_allowed(write_too_far);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
}

/* The filter reaches threads that were there before it. */
static _Atomic bool go;

static void *late_socket(void *arg)
{
	(void)arg;
	while (!atomic_load(&go))
		sched_yield();
	return (void *)(intptr_t)socket(AF_INET, SOCK_STREAM, 0);
}

static void all_threads(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(pid >= 0);
	if (!pid) {
		struct vm vm = { .fd = -1 };
		struct rlimit none = { 0, 0 };
		pthread_t t;
		struct diag d;

		setrlimit(RLIMIT_CORE, &none);
		if (sandbox_files(&vm, &d) < 0 ||
		    pthread_create(&t, NULL, late_socket, NULL) ||
		    sandbox_syscalls(&vm, &d) < 0)
			_exit(99);
		atomic_store(&go, true);
		pthread_join(t, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_left),
		cmocka_unit_test(what_plugs),
		cmocka_unit_test(what_kills),
		cmocka_unit_test(what_reaches_others_kills),
		cmocka_unit_test(what_signals_do_not_kill),
		cmocka_unit_test(all_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
