/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's interfaces in an inventory, and the bridges that netd or Open
 * vSwitch has made of them. Where one interface is told, all are: then a bridge
 * or an overlay that a policy names is there, or it is not (inventory-ask.c).
 * An older recording has none of these lines.
 */

#include "policy/inventory.h"

#include <string.h>

#define LINKS_MAX 65536u
#define OVERS_MAX 4096u

/* ---- rows ---------------------------------------------------------------- */

static json_t *put_addresses(const struct field *f, const void *obj)
{
	const struct pol_link *l = obj;
	json_t *list = json_array();
	char text[POL_IP_TEXT];

	(void)f;
	for (size_t i = 0; i < l->n_addresses; i++)
		json_array_append_new(
			list, json_string(pol_ip_format(&l->address[i], text)));
	return list;
}

static bool get_addresses(const struct field *f, const json_t *v, void *obj)
{
	struct pol_link *l = obj;
	size_t n = json_array_size(v);

	(void)f;
	if (!json_is_array(v))
		return false;
	l->address = n ? calloc(n, sizeof(*l->address)) : NULL;
	for (; l->address && l->n_addresses < n; l->n_addresses++) {
		const char *text =
			json_string_value(json_array_get(v, l->n_addresses));

		if (!text || !pol_ip_parse(text, &l->address[l->n_addresses]))
			return false;
	}
	return l->n_addresses == n;
}
const struct form form_addresses = { put_addresses, get_addresses,
	                             "a list of addresses: [\"192.0.2.1\"]" };

// clang-format off
#define LINK(...) { ROW(pol_link, __VA_ARGS__) }
static const struct field link_rows[] = {
	LINK(name, INVENTORY_LINK, text, 0, FIELD_SEEN | FIELD_MUST_SEEN),
	LINK(mtu, "mtu", number, 0, FIELD_SEEN | FIELD_MUST_SEEN),
	LINK(bridge, "linux-bridge", flag, 0, FIELD_SEEN),
	LINK(filtering, "vlan-filtering", flag, 0, FIELD_SEEN),
	LINK(made, "made", flag, 0, FIELD_SEEN),
	{ .key = "addresses", .form = &form_addresses, .flags = FIELD_SEEN },
};
// clang-format on
const struct fields link_fields = TABLE(link_rows);

/* ---- lines --------------------------------------------------------------- */

static int add_link(struct in *in, const struct pol_link *l)
{
	struct pol_link *all =
		in->s->n_links < LINKS_MAX
			? inventory_more(in->s->link, in->s->n_links,
	                                 &in->link_room, sizeof(*all))
			: NULL;

	if (!all)
		return -ENOMEM;
	in->s->link = all;
	all[in->s->n_links++] = *l;
	return 0;
}

int inventory_read_link(struct in *in, json_t *o)
{
	struct pol_link l = { .name = "" };
	int r = inventory_object(in, o, &link_fields, &l) ? add_link(in, &l)
	                                                  : 1;

	if (r)
		free(l.address);
	return MIN(r, 0);
}

int inventory_read_over(struct in *in, json_t *o, bool ovs)
{
	struct pol_over over = { .there = !ovs, .o = { .ovs = ovs } }, *all;

	if (!inventory_object(in, o, ovs ? &over_ovs_fields : &over_fields,
	                      &over))
		return 0;
	if (ovs && !over.there)
		copy_text(over.foreign, sizeof(over.foreign), over.o.bridge);
	all = in->s->n_overs < OVERS_MAX
	              ? inventory_more(in->s->over, in->s->n_overs,
	                               &in->over_room, sizeof(*all))
	              : NULL;
	if (!all)
		return -ENOMEM;
	in->s->over = all;
	all[in->s->n_overs++] = over;
	in->s->ovs |= ovs;
	return 0;
}

bool inventory_has_over(const struct pol_over *over)
{
	return over->o.ovs ? over->o.datapath != POL_OVS_ANY : over->there;
}

/* ---- what follows from several lines ------------------------------------- */

static int order_names(const void *va, const void *vb)
{
	const char *const *a = va, *const *b = vb;

	return strcmp(*a, *b);
}

static void check_names(struct in *in, const char **name, size_t n)
{
	qsort(name, n, sizeof(char *), order_names);
	for (size_t i = 1; i < n; i++)
		if (!strcmp(name[i], name[i - 1]))
			diag_mend(pol_err(in->errs, in->pos, FL_POL_INVENTORY,
			                  "inventory: %s is there twice",
			                  name[i]),
			          "remove one of the two lines");
}

static void no_links(struct in *in, const struct pol_over *over)
{
	struct diag *d = pol_err(in->errs, in->pos, FL_POL_INVENTORY_LACKS,
	                         "inventory: no line with '" INVENTORY_LINK
	                         "' beside that of overlay %s",
	                         over->o.bridge);

	diag_why(d, "what its tunnel goes over is one");
	diag_mend(d, "add a line for each interface of the host");
}

int inventory_check_net(struct in *in)
{
	const struct pol_state *s = in->s;
	size_t n = MAX(s->n_links, s->n_overs);
	const char **name = calloc(n + 1, sizeof(char *));

	if (!name)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_links; i++)
		name[i] = s->link[i].name;
	check_names(in, name, s->n_links);
	for (size_t i = 0; i < s->n_overs; i++)
		name[i] = s->over[i].o.bridge;
	check_names(in, name, s->n_overs);
	free(name);
	for (size_t i = 0; !s->n_links && i < s->n_overs; i++)
		if (!s->over[i].o.ovs)
			no_links(in, &s->over[i]);
	return 0;
}
