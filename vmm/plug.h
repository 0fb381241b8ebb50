/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_PLUG_H
#define FL_VMM_PLUG_H

/*
 * A device of our own that comes into a guest that runs, or goes out of it:
 * the deed. When, and what the guest sees of it, is hotplug.c's and
 * hotplug_own.c's.
 *
 * Theory of operation
 *   It is made as at the start, by the same constructor (devices.h), in a slot
 *   whose port shows nobody. Constructors and ends of devices were written for
 *   a machine of which nothing runs, so nothing runs: the vCPUs and the data
 *   path's loop are parked, for as long as some system calls take. That is
 *   what makes it safe to free what an access, a callback or a completion
 *   might still use; no other lock is for that.
 *
 *   What it has in the configuration (vm_config.disk, .nic ...) is an entry
 *   that is free, or one more; its index is the disk's place in the io_uring.
 *
 *   Sandbox. No ring can be made in it, nor a thread; so a guest with a slot
 *   for hot plug has both from the start (devices_add()). The other calls that
 *   a constructor makes are on descriptors that netd opened and sent, and are
 *   in sandbox.c's list of such a guest only.
 *
 * Order of the end: own_leave() until it is not busy; parked; the device
 * ends; its disk leaves the ring; a lock on the image is let go of by name,
 * since a kernel may keep the ring's reference for a second; its descriptors
 * close. So whoever is told of the end may open them again.
 *
 * Limits: VM_DISKS_MAX, VM_NICS_MAX at once; one vsock; one rng; no console.
 * All of it is the main thread's.
 */

#include <jansson.h>

#include "vmm/priv.h"

enum plug_kind {
	PLUG_NONE,
	PLUG_DISK,
	PLUG_NIC,
	PLUG_VSOCK,
	PLUG_RNG,
};
/* One device, as netd describes it. Descriptors are its own until taken. */
struct plug {
	enum plug_kind kind;
	char name[VM_NAME]; /* "vsock" and "rng" have no other */
	uint8_t slot;
	struct vm_disk disk;
	struct vm_nic nic;
	struct vm_vsock vsock;
};

/* ---- plug_parse.c ---- */

/* From an order (netd/netd-proto.h): PLUG_NONE where there is none such in it.
 * Of `fds`, which its member of that name tells in order, those that it takes
 * become -1. -EBADMSG: more than one, not whole, a descriptor that is nobody's;
 * -ENOMEM. */
_must_check_ int plug_parse(const json_t *msg, int *fds, size_t n,
                            struct plug *ret);
void plug_close(struct plug *p);

/* ---- plug.c ---- */

/* Takes its descriptors, on failure too. FL_VMM_PLUG, and the device's own. */
_must_check_ int plug_add(struct vm *vm, struct plug *p, struct diag *d);
/* What is in `slot` ends; own_leave() was not busy. */
void plug_remove(struct vm *vm, uint8_t slot);

#endif
