/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The library of an assigned function against the real kernel, without a VMM.
 * Only KVM is played (play.c).
 *
 *   vfio-probe iommufd|group BDF SPACE-NODE DEVICE-NODE
 *              [igbvf|any|edu|bus|wide|hold]
 *
 * Without a word the device is an igb VF. "hold" opens, says so, and lets go
 * when the host asks for it. Exit status 0 when all was as it must be; the
 * first thing that was not ends it.
 */

#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>

#include "tests/lab/probe/probe.h"

void die(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	printf("FAILED (%s:%d): ", file, line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	exit(1);
}

void ok(const char *fmt, ...)
{
	va_list ap;

	printf("ok  ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

void must(int r, const struct diag *d, const char *file, int line)
{
	char text[1024];

	if (r >= 0)
		return;
	diag_format(d, text, sizeof(text));
	die(file, line, "%s", text);
}

void probe_hold(struct probe *p)
{
	struct pollfd pfd = { .fd = vfio_dev_request_fd(p->dev),
		              .events = POLLIN };

	CHECK(pfd.fd >= 0, "no request interrupt");
	ok("held");
	CHECK(poll(&pfd, 1, 60000) == 1, "nobody asked for the device");
	close_device(p);
	ok("let go");
}

static const struct {
	const char *word;
	void (*run)(struct probe *p);
} what[] = {
	{ "igbvf", probe_igbvf }, { "any", probe_any },
	{ "edu", probe_edu },     { "bus", probe_bus },
	{ "wide", probe_wide },   { "hold", probe_hold },
};

int main(int argc, char **argv)
{
	const char *word = argc > 5 ? argv[5] : "igbvf";
	struct probe p = { .fd = -1 };

	for (size_t i = 0; argc >= 5 && i < ARRAY_SIZE(what); i++) {
		if (strcmp(word, what[i].word) != 0)
			continue;
		p.backend =
			strcmp(argv[1], "group") ? IOMMU_IOMMUFD : IOMMU_TYPE1;
		p.bdf = argv[2];
		p.space_node = argv[3];
		p.device_node = argv[4];
		open_device(&p);
		what[i].run(&p);
		return 0;
	}
	fprintf(stderr,
	        "usage: %s iommufd|group BDF SPACE-NODE DEVICE-NODE "
	        "[igbvf|any|edu|bus|wide|hold]\n",
	        argv[0]);
	return 2;
}
