/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A slot as devices come and go: every phase meets every event. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"
#include "vmm/slot.h"

#define MS 1000000ull
#define S 1000000000ull
#define NOW (6 * S)
#define GONE (SLOT_HIDE | SLOT_RELEASE)

static struct slot slot_on(void)
{
	struct slot s = { .phase = SLOT_EMPTY };

	assert_int_equal(slot_put(&s), SLOT_SHOW);
	assert_int_equal(s.phase, SLOT_ON);
	assert_int_equal(slot_due(&s), UINT64_MAX);
	return s;
}

static struct slot slot_asked(uint64_t ms)
{
	struct slot s = slot_on();

	assert_int_equal(slot_ask(&s, SLOT_NETD, 5 * S, ms), SLOT_PRESS);
	assert_int_equal(s.phase, SLOT_ASKED);
	return s;
}

static struct slot slot_away(void)
{
	struct slot s = slot_on();

	assert_int_equal(slot_error(&s, 5 * S), SLOT_HIDE | SLOT_QUIET);
	assert_int_equal(s.phase, SLOT_AWAY);
	return s;
}

static void empty_stays(const struct slot *s, enum slot_why why, bool forced)
{
	assert_int_equal(s->phase, SLOT_EMPTY);
	assert_int_equal(s->why, why);
	assert_int_equal(s->forced, forced);
	assert_int_equal(slot_due(s), UINT64_MAX);
}

static void polite(void **state)
{
	struct slot s = slot_asked(8000);

	(void)state;
	assert_int_equal(slot_due(&s), 13 * S);
	assert_int_equal(slot_tick(&s, 13 * S - 1), 0);
	assert_int_equal(slot_eject(&s, NOW), GONE);
	empty_stays(&s, SLOT_NETD, false);
	/* A guest that goes on toggling does nothing. */
	for (int i = 0; i < 1000; i++)
		assert_int_equal(slot_eject(&s, NOW), 0);
	assert_int_equal(slot_tick(&s, 99 * S), 0);
}

static void the_guest_does_not_answer(void **state)
{
	struct slot s = slot_asked(8000);

	(void)state;
	assert_int_equal(slot_tick(&s, 13 * S), GONE);
	empty_stays(&s, SLOT_NETD, true);
}

static void at_once(void **state)
{
	struct slot s = slot_on();

	(void)state;
	assert_int_equal(slot_ask(&s, SLOT_HOST, 5 * S, 0), GONE);
	empty_stays(&s, SLOT_HOST, true);
}

/* The shorter time counts, however often and by whomever it is asked. */
static void asked_again(void **state)
{
	struct slot s = slot_asked(8000);

	(void)state;
	assert_int_equal(slot_ask(&s, SLOT_NETD, 6 * S, 60000), 0);
	assert_int_equal(slot_due(&s), 13 * S);
	assert_int_equal(slot_ask(&s, SLOT_HOST, 6 * S, 2000), 0);
	assert_int_equal(slot_due(&s), 8 * S);
	assert_int_equal(slot_ask(&s, SLOT_NETD, 7 * S, 5000), 0);
	assert_int_equal(slot_tick(&s, 8 * S), GONE);
	empty_stays(&s, SLOT_HOST, true);

	s = slot_asked(8000);
	assert_int_equal(slot_ask(&s, SLOT_NETD, 6 * S, 0), GONE);
	empty_stays(&s, SLOT_NETD, true);
}

static void time_does_not_wrap(void **state)
{
	struct slot s = slot_asked(UINT64_MAX);

	(void)state;
	assert_true(slot_due(&s) > 1000000 * S);
	assert_int_equal(slot_tick(&s, 1000000 * S), 0);
	assert_int_equal(slot_eject(&s, NOW), GONE);
}

static void the_guest_begins(void **state)
{
	struct slot s = slot_on();

	(void)state;
	assert_int_equal(slot_eject(&s, NOW), GONE);
	empty_stays(&s, SLOT_GUEST, false);
}

static void error_and_back(void **state)
{
	struct slot s = slot_away();

	(void)state;
	/* Functions tell it one after the other: it is one error. */
	for (int i = 0; i < 10; i++)
		assert_int_equal(slot_error(&s, 5 * S), 0);
	assert_int_equal(slot_tick(&s, 5 * S + SLOT_OFFER_NS - 1), 0);
	assert_int_equal(slot_eject(&s, NOW), SLOT_CHECK);
	assert_int_equal(slot_checked(&s, true), SLOT_SHOW);
	assert_int_equal(s.phase, SLOT_ON);
	assert_int_equal(slot_due(&s), UINT64_MAX);
	assert_int_equal(slot_checked(&s, true), 0);
}

static void error_without_an_answer(void **state)
{
	struct slot s = slot_away();

	(void)state;
	assert_int_equal(slot_tick(&s, 5 * S + SLOT_OFFER_NS), SLOT_CHECK);
	/* Dead: the guest does not see it go, it has gone already. */
	assert_int_equal(slot_checked(&s, false), SLOT_RELEASE);
	empty_stays(&s, SLOT_ERROR, true);
}

static void wanted_while_away(void **state)
{
	struct slot s = slot_away();

	(void)state;
	assert_int_equal(slot_ask(&s, SLOT_HOST, 6 * S, 9000), SLOT_RELEASE);
	empty_stays(&s, SLOT_HOST, false);
}

static void error_while_asked(void **state)
{
	struct slot s = slot_asked(8000);

	(void)state;
	assert_int_equal(slot_error(&s, 6 * S), GONE);
	empty_stays(&s, SLOT_NETD, true);
}

static void three_errors(void **state)
{
	struct slot s = slot_on();
	uint64_t at = 7 * S;

	(void)state;
	/* Far apart they never are too many. */
	for (int i = 0; i < 10; i++, at += SLOT_ERRORS_NS / 2) {
		assert_int_equal(slot_error(&s, at), SLOT_HIDE | SLOT_QUIET);
		assert_int_equal(slot_eject(&s, NOW), SLOT_CHECK);
		assert_int_equal(slot_checked(&s, true), SLOT_SHOW);
	}
	at += SLOT_ERRORS_NS;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(slot_error(&s, at + (unsigned)i * S),
		                 SLOT_HIDE | SLOT_QUIET);
		(void)slot_eject(&s, NOW);
		assert_int_equal(slot_checked(&s, true), SLOT_SHOW);
	}
	assert_int_equal(slot_error(&s, at + SLOT_ERRORS_NS - 1), GONE);
	empty_stays(&s, SLOT_ERROR, true);
	/* Another device there begins anew. */
	assert_int_equal(slot_put(&s), SLOT_SHOW);
	assert_int_equal(slot_error(&s, at + SLOT_ERRORS_NS),
	                 SLOT_HIDE | SLOT_QUIET);
}

/* The clock may read 0 at the first error. */
static void errors_at_the_beginning(void **state)
{
	struct slot s = slot_on();

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(slot_error(&s, 0), SLOT_HIDE | SLOT_QUIET);
		assert_int_equal(slot_checked(&s, true), SLOT_SHOW);
	}
	assert_int_equal(slot_error(&s, 0), GONE);
}

/* It is parked, or being reset: nobody is there to wait for. */
static void dead(void **state)
{
	struct slot s = slot_asked(8000);

	(void)state;
	assert_int_equal(slot_dead(&s), GONE);
	empty_stays(&s, SLOT_NETD, true);
	assert_int_equal(slot_dead(&s), 0);
	s = slot_away();
	assert_int_equal(slot_dead(&s), SLOT_CHECK);
	s = slot_on();
	assert_int_equal(slot_dead(&s), 0);
	assert_int_equal(s.phase, SLOT_ON);
}

static void empty(void **state)
{
	struct slot s = { .phase = SLOT_EMPTY };

	(void)state;
	assert_int_equal(slot_ask(&s, SLOT_HOST, 1, 0), 0);
	assert_int_equal(slot_eject(&s, NOW), 0);
	assert_int_equal(slot_error(&s, 1), 0);
	assert_int_equal(slot_checked(&s, true), 0);
	assert_int_equal(slot_dead(&s), 0);
	assert_int_equal(slot_tick(&s, UINT64_MAX), 0);
	assert_int_equal(s.phase, SLOT_EMPTY);
}

/* Taken by force: the guest's power-off is still to come, and is the old
 * adapter's. */
static void rest_after_force(void **state)
{
	struct slot s = slot_on();

	(void)state;
	assert_int_equal(slot_free_at(&s), UINT64_MAX);
	assert_int_equal(slot_ask(&s, SLOT_NETD, 5 * S, 0), GONE);
	assert_int_equal(slot_free_at(&s), 5 * S + SLOT_OFFER_NS);
	assert_int_equal(slot_eject(&s, 8 * S), 0);
	assert_int_equal(slot_free_at(&s), 8 * S + SLOT_CALM_NS);
	/* However often it says so. */
	assert_int_equal(slot_eject(&s, 9 * S), 0);
	assert_int_equal(slot_free_at(&s), 8 * S + SLOT_CALM_NS);
	assert_int_equal(slot_put(&s), SLOT_SHOW);
	assert_int_equal(slot_eject(&s, 10 * S), GONE);

	s = slot_asked(8000);
	assert_int_equal(slot_tick(&s, 13 * S), GONE);
	assert_int_equal(slot_free_at(&s), 13 * S + SLOT_OFFER_NS);
	/* Nobody is left who would power it off. */
	assert_int_equal(slot_dead(&s), 0);
	assert_int_equal(slot_free_at(&s), 0);
}

static void rest_after_error(void **state)
{
	struct slot s = slot_away();

	(void)state;
	/* Not yet powered off, then given up. */
	assert_int_equal(slot_ask(&s, SLOT_HOST, 6 * S, 9000), SLOT_RELEASE);
	assert_int_equal(slot_free_at(&s), 5 * S + SLOT_OFFER_NS);
	s = slot_away();
	assert_int_equal(slot_eject(&s, 7 * S), SLOT_CHECK);
	assert_int_equal(slot_checked(&s, false), SLOT_RELEASE);
	assert_int_equal(slot_free_at(&s), 7 * S + SLOT_CALM_NS);
	s = slot_asked(8000);
	assert_int_equal(slot_error(&s, 6 * S), GONE);
	assert_int_equal(slot_free_at(&s), 6 * S + SLOT_OFFER_NS);
	s = slot_away();
	assert_int_equal(slot_dead(&s), SLOT_CHECK);
	assert_int_equal(slot_checked(&s, false), SLOT_RELEASE);
	assert_int_equal(slot_free_at(&s), 0);
}

/* Let go of in order: what is new comes a moment later. */
static void rest_after_consent(void **state)
{
	struct slot s = { .phase = SLOT_EMPTY };

	(void)state;
	assert_int_equal(slot_free_at(&s), 0);
	s = slot_asked(8000);
	assert_int_equal(slot_eject(&s, 6 * S), GONE);
	assert_int_equal(slot_free_at(&s), 6 * S + SLOT_CALM_NS);
}

/* Whatever comes in whatever order: a slot that is not empty and waits is done
 * with when its time has come; a release is said once for each put; and
 * nothing is shown while it is shown. */
static void random_walk(void **state)
{
	struct slot s = { .phase = SLOT_EMPTY };
	uint64_t seed = 88172645463325252ull, now = 0;
	bool shown = false, held = false;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		unsigned act = 0;

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		now += seed >> 32 & 0x3fffffff;
		switch (seed % 7) {
		case 0:
			if (slot_free_at(&s) <= now) {
				held = true;
				act = slot_put(&s);
			}
			break;
		case 1:
			act = slot_ask(&s,
			               seed >> 8 & 1 ? SLOT_HOST : SLOT_NETD,
			               now, seed >> 16 & 0xfff);
			break;
		case 2:
			act = slot_eject(&s, now);
			break;
		case 3:
			act = slot_error(&s, now);
			break;
		case 4:
			act = slot_dead(&s);
			break;
		default:
			act = slot_tick(&s, now);
			assert_true(slot_due(&s) > now || act & SLOT_CHECK);
		}
		if (act & SLOT_CHECK)
			act |= slot_checked(&s, seed >> 24 & 1);
		if (act & SLOT_HIDE) {
			assert_true(shown);
			shown = false;
		}
		if (act & SLOT_RELEASE) {
			assert_true(held && !shown);
			held = false;
		}
		if (act & SLOT_SHOW) {
			assert_true(held && !shown);
			shown = true;
		}
		assert_int_equal(held, s.phase != SLOT_EMPTY);
		assert_int_equal(shown,
		                 s.phase == SLOT_ON || s.phase == SLOT_ASKED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(polite),
		cmocka_unit_test(the_guest_does_not_answer),
		cmocka_unit_test(at_once),
		cmocka_unit_test(asked_again),
		cmocka_unit_test(time_does_not_wrap),
		cmocka_unit_test(the_guest_begins),
		cmocka_unit_test(error_and_back),
		cmocka_unit_test(error_without_an_answer),
		cmocka_unit_test(wanted_while_away),
		cmocka_unit_test(error_while_asked),
		cmocka_unit_test(three_errors),
		cmocka_unit_test(errors_at_the_beginning),
		cmocka_unit_test(dead),
		cmocka_unit_test(empty),
		cmocka_unit_test(rest_after_force),
		cmocka_unit_test(rest_after_error),
		cmocka_unit_test(rest_after_consent),
		cmocka_unit_test(random_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
