# One file a line: two hands edit this list.
SRCS_vmm := \
	acpi.c \
	acpi_dsdt.c \
	aml.c \
	assign.c \
	assign_ops.c \
	assign_reset.c \
	boot.c \
	boot_bzimage.c \
	boot_pvh.c \
	bus.c \
	conn.c \
	conn_parse.c \
	console.c \
	cpuid.c \
	hotplug.c \
	io.c \
	irqsink.c \
	kvm.c \
	layout.c \
	lease.c \
	lease_own.c \
	loop.c \
	memory.c \
	park.c \
	pcihost.c \
	place.c \
	port.c \
	power.c \
	prefault.c \
	report.c \
	sandbox.c \
	say.c \
	serial.c \
	slot.c \
	storm.c \
	state.c \
	topology.c \
	trap.c \
	vcpu.c \
	vcpu_state.c \
	vectors.c \
	vm.c \
	windows.c \

LIBS_vmm := -ljansson -lseccomp -lpthread
