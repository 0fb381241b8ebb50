/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices that come and go while the guest runs: hotplug.h. What netd orders is
 * in hotplug_orders.c. */

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/control.h"
#include "vmm/hotplug_priv.h"

#define NS_PER_MS 1000000ull

int hotplug_new(struct vm *vm, struct hotplug **ret)
{
	struct hotplug *h = calloc(1, sizeof(*h));

	if (!h || conn_new(vm->cfg.conn_fd, &h->conn) < 0) {
		free(h);
		return -ENOMEM;
	}
	h->vm = vm;
	/* The ports were made with them in place: nothing is to be shown. */
	for (unsigned i = 0; i < vm->cfg.n_devices; i++)
		(void)slot_put(&h->bay[vm->cfg.device[i].slot].slot);
	for (uint8_t i = 1; i <= VM_SLOTS_MAX; i++)
		if (own_has(vm, i))
			(void)slot_put(&h->bay[i].slot);
	*ret = h;
	return 0;
}

void hotplug_free(struct hotplug *h)
{
	if (!h)
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(h->bay); i++)
		if (h->bay[i].next) {
			conn_order_close(h->bay[i].next);
			free(h->bay[i].next);
		}
	conn_free(h->conn);
	free(h);
}

struct conn *hotplug_conn(struct hotplug *h)
{
	return h->conn;
}

struct hotplug_stats hotplug_stats(const struct hotplug *h)
{
	return h->stats;
}

enum slot_phase hotplug_phase(const struct hotplug *h, uint8_t slot)
{
	return slot <= VM_SLOTS_MAX ? h->bay[slot].slot.phase : SLOT_EMPTY;
}

/* ---- the functions of a slot --------------------------------------------- */

/* The next index of cfg.device from `i` on that is in the slot and held. */
bool hotplug_next_in(const struct vm *vm, uint8_t slot, unsigned *i)
{
	for (; *i < vm->cfg.n_devices; ++*i)
		if (vm->cfg.device[*i].slot == slot &&
		    vm->cfg.device[*i].fd >= 0)
			return true;
	return false;
}

/* Their names, for people: "wan (0000:01:10.0)", and how many more. */
const char *hotplug_who(const struct vm *vm, uint8_t slot, char *buf,
                        size_t size)
{
	const struct vm_device *first = NULL;
	const char *own = own_name_at(vm, slot);
	unsigned n = 0;

	for (unsigned i = 0; hotplug_next_in(vm, slot, &i); i++, n++)
		if (!first || vm->cfg.device[i].function < first->function)
			first = &vm->cfg.device[i];
	if (own)
		snprintf(buf, size, "%s", own);
	else if (!first)
		snprintf(buf, size, "what was in slot %u", slot);
	else if (n == 1)
		snprintf(buf, size, "%s (%s)", first->name, first->bdf);
	else
		snprintf(buf, size, "%s (%s) and %u more functions",
		         first->name, first->bdf, n - 1);
	return buf;
}

void hotplug_gone(struct hotplug *h, uint8_t slot, const char *name)
{
	static const char *const reason[] = {
		[SLOT_NETD] = "netd",       [SLOT_HOST] = "host",
		[SLOT_GUEST] = "guest",     [SLOT_ERROR] = "error",
		[SLOT_CONTROL] = "control",
	};
	const struct bay *b = &h->bay[slot];

	h->stats.removes++;
	h->stats.forced += b->slot.forced;
	control_device(h->vm->control, "device-gone", name,
	               reason[b->slot.why]);
	if (!b->owed)
		conn_gone(h->conn, name, reason[b->slot.why]);
}

void hotplug_settle(struct hotplug *h, uint8_t slot)
{
	struct bay *b = &h->bay[slot];

	if (b->owed)
		conn_done(h->conn, b->id, b->slot.forced);
	b->owed = false;
}

static void release(struct hotplug *h, uint8_t slot)
{
	char name[VM_NAME];

	for (unsigned i = 0; hotplug_next_in(h->vm, slot, &i); i++) {
		memcpy(name, h->vm->cfg.device[i].name, sizeof(name));
		assign_release(h->vm, i);
		hotplug_gone(h, slot, name);
	}
	hotplug_settle(h, slot);
}

/* What each error was has been told as it came. */
static void tell_lost(struct hotplug *h, uint8_t slot)
{
	const struct vm_device *first = NULL;
	char name[DIAG_LINE];
	struct diag d;

	for (unsigned i = 0; !first && hotplug_next_in(h->vm, slot, &i); i++)
		first = &h->vm->cfg.device[i];
	diag_fail(&d, -EIO, FL_VMM_DEVICE, "give %.100s back to the guest",
	          hotplug_who(h->vm, slot, name, sizeof(name)));
	diag_why(&d,
	         "it met %d errors within ten minutes, or its reset did "
	         "not help; the guest goes on without it",
	         SLOT_ERRORS_MAX);
	diag_mend(&d, "dmesg; fairlead doctor %s; then fairlead attach",
	          first ? first->bdf : "");
	loop_say_diag(&d);
}

static void tell_release(struct hotplug *h, uint8_t slot)
{
	static const char *const how[] = {
		[SLOT_NETD] = "was detached",
		[SLOT_HOST] = "goes back to the host, which wants it",
		[SLOT_GUEST] = "was ejected by the guest",
		[SLOT_CONTROL] = "was detached",
	};
	const struct slot *s = &h->bay[slot].slot;
	char text[3 * DIAG_LINE], name[DIAG_LINE];

	if (s->why == SLOT_ERROR) {
		tell_lost(h, slot);
		return;
	}
	snprintf(text, sizeof(text), "%s %s%s; the guest goes on",
	         hotplug_who(h->vm, slot, name, sizeof(name)), how[s->why],
	         s->forced ? ", without the guest's consent" : "");
	loop_say(text);
}

/* What it told of an error was told before it was reset. */
static bool check(struct hotplug *h, uint8_t slot)
{
	struct diag d;
	bool good = true;

	assign_bus_reset(h->vm, slot);
	for (unsigned i = 0; hotplug_next_in(h->vm, slot, &i); i++) {
		struct vfio_dev *v = assign_device(h->vm, i);

		if (!v || vfio_dev_check(v, &d) == 0)
			continue;
		loop_say_diag(&d);
		good = false;
	}
	return good;
}

void hotplug_act(struct hotplug *h, uint8_t slot, unsigned acts)
{
	struct slot *s = &h->bay[slot].slot;
	struct pci_host *pci = h->vm->pci;

	if (acts & SLOT_CHECK)
		acts = slot_checked(s, check(h, slot));
	if (acts & SLOT_PRESS)
		pci_host_press(pci, slot);
	if (acts & SLOT_RELEASE)
		tell_release(h, slot);
	if (acts & SLOT_RELEASE && own_has(h->vm, slot)) {
		hotplug_own_go(h, slot);
		return;
	}
	if (acts & SLOT_HIDE)
		pci_host_remove(pci, slot);
	if (acts & SLOT_QUIET)
		assign_bus_reset(h->vm, slot);
	if (acts & SLOT_RELEASE)
		release(h, slot);
	if (acts & SLOT_SHOW)
		pci_host_insert(pci, slot);
}

/* ---- the guest's part ---------------------------------------------------- */

static void order_of_guest(struct vm *vm, _Atomic uint32_t *set, uint8_t slot)
{
	atomic_fetch_or(set, BIT(slot));
	/* It fails when the count is full: the loop is awake then. */
	(void)!eventfd_write(vm->event_fd, 1);
}

void hotplug_eject(struct vm *vm, uint8_t slot)
{
	if (vm->hotplug && slot <= VM_SLOTS_MAX)
		order_of_guest(vm, &vm->hotplug->ejected, slot);
}

void hotplug_dark(struct vm *vm, uint8_t slot)
{
	if (vm->hotplug && slot <= VM_SLOTS_MAX)
		order_of_guest(vm, &vm->hotplug->dark, slot);
}

/* The guest could switch without end: netd hears of the first time. */
static void tell_dark(struct hotplug *h, uint8_t slot)
{
	struct bay *b = &h->bay[slot];
	unsigned i = 0;

	if (b->told_dark || !hotplug_next_in(h->vm, slot, &i))
		return;
	b->told_dark = true;
	conn_dark(h->conn, h->vm->cfg.device[i].name);
}

/* What has waited for the slot, if that has rested. */
static void serve_next(struct hotplug *h, struct bay *b, uint64_t now)
{
	struct conn_order *o = b->next;

	if (!o || slot_free_at(&b->slot) > now)
		return;
	b->next = NULL;
	hotplug_attach_now(h, o);
	conn_order_close(o);
	free(o);
}

void hotplug_serve(struct hotplug *h)
{
	uint32_t ejected = atomic_exchange(&h->ejected, 0);
	uint32_t dark = atomic_exchange(&h->dark, 0);
	uint64_t now = now_ns();

	for (uint8_t i = 1; i <= VM_SLOTS_MAX; i++) {
		struct slot *s = &h->bay[i].slot;

		if (dark & BIT(i))
			tell_dark(h, i);
		if (ejected & BIT(i)) {
			hotplug_act(h, i, slot_eject(s, now));
			hotplug_own_ejected(h, i);
		}
		hotplug_act(h, i, slot_tick(s, now));
		hotplug_own_serve(h, i, now);
		serve_next(h, &h->bay[i], now);
	}
}

int hotplug_wait_ms(const struct hotplug *h)
{
	uint64_t due = UINT64_MAX, now = now_ns();

	for (unsigned i = 1; i <= VM_SLOTS_MAX; i++) {
		const struct bay *b = &h->bay[i];

		due = MIN(due, slot_due(&b->slot));
		due = MIN(due, hotplug_own_due(b));
		if (b->next)
			due = MIN(due, slot_free_at(&b->slot));
	}
	if (due == UINT64_MAX)
		return -1;
	if (due <= now)
		return 0;
	/* Upwards, or the loop would spin through the last millisecond. */
	return (int)MIN((due - now + NS_PER_MS - 1) / NS_PER_MS,
	                (uint64_t)INT32_MAX);
}

void hotplug_guest_dead(struct hotplug *h)
{
	/* What the guest that was had ordered. */
	hotplug_serve(h);
	for (uint8_t i = 1; i <= VM_SLOTS_MAX; i++) {
		hotplug_act(h, i, slot_dead(&h->bay[i].slot));
		hotplug_own_ejected(h, i);
		hotplug_own_serve(h, i, now_ns());
	}
}

/* ---- the host's part ----------------------------------------------------- */

/* A guest that does not run cannot answer. */
uint64_t hotplug_patience(const struct hotplug *h, uint64_t ms)
{
	return hotplug_guest_runs(h) ? ms : 0;
}

void hotplug_request(struct hotplug *h, unsigned i)
{
	uint8_t slot = h->vm->cfg.device[i].slot;
	struct slot *s = &h->bay[slot].slot;
	char text[2 * DIAG_LINE], name[DIAG_LINE];

	h->stats.requests++;
	snprintf(text, sizeof(text),
	         "the host wants %s back; the guest is asked, for %u s at most",
	         hotplug_who(h->vm, slot, name, sizeof(name)),
	         HOTPLUG_REQUEST_MS / 1000);
	if (s->phase == SLOT_ON)
		loop_say(text);
	hotplug_act(h, slot,
	            slot_ask(s, SLOT_HOST, now_ns(),
	                     hotplug_patience(h, HOTPLUG_REQUEST_MS)));
}

void hotplug_stop(struct hotplug *h, uint8_t slot, const char *why)
{
	struct slot *s = &h->bay[slot].slot;
	char text[2 * DIAG_LINE], name[DIAG_LINE];

	if (s->phase == SLOT_ON) {
		snprintf(text, sizeof(text),
		         "%s %s: the guest loses it, and has it again once it "
		         "has been reset and found well",
		         hotplug_who(h->vm, slot, name, sizeof(name)), why);
		loop_say(text);
	}
	hotplug_act(h, slot, slot_error(s, now_ns()));
}

void hotplug_error(struct hotplug *h, unsigned i)
{
	h->stats.errors++;
	hotplug_stop(h, h->vm->cfg.device[i].slot, "met an error");
}
