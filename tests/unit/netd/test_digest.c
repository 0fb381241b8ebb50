/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Digests that others have published. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "netd/digest.h"

/* FIPS 180-2, appendix B.1. */
static void plain(void **state)
{
	uint8_t sum[DIGEST_LEN];
	char text[DIGEST_STRLEN];

	(void)state;
	assert_int_equal(digest_of("abc", 3, sum), 0);
	assert_string_equal(digest_format(sum, text),
	                    "ba7816bf8f01cfea414140de5dae2223"
	                    "b00361a396177a9cb410ff61f20015ad");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
