/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gpus: graphics cards and other accelerators, whole or by their VFs. A whole
 * one is a device (keys-device.c) that may also state how it must be possible
 * to reset it: what the next guest finds in a card that cannot be is whatever
 * the last one left there.
 */

#include <string.h>

#include "policy/keys-function.h"

/* As the kernel writes them into reset_method. */
static const struct word reset_word[] = {
	{ .text = "device_specific", .value = POL_RESET_SPECIFIC },
	{ .text = "acpi", .value = POL_RESET_ACPI },
	{ .text = "flr", .value = POL_RESET_FLR },
	{ .text = "af_flr", .value = POL_RESET_AF_FLR },
	{ .text = "pm", .value = POL_RESET_PM },
	{ .text = "bus", .value = POL_RESET_BUS },
	{ .text = "cxl_bus", .value = POL_RESET_CXL_BUS },
};
static const struct words resets = { reset_word, ARRAY_SIZE(reset_word) };

unsigned reset_bits(const char *text)
{
	unsigned bits = 0;

	while (*text) {
		size_t len = strcspn(text, " ");

		for (size_t i = 0; i < resets.n; i++)
			if (strlen(reset_word[i].text) == len &&
			    !strncmp(reset_word[i].text, text, len))
				bits |= reset_word[i].value;
		text += len + strspn(text + len, " ");
	}
	return bits;
}

void reset_names(unsigned bits, char *buf, size_t size)
{
	struct pen p = { buf, size, 0 };

	for (size_t i = 0; i < resets.n; i++)
		if (bits & reset_word[i].value)
			pen_put(&p, "%s%s", p.n ? ", " : "",
			        reset_word[i].text);
}

static READER(read_require)
{
	struct pol_device *dev = obj;
	unsigned bit;

	if (v->kind != NODE_LIST || !v->n) {
		if (!r->shape || v->kind == NODE_LIST)
			diag_mend(pol_err(r->errs, v->pos, FL_POL_TYPE,
			                  "'%s' must be a list of at least one",
			                  k->name),
			          "write `%s: [flr, bus]`", k->name);
		return;
	}
	dev->resets_pos = v->pos;
	for (const struct node *c = v->first; c; c = c->next)
		if (scalar_word(r, k, c, &resets, &bit))
			dev->resets |= bit;
}

// clang-format off
static const struct key reset_keys[] = {
	{ .name = "require", .flags = KEY_REQUIRED, .read = read_require },
};
static const struct table reset_table = {
	.what = "reset", .keys = reset_keys, .n = ARRAY_SIZE(reset_keys),
};

/* Mediated devices and MIG instances are made and sized by the vendor's own
 * program; the kernel has no interface for them that one could plan by. */
static const char never_profile[] =
	"instances of a GPU are made by its vendor's tool (nvidia-smi mig), "
	"which knows their sizes and keeps their state: fairlead has neither "
	"to plan by, nor could put it back";
static const struct word shared_word[] = {
	{ .text = "whole", .value = POL_SHARED_WHOLE },
	{ .text = "sriov", .value = POL_SHARED_SRIOV },
	{ .text = "mediated", .later = true,
	  .why = "mediated devices are made by the vendor's driver and tool, "
	         "outside of PCI" },
	{ .text = "mig", .later = true,
	  .why = "instances of a GPU are made by its vendor's tool (nvidia-smi "
	         "mig)" },
};
static const struct words shared = { shared_word, ARRAY_SIZE(shared_word) };
// clang-format on

static void gpu_done(struct read *r, const struct node *map, void *obj)
{
	static const char *const of_whole[] = { "group", "rom", "reset" };
	struct pol_function *f = obj;

	f->whole.kind = POL_KIND_GPU;
	function_only(r, map, f, POL_SHARED_WHOLE, of_whole,
	              ARRAY_SIZE(of_whole));
	function_done(r, map, f);
}

// clang-format off
static const struct key gpu_keys[] = {
	FUNCTION_KEYS(&shared),
	{ .name = "group", .read = read_companions },
	{ .name = "rom", .flags = KEY_NULL, .read = read_rom },
	{ .name = "reset", .read = read_nested, .arg = &reset_table },
	{ .name = "mig-profile", .flags = KEY_NEVER, .read = read_never,
	  .arg = never_profile },
};
static const struct table gpu_table = {
	.what = "gpu", .keys = gpu_keys, .n = ARRAY_SIZE(gpu_keys),
	.done = gpu_done,
};
const struct list list_gpus = {
	.item = &gpu_table, .size = sizeof(struct pol_function),
	.count = offsetof(struct pol_policy, n_gpus), .max = FUNCTIONS_MAX,
};
// clang-format on

/* ---- of a guest ---------------------------------------------------------- */

static READER(read_use_gpu)
{
	const struct pol_policy *p = r->policy;

	read_use_of(r, k, v, obj, POL_KIND_GPU, p->gpu, p->n_gpus);
}

// clang-format off
static const struct key guest_gpu_keys[] = {
	{ .name = "use", .flags = KEY_REQUIRED, .read = read_use_gpu },
	{ .name = "slot", .read = read_slot,
	  .at = offsetof(struct pol_guest_use, slot) },
};
static const struct table guest_gpu_table = {
	.what = "guest gpu", .keys = guest_gpu_keys,
	.n = ARRAY_SIZE(guest_gpu_keys),
};
const struct list list_guest_gpus = {
	.item = &guest_gpu_table, .size = sizeof(struct pol_guest_use),
	.count = offsetof(struct pol_guest, n_gpus),
	.max = POL_GUEST_DEVICES_MAX, .init = guest_use_init, .name = "use",
};
// clang-format on
