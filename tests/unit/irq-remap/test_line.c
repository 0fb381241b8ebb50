/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line's eventfds and when the sink is told of them. The sink is played;
 * the real one is shown by tests/micro and the lab. */

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "irq-remap/irq-remap.h"

#define LINES 8

struct sink {
	unsigned adds, dels;
	int trigger[LINES], resample[LINES]; /* tied; -1 = free place */
	uint32_t gsi[LINES];
	int fail_add;
};

static int set_routes(void *ctx _unused_, const struct irq_route *r _unused_,
                      size_t n _unused_)
{
	fail_msg("a pin needs no table of messages");
	return -EINVAL;
}

static int line_add(void *ctx, int trigger, int resample, uint32_t gsi)
{
	struct sink *s = ctx;
	unsigned at = LINES;

	if (s->fail_add)
		return -s->fail_add;
	for (unsigned i = 0; i < LINES; i++) {
		/* KVM: an eventfd has one line. */
		assert_int_not_equal(s->trigger[i], trigger);
		if (s->trigger[i] < 0)
			at = i;
	}
	assert_true(at < LINES);
	s->trigger[at] = trigger;
	s->resample[at] = resample;
	s->gsi[at] = gsi;
	s->adds++;
	return 0;
}

static int line_del(void *ctx, int trigger, uint32_t gsi)
{
	struct sink *s = ctx;

	for (unsigned i = 0; i < LINES; i++) {
		if (s->trigger[i] != trigger)
			continue;
		assert_int_equal(s->gsi[i], gsi);
		s->trigger[i] = -1;
		s->dels++;
		return 0;
	}
	fail_msg("untied what is not tied");
	return -ENOENT;
}

static const struct irq_sink_ops OPS = {
	.set_routes = set_routes,
	.line_add = line_add,
	.line_del = line_del,
};

struct fix {
	struct sink sink;
	struct irq_table *t;
	struct diag d;
};

static int setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	memset(f->sink.trigger, -1, sizeof(f->sink.trigger));
	assert_int_equal(irq_table_new(&OPS, &f->sink, 24, 8, &f->t), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	assert_int_equal(irq_table_stats(f->t).irqfds, 0);
	assert_int_equal(f->sink.adds, f->sink.dels);
	irq_table_free(f->t);
	free(f);
	return 0;
}

static struct irq_line *new_line(struct fix *f, uint32_t gsi)
{
	struct irq_line *l = NULL;

	assert_int_equal(irq_line_new(f->t, gsi, &l, &f->d), 0);
	return l;
}

static void test_tie(void **state)
{
	struct fix *f = *state;
	struct irq_line *l = new_line(f, 17);

	assert_int_equal(irq_line_gsi(l), 17);
	assert_int_equal(f->sink.adds, 0); /* not by making it */
	assert_int_equal(irq_line_tie(l, &f->d), 0);
	assert_int_equal(irq_line_tie(l, &f->d), 0);
	assert_int_equal(f->sink.adds, 1);
	assert_int_equal(irq_table_stats(f->t).irqfds, 1);
	irq_line_untie(l);
	irq_line_untie(l);
	assert_int_equal(f->sink.dels, 1);
	assert_int_equal(irq_line_tie(l, &f->d), 0);
	irq_line_free(l); /* unties */
	irq_line_free(NULL);
}

/* Each with eventfds of its own: a resampler signals all on the pin. */
static void test_shared(void **state)
{
	struct fix *f = *state;
	struct irq_line *a = new_line(f, 16), *b = new_line(f, 16);

	assert_int_equal(irq_line_tie(a, &f->d), 0);
	assert_int_equal(irq_line_tie(b, &f->d), 0);
	assert_int_equal(irq_table_stats(f->t).irqfds, 2);
	assert_int_not_equal(irq_line_trigger_fd(a), irq_line_trigger_fd(b));
	assert_int_not_equal(irq_line_resample_fd(a), irq_line_resample_fd(b));
	irq_line_free(a);
	assert_int_equal(irq_table_stats(f->t).irqfds, 1);
	irq_line_free(b);
}

static void test_drained(void **state)
{
	struct fix *f = *state;
	struct irq_line *l = new_line(f, 16);
	struct pollfd pfd[2] = {
		{ .fd = irq_line_trigger_fd(l), .events = POLLIN },
		{ .fd = irq_line_resample_fd(l), .events = POLLIN },
	};

	assert_int_equal(eventfd_write(pfd[0].fd, 1), 0);
	assert_int_equal(eventfd_write(pfd[1].fd, 1), 0);
	assert_int_equal(irq_line_tie(l, &f->d), 0);
	assert_int_equal(poll(pfd, 2, 0), 0);
	/* But not what comes while it is tied. */
	assert_int_equal(eventfd_write(pfd[0].fd, 1), 0);
	assert_int_equal(irq_line_tie(l, &f->d), 0);
	assert_int_equal(poll(pfd, 2, 0), 1);
	irq_line_free(l);
}

static void test_refused(void **state)
{
	struct fix *f = *state;
	struct irq_line *l = new_line(f, 19);

	f->sink.fail_add = EINVAL;
	assert_int_equal(irq_line_tie(l, &f->d), -EINVAL);
	assert_int_equal(f->d.code, FL_IRQ_IRQFD);
	assert_non_null(strstr(f->d.what, "19"));
	assert_int_equal(irq_table_stats(f->t).irqfds, 0);
	f->sink.fail_add = 0;
	assert_int_equal(irq_line_tie(l, &f->d), 0);
	irq_line_free(l);
}

/* The first or the second eventfd cannot be had: an error, and none leaks. */
static void test_no_descriptors(void **state)
{
	struct fix *f = *state;
	struct irq_line *l = NULL;
	struct rlimit old, tight;
	int next = eventfd(0, EFD_CLOEXEC);

	assert_true(next >= 0);
	close_fd(&next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	for (unsigned room = 0; room < 2; room++) {
		int probe = eventfd(0, EFD_CLOEXEC);

		assert_true(probe >= 0);
		tight = old;
		tight.rlim_cur = (rlim_t)probe + room;
		close_fd(&probe);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
		assert_int_equal(irq_line_new(f->t, 16, &l, &f->d), -EMFILE);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
		assert_int_equal(f->d.code, FL_IRQ_EVENTFD);
		assert_null(l);
	}
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_tie),     T(test_shared),         T(test_drained),
		T(test_refused), T(test_no_descriptors),
	};

	return cmocka_run_group_tests_name("irq-remap/line", tests, NULL, NULL);
}
