/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who has which guest: a table in main, of which every worker sees the copy
 * of its birth. */

#include <stdio.h>
#include <string.h>

#include "netd/priv.h"

const struct lease *lease_find(const struct leases *all, const char *guest)
{
	for (size_t i = 0; i < LEASES_MAX; i++)
		if (*all->l[i].guest && !strcmp(all->l[i].guest, guest))
			return &all->l[i];
	return NULL;
}

const struct lease *lease_of_device(const struct leases *all, struct bdf b,
                                    size_t *ret_index)
{
	for (size_t i = 0; i < LEASES_MAX; i++)
		for (size_t k = 0; *all->l[i].guest && k < all->l[i].n; k++)
			if (bdf_equal(all->l[i].device[k].bdf, b)) {
				*ret_index = k;
				return &all->l[i];
			}
	return NULL;
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

struct lease *lease_add(struct leases *all, const json_t *reply, pid_t pid,
                        int64_t now)
{
	const json_t *devices = json_object_get(reply, "devices");
	const char *guest = text(json_object_get(reply, "guest"), "name");
	struct lease l = { .pid = pid, .since = now };

	l.n = json_array_size(devices);
	if (!*guest || strlen(guest) >= sizeof(l.guest) ||
	    l.n > ARRAY_SIZE(l.device) || lease_find(all, guest))
		return NULL;
	snprintf(l.guest, sizeof(l.guest), "%s", guest);
	for (size_t i = 0; i < l.n; i++) {
		const json_t *d = json_array_get(devices, i);

		snprintf(l.device[i].nic, sizeof(l.device[i].nic), "%s",
		         text(d, "name"));
		snprintf(l.device[i].on_fault, sizeof(l.device[i].on_fault),
		         "%s", text(d, "on_dma_fault"));
		if (bdf_parse(text(d, "bdf"), &l.device[i].bdf) < 0)
			return NULL;
	}
	for (size_t i = 0; i < LEASES_MAX; i++)
		if (!*all->l[i].guest) {
			all->l[i] = l;
			return &all->l[i];
		}
	return NULL;
}

void lease_end(struct leases *all, const char *guest)
{
	const struct lease *l = lease_find(all, guest);

	if (l && l->ending)
		memset(&all->l[l - all->l], 0, sizeof(*l));
}
