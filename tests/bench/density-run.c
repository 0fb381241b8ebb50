/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starts COUNT guests at once and waits until each has said "up".
 *
 *   density-run COUNT fairlead VMM GUEST
 *   density-run COUNT COMMAND...
 *
 * Prints the milliseconds from the first start to the last word, and the mean
 * memory of a VMM in KiB: its proportional set size but for mappings as large
 * as the guest's RAM. fairlead-vmm is given its descriptors as fairlead does it
 * (netd/netd-proto.h), without the daemon, which is no part of what is
 * compared. In a command %d stands for the guest's number.
 */

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"

#define GUESTS_MAX 256
#define RAM_KIB 65536ul
#define NOBODY 65534u
#define PATIENCE_MS 120000
#define WORDS_MAX 64

struct guest {
	pid_t pid;
	int out;
	char last; /* of what it has said */
	bool up;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "density-run: %s: %s\n", what, strerror(errno));
	_exit(1);
}

/* ---- starting ------------------------------------------------------------ */

static const char lease[] =
	"{\"version\": 1, \"ok\": true, \"backend\": \"group\", \"devices\": [],"
	" \"fds\": [\"kvm\", \"kernel\"], \"guest\": {\"name\": \"up\","
	" \"cpus\": 1, \"memory\": 67108864, \"cmdline\": \"\"}}";

static void put_at(int fd, int at)
{
	if (fd < 0 || dup2(fd, at) < 0)
		die("a descriptor");
}

/* Descriptors 3 to 7, none opened where another is put; root becomes nobody, as
 * the VMM wants. */
static _Noreturn void exec_fairlead(char **argv)
{
	int from = fcntl(memfd_create("lease", 0), F_DUPFD, 32);

	if (from < 0 || write(from, lease, sizeof(lease) - 1) < 0 ||
	    lseek(from, 0, SEEK_SET) < 0)
		die("the lease");
	put_at(fcntl(open("/dev/kvm", O_RDWR), F_DUPFD, 32), 6);
	put_at(fcntl(open(argv[1], O_RDONLY), F_DUPFD, 32), 7);
	put_at(from, 3);
	put_at(open("/dev/null", O_RDWR), 4);
	put_at(open("/dev/null", O_RDWR), 5);
	if (close_range(8, ~0u, 0) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) < 0)
		die("the account");
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* forgotten with the account */
	execl(argv[0], argv[0], (char *)NULL);
	die(argv[0]);
}

static _Noreturn void exec_command(char **argv, unsigned n)
{
	char *words[WORDS_MAX + 1] = { NULL };

	for (unsigned i = 0; argv[i] && i < WORDS_MAX; i++) {
		char *at = strstr(argv[i], "%d");

		words[i] = argv[i];
		if (at && asprintf(&words[i], "%.*s%u%s", (int)(at - argv[i]),
		                   argv[i], n, at + 2) < 0)
			die("memory");
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execv(words[0], words);
	die(words[0]);
}

static void start(struct guest *g, char **argv, unsigned n)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		die("a pipe");
	g->pid = fork();
	if (g->pid < 0)
		die("a process");
	if (g->pid == 0) {
		put_at(open("/dev/null", O_RDONLY), 0);
		put_at(ends[1], 1);
		if (strcmp(argv[0], "fairlead") != 0)
			exec_command(argv, n);
		exec_fairlead(argv + 1);
	}
	close(ends[1]);
	g->out = ends[0];
}

/* ---- waiting ------------------------------------------------------------- */

static void hear(struct guest *g, unsigned n)
{
	char text[512];
	ssize_t len = read(g->out, text, sizeof(text));

	if (len <= 0) {
		errno = ECHILD;
		fprintf(stderr, "density-run: guest %u has ended\n", n);
		die("a guest");
	}
	for (ssize_t i = 0; i < len; i++) {
		g->up |= g->last == 'u' && text[i] == 'p';
		g->last = text[i];
	}
}

static void wait_all(struct guest *g, unsigned count)
{
	struct pollfd p[GUESTS_MAX];
	unsigned left = count;

	while (left) {
		for (unsigned i = 0; i < count; i++)
			p[i] = (struct pollfd){ g[i].up ? -1 : g[i].out, POLLIN,
				                0 };
		if (poll(p, count, PATIENCE_MS) <= 0) {
			errno = ETIMEDOUT;
			die("the guests");
		}
		for (unsigned i = 0; i < count; i++) {
			if (!p[i].revents)
				continue;
			hear(&g[i], i);
			left -= g[i].up;
		}
	}
}

/* ---- memory -------------------------------------------------------------- */

static unsigned long pss_of(pid_t pid)
{
	unsigned long sum = 0, size = 0, v;
	char path[64], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	f = fopen(path, "re");
	if (!f)
		die(path);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Size: %lu", &v) == 1)
			size = v;
		if (sscanf(line, "Pss: %lu", &v) == 1 && size < RAM_KIB)
			sum += v;
	}
	fclose(f);
	return sum;
}

int main(int argc, char **argv)
{
	struct guest g[GUESTS_MAX] = { 0 };
	unsigned count = argc > 2 ? (unsigned)atoi(argv[1]) : 0;
	unsigned long sum = 0;
	uint64_t began, ended;

	if (!count || count > GUESTS_MAX) {
		fprintf(stderr, "density-run: COUNT COMMAND... are wanted\n");
		return 2;
	}
	began = now_ns();
	for (unsigned i = 0; i < count; i++)
		start(&g[i], argv + 2, i);
	wait_all(g, count);
	ended = now_ns();
	for (unsigned i = 0; i < count; i++)
		sum += pss_of(g[i].pid);
	printf("%llu %lu\n", (unsigned long long)(ended - began) / 1000000,
	       sum / count);
	for (unsigned i = 0; i < count; i++) {
		kill(g[i].pid, SIGKILL);
		waitpid(g[i].pid, NULL, 0);
	}
	return 0;
}
