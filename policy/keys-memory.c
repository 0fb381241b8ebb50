/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's memory. What would take pages away from under a device is refused
 * here, with the reason: a device writes to where the IOMMU leads it, and
 * that is fixed when the guest starts.
 */

#include <stdlib.h>
#include <string.h>

#include "policy/priv.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

void read_memory_bytes(struct read *r, const struct key *k,
                       const struct node *v, uint64_t *ret)
{
	static const char form[] = "a size from 16M to 4T in steps of 2M";
	uint64_t bytes;

	/* Even numbers of M from 16 on; K and the top are left to us. */
	if (told_number(r, v, POL_MEMORY_MIN, POL_MEMORY_MAX) &&
	    told_text(r, v, TOLD_TEXT,
	              "^([0-9]+K|(1[68]|[2-9][02468]|[1-9][0-9]+[02468])M|"
	              "[1-9][0-9]{0,3}G|[1-4]T)$"))
		return;
	if (!want_plain(r, k, v, form))
		return;
	if (!parse_size(v->text, &bytes) && bytes >= POL_MEMORY_MIN &&
	    bytes <= POL_MEMORY_MAX && IS_ALIGNED(bytes, POL_MEMORY_STEP)) {
		*ret = bytes;
		return;
	}
	if (!parse_size(v->text, &bytes) && bytes >= 16 && bytes < 65536 &&
	    !(bytes & 1) && bytes == strtoull(v->text, NULL, 10))
		diag_mend(wrong_value(r, k, v, form),
		          "a plain number is bytes: write `%s: %sM`", k->name,
		          v->text);
	else
		bad_value(r, k, v, form, "512M");
}

static READER(read_memory_size)
{
	struct pol_guest *g = obj;

	read_memory_bytes(r, k, v, &g->memory);
}

static READER(read_pages)
{
	static const struct word word[] = {
		{ .text = "thp", .value = 0 },
		{ .text = "2M", .value = 2 * MIB },
		{ .text = "1G", .value = GIB },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_guest *g = obj;
	unsigned page;

	if (scalar_word(r, k, v, &words, &page))
		g->page = page;
}

/* `false` says what is so anyhow. */
READER(read_never)
{
	struct diag *d;

	(void)obj;
	if (v->kind == NODE_SCALAR && !v->quoted && !strcmp(v->text, "false"))
		return;
	d = pol_err(r->errs, v->pos, FL_POL_VALUE, "'%s' cannot be used",
	            k->name);
	diag_why(d, "%s", (const char *)k->arg);
	diag_mend(d, "remove '%s'", k->name);
}

const char never_balloon[] =
	"all of a guest's memory is mapped for DMA and pinned: a page that a "
	"balloon gives back stays in use, and a device could still write it";
const char never_ksm[] =
	"all of a guest's memory is mapped for DMA and pinned: a page that the "
	"host shared with others could be written by a device";
const char never_reporting[] =
	"all of a guest's memory is mapped for DMA and pinned: a page that is "
	"reported free stays in use, and the next touch would give the guest "
	"another than the device has";

static void memory_done(struct read *r, const struct node *map, void *obj)
{
	struct pol_guest *g = obj;
	struct diag *d;

	check_nodes(r, map, g);
	if (node_get(map, "nodes"))
		return;
	if (!node_get(map, "size")) {
		d = pol_err(r->errs, map->pos, FL_POL_MISSING,
		            "memory needs 'size'");
		diag_mend(d, "add 'size:' to it, or 'nodes:'");
	}
	if (!g->page || !g->memory || IS_ALIGNED(g->memory, g->page))
		return;
	d = pol_err(r->errs, node_get(map, "pages")->pos, FL_POL_CONFLICT,
	            "the size is no whole number of such pages");
	diag_mend(d, "make 'size' a multiple of 1G, or write `pages: 2M`");
}

// clang-format off
static const struct key memory_keys[] = {
	{ .name = "size",     .read = read_memory_size },
	{ .name = "pages",    .read = read_pages },
	{ .name = "prefault", .read = read_flag,
	  .at = offsetof(struct pol_guest, prefault) },
	{ .name = "lock", .read = read_flag,
	  .at = offsetof(struct pol_guest, lock) },
	{ .name = "numa", .read = read_host_node,
	  .at = offsetof(struct pol_guest, host_node) },
	{ .name = "nodes", .read = read_list, .arg = &list_memory_nodes,
	  .at = offsetof(struct pol_guest, node) },
	{ .name = "balloon", .flags = KEY_NEVER, .read = read_never,
	  .arg = never_balloon },
	{ .name = "ksm", .flags = KEY_NEVER, .read = read_never,
	  .arg = never_ksm },
	{ .name = "merge", .flags = KEY_NEVER, .read = read_never,
	  .arg = never_ksm },
	{ .name = "free-page-reporting", .flags = KEY_NEVER,
	  .read = read_never, .arg = never_reporting },
};
static const struct table memory_table = {
	.what = "memory", .keys = memory_keys, .n = ARRAY_SIZE(memory_keys),
	.done = memory_done,
};
// clang-format on

READER(read_memory)
{
	if (v->kind == NODE_SCALAR)
		read_memory_size(r, k, v, obj);
	else
		read_map(r, v, &memory_table, obj);
}
