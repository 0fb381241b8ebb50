/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's serial line, on the terminal or whatever descriptors 0 and 1
 * are, and before whoever else looks on. Output goes through a ring that the
 * event loop empties by non-blocking writes: a reader that never reads costs
 * the guest its oldest lines, never its time. The loop is woken by the end of a
 * line, or a millisecond after the first byte of one: a wake-up for each byte
 * would cost more than the byte.
 *
 * The ring keeps what was read, too: each viewer has a place of its own in it,
 * and one that comes late can have what was said before. What they type is
 * merged, byte by byte, as on one keyboard.
 *
 * Input: on a terminal in raw mode every key goes to the guest, ^C too, but
 * for the escape ^A: "^A x" ends the guest, "^A h" tells so, "^A ^A" is one
 * ^A. From a pipe or file every byte goes through as it is; its end is no
 * event. The terminal and the descriptors' flags are put back in
 * console_free(), which every way out passes but SIGKILL.
 *
 * A guest with a virtio console has two ports here. Output of both is taken as
 * it comes. Input goes to the port that the guest wrote to last, which is where
 * who types sees an echo or a prompt; and to the serial line until the virtio
 * one has written, and when its driver has gone.
 */

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/timerfd.h>
#include <termios.h>
#include <unistd.h>

#include "vmm/priv.h"

#define RING CONSOLE_KEPT /* a power of two; a boot's whole log */
#define INPUT 64u
#define ESCAPE 0x01 /* ^A */
#define LINGER_NS 1000000

struct console {
	struct vm *vm;
	pthread_mutex_t lock; /* of the ring */
	uint64_t head, tail;  /* read at tail; counts, not indices */
	uint64_t dropped;
	bool armed; /* the timer runs */
	int timer_fd;
	bool tty, eof, closed, escaped;
	_Atomic bool second; /* input goes to the virtio port */
	struct termios saved;
	int in_flags, out_flags; /* -1 = left alone */
	uint8_t input[INPUT];    /* read, and not yet taken by the guest */
	size_t input_at, input_len;
	uint8_t ring[RING];
};

static const char help[] =
	"\r\n^A x  end the guest\r\n^A h  this\r\n^A ^A send ^A\r\n";

static int set_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || (flags & O_NONBLOCK))
		return -1;
	return fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -1 : flags;
}

static void set_raw(struct console *c, int fd)
{
	struct termios raw;

	if (!isatty(fd) || tcgetattr(fd, &c->saved) < 0)
		return;
	raw = c->saved;
	cfmakeraw(&raw);
	c->tty = tcsetattr(fd, TCSANOW, &raw) == 0;
}

static void put_bytes(struct console *c, const uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		c->ring[c->head++ % RING] = buf[i];
	if (c->head - c->tail > RING) {
		c->dropped += c->head - c->tail - RING;
		c->tail = c->head - RING;
	}
}

static void put_out(struct console *c, const uint8_t *buf, size_t len)
{
	const struct itimerspec linger = { .it_value.tv_nsec = LINGER_NS };
	uint64_t one = 1;
	bool arm;

	pthread_mutex_lock(&c->lock);
	put_bytes(c, buf, len);
	arm = !c->armed;
	c->armed = true;
	pthread_mutex_unlock(&c->lock);
	if (len && buf[len - 1] == '\n')
		(void)!write(c->vm->event_fd, &one, sizeof(one));
	if (arm)
		timerfd_settime(c->timer_fd, 0, &linger, NULL);
}

int console_new(struct vm *vm, struct console **ret, struct diag *d)
{
	static const char hello[] =
		"console: ^A x ends the guest, ^A h helps\r\n";
	struct console *c = calloc(1, sizeof(*c));

	if (!c) {
		diag_fail(d, -ENOMEM, FL_VMM_MEMORY, "the console");
		diag_why(d, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	c->vm = vm;
	c->timer_fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	pthread_mutex_init(&c->lock, NULL);
	c->eof = vm->cfg.in_fd < 0;
	c->closed = vm->cfg.out_fd < 0;
	set_raw(c, vm->cfg.in_fd);
	c->in_flags = set_nonblock(vm->cfg.in_fd);
	c->out_flags = set_nonblock(vm->cfg.out_fd);
	if (c->tty)
		put_out(c, (const uint8_t *)hello, sizeof(hello) - 1);
	*ret = c;
	return 0;
}

void console_free(struct console *c)
{
	if (!c)
		return;
	if (c->out_flags >= 0)
		(void)!fcntl(c->vm->cfg.out_fd, F_SETFL, c->out_flags);
	if (c->in_flags >= 0)
		(void)!fcntl(c->vm->cfg.in_fd, F_SETFL, c->in_flags);
	if (c->tty)
		tcsetattr(c->vm->cfg.in_fd, TCSANOW, &c->saved);
	close_fd(&c->timer_fd);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

int console_timer_fd(const struct console *c)
{
	return c->timer_fd;
}

void console_timer(struct console *c)
{
	uint64_t fired;

	(void)!read(c->timer_fd, &fired, sizeof(fired));
	pthread_mutex_lock(&c->lock);
	c->armed = false;
	pthread_mutex_unlock(&c->lock);
}

void console_output(struct console *c, const uint8_t *buf, size_t len)
{
	atomic_store_explicit(&c->second, false, memory_order_relaxed);
	put_out(c, buf, len);
}

void console_output_second(struct console *c, const uint8_t *buf, size_t len)
{
	atomic_store_explicit(&c->second, true, memory_order_relaxed);
	put_out(c, buf, len);
}

void console_second_gone(struct console *c)
{
	atomic_store_explicit(&c->second, false, memory_order_relaxed);
}

static size_t copy(const struct console *c, uint64_t at, uint8_t *buf,
                   size_t size)
{
	size_t n = 0;

	for (; at != c->head && n < size; at++)
		buf[n++] = c->ring[at % RING];
	return n;
}

/* A copy, so that the guest does not wait for the write. */
static size_t peek(struct console *c, uint8_t *buf, size_t size,
                   uint64_t *ret_from)
{
	size_t n;

	pthread_mutex_lock(&c->lock);
	*ret_from = c->tail;
	n = copy(c, c->tail, buf, size);
	pthread_mutex_unlock(&c->lock);
	return n;
}

/* ---- viewers, beside descriptors 0 and 1 --------------------------------- */

uint64_t console_end(struct console *c)
{
	uint64_t v;

	pthread_mutex_lock(&c->lock);
	v = c->head;
	pthread_mutex_unlock(&c->lock);
	return v;
}

size_t console_look(struct console *c, uint64_t *at, uint8_t *buf, size_t size,
                    uint64_t *ret_lost)
{
	uint64_t first;
	size_t n;

	pthread_mutex_lock(&c->lock);
	first = c->head > RING ? c->head - RING : 0;
	*ret_lost = *at < first ? first - *at : 0;
	*at += *ret_lost;
	n = copy(c, *at, buf, size);
	pthread_mutex_unlock(&c->lock);
	return n;
}

/* What was written is gone, unless the ring has dropped it meanwhile. */
static void consume(struct console *c, uint64_t from, size_t n)
{
	pthread_mutex_lock(&c->lock);
	c->tail = MAX(c->tail, from + n);
	pthread_mutex_unlock(&c->lock);
}

void console_write(struct console *c)
{
	uint8_t buf[1024];

	for (;;) {
		uint64_t from;
		size_t n = peek(c, buf, sizeof(buf), &from);
		ssize_t r;

		if (!n)
			return;
		r = c->closed ? (ssize_t)n : write(c->vm->cfg.out_fd, buf, n);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0 && errno == EAGAIN)
			return;
		/* The reader is gone for good: the guest goes on unseen. */
		if (r < 0)
			c->closed = true;
		else
			consume(c, from, (size_t)r);
	}
}

bool console_wants_output(struct console *c)
{
	bool v;

	pthread_mutex_lock(&c->lock);
	v = c->head != c->tail;
	pthread_mutex_unlock(&c->lock);
	return v;
}

void console_flush(struct console *c, unsigned ms)
{
	uint64_t end = now_ns() + ms * 1000000ull;

	console_write(c);
	while (console_wants_output(c) && now_ns() < end) {
		struct pollfd p = { .fd = c->vm->cfg.out_fd,
			            .events = POLLOUT };

		if (poll(&p, 1, 10) < 0 && errno != EINTR)
			return;
		console_write(c);
	}
}

static bool is_second(struct console *c)
{
	return atomic_load_explicit(&c->second, memory_order_relaxed);
}

static size_t port_room(struct console *c)
{
	return is_second(c) ? vconsole_room(c->vm->vconsole)
	                    : serial_room(c->vm->serial);
}

static size_t give(struct console *c, const uint8_t *from, size_t n)
{
	return is_second(c) ? vconsole_input(c->vm->vconsole, from, n)
	                    : serial_input(c->vm->serial, from, n);
}

/* Feeds what is left over; true when all of it was taken. */
static bool feed(struct console *c)
{
	c->input_at +=
		give(c, c->input + c->input_at, c->input_len - c->input_at);
	return c->input_at == c->input_len;
}

bool console_wants_input(struct console *c)
{
	if (c->input_at < c->input_len && !feed(c))
		return false;
	return !c->eof && port_room(c) > 0;
}

size_t console_room(struct console *c)
{
	if (c->input_at < c->input_len && !feed(c))
		return 0;
	return port_room(c);
}

size_t console_type(struct console *c, const uint8_t *buf, size_t n)
{
	return console_room(c) ? give(c, buf, n) : 0;
}

/* Takes the escapes out of what was typed; true for ^A x. */
static bool escapes(struct console *c, const uint8_t *buf, size_t n)
{
	c->input_at = c->input_len = 0;
	for (size_t i = 0; i < n; i++) {
		if (!c->escaped && buf[i] == ESCAPE) {
			c->escaped = true;
			continue;
		}
		if (c->escaped && (buf[i] == 'x' || buf[i] == 'X'))
			return true;
		if (c->escaped && buf[i] == 'h')
			put_out(c, (const uint8_t *)help, sizeof(help) - 1);
		else
			c->input[c->input_len++] = buf[i];
		c->escaped = false;
	}
	return false;
}

bool console_read(struct console *c)
{
	uint8_t buf[INPUT];
	ssize_t n = read(c->vm->cfg.in_fd, buf, sizeof(buf));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		c->eof = true;
		return false;
	}
	if (c->tty) {
		if (escapes(c, buf, (size_t)n))
			return true;
	} else {
		memcpy(c->input, buf, (size_t)n);
		c->input_at = 0;
		c->input_len = (size_t)n;
	}
	feed(c);
	return false;
}

uint64_t console_dropped(struct console *c)
{
	uint64_t v;

	pthread_mutex_lock(&c->lock);
	v = c->dropped;
	pthread_mutex_unlock(&c->lock);
	return v;
}
