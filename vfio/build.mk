SRCS_vfio := kern.c device.c region.c window.c config.c bar.c irq.c late.c msix.c msi.c request.c
LIBS_vfio :=
