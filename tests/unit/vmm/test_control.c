/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket's requests, of peers that are clumsy or hostile, and what
 * they do. Who may, and peers that are slow or many, are
 * test_control_peers.c's.
 */

#include "control_rig.h"

#include <sys/eventfd.h>
#include <sys/mman.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_garbage),       TEST(test_version),
		TEST(test_counters),      TEST(test_devices),
		TEST(test_pieces),        TEST(test_two_at_once),
		TEST(test_huge_line),     TEST(test_stop),
		TEST(test_said_and_gone), TEST(test_kill),
		TEST(test_console),       TEST(test_console_read_only),
		TEST(test_console_log),   TEST(test_dump_refused),
		TEST(test_dump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
