/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who has which guest: a table in main, of which every worker sees the copy
 * of its birth. */

#include <stdio.h>
#include <string.h>

#include "netd/priv.h"

const struct lease *lease_find(const struct leases *all, const char *guest)
{
	for (size_t i = 0; i < all->used; i++)
		if (*all->l[i].guest && !strcmp(all->l[i].guest, guest))
			return &all->l[i];
	return NULL;
}

const struct lease *lease_of_device(const struct leases *all, struct bdf b,
                                    size_t *ret_index)
{
	for (size_t i = 0; i < all->used; i++)
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

static int add_own(struct lease *l, const char *kind, const char *name,
                   const char *what, const json_t *o)
{
	struct lease_own *own = &l->own[l->n_own];

	if (!o)
		return 0;
	if (l->n_own == LEASE_OWN_MAX)
		return -E2BIG;
	l->n_own++;
	*own = (struct lease_own){ 0 };
	snprintf(own->kind, sizeof(own->kind), "%s", kind);
	snprintf(own->name, sizeof(own->name), "%s", name);
	snprintf(own->what, sizeof(own->what), "%s", what);
	own->slot = (uint8_t)json_integer_value(json_object_get(o, "slot"));
	return 0;
}

static int add_owns(struct lease *l, const json_t *reply)
{
	static const struct {
		const char *key, *kind, *what;
	} list[] = {
		{ "disks", "disk", "path" },
		{ "nics", "nic", "tap" },
	}, one[] = {
		{ "vsock", "vsock", NULL },
		{ "vconsole", "console", NULL },
		{ "watchdog", "watchdog", NULL },
		{ "rng", "rng", NULL },
	};
	const json_t *o;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		const json_t *all = json_object_get(reply, list[i].key);

		for (size_t k = 0; r == 0 && k < json_array_size(all); k++) {
			o = json_array_get(all, k);
			r = add_own(l, list[i].kind, text(o, "name"),
			            text(o, list[i].what), o);
		}
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(one); i++)
		r = add_own(l, one[i].kind, one[i].kind, "",
		            json_object_get(reply, one[i].key));
	return r;
}

int lease_more(struct lease *l, const json_t *reply)
{
	const json_t *devices = json_object_get(reply, "devices");
	size_t n = json_array_size(devices);
	struct lease more = *l;

	if (n > ARRAY_SIZE(l->device) - l->n)
		return -E2BIG;
	for (size_t i = 0; i < n; i++) {
		const json_t *d = json_array_get(devices, i);
		size_t at = more.n++;

		snprintf(more.device[at].name, sizeof(more.device[at].name),
		         "%s", text(d, "name"));
		snprintf(more.device[at].on_fault,
		         sizeof(more.device[at].on_fault), "%s",
		         text(d, "on_dma_fault"));
		more.device[at].slot =
			(uint8_t)json_integer_value(json_object_get(d, "slot"));
		if (bdf_parse(text(d, "bdf"), &more.device[at].bdf) < 0)
			return -EBADMSG;
	}
	if (add_owns(&more, reply) < 0)
		return -E2BIG;
	*l = more;
	return 0;
}

void lease_backend(struct lease *l, const json_t *reply)
{
	if (!*l->backend)
		snprintf(l->backend, sizeof(l->backend), "%s",
		         text(reply, "backend"));
}

/* As the VMM makes them: one for each slot that is in use, and the spare ones
 * at the lowest numbers that are left. */
static uint32_t ports_of(const struct lease *l, const json_t *reply)
{
	json_int_t spare = json_integer_value(json_object_get(
		json_object_get(reply, "guest"), "spare_slots"));
	uint32_t ports = 0;

	for (size_t i = 0; i < l->n; i++)
		ports |= BIT(l->device[i].slot);
	for (size_t i = 0; i < l->n_own; i++)
		ports |= BIT(l->own[i].slot);
	for (unsigned s = 1; s <= POL_SLOTS && spare > 0; s++)
		if (!(ports & BIT(s))) {
			ports |= BIT(s);
			spare--;
		}
	return ports;
}

struct lease *lease_add(struct leases *all, const json_t *reply, pid_t pid,
                        int64_t now)
{
	const char *guest = text(json_object_get(reply, "guest"), "name");
	struct lease l = { .pid = pid, .since = now };

	if (!*guest || strlen(guest) >= sizeof(l.guest) ||
	    lease_find(all, guest) || lease_more(&l, reply) < 0)
		return NULL;
	l.ports = ports_of(&l, reply);
	snprintf(l.guest, sizeof(l.guest), "%s", guest);
	lease_backend(&l, reply);
	for (size_t i = 0; i < LEASES_MAX; i++)
		if (!*all->l[i].guest) {
			all->l[i] = l;
			all->used = MAX(all->used, i + 1);
			return &all->l[i];
		}
	return NULL;
}

/* Companions are called DEVICE:F. */
static bool is_of(const char *name, const char *device)
{
	size_t n = strlen(device);

	return !strncmp(name, device, n) && (!name[n] || name[n] == ':');
}

bool lease_has_own(const struct lease *l, const char *device)
{
	for (size_t i = 0; i < l->n_own; i++)
		if (!strcmp(l->own[i].name, device))
			return true;
	return false;
}

bool lease_has(const struct lease *l, const char *device)
{
	if (lease_has_own(l, device))
		return true;
	for (size_t i = 0; i < l->n; i++)
		if (is_of(l->device[i].name, device))
			return true;
	return false;
}

void lease_less(struct lease *l, const char *device)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		if (!is_of(l->device[i].name, device))
			l->device[n++] = l->device[i];
	l->n = n;
	n = 0;
	for (size_t i = 0; i < l->n_own; i++)
		if (strcmp(l->own[i].name, device) != 0)
			l->own[n++] = l->own[i];
	l->n_own = n;
}

int lease_none(const char *guest, struct diag *d)
{
	diag_fail(d, -ENOENT, FL_NETD_NOT_RUNNING, "guest %s does not run",
	          guest);
	diag_why(d, "no process has a lease of it from this fairlead-netd; one "
	            "that ran when fairlead-netd was restarted keeps its "
	            "devices until it ends, and cannot be asked");
	diag_mend(d,
	          "fairlead run %s; `fairlead status` shows who holds its "
	          "devices",
	          guest);
	return -ENOENT;
}

void lease_end(struct leases *all, const char *guest)
{
	const struct lease *l = lease_find(all, guest);

	if (l && l->ending)
		memset(&all->l[l - all->l], 0, sizeof(*l));
}
