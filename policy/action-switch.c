/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Actions on the switch of a PF, as sentences and as commands. A representor
 * has no name that could be foretold: the command asks for it when it is
 * typed, by what the kernel says of its port.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

struct text {
	char *buf;
	size_t size, n;
};

static void say(struct text *t, const char *fmt, ...) _printf_(2, 3);
static void say(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->n >= t->size)
		return;
	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->n, t->size - t->n, fmt, ap);
	va_end(ap);
	t->n += n > 0 ? (size_t)n : 0;
}

/* "5gbit", as devlink(8) reads it and tc(8) prints it. */
static void say_rate(struct text *t, const char *name, uint64_t bytes)
{
	uint64_t bit = bytes * 8;

	if (bit && bit % 1000000000 == 0)
		say(t, " %s %llugbit", name,
		    (unsigned long long)(bit / 1000000000));
	else if (bit % 1000000 == 0)
		say(t, " %s %llumbit", name,
		    (unsigned long long)(bit / 1000000));
	else
		say(t, " %s %llubit", name, (unsigned long long)bit);
}

static void say_group(struct text *t, const struct pol_group *g)
{
	if (g->set & POL_GROUP_SHARE)
		say_rate(t, "tx_share", g->share);
	if (g->set & POL_GROUP_MAX)
		say_rate(t, "tx_max", g->max);
	if (g->set & POL_GROUP_PRIORITY)
		say(t, " tx_priority %u", g->priority);
	if (g->set & POL_GROUP_WEIGHT)
		say(t, " tx_weight %u", g->weight);
}

static void say_range(struct text *t, struct pol_vlan_range v)
{
	if (v.first == v.last)
		say(t, "%u", v.first);
	else
		say(t, "%u-%u", v.first, v.last);
}

/* ---- sentences ----------------------------------------------------------- */

static void text_port(const struct pol_action *a, const char *pf,
                      struct text *t)
{
	const struct pol_port *p = &a->port;

	say(t, *p->bridge ? "put " : "take ");
	if (a->vf < 0)
		say(t, "%s", pf);
	else
		say(t, "the representor of VF %d of %s", a->vf, pf);
	if (!*p->bridge) {
		say(t, " out of its bridge");
		return;
	}
	say(t, " into %s", p->bridge);
	if (!(a->port_set & POL_HAS_PORT_VLAN))
		return;
	if (p->pvid)
		say(t, ", VLAN %u untagged", p->pvid);
	for (unsigned i = 0; i < p->n_tagged; i++) {
		say(t, i ? ", " : ", tagged ");
		say_range(t, p->tagged[i]);
	}
}

static void text_of(const struct pol_action *a, const char *pf, struct text *t)
{
	switch (a->op) {
	case POL_OP_ESWITCH:
		say(t, "set the switch of %s to %s", pf,
		    a->number ? "switchdev" : "legacy");
		break;
	case POL_OP_PARAM:
		say(t, "set parameter %s of %s to %s%s", a->param.name, pf,
		    a->param.value,
		    a->param.init ? " (has effect after `devlink dev reload`)"
		                  : "");
		break;
	case POL_OP_GROUP:
		say(t, "%s rate group %s of %s", a->number ? "set" : "make",
		    a->group.name, pf);
		say_group(t, &a->group);
		break;
	case POL_OP_GROUP_DEL:
		say(t, "remove rate group %s of %s", a->group.name, pf);
		break;
	case POL_OP_VF_GROUP:
		if (*a->group.name)
			say(t, "put VF %d of %s into rate group %s", a->vf, pf,
			    a->group.name);
		else
			say(t, "take VF %d of %s out of its rate group", a->vf,
			    pf);
		break;
	case POL_OP_BRIDGE:
		say(t, "let bridge %s %s VLANs", a->port.bridge,
		    a->number ? "filter" : "not filter");
		break;
	default:
		text_port(a, pf, t);
	}
}

/* ---- commands ------------------------------------------------------------ */

/* Of the PF's own interfaces, the one whose port is VF n's. */
#define REPRESENTOR                                                            \
	"$(basename $(dirname $(grep -slxE '(c[0-9]+)?pf[0-9]+vf%d' "          \
	"/sys/bus/pci/devices/%s/net/*/phys_port_name)))"

static void command_linux(const struct pol_action *a, struct text *t)
{
	const struct pol_port *p = &a->port;
	bool leaves = a->number_from == POL_MASTER_OVS;

	if (leaves)
		say(t, "ovs-vsctl --if-exists del-port $p");
	else if (!*p->bridge)
		say(t, "ip link set dev $p nomaster");
	if (!*p->bridge)
		return;
	say(t, "%sip link set dev $p master %s", leaves ? "; " : "", p->bridge);
	if (!(a->port_set & POL_HAS_PORT_VLAN))
		return;
	say(t, "; bridge vlan del dev $p vid 1-4094");
	if (p->pvid)
		say(t, "; bridge vlan add dev $p vid %u pvid untagged",
		    p->pvid);
	for (unsigned i = 0; i < p->n_tagged; i++) {
		say(t, "; bridge vlan add dev $p vid ");
		say_range(t, p->tagged[i]);
	}
}

/* At once, so that it is in no VLAN meanwhile that it is not to be in. The
 * record of a representor is marked: it goes when its VF does. */
static void command_ovs(const struct pol_action *a, struct text *t)
{
	struct pol_ovs_words w = { .n = 0 };

	if (a->number_from == POL_MASTER_LINUX)
		say(t, "ip link set dev $p nomaster; ");
	say(t, "ovs-vsctl --if-exists del-port $p -- add-port %s $p",
	    a->port.bridge);
	if (a->port_set & POL_HAS_PORT_VLAN)
		pol_ovs_words(&a->port, &w);
	for (unsigned i = 0; i < w.n; i++)
		say(t, " %s", w.word[i]);
	if (a->vf >= 0)
		say(t, " external_ids:" POL_OVS_MARK);
}

static void command_port(const struct pol_action *a, const char *pf,
                         struct text *t)
{
	const struct pol_port *p = &a->port;
	char b[BDF_STRLEN];

	if (a->vf < 0)
		say(t, "p=%s; ", pf);
	else
		say(t, "p=" REPRESENTOR "; ", a->vf, bdf_format(a->pf, b));
	if (p->ovs)
		command_ovs(a, t);
	else
		command_linux(a, t);
	if (a->vf >= 0 && *p->bridge)
		say(t, "; ip link set dev $p %s", p->up ? "up" : "down");
}

/* The index of a VF's port is its driver's: asked for, too. */
#define PORT_OF                                                                \
	"$(devlink -j port | jq -r '.port | to_entries[] | select((.key | "    \
	"startswith(\"pci/%s/\")) and .value.flavour == \"pcivf\" and "        \
	".value.vfnum == %d) | .key')"

static void command_of(const struct pol_action *a, const char *pf,
                       struct text *t)
{
	char b[BDF_STRLEN];

	bdf_format(a->pf, b);
	switch (a->op) {
	case POL_OP_ESWITCH:
		say(t, "devlink dev eswitch set pci/%s mode %s", b,
		    a->number ? "switchdev" : "legacy");
		break;
	case POL_OP_PARAM:
		say(t, "devlink dev param set pci/%s name %s value %s cmode %s",
		    b, a->param.name, a->param.value,
		    a->param.init ? "driverinit" : "runtime");
		break;
	case POL_OP_GROUP:
		say(t, "devlink port function rate %s pci/%s/%s",
		    a->number ? "set" : "add", b, a->group.name);
		say_group(t, &a->group);
		break;
	case POL_OP_GROUP_DEL:
		say(t, "devlink port function rate del pci/%s/%s", b,
		    a->group.name);
		break;
	case POL_OP_VF_GROUP:
		say(t, "devlink port function rate set " PORT_OF, b, a->vf);
		if (*a->group.name)
			say(t, " parent %s", a->group.name);
		else
			say(t, " noparent");
		break;
	case POL_OP_BRIDGE:
		say(t, "ip link set dev %s type bridge vlan_filtering %u",
		    a->port.bridge, a->number);
		break;
	default:
		command_port(a, pf, t);
	}
}

/* ---- both ---------------------------------------------------------------- */

const char *action_switch_text(const struct pol_action *a, const char *pf,
                               char *buf, size_t size)
{
	struct text t = { buf, size, 0 };

	buf[0] = '\0';
	text_of(a, pf, &t);
	return buf;
}

const char *action_switch_command(const struct pol_action *a, const char *pf,
                                  char *buf, size_t size)
{
	struct text t = { buf, size, 0 };

	buf[0] = '\0';
	command_of(a, pf, &t);
	return buf;
}
