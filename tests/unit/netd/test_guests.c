/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guests of the applied policy, in its order, whoever runs. */

#include "netd/guests.h"
#include "tests/unit/netd/rig.h"

#define GUEST(name, more)                                                      \
	"  - { name: " name ", memory: 64M, kernel: /k" more " }\n"
#define POLICY                                                                 \
	"version: 1\nguests:\n" GUEST("b", ", boot: auto")                     \
		GUEST("a", ", boot: manual") GUEST("c", "")

static void lease(struct rig *r, size_t i, const char *guest, bool ending)
{
	struct lease *l = &r->env.leases.l[i];

	r->env.leases.used = LEASES_MAX;
	snprintf(l->guest, sizeof(l->guest), "%s", guest);
	l->ending = ending;
}

/* "b+!": boot: auto, and it runs. */
static const char *told(const json_t *list)
{
	static char text[256];
	const json_t *o;
	size_t i;

	text[0] = '\0';
	json_array_foreach(list, i, o)
	{
		const char *boot =
			json_string_value(json_object_get(o, "boot"));

		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		         "%s%s%s ",
		         json_string_value(json_object_get(o, "guest")),
		         !strcmp(boot, "auto") ? "+" : "",
		         json_is_true(json_object_get(o, "running")) ? "!"
		                                                     : "");
	}
	return text;
}

static int ask(const struct rig *r, char ret[static 256], struct diag *d)
{
	struct work *w = calloc(1, sizeof(*w));
	int e;

	assert_non_null(w);
	w->env = &r->env;
	w->reply = json_object();
	e = verb_guests(w);
	snprintf(ret, 256, "%s", told(json_object_get(w->reply, "guests")));
	*d = w->diag;
	json_decref(w->reply);
	free(w);
	return e;
}

static void test_no_policy(void **state)
{
	struct diag d = { 0 };
	json_t *list = guests_json(&((struct rig *)*state)->env);
	char text[256];

	assert_true(json_is_array(list));
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
	assert_int_equal(ask(*state, text, &d), -ENOENT);
	assert_int_equal(d.code, FL_NETD_NO_POLICY);
	assert_string_equal(text, "");
}

static void test_order(void **state)
{
	struct rig *r = *state;
	struct diag d = { 0 };
	char text[256];
	json_t *list;

	assert_int_equal(journal_put(r->dir.fd, JOURNAL_APPLIED_FILE, POLICY,
	                             strlen(POLICY), NULL),
	                 0);
	assert_int_equal(ask(r, text, &d), 0);
	assert_string_equal(text, "b+ a c ");
	lease(r, 0, "c", false);
	lease(r, 1, "b", false);
	lease(r, 2, "a", true); /* its connection has gone */
	lease(r, 3, "elsewhere", false);
	assert_int_equal(ask(r, text, &d), 0);
	assert_string_equal(text, "b+! a c! ");
	list = guests_json(&r->env);
	assert_string_equal(told(list), text);
	json_decref(list);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(test_no_policy),
		T(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
