/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is written is read back; what is torn is said to be, and kept. */

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/netd/sim.h"

static int setup(void **state)
{
	struct state_dir *d = calloc(1, sizeof(*d));

	dir_make(d);
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	dir_drop(*state);
	free(*state);
	return 0;
}

static struct pol_state *some_state(bool all)
{
	struct sim *sim = sim_new();
	struct pol_state *s;

	sim->num_vfs = 2;
	sim->up = true;
	for (unsigned i = 0; i < 2; i++) {
		struct pol_vf *v = &sim->vf[i];

		v->index = (uint16_t)i;
		v->bdf = (struct bdf){ 0xffff, 1, 16, (uint8_t)i };
		v->set = !all ? POL_HAS_MAC
		              : POL_HAS_KNOBS | POL_HAS_DRIVER |
		                         POL_HAS_OVERRIDE;
		memcpy(v->mac, "\x02\x5a\x10\x00\x00\x01", 6);
		v->vlan = 4094;
		v->qos = 7;
		v->proto = 0x88a8;
		v->spoof = i;
		v->trust = !i;
		v->rss = i;
		v->rate_min = i;
		v->rate_max = UINT32_MAX - i;
		v->link_state = i ? POL_LINK_DISABLE : POL_LINK_AUTO;
		strcpy(v->driver, "igbvf");
		strcpy(v->override, i ? "vfio-pci" : "");
	}
	assert_int_equal(sim_ops.observe(sim, NULL, &s, NULL), 0);
	sim_free(sim);
	return s;
}

static void check_vf(const struct pol_vf *a, const struct pol_vf *b, bool all)
{
	assert_int_equal(a->set, b->set);
	assert_int_equal(a->index, b->index);
	assert_true(bdf_equal(a->bdf, b->bdf));
	assert_memory_equal(a->mac, b->mac, 6);
	if (!all)
		return;
	assert_int_equal(a->vlan, b->vlan);
	assert_int_equal(a->qos, b->qos);
	assert_int_equal(a->proto, b->proto);
	assert_int_equal(a->spoof, b->spoof);
	assert_int_equal(a->trust, b->trust);
	assert_int_equal(a->rss, b->rss);
	assert_int_equal(a->rate_min, b->rate_min);
	assert_int_equal(a->rate_max, b->rate_max);
	assert_int_equal(a->link_state, b->link_state);
	assert_string_equal(a->driver, b->driver);
	assert_string_equal(a->override, b->override);
}

static void round_trip(bool all)
{
	struct pol_state *s = some_state(all), *back = NULL;
	json_t *j = pol_state_to_json(s);

	assert_int_equal(pol_state_from_json(j, &back), 0);
	assert_int_equal(back->n_pfs, 1);
	assert_int_equal(back->pf[0].set, s->pf[0].set);
	assert_int_equal(back->pf[0].num_vfs, 2);
	assert_true(back->pf[0].link_up);
	assert_int_equal(back->pf[0].mtu, 1500);
	assert_string_equal(back->pf[0].ifname, "eth0");
	for (unsigned i = 0; i < 2; i++)
		check_vf(&back->pf[0].vf[i], &s->pf[0].vf[i], all);
	json_decref(j);
	pol_state_free(s);
	pol_state_free(back);
}

/* What was not known stays not known: it must not come back as 0. */
static void test_state(void **state)
{
	(void)state;
	round_trip(true);
	round_trip(false);
}

static void test_state_bad(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"version\":2,\"pfs\":[]}",
		"{\"version\":1,\"pfs\":{}}",
		"{\"version\":1,\"pfs\":[{}]}",
		"{\"version\":1,\"pfs\":[{\"bdf\":\"x\",\"vfs\":[]}]}",
		"{\"version\":1,\"pfs\":[{\"bdf\":\"0000:01:00.0\"}]}",
		"{\"version\":1,\"pfs\":[{\"bdf\":\"0000:01:00.0\",\"vfs\":[],"
		"\"num-vfs\":-1}]}",
		"{\"version\":1,\"pfs\":[{\"bdf\":\"0000:01:00.0\",\"vfs\":[{"
		"\"index\":256,\"bdf\":\"0000:01:10.0\"}]}]}",
		"{\"version\":1,\"pfs\":[{\"bdf\":\"0000:01:00.0\",\"vfs\":[{"
		"\"index\":0,\"bdf\":\"0000:01:10.0\",\"mac\":\"zz\"}]}]}",
		"{\"version\":1,\"pfs\":[{\"bdf\":\"0000:01:00.0\",\"vfs\":[{"
		"\"index\":0,\"bdf\":\"0000:01:10.0\",\"vlan\":{\"id\":1}}]}]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		json_t *j = json_loads(bad[i], 0, NULL);
		struct pol_state *s = NULL;

		assert_non_null(j);
		assert_int_equal(pol_state_from_json(j, &s), -EBADMSG);
		assert_null(s);
		json_decref(j);
	}
}

static void test_files(void **state)
{
	struct state_dir *dir = *state;
	struct diag d = { 0 };
	char *text = NULL, list[256];
	size_t len;

	assert_int_equal(journal_phase(dir->fd, NULL), JOURNAL_NONE);
	assert_int_equal(journal_get(dir->fd, "a", &text, &len, &d), -ENOENT);
	assert_int_equal(d.code, 0);
	assert_int_equal(journal_put(dir->fd, "a", "one", 3, &d), 0);
	assert_int_equal(journal_put(dir->fd, "a", "two2", 4, &d), 0);
	assert_int_equal(journal_get(dir->fd, "a", &text, &len, &d), 0);
	assert_int_equal(len, 4);
	assert_memory_equal(text, "two2", 4);
	free(text);
	assert_string_equal(dir_list(dir, list), "a"); /* no a.new */
	assert_int_equal(journal_drop(dir->fd, "a", &d), 0);
	assert_int_equal(journal_drop(dir->fd, "a", &d), 0);
}

/* A crash before the rename leaves a.new: it is nothing. */
static void test_left_over(void **state)
{
	struct state_dir *dir = *state;
	struct diag d = { 0 };
	char *text = NULL;
	size_t len;

	assert_int_equal(journal_put(dir->fd, "intent.json.new", "{", 1, &d),
	                 0);
	assert_int_equal(journal_phase(dir->fd, NULL), JOURNAL_NONE);
	assert_int_equal(journal_put(dir->fd, "intent.json", "{}", 2, &d), 0);
	assert_int_equal(journal_get(dir->fd, "intent.json", &text, &len, &d),
	                 0);
	assert_int_equal(len, 2);
	free(text);
}

static void test_link_refused(void **state)
{
	struct state_dir *dir = *state;
	struct diag d = { 0 };
	char *text = NULL;
	size_t len;

	assert_int_equal(symlinkat("/etc/passwd", dir->fd, "intent.json"), 0);
	assert_int_equal(journal_get(dir->fd, "intent.json", &text, &len, &d),
	                 -ELOOP);
	assert_int_equal(d.code, FL_NETD_JOURNAL);
}

static void test_intent(void **state)
{
	struct state_dir *dir = *state;
	struct intent in = { .policy = (char[]){ "version: 1\n" },
		             .policy_len = 11,
		             .file = "x.yaml",
		             .early = true,
		             .before = some_state(true) };
	struct intent back = { 0 };
	struct diag d = { 0 };

	assert_int_equal(intent_write(dir->fd, &in, &d), 0);
	assert_int_equal(journal_phase(dir->fd, NULL), JOURNAL_APPLYING);
	assert_int_equal(intent_read(dir->fd, &back, &d), 0);
	assert_int_equal(back.kind, INTENT_APPLY);
	assert_string_equal(back.policy, "version: 1\n");
	assert_string_equal(back.file, "x.yaml");
	assert_true(back.early);
	check_vf(&back.before->pf[0].vf[1], &in.before->pf[0].vf[1], true);
	intent_clear(&back);
	pol_state_free(in.before);
}

/* Cut at every length: said, and never replaced. */
static void test_torn(void **state)
{
	struct state_dir *dir = *state;
	struct pol_state *s = some_state(true), *back = NULL;
	struct diag d = { 0 };
	struct stat st;
	off_t full;

	assert_int_equal(original_add(dir->fd, s, s, &d), 0);
	assert_int_equal(fstatat(dir->fd, JOURNAL_ORIGINAL, &st, 0), 0);
	full = st.st_size;
	for (off_t len = full - 1; len >= 0; len--) {
		int fd = openat(dir->fd, JOURNAL_ORIGINAL, O_WRONLY);

		assert_int_equal(ftruncate(fd, len), 0);
		close(fd);
		memset(&d, 0, sizeof(d));
		assert_int_equal(original_read(dir->fd, &back, &d), -EBADMSG);
		assert_int_equal(d.code, FL_NETD_JOURNAL);
		assert_int_equal(original_add(dir->fd, s, s, &d), -EBADMSG);
		assert_int_equal(fstatat(dir->fd, JOURNAL_ORIGINAL, &st, 0), 0);
		assert_int_equal(st.st_size, len);
	}
	pol_state_free(s);
}

/* The first state seen is kept, whatever is seen later. */
static void test_written_once(void **state)
{
	struct state_dir *dir = *state;
	struct pol_state *s = some_state(true), *back = NULL;
	struct diag d = { 0 };

	assert_int_equal(original_add(dir->fd, s, s, &d), 0);
	s->pf[0].vf[0].vlan = 1;
	assert_int_equal(original_add(dir->fd, s, s, &d), 0);
	assert_int_equal(original_read(dir->fd, &back, &d), 0);
	assert_int_equal(back->n_pfs, 1);
	assert_int_equal(back->pf[0].vf[0].vlan, 4094);
	pol_state_free(back);
	s->pf[0].bdf.bus = 9; /* another PF is added */
	assert_int_equal(original_add(dir->fd, s, s, &d), 0);
	assert_int_equal(original_read(dir->fd, &back, &d), 0);
	assert_int_equal(back->n_pfs, 2);
	pol_state_free(back);
	pol_state_free(s);
}

/* An earlier change knew less of the PF: what this one is the first to touch is
 * as it is now, and what that one knew stays. */
static void test_learnt(void **state)
{
	struct state_dir *dir = *state;
	struct pol_state *s = some_state(true), *back = NULL;
	struct diag d = { 0 };

	s->pf[0].manage = POL_MANAGE_FUNCTIONS;
	assert_int_equal(original_add(dir->fd, s, s, &d), 0);
	assert_int_equal(original_read(dir->fd, &back, &d), 0);
	assert_false(back->pf[0].set & (POL_HAS_NUMVFS | POL_HAS_LINK));
	pol_state_free(back);
	s->pf[0].manage = POL_MANAGE_FULL;
	s->pf[0].mtu = 9000;
	s->pf[0].vf[0].vlan = 1;
	s->pf[0].n_vfs = s->pf[0].num_vfs = 1;
	assert_int_equal(original_add(dir->fd, s, s, &d), 0);
	s->pf[0].mtu = 1500;
	s->pf[0].num_vfs = 2;
	assert_int_equal(original_add(dir->fd, s, s, &d), 0);
	assert_int_equal(original_read(dir->fd, &back, &d), 0);
	assert_true(back->pf[0].set & POL_HAS_NUMVFS);
	assert_int_equal(back->pf[0].num_vfs, 1);
	assert_int_equal(back->pf[0].n_vfs, 1);
	assert_int_equal(back->pf[0].mtu, 9000);
	assert_true(back->pf[0].link_up);
	assert_int_equal(back->pf[0].vf[0].vlan, 4094);
	pol_state_free(back);
	pol_state_free(s);
}

static void see_bridge(struct pol_state *s, const char *name, bool filtering)
{
	struct pol_switch *sw = &s->pf[0].sw;

	s->pf[0].set |= POL_HAS_BRIDGE;
	sw->n_bridges = 1;
	sw->bridge[0] =
		(struct pol_bridge){ .there = true, .filtering = filtering };
	snprintf(sw->bridge[0].name, POL_IFNAME, "%s", name);
}

/* A policy renames its bridge, and another does again: each is as it was before
 * the first that had it. */
static void test_bridges(void **state)
{
	static const struct pol_bridge want[] = {
		{ .name = "br-a", .there = true, .filtering = false },
		{ .name = "br-b", .there = true, .filtering = true },
	};
	struct state_dir *dir = *state;
	struct pol_state *s = some_state(true), *back = NULL;
	struct diag d = { 0 };
	char name[POL_IFNAME];

	see_bridge(s, "br-a", false);
	assert_int_equal(original_add(dir->fd, s, s, &d), 0);
	see_bridge(s, "br-b", true);
	assert_int_equal(original_add(dir->fd, s, s, &d), 0);
	see_bridge(s, "br-a", true);
	assert_int_equal(original_add(dir->fd, s, s, &d), 0);
	assert_int_equal(original_read(dir->fd, &back, &d), 0);
	assert_int_equal(back->pf[0].sw.n_bridges, ARRAY_SIZE(want));
	for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
		const struct pol_bridge *b = &back->pf[0].sw.bridge[i];

		assert_string_equal(b->name, want[i].name);
		assert_int_equal(b->there, want[i].there);
		assert_int_equal(b->filtering, want[i].filtering);
	}
	pol_state_free(back);
	for (unsigned i = 2; i <= POL_BRIDGES_MAX; i++) {
		snprintf(name, sizeof(name), "br-%u", i);
		see_bridge(s, name, false);
		assert_int_equal(original_add(dir->fd, s, s, &d),
		                 i < POL_BRIDGES_MAX ? 0 : -E2BIG);
	}
	assert_int_equal(d.code, FL_NETD_JOURNAL);
	pol_state_free(s);
}

/* Two PFs that change places, in bridges that the first policy made filter: of
 * each bridge there is one thing that it was. */
static void test_bridges_change_places(void **state)
{
	struct state_dir *dir = *state;
	struct pol_state *s = some_state(true), *t = some_state(true);
	struct pol_state *back = NULL;
	struct diag d = { 0 };

	t->pf[0].bdf.bus++;
	see_bridge(s, "br-a", false);
	see_bridge(t, "br-b", false);
	assert_int_equal(original_add(dir->fd, s, s, &d), 0);
	assert_int_equal(original_add(dir->fd, t, t, &d), 0);
	see_bridge(s, "br-b", true);
	see_bridge(t, "br-a", true);
	assert_int_equal(original_add(dir->fd, s, s, &d), 0);
	assert_int_equal(original_add(dir->fd, t, t, &d), 0);
	t->pf[0].bdf.bus++; /* one that comes later */
	assert_int_equal(original_add(dir->fd, t, t, &d), 0);
	assert_int_equal(original_read(dir->fd, &back, &d), 0);
	assert_int_equal(back->n_pfs, 3);
	for (size_t i = 0; i < back->n_pfs; i++) {
		assert_int_equal(back->pf[i].sw.n_bridges, i < 2 ? 2 : 1);
		for (unsigned k = 0; k < back->pf[i].sw.n_bridges; k++)
			assert_false(back->pf[i].sw.bridge[k].filtering);
	}
	pol_state_free(back);
	pol_state_free(s);
	pol_state_free(t);
}

/* One alone may be in no list, as an older netd wrote it. */
static void test_one_bridge(void **state)
{
	struct pol_state *s = some_state(true), *back = NULL;
	json_t *doc, *pf;

	(void)state;
	see_bridge(s, "br-a", true);
	doc = pol_state_to_json(s);
	pf = json_array_get(json_object_get(doc, "pfs"), 0);
	json_object_set(pf, "bridge",
	                json_array_get(json_object_get(pf, "bridge"), 0));
	assert_int_equal(pol_state_from_json(doc, &back), 0);
	assert_int_equal(back->pf[0].sw.n_bridges, 1);
	assert_string_equal(back->pf[0].sw.bridge[0].name, "br-a");
	assert_true(back->pf[0].sw.bridge[0].filtering);
	json_decref(doc);
	pol_state_free(back);
	pol_state_free(s);
}

static void test_lock(void **state)
{
	struct state_dir *dir = *state;
	struct diag d = { 0 };
	int a = -1, b = -1;

	assert_int_equal(journal_lock(dir->fd, 0, &a, &d), 0);
	assert_int_equal(journal_lock(dir->fd, 50, &b, &d), -EBUSY);
	assert_int_equal(d.code, FL_NETD_BUSY);
	assert_int_equal(b, -1);
	close(a);
	assert_int_equal(journal_lock(dir->fd, 50, &b, &d), 0);
	close(b);
}

/* A process that does a part of an apply may hang for good; the lock is its
 * worker's. */
static void test_lock_of_worker(void **state)
{
	struct state_dir *dir = *state;
	struct machine m = { 0 };
	struct diag d = { 0 };
	int a = -1, b = -1, ready[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(journal_lock(dir->fd, 0, &a, &d), 0);
	m.lock = &a;
	pid = fork();
	if (!pid) {
		(void)!machine_ops.enter(&m, &d);
		(void)!write(ready[1], "x", 1);
		pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(a);
	assert_int_equal(journal_lock(dir->fd, 0, &b, &d), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(b);
	close(ready[0]);
	close(ready[1]);
}

static void test_make_path(void **state)
{
	struct state_dir *dir = *state;
	struct diag d = { 0 };
	char path[128];
	struct stat st;
	int fd = -1;

	strcpy(path, dir->path);
	strcat(path, "/x/y");
	assert_int_equal(journal_open(path, &fd, &d), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	close(fd);
	assert_int_equal(journal_open("/proc/none/x", &fd, &d), -ENOENT);
	assert_int_equal(d.code, FL_NETD_JOURNAL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_state),
		T(test_state_bad),
		T(test_files),
		T(test_left_over),
		T(test_intent),
		T(test_torn),
		T(test_written_once),
		T(test_learnt),
		T(test_bridges),
		T(test_one_bridge),
		T(test_bridges_change_places),
		T(test_lock),
		T(test_make_path),
		T(test_link_refused),
		T(test_lock_of_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
