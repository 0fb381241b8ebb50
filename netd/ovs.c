/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What Open vSwitch's database says; ovs.h. Forms: RFC 7047 5.1. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "netd/ovs.h"
#include "netd/tool.h"

#define SOCKET "run/openvswitch/db.sock"
#define READ_MS 12000u
#define ROWS_MAX 4096u

/* ---- cells of a table ---------------------------------------------------- */

struct table {
	const json_t *headings, *rows;
};

static bool get_table(const json_t *doc, struct table *ret)
{
	ret->headings = json_object_get(doc, "headings");
	ret->rows = json_object_get(doc, "data");
	return json_is_array(ret->headings) && json_is_array(ret->rows) &&
	       json_array_size(ret->rows) <= ROWS_MAX;
}

static const json_t *cell(const struct table *t, size_t row, const char *name)
{
	const json_t *r = json_array_get(t->rows, row);

	for (size_t i = 0; i < json_array_size(t->headings); i++) {
		const char *h =
			json_string_value(json_array_get(t->headings, i));

		if (h && !strcmp(h, name))
			return json_array_get(r, i);
	}
	return NULL;
}

/* "set" or "map", and what is in it; NULL = it is no such thing. */
static const json_t *many(const json_t *c, const char *kind)
{
	const char *k = json_string_value(json_array_get(c, 0));

	return k && !strcmp(k, kind) ? json_array_get(c, 1) : NULL;
}

/* A set of one is written as that one. */
static size_t set_size(const json_t *c)
{
	const json_t *set = many(c, "set");

	return set ? json_array_size(set) : c != NULL;
}

static const json_t *set_get(const json_t *c, size_t i)
{
	const json_t *set = many(c, "set");

	return set ? json_array_get(set, i) : c;
}

static const char *uuid_of(const json_t *c)
{
	return json_string_value(many(c, "uuid"));
}

static bool is_empty(const json_t *c)
{
	const json_t *map = many(c, "map");

	return map ? !json_array_size(map) : !set_size(c);
}

static bool is_marked(const json_t *c)
{
	const json_t *map = many(c, "map");
	char text[sizeof(POL_OVS_MARK) + 1];

	for (size_t i = 0; i < json_array_size(map); i++) {
		const json_t *pair = json_array_get(map, i);
		const char *k = json_string_value(json_array_get(pair, 0));
		const char *v = json_string_value(json_array_get(pair, 1));

		if (!k || !v)
			continue;
		snprintf(text, sizeof(text), "%s=%s", k, v);
		if (!strcmp(text, POL_OVS_MARK))
			return true;
	}
	return false;
}

/* False where it has none that is one of ours. */
static bool get_name(const json_t *c, char to[static POL_IFNAME])
{
	const char *s = json_string_value(c);

	return s && *s && snprintf(to, POL_IFNAME, "%s", s) < POL_IFNAME;
}

/* ---- a port -------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b)
{
	return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

/* The trunks as ranges. False = more than we could say. */
static bool get_trunks(const json_t *c, struct pol_port *p)
{
	uint16_t id[4096];
	size_t n = set_size(c);

	if (n > ARRAY_SIZE(id))
		return false;
	for (size_t i = 0; i < n; i++)
		id[i] = (uint16_t)(json_integer_value(set_get(c, i)) & 4095);
	qsort(id, n, sizeof(id[0]), compare_ids);
	for (size_t i = 0; i < n; i++) {
		struct pol_vlan_range *last =
			p->n_tagged ? &p->tagged[p->n_tagged - 1] : NULL;

		if (last && last->last + 1u >= id[i]) {
			last->last = id[i];
			continue;
		}
		if (p->n_tagged == POL_VLAN_RANGES_MAX || id[i] < 2)
			return false;
		p->tagged[p->n_tagged++] =
			(struct pol_vlan_range){ id[i], id[i] };
	}
	return true;
}

/* Of the forms that pol_ovs_words() writes, and what ovs-vsctl's users leave
 * out of them; all else is strange. */
static void get_vlans(const struct table *t, size_t row, struct pol_port *p)
{
	const json_t *tag = cell(t, row, "tag"), *c = cell(t, row, "trunks");
	const char *mode =
		json_string_value(set_get(cell(t, row, "vlan_mode"), 0));
	bool tagged = set_size(tag), trunks = set_size(c);

	if (tagged)
		p->pvid =
			(uint16_t)(json_integer_value(set_get(tag, 0)) & 4095);
	p->strange = p->pvid == 1 || !get_trunks(c, p);
	if (tagged && !p->pvid)
		p->pvid = 1;
	if (!mode)
		mode = tagged ? "access" : trunks ? "trunk" : "all";
	if (!strcmp(mode, "all") || (!strcmp(mode, "trunk") && !trunks))
		pol_ovs_set_all(p);
	else if (!strcmp(mode, "access"))
		p->strange |= !tagged || trunks;
	else if (!strcmp(mode, "trunk"))
		p->strange |= tagged;
	else
		p->strange |= strcmp(mode, "native-untagged") != 0 || !tagged ||
		              !trunks;
}

static bool is_plain(const struct table *t, size_t row,
                     const char *const *column, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_empty(cell(t, row, column[i])))
			return false;
	return true;
}

static size_t find_row(const struct table *t, const char *uuid)
{
	size_t n = json_array_size(t->rows);

	for (size_t i = 0; uuid && i < n; i++) {
		const char *u = uuid_of(cell(t, i, "_uuid"));

		if (u && !strcmp(u, uuid))
			return i;
	}
	return SIZE_MAX;
}

static void get_interface(const struct table *t, size_t row,
                          struct ovs_port *port)
{
	static const char *const plain[] = { "options", "ofport_request",
		                             "other_config", "external_ids" };
	const char *name = json_string_value(cell(t, row, "name"));
	const char *type = json_string_value(cell(t, row, "type"));
	const char *fault =
		json_string_value(set_get(cell(t, row, "error"), 0));

	port->said.strange |= !name || strcmp(name, port->name) != 0 ||
	                      (type && *type && strcmp(type, "system") != 0) ||
	                      !is_plain(t, row, plain, ARRAY_SIZE(plain));
	if (fault)
		snprintf(port->fault, sizeof(port->fault), "%s", fault);
}

/* False = it is none of ours to know: a name that no interface has, or the
 * bridge itself. */
static bool get_port(const struct table *ports, size_t row,
                     const struct table *ifaces, const char *bridge,
                     struct ovs_port *to)
{
	static const char *const plain[] = { "bond_mode", "cvlans", "lacp",
		                             "other_config", "qos" };
	const json_t *list = cell(ports, row, "interfaces");
	size_t iface = find_row(ifaces, uuid_of(set_get(list, 0)));

	if (!get_name(cell(ports, row, "name"), to->name) ||
	    !strcmp(to->name, bridge))
		return false;
	get_vlans(ports, row, &to->said);
	to->ours = is_marked(cell(ports, row, "external_ids"));
	if (set_size(list) != 1 || iface == SIZE_MAX ||
	    !is_plain(ports, row, plain, ARRAY_SIZE(plain)) ||
	    (!to->ours && !is_empty(cell(ports, row, "external_ids"))))
		to->said.strange = true;
	if (iface != SIZE_MAX)
		get_interface(ifaces, iface, to);
	return true;
}

/* ---- all ----------------------------------------------------------------- */

static void get_bridge(const struct table t[static 3], size_t row,
                       struct ovs_view *v)
{
	struct ovs_bridge *b = &v->bridge[v->n_bridges];
	const char *datapath =
		json_string_value(cell(&t[0], row, "datapath_type"));
	const json_t *list = cell(&t[0], row, "ports");
	size_t most = json_array_size(t[1].rows);

	if (!get_name(cell(&t[0], row, "name"), b->name))
		return;
	b->ours = is_marked(cell(&t[0], row, "external_ids"));
	b->datapath = datapath && !strcmp(datapath, "netdev") ? POL_OVS_NETDEV
	                                                      : POL_OVS_SYSTEM;
	for (size_t i = 0; i < set_size(list) && v->n_ports < most; i++) {
		struct ovs_port *to = &v->port[v->n_ports];
		size_t at = find_row(&t[1], uuid_of(set_get(list, i)));

		memset(to, 0, sizeof(*to));
		to->bridge = v->n_bridges;
		v->n_ports += at != SIZE_MAX &&
		              get_port(&t[1], at, &t[2], b->name, to);
	}
	v->n_bridges++;
}

static int fill(const struct table t[static 3], struct ovs_view *v)
{
	size_t n = json_array_size(t[0].rows);

	v->bridge = calloc(n + 1, sizeof(*v->bridge));
	v->port = calloc(json_array_size(t[1].rows) + 1, sizeof(*v->port));
	if (!v->bridge || !v->port)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		get_bridge(t, i, v);
	return 0;
}

int ovs_parse(const char *text, struct ovs_view *ret)
{
	json_t *doc[3] = { NULL };
	struct table t[3];
	struct ovs_view v = { 0 };
	size_t n = 0;
	int r = 0;

	for (; !r && n < ARRAY_SIZE(doc); n++) {
		json_error_t e;

		doc[n] = json_loads(text, JSON_DISABLE_EOF_CHECK, &e);
		if (!doc[n] || !get_table(doc[n], &t[n]))
			r = -EBADMSG;
		else
			text += e.position;
	}
	if (!r)
		r = fill(t, &v);
	while (n)
		json_decref(doc[--n]);
	if (r)
		ovs_view_free(&v);
	else
		*ret = v;
	return r;
}

bool ovs_is_there(const struct env *e)
{
	return faccessat(e->root_fd, SOCKET, F_OK, 0) == 0;
}

#define BRIDGE_COLUMNS "--columns=name,ports,datapath_type,external_ids"
#define PORT_COLUMNS                                                           \
	"--columns=_uuid,name,tag,trunks,vlan_mode,interfaces,external_ids,"   \
	"bond_mode,cvlans,lacp,other_config,qos"
#define IFACE_COLUMNS                                                          \
	"--columns=_uuid,name,type,error,options,ofport_request,"              \
	"other_config,external_ids"

int ovs_view_read(const struct env *e, struct ovs_view *ret, struct diag *d)
{
	static const char *const argv[] = {
		"ovs-vsctl", "--timeout=10", "--no-wait", "--format=json",
		"--",        BRIDGE_COLUMNS, "list",      "Bridge",
		"--",        PORT_COLUMNS,   "list",      "Port",
		"--",        IFACE_COLUMNS,  "list",      "Interface",
		NULL
	};
	_cleanup_free_ char *text = NULL;
	char said[TOOL_WORDS];
	int r;

	*ret = (struct ovs_view){ 0 };
	if (!ovs_is_there(e))
		return 0;
	r = tool_run(e->root_fd, OVS_TOOL, argv, READ_MS, &text, said);
	if (!r)
		r = ovs_parse(text, ret);
	return r ? ovs_failed(r, "ask Open vSwitch", "what it has", said, d)
	         : 0;
}

void ovs_view_free(struct ovs_view *v)
{
	free(v->bridge);
	free(v->port);
	*v = (struct ovs_view){ 0 };
}

const struct ovs_bridge *ovs_find_bridge(const struct ovs_view *v,
                                         const char *name)
{
	for (size_t i = 0; i < v->n_bridges; i++)
		if (!strcmp(v->bridge[i].name, name))
			return &v->bridge[i];
	return NULL;
}

const struct ovs_port *ovs_find_port(const struct ovs_view *v, const char *name)
{
	for (size_t i = 0; i < v->n_ports; i++)
		if (!strcmp(v->port[i].name, name))
			return &v->port[i];
	return NULL;
}

/* One that ovs-vswitchd could not take is in no bridge. */
void ovs_port_see(const struct ovs_view *v, struct pol_port *p)
{
	const struct ovs_port *o = ovs_find_port(v, p->ifname);

	if (!o || *o->fault)
		return;
	p->ovs = true;
	memcpy(p->bridge, v->bridge[o->bridge].name, sizeof(p->bridge));
	p->pvid = o->said.pvid;
	p->n_tagged = o->said.n_tagged;
	memcpy(p->tagged, o->said.tagged, sizeof(p->tagged));
	p->strange = o->said.strange;
}

void ovs_where(const struct env *e, struct pol_port *p)
{
	struct ovs_view v = { 0 };

	if (!ovs_view_read(e, &v, NULL))
		ovs_port_see(&v, p);
	ovs_view_free(&v);
}
