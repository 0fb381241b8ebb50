/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is left to a guest that takes this process over: the descriptors it has
 * and the calls below. Three layers, each of use where another is missing:
 *
 *   no_new_privs   no set-uid program can be its way out
 *   Landlock       no path of the file system at all, no TCP (5.13, 6.7)
 *   seccomp        the list below; all else kills the process, and the kernel
 *                  logs it (audit, or dmesg). What could reach other processes
 *                  of the account reaches only this one
 *
 * Order: Landlock is a thread's own and inherited, so it comes before the
 * vCPU threads; the filter is set for all of them at once, when they exist and
 * are parked, so that it need not allow making threads.
 */

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/io_uring.h>
#include <linux/iommufd.h>
#include <linux/landlock.h>
#include <linux/vfio.h>
#include <linux/vhost.h>
#include <malloc.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/priv.h"

/* Linux 6.13's IOMMU_IOAS_MAP_FILE, absent from older headers. */
#define FL_IOAS_MAP_FILE _IO(IOMMUFD_TYPE, 0x8f)

/* clang-format off */
static const int allowed[] = {
	/* the event loop and the console */
	SCMP_SYS(poll), SCMP_SYS(read), SCMP_SYS(write),
	SCMP_SYS(timerfd_settime),        /* output that lingers */
	SCMP_SYS(epoll_ctl),              /* interrupts that wait for a route */
	SCMP_SYS(epoll_wait),             /* the data path's loop */
	SCMP_SYS(readv), SCMP_SYS(writev), /* packets */
	/* devices' configuration and BARs; kernel and initrd at a reset */
	SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),             /* glibc's fstat; paths: Landlock */
	SCMP_SYS(lseek),
	SCMP_SYS(fstatfs),                /* whose file a dump is to be */
	/* device windows, interrupts: opened, closed and mapped as the guest
	 * moves BARs and enables vectors */
	SCMP_SYS(eventfd2), SCMP_SYS(close), SCMP_SYS(mmap), SCMP_SYS(munmap),
	/* netd's orders with descriptors, and the answers; no socket can be
	 * made, or led anywhere. A long answer is a memfd. */
	SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(memfd_create),
	/* peers of the control socket, and who they are */
	SCMP_SYS(accept4), SCMP_SYS(getsockopt),
	/* a device that comes: the set its late routes are waited for in, and
	 * whether its memory may be pinned without a limit */
	SCMP_SYS(epoll_create1), SCMP_SYS(capget),
	/* disks: what it can ask for is sealed, uring.h */
	SCMP_SYS(io_uring_enter),
	/* memory of our own; parts of it given back */
	SCMP_SYS(brk), SCMP_SYS(madvise), SCMP_SYS(mremap),
	SCMP_SYS(getrlimit),              /* memlock, for a diag */
	/* threads: locks, parking, kicks, their end */
	SCMP_SYS(futex), SCMP_SYS(getpid), SCMP_SYS(gettid),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigaction), SCMP_SYS(restart_syscall),
	SCMP_SYS(sched_yield), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(getrandom),              /* the entropy device */
	/* where the vDSO has no clock */
	SCMP_SYS(clock_gettime),
};

static const uint32_t ioctls[] = {
	KVM_RUN,                     /* first: the one that counts */
	KVM_IRQ_LINE,                /* COM1's interrupt, our functions' */
	KVM_IRQFD, KVM_SET_GSI_ROUTING,         /* vectors of devices */
	KVM_SIGNAL_MSI,
	KVM_IOEVENTFD,               /* kicks, as a virtio device's BAR moves */
	KVM_SET_USER_MEMORY_REGION,  /* a BAR that moves */
	/* messages of its MSI-X table */
	KVM_REGISTER_COALESCED_MMIO, KVM_UNREGISTER_COALESCED_MMIO,
	/* a guest's reset: all state put back */
	KVM_SET_IRQCHIP, KVM_SET_PIT2, KVM_SET_CLOCK, KVM_GET_SREGS,
	KVM_SET_SREGS, KVM_GET_REGS, KVM_SET_REGS, KVM_SET_LAPIC, KVM_SET_FPU,
	KVM_SET_XCRS, KVM_SET_DEBUGREGS, KVM_SET_VCPU_EVENTS, KVM_SET_MSRS,
	KVM_SET_MP_STATE, KVM_GET_VCPU_MMAP_SIZE,
	/* a pause, which the guest's clocks are not to notice */
	KVM_GET_CLOCK, KVM_GET_DEVICE_ATTR, KVM_KVMCLOCK_CTRL,
	/* a device that comes: into the address space that there is, or the
	 * one netd sent with it; what it is; memory mapped where the kernel
	 * dropped it with the last one */
	VFIO_DEVICE_BIND_IOMMUFD, VFIO_DEVICE_ATTACH_IOMMUFD_PT,
	IOMMU_IOAS_ALLOC, IOMMU_IOAS_IOVA_RANGES, IOMMU_IOAS_MAP,
	FL_IOAS_MAP_FILE,
	VFIO_GET_API_VERSION, VFIO_CHECK_EXTENSION, VFIO_SET_IOMMU,
	VFIO_GROUP_GET_STATUS, VFIO_GROUP_SET_CONTAINER,
	VFIO_GROUP_GET_DEVICE_FD, VFIO_DEVICE_GET_INFO,
	/* the same numbers: VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, for a reset
	 * that needs a whole bus, and VFIO_DEVICE_PCI_HOT_RESET, which is it;
	 * a BAR that moves, for the guest's other devices */
	VFIO_IOMMU_GET_INFO, VFIO_IOMMU_MAP_DMA,
	/* an assigned device: vectors, resets, letting it go */
	VFIO_DEVICE_SET_IRQS, VFIO_DEVICE_RESET, VFIO_DEVICE_GET_IRQ_INFO,
	VFIO_DEVICE_GET_REGION_INFO, VFIO_DEVICE_DETACH_IOMMUFD_PT,
	VFIO_GROUP_UNSET_CONTAINER, VFIO_IOMMU_UNMAP_DMA, IOMMU_IOAS_UNMAP,
	IOMMU_DESTROY, KVM_SET_DEVICE_ATTR,
	/* a NIC of our own, as its driver starts, changes and stops it */
	TUNSETOFFLOAD, TUNSETQUEUE,
	/* queues that the kernel serves: likewise */
	VHOST_SET_FEATURES, VHOST_SET_MEM_TABLE, VHOST_SET_VRING_NUM,
	VHOST_SET_VRING_BASE, VHOST_GET_VRING_BASE, VHOST_SET_VRING_ADDR, VHOST_SET_VRING_ERR,
	VHOST_SET_VRING_CALL, VHOST_SET_VRING_KICK, VHOST_NET_SET_BACKEND,
	VHOST_VSOCK_SET_RUNNING,
	/* the terminal as it was found */
	TCGETS, TCSETS,
};

/* fcntl() has a signal sent to anybody (F_SETOWN), and gives a disk's lock back
 * (F_OFD_SETLK): not these, but where a disk may go before its guest. */
static const uint32_t fcntls[] = {
	F_GETFL, F_SETFL,            /* as they were found; a dump's file */
	F_DUPFD_CLOEXEC,             /* a device that comes */
	F_ADD_SEALS,                 /* a long answer to netd */
	F_GET_SEALS,                 /* is standard error a textring? say.c */
};

/* Of guests that devices of our own may come into, besides: what the making of
 * one asks of descriptors that netd has sent along. */
static const int plug_allowed[] = {
	SCMP_SYS(timerfd_create),         /* an e1000's interrupt rate */
	SCMP_SYS(statx), SCMP_SYS(fallocate), /* what an image can */
};
static const uint32_t plug_ioctls[] = {
	BLKGETSIZE64, BLKSSZGET, BLKPBSZGET, BLKALIGNOFF, BLKIOMIN, BLKIOOPT,
	TUNSETVNETHDRSZ,
	/* this process' memory, and no other's */
	VHOST_SET_OWNER, VHOST_GET_FEATURES, VHOST_VSOCK_SET_GUEST_CID,
};

/* Things that a library may try by itself, and can do without: an answer, not
 * the end. */
static const int refused[] = {
	SCMP_SYS(openat), SCMP_SYS(open), SCMP_SYS(access), SCMP_SYS(readlink),
	SCMP_SYS(sysinfo), SCMP_SYS(sched_getaffinity), SCMP_SYS(mprotect),
};
/* clang-format on */

/* The names differ, the numbers do not: that is what is said here. */
/* NOLINTBEGIN(misc-redundant-expression) */
_Static_assert((int)VFIO_IOMMU_GET_INFO ==
                               (int)VFIO_DEVICE_GET_PCI_HOT_RESET_INFO &&
                       (int)VFIO_IOMMU_MAP_DMA ==
                               (int)VFIO_DEVICE_PCI_HOT_RESET,
               "a bus reset has rows of its own in the list");
/* NOLINTEND(misc-redundant-expression) */

static int sandbox_fail(struct diag *d, int err, const char *what)
{
	diag_fail(d, err, FL_VMM_SANDBOX, "the sandbox: %s", what);
	diag_why(d, "%s", strerror(-err));
	diag_mend(d, "a kernel with CONFIG_SECCOMP_FILTER");
	return err;
}

/* Everything that this kernel's Landlock knows how to forbid. */
static uint64_t all_file_rights(long abi)
{
	uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

	if (abi >= 2)
		rights |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
	/* ABI 5's IOCTL_DEV is for files opened later; ours are open. */
	return rights;
}

/* No rule is added to the set: nothing is allowed. */
static int landlock(void)
{
	struct landlock_ruleset_attr a = { 0 };
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	                   LANDLOCK_CREATE_RULESET_VERSION);
	_cleanup_close_ int fd = -1;

	if (abi < 1)
		return 0; /* not in this kernel, or off: seccomp stays */
	a.handled_access_fs = all_file_rights(abi);
	if (abi >= 4)
		a.handled_access_net = LANDLOCK_ACCESS_NET_BIND_TCP |
		                       LANDLOCK_ACCESS_NET_CONNECT_TCP;
	fd = (int)syscall(SYS_landlock_create_ruleset, &a,
	                  abi >= 4 ? sizeof(a) : sizeof(a.handled_access_fs),
	                  0);
	if (fd < 0 || syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return -errno;
	return 0;
}

int sandbox_files(struct vm *vm, struct diag *d)
{
	int r;

	if (vm->cfg.no_sandbox)
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return sandbox_fail(d, -errno, "no_new_privs");
	r = landlock();
	return r < 0 ? sandbox_fail(d, r, "Landlock") : 0;
}

/* The kernel looks at the lower half of such an argument only. */
static struct scmp_arg_cmp half_is(unsigned arg, uint32_t value)
{
	return (struct scmp_arg_cmp){
		.arg = arg,
		.op = SCMP_CMP_MASKED_EQ,
		.datum_a = UINT32_MAX,
		.datum_b = value,
	};
}

/* Those whose argument `arg` is one of the table's. */
static int allow_some(scmp_filter_ctx f, int call, unsigned arg,
                      const uint32_t *table, size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct scmp_arg_cmp is = half_is(arg, table[i]);

		r = seccomp_rule_add_array(f, SCMP_ACT_ALLOW, call, 1, &is);
	}
	return r;
}

/* Processes of the same account, a user's all and other guests, may be sent
 * signals and be given limits: this one may be kicked, and asked. */
static int allow_for_itself(scmp_filter_ctx f)
{
	const struct scmp_arg_cmp kick[] = { half_is(0, (uint32_t)getpid()) };
	const struct scmp_arg_cmp limit[] = {
		half_is(0, 0),
		{ .arg = 2, .op = SCMP_CMP_EQ, .datum_a = 0 },
	};
	int r = seccomp_rule_add_array(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill),
	                               ARRAY_SIZE(kick), kick);

	return r < 0 ? r
	             : seccomp_rule_add_array(f, SCMP_ACT_ALLOW,
	                                      SCMP_SYS(prlimit64),
	                                      ARRAY_SIZE(limit), limit);
}

/* A disk's descriptor into the ring that is there, or out of it: uring.h. */
static int allow_ring_files(scmp_filter_ctx f)
{
	const struct scmp_arg_cmp cmp =
		half_is(1, IORING_REGISTER_FILES_UPDATE);

	return seccomp_rule_add_array(f, SCMP_ACT_ALLOW,
	                              SCMP_SYS(io_uring_register), 1, &cmp);
}

static int add_plug_rules(scmp_filter_ctx f)
{
	/* The kernel may keep a ring's file for a while: its lock goes first.
	 */
	static const uint32_t unlock[] = { F_OFD_SETLK };
	int r = allow_ring_files(f);

	if (r == 0)
		r = allow_some(f, SCMP_SYS(fcntl), 1, unlock,
		               ARRAY_SIZE(unlock));
	if (r == 0)
		r = allow_some(f, SCMP_SYS(ioctl), 1, plug_ioctls,
		               ARRAY_SIZE(plug_ioctls));
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(plug_allowed); i++)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, plug_allowed[i], 0);
	return r;
}

static int add_rules(scmp_filter_ctx f)
{
	int r = allow_some(f, SCMP_SYS(ioctl), 1, ioctls, ARRAY_SIZE(ioctls));

	if (r == 0)
		r = allow_some(f, SCMP_SYS(fcntl), 1, fcntls,
		               ARRAY_SIZE(fcntls));
	if (r == 0)
		r = allow_for_itself(f);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(allowed); i++)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(refused); i++)
		r = seccomp_rule_add(f, SCMP_ACT_ERRNO(EACCES), refused[i], 0);
	/* Asked at every exit: tested first. */
	if (r == 0)
		r = seccomp_syscall_priority(f, SCMP_SYS(ioctl), 255);
	return r;
}

int sandbox_syscalls(struct vm *vm, struct diag *d)
{
	scmp_filter_ctx f;
	int r;

	if (vm->cfg.no_sandbox)
		return 0;
	f = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!f)
		return sandbox_fail(d, -ENOMEM, "seccomp");
	r = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r == 0)
		r = seccomp_attr_set(f, SCMP_FLTATR_CTL_LOG, 1);
	if (r == 0)
		r = add_rules(f);
	if (r == 0 && vm->cfg.spare_slots)
		r = add_plug_rules(f);
	if (r == 0)
		r = seccomp_load(f);
	seccomp_release(f);
	/* What parsing, loading and the filter took is of no more use. */
	malloc_trim(0);
	return r < 0 ? sandbox_fail(d, r, "seccomp") : 0;
}
