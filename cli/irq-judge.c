/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a vector reaches its guest, by what was seen to move. A host line that
 * counts was handled by the host: remapped, not posted. A line that stands
 * still is posted or silent, and from outside the guest the two look alike:
 * posted is claimed only where the host can post and the guest's own count is
 * known to rise, which nobody tells us here, so it stays unknown and the words
 * say where to look.
 */

#include "cli/irq.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

const char *irq_how_name(enum irq_how h)
{
	static const char *const name[] = {
		[IRQ_HOW_UNKNOWN] = "unknown",
		[IRQ_HOW_POSTED] = "posted",
		[IRQ_HOW_REMAPPED] = "remapped",
		[IRQ_HOW_UNREMAPPED] = "unremapped",
		[IRQ_HOW_EMULATED] = "emulated",
	};

	return (size_t)h < ARRAY_SIZE(name) ? name[h] : "unknown";
}

_printf_(3, 4) static void say(struct irq_verdict *v, enum irq_how how,
                               const char *fmt, ...)
{
	va_list ap;

	v->how = how;
	va_start(ap, fmt);
	vsnprintf(v->evidence, sizeof(v->evidence), fmt, ap);
	va_end(ap);
}

/* The host handles it: by what way did it come? */
static enum irq_how handled(const struct irq_facts *host)
{
	switch (host->remapping) {
	case IRQ_FACT_YES:
		return IRQ_HOW_REMAPPED;
	case IRQ_FACT_NO:
		return IRQ_HOW_UNREMAPPED;
	case IRQ_FACT_UNKNOWN:
		break;
	}
	return IRQ_HOW_UNKNOWN;
}

static void judge_still(const struct irq_row *r, const struct irq_facts *host,
                        double seconds, struct irq_verdict *v)
{
	if (host->posting != IRQ_FACT_NO)
		say(v, IRQ_HOW_UNKNOWN,
		    "the host's line stands still for %.1f s: posted, or "
		    "silent; compare with /proc/interrupts in the guest",
		    seconds);
	else if (!r->after)
		say(v, IRQ_HOW_UNKNOWN,
		    "nothing has moved yet; the host cannot post: %s",
		    host->posting_evidence);
	else
		say(v, handled(host),
		    "the host's line counted %" PRIu64 ", none in %.1f s; the "
		    "host cannot post: %s",
		    r->after, seconds, host->posting_evidence);
}

struct irq_verdict irq_judge(const struct irq_row *r,
                             const struct irq_facts *host, double seconds)
{
	struct irq_verdict v = { .rate = -1 };
	bool counted = r->found && r->found_again && r->after >= r->before;

	if (counted && seconds > 0)
		v.rate = (double)(r->after - r->before) / seconds;
	if (r->throttled)
		say(&v, IRQ_HOW_UNKNOWN,
		    "held back: it went above the guest's interrupt-limit");
	else if (!r->armed)
		say(&v, IRQ_HOW_UNKNOWN, "masked by the guest");
	else if (!counted)
		say(&v, IRQ_HOW_UNKNOWN, "no line of it in /proc/interrupts");
	else if (r->kind == IRQ_HOST_INTX)
		say(&v, IRQ_HOW_EMULATED,
		    "pin %d of KVM's IOAPIC; the host's line counts +%" PRIu64
		    " in %.1f s",
		    r->gsi, r->after - r->before, seconds);
	else if (r->after > r->before)
		say(&v, handled(host),
		    "the host's line counts +%" PRIu64 " in %.1f s",
		    r->after - r->before, seconds);
	else
		judge_still(r, host, seconds, &v);
	return v;
}
