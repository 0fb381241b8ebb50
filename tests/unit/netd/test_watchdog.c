/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What systemd hears of the loop: as often as it asked, or nothing. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "tests/unit/netd/daemon.h"

struct notify {
	struct daemon *d;
	char path[64];
	int fd;
};

static struct notify begin(const char *usec)
{
	struct notify n = { .d = NULL };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	void *d = NULL;

	snprintf(n.path, sizeof(n.path), "/tmp/fl-notify-%d", getpid());
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", n.path);
	n.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(n.fd, (struct sockaddr *)&a, sizeof(a)), 0);
	setenv("NOTIFY_SOCKET", n.path, 1);
	if (usec)
		setenv("WATCHDOG_USEC", usec, 1);
	else
		unsetenv("WATCHDOG_USEC");
	setup(&d);
	n.d = d;
	return n;
}

static void end(struct notify *n)
{
	void *d = n->d;

	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	teardown(&d);
	close_fd(&n->fd);
	unlink(n->path);
}

/* How many of its messages say so, until `ms` pass without one. */
static unsigned heard(struct notify *n, const char *what, unsigned want, int ms)
{
	struct pollfd p = { .fd = n->fd, .events = POLLIN };
	unsigned count = 0;
	char text[256];

	while (count < want && poll(&p, 1, ms) == 1) {
		ssize_t len = recv(n->fd, text, sizeof(text) - 1, 0);

		assert_true(len > 0);
		text[len] = '\0';
		count += strstr(text, what) != NULL;
	}
	return count;
}

static void test_told(void **state)
{
	struct notify n = begin("100000");

	(void)state;
	assert_int_equal(heard(&n, "READY=1", 1, 5000), 1);
	/* Of an idle loop, and after a request, too. */
	assert_int_equal(heard(&n, "WATCHDOG=1", 3, 5000), 3);
	close(dial(n.d));
	assert_int_equal(heard(&n, "WATCHDOG=1", 3, 5000), 3);
	end(&n);
}

/* Stopped, as one that hangs is: nothing is said on its behalf. */
static void test_stands(void **state)
{
	struct notify n = begin("100000");

	(void)state;
	assert_int_equal(heard(&n, "WATCHDOG=1", 1, 5000), 1);
	kill(n.d->pid, SIGSTOP);
	heard(&n, "WATCHDOG=1", 1000, 300);
	assert_int_equal(heard(&n, "WATCHDOG=1", 1, 500), 0);
	kill(n.d->pid, SIGCONT);
	assert_int_equal(heard(&n, "WATCHDOG=1", 1, 5000), 1);
	end(&n);
}

static void test_not_asked(void **state)
{
	struct notify n = begin(NULL);

	(void)state;
	assert_int_equal(heard(&n, "READY=1", 1, 5000), 1);
	assert_int_equal(heard(&n, "WATCHDOG=1", 1, 500), 0);
	end(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_stands),
		cmocka_unit_test(test_not_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
