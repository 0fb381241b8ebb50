/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vectors that drivers have given VFs: vectors.h. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "netd/vectors.h"

#define FILE_BEFORE "vectors-"
#define FILE_NAME (sizeof(FILE_BEFORE) + BDF_STRLEN)
#define TEXT_MAX (BOOT_ID_LEN + 48)

/* "BOOT INODE ": what a note of this VF begins with. */
static int identity(const struct env *e, struct bdf vf,
                    char ret[static TEXT_MAX], struct diag *d)
{
	char path[64], b[BDF_STRLEN], boot[BOOT_ID_LEN];
	struct stat st;
	int r = boot_id(e, boot, d);

	if (r)
		return r;
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s",
	         bdf_format(vf, b));
	if (fstatat(e->root_fd, path, &st, 0) < 0) {
		r = diag_fail(d, -errno, FL_NETD_JOURNAL, "%s is gone", b);
		diag_mend(d, "try again: what is there then is set up");
		return r;
	}
	snprintf(ret, TEXT_MAX, "%s %" PRIu64 " ", *boot ? boot : "-",
	         (uint64_t)st.st_ino);
	return 0;
}

static const char *file_name(struct bdf vf, char ret[static FILE_NAME])
{
	char b[BDF_STRLEN];

	snprintf(ret, FILE_NAME, FILE_BEFORE "%s", bdf_format(vf, b));
	return ret;
}

int vectors_note(const struct env *e, struct bdf vf, unsigned n, struct diag *d)
{
	char text[TEXT_MAX], name[FILE_NAME];
	int r = identity(e, vf, text, d);
	size_t len;

	if (r)
		return r;
	len = strlen(text);
	snprintf(text + len, sizeof(text) - len, "%u", n);
	return journal_put(e->state_fd, file_name(vf, name), text, strlen(text),
	                   d);
}

/* A note is no more than what was said once: one that is not good is none. */
unsigned vectors_noted(const struct env *e, struct bdf vf)
{
	_cleanup_free_ char *text = NULL;
	char begin[TEXT_MAX], name[FILE_NAME];
	size_t len = 0, n;
	unsigned count = 0;

	if (e->state_fd < 0 ||
	    journal_get(e->state_fd, file_name(vf, name), &text, &len, NULL) ||
	    identity(e, vf, begin, NULL))
		return 0;
	n = strlen(begin);
	if (len <= n || len - n > 4 || memcmp(text, begin, n) != 0)
		return 0;
	for (size_t i = n; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		count = count * 10 + (unsigned)(text[i] - '0');
	}
	return count;
}
