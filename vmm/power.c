/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power off and reset, as the FADT of a hardware-reduced machine describes
 * them (ACPI 6.5, 4.8.3.7 and 5.2.9): three byte registers at PORT_ACPI.
 *
 *   0  sleep control   bits 4:2 SLP_TYP, bit 5 SLP_EN; S5 is 5
 *   1  sleep status    bit 7 WAK_STS; never set, this machine does not wake
 *   2  reset           write 1
 *
 * The button is a control method one (4.8.2.2.1.2), of a Generic Event Device
 * (5.6.9): an edge of GSI_EVENTS, whose _EVT notifies PWRB.
 *
 * Beside them an older way, because kernels try it: the keyboard controller's
 * pulse (0x64 <- 0xfe). The chipset's register at 0xcf9 is not there: it lies
 * among the host bridge's ports, which KVM queues writes to.
 */

#include "vmm/priv.h"

enum {
	SLP_EN = 0x20,
	KBC_COMMAND = 0x64,
	KBC_OUTPUT_FULL = 0x01,
	KBC_PULSE_RESET = 0xfe,
};
#define SLP_TYP 0x1cu

static uint64_t power_read(void *ctx, uint64_t off, unsigned width)
{
	(void)ctx;
	(void)off;
	(void)width;
	return 0;
}

static void write_byte(struct vm *vm, uint64_t reg, uint8_t v)
{
	if (reg == ACPI_SLEEP_CONTROL && (v & SLP_EN) &&
	    FIELD_GET(SLP_TYP, v) == ACPI_S5)
		vm_request(vm, VM_REQ_POWEROFF);
	else if (reg == ACPI_RESET && v == ACPI_RESET_VALUE)
		vm_request(vm, VM_REQ_RESET);
}

static void power_write(void *ctx, uint64_t off, unsigned width, uint64_t value)
{
	for (unsigned i = 0; i < width; i++)
		write_byte(ctx, off + i, (uint8_t)(value >> 8 * i));
}

/* No controller is behind it. "Input buffer empty" lets a kernel's reset go on
 * at once; "output buffer full" for ever tells its keyboard driver within a
 * few reads that there is none, where 0 would have it wait half a second. */
static uint64_t kbc_read(void *ctx, uint64_t off, unsigned width)
{
	(void)ctx;
	(void)off;
	(void)width;
	return KBC_OUTPUT_FULL;
}

static void kbc_write(void *ctx, uint64_t off, unsigned width, uint64_t value)
{
	(void)off;
	(void)width;
	if ((value & 0xff) == KBC_PULSE_RESET)
		vm_request(ctx, VM_REQ_RESET);
}

static const struct bus_ops power_ops = {
	.read = power_read,
	.write = power_write,
};
static const struct bus_ops kbc_ops = {
	.read = kbc_read,
	.write = kbc_write,
};

int power_init(struct vm *vm)
{
	int r = bus_add(vm->pio, PORT_ACPI, ACPI_PORTS, EXIT_POWER, &power_ops,
	                vm);

	if (r == 0)
		r = bus_add(vm->pio, KBC_COMMAND, 1, EXIT_POWER, &kbc_ops, vm);
	return r;
}

void power_button(struct vm *vm)
{
	kvm_irq_line(vm, GSI_EVENTS, true);
	kvm_irq_line(vm, GSI_EVENTS, false);
}
