/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The main thread: one poll() over everything that is not a vCPU. poll, not
 * epoll: descriptors 0 and 1 may be files, which epoll refuses, and what is
 * waited for changes with nearly every pass.
 *
 * When the host wants a device back (VFIO's request interrupt) its writer to
 * sysfs sleeps until we let go, uninterruptibly: the guest is asked, and not
 * for long (hotplug.c). While something is under way there, poll() has a time
 * limit; else it has none.
 */

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "vmm/control.h"
#include "vmm/hotplug.h"
#include "vmm/rtc.h"
#include "vmm/storm.h"
#include "vmm/watchdog.h"

enum {
	P_EVENT,
	P_SIGNAL,
	P_CONN,
	P_IN,
	P_OUT,
	P_TIMER,
	P_STORM,
	P_RTC,
	P_DEVICE,
	P_ERROR = P_DEVICE + VM_DEVICES_MAX,
	P_LATE = P_ERROR + VM_DEVICES_MAX,
	P_CONTROL = P_LATE + VM_DEVICES_MAX, /* those after it: control.c's */
	P_ALL = P_CONTROL + CONTROL_POLLS,
};

struct loop {
	struct vm *vm;
	struct pollfd p[P_ALL];
	unsigned n; /* of them, in this pass */
	struct ratelimit panics, shutdowns, hangs;
};

static void prepare_conn(struct loop *l)
{
	struct conn *c = hotplug_conn(l->vm->hotplug);

	l->p[P_CONN].fd = conn_fd(c);
	l->p[P_CONN].events = POLLIN | POLLRDHUP;
	if (conn_wants_output(c))
		l->p[P_CONN].events |= POLLOUT;
}

/* They come and go. */
static void prepare_devices(struct loop *l)
{
	for (unsigned i = 0; i < l->vm->cfg.n_devices; i++) {
		struct vfio_dev *v = assign_device(l->vm, i);

		l->p[P_DEVICE + i].fd = v ? vfio_dev_request_fd(v) : -1;
		l->p[P_ERROR + i].fd = v ? vfio_dev_error_fd(v) : -1;
		l->p[P_LATE + i].fd = v ? vfio_dev_late_fd(v) : -1;
	}
}

/* The watched set is made anew for each pass: -1 is what poll skips. */
static void prepare(struct loop *l)
{
	struct vm *vm = l->vm;

	prepare_conn(l);
	prepare_devices(l);
	l->p[P_IN].fd = console_wants_input(vm->console) ? vm->cfg.in_fd : -1;
	l->p[P_OUT].fd =
		console_wants_output(vm->console) ? vm->cfg.out_fd : -1;
	l->n = P_CONTROL + control_prepare(vm->control, l->p + P_CONTROL);
	for (unsigned i = 0; i < P_ALL; i++)
		l->p[i].revents = 0;
}

static void init(struct loop *l, struct vm *vm, int signal_fd)
{
	*l = (struct loop){
		.vm = vm,
		.panics = { .interval_ns = 60000000000ull, .burst = 8 },
		.shutdowns = { .interval_ns = 60000000000ull, .burst = 8 },
		.hangs = { .interval_ns = 60000000000ull, .burst = 8 },
	};
	for (unsigned i = 0; i < P_ALL; i++)
		l->p[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
	l->p[P_EVENT].fd = vm->event_fd;
	l->p[P_SIGNAL].fd = signal_fd;
	l->p[P_OUT].events = POLLOUT;
	l->p[P_TIMER].fd = console_timer_fd(vm->console);
	l->p[P_STORM].fd = storms_fd(vm->storms);
	l->p[P_RTC].fd = rtc_fd(vm->rtc);
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
	struct diag d;

	for (unsigned i = 0; i < vm->cfg.n_devices; i++)
		if (assign_take_fault(vm, i, &d))
			loop_say_diag(&d);
}

/* One order a pass: there may be many, and others wait too. True when the
 * guest is to end. */
static bool conn_event(struct loop *l)
{
	struct conn *c = hotplug_conn(l->vm->hotplug);
	short events = l->p[P_CONN].revents;
	struct conn_order order;
	int r;

	if (events & POLLOUT)
		conn_output(c);
	if (!(events & (POLLIN | POLLRDHUP | POLLHUP | POLLERR)))
		return false;
	r = conn_input(c, &order);
	if (r == -ECONNRESET)
		loop_say("netd has gone away; the guest goes on, its lease is "
		         "as it was");
	return r > 0 && hotplug_order(l->vm->hotplug, &order);
}

/* Each is an eventfd, whose count says no more than that it is readable. */
static bool heard(struct loop *l, unsigned i)
{
	uint64_t n;

	return l->p[i].revents && read(l->p[i].fd, &n, sizeof(n)) > 0;
}

/* True when there was something. A device that met an error and is wanted
 * back as well is wanted back. One that has just gone, with another function of
 * its slot, is not listened to: its descriptors may be others by now. */
static bool device_events(struct loop *l)
{
	bool any = false;

	for (unsigned i = 0; i < l->vm->cfg.n_devices; i++) {
		bool here = assign_device(l->vm, i) != NULL;
		bool wanted = here && heard(l, P_DEVICE + i);
		bool error = here && heard(l, P_ERROR + i);

		if (wanted)
			hotplug_request(l->vm->hotplug, i);
		else if (error)
			hotplug_error(l->vm->hotplug, i);
		any |= wanted || error;
	}
	return any;
}

/* Why a reset fails may be that the host has begun to take a device; it then
 * has it at once, for the guest that could be asked is no more. */
static int reset_machine(struct loop *l, struct diag *d)
{
	for (;;) {
		int r = vm_reset(l->vm, d);

		if (r == 0) {
			control_was_reset(l->vm->control);
			return 0;
		}
		prepare_devices(l);
		if (poll(l->p + P_DEVICE, P_LATE - P_DEVICE, 0) <= 0 ||
		    !device_events(l))
			return r;
	}
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

static void tell_panic(struct loop *l)
{
	if (!panic_take(l->vm) || !ratelimit_pass(&l->panics, now_ns()))
		return;
	loop_say("the guest says that it has panicked");
	control_event(l->vm->control, "panic", NULL);
}

/* Nothing of the guest's says why it starts anew. */
static void tell_shutdown(struct loop *l)
{
	int asked = VM_REQ_SHUTDOWN;

	/* From here on a reset as any other, which vm_reset() takes back. */
	(void)atomic_compare_exchange_strong(&l->vm->request, &asked,
	                                     VM_REQ_RESET);
	if (ratelimit_pass(&l->shutdowns, now_ns()))
		loop_say("a processor of the guest has shut down (triple "
		         "fault), which resets it");
}

static bool on_reset(struct loop *l, enum vm_end *ret, struct diag *d)
{
	if (l->vm->cfg.no_reboot) {
		*ret = VM_END_RESET;
		return true;
	}
	*ret = VM_END_FAILED;
	return reset_machine(l, d) < 0;
}

static void tell_watchdog(struct loop *l)
{
	const struct vm *vm = l->vm;

	if (!watchdog_take(vm->watchdog) ||
	    !ratelimit_pass(&l->hangs, now_ns()))
		return;
	loop_say("the guest hangs: its watchdog has run out");
	control_event(vm->control, "watchdog",
	              json_pack("{s:s}", "action",
	                        watchdog_action_name(vm->cfg.watchdog.action)));
}

/* What a vCPU asked for. True when *ret says how the machine ends. */
static bool on_request(struct loop *l, enum vm_end *ret, struct diag *d)
{
	struct vm *vm = l->vm;
	uint64_t n;

	(void)!read(vm->event_fd, &n, sizeof(n));
	tell_faults(vm);
	tell_panic(l);
	tell_watchdog(l);
	if (control_holds(vm->control))
		return false;
	core_go_on(vm);
	switch (atomic_load(&vm->request)) {
	case VM_REQ_NONE:
	case VM_REQ_DUMP:
		return false;
	case VM_REQ_POWEROFF:
		*ret = VM_END_POWEROFF;
		return true;
	case VM_REQ_PANIC:
		*ret = VM_END_PANIC;
		return true;
	case VM_REQ_SHUTDOWN:
		tell_shutdown(l);
		return on_reset(l, ret, d);
	case VM_REQ_WATCHDOG:
		*ret = VM_END_WATCHDOG;
		return true;
	case VM_REQ_RESET:
		return on_reset(l, ret, d);
	default:
		pthread_mutex_lock(&vm->park_lock);
		*d = vm->fail;
		pthread_mutex_unlock(&vm->park_lock);
		*ret = VM_END_FAILED;
		return true;
	}
}

/* Most urgent first: whoever wants the guest to end, then a device that the
 * host waits for, before what a guest could make slow. What has just been
 * heard of devices is served before an order can put others in their places. */
static bool serve(struct loop *l, enum vm_end *ret, struct diag *d)
{
	*ret = VM_END_STOPPED;
	if (l->p[P_SIGNAL].revents && on_signal(l))
		return true;
	settle(l);
	(void)device_events(l);
	hotplug_serve(l->vm->hotplug);
	if (l->p[P_IN].revents && console_read(l->vm->console))
		return true;
	if (conn_event(l)) {
		*ret = VM_END_DEVICE;
		return true;
	}
	if (l->p[P_STORM].revents)
		storms_tick(l->vm->storms);
	if (l->p[P_RTC].revents)
		rtc_tick(l->vm->rtc);
	if (l->p[P_TIMER].revents)
		console_timer(l->vm->console);
	console_write(l->vm->console);
	if (control_serve(l->vm->control, l->p + P_CONTROL))
		return true;
	return (l->p[P_EVENT].revents || l->vm->core) && on_request(l, ret, d);
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

static int fail(struct diag *d, int err, const char *call)
{
	diag_fail(d, -err, FL_VMM_RUN, "the event loop");
	diag_why(d, "%s: %s", call, strerror(err));
	diag_mend_else(d, "journalctl -k; then restart the guest");
	return -err;
}

int loop_init(struct vm *vm, struct diag *d)
{
	signal(SIGPIPE, SIG_IGN);
	/* Who writes behind RLIMIT_FSIZE, a disk or a dump, gets EFBIG. */
	signal(SIGXFSZ, SIG_IGN);
	vm->signal_fd = make_signal_fd();
	if (vm->signal_fd >= 0)
		return 0;
	return fail(d, errno, "signalfd");
}

/* The earlier of two, of which -1 is never. */
static int sooner(int a, int b)
{
	if (a < 0 || b < 0)
		return MAX(a, b);
	return MIN(a, b);
}

static int wait_ms(const struct loop *l)
{
	if (l->vm->core)
		return 0;
	return sooner(hotplug_wait_ms(l->vm->hotplug),
	              control_wait_ms(l->vm->control));
}

enum vm_end loop_run(struct vm *vm, struct diag *d)
{
	struct loop l;
	enum vm_end end;

	init(&l, vm, vm->signal_fd);
	for (;;) {
		prepare(&l);
		if (poll(l.p, l.n, wait_ms(&l)) < 0 && errno != EINTR) {
			(void)fail(d, errno, "poll");
			return VM_END_FAILED;
		}
		if (serve(&l, &end, d))
			return end;
	}
}
