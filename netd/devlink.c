/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devlink's socket, and what is read over it. The family's number is asked of
 * the kernel once for each socket; a kernel without devlink has none, and
 * then no device has an instance.
 */

#include <linux/devlink.h>
#include <linux/genetlink.h>
#include <string.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "netd/devlink-priv.h"

#define TRIES 3            /* of a dump that changes under way */
#define ENTRIES_MAX 65536u /* more than all VFs that we can hold */

/* ---- the socket ---------------------------------------------------------- */

static int take_family(struct nlmsghdr *h, void *arg)
{
	struct nlattr *a = nlmsg_find_attr(h, GENL_HDRLEN, CTRL_ATTR_FAMILY_ID);
	uint16_t *ret = arg;

	if (a && nla_len(a) >= (int)sizeof(*ret))
		*ret = nla_get_u16(a);
	return 0;
}

static int find_family(struct devlink *dl)
{
	struct genlmsghdr g = { .cmd = CTRL_CMD_GETFAMILY, .version = 1 };
	struct nl_msg *m = nlmsg_alloc_simple(GENL_ID_CTRL, NLM_F_ACK);
	char words[RTNL_WORDS];
	int r;

	if (!m)
		return -ENOMEM;
	if (nlmsg_append(m, &g, sizeof(g), NLMSG_ALIGNTO) < 0 ||
	    nla_put_string(m, CTRL_ATTR_FAMILY_NAME, DEVLINK_GENL_NAME) < 0) {
		nlmsg_free(m);
		return -ENOMEM;
	}
	r = rtnl_talk(dl->sock, m, take_family, &dl->family, words);
	return !r && !dl->family ? -ENOENT : r;
}

int devlink_open(struct devlink **ret, struct diag *d)
{
	struct devlink *dl = calloc(1, sizeof(*dl));
	int r = dl ? rtnl_open_protocol(NETLINK_GENERIC, &dl->sock, d)
	           : -ENOMEM;

	if (!r)
		r = find_family(dl);
	if (!r) {
		*ret = dl;
		return 0;
	}
	devlink_close(dl);
	if (r == -ENOENT) {
		*ret = NULL;
		return 0;
	}
	diag_fail(d, r, FL_NETD_DEVLINK, "cannot ask for devlink: %s",
	          strerror(-r));
	diag_mend(d, "see whether `devlink dev show` answers; then `dmesg`");
	return r;
}

void devlink_close(struct devlink *dl)
{
	if (!dl)
		return;
	rtnl_close(dl->sock);
	free(dl);
}

/* ---- requests ------------------------------------------------------------ */

struct nl_msg *devlink_request(const struct devlink *dl, uint8_t cmd, int flags,
                               const struct devlink_handle *h)
{
	struct genlmsghdr g = { .cmd = cmd, .version = DEVLINK_GENL_VERSION };
	struct nl_msg *m = nlmsg_alloc_simple(dl->family, flags);
	int r = m ? nlmsg_append(m, &g, sizeof(g), NLMSG_ALIGNTO) : -1;

	if (r >= 0 && h)
		r = nla_put_string(m, DEVLINK_ATTR_BUS_NAME, h->bus);
	if (r >= 0 && h)
		r = nla_put_string(m, DEVLINK_ATTR_DEV_NAME, h->dev);
	if (m && r < 0) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

struct take {
	uint16_t family;
	void (*one)(const struct nlmsghdr *h, void *arg);
	void *arg;
};

static int take(struct nlmsghdr *h, void *arg)
{
	const struct take *t = arg;

	if (h->nlmsg_type == t->family)
		t->one(h, t->arg);
	return 0;
}

static int ask(struct devlink *dl, struct nl_msg *m,
               void (*one)(const struct nlmsghdr *h, void *arg), void *arg)
{
	struct take t = { dl->family, one, arg };
	char words[RTNL_WORDS];

	return m ? rtnl_talk(dl->sock, m, take, &t, words) : -ENOMEM;
}

/* ---- all ports and rates ------------------------------------------------- */

struct list {
	void *item;
	size_t n, room, size;
	int error;
};

/* Room for one more at the end; NULL with l->error. */
static void *list_more(struct list *l)
{
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 16;
		void *more = room <= ENTRIES_MAX
		                     ? reallocarray(l->item, room, l->size)
		                     : NULL;

		if (!more) {
			l->error = -ENOMEM;
			return NULL;
		}
		l->item = more;
		l->room = room;
	}
	return (char *)l->item + l->n * l->size;
}

static void add_port(const struct nlmsghdr *h, void *arg)
{
	struct list *l = arg;
	struct devlink_port *p = list_more(l);

	if (p && !devlink_decode_port(h, p))
		l->n++;
}

static void add_rate(const struct nlmsghdr *h, void *arg)
{
	struct list *l = arg;
	struct devlink_rate *p = list_more(l);

	if (p && !devlink_decode_rate(h, p))
		l->n++;
}

static int dump(struct devlink *dl, uint8_t cmd,
                void (*one)(const struct nlmsghdr *h, void *arg),
                struct list *l)
{
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < TRIES; i++) {
		l->n = 0;
		r = ask(dl, devlink_request(dl, cmd, NLM_F_DUMP, NULL), one, l);
	}
	return r ? r : l->error;
}

int devlink_view_read(struct devlink *dl, struct devlink_view *ret)
{
	struct list ports = { .size = sizeof(struct devlink_port) };
	struct list rates = { .size = sizeof(struct devlink_rate) };
	int r;

	*ret = (struct devlink_view){ .n_ports = 0 };
	if (!dl)
		return 0;
	r = dump(dl, DEVLINK_CMD_PORT_GET, add_port, &ports);
	if (r) {
		free(ports.item);
		return r;
	}
	/* Kernels before 5.14 have no rates. */
	r = ports.n ? dump(dl, DEVLINK_CMD_RATE_GET, add_rate, &rates)
	            : -EOPNOTSUPP;
	*ret = (struct devlink_view){ .port = ports.item,
		                      .n_ports = ports.n,
		                      .rate = rates.item,
		                      .n_rates = r ? 0 : rates.n,
		                      .rates_known = !r };
	for (size_t i = 0; i < ret->n_rates; i++)
		ret->rates_known &= !ret->rate[i].strange;
	return 0;
}

void devlink_view_free(struct devlink_view *v)
{
	free(v->port);
	free(v->rate);
	*v = (struct devlink_view){ .n_ports = 0 };
}

bool devlink_same(const struct devlink_handle *a,
                  const struct devlink_handle *b)
{
	return !strcmp(a->bus, b->bus) && !strcmp(a->dev, b->dev);
}

const struct devlink_handle *devlink_of(const struct devlink_view *v,
                                        unsigned ifindex)
{
	for (size_t i = 0; ifindex && i < v->n_ports; i++)
		if (v->port[i].ifindex == ifindex)
			return &v->port[i].h;
	return NULL;
}

const struct devlink_port *devlink_vf_port(const struct devlink_view *v,
                                           const struct devlink_handle *h,
                                           unsigned vf)
{
	for (size_t i = 0; i < v->n_ports; i++) {
		const struct devlink_port *p = &v->port[i];

		if (p->flavour == DEVLINK_PORT_FLAVOUR_PCI_VF && !p->external &&
		    p->vf == vf && devlink_same(&p->h, h))
			return p;
	}
	return NULL;
}

/* ---- one instance -------------------------------------------------------- */

struct answer_to {
	int (*decode)(const struct nlmsghdr *h, void *ret);
	void *ret;
	int result;
};

static void take_one(const struct nlmsghdr *h, void *arg)
{
	struct answer_to *a = arg;

	a->result = a->decode(h, a->ret);
}

static int decode_eswitch(const struct nlmsghdr *h, void *ret)
{
	return devlink_decode_eswitch(h, ret);
}

static int decode_param(const struct nlmsghdr *h, void *ret)
{
	return devlink_decode_param(h, ret);
}

int devlink_eswitch_read(struct devlink *dl, const struct devlink_handle *h,
                         struct devlink_eswitch *ret)
{
	struct answer_to a = { decode_eswitch, ret, -EBADMSG };
	int r = ask(dl,
	            devlink_request(dl, DEVLINK_CMD_ESWITCH_GET, NLM_F_ACK, h),
	            take_one, &a);

	return r ? r : a.result;
}

int devlink_param_read(struct devlink *dl, const struct devlink_handle *h,
                       const char *name, struct devlink_param *ret)
{
	struct answer_to a = { decode_param, ret, -EBADMSG };
	struct nl_msg *m =
		devlink_request(dl, DEVLINK_CMD_PARAM_GET, NLM_F_ACK, h);
	int r;

	if (m && nla_put_string(m, DEVLINK_ATTR_PARAM_NAME, name) < 0) {
		nlmsg_free(m);
		return -ENOMEM;
	}
	r = ask(dl, m, take_one, &a);
	return r ? r : a.result;
}

struct params_each {
	void (*fn)(const struct devlink_param *p, void *arg);
	void *arg;
};

static void take_param(const struct nlmsghdr *h, void *arg)
{
	const struct params_each *e = arg;
	struct devlink_param p;

	if (!devlink_decode_param(h, &p))
		e->fn(&p, e->arg);
}

int devlink_params_each(struct devlink *dl,
                        void (*fn)(const struct devlink_param *p, void *arg),
                        void *arg)
{
	struct params_each e = { fn, arg };

	return ask(dl,
	           devlink_request(dl, DEVLINK_CMD_PARAM_GET, NLM_F_DUMP, NULL),
	           take_param, &e);
}

struct health_each {
	const struct devlink_handle *h;
	void (*fn)(const struct devlink_health *r, void *arg);
	void *arg;
};

static void take_health(const struct nlmsghdr *h, void *arg)
{
	const struct health_each *e = arg;
	struct devlink_health v;

	/* Older kernels dump all instances. */
	if (!devlink_decode_health(h, &v) && devlink_same(&v.h, e->h))
		e->fn(&v, e->arg);
}

int devlink_health_each(struct devlink *dl, const struct devlink_handle *h,
                        void (*fn)(const struct devlink_health *r, void *arg),
                        void *arg)
{
	struct health_each e = { h, fn, arg };

	return ask(dl,
	           devlink_request(dl, DEVLINK_CMD_HEALTH_REPORTER_GET,
	                           NLM_F_DUMP, h),
	           take_health, &e);
}
