/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The history of changes: what an entry says of a change that went well, was
 * undone, was cut short; that it is bounded, and what cannot be written. The
 * machine is a mock (sim.h); the files are real. */

#include <fcntl.h>
#include <sys/stat.h>

#include "tests/unit/netd/rig.h"

static const char policy[] =
	"version: 1\n"
	"nics:\n"
	"  - { name: e, match: { pci: \"0000:01:00.0\" }, link: up,\n"
	"      virtual-function-count: 1, drivers-autoprobe: false }\n"
	"networks:\n"
	"  - { name: net, vlan: { id: 100, qos: 3 } }\n"
	"pools:\n"
	"  - { name: p, functions: [\"e#0\"], driver: vfio }\n"
	"guests:\n"
	"  - name: g\n"
	"    cpus: { count: 1 }\n"
	"    memory: { size: 512M }\n"
	"    kernel: /k\n"
	"    nics:\n"
	"      - { name: a, pool: p, network: net,\n"
	"          mac-address: \"02:00:00:00:00:01\" }\n";

static int apply(struct rig *r)
{
	struct intent in = {
		.policy = strdup(policy),
		.policy_len = strlen(policy),
		.file = "test.yaml",
		.who = { .known = true, .uid = 0, .pid = 77, .loginuid = 1000 }
	};

	return rig_run(r, "apply", &in);
}

/* In the place of the reply: the rig lets go of it. */
static const json_t *entry(struct rig *r, uint32_t id)
{
	json_decref(r->reply);
	r->reply = NULL;
	assert_int_equal(history_get(r->dir.fd, id, &r->reply, &r->d), 0);
	assert_int_equal(history_id(r->reply), id);
	return r->reply;
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "(null)";
}

/* As JSON, the action's member. */
static void check_value(const json_t *e, size_t i, const char *key,
                        const char *want)
{
	const json_t *a = json_array_get(json_object_get(e, "actions"), i);
	char *have =
		json_dumps(json_object_get(a, key),
	                   JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);

	assert_non_null(have);
	assert_string_equal(have, want);
	free(have);
}

static size_t list_size(struct rig *r)
{
	json_t *list = NULL;
	size_t n;

	assert_int_equal(history_list(r->dir.fd, &list, &r->d), 0);
	n = json_array_size(list);
	json_decref(list);
	return n;
}

static void test_done(void **state)
{
	struct rig *r = *state;
	const json_t *e, *who;

	assert_int_equal(list_size(r), 0);
	assert_int_equal(apply(r), 0);
	e = entry(r, 1);
	assert_string_equal(text(e, "verb"), "apply");
	assert_string_equal(text(e, "result"), "done");
	assert_string_equal(text(e, "file"), "test.yaml");
	assert_int_equal(strlen(text(e, "policy")), HISTORY_DIGEST - 1);
	assert_true(json_is_null(json_object_get(e, "error")));
	assert_true(json_is_null(json_object_get(e, "continues")));
	who = json_object_get(e, "who");
	assert_int_equal(json_integer_value(json_object_get(who, "pid")), 77);
	assert_int_equal(json_integer_value(json_object_get(who, "loginuid")),
	                 1000);
	/* autoprobe, numvfs, link, MAC, VLAN, driver */
	assert_int_equal(json_array_size(json_object_get(e, "actions")), 6);
	check_value(e, 0, "before", "true");
	check_value(e, 0, "after", "false");
	check_value(e, 1, "before", "0");
	check_value(e, 1, "after", "1");
	check_value(e, 2, "after", "true");
	check_value(e, 3, "before", "null"); /* there was no such VF */
	check_value(e, 3, "after", "\"02:00:00:00:00:01\"");
	check_value(e, 3, "label", "\"g/a\"");
	check_value(e, 4, "after", "{\"id\":100,\"proto\":33024,\"qos\":3}");
	check_value(e, 5, "after", "\"vfio-pci\"");
	for (size_t i = 0; i < 6; i++)
		check_value(e, i, "outcome", "\"done\"");
}

/* What changes nothing writes nothing: no file of the folder is new. */
static void test_nothing(void **state)
{
	struct rig *r = *state;
	struct stat before, after;

	assert_int_equal(apply(r), 0);
	assert_int_equal(fstat(r->dir.fd, &before), 0);
	usleep(20000);
	assert_int_equal(apply(r), 0);
	assert_int_equal(r->sim->n, 0);
	assert_int_equal(fstat(r->dir.fd, &after), 0);
	assert_memory_equal(&before.st_mtim, &after.st_mtim,
	                    sizeof(before.st_mtim));
	assert_int_equal(list_size(r), 1);
}

static void test_restored(void **state)
{
	struct rig *r = *state;
	const json_t *e;

	assert_int_equal(apply(r), 0);
	assert_int_equal(rig_restore(r), 0);
	e = entry(r, 2);
	assert_string_equal(text(e, "verb"), "restore");
	assert_true(json_is_null(json_object_get(e, "who")));
	assert_true(json_is_null(json_object_get(e, "policy")));
	assert_int_equal(list_size(r), 2);
	assert_int_equal(rig_restore(r), 0); /* nothing to restore */
	assert_int_equal(list_size(r), 2);
}

static void test_undone(void **state)
{
	struct rig *r = *state;
	const json_t *e;

	r->sim->fail_at = 4;
	r->sim->fail_errno = -EOPNOTSUPP;
	r->sim->fail_code = FL_NETD_LINK;
	assert_int_equal(apply(r), -EOPNOTSUPP);
	e = entry(r, 1);
	assert_string_equal(text(e, "result"), "undone");
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(e, "error"), "code")),
	                 FL_NETD_LINK);
	check_value(e, 0, "outcome", "\"done\"");
	check_value(e, 0, "after", "true"); /* back again */
	check_value(e, 1, "after", "0");
	check_value(e, 3, "outcome", "\"failed\"");
	check_value(e, 4, "outcome", "\"not-tried\"");
}

static void test_not_undone(void **state)
{
	struct rig *r = *state;

	rig_fail(r, 4, true);
	assert_int_equal(apply(r), -EIO);
	assert_string_equal(text(entry(r, 1), "result"), "not-undone");
}

/* The recovery's entry is of whoever asked for what was cut short. */
static void test_cut_short(void **state)
{
	struct rig *r = *state;
	struct intent in = { 0 };
	const json_t *e;

	assert_true(rig_die(r, 3, apply));
	e = entry(r, 1);
	assert_string_equal(text(e, "result"), "unfinished");
	assert_true(json_is_null(json_object_get(e, "ended")));
	check_value(e, 5, "outcome", "\"not-tried\"");
	assert_int_equal(intent_read(r->dir.fd, &in, &r->d), 0);
	assert_int_equal(rig_run(r, "recover", &in), 0);
	e = entry(r, 2);
	assert_string_equal(text(e, "verb"), "recover");
	assert_string_equal(text(e, "result"), "done");
	assert_int_equal(json_integer_value(json_object_get(e, "continues")),
	                 1);
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(e, "who"), "pid")),
	                 77);
}

static void test_bounded(void **state)
{
	struct rig *r = *state;
	json_t *list = NULL;

	for (int i = 0; i < HISTORY_MAX / 2 + 2; i++) {
		assert_int_equal(apply(r), 0);
		assert_int_equal(rig_restore(r), 0);
	}
	assert_int_equal(history_list(r->dir.fd, &list, &r->d), 0);
	assert_int_equal(json_array_size(list), HISTORY_MAX);
	assert_int_equal(history_id(json_array_get(list, 0)), HISTORY_MAX + 4);
	assert_int_equal(history_id(json_array_get(list, HISTORY_MAX - 1)), 5);
	assert_null(json_object_get(json_array_get(list, 0), "actions"));
	json_decref(list);
	assert_int_equal(history_get(r->dir.fd, 4, &list, &r->d), -ENOENT);
	assert_int_equal(r->d.code, FL_NETD_NO_ENTRY);
}

static void note(struct rig *r, const char *verb)
{
	const struct history_head h = { .verb = verb };
	json_t *e = NULL;

	assert_int_equal(history_note(r->dir.fd, &h,
	                              json_pack("[{s:s}]", "text", "done it"),
	                              HISTORY_QUARANTINED, NULL, &e, &r->d),
	                 0);
	json_decref(e);
}

/* However much netd does of itself: what people did is still there. */
static void test_own(void **state)
{
	struct rig *r = *state;
	const json_t *e;

	assert_int_equal(apply(r), 0);
	for (int i = 0; i < HISTORY_MAX + 5; i++)
		note(r, "scrub");
	assert_int_equal(list_size(r), HISTORY_MAX + 1);
	assert_string_equal(text(entry(r, 1), "verb"), "apply");
	assert_int_equal(history_get(r->dir.fd, 6, &r->reply, &r->d), -ENOENT);
	e = entry(r, HISTORY_MAX + 6);
	assert_string_equal(text(e, "verb"), "scrub");
	assert_string_equal(text(e, "result"), "quarantined");
	assert_true(json_is_null(json_object_get(e, "who")));
	check_value(e, 0, "text", "\"done it\"");
	/* One number for both. */
	assert_int_equal(rig_restore(r), 0);
	assert_string_equal(text(entry(r, HISTORY_MAX + 7), "verb"), "restore");
}

static void add_state(struct pol_state *s, struct pol_pf *pf, struct pol_vf *vf,
                      struct pol_over *over, bool after)
{
	const struct pol_group group = { .name = "g", .max = 5 };

	*vf = (struct pol_vf){ .set = POL_HAS_PORT | POL_HAS_MSIX,
		               .msix = after ? 4 : 2 };
	*pf = (struct pol_pf){ .set = POL_HAS_ESWITCH | POL_HAS_PARAMS |
		                      POL_HAS_GROUPS | POL_HAS_BRIDGE |
		                      POL_HAS_PORT,
		               .bdf = { 0, 1, 0, 0 },
		               .vf = vf,
		               .n_vfs = 1 };
	pf->sw.switchdev = after;
	pf->sw.param[0] = (struct pol_param_value){ .name = "other" };
	pf->sw.param[1] = (struct pol_param_value){ .name = "p" };
	strcpy(pf->sw.param[1].value, after ? "new" : "old");
	pf->sw.n_params = 2;
	pf->sw.group[0] = group;
	pf->sw.n_groups = after;
	strcpy(pf->sw.bridge[0].name, "br0");
	pf->sw.bridge[0].there = true;
	pf->sw.bridge[0].filtering = after;
	pf->sw.n_bridges = 1;
	strcpy(pf->sw.port.bridge, after ? "br0" : "");
	strcpy(vf->port.bridge, after ? "br1" : "");
	*over = (struct pol_over){ .there = after, .o = { .bridge = "br-o" } };
	*s = (struct pol_state){ .pf = pf, .n_pfs = 1 };
	s->over = over;
	s->n_overs = 1;
}

/* What a switch, a bridge and an overlay were, and are. */
static void test_values(void **state)
{
	static struct pol_action a[8];
	struct pol_plan plan = { .action = a, .n = ARRAY_SIZE(a) };
	static const enum pol_op op[ARRAY_SIZE(a)] = {
		POL_OP_ESWITCH, POL_OP_PARAM, POL_OP_GROUP,   POL_OP_BRIDGE,
		POL_OP_PORT,    POL_OP_PORT,  POL_OP_VF_MSIX, POL_OP_OVERLAY,
	};
	struct pol_over over;
	struct pol_state s;
	struct pol_pf pf;
	struct pol_vf vf;
	json_t *e = json_object();

	(void)state;
	add_state(&s, &pf, &vf, &over, false);
	for (size_t i = 0; i < plan.n; i++) {
		a[i] = (struct pol_action){ .op = op[i],
			                    .pf = pf.bdf,
			                    .vf = i == 5 || i == 6 ? 0 : -1 };
		a[i].over = op[i] == POL_OP_OVERLAY ? &over : NULL;
	}
	strcpy(a[1].param.name, "p");
	strcpy(a[2].group.name, "g");
	strcpy(a[3].port.bridge, "br0");
	history_actions(e, &plan, NULL, &s);
	add_state(&s, &pf, &vf, &over, true);
	history_after(e, &s);
	check_value(e, 0, "before", "\"legacy\"");
	check_value(e, 0, "after", "\"switchdev\"");
	check_value(e, 1, "before", "\"old\"");
	check_value(e, 1, "after", "\"new\"");
	check_value(e, 2, "before", "\"\""); /* there was none */
	check_value(e, 2, "after",
	            "{\"name\":\"g\",\"tx-max\":5,\"tx-priority\":0,"
	            "\"tx-share\":0,\"tx-weight\":0}");
	check_value(e, 3, "after",
	            "{\"name\":\"br0\",\"there\":true,"
	            "\"vlan-filtering\":true}");
	check_value(e, 4, "before", "{\"bridge\":\"\",\"up\":false}");
	check_value(e, 4, "after", "{\"bridge\":\"br0\",\"up\":false}");
	check_value(e, 5, "after", "{\"bridge\":\"br1\",\"up\":false}");
	check_value(e, 6, "before", "2");
	check_value(e, 6, "after", "4");
	check_value(e, 7, "before", "\"\"");
	assert_true(json_is_object(json_object_get(
		json_array_get(json_object_get(e, "actions"), 7), "after")));
	json_decref(e);
}

/* Of whatever a plan may have, there is a value. */
static void test_every(void **state)
{
	static struct pol_action a;
	struct pol_plan plan = { .action = &a, .n = 1 };
	struct pol_vf vf = { .set = UINT32_MAX };
	struct pol_whole whole = { .set = UINT32_MAX };
	struct pol_pf pf = { .set = UINT32_MAX, .vf = &vf, .n_vfs = 1 };
	struct pol_over over = { .there = true };
	struct pol_state s = { .pf = &pf,
		               .n_pfs = 1,
		               .whole = &whole,
		               .n_wholes = 1,
		               .over = &over,
		               .n_overs = 1 };

	(void)state;
	for (int op = 0; op < POL_OP_MAX; op++) {
		json_t *e = json_object(), *told;
		const json_t *o;

		a = (struct pol_action){ .op = (enum pol_op)op };
		a.over = op == POL_OP_OVERLAY || op == POL_OP_OVERLAY_GONE
		                 ? &over
		                 : NULL;
		told = pol_plan_to_json(&plan);
		history_actions(e, &plan, told, &s);
		json_decref(told);
		o = json_array_get(json_object_get(e, "actions"), 0);
		if (json_is_null(json_object_get(o, "before")))
			fail_msg("%s has no value", pol_op_name(a.op));
		json_decref(e);
	}
}

/* No trace, no change. */
static void test_unwritable(void **state)
{
	struct rig *r = *state;
	int fd = openat(r->dir.fd, HISTORY_DIR, O_CREAT | O_WRONLY, 0600);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(apply(r), -ENOTDIR);
	assert_int_equal(r->d.code, FL_NETD_HISTORY);
	assert_int_equal(r->sim->n, 0);
	assert_int_equal(history_list(r->dir.fd, &r->reply, &r->d), -ENOTDIR);
}

static void test_damaged(void **state)
{
	struct rig *r = *state;
	json_t *list = NULL;
	int dir;

	assert_int_equal(apply(r), 0);
	dir = openat(r->dir.fd, HISTORY_DIR, O_RDONLY | O_DIRECTORY);
	assert_int_equal(journal_put(dir, "00000001.json", "{", 1, &r->d), 0);
	assert_int_equal(journal_put(dir, "9.json", "{}", 2, &r->d), 0);
	close(dir);
	assert_int_equal(history_list(r->dir.fd, &list, &r->d), 0);
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(text(json_array_get(list, 0), "result"), "damaged");
	json_decref(list);
	assert_int_equal(rig_restore(r), 0); /* its number is not used again */
	assert_string_equal(text(entry(r, 2), "verb"), "restore");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(test_done),    T(test_nothing),    T(test_restored),
		T(test_undone),  T(test_not_undone), T(test_cut_short),
		T(test_bounded), T(test_unwritable), T(test_damaged),
		T(test_every),   T(test_own),        T(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
