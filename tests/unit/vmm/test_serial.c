/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 16550 as a driver sees it, and the console behind it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "vmm/priv.h"

enum {
	THR,
	IER,
	IIR,
	LCR,
	MCR,
	LSR,
	MSR,
	SCR,
	RBR = THR,
	FCR = IIR,
};

/* A machine with a serial port and a console on two pipes, nothing else. */
struct rig {
	struct vm vm;
	int in, out; /* our ends */
};

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	int in[2], out[2];
	struct diag d;

	if (!r || pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		return -1;
	r->vm.fd = -1; /* no KVM: the interrupt line goes nowhere */
	r->vm.cfg.in_fd = in[0];
	r->vm.cfg.out_fd = out[1];
	r->in = in[1];
	r->out = out[0];
	r->vm.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	*state = r;
	return bus_new(&r->vm.pio) < 0 ||
	       serial_new(&r->vm, &r->vm.serial) < 0 ||
	       console_new(&r->vm, &r->vm.console, &d) < 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	console_free(r->vm.console);
	serial_free(r->vm.serial);
	bus_free(r->vm.pio);
	close_fd(&r->vm.event_fd);
	close_fd(&r->vm.cfg.in_fd);
	close_fd(&r->vm.cfg.out_fd);
	close_fd(&r->in);
	close_fd(&r->out);
	free(r);
	return 0;
}

static unsigned in(struct rig *r, unsigned reg)
{
	uint64_t v;

	assert_int_equal(bus_read(r->vm.pio, PORT_COM1 + reg, 1, &v),
	                 EXIT_SERIAL);
	return (unsigned)v;
}

static void out(struct rig *r, unsigned reg, unsigned v)
{
	bus_write(r->vm.pio, PORT_COM1 + reg, 1, v);
}

static size_t feed(struct rig *r, const char *text)
{
	return serial_input(r->vm.serial, (const uint8_t *)text, strlen(text));
}

static void reset_values(void **state)
{
	struct rig *r = *state;

	for (unsigned pass = 0; pass < 2; pass++) {
		assert_int_equal(in(r, IER), 0);
		assert_int_equal(in(r, IIR), 1);
		assert_int_equal(in(r, LCR), 0);
		assert_int_equal(in(r, MCR), 0);
		assert_int_equal(in(r, LSR), 0x60);
		assert_int_equal(in(r, MSR), 0xb0);
		for (unsigned reg = 0; reg < 8; reg++)
			out(r, reg, 0xff);
		serial_reset(r->vm.serial);
		out(r, SCR, 0); /* the one register that RESET leaves */
	}
}

/* What Linux's autoconfig probes: scratch, loopback, FIFO, no IER beyond. */
static void probed_as_16550a(void **state)
{
	struct rig *r = *state;

	out(r, SCR, 0x5a);
	assert_int_equal(in(r, SCR), 0x5a);
	out(r, IER, 0xff);
	assert_int_equal(in(r, IER), 0x0f);
	out(r, IER, 0);
	out(r, MCR, 0x1a); /* loop, OUT2, RTS */
	assert_int_equal(in(r, MSR) & 0xf0, 0x90);
	out(r, MCR, 0);
	out(r, FCR, 1);
	assert_int_equal(in(r, IIR) >> 6, 3);
	out(r, FCR, 0);
	assert_int_equal(in(r, IIR) >> 6, 0);
}

static void divisor_latch(void **state)
{
	struct rig *r = *state;

	out(r, LCR, 0x83);
	out(r, 0, 0x01);
	out(r, 1, 0x02);
	assert_int_equal(in(r, 0), 1);
	assert_int_equal(in(r, 1), 2);
	out(r, LCR, 0x03);
	assert_int_equal(in(r, IER), 0); /* untouched by the latch */
}

static void thre_interrupt(void **state)
{
	struct rig *r = *state;

	out(r, IER, 2);
	assert_int_equal(in(r, IIR), 2); /* at once: the register is empty */
	assert_int_equal(in(r, IIR), 1); /* taken by reading it */
	out(r, THR, 'x');
	assert_int_equal(in(r, IIR), 2);
	out(r, IER, 0);
	out(r, THR, 'x');
	assert_int_equal(in(r, IIR), 1);
}

static void fifo_and_trigger(void **state)
{
	struct rig *r = *state;

	out(r, FCR, 0x81); /* trigger at 8 */
	out(r, IER, 1);
	assert_int_equal(feed(r, "1234567"), 7);
	assert_int_equal(in(r, IIR), 0xcc); /* time-out */
	assert_int_equal(feed(r, "8"), 1);
	assert_int_equal(in(r, IIR), 0xc4);
	assert_int_equal(feed(r, "abcdefghij"), 8);
	assert_int_equal(serial_room(r->vm.serial), 0);
	for (const char *p = "12345678abcdefgh"; *p; p++) {
		assert_int_equal(in(r, LSR) & 1, 1);
		assert_int_equal(in(r, RBR), *p);
	}
	assert_int_equal(in(r, LSR), 0x60);
	assert_int_equal(in(r, IIR), 0xc1);
	assert_int_equal(in(r, RBR), 0);
}

static void priorities(void **state)
{
	struct rig *r = *state;

	out(r, IER, 0x0f);
	out(r, MCR, 0x13); /* loop: bytes sent come back, inputs change */
	out(r, THR, 'a');
	out(r, THR, 'b'); /* without FIFO: overrun */
	assert_int_equal(in(r, IIR), 6);
	assert_int_equal(in(r, LSR), 0x63);
	assert_int_equal(in(r, IIR), 4);
	assert_int_equal(in(r, RBR), 'a');
	assert_int_equal(in(r, IIR), 2);
	assert_int_equal(in(r, IIR), 0);
	assert_int_equal(in(r, MSR) & 0x0f, 0x08); /* DCD fell */
	assert_int_equal(in(r, IIR), 1);
}

static void wide_access(void **state)
{
	struct rig *r = *state;
	uint64_t v;

	out(r, LCR, 0x12);
	out(r, MCR, 0x05);
	bus_read(r->vm.pio, PORT_COM1 + LCR, 2, &v);
	assert_int_equal(v, 0x0512);
	bus_read(r->vm.pio, PORT_COM1 + SCR, 4, &v);
	assert_int_equal(v, 0xffffff00);
}

static void output_reaches_reader(void **state)
{
	struct rig *r = *state;
	char buf[16];
	uint64_t woken = 0;

	for (const char *p = "hello\n"; *p; p++) {
		assert_true(read(r->vm.event_fd, &woken, 8) < 0);
		out(r, THR, (unsigned)*p);
	}
	assert_int_equal(read(r->vm.event_fd, &woken, 8), 8);
	assert_true(console_wants_output(r->vm.console));
	console_write(r->vm.console);
	assert_int_equal(read(r->out, buf, sizeof(buf)), 6);
	assert_memory_equal(buf, "hello\n", 6);
	assert_false(console_wants_output(r->vm.console));
}

/* Nobody reads: the guest is not stopped, the newest is kept. */
static void reader_that_sleeps(void **state)
{
	struct rig *r = *state;
	char buf[4096], last = 0;
	ssize_t n;

	for (unsigned i = 0; i < 300000; i++) {
		out(r, THR, 'a' + i % 26);
		if (i % 1000 == 0)
			console_write(r->vm.console);
	}
	assert_true(console_dropped(r->vm.console) > 0);
	assert_int_equal(fcntl(r->out, F_SETFL, O_NONBLOCK), 0);
	do {
		while ((n = read(r->out, buf, sizeof(buf))) > 0)
			last = buf[n - 1];
		console_write(r->vm.console);
	} while (console_wants_output(r->vm.console));
	while ((n = read(r->out, buf, sizeof(buf))) > 0)
		last = buf[n - 1];
	assert_int_equal(last, 'a' + 299999 % 26);
}

static void reader_that_left(void **state)
{
	struct rig *r = *state;

	close_fd(&r->out);
	out(r, THR, 'x');
	console_write(r->vm.console);
	assert_false(console_wants_output(r->vm.console));
}

/* Input waits for room in the FIFO; its end is no event. */
static void input_from_pipe(void **state)
{
	struct rig *r = *state;
	static const char text[] = "0123456789abcdefghij";

	out(r, FCR, 1);
	assert_true(console_wants_input(r->vm.console));
	assert_int_equal(write(r->in, text, 20), 20);
	assert_false(console_read(r->vm.console));
	assert_false(console_wants_input(r->vm.console));
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(in(r, RBR), text[i]);
	assert_true(console_wants_input(r->vm.console));
	for (unsigned i = 16; i < 20; i++)
		assert_int_equal(in(r, RBR), text[i]);
	close_fd(&r->in);
	assert_false(console_read(r->vm.console));
	assert_false(console_wants_input(r->vm.console));
}

static void flags_are_put_back(void **state)
{
	struct rig *r = *state;

	assert_true(fcntl(r->vm.cfg.out_fd, F_GETFL) & O_NONBLOCK);
	console_free(r->vm.console);
	r->vm.console = NULL;
	assert_false(fcntl(r->vm.cfg.out_fd, F_GETFL) & O_NONBLOCK);
	assert_false(fcntl(r->vm.cfg.in_fd, F_GETFL) & O_NONBLOCK);
}

/* On a terminal: raw, every key for the guest but ^A, and as it was after. */
static void terminal(void **state)
{
	struct rig *r = *state;
	struct termios before, raw, after;
	struct diag d;
	int tty;

	console_free(r->vm.console);
	r->vm.console = NULL;
	assert_int_equal(openpty(&r->in, &tty, NULL, NULL, NULL), 0);
	assert_int_equal(dup2(tty, r->vm.cfg.in_fd), r->vm.cfg.in_fd);
	close(tty);
	tcgetattr(r->vm.cfg.in_fd, &before);
	assert_int_equal(console_new(&r->vm, &r->vm.console, &d), 0);
	tcgetattr(r->vm.cfg.in_fd, &raw);
	assert_false(raw.c_lflag & (ISIG | ICANON | ECHO));
	out(r, FCR, 1);
	assert_int_equal(write(r->in, "\003a\001\001\001h", 6), 6);
	assert_false(console_read(r->vm.console));
	assert_int_equal(in(r, RBR), 3);
	assert_int_equal(in(r, RBR), 'a');
	assert_int_equal(in(r, RBR), 1);
	assert_int_equal(in(r, LSR) & 1, 0);
	assert_int_equal(write(r->in, "\001x", 2), 2);
	assert_true(console_read(r->vm.console));
	console_free(r->vm.console);
	r->vm.console = NULL;
	tcgetattr(r->vm.cfg.in_fd, &after);
	assert_int_equal(after.c_lflag, before.c_lflag);
	assert_int_equal(after.c_iflag, before.c_iflag);
	assert_int_equal(after.c_oflag, before.c_oflag);
}

/* What is said of a guest does not wait for whoever reads it. */
static void words_that_nobody_reads(void **state)
{
	int was = dup(STDERR_FILENO), ends[2], got = 0;
	char buf[4096];
	ssize_t n;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	alarm(20);
	for (unsigned i = 0; i < 10000; i++)
		loop_say("the guest has broken its device once more");
	alarm(0);
	assert_int_equal(dup2(was, STDERR_FILENO), STDERR_FILENO);
	close(was);
	close(ends[1]);
	while ((n = read(ends[0], buf, sizeof(buf))) > 0)
		got += (int)n;
	assert_in_range(got, 1000, 1 << 17);
	close(ends[0]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reset_values),       TEST(probed_as_16550a),
		TEST(divisor_latch),      TEST(thre_interrupt),
		TEST(fifo_and_trigger),   TEST(priorities),
		TEST(wide_access),        TEST(output_reaches_reader),
		TEST(reader_that_sleeps), TEST(reader_that_left),
		TEST(input_from_pipe),    TEST(flags_are_put_back),
		TEST(terminal),           TEST(words_that_nobody_reads),
	};

	signal(SIGPIPE, SIG_IGN); /* as loop_init() does */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
