/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A control socket, one client of it, and the machine behind it, which only
 * notes what it is asked for. To be included by one file of a test.
 */
#ifndef FL_TESTS_CONTROL_RIG_H
#define FL_TESTS_CONTROL_RIG_H

#include <fcntl.h>
#include <linux/magic.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/control_priv.h"
#include "vmm/hotplug.h"
#include "vmm/stats.h"

#define SAID 200000u

struct fixture {
	struct vm vm;
	struct control *c;
	char folder[32], path[64];
	int client;
	char got[2 * CONTROL_QUEUE];
	size_t len;
	unsigned pauses, resumes, presses, requests;
	char typed[64];
	size_t n_typed, room;
	struct diag d;
};
static struct fixture *now;

/* ---- the machine ---- */

static struct plug plugged;
static char unplugged[VM_NAME];
static uint64_t unplugged_ms;

int hotplug_plug(struct hotplug *h, struct plug *p, struct diag *d)
{
	(void)h;
	plugged = *p;
	if (p->slot == 9)
		return diag_fail(d, -ENOENT, FL_VMM_HOTPLUG, "no slot");
	plug_close(p);
	return 0;
}

int hotplug_unplug(struct hotplug *h, const char *name, uint64_t ms,
                   struct diag *d)
{
	(void)h;
	snprintf(unplugged, sizeof(unplugged), "%s", name);
	unplugged_ms = ms;
	if (!strcmp(name, "fixed"))
		return diag_fail(d, -EOPNOTSUPP, FL_VMM_FIXED, "it stays");
	return 0;
}

json_t *report_of(struct vm *vm, const char *event, const char *reason)
{
	(void)vm;
	(void)reason;
	return json_pack("{s:s}", "event", event);
}

json_t *stats_of(struct vm *vm, bool describe)
{
	(void)vm;
	return json_pack("{s:b}", "described", describe);
}

void pause_begin(struct vm *vm)
{
	vm->pause.on = true;
	now->pauses++;
}

void pause_end(struct vm *vm)
{
	vm->pause.on = false;
	now->resumes++;
}

void power_button(struct vm *vm)
{
	(void)vm;
	now->presses++;
}

void vm_request(struct vm *vm, enum vm_request r)
{
	(void)vm;
	assert_int_equal(r, VM_REQ_RESET);
	now->requests++;
}

/* The console has said SAID bytes: 'a' to 'z', over and over. */
uint64_t console_end(struct console *c)
{
	(void)c;
	return SAID;
}

size_t console_look(struct console *c, uint64_t *at, uint8_t *buf, size_t size,
                    uint64_t *ret_lost)
{
	const uint64_t first = SAID - CONSOLE_KEPT;
	size_t n = 0;

	(void)c;
	*ret_lost = *at < first ? first - *at : 0;
	*at += *ret_lost;
	for (uint64_t i = *at; i < SAID && n < size; i++)
		buf[n++] = (uint8_t)('a' + i % 26);
	return n;
}

size_t console_room(struct console *c)
{
	(void)c;
	return now->room;
}

size_t console_type(struct console *c, const uint8_t *buf, size_t n)
{
	size_t take = MIN(n, now->room);

	(void)c;
	assert_in_range(now->n_typed + take, 0, sizeof(now->typed));
	memcpy(now->typed + now->n_typed, buf, take);
	now->n_typed += take;
	now->room -= take;
	return take;
}

/* Whatever is handed over lies on FUSE. */
int fstatfs(int fildes, struct statfs *buf)
{
	(void)fildes;
	buf->f_type = FUSE_SUPER_MAGIC;
	return 0;
}

/* ---- peers ---- */

static inline int connect_to(const struct fixture *f)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(a.sun_path, f->path, strlen(f->path) + 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

/* As the loop does, once: 1 = again, 0 = nothing is to be done, -1 = the guest
 * ends. */
static inline int slice(struct fixture *f)
{
	struct pollfd p[CONTROL_POLLS];
	unsigned n = control_prepare(f->c, p);
	int r = poll(p, n, 0);

	if (!r && control_wait_ms(f->c) != 0)
		return 0;
	return control_serve(f->c, p) ? -1 : 1;
}

/* True = the guest ends. */
static inline bool pass(struct fixture *f)
{
	int r = 1;

	for (unsigned i = 0; i < 200 && r > 0; i++)
		r = slice(f);
	return r < 0;
}

/* What is said, line by line, for tests/static/control. */
static inline void transcribe(char whose, const char *text, size_t len)
{
	const char *path = getenv("FL_TRANSCRIPT");
	FILE *f = path ? fopen(path, "a") : NULL;

	if (!f)
		return;
	for (size_t i = 0; i < len; i++) {
		if (!i || text[i - 1] == '\n')
			fprintf(f, "%c ", whose);
		fputc(text[i], f);
	}
	if (len && text[len - 1] != '\n')
		fputc('\n', f);
	fclose(f);
}

static inline void say(int fd, const char *text)
{
	transcribe('>', text, strlen(text));
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL),
	                 strlen(text));
}

/* What is there to be read, from `fd` on. */
static inline const char *hear(struct fixture *f, int fd)
{
	ssize_t n;

	f->len = 0;
	while (f->len < sizeof(f->got) - 1 &&
	       (n = read(fd, f->got + f->len, sizeof(f->got) - 1 - f->len)) > 0)
		f->len += (size_t)n;
	f->got[f->len] = '\0';
	transcribe('<', f->got, f->len);
	return f->got;
}

static inline bool gone(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno == ECONNRESET);
}

/* A request of the method, with params; what it is answered. */
static inline const char *ask(struct fixture *f, const char *method,
                              const char *params)
{
	char text[300];

	snprintf(text, sizeof(text),
	         "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"%s\",\"params\":"
	         "{%s}}\n",
	         method, params);
	say(f->client, text);
	(void)pass(f);
	return hear(f, f->client);
}

#define SAYS(text, part)                                                       \
	do {                                                                   \
		const char *text_ = (text);                                    \
		if (!strstr(text_, part))                                      \
			fail_msg("\"%.200s\" has no %s", text_, part);         \
	} while (0)

/* ---- a guest begins, and ends ---- */

static inline int begin(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (!f)
		return -1;
	signal(SIGPIPE, SIG_IGN);
	snprintf(f->folder, sizeof(f->folder), "/tmp/fl-control-XXXXXX");
	if (!mkdtemp(f->folder))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/s", f->folder);
	memcpy(a.sun_path, f->path, strlen(f->path) + 1);
	strcpy(f->vm.cfg.name, "plain");
	f->vm.event_fd = -1;
	f->vm.cfg.control_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(f->vm.cfg.control_fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(f->vm.cfg.control_fd, 20) < 0 ||
	    control_new(&f->vm, &f->c, &f->d) < 0)
		return -1;
	now = f;
	f->client = connect_to(f);
	(void)pass(f);
	*state = f;
	return 0;
}

static inline int end(void **state)
{
	struct fixture *f = *state;

	control_free(f->c);
	close_fd(&f->client);
	close_fd(&f->vm.cfg.control_fd);
	unlink(f->path);
	rmdir(f->folder);
	free(f);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

#endif
