/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's edu device (its docs/specs/edu.rst):
 *
 *   id                  the identification, and the liveness inverter
 *   factorial N
 *   ram                 a page of ours to the device and back to another
 *   to ADDRESS SEED     32 bytes of the pattern from the device to a bus
 * address from ADDRESS SEED   32 bytes from there; are they the pattern? intx
 * COUNT          raise, wait and acknowledge through uio_pci_generic raise
 * VALUE, ack VALUE
 */

#include "tool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096u
#define DMA_BYTES 32u
#define WAIT_MS 5000

#define EDU_ID 0x00u
#define EDU_LIVE 0x04u
#define EDU_FACTORIAL 0x08u
#define EDU_STATUS 0x20u
#define STATUS_BUSY 1u
#define EDU_IRQ_STATUS 0x24u
#define EDU_RAISE 0x60u
#define EDU_ACK 0x64u
#define EDU_DMA_FROM 0x80u
#define EDU_DMA_TO 0x88u
#define EDU_DMA_COUNT 0x90u
#define EDU_DMA_COMMAND 0x98u
#define DMA_START 1u
#define DMA_TO_RAM 2u
#define EDU_BUFFER 0x40000u

#define CFG_COMMAND 0x04u
#define COMMAND_INTX_OFF 0x400u

static uint32_t get(const struct bar *b, unsigned off)
{
	return (uint32_t)bar_read(b, off, 4);
}

static void settle(const struct bar *b, unsigned off, uint32_t bit)
{
	for (int i = 0; get(b, off) & bit; i++) {
		if (i == WAIT_MS)
			die("edu: register 0x%x stays busy", off);
		usleep(1000);
	}
}

static void dma(const struct bar *b, uint64_t from, uint64_t to, uint64_t bytes,
                uint32_t command)
{
	bar_write(b, EDU_DMA_FROM, 8, from);
	bar_write(b, EDU_DMA_TO, 8, to);
	bar_write(b, EDU_DMA_COUNT, 8, bytes);
	bar_write(b, EDU_DMA_COMMAND, 8, command | DMA_START);
	settle(b, EDU_DMA_COMMAND, DMA_START);
}

/* A page that stays where it is, and where that is (pagemap.rst). */
static uint64_t *page_of_ram(uint64_t *ret_bus)
{
	uint64_t *page = mmap(
		NULL, PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (page == MAP_FAILED || fd < 0)
		die("edu: a page of RAM");
	page[0] = 1; /* its own, not the zero page */
	if (pread(fd, &entry, 8, (off_t)((uintptr_t)page / PAGE * 8)) != 8 ||
	    !(entry >> 63))
		die("edu: pagemap");
	close(fd);
	*ret_bus = (entry & ((1ull << 55) - 1)) * PAGE;
	return page;
}

static int edu_ram(const struct bar *b)
{
	uint64_t from_bus, to_bus;
	uint64_t *from = page_of_ram(&from_bus), *to = page_of_ram(&to_bus);

	for (unsigned i = 0; i < PAGE / 8; i++)
		from[i] = pattern(from_bus, i);
	dma(b, from_bus, EDU_BUFFER, PAGE, 0);
	dma(b, EDU_BUFFER, to_bus, PAGE, DMA_TO_RAM);
	if (memcmp(from, to, PAGE) != 0) {
		say("edu ram wrong");
		return 1;
	}
	say("edu ram ok %#lx to %#lx", from_bus, to_bus);
	return 0;
}

/* The device's buffer has no window to the bus: filled by DMA from our RAM. */
static int edu_to(const struct bar *b, uint64_t address, uint64_t seed)
{
	uint64_t bus, *page = page_of_ram(&bus);

	for (unsigned i = 0; i < DMA_BYTES / 8; i++)
		page[i] = pattern(seed, i * 8);
	dma(b, bus, EDU_BUFFER, DMA_BYTES, 0);
	dma(b, EDU_BUFFER, address, DMA_BYTES, DMA_TO_RAM);
	say("edu to %#lx done", address);
	return 0;
}

static int edu_from(const struct bar *b, uint64_t address, uint64_t seed)
{
	uint64_t bus, *page = page_of_ram(&bus);

	dma(b, address, EDU_BUFFER, DMA_BYTES, 0);
	dma(b, EDU_BUFFER, bus, DMA_BYTES, DMA_TO_RAM);
	for (unsigned i = 0; i < DMA_BYTES / 8; i++)
		if (page[i] != pattern(seed, i * 8)) {
			say("edu from %#lx wrong: %#lx", address, page[i]);
			return 1;
		}
	say("edu from %#lx ok", address);
	return 0;
}

static int open_uio(const char *fn)
{
	char path[256];
	struct dirent *e;
	DIR *dir;
	int fd = -1;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/uio", fn);
	dir = opendir(path);
	while (dir && fd < 0 && (e = readdir(dir))) {
		snprintf(path, sizeof(path), "/dev/%.200s", e->d_name);
		if (e->d_name[0] != '.')
			fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0)
		die("edu: no UIO device of %s", fn);
	closedir(dir);
	return fd;
}

/*
 * uio_pci_generic sets DisINTx at each interrupt, so every round goes through
 * the whole circle: raise, handler, DisINTx, acknowledge, DisINTx off.
 */
static int edu_intx(const char *fn, const struct bar *b, uint32_t count)
{
	int uio = open_uio(fn);
	struct pollfd p = { .fd = uio, .events = POLLIN };
	uint32_t first = 0, now = 0;

	for (uint32_t i = 0; i < count; i++) {
		cfg_write(fn, CFG_COMMAND, 2,
		          cfg_read(fn, CFG_COMMAND, 2) & ~COMMAND_INTX_OFF);
		bar_write(b, EDU_RAISE, 4, 1);
		if (poll(&p, 1, WAIT_MS) != 1) {
			say("edu intx lost: %u of %u came", i, count);
			return 1;
		}
		if (read(uio, &now, 4) != 4)
			die("edu: read of its UIO device");
		if (i == 0)
			first = now;
		bar_write(b, EDU_ACK, 4, 1);
	}
	/* On a shared line the driver counts others' interrupts, too. */
	say("edu intx ok %u raised, %u counted", count, now - first + 1);
	return 0;
}

static int edu_id(const struct bar *b)
{
	bar_write(b, EDU_LIVE, 4, 0x12345678);
	say("edu id %#x live %#x", get(b, EDU_ID), get(b, EDU_LIVE));
	return get(b, EDU_LIVE) != ~0x12345678u;
}

static int edu_factorial(const struct bar *b, uint32_t n)
{
	bar_write(b, EDU_FACTORIAL, 4, n);
	settle(b, EDU_STATUS, STATUS_BUSY);
	say("edu factorial %u is %u", n, get(b, EDU_FACTORIAL));
	return 0;
}

int tool_edu(int argc, char **argv)
{
	struct bar b = bar_open(argv[0], 0);
	const char *word = argv[1];
	uint64_t one = argc > 2 ? number(argv[2]) : 0;
	uint64_t two = argc > 3 ? number(argv[3]) : 0;

	if (!strcmp(word, "id"))
		return edu_id(&b);
	if (!strcmp(word, "factorial"))
		return edu_factorial(&b, (uint32_t)one);
	if (!strcmp(word, "ram"))
		return edu_ram(&b);
	if (!strcmp(word, "to"))
		return edu_to(&b, one, two);
	if (!strcmp(word, "from"))
		return edu_from(&b, one, two);
	if (!strcmp(word, "intx"))
		return edu_intx(argv[0], &b, (uint32_t)one);
	if (!strcmp(word, "raise") || !strcmp(word, "ack")) {
		bar_write(&b, word[0] == 'r' ? EDU_RAISE : EDU_ACK, 4, one);
		say("edu irq status %#x", get(&b, EDU_IRQ_STATUS));
		return 0;
	}
	errno = EINVAL;
	die("edu \"%s\"", word);
}
