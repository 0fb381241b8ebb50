/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lease as `fairlead run` passes it on (netd/netd-proto.h) into the
 * machine's configuration. Strict: what is missing or of the wrong kind is
 * refused, because a descriptor taken for another would be handed to a guest.
 */

#include <jansson.h>
#include <string.h>

#include "vmm/priv.h"

static int refuse(struct diag *d, const char *why)
{
	diag_fail(d, -EBADMSG, FL_VMM_LEASE, "the lease (descriptor 3)");
	diag_why(d, "%s", why);
	diag_mend(d, "start guests with: fairlead run GUEST");
	return -EBADMSG;
}

static int copy_name(const json_t *from, const char *key, char *to, size_t size)
{
	const char *s = json_string_value(json_object_get(from, key));

	if (!s || !*s || strlen(s) >= size)
		return -EBADMSG;
	memcpy(to, s, strlen(s) + 1);
	return 0;
}

static int copy_number(const json_t *from, const char *key, uint64_t max,
                       uint64_t *ret)
{
	const json_t *v = json_object_get(from, key);

	if (!json_is_integer(v) || json_integer_value(v) < 0 ||
	    (uint64_t)json_integer_value(v) > max)
		return -EBADMSG;
	*ret = (uint64_t)json_integer_value(v);
	return 0;
}

static int take_guest(const json_t *lease, struct vm_config *c)
{
	const json_t *g = json_object_get(lease, "guest");
	const char *cmdline = json_string_value(json_object_get(g, "cmdline"));
	uint64_t cpus;
	int r = copy_name(g, "name", c->name, sizeof(c->name));

	if (r == 0)
		r = copy_number(g, "cpus", UINT32_MAX, &cpus);
	if (r == 0)
		r = copy_number(g, "memory", UINT64_MAX, &c->memory);
	if (r < 0)
		return r;
	c->cpus = (unsigned)cpus;
	c->cmdline = strdup(cmdline ? cmdline : "");
	return c->cmdline ? 0 : -ENOMEM;
}

static int take_backend(const json_t *lease, struct vm_config *c)
{
	const char *s = json_string_value(json_object_get(lease, "backend"));

	for (enum iommu_backend b = IOMMU_IOMMUFD; b <= IOMMU_TYPE1; b++)
		if (s && !strcmp(s, iommu_backend_name(b))) {
			c->backend = b;
			return 0;
		}
	return -EBADMSG;
}

static int take_device(const json_t *from, struct vm_device *v)
{
	uint64_t slot;

	v->fd = -1;
	v->rom_fd = -1;
	if (copy_name(from, "name", v->name, sizeof(v->name)) < 0 ||
	    copy_name(from, "bdf", v->bdf, sizeof(v->bdf)) < 0 ||
	    copy_number(from, "slot", 31, &slot) < 0 || slot == 0)
		return -EBADMSG;
	v->slot = (uint8_t)slot;
	return 0;
}

/* Two functions behind one root port would hide each other. */
static bool slots_differ(const struct vm_config *c)
{
	uint32_t seen = 0;

	for (unsigned i = 0; i < c->n_devices; i++) {
		if (seen & BIT(c->device[i].slot))
			return false;
		seen |= BIT(c->device[i].slot);
	}
	return true;
}

static int take_devices(const json_t *lease, struct vm_config *c)
{
	const json_t *list = json_object_get(lease, "devices");
	size_t n = json_array_size(list);

	if (n > VM_DEVICES_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		int r = take_device(json_array_get(list, i), &c->device[i]);

		if (r < 0)
			return r;
	}
	c->n_devices = (unsigned)n;
	return slots_differ(c) ? 0 : -EBADMSG;
}

/* Where the descriptor called `name` belongs; NULL = nowhere. */
static int *fd_place(struct vm_config *c, const char *name)
{
	static const char device[] = "device:";

	if (!strcmp(name, "kvm"))
		return &c->kvm_fd;
	if (!strcmp(name, "kernel"))
		return &c->kernel_fd;
	if (!strcmp(name, "initrd"))
		return &c->initrd_fd;
	if (!strcmp(name, "iommu"))
		return &c->iommu_fd;
	if (strncmp(name, device, sizeof(device) - 1) != 0)
		return NULL;
	for (unsigned i = 0; i < c->n_devices; i++)
		if (!strcmp(name + sizeof(device) - 1, c->device[i].name))
			return &c->device[i].fd;
	return NULL;
}

static int take_fds(const json_t *lease, int fd0, struct vm_config *c)
{
	const json_t *list = json_object_get(lease, "fds");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *s = json_string_value(json_array_get(list, i));
		int *at = s ? fd_place(c, s) : NULL;

		if (!at || *at >= 0)
			return -EBADMSG;
		*at = fd0 + (int)i;
	}
	if (c->kvm_fd < 0 || c->kernel_fd < 0)
		return -EBADMSG;
	for (unsigned i = 0; i < c->n_devices; i++)
		if (c->device[i].fd < 0 || c->iommu_fd < 0)
			return -EBADMSG;
	return 0;
}

static int take_all(const json_t *lease, int fd0, struct vm_config *c,
                    struct diag *d)
{
	if (!json_is_true(json_object_get(lease, "ok")))
		return refuse(d, "it is not a lease");
	if (take_guest(lease, c) < 0)
		return refuse(d, "\"guest\" needs name, cpus and memory");
	if (take_devices(lease, c) < 0)
		return refuse(d, "\"devices\" need a name, a bdf and a slot "
		                 "of their own each");
	if (take_backend(lease, c) < 0 && c->n_devices)
		return refuse(d, "\"backend\" is neither iommufd nor group");
	if (take_fds(lease, fd0, c) < 0)
		return refuse(d, "\"fds\" do not fit the guest and devices");
	return 0;
}

int lease_parse(const char *text, size_t len, int fd0, struct vm_config *ret,
                struct diag *d)
{
	struct vm_config c = {
		.kvm_fd = -1,
		.kernel_fd = -1,
		.initrd_fd = -1,
		.conn_fd = -1,
		.report_fd = -1,
		.in_fd = -1,
		.out_fd = -1,
		.iommu_fd = -1,
		.interrupts_fd = -1,
	};
	json_error_t e;
	json_t *lease = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
	int r;

	if (!lease)
		return refuse(d, e.text);
	r = take_all(lease, fd0, &c, d);
	json_decref(lease);
	if (r < 0) {
		lease_free(&c);
		return r;
	}
	*ret = c;
	return 0;
}

void lease_free(struct vm_config *c)
{
	free((void *)(uintptr_t)c->cmdline);
	c->cmdline = NULL;
}
