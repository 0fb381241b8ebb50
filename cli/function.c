/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What sysfs tells of one function: its bytes, the sizes of its BARs, and for
 * a VF what its own bytes do not tell. */

#include "cli/function.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Flags of a line of `resource`, include/linux/ioport.h. */
#define FLAG_IO 0x100u
#define FLAG_PREFETCH 0x2000u
#define FLAG_MEM_64 0x100000u
#define RESOURCES (CFG_BARS + 1) /* the last is the ROM */

struct resource {
	uint64_t size, flags;
};

/* As much of the configuration space as the kernel shows us: 64 bytes to a
 * user, all of it to root. */
static size_t read_config(int root_fd, struct bdf b, uint8_t raw[CFG_SIZE])
{
	char path[128], name[BDF_STRLEN];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/config",
	         bdf_format(b, name));
	fd = openat(root_fd, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : pread(fd, raw, CFG_SIZE, 0);
	if (n < (ssize_t)CFG_SIZE_PCI)
		return n < 0 ? 0 : (size_t)n;
	return n < (ssize_t)CFG_SIZE ? CFG_SIZE_PCI : CFG_SIZE;
}

/* A line a BAR, then the ROM: first and last address, flags. */
static void read_resources(int root_fd, struct bdf b,
                           struct resource r[RESOURCES])
{
	char path[128], name[BDF_STRLEN], text[SYSFS_MAX];
	const char *line = text;

	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/resource",
	         bdf_format(b, name));
	if (sysfs_read(root_fd, path, text, sizeof(text)) < 0)
		return;
	for (unsigned i = 0; i < RESOURCES && line; i++) {
		char *end;
		uint64_t first = strtoull(line, &end, 16);
		uint64_t last = strtoull(end, &end, 16);

		r[i].flags = strtoull(end, NULL, 16);
		r[i].size = last > first ? last - first + 1 : 0;
		line = strchr(line, '\n');
		if (line)
			line++;
	}
}

/* A VF's own IDs read as all ones (PCIe 6.0 9.3.4.1.1, 9.3.4.1.2) and its BARs
 * as 0 (9.3.4.1.11), which is no sign that it is gone: the kernel has them from
 * its PF, and VFIO shows them as they are put here. */
static void mend_vf(const struct sriov_fn *f, const struct resource *r,
                    uint8_t raw[CFG_SIZE])
{
	store_le(raw, 2, f->vendor);
	store_le(raw + 2, 2, f->device);
	for (unsigned i = 0; i < CFG_BARS; i++)
		if (r[i].size)
			store_le(raw + 0x10 + (size_t)4 * i, 4,
			         (r[i].flags & FLAG_IO ? 1u : 0) |
			                 (r[i].flags & FLAG_MEM_64 ? 4u : 0) |
			                 (r[i].flags & FLAG_PREFETCH ? 8u : 0));
}

int cli_function_read(int root_fd, struct bdf b, struct cli_function *ret,
                      struct diag *d)
{
	struct resource resource[RESOURCES] = { 0 };
	uint64_t bar_size[CFG_BARS];
	uint8_t raw[CFG_SIZE] = { 0 };
	char name[BDF_STRLEN];
	int r = sriov_fn_read(root_fd, b, &ret->fn);

	if (r < 0) {
		diag_fail(d, r, FL_CLI_DEVICE, "there is no PCI function %s",
		          bdf_format(b, name));
		diag_mend(d, "lspci -D lists them");
		return r;
	}
	ret->vf = sriov_pf_of(root_fd, b, &ret->pf) == 0;
	ret->read = read_config(root_fd, b, raw);
	read_resources(root_fd, b, resource);
	ret->rom_size = resource[CFG_BARS].size;
	if (ret->read < CFG_SIZE_PCI)
		return 0;
	if (ret->vf)
		mend_vf(&ret->fn, resource, raw);
	for (unsigned i = 0; i < CFG_BARS; i++)
		bar_size[i] = resource[i].size;
	r = cfg_layout_parse(raw, ret->read, bar_size, &ret->layout, d);
	ret->layout.vf = ret->vf;
	return r;
}

int cli_parse_bdf(const char *text, struct bdf *ret, struct diag *d)
{
	int r = bdf_parse(text, ret);

	if (r < 0) {
		diag_fail(d, r, FL_CLI_DEVICE, "\"%s\" is not a PCI address",
		          text);
		diag_mend(d, "write it in full, such as 0000:3b:00.0; "
		             "lspci -D lists them");
	}
	return r;
}

int cli_open_root(const struct cli *c, struct diag *d)
{
	int fd = open(c->root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	diag_fail(d, -errno, FL_CLI_FILE, "cannot open the tree %s", c->root);
	diag_why(d, "%s", strerror(errno));
	diag_mend(d, "name a directory that holds sys/ and proc/");
	return d->err;
}
