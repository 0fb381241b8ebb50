/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An i6300ESB timer: watchdog.h. Registers are those of Intel's 6300ESB
 * datasheet, document 300641.
 *
 * Registers of the BAR take one write each after the unlock sequence: 0x80,
 * then 0x86, to the reload register, then the write. Any other write in between
 * begins anew.
 *
 * Order of running out: the timer stops or begins anew, then the flag for the
 * main loop, then the request: whoever sees the request finds the flag.
 */

#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "vmm/devices.h"
#include "vmm/io.h"
#include "vmm/watchdog.h"

#define CLASS 0x088000u /* base system peripheral, other */
#define BAR_SIZE 16
#define TICK_NS 30ull /* of the 33 MHz clock */
#define PRELOAD 0xfffffu
#define NS_PER_S 1000000000ull

/* In the configuration space. */
enum {
	AREA = 0x60,
	AREA_LEN = 0x10,
	REG_CONFIG = 0x60, /* 16 bits */
	CONFIG_FAST = 1 << 2,
	CONFIG_NO_OUTPUT = 1 << 5,
	CONFIG_WRITABLE = 0x27,
	REG_LOCK = 0x68, /* 8 bits */
	LOCK_LOCKED = 1 << 0,
	LOCK_ENABLE = 1 << 1,
	LOCK_FREE_RUNNING = 1 << 2,
	LOCK_WRITABLE = 0x07,
};
/* In BAR 0. */
enum {
	REG_PRELOAD1 = 0x0,
	REG_PRELOAD2 = 0x4,
	REG_STATUS = 0x8, /* of the interrupt that nothing here raises */
	REG_RELOAD = 0xc, /* 16 bits */
	RELOAD_TIMER = 1 << 8,
	RELOAD_TIMED_OUT = 1 << 9,
	UNLOCK_FIRST = 0x80,
	UNLOCK_SECOND = 0x86,
};

struct watchdog {
	struct vm *vm;
	struct own *own;
	enum vm_watchdog_action action;
	struct io_watch timer;
	_Atomic bool fired; /* and nobody has looked yet */
	_Atomic uint64_t count;
	pthread_mutex_t lock; /* of all below */
	uint32_t preload[2];
	uint16_t config;
	uint8_t enable;   /* REG_LOCK */
	uint8_t unlocked; /* steps of the sequence: 2 = the next write counts */
	bool timed_out;   /* outlives a reset, for the driver to find */
	bool paused;
	unsigned stage;  /* that is under way: 1, 2; 0 = the timer stands */
	uint64_t due_ns; /* its end; while paused, what is left of it */
};

const char *watchdog_action_name(enum vm_watchdog_action a)
{
	static const char *const name[] = {
		[VM_WATCHDOG_RESET] = "reset",
		[VM_WATCHDOG_STOP] = "stop",
		[VM_WATCHDOG_DUMP] = "dump",
		[VM_WATCHDOG_IGNORE] = "ignore",
	};

	return (unsigned)a < ARRAY_SIZE(name) ? name[a] : "unknown";
}

/* ---- the clock; under the lock ------------------------------------------- */

/* `due` 0 = never. */
static void set_timer(struct watchdog *w, uint64_t due)
{
	struct itimerspec t = {
		.it_value = { .tv_sec = (time_t)(due / NS_PER_S),
		              .tv_nsec = (long)(due % NS_PER_S) },
	};

	(void)timerfd_settime(w->timer.fd, TFD_TIMER_ABSTIME, &t, NULL);
}

/* The preload is the upper part of a down counter, bits 34:15, or 24:5
 * where it is to be fast. */
static uint64_t stage_ns(const struct watchdog *w, unsigned stage)
{
	uint64_t ticks = (uint64_t)w->preload[stage - 1]
	                 << (w->config & CONFIG_FAST ? 5 : 15);

	return MAX(ticks * TICK_NS, WATCHDOG_MIN_NS);
}

static void begin_stage(struct watchdog *w, unsigned stage)
{
	w->stage = stage;
	w->due_ns = stage_ns(w, stage);
	if (w->paused)
		return;
	w->due_ns += now_ns();
	set_timer(w, w->due_ns);
}

static void stand(struct watchdog *w)
{
	w->stage = 0;
	set_timer(w, 0);
}

/* Free running it has the second stage only. */
static void begin(struct watchdog *w)
{
	begin_stage(w, w->enable & LOCK_FREE_RUNNING ? 2 : 1);
}

/* ---- it runs out --------------------------------------------------------- */

static void wake_loop(struct vm *vm)
{
	uint64_t one = 1;

	(void)!write(vm->event_fd, &one, sizeof(one));
}

static void act(struct watchdog *w)
{
	static const enum vm_request request[] = {
		[VM_WATCHDOG_RESET] = VM_REQ_RESET,
		[VM_WATCHDOG_STOP] = VM_REQ_WATCHDOG,
		[VM_WATCHDOG_DUMP] = VM_REQ_DUMP,
		[VM_WATCHDOG_IGNORE] = VM_REQ_NONE,
	};

	atomic_store_explicit(
		&w->count,
		atomic_load_explicit(&w->count, memory_order_relaxed) + 1,
		memory_order_relaxed);
	if (!atomic_exchange(&w->fired, true))
		wake_loop(w->vm);
	if (request[w->action] != VM_REQ_NONE)
		vm_request(w->vm, request[w->action]);
}

/* True when the output is driven, which can be turned off. */
static bool next(struct watchdog *w)
{
	if (!w->stage || w->paused || now_ns() < w->due_ns)
		return false; /* reloaded, or stopped, meanwhile */
	if (w->stage == 1) {
		begin_stage(w, 2);
		return false;
	}
	if (w->enable & LOCK_FREE_RUNNING)
		begin_stage(w, 2);
	else
		stand(w);
	if (w->config & CONFIG_NO_OUTPUT)
		return false;
	w->timed_out = true;
	return true;
}

static void on_timer(void *ctx, uint32_t events)
{
	struct watchdog *w = ctx;
	uint64_t times;
	bool out;

	(void)events;
	(void)!read(w->timer.fd, &times, sizeof(times));
	pthread_mutex_lock(&w->lock);
	out = next(w);
	pthread_mutex_unlock(&w->lock);
	if (out)
		act(w);
}

void watchdog_pause(struct watchdog *w)
{
	uint64_t now = now_ns();

	if (!w || w->paused)
		return;
	pthread_mutex_lock(&w->lock);
	w->paused = true;
	w->due_ns = w->due_ns > now ? w->due_ns - now : 0;
	set_timer(w, 0);
	pthread_mutex_unlock(&w->lock);
}

void watchdog_resume(struct watchdog *w)
{
	if (!w || !w->paused)
		return;
	pthread_mutex_lock(&w->lock);
	w->paused = false;
	w->due_ns += now_ns();
	if (w->stage)
		set_timer(w, w->due_ns);
	pthread_mutex_unlock(&w->lock);
}

bool watchdog_take(struct watchdog *w)
{
	return w && atomic_exchange(&w->fired, false);
}

uint64_t watchdog_count(const struct watchdog *w)
{
	return atomic_load_explicit(&w->count, memory_order_relaxed);
}

/* ---- registers ----------------------------------------------------------- */

static uint32_t area_at(const struct watchdog *w, unsigned reg)
{
	switch (reg) {
	case REG_CONFIG:
		return w->config;
	case REG_LOCK:
		return w->enable;
	default:
		return 0;
	}
}

static uint32_t area_read(void *ctx, unsigned off, unsigned width)
{
	struct watchdog *w = ctx;
	uint32_t v;

	pthread_mutex_lock(&w->lock);
	v = area_at(w, off & ~3u) >> 8 * (off & 3);
	pthread_mutex_unlock(&w->lock);
	return width < 4 ? v & ((1u << 8 * width) - 1) : v;
}

/* Locked, it can no more be stopped until the next reset. */
static void write_lock(struct watchdog *w, uint32_t value)
{
	uint8_t was = w->enable;

	if (was & LOCK_LOCKED)
		return;
	w->enable = value & LOCK_WRITABLE;
	if (!(w->enable & LOCK_ENABLE))
		stand(w);
	else if (!(was & LOCK_ENABLE))
		begin(w);
}

static void area_write(void *ctx, unsigned off, unsigned width, uint32_t value)
{
	struct watchdog *w = ctx;

	(void)width;
	pthread_mutex_lock(&w->lock);
	if (off == REG_CONFIG)
		w->config = value & CONFIG_WRITABLE;
	else if (off == REG_LOCK)
		write_lock(w, value);
	pthread_mutex_unlock(&w->lock);
}

static uint32_t bar_at(const struct watchdog *w, unsigned reg)
{
	switch (reg) {
	case REG_PRELOAD1:
	case REG_PRELOAD2:
		return w->preload[reg / 4];
	case REG_RELOAD:
		return w->timed_out ? RELOAD_TIMED_OUT : 0;
	default:
		return 0;
	}
}

static uint64_t bar_read(void *ctx, unsigned bar, uint64_t off, unsigned width)
{
	struct watchdog *w = ctx;
	uint64_t v;

	(void)bar;
	pthread_mutex_lock(&w->lock);
	v = bar_at(w, (unsigned)off & ~3u) >> 8 * (off & 3);
	if (width == 8 && !(off & 7))
		v |= (uint64_t)bar_at(w, (unsigned)off + 4) << 32;
	pthread_mutex_unlock(&w->lock);
	return width < 8 ? v & ((1ull << 8 * width) - 1) : v;
}

static void write_unlocked(struct watchdog *w, unsigned off, uint32_t value)
{
	switch (off) {
	case REG_PRELOAD1:
	case REG_PRELOAD2:
		w->preload[off / 4] = value & PRELOAD;
		break;
	case REG_RELOAD:
		if (value & RELOAD_TIMED_OUT)
			w->timed_out = false;
		if (value & RELOAD_TIMER && w->stage)
			begin(w);
		break;
	default:
		break;
	}
}

static void bar_write(void *ctx, unsigned bar, uint64_t off, unsigned width,
                      uint64_t value)
{
	struct watchdog *w = ctx;
	uint8_t steps;

	(void)bar;
	(void)width;
	pthread_mutex_lock(&w->lock);
	steps = w->unlocked;
	w->unlocked = 0;
	if (steps == 2)
		write_unlocked(w, (unsigned)off, (uint32_t)value);
	else if (off == REG_RELOAD && value == UNLOCK_FIRST)
		w->unlocked = 1;
	else if (off == REG_RELOAD && value == UNLOCK_SECOND && steps == 1)
		w->unlocked = 2;
	pthread_mutex_unlock(&w->lock);
}

static void power_on(struct watchdog *w)
{
	w->preload[0] = w->preload[1] = PRELOAD;
	w->config = 0;
	w->enable = 0;
	w->unlocked = 0;
	stand(w);
}

static void reset(void *ctx)
{
	struct watchdog *w = ctx;

	pthread_mutex_lock(&w->lock);
	power_on(w);
	pthread_mutex_unlock(&w->lock);
}

/* ---- its life ------------------------------------------------------------ */

static void free_watchdog(struct watchdog *w)
{
	close_fd(&w->timer.fd);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static void on_free(void *ctx)
{
	struct watchdog *w = ctx;

	io_del(w->vm->io, &w->timer);
	w->vm->watchdog = NULL;
	free_watchdog(w);
}

static const struct own_ops ops = {
	.read = bar_read,
	.write = bar_write,
	.reset = reset,
	.area_read = area_read,
	.area_write = area_write,
	.free = on_free,
};

static int add(struct watchdog *w, uint8_t slot, struct diag *d)
{
	const struct own_desc desc = {
		.name = "watchdog",
		.slot = slot,
		.vendor = 0x8086,
		.device = 0x25ab,
		.class = CLASS,
		.bar = { [0] = { .kind = CFG_BAR_MEM32, .size = BAR_SIZE } },
		.area = { AREA, AREA_LEN },
		.ops = &ops,
		.ctx = w,
	};

	return own_add(w->vm, &desc, &w->own, d);
}

static struct watchdog *make(struct vm *vm, enum vm_watchdog_action action)
{
	struct watchdog *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->vm = vm;
	w->action = action;
	pthread_mutex_init(&w->lock, NULL);
	w->timer = (struct io_watch){
		.fd = -1,
		.ready = on_timer,
		.ctx = w,
	};
	power_on(w);
	return w;
}

static int watch(struct watchdog *w)
{
	w->timer.fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return w->timer.fd < 0 ? -errno : io_add(w->vm->io, &w->timer, EPOLLIN);
}

static int fail(struct diag *d, int r)
{
	diag_fail(d, r, FL_VMM_WATCHDOG, "the guest's watchdog");
	diag_why(d, "%s", strerror(-r));
	diag_mend_else(d, "journalctl -k; no watchdog: in the policy");
	return r;
}

int watchdog_add(struct vm *vm, const struct vm_watchdog *c, struct diag *d)
{
	struct watchdog *w = make(vm, c->action);
	int r = w ? watch(w) : -ENOMEM;

	if (r < 0) {
		(void)fail(d, r);
	} else {
		r = add(w, c->slot, d);
		if (r < 0)
			io_del(vm->io, &w->timer);
	}
	if (r < 0 && w)
		free_watchdog(w);
	if (r == 0)
		vm->watchdog = w;
	return r;
}
