/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What properties.h holds plans to, for all that is not a plain VF of a NIC:
 * the mode of a switch and its parameters, rate groups, bridges, their ports
 * and overlays, vectors, what an NVMe controller shares out, functions given
 * away whole. The kernel is policy/sim.c here, what `apply --sim` shows: it
 * refuses what the kernel refuses, so that each action can be done where it
 * stands is held, too.
 */

#include "tests/unit/policy/parts.h"
#include "tests/unit/policy/properties.h"

#define ROUNDS 20000

static struct pol_errors errs;

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
	for (unsigned i = 0; i < w->sw.n_bridges; i++)
		if (w->sw.bridge[i].given)
			assert_int_equal(pf->sw.bridge[i].filtering,
			                 w->sw.bridge[i].filtering);
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

static void reached(const struct pol_state *want, struct pol_state *s)
{
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

static const struct kernel kernel = {
	.copy = copy_state,
	.carry_out = carry_out,
	.reached = reached,
	.text = state_text,
};

static unsigned planned;

/* What the generator does not avoid: a group or a bridge that is not said, more
 * vectors or queues than there are. */
static bool may_be_refused(int code)
{
	return code == FL_POL_REFERENCE || code == FL_POL_SWITCHDEV ||
	       code == FL_POL_MSIX || code == FL_POL_NVME_FEW ||
	       code == FL_POL_CONFLICT || code == FL_POL_PF_DRIVER;
}

static void one_round(void)
{
	static struct text text;
	struct pol_state *seen = random_machine(), *want = NULL;
	struct pol_policy *p = NULL;

	random_policy(&text);
	if (!pol_parse(text.buf, text.n, &p, &errs) &&
	    !pol_resolve(p, seen, &want, &errs)) {
		(void)check_plan(&kernel, want, seen);
		planned++;
	} else if (!may_be_refused(errs.e[0].diag.code)) {
		fail_msg("FL-%04d %s: %s\n%s", errs.e[0].diag.code,
		         errs.e[0].diag.what, errs.e[0].diag.why, text.buf);
	}
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
