/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bridges and ports of Open vSwitch made, put and removed; ovs.h has the
 * order. */

#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "netd/bridge.h"
#include "netd/ovs.h"
#include "netd/switch.h"
#include "netd/tool.h"

/* ovs-vsctl's own deadline, while it waits for ovs-vswitchd; and ours. */
#define TIMEOUT "--timeout=15"
#define SET_MS 18000u
#define FLUSH_MS 7000u
#define WORDS_MAX 24
#define RUN "run/openvswitch/"

int ovs_failed(int err, const char *what, const char *name, const char *said,
               struct diag *d)
{
	bool late = err == -ETIMEDOUT;

	diag_fail(d, err, err == -ENOENT ? FL_NETD_NO_OVS : FL_NETD_OVS,
	          "cannot %s %s", what, name);
	diag_why(d, "%s",
	         err == -ENOENT ? "there is no " OVS_TOOL
	         : late         ? "ovs-vswitchd did not answer"
	         : *said        ? said
	                        : strerror(-err));
	diag_mend(d, err == -ENOENT ? "apt install openvswitch-switch"
	             : late         ? "systemctl restart openvswitch-switch"
	                            : "see `ovs-vsctl show` and `journalctl -u "
	                              "ovs-vswitchd`");
	return err;
}

/* ---- commands ------------------------------------------------------------ */

struct command {
	const char *word[WORDS_MAX];
	size_t n;
};

static void say(struct command *c, const char *word)
{
	/* One is left for the end. */
	if (c->n + 1 < WORDS_MAX)
		c->word[c->n++] = word;
}

static struct command begin(void)
{
	struct command c = { .n = 0 };

	say(&c, "ovs-vsctl");
	say(&c, TIMEOUT);
	say(&c, "--");
	return c;
}

static void say_del_port(struct command *c, const char *ifname)
{
	say(c, "--if-exists");
	say(c, "del-port");
	say(c, ifname);
}

static void say_add_port(struct command *c, const char *bridge,
                         const char *ifname, const struct pol_ovs_words *w)
{
	say(c, "--");
	say(c, "add-port");
	say(c, bridge);
	say(c, ifname);
	for (unsigned i = 0; i < w->n; i++)
		say(c, w->word[i]);
}

static int no_daemon(const char *what, const char *name, struct diag *d)
{
	diag_fail(d, -ENOENT, FL_NETD_NO_OVS, "cannot %s %s", what, name);
	diag_why(d, "Open vSwitch does not run: its database has no socket");
	diag_mend(d, "apt install openvswitch-switch; systemctl start "
	             "openvswitch-switch");
	return -ENOENT;
}

static int run(const struct env *e, const struct command *c, const char *what,
               const char *name, struct diag *d)
{
	char said[TOOL_WORDS];
	int r;

	if (!ovs_is_there(e))
		return no_daemon(what, name, d);
	r = tool_run(e->root_fd, OVS_TOOL, c->word, SET_MS, NULL, said);
	return r ? ovs_failed(r, what, name, said, d) : 0;
}

static int not_so(const char *what, const char *name, const char *why,
                  struct diag *d)
{
	diag_fail(d, -EIO, FL_NETD_READBACK, "cannot %s %s", what, name);
	diag_why(d, "Open vSwitch accepted it, but says: %s", why);
	diag_mend(d, "see `ovs-vsctl show`");
	return -EIO;
}

/* ---- bridges ------------------------------------------------------------- */

/* A record of ours alone: the interface has gone, with its VF or its guest. */
static bool is_left(const struct ovs_port *p)
{
	return p->ours && !if_nametoindex(p->name);
}

static void see_bridge(const struct ovs_view *v, const struct pol_state *seen,
                       struct pol_over *s)
{
	const struct ovs_bridge *b = ovs_find_bridge(v, s->o.bridge);

	s->o.ovs = true;
	s->there = b && b->ours;
	if (!s->there && (b || if_nametoindex(s->o.bridge)))
		memcpy(s->foreign, s->o.bridge, sizeof(s->foreign));
	if (!b)
		return;
	s->o.datapath = b->datapath;
	for (size_t i = 0; i < v->n_ports && !*s->ports; i++)
		if (&v->bridge[v->port[i].bridge] == b &&
		    !is_left(&v->port[i]) &&
		    !switch_has_port(seen, v->port[i].name))
			memcpy(s->ports, v->port[i].name, sizeof(s->ports));
}

int ovs_bridge_see(const struct env *e, const struct pol_state *seen,
                   bool wanted, struct pol_over *s, struct diag *d)
{
	struct ovs_view v = { 0 };
	int r;

	if (wanted && !ovs_is_there(e))
		return no_daemon("make bridge", s->o.bridge, d);
	r = ovs_view_read(e, &v, d);
	if (!r)
		see_bridge(&v, seen, s);
	ovs_view_free(&v);
	return r;
}

static int add_bridges(const struct ovs_view *v, struct pol_state *s)
{
	struct pol_over *more = reallocarray(
		s->over, s->n_overs + v->n_bridges + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	s->over = more;
	for (size_t i = 0; i < v->n_bridges; i++) {
		struct pol_over *over = &more[s->n_overs++];

		*over = (struct pol_over){ .there = false };
		memcpy(over->o.bridge, v->bridge[i].name,
		       sizeof(over->o.bridge));
		see_bridge(v, s, over);
	}
	s->ovs = true;
	return 0;
}

int ovs_bridges_see(const struct env *e, struct pol_state *s)
{
	struct ovs_view v = { 0 };
	int r = 0;

	if (!ovs_is_there(e))
		return 0;
	/* One that does not answer now is as one that does not run. */
	if (!ovs_view_read(e, &v, NULL))
		r = add_bridges(&v, s);
	ovs_view_free(&v);
	return r;
}

static int read_bridge(const struct env *e, const struct pol_overlay *o,
                       bool there, const char *what, struct diag *d)
{
	struct ovs_view v = { 0 };
	const struct ovs_bridge *b;
	int r = ovs_view_read(e, &v, d);

	if (r)
		return r;
	b = ovs_find_bridge(&v, o->bridge);
	if (!b != !there)
		r = not_so(what, o->bridge, b ? "it is there" : "it is not", d);
	else if (b && o->datapath && b->datapath != o->datapath)
		r = not_so(what, o->bridge, "another datapath_type", d);
	ovs_view_free(&v);
	return r;
}

int ovs_bridge_make(const struct env *e, const struct pol_overlay *o,
                    struct diag *d)
{
	static const char what[] = "make bridge";
	struct command c = begin();
	char datapath[32];
	int r;

	snprintf(datapath, sizeof(datapath), "datapath_type=%s",
	         pol_ovs_datapath_name(o->datapath));
	say(&c, "--may-exist");
	say(&c, "add-br");
	say(&c, o->bridge);
	say(&c, "--");
	say(&c, "set");
	say(&c, "bridge");
	say(&c, o->bridge);
	say(&c, datapath);
	say(&c, "external_ids:" POL_OVS_MARK);
	r = run(e, &c, what, o->bridge, d);
	return r ? r : read_bridge(e, o, true, what, d);
}

int ovs_bridge_remove(const struct env *e, const struct pol_overlay *o,
                      struct diag *d)
{
	static const char what[] = "remove bridge";
	struct ovs_view v = { 0 };
	const struct ovs_bridge *b;
	struct command c = begin();
	bool stays;
	int r;

	ovs_sweep(e);
	r = ovs_view_read(e, &v, d);
	b = ovs_find_bridge(&v, o->bridge);
	stays = r || !b || !b->ours;
	for (size_t i = 0; !stays && i < v.n_ports; i++)
		if (&v.bridge[v.port[i].bridge] == b)
			r = not_so(what, o->bridge, "something is in it", d);
	ovs_view_free(&v);
	if (stays || r)
		return r;
	say(&c, "--if-exists");
	say(&c, "del-br");
	say(&c, o->bridge);
	r = run(e, &c, what, o->bridge, d);
	return r ? r : read_bridge(e, o, false, what, d);
}

/* ---- ports --------------------------------------------------------------- */

static bool same_vlans(const struct pol_port *a, const struct pol_port *b)
{
	return !b->strange && a->pvid == b->pvid &&
	       a->n_tagged == b->n_tagged &&
	       !memcmp(a->tagged, b->tagged,
	               a->n_tagged * sizeof(a->tagged[0]));
}

static int read_port(const struct env *e, const char *ifname,
                     const struct pol_port *want, bool vlans, struct diag *d)
{
	static const char what[] = "put into its bridge";
	struct ovs_view v = { 0 };
	const struct ovs_port *p;
	int r = ovs_view_read(e, &v, d);

	if (r)
		return r;
	p = ovs_find_port(&v, ifname);
	if (!p || strcmp(v.bridge[p->bridge].name, want->bridge) != 0)
		r = not_so(what, ifname, "another bridge", d);
	else if (*p->fault)
		r = not_so(what, ifname, p->fault, d);
	else if (vlans && !same_vlans(want, &p->said))
		r = not_so(what, ifname, "other VLANs", d);
	ovs_view_free(&v);
	return r;
}

static int leave(const struct env *e, const char *ifname, struct diag *d)
{
	struct command c = begin();

	say_del_port(&c, ifname);
	return run(e, &c, "take out of its bridge", ifname, d);
}

static int join(const struct env *e, const char *ifname,
                const struct pol_port *want, bool vlans, bool mark,
                struct diag *d)
{
	struct pol_ovs_words w = { .n = 0 };
	struct command c = begin();
	int r;

	if (vlans)
		pol_ovs_words(want, &w);
	say_del_port(&c, ifname);
	say_add_port(&c, want->bridge, ifname, &w);
	if (mark)
		say(&c, "external_ids:" POL_OVS_MARK);
	r = run(e, &c, "put into its bridge", ifname, d);
	return r ? r : read_port(e, ifname, want, vlans, d);
}

static bool in_linux_bridge(struct rtnl *r, unsigned ifindex)
{
	const struct net_link *l, *master;
	struct net_view v = { 0 };
	bool is;

	if (net_view_read(r, &v, NULL))
		return false; /* then joining fails, and says why */
	l = net_find(&v, ifindex);
	master = l && l->master ? net_find(&v, l->master) : NULL;
	is = master && master->bridge;
	net_view_free(&v);
	return is;
}

static int move_in(const struct env *e, struct rtnl *r, unsigned ifindex,
                   const struct pol_port *want, bool vlans, bool mark,
                   struct diag *d)
{
	static const struct pol_port out;
	char name[IF_NAMESIZE];
	int err = 0;

	if (!if_indextoname(ifindex, name))
		return not_so("move", "an interface", "it has gone", d);
	if (in_linux_bridge(r, ifindex))
		err = bridge_port_set(r, ifindex, &out, 0, false, d);
	return err ? err : join(e, name, want, vlans, mark, d);
}

/* A representor goes with its VF, and is marked; an uplink stays. */
int ovs_port_set(const struct env *e, struct rtnl *r, unsigned ifindex,
                 const struct pol_port *want, uint32_t set, bool raise,
                 struct diag *d)
{
	char name[IF_NAMESIZE];
	int err = 0;

	if (!want->ovs && if_indextoname(ifindex, name))
		err = leave(e, name, d);
	if (!want->ovs)
		return err ? err
		           : bridge_port_set(r, ifindex, want, set, raise, d);
	if (raise && !want->up)
		err = bridge_port_raise(r, ifindex, false, d);
	if (!err)
		err = move_in(e, r, ifindex, want, set & POL_HAS_PORT_VLAN,
		              raise, d);
	if (!err && raise && want->up)
		err = bridge_port_raise(r, ifindex, true, d);
	return err;
}

/* ---- taps ---------------------------------------------------------------- */

static int others(const char *ifname, struct diag *d)
{
	diag_fail(d, -EEXIST, FL_NETD_OVS, "cannot put %s into its bridge",
	          ifname);
	diag_why(d, "Open vSwitch has a port of that name, which netd has not "
	            "made");
	diag_mend(d, "ovs-vsctl del-port %s; or another name with 'tap'",
	          ifname);
	return -EEXIST;
}

int ovs_tap_put(const struct env *e, const char *ifname, const char *bridge,
                uint16_t vlan, struct diag *d)
{
	struct pol_port want = { .ovs = true, .pvid = vlan ? vlan : 1 };
	struct ovs_view v = { 0 };
	const struct ovs_port *p;
	int r = ovs_view_read(e, &v, d);

	p = ovs_find_port(&v, ifname);
	if (!r && p && !p->ours)
		r = others(ifname, d);
	ovs_view_free(&v);
	snprintf(want.bridge, sizeof(want.bridge), "%s", bridge);
	return r ? r : join(e, ifname, &want, true, true, d);
}

void ovs_sweep(const struct env *e)
{
	struct ovs_view v = { 0 };
	struct diag ignored;
	int r = 0;

	if (ovs_view_read(e, &v, &ignored))
		return;
	/* Who does not answer for one does not for the next, and each waits.
	 * The rest is for the next sweep. */
	for (size_t i = 0; i < v.n_ports && r != -ETIMEDOUT; i++)
		if (is_left(&v.port[i]))
			r = leave(e, v.port[i].name, &ignored);
	ovs_view_free(&v);
}

/* The socket by its name: to find it, ovs-appctl would open the file of the pid
 * for writing, and netd's unit has /run read-only. */
static void find_daemon(const struct env *e, char *target, size_t size)
{
	char pid[SYSFS_MAX];

	if (sysfs_read(e->root_fd, RUN "ovs-vswitchd.pid", pid, sizeof(pid)) <
	    0)
		snprintf(target, size, "--target=ovs-vswitchd");
	else
		snprintf(target, size,
		         "--target=/" RUN "ovs-vswitchd.%.20s.ctl", pid);
}

bool ovs_forget(const struct env *e, const char *ifname)
{
	char target[96];
	const char *argv[] = { "ovs-appctl", target, "--timeout=5",
		               "fdb/flush",  NULL,   NULL };
	struct ovs_view v = { 0 };
	const struct ovs_port *p;
	char said[TOOL_WORDS];
	bool is;

	if (ovs_view_read(e, &v, NULL))
		return false;
	p = ovs_find_port(&v, ifname);
	is = p != NULL;
	if (is)
		argv[4] = v.bridge[p->bridge].name;
	find_daemon(e, target, sizeof(target));
	if (is && tool_run(e->root_fd, "usr/bin/ovs-appctl", argv, FLUSH_MS,
	                   NULL, said))
		log_line(e->log, LOG_LVL_WARN,
		         "bridge %s may send to %s what is not for it: %s",
		         argv[4], ifname, said);
	ovs_view_free(&v);
	return is;
}
