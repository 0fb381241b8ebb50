/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_DIGEST_H
#define FL_NETD_DIGEST_H

/* digest: SHA-256 of what is not secret, by libgcrypt. */

#include "base/base.h"

/* Once, before the first fork: libgcrypt looks at four files when it begins,
 * and would in each worker that digests. */
_must_check_ int digest_begin(void);

#define DIGEST_LEN 32u
_must_check_ int digest_of(const void *data, size_t len,
                           uint8_t ret[static DIGEST_LEN]);
#define DIGEST_STRLEN (2 * DIGEST_LEN + 1)
const char *digest_format(const uint8_t sum[static DIGEST_LEN],
                          char buf[static DIGEST_STRLEN]);

#endif
