/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_LEASE_H
#define FL_VMM_LEASE_H

/*
 * Devices as netd describes them: in the lease (lease.c), and in messages on
 * its connection while the guest runs (conn.c).
 */

#include <jansson.h>

#include "vmm/priv.h"

/* A string that is not empty, fits in `size` and may stand in a report as it
 * is: printable, neither quote nor backslash. */
_must_check_ int lease_name(const json_t *from, const char *key, char *to,
                            size_t size);
/* An integer from 0 to `max`. `fallback` where the key is absent, which is
 * refused where that is above `max`. */
_must_check_ int lease_number(const json_t *from, const char *key, uint64_t max,
                              uint64_t fallback, uint64_t *ret);
_must_check_ int lease_backend(const json_t *from, enum iommu_backend *ret);
/* Name, bdf, slot, function, rom. The descriptors are -1. */
_must_check_ int lease_device(const json_t *from, struct vm_device *ret);
/* The descriptor of one of the devices that is called `name`, "device:wan" or
 * "rom:wan"; NULL = nobody's. */
int *lease_device_fd(struct vm_device *device, unsigned n, const char *name);
/* All have a descriptor; names and places differ; each slot has a function 0.
 */
bool lease_devices_fit(const struct vm_device *device, unsigned n);

/* lease_cpus.c: of the "guest". */
_must_check_ int lease_cpus(const json_t *g, struct vm_cpus *ret);
/* lease_memory.c: of the lease's "guest". */
_must_check_ int lease_memory(const json_t *guest, struct vm_config *c);
_must_check_ int lease_smbios(const json_t *guest, struct vm_smbios *ret);

/* lease_own.c: disks, NICs and the rest that the VMM itself is. */
void lease_own_init(struct vm_config *c); /* no descriptors */
_must_check_ int lease_own(const json_t *lease, struct vm_config *c,
                           struct diag *d);
/* "disk:NAME", "tap:NAME:0", "vhost:NAME:0", "vsock"; NULL = nobody's. */
int *lease_own_fd(struct vm_config *c, const char *name);
/* All have what they need, and a slot of their own. */
bool lease_own_fits(const struct vm_config *c);

/* ---- what `fairlead run` hands over -------------------------------------- */

/* Fills *ret from the lease's JSON text (netd/netd-proto.h); descriptors are
 * numbered from `fd0`. ret->cmdline is allocated: lease_free(). */
_must_check_ int lease_parse(const char *text, size_t len, int fd0,
                             struct vm_config *ret, struct diag *d);
void lease_free(struct vm_config *c);

#endif
