/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_POLICY_KEYS_FUNCTION_H
#define FL_POLICY_KEYS_FUNCTION_H

/*
 * What the lists of functions that are no network cards share: gpus
 * (keys-gpu.c) and nvme (keys-nvme.c). A kind of them is a table of keys, of
 * which FUNCTION_KEYS are everybody's, and a table for the guests that use
 * them.
 *
 * There is no second way through the planner and the daemon. An entry becomes,
 * as it is read, what there is already:
 *   share: whole   one of pol_policy.device, of that kind
 *   share: sriov   one of pol_policy.nic, whose VFs get no driver of the
 *                  host's, and a pool of its name with all of them, for vfio
 * and what a guest says of it becomes one of the guest's devices, or a nic of
 * that pool, called NAME#VF. So these lists are read after nics, pools,
 * overrides and devices, which cannot name what is in them; and in a guest
 * after its nics and devices.
 */

#include "policy/priv.h"

#define FUNCTIONS_MAX 64 /* of one kind */

/* Of a struct pol_function. */
READER(read_function_name);
READER(read_shared); /* arg: the kind's words */
READER(read_function_vfs);
// clang-format off
#define FUNCTION_KEYS(shared)                                                  \
	{ .name = "name", .flags = KEY_REQUIRED, .read = read_function_name }, \
	{ .name = "match", .flags = KEY_REQUIRED, .read = read_match,          \
	  .arg = &table_match_device,                                          \
	  .at = offsetof(struct pol_function, whole.match) },                  \
	{ .name = "share", .read = read_shared, .arg = (shared) },             \
	{ .name = "virtual-function-count", .flags = KEY_NULL,                 \
	  .read = read_function_vfs },                                         \
	{ .name = "on-dma-fault", .read = read_on_fault,                       \
	  .at = offsetof(struct pol_function, whole.on_fault) },               \
	{ .name = "in-use", .read = read_in_use }
// clang-format on

/* Refuses those of `keys` that are there, where `share` is not `with`. */
void function_only(struct read *r, const struct node *map,
                   const struct pol_function *f, enum pol_shared with,
                   const char *const *keys, size_t n);
/* The end of a table's done(), with whole.kind set: it becomes what it is. */
void function_done(struct read *r, const struct node *map,
                   struct pol_function *f);

/* Of a struct pol_guest_use: `list` has the functions that it may name. */
void read_use_of(struct read *r, const struct key *k, const struct node *v,
                 struct pol_guest_use *use, enum pol_kind kind,
                 const struct pol_function *list, size_t n);
void guest_use_init(void *item);
extern const struct list list_guest_gpus, list_guest_nvmes;
/* After a guest's nics and devices have been checked; what is named first, so
 * that what is not does not take it. */
void lower_uses(struct read *r, const struct node *map, struct pol_guest *g);
/* Of what it has become; NULL = nothing. */
uint8_t *use_slot(struct pol_guest *g, const struct pol_guest_use *use);

#endif
