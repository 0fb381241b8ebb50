/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions that the kernel resets by itself: on an error that PCIe reports
 * (AER) it stops the function's driver, resets what is behind the port where
 * the driver wants that or the error is fatal, and goes on. It says so in
 * uevents of the function, whose words are pci_uevent_ers()'s
 * (drivers/pci/pci-driver.c). Nothing else counts them: sysfs' aer_dev_* counts
 * errors, not what became of them.
 */

#include <string.h>

#include "netd/events.h"
#include "netd/metrics.h"

static const struct {
	const char *said, *name;
} events[] = {
	{ "BEGIN_RECOVERY", "begun" },
	{ "SUCCESSFUL_RECOVERY", "done" },
	{ "FAILED_RECOVERY", "failed" },
};

bool recoveries_uevent(const char *msg, size_t len, struct recovery_count *ret)
{
	struct recovery_count c = { .count = 1 };
	const char *said;

	if (!len || msg[len - 1] ||
	    strcmp(event_value(msg, len, "SUBSYSTEM"), "pci") != 0 ||
	    bdf_parse(event_value(msg, len, "PCI_SLOT_NAME"), &c.bdf))
		return false;
	said = event_value(msg, len, "ERROR_EVENT");
	while (c.event < ARRAY_SIZE(events) &&
	       strcmp(said, events[c.event].said) != 0)
		c.event++;
	if (c.event == ARRAY_SIZE(events))
		return false;
	*ret = c;
	return true;
}

void recoveries_note(struct recoveries *all, const struct recovery_count *c)
{
	for (size_t i = 0; i < all->n; i++)
		if (bdf_equal(all->r[i].bdf, c->bdf) &&
		    all->r[i].event == c->event) {
			all->r[i].count += c->count;
			return;
		}
	if (all->n < ARRAY_SIZE(all->r))
		all->r[all->n++] = *c;
}

json_t *recoveries_json(const struct recoveries *all)
{
	json_t *list = json_array();
	char b[BDF_STRLEN];

	for (size_t i = 0; i < all->n; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:I}", "bdf",
		                        bdf_format(all->r[i].bdf, b), "event",
		                        events[all->r[i].event].name, "count",
		                        (json_int_t)all->r[i].count));
	return list;
}
