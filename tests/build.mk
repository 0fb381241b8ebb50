# SPDX-License-Identifier: GPL-2.0-or-later
# Tests are found by their names:
#   tests/unit/FOLDER/test_*.c   linked with what FOLDER may use, no more
#   tests/micro/test_*.c         tiny guests on /dev/kvm, linked as the VMM is
#   tests/micro/guest/*.c        the guests themselves
#   tests/fuzz/fuzz_FOLDER*.c    libFuzzer with ASan and UBSan, FOLDER's sources
#                                compiled anew for it below $(O)/fuzz
#   tests/lab/*.c                programs that scenarios run
#   tests/bench/exit-cost.c      instructions of a trapped access
#   tests/lab/l2-tools/*.c       one program, that runs in guests
#   tests/lab/probe/*.c          one program, vfio-probe
# Another .c beside them is linked to every test of its folder.

# ---- unit and micro -------------------------------------------------------

UNIT_SRCS := $(wildcard tests/unit/*/test_*.c)
MICRO_SRCS := $(wildcard tests/micro/test_*.c)
UNIT := $(patsubst %.c,$(O)/%,$(UNIT_SRCS))
MICRO := $(patsubst %.c,$(O)/%,$(MICRO_SRCS))

# A test may keep tables in its frame; a daemon's thread may not.
$(O)/tests/%.o: override CFLAGS += -Wno-frame-larger-than

# What a folder's tests share, as an archive: each takes what it calls, and may
# have names of its own for the rest. $(call test_help,tests/unit/vmm).
help_objects = $(patsubst %.c,$(O)/%.o,$(filter-out $(wildcard $(1)/test_*.c),$(wildcard $(1)/*.c)))
test_help = $(if $(call help_objects,$(1)),$(O)/$(1)/help.a)
define help_rule
$(O)/$(1)/help.a: $$(call help_objects,$(1))
	$$(Q)rm -f $$@ && $$(AR) rcs $$@ $$^
endef
$(foreach d,$(patsubst %/,%,$(sort $(dir $(UNIT_SRCS) $(MICRO_SRCS)))),$(if $(call help_objects,$(d)),$(eval $(call help_rule,$(d)))))

# What netd only loads: its tests make bzImages by them.
TESTLIBS_netd := -llz4 -llzma -lz -lzstd

# $(call test_rule,program,folder whose archives it links)
define test_rule
$(1): $(1).o $$(call test_help,$(patsubst $(O)/%/,%,$(dir $(1)))) $$(call archives,$(2))
	$$(Q)$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) \
		-Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group \
		$$(call libs,$(2)) $(TESTLIBS_$(2)) -lcmocka
	$$(if $$(Q),@echo "  LD    $$@")
endef
$(foreach t,$(UNIT),$(eval $(call test_rule,$(t),$(notdir $(patsubst %/,%,$(dir $(t)))))))
$(foreach t,$(MICRO),$(eval $(call test_rule,$(t),vmm)))

# The guests of micro tests, for the test to open: 32-bit code, no libraries,
# in the 64-bit ELF that a kernel image is.
MICRO_GUESTS := $(patsubst %.c,$(O)/%.elf,$(wildcard tests/micro/guest/*.c))
GUEST_CFLAGS := -m32 -O2 -std=gnu17 -Wall -Wextra -ffreestanding -nostdlib -static \
	-fno-pie -no-pie -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables -mgeneral-regs-only -Wl,--build-id=none \
	-Wl,--no-warn-rwx-segments -Wl,-T,tests/micro/guest/guest.ld
$(O)/tests/micro/guest/%.elf: tests/micro/guest/%.c $(wildcard tests/micro/guest/*.[hS] tests/micro/guest/*.ld)
	@mkdir -p $(@D)
	$(Q)$(CC) -I. $(GUEST_CFLAGS) -o $(@:.elf=.32) tests/micro/guest/start.S $< && \
		objcopy -O elf64-x86-64 $(@:.elf=.32) $@
	$(if $(Q),@echo "  GUEST $@")
$(MICRO): | $(MICRO_GUESTS)

LAB_PROGRAMS := $(patsubst %.c,$(O)/%,$(wildcard tests/lab/*.c))
# For a guest, whose initramfs has no libraries.
$(O)/tests/lab/guest-%: $(O)/tests/lab/guest-%.o
	$(Q)$(CC) $(CFLAGS) -static -o $@ $<
	$(if $(Q),@echo "  LD    $@")

# One program of all its files.
L2_TOOL := $(O)/tests/lab/l2-tool
L2_TOOL_OBJS := $(patsubst %.c,$(O)/%.o,$(wildcard tests/lab/l2-tools/*.c))
LAB_PROGRAMS += $(L2_TOOL)
$(L2_TOOL): $(L2_TOOL_OBJS)
	$(Q)$(CC) $(CFLAGS) -static -o $@ $^
	$(if $(Q),@echo "  LD    $@")

# vfio's library against the real kernel (scenario vfio-library).
PROBE := $(O)/tests/lab/vfio-probe
PROBE_OBJS := $(patsubst %.c,$(O)/%.o,$(wildcard tests/lab/probe/*.c))
LAB_PROGRAMS += $(PROBE)
$(PROBE): $(PROBE_OBJS) $(call archives,vfio)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lpthread
	$(if $(Q),@echo "  LD    $@")

# For L1: what they need of ours is base.
$(O)/tests/lab/vmm-%: $(O)/tests/lab/vmm-%.o $(O)/base.a
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^
	$(if $(Q),@echo "  LD    $@")

# What the compiler finds for netd, its tests and its linter must find too.
NETD_BESIDE := $(O)/tests/unit/netd/%.o $(O)/fuzz/netd/%.o $(O)/fuzz/tests/fuzz/fuzz_netd%.o $(O)/tidy/netd/%.ok $(O)/tidy/tests/unit/netd/%.ok
$(NETD_BESIDE): override CPPFLAGS += -isystem /usr/include/libnl3

# The VMM whole, with the unit tests' device and no kernel: see its head.
EXIT_COST := $(O)/tests/bench/exit-cost
$(EXIT_COST): $(EXIT_COST).o $(O)/tests/unit/vfio/fake.o $(O)/tests/unit/vfio/fake_vmm.o $(call archives,vmm)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -Wl,--wrap=ioctl -o $@ $(filter %.o,$^) \
		-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(call libs,vmm) -lcmocka
	$(if $(Q),@echo "  LD    $@")
LAB_PROGRAMS += $(EXIT_COST)

# The same for packets: a VMM with a real tap, and who plays its guest.
PACKET_VMM := $(O)/tests/bench/packet-vmm
PACKET_COST := $(O)/tests/bench/packet-cost
PACKET_COST_OBJS := $(patsubst %,$(O)/tests/bench/packet-%.o,cost machine virtio e1000 memory) $(O)/tests/unit/vmm/virtio_driver.o
$(PACKET_VMM): $(O)/tests/bench/packet-vmm.o $(O)/tests/bench/packet-memory.o $(call archives,vmm)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -Wl,--wrap=ioctl -o $@ $(filter %.o,$^) \
		-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(call libs,vmm)
	$(if $(Q),@echo "  LD    $@")
$(PACKET_COST): $(PACKET_COST_OBJS) $(call archives,vmm)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) \
		-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(call libs,vmm) -lcmocka
	$(if $(Q),@echo "  LD    $@")
LAB_PROGRAMS += $(PACKET_VMM) $(PACKET_COST)

# Planning the largest host: tests/bench/plan.
PLAN_COST := $(O)/tests/bench/plan-cost
$(PLAN_COST): $(PLAN_COST).o $(call archives,policy)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) \
		-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(call libs,policy)
	$(if $(Q),@echo "  LD    $@")
LAB_PROGRAMS += $(PLAN_COST)

DENSITY_RUN := $(O)/tests/bench/density-run
$(DENSITY_RUN): $(DENSITY_RUN).o $(O)/base.a
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^
	$(if $(Q),@echo "  LD    $@")
LAB_PROGRAMS += $(DENSITY_RUN)

# ---- fuzz -----------------------------------------------------------------

FUZZ := $(patsubst %.c,$(O)/%,$(wildcard tests/fuzz/fuzz_*.c))
FO := $(O)/fuzz
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
FUZZ_CFLAGS := -std=gnu17 -O1 -g -Wall -Wextra -Wno-missing-field-initializers \
	-Wno-gnu-variable-sized-type-not-at-end \
	-DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION -MMD -MP $(SANITIZE)

$(FO)/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<
	$(if $(Q),@echo "  FUZZ  $<")

# tests/fuzz/fuzz_pci_config_caps.c is a target of pci-config.
fuzz_folder = $(firstword $(foreach f,$(FOLDERS),$(if $(filter fuzz_$(subst -,_,$(f)) fuzz_$(subst -,_,$(f))_%,$(notdir $(1))),$(f))))
fuzz_objects = $(foreach f,$(1) $(LINK_$(1)),$(patsubst %.c,$(FO)/$(f)/%.o,$(SRCS_$(f))))
define fuzz_rule
$(1): $(FO)/$(patsubst $(O)/%,%,$(1)).o $$(call fuzz_objects,$(2))
	@mkdir -p $$(@D)
	$$(if $(2),,$$(error $(1): its name does not begin with fuzz_FOLDER))
	$$(Q)$$(CLANG) $$(FUZZ_CFLAGS) -fsanitize=fuzzer -o $$@ $$(filter %.o,$$^) $$(call libs,$(2))
	$$(if $$(Q),@echo "  LD    $$@")
endef
$(foreach t,$(FUZZ),$(eval $(call fuzz_rule,$(t),$(call fuzz_folder,$(t)))))

# ---- running them ---------------------------------------------------------

# A jobserver given by the user is kept; otherwise all processors are used.
JOBS = $(if $(findstring j,$(firstword $(MAKEFLAGS)))$(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))
RUN := O=$(O) MAKE="$(MAKE)" tests/run

.PHONY: tests fuzzers check check-unit check-long check-asan fuzz
tests: programs $(UNIT) $(MICRO) $(LAB_PROGRAMS)
fuzzers: $(FUZZ)

# The set-up may install the compiler's own headers, so the build is another
# make, which looks for them anew.
check:
	tests/lab/setup lab
	@+$(MAKE) --no-print-directory $(JOBS) tests fuzzers
	@$(RUN)

check-long:
	tests/lab/setup long
	@+$(MAKE) --no-print-directory $(JOBS) tests fuzzers
	@$(RUN) --long

check-unit: tests
	@$(RUN) --only unit,micro,static

check-asan:
	@+$(MAKE) --no-print-directory $(JOBS) O=$(O)/asan CFLAGS="-O1 -g $(SANITIZE)" \
		LDFLAGS="$(SANITIZE)" tests
	@O=$(O)/asan MAKE="$(MAKE)" tests/run --only unit,micro

# FUZZ_SECONDS for each target, its corpus kept below $(O)/corpus.
FUZZ_SECONDS ?= 300
fuzz: fuzzers
	@$(RUN) --only fuzz --fuzz-seconds $(FUZZ_SECONDS)

# ---- the tree itself ------------------------------------------------------

.PHONY: check-layers check-headers check-errors lint format
check-layers: programs
	@tests/check-layers $(O) $(foreach f,$(FOLDERS),"$(f)=$(LINK_$(f))")

HEADERS := $(wildcard $(addsuffix /*.h,$(FOLDERS)))
check-headers: $(patsubst %,$(O)/headers/%.ok,$(HEADERS))

# An empty unit that includes it twice: it stands alone, and is guarded.
$(O)/headers/%.ok: % $(HEADERS)
	@mkdir -p $(@D)
	$(Q)printf '#include "%s"\n#include "%s"\n' $< $< | $(CC) $(CPPFLAGS) -std=gnu17 \
		$(WARN) -Werror -O1 -fsyntax-only -x c - && touch $@

check-errors:
	@tests/check-errors

C_SRCS = $(shell git ls-files -co --exclude-standard '*.c')
C_ALL = $(shell git ls-files -co --exclude-standard '*.c' '*.h')
SH_ALL = $(shell git grep -lI --untracked -e '^\#!/bin/bash' -- ':!*.md')

lint: lint-format lint-shell lint-cppcheck lint-tidy
.PHONY: lint-format lint-shell lint-cppcheck lint-tidy
lint-format:
	$(Q)clang-format --dry-run -Werror $(C_ALL)

lint-shell:
	$(Q)shellcheck -S warning $(SH_ALL)

# It does not know the cleanup attribute (unreadVariable, memleak, resourceLeak).
lint-cppcheck:
	$(Q)cppcheck --quiet --std=c11 --enable=warning,performance,portability \
		--inline-suppr --error-exitcode=1 -j$(shell nproc) \
		--suppress=missingIncludeSystem --suppress=unreadVariable \
		--suppress=memleak --suppress=resourceLeak \
		-I. -D_GNU_SOURCE $(addsuffix /,$(wildcard $(FOLDERS)))

$(O)/tidy/tests/micro/guest/%.ok: override CPPFLAGS += -m32 -ffreestanding
# Warnings of clang's that gcc's dialect has no part in.
TIDY_WNO := -Wno-unknown-warning-option -Wno-gnu-variable-sized-type-not-at-end
# One stamp a file, so that only what changed is read again.
TIDY = $(patsubst %,$(O)/tidy/%.ok,$(C_SRCS))
lint-tidy:
	@+$(MAKE) --no-print-directory $(JOBS) tidy-files
.PHONY: tidy-files
tidy-files: $(TIDY)
$(O)/tidy/%.ok: % .clang-tidy $(HEADERS)
	@mkdir -p $(@D)
	$(Q)clang-tidy --quiet $< -- $(CPPFLAGS) -std=gnu17 $(TIDY_WNO) \
		>$@.log 2>$@.err || { cat $@.log $@.err; exit 1; }
	@touch $@
	$(if $(Q),@echo "  TIDY  $<")

format:
	clang-format -i $(C_ALL)
