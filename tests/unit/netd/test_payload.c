/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What bzImages have compressed: found, decompressed, also by a process apart;
 * what is damaged. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <asm/bootparam.h>
#include <string.h>
#include <sys/mman.h>

#include "netd/unpack.h"
#include "tests/unit/netd/bzimage.h"

static int unpack(const struct image *im, uint8_t *out)
{
	struct payload p;
	int r = payload_find(im->byte, im->len, &p);

	if (r < 0)
		return r;
	assert_int_equal(payload_load(&p), 0);
	return p.unpacked > UNPACKED ? -ERANGE : payload_unpack(&p, out);
}

static void formats(void **state)
{
	uint8_t *want = malloc(UNPACKED), *out = calloc(1, UNPACKED);

	(void)state;
	make_kernel(want, 7);
	for (size_t i = 0; i < PACKERS; i++) {
		struct image im = make_image(&packers[i], 7);
		struct payload p;

		assert_int_equal(payload_find(im.byte, im.len, &p), 0);
		assert_string_equal(payload_format(&p), packers[i].name);
		assert_int_equal(p.unpacked, UNPACKED);
		memset(out, 0, UNPACKED);
		assert_int_equal(payload_load(&p), 0);
		assert_int_equal(payload_unpack(&p, out), 0);
		assert_memory_equal(out, want, UNPACKED);
		free(im.byte);
	}
	free(want);
	free(out);
}

/* Cut off, of another length than it says, or with a byte that is wrong: it
 * may not be found out, but stays within the output. */
static void broken(void **state)
{
	uint8_t *out = malloc(UNPACKED);

	(void)state;
	for (size_t i = 0; i < PACKERS; i++) {
		struct image im = make_image(&packers[i], 1);

		for (unsigned k = 0; k < 200; k++) {
			size_t at =
				im.payload + k * (im.end - im.payload) / 200;

			im.byte[at] ^= 0x55;
			(void)!unpack(&im, out);
			im.byte[at] ^= 0x55;
		}
		store_le(im.byte + im.end - 4, 4, UNPACKED - 1);
		assert_int_equal(unpack(&im, out), -EBADMSG);
		store_le(im.byte + im.end - 4, 4, 16);
		assert_int_equal(unpack(&im, out), -EBADMSG);
		store_le(im.byte + im.end - 4, 4, UNPACKED);
		header(&im)->payload_length -= 1000;
		store_le(im.byte + im.end - 1004, 4, UNPACKED);
		assert_int_equal(unpack(&im, out), -EBADMSG);
		free(im.byte);
	}
	free(out);
}

static void none(void **state)
{
	struct image im = make_image(&packers[ZSTD], 1);
	struct setup_header good = *header(&im);
	struct payload p;

	(void)state;
#define NONE(err, field, value)                                                \
	do {                                                                   \
		*header(&im) = good;                                           \
		header(&im)->field = value;                                    \
		assert_int_equal(payload_find(im.byte, im.len, &p), err);      \
	} while (0)
	NONE(-ENOEXEC, boot_flag, 0);
	NONE(-ENOEXEC, header, 0);
	NONE(-ENOEXEC, version, 0x207);
	NONE(-ENOEXEC, payload_offset, UINT32_MAX);
	NONE(-ENOEXEC, payload_length, UINT32_MAX);
	NONE(-ENOEXEC, payload_length, 15);
	NONE(-ENOEXEC, setup_sects, 255);
	NONE(-ENOTSUP, payload_offset, OFFSET + 1);
	*header(&im) = good;
	store_le(im.byte + im.end - 4, 4, KERNELS_UNPACKED_MAX + 1);
	assert_int_equal(payload_find(im.byte, im.len, &p), -EFBIG);
	store_le(im.byte + im.end - 4, 4, 0);
	assert_int_equal(payload_find(im.byte, im.len, &p), -EBADMSG);
	for (size_t len = 0; len < im.payload; len += 3)
		assert_int_equal(payload_find(im.byte, len, &p), -ENOEXEC);
	free(im.byte);
}

static void apart(void **state)
{
	uint8_t *want = malloc(UNPACKED);
	uint8_t *out = mmap(NULL, UNPACKED, PROT_READ | PROT_WRITE,
	                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(out, MAP_FAILED);
	make_kernel(want, 3);
	for (size_t i = 0; i < PACKERS; i++) {
		struct image im = make_image(&packers[i], 3);
		struct payload p;

		assert_int_equal(payload_find(im.byte, im.len, &p), 0);
		memset(out, 0, UNPACKED);
		assert_int_equal(payload_unpack_apart(&p, out, 20000), 0);
		assert_memory_equal(out, want, UNPACKED);
		p.unpacked--;
		assert_int_equal(payload_unpack_apart(&p, out, 20000),
		                 -EBADMSG);
		/* It steps on what is not there, and only it dies. */
		p.unpacked++;
		p.data = (const uint8_t *)16;
		assert_int_equal(payload_unpack_apart(&p, out, 20000), -ECHILD);
		free(im.byte);
	}
	munmap(out, UNPACKED);
	free(want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats),
		cmocka_unit_test(broken),
		cmocka_unit_test(none),
		cmocka_unit_test(apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
