/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a bzImage's payload: it is decompressed to just the length that
 * it says, or refused; nothing is read or written beyond. The first byte of
 * the input makes a header, and the magic of one of the formats.
 * fuzz: runs=100000 time=60
 */

#include <asm/bootparam.h>
#include <string.h>

#include "netd/unpack.h"

#define SETUP 1024u
#define OUT_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make_header(uint8_t *image, size_t payload)
{
	struct setup_header h = {
		.boot_flag = 0xaa55,
		.header = 0x53726448,
		.version = 0x20f,
		.setup_sects = 1,
		.payload_length = (uint32_t)payload,
	};

	memcpy(image + 0x1f1, &h, sizeof(h));
}

static void make_magic(uint8_t *at, size_t size, uint8_t which)
{
	static const struct {
		uint8_t byte[10], n;
	} magic[] = {
		{ { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3 }, 10 },
		{ { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6 },
		{ { 0x5d, 0, 0, 0x10, 0 }, 5 },
		{ { 0x02, 0x21, 0x4c, 0x18 }, 4 },
		{ { 0x28, 0xb5, 0x2f, 0xfd }, 4 },
	};

	if (which < ARRAY_SIZE(magic) && size >= magic[which].n)
		memcpy(at, magic[which].byte, magic[which].n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct payload p;
	uint8_t *image, *out;

	if (size < 18)
		return 0;
	image = calloc(1, SETUP + size - 1);
	if (!image)
		return 0;
	memcpy(image + SETUP, data + 1, size - 1);
	if (data[0] < 200) {
		make_header(image, size - 1);
		make_magic(image + SETUP, size - 1, data[0] % 6);
		/* As much output as there is room for. */
		image[SETUP + size - 2] = 0;
		image[SETUP + size - 3] &= 0xf;
	}
	if (payload_find(image, SETUP + size - 1, &p) == 0 &&
	    p.unpacked <= OUT_MAX) {
		out = malloc(p.unpacked);
		if (out && !payload_load(&p))
			(void)!payload_unpack(&p, out);
		free(out);
	}
	free(image);
	return 0;
}
