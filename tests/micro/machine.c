/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/micro/machine.h"
#include "vmm/assign.h"

#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define MEMORY (64ull << 20)

void machine_need_kvm(void)
{
	_cleanup_close_ int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return;
	printf("skipped: /dev/kvm: %s\n", strerror(errno));
	exit(77);
}

/* The guests lie beside the test program. */
static int open_guest(const char *name)
{
	char self[4000], path[4200];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(n > 0);
	self[n] = '\0';
	snprintf(path, sizeof(path), "%s/guest/%s.elf", dirname(self), name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static uint64_t port_read(void *ctx, uint64_t off, unsigned width)
{
	struct machine *m = ctx;

	(void)off;
	(void)width;
	return atomic_load(&m->answer);
}

static void port_write(void *ctx, uint64_t off, unsigned width, uint64_t value)
{
	struct machine *m = ctx;

	(void)off;
	(void)width;
	atomic_fetch_add(&m->writes[value & 0xff], 1);
}

static const struct bus_ops port_ops = {
	.read = port_read,
	.write = port_write,
};

/* Root ports as for devices at slots 1 and 3, whose functions are away: no
 * hardware is needed for what these tests look at. The second one's function
 * had windows. */
static void add_ports(struct machine *m)
{
	struct vm *vm = m->vm;

	vm->cfg.n_devices = 2;
	vm->cfg.device[0] = (struct vm_device){ .slot = 1, .fd = -1 };
	vm->cfg.device[1] = (struct vm_device){ .slot = 3, .fd = -1 };
	assert_int_equal(topology_init(vm, &m->diag), 0);
	vm->window[3] = (struct assign_window){
		.io = 0xc000,
		.io_size = 0x1000,
		.mem32 = 0xc0100000,
		.mem32_size = 2 << 20,
		.mem64 = 0x1fff00000,
		.mem64_size = 2 << 20,
	};
}

static void add_own(struct machine *m, void (*add)(struct vm *vm))
{
	add(m->vm);
	assert_int_equal(topology_init(m->vm, &m->diag), 0);
	assert_int_equal(place_all(m->vm, &m->diag), 0);
}

/* Again, with what the configuration of a guest has no word for. */
static void build_bus(struct machine *m, void (*add)(struct vm *vm))
{
	struct vm *vm = m->vm;

	pci_host_free(vm->pci);
	vm->pci = NULL;
	if (add)
		add_own(m, add);
	else
		add_ports(m);
	assert_int_equal(pci_host_new(vm, &vm->pci, &m->diag), 0);
}

static void *run(void *arg)
{
	struct machine *m = arg;

	m->end = vm_run(m->vm, &m->diag);
	return NULL;
}

static struct vm_config config_of(const char *guest, unsigned cpus,
                                  const struct vm_cpus *cpu, int out_fd)
{
	return (struct vm_config){
		.name = "micro",
		.cpus = cpus,
		.cpu = *cpu,
		.memory = MEMORY,
		.cmdline = "",
		.kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC),
		.kernel_fd = open_guest(guest),
		.initrd_fd = -1,
		.unpacked_fd = -1,
		.conn_fd = -1,
		.report_fd = -1,
		.control_fd = -1,
		.iommu_fd = -1,
		.in_fd = open("/dev/null", O_RDONLY | O_CLOEXEC),
		.out_fd = out_fd,
		.no_sandbox = true,
	};
}

int machine_make(const char *guest, unsigned files, struct vm **ret,
                 struct diag *d)
{
	const struct vm_config c =
		config_of(guest, 1, &(struct vm_cpus){ 0 }, STDOUT_FILENO);
	const struct rlimit limit = { files, files };

	assert_true(c.kernel_fd >= 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return vm_new(&c, ret, d);
}

static void start(struct machine *m, const char *guest, unsigned cpus,
                  const struct vm_cpus *cpu, void (*add)(struct vm *vm))
{
	struct vm_config c;
	int ends[2];

	*m = (struct machine){ 0 };
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	m->console = ends[0];
	c = config_of(guest, cpus, cpu, ends[1]);
	assert_true(c.kernel_fd >= 0);
	if (vm_new(&c, &m->vm, &m->diag) < 0)
		fail_msg("%s: %s", m->diag.what, m->diag.why);
	build_bus(m, add);
	assert_int_equal(
		bus_add(m->vm->pio, TEST_PORT, 1, EXIT_OTHER, &port_ops, m), 0);
	assert_int_equal(pthread_create(&m->thread, NULL, run, m), 0);
}

void machine_start(struct machine *m, const char *guest, unsigned cpus)
{
	machine_start_with(m, guest, cpus, NULL);
}

void machine_start_with(struct machine *m, const char *guest, unsigned cpus,
                        void (*add)(struct vm *vm))
{
	start(m, guest, cpus, &(struct vm_cpus){ 0 }, add);
}

void machine_start_cpus(struct machine *m, const char *guest, unsigned cpus,
                        const struct vm_cpus *cpu)
{
	start(m, guest, cpus, cpu, NULL);
}

static void take(struct machine *m)
{
	ssize_t n;

	while ((n = read(m->console, m->text + m->len,
	                 sizeof(m->text) - 1 - m->len)) > 0)
		m->len += (size_t)n;
	m->text[m->len] = '\0';
}

bool machine_expect(struct machine *m, const char *word)
{
	const uint64_t until = now_ns() + TEST_DEADLINE_S * 1000000000ull;

	while (now_ns() < until) {
		struct pollfd p = { .fd = m->console, .events = POLLIN };

		take(m);
		if (strstr(m->text, word))
			return true;
		(void)poll(&p, 1, 10);
	}
	print_message("the guest said:\n%s", m->text);
	return false;
}

enum vm_end machine_wait(struct machine *m)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += TEST_DEADLINE_S;
	if (pthread_timedjoin_np(m->thread, NULL, &until) != 0) {
		take(m);
		/* Its thread still runs on memory of ours: no way back. */
		fprintf(stderr, "the guest does not end; it said:\n%s",
		        m->text);
		abort();
	}
	take(m);
	if (m->end == VM_END_FAILED)
		print_message("%s: %s\n", m->diag.what, m->diag.why);
	if (strstr(m->text, "FAIL"))
		fail_msg("the guest said:\n%s", m->text);
	return m->end;
}

void machine_free(struct machine *m)
{
	int in = m->vm->cfg.in_fd, out = m->vm->cfg.out_fd;

	vm_free(m->vm);
	/* Borrowed by the machine: a program's standard descriptors. */
	close_fd(&in);
	close_fd(&out);
	close_fd(&m->console);
}

void machine_done(const char *guest, void (*add)(struct vm *vm))
{
	static struct machine m;

	machine_start_with(&m, guest, 1, add);
	assert_int_equal(machine_wait(&m), VM_END_POWEROFF);
	assert_non_null(strstr(m.text, "done"));
	machine_free(&m);
}
