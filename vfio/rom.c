/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The expansion ROM (PCI 3.0 6.3): a copy in this process, which the guest
 * reads where its ROM BAR says, as any other range (window.c). Why a copy: the
 * kernel maps no ROM; a device may share the ROM's decoder with its BARs, so
 * that it is to be read once and not while it works; and a file can be in its
 * place.
 *
 * The device's own is read when the guest first enables it, because most never
 * do, and because the kernel reads it only while the device decodes memory.
 * Pages of address space are taken at opening all the same: the guest does not
 * decide on when this process has memory.
 */

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "vfio/priv.h"

#define ROM_MOST (16u << 20) /* PCIe 6.0 7.5.1.2.4 */
#define SIGNATURE 0xaa55u    /* first two bytes, PCI 3.0 6.3.1.1 */

/* ---- the copy ---- */

/* All ones, as where a ROM BAR is larger than the ROM. */
static int reserve(struct vfio_dev *v, uint64_t size)
{
	struct vfio_bar *rom = &v->bar[VFIO_ROM];
	const int prot = PROT_READ | PROT_WRITE;
	void *p;

	// cppcheck-suppress invalidFunctionArg ; -1 is right for anonymous
	p = mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	rom->base = p;
	rom->reserved = size;
	rom->size = size;
	v->layout.rom_size = size;
	return 0;
}

static void copied(struct vfio_bar *rom)
{
	rom->span[0] = (struct vfio_span){ .size = rom->size };
	rom->n_spans = 1;
}

/* Whole pages: a guest maps no less. */
static uint64_t rom_size(uint64_t bytes)
{
	uint64_t size = PAGE;

	while (size < bytes)
		size *= 2;
	return size;
}

/* ---- from a file ---- */

static int fail_file(const struct vfio_dev *v, int err, const char *why,
                     struct diag *d)
{
	diag_fail(d, err, FL_VFIO_ROM, "read the ROM file for %s", v->bdf);
	diag_why(d, "%s", why);
	diag_mend(d, "give a file that begins with 55 AA and has at most 16 "
	             "MiB, such as the copy of a device's rom file in sysfs");
	return err;
}

static int open_file(struct vfio_dev *v, int fd, struct diag *d)
{
	struct vfio_bar *rom = &v->bar[VFIO_ROM];
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return fail_file(v, -errno, strerror(errno), d);
	if (!S_ISREG(st.st_mode) || st.st_size < 2 || st.st_size > ROM_MOST)
		return fail_file(v, -EINVAL,
		                 "not a regular file of 2 bytes to 16 MiB", d);
	r = reserve(v, rom_size((uint64_t)st.st_size));
	if (r >= 0) {
		memset(rom->base, 0xff, rom->size);
		r = fd_pread_full(fd, rom->base, (size_t)st.st_size, 0);
	}
	if (r < 0)
		return fail_file(v, r, strerror(-r), d);
	if (load_le(rom->base, 2) != SIGNATURE)
		return fail_file(v, -EINVAL, "it does not begin with 55 AA", d);
	copied(rom);
	return 0;
}

/* ---- from the device ---- */

/* A size of 0 where the kernel finds none; it looks for the signature. */
static int open_device(struct vfio_dev *v, struct diag *d)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_ROM_REGION_INDEX,
	};
	int r = v->kern->ioctl(v->fd, VFIO_DEVICE_GET_REGION_INFO, &info);

	if (r < 0)
		return vfio_fail_info(v, r, "read the ROM region of",
		                      "VFIO_DEVICE_GET_REGION_INFO", d);
	if (!info.size || !is_power_of_2(info.size) || info.size > ROM_MOST)
		return 0;
	v->bar[VFIO_ROM].offset = info.offset;
	v->rom_region = info.size;
	r = reserve(v, rom_size(info.size));
	if (r < 0) {
		diag_fail(d, r, FL_VFIO_ROM, "take memory for the ROM of %s",
		          v->bdf);
		diag_why(d, "mmap: %s", strerror(-r));
		diag_mend_else(d, "rom: none of the device, in the policy");
	}
	return r;
}

int vfio_rom_init(struct vfio_dev *v, const struct vfio_open *o, struct diag *d)
{
	if (o->no_rom)
		return 0;
	if (o->rom_fd >= 0)
		return open_file(v, o->rom_fd, d);
	/* Even the kernel's answer about the region reads it. */
	if (cfg_quirk_find(&v->layout, CFG_QUIRK_NO_ROM))
		return 0;
	return open_device(v, d);
}

/* Tried once until the next reset: a guest may enable it as often as it
 * likes. */
void vfio_rom_copy(struct vfio_dev *v)
{
	struct vfio_bar *rom = &v->bar[VFIO_ROM];
	struct diag *d;
	int r;

	if (rom->n_spans || v->rom_failed || !v->rom_region)
		return;
	memset(rom->base, 0xff, rom->size);
	r = v->kern->read(v->fd, rom->base, v->rom_region, rom->offset);
	if (r >= 0) {
		copied(rom);
		return;
	}
	v->rom_failed = true;
	d = vfio_fault(v);
	diag_fail(d, r, FL_VFIO_ROM, "read the ROM of %s", v->bdf);
	diag_why(d, "%s; the guest reads all ones", strerror(-r));
	diag_mend(d, "give the device a ROM file in the policy, or none");
}

uint64_t vfio_rom_read(const struct vfio_dev *v, uint64_t off, unsigned width)
{
	const struct vfio_bar *rom = &v->bar[VFIO_ROM];

	if (!rom->n_spans)
		return UINT64_MAX >> (64 - 8 * width);
	return load_le((const uint8_t *)rom->base + off, width);
}
