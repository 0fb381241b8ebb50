/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_RTC_H
#define FL_VMM_RTC_H

/*
 * The clock of a PC: Motorola's MC146818A at ports 0x70 and 0x71, its 113 bytes
 * of memory, and its interrupt, IRQ 8. Guests that know KVM have a better
 * clock; this one is for those that do not, for hwclock(8), and for alarms.
 *
 * Theory of operation
 *   Time is counted in ticks of the part's own crystal, 32768 a second, from
 *   1970 on: the host's time of day, and an offset that is the guest's, since
 *   it may set its clock. Nothing counts: the registers are made of that as
 *   they are read. What has happened (a period, a second, an alarm) is found
 *   when somebody looks, by comparing with when it was looked last.
 *
 *   A timer runs only while the guest wants an interrupt that it has not got
 *   yet: the pin is up until register C is read, and till then nothing more
 *   can come. It is armed by the host's time of day, and the kernel tells when
 *   that is set.
 *
 *   While bit SET of B is on, or the divider is held in reset, the date
 *   stands, and its registers are memory; from there it goes on (data sheet,
 *   "Update cycle"). SET leaves the divider alone: periods go on, and the next
 *   second comes when it would have. A divider that was held begins half a
 *   second before it.
 *
 * Limits: no square wave, no daylight saving. Sleep is not left by an alarm
 * (machine.md).
 *
 * Threads: vCPUs at the ports, the main thread for the timer; one lock.
 *
 * Trust: whatever the guest writes is a time, if an odd one. It can have the
 * main thread woken 8192 times a second, if it reads C as often.
 */

#include "vmm/priv.h"

#define PORT_RTC 0x70 /* which cell; its byte */
#define GSI_RTC 8
#define RTC_CENTURY 0x32 /* the cell of it, which the FADT names */

/* ---- rtc_time.c: the calendar; pure -------------------------------------- */

#define RTC_SHIFT 15
#define RTC_HZ (1 << RTC_SHIFT)
struct rtc_date {
	unsigned year;           /* in full */
	unsigned month, day;     /* from 1 on */
	unsigned hour, min, sec; /* 0 to 23 */
	unsigned weekday;        /* 1 = Sunday */
};
/* Of seconds since 1970; before it, too. */
struct rtc_date rtc_date_of(int64_t seconds);
/* And back. Too many days, hours ... are carried over; a month that is none is
 * January. The day of the week is not looked at. */
int64_t rtc_seconds_of(const struct rtc_date *date);
/* The first time later than `seconds` that has them; RTC_ANY is any. RTC_NEVER:
 * there is no such hour, minute or second. */
#define RTC_ANY 0xffu
#define RTC_NEVER INT64_MAX
int64_t rtc_alarm_after(int64_t seconds, unsigned hour, unsigned min,
                        unsigned sec);

/* ---- rtc.c --------------------------------------------------------------- */

struct rtc;
_must_check_ int rtc_new(struct vm *vm, struct rtc **ret);
void rtc_free(struct rtc *r);
/* Its battery keeps time and memory. vCPUs are parked. */
void rtc_reset(struct rtc *r);
/* Readable: rtc_tick(). -1 = never. */
int rtc_fd(const struct rtc *r);
void rtc_tick(struct rtc *r);

#endif
