/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What guests in the background have said: kept while there is room, of those
 * that run in any case. */

#include <fcntl.h>

#include "tests/unit/netd/daemon.h"

static struct env *make(void)
{
	struct env *e = calloc(1, sizeof(*e));

	assert_non_null(e);
	words_init(&e->words);
	return e;
}

static void unmake(struct env *e)
{
	words_clear(&e->words);
	free(e);
}

static struct lease named(unsigned i, int64_t since)
{
	struct lease l = { .pid = 100 + (int)i, .since = since };

	snprintf(l.guest, sizeof(l.guest), "g%u", i);
	return l;
}

static void keep(struct env *e, unsigned i, int64_t since)
{
	const struct lease l = named(i, since);
	int fd = textring_new();

	words_keep(e, &l, fd);
	close_fd(&fd);
}

static json_t *ask(const struct env *e, const char *guest, struct diag *d)
{
	struct work *w = calloc(1, sizeof(*w));
	json_t *reply;
	int r;

	assert_non_null(w);
	w->env = e;
	w->reply = json_object();
	snprintf(w->req.guest, sizeof(w->req.guest), "%s", guest);
	r = verb_log(w);
	reply = w->reply;
	if (r < 0) {
		json_decref(reply);
		reply = NULL;
	}
	*d = w->diag;
	free(w);
	return reply;
}

static const char *text_of(const json_t *o)
{
	return json_string_value(json_object_get(o, "text"));
}

static void said(void **state)
{
	struct env *e = make();
	const struct lease l = named(1, 5);
	struct diag d;
	json_t *o;

	(void)state;
	assert_null(ask(e, "g1", &d));
	assert_int_equal(d.code, FL_NETD_NO_LOG);
	keep(e, 1, 5);
	textring_put(words_of(&e->words, "g1"), "fairlead-vmm: caf\xe9");
	e->leases.l[0] = l;
	e->leases.used = 1;
	o = ask(e, "g1", &d);
	assert_non_null(strstr(text_of(o), "its VMM, pid 101, begins\n"));
	assert_non_null(strstr(text_of(o), "fairlead-vmm: caf?\n"));
	assert_true(json_is_true(json_object_get(o, "running")));
	json_decref(o);
	/* Also without a word of its own. */
	words_end(&e->words, &l);
	memset(&e->leases, 0, sizeof(e->leases));
	o = ask(e, "g1", &d);
	assert_non_null(strstr(text_of(o), "pid 101, is gone\n"));
	assert_true(json_is_false(json_object_get(o, "running")));
	json_decref(o);
	unmake(e);
}

/* Those of guests that have ended make room, the oldest first. */
static void room(void **state)
{
	struct env *e = make();

	(void)state;
	for (unsigned i = 0; i < LEASES_MAX; i++)
		keep(e, i, 1000 - (int64_t)i);
	e->leases.used = LEASES_MAX;
	e->leases.l[7] = named(LEASES_MAX - 1, 1000 - LEASES_MAX + 1);
	keep(e, LEASES_MAX, 2000);
	assert_true(words_of(&e->words, "g64") >= 0);
	assert_true(words_of(&e->words, "g63") >= 0);
	assert_int_equal(words_of(&e->words, "g62"), -1);
	/* The same guest again is at its own place. */
	keep(e, 3, 3000);
	for (unsigned i = 0; i < LEASES_MAX; i++)
		if (i != 62)
			assert_true(words_of(&e->words, named(i, 0).guest) >=
			            0);
	/* All of them run: what comes is not kept, and nothing else goes. */
	for (unsigned i = 0; i < LEASES_MAX; i++)
		memcpy(e->leases.l[i].guest, e->words.w[i].guest, POL_NAME);
	keep(e, 99, 4000);
	assert_int_equal(words_of(&e->words, "g99"), -1);
	unmake(e);
}

/* The next run of a guest goes on in the same one. */
static void goes_on(void **state)
{
	struct work *w = calloc(1, sizeof(*w));
	struct env *e = make();
	struct diag d;
	json_t *o;

	(void)state;
	keep(e, 1, 5);
	w->env = e;
	w->reply = json_pack("{s:[]}", "fds");
	strcpy(w->req.guest, "g1");
	assert_int_equal(words_open(w), 0);
	assert_int_equal(w->n_fds, 1);
	textring_put(w->fd[0], "again");
	o = ask(e, "g1", &d);
	assert_non_null(strstr(text_of(o), "begins\n"));
	assert_non_null(strstr(text_of(o), "again\n"));
	json_decref(o);
	/* Of one that has none it is new. */
	strcpy(w->req.guest, "g2");
	assert_int_equal(words_open(w), 0);
	assert_true(textring_is(w->fd[1]));
	assert_int_equal(words_of(&e->words, "g2"), -1);
	close(w->fd[0]);
	close(w->fd[1]);
	json_decref(w->reply);
	free(w);
	unmake(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(said),
		cmocka_unit_test(room),
		cmocka_unit_test(goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
