/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * irq-remap's ops over KVM. KVM_SET_GSI_ROUTING replaces the whole table, so
 * the pins of the IOAPIC are written first in every one of them; the PIC has
 * none, the machine does not have it (MADT, PCAT_COMPAT 0).
 *
 * One buffer serves all commits and only grows: irq-remap calls under its
 * table's lock, so there is never a second user.
 */

#include <string.h>
#include <sys/ioctl.h>

#include "vmm/priv.h"

#define KVM_GSIS 4096u /* KVM_MAX_IRQ_ROUTES: the highest GSI, plus one */

struct irqsink {
	int vm_fd; /* borrowed */
	bool wide; /* messages reach CPUs beyond 254 */
	struct kvm_irq_routing *table;
	size_t room; /* entries */
};

static int reserve(struct irqsink *s, size_t entries)
{
	struct kvm_irq_routing *table;
	size_t room = MAX(s->room, (size_t)GSI_PINS + 8);

	if (entries <= s->room)
		return 0;
	while (room < entries)
		room *= 2;
	table = realloc(s->table,
	                sizeof(*table) + room * sizeof(table->entries[0]));
	if (!table)
		return -ENOMEM;
	memset(table, 0, sizeof(*table));
	s->table = table;
	s->room = room;
	return 0;
}

static struct kvm_irq_routing_entry pin_route(uint32_t pin)
{
	return (struct kvm_irq_routing_entry){
		.gsi = pin,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = KVM_IRQCHIP_IOAPIC, .pin = pin },
	};
}

/* With KVM_CAP_X2APIC_API the upper half carries destination ids above 255
 * (bits 63:40 of the address as the guest wrote it). */
static struct kvm_irq_routing_entry msi_route(const struct irqsink *s,
                                              const struct irq_route *r)
{
	return (struct kvm_irq_routing_entry){
		.gsi = r->gsi,
		.type = KVM_IRQ_ROUTING_MSI,
		.u.msi = {
			.address_lo = (uint32_t)r->msg.addr,
			/* Bits 7:0 are reserved and KVM refuses the whole
			 * table for one of them: a guest's mistake must not
			 * cost another device its routes. */
			.address_hi = cpu_msi_upper(r->msg.addr, s->wide),
			.data = r->msg.data,
		},
	};
}

static int set_routes(void *ctx, const struct irq_route *routes, size_t n)
{
	struct irqsink *s = ctx;
	int r = reserve(s, GSI_PINS + n);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < GSI_PINS; i++)
		s->table->entries[i] = pin_route(i);
	for (size_t i = 0; i < n; i++)
		s->table->entries[GSI_PINS + i] = msi_route(s, &routes[i]);
	s->table->nr = (uint32_t)(GSI_PINS + n);
	return ioctl(s->vm_fd, KVM_SET_GSI_ROUTING, s->table) < 0 ? -errno : 0;
}

static int irqfd(struct irqsink *s, struct kvm_irqfd arg)
{
	return ioctl(s->vm_fd, KVM_IRQFD, &arg) < 0 ? -errno : 0;
}

static int irqfd_add(void *ctx, int eventfd, uint32_t gsi)
{
	return irqfd(ctx, (struct kvm_irqfd){
				  .fd = (uint32_t)eventfd,
				  .gsi = gsi,
			  });
}

static int irqfd_del(void *ctx, int eventfd, uint32_t gsi)
{
	return irqfd(ctx, (struct kvm_irqfd){
				  .fd = (uint32_t)eventfd,
				  .gsi = gsi,
				  .flags = KVM_IRQFD_FLAG_DEASSIGN,
			  });
}

/* The pin is up from `trigger` until the guest's end of interrupt, which
 * signals the `resample` of every line on it. */
static int line_add(void *ctx, int trigger, int resample, uint32_t gsi)
{
	return irqfd(ctx, (struct kvm_irqfd){
				  .fd = (uint32_t)trigger,
				  .resamplefd = (uint32_t)resample,
				  .gsi = gsi,
				  .flags = KVM_IRQFD_FLAG_RESAMPLE,
			  });
}

static const struct irq_sink_ops sink_ops = {
	.set_routes = set_routes,
	.irqfd_add = irqfd_add,
	.irqfd_del = irqfd_del,
	.line_add = line_add,
	.line_del = irqfd_del, /* lowers the pin with its last line */
};

int irqsink_init(struct vm *vm, struct diag *d)
{
	int r = -ENOMEM;

	vm->sink = calloc(1, sizeof(*vm->sink));
	if (vm->sink) {
		vm->sink->vm_fd = vm->fd;
		vm->sink->wide = vm->wide_ids;
		/* The pins: KVM's own first table has the PIC in it, too. */
		r = set_routes(vm->sink, NULL, 0);
	}
	if (r == 0)
		r = irq_table_new(&sink_ops, vm->sink, GSI_PINS,
		                  KVM_GSIS - GSI_PINS, &vm->irqs);
	if (r < 0) {
		diag_fail(d, r, FL_VMM_KVM, "the interrupt routes");
		diag_why(d, "KVM_SET_GSI_ROUTING: %s", strerror(-r));
		diag_mend_else(d, "journalctl -k | grep -i kvm");
	}
	return r;
}

void irqsink_fini(struct vm *vm)
{
	irq_table_free(vm->irqs);
	vm->irqs = NULL;
	if (vm->sink)
		free(vm->sink->table);
	free(vm->sink);
	vm->sink = NULL;
}
