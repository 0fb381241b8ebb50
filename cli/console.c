/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * `fairlead console`: a guest's console on this terminal. ^] lets go of it, the
 * guest runs on. The terminal is put back on every way out.
 */

#include "cli/guest.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define REPLAY 4096
#define LOG_BYTES 65536
#define LEAVE 0x1d /* ^] */

struct screen {
	struct guest *g;
	bool tty, eof;
	struct termios saved;
};

static void set_raw(struct screen *s)
{
	struct termios raw;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &s->saved) < 0)
		return;
	raw = s->saved;
	cfmakeraw(&raw);
	s->tty = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -EPIPE;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

/* False = that was all. */
static bool from_guest(struct screen *s)
{
	char buf[4096];
	ssize_t n = read(s->g->fd, buf, sizeof(buf));

	return n > 0 && write_all(STDOUT_FILENO, buf, (size_t)n) == 0;
}

static bool from_user(struct screen *s)
{
	char buf[256];
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));
	char *leave;

	if (n <= 0) {
		s->eof = true;
		return true;
	}
	leave = s->tty ? memchr(buf, LEAVE, (size_t)n) : NULL;
	if (leave)
		n = leave - buf;
	return write_all(s->g->fd, buf, (size_t)n) == 0 && !leave;
}

static void relay(struct screen *s)
{
	for (;;) {
		struct pollfd p[] = {
			{ .fd = s->g->fd, .events = POLLIN },
			{ .fd = s->eof ? -1 : STDIN_FILENO, .events = POLLIN },
		};

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return;
		if (p[0].revents && !from_guest(s))
			return;
		if (p[1].revents && !from_user(s))
			return;
	}
}

static int print_log(const struct cli *c, struct guest *g, struct diag *d)
{
	json_t *result = NULL;
	int r = guest_call(g, "console.log",
	                   json_pack("{s:i}", "bytes", LOG_BYTES), &result, d);

	if (r < 0)
		return r;
	if (c->json)
		return cli_print_json(result);
	fputs(cli_text(result, "text", ""), stdout);
	json_decref(result);
	return 0;
}

static int attach(const struct cli *c, struct guest *g, struct diag *d)
{
	struct screen s = { .g = g };
	int r = guest_call(g, "console.attach",
	                   json_pack("{s:i, s:b}", "replay", REPLAY,
	                             "read_only", c->read_only),
	                   NULL, d);

	if (r < 0)
		return r;
	set_raw(&s);
	if (s.tty)
		fprintf(stderr, "console of %s: ^] lets go of it\r\n", g->name);
	/* What came behind the answer is the console already. */
	if (write_all(STDOUT_FILENO, g->buf, g->len) == 0)
		relay(&s);
	if (s.tty) {
		tcsetattr(STDIN_FILENO, TCSANOW, &s.saved);
		fprintf(stderr, "\r\n");
	}
	return 0;
}

int cli_console(const struct cli *c, char *const *args, unsigned n)
{
	struct diag d = { 0 };
	struct guest g;
	int r = guest_open(c, args[0], &g, &d);

	(void)n;
	if (r == 0)
		r = c->log ? print_log(c, &g, &d) : attach(c, &g, &d);
	guest_close(&g);
	return r < 0 ? cli_refuse(c, CLI_REFUSED, &d) : CLI_OK;
}
