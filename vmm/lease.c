/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lease as `fairlead run` passes it on (netd/netd-proto.h) into the
 * machine's configuration. Strict: what is missing or of the wrong kind is
 * refused, because a descriptor taken for another would be handed to a guest.
 */

#include <string.h>

#include "vmm/lease.h"

static int refuse(struct diag *d, const char *why)
{
	diag_fail(d, -EBADMSG, FL_VMM_LEASE, "the lease (descriptor 3)");
	diag_why(d, "%s", why);
	diag_mend(d, "start guests with: fairlead run GUEST");
	return -EBADMSG;
}

static bool plain(const char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s > '~' || *s == '"' || *s == '\\')
			return false;
	return true;
}

int lease_name(const json_t *from, const char *key, char *to, size_t size)
{
	const char *s = json_string_value(json_object_get(from, key));

	if (!s || !*s || strlen(s) >= size || !plain(s))
		return -EBADMSG;
	memcpy(to, s, strlen(s) + 1);
	return 0;
}

int lease_number(const json_t *from, const char *key, uint64_t max,
                 uint64_t fallback, uint64_t *ret)
{
	const json_t *v = json_object_get(from, key);

	*ret = fallback;
	if (!v)
		return fallback <= max ? 0 : -EBADMSG;
	if (!json_is_integer(v) || json_integer_value(v) < 0 ||
	    (uint64_t)json_integer_value(v) > max)
		return -EBADMSG;
	*ret = (uint64_t)json_integer_value(v);
	return 0;
}

/* What is not known here changes nothing in the guest. */
static enum vm_panic panic_of(const json_t *from)
{
	const char *s = json_string_value(from);

	if (s && !strcmp(s, "stop"))
		return VM_PANIC_STOP;
	return s && !strcmp(s, "reset") ? VM_PANIC_RESET : VM_PANIC_IGNORE;
}

static int take_guest(const json_t *lease, struct vm_config *c)
{
	const json_t *g = json_object_get(lease, "guest");
	const char *cmdline = json_string_value(json_object_get(g, "cmdline"));
	uint64_t cpus = 0, spare = 0, limit = 0;
	int r = lease_name(g, "name", c->name, sizeof(c->name));

	if (r == 0)
		r = lease_number(g, "cpus", UINT32_MAX, UINT64_MAX, &cpus);
	/* It is an int64_t in JSON: the fallback is refused. */
	if (r == 0)
		r = lease_number(g, "memory", INT64_MAX, UINT64_MAX,
		                 &c->memory);
	if (r == 0)
		r = lease_number(g, "spare_slots", VM_SLOTS_MAX, 0, &spare);
	if (r == 0)
		r = lease_number(g, "page", INT64_MAX, 0, &c->ram.page);
	if (r == 0)
		r = lease_number(g, "interrupt_limit", UINT32_MAX, 0, &limit);
	if (r == 0)
		r = lease_cpus(g, &c->cpu);
	if (r < 0)
		return r;
	c->cpus = (unsigned)cpus;
	c->spare_slots = (unsigned)spare;
	c->interrupt_limit = (uint32_t)limit;
	c->on_panic = panic_of(json_object_get(g, "on_panic"));
	c->split_rings = json_is_true(json_object_get(g, "split_rings"));
	c->ram.prefault = json_is_true(json_object_get(g, "prefault"));
	c->cmdline = strdup(cmdline ? cmdline : "");
	return c->cmdline ? 0 : -ENOMEM;
}

int lease_backend(const json_t *from, enum iommu_backend *ret)
{
	const char *s = json_string_value(json_object_get(from, "backend"));

	for (enum iommu_backend b = IOMMU_IOMMUFD; b <= IOMMU_TYPE1; b++)
		if (s && !strcmp(s, iommu_backend_name(b))) {
			*ret = b;
			return 0;
		}
	return -EBADMSG;
}

/* A file is known by its descriptor; the one word that can be here is the one
 * that says there is none. */
static int take_rom(const json_t *from, struct vm_device *v)
{
	const json_t *rom = json_object_get(from, "rom");
	const char *s = json_string_value(rom);
	size_t n = strlen("rom:");

	v->no_rom = s && !strcmp(s, "none");
	if (!rom || v->no_rom)
		return 0;
	return s && !strncmp(s, "rom:", n) && !strcmp(s + n, v->name)
	               ? 0
	               : -EBADMSG;
}

int lease_device(const json_t *from, struct vm_device *ret)
{
	struct vm_device v = { .fd = -1, .rom_fd = -1 };
	uint64_t slot, function;

	if (lease_name(from, "name", v.name, sizeof(v.name)) < 0 ||
	    lease_name(from, "bdf", v.bdf, sizeof(v.bdf)) < 0 ||
	    lease_number(from, "slot", VM_SLOTS_MAX, UINT64_MAX, &slot) < 0 ||
	    slot == 0 ||
	    lease_number(from, "function", VM_FUNCTIONS_MAX - 1, 0, &function) <
	            0 ||
	    take_rom(from, &v) < 0)
		return -EBADMSG;
	v.slot = (uint8_t)slot;
	v.function = (uint8_t)function;
	*ret = v;
	return 0;
}

/* Two at one place would hide each other; and without a function 0 nobody
 * looks for the others (PCIe 6.0 7.5.1.1.9). */
bool lease_devices_fit(const struct vm_device *device, unsigned n)
{
	uint8_t seen[VM_SLOTS_MAX + 1] = { 0 };

	for (unsigned i = 0; i < n; i++) {
		const struct vm_device *v = &device[i];

		if (v->fd < 0 || v->slot > VM_SLOTS_MAX ||
		    (seen[v->slot] & BIT(v->function)))
			return false;
		seen[v->slot] |= (uint8_t)BIT(v->function);
		for (unsigned k = 0; k < i; k++)
			if (!strcmp(v->name, device[k].name))
				return false;
	}
	for (unsigned i = 0; i <= VM_SLOTS_MAX; i++)
		if (seen[i] && !(seen[i] & BIT(0)))
			return false;
	return true;
}

static int take_devices(const json_t *lease, struct vm_config *c)
{
	const json_t *list = json_object_get(lease, "devices");
	size_t n = json_array_size(list);

	if (n > VM_DEVICES_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		int r = lease_device(json_array_get(list, i), &c->device[i]);

		if (r < 0)
			return r;
	}
	c->n_devices = (unsigned)n;
	return 0;
}

static const char *after(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(name, prefix, n) ? NULL : name + n;
}

int *lease_device_fd(struct vm_device *device, unsigned n, const char *name)
{
	const char *device_of = after(name, "device:");
	const char *rom_of = after(name, "rom:");

	for (unsigned i = 0; i < n; i++) {
		if (device_of && !strcmp(device_of, device[i].name))
			return &device[i].fd;
		/* Of one that shows none it would be forgotten. */
		if (rom_of && !strcmp(rom_of, device[i].name))
			return device[i].no_rom ? NULL : &device[i].rom_fd;
	}
	return NULL;
}

/* Where the descriptor called `name` belongs; NULL = nowhere. */
static int *fd_place(struct vm_config *c, const char *name)
{
	int *own;

	if (!strcmp(name, "kvm"))
		return &c->kvm_fd;
	if (!strcmp(name, "kernel"))
		return &c->kernel_fd;
	if (!strcmp(name, "initrd"))
		return &c->initrd_fd;
	if (!strcmp(name, "unpacked"))
		return &c->unpacked_fd;
	if (!strcmp(name, "iommu"))
		return &c->iommu_fd;
	if (!strcmp(name, "interrupts"))
		return &c->interrupts_fd;
	if (!strcmp(name, "control"))
		return &c->control_fd;
	if ((own = lease_own_fd(c, name)))
		return own;
	return lease_device_fd(c->device, c->n_devices, name);
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
	if (c->kvm_fd < 0 || c->kernel_fd < 0 ||
	    (c->n_devices && c->iommu_fd < 0))
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
	if (lease_memory(json_object_get(lease, "guest"), c) < 0)
		return refuse(d, "\"nodes\" of \"guest\" need a size each");
	if (lease_smbios(json_object_get(lease, "guest"), &c->smbios) < 0)
		return refuse(d, "\"smbios\" of \"guest\" is not as netd "
		                 "writes it");
	if (take_devices(lease, c) < 0)
		return refuse(d, "\"devices\" need a name, a bdf and a slot "
		                 "each");
	if (lease_own(lease, c, d) < 0)
		return -EBADMSG;
	if (lease_backend(lease, &c->backend) < 0 && c->n_devices)
		return refuse(d, "\"backend\" is neither iommufd nor group");
	if (take_fds(lease, fd0, c) < 0)
		return refuse(d, "\"fds\" do not fit the guest and devices");
	if (!lease_devices_fit(c->device, c->n_devices))
		return refuse(d, "\"devices\" need a descriptor and a place "
		                 "of their own each, and a slot a function 0");
	if (!lease_own_fits(c))
		return refuse(d, "disks and NICs need descriptors, and a slot "
		                 "of their own each");
	return 0;
}

int lease_parse(const char *text, size_t len, int fd0, struct vm_config *ret,
                struct diag *d)
{
	struct vm_config c = {
		.kvm_fd = -1,
		.kernel_fd = -1,
		.initrd_fd = -1,
		.unpacked_fd = -1,
		.conn_fd = -1,
		.report_fd = -1,
		.in_fd = -1,
		.out_fd = -1,
		.iommu_fd = -1,
		.interrupts_fd = -1,
		.control_fd = -1,
	};
	json_error_t e;
	json_t *lease = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
	int r;

	lease_own_init(&c);
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
