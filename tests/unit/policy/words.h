/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_TEST_POLICY_WORDS_H
#define FL_TEST_POLICY_WORDS_H

/* Words of state.h's lines: how one is read, and those of a switch and of the
 * host. */

#include "tests/unit/policy/golden.h"

static inline bool word_value(const char *word, const char *key,
                              const char **ret)
{
	size_t n = strlen(key);

	*ret = word + n + 1;
	return !strncmp(word, key, n) && word[n] == '=';
}

static inline uint32_t number(const char *s, int base)
{
	return (uint32_t)strtoul(s, NULL, base);
}

static inline void set_text(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

/* Underlines stand for blanks. */
static inline void set_words(char *to, size_t size, const char *from)
{
	set_text(to, size, from);
	for (; *to; to++)
		if (*to == '_')
			*to = ' ';
}

static inline bool port_word(struct pol_port *p, uint32_t *set, const char *w)
{
	const char *v;
	unsigned a, b;
	int n = 0;

	if (word_value(w, "in", &v)) {
		*set |= POL_HAS_PORT;
		if (sscanf(v, "%15[^:]:%n%u", p->bridge, &n, &a) == 2) {
			*set |= POL_HAS_PORT_VLAN;
			p->pvid = (uint16_t)a;
		}
	} else if (word_value(w, "tagged", &v)) {
		assert_int_equal(sscanf(v, "%u-%u", &a, &b), 2);
		p->tagged[p->n_tagged++] =
			(struct pol_vlan_range){ (uint16_t)a, (uint16_t)b };
	} else if (word_value(w, "up", &v)) {
		p->up = *v == '1';
	} else if (word_value(w, "ovs", &v)) {
		p->ovs = *v == '1';
	} else if (word_value(w, "port-name", &v)) {
		set_text(p->ifname, sizeof(p->ifname), v);
	} else if (word_value(w, "strange", &v)) {
		p->strange = *v == '1';
		set_text(p->ifname, sizeof(p->ifname), "eth9");
	} else {
		return false;
	}
	return true;
}

static inline void group_word(struct pol_switch *sw, const char *v)
{
	struct pol_group *g = &sw->group[sw->n_groups];
	unsigned long long share, max;

	if (!*v)
		return;
	sw->n_groups++;
	assert_int_equal(sscanf(v, "%31[^:]:%llu:%llu:%u:%u", g->name, &share,
	                        &max, &g->priority, &g->weight),
	                 5);
	g->share = share;
	g->max = max;
	g->set = POL_GROUP_ALL;
}

static inline bool switch_word(struct pol_pf *pf, const char *w)
{
	struct pol_switch *sw = &pf->sw;
	struct pol_bridge *b;
	const char *v;
	unsigned on;

	if (port_word(&sw->port, &pf->set, w))
		return true;
	if (word_value(w, "mode", &v)) {
		pf->set |= POL_HAS_ESWITCH;
		sw->instance = true;
		sw->switchdev = !strcmp(v, "switchdev");
	} else if (word_value(w, "param", &v)) {
		struct pol_param_value *p = &sw->param[sw->n_params++];

		pf->set |= POL_HAS_PARAMS;
		assert_int_equal(sscanf(v, "%31[^:]:%32s", p->name, p->value),
		                 2);
	} else if (word_value(w, "msix", &v)) {
		pf->msix_total = number(v, 10);
	} else if (word_value(w, "group", &v)) {
		pf->set |= POL_HAS_GROUPS;
		group_word(sw, v);
	} else if (word_value(w, "bridge", &v)) {
		pf->set |= POL_HAS_BRIDGE;
		b = &sw->bridge[sw->n_bridges++];
		assert_int_equal(sscanf(v, "%15[^:]:%u", b->name, &on), 2);
		b->there = true;
		b->filtering = on;
	} else {
		return false;
	}
	return true;
}

static inline bool tunnel_word(struct pol_overlay *o, const char *w)
{
	const char *v;

	if (word_value(w, "dev", &v))
		set_text(o->dev, sizeof(o->dev), v);
	else if (word_value(w, "id", &v))
		o->id = number(v, 10);
	else if (word_value(w, "local", &v))
		assert_true(pol_ip_parse(v, &o->local));
	else if (word_value(w, "group", &v))
		assert_true(pol_ip_parse(v, &o->group));
	else if (word_value(w, "remote", &v))
		assert_true(pol_ip_parse(v, &o->remote[o->n_remotes++]));
	else if (word_value(w, "device", &v))
		set_text(o->device, sizeof(o->device), v);
	else if (word_value(w, "udp", &v))
		o->port = (uint16_t)number(v, 10);
	else if (word_value(w, "mtu", &v))
		o->mtu = number(v, 10);
	else if (word_value(w, "vlan", &v))
		o->vlan = (uint16_t)number(v, 10);
	else if (word_value(w, "learning", &v))
		o->learning = *v == '1';
	else if (word_value(w, "dev-down", &v))
		o->dev_down = *v == '1';
	else if (word_value(w, "bridge-down", &v))
		o->bridge_down = *v == '1';
	else
		return false;
	return true;
}

static inline void link_word(struct pol_link *l, const char *w)
{
	const char *v;

	if (word_value(w, "mtu", &v)) {
		l->mtu = number(v, 10);
	} else if (word_value(w, "bridge", &v)) {
		l->bridge = true;
		l->filtering = *v == '1';
	} else if (word_value(w, "made", &v)) {
		l->made = *v == '1';
	} else if (word_value(w, "address", &v)) {
		l->address = reallocarray(l->address, l->n_addresses + 1,
		                          sizeof(*l->address));
		assert_true(pol_ip_parse(v, &l->address[l->n_addresses++]));
	} else {
		fail_msg("link: %s?", w);
	}
}

/* Of each node, those of 2M and of 1G: "384:8/256:0" */
static inline void page_words(struct pol_machine *m, const char *v)
{
	m->pages = calloc(strlen(v), sizeof(*m->pages));
	assert_non_null(m->pages);
	for (; v; v = strchr(v, '/') ? strchr(v, '/') + 1 : NULL) {
		uint32_t *n = m->pages[m->n_pages++].n;

		assert_int_equal(sscanf(v, "%u:%u", &n[0], &n[1]), 2);
	}
}

static inline void host_word(struct pol_machine *m, const char *w)
{
	const char *v;

	if (word_value(w, "name", &v))
		set_text(m->hostname, sizeof(m->hostname), v);
	else if (word_value(w, "id", &v))
		assert_true(pol_machine_id(v, m->id));
	else if (word_value(w, "pages", &v))
		page_words(m, v);
	else if (word_value(w, "sockets", &v))
		for (size_t i = 0; v[i]; i++)
			m->socket[i] = (uint8_t)(v[i] - '0');
}

#endif
