/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fairlead's NIC without /dev/kvm, for packet-cost.
 *
 *   packet-vmm virtio|e1000 TAP SOCKET MEMORY
 *
 * TAP is the descriptor of a tap's queue, MEMORY the file that is the guest's.
 * At SOCKET it understands so much of QEMU's qtest as packet-cost says:
 * accesses to memory and to the ports of configuration space, a line each. The
 * device, its bus and the data path's loop are the VMM's; ioctls of KVM's
 * succeed at once, all others (the tap's) are the kernel's. An access is
 * served as by a vCPU's thread; a kick is an access, too.
 */

#include <fcntl.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/bench/packet.h"
#include "vmm/devices.h"

_Noreturn void bench_fail(const char *what)
{
	fprintf(stderr, "packet-vmm: %s: %s\n", what, strerror(errno));
	_exit(1);
}

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	if (_IOC_TYPE(request) == KVMIO)
		return 0;
	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	return __real_ioctl(fd, request, arg);
}

/* ---- the machine --------------------------------------------------------- */

static struct vm vm;
static uint32_t latch; /* 0xcf8 */

static void add_nic(const char *model, int tap)
{
	struct vm_nic c = {
		.name = "nic",
		.slot = BENCH_SLOT,
		.mac = { 2, 0, 0, 0, 0, 1 },
		.pairs = 1,
		.tap_fd = { tap },
		.vhost_fd = { -1 },
	};
	bool virtio = !strcmp(model, "virtio");
	struct diag d;

	if ((virtio ? net_add : e1000_add)(&vm, &c, &d) < 0)
		bench_fail(d.what);
}

static void make_machine(const char *model, int tap, const char *memory)
{
	struct diag d;

	vm.fd = vm.event_fd = -1;
	bench_map(&vm, memory);
	if (bus_new(&vm.mmio) < 0 || bus_new(&vm.pio) < 0 ||
	    windows_new(&vm.windows) < 0 || own_init(&vm) < 0 ||
	    io_new(&vm, &vm.io, &d) < 0)
		bench_fail("the machine");
	vm.ports = BIT(BENCH_SLOT);
	pthread_mutex_init(&vm.pins.lock, NULL);
	add_nic(model, tap);
	if (io_start(vm.io, &d) < 0)
		bench_fail("the loop");
	io_unpark(vm.io);
}

/* ---- what is said to it -------------------------------------------------- */

static unsigned width_of(char c)
{
	return c == 'b' ? 1 : c == 'w' ? 2 : c == 'l' ? 4 : 8;
}

/* 0xcf8 and 0xcfc, of the one function. */
static uint64_t port_read(uint64_t port, unsigned width)
{
	return own_cfg_read(&vm, BENCH_SLOT,
	                    (latch & 0xfc) + (unsigned)(port & 3), width);
}

static void port_write(uint64_t port, unsigned width, uint32_t v)
{
	if (port == 0xcf8)
		latch = v;
	else
		(void)own_cfg_write(&vm, BENCH_SLOT,
		                    (latch & 0xfc) + (unsigned)(port & 3),
		                    width, v);
}

/* readl AT, writel AT VALUE; inl and outl likewise, of ports. */
static uint64_t obey(const char *line)
{
	char word[16];
	unsigned long long at, v = 0;
	unsigned width;

	if (sscanf(line, "%15s %llx %llx", word, &at, &v) < 2)
		bench_fail(line);
	width = width_of(word[strlen(word) - 1]);
	switch (word[0]) {
	case 'r':
		bus_read(vm.mmio, at, width, (uint64_t *)&v);
		return v;
	case 'w':
		bus_write(vm.mmio, at, width, v);
		return 0;
	case 'i':
		return port_read(at, width);
	default:
		port_write(at, width, (uint32_t)v);
		return 0;
	}
}

static int listen_at(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (void *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0)
		bench_fail(path);
	return accept4(fd, NULL, NULL, SOCK_CLOEXEC);
}

int main(int argc, char **argv)
{
	char line[128];
	FILE *in, *out;

	if (argc != 5)
		bench_fail("four words are wanted");
	make_machine(argv[1], atoi(argv[2]), argv[4]);
	in = fdopen(listen_at(argv[3]), "r");
	out = in ? fdopen(dup(fileno(in)), "w") : NULL;
	if (!out)
		bench_fail(argv[3]);
	while (fgets(line, sizeof(line), in)) {
		fprintf(out, "OK 0x%llx\n", (unsigned long long)obey(line));
		fflush(out);
	}
	_exit(0);
}
