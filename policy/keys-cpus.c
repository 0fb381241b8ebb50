/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's CPUs: how many, in what shape, and where the host runs them. What
 * the host has is not looked at here: cpus.c does, when the guest starts.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

/* "cpus: 2" and "cpus: { count: 2 }" are the same. */
static READER(read_cpu_count)
{
	static const struct range range = { 1, POL_CPUS_MAX };
	struct pol_guest *g = obj;

	/* 0: what depends on it cannot be judged. */
	if (!scalar_u32(r, k, v, &range, &g->cpus))
		g->cpus = 0;
}

static READER(read_cpu_number)
{
	scalar_u32(r, k, v, k->arg, field(k, obj));
}

static READER(read_cpu_list)
{
	static const char form[] =
		"CPUs of the host from 0 to 1023, each once, at most 256";
	struct pol_cpu_list *l = field(k, obj);
	size_t n = 0;

	if (told_text(r, v, TOLD_TEXT, LIST_OF_CPUS) || !want_quoted(r, k, v))
		return;
	if (strlen(v->text) != v->len || strchr(v->text, '\n') ||
	    pol_cpus_parse(v->text, l->cpu, POL_CPU_LIST_MAX, &n) < 0) {
		bad_value(r, k, v, form, "\"2-5,8\"");
		return;
	}
	l->n = (uint32_t)n;
	l->pos = v->pos;
}

static READER(read_siblings)
{
	static const struct word word[] = {
		{ .text = "allow", .value = 0 },
		{ .text = "avoid", .value = 1 },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_guest *g = obj;
	unsigned value;

	if (scalar_word(r, k, v, &words, &value))
		g->cpu.apart = value;
}

static READER(read_scheduler)
{
	static const struct word word[] = {
		{ .text = "other", .value = 0 },
		{ .text = "fifo", .value = 1 },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_guest *g = obj;
	unsigned value;

	if (scalar_word(r, k, v, &words, &value) && value)
		g->cpu.fifo = 1;
}

static READER(read_priority)
{
	static const struct range range = { 1, POL_FIFO_MAX };
	struct pol_guest *g = obj;
	uint32_t priority;

	if (!scalar_u32(r, k, v, &range, &priority))
		return;
	if (g->cpu.fifo) {
		g->cpu.fifo = priority;
		return;
	}
	diag_mend(pol_err(r->errs, v->pos, FL_POL_CONFLICT,
	                  "a 'priority' is of `scheduler: fifo`"),
	          "add 'scheduler: fifo', or remove 'priority'");
}

/* "50us": a plain number would leave its unit to be guessed. */
static READER(read_halt_poll)
{
	static const char form[] = "a time from 0us to 1000us";
	struct pol_guest *g = obj;
	char digits[8];
	uint64_t n;

	if (told_text(r, v, TOLD_TEXT, "^(0|[1-9][0-9]{0,2}|1000)us$") ||
	    !want_plain(r, k, v, form))
		return;
	if (v->len < 3 || v->len - 2 >= sizeof(digits) ||
	    strcmp(v->text + v->len - 2, "us") != 0) {
		bad_value(r, k, v, form, "50us");
		return;
	}
	snprintf(digits, sizeof(digits), "%.*s", (int)v->len - 2, v->text);
	if ((digits[0] == '0' && digits[1]) ||
	    parse_u64(digits, POL_HALT_POLL_MAX, &n))
		bad_value(r, k, v, form, "50us");
	else
		g->cpu.halt_poll = (struct pol_u32){ POL_GIVEN, (uint32_t)n };
}

/* ---- what concerns several of them --------------------------------------- */

/* What is left out is 1; of cores, as many as the number needs. */
static void settle_shape(struct read *r, const struct node *map,
                         struct pol_guest *g)
{
	struct pol_cpus *c = &g->cpu;
	struct diag *d;

	if (!c->sockets && !c->cores && !c->threads)
		return;
	c->sockets = c->sockets ? c->sockets : 1;
	c->threads = c->threads ? c->threads : 1;
	if (!c->cores)
		c->cores = MAX(g->cpus / (c->sockets * c->threads), 1u);
	if (c->sockets * c->cores * c->threads == g->cpus)
		return;
	d = pol_err(r->errs, map->pos, FL_POL_CONFLICT,
	            "sockets, cores and threads do not make 'count'");
	diag_why(d, "%u x %u x %u is %u, not %u", c->sockets, c->cores,
	         c->threads, c->sockets * c->cores * c->threads, g->cpus);
	diag_mend(d, "correct one of them; 'cores' may be left out");
}

static bool in_list(const struct pol_cpu_list *l, uint16_t cpu)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->cpu[i] == cpu)
			return true;
	return false;
}

/* Real-time threads that wait for one another on one CPU wait for ever, and
 * the VMM's own would never get one on which a guest spins. */
static void check_fifo(struct read *r, const struct node *map,
                       const struct pol_guest *g)
{
	const struct pol_cpus *c = &g->cpu;
	const char *why = NULL;
	struct diag *d;

	if (!c->fifo)
		return;
	if (c->pin.n != g->cpus)
		why = "'pin' must give each vCPU a CPU of its own: real-time "
		      "threads on one CPU do not take turns";
	else if (!c->emulator.n)
		why = "'emulator' must say where the VMM's other threads run: "
		      "beside a vCPU that spins they never would";
	for (uint32_t i = 0; !why && i < c->pin.n; i++)
		if (in_list(&c->emulator, c->pin.cpu[i]))
			why = "'emulator' has a CPU of 'pin': beside a vCPU "
			      "that spins those threads would never run";
	if (!why)
		return;
	d = pol_err(r->errs, node_get(map, "scheduler")->pos, FL_POL_CONFLICT,
	            "`scheduler: fifo` cannot be so");
	diag_why(d, "%s", why);
	diag_mend(d, "for 2 vCPUs: `pin: \"2-3\", emulator: \"0-1\"`");
}

static void check_without_pin(struct read *r, const struct node *map,
                              const char *key, const char *said)
{
	diag_mend(pol_err(r->errs, node_get(map, key)->pos, FL_POL_CONFLICT,
	                  "`%s` says nothing without 'pin'", said),
	          "add 'pin', or remove '%s'", key);
}

static void check_siblings(struct read *r, const struct node *map,
                           const struct pol_guest *g)
{
	const struct pol_cpus *c = &g->cpu;
	struct diag *d;

	if (c->apart && !c->pin.n)
		check_without_pin(r, map, "siblings", "siblings: avoid");
	else if (c->shared && !c->pin.n)
		check_without_pin(r, map, "shared", "shared: true");
	if (!c->apart || !c->shared)
		return;
	d = pol_err(r->errs, node_get(map, "shared")->pos, FL_POL_CONFLICT,
	            "`shared: true` beside `siblings: avoid`");
	diag_why(d, "what nobody may have a thread of cannot be shared");
	diag_mend(d, "remove one of the two");
}

static void cpus_done(struct read *r, const struct node *map, void *obj)
{
	struct pol_guest *g = obj;

	if (!g->cpus || !node_get(map, "count"))
		return;
	settle_shape(r, map, g);
	check_fifo(r, map, g);
	check_siblings(r, map, g);
}

/* ---- APIC ids ------------------------------------------------------------ */

static unsigned bits_for(unsigned n)
{
	unsigned bits = 0;

	while (1u << bits < n)
		bits++;
	return bits;
}

/* As vmm/cpu_ids.c numbers them: the last one's. */
static uint32_t last_id(const struct pol_guest *g)
{
	const struct pol_cpus *c = &g->cpu;
	const unsigned sockets = c->sockets ? c->sockets : 1;
	const unsigned cores = c->cores ? c->cores : g->cpus;
	const unsigned threads = c->threads ? c->threads : 1;
	const unsigned low = bits_for(threads);
	const unsigned shift = MAX(low + bits_for(cores), c->id_shift);

	return (sockets - 1) << shift | (cores - 1) << low | (threads - 1);
}

/* KVM's IOAPIC has 8 bits for the CPU that a pin's interrupt goes to. Linux,
 * told that messages have 15, takes the pins to have them, too. */
void check_cmdline_cpus(struct read *r, const struct node *map,
                        const struct pol_guest *g)
{
	const uint32_t last = last_id(g);
	struct pol_pos at;
	struct diag *d;

	if (!g->cpus || !g->cpu.id_shift || last < POL_PIN_IDS)
		return;
	at = node_get(node_get(map, "cpus"), "apic-id-shift")->pos;
	if (last >= POL_APIC_IDS) {
		d = pol_err(r->errs, at, FL_POL_CONFLICT,
		            "guest '%s' has APIC ids up to %u", g->name, last);
		diag_why(d, "an interrupt message can name %u at most",
		         POL_APIC_IDS - 1);
		diag_mend(d, "a smaller 'apic-id-shift'");
	} else if (!strstr(g->cmdline, "irqaffinity=")) {
		d = pol_err(r->errs, at, FL_POL_CONFLICT,
		            "guest '%s' has APIC ids up to %u, and no "
		            "'irqaffinity=' in its cmdline",
		            g->name, last);
		diag_why(d, "interrupts by pin (the serial port, the power "
		            "button, INTx) reach ids below 255 only, and "
		            "Linux would send them anywhere");
		diag_mend(d, "add irqaffinity=0 to 'cmdline', or a smaller "
		             "'apic-id-shift'");
	}
}

static const char never_nested[] =
	"no guests in guests: another hypervisor's state widens what is "
	"exposed, and a reset could not undo it";
static const char never_pmu[] =
	"the counters are the host's: they tell of its other guests, and cost "
	"at each switch";

#define AT(member) .at = offsetof(struct pol_guest, cpu.member)
// clang-format off
static const struct range range_shape = { 1, POL_CPUS_MAX };
static const struct range range_shift = { 0, POL_ID_SHIFT_MAX };
static const struct key cpus_keys[] = {
	{ .name = "count", .flags = KEY_REQUIRED, .read = read_cpu_count },
	{ .name = "sockets", .read = read_cpu_number, AT(sockets),
	  .arg = &range_shape },
	{ .name = "cores", .read = read_cpu_number, AT(cores),
	  .arg = &range_shape },
	{ .name = "threads", .read = read_cpu_number, AT(threads),
	  .arg = &range_shape },
	{ .name = "apic-id-shift", .read = read_cpu_number, AT(id_shift),
	  .arg = &range_shift },
	{ .name = "pin", .read = read_cpu_list, AT(pin) },
	{ .name = "emulator", .read = read_cpu_list, AT(emulator) },
	{ .name = "siblings", .read = read_siblings },
	{ .name = "shared", .read = read_flag, AT(shared) },
	{ .name = "scheduler", .read = read_scheduler },
	{ .name = "priority", .read = read_priority },
	{ .name = "halt-poll", .read = read_halt_poll },
	{ .name = "nested", .flags = KEY_NEVER, .read = read_never,
	  .arg = never_nested },
	{ .name = "pmu", .flags = KEY_NEVER, .read = read_never,
	  .arg = never_pmu },
};
static const struct table cpus_table = {
	.what = "cpus", .keys = cpus_keys, .n = ARRAY_SIZE(cpus_keys),
	.done = cpus_done,
};
// clang-format on

READER(read_cpus)
{
	if (v->kind == NODE_SCALAR)
		read_cpu_count(r, k, v, obj);
	else
		read_map(r, v, &cpus_table, obj);
}
