/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_L2_TOOL_H
#define FL_L2_TOOL_H

/*
 * l2-tool: what a guest needs to try a function that no driver of its kernel
 * tries as we want. Static, as L2's initramfs has no libraries. FN is a
 * function's address in the guest, "0000:01:00.0"; answers are lines that
 * begin with "FL-GUEST: ". Exit status 0, 1 (it is not so), 2 (cannot try).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ends the program with status 2. */
void die(const char *format, ...)
	__attribute__((noreturn, format(printf, 1, 2)));
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

uint64_t number(const char *text);

/* A file of FN in sysfs: open, or one of its numbers. */
int fn_open(const char *fn, const char *file, int flags);
uint32_t cfg_read(const char *fn, unsigned off, unsigned width);
void cfg_write(const char *fn, unsigned off, unsigned width, uint32_t value);
/* Offset of a capability in configuration space; dies without it. */
unsigned cfg_find(const char *fn, uint8_t id);

struct bar {
	volatile uint8_t *at; /* NULL: an I/O BAR, by fd */
	int fd;
	uint64_t bus, size;
};
/* Maps resource N of FN; decode is switched on. */
struct bar bar_open(const char *fn, unsigned n);
uint64_t bar_read(const struct bar *b, uint64_t off, unsigned width);
void bar_write(const struct bar *b, uint64_t off, unsigned width, uint64_t v);

/* What a pattern has at a place; the same in the guest and on the host. */
uint64_t pattern(uint64_t seed, uint64_t place);

int tool_reg(int argc, char **argv);
int tool_bar(int argc, char **argv);
int tool_edu(int argc, char **argv);
int tool_msix(int argc, char **argv);
int tool_draw(int argc, char **argv);
int tool_picture(int argc, char **argv);
int tool_disk(int argc, char **argv);

#endif
