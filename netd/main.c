/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fairlead-netd: the only privileged process.
 *
 *     clients                 main process                 workers (forks)
 *     fairlead ---request---> client.c  frame.c
 *                                 | permit.c: may this peer?
 *                             jobs.c: its turn? ---------> verbs.c ...
 *                                 |                          sysfs, netlink,
 *     descriptors <--reply--- deadline, <---answer+fds---    /dev, journal
 *                             lease.c
 *
 * Main never touches a device and never blocks: it moves messages, decides
 * who may ask, keeps leases and deadlines. Everything that reads or changes
 * the machine happens in a process of its own, forked for one request, that
 * is killed at its deadline; and each write to a device in a child of that
 * again (sriov/). So a driver that sleeps for ever costs one child.
 *
 * One change at a time (apply, restore, a lease, what follows a lease); reads
 * side by side. The journal (journal.c, transact.c) makes a change whole over
 * a crash. docs/netd.md tells all this at length.
 */

#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "netd/audit.h"
#include "netd/digest.h"
#include "netd/kernels.h"
#include "netd/modules.h"
#include "netd/nvme.h"
#include "netd/record.h"
#include "netd/reload.h"
#include "netd/serials.h"

#define STATE_DIR "/var/lib/fairlead"
#define CACHE_DIR "/var/cache/fairlead/kernels"
#define GROUP_MS 10000u

struct options {
	const char *root, *state, *cache, *socket, *policy;
	enum log_level level;
	bool observe;
};

static const char usage[] =
	"Usage: fairlead-netd [OPTION]...\n"
	"Carve, set and lease SR-IOV functions for fairlead.\n"
	"\n"
	"  --socket PATH   listen there (" NETD_SOCKET ")\n"
	"  --state DIR     keep the journal there (" STATE_DIR ")\n"
	"  --cache DIR     keep decompressed kernels there\n"
	"                  (" CACHE_DIR ")\n"
	"  --observe       print the machine for `fairlead plan --sim`, and end\n"
	"  --root DIR      find sys, proc and dev below DIR, for tests (/)\n"
	"  --policy PATH   a file, or a folder of them: applied anew when it has\n"
	"                  changed, or on SIGHUP, if a policy is applied at all\n"
	"  -f, --foreground  accepted; it never goes to the background\n"
	"  -v, --verbose   log more\n"
	"  --help, --version\n"
	"\n"
	"Needs root. See docs/netd.md.\n";

/* 0 = go on, 1 = done, -EINVAL. */
static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "state", required_argument, NULL, 'd' },
		{ "cache", required_argument, NULL, 'c' },
		{ "root", required_argument, NULL, 'r' },
		{ "observe", no_argument, NULL, 'o' },
		{ "policy", required_argument, NULL, 'p' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "fvh", longs, NULL)) >= 0)
		switch (c) {
		case 's':
			o->socket = optarg;
			break;
		case 'd':
			o->state = optarg;
			break;
		case 'c':
			o->cache = optarg;
			break;
		case 'r':
			o->root = optarg;
			break;
		case 'o':
			o->observe = true;
			break;
		case 'p':
			o->policy = optarg;
			break;
		case 'f':
			break;
		case 'v':
			o->level = LOG_LVL_DEBUG;
			break;
		case 'h':
			fputs(usage, stdout);
			return 1;
		case 'V':
			puts("fairlead-netd " FL_VERSION);
			return 1;
		default:
			return -EINVAL;
		}
	if (optind == argc)
		return 0;
	fprintf(stderr, "fairlead-netd: unexpected \"%s\"\n", argv[optind]);
	return -EINVAL;
}

static int open_root(const char *path, struct env *e, struct diag *d)
{
	e->root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (e->root_fd >= 0)
		return 0;
	diag_fail(d, -errno, FL_NETD_START, "cannot open --root %s", path);
	diag_why(d, "%s", strerror(errno));
	diag_mend(d, "name a folder that is there; / is the usual");
	return d->err;
}

/* Without it guests start all the same. */
static void open_cache(const char *path, struct env *e)
{
	struct diag d;
	int r = kernels_open(path, &e->cache_fd);

	if (!r)
		return;
	diag_fail(&d, r, FL_NETD_CACHE,
	          "cannot keep decompressed kernels in %s", path);
	diag_why(&d, "%s",
	         r == -EPERM ? "it is not root's, or others may write to it"
	                     : strerror(-r));
	diag_mend(&d, "chown root %s; chmod 700 %s; or another --cache", path,
	          path);
	log_diag(e->log, LOG_LVL_WARN, &d);
}

static int print_machine(const struct options *o, struct env *e, struct diag *d)
{
	int r = open_root(o->root, e, d);

	/* What there is of it is looked at; it is not made. */
	e->state_fd = open(o->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!r && sriov_variants_read(e->root_fd, &e->variants))
		e->variants = NULL;
	if (!r)
		r = nvme_keeper_start(e->root_fd, &e->nvme_fd, d);
	if (!r)
		r = record_print(e, STDOUT_FILENO, d);
	sriov_variants_free(e->variants);
	close_fd(&e->nvme_fd);
	close_fd(&e->state_fd);
	close_fd(&e->root_fd);
	return r;
}

static void say_loop(int err, struct diag *d)
{
	diag_fail(d, err, FL_NETD_START, "the event loop: %s", strerror(-err));
	diag_mend(d, "systemctl restart fairlead-netd; guests go on meanwhile");
}

static int find_group(void *arg)
{
	const struct group *g = getgrnam(NETD_GROUP);
	gid_t *ret = arg;

	if (g)
		*ret = g->gr_gid;
	return 0;
}

/* By a child: libraries that the name services load would stay, and each
 * mapping is copied for each worker. And they may ask other machines. */
static gid_t group_id(const struct log *log)
{
	gid_t *found = mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE,
	                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	gid_t id = (gid_t)-1;
	int r = -ENOMEM;

	if (found != MAP_FAILED) {
		*found = id;
		r = run_deadline(-1, find_group, found, GROUP_MS, NULL);
		id = *found;
		munmap(found, sizeof(*found));
	}
	if (r)
		log_line(log, LOG_LVL_WARN,
		         "group %s cannot be told (%s): its members are "
		         "served as strangers until a restart",
		         NETD_GROUP, strerror(-r));
	return id;
}

static int serve(const struct options *o, struct env *e, struct diag *d)
{
	struct server *s = NULL;
	int r;

	if (o->policy)
		snprintf(e->reload->path, sizeof(e->reload->path), "%s",
		         o->policy);
	e->reload->etc = !strcmp(e->reload->path, NETD_POLICY_ETC);
	/* Once, and not by each worker that writes down a time, or digests. */
	tzset();
	(void)!digest_begin();
	e->lease_gid = group_id(e->log);
	r = open_root(o->root, e, d);
	if (!r)
		r = journal_open(o->state, &e->state_fd, d);
	if (!r)
		r = journal_boot(e, d);
	if (!r) {
		e->variants = modules_load(e);
		e->serials = serials_read(e->root_fd);
		open_cache(o->cache, e);
	}
	if (!r)
		r = nvme_keeper_start(e->root_fd, &e->nvme_fd, d);
	if (!r)
		r = server_open(e, o->socket, &s, d);
	if (!r)
		r = caps_reduce(e->log, d);
	if (!r) {
		log_line(e->log, LOG_LVL_INFO, "listening at %s", o->socket);
		r = server_run(s);
		if (r)
			say_loop(r, d);
	}
	server_close(s);
	serials_free(e->serials);
	sriov_variants_free(e->variants);
	close_fd(&e->nvme_fd);
	close_fd(&e->cache_fd);
	words_clear(&e->words);
	close_fd(&e->guests_fd);
	close_fd(&e->state_fd);
	close_fd(&e->root_fd);
	return r;
}

int main(int argc, char **argv)
{
	struct options o = { .root = "/",
		             .state = STATE_DIR,
		             .cache = CACHE_DIR,
		             .socket = NETD_SOCKET,
		             .level = LOG_LVL_INFO };
	const struct log log = { .fd = STDERR_FILENO,
		                 .level = LOG_LVL_DEBUG,
		                 .prefix = getenv("JOURNAL_STREAM") != NULL,
		                 .ident = "fairlead-netd" };
	_cleanup_free_ struct env *e = calloc(1, sizeof(*e));
	struct reload reload = { .path = "" };
	struct log leveled = log;
	struct log_room room = { .lost = 0 };
	struct diag d = { 0 };
	int r = parse_options(argc, argv, &o);

	if (r)
		return r < 0 ? 2 : 0;
	if (!e)
		return 1;
	leveled.level = o.level;
	room.waits = o.observe;
	leveled.room = &room;
	e->log = &leveled;
	e->journal = audit_where();
	e->reload = &reload;
	e->root_fd = -1;
	e->state_fd = -1;
	e->guests_fd = -1;
	e->cache_fd = -1;
	e->nvme_fd = -1;
	words_init(&e->words);
	r = o.observe ? print_machine(&o, e, &d) : serve(&o, e, &d);
	if (r)
		log_diag(&leveled, LOG_LVL_ERROR, &d);
	return r ? 1 : 0;
}
