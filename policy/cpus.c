/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of the host's CPUs; whether the guests of a policy get on with theirs;
 * and whether a guest's threads can be where the policy puts them in a host as
 * it is. Pure: netd reads the host.
 *
 * A CPU is a guest's own where it is pinned there with no other vCPU, unless it
 * says `shared`; and where it says `siblings: avoid`, the core of it, too. What
 * is own, no other guest of the policy may name, for vCPUs or for the VMM's
 * threads: both at once would be slower than either was told. That of one CPU
 * is seen in the file (check_pins), that of one core where the cores are known
 * (pol_cpus_check).
 */

#include <stdlib.h>
#include <string.h>

#include "policy/priv.h"

/* ---- "0-3,8" ------------------------------------------------------------- */

static int take_number(const char **s, unsigned long *ret)
{
	char *end;

	if (**s < '0' || **s > '9')
		return -EINVAL;
	*ret = strtoul(*s, &end, 10);
	*s = end;
	return *ret < POL_HOST_CPUS ? 0 : -EINVAL;
}

static int add_range(unsigned long lo, unsigned long hi, bool *seen,
                     uint16_t *ret, size_t max, size_t *n)
{
	for (; lo <= hi; lo++) {
		if (seen[lo])
			return -EINVAL;
		if (*n == max)
			return -E2BIG;
		seen[lo] = true;
		ret[(*n)++] = (uint16_t)lo;
	}
	return 0;
}

/* "3", or "3-7". */
static int take_range(const char **s, unsigned long *ret_lo,
                      unsigned long *ret_hi)
{
	int r = take_number(s, ret_lo);

	if (r < 0)
		return r;
	*ret_hi = *ret_lo;
	if (**s == '-') {
		(*s)++;
		r = take_number(s, ret_hi);
	}
	return r < 0 || *ret_lo > *ret_hi ? -EINVAL : 0;
}

int pol_cpus_parse(const char *text, uint16_t *ret, size_t max, size_t *ret_n)
{
	bool seen[POL_HOST_CPUS] = { false };
	size_t n = 0;

	for (;; text++) {
		unsigned long lo, hi;
		int r = take_range(&text, &lo, &hi);

		if (r == 0)
			r = add_range(lo, hi, seen, ret, max, &n);
		if (r < 0)
			return r;
		if (*text != ',')
			break;
	}
	if (*text && *text != '\n')
		return -EINVAL;
	*ret_n = n;
	return 0;
}

/* ---- the guests of a policy ---------------------------------------------- */

/* Who has each CPU first, from 1; 0 = nobody. */
struct claims {
	uint16_t own[POL_HOST_CPUS], any[POL_HOST_CPUS];
};

static bool is_own(const struct pol_guest *g)
{
	return g->cpu.apart || (g->cpu.pin.n == g->cpus && !g->cpu.shared);
}

static void refuse_claim(struct read *r, const struct pol_guest *g,
                         const struct pol_cpu_list *l, unsigned cpu,
                         const struct pol_guest *other, bool others)
{
	const struct pol_guest *owner = others ? other : g;
	struct diag *d = pol_err(r->errs, l->pos, FL_POL_PINNED,
	                         "guest %s: '%s' has CPU %u of the host, which "
	                         "guest %s has, too",
	                         g->name, l == &g->cpu.pin ? "pin" : "emulator",
	                         cpu, other->name);

	diag_why(d, "guest %s has it for itself: %s (%s)", owner->name,
	         owner->cpu.apart ? "`siblings: avoid`"
	                          : "'pin' has one for each vCPU",
	         WHERE(r->policy, owner->cpu.pin.pos, l->pos));
	diag_mend(d,
	          "other CPUs; or %s`shared: true` in guest %s, if both may be "
	          "slower for it or never run at once",
	          owner->cpu.apart ? "`siblings: allow` and " : "",
	          owner->name);
}

static void claim(struct read *r, struct claims *c, size_t guest,
                  const struct pol_cpu_list *l)
{
	const struct pol_guest *g = &r->policy->guest[guest];
	const uint16_t me = (uint16_t)(guest + 1);
	bool own = l == &g->cpu.pin && is_own(g), said = false;

	for (uint32_t i = 0; i < l->n; i++) {
		uint16_t *first = &c->any[l->cpu[i]];
		uint16_t *owner = &c->own[l->cpu[i]];
		uint16_t other = *owner ? *owner : own ? *first : 0;

		if (other && other != me && !said) {
			refuse_claim(r, g, l, l->cpu[i],
			             &r->policy->guest[other - 1], *owner);
			said = true;
		}
		*first = *first ? *first : me;
		if (own && !*owner)
			*owner = me;
	}
}

void check_pins(struct read *r)
{
	struct claims c = { .own = { 0 } };

	for (size_t i = 0; i < r->policy->n_guests; i++) {
		claim(r, &c, i, &r->policy->guest[i].cpu.pin);
		claim(r, &c, i, &r->policy->guest[i].cpu.emulator);
	}
}

/* ---- a guest in a host --------------------------------------------------- */

static int check_there(const struct pol_guest *g, const char *key,
                       const struct pol_cpu_list *l,
                       const struct pol_host_cpus *h, struct diag *d)
{
	for (uint32_t i = 0; i < l->n; i++) {
		const unsigned cpu = l->cpu[i];

		if (h->online[cpu])
			continue;
		diag_fail(d, -ENODEV, FL_POL_CPU,
		          "guest %s: '%s' names CPU %u of the host", g->name,
		          key, cpu);
		diag_why(d, "it is offline, or there is none");
		diag_mend(d,
		          "another number (line %u; /sys/devices/system/cpu/"
		          "online), or: echo 1 > /sys/devices/system/cpu/cpu%u/"
		          "online",
		          l->pos.line, cpu);
		return -ENODEV;
	}
	return 0;
}

/* Whose CPU it is: of a guest's core, or of all of it. Threads of one core of
 * the guest may share a core of the host: that is what they are. */
static unsigned guest_core(const struct pol_guest *g, uint32_t vcpu)
{
	const uint32_t threads = g->cpu.threads ? g->cpu.threads : 1;

	return g->cpu.pin.n == g->cpus ? vcpu / threads : vcpu;
}

static int share(const struct pol_guest *g, unsigned cpu,
                 const struct pol_guest *other, const char *key,
                 unsigned other_cpu, struct diag *d)
{
	diag_fail(d, -EBUSY, FL_POL_SIBLINGS,
	          "guest %s: CPU %u of the host is not its own", g->name, cpu);
	diag_why(d,
	         "'%s' of guest %s has CPU %u, %s, and 'siblings: avoid' asks "
	         "for whole cores",
	         key, other->name, other_cpu,
	         cpu == other_cpu ? "the same" : "a thread of the same core");
	diag_mend(d,
	          "other CPUs (/sys/devices/system/cpu/cpu%u/topology/"
	          "thread_siblings_list), or `siblings: allow`",
	          cpu);
	return -EBUSY;
}

/* vCPU (or CPU of the set) `i` of the guest against those of a list. */
static int check_apart(const struct pol_guest *g, uint32_t i,
                       const struct pol_guest *other, const char *key,
                       const struct pol_cpu_list *l,
                       const struct pol_host_cpus *h, struct diag *d)
{
	const unsigned cpu = g->cpu.pin.cpu[i];

	for (uint32_t k = 0; k < l->n; k++) {
		if (h->core[cpu] != h->core[l->cpu[k]])
			continue;
		if (l == &g->cpu.pin && guest_core(g, i) == guest_core(g, k))
			continue;
		return share(g, cpu, other, key, l->cpu[k], d);
	}
	return 0;
}

static int check_guest(const struct pol_guest *g, uint32_t i,
                       const struct pol_guest *other,
                       const struct pol_host_cpus *h, struct diag *d)
{
	int r = check_apart(g, i, other, "pin", &other->cpu.pin, h, d);

	if (r == 0)
		r = check_apart(g, i, other, "emulator", &other->cpu.emulator,
		                h, d);
	return r;
}

int pol_cpus_check(const struct pol_policy *p, const struct pol_guest *g,
                   const struct pol_host_cpus *h, struct diag *d)
{
	int r = check_there(g, "pin", &g->cpu.pin, h, d);

	if (r == 0)
		r = check_there(g, "emulator", &g->cpu.emulator, h, d);
	for (uint32_t i = 0; r == 0 && g->cpu.apart && i < g->cpu.pin.n; i++) {
		for (size_t k = 0; r == 0 && k < p->n_guests; k++)
			r = check_guest(g, i, &p->guest[k], h, d);
	}
	return r;
}
