/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/netd/sim.h"
#include "tests/unit/policy/act.h"

#define ETH_P_8021Q 0x8100

struct sim *sim_new(void)
{
	struct sim *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
	                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (s == MAP_FAILED)
		abort();
	s->autoprobe = true;
	s->mtu = 1500;
	for (unsigned i = 0; i < SIM_WHOLES; i++)
		s->whole[i] = (struct pol_whole){
			.set = POL_HAS_DRIVER | POL_HAS_OVERRIDE,
			.bdf = { 0, 3, 0, (uint8_t)i },
			.vendor = 0x1b36,
			.device = 0x10,
			.class_code = 0x0108,
			.group = 40,
		};
	strcpy(s->whole[0].driver, "nvme");
	return s;
}

void sim_free(struct sim *s)
{
	munmap(s, sizeof(*s));
}

static void new_vf(struct sim *s, unsigned i)
{
	s->vf[i] = (struct pol_vf){
		.set = POL_HAS_KNOBS | POL_HAS_DRIVER | POL_HAS_OVERRIDE,
		.index = (uint16_t)i,
		.bdf = { 0, 1, 16, (uint8_t)i },
		.proto = ETH_P_8021Q,
		.spoof = true,
		.group = 20 + (int)i,
	};
	strcpy(s->vf[i].driver, s->autoprobe ? "igbvf" : "");
	if (s->shared_group)
		strcpy(s->vf[i].blocker, "0000:01:00.0 (igb)");
}

static void act_second(struct sim *s, const struct pol_action *a)
{
	if (a->op == POL_OP_AUTOPROBE)
		s->autoprobe2 = a->number;
	else if (a->op == POL_OP_PF_LINK)
		s->up2 = a->number;
	else
		abort();
}

static void act(struct sim *s, const struct pol_action *a)
{
	struct pol_vf *v = a->vf >= 0 ? &s->vf[a->vf] : NULL;

	if (v && act_knob(v, a))
		return;
	switch (a->op) {
	case POL_OP_AUTOPROBE:
		s->autoprobe = a->number;
		break;
	case POL_OP_NUMVFS:
		if (s->num_vfs && a->number)
			abort(); /* the kernel says EBUSY */
		for (unsigned i = 0; i < a->number; i++)
			new_vf(s, i);
		s->num_vfs = a->number;
		break;
	case POL_OP_PF_MTU:
		s->mtu = a->number;
		break;
	case POL_OP_PF_LINK:
		s->up = a->number;
		break;
	case POL_OP_VF_DRIVER:
		strcpy(v->driver, a->driver);
		strcpy(v->override, a->override);
		break;
	case POL_OP_DEV_DRIVER:
		strcpy(s->whole[a->pf.fn].driver, a->driver);
		strcpy(s->whole[a->pf.fn].override, a->override);
		break;
	case POL_OP_OVERLAY:
	case POL_OP_OVERLAY_GONE:
		s->over = *a->over;
		s->over.there = a->op == POL_OP_OVERLAY;
		break;
	default: /* of a switch that this machine has not */
		abort();
	}
}

static int sim_act(void *ctx, const struct pol_action *a, struct diag *d)
{
	struct sim *s = ctx;

	int n = __atomic_add_fetch(&s->n, 1, __ATOMIC_SEQ_CST);

	s->log[(n - 1) % 256] = a->op;
	if (n == s->die_at)
		_exit(9);
	while (n == s->sleep_at)
		pause();
	if (s->fail_at &&
	    (n == s->fail_at || (s->fail_always && n > s->fail_at))) {
		diag_fail(d, s->fail_errno, s->fail_code, "refused by the sim");
		return s->fail_errno;
	}
	if (a->pf.bus == 2)
		act_second(s, a);
	else
		act(s, a);
	return 0;
}

static int sim_observe(void *ctx, const struct observing *what,
                       struct pol_state **ret, struct diag *d)
{
	struct sim *s = ctx;
	struct pol_state *st;
	struct pol_pf *pf;

	s->asked |= what ? what->parts : SEE_ALL;
	if (s->observe_errno)
		return diag_fail(d, s->observe_errno, FL_NETD_DEVICE, "sim");
	st = calloc(1, sizeof(*st));
	pf = calloc(2, sizeof(*pf));
	if (!st || !pf)
		abort();
	st->pf = pf;
	st->n_pfs = 1;
	st->iommu = true;
	st->remapping = true;
	*pf = (struct pol_pf){ .set = POL_HAS_AUTOPROBE | POL_HAS_NUMVFS |
		                      POL_HAS_LINK | POL_HAS_MTU,
		               .bdf = { 0, 1, 0, 0 },
		               .num_vfs = s->num_vfs,
		               .autoprobe = s->autoprobe,
		               .link_up = s->up,
		               .mtu = s->mtu,
		               .vendor = 0x8086,
		               .device = 0x10c9,
		               .total_vfs = SIM_VFS,
		               .vf_offset = 128,
		               .vf_stride = 1 };
	pf->stuck = s->stuck;
	if (s->stuck)
		pf->set = 0;
	if (s->no_link)
		pf->set &= ~(uint32_t)POL_HAS_LINK;
	strcpy(pf->driver, "igb");
	strcpy(pf->ifname, "eth0");
	if (s->num_vfs && !s->stuck) {
		pf->vf = calloc(s->num_vfs, sizeof(*pf->vf));
		pf->n_vfs = s->num_vfs;
		memcpy(pf->vf, s->vf, s->num_vfs * sizeof(*pf->vf));
	}
	if (s->two) {
		st->n_pfs = 2;
		pf[1] = *pf;
		pf[1].bdf.bus = 2;
		pf[1].stuck = false;
		pf[1].set = POL_HAS_AUTOPROBE | POL_HAS_NUMVFS | POL_HAS_LINK;
		pf[1].vf = NULL;
		pf[1].n_vfs = pf[1].num_vfs = 0;
		pf[1].link_up = s->up2;
		pf[1].autoprobe = s->autoprobe2;
		strcpy(pf[1].ifname, "eth1");
	}
	if (s->pf_gone) {
		free(pf[0].vf);
		st->n_pfs--;
		memmove(pf, pf + 1, sizeof(*pf));
	}
	st->whole = calloc(SIM_WHOLES, sizeof(*st->whole));
	for (unsigned i = s->whole_gone; i < SIM_WHOLES; i++)
		st->whole[st->n_wholes++] = s->whole[i];
	for (size_t i = 0; i < st->n_wholes; i++) {
		st->whole[i].set = POL_HAS_DRIVER;
		st->whole[i].override[0] = '\0';
	}
	*ret = st;
	return 0;
}

static void see_overs(const struct sim *s, struct pol_state *seen,
                      const struct pol_state *want)
{
	free(seen->over);
	seen->over = calloc(want->n_overs + 1, sizeof(*seen->over));
	seen->n_overs = want->n_overs;
	for (size_t i = 0; i < want->n_overs; i++) {
		struct pol_over *o = &seen->over[i];

		if (!strcmp(s->over.o.bridge, want->over[i].o.bridge))
			*o = s->over;
		strcpy(o->o.bridge, want->over[i].o.bridge);
		strcpy(o->o.dev, want->over[i].o.dev);
		strcpy(o->outer, "eth0");
		o->outer_mtu = s->offline ? 0 : 1500;
	}
}

/* Only where it was asked for is an override to be believed. */
static int sim_observe_more(void *ctx, struct pol_state *seen,
                            const struct pol_state *want, struct diag *d)
{
	const struct sim *s = ctx;

	(void)d;
	for (size_t i = 0; i < seen->n_wholes; i++) {
		struct pol_whole *w = &seen->whole[i];

		if (!state_find_whole(want, w->bdf))
			continue;
		w->set |= POL_HAS_OVERRIDE;
		strcpy(w->override, s->whole[w->bdf.fn].override);
	}
	see_overs(s, seen, want);
	return 0;
}

static bool sim_hangs(void *ctx, struct bdf pf, const char *what)
{
	struct sim *s = ctx;

	(void)what;
	s->stuck |= s->hangs && pf.bus == 1;
	return s->stuck && pf.bus == 1;
}

static int sim_enter(void *ctx, struct diag *d)
{
	(void)ctx;
	(void)d;
	return 0;
}

#define OPS                                                                    \
	.hangs = sim_hangs,                                                    \
	.act = {                                                               \
		[POL_OP_AUTOPROBE] = sim_act,                                  \
		[POL_OP_PF_MTU] = sim_act,                                     \
		[POL_OP_NUMVFS] = sim_act,                                     \
		[POL_OP_VF_RATE] = sim_act,                                    \
		[POL_OP_VF_RSS] = sim_act,                                     \
		[POL_OP_VF_LINK] = sim_act,                                    \
		[POL_OP_PF_LINK] = sim_act,                                    \
		[POL_OP_VF_MAC] = sim_act,                                     \
		[POL_OP_VF_VLAN] = sim_act,                                    \
		[POL_OP_VF_SPOOF] = sim_act,                                   \
		[POL_OP_VF_TRUST] = sim_act,                                   \
		[POL_OP_VF_DRIVER] = sim_act,                                  \
		[POL_OP_OVERLAY] = sim_act,                                    \
		[POL_OP_OVERLAY_GONE] = sim_act,                               \
		[POL_OP_DEV_DRIVER] = sim_act,                                 \
	},                                                                     \
	.observe = sim_observe, .observe_more = sim_observe_more

const struct apply_ops sim_ops = { OPS };
const struct apply_ops sim_side_ops = { .enter = sim_enter, OPS };

const char *sim_text(const struct sim *s, char buf[2048])
{
	char mac[MAC_STRLEN];
	int n = snprintf(buf, 2048, "%u autoprobe %d up %d mtu %u\n",
	                 s->num_vfs, s->autoprobe, s->up, s->mtu);

	if (s->two)
		n += snprintf(buf + n, 2048 - (size_t)n,
		              "second autoprobe %d up %d\n", s->autoprobe2,
		              s->up2);

	if (s->over.there)
		n += snprintf(buf + n, 2048 - (size_t)n,
		              "overlay %u in %s mtu %u to %zu\n", s->over.o.id,
		              s->over.o.bridge, s->over.o.mtu,
		              s->over.o.n_remotes);
	for (unsigned i = 0; i < SIM_WHOLES; i++)
		n += snprintf(buf + n, 2048 - (size_t)n,
		              "whole \"%s\" \"%s\"\n", s->whole[i].driver,
		              s->whole[i].override);
	for (unsigned i = 0; i < s->num_vfs; i++) {
		const struct pol_vf *v = &s->vf[i];

		n += snprintf(buf + n, 2048 - (size_t)n,
		              "%u %s vlan %u/%u rate %u-%u spoof %d trust %d "
		              "rss %d link %d \"%s\" \"%s\"\n",
		              i, mac_format(v->mac, mac), v->vlan, v->qos,
		              v->rate_min, v->rate_max, v->spoof, v->trust,
		              v->rss, v->link_state, v->driver, v->override);
	}
	return buf;
}

/* ---- a state folder ------------------------------------------------------ */

void dir_make(struct state_dir *d)
{
	strcpy(d->path, "/tmp/fl-netd-XXXXXX");
	if (!mkdtemp(d->path))
		abort();
	d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void dir_drop(struct state_dir *d)
{
	char command[128];

	close(d->fd);
	snprintf(command, sizeof(command), "rm -rf '%s'", d->path);
	if (system(command))
		abort();
}

static int add_name(const char *name, void *arg)
{
	char *buf = arg;

	if (!strcmp(name, "lock") || !strcmp(name, "history"))
		return 0;
	if (*buf)
		strcat(buf, " ");
	strcat(buf, name);
	return 0;
}

const char *dir_list(const struct state_dir *d, char buf[256])
{
	buf[0] = '\0';
	if (sysfs_each(d->fd, ".", add_name, buf))
		abort();
	return buf;
}
