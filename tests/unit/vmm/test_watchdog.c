/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The watchdog as its driver and the main loop meet it, with a clock that is
 * set by hand. What it stands on (own.h, io.h) is played here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/devices.h"
#include "vmm/io.h"
#include "vmm/watchdog.h"

#define MS 1000000ull
#define TICK_NS (30ull << 15) /* of the slow clock */
#define CONFIG 0x60
#define LOCK 0x68
#define RELOAD 0xc
#define TIMED_OUT 0x200u

static struct {
	uint64_t now, due; /* 0 = not armed */
	struct own_desc desc;
	struct io_watch *watch;
	int request, refuse;
	unsigned requests;
} host;

int clock_gettime(clockid_t clock_id, struct timespec *tp)
{
	(void)clock_id;
	tp->tv_sec = (time_t)(host.now / 1000000000);
	tp->tv_nsec = (long)(host.now % 1000000000);
	return 0;
}

int timerfd_settime(int ufd, int flags, const struct itimerspec *utmr,
                    struct itimerspec *otmr)
{
	(void)ufd;
	(void)otmr;
	assert_int_equal(flags, TFD_TIMER_ABSTIME);
	host.due = (uint64_t)utmr->it_value.tv_sec * 1000000000 +
	           (uint64_t)utmr->it_value.tv_nsec;
	return 0;
}

int own_add(struct vm *vm, const struct own_desc *desc, struct own **ret,
            struct diag *d)
{
	(void)vm;
	(void)d;
	*ret = NULL;
	host.desc = *desc;
	return host.refuse;
}

int io_add(struct io *io, struct io_watch *w, uint32_t events)
{
	(void)io;
	(void)events;
	host.watch = w;
	return 0;
}

void io_del(struct io *io, struct io_watch *w)
{
	(void)io;
	assert_ptr_equal(w, host.watch);
	host.watch = NULL;
}

void vm_request(struct vm *vm, enum vm_request r)
{
	(void)vm;
	host.request = (int)r;
	host.requests++;
}

static struct vm vm;

static void make(enum vm_watchdog_action action)
{
	const struct vm_watchdog c = { .slot = 3, .action = action };
	struct diag d;

	memset(&host, 0, sizeof(host));
	host.now = 5000 * MS;
	vm.event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_int_equal(watchdog_add(&vm, &c, &d), 0);
	assert_non_null(vm.watchdog);
	assert_int_equal(host.due, 0);
}

static void unmake(void)
{
	host.desc.ops->free(host.desc.ctx);
	assert_null(vm.watchdog);
	assert_null(host.watch);
	close(vm.event_fd);
}

/* ---- as the loop, and as a driver ---- */

static void pass(uint64_t ns)
{
	const uint64_t end = host.now + ns;

	while (host.due && host.due <= end) {
		host.now = MAX(host.now, host.due);
		host.due = 0;
		host.watch->ready(host.watch->ctx, 1);
	}
	host.now = end;
}

static void put(unsigned off, unsigned width, uint64_t v)
{
	host.desc.ops->write(host.desc.ctx, 0, off, width, v);
}

static uint64_t get(unsigned off, unsigned width)
{
	return host.desc.ops->read(host.desc.ctx, 0, off, width);
}

static void unlock(void)
{
	put(RELOAD, 1, 0x80);
	put(RELOAD, 1, 0x86);
}

static void set(unsigned off, unsigned width, uint64_t v)
{
	unlock();
	put(off, width, v);
}

static void cfg(unsigned off, unsigned width, uint32_t v)
{
	host.desc.ops->area_write(host.desc.ctx, off, width, v);
}

static uint32_t cfg_get(unsigned off, unsigned width)
{
	return host.desc.ops->area_read(host.desc.ctx, off, width);
}

static void feed(void)
{
	set(RELOAD, 2, 0x100);
}

/* Linux' driver: each stage is half of the time, in ticks. */
static void start(unsigned seconds)
{
	cfg(CONFIG, 2, 3);
	cfg(LOCK, 1, 0);
	set(RELOAD, 2, TIMED_OUT | 0x100);
	set(0, 4, seconds << 9);
	set(4, 4, seconds << 9);
	feed();
	cfg(LOCK, 1, 2);
}

static uint64_t stage(unsigned seconds)
{
	return ((uint64_t)seconds << 9) * TICK_NS;
}

static unsigned woken(void)
{
	eventfd_t n = 0;

	(void)!eventfd_read(vm.event_fd, &n);
	return (unsigned)n;
}

/* ---- tests ---- */

static void what_it_is(void **state)
{
	(void)state;
	make(VM_WATCHDOG_RESET);
	assert_int_equal(host.desc.vendor, 0x8086);
	assert_int_equal(host.desc.device, 0x25ab);
	assert_int_equal(host.desc.slot, 3);
	assert_int_equal(host.desc.bar[0].size, 16);
	assert_int_equal(get(0, 4), 0xfffff);
	assert_int_equal(get(4, 4), 0xfffff);
	assert_int_equal(get(0, 8), 0xfffff000fffffull);
	assert_int_equal(get(2, 1), 0xf);
	assert_int_equal(get(RELOAD, 2), 0);
	assert_int_equal(cfg_get(CONFIG, 4), 0);
	assert_int_equal(cfg_get(LOCK, 1), 0);
	assert_int_equal(cfg_get(0x64, 4), 0);
	/* Nobody started it. */
	pass(3600000 * MS);
	assert_int_equal(watchdog_count(vm.watchdog), 0);
	unmake();
}

static void fed(void **state)
{
	(void)state;
	make(VM_WATCHDOG_RESET);
	start(10);
	assert_int_equal(get(0, 4), 5120);
	for (unsigned i = 0; i < 20; i++) {
		pass(2 * stage(10) - MS);
		feed();
	}
	assert_int_equal(host.requests, 0);
	assert_int_equal(woken(), 0);
	/* Stopped, it costs nothing. */
	cfg(LOCK, 1, 0);
	assert_int_equal(host.due, 0);
	unmake();
}

static void runs_out(void **state)
{
	static const int request[] = {
		[VM_WATCHDOG_RESET] = VM_REQ_RESET,
		[VM_WATCHDOG_STOP] = VM_REQ_WATCHDOG,
		[VM_WATCHDOG_DUMP] = VM_REQ_DUMP,
		[VM_WATCHDOG_IGNORE] = VM_REQ_NONE,
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(request); i++) {
		make((enum vm_watchdog_action)i);
		start(10);
		pass(2 * stage(10) - MS);
		assert_false(watchdog_take(vm.watchdog));
		pass(MS);
		assert_int_equal(host.request, request[i]);
		assert_int_equal(woken(), 1);
		assert_true(watchdog_take(vm.watchdog));
		assert_false(watchdog_take(vm.watchdog));
		assert_int_equal(watchdog_count(vm.watchdog), 1);
		/* Once, until it is started anew. */
		assert_int_equal(host.due, 0);
		assert_true(get(RELOAD, 2) & TIMED_OUT);
		/* Which a driver finds after the reset, and clears. */
		host.desc.ops->reset(host.desc.ctx);
		assert_int_equal(get(0, 4), 0xfffff);
		assert_int_equal(get(RELOAD, 2), TIMED_OUT);
		start(10);
		assert_int_equal(get(RELOAD, 2), 0);
		unmake();
	}
}

static void locked(void **state)
{
	(void)state;
	make(VM_WATCHDOG_STOP);
	start(1);
	cfg(LOCK, 1, 3);
	cfg(LOCK, 1, 0);
	assert_int_equal(cfg_get(LOCK, 1), 3);
	pass(2 * stage(1));
	assert_int_equal(host.request, VM_REQ_WATCHDOG);
	host.desc.ops->reset(host.desc.ctx);
	assert_int_equal(cfg_get(LOCK, 1), 0);
	unmake();
}

static void not_unlocked(void **state)
{
	(void)state;
	make(VM_WATCHDOG_STOP);
	put(0, 4, 1);
	put(RELOAD, 1, 0x86);
	put(0, 4, 1);
	put(RELOAD, 1, 0x80);
	put(4, 4, 1);
	put(RELOAD, 1, 0x86);
	put(0, 4, 1);
	assert_int_equal(get(0, 4), 0xfffff);
	/* One write each time, of what the register has. */
	set(0, 4, 0xffabcdef);
	put(0, 4, 1);
	assert_int_equal(get(0, 4), 0xbcdef);
	unlock();
	put(3, 1, 1);
	put(0, 4, 1);
	assert_int_equal(get(0, 4), 0xbcdef);
	unmake();
}

static void output_off(void **state)
{
	(void)state;
	make(VM_WATCHDOG_STOP);
	start(1);
	cfg(CONFIG, 2, 0xff23);
	assert_int_equal(cfg_get(CONFIG, 2), 0x23);
	pass(2 * stage(1));
	assert_int_equal(host.requests, 0);
	assert_int_equal(host.due, 0);
	unmake();
}

/* Free running, fast, and as short as can be written: a guest gets no more
 * than a hundred a second of it. */
static void as_fast_as_it_can(void **state)
{
	(void)state;
	make(VM_WATCHDOG_IGNORE);
	cfg(CONFIG, 2, 7);
	set(4, 4, 0);
	cfg(LOCK, 1, 6);
	pass(1000 * MS);
	assert_int_equal(watchdog_count(vm.watchdog), 100);
	assert_int_equal(woken(), 1);
	unmake();
}

static void paused(void **state)
{
	(void)state;
	watchdog_pause(NULL);
	watchdog_resume(NULL);
	assert_false(watchdog_take(NULL));
	make(VM_WATCHDOG_STOP);
	watchdog_resume(vm.watchdog);
	start(10);
	pass(stage(10) - 5 * MS);
	watchdog_pause(vm.watchdog);
	watchdog_pause(vm.watchdog);
	pass(3600000 * MS);
	watchdog_resume(vm.watchdog);
	assert_int_equal(host.due, host.now + 5 * MS);
	pass(stage(10) + 4 * MS);
	assert_int_equal(host.requests, 0);
	pass(MS);
	assert_int_equal(host.requests, 1);
	/* A reset in a pause. */
	start(10);
	watchdog_pause(vm.watchdog);
	host.desc.ops->reset(host.desc.ctx);
	watchdog_resume(vm.watchdog);
	assert_int_equal(host.due, 0);
	unmake();
}

static void refused(void **state)
{
	const struct vm_watchdog c = { .slot = 3 };
	struct diag d;

	(void)state;
	memset(&host, 0, sizeof(host));
	host.refuse = -EBUSY;
	assert_int_equal(watchdog_add(&vm, &c, &d), -EBUSY);
	assert_null(host.watch);
	assert_null(vm.watchdog);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_is),
		cmocka_unit_test(fed),
		cmocka_unit_test(runs_out),
		cmocka_unit_test(locked),
		cmocka_unit_test(not_unlocked),
		cmocka_unit_test(output_off),
		cmocka_unit_test(paused),
		cmocka_unit_test(refused),
		cmocka_unit_test(as_fast_as_it_can),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
