/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_PCI_CONFIG_RECORDED_H
#define TESTS_PCI_CONFIG_RECORDED_H

/*
 * Reads tests/golden/config/NAME.txt: hex lines "10: 0c 00 ..." as `lspci
 * -xxxx` prints them, "Region 0: ... [size=16K]". Other lines are for people.
 */
#include "pci-config/pci-config.h"

#include <stdio.h>
#include <string.h>

struct recorded {
	uint8_t raw[CFG_SIZE];
	size_t size;
	uint64_t bar_size[CFG_BARS];
};

static const char *const recorded_names[] = {
	"igb-vf",    "nvme",      "e1000e",       "bochs-display",
	"multifn-0", "multifn-1", "broken-loops", "hidden-middle",
};

static uint64_t recorded_region_size(const char *line)
{
	const char *at = strstr(line, "[size=");
	unsigned long long n;
	char unit = 0;

	if (!at || sscanf(at, "[size=%llu%c", &n, &unit) < 1)
		return 0;
	switch (unit) {
	case 'G':
		return n << 30;
	case 'M':
		return n << 20;
	case 'K':
		return n << 10;
	default:
		return n;
	}
}

static void recorded_line(struct recorded *r, const char *line)
{
	unsigned off, byte;
	int used = 0;

	if (sscanf(line, " Region %u:", &off) == 1 && off < CFG_BARS) {
		r->bar_size[off] = recorded_region_size(line);
		return;
	}
	if (sscanf(line, "%x: %n", &off, &used) != 1 || !used)
		return;
	for (line += used; sscanf(line, "%2x%n", &byte, &used) == 1;
	     line += used) {
		if (off >= CFG_SIZE)
			return;
		r->raw[off++] = (uint8_t)byte;
		r->size = MAX(r->size, off);
	}
}

static int recorded_read(const char *name, struct recorded *r)
{
	char path[128], line[256];
	FILE *f;

	memset(r, 0, sizeof(*r));
	snprintf(path, sizeof(path), "tests/golden/config/%s.txt", name);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (line[0] != '#')
			recorded_line(r, line);
	fclose(f);
	return r->size == CFG_SIZE_PCI || r->size == CFG_SIZE ? 0 : -EINVAL;
}

static inline int recorded_layout(const char *name, struct cfg_layout *l)
{
	struct recorded r;
	int ret = recorded_read(name, &r);

	if (ret < 0)
		return ret;
	return cfg_layout_parse(r.raw, r.size, r.bar_size, l, NULL);
}

#endif
