/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dates of seconds, and seconds of dates: rtc.h. The C library's own functions
 * are not for a process without files: they look for a time zone first.
 *
 * Years begin in March here, so that a leap day is a year's last one.
 */

#include "vmm/rtc.h"

#define DAY 86400
#define HOUR 3600
#define MINUTE 60

/* Days before the first of March of `year`, from that of year 0 on. */
static int64_t days_before(int64_t year)
{
	return year * 365 + year / 4 - year / 100 + year / 400;
}
#define DAYS_1970 719468 /* from there to the first of January 1970 */

/* ... and before month 0 to 11 of such a year, 30.6 each: 31, 30, 31, 30, 31,
 * and again. */
static unsigned month_begin(unsigned month)
{
	return (month * 153 + 2) / 5;
}

struct rtc_date rtc_date_of(int64_t seconds)
{
	int64_t day = seconds / DAY - (seconds % DAY < 0);
	const unsigned left = (unsigned)(seconds - day * DAY);
	unsigned month = 11;
	int64_t year;

	struct rtc_date d = {
		.hour = left / HOUR,
		.min = left / MINUTE % 60,
		.sec = left % 60,
		/* It was a Thursday. */
		.weekday = (unsigned)((day % 7 + 7 + 4) % 7) + 1,
	};

	day += DAYS_1970;
	year = day * 400 / 146097 + 1;
	while (days_before(year) > day)
		year--;
	day -= days_before(year);
	while (month_begin(month) > day)
		month--;
	d.day = (unsigned)(day - month_begin(month)) + 1;
	d.month = month < 10 ? month + 3 : month - 9;
	d.year = (unsigned)year + (month >= 10);
	return d;
}

int64_t rtc_seconds_of(const struct rtc_date *d)
{
	const unsigned month = d->month - 1 < 12 ? d->month : 1;
	const int64_t year = (int64_t)d->year - (month < 3);
	const int64_t day = days_before(year) - DAYS_1970 +
	                    month_begin((month + 9) % 12) + d->day - 1;

	return day * DAY + (int64_t)d->hour * HOUR + (int64_t)d->min * MINUTE +
	       d->sec;
}

static bool fits(unsigned wanted, unsigned is)
{
	return wanted == RTC_ANY || wanted == is;
}

/* Seconds to the next time that may fit; 0 = this one does. */
static unsigned to_next(const struct rtc_date *d, unsigned hour, unsigned min,
                        unsigned sec)
{
	if (!fits(hour, d->hour))
		return HOUR - d->min * MINUTE - d->sec;
	if (!fits(min, d->min))
		return MINUTE - d->sec;
	return fits(sec, d->sec) ? 0 : 1;
}

int64_t rtc_alarm_after(int64_t seconds, unsigned hour, unsigned min,
                        unsigned sec)
{
	unsigned step;

	if ((hour > 23 && hour != RTC_ANY) || (min > 59 && min != RTC_ANY) ||
	    (sec > 59 && sec != RTC_ANY))
		return RTC_NEVER;
	/* A day's hours, an hour's minutes, a minute's seconds, twice. */
	for (seconds++;; seconds += step) {
		const struct rtc_date d = rtc_date_of(seconds);

		step = to_next(&d, hour, min, sec);
		if (!step)
			return seconds;
	}
}
