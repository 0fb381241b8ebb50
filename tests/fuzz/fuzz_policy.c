/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any text through pol_parse; what parses is resolved and planned against
 * fixed machines, and every index, name and sentence it holds is walked. The
 * sanitizers watch; what they cannot see is checked here and aborts.
 *
 * fuzz: seeds=tests/golden/policy runs=300000
 * By hand, -dict=tests/fuzz/fuzz_policy.dict finds keys sooner.
 */

#include <stdio.h>
#include <string.h>

#include "policy/policy.h"

#define CHECK(cond)                                                            \
	do {                                                                   \
		if (!(cond))                                                   \
			abort();                                               \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_fn(const struct pol_policy *p, struct pol_fn fn)
{
	const struct pol_nic *nic;

	CHECK(fn.nic < p->n_nics && fn.vf < POL_VFS_MAX);
	nic = &p->nic[fn.nic];
	CHECK(nic->vf_count.given == POL_ABSENT || fn.vf < nic->vf_count.v);
}

static void check_name(const char *name)
{
	size_t n = strnlen(name, POL_NAME);

	CHECK(n > 0 && n < POL_NAME);
}

static void check_own_devices(const struct pol_policy *p,
                              const struct pol_guest *g, uint32_t slots)
{
	struct pol_own o;
	char text[512];

	for (size_t i = 0; pol_guest_own(p, g, i, &o); i++) {
		bool is_nic = o.kind == POL_OWN_NIC && !o.standby;

		CHECK(o.slot >= 1 && o.slot <= 31);
		CHECK(is_nic == !!(slots & BIT(o.slot)));
		slots |= BIT(o.slot);
		CHECK(*o.name && strnlen(o.name, POL_NAME) < POL_NAME);
		CHECK(o.kind != POL_OWN_DISK || o.disk->path[0] == '/');
		CHECK(o.kind != POL_OWN_NIC ||
		      (*o.ifname && strnlen(o.ifname, 16) < 16));
		CHECK(pol_own_text(&o, text, sizeof(text)) > 0);
		CHECK(pol_own_command(&o, text, sizeof(text)) >= 0);
	}
}

static void check_cpu_list(const struct pol_cpu_list *l)
{
	CHECK(l->n <= POL_CPU_LIST_MAX);
	for (uint32_t i = 0; i < l->n; i++)
		CHECK(l->cpu[i] < POL_HOST_CPUS);
}

static void check_cpus(const struct pol_policy *p, const struct pol_guest *g)
{
	static const struct pol_host_cpus host;
	const struct pol_cpus *c = &g->cpu;
	struct diag d;

	CHECK(g->cpus >= 1 && g->cpus <= POL_CPUS_MAX);
	CHECK(!c->sockets || c->sockets * c->cores * c->threads == g->cpus);
	CHECK(c->id_shift <= POL_ID_SHIFT_MAX);
	check_cpu_list(&c->pin);
	check_cpu_list(&c->emulator);
	CHECK(!c->fifo || (c->pin.n == g->cpus && c->emulator.n));
	CHECK(c->fifo <= POL_FIFO_MAX && c->halt_poll.v <= POL_HALT_POLL_MAX);
	/* None of its CPUs is in this host. */
	CHECK(!pol_cpus_check(p, g, &host, &d) == !(c->pin.n || c->emulator.n));
}

static void check_guest(const struct pol_policy *p, const struct pol_guest *g)
{
	uint32_t slots = 0;

	check_name(g->name);
	CHECK(pol_guest_find(p, g->name) == g);
	check_cpus(p, g);
	CHECK(g->memory >= POL_MEMORY_MIN && g->memory <= POL_MEMORY_MAX);
	CHECK(g->kernel[0] == '/');
	CHECK(g->n_nics <= POL_GUEST_NICS_MAX);
	for (size_t i = 0; i < g->n_nics; i++) {
		const struct pol_guest_nic *n = &g->nic[i];
		uint8_t mac[6];

		check_name(n->name);
		CHECK((n->pool < p->n_pools) == !n->own.backend);
		CHECK(n->network < p->n_networks || n->network == SIZE_MAX);
		if (!n->own.backend)
			check_fn(p, n->fn);
		CHECK(n->slot >= 1 && n->slot <= 31);
		CHECK(!(slots & BIT(n->slot)));
		slots |= BIT(n->slot);
		if (pol_guest_nic_mac(p, g, n, mac))
			CHECK(!(mac[0] & 1));
	}
	check_own_devices(p, g, slots);
}

static void check_set(const struct pol_attributes *set)
{
	CHECK(set->vlan.id <= 4094);
	CHECK(set->vlan.qos <= 7);
	CHECK(set->link_state.v < POL_LINK_MAX);
	CHECK(set->rate.max <= POL_RATE_MAX);
	CHECK(!set->rate.max || set->rate.min <= set->rate.max);
	CHECK(!set->mtu.given ||
	      (set->mtu.v >= POL_MTU_MIN && set->mtu.v <= POL_MTU_MAX));
}

static void check_override(const struct pol_policy *p,
                           const struct pol_override *o)
{
	CHECK(o->nic < p->n_nics);
	for (size_t i = 0; i < o->n_vfs; i++) {
		CHECK(o->vf[i].id < POL_VFS_MAX);
		CHECK(!(o->vf[i].mac.v[0] & 1));
		check_set(&o->vf[i].set);
		for (size_t j = 0; j < i; j++)
			CHECK(o->vf[i].id != o->vf[j].id);
	}
}

static void check_policy(const struct pol_policy *p)
{
	CHECK(p->version == 1);
	for (size_t i = 0; i < p->n_nics; i++)
		check_name(p->nic[i].name);
	for (size_t i = 0; i < p->n_networks; i++) {
		check_name(p->network[i].name);
		check_set(&p->network[i].set);
	}
	for (size_t i = 0; i < p->n_overrides; i++)
		check_override(p, &p->override[i]);
	for (size_t i = 0; i < p->n_pools; i++) {
		check_name(p->pool[i].name);
		for (size_t j = 0; j < p->pool[i].n_fn; j++)
			check_fn(p, p->pool[i].fn[j]);
	}
	for (size_t i = 0; i < p->n_guests; i++)
		check_guest(p, &p->guest[i]);
}

static void check_errors(const struct pol_errors *errs)
{
	char buf[4 * DIAG_LINE], small[7];

	CHECK(errs->n && errs->n <= POL_ERRORS_MAX);
	for (size_t i = 0; i < errs->n; i++) {
		int n = pol_error_format(&errs->e[i], "f", buf, sizeof(buf));

		CHECK(n > 0 && (size_t)n == strlen(buf));
		CHECK(pol_error_format(&errs->e[i], "f", small,
		                       sizeof(small)) == n);
		CHECK(errs->e[i].diag.code && errs->e[i].diag.err < 0);
	}
}

static void check_plan(const struct pol_state *want,
                       const struct pol_state *seen)
{
	struct pol_plan *plan;
	struct diag d;
	char buf[1024];

	if (pol_plan(want, seen, &plan, &d)) {
		CHECK(d.code);
		return;
	}
	for (size_t i = 0; i < plan->n; i++) {
		int n = pol_action_text(&plan->action[i], buf, sizeof(buf));

		CHECK(n > 0 && (size_t)n == strlen(buf));
		n = pol_action_command(&plan->action[i], buf, sizeof(buf));
		CHECK(n > 0 && (size_t)n == strlen(buf));
	}
	pol_plan_free(plan);
}

/* A machine whose first PF has VFs, one of them in use, and whose second is
 * bare; `good` = one that can assign devices. */
static void try_machine(const struct pol_policy *p, struct pol_errors *errs,
                        bool good)
{
	struct pol_vf vf[] = {
		{ .set = ~0u,
		  .index = 0,
		  .bdf = { .bus = 1, .dev = 16 },
		  .driver = "vfio-pci",
		  .override = "vfio-pci",
		  .group = 4,
		  .holder_pid = good ? 0 : 12,
		  .proto = 0x8100 },
		{ .set = 0,
		  .index = 1,
		  .bdf = { .bus = 1, .dev = 16, .fn = 2 },
		  .driver = "igbvf",
		  .group = good ? 5 : -1 },
	};
	struct pol_pf pf[] = {
		{ .set = ~0u,
		  .bdf = { .bus = 1 },
		  .num_vfs = 2,
		  .vf = vf,
		  .n_vfs = 2,
		  .vendor = 0x8086,
		  .device = 0x10c9,
		  .total_vfs = 7,
		  .vf_offset = 128,
		  .vf_stride = 2,
		  .driver = "igb",
		  .ifname = "ens1f0" },
		{ .bdf = { .bus = 2 },
		  .total_vfs = 256,
		  .autoprobe = true,
		  .set = POL_HAS_AUTOPROBE,
		  .driver = "igb",
		  .ifname = "ens2f0",
		  .vendor = 0x8086,
		  .device = 0x10c9 },
	};
	const struct pol_state seen = {
		.pf = pf, .n_pfs = 2, .iommu = good, .remapping = good
	};
	struct pol_state *want;

	if (pol_resolve(p, &seen, &want, errs)) {
		check_errors(errs);
		return;
	}
	check_plan(want, &seen);
	pol_state_free(want);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pol_errors errs;
	struct pol_policy *p;

	if (pol_parse((const char *)data, size, &p, &errs)) {
		check_errors(&errs);
		return 0;
	}
	CHECK(!errs.n && !errs.dropped);
	check_policy(p);
	try_machine(p, &errs, true);
	try_machine(p, &errs, false);
	pol_free(p);
	return 0;
}
