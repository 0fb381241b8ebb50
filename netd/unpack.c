/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The payload of a bzImage, decompressed from memory into memory; see
 * kernels.h. Where it is: Documentation/arch/x86/boot.rst, payload_offset and
 * payload_length. Behind it, and within that length, the kernel's build puts
 * the size as it will be (scripts/Makefile.lib, size_append); of gzip it is a
 * part.
 *
 * Images are anybody's. Each decompressor is given where the output ends, and
 * must end there.
 */

#include <asm/bootparam.h>
#include <string.h>

#include "netd/unpack.h"

#define SETUP_AT 0x1f1u
#define VERSION_MIN 0x208 /* 2.08: the payload's place */
#define LZMA_MEMORY_MAX (160u << 20)

/* ---- formats ------------------------------------------------------------- */

static const char *const zlib[] = { PAYLOAD_ZLIB(LIB_NAME) };

static int unpack_gzip(const struct payload *p, uint8_t *out)
{
	const struct payload_zlib *lib = &p->lib.zlib;
	z_stream z = { .next_in = (uint8_t *)(uintptr_t)p->data,
		       .avail_in = (unsigned)p->len };
	int r;

	z.next_out = out;
	z.avail_out = (unsigned)p->unpacked;
	/* The gzip header is wanted. */
	r = lib->inflateInit2_(&z, 15 + 16, ZLIB_VERSION, (int)sizeof(z));
	if (r != Z_OK)
		return -ENOMEM;
	r = lib->inflate(&z, Z_FINISH);
	lib->inflateEnd(&z);
	return r == Z_STREAM_END && !z.avail_out ? 0
	       : r == Z_MEM_ERROR                ? -ENOMEM
	                                         : -EBADMSG;
}

static const char *const lzma[] = { PAYLOAD_LZMA(LIB_NAME) };

static int lzma_run(lzma_stream *s, const struct payload *p, uint8_t *out)
{
	lzma_ret r;

	s->next_in = p->data;
	s->avail_in = p->len;
	s->next_out = out;
	s->avail_out = p->unpacked;
	r = p->lib.lzma.lzma_code(s, LZMA_FINISH);
	if (r == LZMA_MEM_ERROR || r == LZMA_MEMLIMIT_ERROR)
		return -ENOMEM;
	return r == LZMA_STREAM_END && !s->avail_out ? 0 : -EBADMSG;
}

static int unpack_xz(const struct payload *p, uint8_t *out)
{
	lzma_stream s = LZMA_STREAM_INIT;
	const struct payload_lzma *lib = &p->lib.lzma;
	int r = lib->lzma_stream_decoder(&s, LZMA_MEMORY_MAX, 0) == LZMA_OK
	                ? lzma_run(&s, p, out)
	                : -ENOMEM;

	lib->lzma_end(&s);
	return r;
}

static int unpack_lzma(const struct payload *p, uint8_t *out)
{
	lzma_stream s = LZMA_STREAM_INIT;
	const struct payload_lzma *lib = &p->lib.lzma;
	int r = lib->lzma_alone_decoder(&s, LZMA_MEMORY_MAX) == LZMA_OK
	                ? lzma_run(&s, p, out)
	                : -ENOMEM;

	lib->lzma_end(&s);
	return r;
}

static const char *const lz4[] = { PAYLOAD_LZ4(LIB_NAME) };

/* The "legacy" frame: after its magic, blocks behind their lengths. */
static int unpack_lz4(const struct payload *p, uint8_t *out)
{
	size_t at = 4, done = 0;

	while (p->len - at >= 4) {
		size_t block = (size_t)load_le(p->data + at, 4);
		int n;

		at += 4;
		if (!block || block > p->len - at)
			return -EBADMSG;
		n = p->lib.lz4.LZ4_decompress_safe(
			(const char *)p->data + at, (char *)out + done,
			(int)block, (int)(p->unpacked - done));
		/* A block of nothing would never end it. */
		if (n <= 0)
			return -EBADMSG;
		at += block;
		done += (size_t)n;
	}
	return done == p->unpacked && at == p->len ? 0 : -EBADMSG;
}

static const char *const zstd[] = { PAYLOAD_ZSTD(LIB_NAME) };

/* Into memory at once there is no window to be held. */
static int unpack_zstd(const struct payload *p, uint8_t *out)
{
	const struct payload_zstd *lib = &p->lib.zstd;
	size_t n = lib->ZSTD_decompress(out, p->unpacked, p->data, p->len);

	return !lib->ZSTD_isError(n) && n == p->unpacked ? 0 : -EBADMSG;
}

static const struct format {
	const char *name;
	uint8_t magic[6];
	uint8_t n;
	bool has_size; /* its last four bytes are its own */
	int (*unpack)(const struct payload *p, uint8_t *out);
	const char *lib;
	const char *const *names;
	size_t n_names;
} formats[] = {
#define BY(lib, table) lib, table, ARRAY_SIZE(table)
	{ "gzip", { 0x1f, 0x8b }, 2, true, unpack_gzip, BY("libz.so.1", zlib) },
	{ "xz",
	  { 0xfd, '7', 'z', 'X', 'Z', 0 },
	  6,
	  false,
	  unpack_xz,
	  BY("liblzma.so.5", lzma) },
	{ "lzma",
	  { 0x5d, 0, 0 },
	  3,
	  false,
	  unpack_lzma,
	  BY("liblzma.so.5", lzma) },
	{ "lz4",
	  { 0x02, 0x21, 0x4c, 0x18 },
	  4,
	  false,
	  unpack_lz4,
	  BY("liblz4.so.1", lz4) },
	{ "zstd",
	  { 0x28, 0xb5, 0x2f, 0xfd },
	  4,
	  false,
	  unpack_zstd,
	  BY("libzstd.so.1", zstd) },
#undef BY
};

/* ---- the image ----------------------------------------------------------- */

static int find_format(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (len >= formats[i].n &&
		    !memcmp(data, formats[i].magic, formats[i].n))
			return (int)i;
	return -ENOTSUP;
}

int payload_find(const uint8_t *image, size_t len, struct payload *ret)
{
	struct setup_header h;
	uint64_t at;
	int format;

	if (len < SETUP_AT + sizeof(h))
		return -ENOEXEC;
	memcpy(&h, image + SETUP_AT, sizeof(h));
	if (h.boot_flag != 0xaa55 || memcmp(&h.header, "HdrS", 4) != 0 ||
	    h.version < VERSION_MIN)
		return -ENOEXEC;
	at = ((h.setup_sects ? h.setup_sects : 4u) + 1ull) * 512 +
	     h.payload_offset;
	if (!range_inside(at, h.payload_length, len) || h.payload_length < 16)
		return -ENOEXEC;
	format = find_format(image + at, h.payload_length);
	if (format < 0)
		return format;
	*ret = (struct payload){
		.data = image + at,
		.len = h.payload_length - (formats[format].has_size ? 0 : 4),
		.unpacked =
			(size_t)load_le(image + at + h.payload_length - 4, 4),
		.format = format,
	};
	return !ret->unpacked                         ? -EBADMSG
	       : ret->unpacked > KERNELS_UNPACKED_MAX ? -EFBIG
	                                              : 0;
}

const char *payload_format(const struct payload *p)
{
	return formats[p->format].name;
}

int payload_load(struct payload *p)
{
	const struct format *f = &formats[p->format];

	return lib_load(f->lib, f->names, f->n_names, &p->lib);
}

int payload_unpack(const struct payload *p, uint8_t *out)
{
	return formats[p->format].unpack(p, out);
}
