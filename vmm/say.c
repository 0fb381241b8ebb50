/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of the machine's, for people, on standard error: apart from the
 * loop, for whatever else has something to say. Of a guest in the background
 * that is a textring (base.h), which is asked for each time: nothing here
 * keeps a state. */

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/priv.h"

/* Whoever says something may hold a device's lock, or be the loop: what cannot
 * be written at once is not said. A pipe that takes any takes a page, which is
 * more than a line. */
static bool is_heard(void)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&p, 1, 0) == 1;
}

/* On a raw terminal a line feed alone does not go back to the margin. */
void loop_say(const char *text)
{
	char line[TEXTRING_LINE];

	if (textring_is(STDERR_FILENO)) {
		snprintf(line, sizeof(line), "fairlead-vmm: %s", text);
		textring_put(STDERR_FILENO, line);
	} else if (is_heard()) {
		dprintf(STDERR_FILENO, "fairlead-vmm: %s\r\n", text);
	}
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
