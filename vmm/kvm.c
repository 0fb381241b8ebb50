/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VM as KVM makes it: capabilities, interrupt controllers, timer, and
 * their state at power-on, kept for resets.
 *
 * Order (Documentation/virt/kvm/api.rst): TSS and identity map addresses
 * before any vCPU; KVM_CREATE_IRQCHIP before any vCPU and before PIT2; the
 * PMU and x2APIC capabilities before any vCPU.
 */

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/cpus.h"

/* Intel hosts without unrestricted guest need four pages that are nobody's:
 * above every BAR, below the flash that we do not have. */
#define KVM_IDENTITY_PAGE 0xfffbc000ull
#define KVM_TSS_PAGES 0xfffbd000ul

struct kvm_saved {
	struct kvm_irqchip chip[3]; /* PIC master, PIC slave, IOAPIC */
	struct kvm_pit_state2 pit;
};

static const struct {
	long cap;
	const char *name;
} needed[] = {
	{ KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP" },
	{ KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY" },
	{ KVM_CAP_READONLY_MEM, "KVM_CAP_READONLY_MEM" }, /* ROMs */
	{ KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR" },
	{ KVM_CAP_SET_IDENTITY_MAP_ADDR, "KVM_CAP_SET_IDENTITY_MAP_ADDR" },
	{ KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID" },
	{ KVM_CAP_MP_STATE, "KVM_CAP_MP_STATE" },
	{ KVM_CAP_PIT_STATE2, "KVM_CAP_PIT_STATE2" },
	{ KVM_CAP_ADJUST_CLOCK, "KVM_CAP_ADJUST_CLOCK" },
	{ KVM_CAP_VCPU_EVENTS, "KVM_CAP_VCPU_EVENTS" },
	{ KVM_CAP_DEBUGREGS, "KVM_CAP_DEBUGREGS" },
	{ KVM_CAP_IRQ_ROUTING, "KVM_CAP_IRQ_ROUTING" },
	{ KVM_CAP_IRQFD, "KVM_CAP_IRQFD" },
	{ KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT" },
	{ KVM_CAP_X2APIC_API, "KVM_CAP_X2APIC_API" },
	{ KVM_CAP_COALESCED_MMIO, "KVM_CAP_COALESCED_MMIO" },
	{ KVM_CAP_COALESCED_PIO, "KVM_CAP_COALESCED_PIO" }, /* 5.0, newest */
};

static int kvm_fail(struct diag *d, const char *what)
{
	int err = -errno;

	diag_fail(d, err, FL_VMM_KVM, "%s", what);
	diag_why(d, "KVM: %s", strerror(-err));
	diag_mend_else(d, "journalctl -k | grep -i kvm");
	return err;
}

static int check_caps(int kvm, struct diag *d)
{
	int version = ioctl(kvm, KVM_GET_API_VERSION, 0);

	if (version != KVM_API_VERSION) {
		diag_fail(d, -ENODEV, FL_VMM_KVM, "the KVM descriptor");
		diag_why(d,
		         version < 0 ? "it is not /dev/kvm: %s"
		                     : "KVM's interface is not version 12%s",
		         version < 0 ? strerror(errno) : "");
		diag_mend(d, "fairlead doctor");
		return -ENODEV;
	}
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		if (ioctl(kvm, KVM_CHECK_EXTENSION, needed[i].cap) > 0)
			continue;
		diag_fail(d, -EOPNOTSUPP, FL_VMM_KVM, "KVM on this host");
		diag_why(d, "it lacks %s", needed[i].name);
		diag_mend(d, "run Linux 5.0 or newer on the host");
		return -EOPNOTSUPP;
	}
	return 0;
}

static int enable_caps(struct vm *vm, struct diag *d)
{
	struct kvm_enable_cap x2apic = {
		.cap = KVM_CAP_X2APIC_API,
		/* Full ids in messages, and no broadcast to id 255. */
		.args = { KVM_X2APIC_API_USE_32BIT_IDS |
		          KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK },
	};
	/* Counters of the host tell a guest about its neighbours. Older
	 * hosts cannot turn them off; CPUID hides them in any case. */
	struct kvm_enable_cap pmu = {
		.cap = KVM_CAP_PMU_CAPABILITY,
		.args = { KVM_PMU_CAP_DISABLE },
	};

	if (ioctl(vm->fd, KVM_ENABLE_CAP, &x2apic) < 0)
		return kvm_fail(d, "enabling x2APIC ids");
	if (ioctl(vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_PMU_CAPABILITY) > 0)
		(void)!ioctl(vm->fd, KVM_ENABLE_CAP, &pmu);
	return 0;
}

static int cap_or(const struct vm *vm, long cap, int fallback)
{
	int n = ioctl(vm->fd, KVM_CHECK_EXTENSION, cap);

	return n > 0 ? n : fallback;
}

/* KVM sizes tables by the largest id, where it is told (5.19). */
static int limit_ids(struct vm *vm, struct diag *d)
{
	struct kvm_enable_cap limit = {
		.cap = KVM_CAP_MAX_VCPU_ID,
		.args = { cpu_id_last(&vm->shape) + 1 },
	};
	int cpus = cap_or(vm, KVM_CAP_MAX_VCPUS, 4);
	int ids = cap_or(vm, KVM_CAP_MAX_VCPU_ID, cpus);
	int r = cpu_ids_check(&vm->shape, (unsigned)cpus, (unsigned)ids, d);

	if (r == 0)
		(void)!ioctl(vm->fd, KVM_ENABLE_CAP, &limit);
	return r;
}

static int set_halt_poll(struct vm *vm, struct diag *d)
{
	struct kvm_enable_cap poll = {
		.cap = KVM_CAP_HALT_POLL,
		.args = { vm->cfg.cpu.halt_poll_ns },
	};
	int err;

	if (!vm->cfg.cpu.has_halt_poll ||
	    ioctl(vm->fd, KVM_ENABLE_CAP, &poll) == 0)
		return 0;
	err = -errno;
	diag_fail(d, err, FL_VMM_HALT_POLL, "halt-poll of %u ns",
	          vm->cfg.cpu.halt_poll_ns);
	diag_why(d, "KVM: %s", strerror(-err));
	diag_mend(d, "run Linux 5.11 or newer on the host, or leave "
	             "halt-poll: out of the policy");
	return err;
}

static int create_chips(struct vm *vm, struct diag *d)
{
	uint64_t identity = KVM_IDENTITY_PAGE;
	/* Nobody hears the speaker; without the dummy its port would exit. */
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };

	if (ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0)
		return kvm_fail(d, "KVM_SET_IDENTITY_MAP_ADDR");
	if (ioctl(vm->fd, KVM_SET_TSS_ADDR, KVM_TSS_PAGES) < 0)
		return kvm_fail(d, "KVM_SET_TSS_ADDR");
	if (ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return kvm_fail(d, "KVM_CREATE_IRQCHIP");
	if (ioctl(vm->fd, KVM_CREATE_PIT2, &pit) < 0)
		return kvm_fail(d, "KVM_CREATE_PIT2");
	return 0;
}

static int save_chips(struct vm *vm, struct diag *d)
{
	struct kvm_saved *s = vm->saved = calloc(1, sizeof(*s));

	if (!s) {
		errno = ENOMEM;
		return kvm_fail(d, "saving the state at power-on");
	}
	for (unsigned i = 0; i < ARRAY_SIZE(s->chip); i++) {
		s->chip[i].chip_id = i;
		if (ioctl(vm->fd, KVM_GET_IRQCHIP, &s->chip[i]) < 0)
			return kvm_fail(d, "KVM_GET_IRQCHIP");
	}
	if (ioctl(vm->fd, KVM_GET_PIT2, &s->pit) < 0)
		return kvm_fail(d, "KVM_GET_PIT2");
	return 0;
}

int kvm_vm_init(struct vm *vm, struct diag *d)
{
	int page, r = check_caps(vm->kvm, d);

	if (r < 0)
		return r;
	vm->fd = ioctl(vm->kvm, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		return kvm_fail(d, "KVM_CREATE_VM");
	page = ioctl(vm->kvm, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO);
	vm->coalesced.page = page > 0 ? (unsigned)page : 0;
	r = enable_caps(vm, d);
	if (r == 0)
		r = limit_ids(vm, d);
	if (r == 0)
		r = set_halt_poll(vm, d);
	if (r == 0)
		r = create_chips(vm, d);
	if (r == 0)
		r = save_chips(vm, d);
	return r;
}

int kvm_vm_reset(struct vm *vm, struct diag *d)
{
	struct kvm_saved *s = vm->saved;
	struct kvm_clock_data clock = { .clock = 0 };

	for (unsigned i = 0; i < ARRAY_SIZE(s->chip); i++)
		if (ioctl(vm->fd, KVM_SET_IRQCHIP, &s->chip[i]) < 0)
			return kvm_fail(d, "KVM_SET_IRQCHIP");
	if (ioctl(vm->fd, KVM_SET_PIT2, &s->pit) < 0)
		return kvm_fail(d, "KVM_SET_PIT2");
	if (ioctl(vm->fd, KVM_SET_CLOCK, &clock) < 0)
		return kvm_fail(d, "KVM_SET_CLOCK");
	return 0;
}

void kvm_vm_fini(struct vm *vm)
{
	free(vm->saved);
	vm->saved = NULL;
	close_fd(&vm->vfio_dev_fd);
	close_fd(&vm->fd);
	close_fd(&vm->kvm);
}

/* One KVM_DEV_TYPE_VFIO a VM; it tells KVM that devices come, so that their
 * cache flushes and interrupts are handled as they must be. */
int kvm_vfio_init(struct vm *vm, struct diag *d)
{
	struct kvm_create_device make = { .type = KVM_DEV_TYPE_VFIO };

	if (ioctl(vm->fd, KVM_CREATE_DEVICE, &make) < 0)
		return kvm_fail(d, "KVM_CREATE_DEVICE for VFIO");
	vm->vfio_dev_fd = (int)make.fd;
	return 0;
}

int kvm_vfio_add(struct vm *vm, int fd, struct diag *d)
{
	struct kvm_device_attr add = {
		.group = KVM_DEV_VFIO_FILE,
		.attr = KVM_DEV_VFIO_FILE_ADD,
		.addr = (uintptr_t)&fd,
	};

	/* Two functions of one group share its descriptor. */
	if (ioctl(vm->vfio_dev_fd, KVM_SET_DEVICE_ATTR, &add) < 0 &&
	    errno != EEXIST)
		return kvm_fail(d, "KVM_DEV_VFIO_FILE_ADD");
	return 0;
}

void kvm_vfio_del(struct vm *vm, int fd)
{
	struct kvm_device_attr del = {
		.group = KVM_DEV_VFIO_FILE,
		.attr = KVM_DEV_VFIO_FILE_DEL,
		.addr = (uintptr_t)&fd,
	};

	/* ENOENT: the descriptor was another function's, too. */
	if (vm->vfio_dev_fd >= 0)
		(void)!ioctl(vm->vfio_dev_fd, KVM_SET_DEVICE_ATTR, &del);
}

int coalesce_add(struct vm *vm, uint16_t port, uint16_t size)
{
	struct kvm_coalesced_mmio_zone zone = {
		.addr = port,
		.size = size,
		.pio = 1,
	};

	return ioctl(vm->fd, KVM_REGISTER_COALESCED_MMIO, &zone) < 0 ? -errno
	                                                             : 0;
}

/* Under the lock; `first` moves on only when its write has been done, so that
 * another vCPU that finds the ring not empty waits for it. */
static void drain_locked(struct vm *vm, struct kvm_coalesced_mmio_ring *ring)
{
	uint32_t max = vm->coalesced.max, first = ring->first % max;

	while (first != __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE) % max) {
		const struct kvm_coalesced_mmio *e =
			&ring->coalesced_mmio[first];
		unsigned width = MIN(e->len, 8u);

		bus_write(e->pio ? vm->pio : vm->mmio, e->phys_addr, width,
		          load_le(e->data, width));
		first = (first + 1) % max;
		__atomic_store_n(&ring->first, first, __ATOMIC_RELEASE);
	}
}

void coalesce_drain_ring(struct vm *vm)
{
	pthread_mutex_lock(&vm->coalesced.lock);
	drain_locked(vm, vm->coalesced.ring);
	pthread_mutex_unlock(&vm->coalesced.lock);
}

void kvm_irq_line(struct vm *vm, unsigned gsi, bool level)
{
	struct kvm_irq_level irq = { .irq = gsi, .level = level };

	/* It fails for a pin that does not exist only. */
	(void)!ioctl(vm->fd, KVM_IRQ_LINE, &irq);
}

/* As the port would write it. */
void kvm_signal_msi(struct vm *vm, uint64_t addr, uint32_t data)
{
	struct kvm_msi msi = {
		.address_lo = (uint32_t)addr,
		.address_hi = cpu_msi_upper(addr, vm->wide_ids),
		.data = data,
	};

	/* A message that goes to nobody is lost, as on hardware. */
	(void)!ioctl(vm->fd, KVM_SIGNAL_MSI, &msi);
}
