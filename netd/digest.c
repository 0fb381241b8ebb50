/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256 by libgcrypt (digest.h). */

#include <gcrypt.h>
#include <stdio.h>

#include "netd/digest.h"

int digest_begin(void)
{
	if (!gcry_check_version(GCRYPT_VERSION))
		return -ENOSYS;
	/* Nothing here is secret. */
	gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
	gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
	return 0;
}

int digest_of(const void *data, size_t len, uint8_t ret[static DIGEST_LEN])
{
	int r = digest_begin();

	if (!r)
		gcry_md_hash_buffer(GCRY_MD_SHA256, ret, data, len);
	return r;
}

const char *digest_format(const uint8_t sum_of[static DIGEST_LEN],
                          char buf[static DIGEST_STRLEN])
{
	for (size_t i = 0; i < DIGEST_LEN; i++)
		snprintf(buf + 2 * i, 3, "%02x", sum_of[i]);
	return buf;
}
