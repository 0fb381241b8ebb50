/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parser: every bad file under tests/golden/policy/bad gives exactly the
 * errors, with positions, of the .err beside it; every good one parses; and
 * what a file says arrives in the structs.
 */

#include "tests/unit/policy/golden.h"

static struct pol_errors errs;
static struct text file, got, want;

static struct pol_policy *parse(const char *path)
{
	struct pol_policy *p = NULL;

	text_read(&file, path);
	if (pol_parse(file.buf, file.n, &p, &errs)) {
		got.n = 0;
		text_errors(&got, &errs);
		fail_msg("%s: %s", path, got.buf);
	}
	return p;
}

/* ---- bad ----------------------------------------------------------------- */

static unsigned codes_seen[200];

static void check_bad(const char *path)
{
	struct pol_policy *p = (void *)&file, *before = p;
	char expect[512];
	int r;

	text_read(&file, path);
	r = pol_parse(file.buf, file.n, &p, &errs);
	if (r != -EINVAL || !errs.n || p != before)
		fail_msg("%s: not refused as it should be (%d)", path, r);
	got.n = 0;
	text_errors(&got, &errs);
	for (size_t i = 0; i < errs.n; i++) {
		assert_true(errs.e[i].pos.line && errs.e[i].pos.column);
		assert_int_equal(errs.e[i].diag.err, -EINVAL);
		codes_seen[errs.e[i].diag.code]++;
	}
	snprintf(expect, sizeof(expect), "%.*s.err", (int)strlen(path) - 5,
	         path);
	if (golden_update()) {
		text_write(expect, got.buf);
		return;
	}
	text_read(&want, expect);
	if (strcmp(got.buf, want.buf) != 0)
		fail_msg("%s\n--- got\n%s--- expected\n%s", path, got.buf,
		         want.buf);
}

static void test_bad(void **state)
{
	(void)state;
	assert_true(each_file("tests/golden/policy/bad", ".yaml", check_bad) >
	            150);
	for (int code = FL_POL_YAML; code <= FL_POL_CONFLICT; code++)
		if (!codes_seen[code])
			fail_msg("no bad file gives FL-%04d", code);
}

static void test_errors_are_bounded(void **state)
{
	struct pol_policy *p;

	(void)state;
	text_read(&file, "tests/golden/policy/bad/many-errors.yaml");
	assert_int_equal(pol_parse(file.buf, file.n, &p, &errs), -EINVAL);
	assert_int_equal(errs.n, POL_ERRORS_MAX);
	assert_int_equal(errs.dropped, 40 - POL_ERRORS_MAX);
}

/* Lengths that no file on disk should have. */
static void test_long_text(void **state)
{
	struct pol_policy *p;
	char *s = malloc(POL_TEXT_MAX + 2);

	(void)state;
	memset(s, '#', POL_TEXT_MAX + 1);
	assert_int_equal(pol_parse(s, POL_TEXT_MAX + 1, &p, &errs), -EINVAL);
	assert_int_equal(errs.e[0].diag.code, FL_POL_YAML);
	assert_int_equal(pol_parse(s, POL_TEXT_MAX, &p, &errs), -EINVAL);
	assert_int_equal(errs.e[0].diag.code, FL_POL_MISSING);
	memcpy(s, "nics: [", 7);
	for (size_t i = 7; i + 1 < POL_TEXT_MAX; i += 2)
		memcpy(s + i, "1,", 2);
	assert_int_equal(pol_parse(s, POL_TEXT_MAX, &p, &errs), -EINVAL);
	assert_int_equal(errs.e[0].diag.code, FL_POL_YAML);
	assert_string_equal(errs.e[0].diag.what,
	                    "too many values: the limit is 65536");
	free(s);
}

/* Every prefix of a good file parses or is refused; nothing is read beyond
 * the length given (a sanitizer sees it, the copy has no terminator). */
static void test_prefixes(void **state)
{
	struct pol_policy *p;

	(void)state;
	text_read(&file, "tests/golden/policy/good/any-order.yaml");
	for (size_t n = 0; n <= file.n; n++) {
		char *copy = malloc(n ? n : 1);
		int r;

		memcpy(copy, file.buf, n);
		r = pol_parse(copy, n, &p, &errs);
		assert_true(r == 0 || (r == -EINVAL && errs.n));
		if (!r)
			pol_free(p);
		free(copy);
	}
}

/* ---- good ---------------------------------------------------------------- */

static void check_good(const char *path)
{
	pol_free(parse(path));
}

/* Left out and null are both all of it; that it is stated is another thing. */
static void test_scrub(void **state)
{
	static const unsigned steps[] = { POL_SCRUB_ALL, 0, POL_SCRUB_ALL,
		                          POL_SCRUB_ALL, POL_SCRUB_ALL };
	struct pol_policy *p = parse("tests/golden/policy/good/scrub.yaml");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		assert_int_equal(pol_pool_scrub(&p->pool[i]), steps[i]);
		assert_int_equal(p->pool[i].scrub_given != POL_ABSENT, i != 4);
	}
	pol_free(p);
}

static void test_good(void **state)
{
	(void)state;
	assert_true(each_file("tests/golden/policy/good", ".yaml",
	                      check_good) >= 6);
	assert_true(each_file("docs/examples", ".yaml", check_good) >= 1);
}

static void test_base(void **state)
{
	struct pol_policy *p = parse("tests/golden/policy/good/base.yaml");
	const struct pol_guest *g;

	(void)state;
	assert_int_equal(p->version, 1);
	assert_int_equal(p->n_nics, 1);
	assert_string_equal(p->nic[0].name, "edge0");
	assert_int_equal(p->nic[0].pos.line, 3);
	assert_int_equal(p->nic[0].pos.column, 5);
	assert_true(p->nic[0].match.by_pci);
	assert_false(p->nic[0].match.by_vendor);
	assert_true(bdf_equal(p->nic[0].match.pci,
	                      (struct bdf){ .bus = 1, .dev = 0 }));
	assert_int_equal(p->nic[0].vf_count.given, POL_GIVEN);
	assert_int_equal(p->nic[0].vf_count.v, 4);
	assert_int_equal(p->nic[0].vf_count_pos.line, 5);
	assert_int_equal(p->nic[0].autoprobe.given, POL_ABSENT);
	assert_int_equal(p->nic[0].link_up.given, POL_ABSENT);
	assert_int_equal(p->network[0].set.vlan.id, 100);
	assert_int_equal(p->network[0].set.vlan.qos, 3);
	assert_int_equal(p->network[0].set.vlan.proto, 0x8100);
	assert_int_equal(p->network[0].set.trust.given, POL_ABSENT);
	assert_int_equal(p->pool[0].n_fn, 4);
	assert_int_equal(p->pool[0].fn[3].vf, 3);
	assert_string_equal(p->pool[0].driver, "vfio");
	assert_int_equal(p->pool[0].mac_assign, POL_MAC_STABLE);
	g = pol_guest_find(p, "demo");
	assert_non_null(g);
	assert_null(pol_guest_find(p, "demo2"));
	assert_int_equal(g->cpus, 1);
	assert_int_equal(g->memory, 512u << 20);
	assert_string_equal(g->kernel, "/boot/vmlinuz");
	assert_string_equal(g->initrd, "");
	assert_int_equal(g->nic[0].pool, 0);
	assert_int_equal(g->nic[0].network, 0);
	assert_int_equal(g->nic[0].slot, 1);
	assert_int_equal(g->nic[0].fn.vf, 0);
	pol_free(p);
}

static void test_attributes(void **state)
{
	struct pol_policy *p =
		parse("tests/golden/policy/good/attributes.yaml");
	const struct pol_attributes *a = &p->network[0].set;
	const struct pol_guest *g = &p->guest[0];
	struct pol_attributes set;
	uint8_t mac[6];

	(void)state;
	assert_int_equal(p->nic[0].mtu.v, 9000);
	assert_int_equal(a->link_state.v, POL_LINK_ENABLE);
	assert_int_equal(a->rate.min, 100);
	assert_int_equal(a->rate.max, 10000);
	assert_int_equal(a->query_rss.given, POL_GIVEN);
	assert_int_equal(a->unsupported, POL_UNSUPPORTED_FAIL);
	assert_int_equal(a->mtu.v, 9000);
	a = &p->network[1].set;
	assert_int_equal(a->link_state.given, POL_DEFAULT);
	assert_int_equal(a->rate.given, POL_DEFAULT);
	assert_int_equal(a->query_rss.given, POL_DEFAULT);
	assert_int_equal(a->mtu.given, POL_ABSENT);
	/* Each key by itself: the override's, else the network's. */
	pol_guest_nic_set(p, &g->nic[0], &set);
	assert_int_equal(set.rate.min, 0);
	assert_int_equal(set.rate.max, 500);
	assert_int_equal(set.vlan.given, POL_DEFAULT);
	assert_int_equal(set.link_state.v, POL_LINK_ENABLE);
	assert_true(pol_guest_nic_mac(p, g, &g->nic[0], mac));
	assert_memory_equal(mac, "\x02\x5a\x10\x00\x00\x03", 6);
	assert_null(pol_override_find(p, (struct pol_fn){ 0, 2 }));
	assert_int_equal(
		pol_override_find(p, (struct pol_fn){ 0, 3 })->mac.given,
		POL_DEFAULT);
	pol_free(p);
}

static void test_any_order(void **state)
{
	struct pol_policy *p = parse("tests/golden/policy/good/any-order.yaml");
	const struct pol_pool *pool = &p->pool[0];

	(void)state;
	assert_int_equal(pool->n_fn, 4);
	assert_int_equal(pool->fn[1].vf, 2);
	assert_int_equal(pool->fn[3].nic, 1);
	assert_int_equal(pool->fn[3].vf, 7);
	assert_int_equal(pool->mac_assign, POL_MAC_NONE);
	assert_true(p->nic[0].match.by_vendor && p->nic[0].match.by_device &&
	            p->nic[0].match.by_driver && p->nic[0].match.by_ifname);
	assert_int_equal(p->nic[0].match.device, 0x10c9);
	assert_string_equal(p->guest[0].cmdline, "console=ttyS0 quiet");
	assert_int_equal(p->guest[0].cpus, 64);
	pol_free(p);
}

/* Absent, null and a value are three things. */
static void test_nulls(void **state)
{
	struct pol_policy *p = parse("tests/golden/policy/good/nulls.yaml");

	(void)state;
	assert_int_equal(p->nic[0].vf_count.given, POL_ABSENT);
	assert_int_equal(p->nic[0].autoprobe.given, POL_DEFAULT);
	assert_int_equal(p->nic[0].link_up.given, POL_GIVEN);
	assert_false(p->nic[0].link_up.v);
	assert_int_equal(p->network[0].set.vlan.given, POL_DEFAULT);
	assert_int_equal(p->network[0].set.spoof_check.given, POL_DEFAULT);
	assert_int_equal(p->network[0].set.trust.given, POL_DEFAULT);
	assert_int_equal(p->network[1].set.vlan.given, POL_GIVEN);
	assert_int_equal(p->network[1].set.spoof_check.given, POL_GIVEN);
	assert_false(p->network[1].set.spoof_check.v);
	assert_string_equal(p->pool[0].driver, "netdev");
	assert_string_equal(p->pool[1].driver, "");
	assert_int_equal(p->pool[1].mac_assign, POL_MAC_STABLE);
	assert_int_equal(p->guest[0].cpus, 1);
	assert_int_equal(p->guest[0].memory, 16u << 20);
	assert_int_equal(p->guest[0].nic[0].mac.given, POL_DEFAULT);
	assert_int_equal(p->guest[0].nic[1].mac.given, POL_GIVEN);
	assert_int_equal(p->guest[0].nic[1].fn.vf, 2);
	pol_free(p);
}

static void test_match(void **state)
{
	struct pol_policy *p = parse("tests/golden/policy/good/match.yaml");
	const struct pol_match *m = &p->nic[0].match;

	(void)state;
	assert_true(m->by_subvendor && m->by_subdevice && m->by_serial &&
	            m->by_mac && m->by_node && m->by_ifname);
	assert_int_equal(m->subvendor, 0x8086);
	assert_int_equal(m->subdevice, 0xa03c);
	assert_string_equal(m->serial, "00-1b-21-ff-ff-00-00-01");
	assert_int_equal(m->node, 1);
	assert_memory_equal(m->mac, "\x52\x54\0\0\0\x01", 6);
	assert_string_equal(p->nic[0].ifname,
	                    "the-one-with-a-name-that-is-longer");
	assert_int_equal(p->nic[0].manage, POL_MANAGE_ADOPT);
	assert_int_equal(p->nic[1].manage, POL_MANAGE_FUNCTIONS);
	assert_false(p->nic[1].match.by_mac || p->nic[1].match.by_node);
	assert_true(p->device[0].match.by_node && p->device[0].match.by_serial);
	pol_free(p);
}

static void test_host(void **state)
{
	struct pol_policy *p = parse("tests/golden/policy/good/host.yaml");
	const struct pol_host *h = &p->host;

	(void)state;
	assert_int_equal(h->pos.line, 3);
	assert_string_equal(h->hostname, "nfv-a1");
	assert_string_equal(h->machine_id, "00112233445566778899aabbccddeeff");
	assert_int_equal(h->mode, POL_MODE_OBSERVE);
	assert_true(h->deny_unlisted);
	assert_false(h->reconcile.on_event);
	assert_int_equal(h->reconcile.interval_ms, 300000);
	assert_int_equal(h->reconcile.safe, POL_DRIFT_REPORT);
	assert_int_equal(h->reconcile.disruptive, POL_DRIFT_IGNORE);
	assert_int_equal(h->apply.confirm_ms.given, POL_GIVEN);
	assert_int_equal(h->apply.confirm_ms.v, 120000);
	assert_int_equal(h->apply.budget, POL_BUDGET_ALLOW);
	assert_int_equal(h->apply.sysfs_ms.v, 1500);
	assert_false(h->apply.parallel);
	assert_true(h->metrics.given && !h->metrics.v6);
	assert_memory_equal(h->metrics.v4, "\x7f\0\0\x05", 4);
	assert_int_equal(h->metrics.port, 9808);
	assert_int_equal(h->metrics.names, POL_METRICS_OWN);
	pol_free(p);
}

/* What a policy without `host` has. */
static void test_host_defaults(void **state)
{
	struct pol_policy *p = parse("tests/golden/policy/good/base.yaml");
	const struct pol_host *h = &p->host;

	(void)state;
	assert_int_equal(h->pos.line, 0);
	assert_true(!*h->hostname && !*h->machine_id && !h->deny_unlisted);
	assert_int_equal(h->mode, POL_MODE_ENFORCE);
	assert_true(h->reconcile.on_event);
	assert_int_equal(h->reconcile.interval_ms, 30000);
	assert_int_equal(h->reconcile.safe, POL_DRIFT_REPAIR);
	assert_int_equal(h->reconcile.disruptive, POL_DRIFT_REPORT);
	assert_int_equal(h->apply.confirm_ms.given, POL_ABSENT);
	assert_int_equal(h->apply.budget, POL_BUDGET_NONE_IN_USE);
	assert_int_equal(h->apply.sysfs_ms.given, POL_ABSENT);
	assert_true(h->apply.parallel);
	assert_false(h->metrics.given);
	pol_free(p);
}

static void test_slots(void **state)
{
	static const uint8_t slots[] = { 2, 1, 31, 3 };
	struct pol_policy *p = parse("tests/golden/policy/good/slots.yaml");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++) {
		assert_int_equal(p->guest[0].nic[i].slot, slots[i]);
		assert_int_equal(p->guest[0].nic[i].fn.vf, i);
		assert_int_equal(p->guest[0].nic[i].network, SIZE_MAX);
	}
	pol_free(p);
}

/* ---- MACs ---------------------------------------------------------------- */

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

/* Each as `check` and `plan` show it. */
static void show_own(const struct pol_policy *p, struct text *t)
{
	char line[512], script[4096];
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
		  "count: 1, pin: \"1\"", FL_POL_SIBLINGS, -EBUSY },
		{ "count: 1, pin: \"1\"", "count: 1, pin: \"1\"", 0, 0 },
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_cpus),
		cmocka_unit_test(test_cpus_in_a_host),
		cmocka_unit_test(test_own_devices),
		cmocka_unit_test(test_datapath),
		cmocka_unit_test(test_overlay),
		cmocka_unit_test(test_macvtap),
		cmocka_unit_test(test_errors_are_bounded),
		cmocka_unit_test(test_long_text),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_scrub),
		cmocka_unit_test(test_base),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_nulls),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_host_defaults),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_macs),
		cmocka_unit_test(test_stable_collision),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
