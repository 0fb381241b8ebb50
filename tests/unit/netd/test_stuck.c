/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is asked whether he hangs, and what is noted of it: a FIFO is a PF whose
 * driver does not answer, a function that sleeps a devlink that does not. */

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "netd/stuck-priv.h"
#include "tests/unit/netd/tree.h"

#define PF "sys/bus/pci/devices/0000:01:00.0/"
#define MS 200

struct host {
	struct tree t;
	struct env env;
	struct log log;
};
/* Both in memory that the children share. */
static struct shared {
	int asked, ports;
	bool hangs;
} * devlink;

static int ports(void)
{
	devlink->asked++;
	while (devlink->hangs)
		usleep(10000);
	return devlink->ports;
}

static int setup(void **state)
{
	struct host *h = calloc(1, sizeof(*h));

	tree_make(&h->t);
	put(&h->t, PF "sriov_totalvfs", "7\n");
	put(&h->t, PF "sriov_numvfs", "0\n");
	put(&h->t, "state/x", "");
	h->log.fd = -1;
	h->env.log = &h->log;
	h->env.root_fd = h->t.fd;
	assert_int_equal(symlinkat("/proc", h->t.fd, "proc"), 0);
	h->env.state_fd = openat(h->t.fd, "state", O_RDONLY | O_DIRECTORY);
	devlink = mmap(NULL, sizeof(*devlink), PROT_READ | PROT_WRITE,
	               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(devlink != MAP_FAILED);
	*state = h;
	return 0;
}

static int teardown(void **state)
{
	struct host *h = *state;

	devlink->hangs = false;
	while (waitpid(-1, NULL, 0) > 0)
		;
	munmap(devlink, sizeof(*devlink));
	close(h->env.state_fd);
	unlinkat(h->t.fd, "proc", 0);
	tree_teardown(state);
	free(h);
	return 0;
}

static enum stuck_devlink look(const struct host *h)
{
	return stuck_look_by(&h->env, MS, ports, NULL);
}

static void test_answers(void **state)
{
	const struct host *h = *state;

	devlink->ports = 3;
	assert_int_equal(look(h), STUCK_DEVLINK_ANSWERS);
	devlink->ports = 0;
	assert_int_equal(look(h), STUCK_DEVLINK_NONE);
	/* What cannot be told is asked by the worker, who has words for it. */
	devlink->ports = -EIO;
	assert_int_equal(look(h), STUCK_DEVLINK_ANSWERS);
	assert_int_equal(devlink->asked, 3);
	assert_false(stuck_noted(h->env.state_fd));
}

/* Without a PF nobody has a switch that we would touch. */
static void test_no_pf(void **state)
{
	const struct host *h = *state;

	unlinkat(h->t.fd, PF "sriov_totalvfs", 0);
	devlink->hangs = true;
	assert_int_not_equal(look(h), STUCK_DEVLINK_HANGS);
	assert_int_equal(devlink->asked, 0);
}

static void test_hangs(void **state)
{
	const struct host *h = *state;
	struct stuck all;
	uint64_t begun;
	json_t *list;

	devlink->hangs = true;
	begun = now_ns();
	assert_int_equal(look(h), STUCK_DEVLINK_HANGS);
	assert_true(now_ns() - begun < 5 * MS * 1000000ull);
	assert_true(stuck_noted(h->env.state_fd));
	/* It is not asked again: one sleeper, and no wait. */
	begun = now_ns();
	for (int i = 0; i < 3; i++)
		assert_int_equal(look(h), STUCK_DEVLINK_HANGS);
	assert_true(now_ns() - begun < MS * 1000000ull);
	assert_int_equal(devlink->asked, 1);
	stuck_forget(&h->env);
	stuck_read(&h->env, &all);
	assert_true(all.devlink && all.devlink_hangs);
	assert_int_equal(all.n, 0);
	list = stuck_json(&h->env);
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(list, 0), "pf")),
	                    "devlink");
	json_decref(list);
	/* It comes back: is asked anew, and forgotten when all is done. */
	devlink->hangs = false;
	devlink->ports = 1;
	waitpid(-1, NULL, 0);
	stuck_read(&h->env, &all);
	assert_true(all.devlink && !all.devlink_hangs);
	assert_int_equal(look(h), STUCK_DEVLINK_ANSWERS);
	assert_int_equal(devlink->asked, 2);
	stuck_forget(&h->env);
	assert_false(stuck_noted(h->env.state_fd));
}

/* A PF that hangs does not keep devlink from being asked, nor the reverse. */
/* Somebody unbinds a VF that a guest has: of the PF's own nothing hangs. */
static void test_vf_hangs(void **state)
{
	const struct host *h = *state;
	struct stuck all;
	int fifo;

	devlink->ports = 0;
	put(&h->t, PF "virtfn0/driver_override", "vfio-pci\n");
	assert_int_equal(look(h), STUCK_DEVLINK_NONE);
	assert_false(stuck_noted(h->env.state_fd));
	put(&h->t, PF "virtfn1/x", "");
	assert_int_equal(mkfifoat(h->t.fd, PF "virtfn1/driver_override", 0600),
	                 0);
	look(h);
	stuck_read(&h->env, &all);
	assert_true(stuck_hangs(&all, (struct bdf){ .bus = 1 }));
	fifo = openat(h->t.fd, PF "virtfn1/driver_override",
	              O_RDWR | O_CLOEXEC);
	assert_true(fifo >= 0);
	assert_int_equal(write(fifo, "\n", 1), 1);
	close(fifo);
}

static void test_both(void **state)
{
	const struct host *h = *state;
	struct stuck all;
	int fifo;

	unlinkat(h->t.fd, PF "sriov_numvfs", 0);
	assert_int_equal(mkfifoat(h->t.fd, PF "sriov_numvfs", 0600), 0);
	devlink->ports = 2;
	assert_int_equal(look(h), STUCK_DEVLINK_ANSWERS);
	stuck_read(&h->env, &all);
	assert_int_equal(all.n, 1);
	assert_true(all.pf[0].hangs && !all.devlink);
	devlink->hangs = true;
	assert_int_equal(look(h), STUCK_DEVLINK_HANGS);
	stuck_read(&h->env, &all);
	assert_int_equal(all.n, 1);
	assert_true(all.pf[0].hangs && all.devlink_hangs);
	/* Lets the sleeper go. */
	fifo = openat(h->t.fd, PF "sriov_numvfs", O_WRONLY);
	close(fifo);
}

/* Which card it is needs no driver: a policy that states it finds it. */
static void test_seen(void **state)
{
	static const struct observing nothing = { .parts = 0 };
	const struct host *h = *state;
	struct pol_state *s = NULL;
	struct diag d = { 0 };
	int fifo, r;

	put(&h->t, PF "numa_node", "1\n");
	unlinkat(h->t.fd, PF "sriov_numvfs", 0);
	assert_int_equal(mkfifoat(h->t.fd, PF "sriov_numvfs", 0600), 0);
	devlink->ports = 2;
	assert_int_equal(look(h), STUCK_DEVLINK_ANSWERS);
	r = observe(&h->env, NULL, &nothing, &s, &d);
	fifo = openat(h->t.fd, PF "sriov_numvfs", O_WRONLY);
	close(fifo);
	assert_int_equal(r, 0);
	assert_int_equal(s->n_pfs, 1);
	assert_true(s->pf[0].stuck);
	assert_int_equal(s->pf[0].set, POL_HAS_NODE);
	assert_int_equal(s->pf[0].id.node, 1);
	pol_state_free(s);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_answers), T(test_no_pf), T(test_hangs),
		T(test_both),    T(test_seen),  T(test_vf_hangs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
