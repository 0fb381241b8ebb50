/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BAR accesses that trapped: the MSI-X table answers from here, all else is
 * passed to the device by read and write on its file. The kernel refuses what
 * the device's own state forbids (memory decode off), and then reads are all
 * ones.
 */

#include "vfio/priv.h"

static uint64_t ones(unsigned width)
{
	return UINT64_MAX >> (64 - 8 * width);
}

static bool is_access(const struct vfio_dev *v, unsigned bar, uint64_t off,
                      unsigned width)
{
	const unsigned widths = BIT(1) | BIT(2) | BIT(4) | BIT(8);

	return bar < VFIO_RANGES && width <= 8 && widths >> width & 1 &&
	       range_inside(off, width, v->bar[bar].size);
}

static uint64_t read_part(struct vfio_dev *v, unsigned bar, uint64_t off,
                          unsigned width)
{
	uint32_t value;
	uint8_t buf[8];

	if (width < 8 && v->n_doors &&
	    vfio_quirks_read(v, bar, off, width, &value))
		return value & ones(width);
	if (v->kern->read(v->fd, buf, width, v->bar[bar].offset + off) < 0)
		return ones(width);
	return load_le(buf, width);
}

static uint64_t read_locked(struct vfio_dev *v, unsigned bar, uint64_t off,
                            unsigned width)
{
	v->stats.bar_reads++;
	if (bar == VFIO_ROM)
		return vfio_rom_read(v, off, width);
	if (vfio_msix_owns(v, bar, off, width))
		return vfio_msix_table_read(v, off, width);
	/* Registers with a back door among them: one after the other. */
	if (width == 8 && v->n_doors)
		return read_part(v, bar, off, 4) | read_part(v, bar, off + 4, 4)
		                                           << 32;
	return read_part(v, bar, off, width);
}

uint64_t vfio_dev_bar_read(struct vfio_dev *v, unsigned bar, uint64_t off,
                           unsigned width)
{
	uint64_t value;

	if (!is_access(v, bar, off, width))
		return UINT64_MAX;
	pthread_mutex_lock(&v->lock);
	value = read_locked(v, bar, off, width);
	pthread_mutex_unlock(&v->lock);
	return value;
}

static void write_part(struct vfio_dev *v, unsigned bar, uint64_t off,
                       unsigned width, uint64_t value)
{
	uint8_t buf[8];

	if (width < 8 && v->n_doors &&
	    vfio_quirks_write(v, bar, off, width, (uint32_t)value))
		return;
	store_le(buf, width, value);
	/* Lost where the device does not take it, as on a real bus. */
	if (v->kern->write(v->fd, buf, width, v->bar[bar].offset + off) < 0)
		return;
}

static void write_locked(struct vfio_dev *v, unsigned bar, uint64_t off,
                         unsigned width, uint64_t value)
{
	v->stats.bar_writes++;
	if (vfio_msix_owns(v, bar, off, width)) {
		vfio_msix_table_write(v, off, width, value);
		return;
	}
	if (bar == VFIO_ROM)
		return;
	if (width == 8 && v->n_doors) {
		write_part(v, bar, off, 4, value & UINT32_MAX);
		write_part(v, bar, off + 4, 4, value >> 32);
		return;
	}
	write_part(v, bar, off, width, value);
}

bool vfio_dev_bar_write(struct vfio_dev *v, unsigned bar, uint64_t off,
                        unsigned width, uint64_t value)
{
	bool good;

	if (!is_access(v, bar, off, width))
		return !vfio_has_fault(v);
	pthread_mutex_lock(&v->lock);
	write_locked(v, bar, off, width, value);
	good = !vfio_has_fault(v);
	pthread_mutex_unlock(&v->lock);
	return good;
}
