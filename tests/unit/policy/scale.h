/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_TEST_POLICY_SCALE_H
#define FL_TEST_POLICY_SCALE_H

/*
 * The largest host that a policy can be of, or a part of it: `pfs` PFs whose
 * VFs are to be made, 256 each, all of them in pools, and 16 guest NICs a PF
 * with a MAC and a network each. `carved`: they are there already, and only
 * their settings and drivers are to change.
 */

#include <stdio.h>
#include <string.h>

#include "policy/policy.h"

#define SCALE_VFS 256u
#define SCALE_NICS 16u

static inline void scale_must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "scale: %s\n", what);
	abort();
}

static inline struct bdf scale_bdf(unsigned pf, unsigned vf)
{
	unsigned rid = vf ? 0x100 + vf - 1 : 0;

	return (struct bdf){ .domain = pf,
		             .bus = (uint8_t)(rid >> 8),
		             .dev = (uint8_t)(rid >> 3 & 31),
		             .fn = (uint8_t)(rid & 7) };
}

static inline void scale_vfs(struct pol_state *s, struct pol_pf *pf,
                             unsigned index)
{
	pf->vf = calloc(SCALE_VFS, sizeof(*pf->vf));
	scale_must(pf->vf, "no memory");
	pf->n_vfs = pf->num_vfs = SCALE_VFS;
	for (unsigned i = 0; i < SCALE_VFS; i++) {
		struct pol_whole *w = &s->whole[s->n_wholes++];
		struct pol_vf *v = &pf->vf[i];

		*v = (struct pol_vf){ .set = POL_HAS_MAC | POL_HAS_VLAN |
			                     POL_HAS_SPOOF | POL_HAS_TRUST |
			                     POL_HAS_DRIVER | POL_HAS_OVERRIDE,
			              .index = (uint16_t)i,
			              .bdf = scale_bdf(index, i + 1),
			              .spoof = true,
			              .group = (int)(index * 300 + i) };
		strcpy(v->driver, "iavf");
		*w = (struct pol_whole){ .set = POL_HAS_DRIVER |
			                        POL_HAS_OVERRIDE,
			                 .bdf = v->bdf,
			                 .vendor = 0x8086,
			                 .device = 0x1889,
			                 .class_code = 0x200,
			                 .group = v->group,
			                 .virtual_fn = true };
		strcpy(w->driver, v->driver);
	}
}

static inline struct pol_state *scale_machine(unsigned pfs, bool carved)
{
	struct pol_state *s = calloc(1, sizeof(*s));

	scale_must(s, "no memory");
	s->iommu = s->remapping = true;
	s->pf = calloc(pfs, sizeof(*s->pf));
	s->whole = calloc(pfs * (SCALE_VFS + 1), sizeof(*s->whole));
	scale_must(s->pf && s->whole, "no memory");
	for (unsigned i = 0; i < pfs; i++) {
		struct pol_whole *w = &s->whole[s->n_wholes++];
		struct pol_pf *pf = &s->pf[s->n_pfs++];

		*pf = (struct pol_pf){ .set = POL_HAS_NUMVFS |
			                      POL_HAS_AUTOPROBE | POL_HAS_LINK,
			               .bdf = scale_bdf(i, 0),
			               .vendor = 0x8086,
			               .device = 0x1592,
			               .total_vfs = SCALE_VFS,
			               .vf_offset = 0x100,
			               .vf_stride = 1 };
		strcpy(pf->driver, "ice");
		snprintf(pf->ifname, sizeof(pf->ifname), "port%u", i);
		*w = (struct pol_whole){ .set = POL_HAS_DRIVER |
			                        POL_HAS_OVERRIDE,
			                 .bdf = pf->bdf,
			                 .vendor = 0x8086,
			                 .device = 0x1592,
			                 .class_code = 0x200,
			                 .group = (int)(i * 300 + 299) };
		strcpy(w->driver, "ice");
		if (carved)
			scale_vfs(s, pf, i);
		w->num_vfs = pf->num_vfs;
	}
	return s;
}

/* The caller's to free. */
static inline char *scale_policy(unsigned pfs)
{
	size_t room = 4096 + pfs * (size_t)8192, n = 0;
	char *t = malloc(room);

	scale_must(t, "no memory");
#define ADD(...) n += (size_t)snprintf(t + n, room - n, __VA_ARGS__)
	ADD("version: 1\nnics:\n");
	for (unsigned i = 0; i < pfs; i++)
		ADD("  - { name: f%u, match: { pci: \"%04x:00:00.0\" }, "
		    "virtual-function-count: %u, drivers-autoprobe: false, "
		    "link: up }\n",
		    i, i, SCALE_VFS);
	ADD("networks:\n  - { name: t, vlan: { id: 100 }, spoof-check: true, "
	    "trust: true }\npools:\n");
	for (unsigned i = 0; i < pfs; i++)
		ADD("  - { name: p%u, functions: [\"f%u#0-%u\"], driver: vfio "
		    "}\n",
		    i, i, SCALE_VFS - 1);
	ADD("guests:\n");
	for (unsigned i = 0; i < pfs; i++) {
		ADD("  - name: g%u\n    memory: 1G\n    kernel: /k\n"
		    "    nics:\n",
		    i);
		for (unsigned k = 0; k < SCALE_NICS; k++)
			ADD("      - { name: e%u, pool: p%u, network: t, "
			    "mac-address: \"02:00:00:00:%02x:%02x\" }\n",
			    k, i, i, k + 1);
	}
#undef ADD
	scale_must(n < room, "no room");
	return t;
}

/* Its actions: the policy read, met with the machine, and planned. */
static inline size_t scale_plan(const char *text, const struct pol_state *seen,
                                struct pol_errors *errs)
{
	struct pol_state *want = NULL;
	struct pol_policy *p = NULL;
	struct pol_plan *made = NULL;
	struct diag d = { 0 };
	size_t n;

	scale_must(!pol_parse(text, strlen(text), &p, errs), "policy");
	scale_must(!pol_resolve(p, seen, &want, errs), "resolve");
	scale_must(!pol_plan(want, seen, &made, &d), "plan");
	n = made->n;
	pol_plan_free(made);
	pol_state_free(want);
	pol_free(p);
	return n;
}

#endif
