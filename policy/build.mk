SRCS_policy := describe.c node.c errors.c schema.c scalar.c keys.c keys-match.c \
	keys-pool.c keys-device.c keys-guest.c keys-nic.c keys-disk.c \
	keys-memory.c keys-nodes.c keys-smbios.c keys-cpus.c keys-datapath.c cpus.c keys-slot.c \
	keys-watch.c keys-scrub.c vf-json.c nodes.c own.c \
	parse.c mac.c state.c match.c resolve.c whole.c plan.c plan-whole.c \
	action.c fields.c machine-fields.c machine-json.c plan-json.c \
	inventory.c inventory-read.c anonymize.c sim.c \
	export.c export-vfs.c export-devices.c
LIBS_policy := -ljansson -lyaml
