/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The switch of a PF in a plan. When its mode changes all its VFs are made
 * anew, whatever their number: then no user of theirs is surprised, and each
 * driver can have the order that it wants. A number that changes in switchdev
 * goes the same way.
 *
 *   to switchdev   VFs away; rate groups away; parameters; mode, VFs (or the
 *                  other way about, by driver)
 *   to legacy      the same (the kernel refuses the mode while there is a
 *                  group), but mode; parameters; VFs
 * Parameters are on the legacy side of the mode, because what steers a switch
 * can be chosen only before it is used (mlx5's flow_steering_mode).
 *
 * After the VFs' attributes:
 *   groups that are new or change, VFs into their groups, groups that go:
 *   the kernel deletes none that has members
 *   the bridge, then the PF's own interface, then the representors
 */

#include <string.h>

#include "policy/plan.h"

/*
 * Who wants which order. mlx5: SR-IOV network operator, pkg/host/internal/
 * sriov: VFs are made in legacy mode, unbound, then the mode changes. ice: its
 * ice_eswitch_mode_set() refuses while there are VFs. Others go as mlx5 does,
 * without insisting on VFs that nothing is bound to. bnxt_en: its
 * bnxt_sriov_configure() makes and removes nothing while the PF is down, and
 * calls that a success.
 */
const struct switch_order *switch_order(const char *driver)
{
	static const struct switch_order usual = { .driver = "" };
	// clang-format off
	static const struct switch_order table[] = {
		{ .driver = "mlx5_core", .unbound = true },
		{ .driver = "ice", .mode_first = true },
		{ .driver = "bnxt_en", .link_first = true },
	};
	// clang-format on

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (!strcmp(driver, table[i].driver))
			return &table[i];
	return &usual;
}

/* ---- mode and parameters ------------------------------------------------- */

/* Without VFs some drivers leave switchdev by themselves, and their groups go:
 * where VFs are made anew for their number, all of it is said again. */
bool plan_mode_changes(const struct job *j)
{
	bool count = j->want->set & POL_HAS_NUMVFS &&
	             j->want->num_vfs != j->seen->num_vfs;

	return j->want->set & POL_HAS_ESWITCH &&
	       (!(j->seen->set & POL_HAS_ESWITCH) ||
	        j->seen->sw.switchdev != j->want->sw.switchdev ||
	        (count && j->want->sw.switchdev));
}

static bool to_switchdev(const struct job *j)
{
	return j->want->sw.switchdev;
}

static void add_mode(struct job *j)
{
	struct pol_action *a = plan_add(j, POL_OP_ESWITCH, POL_DIS_HOST);

	a->number = to_switchdev(j);
	a->number_from = j->seen->sw.switchdev;
}

static const struct pol_param_value *find_param(const struct pol_switch *sw,
                                                const struct pol_param_value *p)
{
	for (unsigned i = 0; i < sw->n_params; i++)
		if (!strcmp(sw->param[i].name, p->name) &&
		    sw->param[i].init == p->init)
			return &sw->param[i];
	return NULL;
}

static int no_param(struct job *j, const struct pol_param_value *p)
{
	const char *pf = *j->seen->ifname ? j->seen->ifname : j->want->name;

	diag_fail(j->d, -EOPNOTSUPP, FL_POL_DEVLINK,
	          "%s has no devlink parameter %s with cmode %s", pf, p->name,
	          p->init ? "driverinit" : "runtime");
	diag_why(j->d, "its driver %s does not offer it", j->seen->driver);
	diag_mend(j->d, "see `devlink dev param show`, and correct the name or "
	                "its cmode");
	return -EOPNOTSUPP;
}

static int plan_params(struct job *j)
{
	for (unsigned i = 0;
	     j->want->set & POL_HAS_PARAMS && i < j->want->sw.n_params; i++) {
		const struct pol_param_value *p = &j->want->sw.param[i];
		const struct pol_param_value *s = find_param(&j->seen->sw, p);

		if (!s)
			return no_param(j, p);
		if (strcmp(s->value, p->value) != 0)
			plan_add(j, POL_OP_PARAM, POL_DIS_NONE)->param = *p;
	}
	return 0;
}

static void add_group_del(struct job *j, const char *name)
{
	struct pol_action *a = plan_add(j, POL_OP_GROUP_DEL, POL_DIS_NONE);

	copy_text(a->group.name, sizeof(a->group.name), name);
}

int plan_switch_before(struct job *j)
{
	bool first = switch_order(j->seen->driver)->mode_first, groups;
	int r;

	if (!plan_mode_changes(j))
		return plan_params(j);
	/* Where they are left alone, they stay if the driver lets them. */
	groups = !to_switchdev(j) || j->want->set & POL_HAS_GROUPS;
	for (unsigned i = 0; groups && i < j->seen->sw.n_groups; i++)
		add_group_del(j, j->seen->sw.group[i].name);
	if (!to_switchdev(j)) {
		add_mode(j);
		return plan_params(j);
	}
	r = plan_params(j);
	if (!r && (first || !j->want->num_vfs))
		add_mode(j);
	return r;
}

int plan_switch_after(struct job *j)
{
	bool first = switch_order(j->seen->driver)->mode_first;

	if (plan_mode_changes(j) && to_switchdev(j) && !first &&
	    j->want->num_vfs)
		add_mode(j);
	return 0;
}

/* ---- rate groups --------------------------------------------------------- */

static const struct pol_group *find_group(const struct pol_switch *sw,
                                          const char *name)
{
	for (unsigned i = 0; i < sw->n_groups; i++)
		if (!strcmp(sw->group[i].name, name))
			return &sw->group[i];
	return NULL;
}

/* What is stated and is not so; a new group has none of it. Only that is said
 * again: a driver that has no priorities refuses to be told of them. */
static uint32_t group_differs(const struct pol_group *w,
                              const struct pol_group *s)
{
	static const struct pol_group none;
	uint32_t differs;

	s = s ? s : &none;
	differs = (w->share != s->share ? POL_GROUP_SHARE : 0u) |
	          (w->max != s->max ? POL_GROUP_MAX : 0u) |
	          (w->priority != s->priority ? POL_GROUP_PRIORITY : 0u) |
	          (w->weight != s->weight ? POL_GROUP_WEIGHT : 0u);
	return w->set & differs;
}

static void add_vf_group(struct job *j, const struct pol_vf *w,
                         const char *name)
{
	struct pol_action *a = plan_add_vf(j, POL_OP_VF_GROUP, POL_DIS_NONE, w);

	copy_text(a->group.name, sizeof(a->group.name), name);
}

/* A new VF's port is in no group. */
static int vf_groups(struct job *j)
{
	for (size_t i = 0; i < j->want->n_vfs; i++) {
		const struct pol_vf *w = &j->want->vf[i];
		const struct pol_vf *s =
			j->fresh ? NULL : state_vf(j->seen, w->index);
		const char *now =
			s && s->set & POL_HAS_GROUP ? s->rate_group : "";

		if (!(w->set & POL_HAS_GROUP) || !strcmp(w->rate_group, now))
			continue;
		if (plan_check_owner(j, w, s))
			return -EBUSY;
		add_vf_group(j, w, w->rate_group);
	}
	return 0;
}

/* Those in it that nobody has said anything of. */
static int empty_group(struct job *j, const char *name)
{
	for (size_t i = 0; !j->fresh && i < j->seen->n_vfs; i++) {
		const struct pol_vf *s = &j->seen->vf[i];
		const struct pol_vf *w = state_vf(j->want, s->index);

		if (strcmp(s->rate_group, name) != 0 ||
		    (w && w->set & POL_HAS_GROUP))
			continue;
		if (plan_held(s))
			return plan_in_use(j, s, "its rate group would go");
		add_vf_group(j, s, "");
	}
	return 0;
}

int plan_groups(struct job *j)
{
	const struct pol_switch none = { .n_groups = 0 };
	const struct pol_switch *now =
		plan_mode_changes(j) ? &none : &j->seen->sw;
	bool stated = j->want->set & POL_HAS_GROUPS;
	int r;

	for (unsigned i = 0; stated && i < j->want->sw.n_groups; i++) {
		const struct pol_group *w = &j->want->sw.group[i];
		const struct pol_group *s = find_group(now, w->name);
		struct pol_action *a;

		if (s && !group_differs(w, s))
			continue;
		a = plan_add(j, POL_OP_GROUP, POL_DIS_NONE);
		a->group = *w;
		a->group.set = group_differs(w, s);
		a->number = s != NULL;
	}
	r = vf_groups(j);
	for (unsigned i = 0; !r && stated && i < now->n_groups; i++) {
		if (find_group(&j->want->sw, now->group[i].name))
			continue;
		r = empty_group(j, now->group[i].name);
		if (!r)
			add_group_del(j, now->group[i].name);
	}
	return r;
}

/* ---- the bridge ---------------------------------------------------------- */

static int no_bridge(struct job *j, const struct pol_bridge *b)
{
	diag_fail(j->d, -ENODEV, FL_POL_BRIDGE, "no bridge is called %s",
	          b->name);
	diag_why(j->d, "the interfaces of %s are to be in it",
	         *j->seen->ifname ? j->seen->ifname : j->want->name);
	diag_mend(j->d,
	          "ip link add %s type bridge vlan_filtering 1; ip link set %s "
	          "up",
	          b->name, b->name);
	return -ENODEV;
}

static bool any_vlan(const struct pol_pf *want, const char *bridge)
{
	for (size_t i = 0; i < want->n_vfs; i++) {
		const struct pol_port *p = &want->vf[i].port;

		if (want->vf[i].set & POL_HAS_PORT_VLAN &&
		    !strcmp(p->bridge, bridge) && (p->n_tagged || p->pvid > 1))
			return true;
	}
	return false;
}

static int plan_bridge(struct job *j, const struct pol_bridge *w)
{
	const struct pol_bridge *s = find_bridge(&j->seen->sw, w->name);
	struct pol_action *a;

	if (!s || !s->there)
		return w->there ? no_bridge(j, w) : 0;
	/* What is put back is as it was, whatever that kept apart. */
	if (w->there && !(w->given ? w->filtering : s->filtering) &&
	    any_vlan(j->want, w->name)) {
		diag_fail(j->d, -EINVAL, FL_POL_BRIDGE,
		          "bridge %s would not keep VLANs apart", w->name);
		diag_why(j->d, "it does not filter them");
		diag_mend(j->d, "add `vlan-filtering: true` to the nic's "
		                "bridge");
		return -EINVAL;
	}
	if (!w->given || s->filtering == w->filtering)
		return 0;
	a = plan_add(j, POL_OP_BRIDGE, POL_DIS_HOST);
	copy_text(a->port.bridge, sizeof(a->port.bridge), w->name);
	a->number = w->filtering;
	a->number_from = s->filtering;
	return 0;
}

/* ---- ports --------------------------------------------------------------- */

static bool port_same(const struct pol_port *w, uint32_t set,
                      const struct pol_port *s, bool with_up)
{
	if (strcmp(w->bridge, s->bridge) != 0 || w->ovs != s->ovs ||
	    (with_up && w->up != s->up))
		return false;
	if (!(set & POL_HAS_PORT_VLAN) || !*w->bridge)
		return true;
	return !s->strange && w->pvid == s->pvid &&
	       w->n_tagged == s->n_tagged &&
	       !memcmp(w->tagged, s->tagged,
	               w->n_tagged * sizeof(w->tagged[0]));
}

static int strange_port(struct job *j, const struct pol_port *s)
{
	diag_fail(j->d, -EBUSY, FL_POL_BRIDGE, "%s is not ours to move",
	          s->ifname);
	diag_why(j->d, "it is part of a bond or a VRF, or has settings in its "
	               "bridge that fairlead could not put back");
	diag_mend(j->d, "take it out by hand: `%s %s`",
	          s->ovs ? "ovs-vsctl del-port" : "ip link set nomaster dev",
	          s->ifname);
	return -EBUSY;
}

static void fill_port(struct pol_action *a, const struct pol_port *w,
                      uint32_t set, const struct pol_port *now)
{
	a->port = *w;
	a->number_from = !*now->bridge ? POL_MASTER_NONE
	                 : now->ovs    ? POL_MASTER_OVS
	                               : POL_MASTER_LINUX;
	a->port_set = set & (POL_HAS_PORT | POL_HAS_PORT_VLAN);
}

/* In a bridge an interface is the bridge's, and no longer the host's. */
static int uplink(struct job *j)
{
	const struct pol_port *w = &j->want->sw.port, *s = &j->seen->sw.port;
	bool known = j->seen->set & POL_HAS_PORT;

	if (!(j->want->set & POL_HAS_PORT) ||
	    (known && port_same(w, j->want->set, s, false)))
		return 0;
	if (known && s->strange)
		return strange_port(j, s);
	fill_port(plan_add(j, POL_OP_PORT, POL_DIS_HOST), w, j->want->set, s);
	return 0;
}

static int representor(struct job *j, const struct pol_vf *w)
{
	const struct pol_vf *s = j->fresh ? NULL : state_vf(j->seen, w->index);
	static const struct pol_port none; /* as a new one is */
	bool known = s && s->set & POL_HAS_PORT;
	const struct pol_port *now = known ? &s->port : &none;

	if (!(w->set & POL_HAS_PORT) || port_same(&w->port, w->set, now, true))
		return 0;
	if (now->strange)
		return strange_port(j, now);
	if (plan_check_owner(j, w, s))
		return -EBUSY;
	fill_port(plan_add_vf(j, POL_OP_PORT,
	                      plan_held(s) ? POL_DIS_LINK : POL_DIS_NONE, w),
	          &w->port, w->set, now);
	return 0;
}

int plan_ports(struct job *j)
{
	int r = 0;

	if (j->want->set & POL_HAS_BRIDGE)
		for (unsigned i = 0; !r && i < j->want->sw.n_bridges; i++)
			r = plan_bridge(j, &j->want->sw.bridge[i]);
	if (!r)
		r = uplink(j);
	for (size_t i = 0; !r && i < j->want->n_vfs; i++)
		r = representor(j, &j->want->vf[i]);
	return r;
}
