# SPDX-License-Identifier: GPL-2.0-or-later
# One file a line: two hands edit this list.
SRCS_netd := \
	affinity.c \
	apply.c \
	ask.c \
	boot.c \
	bridge-set.c \
	bridge.c \
	caps.c \
	chores.c \
	client.c \
	control.c \
	core.c \
	cpus.c \
	devlink-decode.c \
	devlink-set.c \
	devlink.c \
	faults.c \
	frame.c \
	grant-find.c \
	grant-host.c \
	grant-own.c \
	grant.c \
	intent.c \
	jobs.c \
	journal.c \
	kernels-room.c \
	kernels.c \
	lease.c \
	ledger.c \
	loan.c \
	memlock.c \
	memory.c \
	observe-whole.c \
	observe.c \
	open-disk.c \
	open-kernel.c \
	open-own.c \
	open-tap.c \
	open.c \
	ops.c \
	permit.c \
	record.c \
	reply.c \
	rtnl-fdb.c \
	rtnl-link.c \
	rtnl-set.c \
	rtnl-tap.c \
	rtnl-vlan.c \
	rtnl.c \
	scrub.c \
	server.c \
	standby.c \
	status.c \
	tenancy.c \
	transact.c \
	unpack-child.c \
	unpack.c \
	verbs.c \
	watchdog.c \
	words.c \
	worker.c \

LIBS_netd := -lcap-ng -lgcrypt -ljansson -llz4 -llzma -lnl-3 -lseccomp -lsystemd -lz -lzstd
$(O)/netd/%.o: override CPPFLAGS += -isystem /usr/include/libnl3
