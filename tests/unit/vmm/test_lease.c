/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lease: what is taken from it, and what is refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "vmm/lease.h"

#define GUEST                                                                  \
	"\"guest\": {\"name\": \"demo\", \"cpus\": 2, \"memory\": 536870912, " \
	"\"cmdline\": \"quiet\"}"
#define DEVICE(name, slot)                                                     \
	"{\"name\": \"" name "\", \"bdf\": \"0000:01:10.0\", \"slot\": " #slot \
	"}"
#define LEASE(devices, backend, fds)                                           \
	"{\"version\": 1, \"ok\": true, " GUEST ", \"devices\": [" devices     \
	"], \"backend\": \"" backend "\", \"fds\": [" fds "]}"
#define WAN_FDS "\"kvm\", \"kernel\", \"iommu\", \"device:wan\""

static int parse(const char *text, struct vm_config *c, struct diag *d)
{
	memset(d, 0, sizeof(*d));
	return lease_parse(text, strlen(text), 6, c, d);
}

static void whole(void **state)
{
	struct vm_config c;
	struct diag d;

	(void)state;
	assert_int_equal(parse(LEASE(DEVICE("wan", 3), "group",
	                             "\"kvm\", \"kernel\", \"initrd\", "
	                             "\"iommu\", \"device:wan\""),
	                       &c, &d),
	                 0);
	assert_string_equal(c.name, "demo");
	assert_int_equal(c.cpus, 2);
	assert_int_equal(c.memory, 512 << 20);
	assert_string_equal(c.cmdline, "quiet");
	assert_int_equal(c.backend, IOMMU_TYPE1);
	assert_int_equal(c.kvm_fd, 6);
	assert_int_equal(c.kernel_fd, 7);
	assert_int_equal(c.initrd_fd, 8);
	assert_int_equal(c.iommu_fd, 9);
	assert_int_equal(c.n_devices, 1);
	assert_int_equal(c.device[0].fd, 10);
	assert_int_equal(c.device[0].slot, 3);
	assert_string_equal(c.device[0].bdf, "0000:01:10.0");
	lease_free(&c);
}

static void without_devices(void **state)
{
	struct vm_config c;
	struct diag d;

	(void)state;
	assert_int_equal(parse(LEASE("", "", "\"kvm\", \"kernel\""), &c, &d),
	                 0);
	assert_int_equal(c.initrd_fd, -1);
	assert_int_equal(c.unpacked_fd, -1);
	assert_int_equal(c.iommu_fd, -1);
	assert_int_equal(c.n_devices, 0);
	lease_free(&c);
	assert_int_equal(
		parse(LEASE("", "", "\"kvm\", \"kernel\", \"unpacked\""), &c,
	              &d),
		0);
	assert_int_equal(c.unpacked_fd, 8);
	lease_free(&c);
}

#define FN(name, fn)                                                           \
	"{\"name\": \"" name "\", \"bdf\": \"0000:01:10.0\", "                 \
	"\"slot\": 4, \"function\": " #fn "}"
#define FN_FDS "\"kvm\", \"kernel\", \"iommu\", \"device:a\", \"device:b\""

static void functions_of_a_slot(void **state)
{
	struct vm_config c;
	struct diag d;

	(void)state;
	assert_int_equal(
		parse(LEASE(FN("b", 3) ", " FN("a", 0), "iommufd", FN_FDS), &c,
	              &d),
		0);
	assert_int_equal(c.device[0].function, 3);
	assert_int_equal(c.device[0].fd, 10);
	assert_int_equal(c.device[1].function, 0);
	assert_int_equal(c.device[1].fd, 9);
	lease_free(&c);
}

static void roms(void **state)
{
	struct vm_config c;
	struct diag d;
	static const char text[] = LEASE(
		"{\"name\": \"a\", \"bdf\": \"x\", \"slot\": 1, \"rom\": "
		"\"none\"}, {\"name\": \"b\", \"bdf\": \"y\", \"slot\": 2}, "
		"{\"name\": \"c\", \"bdf\": \"z\", \"slot\": 3}",
		"group",
		"\"kvm\", \"kernel\", \"iommu\", \"device:a\", \"rom:b\", "
		"\"device:b\", \"device:c\"");

	(void)state;
	assert_int_equal(parse(text, &c, &d), 0);
	assert_true(c.device[0].no_rom);
	assert_int_equal(c.device[0].rom_fd, -1);
	assert_false(c.device[1].no_rom);
	assert_int_equal(c.device[1].rom_fd, 10);
	assert_false(c.device[2].no_rom);
	assert_int_equal(c.device[2].rom_fd, -1);
	lease_free(&c);
}

static void of_the_guest(void **state)
{
	struct vm_config c;
	struct diag d;
	static const char text[] =
		"{\"ok\": true, \"guest\": {\"name\": \"g\", \"cpus\": 1, "
		"\"memory\": 4194304, \"spare_slots\": 3, \"page\": "
		"1073741824, \"prefault\": true, \"interrupt_limit\": 20000, "
		"\"on_panic\": \"reset\"}, "
		"\"fds\": [\"kvm\", \"kernel\", \"interrupts\"]}";

	(void)state;
	assert_int_equal(parse(text, &c, &d), 0);
	assert_int_equal(c.spare_slots, 3);
	assert_int_equal(c.ram.page, 1 << 30);
	assert_true(c.ram.prefault);
	assert_int_equal(c.interrupt_limit, 20000);
	assert_int_equal(c.on_panic, VM_PANIC_RESET);
	assert_int_equal(c.interrupts_fd, 8);
	lease_free(&c);
	/* None of it is there: none of it is wanted. */
	assert_int_equal(parse(LEASE("", "", "\"kvm\", \"kernel\""), &c, &d),
	                 0);
	assert_int_equal(c.spare_slots, 0);
	assert_int_equal(c.ram.page, 0);
	assert_false(c.ram.prefault);
	assert_int_equal(c.interrupt_limit, 0);
	assert_int_equal(c.interrupts_fd, -1);
	lease_free(&c);
}

#define WITH(more)                                                             \
	"{\"ok\": true, \"guest\": {\"name\": \"g\", \"cpus\": 4, "            \
	"\"memory\": 4194304, " more "}, \"fds\": [\"kvm\", \"kernel\"]}"

static void of_the_cpus(void **state)
{
	struct vm_config c;
	struct diag d;
	static const char text[] =
		WITH("\"sockets\": 2, \"cores\": 1, \"threads\": 2, "
	             "\"apic_id_shift\": 8, \"pin\": [5, 4, 1023, 6], "
	             "\"emulator\": [0], \"fifo\": 10, \"halt_poll_ns\": 0");

	(void)state;
	assert_int_equal(parse(text, &c, &d), 0);
	assert_int_equal(c.cpu.sockets, 2);
	assert_int_equal(c.cpu.cores, 1);
	assert_int_equal(c.cpu.threads, 2);
	assert_int_equal(c.cpu.id_shift, 8);
	assert_int_equal(c.cpu.pin.n, 4);
	assert_int_equal(c.cpu.pin.cpu[0], 5);
	assert_int_equal(c.cpu.pin.cpu[2], 1023);
	assert_int_equal(c.cpu.emulator.n, 1);
	assert_int_equal(c.cpu.fifo, 10);
	assert_true(c.cpu.has_halt_poll);
	assert_int_equal(c.cpu.halt_poll_ns, 0);
	lease_free(&c);
	assert_int_equal(parse(WITH("\"page\": 0"), &c, &d), 0);
	assert_int_equal(c.cpu.sockets, 0);
	assert_int_equal(c.cpu.pin.n, 0);
	assert_int_equal(c.cpu.fifo, 0);
	assert_false(c.cpu.has_halt_poll);
	lease_free(&c);
}

static void refused(void **state)
{
	static const char *const text[] = {
		"",
		"{",
		"[]",
		"{\"ok\": false, \"error\": {}}",
		"{\"ok\": true}",
		/* a descriptor missing, unknown, twice, of no device */
		LEASE("", "group", "\"kvm\""),
		LEASE("", "group", "\"kvm\", \"kernel\", \"what\""),
		LEASE("", "group", "\"kvm\", \"kernel\", \"kvm\""),
		LEASE("", "group", "\"kvm\", \"kernel\", \"device:wan\""),
		LEASE("", "group", "\"kvm\", \"kernel\", 5"),
		LEASE(DEVICE("wan", 1), "group",
		      "\"kvm\", \"kernel\", \"iommu\""),
		LEASE(DEVICE("wan", 1), "group",
		      "\"kvm\", \"kernel\", \"device:wan\""),
		/* back end, slots */
		LEASE(DEVICE("wan", 1), "uio", WAN_FDS),
		LEASE(DEVICE("wan", 0), "group", WAN_FDS),
		LEASE(DEVICE("wan", 32), "group", WAN_FDS),
		LEASE(DEVICE("wan", -1), "group", WAN_FDS),
		LEASE(DEVICE("wan", 1) ", " DEVICE("lan", 1), "group",
		      WAN_FDS ", \"device:lan\""),
		LEASE(DEVICE("", 1), "group", WAN_FDS),
		LEASE(DEVICE("a-name-of-more-than-thirty-one-letters", 1),
		      "group", WAN_FDS),
		/* what would end a string of the report */
		LEASE(DEVICE("w\\\"n", 1), "group", WAN_FDS),
		LEASE(DEVICE("wan", 1) ", " DEVICE("wan", 2), "group", WAN_FDS),
		/* functions: twice, none at 0, beyond 7, of the wrong kind */
		LEASE(FN("a", 0) ", " FN("b", 0), "group", FN_FDS),
		LEASE(FN("a", 1) ", " FN("b", 2), "group", FN_FDS),
		LEASE(FN("a", 0) ", " FN("b", 8), "group", FN_FDS),
		LEASE(FN("a", 0) ", " FN("b", true), "group", FN_FDS),
		/* ROMs: of nobody, of one that shows none, of another kind */
		LEASE(DEVICE("wan", 1), "group", WAN_FDS ", \"rom:lan\""),
		LEASE("{\"name\": \"wan\", \"bdf\": \"x\", \"slot\": 1, "
		      "\"rom\": \"none\"}",
		      "group", WAN_FDS ", \"rom:wan\""),
		LEASE("{\"name\": \"wan\", \"bdf\": \"x\", \"slot\": 1, "
		      "\"rom\": 1}",
		      "group", WAN_FDS),
		"{\"ok\": true, \"guest\": {\"name\": \"g\", \"cpus\": 1, "
		"\"memory\": 4194304, \"spare_slots\": 32}, \"fds\": "
		"[\"kvm\", \"kernel\"]}",
		/* CPUs: too many of them, no numbers, no list */
		WITH("\"sockets\": 65"),
		WITH("\"apic_id_shift\": 13"),
		WITH("\"pin\": [1024]"),
		WITH("\"pin\": [-1]"),
		WITH("\"pin\": [\"1\"]"),
		WITH("\"emulator\": 0"),
		WITH("\"fifo\": 100"),
		WITH("\"halt_poll_ns\": 4294967296"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(text); i++) {
		struct vm_config c;
		struct diag d;

		assert_int_equal(parse(text[i], &c, &d), -EBADMSG);
		assert_int_equal(d.code, FL_VMM_LEASE);
		assert_true(d.why[0] && d.mend[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole),
		cmocka_unit_test(without_devices),
		cmocka_unit_test(functions_of_a_slot),
		cmocka_unit_test(roms),
		cmocka_unit_test(of_the_guest),
		cmocka_unit_test(of_the_cpus),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
