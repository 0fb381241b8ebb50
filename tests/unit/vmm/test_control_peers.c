/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket's peers: who may, how many, and one that does not read. */

#include "control_rig.h"

#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>

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

/* It is told why, as the last thing; others hear every event. */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rights),      TEST(test_without_right),
		TEST(test_many),        TEST(test_owner_comes_in),
		TEST(test_slow_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
