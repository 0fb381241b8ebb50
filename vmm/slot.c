/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decisions about a slot: slot.h. What a guest can cause here is slot_eject()
 * only, which it may call as often as it likes: in any phase it ends what is
 * under way and begins nothing.
 */

#include "vmm/slot.h"

#include "base/base.h"

#define NS_PER_MS 1000000ull

const char *slot_phase_name(enum slot_phase p)
{
	static const char *const name[] = {
		[SLOT_EMPTY] = "empty",
		[SLOT_ON] = "on",
		[SLOT_ASKED] = "asked",
		[SLOT_AWAY] = "away",
	};

	return (unsigned)p < ARRAY_SIZE(name) ? name[p] : "unknown";
}

static unsigned leave(struct slot *s, enum slot_why why, bool forced,
                      uint64_t rest_ns)
{
	unsigned hide = s->phase == SLOT_AWAY ? 0 : SLOT_HIDE;

	s->phase = SLOT_EMPTY;
	s->why = why;
	s->forced = forced;
	s->due_ns = 0;
	s->rest_ns = rest_ns;
	return hide | SLOT_RELEASE;
}

unsigned slot_put(struct slot *s)
{
	*s = (struct slot){ .phase = SLOT_ON };
	return SLOT_SHOW;
}

static uint64_t later(uint64_t now_ns, uint64_t ms)
{
	uint64_t at;

	if (__builtin_mul_overflow(ms, NS_PER_MS, &at) ||
	    __builtin_add_overflow(at, now_ns, &at))
		return UINT64_MAX - 1;
	return at;
}

unsigned slot_ask(struct slot *s, enum slot_why why, uint64_t now_ns,
                  uint64_t ms)
{
	uint64_t due = later(now_ns, ms);

	switch (s->phase) {
	case SLOT_EMPTY:
		return 0;
	case SLOT_AWAY:
		/* The guest has nothing that it could be asked for. */
		return leave(s, why, false, s->due_ns);
	case SLOT_ASKED:
		s->due_ns = MIN(s->due_ns, due);
		if (why == SLOT_HOST)
			s->why = why;
		break;
	case SLOT_ON:
		s->phase = SLOT_ASKED;
		s->why = why;
		s->due_ns = due;
		if (ms)
			return SLOT_PRESS;
		break;
	}
	return slot_tick(s, now_ns);
}

unsigned slot_eject(struct slot *s, uint64_t now_ns)
{
	uint64_t calm = now_ns + SLOT_CALM_NS;

	switch (s->phase) {
	case SLOT_ON:
		return leave(s, SLOT_GUEST, false, calm);
	case SLOT_ASKED:
		return leave(s, s->why, false, calm);
	case SLOT_AWAY:
		s->due_ns = calm;
		return SLOT_CHECK;
	case SLOT_EMPTY:
		/* It may toggle for ever: that does not lengthen the rest. */
		s->rest_ns = MIN(s->rest_ns, calm);
		break;
	}
	return 0;
}

/* Is this one too many? */
static bool count_error(struct slot *s, uint64_t now_ns)
{
	unsigned recent = 0, oldest = 0;

	for (unsigned i = 0; i < SLOT_ERRORS_MAX; i++)
		if (s->error_ns[i] < s->error_ns[oldest])
			oldest = i;
	s->error_ns[oldest] = MAX(now_ns, 1ull);
	for (unsigned i = 0; i < SLOT_ERRORS_MAX; i++)
		recent += s->error_ns[i] &&
		          s->error_ns[i] + SLOT_ERRORS_NS > now_ns;
	return recent >= SLOT_ERRORS_MAX;
}

unsigned slot_error(struct slot *s, uint64_t now_ns)
{
	switch (s->phase) {
	case SLOT_EMPTY:
	case SLOT_AWAY:
		/* The same error, told by another function or twice. */
		return 0;
	case SLOT_ASKED:
		return leave(s, s->why, true, now_ns + SLOT_OFFER_NS);
	case SLOT_ON:
		break;
	}
	if (count_error(s, now_ns))
		return leave(s, SLOT_ERROR, true, now_ns + SLOT_OFFER_NS);
	s->phase = SLOT_AWAY;
	s->due_ns = now_ns + SLOT_OFFER_NS;
	return SLOT_HIDE | SLOT_QUIET;
}

unsigned slot_checked(struct slot *s, bool good)
{
	if (s->phase != SLOT_AWAY)
		return 0;
	if (!good)
		return leave(s, SLOT_ERROR, true, s->due_ns);
	s->phase = SLOT_ON;
	s->due_ns = 0;
	return SLOT_SHOW;
}

static unsigned give_up(struct slot *s, uint64_t rest_ns)
{
	if (s->phase == SLOT_ASKED)
		return leave(s, s->why, true, rest_ns);
	return s->phase == SLOT_AWAY ? SLOT_CHECK : 0;
}

unsigned slot_dead(struct slot *s)
{
	s->rest_ns = 0;
	if (s->phase == SLOT_AWAY)
		s->due_ns = 0;
	return give_up(s, 0);
}

unsigned slot_tick(struct slot *s, uint64_t now_ns)
{
	return now_ns >= slot_due(s) ? give_up(s, now_ns + SLOT_OFFER_NS) : 0;
}

uint64_t slot_free_at(const struct slot *s)
{
	return s->phase == SLOT_EMPTY ? s->rest_ns : UINT64_MAX;
}

uint64_t slot_due(const struct slot *s)
{
	return s->phase == SLOT_ASKED || s->phase == SLOT_AWAY ? s->due_ns
	                                                       : UINT64_MAX;
}
