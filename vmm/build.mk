SRCS_vmm := \
	bus.c \

LIBS_vmm := -ljansson -lseccomp -lpthread
