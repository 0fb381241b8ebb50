/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_TEST_POLICY_STATE_H
#define FL_TEST_POLICY_STATE_H

/*
 * A machine in a few lines of text, and back:
 *
 *   host iommu remapping name=nfv-a1 id=(32 hex digits)
 *   pf 0000:01:00.0 id=8086:10c9 driver=igb ifname=ens1f0 total=7 vfs=2
 *      offset=128 stride=2 autoprobe=1 link=up mtu=1500
 *      speed=1000 stuck=1 unasked=1                       (all on one line)
 *   vf 0 mac=02:00:00:00:00:01 vlan=100 qos=3 proto=88a8 spoof=1 trust=0
 *      rate=100-1000 rss=0 state=enable refused=link-state (and others)
 *      driver=vfio-pci override=vfio-pci group=7 blocker=0000:01:10.1
 *      pid=12 holder=qemu label=demo/wan
 *
 *   Of switches, in a pf line: mode=switchdev (or legacy; it has a devlink
 *   instance then) param=NAME:VALUE group=NAME:SHARE:MAX:PRIORITY:WEIGHT (all
 *   of them; group= is none) bridge=NAME:FILTERING (the one that is wanted
 *   is there). In both, in=BRIDGE:UNTAGGED ovs=1 tagged=FIRST-LAST up=1
 * strange=1; in a vf line rate-group=NAME. msix=N: vectors of a VF, a PF's for
 * all.
 *
 *   over br-fast ovs=1 made=1 others=1 datapath=netdev outer=eth0:1500
 *      port=eth9           (a bridge that netd makes; without made it is not
 *      there, or others') dev=vx100 id=100 local=192.0.2.1 group=239.1.1.1
 *      remote=192.0.2.2 (again and again) device=eth0 udp=4789 mtu=1450
 *      learning=1 vlan=7 dev-down=1 bridge-down=1
 *   link br-fast mtu=1500 bridge=FILTERING made=1 address=192.0.2.1 (again and
 *      again: an interface of the host; of recordings)
 *
 *   dev 0000:03:00.0 id=1b36:0010 class=0108 driver=nvme override= group=5
 *      vf=1 bridge=1 vfs=2 vf-user=text_with_underlines use=the_same (again
 *      and again) pid=12 holder=qemu label=demo/disk
 *
 *   pf and dev: subsystem=8086:a03c node=0 dsn=00-1b-21-ff-ff-00-00-01
 *   vpd=MT2135X0; pf: perm=52:54:00:00:00:01 alt=enp1s0np0 (again and again)
 *
 * A vf belongs to the pf above it. What is left out of a pf or vf line is not
 * stated (the flag is not set).
 */

#include "tests/unit/policy/words.h"

/* What a PF and a whole function have alike. */
static inline bool ident_word(struct pol_ident *id, uint32_t *set,
                              const char *w)
{
	const char *v;
	unsigned a, b;

	if (word_value(w, "subsystem", &v)) {
		assert_int_equal(sscanf(v, "%x:%x", &a, &b), 2);
		id->subvendor = (uint16_t)a;
		id->subdevice = (uint16_t)b;
	} else if (word_value(w, "node", &v)) {
		*set |= POL_HAS_NODE;
		id->node = (uint16_t)number(v, 10);
	} else if (word_value(w, "root", &v)) {
		*set |= POL_HAS_ROOT;
		assert_int_equal(bdf_parse(v, &id->root), 0);
	} else if (word_value(w, "dsn", &v)) {
		*set |= POL_HAS_DSN;
		set_text(id->dsn, sizeof(id->dsn), v);
	} else if (word_value(w, "vpd", &v)) {
		set_text(id->vpd, sizeof(id->vpd), v);
	} else if (word_value(w, "perm", &v)) {
		*set |= POL_HAS_PERM_MAC;
		assert_int_equal(mac_parse(v, id->mac), 0);
	} else {
		return false;
	}
	return true;
}

/* "8:0:4": total, kept, most of a VF */
static inline void set_flexible(struct pol_nvme *n, struct pol_flexible *f,
                                uint32_t *set, const char *v)
{
	unsigned total, own, most;

	assert_int_equal(sscanf(v, "%u:%u:%u", &total, &own, &most), 3);
	*f = (struct pol_flexible){ .total = total,
		                    .own = (uint16_t)own,
		                    .most = (uint16_t)most };
	set_text(n->name, sizeof(n->name), "nvme0");
	*set |= POL_HAS_RESOURCES;
}

static inline bool nvme_word(struct pol_nvme *n, uint32_t *set, const char *w)
{
	const char *v;

	if (word_value(w, "queues", &v))
		set_flexible(n, &n->queues, set, v);
	else if (word_value(w, "interrupts", &v))
		set_flexible(n, &n->interrupts, set, v);
	else if (word_value(w, "first", &v))
		n->first_id = (uint16_t)number(v, 10);
	else
		return false;
	return true;
}

static inline void pf_altname(struct pol_pf *pf, const char *name)
{
	size_t i = 0;

	while (*pf->altname[i])
		i++;
	set_text(pf->altname[i], sizeof(pf->altname[i]), name);
}

static inline void pf_word(struct pol_pf *pf, const char *w)
{
	const char *v;
	unsigned a, b;

	if (switch_word(pf, w) || nvme_word(&pf->nvme, &pf->set, w))
		return;
	if (word_value(w, "id", &v)) {
		assert_int_equal(sscanf(v, "%x:%x", &a, &b), 2);
		pf->vendor = (uint16_t)a;
		pf->device = (uint16_t)b;
	} else if (word_value(w, "driver", &v)) {
		set_text(pf->driver, sizeof(pf->driver), v);
	} else if (word_value(w, "vfio", &v)) {
		set_text(pf->variant, sizeof(pf->variant), v);
	} else if (word_value(w, "ifname", &v)) {
		set_text(pf->ifname, sizeof(pf->ifname), v);
	} else if (word_value(w, "blocker", &v)) {
		set_words(pf->blocker, sizeof(pf->blocker), v);
	} else if (word_value(w, "total", &v)) {
		pf->total_vfs = number(v, 10);
	} else if (word_value(w, "vfs", &v)) {
		pf->set |= POL_HAS_NUMVFS;
		pf->num_vfs = number(v, 10);
	} else if (word_value(w, "offset", &v)) {
		pf->vf_offset = (uint16_t)number(v, 10);
	} else if (word_value(w, "stride", &v)) {
		pf->vf_stride = (uint16_t)number(v, 10);
	} else if (word_value(w, "autoprobe", &v)) {
		pf->set |= POL_HAS_AUTOPROBE;
		pf->autoprobe = *v == '1';
	} else if (word_value(w, "link", &v)) {
		pf->set |= POL_HAS_LINK;
		pf->link_up = !strcmp(v, "up");
	} else if (word_value(w, "mtu", &v)) {
		pf->set |= POL_HAS_MTU;
		pf->mtu = number(v, 10);
	} else if (word_value(w, "speed", &v)) {
		pf->speed = number(v, 10);
	} else if (word_value(w, "alt", &v)) {
		pf_altname(pf, v);
	} else if (word_value(w, "stuck", &v)) {
		pf->stuck = *v == '1';
	} else if (word_value(w, "unasked", &v)) {
		pf->unasked = *v == '1';
	} else if (!ident_word(&pf->id, &pf->set, w)) {
		fail_msg("pf: %s?", w);
	}
}

static inline void set_link_state(struct pol_vf *vf, const char *v)
{
	vf->set |= POL_HAS_LINK_STATE;
	while (strcmp(v, pol_link_state_name(vf->link_state)) != 0)
		vf->link_state++;
}

/* "2:1:on": queues, interrupts, online */
static inline void set_resources(struct pol_vf *vf, const char *v)
{
	unsigned queues, interrupts;
	char state[8];

	assert_int_equal(sscanf(v, "%u:%u:%7s", &queues, &interrupts, state),
	                 3);
	vf->set |= POL_HAS_RESOURCES;
	vf->res =
		(struct pol_resources){ (uint16_t)queues, (uint16_t)interrupts,
		                        !strcmp(state, "on") };
}

static inline bool vf_knob(struct pol_vf *vf, const char *w)
{
	const char *v;

	if (word_value(w, "rate", &v)) {
		vf->set |= POL_HAS_RATE;
		vf->rate_min = number(v, 10);
		vf->rate_max = number(strchr(v, '-') + 1, 10);
	} else if (word_value(w, "rss", &v)) {
		vf->set |= POL_HAS_RSS;
		vf->rss = *v == '1';
	} else if (word_value(w, "res", &v)) {
		set_resources(vf, v);
	} else if (word_value(w, "state", &v)) {
		set_link_state(vf, v);
	} else if (word_value(w, "refused", &v)) {
		vf->refused |= !strcmp(v, "link-state") ? POL_HAS_LINK_STATE
		               : !strcmp(v, "tx-rate")  ? POL_HAS_RATE
		                                        : POL_HAS_RSS;
	} else {
		return false;
	}
	return true;
}

static inline void vf_word(struct pol_vf *vf, const char *w)
{
	const char *v;

	if (vf_knob(vf, w) || port_word(&vf->port, &vf->set, w))
		return;
	if (word_value(w, "rate-group", &v)) {
		vf->set |= POL_HAS_GROUP;
		set_text(vf->rate_group, sizeof(vf->rate_group), v);
	} else if (word_value(w, "msix", &v)) {
		vf->set |= POL_HAS_MSIX;
		vf->msix = (uint16_t)number(v, 10);
	} else if (word_value(w, "mac", &v)) {
		vf->set |= POL_HAS_MAC;
		assert_int_equal(mac_parse(v, vf->mac), 0);
	} else if (word_value(w, "vlan", &v)) {
		vf->set |= POL_HAS_VLAN;
		vf->vlan = (uint16_t)number(v, 10);
	} else if (word_value(w, "qos", &v)) {
		vf->qos = (uint8_t)number(v, 10);
	} else if (word_value(w, "proto", &v)) {
		vf->proto = (uint16_t)number(v, 16);
	} else if (word_value(w, "spoof", &v)) {
		vf->set |= POL_HAS_SPOOF;
		vf->spoof = *v == '1';
	} else if (word_value(w, "trust", &v)) {
		vf->set |= POL_HAS_TRUST;
		vf->trust = *v == '1';
	} else if (word_value(w, "driver", &v)) {
		vf->set |= POL_HAS_DRIVER;
		set_text(vf->driver, sizeof(vf->driver), v);
	} else if (word_value(w, "override", &v)) {
		vf->set |= POL_HAS_OVERRIDE;
		set_text(vf->override, sizeof(vf->override), v);
	} else if (word_value(w, "group", &v)) {
		vf->group = (int)number(v, 10);
	} else if (word_value(w, "blocker", &v)) {
		set_text(vf->blocker, sizeof(vf->blocker), v);
	} else if (word_value(w, "pid", &v)) {
		vf->holder_pid = (int)number(v, 10);
	} else if (word_value(w, "holder", &v)) {
		set_text(vf->holder, sizeof(vf->holder), v);
	} else if (word_value(w, "label", &v)) {
		set_text(vf->label, sizeof(vf->label), v);
	} else {
		fail_msg("vf: %s?", w);
	}
}

static inline void dev_word(struct pol_whole *d, const char *w)
{
	const char *v;
	unsigned a, b;

	if (word_value(w, "id", &v)) {
		assert_int_equal(sscanf(v, "%x:%x", &a, &b), 2);
		d->vendor = (uint16_t)a;
		d->device = (uint16_t)b;
	} else if (word_value(w, "class", &v)) {
		d->class_code = (uint16_t)number(v, 16);
	} else if (word_value(w, "driver", &v)) {
		d->set |= POL_HAS_DRIVER;
		set_text(d->driver, sizeof(d->driver), v);
	} else if (word_value(w, "override", &v)) {
		d->set |= POL_HAS_OVERRIDE;
		set_text(d->override, sizeof(d->override), v);
	} else if (word_value(w, "group", &v)) {
		d->group = (int)number(v, 10);
	} else if (word_value(w, "vf", &v)) {
		d->virtual_fn = *v == '1';
	} else if (word_value(w, "bridge", &v)) {
		d->bridge = *v == '1';
	} else if (word_value(w, "vfs", &v)) {
		d->num_vfs = number(v, 10);
	} else if (word_value(w, "reset", &v)) {
		d->set |= POL_HAS_RESET;
		set_words(d->reset, sizeof(d->reset), v);
	} else if (word_value(w, "below-port", &v)) {
		d->below_port = *v == '1';
	} else if (word_value(w, "vf-user", &v)) {
		set_words(d->vf_user, sizeof(d->vf_user), v);
	} else if (word_value(w, "use", &v)) {
		assert_true(d->n_uses < POL_USES);
		set_words(d->use[d->n_uses++], sizeof(d->use[0]), v);
	} else if (word_value(w, "pid", &v)) {
		d->holder_pid = (int)number(v, 10);
	} else if (word_value(w, "holder", &v)) {
		set_text(d->holder, sizeof(d->holder), v);
	} else if (word_value(w, "label", &v)) {
		set_text(d->label, sizeof(d->label), v);
	} else if (!ident_word(&d->id, &d->set, w)) {
		fail_msg("dev: %s?", w);
	}
}

static inline void over_word(struct pol_over *o, const char *w)
{
	const char *v;

	if (tunnel_word(&o->o, w))
		return;
	if (word_value(w, "ovs", &v)) {
		o->o.ovs = *v == '1';
	} else if (word_value(w, "made", &v)) {
		o->there = *v == '1';
	} else if (word_value(w, "others", &v)) {
		set_text(o->foreign, sizeof(o->foreign), o->o.bridge);
	} else if (word_value(w, "datapath", &v)) {
		o->o.datapath =
			strcmp(v, "netdev") ? POL_OVS_SYSTEM : POL_OVS_NETDEV;
	} else if (word_value(w, "outer", &v)) {
		assert_int_equal(
			sscanf(v, "%15[^:]:%u", o->outer, &o->outer_mtu), 2);
	} else if (word_value(w, "port", &v)) {
		set_text(o->ports, sizeof(o->ports), v);
	} else {
		fail_msg("over: %s?", w);
	}
}

static inline struct pol_over *add_over(struct pol_state *s, const char *name)
{
	struct pol_over *o;

	s->over = reallocarray(s->over, s->n_overs + 1, sizeof(*s->over));
	o = &s->over[s->n_overs++];
	memset(o, 0, sizeof(*o));
	set_text(o->o.bridge, sizeof(o->o.bridge), name);
	return o;
}

static inline struct pol_link *add_link(struct pol_state *s, const char *name)
{
	struct pol_link *l;

	s->link = reallocarray(s->link, s->n_links + 1, sizeof(*s->link));
	l = &s->link[s->n_links++];
	memset(l, 0, sizeof(*l));
	set_text(l->name, sizeof(l->name), name);
	return l;
}

static inline struct pol_whole *add_dev(struct pol_state *s, const char *bdf)
{
	struct pol_whole *d;

	s->whole = reallocarray(s->whole, s->n_wholes + 1, sizeof(*s->whole));
	d = &s->whole[s->n_wholes++];
	memset(d, 0, sizeof(*d));
	d->group = -1;
	assert_int_equal(bdf_parse(bdf, &d->bdf), 0);
	return d;
}

static inline struct bdf vf_bdf(const struct pol_pf *pf, unsigned index)
{
	unsigned rid =
		(unsigned)(pf->bdf.bus << 8 | pf->bdf.dev << 3 | pf->bdf.fn) +
		pf->vf_offset + index * pf->vf_stride;

	return (struct bdf){ .domain = pf->bdf.domain,
		             .bus = (uint8_t)(rid >> 8),
		             .dev = (uint8_t)(rid >> 3 & 31),
		             .fn = (uint8_t)(rid & 7) };
}

static inline struct pol_pf *add_pf(struct pol_state *s, const char *bdf)
{
	struct pol_pf *pf;

	s->pf = reallocarray(s->pf, s->n_pfs + 1, sizeof(*s->pf));
	pf = &s->pf[s->n_pfs++];
	memset(pf, 0, sizeof(*pf));
	assert_int_equal(bdf_parse(bdf, &pf->bdf), 0);
	return pf;
}

static inline struct pol_vf *add_seen_vf(struct pol_pf *pf, unsigned index)
{
	struct pol_vf *vf;

	pf->vf = reallocarray(pf->vf, pf->n_vfs + 1, sizeof(*pf->vf));
	vf = &pf->vf[pf->n_vfs++];
	memset(vf, 0, sizeof(*vf));
	vf->index = (uint16_t)index;
	vf->group = -1;
	vf->bdf = vf_bdf(pf, index);
	return vf;
}

static inline void state_line(struct pol_state *s, char *line)
{
	char *save, *kind = strtok_r(line, " ", &save), *arg, *w;
	struct pol_pf *pf = s->n_pfs ? &s->pf[s->n_pfs - 1] : NULL;
	struct pol_whole *dev = NULL;
	struct pol_over *over = NULL;
	struct pol_link *link = NULL;
	struct pol_vf *vf = NULL;

	if (!kind || *kind == '#')
		return;
	if (!strcmp(kind, "host")) {
		while ((w = strtok_r(NULL, " ", &save))) {
			s->iommu |= !strcmp(w, "iommu");
			s->remapping |= !strcmp(w, "remapping");
			s->ovs |= !strcmp(w, "open-vswitch");
			host_word(&s->machine, w);
		}
		return;
	}
	arg = strtok_r(NULL, " ", &save);
	assert_non_null(arg);
	if (!strcmp(kind, "pf"))
		pf = add_pf(s, arg);
	else if (!strcmp(kind, "vf") && pf)
		vf = add_seen_vf(pf, number(arg, 10));
	else if (!strcmp(kind, "dev"))
		dev = add_dev(s, arg);
	else if (!strcmp(kind, "over"))
		over = add_over(s, arg);
	else if (!strcmp(kind, "link"))
		link = add_link(s, arg);
	else
		fail_msg("%s?", kind);
	while ((w = strtok_r(NULL, " ", &save))) {
		if (over)
			over_word(over, w);
		else if (link)
			link_word(link, w);
		else if (dev)
			dev_word(dev, w);
		else if (vf)
			vf_word(vf, w);
		else
			pf_word(pf, w);
	}
}

/* `text` is changed. The result is the caller's: pol_state_free(). */
static inline struct pol_state *state_parse(char *text)
{
	struct pol_state *s = calloc(1, sizeof(*s));
	char *save, *line;

	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		state_line(s, line);
	return s;
}

/* What can be restored, for comparing. */
static inline void state_print(struct text *t, const struct pol_state *s)
{
	char b[BDF_STRLEN], m[MAC_STRLEN];

	for (size_t i = 0; i < s->n_pfs; i++) {
		const struct pol_pf *pf = &s->pf[i];

		text_add(t, "pf %s vfs=%u autoprobe=%d link=%d mtu=%u\n",
		         bdf_format(pf->bdf, b), pf->num_vfs, pf->autoprobe,
		         pf->link_up, pf->mtu);
		for (size_t j = 0; j < pf->n_vfs; j++) {
			const struct pol_vf *v = &pf->vf[j];

			text_add(t,
			         "vf %u %s mac=%s vlan=%u/%u/%04x spoof=%d "
			         "trust=%d rate=%u-%u rss=%d state=%d "
			         "driver=%s override=%s\n",
			         v->index, bdf_format(v->bdf, b),
			         mac_format(v->mac, m), v->vlan, v->qos,
			         v->vlan ? v->proto : 0, v->spoof, v->trust,
			         v->rate_min, v->rate_max, v->rss,
			         v->link_state, v->driver, v->override);
		}
	}
}

static inline void plan_print(struct text *t, const struct pol_plan *plan)
{
	char buf[1024];

	for (size_t i = 0; i < plan->n; i++) {
		const struct pol_action *a = &plan->action[i];

		pol_action_text(a, buf, sizeof(buf));
		text_add(t, "%s (%s%s): %s\n", pol_op_name(a->op),
		         pol_disruption_name(a->disruption),
		         a->may_fail ? ", may fail" : "", buf);
		pol_action_command(a, buf, sizeof(buf));
		text_add(t, "    %s\n", buf);
	}
	if (!plan->n)
		text_add(t, "nothing to do\n");
}

static inline struct pol_plan *plan_for(const struct pol_state *want,
                                        const struct pol_state *seen)
{
	struct pol_plan *plan = NULL;
	struct diag d = { .code = 0 };

	if (pol_plan(want, seen, &plan, &d))
		fail_msg("FL-%04d %s", d.code, d.what);
	return plan;
}

#endif
