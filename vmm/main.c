/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fairlead-vmm: one guest. Started by `fairlead run` with everything it needs
 * as descriptors (netd/netd-proto.h); it opens nothing and is nobody.
 *
 *   exit  meaning
 *   0     the guest powered off, or was told to stop
 *   1     it failed; the reason is on standard error
 *   10    the guest reset itself, and --no-reboot was given
 *   11    a device did DMA outside of the guest, and the policy says stop
 *   12    the guest panicked, and the policy says stop
 *   13    the guest's watchdog ran out, and the policy says stop
 */

#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "netd/netd-proto.h"
#include "vmm/lease.h"

#define LEASE_MAX (1u << 20)

static const uint8_t exit_status[] = {
	[VM_END_POWEROFF] = 0,  [VM_END_STOPPED] = 0, [VM_END_FAILED] = 1,
	[VM_END_RESET] = 10,    [VM_END_DEVICE] = 11, [VM_END_PANIC] = 12,
	[VM_END_WATCHDOG] = 13,
};

static const char usage[] =
	"usage: fairlead-vmm [--no-reboot]\n"
	"\n"
	"Runs one guest from descriptors that `fairlead run GUEST` prepares:\n"
	"3 the lease, 4 netd, 5 the report, 6 and up KVM, the kernel, devices.\n"
	"\n"
	"  --no-reboot   end when the guest resets itself (exit status 10)\n"
	"  --version     print the version\n"
	"  --help        print this\n"
	"\n"
	"Exit status: 0 powered off or stopped, 1 failed, 10 reset, 11 a device\n"
	"tried DMA outside of the guest, 12 the guest panicked, 13 its watchdog\n"
	"ran out, and the policy says stop.\n"
	"SIGTERM stops the guest, SIGUSR1 writes a report.\n";

static int complain(const struct diag *d)
{
	char text[4 * DIAG_LINE];

	if (textring_is(STDERR_FILENO)) {
		loop_say_diag(d);
		return 1;
	}
	diag_format(d, text, sizeof(text));
	fputs(text, stderr);
	return 1;
}

/* -1 to go on, else the exit status. */
static int options(int argc, char **argv, bool *no_reboot)
{
	static const struct option table[] = {
		{ "no-reboot", no_argument, NULL, 'n' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (o == 'n') {
			*no_reboot = true;
			continue;
		}
		fputs(o == 'V' ? "fairlead-vmm " FL_VERSION "\n" : usage,
		      o == '?' ? stderr : stdout);
		return o == '?' ? 1 : 0;
	}
	if (optind < argc) {
		fputs(usage, stderr);
		return 1;
	}
	return -1;
}

static int refuse_root(struct diag *d)
{
	if (getuid() && geteuid() && getgid() && getegid())
		return 0;
	diag_fail(d, -EPERM, FL_VMM_ROOT, "running a guest as root");
	diag_why(d, "a guest that breaks out would own the host");
	diag_mend(d, "fairlead run GUEST: it gives up root before the guest "
	             "starts; or setpriv --reuid nobody --regid nogroup "
	             "--clear-groups");
	return -EPERM;
}

static int read_lease(struct vm_config *c, struct diag *d)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = fd_read_file(NETD_VMM_FD_LEASE, LEASE_MAX, &text, &len);

	if (r < 0) {
		diag_fail(d, r, FL_VMM_LEASE, "the lease (descriptor 3)");
		diag_why(d, "%s", strerror(-r));
		diag_mend(d, "start guests with: fairlead run GUEST");
		return r;
	}
	r = lease_parse(text, len, NETD_VMM_FD0, c, d);
	if (r < 0)
		return r;
	close(NETD_VMM_FD_LEASE);
	c->conn_fd = NETD_VMM_FD_CONN;
	c->report_fd = NETD_VMM_FD_REPORT;
	c->in_fd = STDIN_FILENO;
	c->out_fd = STDOUT_FILENO;
	return 0;
}

/* Who is in the background has nobody that waits for its exit status. */
static void say_end(enum vm_end end)
{
	char text[40];

	if (!textring_is(STDERR_FILENO))
		return;
	snprintf(text, sizeof(text), "ends: %s", vm_end_name(end));
	loop_say(text);
}

static int run(bool no_reboot)
{
	struct vm_config c;
	struct diag d = { 0 };
	struct vm *vm;
	enum vm_end end;

	if (refuse_root(&d) < 0 || read_lease(&c, &d) < 0)
		return complain(&d);
	c.no_reboot = no_reboot;
	if (vm_new(&c, &vm, &d) < 0) {
		lease_free(&c);
		return complain(&d);
	}
	end = vm_run(vm, &d);
	say_end(end);
	vm_free(vm);
	lease_free(&c);
	if (end == VM_END_FAILED)
		return complain(&d);
	return exit_status[end];
}

/* Each vector of a device is an eventfd, made when the guest first needs it:
 * the soft limit, 1024 nearly everywhere, is for programs that use select(). */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	/* Refused: fewer vectors, and each that is missing is told. */
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	bool no_reboot = false;
	int status = options(argc, argv, &no_reboot);

	if (status >= 0)
		return status;
	/* Guest memory is not for debuggers of the same account. */
	prctl(PR_SET_DUMPABLE, 0);
	/* One heap for all threads: they allocate little, and another heap
	 * would be mapped and sized by reading /sys, inside the sandbox. */
	mallopt(M_ARENA_MAX, 1);
	/* Tables are made for the largest guest: as mappings of their own they
	 * take no more memory than is used of them. */
	mallopt(M_MMAP_THRESHOLD, 16 << 10);
	raise_descriptors();
	return run(no_reboot);
}
