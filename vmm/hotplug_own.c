/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way out of a device of our own: hotplug_priv.h. */

#include <string.h>

#include "vmm/hotplug_priv.h"

#define NS_PER_MS 1000000ull
/* So long nothing has been asked for; or it is somebody who does not give up.
 */
#define FAILING_MS 250u
#define FAILING_MAX_MS 2000u
/* Linux switches the power off when its driver has let go, and the indicator a
 * second later. All of it is less than what netd allows (SETTLE_MS). */
#define LINGER_MS 5000u
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

/* ---- asked over the control socket --------------------------------------- */

static int not_now(const char *name, const char *why, struct diag *d)
{
	diag_fail(d, -EBUSY, FL_VMM_HOTPLUG, "%s", name);
	diag_why(d, "%s", why);
	diag_mend(d, "wait, then try again");
	return -EBUSY;
}

int hotplug_plug(struct hotplug *h, struct plug *p, struct diag *d)
{
	struct conn_order o = { .verb = CONN_ATTACH,
		                .iommu_fd = -1,
		                .own = *p };
	int r;

	p->kind = PLUG_NONE;
	if (!h)
		r = not_now(o.own.name, "the guest is just starting", d);
	else if (slot_free_at(&h->bay[o.own.slot].slot) > now_ns())
		r = not_now(o.own.name,
		            "its slot has a device, or had until just now", d);
	else
		r = hotplug_add(h, &o, "control", d);
	conn_order_close(&o);
	return r;
}

int hotplug_unplug(struct hotplug *h, const char *name, uint64_t ms,
                   struct diag *d)
{
	uint8_t slot = h ? hotplug_find(h->vm, name) : 0;
	int r = h ? hotplug_may_go(h, name, slot, d)
	          : not_now(name, "the guest is just starting", d);

	if (r < 0)
		return r;
	hotplug_act(h, slot,
	            slot_ask(&h->bay[slot].slot, SLOT_CONTROL, now_ns(),
	                     hotplug_guest_runs(h) ? ms : 0));
	return 0;
}

/* ---- the steps ----------------------------------------------------------- */

static void step(struct bay *b, enum own_step to, uint64_t now, unsigned end)
{
	b->step = to;
	b->least_ns = now + FAILING_MS * NS_PER_MS;
	b->due_ns = now + LOOK_MS * NS_PER_MS;
	b->end_ns = now + end * NS_PER_MS;
}

static void drain(struct hotplug *h, uint8_t slot, uint64_t now)
{
	struct bay *b = &h->bay[slot];

	pci_host_remove(h->vm->pci, slot);
	step(b, OWN_DRAIN, now, 0);
	b->due_ns = now;
}

void hotplug_own_go(struct hotplug *h, uint8_t slot)
{
	struct bay *b = &h->bay[slot];
	uint64_t now = now_ns();

	(void)own_leave(h->vm, slot);
	if (b->slot.forced && hotplug_guest_runs(h))
		step(b, OWN_FAILING, now, FAILING_MAX_MS);
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

	if (own_leave(h->vm, slot) != OWN_QUIET)
		b->least_ns = now + FAILING_MS * NS_PER_MS;
	if (now >= MIN(b->least_ns, b->end_ns)) {
		pci_host_remove(h->vm->pci, slot);
		step(b, OWN_LINGER, now, LINGER_MS);
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
		if (own_leave(h->vm, slot) != OWN_BUSY)
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
