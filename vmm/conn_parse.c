/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netd's orders, read strictly: a descriptor taken for another would be handed
 * to a guest.
 */

#include <stdio.h>
#include <string.h>

#include "vmm/conn.h"
#include "vmm/lease.h"

#define DEADLINE_MAX_MS 3600000u

static int refuse(struct diag *d, const char *why)
{
	diag_fail(d, -EBADMSG, FL_VMM_CONN, "an order of netd");
	diag_why(d, "%s", why);
	diag_mend(d, "restart the guest: netd and its VMM differ in version");
	return -EBADMSG;
}

void conn_order_close(struct conn_order *o)
{
	for (unsigned i = 0; i < o->n; i++) {
		close_fd(&o->device[i].fd);
		close_fd(&o->device[i].rom_fd);
	}
	close_fd(&o->iommu_fd);
	plug_close(&o->own);
}

static enum conn_verb verb_of(const json_t *msg)
{
	static const struct {
		const char *name;
		enum conn_verb verb;
	} verbs[] = {
		{ "attach", CONN_ATTACH },
		{ "detach", CONN_DETACH },
		{ "query", CONN_QUERY },
		{ "dma-fault", CONN_FAULT },
	};
	const char *s = json_string_value(json_object_get(msg, "event"));

	for (size_t i = 0; s && i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(s, verbs[i].name))
			return verbs[i].verb;
	return CONN_NOTHING;
}

static int take_devices(const json_t *msg, struct conn_order *o)
{
	const json_t *list = json_object_get(msg, "devices");
	size_t n = json_array_size(list);

	if (n == 0 || n > VM_FUNCTIONS_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		int r = lease_device(json_array_get(list, i), &o->device[i]);

		if (r < 0)
			return r;
		o->n = (unsigned)i + 1;
		if (o->device[i].slot != o->device[0].slot)
			return -EBADMSG;
	}
	return 0;
}

/* Each descriptor that has found its place is -1 in `fds`. */
static int place_fds(const json_t *msg, int *fds, size_t n,
                     struct conn_order *o)
{
	const json_t *list = json_object_get(msg, "fds");

	if (json_array_size(list) != n)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		const char *s = json_string_value(json_array_get(list, i));
		int *at = NULL;

		if (s && !strcmp(s, "iommu"))
			at = &o->iommu_fd;
		else if (s)
			at = lease_device_fd(o->device, o->n, s);
		if (!at || *at >= 0)
			return -EBADMSG;
		*at = TAKE_FD(fds[i]);
	}
	return lease_devices_fit(o->device, o->n) ? 0 : -EBADMSG;
}

static int take_attach(const json_t *msg, int *fds, size_t n,
                       struct conn_order *o, struct diag *d)
{
	if (!json_object_get(msg, "devices")) {
		if (plug_parse(msg, fds, n, &o->own) == 0 && o->own.kind)
			return 0;
		return refuse(d, "\"attach\" needs \"devices\", or one disk, "
		                 "NIC, vsock or rng, with its \"fds\"");
	}
	if (take_devices(msg, o) < 0)
		return refuse(d, "\"devices\" are one slot's, from 1 to 8, "
		                 "with a name, a bdf and a slot each");
	if (place_fds(msg, fds, n, o) < 0)
		return refuse(d, "\"fds\" do not fit \"devices\"");
	if (o->iommu_fd >= 0 && lease_backend(msg, &o->backend) < 0)
		return refuse(d, "\"backend\" is neither iommufd nor group");
	return 0;
}

static int take_detach(const json_t *msg, struct conn_order *o, struct diag *d)
{
	if (lease_name(msg, "device", o->name, sizeof(o->name)) < 0 ||
	    lease_number(msg, "deadline_ms", DEADLINE_MAX_MS, UINT64_MAX,
	                 &o->deadline_ms) < 0)
		return refuse(d, "\"detach\" needs a device and a deadline_ms "
		                 "of an hour at most");
	return 0;
}

static int take_fault(const json_t *msg, struct conn_order *o, struct diag *d)
{
	static const char *const actions[] = {
		[CONN_STOP] = "stop",
		[CONN_RESET] = "reset",
		[CONN_GO_ON] = "go-on",
	};
	const char *s = json_string_value(json_object_get(msg, "action"));
	unsigned i = 0;

	while (s && i < ARRAY_SIZE(actions) && strcmp(s, actions[i]) != 0)
		i++;
	if (!s || i == ARRAY_SIZE(actions) ||
	    lease_name(msg, "device", o->name, sizeof(o->name)) < 0)
		return refuse(d, "\"dma-fault\" needs a device and an action: "
		                 "stop, reset or go-on");
	o->action = (enum conn_action)i;
	s = json_string_value(json_object_get(msg, "text"));
	snprintf(o->text, sizeof(o->text), "%s", s ? s : "");
	/* It goes to a terminal. */
	for (char *p = o->text; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	return 0;
}

static int take(const json_t *msg, int *fds, size_t n, struct conn_order *o,
                struct diag *d)
{
	o->verb = verb_of(msg);
	/* A fault is told, not asked: it needs no answer. */
	if (lease_number(msg, "id", INT64_MAX, 0, &o->id) < 0 ||
	    (!json_object_get(msg, "id") && o->verb != CONN_FAULT &&
	     o->verb != CONN_NOTHING))
		return refuse(d, "\"id\" is a number from 0 on");
	switch (o->verb) {
	case CONN_ATTACH:
		return take_attach(msg, fds, n, o, d);
	case CONN_DETACH:
		return take_detach(msg, o, d);
	case CONN_FAULT:
		return take_fault(msg, o, d);
	case CONN_QUERY:
	case CONN_NOTHING:
		break;
	}
	return 0;
}

int conn_parse(const char *text, size_t len, const int *fds, size_t n_fds,
               struct conn_order *ret, struct diag *d)
{
	int left[FD_PASS_MAX];
	json_error_t e;
	json_t *msg;
	int r;

	*ret = (struct conn_order){ .iommu_fd = -1 };
	n_fds = MIN(n_fds, (size_t)FD_PASS_MAX);
	memcpy(left, fds, n_fds * sizeof(left[0]));
	msg = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
	r = json_is_object(msg) ? take(msg, left, n_fds, ret, d)
	                        : refuse(d, "it is not a JSON object");
	json_decref(msg);
	for (size_t i = 0; i < n_fds; i++)
		close_fd(&left[i]);
	if (r < 0)
		conn_order_close(ret);
	return r;
}
