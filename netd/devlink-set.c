/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One change over devlink. The message is sent by a child that has a socket
 * of its own and nothing else open, since a driver works while the sender
 * waits; what the kernel says comes back through a shared page. Then it is
 * read back over the caller's socket.
 */

#include <linux/devlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "netd/devlink-priv.h"

/* A switch's mode: drivers make and destroy the representors of all VFs. */
#define MODE_MS 120000u
#define USUAL_MS 10000u

/* ---- sending ------------------------------------------------------------- */

struct shared {
	char words[DEVLINK_WORDS];
};
struct change {
	uint8_t cmd;
	const struct devlink_handle *h;
	int (*fill)(struct nl_msg *m, const void *arg, uint8_t type);
	const void *arg;
	uint8_t type; /* of a parameter */
	struct shared *said;
};

/* In the child; without a diag, which would be lost. */
static int send_change(void *arg)
{
	const struct change *c = arg;
	struct devlink *dl = NULL;
	int r = devlink_open(&dl, NULL);
	struct nl_msg *m;

	if (r || !dl)
		return r ? r : -EOPNOTSUPP;
	m = devlink_request(dl, c->cmd, NLM_F_ACK, c->h);
	if (!m || c->fill(m, c->arg, c->type) < 0)
		return -ENOMEM;
	return rtnl_talk(dl->sock, m, NULL, NULL, c->said->words);
}

static int stuck(const struct devlink_target *t, unsigned ms, struct diag *d)
{
	diag_fail(d, -ETIMEDOUT, FL_SRIOV_STUCK, "cannot %s", t->what);
	diag_why(d, "the driver did not answer %s/%s within %u ms", t->h->bus,
	         t->h->dev, ms);
	diag_mend(d, "see `dmesg` for the driver");
	return -ETIMEDOUT;
}

static int refused(const struct devlink_target *t, int err, const char *words,
                   struct diag *d)
{
	diag_fail(d, err, FL_NETD_DEVLINK, "cannot %s", t->what);
	diag_why(d, "%s/%s: %s%s%s", t->h->bus, t->h->dev, strerror(-err),
	         *words ? ": " : "", words);
	diag_mend(d,
	          "see `devlink dev show %s/%s` and `dmesg`; leave out what "
	          "this driver does not support",
	          t->h->bus, t->h->dev);
	return err;
}

static int change(const struct devlink_target *t, struct change *c, unsigned ms,
                  struct diag *d)
{
	struct shared *said = mmap(NULL, sizeof(*said), PROT_READ | PROT_WRITE,
	                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char words[DEVLINK_WORDS];
	int r;

	if (said == MAP_FAILED)
		return diag_fail(d, -ENOMEM, FL_NETD_MEMORY, "no memory");
	c->h = t->h;
	c->said = said;
	r = run_deadline(-1, send_change, c, ms, NULL);
	memcpy(words, said->words, sizeof(words));
	words[sizeof(words) - 1] = '\0';
	munmap(said, sizeof(*said));
	if (r == -ETIMEDOUT)
		return stuck(t, ms, d);
	return r ? refused(t, r, words, d) : 0;
}

static int read_back(const struct devlink_target *t, int err, bool same,
                     const char *has, struct diag *d)
{
	if (!err && same)
		return 0;
	diag_fail(d, err ? err : -EIO, FL_NETD_READBACK, "cannot %s", t->what);
	if (err)
		diag_why(d, "%s/%s accepted it and cannot be read: %s",
		         t->h->bus, t->h->dev, strerror(-err));
	else
		diag_why(d, "%s/%s accepted it, but reports %s", t->h->bus,
		         t->h->dev, has);
	diag_mend(d, "see `devlink dev show %s/%s` and `dmesg`", t->h->bus,
	          t->h->dev);
	return err ? err : -EIO;
}

/* ---- the switch's mode --------------------------------------------------- */

static int fill_mode(struct nl_msg *m, const void *arg, uint8_t type)
{
	const bool *switchdev = arg;

	(void)type;
	return nla_put_u16(m, DEVLINK_ATTR_ESWITCH_MODE,
	                   *switchdev ? DEVLINK_ESWITCH_MODE_SWITCHDEV
	                              : DEVLINK_ESWITCH_MODE_LEGACY);
}

int devlink_set_mode(const struct devlink_target *t, bool switchdev,
                     struct diag *d)
{
	struct change c = { .cmd = DEVLINK_CMD_ESWITCH_SET,
		            .fill = fill_mode,
		            .arg = &switchdev };
	struct devlink_eswitch e = { 0 };
	int r = change(t, &c, MODE_MS, d);

	if (r)
		return r;
	r = devlink_eswitch_read(t->dl, t->h, &e);
	return read_back(t, r,
	                 e.has_mode &&
	                         (e.mode == DEVLINK_ESWITCH_MODE_SWITCHDEV) ==
	                                 switchdev,
	                 "another mode", d);
}

/* ---- parameters ---------------------------------------------------------- */

static uint8_t cmode_of(const struct pol_param_value *p)
{
	return p->init ? DEVLINK_PARAM_CMODE_DRIVERINIT
	               : DEVLINK_PARAM_CMODE_RUNTIME;
}

/* The value as the parameter's type has it; checked by value_fits(). */
static int put_value(struct nl_msg *m, uint8_t type, const char *text)
{
	uint64_t v = 0;

	if (type == NLA_STRING)
		return nla_put_string(m, DEVLINK_ATTR_PARAM_VALUE_DATA, text);
	if (type == NLA_FLAG)
		return strcmp(text, "true") != 0
		               ? 0
		               : nla_put_flag(m, DEVLINK_ATTR_PARAM_VALUE_DATA);
	if (parse_u64(text, UINT32_MAX, &v) < 0)
		return -EINVAL;
	if (type == NLA_U8)
		return nla_put_u8(m, DEVLINK_ATTR_PARAM_VALUE_DATA, (uint8_t)v);
	if (type == NLA_U16)
		return nla_put_u16(m, DEVLINK_ATTR_PARAM_VALUE_DATA,
		                   (uint16_t)v);
	return nla_put_u32(m, DEVLINK_ATTR_PARAM_VALUE_DATA, (uint32_t)v);
}

static int fill_param(struct nl_msg *m, const void *arg, uint8_t type)
{
	const struct pol_param_value *p = arg;

	if (nla_put_string(m, DEVLINK_ATTR_PARAM_NAME, p->name) < 0 ||
	    nla_put_u8(m, DEVLINK_ATTR_PARAM_TYPE, type) < 0 ||
	    nla_put_u8(m, DEVLINK_ATTR_PARAM_VALUE_CMODE, cmode_of(p)) < 0)
		return -ENOMEM;
	return put_value(m, type, p->value);
}

/* What the type asks for, where the value is not so; else NULL. */
static const char *value_unfit(uint8_t type, const char *text)
{
	uint64_t max = type == NLA_U8    ? UINT8_MAX
	               : type == NLA_U16 ? UINT16_MAX
	                                 : UINT32_MAX;
	uint64_t v;

	if (type == NLA_STRING)
		return NULL;
	if (type == NLA_FLAG)
		return strcmp(text, "true") != 0 && strcmp(text, "false") != 0
		               ? "true or false"
		               : NULL;
	if (type != NLA_U8 && type != NLA_U16 && type != NLA_U32)
		return "of a type that fairlead does not know";
	if (parse_u64(text, max, &v) == 0)
		return NULL;
	return type == NLA_U8    ? "a number up to 255"
	       : type == NLA_U16 ? "a number up to 65535"
	                         : "a number up to 4294967295";
}

static int unfit(const struct devlink_target *t,
                 const struct pol_param_value *p, const char *form,
                 struct diag *d)
{
	diag_fail(d, -EINVAL, FL_NETD_DEVLINK, "cannot %s", t->what);
	diag_why(d, "the value of %s is %s", p->name, form);
	diag_mend(d, "see `devlink dev param show %s/%s name %s`", t->h->bus,
	          t->h->dev, p->name);
	return -EINVAL;
}

int devlink_set_param(const struct devlink_target *t,
                      const struct pol_param_value *p, struct diag *d)
{
	struct change c = { .cmd = DEVLINK_CMD_PARAM_SET,
		            .fill = fill_param,
		            .arg = p };
	struct devlink_param now = { 0 };
	uint8_t cmode = cmode_of(p);
	const char *form;
	int r = devlink_param_read(t->dl, t->h, p->name, &now);

	if (r)
		return refused(t, r, "no such parameter", d);
	form = value_unfit(now.type, p->value);
	if (form)
		return unfit(t, p, form, d);
	c.type = now.type;
	r = change(t, &c, USUAL_MS, d);
	if (r)
		return r;
	r = devlink_param_read(t->dl, t->h, p->name, &now);
	return read_back(t, r,
	                 now.value[cmode].has &&
	                         !strcmp(now.value[cmode].text, p->value),
	                 now.value[cmode].text, d);
}

/* ---- rates --------------------------------------------------------------- */

static int fill_name(struct nl_msg *m, const void *arg, uint8_t type)
{
	(void)type;
	return nla_put_string(m, DEVLINK_ATTR_RATE_NODE_NAME, arg);
}

static int fill_group(struct nl_msg *m, const void *arg, uint8_t type)
{
	const struct pol_group *r = arg;
	int e = fill_name(m, r->name, type);

	if (e >= 0 && r->set & POL_GROUP_SHARE)
		e = nla_put_u64(m, DEVLINK_ATTR_RATE_TX_SHARE, r->share);
	if (e >= 0 && r->set & POL_GROUP_MAX)
		e = nla_put_u64(m, DEVLINK_ATTR_RATE_TX_MAX, r->max);
	if (e >= 0 && r->set & POL_GROUP_PRIORITY)
		e = nla_put_u32(m, DEVLINK_ATTR_RATE_TX_PRIORITY, r->priority);
	if (e >= 0 && r->set & POL_GROUP_WEIGHT)
		e = nla_put_u32(m, DEVLINK_ATTR_RATE_TX_WEIGHT, r->weight);
	return e;
}

/* The group, or (`name` NULL) the port's leaf. */
static const struct devlink_rate *find_rate(const struct devlink_view *v,
                                            const struct devlink_handle *h,
                                            const char *name, uint32_t port)
{
	for (size_t i = 0; i < v->n_rates; i++) {
		const struct devlink_rate *r = &v->rate[i];

		if (!devlink_same(&r->h, h) || r->strange)
			continue;
		if (name ? r->node && !strcmp(r->group.name, name)
		         : !r->node && r->port == port)
			return r;
	}
	return NULL;
}

static bool group_is(const struct pol_group *want,
                     const struct devlink_rate *is)
{
	const struct pol_group *r = is ? &is->group : NULL;

	return r &&
	       (!(want->set & POL_GROUP_SHARE) || r->share == want->share) &&
	       (!(want->set & POL_GROUP_MAX) || r->max == want->max) &&
	       (!(want->set & POL_GROUP_PRIORITY) ||
	        r->priority == want->priority) &&
	       (!(want->set & POL_GROUP_WEIGHT) || r->weight == want->weight);
}

int devlink_set_group(const struct devlink_target *t, const struct pol_group *r,
                      bool is_there, struct diag *d)
{
	struct change c = { .cmd = is_there ? DEVLINK_CMD_RATE_SET
		                            : DEVLINK_CMD_RATE_NEW,
		            .fill = fill_group,
		            .arg = r };
	struct devlink_view v = { .n_ports = 0 };
	int e = change(t, &c, USUAL_MS, d);

	if (e)
		return e;
	e = devlink_view_read(t->dl, &v);
	e = read_back(t, e, group_is(r, find_rate(&v, t->h, r->name, 0)),
	              "another rate", d);
	devlink_view_free(&v);
	return e;
}

int devlink_del_group(const struct devlink_target *t, const char *name,
                      struct diag *d)
{
	struct change c = { .cmd = DEVLINK_CMD_RATE_DEL,
		            .fill = fill_name,
		            .arg = name };
	struct diag said = { 0 };
	int e = change(t, &c, USUAL_MS, &said);

	/* Some drivers let them go with the last VF. */
	if (!e || e == -ENODEV)
		return 0;
	if (d)
		*d = said;
	return e;
}

struct leaf {
	uint32_t port;
	const char *group;
};

static int fill_parent(struct nl_msg *m, const void *arg, uint8_t type)
{
	const struct leaf *l = arg;
	int e = nla_put_u32(m, DEVLINK_ATTR_PORT_INDEX, l->port);

	(void)type;
	return e < 0 ? e
	             : nla_put_string(m, DEVLINK_ATTR_RATE_PARENT_NODE_NAME,
	                              l->group);
}

int devlink_set_parent(const struct devlink_target *t, uint32_t port,
                       const char *group, struct diag *d)
{
	struct leaf l = { port, group };
	struct change c = { .cmd = DEVLINK_CMD_RATE_SET,
		            .fill = fill_parent,
		            .arg = &l };
	struct devlink_view v = { .n_ports = 0 };
	const struct devlink_rate *leaf;
	int e = change(t, &c, USUAL_MS, d);

	if (e)
		return e;
	e = devlink_view_read(t->dl, &v);
	leaf = find_rate(&v, t->h, NULL, port);
	e = read_back(t, e, leaf && !strcmp(leaf->parent, group),
	              "another group", d);
	devlink_view_free(&v);
	return e;
}

/* ---- the function behind a port ------------------------------------------ */

struct function {
	uint32_t port;
	const uint8_t *mac;
};

static int fill_function(struct nl_msg *m, const void *arg, uint8_t type)
{
	const struct function *f = arg;
	struct nlattr *nest;

	(void)type;
	if (nla_put_u32(m, DEVLINK_ATTR_PORT_INDEX, f->port) < 0)
		return -ENOMEM;
	nest = nla_nest_start(m, DEVLINK_ATTR_PORT_FUNCTION | NLA_F_NESTED);
	if (!nest ||
	    nla_put(m, DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR, 6, f->mac) < 0)
		return -ENOMEM;
	nla_nest_end(m, nest);
	return 0;
}

int devlink_set_mac(const struct devlink_target *t, uint32_t port,
                    const uint8_t mac[static 6], struct diag *d)
{
	struct function f = { port, mac };
	struct change c = { .cmd = DEVLINK_CMD_PORT_SET,
		            .fill = fill_function,
		            .arg = &f };
	struct devlink_view v = { .n_ports = 0 };
	bool same = false;
	int e = change(t, &c, USUAL_MS, d);

	if (e)
		return e;
	e = devlink_view_read(t->dl, &v);
	for (size_t i = 0; i < v.n_ports; i++)
		same |= devlink_same(&v.port[i].h, t->h) &&
		        v.port[i].index == port && v.port[i].has_mac &&
		        !memcmp(v.port[i].mac, mac, 6);
	e = read_back(t, e, same, "another MAC", d);
	devlink_view_free(&v);
	return e;
}
