SRCS_vfio := kern.c device.c region.c rom.c window.c config.c bar.c quirk.c irq.c intx.c vector.c late.c msix.c msi.c event.c reset.c hotreset.c
LIBS_vfio :=
