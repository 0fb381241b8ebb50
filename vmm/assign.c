/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The assigned functions. Order, each step because the kernel wants it so:
 *   1. KVM_DEV_VFIO_FILE_ADD for every function, so that KVM knows of the
 *      devices before one is opened;
 *   2. the DMA address space, once;
 *   3. vfio_dev_open() each: attaches, opens (the kernel resets it), takes the
 *      layout. type1 cannot map before, iommufd learns reserved ranges by it;
 *   4. a reset of those whose bus is reset as a whole (assign_reset.c);
 *   5. one DMA map each RAM region;
 *   6. BAR addresses (place.c).
 * A function that comes later, into a guest that runs, goes the same way up to
 * 5, and finds the maps there; the guest gives it addresses.
 * Letting go runs backwards, and KVM's reference goes before the descriptor,
 * because a character device stays open as long as one of them is there.
 *
 * Entries of cfg.device and of assigned[] go together; released ones are used
 * again. The main thread alone makes and releases; cfg.device is its own.
 *
 * Locks: a function's `lock` keeps it alive through an access; vfio has its
 * own inside it. Who needs those of several takes them by ascending index.
 */

#include <string.h>

#include "vmm/assign.h"

/* ---- attaching ----------------------------------------------------------- */

static int alloc_all(struct vm *vm, struct diag *d)
{
	vm->assigned = calloc(VM_DEVICES_MAX, sizeof(*vm->assigned));
	if (!vm->assigned || windows_new(&vm->windows) < 0)
		return diag_fail(d, -ENOMEM, FL_VMM_MEMORY,
		                 "memory for devices");
	for (unsigned i = 0; i < VM_DEVICES_MAX; i++) {
		struct assigned *a = &vm->assigned[i];

		a->vm = vm;
		a->index = i;
		pthread_mutex_init(&a->lock, NULL);
		pthread_mutex_init(&a->fault_lock, NULL);
		for (unsigned k = 0; k < VFIO_RANGES; k++)
			a->bar[k] =
				(struct assigned_bar){ .owner = a, .index = k };
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

static struct vfio_open description(struct assigned *a, const uint32_t *gsi)
{
	struct vm *vm = a->vm;
	const struct vm_device *c = &vm->cfg.device[a->index];

	return (struct vfio_open){
		.bdf = c->bdf,
		.fd = c->fd,
		.space = vm->space,
		.irqs = vm->irqs,
		.guest_devid =
			(uint32_t)topology_bus(vm, c->slot) << 8 | c->function,
		.place = { .behind_port = true,
		           .multifunction =
		                   !c->function && topology_has_more(vm, c) },
		.host = &assign_host_ops,
		.host_ctx = a,
		.late_routes = true,
		.intx_gsi = gsi,
		.rom_fd = c->rom_fd,
		.no_rom = c->no_rom,
	};
}

static int open_one(struct vm *vm, unsigned i, struct diag *d)
{
	struct assigned *a = &vm->assigned[i];
	const struct vm_device *c = &vm->cfg.device[i];
	struct vfio_dev *v = NULL;
	uint32_t gsi[4];
	struct vfio_open o;
	struct bdf at = { 0 };
	int r;

	for (unsigned pin = 1; pin <= ARRAY_SIZE(gsi); pin++)
		gsi[pin - 1] = topology_gsi(c->slot, pin);
	o = description(a, gsi);
	/* Nothing of it decodes: it asks for no window. */
	windows_hold(vm);
	r = vfio_dev_open(&o, &v, d);
	windows_unhold(vm);
	if (r < 0)
		return r;
	(void)!bdf_parse(c->bdf, &at); /* the attach found it */
	a->bus = (uint64_t)at.domain << 8 | at.bus;
	pthread_mutex_lock(&a->lock);
	memset(a->at, 0, sizeof(a->at));
	a->dev = v;
	a->place = ASSIGN_PLACE(c->slot, c->function);
	vm->function[a->place] = a;
	pthread_mutex_unlock(&a->lock);
	return 0;
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

static int map_once(struct vm *vm, struct diag *d)
{
	int r = vm->mapped ? 0 : map_ram(vm, d);

	vm->mapped = r == 0;
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
		r = reset_check(vm, 0, d);
	if (r == 0)
		r = memory_wait(vm, d);
	if (r == 0)
		r = memory_settle(vm, d);
	if (r == 0)
		r = map_once(vm, d);
	if (r == 0)
		windows_share(vm);
	return r;
}

static int place(struct vm *vm, struct diag *d)
{
	int r = place_all(vm, d);

	for (unsigned i = 0; r == 0 && i < vm->cfg.n_devices; i++)
		if (vm->assigned[i].dev)
			r = place_apply(&vm->assigned[i], d);
	return r;
}

int assign_all(struct vm *vm, struct diag *d)
{
	int r = topology_init(vm, d);

	/* One that is plugged in later is refused then, if it must be. */
	if (r == 0 && vm->cfg.n_devices)
		r = iommu_pin_check(vm->cfg.memory, d);
	if (r == 0)
		r = alloc_all(vm, d);
	if (r == 0 && vm->ports)
		r = kvm_vfio_init(vm, d);
	if (r == 0 && vm->cfg.n_devices)
		r = attach_all(vm, d);
	if (r == 0)
		r = place(vm, d);
	if (r < 0)
		assign_free_all(vm);
	return r;
}

/* ---- while the guest runs ------------------------------------------------ */

/* An entry that is free: what was there has been released. */
static int free_index(const struct vm *vm)
{
	for (unsigned i = 0; i < vm->cfg.n_devices; i++)
		if (vm->cfg.device[i].fd < 0)
			return (int)i;
	return vm->cfg.n_devices < VM_DEVICES_MAX ? (int)vm->cfg.n_devices : -1;
}

static int add_at(struct vm *vm, unsigned i, struct diag *d)
{
	int r = kvm_vfio_add(vm, vm->cfg.device[i].fd, d);

	if (r == 0 && !vm->space)
		r = open_space(vm, d);
	if (r == 0)
		r = open_one(vm, i, d);
	/* The slot is whole once function 0 is there. */
	if (r == 0 && !vm->cfg.device[i].function)
		r = reset_check(vm, vm->cfg.device[i].slot, d);
	if (r == 0)
		r = map_once(vm, d);
	if (r == 0)
		windows_share(vm);
	return r;
}

static int check_add(struct vm *vm, const struct vm_device *device, int i,
                     struct diag *d)
{
	if (i >= 0)
		return topology_check(vm, device, d);
	diag_fail(d, -ENOSPC, FL_VMM_SLOT, "attach %s", device->bdf);
	diag_why(d, "a guest has %d functions at most", VM_DEVICES_MAX);
	diag_mend(d, "fairlead detach GUEST DEVICE");
	return -ENOSPC;
}

int assign_add(struct vm *vm, struct vm_device *device, struct diag *d)
{
	int i = free_index(vm), r = check_add(vm, device, i, d);

	if (r < 0) {
		close_fd(&device->fd);
		close_fd(&device->rom_fd);
		return r;
	}
	vm->cfg.device[i] = *device;
	device->fd = device->rom_fd = -1;
	vm->cfg.n_devices = MAX(vm->cfg.n_devices, (unsigned)i + 1);
	r = add_at(vm, (unsigned)i, d);
	if (r < 0)
		assign_release(vm, (unsigned)i);
	return r;
}

/* ---- letting go ---------------------------------------------------------- */

/* KVM knows files, and functions of one group share one: what is still needed
 * is put back. */
static void forget_file(struct vm *vm, unsigned i)
{
	struct diag d;

	kvm_vfio_del(vm, vm->cfg.device[i].fd);
	for (unsigned k = 0; k < vm->cfg.n_devices; k++)
		if (k != i && vm->cfg.device[k].fd >= 0)
			(void)!kvm_vfio_add(vm, vm->cfg.device[k].fd, &d);
}

/* Nobody finds it there any more. */
static void leave_place(struct assigned *a)
{
	if (a->place)
		a->vm->function[a->place] = NULL;
	a->place = 0;
}

void assign_release(struct vm *vm, unsigned i)
{
	struct assigned *a;

	if (!vm->assigned || i >= vm->cfg.n_devices)
		return;
	a = &vm->assigned[i];
	leave_place(a);
	pthread_mutex_lock(&a->lock);
	vfio_dev_close(TAKE_PTR(a->dev));
	a->refused = false;
	a->due = false;
	a->moved = false;
	pthread_mutex_unlock(&a->lock);
	windows_share(vm);
	if (vm->cfg.device[i].fd >= 0) {
		forget_file(vm, i);
		windows_hold(vm);
		if (vm->space && iommu_detach(vm->space, vm->cfg.device[i].fd))
			vm->mapped = false;
		windows_unhold(vm);
	}
	close_fd(&vm->cfg.device[i].fd);
	close_fd(&vm->cfg.device[i].rom_fd);
	assign_offer_others_soon(a);
}

void assign_free_all(struct vm *vm)
{
	if (!vm->assigned)
		return;
	for (unsigned i = 0; vm->windows && i < vm->cfg.n_devices; i++)
		assign_release(vm, i);
	iommu_space_close(TAKE_PTR(vm->space));
	vm->mapped = false;
	for (unsigned i = 0; i < VM_DEVICES_MAX; i++) {
		pthread_mutex_destroy(&vm->assigned[i].fault_lock);
		pthread_mutex_destroy(&vm->assigned[i].lock);
	}
	free(TAKE_PTR(vm->assigned));
	windows_free(TAKE_PTR(vm->windows));
}

/* ---- configuration cycles ------------------------------------------------ */

/* Locked, and whoever is there stays until unlock; NULL = nobody. Functions
 * come and go: what was found without the lock is looked at again with it. */
static inline struct assigned *enter(struct vm *vm, uint8_t slot, uint8_t fn)
{
	const uint16_t place = ASSIGN_PLACE(slot, fn);
	struct assigned *a = vm->function[place];

	if (!a)
		return NULL;
	pthread_mutex_lock(&a->lock);
	if (a->place == place && a->dev)
		return a;
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

uint32_t assign_cfg_read(struct vm *vm, uint8_t slot, uint8_t fn, unsigned off,
                         unsigned width)
{
	struct assigned *a = enter(vm, slot, fn);
	uint32_t value;

	if (!a)
		return UINT32_MAX;
	value = vfio_dev_cfg_read(a->dev, off, width);
	pthread_mutex_unlock(&a->lock);
	return value;
}

void assign_cfg_write(struct vm *vm, uint8_t slot, uint8_t fn, unsigned off,
                      unsigned width, uint32_t value)
{
	struct assigned *a = enter(vm, slot, fn);
	bool moved;

	if (!a)
		return;
	if (!vfio_dev_cfg_write(a->dev, off, width, value))
		assign_collect_fault(a);
	assign_offer_due(a);
	moved = assign_has_moved(a);
	pthread_mutex_unlock(&a->lock);
	if (moved)
		assign_offer_others(a);
}

/* ---- facts --------------------------------------------------------------- */

struct vfio_dev *assign_device(struct vm *vm, unsigned i)
{
	return vm->assigned && i < vm->cfg.n_devices ? vm->assigned[i].dev
	                                             : NULL;
}

int assign_request_fd(struct vm *vm, unsigned i)
{
	struct vfio_dev *v = assign_device(vm, i);

	return v ? vfio_dev_request_fd(v) : -1;
}

int assign_late_fd(struct vm *vm, unsigned i)
{
	struct vfio_dev *v = assign_device(vm, i);

	return v ? vfio_dev_late_fd(v) : -1;
}

void assign_late_settle(struct vm *vm, unsigned i)
{
	struct assigned *a;

	if (!assign_device(vm, i))
		return;
	a = &vm->assigned[i];
	vfio_dev_late_settle(a->dev);
	/* Whoever is at work on the device collects for us. */
	if (pthread_mutex_trylock(&a->lock) != 0)
		return;
	assign_collect_fault(a);
	pthread_mutex_unlock(&a->lock);
}

/* Function 0's: they share one link. */
void assign_match_link(struct vm *vm, uint8_t slot, struct cfg_port *p)
{
	for (unsigned i = 0; i < vm->cfg.n_devices; i++) {
		const struct vm_device *c = &vm->cfg.device[i];
		struct vfio_dev *v = assign_device(vm, i);

		if (v && c->slot == slot && !c->function)
			cfg_port_match_link(p, vfio_dev_layout(v));
	}
}
