/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may ask NVMe controllers: he answers each by itself, refuses what is no
 * question, and is not held up by a controller that is. */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "netd/nvme.h"
#include "tests/unit/netd/tree.h"

#define DEVICES "sys/bus/pci/devices/"
static const struct bdf disk = { 0, 0x81, 0, 0 };
static const struct bdf hung = { 0, 0x82, 0, 0 };

struct rig {
	struct tree t; /* first: tree_teardown() */
	int fd;
	pid_t pid;
};

#define HUNG "dev/nvme1"

/* A controller without a node, and one whose node does not open. */
static int setup(void **state)
{
	static struct rig r;
	int pair[2];

	tree_make(&r.t);
	put(&r.t, DEVICES "0000:81:00.0/nvme/nvme0/dev", "1:3\n");
	put(&r.t, DEVICES "0000:82:00.0/nvme/nvme1/dev", "1:3\n");
	put(&r.t, "dev/null", "");
	assert_int_equal(mkfifoat(r.t.fd, HUNG, 0600), 0);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	r.pid = fork();
	assert_true(r.pid >= 0);
	if (!r.pid) {
		close(pair[0]);
		nvme_keeper_serve(r.t.fd, pair[1]);
		_exit(7);
	}
	close(pair[1]);
	r.fd = pair[0];
	*state = &r;
	return 0;
}

/* He ends with the last who may ask. */
static int teardown(void **state)
{
	struct rig *r = *state;
	int status;

	close_fd(&r->fd);
	assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	return tree_teardown(state);
}

static int ask(const struct rig *r, struct bdf pf, unsigned ms, struct diag *d)
{
	struct sriov_nvme *n = malloc(sizeof(*n));
	int e;

	assert_non_null(n);
	memset(d, 0, sizeof(*d));
	e = nvme_ask_read(r->fd, pf, ms, n, d);
	free(n);
	return e;
}

/* The refusal is the one of who tried. */
static void test_refusal(void **state)
{
	const struct rig *r = *state;
	struct sriov_nvme_vf want = { .queues = 2 };
	struct diag d;

	assert_int_equal(ask(r, disk, 5000, &d), -ENOENT);
	assert_int_equal(d.code, FL_SRIOV_NVME);
	assert_non_null(strstr(d.what, "0000:81:00.0"));
	assert_int_equal(nvme_ask_set(r->fd, disk, 0, &want, 5000, &d),
	                 -ENOENT);
	assert_int_equal(nvme_ask_keep(r->fd, disk, 0, 0, 5000, &d), -ENOENT);
	assert_int_equal(ask(r, (struct bdf){ 0, 9, 0, 0 }, 5000, &d), -ENODEV);
}

static void test_late(void **state)
{
	const struct rig *r = *state;
	struct diag d;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(ask(r, hung, 50, &d), -EIO);
		assert_int_equal(d.code, FL_NETD_NVME_LATE);
		assert_non_null(strstr(d.what, "0000:82:00.0"));
		assert_int_equal(ask(r, disk, 5000, &d), -ENOENT);
	}
	/* Those who hang in it come back. */
	close(openat(r->t.fd, HUNG, O_WRONLY | O_NONBLOCK));
}

/* However often a controller is asked that does not answer: a few wait for it,
 * the rest is told at once, and others are served. */
static void test_many(void **state)
{
	const struct rig *r = *state;
	struct diag d;
	int n = 0;

	do {
		uint64_t begin = now_ns();

		assert_int_equal(ask(r, hung, 200, &d), -EIO);
		assert_int_equal(d.code, FL_NETD_NVME_LATE);
		if (strstr(d.why, "already"))
			break;
		assert_true(now_ns() - begin >= 150000000ull);
	} while (++n < 20);
	assert_in_range(n, 1, 8);
	assert_int_equal(ask(r, disk, 5000, &d), -ENOENT);
	assert_int_equal(ask(r, hung, 200, &d), -EIO);
	/* Those who hang in it come back: it is asked again. */
	close(openat(r->t.fd, HUNG, O_WRONLY | O_NONBLOCK));
	for (int i = 0; i < 100 && strstr(d.why, "already"); i++) {
		usleep(20000);
		assert_int_equal(ask(r, hung, 50, &d), -EIO);
	}
	assert_null(strstr(d.why, "already"));
	close(openat(r->t.fd, HUNG, O_WRONLY | O_NONBLOCK));
}

/* What is no question: none of it is answered, none ends him. */
static void test_rubbish(void **state)
{
	const struct rig *r = *state;
	char big[4096] = "x";
	int pair[2];
	struct diag d;

	assert_int_equal(fd_send(r->fd, "x", 1, NULL, 0), 0);
	assert_int_equal(fd_send(r->fd, big, sizeof(big), NULL, 0), 0);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(fd_send(r->fd, "x", 1, &pair[1], 1), 0);
	assert_int_equal(fd_send(r->fd, big, 64, pair, 2), 0);
	close(pair[1]);
	assert_int_equal(ask(r, disk, 5000, &d), -ENOENT);
	/* He has not kept it: the other end is told. */
	assert_int_equal(recv(pair[0], big, sizeof(big), 0), 0);
	close(pair[0]);
}

static void test_gone(void **state)
{
	struct rig r = *(struct rig *)*state;
	struct sriov_nvme *n = malloc(sizeof(*n));
	struct diag d;
	int pair[2];

	assert_int_equal(nvme_ask_read(-1, disk, 50, n, &d), -EPERM);
	assert_int_equal(d.code, FL_NETD_NVME);
	assert_non_null(strstr(d.why, "CAP_SYS_ADMIN"));
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	close(pair[1]);
	r.fd = pair[0];
	assert_int_equal(ask(&r, disk, 5000, &d), -EIO);
	assert_int_equal(d.code, FL_NETD_NVME);
	close(pair[0]);
	free(n);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_refusal), T(test_late), T(test_many),
		T(test_rubbish), T(test_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
