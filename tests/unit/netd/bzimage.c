/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bzImages made by the libraries that kernels are packed with. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <asm/bootparam.h>
#include <lz4.h>
#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "tests/unit/netd/bzimage.h"

void make_kernel(uint8_t *k, unsigned seed)
{
	for (size_t i = 0; i < UNPACKED; i++)
		k[i] = (uint8_t)(i * i / 251 + seed);
	memcpy(k, "\177ELF", 4);
}

static size_t pack_gzip(const uint8_t *in, size_t len, uint8_t *out)
{
	z_stream z = { .next_in = (uint8_t *)(uintptr_t)in,
		       .avail_in = (unsigned)len,
		       .next_out = out,
		       .avail_out = ROOM };

	assert_int_equal(
		deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY),
		Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return ROOM - z.avail_out;
}

static size_t pack_xz(const uint8_t *in, size_t len, uint8_t *out)
{
	size_t n = 0;

	assert_int_equal(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL, in,
	                                         len, out, &n, ROOM),
	                 LZMA_OK);
	return n;
}

static size_t pack_lzma(const uint8_t *in, size_t len, uint8_t *out)
{
	lzma_stream s = LZMA_STREAM_INIT;
	lzma_options_lzma o;

	assert_false(lzma_lzma_preset(&o, 1));
	assert_int_equal(lzma_alone_encoder(&s, &o), LZMA_OK);
	s.next_in = in;
	s.avail_in = len;
	s.next_out = out;
	s.avail_out = ROOM;
	assert_int_equal(lzma_code(&s, LZMA_FINISH), LZMA_STREAM_END);
	lzma_end(&s);
	return ROOM - s.avail_out;
}

/* Two blocks, so that there is a second. */
static size_t pack_lz4(const uint8_t *in, size_t len, uint8_t *out)
{
	size_t at = 4, half = len / 2;

	memcpy(out, "\x02\x21\x4c\x18", 4);
	for (int i = 0; i < 2; i++) {
		size_t part = i ? len - half : half;
		int n = LZ4_compress_default((const char *)in + (i ? half : 0),
		                             (char *)out + at + 4, (int)part,
		                             (int)(ROOM - at - 4));

		assert_true(n > 0);
		store_le(out + at, 4, (uint64_t)n);
		at += 4 + (size_t)n;
	}
	return at;
}

static size_t pack_zstd(const uint8_t *in, size_t len, uint8_t *out)
{
	size_t n = ZSTD_compress(out, ROOM, in, len, 3);

	assert_false(ZSTD_isError(n));
	return n;
}

const struct packer packers[PACKERS] = {
	[GZIP] = { "gzip", pack_gzip, true },
	[XZ] = { "xz", pack_xz, false },
	[LZMA] = { "lzma", pack_lzma, false },
	[LZ4] = { "lz4", pack_lz4, false },
	[ZSTD] = { "zstd", pack_zstd, false },
};

struct image make_image(const struct packer *k, unsigned seed)
{
	struct image im = { .byte = calloc(1, SETUP + ROOM),
		            .payload = SETUP + OFFSET };
	uint8_t *kernel = malloc(UNPACKED);
	struct setup_header *h;
	size_t n;

	assert_true(im.byte && kernel);
	make_kernel(kernel, seed);
	n = k->pack(kernel, UNPACKED, im.byte + im.payload);
	free(kernel);
	if (!k->has_size) {
		store_le(im.byte + im.payload + n, 4, UNPACKED);
		n += 4;
	}
	im.end = im.payload + n;
	im.len = im.end + 100;
	h = header(&im);
	h->boot_flag = 0xaa55;
	h->header = 0x53726448;
	h->version = 0x20f;
	h->setup_sects = 1;
	h->payload_offset = OFFSET;
	h->payload_length = (uint32_t)n;
	return im;
}
