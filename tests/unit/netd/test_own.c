/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disks, interfaces and control sockets of a lease, on real files, in a
 * network namespace of the test's own.
 */

#include <net/if.h>
#include <sched.h>

#include "netd/grant.h"
#include "tests/unit/netd/daemon.h"

struct lab {
	struct state_dir dir;
	struct env env;
	struct work w;
	struct rtnl *rtnl;
	struct pol_policy policy;
	struct pol_guest guest;
	struct pol_guest_nic nic;
	struct pol_disk disk;
};

static void answer_drop(struct lab *l)
{
	while (l->w.n_fds)
		close_fd(&l->w.fd[--l->w.n_fds]);
	json_decref(l->w.reply);
	l->w.reply = json_pack("{s:[]}", "fds");
	memset(&l->w.diag, 0, sizeof(l->w.diag));
}

static int begin(void **state)
{
	struct lab *l = calloc(1, sizeof(*l));

	dir_make(&l->dir);
	l->env.root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	l->env.lease_gid = LEASE_GID;
	l->env.guests_fd = -1;
	l->w.env = &l->env;
	strcpy(l->w.req.guest, "demo");
	strcpy(l->guest.name, "demo");
	snprintf(l->disk.path, sizeof(l->disk.path), "%s/img", l->dir.path);
	strcpy(l->disk.name, "root");
	answer_drop(l);
	*state = l;
	return 0;
}

static int end(void **state)
{
	struct lab *l = *state;

	answer_drop(l);
	json_decref(l->w.reply);
	rtnl_close(l->rtnl);
	close_fd(&l->env.guests_fd);
	close_fd(&l->env.root_fd);
	dir_drop(&l->dir);
	free(l);
	return 0;
}

static void in_dir(const struct lab *l, const char *commands)
{
	char line[512];

	snprintf(line, sizeof(line), "cd %s && %s", l->dir.path, commands);
	assert_int_equal(system(line), 0);
}

static void refused(struct lab *l, int r, int err, const char *why,
                    const char *mend)
{
	assert_int_equal(r, err);
	if (!strstr(l->w.diag.why, why) || !strstr(l->w.diag.mend, mend))
		fail_msg("%s: %s", l->w.diag.why, l->w.diag.mend);
	answer_drop(l);
}

/* ---- disks --------------------------------------------------------------- */

static void test_disk(void **state)
{
	struct lab *l = *state;
	const char *name;
	char c = 'x';

	in_dir(l, "truncate -s 1M img");
	assert_int_equal(open_disk(&l->w, &l->disk), 0);
	assert_int_equal(l->w.n_fds, 1);
	name = json_string_value(
		json_array_get(json_object_get(l->w.reply, "fds"), 0));
	assert_string_equal(name, "disk:root");
	assert_int_equal(fcntl(l->w.fd[0], F_GETFL) & (O_NONBLOCK | O_DIRECT),
	                 0);
	assert_int_equal(fcntl(l->w.fd[0], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(pwrite(l->w.fd[0], &c, 1, 0), 1);
	answer_drop(l);
	l->disk.read_only = true;
	assert_int_equal(open_disk(&l->w, &l->disk), 0);
	assert_int_equal(pwrite(l->w.fd[0], &c, 1, 0), -1);
	/* Readers share it. */
	assert_int_equal(open_disk(&l->w, &l->disk), 0);
}

static void test_disk_kinds(void **state)
{
	struct lab *l = *state;

	refused(l, open_disk(&l->w, &l->disk), -ENOENT, "No such file",
	        "truncate");
	in_dir(l, "mkfifo img");
	refused(l, open_disk(&l->w, &l->disk), -EINVAL, "neither", "policy");
	in_dir(l, "rm img; mkdir img");
	refused(l, open_disk(&l->w, &l->disk), -EINVAL, "neither", "policy");
	in_dir(l, "rmdir img; ln -s /dev/zero img");
	refused(l, open_disk(&l->w, &l->disk), -EINVAL, "neither", "policy");
	in_dir(l, "rm img; : >img");
	refused(l, open_disk(&l->w, &l->disk), -EINVAL, "empty", "truncate");
	assert_int_equal(l->w.n_fds, 0);
}

/* A process that has the image as netd gives it, until its pipe ends. */
static pid_t other_user(struct lab *l, int *ret_pipe)
{
	int go[2], ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		close(go[1]);
		if (open_disk(&l->w, &l->disk) < 0)
			_exit(1);
		(void)!write(ready[1], "r", 1);
		(void)!read(go[0], &c, 1);
		_exit(0);
	}
	close(go[0]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	*ret_pipe = go[1];
	return pid;
}

static void test_disk_locked(void **state)
{
	struct lab *l = *state;
	char who[64];
	int hold, status;
	pid_t pid;

	in_dir(l, "truncate -s 1M img");
	pid = other_user(l, &hold);
	snprintf(who, sizeof(who), "(pid %d) has it", pid);
	refused(l, open_disk(&l->w, &l->disk), -EBUSY, who, "stop that");
	/* One that netd knows is called by its name. */
	strcpy(l->env.leases.l[3].guest, "web");
	l->env.leases.l[3].pid = pid;
	l->disk.read_only = true;
	refused(l, open_disk(&l->w, &l->disk), -EBUSY, "guest web (pid",
	        "read-only");
	l->disk.read_only = false;
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(hold);
	assert_int_equal(open_disk(&l->w, &l->disk), 0);
}

/* While it is read nobody writes. */
static void test_disk_read(void **state)
{
	struct lab *l = *state;
	int hold, status;
	pid_t pid;

	in_dir(l, "truncate -s 1M img");
	l->disk.read_only = true;
	pid = other_user(l, &hold);
	assert_int_equal(open_disk(&l->w, &l->disk), 0);
	answer_drop(l);
	l->disk.read_only = false;
	refused(l, open_disk(&l->w, &l->disk), -EBUSY, "has it", "read-only");
	close(hold);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static void test_disk_format(void **state)
{
	struct lab *l = *state;
	const char *warning;

	in_dir(l, "truncate -s 1M img; printf 'QFI\\373' | dd of=img "
	          "conv=notrunc status=none");
	assert_int_equal(open_disk(&l->w, &l->disk), 0);
	warning = json_string_value(
		json_array_get(json_object_get(l->w.reply, "warnings"), 0));
	assert_non_null(warning);
	assert_non_null(strstr(warning, "qcow2"));
}

/* ---- interfaces ---------------------------------------------------------- */

static void need_tap(struct lab *l)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0 || unshare(CLONE_NEWNET) < 0) {
		close_fd(&fd);
		skip();
	}
	close_fd(&fd);
	assert_int_equal(rtnl_open(&l->rtnl, &l->w.diag), 0);
	strcpy(l->nic.name, "lan");
	l->nic.pool = SIZE_MAX;
	l->nic.slot = 5;
	l->nic.own =
		(struct pol_tap){ .backend = POL_BACKEND_TAP, .queues = 1 };
	l->guest.nic = &l->nic;
	l->guest.n_nics = 1;
}

static int give(struct lab *l)
{
	return open_own(&l->w, l->rtnl, &l->policy, &l->guest);
}

static void shows(const char *filter)
{
	char line[128];

	snprintf(line, sizeof(line), "ip -d link show dev fl-demo-lan | %s",
	         filter);
	assert_int_equal(system(line), 0);
}

static void test_tap(void **state)
{
	struct lab *l = *state;
	const json_t *nic;

	need_tap(l);
	l->nic.own.queues = 3;
	l->nic.mtu = 1400;
	if (give(l) < 0)
		fail_msg("%s: %s", l->w.diag.what, l->w.diag.why);
	assert_int_equal(l->w.n_fds, 3);
	shows("grep -q ',UP.* mtu 1400 '");
	shows("grep -q 'vnet_hdr on multi_queue numqueues 3 '");
	shows("grep -q 'user root'");
	shows("grep -q 'persist off'");
	nic = json_array_get(json_object_get(l->w.reply, "nics"), 0);
	assert_string_equal(json_string_value(json_object_get(nic, "tap")),
	                    "fl-demo-lan");
	assert_int_equal(json_integer_value(json_object_get(nic, "pairs")), 3);
	answer_drop(l);
	assert_int_equal(if_nametoindex("fl-demo-lan"), 0);
}

static void test_tap_taken(void **state)
{
	struct lab *l = *state;

	need_tap(l);
	strcpy(l->nic.own.tap, "mine");
	assert_int_equal(system("ip tuntap add dev mine mode tap vnet_hdr"), 0);
	refused(l, give(l), -EBUSY, "is there", "ip link del mine");
	assert_int_equal(system("ip link del mine"), 0);
	assert_int_equal(give(l), 0);
}

static void test_bridge(void **state)
{
	struct lab *l = *state;

	need_tap(l);
	strcpy(l->nic.own.bridge, "br7");
	refused(l, give(l), -ENODEV, "no bridge br7", "ip link add br7");
	assert_int_equal(if_nametoindex("fl-demo-lan"), 0);
	assert_int_equal(l->w.n_fds, 0);
	/* It may be Open vSwitch's, which cannot be asked: its own interface
	 * is there, and no bridge to be made anew. */
	in_dir(l, "mkdir -p sys/class/net/br7 run/openvswitch && "
	          "touch run/openvswitch/db.sock");
	close_fd(&l->env.root_fd);
	l->env.root_fd = dup(l->dir.fd);
	refused(l, give(l), -ENOENT, "ovs-vsctl", "openvswitch-switch");
}

/* The bridge is told what goes to a standby, and never learns it. */
static void test_standby(void **state)
{
	static const uint8_t mac[6] = { 2, 0x5a, 0x10, 0, 0, 7 };
	const char entry[] = "bridge fdb show br br7 | "
			     "grep '02:5a:10:00:00:07 dev fl-demo-lan' | "
			     "grep 'master br7 static' | wc -l | grep -q ";
	char there[256], gone[256];
	struct lab *l = *state;
	struct guest_run r = { .policy = &l->policy, .guest = &l->guest };

	need_tap(l);
	if (system("ip link add br7 type bridge 2>/dev/null"))
		skip();
	/* sysfs shows the namespace in which it was mounted. */
	in_dir(l, "mkdir -p sys/class/net/br7/bridge dev/net && mknod "
	          "dev/net/tun c 10 200");
	close_fd(&l->env.root_fd);
	l->env.root_fd = dup(l->dir.fd);
	l->nic.standby = l->nic.own;
	l->nic.own.backend = POL_BACKEND_NONE;
	strcpy(l->nic.standby.tap, "fl-demo-lan");
	strcpy(l->nic.standby.bridge, "br7");
	l->nic.mac.given = POL_GIVEN;
	memcpy(l->nic.mac.v, mac, 6);
	if (give(l) < 0)
		fail_msg("%s: %s", l->w.diag.what, l->w.diag.why);
	assert_int_equal(system("bridge -d link show dev fl-demo-lan | "
	                        "grep -q 'learning off'"),
	                 0);
	snprintf(there, sizeof(there), "%s1", entry);
	snprintf(gone, sizeof(gone), "%s0", entry);
	r.m.rtnl = l->rtnl;
	strcpy(l->w.req.device, "other");
	standby_way(&l->w, &r, true);
	assert_int_equal(system(gone), 0);
	strcpy(l->w.req.device, "lan");
	for (int i = 0; i < 2; i++) { /* twice is as once */
		standby_way(&l->w, &r, true);
		assert_int_equal(system(there), 0);
	}
	for (int i = 0; i < 2; i++) {
		standby_way(&l->w, &r, false);
		assert_int_equal(system(gone), 0);
	}
}

/* ---- control sockets ----------------------------------------------------- */

static void folder(struct lab *l)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/netd.sock", l->dir.path);
	assert_int_equal(control_folder(&l->env, path, &l->w.diag), 0);
}

static int knock(const struct lab *l)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/guests/demo.sock",
	         l->dir.path);
	r = connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static void test_control(void **state)
{
	struct lab *l = *state;
	struct stat st;

	l->env.guests_fd = -1;
	folder(l);
	assert_int_equal(fstat(l->env.guests_fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 02750);
	assert_int_equal(st.st_gid, LEASE_GID);
	assert_int_equal(control_open(&l->w), 0);
	assert_int_equal(fstatat(l->env.guests_fd, "demo.sock", &st, 0), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(st.st_gid, LEASE_GID);
	assert_int_equal(knock(l), 0);
	control_remove(&l->env, "demo");
	assert_int_equal(knock(l), -ENOENT);
}

/* What a netd left that was killed: kept while somebody listens. */
static void test_control_left(void **state)
{
	struct lab *l = *state;
	struct work other = { .env = &l->env };

	strcpy(other.req.guest, "demo");
	folder(l);
	assert_int_equal(control_open(&l->w), 0);
	close_fd(&l->env.guests_fd);
	folder(l);
	assert_int_equal(knock(l), 0);
	other.reply = json_pack("{s:[]}", "fds");
	assert_int_equal(control_open(&other), -EADDRINUSE);
	assert_int_equal(other.diag.code, FL_NETD_CONTROL);
	assert_non_null(strstr(other.diag.mend, "fairlead-vmm"));
	json_decref(other.reply);
	answer_drop(l);
	assert_int_equal(knock(l), -ECONNREFUSED);
	assert_int_equal(control_open(&l->w), 0); /* in its way: removed */
	answer_drop(l);
	close_fd(&l->env.guests_fd);
	folder(l);
	assert_int_equal(knock(l), -ENOENT); /* swept */
}

#define WITH_LAB(f) cmocka_unit_test_setup_teardown(f, begin, end)

/* What a lease has made of interfaces goes where the lease fails behind them;
 * another guest's stays. */
static void test_lease_fails(void **state)
{
	struct lab *l = *state;
	struct guest_run r = { .policy = &l->policy, .guest = &l->guest };
	struct work other = { .env = &l->env };

	need_tap(l);
	r.m.rtnl = l->rtnl;
	l->guest.n_nics = 0;
	folder(l);
	strcpy(other.req.guest, "demo");
	other.reply = json_pack("{s:[]}", "fds");
	assert_int_equal(
		system("ip tuntap add dev mine mode tap && "
	               "ip tuntap add dev its mode tap && ip link set "
	               "mine alias 'fairlead macvtap demo/lan' && ip "
	               "link set its alias 'fairlead macvtap web/lan'"),
		0);
	/* Somebody listens there. */
	assert_int_equal(control_open(&other), 0);
	assert_int_equal(grant_rest(&l->w, &r), -EADDRINUSE);
	assert_int_equal(l->w.diag.code, FL_NETD_CONTROL);
	assert_int_equal(if_nametoindex("mine"), 0);
	assert_int_not_equal(if_nametoindex("its"), 0);
	while (other.n_fds)
		close_fd(&other.fd[--other.n_fds]);
	json_decref(other.reply);
	assert_int_equal(grant_rest(&l->w, &r), 0);
}

/* ---- a file for its memory ---- */

static off_t size_of(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, 0) < 0 ? -errno : st.st_size;
}

static void test_core(void **state)
{
	struct lab *l = *state;
	int dir = open(l->dir.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	l->env.state_fd = dir;
	assert_int_equal(core_open(&l->w), 0);
	assert_int_equal(size_of(dir, "dumps/demo.core"), 0);
	/* Nobody wrote into it: it is made anew, and nothing is kept. */
	answer_drop(l);
	assert_int_equal(core_open(&l->w), 0);
	assert_int_equal(size_of(dir, "dumps/demo.core.1"), -ENOENT);
	for (int i = 5; i < 8; i++) {
		assert_int_equal(write(l->w.fd[0], "core....", (size_t)i), i);
		answer_drop(l);
		assert_int_equal(core_open(&l->w), 0);
		assert_int_equal(size_of(dir, "dumps/demo.core"), 0);
		assert_int_equal(size_of(dir, "dumps/demo.core.1"), i);
	}
	/* A link there leads nowhere. */
	answer_drop(l);
	assert_int_equal(unlinkat(dir, "dumps/demo.core", 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", dir, "dumps/demo.core"), 0);
	assert_int_equal(core_open(&l->w), 0);
	assert_int_equal(size_of(dir, "dumps/demo.core"), 0);
	/* No folder. */
	answer_drop(l);
	assert_int_equal(renameat(dir, "dumps", dir, "old"), 0);
	assert_int_equal(symlinkat("old", dir, "dumps"), 0);
	assert_int_equal(core_open(&l->w), -ENOTDIR);
	assert_int_equal(l->w.diag.code, FL_NETD_OPEN);
	close(dir);
	l->env.state_fd = -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_LAB(test_disk),         WITH_LAB(test_disk_kinds),
		WITH_LAB(test_disk_locked),  WITH_LAB(test_disk_read),
		WITH_LAB(test_disk_format),  WITH_LAB(test_tap),
		WITH_LAB(test_tap_taken),    WITH_LAB(test_bridge),
		WITH_LAB(test_standby),      WITH_LAB(test_control),
		WITH_LAB(test_control_left), WITH_LAB(test_lease_fails),
		WITH_LAB(test_core),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
