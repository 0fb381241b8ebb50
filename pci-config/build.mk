SRCS_pci-config := walk.c layout.c caps.c ecap.c space.c compose.c header.c \
	bar.c cap_pm.c cap_msi.c cap_msix.c cap_exp.c cap_af.c msix_table.c \
	port.c port_slot.c sriov.c quirks.c explain.c
