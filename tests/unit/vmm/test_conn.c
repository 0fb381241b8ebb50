/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netd's orders to a running guest, and the answers, over a real socket. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netd/netd-proto.h"
#include "vmm/conn.h"

#define DEV(name, slot, fn)                                                    \
	"{\"name\": \"" name "\", \"bdf\": \"0000:01:10.0\", \"slot\": " slot  \
	", \"function\": " fn "}"
#define ATTACH(devices, fds)                                                   \
	"{\"event\": \"attach\", \"id\": 7, \"devices\": [" devices            \
	"], \"fds\": [" fds "], \"backend\": \"iommufd\"}"

struct pair {
	int netd;
	struct conn *conn;
	int end; /* the VMM's */
};

static struct pair connect_pair(void)
{
	struct pair p;
	int s[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s), 0);
	p.netd = s[0];
	p.end = s[1];
	assert_int_equal(conn_new(s[1], &p.conn), 0);
	return p;
}

static void part(struct pair *p)
{
	conn_free(p->conn);
	close_fd(&p->netd);
	close_fd(&p->end);
}

static int null_fd(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* The lowest descriptor that is free: the same after as before, and nothing
 * has leaked. */
static int lowest(void)
{
	int fd = null_fd();

	close(fd);
	return fd;
}

static void send_fds(struct pair *p, const char *text, unsigned n)
{
	int fds[FD_PASS_MAX] = { -1 };

	for (unsigned i = 0; i < n; i++)
		fds[i] = null_fd();
	assert_int_equal(fd_send(p->netd, text, strlen(text), fds, n), 0);
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

/* The next answer; NULL = there is none. */
static json_t *answer(struct pair *p)
{
	static char buf[NETD_MSG_MAX + 1];
	int fds[1] = { -1 };
	size_t n;
	struct pollfd poll_fd = { .fd = p->netd, .events = POLLIN };
	ssize_t len;
	json_t *doc;

	if (poll(&poll_fd, 1, 0) <= 0)
		return NULL;
	len = fd_recv(p->netd, buf, sizeof(buf), fds, 1, &n);
	assert_true(len > 0);
	if (n) {
		_cleanup_free_ char *text = NULL;
		size_t size;

		assert_memory_equal(buf, "{\"body\":\"memfd\"}", (size_t)len);
		assert_int_equal(fd_read_file(fds[0], 1 << 24, &text, &size),
		                 0);
		close(fds[0]);
		doc = json_loadb(text, size, 0, NULL);
	} else {
		doc = json_loadb(buf, (size_t)len, 0, NULL);
	}
	assert_non_null(doc);
	return doc;
}

static const char *text_of(const json_t *doc, const char *key)
{
	const char *s = json_string_value(json_object_get(doc, key));

	return s ? s : "";
}

static void attach(void **state)
{
	struct pair p = connect_pair();
	struct conn_order o;
	int before = lowest();

	(void)state;
	send_fds(&p,
	         ATTACH(DEV("a", "3", "1") ", " DEV("b", "3", "0"),
	                "\"device:b\", \"iommu\", \"rom:b\", \"device:a\""),
	         4);
	assert_int_equal(conn_input(p.conn, &o), 1);
	assert_int_equal(o.verb, CONN_ATTACH);
	assert_int_equal(o.id, 7);
	assert_int_equal(o.n, 2);
	assert_int_equal(o.device[0].function, 1);
	assert_string_equal(o.device[1].name, "b");
	assert_true(o.device[0].fd >= 0 && o.device[1].fd >= 0);
	assert_int_equal(o.device[0].rom_fd, -1);
	assert_true(o.device[1].rom_fd >= 0);
	assert_true(o.iommu_fd >= 0);
	assert_int_equal(o.backend, IOMMU_IOMMUFD);
	conn_order_close(&o);
	assert_int_equal(lowest(), before);
	part(&p);
}

static void others(void **state)
{
	static const char *const text[] = {
		"{\"event\": \"detach\", \"id\": 1, \"device\": \"wan\", "
		"\"deadline_ms\": 9000}",
		"{\"event\": \"query\", \"id\": 2}",
		"{\"event\": \"dma-fault\", \"device\": \"wan\", \"action\": "
		"\"reset\", \"text\": \"at \\u001b[31m 0x7000\"}",
		/* What is not known is left alone. */
		"{\"event\": \"sing\", \"song\": 5}",
		"{}",
	};
	struct pair p = connect_pair();
	struct conn_order o;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(text); i++)
		send_fds(&p, text[i], 0);
	assert_int_equal(conn_input(p.conn, &o), 1);
	assert_int_equal(o.verb, CONN_DETACH);
	assert_string_equal(o.name, "wan");
	assert_int_equal(o.deadline_ms, 9000);
	assert_int_equal(conn_input(p.conn, &o), 1);
	assert_int_equal(o.verb, CONN_QUERY);
	assert_int_equal(o.id, 2);
	assert_int_equal(conn_input(p.conn, &o), 1);
	assert_int_equal(o.verb, CONN_FAULT);
	assert_int_equal(o.action, CONN_RESET);
	assert_string_equal(o.text, "at ?[31m 0x7000");
	assert_int_equal(conn_input(p.conn, &o), 0);
	assert_int_equal(conn_input(p.conn, &o), 0);
	assert_null(answer(&p));
	part(&p);
}

static void broken(void **state)
{
	static const struct {
		const char *text;
		unsigned fds;
		json_int_t id;
	} bad[] = {
		{ "{", 1, 0 },
		{ "[]", 0, 0 },
		{ "{\"event\": \"query\"}", 0, 0 },
		{ "{\"event\": \"query\", \"id\": -1}", 0, 0 },
		{ "{\"event\": \"query\", \"id\": 1, \"id\": 2}", 0, 0 },
		{ "{\"event\": \"detach\", \"id\": 3}", 0, 3 },
		{ "{\"event\": \"detach\", \"id\": 3, \"device\": \"a\"}", 0,
		  3 },
		{ "{\"event\": \"detach\", \"id\": 3, \"device\": \"a\", "
		  "\"deadline_ms\": 3600001}",
		  0, 3 },
		{ "{\"event\": \"dma-fault\", \"device\": \"a\", \"action\": "
		  "\"dance\"}",
		  0, 0 },
		{ "{\"event\": \"attach\", \"id\": 4}", 2, 4 },
		/* no device, no descriptor, one too many, of nobody, twice */
		{ ATTACH("", ""), 0, 7 },
		{ ATTACH(DEV("a", "3", "0"), ""), 0, 7 },
		{ ATTACH(DEV("a", "3", "0"), "\"device:a\""), 2, 7 },
		{ ATTACH(DEV("a", "3", "0"), "\"device:a\", \"device:b\""), 2,
		  7 },
		{ ATTACH(DEV("a", "3", "0"), "\"device:a\", \"device:a\""), 2,
		  7 },
		{ ATTACH(DEV("a", "3", "0"), "\"device:a\", 5"), 2, 7 },
		/* two slots, no function 0, the same one twice, slot 0 */
		{ ATTACH(DEV("a", "3", "0") ", " DEV("b", "4", "0"),
		         "\"device:a\", \"device:b\""),
		  2, 7 },
		{ ATTACH(DEV("a", "3", "1"), "\"device:a\""), 1, 7 },
		{ ATTACH(DEV("a", "3", "0") ", " DEV("b", "3", "0"),
		         "\"device:a\", \"device:b\""),
		  2, 7 },
		{ ATTACH(DEV("a", "0", "0"), "\"device:a\""), 1, 7 },
		/* an address space of no kind */
		{ "{\"event\": \"attach\", \"id\": 7, \"devices\": [" DEV(
			  "a", "3", "0") "], \"fds\": [\"device:a\", "
		                         "\"iommu\"]}",
		  2, 7 },
	};
	struct pair p = connect_pair();
	int before = lowest();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct conn_order o;
		json_t *doc;

		send_fds(&p, bad[i].text, bad[i].fds);
		assert_int_equal(conn_input(p.conn, &o), 0);
		assert_int_equal(lowest(), before);
		doc = answer(&p);
		assert_non_null(doc);
		assert_string_equal(text_of(doc, "event"), "done");
		assert_true(json_is_false(json_object_get(doc, "ok")));
		assert_int_equal(json_integer_value(json_object_get(doc, "id")),
		                 bad[i].id);
		assert_int_equal(
			json_integer_value(json_object_get(
				json_object_get(doc, "error"), "code")),
			FL_VMM_CONN);
		json_decref(doc);
	}
	part(&p);
}

static void too_many_descriptors(void **state)
{
	struct pair p = connect_pair();
	int before = lowest();
	struct conn_order o;
	json_t *doc;

	(void)state;
	send_fds(&p, "{\"event\": \"query\", \"id\": 2}", 40);
	assert_int_equal(conn_input(p.conn, &o), 0);
	assert_int_equal(lowest(), before);
	doc = answer(&p);
	assert_non_null(doc);
	json_decref(doc);
	/* The next one is understood. */
	send_fds(&p, "{\"event\": \"query\", \"id\": 2}", 0);
	assert_int_equal(conn_input(p.conn, &o), 1);
	part(&p);
}

static void answers(void **state)
{
	struct pair p = connect_pair();
	json_t *big = json_object(), *list = json_array(), *doc;

	(void)state;
	conn_done(p.conn, 5, true);
	conn_dark(p.conn, "wan");
	conn_gone(p.conn, "wan", "host");
	for (int i = 0; i < 20000; i++)
		json_array_append_new(list, json_integer(i));
	json_object_set_new(big, "vectors", list);
	conn_state(p.conn, 6, big);

	doc = answer(&p);
	assert_string_equal(text_of(doc, "event"), "done");
	assert_true(json_is_true(json_object_get(doc, "ok")));
	assert_true(json_is_true(json_object_get(doc, "forced")));
	json_decref(doc);
	doc = answer(&p);
	assert_string_equal(text_of(doc, "event"), "dark");
	assert_string_equal(text_of(doc, "device"), "wan");
	json_decref(doc);
	doc = answer(&p);
	assert_string_equal(text_of(doc, "event"), "gone");
	assert_string_equal(text_of(doc, "device"), "wan");
	assert_string_equal(text_of(doc, "reason"), "host");
	json_decref(doc);
	doc = answer(&p);
	assert_string_equal(text_of(doc, "event"), "state");
	assert_int_equal(json_array_size(json_object_get(doc, "vectors")),
	                 20000);
	json_decref(doc);
	assert_null(answer(&p));
	part(&p);
}

/* netd does not read: nobody waits, what it would have heard first is kept, and
 * no descriptor is. */
static void a_silent_netd(void **state)
{
	struct pair p = connect_pair();
	int before = lowest();
	unsigned heard = 0;
	json_t *doc;

	(void)state;
	for (unsigned i = 0; i < 5000; i++)
		conn_done(p.conn, i, false);
	assert_true(conn_wants_output(p.conn));
	assert_true(conn_dropped(p.conn) > 0);
	while ((doc = answer(&p))) {
		assert_int_equal(json_integer_value(json_object_get(doc, "id")),
		                 heard);
		heard++;
		json_decref(doc);
		conn_output(p.conn);
	}
	assert_false(conn_wants_output(p.conn));
	assert_int_equal(heard + conn_dropped(p.conn), 5000);
	assert_int_equal(lowest(), before);
	part(&p);
}

/* Nothing but descriptors: read as the end, and none of them is kept. */
static void only_descriptors(void **state)
{
	struct pair p = connect_pair();
	int before = lowest();
	struct conn_order o;

	(void)state;
	send_fds(&p, "", 2);
	assert_int_equal(conn_input(p.conn, &o), -ECONNRESET);
	assert_int_equal(lowest(), before);
	part(&p);
}

static void netd_goes(void **state)
{
	struct pair p = connect_pair();
	struct conn_order o;

	(void)state;
	assert_int_equal(conn_fd(p.conn), p.end);
	close_fd(&p.netd);
	conn_done(p.conn, 1, false); /* no SIGPIPE */
	assert_int_equal(conn_input(p.conn, &o), -ECONNRESET);
	assert_int_equal(conn_fd(p.conn), -1);
	assert_false(conn_wants_output(p.conn));
	conn_done(p.conn, 1, false);
	part(&p);
}

static void no_socket(void **state)
{
	struct pair p = { .netd = -1, .end = null_fd() };
	struct conn_order o;

	(void)state;
	assert_int_equal(conn_new(p.end, &p.conn), 0);
	assert_int_equal(conn_fd(p.conn), -1);
	assert_int_equal(conn_input(p.conn, &o), 0);
	conn_gone(p.conn, "wan", "error");
	assert_false(conn_wants_output(p.conn));
	part(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attach),
		cmocka_unit_test(others),
		cmocka_unit_test(broken),
		cmocka_unit_test(too_many_descriptors),
		cmocka_unit_test(answers),
		cmocka_unit_test(a_silent_netd),
		cmocka_unit_test(only_descriptors),
		cmocka_unit_test(netd_goes),
		cmocka_unit_test(no_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
