/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The clock of a PC: rtc.h. Registers are those of Motorola's data sheet of the
 * MC146818A; the century is where PCs have it, and where the FADT says it is.
 *
 * Order of every access: look() first, so that what happened before it is
 * judged by what held before it; settle() last.
 */

#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "vmm/rtc.h"

#define NS_PER_S 1000000000ll
#define CELLS 128u
#define UPDATE_TICKS 73 /* 244 us of warning, 1984 us of the update itself */

enum {
	SECONDS,
	SECONDS_ALARM,
	MINUTES,
	MINUTES_ALARM,
	HOURS,
	HOURS_ALARM,
	WEEKDAY,
	DAY,
	MONTH,
	YEAR,
	REG_A,
	REG_B,
	REG_C,
	REG_D,

	A_UPDATING = 0x80,
	A_RATE = 0x0f,
	A_HELD = 0x60, /* with either of bit 4: the divider is in reset */
	A_RUNNING = 0x26,
	B_SET = 0x80,
	B_PERIODIC = 0x40, /* as in C */
	B_ALARM = 0x20,
	B_UPDATED = 0x10,
	B_INTERRUPTS = 0x70,
	B_BINARY = 0x04,
	B_24H = 0x02,
	B_KEPT = 0x87,     /* over a reset: no interrupts, no square wave */
	B_STANDING = 0xef, /* of a clock that is set: no updates */
	C_INTERRUPT = 0x80,
	D_VALID = 0x80,
	HOUR_PM = 0x80,
	ALARM_ANY = 0xc0,
};

struct rtc {
	struct vm *vm;
	int timer_fd;
	pthread_mutex_t lock; /* of all below */
	uint8_t index;
	uint8_t cell[CELLS]; /* those of the date: while the clock stands */
	int64_t offset;      /* ticks, to the host's time */
	int64_t seen;        /* until then is in `flags` what has happened */
	int64_t due;   /* of the timer; 0 = it does not run, -1 = who knows */
	uint8_t flags; /* of C */
	bool line;
};

/* ---- time ---------------------------------------------------------------- */

static int64_t seconds(int64_t ticks)
{
	return ticks >> RTC_SHIFT;
}

static int64_t fraction(int64_t ticks)
{
	return ticks & (RTC_HZ - 1);
}

static int64_t host_ticks(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * RTC_HZ +
	       (int64_t)t.tv_nsec * RTC_HZ / NS_PER_S;
}

static bool held(const struct rtc *r)
{
	return (r->cell[REG_A] & A_HELD) == A_HELD;
}

/* The date does; the divider, and with it periods, only where it is held. */
static bool stands(const struct rtc *r)
{
	return r->cell[REG_B] & B_SET || held(r);
}

static uint8_t coded(const struct rtc *r, unsigned v)
{
	return (uint8_t)(r->cell[REG_B] & B_BINARY ? v : v / 10 << 4 | v % 10);
}

static unsigned decoded(const struct rtc *r, unsigned v)
{
	return r->cell[REG_B] & B_BINARY ? v : (v >> 4) * 10 + (v & 15);
}

/* Of twelve: 12 is what comes before 1, and after noon there is a bit. */
static uint8_t coded_hour(const struct rtc *r, unsigned v)
{
	if (r->cell[REG_B] & B_24H)
		return coded(r, v);
	return (uint8_t)(coded(r, (v + 11) % 12 + 1) | (v < 12 ? 0 : HOUR_PM));
}

static unsigned decoded_hour(const struct rtc *r, uint8_t v)
{
	if (r->cell[REG_B] & B_24H)
		return decoded(r, v);
	return decoded(r, v & (HOUR_PM - 1)) % 12 + (v & HOUR_PM ? 12 : 0);
}

static void show(struct rtc *r, int64_t now)
{
	const struct rtc_date d = rtc_date_of(seconds(now));
	uint8_t *c = r->cell;

	c[SECONDS] = coded(r, d.sec);
	c[MINUTES] = coded(r, d.min);
	c[HOURS] = coded_hour(r, d.hour);
	c[WEEKDAY] = coded(r, d.weekday);
	c[DAY] = coded(r, d.day);
	c[MONTH] = coded(r, d.month);
	c[YEAR] = coded(r, d.year % 100);
	c[RTC_CENTURY] = coded(r, d.year / 100 % 100);
}

static int64_t shown(const struct rtc *r)
{
	const uint8_t *c = r->cell;
	const struct rtc_date d = {
		.year = decoded(r, c[RTC_CENTURY]) * 100 + decoded(r, c[YEAR]),
		.month = decoded(r, c[MONTH]),
		.day = decoded(r, c[DAY]),
		.hour = decoded_hour(r, c[HOURS]),
		.min = decoded(r, c[MINUTES]),
		.sec = decoded(r, c[SECONDS]),
	};

	return rtc_seconds_of(&d);
}

/* ---- what happens -------------------------------------------------------- */

/* log2 of a period in ticks, -1 = none. The two fastest rates are those of the
 * two behind the middle (data sheet, table 5). */
static int period(const struct rtc *r)
{
	const int rate = r->cell[REG_A] & A_RATE;

	return rate == 0 ? -1 : rate < 3 ? rate + 6 : rate - 1;
}

static unsigned alarm_cell(const struct rtc *r, unsigned i)
{
	const uint8_t v = r->cell[i];

	if ((v & ALARM_ANY) == ALARM_ANY)
		return RTC_ANY;
	return i == HOURS_ALARM ? decoded_hour(r, v) : decoded(r, v);
}

/* In ticks, or RTC_NEVER. */
static int64_t next_alarm(const struct rtc *r, int64_t after)
{
	const int64_t s = rtc_alarm_after(
		seconds(after), alarm_cell(r, HOURS_ALARM),
		alarm_cell(r, MINUTES_ALARM), alarm_cell(r, SECONDS_ALARM));

	return s == RTC_NEVER ? RTC_NEVER : s * RTC_HZ;
}

static uint8_t happened(const struct rtc *r, int64_t from, int64_t to)
{
	const int p = period(r);
	uint8_t what = 0;

	if (to <= from)
		return 0;
	if (p >= 0 && from >> p != to >> p)
		what |= B_PERIODIC;
	if (stands(r) || seconds(from) == seconds(to))
		return what;
	if (next_alarm(r, from) <= to)
		what |= B_ALARM;
	return what | B_UPDATED;
}

/* The time it is. */
static int64_t look(struct rtc *r)
{
	const int64_t now = host_ticks() + r->offset;

	if (!held(r))
		r->flags |= happened(r, r->seen, now);
	r->seen = now;
	return now;
}

/* When the next interrupt that is wanted will be, or RTC_NEVER. */
static int64_t next(const struct rtc *r)
{
	const uint8_t want = r->cell[REG_B];
	const int p = period(r);
	int64_t t = RTC_NEVER;

	if (r->line || held(r))
		return RTC_NEVER;
	if (want & B_PERIODIC && p >= 0)
		t = ((r->seen >> p) + 1) * (1 << p);
	if (stands(r))
		return t;
	if (want & B_UPDATED)
		t = MIN(t, (seconds(r->seen) + 1) * RTC_HZ);
	if (want & B_ALARM)
		t = MIN(t, next_alarm(r, r->seen));
	return t;
}

/* `due` 0 = not at all. Rounded up: one that fires early would fire again.
 * False: somebody has set the host's clock, maybe since it was looked at, and
 * no event will tell of it any more. */
static bool set_timer(struct rtc *r, int64_t due)
{
	const struct itimerspec t = {
		.it_value = {
			.tv_sec = seconds(due),
			.tv_nsec = (fraction(due) * NS_PER_S + RTC_HZ - 1) /
		                   RTC_HZ,
		},
	};
	int e;

	if (due == r->due)
		return true;
	e = timerfd_settime(r->timer_fd,
	                    TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &t,
	                    NULL);
	r->due = e ? -1 : due;
	return !e || errno != ECANCELED;
}

static bool settled(struct rtc *r)
{
	const bool line = r->flags & r->cell[REG_B] & B_INTERRUPTS;
	int64_t t;

	if (line != r->line) {
		r->line = line;
		kvm_irq_line(r->vm, GSI_RTC, line);
	}
	t = next(r);
	return set_timer(r, t == RTC_NEVER ? 0 : MAX(t - r->offset, 1));
}

static void settle(struct rtc *r)
{
	while (!settled(r))
		(void)look(r);
}

/* ---- registers ----------------------------------------------------------- */

/* From memory on, `phase` ticks into its second. */
static void go_on(struct rtc *r, int64_t phase)
{
	r->seen = shown(r) * RTC_HZ + phase;
	r->offset = r->seen - host_ticks();
}

static void write_a(struct rtc *r, int64_t now, uint8_t v)
{
	const bool was_held = held(r), stood = stands(r);

	r->cell[REG_A] = v & (A_UPDATING - 1);
	if (was_held && !held(r))
		go_on(r, RTC_HZ / 2);
	if (!stood && stands(r))
		show(r, now);
}

static void write_b(struct rtc *r, int64_t now, uint8_t v)
{
	const bool stood = stands(r);

	/* By the form that the registers had. */
	if (v & B_SET && !stood)
		show(r, now);
	r->cell[REG_B] = v & B_SET ? v & B_STANDING : v;
	if (stood && !stands(r))
		go_on(r, fraction(now));
}

static bool of_date(unsigned i)
{
	return i == SECONDS || i == MINUTES || i == HOURS ||
	       (i >= WEEKDAY && i <= YEAR) || i == RTC_CENTURY;
}

/* A clock that runs is set byte by byte, with the rest as it is. */
static void write_date(struct rtc *r, int64_t now, unsigned i, uint8_t v)
{
	const bool runs = !stands(r);

	if (runs)
		show(r, now);
	r->cell[i] = v;
	if (runs)
		go_on(r, fraction(now));
}

static void write_cell(struct rtc *r, int64_t now, unsigned i, uint8_t v)
{
	if (of_date(i))
		write_date(r, now, i, v);
	else if (i == REG_A)
		write_a(r, now, v);
	else if (i == REG_B)
		write_b(r, now, v);
	else if (i != REG_C && i != REG_D)
		r->cell[i] = v;
}

static uint8_t take_flags(struct rtc *r)
{
	const uint8_t v = r->flags;

	r->flags = 0;
	return v & r->cell[REG_B] & B_INTERRUPTS ? v | C_INTERRUPT : v;
}

static uint8_t read_cell(struct rtc *r, int64_t now, unsigned i)
{
	if (i == REG_C)
		return take_flags(r);
	if (i == REG_D)
		return D_VALID;
	if (of_date(i) && !stands(r))
		show(r, now);
	if (i == REG_A && !stands(r) && fraction(now) >= RTC_HZ - UPDATE_TICKS)
		return r->cell[i] | A_UPDATING;
	return r->cell[i];
}

/* ---- ports --------------------------------------------------------------- */

/* The index cannot be read back. */
static uint8_t read_byte(struct rtc *r, uint64_t off)
{
	return off ? read_cell(r, look(r), r->index) : 0xff;
}

static void write_byte(struct rtc *r, uint64_t off, uint8_t v)
{
	if (off)
		write_cell(r, look(r), r->index, v);
	else
		r->index = v % CELLS; /* bit 7 was the NMI's */
}

static uint64_t port_read(void *ctx, uint64_t off, unsigned width)
{
	struct rtc *r = ctx;
	uint64_t v = 0;

	pthread_mutex_lock(&r->lock);
	for (unsigned i = 0; i < width; i++)
		v |= (uint64_t)read_byte(r, off + i) << 8 * i;
	settle(r);
	pthread_mutex_unlock(&r->lock);
	return v;
}

static void port_write(void *ctx, uint64_t off, unsigned width, uint64_t value)
{
	struct rtc *r = ctx;

	pthread_mutex_lock(&r->lock);
	for (unsigned i = 0; i < width; i++)
		write_byte(r, off + i, (uint8_t)(value >> 8 * i));
	settle(r);
	pthread_mutex_unlock(&r->lock);
}

static const struct bus_ops port_ops = {
	.read = port_read,
	.write = port_write,
};

/* ---- its life ------------------------------------------------------------ */

int rtc_fd(const struct rtc *r)
{
	return r ? r->timer_fd : -1;
}

void rtc_tick(struct rtc *r)
{
	uint64_t times;

	pthread_mutex_lock(&r->lock);
	/* ECANCELED: somebody has set the host's clock. */
	(void)!read(r->timer_fd, &times, sizeof(times));
	r->due = -1;
	(void)look(r);
	settle(r);
	pthread_mutex_unlock(&r->lock);
}

/* What the part's RESET pin does. */
void rtc_reset(struct rtc *r)
{
	pthread_mutex_lock(&r->lock);
	(void)look(r);
	r->index = 0;
	r->flags = 0;
	r->cell[REG_B] &= B_KEPT;
	settle(r);
	pthread_mutex_unlock(&r->lock);
}

int rtc_new(struct vm *vm, struct rtc **ret)
{
	struct rtc *r = calloc(1, sizeof(*r));
	int e;

	if (!r)
		return -ENOMEM;
	r->vm = vm;
	pthread_mutex_init(&r->lock, NULL);
	r->cell[REG_A] = A_RUNNING;
	r->cell[REG_B] = B_24H;
	r->seen = host_ticks();
	r->timer_fd =
		timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	e = r->timer_fd < 0
	            ? -errno
	            : bus_add(vm->pio, PORT_RTC, 2, EXIT_OTHER, &port_ops, r);
	if (e < 0) {
		rtc_free(r);
		return e;
	}
	/* The index does nothing by itself: every other exit is saved. */
	(void)!coalesce_add(vm, PORT_RTC, 1);
	*ret = r;
	return 0;
}

void rtc_free(struct rtc *r)
{
	if (!r)
		return;
	close_fd(&r->timer_fd);
	pthread_mutex_destroy(&r->lock);
	free(r);
}
