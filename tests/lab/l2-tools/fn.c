/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A function of the guest through sysfs: configuration space and BARs. */

#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CFG_COMMAND 0x04u
#define COMMAND_DECODE 0x07u /* I/O, memory, bus master */
#define CFG_CAPS 0x34u
#define RESOURCE_IO 0x100u /* IORESOURCE_IO */

void say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	printf("FL-GUEST: ");
	vprintf(format, ap);
	putchar('\n');
	fflush(stdout);
	va_end(ap);
}

void die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	printf("FL-GUEST: error: l2-tool: ");
	vprintf(format, ap);
	printf(": %s\n", strerror(errno));
	va_end(ap);
	exit(2);
}

uint64_t number(const char *text)
{
	char *end;
	uint64_t v;

	errno = 0;
	v = strtoull(text, &end, 0);
	if (errno || *end || end == text) {
		errno = EINVAL;
		die("\"%s\"", text);
	}
	return v;
}

int fn_open(const char *fn, const char *file, int flags)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", fn, file);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		die("%s", path);
	return fd;
}

uint32_t cfg_read(const char *fn, unsigned off, unsigned width)
{
	uint32_t v = 0;
	int fd = fn_open(fn, "config", O_RDONLY);

	if (pread(fd, &v, width, off) != (ssize_t)width)
		die("%s: config read at 0x%x", fn, off);
	close(fd);
	return v;
}

void cfg_write(const char *fn, unsigned off, unsigned width, uint32_t value)
{
	int fd = fn_open(fn, "config", O_RDWR);

	if (pwrite(fd, &value, width, off) != (ssize_t)width)
		die("%s: config write at 0x%x", fn, off);
	close(fd);
}

unsigned cfg_find(const char *fn, uint8_t id)
{
	unsigned off = cfg_read(fn, CFG_CAPS, 1) & ~3u;

	for (int i = 0; off && i < 48; i++) {
		if (cfg_read(fn, off, 1) == id)
			return off;
		off = cfg_read(fn, off + 1, 1) & ~3u;
	}
	errno = ENOENT;
	die("%s: capability 0x%02x", fn, id);
}

static uint64_t resource(const char *fn, unsigned n, uint64_t *size)
{
	uint64_t start = 0, end = 0, flags = 0;
	char path[256], line[128] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource", fn);
	f = fopen(path, "re");
	if (!f)
		die("%s", path);
	for (unsigned i = 0; i <= n; i++)
		if (!fgets(line, sizeof(line), f))
			die("%s: line %u", path, n);
	fclose(f);
	if (sscanf(line, "%lx %lx %lx", &start, &end, &flags) != 3 || !end) {
		errno = ENODEV;
		die("%s: no resource %u", fn, n);
	}
	*size = end - start + 1;
	return flags & RESOURCE_IO ? start | 1ull << 63 : start;
}

struct bar bar_open(const char *fn, unsigned n)
{
	struct bar b = { 0 };
	char file[32];
	bool io;

	b.bus = resource(fn, n, &b.size);
	io = b.bus >> 63;
	b.bus &= ~(1ull << 63);
	cfg_write(fn, CFG_COMMAND, 2,
	          cfg_read(fn, CFG_COMMAND, 2) | COMMAND_DECODE);
	snprintf(file, sizeof(file), "resource%u", n);
	b.fd = fn_open(fn, file, O_RDWR);
	if (io)
		return b;
	b.at = mmap(NULL, b.size, PROT_READ | PROT_WRITE, MAP_SHARED, b.fd, 0);
	if (b.at == MAP_FAILED)
		die("%s: mmap of %s, %#lx bytes", fn, file, b.size);
	/* Smaller than a page: the kernel maps the page that holds it. */
	b.at += b.bus % 4096;
	return b;
}

uint64_t bar_read(const struct bar *b, uint64_t off, unsigned width)
{
	uint64_t v = 0;

	if (!b->at) {
		if (pread(b->fd, &v, width, (off_t)off) != (ssize_t)width)
			die("port read at %#lx", off);
		return v;
	}
	switch (width) {
	case 1:
		return b->at[off];
	case 2:
		return *(volatile uint16_t *)(b->at + off);
	case 4:
		return *(volatile uint32_t *)(b->at + off);
	default:
		return *(volatile uint64_t *)(b->at + off);
	}
}

void bar_write(const struct bar *b, uint64_t off, unsigned width, uint64_t v)
{
	if (!b->at) {
		if (pwrite(b->fd, &v, width, (off_t)off) != (ssize_t)width)
			die("port write at %#lx", off);
		return;
	}
	switch (width) {
	case 1:
		b->at[off] = (uint8_t)v;
		return;
	case 2:
		*(volatile uint16_t *)(b->at + off) = (uint16_t)v;
		return;
	case 4:
		*(volatile uint32_t *)(b->at + off) = (uint32_t)v;
		return;
	default:
		*(volatile uint64_t *)(b->at + off) = v;
	}
}

/* Mixes as splitmix64's finalizer does (Steele, Lea, Flood 2014). */
uint64_t pattern(uint64_t seed, uint64_t place)
{
	uint64_t z = seed * 0x9e3779b97f4a7c15ull + place;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}
