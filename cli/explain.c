/* SPDX-License-Identifier: GPL-2.0-or-later */

/* `fairlead explain`: a function's configuration space as its bytes are,
 * beside what a guest reads; each capability's verdict, a reason for every
 * byte that differs, and what is known of that very device. */

#include "cli/function.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DIFFERENCES 512 /* more than rows and capabilities can make */

struct explained {
	struct cli_function f;
	struct cfg_place place;
	struct cfg_space view;
	struct cfg_difference diff[DIFFERENCES];
	size_t n;
	json_t *chosen; /* why whoever has it has it; NULL = nothing known */
};

/* ---- gathering ----------------------------------------------------------- */

static int need_root(const struct cli_function *f, struct diag *d)
{
	char name[BDF_STRLEN];

	bdf_format(f->fn.bdf, name);
	diag_fail(d, -EACCES, FL_CLI_CONFIG,
	          "only %zu bytes of %s's configuration space can be read",
	          f->read, name);
	diag_why(d, "the kernel shows what comes after the header to root "
	            "alone, since reading it may disturb a device");
	diag_mend(d, "sudo fairlead explain %s", name);
	return -EACCES;
}

/* As the VMM places it: behind a root port, with the function's own INTx. */
static void compose(struct explained *e)
{
	struct cfg_layout *l = &e->f.layout;
	const uint8_t pin = l->raw[0x3d];

	if (!cfg_quirk_find(l, CFG_QUIRK_NO_ROM))
		l->rom_size = e->f.rom_size;
	e->place = (struct cfg_place){
		.behind_port = true,
		.intx_pin = !e->f.vf && pin <= 4 ? pin : 0,
	};
	cfg_compose_endpoint(&e->view, l, &e->place);
	e->n = MIN(cfg_explain(l, &e->place, &e->view, e->diff, DIFFERENCES),
	           (size_t)DIFFERENCES);
}

static int gather(const struct cli *c, struct bdf b, struct explained *e,
                  struct diag *d)
{
	_cleanup_close_ int root = cli_open_root(c, d);
	int r = root;

	if (r >= 0)
		r = cli_function_read(root, b, &e->f, d);
	if (r < 0)
		return r;
	if (e->f.read < CFG_SIZE_PCI)
		return need_root(&e->f, d);
	compose(e);
	return 0;
}

/* A bit that lives in the device is what the device had as we read it. */
static uint8_t guest_byte(const struct explained *e, unsigned at)
{
	const uint8_t hw = e->view.hw[at];

	return (uint8_t)((e->view.reset[at] & ~hw) |
	                 (e->f.layout.raw[at] & hw));
}

/* ---- text ---------------------------------------------------------------- */

static const char *size_text(uint64_t n, char buf[24])
{
	static const char *const unit[] = { "", "K", "M", "G", "T", "P" };
	unsigned i = 0;

	while (n >= 1024 && n % 1024 == 0 && i + 1 < ARRAY_SIZE(unit)) {
		n /= 1024;
		i++;
	}
	snprintf(buf, 24, "%" PRIu64 "%s", n, unit[i]);
	return buf;
}

static const char *bar_kind(const struct cfg_bar *b)
{
	switch (b->kind) {
	case CFG_BAR_IO:
		return "ports";
	case CFG_BAR_MEM64:
		return "64-bit memory";
	case CFG_BAR_MEM32:
		return "memory";
	case CFG_BAR_NONE:
	case CFG_BAR_UPPER:
		break;
	}
	return NULL;
}

static void print_bars(const struct cfg_layout *l)
{
	char buf[24];

	for (unsigned i = 0; i < CFG_BARS; i++)
		if (bar_kind(&l->bar[i]))
			printf("BAR %u: %s%s, %s\n", i, bar_kind(&l->bar[i]),
			       l->bar[i].prefetch ? ", prefetchable" : "",
			       size_text(l->bar[i].size, buf));
	if (l->rom_size)
		printf("ROM: %s\n", size_text(l->rom_size, buf));
}

static void print_chosen(const json_t *o)
{
	if (json_is_false(json_object_get(o, "runs")))
		printf("\n%s does not run: it will get this one as %s",
		       cli_text(o, "guest", "?"), cli_text(o, "nic", "?"));
	if (*cli_text(o, "why", ""))
		printf("\nchosen from pool %s because: %s",
		       cli_text(o, "pool", "?"), cli_text(o, "why", ""));
	if (*cli_text(o, "others", ""))
		printf("\nand not the others: %s", cli_text(o, "others", ""));
}

static void print_head(const struct explained *e)
{
	const struct cfg_layout *l = &e->f.layout;
	char name[BDF_STRLEN], pf[BDF_STRLEN];

	printf("%s [%04x:%04x]", bdf_format(e->f.fn.bdf, name), e->f.fn.vendor,
	       e->f.fn.device);
	if (e->f.vf)
		printf(", a virtual function of %s: ids and BAR kinds are from "
		       "its PF",
		       bdf_format(e->f.pf, pf));
	print_chosen(e->chosen);
	printf("\nleft the function, right a guest that has it behind a root "
	       "port, before it writes\n");
	print_bars(l);
	if (l->chain_cut)
		printf("the capability list is broken: what comes after the "
		       "break is not shown\n");
}

static void print_quirks(const struct cfg_layout *l)
{
	const struct cfg_quirk *q = NULL;

	while ((q = cfg_quirk_next(l, q)))
		printf("quirk %s: %s\n  from: %s\n",
		       cfg_quirk_effect_name(q->effect), q->reason, q->source);
}

/* One capability and the bytes up to the next, or the header. */
struct section {
	unsigned start, end;
	const struct cfg_cap *cap;
};

static int compare(const void *a, const void *b)
{
	const struct section *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

#define SECTIONS (CFG_MAX_CAPS + 2)

static unsigned find_sections(const struct cfg_layout *l,
                              struct section s[SECTIONS])
{
	bool ext = false;
	unsigned n = 1;

	s[0] = (struct section){ 0 };
	for (unsigned i = 0; i < l->n_caps; i++) {
		ext |= l->cap[i].off == CFG_SIZE_PCI;
		s[n++] = (struct section){ .start = l->cap[i].off,
			                   .cap = &l->cap[i] };
	}
	if (!ext)
		s[n++] = (struct section){ .start = CFG_SIZE_PCI };
	qsort(s, n, sizeof(*s), compare);
	for (unsigned i = 0; i < n; i++)
		s[i].end = i + 1 < n ? s[i + 1].start : l->size;
	return n;
}

static void print_title(const struct section *s)
{
	const struct cfg_cap *c = s->cap;

	if (c)
		printf("\n%s %03x %s: %s; %s\n",
		       c->ext ? "extended capability" : "capability", c->off,
		       cfg_cap_name(c->ext, c->id),
		       cfg_verdict_name(c->verdict), c->reason);
	else
		printf("\n%s\n",
		       s->start ? "no extended capabilities" : "header");
}

#define LINE 8u

static void print_line(const struct explained *e, unsigned at, unsigned n)
{
	const uint8_t *raw = e->f.layout.raw;
	bool any = false, same = true;

	for (unsigned i = 0; i < n; i++) {
		any |= raw[at + i] || guest_byte(e, at + i);
		same &= raw[at + i] == guest_byte(e, at + i);
	}
	if (!any)
		return;
	printf("  %03x ", at);
	for (unsigned i = 0; i < LINE; i++)
		if (i < n)
			printf(" %02x", raw[at + i]);
		else
			printf("   ");
	printf("  %s ", same ? " " : "|");
	for (unsigned i = 0; i < n; i++)
		printf(" %02x", guest_byte(e, at + i));
	putchar('\n');
}

static void print_section(const struct explained *e, const struct section *s)
{
	bool any = s->cap || !s->start;

	for (unsigned at = s->start; at < s->end && !any; at++)
		any = e->f.layout.raw[at];
	if (!any)
		return;
	print_title(s);
	for (unsigned at = s->start; at < s->end; at += LINE)
		print_line(e, at, MIN(LINE, s->end - at));
	/* Of what is hidden as a whole, the title has said it. */
	for (size_t i = 0; i < e->n; i++) {
		const struct cfg_difference *d = &e->diff[i];

		if (s->cap && s->cap->verdict == CFG_HIDDEN)
			break;
		if (d->off < s->start || d->off >= s->end)
			continue;
		printf("    %03x+%x  %s: %s\n", d->off, d->len, d->what,
		       d->reason);
	}
}

static int print_text(const struct explained *e)
{
	struct section s[SECTIONS];
	unsigned n = find_sections(&e->f.layout, s);

	print_head(e);
	print_quirks(&e->f.layout);
	for (unsigned i = 0; i < n; i++)
		print_section(e, &s[i]);
	return CLI_OK;
}

/* ---- JSON ---------------------------------------------------------------- */

static json_t *bytes_json(const struct explained *e, unsigned off, unsigned len,
                          bool guest)
{
	char hex[2 * CFG_SIZE + 1] = "";

	for (unsigned i = 0; i < len; i++)
		snprintf(hex + (size_t)2 * i, 3, "%02x",
		         guest ? guest_byte(e, off + i)
		               : e->f.layout.raw[off + i]);
	return json_string(hex);
}

static json_t *caps_json(const struct cfg_layout *l)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < l->n_caps; i++) {
		const struct cfg_cap *c = &l->cap[i];

		json_array_append_new(
			list, json_pack("{s:i, s:b, s:i, s:i, s:s, s:s, s:s}",
		                        "id", c->id, "extended", c->ext,
		                        "offset", c->off, "length", c->len,
		                        "name", cfg_cap_name(c->ext, c->id),
		                        "verdict", cfg_verdict_name(c->verdict),
		                        "reason", c->reason));
	}
	return list;
}

static json_t *differences_json(const struct explained *e)
{
	json_t *list = json_array();

	for (size_t i = 0; i < e->n; i++) {
		const struct cfg_difference *d = &e->diff[i];

		json_array_append_new(
			list,
			json_pack("{s:i, s:i, s:i, s:s, s:s, s:o, s:o}",
		                  "offset", d->off, "length", d->len,
		                  "capability", d->cap, "what", d->what,
		                  "reason", d->reason, "function",
		                  bytes_json(e, d->off, d->len, false), "guest",
		                  bytes_json(e, d->off, d->len, true)));
	}
	return list;
}

static json_t *quirks_json(const struct cfg_layout *l)
{
	const struct cfg_quirk *q = NULL;
	json_t *list = json_array();

	while ((q = cfg_quirk_next(l, q)))
		json_array_append_new(
			list,
			json_pack("{s:s, s:i, s:I, s:I, s:s, s:s}", "effect",
		                  cfg_quirk_effect_name(q->effect), "bar",
		                  q->bar, "offset", (json_int_t)q->off, "size",
		                  (json_int_t)q->size, "reason", q->reason,
		                  "source", q->source));
	return list;
}

static int print_json(const struct explained *e)
{
	const struct cfg_layout *l = &e->f.layout;
	char name[BDF_STRLEN];

	return cli_print_json(json_pack(
		"{s:b, s:s, s:i, s:i, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:O*}",
		"ok", 1, "bdf", bdf_format(e->f.fn.bdf, name), "vendor-id",
		e->f.fn.vendor, "device-id", e->f.fn.device, "vf", e->f.vf,
		"chain-cut", l->chain_cut, "capabilities", caps_json(l),
		"differences", differences_json(e), "quirks", quirks_json(l),
		"function", bytes_json(e, 0, l->size, false), "guest",
		bytes_json(e, 0, l->size, true), "chosen", e->chosen));
}

int cli_explain(const struct cli *c, char *const *args, unsigned n)
{
	_cleanup_free_ struct explained *e = calloc(1, sizeof(*e));
	struct diag d = { 0 };
	struct bdf b = { 0 };
	int r;

	if (!e)
		return CLI_INTERNAL;
	r = cli_whose(c, args, n, &b, &e->chosen);
	if (r)
		return r;
	r = gather(c, b, e, &d);
	if (r < 0)
		r = cli_refuse(c, CLI_REFUSED, &d);
	else
		r = c->json ? print_json(e) : print_text(e);
	json_decref(e->chosen);
	return r;
}
