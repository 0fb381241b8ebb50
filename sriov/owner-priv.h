/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_SRIOV_OWNER_PRIV_H
#define FL_SRIOV_OWNER_PRIV_H

/* Shared by owner.c (whose files, and how they name a function) and
 * owner-read.c (their reading). */

#include "sriov/priv.h"

/* What is asked about. */
struct owner_asked {
	char bdf[BDF_STRLEN];
	const char *ifname; /* "" = none */
};
struct owner_place {
	const char *who;
	/* A name in one of them hides the same name in those after it. */
	const char *const *dirs; /* NULL behind the last */
	const char *end;         /* of the files' names, "" = any */
	bool drop_ins; /* *.conf in NAME.d of any of dirs is part of NAME */
	/* Of VFs at all; NULL: the file's name says all. */
	bool (*speaks)(const char *text);
	bool (*names)(const struct owner_asked *a, const char *name,
	              const char *text);
	const char *what, *mend;
};
struct owner_file {
	const struct owner_place *place;
	char *name, *path; /* path: of the part that speaks */
	char *text;        /* NULL: its name says all */
};
struct sriov_owner_files {
	struct owner_file *file;
	size_t n, bytes;
};

/* All of `n` places. -ENOMEM. */
_must_check_ int owner_read(int root_fd, const struct owner_place *p, size_t n,
                            struct sriov_owner_files *all);

#endif
