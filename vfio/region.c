/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device file's regions: what a BAR is to the kernel, which parts of it
 * may be mapped, and mapping them. Each mappable part is mapped once, at
 * open, for the life of the device; the guest gets windows on it (window.c).
 *
 * The whole BAR's address range is reserved first, aligned as the BAR is in
 * physical memory (up to 1 GiB), because the kernel maps device memory by
 * 2 MiB and 1 GiB pages only where both addresses agree below that size.
 */

#include <string.h>
#include <sys/mman.h>

#include "vfio/priv.h"

CHECK_SIZE(struct vfio_info_cap_header, 8);
CHECK_SIZE(struct vfio_region_sparse_mmap_area, 16);

/* ---- region info's capabilities ---- */

static void add_area(struct vfio_areas *a, uint64_t off, uint64_t len,
                     uint64_t region)
{
	uint64_t end;

	/* What does not fill whole pages inside the region stays trapped. */
	if (a->n == SPANS_MAX || !range_inside(off, len, region))
		return;
	/* A region smaller than a page that may be mapped owns its page. */
	end = len && len == region && region < PAGE
	              ? PAGE
	              : ALIGN_DOWN(off + len, PAGE);
	off = ALIGN_UP(off, PAGE);
	if (off < end)
		a->span[a->n++] =
			(struct vfio_span){ .off = off, .size = end - off };
}

static void parse_sparse(struct vfio_areas *a, const char *cap, size_t room,
                         uint64_t limit)
{
	struct vfio_region_info_cap_sparse_mmap head;
	struct vfio_region_sparse_mmap_area area;

	if (room < sizeof(head))
		return;
	memcpy(&head, cap, sizeof(head));
	for (uint32_t i = 0; i < head.nr_areas; i++) {
		size_t at = sizeof(head) + i * sizeof(area);

		if (!range_inside(at, sizeof(area), room))
			return;
		memcpy(&area, cap + at, sizeof(area));
		add_area(a, area.offset, area.size, limit);
	}
}

void vfio_areas_parse(const void *info, size_t size, struct vfio_areas *ret)
{
	struct vfio_info_cap_header h;
	struct vfio_areas a = { 0 };
	struct vfio_region_info r;
	bool sparse = false;
	uint32_t off;

	memcpy(&r, info, sizeof(r));
	off = r.flags & VFIO_REGION_INFO_FLAG_CAPS ? r.cap_offset : 0;
	while (off && range_inside(off, sizeof(h), size)) {
		memcpy(&h, (const char *)info + off, sizeof(h));
		if (h.id == VFIO_REGION_INFO_CAP_SPARSE_MMAP) {
			sparse = true;
			parse_sparse(&a, (const char *)info + off, size - off,
			             r.size);
		}
		/* Forward only: a chain that turns back has no end. */
		if (h.next <= off)
			break;
		off = h.next;
	}
	if (!sparse)
		add_area(&a, 0, r.size, r.size);
	if (!(r.flags & VFIO_REGION_INFO_FLAG_MMAP))
		a.n = 0;
	*ret = a;
}

/* ---- reading ---- */

/* Asked twice where there are capabilities: the first answer gives the size.
 * *ret is the caller's to free. */
static int read_info(struct vfio_dev *v, uint32_t index, void **ret,
                     size_t *ret_size)
{
	_cleanup_free_ struct vfio_region_info *info = NULL;
	size_t size = sizeof(*info);
	int r;

	for (int i = 0; i < 2; i++) {
		free(info);
		info = calloc(1, size);
		if (!info)
			return -ENOMEM;
		info->argsz = (uint32_t)size;
		info->index = index;
		r = v->kern->ioctl(v->fd, VFIO_DEVICE_GET_REGION_INFO, info);
		if (r < 0)
			return r;
		if (info->argsz <= size)
			break;
		size = info->argsz;
	}
	*ret = TAKE_PTR(info);
	*ret_size = size;
	return 0;
}

static int read_region(struct vfio_dev *v, uint32_t index,
                       struct vfio_region_info *ret, struct vfio_areas *areas)
{
	_cleanup_free_ void *info = NULL;
	size_t size;
	int r = read_info(v, index, &info, &size);

	if (r < 0)
		return r;
	memcpy(ret, info, sizeof(*ret));
	vfio_areas_parse(info, size, areas);
	return 0;
}

static int fail_info(struct vfio_dev *v, int err, uint32_t index,
                     struct diag *d)
{
	diag_fail(d, err, FL_VFIO_INFO, "read region %u of %s", index, v->bdf);
	diag_why(d, "VFIO_DEVICE_GET_REGION_INFO: %s", strerror(-err));
	vfio_mend(v, d);
	return err;
}

int vfio_regions_read(struct vfio_dev *v, struct diag *d)
{
	struct vfio_region_info info;
	struct vfio_areas none;
	int r;

	for (uint32_t i = 0; i < CFG_BARS; i++) {
		r = read_region(v, VFIO_PCI_BAR0_REGION_INDEX + i, &info,
		                &v->bar[i].areas);
		if (r < 0)
			return fail_info(v, r, i, d);
		v->bar[i].size = info.size;
		v->bar[i].offset = info.offset;
	}
	r = read_region(v, VFIO_PCI_CONFIG_REGION_INDEX, &info, &none);
	if (r < 0)
		return fail_info(v, r, VFIO_PCI_CONFIG_REGION_INDEX, d);
	v->config_off = info.offset;
	v->config_size = MIN(info.size, (uint64_t)CFG_SIZE);
	return 0;
}

/* ---- mapping ---- */

unsigned vfio_spans_carve(const struct vfio_span *area, unsigned n,
                          uint64_t hole, uint64_t hole_size,
                          struct vfio_span *ret, unsigned max)
{
	uint64_t from = ALIGN_DOWN(hole, PAGE);
	uint64_t to = ALIGN_UP(hole + hole_size, PAGE);
	unsigned m = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t start = area[i].off, end = start + area[i].size;
		/* Up to two pieces: below the hole, and above it. */
		uint64_t piece[2][2] = { { start,
			                   hole_size ? MIN(end, from) : end },
			                 { MAX(start, to), end } };

		for (unsigned k = 0; k < (hole_size ? 2u : 1u); k++)
			if (piece[k][0] < piece[k][1] && m < max)
				ret[m++] = (struct vfio_span){
					.off = piece[k][0],
					.size = piece[k][1] - piece[k][0],
				};
	}
	return m;
}

/* Address space for the whole BAR, aligned; holes in it stay unmapped. */
static int reserve(struct vfio_bar *bar)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	uint64_t room = MAX(bar->size, (uint64_t)PAGE), size;
	uint64_t align = MIN(room, GIANT_PAGE);
	uintptr_t at;
	void *p;

	if (__builtin_add_overflow(room, align, &size) || size > SIZE_MAX)
		return -EFBIG;
	// cppcheck-suppress invalidFunctionArg ; -1 is right for anonymous
	p = mmap(NULL, size, PROT_NONE, flags, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	at = ALIGN_UP((uintptr_t)p, align);
	if (at > (uintptr_t)p)
		munmap(p, at - (uintptr_t)p);
	if (at - (uintptr_t)p < align)
		munmap((void *)(at + room), align - (at - (uintptr_t)p));
	bar->base = (void *)at;
	bar->reserved = room;
	return 0;
}

static int map_spans(struct vfio_dev *v, struct vfio_bar *bar)
{
	int r = reserve(bar);

	for (unsigned i = 0; i < bar->n_spans && r >= 0; i++)
		r = v->kern->map(v->fd, bar->offset + bar->span[i].off,
		                 bar->span[i].size,
		                 (char *)bar->base + bar->span[i].off);
	return r;
}

static void plan_spans(const struct vfio_dev *v, unsigned i,
                       struct vfio_bar *bar)
{
	const struct cfg_msix_facts *m = &v->layout.msix;
	uint64_t hole = 0, hole_size = 0;

	if (m->cap && m->table_bar == i) {
		hole = m->table_off;
		hole_size = (uint64_t)m->vectors * CFG_MSIX_ENTRY;
	}
	bar->n_spans = vfio_spans_carve(bar->areas.span, bar->areas.n, hole,
	                                hole_size, bar->span, SPANS_MAX);
	bar->n_spans = vfio_quirks_carve(v, i, bar->span, bar->n_spans);
}

int vfio_regions_map(struct vfio_dev *v, struct diag *d)
{
	int r;

	for (unsigned i = 0; i < CFG_BARS; i++) {
		struct vfio_bar *bar = &v->bar[i];

		bar->io = v->cfg.bar[i].kind == CFG_BAR_IO;
		if (!bar->size || bar->io || !is_power_of_2(bar->size))
			continue;
		plan_spans(v, i, bar);
		if (!bar->n_spans)
			continue;
		r = map_spans(v, bar);
		if (r < 0) {
			diag_fail(d, r, FL_VFIO_MMAP, "map BAR %u of %s", i,
			          v->bdf);
			diag_why(d, "mmap of the device: %s", strerror(-r));
			vfio_mend(v, d);
			return r;
		}
	}
	return 0;
}

/* A window that could not be taken away would show the guest whatever is
 * mapped there next: such a BAR stays, until the process ends. */
void vfio_regions_unmap(struct vfio_dev *v)
{
	for (unsigned i = 0; i < VFIO_RANGES; i++) {
		if (v->bar[i].base && !v->bar[i].placed)
			munmap(v->bar[i].base, v->bar[i].reserved);
		v->bar[i].base = NULL;
	}
}
