/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_TEST_NETD_BZIMAGE_H
#define FL_TEST_NETD_BZIMAGE_H

/* A bzImage of each kind that kernels are packed as: what netd unpacks. */

#include "netd/kernels-priv.h"

#define UNPACKED (200u << 10)
#define ROOM (UNPACKED * 2)
#define SETUP 1024u /* one sector of set-up code */
#define OFFSET 64u  /* of the payload in what follows */

struct packer {
	const char *name;
	/* Bytes written. */
	size_t (*pack)(const uint8_t *in, size_t len, uint8_t *out);
	bool has_size;
};

enum {
	GZIP,
	XZ,
	LZMA,
	LZ4,
	ZSTD,
	PACKERS
};
extern const struct packer packers[PACKERS];

struct image {
	uint8_t *byte;
	size_t len, payload, end;
};

/* An "ELF file" whose bytes are not all alike. */
void make_kernel(uint8_t *k, unsigned seed);
struct image make_image(const struct packer *k, unsigned seed);

static inline struct setup_header *header(struct image *im)
{
	return (void *)(im->byte + 0x1f1);
}

#endif
