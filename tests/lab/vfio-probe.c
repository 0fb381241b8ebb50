/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The library of an assigned function against the real kernel, without a VMM:
 * an igb VF opened by one back end, its memory, its MSI-X with interrupts that
 * the device itself raises, its reset. Only KVM is played: routes and irqfds
 * are recorded, and this program reads the eventfds.
 *
 *   vfio-probe iommufd|group BDF SPACE-NODE DEVICE-NODE [hold|any]
 *
 * With "hold" it opens, says so, and lets go when the host asks for it; with
 * "any" the device may be any: its BARs, its vectors by VFIO's loopback, its
 * reset. The PF must be up: the VF's interrupts are off otherwise. Exit status
 * 0 when all was as it must be; the first thing that was not ends it.
 */

#include <fcntl.h>
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vfio/priv.h"

/* 82576 VF, datasheet 7.10.3: in BAR 0. */
#define VF_STATUS 0x8u
#define VF_EICS 0x1520u /* raise */
#define VF_EIMS 0x1524u /* enable */
#define VF_EIAC 0x152cu /* clear by itself on the message */
#define VF_EICR 0x1580u /* causes */

#define RAM_SIZE (64ull << 20)
#define BAR0_AT 0xc0000000ull
#define BAR3_AT 0xc0010000ull
#define VECTORS_MAX 16u

#define CHECK(cond, ...)                                                       \
	do {                                                                   \
		if (!(cond))                                                   \
			die(__LINE__, __VA_ARGS__);                            \
	} while (0)

_printf_(2, 3) static void die(int line, const char *fmt, ...)
{
	va_list ap;

	printf("FAILED (line %d): ", line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	exit(1);
}

_printf_(1, 2) static void ok(const char *fmt, ...)
{
	va_list ap;

	printf("ok  ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

static void must(int r, const struct diag *d, int line)
{
	char text[1024];

	if (r >= 0)
		return;
	diag_format(d, text, sizeof(text));
	die(line, "%s", text);
}

/* ---- KVM and the machine, played ---- */

struct play {
	unsigned commits, irqfds, windows, traps;
	int eventfd[VECTORS_MAX]; /* by GSI */
	uint32_t data[VECTORS_MAX];
	uint8_t *hva0; /* BAR 0 as the guest sees it */
};

static int play_routes(void *ctx, const struct irq_route *r, size_t n)
{
	struct play *p = ctx;

	p->commits++;
	for (size_t i = 0; i < n; i++)
		p->data[r[i].gsi % VECTORS_MAX] = r[i].msg.data;
	return 0;
}

static int play_irqfd_add(void *ctx, int eventfd, uint32_t gsi)
{
	struct play *p = ctx;

	CHECK(p->data[gsi % VECTORS_MAX], "irqfd before its route");
	p->eventfd[gsi % VECTORS_MAX] = eventfd;
	p->irqfds++;
	return 0;
}

static int play_irqfd_del(void *ctx, int eventfd _unused_, uint32_t gsi)
{
	struct play *p = ctx;

	p->eventfd[gsi % VECTORS_MAX] = -1;
	p->irqfds--;
	return 0;
}

static const struct irq_sink_ops SINK = {
	.set_routes = play_routes,
	.irqfd_add = play_irqfd_add,
	.irqfd_del = play_irqfd_del,
};

static int play_window_add(void *ctx, struct gpa gpa, void *hva,
                           uint64_t size _unused_, bool device _unused_)
{
	struct play *p = ctx;

	p->windows++;
	if (gpa.v == BAR0_AT)
		p->hva0 = hva;
	return 0;
}

static int play_window_del(void *ctx, struct gpa gpa _unused_,
                           void *hva _unused_, uint64_t size _unused_)
{
	((struct play *)ctx)->windows--;
	return 0;
}

static int play_trap_add(void *ctx, unsigned bar _unused_, bool io _unused_,
                         uint64_t addr _unused_, uint64_t size _unused_)
{
	((struct play *)ctx)->traps++;
	return 0;
}

static void play_trap_del(void *ctx, unsigned bar _unused_, bool io _unused_,
                          uint64_t addr _unused_, uint64_t size _unused_)
{
	((struct play *)ctx)->traps--;
}

static const struct vfio_host_ops HOST = {
	.window_add = play_window_add,
	.window_del = play_window_del,
	.trap_add = play_trap_add,
	.trap_del = play_trap_del,
};

/* ---- the probe ---- */

struct probe {
	enum iommu_backend backend;
	const char *bdf, *space_node, *device_node;
	struct iommu_space *space;
	struct irq_table *irqs;
	struct vfio_dev *dev;
	int fd;
	struct play play;
};

static void open_device(struct probe *p)
{
	struct diag d = { 0 };
	int fd = open(p->space_node, O_RDWR | O_CLOEXEC);
	struct vfio_open o = {
		.rom_fd = -1,
		.bdf = p->bdf,
		.guest_devid = 0x0100,
		.place = { .behind_port = true },
		.host = &HOST,
		.host_ctx = &p->play,
		.late_routes = true,
	};
	uint64_t begin;

	CHECK(fd >= 0, "%s: %s", p->space_node, strerror(errno));
	must(iommu_space_open(p->backend, fd, &p->space, &d), &d, __LINE__);
	p->fd = open(p->device_node, O_RDWR | O_CLOEXEC);
	CHECK(p->fd >= 0, "%s: %s", p->device_node, strerror(errno));
	must(irq_table_new(&SINK, &p->play, 32, 64, &p->irqs), &d, __LINE__);
	o.fd = p->fd;
	o.space = p->space;
	o.irqs = p->irqs;
	begin = now_ns();
	must(vfio_dev_open(&o, &p->dev, &d), &d, __LINE__);
	ok("opened by %s in %" PRIu64 " ms: one reset, dynamic MSI-X: %s, "
	   "request interrupt: %s",
	   iommu_backend_name(p->backend), (now_ns() - begin) / 1000000,
	   vfio_dev_stats(p->dev).dynamic_msix ? "yes" : "no",
	   vfio_dev_request_fd(p->dev) >= 0 ? "armed" : "none");
}

static void close_device(struct probe *p)
{
	vfio_dev_close(p->dev);
	irq_table_free(p->irqs);
	iommu_space_close(p->space);
	close(p->fd);
	CHECK(!p->play.irqfds && !p->play.windows && !p->play.traps,
	      "closed, and %u irqfds, %u windows, %u traps are left",
	      p->play.irqfds, p->play.windows, p->play.traps);
}

static void check_maps(struct probe *p)
{
	int memfd = memfd_create("ram", MFD_CLOEXEC);
	struct iommu_range range[IOMMU_RANGES_MAX];
	struct iommu_region r = { .size = RAM_SIZE, .writable = true };
	struct diag d = { 0 };
	int n;

	CHECK(memfd >= 0 && ftruncate(memfd, RAM_SIZE) == 0, "memfd");
	r.memfd = memfd;
	r.hva = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd,
	             0);
	CHECK(r.hva != MAP_FAILED, "mmap");
	n = iommu_usable(p->space, range);
	CHECK(n >= 2, "usable ranges: %d, the MSI window must be a hole", n);
	must(iommu_map(p->space, &r, &d), &d, __LINE__);
	n = iommu_map(p->space, &r, &d);
	CHECK(n == -EEXIST && d.code == FL_IOMMU_MAP, "mapped twice: %d", n);
	r.iova.v = 0xfee00000;
	n = iommu_map(p->space, &r, &d);
	CHECK(n == -EADDRNOTAVAIL && d.code == FL_IOMMU_RESERVED,
	      "mapped over the MSI window: %d", n);
	r.iova.v = 1ull << 32;
	must(iommu_map(p->space, &r, &d), &d, __LINE__);
	n = iommu_unmap(p->space, r.iova, RAM_SIZE);
	CHECK(n == 0, "unmap: %s", strerror(-n));
	n = (int)iommu_space_stats(p->space).maps;
	CHECK(n == 2, "maps: %d", n);
	ok("maps: one call a region, by file: %s; twice is EEXIST, the MSI "
	   "window is refused",
	   iommu_space_stats(p->space).by_file ? "yes" : "no");
	munmap(r.hva, RAM_SIZE);
	close(memfd);
}

static uint32_t bar0(struct probe *p, unsigned off)
{
	return *(volatile uint32_t *)(void *)(p->play.hva0 + off);
}

static void set_bar0(struct probe *p, unsigned off, uint32_t value)
{
	*(volatile uint32_t *)(void *)(p->play.hva0 + off) = value;
}

static void check_windows(struct probe *p)
{
	uint32_t direct, trapped;

	CHECK(!vfio_dev_bar_place(p->dev, 0, BAR0_AT), "place BAR 0");
	CHECK(!vfio_dev_bar_place(p->dev, 3, BAR3_AT), "place BAR 3");
	CHECK(!p->play.windows, "windows before memory decode");
	vfio_dev_cfg_write(p->dev, PCI_COMMAND, 2,
	                   PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	CHECK(p->play.traps == 2 && p->play.windows == 2 && p->play.hva0,
	      "%u traps, %u windows", p->play.traps, p->play.windows);
	direct = bar0(p, VF_STATUS);
	trapped = (uint32_t)vfio_dev_bar_read(p->dev, 0, VF_STATUS, 4);
	CHECK(direct == trapped && direct != UINT32_MAX,
	      "STATUS is %#x by window, %#x by trap", direct, trapped);
	vfio_dev_cfg_write(p->dev, PCI_COMMAND, 2, 0);
	CHECK(!p->play.traps && !p->play.windows, "decode off: %u windows",
	      p->play.windows);
	vfio_dev_cfg_write(p->dev, PCI_COMMAND, 2,
	                   PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	CHECK(p->play.windows == 2, "decode on again");
	ok("windows follow COMMAND; STATUS %#x by window and by trap", direct);
}

/* ---- interrupts ---- */

static void msix_control(struct probe *p, uint16_t value)
{
	vfio_dev_cfg_write(p->dev,
	                   vfio_dev_layout(p->dev)->msix.cap + PCI_MSIX_FLAGS,
	                   2, value);
}

static void entry(struct probe *p, unsigned vector, unsigned reg, uint32_t val)
{
	const struct cfg_msix_facts *m = &vfio_dev_layout(p->dev)->msix;

	vfio_dev_bar_write(p->dev, m->table_bar,
	                   m->table_off + vector * 16 + reg, 4, val);
}

static void set_message(struct probe *p, unsigned vector, uint32_t data)
{
	entry(p, vector, PCI_MSIX_ENTRY_LOWER_ADDR, 0xfee00000);
	entry(p, vector, PCI_MSIX_ENTRY_UPPER_ADDR, 0);
	entry(p, vector, PCI_MSIX_ENTRY_DATA, data);
}

static void mask(struct probe *p, unsigned vector, bool on)
{
	entry(p, vector, PCI_MSIX_ENTRY_VECTOR_CTRL, on);
}

static uint32_t pending(struct probe *p)
{
	const struct cfg_msix_facts *m = &vfio_dev_layout(p->dev)->msix;

	return (uint32_t)vfio_dev_bar_read(p->dev, m->pba_bar, m->pba_off, 4);
}

/* How many interrupts the vector's eventfd has counted; waits a little. */
static uint64_t count_of(struct probe *p, unsigned vector, int wait_ms)
{
	int fd = irq_bank_eventfd(p->dev->irq.bank, vector);
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	uint64_t n = 0;

	if (poll(&pfd, 1, wait_ms) > 0)
		CHECK(read(fd, &n, sizeof(n)) == sizeof(n), "eventfd");
	return n;
}

/* As Linux does: enable with all masked, a placeholder message in each entry,
 * the function unmasked, and then the vectors, one by one. */
static void enable_like_linux(struct probe *p, unsigned n)
{
	unsigned set_irqs = vfio_dev_stats(p->dev).set_irqs;

	msix_control(p, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	for (unsigned i = 0; i < n; i++) {
		mask(p, i, true);
		set_message(p, i, 0xef);
	}
	msix_control(p, PCI_MSIX_FLAGS_ENABLE);
	CHECK(!p->play.commits, "%u commits while all is masked",
	      p->play.commits);
	for (unsigned i = 0; i < n; i++) {
		set_message(p, i, 0x40 + i);
		mask(p, i, false);
	}
	CHECK(vfio_dev_stats(p->dev).vectors == n, "%u of %u vectors armed",
	      vfio_dev_stats(p->dev).vectors, n);
	ok("%u vectors enabled as Linux does: %u SET_IRQS, no commit yet", n,
	   vfio_dev_stats(p->dev).set_irqs - set_irqs);
}

static void fire(struct probe *p, unsigned vector)
{
	set_bar0(p, VF_EICS, BIT(vector));
}

static void check_late(struct probe *p, unsigned n)
{
	struct pollfd pfd = { .fd = vfio_dev_late_fd(p->dev),
		              .events = POLLIN };
	int r;

	set_bar0(p, VF_EIAC, BITS(2, 0));
	set_bar0(p, VF_EIMS, BITS(2, 0));
	fire(p, 1);
	r = poll(&pfd, 1, 2000);
	CHECK(r == 1, "the device raised vector 1 and nothing came");
	vfio_dev_late_settle(p->dev);
	CHECK(p->play.commits == 1 && p->play.irqfds == n,
	      "%u commits, %u irqfds", p->play.commits, p->play.irqfds);
	CHECK(poll(&pfd, 1, 0) == 0, "the late set is still readable");
	CHECK(count_of(p, 1, 0) == 1, "the first interrupt was lost");
	for (unsigned i = 0; i < n; i++) {
		fire(p, i);
		CHECK(count_of(p, i, 2000) == 1, "vector %u: no interrupt", i);
	}
	CHECK(p->play.commits == 1, "%u commits", p->play.commits);
	ok("%u vectors live: 1 route commit, the first interrupt kept", n);
}

static void check_masking(struct probe *p)
{
	unsigned commits = p->play.commits;

	mask(p, 0, true);
	for (unsigned i = 0; i < 10; i++)
		fire(p, 0);
	CHECK(count_of(p, 0, 100) == 0, "a masked vector interrupted");
	CHECK(pending(p) & 1, "PBA is %#x, bit 0 must be set", pending(p));
	mask(p, 0, false);
	CHECK(count_of(p, 0, 2000) == 1, "the pending interrupt is lost");
	CHECK(!(pending(p) & 1), "PBA is %#x after the unmask", pending(p));
	CHECK(p->play.commits == commits, "an unmask made a route commit");
	msix_control(p, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	fire(p, 2);
	CHECK(count_of(p, 2, 100) == 0, "function mask does not hold");
	msix_control(p, PCI_MSIX_FLAGS_ENABLE);
	CHECK(count_of(p, 2, 2000) == 1, "lost under the function mask");
	ok("masked: the device's pending bit, then exactly one interrupt");
}

static void check_move(struct probe *p)
{
	unsigned commits = p->play.commits;

	mask(p, 1, true);
	set_message(p, 1, 0x99);
	mask(p, 1, false);
	CHECK(p->play.commits == commits + 1, "message moved: %u commits",
	      p->play.commits - commits);
	ok("a live vector's new message is committed at its unmask");
}

static void check_loopback(struct probe *p)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_MSIX_IRQ_INDEX,
		.start = 2,
		.count = 1,
	};

	CHECK(vfio_kern_linux.ioctl(p->dev->fd, VFIO_DEVICE_SET_IRQS, &set) >=
	              0,
	      "loopback: %s", strerror(errno));
	CHECK(count_of(p, 2, 2000) == 1, "loopback did not arrive");
	ok("VFIO's loopback trigger arrives on vector 2");
}

static void check_reset(struct probe *p)
{
	uint16_t express = vfio_dev_layout(p->dev)->express;
	struct diag d = { 0 };

	msix_control(p, 0);
	CHECK(!p->play.irqfds && !vfio_dev_stats(p->dev).vectors,
	      "MSI-X off: %u irqfds", p->play.irqfds);
	CHECK(express, "no Express capability");
	vfio_dev_cfg_write(p->dev, express + PCI_EXP_DEVCTL, 2,
	                   PCI_EXP_DEVCTL_BCR_FLR);
	CHECK(vfio_dev_stats(p->dev).resets == 2, "FLR by the guest: %u resets",
	      vfio_dev_stats(p->dev).resets);
	CHECK(!p->play.windows &&
	              vfio_dev_cfg_read(p->dev, PCI_COMMAND, 2) == 0,
	      "after FLR the function decodes");
	must(vfio_dev_reset(p->dev, &d), &d, __LINE__);
	ok("FLR by the guest and reset by the VMM: windows gone, view reset");
	CHECK(!vfio_dev_take_fault(p->dev, &d), "a fault: %s (%s)", d.what,
	      d.why);
}

static void hold(struct probe *p)
{
	struct pollfd pfd = { .fd = vfio_dev_request_fd(p->dev),
		              .events = POLLIN };

	CHECK(pfd.fd >= 0, "no request interrupt");
	ok("held");
	CHECK(poll(&pfd, 1, 60000) == 1, "nobody asked for the device");
	close_device(p);
	ok("let go");
}

/* ---- any device ---- */

static void place_all(struct probe *p)
{
	const struct cfg_bar *bar = vfio_dev_bars(p->dev);
	uint64_t at32 = 0xc0000000, at64 = 1ull << 40;

	for (unsigned i = 0; i < CFG_BARS; i++) {
		uint64_t *at = bar[i].kind == CFG_BAR_MEM64 ? &at64 : &at32;
		uint64_t addr;

		if (!bar[i].size || (bar[i].kind != CFG_BAR_MEM32 &&
		                     bar[i].kind != CFG_BAR_MEM64))
			continue;
		addr = ALIGN_UP(*at, bar[i].size);
		*at = addr + bar[i].size;
		CHECK(!vfio_dev_bar_place(p->dev, i, addr), "place BAR %u", i);
		CHECK(IS_ALIGNED((uintptr_t)p->dev->bar[i].base,
		                 MIN(bar[i].size, GIANT_PAGE)),
		      "BAR %u is mapped at %p", i, p->dev->bar[i].base);
		ok("BAR %u: %" PRIu64 " KiB, %u windows", i, bar[i].size >> 10,
		   p->dev->bar[i].n_spans);
	}
}

/* Every vector by VFIO's loopback; none is lost while its route waits. */
static void loopback_all(struct probe *p, uint32_t index, unsigned n)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = index,
		.count = n,
	};

	CHECK(vfio_dev_stats(p->dev).vectors == n, "%u of %u vectors armed",
	      vfio_dev_stats(p->dev).vectors, n);
	CHECK(vfio_kern_linux.ioctl(p->dev->fd, VFIO_DEVICE_SET_IRQS, &set) >=
	              0,
	      "loopback");
	for (unsigned i = 0; i < n; i++)
		CHECK(count_of(p, i, 2000) == 1, "vector %u: nothing", i);
	vfio_dev_late_settle(p->dev);
	CHECK(p->play.commits == 1 && p->play.irqfds == n,
	      "%u commits, %u irqfds", p->play.commits, p->play.irqfds);
	ok("%s: %u vectors, 1 commit, loopback on each, %u SET_IRQS in all",
	   index == VFIO_PCI_MSIX_IRQ_INDEX ? "MSI-X" : "MSI", n,
	   vfio_dev_stats(p->dev).set_irqs);
}

static void check_vectors(struct probe *p)
{
	const struct cfg_layout *l = vfio_dev_layout(p->dev);
	uint16_t msi = l->msi.cap;

	if (l->msix.cap) {
		unsigned n = MIN((unsigned)l->msix.vectors, VECTORS_MAX);

		for (unsigned i = 0; i < n; i++) {
			set_message(p, i, 0x40 + i);
			mask(p, i, false);
		}
		msix_control(p, PCI_MSIX_FLAGS_ENABLE);
		loopback_all(p, VFIO_PCI_MSIX_IRQ_INDEX, n);
		msix_control(p, 0);
	} else if (msi) {
		unsigned data =
			l->msi.addr64 ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32;

		vfio_dev_cfg_write(p->dev, msi + PCI_MSI_ADDRESS_LO, 4,
		                   0xfee00000);
		vfio_dev_cfg_write(p->dev, msi + data, 2, 0x40);
		vfio_dev_cfg_write(p->dev, msi + PCI_MSI_FLAGS, 2,
		                   PCI_MSI_FLAGS_ENABLE);
		loopback_all(p, VFIO_PCI_MSI_IRQ_INDEX, 1);
	}
	CHECK(!p->play.irqfds || !l->msix.cap, "irqfds are left");
}

static void check_any(struct probe *p)
{
	struct diag d = { 0 };

	place_all(p);
	vfio_dev_cfg_write(p->dev, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	CHECK(p->play.windows == vfio_dev_stats(p->dev).windows, "%u windows",
	      p->play.windows);
	check_vectors(p);
	must(vfio_dev_reset(p->dev, &d), &d, __LINE__);
	CHECK(!p->play.windows && !p->play.irqfds, "left after the reset");
	CHECK(!vfio_dev_take_fault(p->dev, &d), "a fault: %s (%s)", d.what,
	      d.why);
	close_device(p);
	ok("closed");
}

/* ---- an igb VF ---- */

static void check_all(struct probe *p)
{
	unsigned n = vfio_dev_layout(p->dev)->msix.vectors;

	CHECK(n == 3, "an igb VF has 3 vectors, not %u", n);
	check_maps(p);
	check_windows(p);
	enable_like_linux(p, n);
	check_late(p, n);
	check_masking(p);
	check_move(p);
	check_loopback(p);
	check_reset(p);
	close_device(p);
	open_device(p);
	close_device(p);
	ok("closed, and open to the next at once");
}

int main(int argc, char **argv)
{
	struct probe p = { .fd = -1 };

	if (argc < 5 || argc > 6) {
		fprintf(stderr,
		        "usage: %s iommufd|group BDF SPACE-NODE "
		        "DEVICE-NODE [hold|any]\n",
		        argv[0]);
		return 2;
	}
	p.backend = strcmp(argv[1], "group") ? IOMMU_IOMMUFD : IOMMU_TYPE1;
	p.bdf = argv[2];
	p.space_node = argv[3];
	p.device_node = argv[4];
	open_device(&p);
	if (argc == 6 && !strcmp(argv[5], "any"))
		check_any(&p);
	else if (argc == 6)
		hold(&p);
	else
		check_all(&p);
	return 0;
}
