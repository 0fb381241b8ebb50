/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may ask NVMe controllers, and how he is asked: nvme.h. */

#include <cap-ng.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netd/nvme.h"

enum what {
	ASK_READ,
	ASK_SET,
	ASK_KEEP,
};
struct question {
	uint32_t what; /* enum what */
	uint32_t vf;
	struct bdf pf;
	struct sriov_nvme_vf want; /* of a keep: the controller's own */
};
struct answer_nvme { /* or only r: too many ask */
	int32_t r;
	struct diag d;
	struct sriov_nvme n;
};

/* ---- the keeper ---------------------------------------------------------- */

/* A controller that does not answer keeps its children for a minute, and who
 * wonders asks again: neither all of them, nor those of one, are without end.
 */
#define CHILDREN_MAX 32
#define CHILDREN_OF_ONE 4
struct children {
	size_t n;
	struct child {
		pid_t pid;
		struct bdf pf;
	} c[CHILDREN_MAX];
};

static int answer(int root_fd, const struct question *q, struct sriov_nvme *ret,
                  struct diag *d)
{
	_cleanup_close_ int fd = -1;
	struct sriov_nvme_line l;
	int r = sriov_nvme_open(root_fd, q->pf, &fd, d);

	if (r)
		return r;
	l = sriov_nvme_line(&fd);
	switch (q->what) {
	case ASK_READ:
		return sriov_nvme_read(&l, ret, d);
	case ASK_SET:
		return sriov_nvme_set(&l, q->vf, &q->want, d);
	case ASK_KEEP:
		return sriov_nvme_keep(&l, q->want.queues, q->want.interrupts,
		                       d);
	default:
		return -EINVAL;
	}
}

static _Noreturn void answer_child(int root_fd, int sock,
                                   const struct question *q)
{
	struct answer_nvme *a = calloc(1, sizeof(*a));

	if (!a)
		_exit(1);
	a->r = answer(root_fd, q, &a->n, &a->d);
	_exit(fd_send(sock, a, sizeof(*a), NULL, 0) < 0);
}

static void reap(struct children *all)
{
	for (size_t i = 0; i < all->n;)
		if (waitpid(all->c[i].pid, NULL, WNOHANG))
			all->c[i] = all->c[--all->n];
		else
			i++;
}

static bool has_room(const struct children *all, struct bdf pf)
{
	size_t same = 0;

	for (size_t i = 0; i < all->n; i++)
		same += bdf_equal(all->c[i].pf, pf);
	return all->n < CHILDREN_MAX && same < CHILDREN_OF_ONE;
}

/* Nobody waits for the child: it may take a minute. */
static void take_question(struct children *all, int root_fd, int fd,
                          const struct question *q)
{
	const int32_t full = -EBUSY;
	pid_t pid;

	reap(all);
	if (!has_room(all, q->pf)) {
		(void)!send(fd, &full, sizeof(full),
		            MSG_DONTWAIT | MSG_NOSIGNAL);
		return;
	}
	pid = fork();
	if (!pid)
		answer_child(root_fd, fd, q);
	if (pid > 0)
		all->c[all->n++] = (struct child){ pid, q->pf };
}

void nvme_keeper_serve(int root_fd, int sock)
{
	struct children all = { .n = 0 };

	signal(SIGCHLD, SIG_DFL);
	for (;;) {
		struct question q;
		size_t n = 0;
		int fd = -1;
		ssize_t len = fd_recv(sock, &q, sizeof(q), &fd, 1, &n);

		if (!len || (len < 0 && len != -EMSGSIZE))
			return;
		if (len == sizeof(q) && n == 1)
			take_question(&all, root_fd, fd, &q);
		if (len > 0 && n)
			close(fd);
	}
}

/* Nothing but the one capability. */
static bool keep_one(void)
{
	capng_clear(CAPNG_SELECT_CAPS);
	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED,
	                     CAP_SYS_ADMIN) &&
	       !capng_apply(CAPNG_SELECT_CAPS);
}

static _Noreturn void keeper(int root_fd, int sock)
{
	unsigned low = (unsigned)MIN(root_fd, sock);
	unsigned high = (unsigned)MAX(root_fd, sock);

	if (low)
		close_range(0, low - 1, 0);
	if (high - low > 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, ~0u, 0);
	prctl(PR_SET_NAME, "fairlead-nvme");
	if (!keep_one())
		_exit(1);
	nvme_keeper_serve(root_fd, sock);
	_exit(0);
}

static int cannot_start(struct diag *d, const char *what)
{
	int err = -errno;

	diag_fail(d, err, FL_NETD_START,
	          "cannot make %s to ask NVMe controllers by", what);
	diag_why(d, "%s", strerror(-err));
	diag_mend(d, "see `ulimit -a` and TasksMax= of fairlead-netd.service");
	return err;
}

int nvme_keeper_start(int root_fd, int *ret_fd, struct diag *d)
{
	int pair[2];
	pid_t pid;

	*ret_fd = -1;
	if (capng_get_caps_process() ||
	    !capng_have_capability(CAPNG_PERMITTED, CAP_SYS_ADMIN))
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return cannot_start(d, "a socket");
	pid = fork();
	if (pid < 0) {
		(void)cannot_start(d, "a process");
		close(pair[0]);
		close(pair[1]);
		return d->err;
	}
	if (!pid)
		keeper(root_fd, pair[1]);
	close(pair[1]);
	*ret_fd = pair[0];
	return 0;
}

/* ---- who asks ------------------------------------------------------------ */

static int nobody(struct diag *d)
{
	diag_fail(d, -EPERM, FL_NETD_NVME,
	          "fairlead-netd may not ask NVMe controllers");
	diag_why(d, "it has no CAP_SYS_ADMIN, which admin commands need; its "
	            "unit leaves that out");
	diag_mend(d, "put share/fairlead/fairlead-netd-nvme.conf into "
	             "/etc/systemd/system/fairlead-netd.service.d, and start "
	             "it anew; or leave `vf-resources` out");
	return -EPERM;
}

/* The reason is the caller's to say. */
static int late(const struct question *q, struct diag *d)
{
	char b[BDF_STRLEN];

	diag_fail(d, -EIO, FL_NETD_NVME_LATE,
	          "the NVMe controller %s does not answer",
	          bdf_format(q->pf, b));
	diag_mend(d, "see `dmesg | grep nvme`; the kernel resets such a one "
	             "after a minute: then fairlead apply FILE");
	return -EIO;
}

/* The answer, or that there is none in time. */
static int hear(int sock, const struct question *q, unsigned ms,
                struct answer_nvme *a, struct diag *d)
{
	uint64_t end = now_ns() + ms * 1000000ull;
	struct pollfd p = { .fd = sock, .events = POLLIN };
	size_t n = 0;
	ssize_t len;
	int r;

	do {
		uint64_t now = now_ns();

		r = poll(&p, 1, now < end ? (int)((end - now) / 1000000) : 0);
	} while (r < 0 && errno == EINTR);
	if (!r) {
		(void)late(q, d);
		diag_why(d, "it was asked %u s ago", ms / 1000);
		return -EIO;
	}
	len = r < 0 ? r : fd_recv(sock, a, sizeof(*a), NULL, 0, &n);
	if (len == sizeof(*a))
		return 0;
	if (len == sizeof(a->r)) {
		(void)late(q, d);
		diag_why(d, "as many as may are waiting for it, or for others, "
		            "already");
		return -EIO;
	}
	diag_fail(d, -EIO, FL_NETD_NVME,
	          "fairlead-netd got no answer of an NVMe controller");
	diag_why(d, "the process that may ask it has ended");
	diag_mend(d, "again; where that does not help, systemctl restart "
	             "fairlead-netd");
	return -EIO;
}

static int ask(int keeper_fd, const struct question *q, unsigned ms,
               struct sriov_nvme *ret, struct diag *d)
{
	_cleanup_free_ struct answer_nvme *a = calloc(1, sizeof(*a));
	_cleanup_close_ int mine = -1;
	int pair[2], r;

	if (keeper_fd < 0)
		return nobody(d);
	if (!a ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return diag_fail(d, -ENOMEM, FL_NETD_MEMORY, "no memory");
	mine = pair[0];
	r = fd_send(keeper_fd, q, sizeof(*q), &pair[1], 1);
	close(pair[1]);
	/* A keeper that is gone is told by the end of `mine`, too. */
	(void)r;
	r = hear(mine, q, ms, a, d);
	if (r)
		return r;
	if (a->r && d)
		*d = a->d;
	else if (ret)
		*ret = a->n;
	return a->r;
}

int nvme_ask_read(int keeper_fd, struct bdf pf, unsigned ms,
                  struct sriov_nvme *ret, struct diag *d)
{
	const struct question q = { .what = ASK_READ, .pf = pf };

	return ask(keeper_fd, &q, ms, ret, d);
}

int nvme_ask_set(int keeper_fd, struct bdf pf, unsigned vf,
                 const struct sriov_nvme_vf *want, unsigned ms, struct diag *d)
{
	const struct question q = {
		.what = ASK_SET, .vf = vf, .pf = pf, .want = *want
	};

	return ask(keeper_fd, &q, ms, NULL, d);
}

int nvme_ask_keep(int keeper_fd, struct bdf pf, uint16_t queues,
                  uint16_t interrupts, unsigned ms, struct diag *d)
{
	const struct question q = {
		.what = ASK_KEEP,
		.pf = pf,
		.want = { .queues = queues, .interrupts = interrupts },
	};

	return ask(keeper_fd, &q, ms, NULL, d);
}
