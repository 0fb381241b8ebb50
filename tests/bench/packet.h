/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_TESTS_BENCH_PACKET_H
#define FL_TESTS_BENCH_PACKET_H

/*
 * A guest that is played, at a NIC that is real: fairlead's (packet-vmm.c) or
 * QEMU's, in a process of its own, spoken to by QEMU's test protocol (qtest).
 * The guest's memory is a file that both have mapped, so that the same driver
 * fills the same rings, and what is counted is what each VMM does with them.
 */

#include "tests/unit/vmm/virtio_driver.h"

#define BENCH_RAM (64ull << 20)
#define BENCH_DATA (2ull << 20) /* buffers, from here on */
#define BENCH_BAR 0xc0000000ull /* BARs, a megabyte each */
#define BENCH_BAR_STEP (1ull << 20)
#define BENCH_SLOT 3u /* of bus 0; at ours behind a port */

struct bench {
	struct vm vm; /* nothing but the memory */
	int qtest;
	int wire; /* packets for the guest */
	bool virtio;
	unsigned frame; /* bytes */
};

/* Exits with the reason: a bench has nothing to clean up. */
_Noreturn void bench_fail(const char *what);
/* `file` as the guest's memory, from address 0 on. */
void bench_map(struct vm *vm, const char *file);

/* packet-machine.c */
void bench_open(struct bench *b, const char *socket, const char *memory);
uint32_t bench_cfg_read(struct bench *b, unsigned off, unsigned width);
void bench_cfg_write(struct bench *b, unsigned off, unsigned width, uint32_t v);
uint64_t bench_read(struct bench *b, uint64_t at, unsigned width);
void bench_write(struct bench *b, uint64_t at, unsigned width, uint64_t v);
/* BARs placed, memory and bus master on, MSI-X, where it is, on. */
void bench_place(struct bench *b);
/* A virtio capability's place, virtio 1.2 4.1.4; the notify multiplier. */
uint64_t bench_virtio_cap(struct bench *b, uint8_t type, uint32_t *multiplier);

/* packet-virtio.c, packet-e1000.c: drivers. A burst of `n` packets; returns
 * when the device is done with it. */
struct driver {
	void (*start)(struct bench *b);
	void (*send)(struct bench *b, unsigned n);
	void (*receive)(struct bench *b, unsigned n);
	/* One packet that comes while there is room. */
	void (*receive_alone)(struct bench *b, unsigned n);
};
extern const struct driver virtio_split, virtio_packed, e1000_driver;

/* `n` frames for the guest, by the wire. */
void bench_arrive(struct bench *b, unsigned n);
/* Waits for it, or fails. */
void bench_until(struct bench *b, bool (*done)(struct bench *b));

#endif
