/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Peers that are slow, deaf, cut their frames short, say rubbish, or hand over
 * descriptors without end: others are served meanwhile, and the daemon keeps
 * neither memory nor descriptors. */

#include <dirent.h>

#include "tests/unit/netd/daemon.h"

/* More than that is kept. ASan keeps what is freed, for a time. */
#ifdef __SANITIZE_ADDRESS__
#define MEMORY_KB (512 * 1024)
#else
#define MEMORY_KB 8192
#endif
#define AT_ONCE 40

static const char ask_status[] = "{\"version\":1,\"verb\":\"status\"}";
static const char ask_lease[] =
	"{\"version\":1,\"verb\":\"lease\",\"guest\":\"g\"}";

static long memory_kb(const struct daemon *d)
{
	char path[64], line[128];
	long kb = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", d->pid);
	f = fopen(path, "r");
	assert_non_null(f);
	while (kb < 0 && fgets(line, sizeof(line), f))
		(void)!sscanf(line, "VmRSS: %ld", &kb);
	fclose(f);
	return kb;
}

/* Without those of a worker. */
static int open_files(const struct daemon *d)
{
	char path[64];
	int n = 0;
	DIR *dir;

	wait_idle(d);

	snprintf(path, sizeof(path), "/proc/%d/fd", d->pid);
	dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Within the time that a person would wait. */
static void served(const struct daemon *d)
{
	uint64_t begun = now_ns();
	int fd = dial(d);

	say(fd, ask_status);
	expect(fd, 0);
	close(fd);
	assert_true(now_ns() - begun < 3000000000ull);
}

static void kept_nothing(const struct daemon *d, long kb, int files)
{
	int now = open_files(d);

	/* That peers have gone, the one too who asked last, is noticed one
	 * after another. */
	for (int i = 0; i < 300 && now > files; i++) {
		usleep(10000);
		now = open_files(d);
	}
	assert_true(now <= files);
	assert_true(memory_kb(d) < kb + MEMORY_KB);
}

/* Each beginning of a frame is one that is not whole. */
static void test_truncated(void **state)
{
	struct daemon *d = *state;
	long kb = memory_kb(d);
	int files = open_files(d);

	for (size_t n = 1; n < strlen(ask_lease); n++) {
		int fd = dial(d);

		assert_int_equal(fd_send(fd, ask_lease, n, NULL, 0), 0);
		expect(fd, FL_NETD_REQUEST);
		assert_true(is_closed(fd));
		close(fd);
	}
	served(d);
	kept_nothing(d, kb, files);
}

/* Forty that say nothing, or ask and never take the answer. */
static void test_slow(void **state)
{
	struct daemon *d = *state;
	int fd[AT_ONCE];
	long kb = memory_kb(d);
	int files = open_files(d);

	for (int i = 0; i < AT_ONCE; i++) {
		fd[i] = dial(d);
		if (i % 2)
			say(fd[i], ask_status);
	}
	for (int i = 0; i < 5; i++)
		served(d);
	for (int i = 0; i < AT_ONCE; i++)
		close(fd[i]);
	kept_nothing(d, kb, files);
}

/* It asks without end and takes no answer: its socket is full some time, and
 * then it is no client any more. */
static void test_deaf(void **state)
{
	struct daemon *d = *state;
	long kb = memory_kb(d);
	int files = open_files(d), fd = dial(d), n = 0;
	/* A refusal that leaves the connection open. */
	static const char text[] = "{\"version\":1,\"verb\":\"restoring\"}";

	while (n < 20000 && fd_send(fd, text, strlen(text), NULL, 0) == 0)
		n++;
	assert_true(n > 1 && n < 20000);
	served(d);
	close(fd);
	kept_nothing(d, kb, files);
}

/* The largest frames, of nothing. */
static void test_garbage(void **state)
{
	struct daemon *d = *state;
	static char text[NETD_MSG_MAX];
	long kb = memory_kb(d);
	int files = open_files(d);

	for (int i = 0; i < 500; i++) {
		int fd = dial(d);

		memset(text, i, sizeof(text));
		/* Depth, in JSON's own words. */
		if (i % 3 == 0)
			memset(text, '[', sizeof(text));
		if (i % 3 == 1)
			memset(text, '"', 1);
		(void)!fd_send(fd, text, sizeof(text), NULL, 0);
		if (i % 2)
			expect(fd, FL_NETD_REQUEST);
		close(fd);
		if (i % 100 == 0)
			served(d);
	}
	served(d);
	kept_nothing(d, kb, files);
}

/* As many descriptors as a frame can have, and more requests that take none. */
static void test_descriptors(void **state)
{
	struct daemon *d = *state;
	int fds[NETD_FDS_MAX], files = open_files(d);
	long kb = memory_kb(d);

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (int i = 0; i < 200; i++) {
		int fd = dial(d);

		assert_int_equal(fd_send(fd, ask_status, strlen(ask_status),
		                         fds, ARRAY_SIZE(fds)),
		                 0);
		if (i % 2)
			expect(fd, FL_NETD_REQUEST);
		close(fd);
	}
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	served(d);
	kept_nothing(d, kb, files);
}

/* They come, ask and go before they are answered. */
static void test_gone(void **state)
{
	struct daemon *d = *state;
	long kb = memory_kb(d);
	int files = open_files(d);

	for (int i = 0; i < 300; i++) {
		int fd = dial(d);

		if (i % 3)
			say(fd, i % 3 == 1 ? ask_status : ask_lease);
		close(fd);
	}
	served(d);
	kept_nothing(d, kb, files);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_truncated), T(test_slow),        T(test_deaf),
		T(test_garbage),   T(test_descriptors), T(test_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
