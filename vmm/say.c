/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of the machine's, for people, on standard error: apart from the
 * loop, for whatever else has something to say. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/priv.h"

/* On a raw terminal a line feed alone does not go back to the margin. */
void loop_say(const char *text)
{
	dprintf(STDERR_FILENO, "fairlead-vmm: %s\r\n", text);
}

void loop_say_diag(const struct diag *d)
{
	char text[4 * DIAG_LINE];

	diag_format(d, text, sizeof(text));
	for (char *line = text, *end; (end = strchr(line, '\n'));
	     line = end + 1) {
		*end = '\0';
		loop_say(line);
	}
}
