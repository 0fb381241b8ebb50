SRCS_base := addr.c diag.c text.c fd.c folder.c pass.c sysfs.c deadline.c lib.c log.c textring.c
LIBS_base :=
