/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device of our own in one of netd's orders: described as in the lease, and
 * read by the same functions (lease_own.c), into a configuration that has
 * nothing else.
 */

#include <string.h>

#include "vmm/lease.h"
#include "vmm/plug.h"

void plug_close(struct plug *p)
{
	if (p->kind == PLUG_DISK)
		close_fd(&p->disk.fd);
	for (unsigned k = 0; p->kind == PLUG_NIC && k < VM_NIC_PAIRS_MAX; k++) {
		close_fd(&p->nic.tap_fd[k]);
		close_fd(&p->nic.vhost_fd[k]);
	}
	if (p->kind == PLUG_VSOCK)
		close_fd(&p->vsock.fd);
	p->kind = PLUG_NONE;
}

/* Each descriptor that has found its place is -1 in `fds`. */
static int place_fds(const json_t *msg, int *fds, size_t n, struct vm_config *c)
{
	const json_t *list = json_object_get(msg, "fds");

	if (!json_is_array(list) || json_array_size(list) != n)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		const char *s = json_string_value(json_array_get(list, i));
		int *at = s ? lease_own_fd(c, s) : NULL;

		if (!at || *at >= 0)
			return -EBADMSG;
		*at = TAKE_FD(fds[i]);
	}
	return lease_own_fits(c) ? 0 : -EBADMSG;
}

static unsigned count(const struct vm_config *c)
{
	return c->n_disks + c->n_nics + !!c->vsock.slot + !!c->rng_slot +
	       !!c->console_slot;
}

/* The one that is there; its descriptors go along, whatever they are. */
static void take(const struct vm_config *c, struct plug *p)
{
	const char *name = "rng";

	*p = (struct plug){ .kind = PLUG_RNG, .slot = c->rng_slot };
	if (c->n_disks) {
		p->kind = PLUG_DISK;
		p->disk = c->disk[0];
		p->slot = p->disk.slot;
		name = p->disk.name;
	} else if (c->n_nics) {
		p->kind = PLUG_NIC;
		p->nic = c->nic[0];
		p->slot = p->nic.slot;
		name = p->nic.name;
	} else if (c->vsock.slot) {
		p->kind = PLUG_VSOCK;
		p->vsock = c->vsock;
		p->slot = c->vsock.slot;
		name = "vsock";
	}
	memcpy(p->name, name, strlen(name) + 1);
}

int plug_parse(const json_t *msg, int *fds, size_t n, struct plug *ret)
{
	_cleanup_free_ struct vm_config *c = calloc(1, sizeof(*c));
	struct diag d;
	int r;

	*ret = (struct plug){ .kind = PLUG_NONE };
	if (!c)
		return -ENOMEM;
	lease_own_init(c);
	if (lease_own(msg, c, &d) < 0)
		return -EBADMSG;
	if (!count(c))
		return 0;
	/* A console is made with the guest: its viewers hang on it. */
	if (count(c) > 1 || c->console_slot)
		return -EBADMSG;
	r = place_fds(msg, fds, n, c);
	take(c, ret);
	if (r < 0)
		plug_close(ret);
	return r;
}
