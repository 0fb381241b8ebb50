/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What test_property.c holds plans to, for all that is not a plain VF of a NIC:
 * the mode of a switch and its parameters, rate groups, bridges, their ports
 * and overlays, vectors, what an NVMe controller shares out, functions given
 * away whole. The kernel is policy/sim.c here, what `apply --sim` shows: it
 * refuses what the kernel refuses, so that each action can be done where it
 * stands is held, too.
 */

#include "tests/unit/policy/pick.h"
#include "tests/unit/policy/state.h"

#define ROUNDS 20000
#define SWITCH_VFS 4
#define DISK_VFS 3
#define DISK_TOTAL 8 /* queues, and interrupts */
#define DISK_MOST 4

static struct pol_errors errs;

/* ---- machines ------------------------------------------------------------ */

static void add_groups(struct text *t)
{
	static const char *const names[] = { "gold", "silver", "old" };
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (pick(2)) {
			text_add(t, " group=%s:%u:%u:%u:%u", names[i],
			         125000 * pick(3), 1250000 * pick(3), pick(2),
			         pick(2));
			any = true;
		}
	if (!any)
		text_add(t, " group=");
}

/* In none, or in a bridge with VLANs; in Open vSwitch's only while that is
 * there. */
static void add_port(struct text *t, bool ovs)
{
	unsigned where = pick(8);

	if (where < 3) {
		text_add(t, " in=:");
		return;
	}
	if (where == 3 && ovs) {
		text_add(t, " in=br-ovs:%u ovs=1", pick(2) * 50);
		return;
	}
	text_add(t, " in=%s:%u", where > 4 ? "br-fast" : "br-other",
	         pick(3) * 50);
	if (pick(2))
		text_add(t, " tagged=20-2%u", pick(9));
}

static void add_driver(struct text *t, const char *host)
{
	if (pick(2))
		text_add(t, " driver=vfio-pci override=vfio-pci");
	else
		text_add(t, " driver=%s override=", pick(3) ? host : "");
}

/* The group that the line above has, or none. */
static void add_switch_vf(struct text *t, unsigned i, bool switchdev, bool ovs,
                          const char *group)
{
	text_add(t,
	         "\nvf %u mac=00:00:00:00:00:00 vlan=0 proto=8100 spoof=%u "
	         "trust=%u rate=0-0 state=auto group=%u msix=%u",
	         i, pick(2), pick(2), 10 + i, 1 + pick(8));
	add_driver(t, "mlx5_core");
	if (!switchdev)
		return;
	text_add(t, " rate-group=%s", pick(2) ? group : "");
	add_port(t, ovs);
	text_add(t, " up=%u", pick(2));
}

static void add_switch(struct text *t)
{
	static const char *const drivers[] = { "mlx5_core", "ice", "bnxt_en" };
	unsigned vfs = pick(SWITCH_VFS + 1);
	bool switchdev = pick(2), ovs = pick(2);
	const char *line = t->buf + t->n;

	text_add(t, "over br-ovs ovs=1%s\nover br-blue outer=eth0:1500\n",
	         ovs ? " made=1 datapath=system" : "");
	text_add(t,
	         "pf 0000:3b:00.0 id=15b3:101d driver=%s ifname=ens1f0 total=8 "
	         "vfs=%u offset=2 stride=1 autoprobe=%u link=%s mtu=1500 "
	         "mode=%s param=flow_steering_mode:%s bridge=br-fast:%u "
	         "msix=64",
	         drivers[pick(3)], vfs, pick(2), pick(2) ? "up" : "down",
	         switchdev ? "switchdev" : "legacy", pick(2) ? "dmfs" : "smfs",
	         pick(2));
	add_port(t, ovs);
	if (switchdev)
		add_groups(t);
	else
		text_add(t, " group=");
	line = strstr(line, "group=gold") ? "gold" : "";
	for (unsigned i = 0; i < vfs; i++)
		add_switch_vf(t, i, switchdev, ovs, line);
}

/* Queues and interrupts are the controller's, VFs', or free. */
static void add_disk(struct text *t)
{
	unsigned vfs = pick(DISK_VFS + 1), own = 2 * pick(4);
	unsigned left = DISK_TOTAL - own;

	text_add(t,
	         "\npf 0000:81:00.0 id=1b36:0010 driver=nvme total=4 vfs=%u "
	         "offset=1 stride=1 autoprobe=%u queues=%u:%u:%u "
	         "interrupts=%u:%u:%u first=1",
	         vfs, pick(2), DISK_TOTAL, own, DISK_MOST, DISK_TOTAL, own,
	         DISK_MOST);
	for (unsigned i = 0; i < vfs; i++) {
		unsigned n = pick(DISK_MOST + 1);

		n = MIN(n, left);
		left -= n;
		text_add(t, "\nvf %u group=%u res=%u:%u:%s", i, 20 + i, n,
		         pick(n + 1), n ? "on" : "off");
		add_driver(t, n ? "nvme" : "");
	}
	text_add(t,
	         "\ndev 0000:81:00.0 id=1b36:0010 class=0108 driver=nvme "
	         "override= group=9 vfs=%u",
	         vfs);
}

static void add_whole(struct text *t, const char *bdf, unsigned class,
                      unsigned group, const char *host)
{
	text_add(t,
	         "\ndev %s id=10de:2204 class=%04x group=%u below-port=1 "
	         "reset=flr",
	         bdf, class, group);
	add_driver(t, host);
}

static struct pol_state *random_machine(void)
{
	static struct text t;

	t.n = 0;
	text_add(&t, "host iommu remapping\n");
	add_switch(&t);
	add_disk(&t);
	add_whole(&t, "0000:17:00.0", 0x0300, 30, "nouveau");
	add_whole(&t, "0000:17:00.1", 0x0403, 30, "snd_hda_intel");
	add_whole(&t, "0000:18:00.0", 0x0200, 31, "e1000e");
	return state_parse(t.buf);
}

/* ---- policies ------------------------------------------------------------ */

static void say_groups(struct text *t)
{
	switch (pick(4)) {
	case 0:
		return;
	case 1:
		text_add(t, "    rate-groups: null\n");
		return;
	case 2:
		text_add(t, "    rate-groups: [{ name: silver, tx-max: "
		            "10mbit, tx-weight: 1 }]\n");
		return;
	default:
		text_add(t, "    rate-groups:\n"
		            "      - { name: gold, tx-share: 1mbit, tx-max: "
		            "20mbit }\n"
		            "      - { name: silver, tx-priority: 1 }\n");
	}
}

static void say_switch(struct text *t, unsigned vfs, bool switchdev)
{
	text_add(t,
	         "nics:\n"
	         "  - name: fast0\n"
	         "    match: { pci: \"0000:3b:00.0\" }\n"
	         "    virtual-function-count: %u\n",
	         vfs);
	if (switchdev || pick(2))
		text_add(t, "    drivers-autoprobe: false\n");
	if (switchdev || pick(2))
		text_add(t, "    embedded-switch-mode: %s\n",
		         switchdev ? "switchdev"
		         : pick(2) ? "legacy"
		                   : "null");
	if (pick(2))
		text_add(t,
		         "    devlink-params: [{ name: flow_steering_mode, "
		         "value: %s, cmode: runtime }]\n",
		         pick(2) ? "smfs" : "dmfs");
	if (!switchdev)
		return;
	say_groups(t);
	switch (pick(3)) {
	case 0:
		return;
	case 1:
		text_add(t, "    bridge: { type: ovs, name: br-ovs }\n");
		return;
	default:
		text_add(t, "    bridge: { type: linux, name: br-fast, "
		            "vlan-filtering: true }\n");
	}
}

static void say_networks(struct text *t, bool switchdev)
{
	text_add(t,
	         "networks:\n"
	         "  - { name: tenant, vlan: { id: 100 }, spoof-check: true }\n"
	         "  - { name: trunk, vlan: %s, trust: true }\n",
	         switchdev ? "{ trunk: [10, 20-29], native: 10 }" : "null");
	if (switchdev)
		text_add(t,
		         "  - { name: blue, bridge: br-blue, overlay: { type: "
		         "vxlan, id: %u, local: 192.0.2.1, remote: [192.0.2.2] "
		         "} }\n",
		         1 + pick(3));
}

/* Whether the groups that it names are there is the parser's to say. */
static void say_override(struct text *t, unsigned vfs, bool switchdev)
{
	text_add(t,
	         "overrides:\n"
	         "  - nic: fast0\n"
	         "    vfs:\n"
	         "      - { id: %u, msix-vectors: %u%s }\n",
	         pick(vfs), 1 + pick(10),
	         switchdev && pick(2) ? ", rate-group: silver" : "");
}

static void say_guest(struct text *t, unsigned vfs, bool switchdev, bool whole)
{
	static const char *const networks[] = { "", ", network: tenant",
		                                ", network: trunk",
		                                ", network: blue" };
	unsigned n = pick(vfs + 1);

	if (!n && !whole)
		return;
	text_add(t, "guests:\n  - name: g\n    cpus: 2\n    memory: 16M\n"
	            "    kernel: /k\n");
	if (n)
		text_add(t, "    nics:\n");
	for (unsigned i = 0; i < n; i++)
		text_add(t,
		         "      - { name: c%u, pool: fast, mac-address: "
		         "\"02:00:00:00:00:%02x\"%s%s }\n",
		         i, i, networks[pick(switchdev ? 4 : 3)],
		         pick(3) ? "" : ", msix-vectors: per-vcpu");
	if (whole)
		text_add(t, "    gpus: [{ use: gpu0 }]\n");
}

static void say_disk(struct text *t)
{
	unsigned vfs = pick(DISK_VFS + 1), n = pick(2) ? 2 + pick(2) : 0;

	text_add(t,
	         "nvme:\n"
	         "  - name: shared\n"
	         "    match: { pci: \"0000:81:00.0\" }\n"
	         "    share: sriov\n"
	         "    virtual-function-count: %u\n",
	         vfs);
	if (n && vfs)
		text_add(t,
		         "    vf-resources: { queues: %u, interrupts: %u }\n",
		         n, 1 + pick(n));
	else if (pick(2) && vfs)
		text_add(t, "    vf-resources: null\n");
}

static void random_policy(struct text *t)
{
	unsigned vfs = pick(SWITCH_VFS + 1);
	bool switchdev = pick(3), whole = pick(2);

	t->n = 0;
	text_add(t, "version: 1\n");
	say_switch(t, vfs, switchdev);
	say_networks(t, switchdev);
	if (vfs)
		text_add(t,
		         "pools:\n"
		         "  - { name: fast, functions: [\"fast0#0-%u\"], "
		         "driver: vfio }\n",
		         vfs - 1);
	if (vfs && pick(2))
		say_override(t, vfs, switchdev);
	if (pick(2))
		say_disk(t);
	if (whole)
		text_add(t, "gpus:\n  - { name: gpu0, match: { pci: "
		            "\"0000:17:00.0\" }, group: with-companions, "
		            "reset: { require: [flr] } }\n");
	if (pick(2))
		text_add(t, "devices:\n  - { name: card, match: { pci: "
		            "\"0000:18:00.0\" } }\n");
	say_guest(t, vfs, switchdev, whole);
}

/* ---- what is, and what was ----------------------------------------------- */

static void *copy_of(const void *from, size_t n, size_t size)
{
	void *copy = calloc(n + 1, size);

	assert_non_null(copy);
	if (n)
		memcpy(copy, from, n * size);
	return copy;
}

static struct pol_state *copy_state(const struct pol_state *from)
{
	struct pol_state *s = copy_of(from, 1, sizeof(*s));

	s->pf = copy_of(from->pf, from->n_pfs, sizeof(*s->pf));
	for (size_t i = 0; i < s->n_pfs; i++)
		s->pf[i].vf = copy_of(from->pf[i].vf, from->pf[i].n_vfs,
		                      sizeof(*s->pf[i].vf));
	s->over = copy_of(from->over, from->n_overs, sizeof(*s->over));
	s->whole = copy_of(from->whole, from->n_wholes, sizeof(*s->whole));
	return s;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct pol_group *)a)->name,
	              ((const struct pol_group *)b)->name);
}

/* Without an order where the kernel promises none, and VFs once. */
static char *state_text(const struct pol_state *s)
{
	struct pol_state *c = copy_state(s);
	size_t n = 0;
	json_t *doc;
	char *text;

	for (size_t i = 0; i < c->n_pfs; i++)
		qsort(c->pf[i].sw.group, c->pf[i].sw.n_groups,
		      sizeof(c->pf[i].sw.group[0]), by_name);
	for (size_t i = 0; i < c->n_wholes; i++)
		if (!c->whole[i].virtual_fn)
			c->whole[n++] = c->whole[i];
	c->n_wholes = n;
	doc = pol_state_to_json(c);
	text = json_dumps(doc, JSON_SORT_KEYS | JSON_INDENT(1));
	json_decref(doc);
	pol_state_free(c);
	return text;
}

/* ---- the properties ------------------------------------------------------ */

static unsigned did[POL_OP_MAX];

/* The first `n` actions; each can be done where it stands. */
static void carry_out(struct pol_state *s, const struct pol_plan *plan,
                      size_t n)
{
	struct pol_plan part = *plan;
	struct diag d = { .code = 0 };
	struct text t = { .n = 0 };

	part.n = MIN(plan->n, n);
	for (size_t i = 0; i < part.n; i++)
		did[part.action[i].op]++;
	if (!pol_sim(s, &part, &d))
		return;
	plan_print(&t, plan);
	fail_msg("FL-%04d %s: %s\n%s", d.code, d.what, d.why, t.buf);
}

static void check_group(const struct pol_group *w, const struct pol_switch *sw)
{
	const struct pol_group *g = NULL;

	for (unsigned i = 0; i < sw->n_groups; i++)
		if (!strcmp(sw->group[i].name, w->name))
			g = &sw->group[i];
	assert_non_null(g);
	if (w->set & POL_GROUP_SHARE)
		assert_int_equal(g->share, w->share);
	if (w->set & POL_GROUP_MAX)
		assert_int_equal(g->max, w->max);
	if (w->set & POL_GROUP_PRIORITY)
		assert_int_equal(g->priority, w->priority);
	if (w->set & POL_GROUP_WEIGHT)
		assert_int_equal(g->weight, w->weight);
}

static void check_port(uint32_t set, const struct pol_port *w,
                       const struct pol_port *p)
{
	if (set & POL_HAS_PORT)
		assert_string_equal(p->bridge, w->bridge);
	if (!(set & POL_HAS_PORT_VLAN) || !*w->bridge)
		return;
	assert_int_equal(p->pvid, w->pvid);
	assert_int_equal(p->n_tagged, w->n_tagged);
	assert_memory_equal(p->tagged, w->tagged,
	                    w->n_tagged * sizeof(w->tagged[0]));
}

static void check_switch(const struct pol_pf *w, const struct pol_pf *pf)
{
	if (w->set & POL_HAS_ESWITCH)
		assert_int_equal(pf->sw.switchdev, w->sw.switchdev);
	for (unsigned i = 0; w->set & POL_HAS_PARAMS && i < w->sw.n_params; i++)
		assert_string_equal(pf->sw.param[0].value,
		                    w->sw.param[i].value);
	if (w->set & POL_HAS_GROUPS)
		assert_int_equal(pf->sw.n_groups, w->sw.n_groups);
	for (unsigned i = 0; w->set & POL_HAS_GROUPS && i < w->sw.n_groups; i++)
		check_group(&w->sw.group[i], &pf->sw);
	if (w->set & POL_HAS_FILTERING)
		assert_int_equal(pf->sw.filtering, w->sw.filtering);
	check_port(w->set, &w->sw.port, &pf->sw.port);
}

static void check_vf(const struct pol_vf *w, const struct pol_vf *v)
{
	if (w->set & POL_HAS_GROUP)
		assert_string_equal(v->rate_group, w->rate_group);
	if (w->set & POL_HAS_MSIX)
		assert_int_equal(v->msix, w->msix);
	if (w->set & POL_HAS_RESOURCES)
		assert_memory_equal(&v->res, &w->res, sizeof(w->res));
	if (w->set & POL_HAS_DRIVER && pol_driver_is_vfio(w->driver))
		assert_string_equal(v->driver, w->driver);
	check_port(w->set, &w->port, &v->port);
}

static void check_whole(const struct pol_whole *w, const struct pol_state *s)
{
	for (size_t i = 0; i < s->n_wholes; i++) {
		if (!bdf_equal(s->whole[i].bdf, w->bdf))
			continue;
		if (w->set & POL_HAS_DRIVER)
			assert_string_equal(s->whole[i].driver, w->driver);
		return;
	}
	fail_msg("a function that is wanted has gone");
}

static void check_over(const struct pol_over *w, const struct pol_state *s)
{
	for (size_t i = 0; i < s->n_overs; i++) {
		if (strcmp(s->over[i].o.bridge, w->o.bridge) != 0)
			continue;
		assert_int_equal(s->over[i].there, w->there);
		if (w->there)
			assert_int_equal(s->over[i].o.id, w->o.id);
		return;
	}
	fail_msg("a bridge that is wanted was not seen");
}

static const struct pol_pf *pf_of(const struct pol_state *s, struct bdf b)
{
	for (size_t i = 0; i < s->n_pfs; i++)
		if (bdf_equal(s->pf[i].bdf, b))
			return &s->pf[i];
	fail_msg("a PF that is wanted has gone");
	return NULL;
}

static void check_reached(const struct pol_state *want,
                          const struct pol_state *s)
{
	struct pol_plan *plan = plan_for(want, s);

	if (plan->n) {
		struct text t = { .n = 0 };

		plan_print(&t, plan);
		fail_msg("left to do:\n%s", t.buf);
	}
	pol_plan_free(plan);
	for (size_t i = 0; i < want->n_pfs; i++) {
		const struct pol_pf *w = &want->pf[i];
		const struct pol_pf *pf = pf_of(s, w->bdf);

		if (w->set & POL_HAS_NUMVFS)
			assert_int_equal(pf->num_vfs, w->num_vfs);
		check_switch(w, pf);
		for (size_t k = 0; k < w->n_vfs; k++)
			check_vf(&w->vf[k], &pf->vf[w->vf[k].index]);
	}
	for (size_t i = 0; i < want->n_overs; i++)
		check_over(&want->over[i], s);
	for (size_t i = 0; i < want->n_wholes; i++)
		check_whole(&want->whole[i], s);
}

static void check_back(const struct pol_state *original, struct pol_state *s)
{
	struct pol_state *want;
	struct pol_plan *plan;
	char *is, *was;

	assert_int_equal(pol_want_from_state(original, &want), 0);
	plan = plan_for(want, s);
	carry_out(s, plan, plan->n);
	check_reached(want, s);
	is = state_text(s);
	was = state_text(original);
	assert_string_equal(is, was);
	free(is);
	free(was);
	pol_plan_free(plan);
	pol_state_free(want);
}

static void check_cut(const struct pol_state *want,
                      const struct pol_state *seen, const struct pol_plan *plan,
                      size_t n)
{
	struct pol_state *s = copy_state(seen), *t;
	struct pol_plan *rest;

	carry_out(s, plan, n);
	t = copy_state(s);
	rest = plan_for(want, s);
	carry_out(s, rest, rest->n);
	check_reached(want, s);
	check_back(seen, t);
	pol_plan_free(rest);
	pol_state_free(s);
	pol_state_free(t);
}

static unsigned planned;

/* Of a policy that fits the machine. */
static void check_plan(const struct pol_state *want,
                       const struct pol_state *seen)
{
	struct pol_plan *plan = plan_for(want, seen);
	struct pol_state *s = copy_state(seen);

	carry_out(s, plan, plan->n);
	check_reached(want, s);
	check_back(seen, s);
	if (plan->n)
		check_cut(want, seen, plan, pick((unsigned)plan->n));
	planned++;
	pol_plan_free(plan);
	pol_state_free(s);
}

/* What the generator does not avoid: a group or a bridge that is not said, more
 * vectors or queues than there are. */
static bool may_be_refused(int code)
{
	return code == FL_POL_REFERENCE || code == FL_POL_SWITCHDEV ||
	       code == FL_POL_MSIX || code == FL_POL_NVME_FEW ||
	       code == FL_POL_CONFLICT;
}

static void one_round(void)
{
	static struct text text;
	struct pol_state *seen = random_machine(), *want = NULL;
	struct pol_policy *p = NULL;

	random_policy(&text);
	if (!pol_parse(text.buf, text.n, &p, &errs) &&
	    !pol_resolve(p, seen, &want, &errs))
		check_plan(want, seen);
	else if (!may_be_refused(errs.e[0].diag.code))
		fail_msg("FL-%04d %s: %s\n%s", errs.e[0].diag.code,
		         errs.e[0].diag.what, errs.e[0].diag.why, text.buf);
	pol_state_free(want);
	pol_free(p);
	pol_state_free(seen);
}

static void test_properties(void **state)
{
	static const enum pol_op meant[] = {
		POL_OP_NUMVFS,     POL_OP_PARAM,        POL_OP_ESWITCH,
		POL_OP_GROUP,      POL_OP_VF_GROUP,     POL_OP_GROUP_DEL,
		POL_OP_BRIDGE,     POL_OP_PORT,         POL_OP_VF_MSIX,
		POL_OP_NVME_KEEP,  POL_OP_VF_RESOURCES, POL_OP_VF_DRIVER,
		POL_OP_DEV_DRIVER, POL_OP_OVERLAY,      POL_OP_OVERLAY_GONE,
	};

	(void)state;
	pick_seed = 0x5eed0fa2ull;
	for (unsigned i = 0; i < ROUNDS; i++)
		one_round();
	/* The generator makes what the properties are about. */
	assert_true(planned > ROUNDS / 2);
	for (size_t i = 0; i < ARRAY_SIZE(meant); i++)
		if (did[meant[i]] < planned / 100)
			fail_msg("%s: only %u of %u", pol_op_name(meant[i]),
			         did[meant[i]], planned);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_properties),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
