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

static int sum(const void *key, size_t key_len, const void *data, size_t len,
               uint8_t *ret)
{
	gcry_md_hd_t h;
	int r = digest_begin();

	if (r)
		return r;
	if (gcry_md_open(&h, GCRY_MD_SHA256, key ? GCRY_MD_FLAG_HMAC : 0))
		return -ENOMEM;
	if (key && gcry_md_setkey(h, key, key_len)) {
		gcry_md_close(h);
		return -EINVAL;
	}
	gcry_md_write(h, data, len);
	memcpy(ret, gcry_md_read(h, GCRY_MD_SHA256), DIGEST_LEN);
	gcry_md_close(h);
	return 0;
}

int digest_of(const void *data, size_t len, uint8_t ret[static DIGEST_LEN])
{
	return sum(NULL, 0, data, len, ret);
}

int digest_keyed(const void *key, size_t key_len, const void *data, size_t len,
                 uint8_t ret[static DIGEST_LEN])
{
	return sum(key, key_len, data, len, ret);
}

const char *digest_format(const uint8_t sum_of[static DIGEST_LEN],
                          char buf[static DIGEST_STRLEN])
{
	for (size_t i = 0; i < DIGEST_LEN; i++)
		snprintf(buf + 2 * i, 3, "%02x", sum_of[i]);
	return buf;
}
