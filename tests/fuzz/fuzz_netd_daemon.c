/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as datagrams to a daemon: not its parser, but server_run() in a
 * process of its own, at a socket, on a tree without devices. It must live,
 * serve others meanwhile, and keep neither memory nor descriptors.
 *
 * The first byte says into how many datagrams the rest is cut, what descriptors
 * go along, and whether an answer is waited for. A request that starts a worker
 * goes out whole only now and then, because a fork costs what a thousand
 * refusals do. The daemon has no capability: nothing of this host changes.
 *
 * Ten clients send each input, nine of them with a byte of it changed: a run of
 * 10000 is 100000 messages at the least, and check-long's a million. What costs
 * time is that the daemon and its clients wait for one another, so they talk
 * ten at once.
 *
 * fuzz: runs=10000 time=400 seeds=tests/fuzz/corpus-netd_proto
 */

#include <cap-ng.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netd/reload.h"
#include "netd/server.h"

#define CHECK(cond)                                                            \
	do {                                                                   \
		if (!(cond)) {                                                 \
			fprintf(stderr, "not so: %s\n", #cond);                \
			abort();                                               \
		}                                                              \
	} while (0)

#define CLIENTS 10
#define LOOK_EVERY 64u /* inputs */
#define WORK_EVERY 64u /* requests that start a worker */
#define RSS_MAX_KB (512 * 1024)
/* Its own, and those of clients that have just gone. */
#define FDS_MAX 256u
#define ANSWER_MS 10000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
const char *__asan_default_options(void);

struct daemon {
	char path[64];
	struct sockaddr_un at;
	pid_t pid, fuzzer;
	unsigned inputs, work;
};
static struct daemon daemon_;

/* What is freed and kept for finding its later use would hide a leak. */
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=4:thread_local_quarantine_size_kb=64";
}

/* ---- the daemon ---------------------------------------------------------- */

static _Noreturn void serve(const struct daemon *d)
{
	const struct log log = { .fd = open("/dev/null", O_WRONLY) };
	struct env *e = calloc(1, sizeof(*e));
	static struct reload reload;
	struct server *s = NULL;
	struct diag diag = { 0 };
	char state[96];

	CHECK(e && !prctl(PR_SET_PDEATHSIG, SIGKILL));
	capng_clear(CAPNG_SELECT_CAPS);
	CHECK(!capng_apply(CAPNG_SELECT_CAPS));
	snprintf(state, sizeof(state), "%s/state", d->path);
	e->log = &log;
	e->root_fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	e->cache_fd = -1;
	e->reload = &reload;
	e->lease_gid = (gid_t)-1;
	CHECK(!journal_open(state, &e->state_fd, &diag));
	CHECK(!server_open(e, d->at.sun_path, &s, &diag));
	CHECK(!server_run(s));
	_exit(1); /* nobody has told it to end */
}

static int dial(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	int r;

	/* libFuzzer has a timer. */
	do
		r = connect(fd, (const struct sockaddr *)&daemon_.at,
		            sizeof(daemon_.at));
	while (r < 0 && errno == EINTR);
	if (r < 0)
		close_fd(&fd);
	return fd;
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void end(void)
{
	if (getpid() != daemon_.fuzzer)
		return;
	kill(daemon_.pid, SIGKILL);
	waitpid(daemon_.pid, NULL, 0);
	nftw(daemon_.path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct daemon *d = &daemon_;
	int fd = -1;

	(void)argc;
	(void)argv;
	signal(SIGPIPE, SIG_IGN);
	snprintf(d->path, sizeof(d->path), P_tmpdir "/fairlead-fuzz-XXXXXX");
	CHECK(mkdtemp(d->path));
	d->at.sun_family = AF_UNIX;
	snprintf(d->at.sun_path, sizeof(d->at.sun_path), "%s/s", d->path);
	d->fuzzer = getpid();
	d->pid = fork();
	if (!d->pid)
		serve(d);
	atexit(end);
	for (int i = 0; fd < 0 && i < 1000; i++) {
		usleep(10000);
		fd = dial();
	}
	CHECK(fd >= 0);
	close(fd);
	return 0;
}

/* ---- is it well? --------------------------------------------------------- */

static long rss_kb(void)
{
	char path[64], line[128];
	long kb = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", daemon_.pid);
	f = fopen(path, "r");
	CHECK(f);
	while (kb < 0 && fgets(line, sizeof(line), f))
		(void)!sscanf(line, "VmRSS: %ld", &kb);
	fclose(f);
	return kb;
}

static unsigned open_files(void)
{
	char path[64];
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", daemon_.pid);
	dir = opendir(path);
	CHECK(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static bool answers(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	static char buf[NETD_MSG_MAX];
	int fds[NETD_FDS_MAX];
	ssize_t len;
	size_t n = 0;

	if (poll(&p, 1, ms) != 1)
		return false;
	len = fd_recv(fd, buf, sizeof(buf), fds, ARRAY_SIZE(fds), &n);
	while (len > 0 && n)
		close_fd(&fds[--n]);
	return len > 0;
}

static bool is_served(void)
{
	static const char ask[] = "{\"version\":1,\"verb\":\"history\"}";
	int fd = dial();
	bool ok = fd >= 0 && !fd_send(fd, ask, strlen(ask), NULL, 0) &&
	          answers(fd, ANSWER_MS);

	close_fd(&fd);
	return ok;
}

/* One who asks what is right is told, whatever the others say; a little later
 * where there is no room for one more yet, since those gone are still counted.
 */
static void look(void)
{
	bool ok = false;

	CHECK(waitpid(daemon_.pid, NULL, WNOHANG) == 0);
	for (int i = 0; !ok && i < 10; i++) {
		ok = is_served();
		if (!ok)
			usleep(100000);
	}
	CHECK(ok);
	CHECK(rss_kb() < RSS_MAX_KB);
	CHECK(open_files() < FDS_MAX);
}

/* ---- an input ------------------------------------------------------------ */

static bool is_work(const char *text, size_t len)
{
	const struct peer me = { .uid = getuid(), .gid = getgid() };
	struct diag d = { 0 };
	const struct permit *p;
	struct request r;

	if (frame_parse(text, len, &r, &d))
		return false;
	p = permit_find(r.verb);
	return !permit_check(p, &me, (gid_t)-1, &d) && p->run;
}

static int some_file(uint8_t how, const uint8_t *data, size_t size)
{
	int fd, pair[2];

	if (how == 1 && !pipe2(pair, O_CLOEXEC)) {
		close(pair[1]);
		return pair[0];
	}
	fd = memfd_create("policy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd >= 0 && !fd_pwrite_full(fd, data, size, 0) && how == 2)
		(void)!fcntl(fd, F_ADD_SEALS,
		             F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK);
	return fd;
}

static void send_piece(int fd, const uint8_t *data, size_t size, uint8_t how)
{
	const char *text = (const char *)data;
	int fds[3] = { -1, -1, -1 };
	size_t n = how;

	if (is_work(text, size) && daemon_.work++ % WORK_EVERY)
		size--;
	for (size_t i = 0; i < n; i++)
		fds[i] = some_file(how, data, size);
	/* It may have dropped us: that is an answer. */
	(void)!fd_send(fd, text, size, fds, n);
	for (size_t i = 0; i < n; i++)
		close_fd(&fds[i]);
}

/* The seeds begin with their first brace: one datagram, no more. */
static void send_all(int fd, const uint8_t *data, size_t size, uint8_t how)
{
	size_t n = 1 + (how & 3), each = (size + n - 1) / n;

	for (size_t at = 0; at < size; at += each)
		send_piece(fd, data + at, MIN(each, size - at), how >> 2 & 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool plain = size && *data == '{';
	uint8_t how, *copy;
	int fd[CLIENTS];

	if (size < 2)
		return 0;
	copy = malloc(size);
	CHECK(copy);
	how = plain ? 0 : *data;
	memcpy(copy, data, size);
	for (size_t i = 0; i < CLIENTS; i++) {
		fd[i] = dial();
		CHECK(fd[i] >= 0);
		send_all(fd[i], copy + !plain, size - !plain, how);
		/* The same each time, so that what is found is found again. */
		copy[(i * 7919 + size) % size] ^= (uint8_t)(1u << (i % 8));
	}
	if (how & 0x10)
		(void)!answers(fd[0], 50);
	for (size_t i = 0; i < CLIENTS; i++)
		close(fd[i]);
	free(copy);
	if (++daemon_.inputs % LOOK_EVERY == 0)
		look();
	return 0;
}
