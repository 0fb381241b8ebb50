/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/vfio/fake.h"

#include <fcntl.h>
#include <linux/pci_regs.h>
#include <sys/mman.h>
#include <unistd.h>

#define REGION_SHIFT 40 /* as vfio-pci lays out its file */

/* Those that are open, and whose file is spoken to: the kernel's calls have no
 * context of their own. */
static struct fake *all, *now;

static void select_fake(int fd)
{
	for (now = all; now; now = now->next)
		if (now->fd == fd)
			return;
	fail_msg("call on descriptor %d, which is no device's", fd);
}

void fake_note(struct fake *f, const char *fmt, ...)
{
	size_t len = strlen(f->journal);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->journal + len, sizeof(f->journal) - len, fmt, ap);
	va_end(ap);
}

void fake_forget(struct fake *f)
{
	f->journal[0] = '\0';
}

void fake_expect(struct fake *f, const char *want)
{
	if (strcmp(f->journal, want) != 0)
		fail_msg("journal:\n%swanted:\n%s", f->journal, want);
	fake_forget(f);
}

/* ---- the kernel ---- */

static int get_info(struct vfio_device_info *info)
{
	info->flags = VFIO_DEVICE_FLAGS_PCI |
	              (now->no_reset ? 0 : VFIO_DEVICE_FLAGS_RESET);
	return 0;
}

static int get_region(struct vfio_region_info *info)
{
	info->offset = (uint64_t)info->index << REGION_SHIFT;
	info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	info->size = 0;
	if (info->index == VFIO_PCI_CONFIG_REGION_INDEX)
		info->size = CFG_SIZE_PCI;
	if (info->index == VFIO_PCI_ROM_REGION_INDEX)
		info->size = now->rom_size;
	if (info->index == 0)
		info->size = now->bar0_size;
	if (info->index == 2)
		info->size = now->bar2_size;
	if (info->index == 4)
		info->size = now->bar4_size;
	if (info->index < 4 && info->size)
		info->flags |= VFIO_REGION_INFO_FLAG_MMAP;
	return 0;
}

static int get_irq(struct vfio_irq_info *info)
{
	info->count = 1;
	if (info->index == VFIO_PCI_MSIX_IRQ_INDEX)
		info->count = now->vectors;
	if (info->index == VFIO_PCI_REQ_IRQ_INDEX && now->no_request)
		return -EINVAL;
	if (info->index == VFIO_PCI_INTX_IRQ_INDEX)
		info->count = now->pin && !now->no_intx;
	if (info->index == VFIO_PCI_ERR_IRQ_INDEX && !now->err_count)
		return -EINVAL;
	info->flags = VFIO_IRQ_INFO_EVENTFD;
	if (info->index != VFIO_PCI_MSIX_IRQ_INDEX || !now->dynamic)
		info->flags |= VFIO_IRQ_INFO_NORESIZE;
	return 0;
}

static const char *index_name(uint32_t index)
{
	return index == VFIO_PCI_MSIX_IRQ_INDEX  ? "MSIX"
	       : index == VFIO_PCI_MSI_IRQ_INDEX ? "MSI"
	                                         : "?";
}

/* The block is masked up to the vector that failed, as the kernel does; what
 * comes after it stays as it was. */
static int refuse_block(const struct vfio_irq_set *set)
{
	for (unsigned i = set->start; (int)i <= now->refuse_vector; i++)
		now->armed[i] = false;
	fake_note(now, " refused\n");
	return -ENOSPC;
}

static int set_block(const struct vfio_irq_set *set)
{
	int32_t fd[FAKE_VECTORS_MAX];
	bool bad = false;

	assert_true(set->count <= FAKE_VECTORS_MAX);
	assert_true(set->argsz >= sizeof(*set) + set->count * sizeof(int32_t));
	memcpy(fd, set->data, set->count * sizeof(int32_t));
	fake_note(now, "irqs %s %u:", index_name(set->index), set->start);
	for (unsigned i = 0; i < set->count; i++) {
		fake_note(now, fd[i] < 0 ? " -" : " +");
		bad |= fd[i] >= 0 &&
		       (int)(set->start + i) == now->refuse_vector;
	}
	if (now->index != set->index) {
		assert_int_equal(now->index, IRQ_OFF); /* or EINVAL */
		if (now->available && now->available < set->count) {
			fake_note(now, " only %u\n", now->available);
			return (int)now->available;
		}
		if (bad)
			return refuse_block(set);
		now->index = set->index;
		now->allocated = set->start + set->count;
	} else if (bad) {
		return refuse_block(set);
	}
	for (unsigned i = 0; i < set->count; i++) {
		/* Without dynamic vectors only those of the enabling. */
		if (fd[i] >= 0 && !now->dynamic)
			assert_true(set->start + i < now->allocated);
		now->armed[set->start + i] = fd[i] >= 0;
	}
	fake_note(now, "\n");
	return 0;
}

static const char *intx_action(const struct vfio_irq_set *set)
{
	bool eventfd = set->flags & VFIO_IRQ_SET_DATA_EVENTFD;

	switch (set->flags & VFIO_IRQ_SET_ACTION_TYPE_MASK) {
	case VFIO_IRQ_SET_ACTION_TRIGGER:
		return eventfd ? "trigger" : "off";
	case VFIO_IRQ_SET_ACTION_UNMASK:
		return eventfd ? "resample" : "unmask";
	default:
		assert_false(eventfd); /* ENOTTY in the kernel */
		return "mask";
	}
}

/* As the kernel: a trigger is the enabling, and all else needs it. */
static int set_intx(const struct vfio_irq_set *set)
{
	const char *action = intx_action(set);
	bool trigger = !strcmp(action, "trigger"), off = !strcmp(action, "off");
	bool refuse = now->refuse_action && !strcmp(action, now->refuse_action);
	int32_t fd;

	assert_int_equal(now->index,
	                 trigger ? IRQ_OFF : VFIO_PCI_INTX_IRQ_INDEX);
	assert_int_equal(set->count, !off);
	fake_note(now, "intx %s%s\n", action, refuse ? " refused" : "");
	if (set->flags & VFIO_IRQ_SET_DATA_EVENTFD) {
		assert_true(set->argsz >= sizeof(*set) + sizeof(fd));
		memcpy(&fd, set->data, sizeof(fd));
		assert_int_equal(fd, trigger ? now->trigger : now->resample);
	}
	if (refuse)
		return -EBUSY;
	now->index = off ? IRQ_OFF : VFIO_PCI_INTX_IRQ_INDEX;
	return 0;
}

static int set_irqs(const struct vfio_irq_set *set)
{
	if (set->index == VFIO_PCI_INTX_IRQ_INDEX)
		return set_intx(set);
	if ((int)set->index == now->refuse_index)
		return -EPERM;
	if (set->index == VFIO_PCI_REQ_IRQ_INDEX ||
	    set->index == VFIO_PCI_ERR_IRQ_INDEX)
		return 0;
	if (set->flags & VFIO_IRQ_SET_DATA_NONE) {
		assert_int_equal(set->count, 0);
		assert_int_equal(now->index, set->index);
		fake_note(now, "irqs %s off\n", index_name(set->index));
		now->index = IRQ_OFF;
		memset(now->armed, 0, sizeof(now->armed));
		return 0;
	}
	return set_block(set);
}

static int get_bus(struct vfio_pci_hot_reset_info *info)
{
	size_t size = now->n_bus * sizeof(now->bus[0]);

	if (now->bus_error)
		return -now->bus_error;
	info->flags = now->devids ? VFIO_PCI_HOT_RESET_FLAG_DEV_ID : 0;
	info->count = now->n_bus;
	if (info->argsz < sizeof(*info) + size)
		return -ENOSPC;
	memcpy(info->devices, now->bus, size);
	return 0;
}

static int busy(void)
{
	if (!now->reset_busy)
		return 0;
	now->reset_busy--;
	fake_note(now, "busy\n");
	return -EAGAIN;
}

/* Of all that are open: their interrupts must be off. */
static int hot_reset(const struct vfio_pci_hot_reset *arg)
{
	assert_int_equal(now->devids, !arg->count);
	for (const struct fake *f = all; f; f = f->next)
		assert_int_equal(f->index, IRQ_OFF);
	if (busy())
		return -EAGAIN;
	fake_note(now, "hot reset %u\n", arg->count);
	return now->reset_error;
}

/* True when this call is to fail. */
static bool fails(int fd, const char *what)
{
	select_fake(fd);
	if (++now->calls != now->fail_call)
		return false;
	now->failed = what;
	return true;
}

static const char *ioctl_name(unsigned long request)
{
	switch (request) {
	case VFIO_DEVICE_GET_INFO:
		return "VFIO_DEVICE_GET_INFO";
	case VFIO_DEVICE_GET_REGION_INFO:
		return "VFIO_DEVICE_GET_REGION_INFO";
	case VFIO_DEVICE_GET_IRQ_INFO:
		return "VFIO_DEVICE_GET_IRQ_INFO";
	case VFIO_DEVICE_SET_IRQS:
		return "VFIO_DEVICE_SET_IRQS";
	default:
		return "?";
	}
}

static int fake_ioctl(int fd, unsigned long request, void *arg)
{
	if (fails(fd, ioctl_name(request))) {
		if (request == VFIO_DEVICE_GET_IRQ_INFO)
			now->failed_irq = ((struct vfio_irq_info *)arg)->index;
		return -now->fail_error;
	}
	switch (request) {
	case VFIO_DEVICE_GET_INFO:
		return get_info(arg);
	case VFIO_DEVICE_GET_REGION_INFO:
		return get_region(arg);
	case VFIO_DEVICE_GET_IRQ_INFO:
		return get_irq(arg);
	case VFIO_DEVICE_SET_IRQS:
		return set_irqs(arg);
	case VFIO_DEVICE_RESET:
		assert_int_equal(now->index, IRQ_OFF);
		assert_false(now->no_reset);
		if (busy())
			return -EAGAIN;
		fake_note(now, "reset\n");
		return now->reset_error;
	case VFIO_DEVICE_GET_PCI_HOT_RESET_INFO:
		return get_bus(arg);
	case VFIO_DEVICE_PCI_HOT_RESET:
		return hot_reset(arg);
	default:
		return -ENOTTY;
	}
}

uint8_t fake_rom(uint64_t off)
{
	static const uint8_t signature[] = { 0x55, 0xaa };

	return off < 2 ? signature[off] : (uint8_t)(off * 7 + off / 256);
}

/* As the kernel: only while the device decodes memory. */
static int read_rom(uint8_t *buf, size_t len, uint64_t at)
{
	fake_note(now, "read rom\n");
	if (now->rom_error)
		return -now->rom_error;
	assert_true(now->command & PCI_COMMAND_MEMORY);
	assert_true(range_inside(at, len, now->rom_size));
	for (size_t i = 0; i < len; i++)
		buf[i] = fake_rom(at + i);
	return 0;
}

static int fake_read(int fd, void *buf, size_t len, uint64_t off)
{
	uint64_t at = off & (BIT64(REGION_SHIFT) - 1);

	if (fails(fd, "read"))
		return -now->fail_error;
	if (off >> REGION_SHIFT == VFIO_PCI_CONFIG_REGION_INDEX) {
		if (now->config_error)
			return -now->config_error;
		assert_true(range_inside(at, len, sizeof(now->config)));
		memcpy(buf, now->config + at, len);
		return 0;
	}
	if (off >> REGION_SHIFT == VFIO_PCI_ROM_REGION_INDEX)
		return read_rom(buf, len, at);
	if (off >= FAKE_BAR0_SIZE) {
		fake_note(now, "bar %u %x\n", (unsigned)(off >> REGION_SHIFT),
		          (unsigned)at);
		memset(buf, 0xdd, len);
		return 0;
	}
	assert_true(range_inside(at, len, FAKE_BAR0_SIZE));
	memcpy(buf, (const char *)now->reg + at, len);
	return 0;
}

static int fake_write(int fd, const void *buf, size_t len, uint64_t off)
{
	uint64_t at = off & (BIT64(REGION_SHIFT) - 1);

	if (fails(fd, "write"))
		return -now->fail_error;
	if (off >> REGION_SHIFT == VFIO_PCI_CONFIG_REGION_INDEX) {
		assert_true(range_inside(at, len, sizeof(now->config)));
		if (at == PCI_COMMAND)
			now->command = (uint16_t)load_le(buf, 2);
		fake_note(now, "cfg %x=%0*x\n", (unsigned)at, (int)len * 2,
		          (unsigned)load_le(buf, (unsigned)len));
		return 0;
	}
	if (off >= FAKE_BAR0_SIZE) {
		fake_note(now, "bar %u %x=%0*x\n",
		          (unsigned)(off >> REGION_SHIFT), (unsigned)at,
		          (int)len * 2, (unsigned)load_le(buf, (unsigned)len));
		return 0;
	}
	assert_true(range_inside(at, len, FAKE_BAR0_SIZE));
	memcpy((char *)now->reg + at, buf, len);
	return 0;
}

static int fake_map(int fd, uint64_t off, uint64_t size, void *at)
{
	if (fails(fd, "mmap"))
		return -now->fail_error;
	assert_true(IS_ALIGNED(off | size, PAGE));
	return mprotect(at, size, PROT_READ | PROT_WRITE) < 0 ? -errno : 0;
}

static const struct vfio_kern KERN = {
	.ioctl = fake_ioctl,
	.read = fake_read,
	.write = fake_write,
	.map = fake_map,
};

/* ---- the function's configuration space ---- */

static void put(struct fake *f, unsigned off, unsigned width, uint32_t value)
{
	store_le(f->config + off, width, value);
}

static void put_msix(struct fake *f)
{
	put(f, FAKE_MSIX_CAP, 2, PCI_CAP_ID_MSIX | FAKE_MSI_CAP << 8);
	put(f, FAKE_MSIX_CAP + PCI_MSIX_FLAGS, 2, f->vectors - 1);
	put(f, FAKE_MSIX_CAP + PCI_MSIX_TABLE, 4, FAKE_TABLE_OFF);
	put(f, FAKE_MSIX_CAP + PCI_MSIX_PBA, 4, 0x4000);
}

static void put_config(struct fake *f)
{
	unsigned log = 0;

	put(f, PCI_VENDOR_ID, 4, f->ids);
	put(f, PCI_STATUS, 2, PCI_STATUS_CAP_LIST);
	put(f, PCI_CLASS_REVISION, 4, f->class << 8 | 1);
	put(f, PCI_BASE_ADDRESS_0, 4,
	    0xfe000000 | PCI_BASE_ADDRESS_MEM_TYPE_64);
	put(f, PCI_BASE_ADDRESS_2, 4,
	    0xfd000000 | PCI_BASE_ADDRESS_MEM_TYPE_64);
	put(f, PCI_BASE_ADDRESS_4, 4, 0xc000 | PCI_BASE_ADDRESS_SPACE_IO);
	put(f, PCI_CAPABILITY_LIST, 1, FAKE_PM_CAP);
	put(f, FAKE_PM_CAP, 2, PCI_CAP_ID_PM | FAKE_EXP_CAP << 8);
	put(f, FAKE_PM_CAP + PCI_PM_PMC, 2, 3);
	put(f, PCI_INTERRUPT_PIN, 1, f->pin);
	put(f, FAKE_EXP_CAP, 2,
	    PCI_CAP_ID_EXP | (f->vectors       ? FAKE_MSIX_CAP << 8
	                      : f->msi_vectors ? FAKE_MSI_CAP << 8
	                                       : 0));
	put(f, FAKE_EXP_CAP + PCI_EXP_FLAGS, 2, 2);
	put(f, FAKE_EXP_CAP + PCI_EXP_DEVCAP, 4, PCI_EXP_DEVCAP_FLR);
	if (f->vectors)
		put_msix(f);
	while (1u << log < f->msi_vectors)
		log++;
	if (f->msi_vectors) {
		put(f, FAKE_MSI_CAP, 2, PCI_CAP_ID_MSI);
		put(f, FAKE_MSI_CAP + PCI_MSI_FLAGS, 2,
		    log << 1 | (f->plain_msi ? 0u
		                             : PCI_MSI_FLAGS_64BIT |
		                                       PCI_MSI_FLAGS_MASKBIT));
	} else if (f->vectors) {
		put(f, FAKE_MSIX_CAP, 2, PCI_CAP_ID_MSIX);
	}
}

/* ---- a device, opened ---- */

void fake_init(struct fake *f)
{
	*f = (struct fake){
		.bdf = "0000:01:10.0",
		.fd = -1,
		.refuse_index = -1,
		.vectors = 5,
		.dynamic = true,
		.refuse_vector = -1,
		.index = IRQ_OFF,
		.ids = 0x10ca8086,
		.class = 0x020000,
		.bar0_size = FAKE_BAR0_SIZE,
		.window_error = ENOSPC,
		.refuse_trap = UINT64_MAX,
		.trigger = -1,
		.resample = -1,
	};
}

static void forget_fake(struct fake *f)
{
	for (struct fake **at = &all; *at; at = &(*at)->next) {
		if (*at != f)
			continue;
		*at = f->next;
		return;
	}
}

int fake_open(struct fake *f, bool late, struct diag *d)
{
	return fake_open_how(
		f, &(struct fake_how){ .late = late, .rom_fd = -1 }, d);
}

int fake_open_how(struct fake *f, const struct fake_how *how, struct diag *d)
{
	static const uint32_t gsi[4] = { FAKE_PIN_GSI, FAKE_PIN_GSI + 1,
		                         FAKE_PIN_GSI + 2, FAKE_PIN_GSI + 3 };
	struct vfio_open o = {
		.intx_gsi = gsi,
		.rom_fd = how->rom_fd,
		.no_rom = how->no_rom,
		.bdf = f->bdf,
		.fd = -1,
		.guest_devid = 0x100,
		.place = { .behind_port = true },
		.host = &fake_host,
		.host_ctx = f,
		.late_routes = how->late,
	};
	int r;

	put_config(f);
	if (!f->table)
		assert_int_equal(irq_table_new(&fake_sink, f, 24,
		                               FAKE_VECTORS_MAX - 24,
		                               &f->table),
		                 0);
	o.irqs = f->table;
	f->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_true(f->fd >= 0);
	f->next = all;
	all = f;
	r = vfio_dev_setup(&o, &KERN, f->fd, &f->dev, d);
	if (r >= 0)
		return r;
	assert_int_equal(close(f->fd), 0); /* still ours */
	forget_fake(f);
	return r;
}

void fake_close(struct fake *f)
{
	vfio_dev_close(f->dev);
	f->dev = NULL;
	forget_fake(f);
	if (f->table) {
		assert_int_equal(irq_table_stats(f->table).irqfds, 0);
		assert_int_equal(irq_table_stats(f->table).routes, 0);
	}
	irq_table_free(f->table);
	f->table = NULL;
}

int fake_setup(void **state)
{
	struct fake *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	fake_init(f);
	*state = f;
	return 0;
}

int fake_teardown(void **state)
{
	fake_close(*state);
	free(*state);
	return 0;
}

void fake_open_ok(struct fake *f, bool late)
{
	struct diag d = { 0 };

	if (fake_open(f, late, &d) < 0)
		fail_msg("%s: %s", d.what, d.why);
	fake_forget(f);
}

void fake_no_fault(struct fake *f)
{
	struct diag d;

	if (vfio_dev_take_fault(f->dev, &d))
		fail_msg("fault: %s: %s", d.what, d.why);
}
