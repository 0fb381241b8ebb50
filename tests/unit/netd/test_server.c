/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon over its socket, on a tree of files: what clients may do to it
 * (nothing), and that a device that hangs does not hold it up. */

#include "tests/unit/netd/daemon.h"

#define PF "sys/bus/pci/devices/0000:01:00.0"
/* A FIFO that nobody writes is an attribute that never returns. */
#define HANG                                                                   \
	"mkdir -p " PF " && echo 7 > " PF "/sriov_totalvfs && mkfifo " PF      \
	"/sriov_numvfs"

static const char ask_status[] = "{\"version\":1,\"verb\":\"status\"}";

static void test_status(void **state)
{
	struct daemon *d = *state;
	int fd = dial(d);

	for (int i = 0; i < 3; i++) { /* a connection may ask again */
		say(fd, ask_status);
		expect(fd, 0);
	}
	close(fd);
}

static void test_garbage(void **state)
{
	static const char *const bad[] = {
		"garbage",
		"{}",
		"{\"version\":1,\"verb\":\"status\",\"x\":1}",
		"{\"version\":1,\"verb\":\"lease\"}",
	};
	struct daemon *d = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int fd = dial(d);

		say(fd, bad[i]);
		expect(fd, FL_NETD_REQUEST);
		assert_true(is_closed(fd));
		close(fd);
	}
	test_status(state);
}

static void test_too_long(void **state)
{
	struct daemon *d = *state;
	char *text = malloc(NETD_MSG_MAX + 1);
	int fd = dial(d);

	memset(text, ' ', NETD_MSG_MAX + 1);
	assert_int_equal(fd_send(fd, text, NETD_MSG_MAX + 1, NULL, 0), 0);
	expect(fd, FL_NETD_REQUEST);
	assert_true(is_closed(fd));
	close(fd);
	free(text);
}

/* Descriptors that nobody asked for are closed again. */
static void test_descriptors(void **state)
{
	struct daemon *d = *state;
	int pipe_fd[2], fd = dial(d);
	char c;

	assert_int_equal(pipe2(pipe_fd, O_CLOEXEC), 0);
	assert_int_equal(
		fd_send(fd, ask_status, strlen(ask_status), &pipe_fd[1], 1), 0);
	close(pipe_fd[1]);
	expect(fd, FL_NETD_REQUEST);
	assert_int_equal(read(pipe_fd[0], &c, 1), 0);
	close(pipe_fd[0]);
	close(fd);
}

static void test_unknown_verb(void **state)
{
	struct daemon *d = *state;
	int fd = dial(d);

	say(fd, "{\"version\":1,\"verb\":\"recover\"}");
	expect(fd, FL_NETD_DENIED);
	say(fd, ask_status); /* asking for too much is no rubbish */
	expect(fd, 0);
	close(fd);
}

static void test_unsealed(void **state)
{
	static const char req[] = "{\"version\":1,\"verb\":\"plan\"}";
	struct daemon *d = *state;
	int fd = dial(d), mem = memfd_create("policy", MFD_ALLOW_SEALING);

	assert_int_equal(fd_send(fd, req, strlen(req), &mem, 1), 0);
	expect(fd, FL_NETD_REQUEST);
	close(mem);
	close(fd);
}

static void test_policy_errors(void **state)
{
	struct daemon *d = *state;
	int fd = dial(d);
	const json_t *first;
	json_t *doc;

	send_policy(fd, "plan", "version: 1\nnicz: []\n");
	doc = receive(fd, 5000);
	first = json_array_get(json_object_get(doc, "errors"), 0);
	assert_int_equal(json_integer_value(json_object_get(first, "line")), 2);
	assert_int_equal(json_integer_value(json_object_get(first, "code")),
	                 FL_POL_KEY);
	json_decref(doc);
	close(fd);
}

static void test_no_policy(void **state)
{
	struct daemon *d = *state;
	int fd = dial(d);

	say(fd, "{\"version\":1,\"verb\":\"lease\",\"guest\":\"g\"}");
	expect(fd, FL_NETD_NO_POLICY);
	close(fd);
}

/* A user of more groups than we keep is still in the one that counts. */
static void test_many_groups(void **state)
{
	struct daemon *d = *state;
	gid_t groups[3 * PEER_GROUPS_MAX];
	int status;
	pid_t pid;

	for (unsigned i = 0; i < ARRAY_SIZE(groups); i++)
		groups[i] = 1000 + i;
	groups[ARRAY_SIZE(groups) - 1] = LEASE_GID;
	assert_int_equal(chmod(d->dir.path, 0755), 0);
	pid = fork();
	if (!pid) {
		int fd;

		if (setgroups(ARRAY_SIZE(groups), groups) || setgid(999) ||
		    setuid(999))
			_exit(3);
		fd = dial(d);
		say(fd, "{\"version\":1,\"verb\":\"lease\","
		        "\"guest\":\"g\"}");
		expect(fd, FL_NETD_NO_POLICY); /* and not "denied" */
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Whoever has the connection of a lease has no say. */
static void test_lease_is_mute(void **state)
{
	struct daemon *d = *state;
	int fd = dial(d), other = dial(d);
	json_t *doc;

	shell(d, "mkdir -p dev && touch dev/kvm k && printf '%s\\n' "
	         "'version: 1' 'guests:' '  - name: g' "
	         "'    memory: { size: 512M }' '    kernel: /k' "
	         "> state/applied.yaml");
	say(fd, "{\"version\":1,\"verb\":\"lease\",\"guest\":\"g\"}");
	expect(fd, 0);
	say(fd, ask_status);
	expect(fd, FL_NETD_DENIED);
	say(fd, "{\"version\":1,\"verb\":\"restore\"}");
	expect(fd, FL_NETD_DENIED);
	/* What is no request is the VMM's business: not answered. */
	say(fd, "rubbish");
	say(fd, "{\"event\":\"done\",\"id\":1,\"ok\":true}");
	assert_null(receive(fd, 200));
	say(other, ask_status);
	doc = receive(other, 5000);
	assert_int_equal(json_array_size(json_object_get(doc, "leases")), 1);
	json_decref(doc);
	close(fd);
	close(other);
}

/* "dma-faults" once the first function of it has `count` (0: is unknown). */
static void wait_faults(const struct daemon *d, json_int_t count)
{
	json_int_t seen = -1;
	int fd = dial(d);

	for (int i = 0; i < 200 && seen != count; i++) {
		const json_t *faults, *list;
		json_t *doc;

		say(fd, ask_status);
		doc = receive(fd, 5000);
		faults = json_object_get(doc, "dma-faults");
		list = json_object_get(faults, "by-function");
		seen = json_is_null(list)
		               ? 0
		               : json_integer_value(json_object_get(
					 json_array_get(list, 0), "count"));
		json_decref(doc);
		usleep(10000);
	}
	assert_int_equal(seen, count);
	close(fd);
}

/* The kernel's log is read as it is written; at its end (which the real one
 * has not) nothing is claimed, and nothing spins. */
static void test_kmsg(void **state)
{
	static const char fault[] =
		"3,7,9,-;DMAR: [DMA Write NO_PASID] Request device [02:00.0] "
		"fault addr 0x7000000 [fault reason 0x05] no\n";
	struct daemon *d = *state;
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/dev/kmsg", d->dir.path);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	for (json_int_t i = 1; i <= 3; i++) {
		assert_int_equal(write(fd, fault, strlen(fault)),
		                 strlen(fault));
		wait_faults(d, i);
	}
	close(fd);
	wait_faults(d, 0);
	test_status(state);
}

static void test_full(void **state)
{
	struct daemon *d = *state;
	int fd[CLIENTS_MAX + 1];

	for (int i = 0; i < CLIENTS_MAX; i++) {
		fd[i] = dial(d);
		assert_true(fd[i] >= 0);
	}
	say(fd[0], ask_status); /* all are accepted by now */
	expect(fd[0], 0);
	fd[CLIENTS_MAX] = dial(d);
	expect(fd[CLIENTS_MAX], FL_NETD_FULL);
	assert_true(is_closed(fd[CLIENTS_MAX]));
	for (int i = 0; i <= CLIENTS_MAX; i++)
		close(fd[i]);
	usleep(50000);
	test_status(state);
}

static long ticks(pid_t pid)
{
	char path[64], buf[512];
	unsigned long user = 0, kernel = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(buf, sizeof(buf), f));
	fclose(f);
	assert_int_equal(sscanf(strrchr(buf, ')'),
	                        ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u "
	                        "%*u %lu %lu",
	                        &user, &kernel),
	                 2);
	return (long)(user + kernel);
}

/* Without a descriptor for it a client waits, and the daemon does not spin. */
static void test_no_descriptors(void **state)
{
	struct daemon *d = *state;
	struct rlimit few = { 3, 4096 }, many = { 1024, 4096 };
	long before;
	int fd;

	assert_int_equal(prlimit(d->pid, RLIMIT_NOFILE, &few, NULL), 0);
	fd = dial(d);
	before = ticks(d->pid);
	sleep(1);
	assert_true(ticks(d->pid) - before < sysconf(_SC_CLK_TCK) / 4);
	assert_int_equal(prlimit(d->pid, RLIMIT_NOFILE, &many, NULL), 0);
	say(fd, ask_status);
	expect(fd, 0);
	close(fd);
}

/* Two requests without waiting for the first one's answer. */
static void test_impatient(void **state)
{
	struct daemon *d = *state;
	int fd;

	shell(d, HANG);
	fd = dial(d);
	say(fd, ask_status);
	usleep(50000);
	say(fd, ask_status);
	expect(fd, FL_NETD_REQUEST);
	assert_true(is_closed(fd));
	close(fd);
}

/* Whoever reads the device hangs. The daemon must not, and must say who is at
 * it. */
static void test_hang(void **state)
{
	struct daemon *d = *state;
	int apply = dial(d), other = dial(d), read_only = dial(d);
	uint64_t begun;
	char pid[32];
	json_t *doc;

	shell(d, HANG);
	send_policy(apply, "apply", "version: 1\n");
	say(read_only, ask_status);
	usleep(100000);
	begun = now_ns();
	send_policy(other, "apply", "version: 1\n");
	doc = receive(other, 2000);
	assert_non_null(doc);
	snprintf(pid, sizeof(pid), "apply by pid %d", getpid());
	assert_non_null(strstr(json_string_value(json_object_get(
				       json_object_get(doc, "error"), "why")),
	                       pid));
	json_decref(doc);
	/* What needs no device is answered at once. */
	send_policy(other, "plan", "not a policy");
	expect(other, FL_POL_TYPE);
	assert_true(now_ns() - begun < 2000000000ull);
	assert_null(receive(read_only, 100));
	close(apply);
	close(other);
	close(read_only);
}

/* Behind a lease, which is short, an apply waits; behind that, it is told. */
static void test_apply_waits(void **state)
{
	struct daemon *d = *state;
	int lease = dial(d), apply = dial(d), other = dial(d);

	shell(d, "mkfifo state/applied.yaml");
	say(lease, "{\"version\":1,\"verb\":\"lease\",\"guest\":\"g\"}");
	usleep(50000);
	send_policy(apply, "apply", "not a policy");
	assert_null(receive(apply, 200));
	send_policy(other, "apply", "not a policy");
	expect(other, FL_NETD_BUSY);
	shell(d, ": > state/applied.yaml"); /* lets the lease go on */
	expect(lease, FL_NETD_JOURNAL);     /* a FIFO is no file */
	expect(apply, FL_POL_TYPE);
	close(lease);
	close(apply);
	close(other);
}

static void test_socket_in_use(void **state)
{
	struct daemon *d = *state;
	struct env *e = daemon_env(d);
	struct server *s = NULL;
	struct diag diag = { 0 };
	struct stat st;

	assert_int_equal(stat(d->socket, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	assert_int_equal(server_open(e, d->socket, &s, &diag), -EADDRINUSE);
	assert_int_equal(diag.code, FL_NETD_START);
	free(e);
	test_status(state); /* and the first one still listens */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_status),         T(test_garbage),
		T(test_too_long),       T(test_descriptors),
		T(test_unknown_verb),   T(test_unsealed),
		T(test_policy_errors),  T(test_no_policy),
		T(test_lease_is_mute),  T(test_many_groups),
		T(test_no_descriptors), T(test_full),
		T(test_impatient),      T(test_hang),
		T(test_apply_waits),    T(test_socket_in_use),
		T(test_kmsg),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
