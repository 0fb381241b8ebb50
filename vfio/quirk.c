/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Back doors: registers in a device's BARs that show its configuration space,
 * or its MSI-X table, past the trap on configuration cycles (pci-config,
 * cfg_quirk). Their pages are left out of the windows, and an access that
 * meets one is answered by the guest's view, as the front door is.
 *
 * None of these devices was at hand: what is shown of this file is that it
 * does what the rows say.
 */

#include <string.h>

#include "vfio/priv.h"

/* ---- which there are ---- */

static bool is_door(const struct cfg_quirk *q)
{
	return q->effect == CFG_QUIRK_MIRROR || q->effect == CFG_QUIRK_WINDOW ||
	       q->effect == CFG_QUIRK_MSIX_WINDOW;
}

static bool has_data(const struct cfg_quirk *q)
{
	return q->effect == CFG_QUIRK_WINDOW ||
	       q->effect == CFG_QUIRK_MSIX_WINDOW;
}

void vfio_quirks_init(struct vfio_dev *v)
{
	const struct cfg_quirk *q = NULL;

	while ((q = cfg_quirk_next(&v->layout, q)) && v->n_doors < DOORS_MAX)
		if (is_door(q))
			v->door[v->n_doors++] = (struct vfio_door){ .q = q };
}

unsigned vfio_quirks_carve(const struct vfio_dev *v, unsigned bar,
                           struct vfio_span *span, unsigned n)
{
	for (unsigned i = 0; i < v->n_doors; i++) {
		const struct cfg_quirk *q = v->door[i].q;
		struct vfio_span old[SPANS_MAX];

		if (q->bar != bar)
			continue;
		memcpy(old, span, n * sizeof(old[0]));
		n = vfio_spans_carve(old, n, q->off, q->size, span, SPANS_MAX);
		if (!has_data(q))
			continue;
		memcpy(old, span, n * sizeof(old[0]));
		n = vfio_spans_carve(old, n, q->data, 4, span, SPANS_MAX);
	}
	return n;
}

/* ---- accesses; 1, 2 or 4 wide ---- */

static bool meets(uint64_t off, unsigned width, uint64_t reg, uint64_t size)
{
	return ranges_overlap(off, width, reg, size);
}

/* All ones, and nothing, where an access reaches past a register's edge. */
static uint32_t view_read(struct vfio_dev *v, uint64_t off, unsigned width)
{
	return off < CFG_SIZE ? vfio_cfg_read(v, (unsigned)off, width)
	                      : UINT32_MAX;
}

static void view_write(struct vfio_dev *v, uint64_t off, unsigned width,
                       uint32_t value)
{
	if (off < CFG_SIZE)
		vfio_cfg_write(v, (unsigned)off, width, value);
}

static uint64_t table_place(const struct vfio_dev *v, int place)
{
	return v->layout.msix.table_off + (uint64_t)place;
}

/* The bytes of a 32-bit register at `reg` that a write at `off` changes. */
static uint32_t merged(uint32_t old, uint64_t reg, uint64_t off, unsigned width,
                       uint32_t value)
{
	uint8_t byte[4];

	store_le(byte, 4, old);
	for (unsigned i = 0; i < width; i++)
		if (off + i >= reg && off + i < reg + 4)
			byte[off + i - reg] = (uint8_t)(value >> (8 * i));
	return (uint32_t)load_le(byte, 4);
}

static bool read_window(struct vfio_dev *v, const struct vfio_door *door,
                        uint64_t off, unsigned width, uint32_t *ret)
{
	const struct cfg_quirk *q = door->q;
	int place = cfg_quirk_window(q, door->address);
	bool table = q->effect == CFG_QUIRK_MSIX_WINDOW;

	if (place < 0)
		return false;
	/* What is done flips the command bit. */
	if (table && meets(off, width, q->off, 4)) {
		*ret = door->address ^ BIT(31);
		return true;
	}
	if (!meets(off, width, q->data, 4))
		return false;
	if (off < q->data)
		*ret = UINT32_MAX;
	else if (table)
		*ret = (uint32_t)vfio_msix_table_read(v, table_place(v, place),
		                                      width);
	else
		*ret = view_read(v, (uint64_t)place + off - q->data, width);
	return true;
}

bool vfio_quirks_read(struct vfio_dev *v, unsigned bar, uint64_t off,
                      unsigned width, uint32_t *ret)
{
	for (unsigned i = 0; i < v->n_doors; i++) {
		const struct cfg_quirk *q = v->door[i].q;

		if (q->bar != bar)
			continue;
		if (has_data(q)) {
			if (read_window(v, &v->door[i], off, width, ret))
				return true;
		} else if (meets(off, width, q->off, q->size)) {
			*ret = off < q->off ? UINT32_MAX
			                    : view_read(v, off - q->off, width);
			return true;
		}
	}
	return false;
}

/* Registers inside a mirror that are no configuration space. */
static bool passes(const struct vfio_dev *v, unsigned bar, uint64_t off,
                   unsigned width)
{
	const struct cfg_quirk *q = NULL;

	while ((q = cfg_quirk_next(&v->layout, q)))
		if (q->effect == CFG_QUIRK_PASS && q->bar == bar &&
		    meets(off, width, q->off, q->size))
			return true;
	return false;
}

static bool write_mirror(struct vfio_dev *v, const struct cfg_quirk *q,
                         uint64_t off, unsigned width, uint32_t value)
{
	if (!meets(off, width, q->off, q->size))
		return false;
	if (off >= q->off)
		view_write(v, off - q->off, width, value);
	return !passes(v, q->bar, off, width);
}

/* An order to the table is carried out on the guest's; the device has not
 * seen the address and does nothing. */
static bool write_table(struct vfio_dev *v, const struct vfio_door *door)
{
	int place = cfg_quirk_window(door->q, door->address);

	if (place < 0)
		return false;
	if (door->address & BIT(31))
		vfio_msix_table_write(v, table_place(v, place), 4, door->data);
	return true;
}

static bool write_window(struct vfio_dev *v, struct vfio_door *door,
                         uint64_t off, unsigned width, uint32_t value)
{
	const struct cfg_quirk *q = door->q;
	bool table = q->effect == CFG_QUIRK_MSIX_WINDOW;
	int place;

	if (meets(off, width, q->off, 4)) {
		door->address =
			merged(door->address, q->off, off, width, value);
		if (table && write_table(v, door))
			return true;
	}
	if (!meets(off, width, q->data, 4))
		return false;
	if (table) {
		door->data = merged(door->data, q->data, off, width, value);
		return false;
	}
	place = cfg_quirk_window(q, door->address);
	if (place >= 0 && off >= q->data)
		view_write(v, (uint64_t)place + off - q->data, width, value);
	return place >= 0;
}

bool vfio_quirks_write(struct vfio_dev *v, unsigned bar, uint64_t off,
                       unsigned width, uint32_t value)
{
	bool kept = false;

	/* Several rows may share one address register: all see it. */
	for (unsigned i = 0; i < v->n_doors; i++) {
		const struct cfg_quirk *q = v->door[i].q;

		if (q->bar != bar)
			continue;
		if (has_data(q))
			kept |= write_window(v, &v->door[i], off, width, value);
		else
			kept |= write_mirror(v, q, off, width, value);
	}
	return kept;
}
