/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The data path's loop: who is called, in turn, and when nobody is. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/io.h"

#define DEADLINE_NS 10000000000ull

struct source {
	struct io *io;
	struct io_watch w;
	_Atomic unsigned calls, agains; /* with events, without */
	_Atomic unsigned left;          /* turns that it asks for */
	bool keeps;                     /* leaves its descriptor readable */
	struct source *deletes;
	_Atomic pthread_t thread;
};

static void ready(void *ctx, uint32_t events)
{
	struct source *s = ctx;
	eventfd_t n;

	s->thread = pthread_self();
	if (events && !s->keeps)
		(void)!eventfd_read(s->w.fd, &n);
	if (s->left) {
		s->left--;
		io_again(s->io, &s->w);
	}
	if (s->deletes)
		io_del(s->io, &s->deletes->w);
	if (events)
		s->calls++;
	else
		s->agains++;
}

static struct io *start(void)
{
	struct io *io;
	struct diag d;

	assert_int_equal(io_new(NULL, &io, &d), 0);
	assert_int_equal(io_start(io, &d), 0);
	return io;
}

static void watch(struct io *io, struct source *s, uint32_t events)
{
	*s = (struct source){ .io = io };
	s->w = (struct io_watch){
		.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
		.ready = ready,
		.ctx = s,
	};
	assert_true(s->w.fd >= 0);
	assert_int_equal(io_add(io, &s->w, events), 0);
}

static void signal_it(struct source *s)
{
	assert_int_equal(eventfd_write(s->w.fd, 1), 0);
}

static void await(_Atomic unsigned *count, unsigned want)
{
	const uint64_t until = now_ns() + DEADLINE_NS;

	while (*count < want && now_ns() < until)
		usleep(100);
	assert_true(*count >= want);
}

static void settle(void)
{
	usleep(20000);
}

static void test_ready(void **state)
{
	struct io *io = start();
	struct source s;

	(void)state;
	watch(io, &s, EPOLLIN);
	signal_it(&s);
	settle();
	/* Parked as it begins. */
	assert_int_equal(s.calls, 0);
	io_unpark(io);
	await(&s.calls, 1);
	assert_false(pthread_equal(s.thread, pthread_self()));
	signal_it(&s);
	await(&s.calls, 2);
	settle();
	assert_int_equal(s.calls, 2);
	assert_int_equal(io_change(io, &s.w, 0), 0);
	signal_it(&s);
	settle();
	assert_int_equal(s.calls, 2);
	assert_int_equal(io_change(io, &s.w, EPOLLIN), 0);
	await(&s.calls, 3);
	io_del(io, &s.w);
	io_del(io, &s.w);
	signal_it(&s);
	settle();
	assert_int_equal(s.calls, 3);
	io_free(io);
	close(s.w.fd);
}

/* Two that want all the time there is get it in turn. */
static void test_turns(void **state)
{
	struct io *io = start();
	struct source a, b, c;

	(void)state;
	watch(io, &a, EPOLLIN);
	watch(io, &b, EPOLLIN);
	watch(io, &c, EPOLLIN);
	a.left = b.left = 1000;
	c.keeps = true;
	signal_it(&a);
	signal_it(&b);
	signal_it(&c);
	io_unpark(io);
	await(&a.agains, 1000);
	await(&b.agains, 1000);
	io_park(io);
	assert_int_equal(a.agains, 1000);
	assert_int_equal(b.agains, 1000);
	/* One that stays readable is found again in each round. */
	assert_true(c.calls >= 1000);
	io_free(io);
	close(a.w.fd);
	close(b.w.fd);
	close(c.w.fd);
}

static void test_park(void **state)
{
	struct io *io = start();
	struct source s;
	unsigned calls;

	(void)state;
	watch(io, &s, EPOLLIN);
	s.keeps = true;
	signal_it(&s);
	io_unpark(io);
	for (unsigned i = 1; i <= 200; i++) {
		await(&s.calls, i);
		io_park(io);
		calls = s.calls;
		usleep(i % 16 ? 0 : 2000);
		assert_int_equal(s.calls, calls);
		io_unpark(io);
		if (i % 3 == 0) {
			/* Let go and called in again before it woke. */
			io_park(io);
			io_unpark(io);
		}
	}
	io_stop(io);
	io_stop(io);
	calls = s.calls;
	io_park(io); /* of one that has ended */
	settle();
	assert_int_equal(s.calls, calls);
	io_free(io);
	close(s.w.fd);
}

/* What was deleted while it waited for another turn has none. */
static void test_deleted_again(void **state)
{
	struct io *io = start();
	struct source a, b, c;

	(void)state;
	watch(io, &a, EPOLLIN);
	watch(io, &b, EPOLLIN);
	watch(io, &c, EPOLLIN);
	io_again(io, &a.w);
	io_again(io, &b.w);
	io_again(io, &c.w);
	io_again(io, &b.w);
	io_del(io, &b.w);
	io_unpark(io);
	await(&a.agains, 1);
	await(&c.agains, 1);
	io_park(io);
	io_again(io, &a.w);
	io_del(io, &a.w);
	io_again(io, &c.w);
	c.deletes = &c;
	c.left = 5;
	io_unpark(io);
	await(&c.agains, 2);
	settle();
	assert_int_equal(a.agains, 1);
	assert_int_equal(b.agains, 0);
	assert_int_equal(c.agains, 2);
	io_free(io);
	close(a.w.fd);
	close(b.w.fd);
	close(c.w.fd);
}

static void test_bad_descriptor(void **state)
{
	struct io_watch w = { .fd = -1, .ready = ready };
	struct io *io;
	struct diag d;

	(void)state;
	assert_int_equal(io_new(NULL, &io, &d), 0);
	assert_int_equal(io_add(io, &w, EPOLLIN), -EBADF);
	assert_int_equal(io_change(io, &w, EPOLLIN), -EBADF);
	io_del(io, &w);
	io_free(io);
	io_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ready),
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_park),
		cmocka_unit_test(test_deleted_again),
		cmocka_unit_test(test_bad_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
