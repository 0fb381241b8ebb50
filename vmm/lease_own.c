/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lease's disks, NICs and other devices that the VMM itself is. As strict
 * as lease.c: a disk that is taken for another's is a disk that is lost.
 */

#include <stdio.h>
#include <string.h>

#include "vmm/lease.h"

static int refuse(struct diag *d, const char *what)
{
	diag_fail(d, -EBADMSG, FL_VMM_LEASE, "the lease (descriptor 3)");
	diag_why(d, "\"%s\" is not as netd writes it", what);
	diag_mend(d, "start guests with: fairlead run GUEST");
	return -EBADMSG;
}

void lease_own_init(struct vm_config *c)
{
	for (unsigned i = 0; i < VM_DISKS_MAX; i++)
		c->disk[i].fd = -1;
	for (unsigned i = 0; i < VM_NICS_MAX; i++)
		for (unsigned k = 0; k < VM_NIC_PAIRS_MAX; k++)
			c->nic[i].tap_fd[k] = c->nic[i].vhost_fd[k] = -1;
	c->vsock.fd = -1;
	c->watchdog.core_fd = -1;
}

static int take_slot(const json_t *from, uint8_t *ret)
{
	uint64_t slot;

	if (lease_number(from, "slot", VM_SLOTS_MAX, UINT64_MAX, &slot) < 0 ||
	    !slot)
		return -EBADMSG;
	*ret = (uint8_t)slot;
	return 0;
}

static bool flag(const json_t *from, const char *key)
{
	return json_is_true(json_object_get(from, key));
}

static int take_disk(const json_t *from, struct vm_disk *v)
{
	int r = lease_name(from, "name", v->name, sizeof(v->name));

	if (r == 0)
		r = take_slot(from, &v->slot);
	if (r == 0 && json_object_get(from, "serial"))
		r = lease_name(from, "serial", v->serial, sizeof(v->serial));
	v->read_only = flag(from, "read_only");
	v->direct = flag(from, "direct");
	return r;
}

static int take_model(const json_t *from, enum vm_nic_model *ret)
{
	static const char *const name[] = {
		[VM_NIC_VIRTIO] = "virtio",
		[VM_NIC_E1000] = "e1000",
	};
	const char *s = json_string_value(json_object_get(from, "model"));

	for (unsigned i = 0; s && i < ARRAY_SIZE(name); i++)
		if (!strcmp(s, name[i])) {
			*ret = (enum vm_nic_model)i;
			return 0;
		}
	return -EBADMSG;
}

static int take_nic(const json_t *from, struct vm_nic *v)
{
	const char *mac = json_string_value(json_object_get(from, "mac"));
	uint64_t mtu = 0, pairs = 1;
	int r = lease_name(from, "name", v->name, sizeof(v->name));

	if (r == 0)
		r = take_slot(from, &v->slot);
	if (r == 0)
		r = take_model(from, &v->model);
	if (r == 0)
		r = mac ? mac_parse(mac, v->mac) : -EBADMSG;
	if (r == 0)
		r = lease_number(from, "mtu", UINT16_MAX, 0, &mtu);
	if (r == 0)
		r = lease_number(from, "pairs", VM_NIC_PAIRS_MAX, 1, &pairs);
	v->mtu = (uint16_t)mtu;
	v->pairs = (unsigned)pairs;
	v->standby = flag(from, "standby");
	return r;
}

static int take_disks(const json_t *lease, struct vm_config *c)
{
	const json_t *list = json_object_get(lease, "disks");
	size_t n = json_array_size(list);
	int r = n > VM_DISKS_MAX ? -EBADMSG : 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = take_disk(json_array_get(list, i), &c->disk[i]);
	c->n_disks = r < 0 ? 0 : (unsigned)n;
	return r;
}

static int take_nics(const json_t *lease, struct vm_config *c)
{
	const json_t *list = json_object_get(lease, "nics");
	size_t n = json_array_size(list);
	int r = n > VM_NICS_MAX ? -EBADMSG : 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = take_nic(json_array_get(list, i), &c->nic[i]);
	c->n_nics = r < 0 ? 0 : (unsigned)n;
	return r;
}

static int take_vsock(const json_t *lease, struct vm_config *c)
{
	const json_t *v = json_object_get(lease, "vsock");

	if (!v)
		return 0;
	/* 0 to 2 are the hypervisor's, the local host's and the host's. */
	if (lease_number(v, "cid", UINT32_MAX - 1, UINT64_MAX, &c->vsock.cid) <
	            0 ||
	    c->vsock.cid < 3)
		return -EBADMSG;
	return take_slot(v, &c->vsock.slot);
}

static int take_simple(const json_t *lease, const char *key, uint8_t *ret)
{
	const json_t *v = json_object_get(lease, key);

	return v ? take_slot(v, ret) : 0;
}

static int take_watchdog(const json_t *lease, struct vm_watchdog *ret)
{
	static const char *const name[] = {
		[VM_WATCHDOG_RESET] = "reset",
		[VM_WATCHDOG_STOP] = "stop",
		[VM_WATCHDOG_DUMP] = "dump",
		[VM_WATCHDOG_IGNORE] = "ignore",
	};
	const json_t *v = json_object_get(lease, "watchdog");
	const char *s = json_string_value(json_object_get(v, "action"));

	if (!v)
		return 0;
	for (unsigned i = 0; s && i < ARRAY_SIZE(name); i++)
		if (!strcmp(s, name[i])) {
			ret->action = (enum vm_watchdog_action)i;
			return take_slot(v, &ret->slot);
		}
	return -EBADMSG;
}

int lease_own(const json_t *lease, struct vm_config *c, struct diag *d)
{
	if (take_disks(lease, c) < 0)
		return refuse(d, "disks");
	if (take_nics(lease, c) < 0)
		return refuse(d, "nics");
	if (take_vsock(lease, c) < 0)
		return refuse(d, "vsock");
	if (take_simple(lease, "rng", &c->rng_slot) < 0)
		return refuse(d, "rng");
	if (take_simple(lease, "vconsole", &c->console_slot) < 0)
		return refuse(d, "vconsole");
	if (take_watchdog(lease, &c->watchdog) < 0)
		return refuse(d, "watchdog");
	return 0;
}

/* ---- descriptors --------------------------------------------------------- */

/* "KIND:NAME:N": is it NIC `v`'s, and which? -1 = no. */
static int pair_of(const struct vm_nic *v, const char *kind, const char *name)
{
	char text[VM_NAME + 16];

	for (unsigned k = 0; k < v->pairs; k++) {
		snprintf(text, sizeof(text), "%s:%s:%u", kind, v->name, k);
		if (!strcmp(text, name))
			return (int)k;
	}
	return -1;
}

static int *nic_fd(struct vm_config *c, const char *name)
{
	for (unsigned i = 0; i < c->n_nics; i++) {
		struct vm_nic *v = &c->nic[i];
		int k = pair_of(v, "tap", name);

		if (k >= 0)
			return &v->tap_fd[k];
		k = pair_of(v, "vhost", name);
		if (k >= 0)
			return &v->vhost_fd[k];
	}
	return NULL;
}

int *lease_own_fd(struct vm_config *c, const char *name)
{
	const size_t n = strlen("disk:");

	if (c->vsock.slot && !strcmp(name, "vsock"))
		return &c->vsock.fd;
	if (c->watchdog.action == VM_WATCHDOG_DUMP && !strcmp(name, "core"))
		return &c->watchdog.core_fd;
	for (unsigned i = 0; !strncmp(name, "disk:", n) && i < c->n_disks; i++)
		if (!strcmp(name + n, c->disk[i].name))
			return &c->disk[i].fd;
	return nic_fd(c, name);
}

/* ---- whole? -------------------------------------------------------------- */

static bool nic_fits(const struct vm_nic *v)
{
	bool vhost = v->vhost_fd[0] >= 0;

	if (v->model == VM_NIC_E1000 && (v->pairs != 1 || vhost || v->standby))
		return false;
	for (unsigned k = 0; k < v->pairs; k++)
		if (v->tap_fd[k] < 0 || (v->vhost_fd[k] >= 0) != vhost)
			return false;
	return v->pairs >= 1;
}

/* False when the slot has somebody. */
static bool claim(uint32_t *slots, uint8_t slot)
{
	bool is_free = !(*slots & BIT(slot));

	*slots |= BIT(slot);
	return is_free;
}

bool lease_own_fits(const struct vm_config *c)
{
	uint32_t slots = 0;
	bool fits = !c->vsock.slot || c->vsock.fd >= 0;

	for (unsigned i = 0; i < c->n_devices; i++)
		(void)claim(&slots, c->device[i].slot);
	for (unsigned i = 0; i < c->n_disks; i++)
		fits = fits && c->disk[i].fd >= 0 &&
		       claim(&slots, c->disk[i].slot);
	for (unsigned i = 0; i < c->n_nics; i++)
		fits = fits && nic_fits(&c->nic[i]) &&
		       claim(&slots, c->nic[i].slot);
	if (c->vsock.slot)
		fits = fits && claim(&slots, c->vsock.slot);
	if (c->rng_slot)
		fits = fits && claim(&slots, c->rng_slot);
	if (c->console_slot)
		fits = fits && claim(&slots, c->console_slot);
	if (c->watchdog.slot)
		fits = fits && claim(&slots, c->watchdog.slot) &&
		       (c->watchdog.action != VM_WATCHDOG_DUMP ||
		        c->watchdog.core_fd >= 0);
	return fits;
}
