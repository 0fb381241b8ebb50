/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Verbs about a guest that runs: each a request to its VMM. */

#include "cli/boot.h"
#include "cli/guest.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GRACE_S 30u

static int failed(const struct cli *c, struct guest *g, const struct diag *d)
{
	guest_close(g);
	return cli_refuse(c, d->err == -EPROTO ? CLI_INTERNAL : CLI_REFUSED, d);
}

static int tell(const struct cli *c, const char *name, const char *what)
{
	if (c->json)
		return cli_print_json(json_pack("{s:b, s:s, s:s}", "ok", 1,
		                                "guest", name, "state", what));
	printf("%s: %s\n", name, what);
	return CLI_OK;
}

static int simple(const struct cli *c, const char *name, const char *method,
                  const char *done)
{
	struct diag d = { 0 };
	struct guest g;

	if (guest_open(c, name, &g, &d) < 0 ||
	    guest_call(&g, method, NULL, NULL, &d) < 0)
		return failed(c, &g, &d);
	guest_close(&g);
	return tell(c, name, done);
}

int cli_pause(const struct cli *c, char *const *args, unsigned n)
{
	(void)n;
	return simple(c, args[0], "pause", "paused");
}

int cli_resume(const struct cli *c, char *const *args, unsigned n)
{
	(void)n;
	return simple(c, args[0], "resume", "running");
}

int cli_reset(const struct cli *c, char *const *args, unsigned n)
{
	(void)n;
	return simple(c, args[0], "reset", "reset");
}

/* ---- stop ---------------------------------------------------------------- */

/* Until its connection ends; *ret_reason as the VMM told it, "" = it did not.
 */
static int wait_end(struct guest *g, int ms, char *ret_reason, size_t size,
                    struct diag *d)
{
	uint64_t until = now_ns() + (uint64_t)ms * 1000000;

	*ret_reason = '\0';
	for (;;) {
		uint64_t now = now_ns();
		const json_t *p;
		json_t *o = NULL;
		int r = guest_next(
			g, now < until ? (int)((until - now) / 1000000) : 0, &o,
			d);

		if (r <= 0)
			return r;
		p = json_object_get(o, "params");
		if (!strcmp(cli_text(p, "event", ""), "ended"))
			snprintf(ret_reason, size, "%s",
			         cli_text(p, "reason", ""));
		json_decref(o);
	}
}

int guest_stop(const struct cli *c, const char *name)
{
	uint64_t grace = GRACE_S;
	struct diag d = { 0 };
	char reason[32];
	struct guest g;
	json_t *params;

	if (c->grace && parse_u64(c->grace, 3600, &grace) < 0) {
		fprintf(stderr, "fairlead: --grace is seconds, up to 3600\n");
		return CLI_USAGE;
	}
	params = c->now ? NULL
	                : json_pack("{s:I}", "grace_ms",
	                            (json_int_t)grace * 1000);
	if (guest_open(c, name, &g, &d) < 0) {
		json_decref(params);
		return failed(c, &g, &d);
	}
	if (guest_call(&g, "events", NULL, NULL, &d) < 0 ||
	    guest_send(&g, c->now ? "kill" : "stop", params, -1, &d) < 0 ||
	    wait_end(&g, (int)(grace + 30) * 1000, reason, sizeof(reason), &d) <
	            0)
		return failed(c, &g, &d);
	guest_close(&g);
	return tell(c, name,
	            !strcmp(reason, "poweroff") ? "powered off" : "ended");
}

int cli_stop(const struct cli *c, char *const *args, unsigned n)
{
	(void)n;
	return guest_stop(c, args[0]);
}

/* ---- dump ---------------------------------------------------------------- */

int cli_dump(const struct cli *c, char *const *args, unsigned n)
{
	/* It has all that the guest knows. */
	_cleanup_close_ int fd =
		open(args[1], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct diag d = { 0 };
	struct guest g = { .fd = -1 };
	json_t *result = NULL;

	(void)n;
	if (fd < 0) {
		diag_fail(&d, -errno, FL_CLI_FILE, "cannot make %.128s",
		          args[1]);
		diag_why(&d, "%s", strerror(errno));
		diag_mend(&d, "name a file that is not there yet");
		return cli_refuse(c, CLI_REFUSED, &d);
	}
	if (guest_open(c, args[0], &g, &d) < 0 ||
	    guest_send(&g, "dump", NULL, fd, &d) < 0 ||
	    guest_answer(&g, -1, &result, &d) < 0) {
		unlink(args[1]);
		return failed(c, &g, &d);
	}
	guest_close(&g);
	if (c->json)
		return cli_print_json(result);
	printf("%s: %" JSON_INTEGER_FORMAT " bytes in %s\n", args[0],
	       json_integer_value(json_object_get(result, "bytes")), args[1]);
	json_decref(result);
	return CLI_OK;
}

/* ---- ps ------------------------------------------------------------------ */

static json_t *status_of(const struct cli *c, const char *name)
{
	json_t *o = NULL;
	struct diag d = { 0 };
	struct guest g;

	if (guest_open(c, name, &g, &d) == 0)
		(void)!guest_call(&g, "status", NULL, &o, &d);
	guest_close(&g);
	/* Its file is all that is left, or it has ended before it answered. */
	if (!o && (d.err == -ECONNREFUSED || d.err == -ENOENT))
		return NULL;
	return o ? o
	         : json_pack("{s:s, s:s}", "guest", name, "state",
	                     d.err == -EACCES ? "not yours" : "silent");
}

struct listing {
	const struct cli *c;
	json_t *list;
};

static int list_one(const char *file, void *arg)
{
	struct listing *l = arg;
	const char *end = strrchr(file, '.');
	char name[64];
	json_t *o;

	if (!end || strcmp(end, ".sock") != 0 ||
	    (size_t)(end - file) >= sizeof(name))
		return 0;
	memcpy(name, file, (size_t)(end - file));
	name[end - file] = '\0';
	o = status_of(l->c, name);
	if (o)
		json_array_append_new(l->list, o);
	return 0;
}

static void print_devices(const json_t *o)
{
	const json_t *list =
		json_object_get(json_object_get(o, "report"), "devices");

	if (!json_array_size(list))
		printf("-");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *v = json_array_get(list, i);

		printf("%s%s=%s", i ? " " : "", cli_text(v, "name", "?"),
		       cli_text(v, "bdf", "?"));
	}
	putchar('\n');
}

static void print_guest(const json_t *o)
{
	json_int_t up = json_integer_value(json_object_get(o, "uptime_ns")) /
	                1000000000;

	printf("%-16s  %-9s  %-6s", cli_text(o, "guest", "?"),
	       cli_text(o, "state", "?"), cli_text(o, "boot", "-"));
	/* A guest that could not be asked has no figures, not zeros. */
	if (!json_object_get(o, "pid")) {
		putchar('\n');
		return;
	}
	printf("  %-7" JSON_INTEGER_FORMAT "  %3d:%02d:%02d  %4d  %6dM  ",
	       json_integer_value(json_object_get(o, "pid")), (int)(up / 3600),
	       (int)(up / 60 % 60), (int)(up % 60),
	       (int)json_integer_value(json_object_get(o, "cpus")),
	       (int)(json_integer_value(json_object_get(o, "memory")) >> 20));
	print_devices(o);
}

int cli_ps(const struct cli *c, char *const *args, unsigned n)
{
	_cleanup_free_ char *folder = guest_folder(c);
	struct listing l = { .c = c, .list = json_array() };
	struct diag d;
	int r = folder ? sysfs_each(AT_FDCWD, folder, list_one, &l) : -ENOMEM;

	(void)args;
	(void)n;
	/* No folder: no guest has run yet. */
	if (r < 0 && r != -ENOENT) {
		json_decref(l.list);
		diag_fail(&d, r, FL_CLI_FILE, "cannot read %.128s",
		          folder ? folder : "?");
		diag_why(&d, "%s", strerror(-r));
		diag_mend(&d, "run as root, or as a member of the group %s",
		          NETD_GROUP);
		return cli_refuse(c, CLI_REFUSED, &d);
	}
	boot_mark(c, l.list);
	if (c->json)
		return cli_print_json(json_pack("{s:o}", "guests", l.list));
	if (json_array_size(l.list))
		printf("%-16s  %-9s  %-6s  %-7s  %9s  %4s  %7s  %s\n", "guest",
		       "state", "boot", "pid", "uptime", "cpus", "memory",
		       "devices");
	for (size_t i = 0; i < json_array_size(l.list); i++)
		print_guest(json_array_get(l.list, i));
	json_decref(l.list);
	return CLI_OK;
}
