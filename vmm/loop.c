/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The main thread: one poll() over everything that is not a vCPU. poll, not
 * epoll: descriptors 0 and 1 may be files, which epoll refuses, and what is
 * waited for changes with nearly every pass.
 *
 * When the host wants a device back (VFIO's request interrupt) its writer to
 * sysfs sleeps until we let go, uninterruptibly. So vCPUs are parked and the
 * devices closed at once; the guest, whose memory the device had, ends.
 */

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "vmm/priv.h"

enum {
	P_EVENT,
	P_SIGNAL,
	P_CONN,
	P_IN,
	P_OUT,
	P_TIMER,
	P_DEVICE,
	P_LATE = P_DEVICE + VM_DEVICES_MAX,
	P_ALL = P_LATE + VM_DEVICES_MAX,
};

struct loop {
	struct vm *vm;
	struct pollfd p[P_ALL];
	bool conn_lost;
};

/* On a raw terminal a line feed alone does not go back to the margin. */
static void say(const char *text)
{
	dprintf(STDERR_FILENO, "fairlead-vmm: %s\r\n", text);
}

/* The watched set is made anew for each pass: -1 is what poll skips. */
static void prepare(struct loop *l)
{
	struct vm *vm = l->vm;

	l->p[P_CONN].fd = l->conn_lost ? -1 : vm->cfg.conn_fd;
	l->p[P_IN].fd = console_wants_input(vm->console) ? vm->cfg.in_fd : -1;
	l->p[P_OUT].fd =
		console_wants_output(vm->console) ? vm->cfg.out_fd : -1;
	for (unsigned i = 0; i < P_ALL; i++)
		l->p[i].revents = 0;
}

static void init(struct loop *l, struct vm *vm, int signal_fd)
{
	*l = (struct loop){ .vm = vm };
	for (unsigned i = 0; i < P_ALL; i++)
		l->p[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
	l->p[P_EVENT].fd = vm->event_fd;
	l->p[P_SIGNAL].fd = signal_fd;
	/* Of netd only its going is of interest. A connection that is
	 * /dev/null (tests) never hangs up. */
	l->p[P_CONN].events = POLLRDHUP;
	l->p[P_OUT].events = POLLOUT;
	l->p[P_TIMER].fd = console_timer_fd(vm->console);
	for (unsigned i = 0; i < vm->cfg.n_devices; i++)
		l->p[P_DEVICE + i].fd = assign_request_fd(vm, i);
	for (unsigned i = 0; i < vm->cfg.n_devices; i++)
		l->p[P_LATE + i].fd = assign_late_fd(vm, i);
}

/* First interrupts of vectors whose routes have waited (vfio.h). */
static void settle(struct loop *l)
{
	for (unsigned i = 0; i < l->vm->cfg.n_devices; i++)
		if (l->p[P_LATE + i].revents)
			assign_late_settle(l->vm, i);
}

/* What the host refused a guest's access: the guest sees a device that does
 * not do it, its owner should know why. */
static void tell_faults(struct vm *vm)
{
	char text[4 * DIAG_LINE];
	struct diag d;

	for (unsigned i = 0; i < vm->cfg.n_devices; i++)
		if (assign_take_fault(vm, i, &d)) {
			diag_format(&d, text, sizeof(text));
			for (char *line = text, *end;
			     (end = strchr(line, '\n')); line = end + 1) {
				*end = '\0';
				say(line);
			}
		}
}

static void conn_event(struct loop *l)
{
	if (!(l->p[P_CONN].revents & (POLLRDHUP | POLLHUP | POLLERR)))
		return;
	l->conn_lost = true;
	say("netd has gone away; the guest goes on, its lease is as it was");
}

static bool device_taken(struct loop *l)
{
	for (unsigned i = 0; i < l->vm->cfg.n_devices; i++) {
		char text[128];

		if (!l->p[P_DEVICE + i].revents)
			continue;
		snprintf(text, sizeof(text),
		         "the host takes %s (%s) back; the guest ends",
		         l->vm->cfg.device[i].bdf, l->vm->cfg.device[i].name);
		vcpus_park(l->vm);
		report_write(l->vm, "snapshot", vm_end_name(VM_END_DEVICE));
		assign_free_all(l->vm);
		say(text);
		return true;
	}
	return false;
}

/* Why a reset fails may be that the host has begun to take the device. */
static bool device_taken_meanwhile(struct loop *l)
{
	return poll(l->p + P_DEVICE, VM_DEVICES_MAX, 0) > 0 && device_taken(l);
}

/* True when the guest is to end. */
static bool on_signal(struct loop *l)
{
	struct signalfd_siginfo s;

	while (read(l->p[P_SIGNAL].fd, &s, sizeof(s)) == sizeof(s)) {
		if (s.ssi_signo != SIGUSR1)
			return true;
		report_write(l->vm, "snapshot", "asked");
	}
	return false;
}

/* What a vCPU asked for. True when *ret says how the machine ends. */
static bool on_request(struct loop *l, enum vm_end *ret, struct diag *d)
{
	struct vm *vm = l->vm;
	uint64_t n;

	(void)!read(vm->event_fd, &n, sizeof(n));
	tell_faults(vm);
	switch (atomic_load(&vm->request)) {
	case VM_REQ_NONE:
		return false;
	case VM_REQ_POWEROFF:
		*ret = VM_END_POWEROFF;
		return true;
	case VM_REQ_RESET:
		if (vm->cfg.no_reboot) {
			*ret = VM_END_RESET;
			return true;
		}
		if (vm_reset(vm, d) == 0)
			return false;
		*ret = device_taken_meanwhile(l) ? VM_END_DEVICE
		                                 : VM_END_FAILED;
		return true;
	default:
		pthread_mutex_lock(&vm->park_lock);
		*d = vm->fail;
		pthread_mutex_unlock(&vm->park_lock);
		*ret = VM_END_FAILED;
		return true;
	}
}

/* Most urgent first: a device that the host waits for; then whoever wants the
 * guest to end, before what a guest could make slow. */
static bool serve(struct loop *l, enum vm_end *ret, struct diag *d)
{
	if (device_taken(l)) {
		*ret = VM_END_DEVICE;
		return true;
	}
	*ret = VM_END_STOPPED;
	if (l->p[P_SIGNAL].revents && on_signal(l))
		return true;
	settle(l);
	if (l->p[P_IN].revents && console_read(l->vm->console))
		return true;
	conn_event(l);
	if (l->p[P_TIMER].revents)
		console_timer(l->vm->console);
	console_write(l->vm->console);
	return l->p[P_EVENT].revents && on_request(l, ret, d);
}

static int make_signal_fd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGUSR1);
	/* In all threads: called before any other is made. */
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int loop_init(struct vm *vm, struct diag *d)
{
	signal(SIGPIPE, SIG_IGN);
	vm->signal_fd = make_signal_fd();
	if (vm->signal_fd >= 0)
		return 0;
	diag_fail(d, -errno, FL_VMM_RUN, "the event loop");
	diag_why(d, "signalfd: %s", strerror(errno));
	return -EMFILE;
}

enum vm_end loop_run(struct vm *vm, struct diag *d)
{
	struct loop l;
	enum vm_end end;

	init(&l, vm, vm->signal_fd);
	for (;;) {
		prepare(&l);
		if (poll(l.p, P_ALL, -1) < 0 && errno != EINTR) {
			diag_fail(d, -errno, FL_VMM_RUN, "the event loop");
			diag_why(d, "poll: %s", strerror(errno));
			return VM_END_FAILED;
		}
		if (serve(&l, &end, d))
			return end;
	}
}
