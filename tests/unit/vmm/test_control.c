/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket before peers that are clumsy, slow, many or hostile. The
 * machine behind it is this file's own.
 */
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
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

static int connect_to(const struct fixture *f)
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
static int slice(struct fixture *f)
{
	struct pollfd p[CONTROL_POLLS];
	unsigned n = control_prepare(f->c, p);
	int r = poll(p, n, 0);

	if (!r && control_wait_ms(f->c) != 0)
		return 0;
	return control_serve(f->c, p) ? -1 : 1;
}

/* True = the guest ends. */
static bool pass(struct fixture *f)
{
	int r = 1;

	for (unsigned i = 0; i < 200 && r > 0; i++)
		r = slice(f);
	return r < 0;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL),
	                 strlen(text));
}

/* What is there to be read, from `fd` on. */
static const char *hear(struct fixture *f, int fd)
{
	ssize_t n;

	f->len = 0;
	while (f->len < sizeof(f->got) - 1 &&
	       (n = read(fd, f->got + f->len, sizeof(f->got) - 1 - f->len)) > 0)
		f->len += (size_t)n;
	f->got[f->len] = '\0';
	return f->got;
}

static bool gone(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno == ECONNRESET);
}

/* A request of the method, with params; what it is answered. */
static const char *ask(struct fixture *f, const char *method,
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
#define ERROR(f, line, code)                                                   \
	do {                                                                   \
		say((f)->client, line);                                        \
		assert_false(pass(f));                                         \
		SAYS(hear(f, (f)->client), "\"code\":" #code);                 \
	} while (0)

/* ---- requests ---- */

static void test_garbage(void **state)
{
	struct fixture *f = *state;

	ERROR(f, "\n", -32700);
	ERROR(f, "{\n", -32700);
	ERROR(f, "{\"a\":1,\"a\":2}\n", -32700);
	ERROR(f, "[]\n", -32600);
	ERROR(f, "3\n", -32700);
	ERROR(f, "{\"method\":\"status\",\"id\":1}\n", -32600);
	ERROR(f, "{\"jsonrpc\":\"1.0\",\"method\":\"status\",\"id\":1}\n",
	      -32600);
	ERROR(f, "{\"jsonrpc\":2.0,\"method\":\"status\",\"id\":1}\n", -32600);
	ERROR(f, "{\"jsonrpc\":\"2.0\",\"method\":5,\"id\":1}\n", -32600);
	ERROR(f, "{\"jsonrpc\":\"2.0\",\"method\":\"status\",\"id\":[]}\n",
	      -32600);
	ERROR(f,
	      "{\"jsonrpc\":\"2.0\",\"method\":\"status\",\"id\":1,"
	      "\"params\":[]}\n",
	      -32602);
	ERROR(f, "{\"jsonrpc\":\"2.0\",\"method\":\"sing\",\"id\":1}\n",
	      -32601);
	SAYS(f->got, "\"id\":1");
	SAYS(ask(f, "stop", "\"grace_ms\":-1"), "-32602");
	SAYS(ask(f, "stop", "\"grace_ms\":\"soon\""), "-32602");
	SAYS(ask(f, "console.attach", "\"replay\":65537"), "-32602");
	SAYS(ask(f, "events", "\"on\":1"), "-32602");
	assert_int_equal(f->presses, 0);
	/* And it is still listened to. */
	SAYS(ask(f, "status", ""), "\"state\":\"running\"");
}

static void test_version(void **state)
{
	struct fixture *f = *state;

	SAYS(ask(f, "version", ""), "\"protocol\":1");
	SAYS(f->got, "\"id\":7");
	SAYS(ask(f, "version", "\"protocol\":1"), "\"guest\":\"plain\"");
	SAYS(ask(f, "version", "\"protocol\":2"), "\"code\":630");
	SAYS(f->got, "\"code\":-32000");
}

static void test_counters(void **state)
{
	struct fixture *f = *state;

	SAYS(ask(f, "counters", ""), "\"described\":false");
	SAYS(ask(f, "counters", "\"describe\":true"), "\"described\":true");
	SAYS(ask(f, "counters", "\"describe\":1"), "-32602");
}

static void test_devices(void **state)
{
	struct fixture *f = *state;

	SAYS(ask(f, "device.attach", ""), "-32602");
	SAYS(ask(f, "device.attach", "\"rng\":{\"slot\":2}"), "-32602");
	SAYS(ask(f, "device.attach", "\"rng\":{\"slot\":2},\"fds\":[]"),
	     "\"device\":\"rng\",\"slot\":2");
	assert_int_equal(plugged.kind, PLUG_RNG);
	SAYS(ask(f, "device.attach", "\"rng\":{\"slot\":9},\"fds\":[]"),
	     "\"code\":612");
	SAYS(ask(f, "device.attach",
	         "\"disks\":[{\"name\":\"a\",\"slot\":2}],\"fds\":"
	         "[\"disk:a\"]"),
	     "-32602");
	SAYS(ask(f, "device.detach", ""), "-32602");
	SAYS(ask(f, "device.detach", "\"device\":\"a\",\"deadline_ms\":-1"),
	     "-32602");
	SAYS(ask(f, "device.detach", "\"device\":\"a\""), "\"state\"");
	assert_string_equal(unplugged, "a");
	assert_int_equal(unplugged_ms, 10000);
	SAYS(ask(f, "device.detach", "\"device\":\"fixed\",\"deadline_ms\":0"),
	     "\"code\":661");
	assert_int_equal(unplugged_ms, 0);
}

static void test_pieces(void **state)
{
	static const char line[] =
		"{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"version\"}\n";
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(line) - 1; i++) {
		assert_string_equal(hear(f, f->client), "");
		assert_int_equal(send(f->client, line + i, 1, 0), 1);
		assert_false(pass(f));
	}
	SAYS(hear(f, f->client), "\"id\":\"x\"");
}

static void test_two_at_once(void **state)
{
	struct fixture *f = *state;

	say(f->client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pause\"}\n"
	               "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"resume\"}\n"
	               "{\"jsonrpc\":\"2.0\",\"method\":\"powerbutton\"}\n"
	               "{\"jsonrpc\":\"2.0\",\"id\":3,\"meth");
	/* It says no more, and is answered all the same. */
	assert_int_equal(shutdown(f->client, SHUT_WR), 0);
	assert_false(pass(f));
	SAYS(hear(f, f->client), "\"id\":1,\"result\":{\"state\":\"paused\"}");
	SAYS(f->got, "\"id\":2,\"result\":{\"state\":\"running\"}");
	assert_null(strstr(f->got, "\"id\":3"));
	assert_int_equal(f->pauses, 1);
	assert_int_equal(f->resumes, 1);
	assert_int_equal(f->presses, 1);
	assert_true(gone(f->client));
}

static void test_huge_line(void **state)
{
	_cleanup_free_ char *x = malloc(CONTROL_LINE);
	struct fixture *f = *state;
	size_t sent = 0;

	memset(x, 'x', CONTROL_LINE);
	while (sent < CONTROL_LINE) {
		ssize_t n = send(f->client, x, CONTROL_LINE - sent, 0);

		sent += n > 0 ? (size_t)n : 0;
		assert_false(pass(f));
	}
	SAYS(hear(f, f->client), "-32600");
	assert_true(gone(f->client));
}

/* ---- who may, and how many ---- */

static void test_rights(void **state)
{
	struct fixture *f = *state;
	const gid_t groups[] = { 5, 6, 7 };

	f->c->own = 1000;
	f->c->group = 7;
	assert_true(control_may(f->c, 0, NULL, 0));
	assert_true(control_may(f->c, 1000, NULL, 0));
	assert_true(control_may(f->c, 1001, groups, 3));
	assert_false(control_may(f->c, 1001, groups, 2));
	assert_false(control_may(f->c, 65534, NULL, 0));
	f->c->group = (gid_t)-1;
	assert_true(control_may(f->c, 1001, NULL, 0));
}

/* Of root's peers nobody is refused: another comes, from another process. */
static int connect_as_nobody(const struct fixture *f)
{
	int status, ends[2];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	assert_int_equal(chmod(f->folder, 0755), 0);
	assert_int_equal(chmod(f->path, 0666), 0);
	pid = fork();
	if (!pid) {
		int fd;

		if (setgroups(0, NULL) < 0 || setgid(65534) < 0 ||
		    setuid(65534) < 0)
			_exit(1);
		fd = connect_to(f);
		_exit(fd_send(ends[1], "x", 1, &fd, 1) < 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(ends[1]);
	return ends[0];
}

static void test_without_right(void **state)
{
	struct fixture *f = *state;
	int from, fd;
	char byte;
	size_t n;

	if (getuid())
		skip();
	f->c->group = 5;
	from = connect_as_nobody(f);
	assert_int_equal(fd_recv(from, &byte, 1, &fd, 1, &n), 1);
	assert_false(pass(f));
	SAYS(hear(f, fd), "not yours");
	assert_true(gone(fd));
	close(fd);
	close(from);
}

static void test_many(void **state)
{
	struct fixture *f = *state;
	int fd[CONTROL_PEERS];

	/* One is there already. */
	for (unsigned i = 0; i < CONTROL_PEERS; i++) {
		fd[i] = connect_to(f);
		assert_false(pass(f));
	}
	SAYS(hear(f, fd[CONTROL_PEERS - 1]), "16 others");
	assert_true(gone(fd[CONTROL_PEERS - 1]));
	assert_false(gone(fd[CONTROL_PEERS - 2]));
	close(fd[0]);
	assert_false(pass(f));
	close(fd[CONTROL_PEERS - 1]);
	fd[CONTROL_PEERS - 1] = connect_to(f);
	assert_false(pass(f));
	say(fd[CONTROL_PEERS - 1],
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}\n");
	assert_false(pass(f));
	SAYS(hear(f, fd[CONTROL_PEERS - 1]), "\"protocol\"");
	for (unsigned i = 1; i < CONTROL_PEERS; i++)
		close(fd[i]);
}

/* It is told why, as the last thing; others hear every event. */
/* Members of the group cannot keep the guest from who owns it. */
static void test_owner_comes_in(void **state)
{
	struct fixture *f = *state;
	int fd[CONTROL_PEERS];

	for (unsigned i = 0; i + 1 < CONTROL_PEERS; i++) {
		fd[i] = connect_to(f);
		assert_false(pass(f));
	}
	for (unsigned i = 1; i < CONTROL_PEERS; i++)
		f->c->peer[i].owner = false;
	f->c->dump_peer = &f->c->peer[1];
	fd[CONTROL_PEERS - 1] = connect_to(f);
	assert_false(pass(f));
	assert_false(gone(fd[CONTROL_PEERS - 1]));
	assert_false(gone(f->client));
	assert_false(gone(fd[0]));
	SAYS(hear(f, fd[1]), "the place was needed");
	assert_true(gone(fd[1]));
	f->c->dump_peer = NULL;
	for (unsigned i = 0; i < CONTROL_PEERS; i++)
		close(fd[i]);
}

static void test_slow_reader(void **state)
{
	struct fixture *f = *state;
	int quick = connect_to(f);
	unsigned heard = 0;

	assert_false(pass(f));
	say(quick, "{\"jsonrpc\":\"2.0\",\"method\":\"events\"}\n");
	SAYS(ask(f, "events", ""), "running");
	for (unsigned i = 0; i < 20000; i++) {
		control_event(f->c, "reset", NULL);
		for (const char *s = hear(f, quick);
		     (s = strstr(s, "\"event\":\"reset\"")); s++)
			heard++;
	}
	assert_int_equal(heard, 20000);
	/* What was on its way comes whole, then the word, then the end. */
	for (unsigned i = 0; i < 100 && !gone(f->client); i++) {
		(void)hear(f, f->client);
		assert_false(pass(f));
		if (strstr(f->got, "dropped"))
			break;
	}
	SAYS(f->got, "\"method\": \"dropped\"");
	assert_int_equal(f->got[f->len - 1], '\n');
	assert_false(pass(f));
	assert_true(gone(f->client));
	close(quick);
}

/* ---- what it does ---- */

static void test_stop(void **state)
{
	struct fixture *f = *state;

	SAYS(ask(f, "pause", ""), "paused");
	SAYS(ask(f, "stop", "\"grace_ms\":60000"), "ending");
	assert_int_equal(f->presses, 1);
	assert_int_equal(f->resumes, 1);
	assert_in_range(control_wait_ms(f->c), 59000, 60001);
	SAYS(ask(f, "pause", ""), "\"code\":630");
	assert_int_equal(f->pauses, 1);
	say(f->client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stop\","
	               "\"params\":{\"grace_ms\":0}}\n");
	assert_true(pass(f));
	SAYS(hear(f, f->client), "ending");
}

/* Without an id there is nothing to wait for. */
static void test_said_and_gone(void **state)
{
	static const char button[] =
		"{\"jsonrpc\":\"2.0\",\"method\":\"powerbutton\"}\n";
	struct fixture *f = *state;

	say(f->client, button);
	say(f->client, button);
	say(f->client, "{\"jsonrpc\":\"2.0\"");
	close_fd(&f->client);
	assert_false(pass(f));
	assert_int_equal(f->presses, 2);
	assert_int_equal(f->c->peer[0].fd, -1);
}

static void test_kill(void **state)
{
	struct fixture *f = *state;

	say(f->client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"events\"}\n"
	               "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"reset\"}\n"
	               "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"kill\"}\n");
	assert_true(pass(f));
	assert_int_equal(f->requests, 1);
	control_end(f->c, "stopped");
	control_end(f->c, "stopped");
	SAYS(hear(f, f->client), "\"reason\":\"stopped\"");
	SAYS(f->got, "\"event\":\"ended\"");
}

static void test_console(void **state)
{
	struct fixture *f = *state;
	const char *s;

	/* What follows the request in the same breath is typed. */
	f->room = 4;
	say(f->client,
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
	    "\"console.attach\",\"params\":{\"replay\":26}}\nls -l\n");
	assert_false(pass(f));
	s = strchr(hear(f, f->client), '\n');
	assert_non_null(s);
	assert_int_equal(strlen(s + 1), 26);
	assert_memory_equal(f->typed, "ls -", 4);
	assert_int_equal(f->n_typed, 4);
	f->room = 10;
	assert_false(pass(f));
	assert_memory_equal(f->typed, "ls -l\n", 6);
	/* It slept, and the ring went on without it. */
	f->c->peer[0].at = 100;
	assert_false(pass(f));
	SAYS(hear(f, f->client), "[134364 bytes of the console were lost]");
	assert_int_equal(f->c->peer[0].lost, SAID - CONSOLE_KEPT - 100);
	close(f->client);
	assert_false(pass(f));
	assert_int_equal(f->c->peer[0].fd, -1);
	f->client = connect_to(f);
}

static void test_console_read_only(void **state)
{
	struct fixture *f = *state;

	f->room = 64;
	SAYS(ask(f, "console.attach", "\"read_only\":true"), "\"from\":200000");
	say(f->client, "reboot\n");
	assert_false(pass(f));
	assert_int_equal(f->n_typed, 0);
}

static void test_console_log(void **state)
{
	struct fixture *f = *state;

	SAYS(ask(f, "console.log", "\"bytes\":3"), "\"from\":199997");
	SAYS(f->got, "\"text\":\"fgh\"");
	SAYS(ask(f, "console.log", "\"bytes\":0"), "\"text\":\"\"");
	(void)ask(f, "console.log", "\"bytes\":65536");
	assert_in_range(f->len, 65536, 65700);
}

/* ---- dumps ---- */

static int send_fd(int sock, int fd)
{
	static const char line[] =
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"dump\"}\n";

	return fd_send(sock, line, sizeof(line) - 1, &fd, 1);
}

static void test_dump_refused(void **state)
{
	_cleanup_close_ int used = memfd_create("used", MFD_CLOEXEC);
	struct fixture *f = *state;
	int ends[2];

	SAYS(ask(f, "dump", ""), "no file came");
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(send_fd(f->client, ends[1]), 0);
	assert_false(pass(f));
	SAYS(hear(f, f->client), "\"code\":631");
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(write(used, "x", 1), 1);
	assert_int_equal(send_fd(f->client, used), 0);
	assert_false(pass(f));
	SAYS(hear(f, f->client), "empty regular file");
	assert_int_equal(f->pauses, f->resumes);
	/* A member of the group would serve the file himself, or not. */
	f->c->peer[0].owner = false;
	assert_int_equal(ftruncate(used, 0), 0);
	assert_int_equal(send_fd(f->client, used), 0);
	assert_false(pass(f));
	SAYS(hear(f, f->client), "FUSE");
}

/* Two regions; of the first only the last page was ever touched. */
static void test_dump(void **state)
{
	_cleanup_close_ int core = memfd_create("core", MFD_CLOEXEC);
	const size_t size = 8u << 20;
	struct fixture *f = *state;
	uint64_t word = 0;
	eventfd_t count;
	uint8_t *hva;

	f->vm.mem.memfd = memfd_create("ram", MFD_CLOEXEC);
	assert_int_equal(ftruncate(f->vm.mem.memfd, (off_t)size), 0);
	hva = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
	           f->vm.mem.memfd, 0);
	assert_ptr_not_equal(hva, MAP_FAILED);
	f->vm.mem.n = 2;
	f->vm.mem.region[0] =
		(struct mem_region){ .size = size / 2, .hva = hva };
	f->vm.mem.region[1] = (struct mem_region){
		.gpa = { .v = 1ull << 32 },
		.size = size / 2,
		.hva = hva + size / 2,
		.memfd_off = size / 2,
	};
	store_le(hva + size / 2 - 8, 8, 0x1122334455667788);
	store_le(hva + size / 2, 8, 0x99aa);
	/* A guest that wants its reset has it afterwards. */
	f->vm.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(send_fd(f->client, core), 0);
	assert_false(control_holds(f->c));
	slice(f);
	assert_true(control_holds(f->c));
	assert_int_equal(eventfd_read(f->vm.event_fd, &count), -1);
	assert_false(pass(f));
	assert_false(control_holds(f->c));
	assert_int_equal(eventfd_read(f->vm.event_fd, &count), 0);
	close_fd(&f->vm.event_fd);
	SAYS(hear(f, f->client), "\"bytes\":8392704");
	assert_int_equal(f->pauses, 1);
	assert_int_equal(f->resumes, 1);
	assert_int_equal(lseek(core, 0, SEEK_END), size + 4096);
	assert_int_equal(pread(core, &word, 8, 4096 + (off_t)size / 2 - 8), 8);
	assert_true(word == 0x1122334455667788);
	assert_int_equal(pread(core, &word, 8, 4096 + (off_t)size / 2), 8);
	assert_true(word == 0x99aa);
	/* What nobody touched takes no room. */
	assert_true(lseek(core, 4096, SEEK_DATA) > 4096 + 4000000);
	munmap(hva, size);
	close_fd(&f->vm.mem.memfd);
}

/* ---- */

static int begin(void **state)
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

static int end(void **state)
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_garbage),
		TEST(test_version),
		TEST(test_pieces),
		TEST(test_two_at_once),
		TEST(test_huge_line),
		TEST(test_rights),
		TEST(test_without_right),
		TEST(test_many),
		TEST(test_owner_comes_in),
		TEST(test_slow_reader),
		TEST(test_stop),
		TEST(test_said_and_gone),
		TEST(test_kill),
		TEST(test_console),
		TEST(test_console_read_only),
		TEST(test_console_log),
		TEST(test_dump_refused),
		TEST(test_counters),
		TEST(test_devices),
		TEST(test_dump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
