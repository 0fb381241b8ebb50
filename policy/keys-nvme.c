/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nvme: disks, whole or by the VFs of their controllers. A whole one is a
 * device (keys-device.c); its class is asserted, since a policy that means a
 * disk should never get anything else.
 */

#include <string.h>

#include "policy/keys-function.h"

static const struct word shared_word[] = {
	{ .text = "whole", .value = POL_SHARED_WHOLE },
	{ .text = "sriov", .value = POL_SHARED_SRIOV },
};
static const struct words shared = { shared_word, ARRAY_SIZE(shared_word) };

static READER(read_release)
{
	static const struct word word[] = {
		{ .text = "reuse", .value = POL_RELEASE_REUSE },
		{ .text = "quarantine", .value = POL_RELEASE_QUARANTINE },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_function *f = obj;
	unsigned value;

	if (scalar_word(r, k, v, &words, &value))
		f->whole.release = (enum pol_release)value;
}

/* ---- vf-resources -------------------------------------------------------- */

static READER(read_amount)
{
	uint16_t *n = field(k, obj);
	uint32_t value;

	if (scalar_u32(r, k, v, k->arg, &value))
		*n = (uint16_t)value;
}

/* One queue pair is for the administrator's commands: with less than another
 * there is no disk (NVMe 2.0, 8.26.1). */
static const struct range range_queues = { 2, UINT16_MAX };
static const struct range range_interrupts = { 1, POL_MSIX_MAX };
// clang-format off
static const struct key resource_keys[] = {
	{ .name = "queues", .flags = KEY_REQUIRED, .read = read_amount,
	  .arg = &range_queues, .at = offsetof(struct pol_resources, queues) },
	{ .name = "interrupts", .flags = KEY_REQUIRED, .read = read_amount,
	  .arg = &range_interrupts,
	  .at = offsetof(struct pol_resources, interrupts) },
};
static const struct table resource_table = {
	.what = "vf-resources", .keys = resource_keys,
	.n = ARRAY_SIZE(resource_keys),
};
// clang-format on

/* null: as a new VF has it. */
static READER(read_resources)
{
	struct pol_function *f = obj;

	f->res_given = node_is_null(v) ? POL_DEFAULT : POL_GIVEN;
	f->res_pos = v->pos;
	if (node_is_null(v))
		return;
	f->res.online = true;
	read_nested(r, k, v, &f->res);
}

/* What was not yet written when a mounted disk goes is lost. */
static void refuse_take(struct read *r, const struct node *map,
                        const struct pol_function *f)
{
	struct diag *d;

	if (!f->whole.take)
		return;
	d = pol_err(r->errs, node_get(map, "in-use")->pos, FL_POL_CONFLICT,
	            "nvme %s: a disk in use is never taken", f->whole.name);
	diag_why(d, "what the host has not written to it yet would be lost");
	diag_mend(d, "remove 'in-use'; umount and swapoff what is on it");
}

/* ---- an entry ------------------------------------------------------------ */

static void nvme_done(struct read *r, const struct node *map, void *obj)
{
	static const char *const of_whole[] = { "group" };
	static const char *const of_vfs[] = { "vf-resources" };
	struct pol_policy *p = r->policy;
	struct pol_function *f = obj;

	f->whole.kind = POL_KIND_NVME;
	function_only(r, map, f, POL_SHARED_WHOLE, of_whole,
	              ARRAY_SIZE(of_whole));
	function_only(r, map, f, POL_SHARED_SRIOV, of_vfs, ARRAY_SIZE(of_vfs));
	refuse_take(r, map, f);
	function_done(r, map, f);
	if (f->pool != SIZE_MAX)
		p->pool[f->pool].hold =
			f->whole.release == POL_RELEASE_QUARANTINE;
	if (f->nic == SIZE_MAX)
		return;
	p->nic[f->nic].res_given = f->res_given;
	p->nic[f->nic].res = f->res;
	p->nic[f->nic].res_pos = f->res_pos;
}

// clang-format off
static const struct key nvme_keys[] = {
	FUNCTION_KEYS(&shared),
	{ .name = "group", .read = read_companions },
	{ .name = "release", .read = read_release },
	{ .name = "vf-resources", .flags = KEY_NULL, .read = read_resources,
	  .arg = &resource_table },
};
static const struct table nvme_table = {
	.what = "nvme", .keys = nvme_keys, .n = ARRAY_SIZE(nvme_keys),
	.done = nvme_done,
};
const struct list list_nvmes = {
	.item = &nvme_table, .size = sizeof(struct pol_function),
	.count = offsetof(struct pol_policy, n_nvmes), .max = FUNCTIONS_MAX,
};
// clang-format on

/* ---- of a guest ---------------------------------------------------------- */

static READER(read_use_nvme)
{
	const struct pol_policy *p = r->policy;

	read_use_of(r, k, v, obj, POL_KIND_NVME, p->nvme, p->n_nvmes);
}

// clang-format off
static const struct key guest_nvme_keys[] = {
	{ .name = "use", .flags = KEY_REQUIRED, .read = read_use_nvme },
	{ .name = "slot", .read = read_slot,
	  .at = offsetof(struct pol_guest_use, slot) },
};
static const struct table guest_nvme_table = {
	.what = "guest nvme", .keys = guest_nvme_keys,
	.n = ARRAY_SIZE(guest_nvme_keys),
};
const struct list list_guest_nvmes = {
	.item = &guest_nvme_table, .size = sizeof(struct pol_guest_use),
	.count = offsetof(struct pol_guest, n_nvmes),
	.max = POL_GUEST_DEVICES_MAX, .init = guest_use_init, .name = "use",
};
// clang-format on
