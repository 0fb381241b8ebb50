/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must hold of every plan (properties.h), tried on many random machines
 * and policies with a small simulator of the kernel's rules. And the machine
 * exported as a policy is left as it is by that.
 */

#include "tests/unit/policy/act.h"
#include "tests/unit/policy/properties.h"

#define ROUNDS 20000
#define PFS 2

static struct pol_errors errs;

/* ---- machines ------------------------------------------------------------ */

static void random_vf(struct pol_vf *v)
{
	static const char *const drivers[] = { "", "igbvf", "vfio-pci" };

	v->set = POL_HAS_KNOBS | POL_HAS_DRIVER | POL_HAS_OVERRIDE;
	v->group = 10 + v->index;
	if (pick(2)) {
		v->mac[0] = 2;
		v->mac[5] = (uint8_t)pick(4);
	}
	v->vlan = (uint16_t)(pick(2) * (1 + pick(3)));
	v->qos = (uint8_t)(v->vlan ? pick(3) : 0);
	v->proto = v->vlan && pick(2) ? 0x88a8 : 0x8100;
	v->spoof = pick(2);
	v->trust = pick(2);
	v->rss = pick(2);
	v->rate_max = 100 * pick(3);
	v->rate_min = v->rate_max ? 50 * pick(2) : 0;
	v->link_state = (enum pol_link_state)pick(POL_LINK_MAX);
	set_text(v->driver, sizeof(v->driver), drivers[pick(3)]);
	set_text(v->override, sizeof(v->override), drivers[pick(3)]);
}

static struct pol_state *random_machine(void)
{
	struct pol_state *s = calloc(1, sizeof(*s));
	char bdf[BDF_STRLEN];

	s->iommu = true;
	s->remapping = true;
	for (unsigned i = 0; i < PFS; i++) {
		snprintf(bdf, sizeof(bdf), "0000:%02x:00.0", i + 1);
		struct pol_pf *pf = add_pf(s, bdf);

		pf->set = POL_HAS_AUTOPROBE | POL_HAS_NUMVFS | POL_HAS_LINK |
		          POL_HAS_MTU;
		pf->mtu = 1500 + 1000 * pick(3);
		pf->total_vfs = 7;
		pf->vf_offset = 128;
		pf->vf_stride = 2;
		pf->autoprobe = pick(2);
		pf->link_up = pick(2);
		set_text(pf->driver, sizeof(pf->driver), "ice");
		snprintf(pf->ifname, sizeof(pf->ifname), "ens%u", i);
		pf->num_vfs = pick(5);
		for (unsigned v = 0; v < pf->num_vfs; v++)
			random_vf(add_seen_vf(pf, v));
	}
	return s;
}

static struct pol_state *copy_machine(const struct pol_state *from)
{
	struct pol_state *s = calloc(1, sizeof(*s));

	*s = *from;
	s->pf = calloc(s->n_pfs, sizeof(*s->pf));
	for (size_t i = 0; i < s->n_pfs; i++) {
		s->pf[i] = from->pf[i];
		if (!s->pf[i].n_vfs)
			continue;
		s->pf[i].vf = calloc(s->pf[i].n_vfs, sizeof(*s->pf[i].vf));
		memcpy(s->pf[i].vf, from->pf[i].vf,
		       s->pf[i].n_vfs * sizeof(*s->pf[i].vf));
	}
	return s;
}

/* ---- the kernel ---------------------------------------------------------- */

static struct pol_pf *sim_pf(struct pol_state *s, struct bdf b)
{
	for (size_t i = 0; i < s->n_pfs; i++)
		if (bdf_equal(s->pf[i].bdf, b))
			return &s->pf[i];
	fail_msg("an action on a device that is not there");
	return NULL;
}

static void sim_numvfs(struct pol_pf *pf, uint32_t n)
{
	assert_true(!n || !pf->num_vfs); /* EBUSY */
	assert_true(n <= pf->total_vfs);
	free(pf->vf);
	pf->vf = NULL;
	pf->n_vfs = 0;
	pf->num_vfs = n;
	for (unsigned i = 0; i < n; i++) {
		struct pol_vf *v = add_seen_vf(pf, i);

		v->set = POL_HAS_KNOBS | POL_HAS_DRIVER | POL_HAS_OVERRIDE;
		v->group = 10 + (int)i;
		v->proto = 0x8100;
		v->spoof = true;
		if (pf->autoprobe)
			set_text(v->driver, sizeof(v->driver), "igbvf");
	}
}

/* As the command lines do it; drivers_probe binds without autoprobe only
 * what an override names. */
static void sim_driver(const struct pol_pf *pf, struct pol_vf *v,
                       const struct pol_action *a)
{
	const char *driver = a->driver;

	if (!strcmp(driver, POL_DRIVER_DEFAULT))
		driver = pf->autoprobe ? "igbvf" : "";
	set_text(v->driver, sizeof(v->driver), driver);
	set_text(v->override, sizeof(v->override), a->override);
}

static void sim_vf(struct pol_pf *pf, const struct pol_action *a)
{
	struct pol_vf *v;

	assert_true(a->vf >= 0 && (uint32_t)a->vf < pf->num_vfs);
	v = &pf->vf[a->vf];
	assert_true(bdf_equal(v->bdf, a->vf_bdf));
	if (act_knob(v, a))
		return;
	if (a->op != POL_OP_VF_DRIVER)
		fail_msg("op %d on a VF", (int)a->op);
	if (strcmp(a->driver_from, "?") != 0)
		assert_string_equal(a->driver_from, v->driver);
	sim_driver(pf, v, a);
}

static void sim(struct pol_state *s, const struct pol_action *a)
{
	struct pol_pf *pf = sim_pf(s, a->pf);

	switch (a->op) {
	case POL_OP_AUTOPROBE:
		assert_int_equal(a->number_from, pf->autoprobe);
		pf->autoprobe = a->number;
		break;
	case POL_OP_PF_MTU:
		assert_int_equal(a->number_from, pf->mtu);
		pf->mtu = a->number;
		break;
	case POL_OP_NUMVFS:
		assert_int_equal(a->number_from, pf->num_vfs);
		sim_numvfs(pf, a->number);
		break;
	case POL_OP_PF_LINK:
		assert_int_equal(a->number_from, pf->link_up);
		pf->link_up = a->number;
		break;
	default:
		sim_vf(pf, a);
	}
}

/* Carries out the first `n` actions. */
static void carry_out(struct pol_state *s, const struct pol_plan *plan,
                      size_t n)
{
	for (size_t i = 0; i < plan->n && i < n; i++)
		sim(s, &plan->action[i]);
}

/* ---- policies ------------------------------------------------------------ */

static void random_nic(struct text *t, unsigned i, unsigned vfs)
{
	static const char *const probe[] = { "", "true", "false", "null" };
	unsigned p = pick(4);

	text_add(t, "  - name: n%u\n    match: { pci: \"0000:%02x:00.0\" }\n",
	         i, i + 1);
	text_add(t, "    virtual-function-count: %u\n", vfs);
	if (p)
		text_add(t, "    drivers-autoprobe: %s\n", probe[p]);
	if (pick(2))
		text_add(t, "    link: %s\n", pick(2) ? "up" : "down");
	if (pick(2))
		text_add(t, "    mtu: %u\n", 1500 + 1000 * pick(3));
}

static void random_knobs(struct text *t, const char *in)
{
	static const char *const rate[] = { "null", "{ max: 100mbit }",
		                            "{ min: 50mbit, max: 200mbit }" };
	static const char *const link[] = { "null", "auto", "enable",
		                            "disable" };

	if (pick(2))
		text_add(t, "%stx-rate: %s\n", in, rate[pick(3)]);
	if (pick(2))
		text_add(t, "%slink-state: %s\n", in, link[pick(4)]);
	if (pick(2))
		text_add(t, "%squery-rss: %s\n", in, pick(2) ? "true" : "null");
}

static void random_override(struct text *t, const unsigned vfs[PFS])
{
	text_add(t, "overrides:\n");
	for (unsigned i = 0; i < PFS; i++) {
		if (!vfs[i])
			continue;
		text_add(t, "  - nic: n%u\n    vfs:\n      - id: %u\n", i,
		         pick(vfs[i]));
		if (pick(2))
			text_add(
				t,
				"        mac-address: \"02:00:00:00:00:%02x\"\n",
				i);
		random_knobs(t, "        ");
	}
}

static void random_network(struct text *t, unsigned i)
{
	text_add(t, "  - name: net%u\n", i);
	if (pick(3) == 0)
		text_add(t, "    vlan: null\n");
	else if (pick(2))
		text_add(t, "    vlan: { id: %u%s }\n", 1 + pick(3),
		         pick(2) ? ", qos: 2" : ", protocol: 802.1ad");
	if (pick(2))
		text_add(t, "    spoof-check: %s\n",
		         pick(2) ? "true" : "false");
	if (pick(2))
		text_add(t, "    trust: %s\n", pick(2) ? "true" : "null");
	random_knobs(t, "    ");
}

static void random_pool(struct text *t, unsigned i, unsigned vfs)
{
	static const char *const drivers[] = { "", "vfio", "netdev", "igbvf" };
	unsigned d = pick(3) ? 1 : pick(4), n = 1 + pick(vfs), used = 0;

	text_add(t, "  - name: p%u\n    functions: [\"n%u#0-%u\"]\n", i, i,
	         n - 1);
	if (d)
		text_add(t, "    driver: %s\n", drivers[d]);
	if (pick(2))
		text_add(t, "    mac: { prefix: \"02:5a:10\" }\n");
	/* Guests come after all pools: noted here for random_guests(). */
	if (d <= 1)
		used = pick(n + 1);
	text_add(t, "#%u\n", used);
}

static void random_guests(struct text *t, const unsigned used[PFS])
{
	text_add(t, "guests:\n  - name: g\n    memory: 16M\n    kernel: /k\n"
	            "    nics:\n");
	for (unsigned i = 0; i < PFS; i++)
		for (unsigned k = 0; k < used[i]; k++)
			text_add(t, "      - { name: c%u-%u, pool: p%u%s }\n",
			         i, k, i, pick(3) ? ", network: net0" : "");
}

/* The text of a policy that parses; whether it fits the machine is seen. */
static void random_policy(struct text *t)
{
	unsigned vfs[PFS], used[PFS] = { 0 };

	t->n = 0;
	text_add(t, "version: 1\nnics:\n");
	for (unsigned i = 0; i < PFS; i++)
		random_nic(t, i, vfs[i] = pick(5));
	text_add(t, "networks:\n");
	random_network(t, 0);
	text_add(t, "pools:\n");
	for (unsigned i = 0; i < PFS; i++) {
		if (!vfs[i])
			continue;
		random_pool(t, i, vfs[i]);
		used[i] = number(strrchr(t->buf, '#') + 1, 10);
	}
	if (vfs[0] + vfs[1] && pick(2))
		random_override(t, vfs);
	if (used[0] + used[1])
		random_guests(t, used);
}

/* ---- the properties ------------------------------------------------------ */

static void check_vf(const struct pol_vf *w, const struct pol_vf *v)
{
	if (w->set & POL_HAS_MAC)
		assert_memory_equal(w->mac, v->mac, 6);
	if (w->set & POL_HAS_VLAN) {
		assert_int_equal(w->vlan, v->vlan);
		assert_int_equal(w->qos, v->qos);
		if (w->vlan)
			assert_int_equal(w->proto, v->proto);
	}
	if (w->set & POL_HAS_SPOOF)
		assert_int_equal(w->spoof, v->spoof);
	if (w->set & POL_HAS_TRUST)
		assert_int_equal(w->trust, v->trust);
	if (w->set & POL_HAS_RATE) {
		assert_int_equal(w->rate_min, v->rate_min);
		assert_int_equal(w->rate_max, v->rate_max);
	}
	if (w->set & POL_HAS_RSS)
		assert_int_equal(w->rss, v->rss);
	if (w->set & POL_HAS_LINK_STATE)
		assert_int_equal(w->link_state, v->link_state);
	if (w->set & POL_HAS_OVERRIDE)
		assert_string_equal(w->override, v->override);
	if (w->set & POL_HAS_DRIVER)
		assert_string_equal(strcmp(w->driver, POL_DRIVER_DEFAULT)
		                            ? w->driver
		                            : "igbvf",
		                    v->driver);
}

static void reached(const struct pol_state *want, struct pol_state *s)
{
	for (size_t i = 0; i < want->n_pfs; i++) {
		const struct pol_pf *w = &want->pf[i];
		const struct pol_pf *pf = sim_pf(s, w->bdf);

		if (w->set & POL_HAS_NUMVFS)
			assert_int_equal(w->num_vfs, pf->num_vfs);
		if (w->set & POL_HAS_AUTOPROBE)
			assert_int_equal(w->autoprobe, pf->autoprobe);
		if (w->set & POL_HAS_LINK)
			assert_int_equal(w->link_up, pf->link_up);
		if (w->set & POL_HAS_MTU)
			assert_int_equal(w->mtu, pf->mtu);
		for (size_t j = 0; j < w->n_vfs; j++)
			check_vf(&w->vf[j], &pf->vf[w->vf[j].index]);
	}
}

/* A VF that is about to be given away has its MAC by then, and no driver of
 * the host has seen it without. */
static void check_order(const struct pol_plan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		for (size_t j = i + 1; j < plan->n; j++) {
			const struct pol_action *a = &plan->action[i];
			const struct pol_action *b = &plan->action[j];

			if (!bdf_equal(a->pf, b->pf) ||
			    b->op == POL_OP_AUTOPROBE)
				continue;
			assert_true(a->op <= b->op);
		}
}

static char *print(const struct pol_state *s)
{
	static struct text t;

	t.n = 0;
	state_print(&t, s);
	return strdup(t.buf);
}

static const struct kernel kernel = {
	.copy = copy_machine,
	.carry_out = carry_out,
	.reached = reached,
	.plan = check_order,
	.text = print,
};

static void check_export(struct pol_state *s)
{
	struct pol_policy *p = NULL;
	struct pol_state *want = NULL;
	char *out = NULL;
	size_t len = 0;

	assert_int_equal(pol_export(s, &out, &len), 0);
	if (pol_parse(out, len, &p, &errs) || pol_resolve(p, s, &want, &errs))
		fail_msg("FL-%04d %s: %s\n%s", errs.e[0].diag.code,
		         errs.e[0].diag.what, errs.e[0].diag.why, out);
	check_reached(&kernel, want, s);
	pol_state_free(want);
	pol_free(p);
	free(out);
}

static unsigned planned, empty;

static void one_round(void)
{
	static struct text text;
	struct pol_state *seen = random_machine(), *want;
	struct pol_policy *p;

	check_export(seen);
	random_policy(&text);
	if (pol_parse(text.buf, text.n, &p, &errs)) {
		/* The one thing that the generator does not avoid. */
		if (errs.e[0].diag.code != FL_POL_CONFLICT)
			fail_msg("%s\n%s", errs.e[0].diag.what, text.buf);
		pol_state_free(seen);
		return;
	}
	if (!pol_resolve(p, seen, &want, &errs)) {
		empty += !check_plan(&kernel, want, seen);
		planned++;
		pol_state_free(want);
	} else {
		assert_int_equal(errs.e[0].diag.code, FL_POL_CONFLICT);
	}
	pol_free(p);
	pol_state_free(seen);
}

static void test_properties(void **state)
{
	(void)state;
	pick_seed = 0x5eed0fa1ull;
	for (unsigned i = 0; i < ROUNDS; i++)
		one_round();
	/* The generator makes what the properties are about. */
	assert_true(planned > ROUNDS / 2);
	assert_true(empty < planned / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_properties),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
