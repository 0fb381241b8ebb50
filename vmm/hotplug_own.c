/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way out of a device of our own: hotplug_priv.h. */

#include <string.h>

#include "vmm/hotplug_priv.h"

#define NS_PER_MS 1000000ull
/* Requests that came before the driver knows find an answer. */
#define FAILING_MS 100u
#define FAILING_MAX_MS 1000u
/* Linux switches the power off, and the indicator a second later. All of it is
 * less than what netd allows (SETTLE_MS). */
#define LINGER_MS 2500u
#define LOOK_MS 10u

int hotplug_own_fixed(const char *name, struct diag *d)
{
	diag_fail(d, -EOPNOTSUPP, FL_VMM_FIXED, "detach %s", name);
	diag_why(d, "it stays as long as the guest: of what this was started "
	            "with, disks and NICs can go, but standbys, where there "
	            "are slots for hot plug");
	diag_mend(d, "take it out of the policy, or write hotplug-slots: 1 "
	             "there; then start the guest anew");
	return -EOPNOTSUPP;
}

static void step(struct bay *b, enum own_step to, uint64_t now, unsigned least,
                 unsigned end)
{
	b->step = to;
	b->least_ns = now + least * NS_PER_MS;
	b->due_ns = now + LOOK_MS * NS_PER_MS;
	b->end_ns = now + end * NS_PER_MS;
}

static void drain(struct hotplug *h, uint8_t slot, uint64_t now)
{
	struct bay *b = &h->bay[slot];

	pci_host_remove(h->vm->pci, slot);
	step(b, OWN_DRAIN, now, 0, 0);
	b->due_ns = now;
}

void hotplug_own_go(struct hotplug *h, uint8_t slot)
{
	struct bay *b = &h->bay[slot];
	uint64_t now = now_ns();

	(void)own_leave(h->vm, slot);
	if (b->slot.forced && hotplug_guest_runs(h))
		step(b, OWN_FAILING, now, FAILING_MS, FAILING_MAX_MS);
	else
		drain(h, slot, now);
}

void hotplug_own_ejected(struct hotplug *h, uint8_t slot)
{
	const struct bay *b = &h->bay[slot];

	if (b->step == OWN_FAILING || b->step == OWN_LINGER)
		drain(h, slot, now_ns());
}

static void failing(struct hotplug *h, uint8_t slot, uint64_t now)
{
	struct bay *b = &h->bay[slot];
	bool idle = own_leave(h->vm, slot);

	if ((idle && now >= b->least_ns) || now >= b->end_ns) {
		pci_host_remove(h->vm->pci, slot);
		step(b, OWN_LINGER, now, 0, LINGER_MS);
		b->due_ns = b->end_ns;
	}
}

static void end(struct hotplug *h, uint8_t slot)
{
	char name[VM_NAME];

	memcpy(name, own_name_at(h->vm, slot), sizeof(name));
	plug_remove(h->vm, slot);
	h->bay[slot].step = OWN_STAYS;
	hotplug_gone(h, slot, name);
	hotplug_settle(h, slot);
}

void hotplug_own_serve(struct hotplug *h, uint8_t slot, uint64_t now)
{
	struct bay *b = &h->bay[slot];

	if (now < hotplug_own_due(b))
		return;
	b->due_ns = now + LOOK_MS * NS_PER_MS;
	switch (b->step) {
	case OWN_FAILING:
		failing(h, slot, now);
		break;
	case OWN_LINGER:
		drain(h, slot, now);
		break;
	case OWN_DRAIN:
		if (own_leave(h->vm, slot))
			end(h, slot);
		break;
	case OWN_STAYS:
		break;
	}
}

uint64_t hotplug_own_due(const struct bay *b)
{
	return b->step == OWN_STAYS ? UINT64_MAX : b->due_ns;
}
