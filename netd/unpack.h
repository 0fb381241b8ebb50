/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_UNPACK_H
#define FL_NETD_UNPACK_H

/*
 * unpack: the payload of a bzImage, decompressed (unpack.c), in a process that
 * can do nothing else (unpack-child.c). Each decompressor is a library that is
 * loaded for it: netd itself has none of them.
 */

#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "netd/kernels.h"

/* inflateInit2() is a macro of the first. */
#define PAYLOAD_ZLIB(fn) fn(inflateInit2_) fn(inflate) fn(inflateEnd)
struct payload_zlib {
	PAYLOAD_ZLIB(LIB_FN)
};
#define PAYLOAD_LZMA(fn)                                                       \
	fn(lzma_stream_decoder) fn(lzma_alone_decoder) fn(lzma_code)           \
		fn(lzma_end)
struct payload_lzma {
	PAYLOAD_LZMA(LIB_FN)
};
#define PAYLOAD_LZ4(fn) fn(LZ4_decompress_safe)
struct payload_lz4 {
	PAYLOAD_LZ4(LIB_FN)
};
#define PAYLOAD_ZSTD(fn) fn(ZSTD_decompress) fn(ZSTD_isError)
struct payload_zstd {
	PAYLOAD_ZSTD(LIB_FN)
};
struct payload {
	const uint8_t *data;
	size_t len;      /* without the size that follows it */
	size_t unpacked; /* bytes it says it has */
	int format;
	union {
		struct payload_zlib zlib;
		struct payload_lzma lzma;
		struct payload_lz4 lz4;
		struct payload_zstd zstd;
	} lib; /* by payload_load() */
};
/* In a bzImage. -ENOEXEC: it is none, or cut off; -EFBIG; -ENOTSUP: compressed
 * in a way that is not known here. */
_must_check_ int payload_find(const uint8_t *image, size_t len,
                              struct payload *ret);
const char *payload_format(const struct payload *p);
/* Its decompressor, before the process gives up the file that it is in.
 * -ELIBACC: it is not installed. */
_must_check_ int payload_load(struct payload *p);
/* All of it into `out`, p->unpacked bytes. -EBADMSG: broken, or of another
 * length. -ENOMEM. */
_must_check_ int payload_unpack(const struct payload *p, uint8_t *out);

/* unpack-child.c: the same in a process that can do nothing else; killed after
 * `ms`. `out` is a shared mapping. -ETIMEDOUT; -ECHILD: it was killed for what
 * it did. */
_must_check_ int payload_unpack_apart(const struct payload *p, uint8_t *out,
                                      unsigned ms);

#endif
