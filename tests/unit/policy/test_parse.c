/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parser: every bad file under tests/golden/policy/bad gives exactly the
 * errors, with positions, of the .err beside it; every good one parses; and
 * what a file says arrives in the structs (of guests: test_parse_guest.c).
 */

#include "tests/unit/policy/parse.h"

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

/* The example of each section has them all. */
static void test_whole(void **state)
{
	struct pol_policy *p = parse("docs/examples/site.yaml");

	(void)state;
	assert_true(p->host.pos.line && p->n_nics && p->n_networks &&
	            p->n_pools && p->n_overrides && p->n_devices && p->n_gpus &&
	            p->n_nvmes && p->n_guests);
	pol_free(p);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_errors_are_bounded),
		cmocka_unit_test(test_long_text),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_scrub),
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_base),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_nulls),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_host_defaults),
		cmocka_unit_test(test_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
