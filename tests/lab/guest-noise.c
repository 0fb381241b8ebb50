/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile guest's part: random writes where the VMM looks. Static, since it
 * runs in L2, whose initramfs has no libraries. The same seed writes the same.
 *
 *   guest-noise config SEED COUNT [BDF]   every function or one, by the kernel
 *                                         (ECAM)
 *   guest-noise ports SEED COUNT          0xCF8 and 0xCFC, where nothing is too
 *   guest-noise bar SEED COUNT FILE       a BAR, FILE being its file in sysfs;
 *                                         the messages in it interrupt
 *   guest-noise wild SEED COUNT FILE      the same; the messages also reset
 *                                         processors or send them to system
 *                                         management mode, so that the guest
 *                                         may not live to its end
 *
 * It says how many writes it has done, each with a read: a guest may not live
 * to the end of them.
 */

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEVICES "/sys/bus/pci/devices"
#define CONFIG_SIZE 4096u
#define SAY_EVERY 2000u
#define CONFIG_ADDRESS 0xcf8u
#define CONFIG_DATA 0xcfcu

struct noise {
	const char *seed;
	uint64_t state;
	unsigned count, done;
};

/* One line in one write, as there may be two of us at one console. */
static void say(const struct noise *n)
{
	printf("FL-GUEST: did %s %u\n", n->seed, n->done);
	fflush(stdout);
}

static void one_more(struct noise *n)
{
	if (++n->done % SAY_EVERY == 0)
		say(n);
}

/* xorshift64 (Marsaglia 2003): needs no more than to be the same each time. */
static uint64_t next(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

/* Half of the writes say all or nothing, as sizing and enabling do. */
static uint64_t value(uint64_t *s)
{
	switch (next(s) % 4) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	default:
		return next(s);
	}
}

static int config_one(struct noise *n, const char *bdf)
{
	uint64_t *s = &n->state;
	char path[320];
	int fd;

	snprintf(path, sizeof(path), DEVICES "/%s/config", bdf);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return 1;
	for (unsigned i = 0; i < n->count; i++) {
		uint64_t v = value(s), back;
		size_t width = 1ul << next(s) % 3;
		/* Most registers that matter are in the first 256 bytes. */
		uint64_t size = next(s) % 4 ? 256 : CONFIG_SIZE;
		off_t at = (off_t)(next(s) % (size - 8));

		(void)!pwrite(fd, &v, width, at);
		(void)!pread(fd, &back, width, at);
		one_more(n);
	}
	close(fd);
	return 0;
}

static int config(struct noise *n)
{
	DIR *d = opendir(DEVICES);
	const struct dirent *e;

	if (!d)
		return 1;
	while ((e = readdir(d)))
		if (*e->d_name != '.')
			(void)config_one(n, e->d_name);
	closedir(d);
	return 0;
}

static void port_write(unsigned port, uint32_t v, unsigned width)
{
	if (width == 1)
		outb((uint8_t)v, (uint16_t)port);
	else if (width == 2)
		outw((uint16_t)v, (uint16_t)port);
	else
		outl(v, (uint16_t)port);
}

static int ports(struct noise *n)
{
	uint64_t *s = &n->state;

	if (iopl(3) < 0)
		return 1;
	for (unsigned i = 0; i < n->count; i++) {
		/* Bits 23:16 the bus, 15:8 the function, 7:2 the register. */
		uint32_t address = (uint32_t)(next(s) & 0x8003fffc);
		unsigned width = 1u << next(s) % 3;

		outl(address | 0x80000000, CONFIG_ADDRESS);
		port_write(CONFIG_DATA + (unsigned)(next(s) % 4),
		           (uint32_t)value(s), width);
		(void)inl(CONFIG_DATA);
		/* Not by the byte to 0xCF9: that is the reset register. */
		port_write(CONFIG_ADDRESS, (uint32_t)next(s),
		           width == 1 ? 4 : width);
		(void)inb(CONFIG_ADDRESS + (unsigned)(next(s) % 8));
		one_more(n);
	}
	return 0;
}

static void mem_write(volatile uint8_t *p, uint64_t v, unsigned width)
{
	if (width == 1)
		*p = (uint8_t)v;
	else if (width == 2)
		*(volatile uint16_t *)p = (uint16_t)v;
	else if (width == 4)
		*(volatile uint32_t *)p = (uint32_t)v;
	else
		*(volatile uint64_t *)p = v;
}

/* A message's data is at 8 of each entry (PCIe 6.0 7.7.2.9). Bits 10:8 are the
 * delivery mode: 0 is an interrupt, others SMI, NMI and INIT. Bits 7:0 are the
 * vector: at both ends are Linux' own, one of which stops the processor. */
static uint64_t tame(uint64_t v, uint64_t at, unsigned width)
{
	for (unsigned i = 0; i < width; i++) {
		if ((at + i) % 16 == 8)
			v = (v & ~(0x40ull << 8 * i)) | 0x20ull << 8 * i;
		else if ((at + i) % 16 == 9)
			v &= ~(7ull << 8 * i);
	}
	return v;
}

static int bar(struct noise *n, const char *file, bool wild)
{
	uint64_t *s = &n->state;
	int fd = open(file, O_RDWR | O_CLOEXEC);
	struct stat st;
	volatile uint8_t *p;

	if (fd < 0 || fstat(fd, &st) < 0)
		return 1;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED,
	         fd, 0);
	if (p == MAP_FAILED)
		return 1;
	for (unsigned i = 0; i < n->count; i++) {
		unsigned width = 1u << next(s) % 4;
		/* The vector table lies at the beginning. */
		uint64_t size = next(s) % 2 ? 64 : (uint64_t)st.st_size;
		uint64_t at = next(s) % (size - 8), v;

		if (next(s) % 2)
			at &= ~(uint64_t)(width - 1);
		v = value(s);
		mem_write(p + at, wild ? v : tame(v, at, width), width);
		(void)p[at];
		one_more(n);
	}
	return 0;
}

static int run(struct noise *n, const char *what, const char *where)
{
	if (!strcmp(what, "config"))
		return where ? config_one(n, where) : config(n);
	if (!strcmp(what, "ports"))
		return ports(n);
	if (where && (!strcmp(what, "bar") || !strcmp(what, "wild")))
		return bar(n, where, !strcmp(what, "wild"));
	return 2;
}

int main(int argc, char **argv)
{
	struct noise n = { .seed = argc > 3 ? argv[2] : "" };
	int status = 2;

	if (argc > 3) {
		n.state = strtoull(n.seed, NULL, 0) * 2 + 1;
		n.count = (unsigned)strtoul(argv[3], NULL, 0);
		status = run(&n, argv[1], argc > 4 ? argv[4] : NULL);
	}
	if (status == 2)
		fprintf(stderr, "usage: guest-noise config|ports|bar|wild SEED "
		                "COUNT [BDF|FILE]\n");
	else
		say(&n);
	return status;
}
