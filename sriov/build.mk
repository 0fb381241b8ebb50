# SPDX-License-Identifier: GPL-2.0-or-later
SRCS_sriov := fn.c pf.c use.c use-routes.c holder.c owner.c owner-read.c numvfs.c bind.c msix.c write.c nvme.c reset.c drm.c name.c serial.c route.c variant.c
LIBS_sriov :=
