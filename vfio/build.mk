SRCS_vfio := kern.c device.c region.c rom.c window.c config.c bar.c irq.c intx.c vector.c late.c msix.c msi.c event.c reset.c hotreset.c
LIBS_vfio :=

# The library against the real kernel, in the lab (tests/lab/scenarios/vfio-library.sh).
PROBE_LIBS := $(addprefix $(O)/,vfio.a pci-config.a iommu.a irq-remap.a base.a)
$(O)/tests/lab/vfio-probe: $(O)/tests/lab/vfio-probe.o $(PROBE_LIBS)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(PROBE_LIBS) -lpthread
	$(if $(Q),@echo "  LD    $@")
