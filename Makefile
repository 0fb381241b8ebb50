# SPDX-License-Identifier: GPL-2.0-or-later
# fairlead: one makefile, not recursive. Each folder's build.mk names its
# sources; what a folder may link is the table LINK_* below, which is also
# the direction in which includes may point (docs/architecture.md).

O ?= build
PREFIX ?= /usr/local
CC = gcc
CLANG ?= clang
V ?= 0
Q := $(if $(filter 1,$(V)),,@)

FOLDERS := base pci-config iommu irq-remap vfio sriov policy latency netd vmm cli

LINK_base :=
LINK_pci-config := base
LINK_iommu := base
LINK_irq-remap := base
LINK_policy := base
LINK_vfio := pci-config iommu irq-remap base
LINK_sriov := pci-config base
LINK_netd := sriov policy iommu irq-remap pci-config base
LINK_vmm := vfio iommu irq-remap pci-config base
LINK_cli := latency sriov policy iommu irq-remap pci-config base
LINK_latency := base

WARN := -Wall -Wextra -Wformat=2 -Wshadow -Wvla -Walloca -Wundef \
	-Wstrict-prototypes -Wmissing-prototypes -Wmissing-declarations \
	-Wold-style-definition -Wpointer-arith -Wcast-qual -Wwrite-strings \
	-Wredundant-decls -Wnested-externs -Wlogical-op -Wduplicated-cond \
	-Wduplicated-branches -Wnull-dereference -Wimplicit-fallthrough=5 \
	-Wconversion -Wsign-conversion -Wframe-larger-than=16384 -Wdate-time \
	-Werror=incompatible-pointer-types -Werror=implicit-function-declaration
HARDEN := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
	-fstack-clash-protection -fcf-protection=full -fno-common \
	-ftrivial-auto-var-init=zero -fno-strict-overflow \
	-fno-delete-null-pointer-checks -fPIE
CFLAGS ?= -O2 -g
override CPPFLAGS += -I. -D_GNU_SOURCE -DFL_VERSION='"$(VERSION)"' \
	-DFL_LIBEXEC='"$(PREFIX)/libexec/fairlead"'
override CFLAGS += -std=gnu17 $(WARN) $(HARDEN) -MMD -MP
ifeq ($(CI),true)
override CFLAGS += -Werror
endif
override LDFLAGS += -pie -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed,--no-undefined

VERSION := 0.1

.PHONY: all
all: programs

# Debian 12's own kernel headers are too old: say so before the compiler does.
HAVE_UAPI := $(shell $(CC) -E -dM -include linux/vfio.h -x c /dev/null 2>/dev/null | grep -c VFIO_DEVICE_BIND_IOMMUFD)
NEED_UAPI := $(filter-out clean help deps demo check check-long format,$(or $(MAKECMDGOALS),all))
ifeq ($(HAVE_UAPI),0)
ifneq ($(NEED_UAPI),)
$(error linux/vfio.h is too old (no VFIO_DEVICE_BIND_IOMMUFD): run `make deps` as root, which installs linux-libc-dev from bookworm-backports and the libraries)
endif
endif

# $(call archives,vfio) = its archive and those it may use, in link order.
archives = $(addprefix $(O)/,$(addsuffix .a,$(1) $(LINK_$(1))))
# $(call libs,vfio) = the external libraries of all of them.
libs = $(sort $(foreach f,$(1) $(LINK_$(1)),$(LIBS_$(f))))

include $(foreach f,$(FOLDERS),$(wildcard $(f)/build.mk))
include tests/build.mk

# A folder's archive: $(O)/pci-config.a from SRCS_pci-config.
define folder_rules
$(O)/$(1).a: $$(patsubst %.c,$(O)/%.o,$$(addprefix $(1)/,$$(SRCS_$(1))))
	$$(Q)rm -f $$@ && $$(AR) rcs $$@ $$^
	$$(if $$(Q),@echo "  AR    $$@")
endef
$(foreach f,$(FOLDERS),$(eval $(call folder_rules,$(f))))

# Kept: make's word on removing one would come after the tests' last line.
.PRECIOUS: $(O)/%.o
$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<
	$(if $(Q),@echo "  CC    $<")

# `make`, then `make install PREFIX=/usr`: what knows the prefix is made anew.
$(addprefix $(O)/,$(patsubst %.c,%.o,$(shell grep -l FL_LIBEXEC */*.c))): $(O)/prefix
$(O)/prefix: FORCE
	@mkdir -p $(@D)
	@echo '$(PREFIX)' | cmp -s - $@ || echo '$(PREFIX)' >$@
.PHONY: FORCE

# A program: its main's object, its folder's archive, and the archives below.
define program_rules
$(O)/$(1): $(O)/$(2)/main.o $$(call archives,$(2))
	$$(Q)$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $(O)/$(2)/main.o -Wl,--start-group $$(call archives,$(2)) -Wl,--end-group $$(call libs,$(2))
	$$(if $$(Q),@echo "  LD    $$@")
endef
PROGRAMS := $(if $(wildcard cli/main.c),fairlead) \
	$(if $(wildcard netd/main.c),fairlead-netd) \
	$(if $(wildcard vmm/main.c),fairlead-vmm)
$(eval $(call program_rules,fairlead,cli))
$(eval $(call program_rules,fairlead-netd,netd))
$(eval $(call program_rules,fairlead-vmm,vmm))

.PHONY: programs install schema deps demo bench clean
programs: $(foreach f,$(FOLDERS),$(if $(SRCS_$(f)),$(O)/$(f).a)) $(addprefix $(O)/,$(PROGRAMS))

install: all
	install -D -m 755 $(O)/fairlead $(DESTDIR)$(PREFIX)/bin/fairlead
	install -D -m 755 $(O)/fairlead-netd $(DESTDIR)$(PREFIX)/sbin/fairlead-netd
	install -D -m 755 $(O)/fairlead-vmm $(DESTDIR)$(PREFIX)/libexec/fairlead/fairlead-vmm
	ln -sfn ../../bin/fairlead $(DESTDIR)$(PREFIX)/libexec/fairlead/fairlead-cni
	for page in $(wildcard docs/*.[1-8]); do \
		install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/} || exit 1; \
	done
	install -D -m 644 contrib/completion/fairlead.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/fairlead
	for file in README.md $(wildcard docs/*.md docs/examples/*.yaml); do \
		install -D -m 644 $$file $(DESTDIR)$(PREFIX)/share/doc/fairlead/$${file#docs/} || exit 1; \
	done
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	for unit in $(notdir $(wildcard contrib/systemd/*.service)); do \
		sed 's|/usr/local|$(PREFIX)|; s|file:/usr/|file:$(PREFIX)/|' contrib/systemd/$$unit \
			>$(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit || exit 1; \
	done
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/fairlead contrib/schema/* contrib/systemd/fairlead-netd-nvme.conf
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/network contrib/networkd/*
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/udev/rules.d contrib/udev/*
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/sysusers.d contrib/sysusers/*
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/NetworkManager/conf.d contrib/networkmanager/*

# contrib/schema, as `fairlead schema` has it.
schema: programs
	mkdir -p contrib/schema
	$(O)/fairlead schema >contrib/schema/fairlead-policy.json

# What compiling needs; `make check` and `make demo` also set up the lab.
deps:
	tests/lab/setup build

demo:
	tests/demo

# The figures of docs/performance.md; LKVM=PATH adds kvmtool.
bench:
	tests/bench/run

clean:
	rm -rf $(O)

-include $(shell find $(O) -name '*.d' 2>/dev/null)
