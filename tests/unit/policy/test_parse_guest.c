/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a policy says of its guests: their machine, their MACs, what is their
 * own; and their CPUs in a host.
 */

#include "tests/unit/policy/parse.h"

/* ---- its machine --------------------------------------------------------- */

/* Devices, their slots, and what else a guest says of its machine. */
static void test_devices(void **state)
{
	struct pol_policy *p = parse("tests/golden/policy/good/devices.yaml");
	const struct pol_device *gpu = &p->device[1];
	const struct pol_guest *g = &p->guest[0];

	(void)state;
	assert_int_equal(p->n_devices, 2);
	assert_int_equal(p->device[0].rom, POL_ROM_NONE);
	assert_int_equal(p->device[0].companions, POL_ALONE);
	assert_int_equal(p->device[0].on_fault, POL_FAULT_GO_ON);
	assert_false(p->device[0].take);
	assert_true(gpu->match.by_vendor && gpu->match.by_device &&
	            gpu->match.by_class && !gpu->match.by_pci);
	assert_int_equal(gpu->match.class_code, 0x0300);
	assert_int_equal(gpu->companions, POL_TOGETHER);
	assert_int_equal(gpu->rom, POL_ROM_FILE);
	assert_string_equal(gpu->rom_file, "/usr/share/gpu.rom");
	assert_int_equal(gpu->on_fault, POL_FAULT_STOP);
	assert_true(gpu->take);
	assert_int_equal(g->page, 1u << 30);
	assert_true(g->prefault);
	assert_int_equal(g->spare, 3);
	assert_int_equal(g->interrupts, 20000);
	assert_int_equal(g->unpack, POL_UNPACK_HOST);
	assert_int_equal(g->nic[0].on_fault, POL_FAULT_RESET);
	/* 01 and 02 are named; then nics, then devices. */
	assert_int_equal(g->nic[0].slot, 2);
	assert_int_equal(g->nic[1].slot, 3);
	assert_string_equal(g->device[0].name, "gpu");
	assert_int_equal(g->device[0].slot, 1);
	assert_int_equal(g->device[1].device, 0);
	assert_int_equal(g->device[1].slot, 4);
	pol_free(p);
}

static void test_cpus(void **state)
{
	struct pol_policy *p = parse("tests/golden/policy/good/cpus.yaml");
	const struct pol_cpus *c = &p->guest[0].cpu;

	(void)state;
	assert_int_equal(c->sockets, 2);
	assert_int_equal(c->cores, 2);
	assert_int_equal(c->threads, 2);
	assert_int_equal(c->pin.n, 0);
	assert_int_equal(c->halt_poll.given, POL_ABSENT);
	c = &p->guest[1].cpu;
	assert_int_equal(c->sockets, 0); /* nothing was said of it */
	assert_int_equal(c->pin.n, 2);
	assert_int_equal(c->pin.cpu[0], 4);
	assert_int_equal(c->pin.cpu[1], 2);
	assert_int_equal(c->emulator.n, 2);
	assert_true(c->apart);
	assert_int_equal(c->fifo, 1);
	assert_int_equal(c->halt_poll.given, POL_GIVEN);
	assert_int_equal(c->halt_poll.v, 0);
	c = &p->guest[2].cpu;
	assert_int_equal(c->pin.n, 5);
	assert_int_equal(c->pin.cpu[0], 1023);
	assert_int_equal(c->pin.cpu[4], 9);
	assert_false(c->apart);
	assert_int_equal(c->fifo, 0);
	assert_int_equal(c->halt_poll.v, 50);
	c = &p->guest[3].cpu;
	assert_int_equal(c->cores, 1);
	assert_int_equal(c->id_shift, 8);
	assert_int_equal(p->guest[4].cpu.fifo, 49);
	pol_free(p);
}

static void test_nodes(void **state)
{
	static const uint8_t uuid[] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55,
		                        0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb,
		                        0xcc, 0xdd, 0xee, 0xff };
	struct pol_policy *p = parse("tests/golden/policy/good/nodes.yaml");
	struct pol_memory_node n[POL_MEMORY_NODES_MAX];
	const struct pol_guest *g = &p->guest[0];

	(void)state;
	assert_true(g->lock);
	assert_int_equal(pol_guest_nodes(g, n), 1);
	assert_int_equal(n[0].size, 1u << 30);
	assert_int_equal(n[0].cpus, 3);
	assert_int_equal(n[0].host, 1);
	assert_string_equal(g->smbios.manufacturer, "ACME");
	assert_string_equal(g->smbios.product, "Router 9");
	assert_string_equal(g->smbios.version, "2.0");
	assert_string_equal(g->smbios.serial, "ds=nocloud;s=http://10.0.2.2/");
	assert_true(g->smbios.has_uuid);
	assert_memory_equal(g->smbios.uuid, uuid, sizeof(uuid));
	g++;
	assert_int_equal(g->memory, 1552u << 20);
	assert_int_equal(g->numa, POL_NUMA_PREFERRED);
	assert_int_equal(pol_guest_nodes(g, n), 3);
	assert_int_equal(n[0].cpus, 0x43);
	assert_int_equal(n[1].cpus, 0x3c);
	assert_int_equal(n[1].host, 1);
	assert_int_equal(n[2].cpus, 0);
	assert_int_equal(n[2].host, -1);
	g++;
	assert_int_equal(pol_guest_nodes(g, n), 1);
	assert_int_equal(n[0].host, -1);
	g++;
	assert_int_equal(pol_guest_nodes(g, n), 0);
	assert_false(g->lock || g->smbios.has_uuid);
	pol_free(p);
}

static void test_gpus(void **state)
{
	struct pol_policy *p = parse("tests/golden/policy/good/gpus.yaml");
	const struct pol_device *gpu = &p->device[1];
	const struct pol_pool *pool = &p->pool[1];
	const struct pol_nic *nic = &p->nic[1];
	const struct pol_guest *g = &p->guest[0];

	(void)state;
	assert_int_equal(p->n_gpus, 4);
	assert_int_equal(p->n_devices, 3);
	assert_string_equal(gpu->name, "gpu0");
	assert_int_equal(gpu->kind, POL_KIND_GPU);
	assert_int_equal(gpu->companions, POL_TOGETHER);
	assert_int_equal(gpu->rom, POL_ROM_NONE);
	assert_int_equal(gpu->on_fault, POL_FAULT_STOP);
	assert_int_equal(gpu->resets, POL_RESET_FLR | POL_RESET_BUS);
	assert_int_equal(p->device[0].kind, POL_KIND_DEVICE);
	assert_int_equal(p->device[2].resets, 0);

	assert_int_equal(p->n_nics, 3);
	assert_int_equal(nic->kind, POL_KIND_GPU);
	assert_true(nic->vf_count.given && nic->vf_count.v == 4);
	assert_true(nic->autoprobe.given == POL_GIVEN && !nic->autoprobe.v);
	assert_string_equal(pool->name, "gpu1");
	assert_int_equal(pool->n_fn, 4);
	assert_int_equal(pool->fn[3].nic, 1);
	assert_int_equal(pool->fn[3].vf, 3);
	assert_true(pol_driver_is_vfio(pool->driver));
	assert_int_equal(p->nic[2].vf_count.given, POL_DEFAULT);
	assert_int_equal(p->pool[2].n_fn, 0);

	/* The one that is named goes first, whatever the order. */
	assert_int_equal(g->n_nics, 3);
	assert_string_equal(g->nic[0].name, "gpu1#0");
	assert_string_equal(g->nic[1].name, "gpu1#1");
	assert_string_equal(g->nic[2].name, "gpu1#2");
	assert_int_equal(g->nic[1].slot, 5);
	assert_int_equal(g->nic[0].slot, 1);
	assert_int_equal(g->nic[2].slot, 2);
	assert_int_equal(g->nic[0].on_fault, POL_FAULT_RESET);
	assert_false(g->boot_auto);
	g++;
	assert_true(g->boot_auto);
	assert_int_equal(g->n_nics, 3);
	assert_string_equal(g->nic[2].name, "gpu1#3");
	assert_int_equal(g->n_devices, 2);
	assert_string_equal(g->device[1].name, "gpu0");
	assert_int_equal(g->device[1].slot, 1);
	assert_int_equal(g->nic[0].slot, 2);
	assert_int_equal(g->nic[1].slot, 3);
	assert_int_equal(g->device[0].slot, 4);
	assert_int_equal(g->nic[2].slot, 5);
	pol_free(p);
}

static void test_nvme(void **state)
{
	struct pol_policy *p = parse("tests/golden/policy/good/nvme.yaml");
	const struct pol_device *disk = &p->device[1];
	const struct pol_nic *nic = &p->nic[0];
	const struct pol_guest *g = &p->guest[0];

	(void)state;
	assert_int_equal(p->n_nvmes, 5);
	assert_int_equal(p->n_devices, 3);
	assert_string_equal(disk->name, "scratch");
	assert_int_equal(disk->kind, POL_KIND_NVME);
	assert_int_equal(disk->release, POL_RELEASE_QUARANTINE);
	assert_int_equal(disk->companions, POL_TOGETHER);
	assert_true(disk->match.by_class && disk->match.by_interface);
	assert_int_equal(disk->match.class_code, 0x0108);
	assert_int_equal(disk->match.interface, 2);
	assert_int_equal(p->device[2].release, POL_RELEASE_REUSE);
	assert_int_equal(p->device[2].companions, POL_ALONE);

	assert_int_equal(p->n_nics, 3);
	assert_int_equal(nic->kind, POL_KIND_NVME);
	assert_int_equal(nic->vf_count.v, 4);
	assert_int_equal(nic->res_given, POL_GIVEN);
	assert_int_equal(nic->res.queues, 9);
	assert_int_equal(nic->res.interrupts, 9);
	assert_true(nic->res.online);
	assert_false(p->pool[0].hold);
	assert_int_equal(nic[1].res_given, POL_ABSENT);
	assert_true(p->pool[1].hold);
	assert_int_equal(nic[2].res_given, POL_DEFAULT);
	assert_false(nic[2].res.online);

	assert_int_equal(g->n_devices, 1);
	assert_int_equal(g->device[0].slot, 6);
	assert_int_equal(g->n_nics, 3);
	assert_string_equal(g->nic[0].name, "ns-shared#0");
	assert_string_equal(g->nic[1].name, "ns-shared#1");
	assert_string_equal(g->nic[2].name, "as-it-is#0");
	g++;
	assert_string_equal(g->device[1].name, "plain");
	assert_string_equal(g->nic[0].name, "ns-shared#2");
	pol_free(p);
}

/* ---- MACs ---------------------------------------------------------------- */

static void test_macs(void **state)
{
	struct pol_policy *p = parse("docs/examples/demo.yaml");
	char text[MAC_STRLEN];
	uint8_t mac[6];

	(void)state;
	/* FNV-1a of "demo/wan", computed apart; never to change. */
	assert_true(
		pol_guest_nic_mac(p, &p->guest[0], &p->guest[0].nic[0], mac));
	assert_string_equal(mac_format(mac, text), "02:5a:10:86:0c:49");
	pol_free(p);

	p = parse("tests/golden/policy/good/nulls.yaml");
	assert_false(
		pol_guest_nic_mac(p, &p->guest[0], &p->guest[0].nic[0], mac));
	assert_true(
		pol_guest_nic_mac(p, &p->guest[0], &p->guest[0].nic[1], mac));
	assert_string_equal(mac_format(mac, text), "02:5a:10:00:01:01");
	pol_free(p);

	p = parse("tests/golden/policy/good/slots.yaml");
	assert_false(
		pol_guest_nic_mac(p, &p->guest[0], &p->guest[0].nic[0], mac));
	pol_free(p);
}

/* Names whose 24 bits are equal, found by search; and one given the address
 * that another gets. */
static void test_stable_collision(void **state)
{
	static const char form[] =
		"version: 1\n"
		"nics: [ { name: e, match: { pci: \"0000:01:00.0\" } } ]\n"
		"pools: [ { name: p, functions: [\"e#0-1\"],\n"
		"  mac: { prefix: \"02:5a:10\" } } ]\n"
		"guests:\n"
		"- name: g\n"
		"  memory: 16M\n"
		"  kernel: /k\n"
		"  nics:\n"
		"  - { name: %s, pool: p }\n"
		"  - { name: %s, pool: p%s }\n";
	struct pol_policy *p;
	char s[512];

	(void)state;
	snprintf(s, sizeof(s), form, "n1670", "n3120", "");
	assert_int_equal(pol_parse(s, strlen(s), &p, &errs), -EINVAL);
	assert_int_equal(errs.n, 1);
	assert_int_equal(errs.e[0].diag.code, FL_POL_CONFLICT);
	assert_int_equal(errs.e[0].pos.line, 11);
	assert_int_equal(errs.e[0].pos.column, 5);
	snprintf(s, sizeof(s), form, "n1670", "other",
	         ", mac-address: \"02:5a:10:2c:20:c4\"");
	assert_int_equal(pol_parse(s, strlen(s), &p, &errs), -EINVAL);
	assert_int_equal(errs.e[0].diag.code, FL_POL_CONFLICT);
	snprintf(s, sizeof(s), form, "n1670", "n3120",
	         ", mac-address: \"02:5a:10:00:00:01\"");
	assert_int_equal(pol_parse(s, strlen(s), &p, &errs), 0);
	pol_free(p);
}

/* ---- what is its own ----------------------------------------------------- */

/* Each as `check` and `plan` show it. */
static void show_own(const struct pol_policy *p, struct text *t)
{
	char line[512], script[POL_GUARD_SCRIPT];
	struct pol_own o;

	t->n = 0;
	for (size_t g = 0; g < p->n_guests; g++)
		for (size_t i = 0; pol_guest_own(p, &p->guest[g], i, &o); i++) {
			pol_own_text(&o, line, sizeof(line));
			text_add(t, "%s: %s\n", p->guest[g].name, line);
			pol_own_command(&o, line, sizeof(line));
			if (*line)
				text_add(t, "    %s\n", line);
			if (!pol_own_guarded(&o))
				continue;
			pol_guard_script(&o, script, sizeof(script));
			text_add(t, "%s", script);
		}
}

static void check_shown(const struct pol_policy *p, const char *path)
{
	show_own(p, &got);
	if (golden_update())
		text_write(path, got.buf);
	text_read(&want, path);
	assert_string_equal(got.buf, want.buf);
}

static void test_macvtap(void **state)
{
	struct pol_policy *p = parse("tests/golden/policy/good/macvtap.yaml");

	(void)state;
	check_shown(p, "tests/golden/policy/good/macvtap.shown");
	pol_free(p);
}

static void test_addresses(void **state)
{
	struct pol_policy *p = parse("tests/golden/policy/good/addresses.yaml");

	(void)state;
	check_shown(p, "tests/golden/policy/good/addresses.shown");
	pol_free(p);
}

static void test_ovs(void **state)
{
	struct pol_policy *p = parse("tests/golden/policy/good/ovs.yaml");

	(void)state;
	check_shown(p, "tests/golden/policy/good/ovs.shown");
	assert_true(p->nic[0].bridge.ovs);
	assert_int_equal(p->nic[0].bridge.datapath, POL_OVS_ANY);
	assert_int_equal(p->nic[1].bridge.datapath, POL_OVS_NETDEV);
	pol_free(p);
}

/* The longest that there can be fits. */
static void test_guard_room(void **state)
{
	static struct pol_addresses a = { .n = POL_ADDRESSES_MAX };
	struct pol_own o = { .kind = POL_OWN_NIC, .addresses = &a };
	char script[POL_GUARD_SCRIPT];

	(void)state;
	memset(o.ifname, '?', sizeof(o.ifname) - 1);
	for (size_t i = 0; i < a.n; i++) {
		a.ip[i].family = 6;
		memset(a.ip[i].b, 0xa1, sizeof(a.ip[i].b));
	}
	assert_true(pol_guard_script(&o, script, sizeof(script)) <
	            sizeof(script));
	assert_non_null(strstr(script, " } counter drop comment \"ip\"\n"));
}

static void test_overlay(void **state)
{
	struct pol_policy *p = parse("tests/golden/policy/good/overlay.yaml");
	const struct pol_overlay *o = &p->network[1].overlay;
	char ip[POL_IP_TEXT];

	(void)state;
	check_shown(p, "tests/golden/policy/good/overlay.shown");
	assert_int_equal(p->network[0].overlay.port, 4789);
	assert_int_equal(p->network[0].overlay.n_remotes, 2);
	assert_int_equal(o->port, 8472);
	assert_int_equal(o->vlan, 7);
	assert_string_equal(o->dev, "vx101");
	assert_string_equal(o->device, "eth0");
	assert_string_equal(pol_ip_format(&o->group, ip), "ff05::64");
	assert_false(p->network[2].overlay.learning);
	assert_int_equal(p->network[3].overlay.id, 0);
	pol_free(p);
}

/* A nic that is a tap for now keeps its place, its MAC, and its VF from
 * others. */
static void test_datapath(void **state)
{
	struct pol_policy *p = parse("tests/golden/policy/good/datapath.yaml");
	const struct pol_guest_nic *nic = p->guest[0].nic;

	(void)state;
	check_shown(p, "tests/golden/policy/good/datapath.shown");
	assert_int_equal(nic[0].pool, SIZE_MAX);
	assert_int_equal(nic[0].idle_pool, 0);
	assert_int_equal(nic[0].own.backend, POL_BACKEND_VHOST);
	assert_int_equal(nic[1].own.backend, POL_BACKEND_TAP);
	assert_int_equal(nic[2].own.backend, POL_BACKEND_NONE);
	assert_int_equal(nic[2].pool, 0);
	assert_int_equal(nic[4].idle_pool, SIZE_MAX);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(nic[i].fn.vf, i);
	pol_free(p);
}

static void test_own_devices(void **state)
{
	struct pol_policy *p =
		parse("tests/golden/policy/good/own-devices.yaml");
	const struct pol_guest *g = &p->guest[0];

	(void)state;
	check_shown(p, "tests/golden/policy/good/own-devices.shown");
	assert_int_equal(g->nic[0].pool, 0);
	assert_int_equal(g->nic[1].pool, SIZE_MAX);
	assert_string_equal(g->disk[0].serial, "ROOT-1");
	assert_false(g->disk[0].read_only || g->disk[0].direct);
	assert_true(g->disk[1].read_only && g->disk[1].direct);
	assert_int_equal(p->guest[1].rng_slot, 0);
	assert_int_equal(g->watchdog.action, POL_WATCHDOG_STOP);
	assert_int_equal(g->on_panic, POL_PANIC_RESET);
	assert_int_equal(p->guest[1].watchdog.action, POL_WATCHDOG_DUMP);
	assert_int_equal(p->guest[1].on_panic, POL_PANIC_IGNORE);
	pol_free(p);
	p = parse("tests/golden/policy/good/own-no-room-for-rng.yaml");
	assert_int_equal(p->guest[0].rng_slot, 0);
	pol_free(p);
}

/* ---- a guest's CPUs in a host -------------------------------------------- */

/* Eight CPUs, of which 7 is offline; n and n + 4 are of one core. */
static void host_of(struct pol_host_cpus *h)
{
	*h = (struct pol_host_cpus){ 0 };
	for (uint16_t i = 0; i < 8; i++) {
		h->online[i] = i != 7;
		h->core[i] = i % 4;
	}
}

static struct pol_policy *placed(const char *cpus, const char *other)
{
	static char text[512];
	struct pol_policy *p;

	snprintf(text, sizeof(text),
	         "version: 1\nguests:\n"
	         "  - { name: a, memory: 16M, kernel: /k, cpus: { %s } }\n"
	         "  - { name: b, memory: 16M, kernel: /k, cpus: { %s } }\n",
	         cpus, other);
	assert_int_equal(pol_parse(text, strlen(text), &p, &errs), 0);
	return p;
}

static void test_cpus_in_a_host(void **state)
{
	static const struct {
		const char *cpus, *other;
		int code, err;
	} row[] = {
		{ "count: 1", "count: 1", 0, 0 },
		{ "count: 2, pin: \"0-1\"", "count: 1", 0, 0 },
		{ "count: 2, pin: \"6-7\"", "count: 1", FL_POL_CPU, -ENODEV },
		{ "count: 2, pin: \"8-9\"", "count: 1", FL_POL_CPU, -ENODEV },
		{ "count: 1, emulator: \"1023\"", "count: 1", FL_POL_CPU,
		  -ENODEV },
		/* siblings, as one may have them */
		{ "count: 2, pin: \"0,4\"", "count: 1", 0, 0 },
		{ "count: 2, pin: \"0,4\", siblings: allow", "count: 1", 0, 0 },
		{ "count: 2, pin: \"0-1\", siblings: avoid", "count: 1", 0, 0 },
		{ "count: 2, pin: \"0,4\", siblings: avoid", "count: 1",
		  FL_POL_SIBLINGS, -EBUSY },
		/* threads of one core of the guest are just that */
		{ "count: 2, threads: 2, pin: \"0,4\", siblings: avoid",
		  "count: 1", 0, 0 },
		{ "count: 4, threads: 2, pin: \"0,4,1,5\", siblings: avoid",
		  "count: 1", 0, 0 },
		{ "count: 4, threads: 2, pin: \"0,1,4,5\", siblings: avoid",
		  "count: 1", FL_POL_SIBLINGS, -EBUSY },
		/* a set: any vCPU may be on any of them */
		{ "count: 4, threads: 2, pin: \"0,4\", siblings: avoid",
		  "count: 1", FL_POL_SIBLINGS, -EBUSY },
		/* those of the VMM itself, and of another guest */
		{ "count: 1, pin: \"1\", emulator: \"5\", siblings: avoid",
		  "count: 1", FL_POL_SIBLINGS, -EBUSY },
		{ "count: 1, pin: \"1\", siblings: avoid",
		  "count: 1, pin: \"5\"", FL_POL_SIBLINGS, -EBUSY },
		{ "count: 1, pin: \"1\", siblings: avoid",
		  "count: 1, emulator: \"5\"", FL_POL_SIBLINGS, -EBUSY },
		{ "count: 1, pin: \"1\"", "count: 1, pin: \"5\"", 0, 0 },
		{ "count: 1, pin: \"1\", siblings: avoid",
		  "count: 1, pin: \"2\"", 0, 0 },
	};
	struct pol_host_cpus h;

	(void)state;
	host_of(&h);
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct pol_policy *p = placed(row[i].cpus, row[i].other);
		struct diag d = { 0 };

		assert_int_equal(pol_cpus_check(p, &p->guest[0], &h, &d),
		                 row[i].err);
		assert_int_equal(d.code, row[i].code);
		if (d.code)
			assert_true(d.what[0] && d.why[0] && d.mend[0]);
		pol_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_cpus),
		cmocka_unit_test(test_gpus),
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_nvme),
		cmocka_unit_test(test_macs),
		cmocka_unit_test(test_stable_collision),
		cmocka_unit_test(test_macvtap),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_guard_room),
		cmocka_unit_test(test_ovs),
		cmocka_unit_test(test_overlay),
		cmocka_unit_test(test_datapath),
		cmocka_unit_test(test_own_devices),
		cmocka_unit_test(test_cpus_in_a_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
