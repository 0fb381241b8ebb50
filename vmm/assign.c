/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The assigned functions. Order, each step because the kernel wants it so:
 *   1. KVM_DEV_VFIO_FILE_ADD for every function, so that KVM knows of the
 *      devices before one is opened;
 *   2. the DMA address space, once;
 *   3. vfio_dev_open() each: attaches, opens (the kernel resets it), takes the
 *      layout. type1 cannot map before, iommufd learns reserved ranges by it;
 *   4. one DMA map each RAM region;
 *   5. BAR addresses (place.c).
 * Letting go runs backwards, and KVM's reference goes before the descriptor,
 * because a character device stays open as long as one of them is there.
 *
 * Locks: a function's `lock` keeps it alive through an access; vfio has its
 * own inside it.
 */

#include <string.h>

#include "vmm/assign.h"

/* ---- attaching -------------------------------------------------------------
 */

static struct assigned *find(struct vm *vm, uint8_t slot)
{
	for (unsigned i = 0; vm->assigned && i < vm->cfg.n_devices; i++)
		if (vm->cfg.device[i].slot == slot)
			return &vm->assigned[i];
	return NULL;
}

static int check_slots(const struct vm_config *c, struct diag *d)
{
	uint32_t seen = BIT(0); /* the host bridge */

	for (unsigned i = 0; i < c->n_devices; i++) {
		const struct vm_device *v = &c->device[i];

		if (v->slot > 31 || (seen & BIT(v->slot))) {
			diag_fail(d, -EINVAL, FL_VMM_SLOT, "put %s at slot %u",
			          v->bdf, v->slot);
			diag_why(d, "slots are 1 to 31, one a device");
			return -EINVAL;
		}
		seen |= BIT(v->slot);
	}
	return 0;
}

/* Bus 1 is behind the first port in the order of device numbers, which is the
 * order in which a guest would number them. */
static uint8_t bus_of(const struct vm_config *c, uint8_t slot)
{
	uint8_t bus = 1;

	for (unsigned i = 0; i < c->n_devices; i++)
		bus = (uint8_t)(bus + (c->device[i].slot < slot));
	return bus;
}

static int alloc_all(struct vm *vm, struct diag *d)
{
	const struct vm_config *c = &vm->cfg;

	vm->assigned = calloc(MAX(c->n_devices, 1u), sizeof(*vm->assigned));
	if (!vm->assigned)
		return diag_fail(d, -ENOMEM, FL_VMM_MEMORY,
		                 "memory for %u devices", c->n_devices);
	for (unsigned i = 0; i < c->n_devices; i++) {
		struct assigned *a = &vm->assigned[i];

		a->vm = vm;
		a->index = i;
		pthread_mutex_init(&a->lock, NULL);
		pthread_mutex_init(&a->fault_lock, NULL);
		for (unsigned k = 0; k < VFIO_RANGES; k++)
			a->bar[k] =
				(struct assigned_bar){ .owner = a, .index = k };
		a->window.bus = bus_of(c, c->device[i].slot);
	}
	return 0;
}

static int open_space(struct vm *vm, struct diag *d)
{
	int r = iommu_space_open(vm->cfg.backend, vm->cfg.iommu_fd, &vm->space,
	                         d);

	if (r == 0)
		vm->cfg.iommu_fd = -1; /* the space's now */
	return r;
}

static int open_one(struct vm *vm, unsigned i, struct diag *d)
{
	struct assigned *a = &vm->assigned[i];
	const struct vm_device *c = &vm->cfg.device[i];
	struct vfio_open o = {
		.bdf = c->bdf,
		.fd = c->fd,
		.space = vm->space,
		.irqs = vm->irqs,
		.guest_devid = (uint32_t)a->window.bus << 8,
		.place = { .behind_port = true },
		.host = &assign_host_ops,
		.host_ctx = a,
		.late_routes = true,
		.rom_fd = c->rom_fd,
		.no_rom = c->no_rom,
	};
	int r = vfio_dev_open(&o, &a->dev, d);

	/* Nothing from the tenant before may be left in it. */
	if (r == 0 && !vfio_dev_resets_alone(a->dev))
		r = vfio_dev_reset(a->dev, d);
	return r;
}

static int map_ram(struct vm *vm, struct diag *d)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < vm->mem.n; i++) {
		const struct mem_region *m = &vm->mem.region[i];
		const struct iommu_region region = {
			.iova = { .v = m->gpa.v },
			.size = m->size,
			.hva = m->hva,
			.memfd = vm->mem.memfd,
			.memfd_off = m->memfd_off,
			.writable = true,
		};

		r = iommu_map(vm->space, &region, d);
	}
	return r;
}

static int attach_all(struct vm *vm, struct diag *d)
{
	unsigned n = vm->cfg.n_devices;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < n; i++)
		r = kvm_vfio_add(vm, vm->cfg.device[i].fd, d);
	if (r == 0)
		r = open_space(vm, d);
	for (unsigned i = 0; r == 0 && i < n; i++)
		r = open_one(vm, i, d);
	if (r == 0)
		r = memory_settle(vm, d);
	if (r == 0)
		r = map_ram(vm, d);
	if (r == 0)
		r = place_all(vm, d);
	for (unsigned i = 0; r == 0 && i < n; i++)
		r = place_apply(&vm->assigned[i], d);
	return r;
}

int assign_all(struct vm *vm, struct diag *d)
{
	int r;

	if (!vm->cfg.n_devices)
		return 0;
	r = check_slots(&vm->cfg, d);
	if (r == 0)
		r = alloc_all(vm, d);
	if (r == 0)
		r = attach_all(vm, d);
	if (r < 0)
		assign_free_all(vm);
	return r;
}

/* ---- letting go ------------------------------------------------------------
 */

void assign_release(struct vm *vm, unsigned i)
{
	struct assigned *a;

	if (!vm->assigned || i >= vm->cfg.n_devices)
		return;
	a = &vm->assigned[i];
	pthread_mutex_lock(&a->lock);
	vfio_dev_close(TAKE_PTR(a->dev));
	pthread_mutex_unlock(&a->lock);
	if (vm->cfg.device[i].fd >= 0)
		kvm_vfio_del(vm, vm->cfg.device[i].fd);
	close_fd(&vm->cfg.device[i].fd);
}

void assign_free_all(struct vm *vm)
{
	if (!vm->assigned)
		return;
	for (unsigned i = 0; i < vm->cfg.n_devices; i++)
		assign_release(vm, i);
	iommu_space_close(TAKE_PTR(vm->space));
	for (unsigned i = 0; i < vm->cfg.n_devices; i++) {
		pthread_mutex_destroy(&vm->assigned[i].fault_lock);
		pthread_mutex_destroy(&vm->assigned[i].lock);
	}
	free(TAKE_PTR(vm->assigned));
}

/* ---- reset -----------------------------------------------------------------
 */

int assign_reset_all(struct vm *vm, struct diag *d)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && vm->assigned && i < vm->cfg.n_devices;
	     i++) {
		struct assigned *a = &vm->assigned[i];

		if (a->dev)
			r = vfio_dev_reset(a->dev, d);
		if (r == 0 && a->dev)
			r = place_apply(a, d);
	}
	return r;
}

void assign_bus_reset(struct vm *vm, uint8_t slot)
{
	struct assigned *a = find(vm, slot);
	struct diag d;

	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	/* Refused by the host: the guest's view is reset all the same. */
	if (a->dev && vfio_dev_reset(a->dev, &d) < 0)
		assign_keep_fault(a, &d);
	pthread_mutex_unlock(&a->lock);
}

/* ---- configuration cycles --------------------------------------------------
 */

uint32_t assign_cfg_read(struct vm *vm, uint8_t slot, unsigned off,
                         unsigned width)
{
	struct assigned *a = find(vm, slot);
	uint32_t value = UINT32_MAX;

	if (!a)
		return value;
	pthread_mutex_lock(&a->lock);
	if (a->dev)
		value = vfio_dev_cfg_read(a->dev, off, width);
	pthread_mutex_unlock(&a->lock);
	return value;
}

void assign_cfg_write(struct vm *vm, uint8_t slot, unsigned off, unsigned width,
                      uint32_t value)
{
	struct assigned *a = find(vm, slot);

	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	if (a->dev)
		vfio_dev_cfg_write(a->dev, off, width, value);
	assign_collect_fault(a);
	pthread_mutex_unlock(&a->lock);
}

/* ---- facts -----------------------------------------------------------------
 */

static struct vfio_dev *nth(struct vm *vm, unsigned i)
{
	return vm->assigned && i < vm->cfg.n_devices ? vm->assigned[i].dev
	                                             : NULL;
}

struct vfio_dev *assign_find(struct vm *vm, uint8_t slot)
{
	struct assigned *a = find(vm, slot);

	return a ? a->dev : NULL;
}

int assign_request_fd(struct vm *vm, unsigned i)
{
	struct vfio_dev *v = nth(vm, i);

	return v ? vfio_dev_request_fd(v) : -1;
}

int assign_late_fd(struct vm *vm, unsigned i)
{
	struct vfio_dev *v = nth(vm, i);

	return v ? vfio_dev_late_fd(v) : -1;
}

void assign_late_settle(struct vm *vm, unsigned i)
{
	struct assigned *a;

	if (!nth(vm, i))
		return;
	a = &vm->assigned[i];
	vfio_dev_late_settle(a->dev);
	/* Whoever is at work on the device collects for us. */
	if (pthread_mutex_trylock(&a->lock) != 0)
		return;
	assign_collect_fault(a);
	pthread_mutex_unlock(&a->lock);
}

struct assign_window assign_window(struct vm *vm, uint8_t slot)
{
	struct assigned *a = find(vm, slot);

	return a ? a->window
	         : (struct assign_window){ .bus = bus_of(&vm->cfg, slot) };
}

void assign_match_link(struct vm *vm, uint8_t slot, struct cfg_port *p)
{
	struct vfio_dev *v = assign_find(vm, slot);

	if (v)
		cfg_port_match_link(p, vfio_dev_layout(v));
}
