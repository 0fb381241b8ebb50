# SPDX-License-Identifier: GPL-2.0-or-later
SRCS_netd := frame.c permit.c worker.c server.c client.c jobs.c ask.c lease.c caps.c \
	rtnl.c rtnl-link.c rtnl-set.c rtnl-tap.c observe.c observe-whole.c state-json.c \
	reply.c journal.c boot.c intent.c apply.c ops.c transact.c verbs.c words.c \
	grant.c grant-find.c grant-host.c open.c open-own.c open-disk.c open-kernel.c unpack.c unpack-child.c \
	kernels.c kernels-room.c control.c core.c memlock.c cpus.c memory.c status.c faults.c affinity.c
LIBS_netd := -lcap-ng -lgcrypt -ljansson -llz4 -llzma -lnl-3 -lseccomp -lsystemd -lz -lzstd
$(O)/netd/%.o: override CPPFLAGS += -isystem /usr/include/libnl3
