/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which vfio driver is made for a function. The kernel's build writes an alias
 * for each function that a variant of vfio-pci is for ("vfio_pci:v000015B3..",
 * PCI_DRIVER_OVERRIDE_DEVICE_VFIO), apart from those ("pci:v...") by which
 * drivers are bound by themselves; Documentation/PCI/pci.rst. depmod collects
 * them in modules.alias. vfio-pci's own alias matches all there is.
 *
 * Of several that match the one with the fewest wildcards is the nearest, of
 * equals the first, as libvirt has it. Files are the administrator's; all the
 * same no line of theirs does more than not to be understood.
 */

#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "sriov/priv.h"

#define PREFIX "vfio_pci:"
#define ALIAS_MAX 128
#define VARIANTS_MAX 1024
#define FILE_MAX (64u << 20)
#define GENERIC "vfio_pci"

struct variant {
	char pattern[ALIAS_MAX]; /* behind the prefix: "v000015B3d.." */
	char module[SRIOV_NAME];
	unsigned wild;
};
struct sriov_variants {
	size_t n;
	struct variant v[];
};

/* ---- modules.alias ------------------------------------------------------- */

/* "alias vfio_pci:PATTERN MODULE", in a line. */
static bool parse_line(const char *line, size_t len, struct variant *ret)
{
	static const char before[] = "alias " PREFIX;
	char text[sizeof(before) + ALIAS_MAX + SRIOV_NAME];
	struct variant v = { .wild = 0 };

	if (len >= sizeof(text) || strncmp(line, before, strlen(before)) != 0)
		return false;
	memcpy(text, line, len);
	text[len] = '\0';
	if (sscanf(text + strlen(before), "%127s %31s", v.pattern, v.module) !=
	            2 ||
	    !strcmp(v.module, GENERIC) || strchr(v.module, '/'))
		return false;
	for (const char *s = v.pattern; *s; s++)
		v.wild += *s == '*';
	*ret = v;
	return true;
}

static size_t parse(const char *text, size_t len, struct sriov_variants *ret)
{
	const char *end = text + len, *eol;

	for (; text < end && ret->n < VARIANTS_MAX; text = eol + 1) {
		eol = memchr(text, '\n', (size_t)(end - text));
		eol = eol ? eol : end;
		ret->n +=
			parse_line(text, (size_t)(eol - text), &ret->v[ret->n]);
	}
	return ret->n;
}

int sriov_variants_read(int root_fd, struct sriov_variants **ret)
{
	char release[64], path[SRIOV_PATH];
	struct sriov_variants *all, *less;
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	size_t len = 0;
	int r = sysfs_read(root_fd, "proc/sys/kernel/osrelease", release,
	                   sizeof(release));

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "lib/modules/%s/modules.alias", release);
	fd = openat(root_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = fd_read_file(fd, FILE_MAX, &text, &len);
	if (r < 0)
		return r;
	all = calloc(1, sizeof(*all) + VARIANTS_MAX * sizeof(all->v[0]));
	if (!all)
		return -ENOMEM;
	parse(text, len, all);
	less = realloc(all, sizeof(*all) + all->n * sizeof(all->v[0]));
	*ret = less ? less : all;
	return 0;
}

void sriov_variants_free(struct sriov_variants *all)
{
	free(all);
}

const char *sriov_variants_find(const struct sriov_variants *all,
                                const char *modalias)
{
	const struct variant *best = NULL;
	const char *id = strchr(modalias, ':');

	for (size_t i = 0; all && id && i < all->n; i++) {
		const struct variant *v = &all->v[i];

		if ((!best || v->wild < best->wild) &&
		    !fnmatch(v->pattern, id + 1, 0))
			best = v;
	}
	return best ? best->module : NULL;
}

/* ---- the VFs of a function ----------------------------------------------- */

/* Of any VF that it may have, as far as its vendor tells. */
static bool has_vendor(const struct sriov_variants *all, uint16_t vendor)
{
	char begin[16];

	snprintf(begin, sizeof(begin), "v%08X", vendor);
	for (size_t i = 0; all && i < all->n; i++)
		if (!strncmp(all->v[i].pattern, begin, strlen(begin)) ||
		    !strncmp(all->v[i].pattern, "v*", 2))
			return true;
	return false;
}

/* Vendor and class of VFs are their PF's (PCIe 6.0 9.3.4.1.1, 9.3.4.1.6), the
 * subsystem mostly is. */
static int foretell(int root_fd, const struct sriov_fn *pf,
                    char ret[static ALIAS_MAX])
{
	char path[SRIOV_PATH], text[SRIOV_NAME];
	uint64_t device;

	/* The file has no "0x", unlike all its neighbours. */
	if (sysfs_read(root_fd, fn_path(path, pf->bdf, "sriov_vf_device"),
	               text + 2, sizeof(text) - 2) < 0)
		return -ENOENT;
	memcpy(text, "0x", 2);
	if (parse_u64(text, UINT16_MAX, &device) < 0)
		return -EBADMSG;
	snprintf(ret, ALIAS_MAX, "pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X",
	         pf->vendor, (unsigned)device, pf->subvendor, pf->subdevice,
	         pf->class_code >> 16 & 0xff, pf->class_code >> 8 & 0xff,
	         pf->class_code & 0xff);
	return 0;
}

const char *sriov_variant_of_vfs(const struct sriov_variants *all, int root_fd,
                                 const struct sriov_fn *pf)
{
	char path[SRIOV_PATH], modalias[ALIAS_MAX];

	if (!has_vendor(all, pf->vendor))
		return NULL;
	/* The first one's own word, where there is one. */
	if (sysfs_read(root_fd, fn_path(path, pf->bdf, "virtfn0/modalias"),
	               modalias, sizeof(modalias)) < 0 &&
	    foretell(root_fd, pf, modalias))
		return NULL;
	return sriov_variants_find(all, modalias);
}

/* ---- its driver ---------------------------------------------------------- */

static int pci_driver(const char *name, void *arg)
{
	static const char bus[] = "pci:";

	if (strncmp(name, bus, strlen(bus)) != 0)
		return 0;
	snprintf(arg, SRIOV_NAME, "%.*s", SRIOV_NAME - 1, name + strlen(bus));
	return 1;
}

int sriov_variant_driver(int root_fd, const char *module,
                         char ret[static SRIOV_NAME])
{
	char path[SRIOV_PATH], name[SRIOV_NAME];
	int r;

	snprintf(path, sizeof(path), "sys/module/%s/drivers", module);
	r = sysfs_each(root_fd, path, pci_driver, name);
	if (r <= 0)
		return r ? r : -ENOENT;
	memcpy(ret, name, sizeof(name));
	return 0;
}
