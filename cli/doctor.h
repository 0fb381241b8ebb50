/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_CLI_DOCTOR_H
#define FL_CLI_DOCTOR_H

/* Findings of `fairlead doctor`: a line each, with the mend where one is
 * needed. Inside cli/ only. */

#include "cli/cli.h"

enum finding {
	FINDING_OK,
	FINDING_NOTE, /* worth knowing, prevents nothing */
	FINDING_NO,   /* prevents assignment */
};
/* A list of {"state", "subject", "text", "mend"}; `mend` may be NULL. */
void finding_add(json_t *list, enum finding f, const char *subject,
                 const char *mend, const char *fmt, ...) _printf_(5, 6);
/* From a diag: what and why as text. */
void finding_add_diag(json_t *list, const char *subject, const struct diag *d);
bool findings_prevent(const json_t *list);

/* Pure enough to be tested on recorded trees: they read below root_fd only. */
void doctor_host(int root_fd, json_t *list);
_must_check_ int doctor_device(int root_fd, struct bdf b, json_t *list,
                               struct diag *d);

#endif
