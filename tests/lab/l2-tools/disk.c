/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk, asked as a program asks it, and what it answers compared with what
 * was written:
 *
 *   DEV mix SECONDS WORKERS   random reads and writes of random sizes, each
 *                             worker in a part of its own, flushes between;
 *                             every sector is compared
 *   DEV log BYTES             numbered records of 4 KiB, one after the other,
 *                             around and around; tells each 16th number whose
 *                             write has ended. For ever.
 *   DEV fill BYTES            numbers each sector, for the host to compare
 *
 * All by O_DIRECT: the guest's own cache would answer instead.
 */

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

#define SECTOR 512u
#define PIECE 128u /* sectors at most, of one transfer */
#define PART (4u << 20)
#define RECORD 4096u

static int open_disk(const char *path)
{
	return open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
}

/* Tells which sector it is, and which writing of it. */
static void stamp(uint8_t *p, uint64_t sector, uint64_t turn)
{
	uint64_t v[2] = { sector, turn };

	for (unsigned i = 0; i < SECTOR; i += sizeof(v))
		memcpy(p + i, v, sizeof(v));
}

struct worker {
	int fd;
	uint64_t first; /* sector */
	uint32_t turn[PART / SECTOR];
	uint64_t seed;
	uint8_t *buf;
};

static uint32_t next(struct worker *w)
{
	w->seed = w->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(w->seed >> 33);
}

static int write_some(struct worker *w, unsigned at, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		stamp(w->buf + i * SECTOR, w->first + at + i,
		      ++w->turn[at + i]);
	return pwrite(w->fd, w->buf, n * SECTOR,
	              (off_t)(w->first + at) * SECTOR) == n * SECTOR;
}

static int read_some(struct worker *w, unsigned at, unsigned n)
{
	uint8_t want[SECTOR];

	if (pread(w->fd, w->buf, n * SECTOR, (off_t)(w->first + at) * SECTOR) !=
	    n * SECTOR)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		stamp(want, w->first + at + i, w->turn[at + i]);
		if (w->turn[at + i] &&
		    memcmp(want, w->buf + i * SECTOR, SECTOR) != 0) {
			unsigned long long bad = w->first + at + i;

			say("error: sector %llu is not what was written", bad);
			return 0;
		}
	}
	return 1;
}

static int work(struct worker *w, unsigned seconds)
{
	time_t end = time(NULL) + seconds;
	unsigned long ops = 0;
	int ok = 1;

	while (ok && time(NULL) < end) {
		unsigned n = 1 + next(w) % PIECE;
		unsigned at = next(w) % (PART / SECTOR - n);
		unsigned what = next(w) % 64;

		if (what == 0)
			ok = fdatasync(w->fd) == 0;
		else
			ok = what & 1 ? write_some(w, at, n)
			              : read_some(w, at, n);
		ops++;
	}
	for (unsigned at = 0; ok && at < PART / SECTOR; at += PIECE)
		ok = read_some(w, at, PIECE);
	say("disk worker %llu ops %lu %s", (unsigned long long)w->first, ops,
	    ok ? "ok" : "failed");
	return ok ? 0 : 1;
}

static int one_worker(const char *path, unsigned i, unsigned seconds)
{
	static struct worker w; /* a process of its own */

	w.fd = open_disk(path);
	w.first = (uint64_t)i * (PART / SECTOR);
	w.seed = i + 1;
	w.buf = aligned_alloc(RECORD, PIECE * SECTOR);
	if (w.fd < 0 || !w.buf)
		return 1;
	return work(&w, seconds);
}

static int mix(const char *dev, unsigned seconds, unsigned workers)
{
	int status, bad = 0;

	for (unsigned i = 0; i < workers; i++)
		if (fork() == 0)
			_exit(one_worker(dev, i, seconds));
	while (wait(&status) > 0)
		bad |= status;
	say("disk mix %s", bad ? "failed" : "ok");
	return bad ? 1 : 0;
}

static uint8_t *buffer(size_t len)
{
	uint8_t *p = aligned_alloc(RECORD, len);

	if (!p)
		die("memory");
	return p;
}

static int keep_log(int fd, uint64_t n)
{
	uint8_t *buf = buffer(RECORD);

	for (uint64_t i = 1; n; i++) {
		for (unsigned s = 0; s < RECORD; s += SECTOR)
			stamp(buf + s, i % n, i);
		if (pwrite(fd, buf, RECORD, (off_t)(i % n * RECORD)) != RECORD)
			return 1;
		if (i % 64 == 0 && fdatasync(fd) < 0)
			return 1;
		if (i % 16 == 0)
			say("wrote %llu", (unsigned long long)i);
	}
	return 2;
}

static int fill(int fd, uint64_t bytes)
{
	uint8_t *buf = buffer(PIECE * SECTOR);

	for (uint64_t at = 0; at < bytes; at += PIECE * SECTOR) {
		for (unsigned i = 0; i < PIECE; i++)
			stamp(buf + i * SECTOR, at / SECTOR + i, 1);
		if (pwrite(fd, buf, PIECE * SECTOR, (off_t)at) !=
		    PIECE * SECTOR)
			return 1;
	}
	return fsync(fd) < 0;
}

int tool_disk(int argc, char **argv)
{
	uint64_t n = number(argv[2]);
	int fd = open_disk(argv[0]);

	if (fd < 0)
		die("%s cannot be opened", argv[0]);
	if (!strcmp(argv[1], "mix") && argc == 4)
		return mix(argv[0], (unsigned)n, (unsigned)number(argv[3]));
	if (!strcmp(argv[1], "log"))
		return keep_log(fd, n / RECORD);
	return strcmp(argv[1], "fill") ? 2 : fill(fd, n);
}
