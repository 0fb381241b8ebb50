/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PC's clock as a guest meets it, with a host's clock that is set by hand;
 * the calendar against the C library's.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/rtc.h"

#define NS_PER_S 1000000000ull
#define MS 1000000ull
/* A Tuesday: 2024-12-31T23:59:57.25 */
#define START (1735689597ull * NS_PER_S + 250 * MS)

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
	A,
	B,
	C,
	D,
	CENTURY = 0x32,
	PERIODIC = 0x40,
	ALARM = 0x20,
	UPDATED = 0x10,
	IRQ = 0x80,
	SET = 0x80,
	BCD_24H = 0x02,
	BINARY_24H = 0x06,
};

static struct {
	uint64_t now, due; /* 0 = not armed */
	uint64_t back;     /* by which it is set, before it is armed */
	unsigned armed;    /* how often it was set */
	bool line;
} host;

int clock_gettime(clockid_t clock_id, struct timespec *tp)
{
	(void)clock_id;
	tp->tv_sec = (time_t)(host.now / NS_PER_S);
	tp->tv_nsec = (long)(host.now % NS_PER_S);
	return 0;
}

int timerfd_settime(int ufd, int flags, const struct itimerspec *utmr,
                    struct itimerspec *otmr)
{
	(void)ufd;
	(void)otmr;
	assert_int_equal(flags, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET);
	host.due = (uint64_t)utmr->it_value.tv_sec * NS_PER_S +
	           (uint64_t)utmr->it_value.tv_nsec;
	host.armed++;
	if (!host.back)
		return 0;
	host.now -= host.back;
	host.back = 0;
	errno = ECANCELED;
	return -1;
}

/* KVM's: a pin, and nothing else. */
int ioctl(int fd, unsigned long request, ...)
{
	const struct kvm_irq_level *irq;
	va_list ap;

	(void)fd;
	if (request != KVM_IRQ_LINE)
		return -1;
	va_start(ap, request);
	irq = va_arg(ap, const struct kvm_irq_level *);
	va_end(ap);
	assert_int_equal(irq->irq, GSI_RTC);
	assert_int_not_equal(irq->level, host.line);
	host.line = irq->level;
	return 0;
}

static int setup(void **state)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	host.now = START;
	host.due = host.back = host.armed = 0;
	host.line = false;
	*state = vm;
	return !vm || bus_new(&vm->pio) < 0 || rtc_new(vm, &vm->rtc) < 0;
}

static int teardown(void **state)
{
	struct vm *vm = *state;

	rtc_free(vm->rtc);
	bus_free(vm->pio);
	free(vm);
	return 0;
}

static unsigned in(struct vm *vm, unsigned cell)
{
	uint64_t v;

	bus_write(vm->pio, PORT_RTC, 1, cell);
	bus_read(vm->pio, PORT_RTC + 1, 1, &v);
	return (unsigned)v;
}

static void out(struct vm *vm, unsigned cell, unsigned v)
{
	bus_write(vm->pio, PORT_RTC, 1, cell);
	bus_write(vm->pio, PORT_RTC + 1, 1, v);
}

/* The host's time goes on, and its kernel fires the timer. */
static void later(struct vm *vm, uint64_t ns)
{
	const uint64_t end = host.now + ns;

	while (host.due && host.due <= end) {
		host.now = MAX(host.due, host.now);
		host.due = 0;
		rtc_tick(vm->rtc);
	}
	host.now = end;
}

#define IS(vm, ...)                                                            \
	do {                                                                   \
		const unsigned want_[] = { __VA_ARGS__ };                      \
		const unsigned cell_[] = {                                     \
			CENTURY, YEAR,    MONTH,   DAY,                        \
			HOURS,   MINUTES, SECONDS, WEEKDAY                     \
		};                                                             \
		for (unsigned i_ = 0; i_ < ARRAY_SIZE(want_); i_++)            \
			assert_int_equal(in(vm, cell_[i_]), want_[i_]);        \
	} while (0)

/* ---- the calendar -------------------------------------------------------- */

static void check_date(int64_t seconds)
{
	const struct rtc_date d = rtc_date_of(seconds);
	const time_t t = seconds;
	struct tm tm;

	assert_non_null(gmtime_r(&t, &tm));
	assert_int_equal(d.year, tm.tm_year + 1900);
	assert_int_equal(d.month, tm.tm_mon + 1);
	assert_int_equal(d.day, tm.tm_mday);
	assert_int_equal(d.hour, tm.tm_hour);
	assert_int_equal(d.min, tm.tm_min);
	assert_int_equal(d.sec, tm.tm_sec);
	assert_int_equal(d.weekday, tm.tm_wday + 1);
	assert_int_equal(rtc_seconds_of(&d), seconds);
}

/* Each day of six centuries, at a time that changes. */
static void dates(void **state)
{
	(void)state;
	for (int64_t day = -100000; day < 120000; day++)
		check_date(day * 86400 + (day * 7919 % 86400 + 86400) % 86400);
}

/* What no calendar has is still a time. */
static void odd_dates(void **state)
{
	const struct rtc_date over = { 2024, 2, 30, 0, 0, 0, 0 };
	const struct rtc_date month = { 2024, 0, 1, 0, 0, 0, 0 };
	const struct rtc_date hour = { 2024, 1, 1, 25, 61, 61, 0 };

	(void)state;
	assert_int_equal(rtc_date_of(rtc_seconds_of(&over)).month, 3);
	assert_int_equal(rtc_date_of(rtc_seconds_of(&month)).month, 1);
	assert_int_equal(rtc_date_of(rtc_seconds_of(&hour)).day, 2);
}

static bool matches(int64_t t, unsigned hour, unsigned min, unsigned sec)
{
	return (hour == RTC_ANY || hour == t / 3600 % 24) &&
	       (min == RTC_ANY || min == t / 60 % 60) &&
	       (sec == RTC_ANY || sec == t % 60);
}

static bool never(int64_t from, unsigned hour, unsigned min, unsigned sec)
{
	return rtc_alarm_after(from, hour, min, sec) == RTC_NEVER;
}

static void alarms(void **state)
{
	static const unsigned of[] = { 0, 5, 23, 30, 59, RTC_ANY };

	(void)state;
	for (unsigned i = 0; i < 6 * 6 * 6; i++) {
		const unsigned h = of[i % 6], m = of[i / 6 % 6], s = of[i / 36];
		const int64_t from = 1735689599 + 977 * (int64_t)i;
		int64_t t = from + 1;

		if (h == 30 || h == 59) {
			assert_true(never(from, h, m, s));
			continue;
		}
		while (!matches(t, h, m, s))
			t++;
		assert_int_equal(rtc_alarm_after(from, h, m, s), t);
	}
	assert_true(never(0, 1, 60, 0));
	assert_true(never(0, 1, 0, 60));
}

/* ---- the clock ----------------------------------------------------------- */

static void tells_the_time(void **state)
{
	struct vm *vm = *state;

	assert_int_equal(in(vm, B), BCD_24H);
	assert_int_equal(in(vm, D), 0x80);
	IS(vm, 0x20, 0x24, 0x12, 0x31, 0x23, 0x59, 0x57, 3);
	later(vm, 3 * NS_PER_S);
	IS(vm, 0x20, 0x25, 0x01, 0x01, 0x00, 0x00, 0x00, 4);
	out(vm, B, BINARY_24H);
	later(vm, 13 * 3600 * NS_PER_S);
	IS(vm, 20, 25, 1, 1, 13, 0, 0, 4);
	/* Of twelve hours: noon is 12, with the bit. */
	out(vm, B, 0);
	assert_int_equal(in(vm, HOURS), 0x81);
	host.now -= 3600 * NS_PER_S;
	assert_int_equal(in(vm, HOURS), 0x92);
	host.now -= 12 * 3600 * NS_PER_S;
	assert_int_equal(in(vm, HOURS), 0x12);
}

/* As Linux does it: stopped, and begun half a second before the next. */
static void is_set(void **state)
{
	static const uint8_t to[][2] = {
		{ CENTURY, 0x19 }, { YEAR, 0x99 },    { MONTH, 0x12 },
		{ DAY, 0x31 },     { HOURS, 0x23 },   { MINUTES, 0x59 },
		{ SECONDS, 0x58 }, { WEEKDAY, 0x01 },
	};
	struct vm *vm = *state;

	out(vm, B, SET | BCD_24H);
	out(vm, A, 0x76);
	for (unsigned i = 0; i < ARRAY_SIZE(to); i++)
		out(vm, to[i][0], to[i][1]);
	later(vm, 5 * NS_PER_S);
	IS(vm, 0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x58, 1);
	out(vm, B, BCD_24H);
	later(vm, NS_PER_S);
	assert_int_equal(in(vm, SECONDS), 0x58);
	out(vm, A, 0x26);
	later(vm, 499 * MS);
	assert_int_equal(in(vm, SECONDS), 0x58);
	later(vm, 2 * MS);
	assert_int_equal(in(vm, SECONDS), 0x59);
	later(vm, NS_PER_S);
	/* The day of the week is counted, not kept: a Saturday. */
	IS(vm, 0x20, 0x00, 0x01, 0x01, 0x00, 0x00, 0x00, 7);
}

static void is_set_while_it_runs(void **state)
{
	struct vm *vm = *state;

	out(vm, HOURS, 0x05);
	IS(vm, 0x20, 0x24, 0x12, 0x31, 0x05, 0x59, 0x57);
	later(vm, 749 * MS);
	assert_int_equal(in(vm, SECONDS), 0x57);
	later(vm, 2 * MS);
	assert_int_equal(in(vm, SECONDS), 0x58);
	/* By its battery. */
	rtc_reset(vm->rtc);
	IS(vm, 0x20, 0x24, 0x12, 0x31, 0x05, 0x59, 0x58);
}

static void warns_of_its_update(void **state)
{
	struct vm *vm = *state;

	assert_int_equal(in(vm, A), 0x26);
	later(vm, 747 * MS);
	assert_int_equal(in(vm, A), 0x26);
	later(vm, 2 * MS);
	assert_int_equal(in(vm, A), 0xa6);
	assert_int_equal(in(vm, SECONDS), 0x57);
	later(vm, 2 * MS);
	assert_int_equal(in(vm, A), 0x26);
	assert_int_equal(in(vm, SECONDS), 0x58);
}

static void keeps_its_memory(void **state)
{
	struct vm *vm = *state;

	for (unsigned i = 14; i < 128; i++)
		if (i != CENTURY)
			out(vm, i, i ^ 0x5a);
	rtc_reset(vm->rtc);
	for (unsigned i = 14; i < 128; i++)
		if (i != CENTURY)
			assert_int_equal(in(vm, i), i ^ 0x5a);
	/* Bit 7 of the index is not its own. */
	assert_int_equal(in(vm, 0x80 | 20), 20 ^ 0x5a);
}

/* ---- interrupts ---------------------------------------------------------- */

/* Nobody asked: what happens can be read, and no timer runs for it. */
static void can_be_polled(void **state)
{
	struct vm *vm = *state;

	assert_int_equal(in(vm, C), 0);
	later(vm, MS);
	assert_int_equal(in(vm, C), PERIODIC);
	later(vm, NS_PER_S);
	assert_int_equal(in(vm, C), PERIODIC | UPDATED);
	out(vm, A, 0x20);
	in(vm, C);
	later(vm, NS_PER_S);
	assert_int_equal(in(vm, C), UPDATED);
	/* Midnight: all alarm cells are 0. */
	later(vm, NS_PER_S);
	assert_int_equal(in(vm, C), UPDATED | ALARM);
	assert_int_equal(host.armed, 0);
	assert_false(host.line);
}

static void periods(void **state)
{
	struct vm *vm = *state;

	for (unsigned rate = 1; rate < 16; rate++) {
		const unsigned hz = rate < 3 ? 512u >> rate : 65536u >> rate;
		unsigned n = 0;

		out(vm, A, 0x20 | rate);
		in(vm, C);
		out(vm, B, BCD_24H | PERIODIC);
		for (const uint64_t end = host.now + NS_PER_S;
		     host.now < end;) {
			later(vm, MIN(host.due, end) - host.now);
			if (!host.line)
				continue;
			n++;
			assert_int_equal(in(vm, C) & (IRQ | PERIODIC),
			                 IRQ | PERIODIC);
			assert_false(host.line);
		}
		assert_in_range(n, hz - 1, hz + 1);
		out(vm, B, BCD_24H);
		assert_int_equal(host.due, 0);
	}
}

/* Until it has been looked at, there is nothing more to say. */
static void is_quiet_until_read(void **state)
{
	struct vm *vm = *state;

	out(vm, B, BCD_24H | PERIODIC | UPDATED);
	later(vm, MS);
	assert_true(host.line);
	assert_int_equal(host.due, 0);
	host.armed = 0;
	later(vm, 10 * NS_PER_S);
	assert_int_equal(host.armed, 0);
	assert_int_equal(in(vm, C), IRQ | PERIODIC | UPDATED | ALARM);
	assert_false(host.line);
	assert_int_not_equal(host.due, 0);
	rtc_reset(vm->rtc);
	assert_int_equal(host.due, 0);
	assert_int_equal(in(vm, B), BCD_24H);
}

static void every_second(void **state)
{
	struct vm *vm = *state;

	out(vm, B, BCD_24H | UPDATED);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(host.due % NS_PER_S, 0);
		later(vm, NS_PER_S);
		assert_true(host.line);
		in(vm, C);
	}
	/* One that is being set has none. */
	out(vm, B, BCD_24H | UPDATED | SET);
	assert_int_equal(in(vm, B), BCD_24H | SET);
	assert_int_equal(host.due, 0);
}

/* The divider runs on meanwhile: seconds are in step with those before. */
static void is_set_in_step(void **state)
{
	struct vm *vm = *state;

	out(vm, B, BCD_24H | SET);
	later(vm, 600 * MS);
	out(vm, B, BCD_24H);
	later(vm, 149 * MS);
	assert_int_equal(in(vm, SECONDS), 0x57);
	later(vm, 2 * MS);
	assert_int_equal(in(vm, SECONDS), 0x58);
}

/* ... and so do periods. */
static void periods_while_it_is_set(void **state)
{
	struct vm *vm = *state;

	out(vm, B, BCD_24H | PERIODIC | ALARM | SET);
	later(vm, MS);
	assert_int_equal(in(vm, C), IRQ | PERIODIC);
	assert_int_not_equal(host.due, 0);
	later(vm, 2 * NS_PER_S);
	assert_int_equal(in(vm, C), IRQ | PERIODIC);
	IS(vm, 0x20, 0x24, 0x12, 0x31, 0x23, 0x59, 0x57);
	/* Held, not at all. */
	out(vm, A, 0x76);
	assert_int_equal(host.due, 0);
	later(vm, NS_PER_S);
	assert_int_equal(in(vm, C), 0);
	/* From its release on it counts, and the date does not yet. */
	out(vm, A, 0x26);
	later(vm, 300 * MS);
	out(vm, B, BCD_24H);
	later(vm, 199 * MS);
	assert_int_equal(in(vm, SECONDS), 0x57);
	later(vm, 2 * MS);
	assert_int_equal(in(vm, SECONDS), 0x58);
}

static void an_alarm(void **state)
{
	struct vm *vm = *state;

	out(vm, HOURS_ALARM, 0x06);
	out(vm, MINUTES_ALARM, 0x30);
	out(vm, SECONDS_ALARM, 0x15);
	out(vm, B, BCD_24H | ALARM);
	assert_int_equal(host.due,
	                 START - 250 * MS + 3 * NS_PER_S +
	                         (6 * 3600 + 30 * 60 + 15) * NS_PER_S);
	later(vm, 6 * 3600 * NS_PER_S);
	assert_false(host.line);
	later(vm, 3600 * NS_PER_S);
	assert_true(host.line);
	assert_int_equal(in(vm, C) & (IRQ | ALARM), IRQ | ALARM);
	/* Every minute; and never. */
	out(vm, HOURS_ALARM, 0xff);
	out(vm, MINUTES_ALARM, 0xc0);
	assert_in_range(host.due - host.now, 1, 60 * NS_PER_S);
	out(vm, SECONDS_ALARM, 0x99);
	assert_int_equal(host.due, 0);
}

/* Whoever takes the century's cell for memory is there at once. */
static void before_1970(void **state)
{
	static const unsigned of[] = { UPDATED, ALARM, PERIODIC };
	struct vm *vm = *state;

	out(vm, CENTURY, 0);
	IS(vm, 0x00, 0x24, 0x12, 0x31, 0x23, 0x59, 0x57);
	out(vm, HOURS_ALARM, 0xff);
	out(vm, MINUTES_ALARM, 0xff);
	out(vm, SECONDS_ALARM, 0xff);
	for (unsigned i = 0; i < ARRAY_SIZE(of); i++) {
		in(vm, C);
		out(vm, B, BCD_24H | of[i]);
		assert_in_range(host.due - host.now, 1, NS_PER_S);
		later(vm, NS_PER_S);
		assert_true(host.line);
		assert_int_equal(in(vm, C) & (IRQ | of[i]), IRQ | of[i]);
	}
	out(vm, B, BCD_24H | ALARM);
	out(vm, SECONDS_ALARM, 0x99);
	assert_int_equal(host.due, 0);
}

/* Somebody sets the host's clock back, of which the kernel tells. */
static void host_is_set(void **state)
{
	struct vm *vm = *state;

	out(vm, B, BCD_24H | UPDATED);
	host.now -= 3600 * NS_PER_S;
	rtc_tick(vm->rtc);
	assert_in_range(host.due - host.now, 1, NS_PER_S);
	later(vm, NS_PER_S);
	assert_true(host.line);
	/* And just then: who arms the timer is told, and nobody else. */
	in(vm, C);
	out(vm, B, BCD_24H);
	host.back = 3600 * NS_PER_S;
	out(vm, B, BCD_24H | UPDATED);
	assert_in_range(host.due - host.now, 1, NS_PER_S);
}

/* ---- harm ---------------------------------------------------------------- */

static void any_access(void **state)
{
	struct vm *vm = *state;
	uint64_t v, x = 88172645463325252ull;

	for (unsigned i = 0; i < 200000; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		if (x & 1)
			bus_write(vm->pio, PORT_RTC + (x >> 1 & 1),
			          1u << (x >> 2 & 1), x >> 32);
		else
			bus_read(vm->pio, PORT_RTC + (x >> 1 & 1),
			         1u << (x >> 2 & 1), &v);
		later(vm, x >> 8 & 0xfffff);
	}
	assert_int_equal(in(vm, D), 0x80);
	in(vm, C);
	out(vm, B, BCD_24H);
	assert_false(host.line);
	assert_int_equal(host.due, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates),
		cmocka_unit_test(odd_dates),
		cmocka_unit_test(alarms),
		TEST(tells_the_time),
		TEST(is_set),
		TEST(is_set_while_it_runs),
		TEST(is_set_in_step),
		TEST(warns_of_its_update),
		TEST(keeps_its_memory),
		TEST(can_be_polled),
		TEST(periods),
		TEST(is_quiet_until_read),
		TEST(every_second),
		TEST(periods_while_it_is_set),
		TEST(an_alarm),
		TEST(before_1970),
		TEST(host_is_set),
		TEST(any_access),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
