# SPDX-License-Identifier: GPL-2.0-or-later
# One file a line: several hands edit this list.
SRCS_policy := \
	action-switch.c \
	action.c \
	anonymize.c \
	cpus.c \
	describe.c \
	errors.c \
	export-devices.c \
	export-vfs.c \
	export.c \
	fields-switch.c \
	fields.c \
	inventory-read.c \
	inventory.c \
	keys-attributes.c \
	keys-cpus.c \
	keys-datapath.c \
	keys-device.c \
	keys-disk.c \
	keys-guest.c \
	keys-match.c \
	keys-memory.c \
	keys-nic.c \
	keys-nodes.c \
	keys-pool.c \
	keys-scrub.c \
	keys-slot.c \
	keys-smbios.c \
	keys-switch.c \
	keys-watch.c \
	keys.c \
	mac.c \
	machine-fields.c \
	machine-json.c \
	match.c \
	node.c \
	nodes.c \
	own.c \
	parse.c \
	plan-json.c \
	plan-switch.c \
	plan-vf.c \
	plan-whole.c \
	plan.c \
	resolve-switch.c \
	resolve-vf.c \
	resolve.c \
	scalar.c \
	schema.c \
	sim-switch.c \
	sim.c \
	state.c \
	vf-json.c \
	whole.c \

LIBS_policy := -ljansson -lyaml
