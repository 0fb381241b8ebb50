/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_SMBIOS_H
#define FL_VMM_SMBIOS_H

/*
 * smbios: what the machine says of itself to who asks for its maker, serial
 * number and memory modules (DSP0134 3.3).
 *
 * Theory of operation
 *   A kernel without EFI looks for the anchor "_SM3_" on each 16 bytes from
 *   0xf0000 to 1M (5.2.2). There is a 64-bit entry point, no 32-bit one: Linux
 *   has known it since 3.14. The structures follow it, one a thing that the
 *   machine has: firmware, system, chassis, a processor a socket, the memory
 *   array, a device a memory node, an address range a piece of RAM, the boot
 *   status, the end.
 *
 *   Identity: strings and UUID are the lease's. The serial number is the
 *   guest's name where none is given; the UUID is none where none is given.
 *   Who makes them up, and how, is netd's affair: systemd takes the UUID for
 *   a new system's machine-id, so it must not be the same on two hosts.
 *
 *   Written again at each reset, since a guest may write over it; it is read by
 *   nobody of ours.
 *
 * Limits: SMBIOS_NODES_MAX memory devices, as many ranges; strings without a
 * zero in them. What is no number that the guest acts on (speeds, voltages,
 * slots, caches) is told as unknown, or not at all.
 */

#include "vmm/priv.h"

#define SMBIOS_NODES_MAX VM_NODES_MAX
#define SMBIOS_RANGES_MAX 2

struct smbios_machine {
	const struct vm_smbios *id;
	const char *name;                  /* the guest's */
	unsigned sockets, cores, threads;  /* cores, threads: of a socket */
	uint64_t device[SMBIOS_NODES_MAX]; /* bytes of each memory device */
	unsigned n_devices;
	struct {
		uint64_t start, size;
	} range[SMBIOS_RANGES_MAX]; /* of RAM, as the guest addresses it */
	unsigned n_ranges;
};

/* Writes entry point and structures into `buf`, which stands for the guest's
 * memory from `address` on. Returns how many bytes, -ENOSPC when they do not
 * fit. */
_must_check_ int smbios_write(const struct smbios_machine *m, uint64_t address,
                              uint8_t *buf, size_t size);

/* Writes the machine's own into guest memory at MAP_SMBIOS. */
_must_check_ int smbios_build(struct vm *vm);

#endif
