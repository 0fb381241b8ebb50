/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine of packet.h, to which is spoken in lines, one an access. */

#include <fcntl.h>
#include <linux/pci_regs.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/bench/packet.h"

/* "OK", or "OK 0x..." with what was read. */
static uint64_t ask(struct bench *b, const char *line, size_t len)
{
	char answer[256];
	size_t n = 0;

	if (write(b->qtest, line, len) != (ssize_t)len)
		bench_fail("qtest");
	while (!n || answer[n - 1] != '\n') {
		ssize_t r = read(b->qtest, answer + n, sizeof(answer) - 1 - n);

		if (r <= 0)
			bench_fail("qtest");
		n += (size_t)r;
	}
	answer[n] = '\0';
	if (strncmp(answer, "OK", 2) != 0)
		bench_fail(answer);
	return strtoull(answer + 2, NULL, 0);
}

__attribute__((format(printf, 2, 3))) static uint64_t
say(struct bench *b, const char *format, ...)
{
	char line[128];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	return ask(b, line, (size_t)n);
}

static int connect_to(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	for (unsigned i = 0; i < 1200; i++) {
		if (connect(fd, (void *)&a, sizeof(a)) == 0)
			return fd;
		usleep(100000);
	}
	bench_fail(path);
}

void bench_open(struct bench *b, const char *socket, const char *memory)
{
	b->qtest = connect_to(socket);
	b->vm.fd = b->vm.event_fd = -1;
	bench_map(&b->vm, memory);
}

static char letter(unsigned width)
{
	return "?bw?l???q"[width];
}

uint64_t bench_read(struct bench *b, uint64_t at, unsigned width)
{
	return say(b, "read%c 0x%llx\n", letter(width), (unsigned long long)at);
}

void bench_write(struct bench *b, uint64_t at, unsigned width, uint64_t v)
{
	say(b, "write%c 0x%llx 0x%llx\n", letter(width), (unsigned long long)at,
	    (unsigned long long)v);
}

static void latch(struct bench *b, unsigned off)
{
	say(b, "outl 0xcf8 0x%x\n", 1u << 31 | BENCH_SLOT << 11 | (off & 0xfc));
}

uint32_t bench_cfg_read(struct bench *b, unsigned off, unsigned width)
{
	latch(b, off);
	return (uint32_t)say(b, "in%c 0x%x\n", letter(width),
	                     0xcfc + (off & 3));
}

void bench_cfg_write(struct bench *b, unsigned off, unsigned width, uint32_t v)
{
	latch(b, off);
	say(b, "out%c 0x%x 0x%x\n", letter(width), 0xcfc + (off & 3), v);
}

/* ---- set up as firmware does --------------------------------------------- */

static void place_bars(struct bench *b)
{
	for (unsigned i = 0; i < 6; i++) {
		unsigned reg = PCI_BASE_ADDRESS_0 + 4 * i;
		uint32_t bar = bench_cfg_read(b, reg, 4);

		if (bar & PCI_BASE_ADDRESS_SPACE_IO)
			continue;
		bench_cfg_write(b, reg, 4,
		                (uint32_t)(BENCH_BAR + i * BENCH_BAR_STEP));
		if (bar & PCI_BASE_ADDRESS_MEM_TYPE_64)
			bench_cfg_write(b, PCI_BASE_ADDRESS_0 + 4 * ++i, 4, 0);
	}
	bench_cfg_write(b, PCI_COMMAND, 2,
	                PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

/* The next capability of that id behind `at`, 0 = none. */
static unsigned next_cap(struct bench *b, unsigned at, uint8_t id)
{
	at = bench_cfg_read(b, at ? at + 1 : PCI_CAPABILITY_LIST, 1);
	while (at && bench_cfg_read(b, at, 1) != id)
		at = bench_cfg_read(b, at + 1, 1);
	return at;
}

static uint64_t bar_at(unsigned i)
{
	return BENCH_BAR + i * BENCH_BAR_STEP;
}

static void turn_msix_on(struct bench *b)
{
	unsigned cap = next_cap(b, 0, PCI_CAP_ID_MSIX), n;
	uint32_t table;

	if (!cap)
		return;
	table = bench_cfg_read(b, cap + PCI_MSIX_TABLE, 4);
	n = (bench_cfg_read(b, cap + PCI_MSIX_FLAGS, 2) & 0x7ff) + 1;
	for (unsigned i = 0; i < n; i++) {
		uint64_t at = bar_at(table & 7) + (table & ~7u) + 16 * i;

		bench_write(b, at, 4, 0xfee00000);
		bench_write(b, at + 4, 4, 0);
		bench_write(b, at + 8, 4, 0x40 + i);
		bench_write(b, at + 12, 4, 0);
	}
	bench_cfg_write(b, cap + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
}

void bench_place(struct bench *b)
{
	place_bars(b);
	turn_msix_on(b);
}

uint64_t bench_virtio_cap(struct bench *b, uint8_t type, uint32_t *multiplier)
{
	for (unsigned at = 0; (at = next_cap(b, at, PCI_CAP_ID_VNDR));) {
		if (bench_cfg_read(b, at + 3, 1) != type)
			continue;
		*multiplier = bench_cfg_read(b, at + 16, 4);
		return bar_at(bench_cfg_read(b, at + 4, 1)) +
		       bench_cfg_read(b, at + 8, 4);
	}
	bench_fail("a capability of virtio's");
}
