/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole view of each recorded function, as text, against a golden file:
 * a change anywhere in the tables shows here as a line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/pci-config/recorded.h"

#include <stdlib.h>

static void print_caps(FILE *f, const struct cfg_layout *l)
{
	for (unsigned i = 0; i < l->n_caps; i++) {
		const struct cfg_cap *c = &l->cap[i];

		fprintf(f, "%s %03x+%02x %04x %-9s %s: %s\n",
		        c->ext ? "ext" : "cap", c->off, c->len, c->id,
		        cfg_verdict_name(c->verdict),
		        cfg_cap_name(c->ext, c->id), c->reason);
	}
	if (l->chain_cut)
		fprintf(f, "chain cut\n");
	fprintf(f, "pm %x express %x\n", l->pm, l->express);
	fprintf(f, "msi %x vectors %u addr64 %d maskable %d\n", l->msi.cap,
	        l->msi.vectors, l->msi.addr64, l->msi.maskable);
	fprintf(f, "msix %x vectors %u table %u+%x pba %u+%x\n", l->msix.cap,
	        l->msix.vectors, l->msix.table_bar, l->msix.table_off,
	        l->msix.pba_bar, l->msix.pba_off);
}

static void print_bars(FILE *f, const struct cfg_layout *l)
{
	static const char *const kind[] = { "-", "io", "mem32", "mem64",
		                            "upper" };

	for (unsigned i = 0; i < CFG_BARS; i++)
		if (l->bar[i].kind)
			fprintf(f, "bar %u %s%s %llx\n", i,
			        kind[l->bar[i].kind],
			        l->bar[i].prefetch ? " prefetchable" : "",
			        (unsigned long long)l->bar[i].size);
}

static void print_bytes(FILE *f, const struct cfg_space *s)
{
	static const uint8_t zero[16];

	for (unsigned off = 0; off < CFG_SIZE; off += 16) {
		if (!memcmp(s->now + off, zero, 16))
			continue;
		fprintf(f, "%03x:", off);
		for (unsigned i = 0; i < 16; i++)
			fprintf(f, " %02x", s->now[off + i]);
		fprintf(f, "\n");
	}
}

static void print_masks(FILE *f, const struct cfg_space *s)
{
	fprintf(f, "%-4s %-8s %-8s %-8s %-8s %-8s %-8s %s\n", "at", "reset",
	        "rw", "w1c", "hw", "fwd", "keep", "event");
	for (unsigned off = 0; off < CFG_SIZE; off += 4) {
		const uint64_t any =
			load_le(s->rw + off, 4) | load_le(s->w1c + off, 4) |
			load_le(s->hw + off, 4) | load_le(s->fwd + off, 4);

		if (!any)
			continue;
		fprintf(f,
		        "%03x  %08llx %08llx %08llx %08llx %08llx %08llx "
		        "%08llx\n",
		        off, (unsigned long long)load_le(s->reset + off, 4),
		        (unsigned long long)load_le(s->rw + off, 4),
		        (unsigned long long)load_le(s->w1c + off, 4),
		        (unsigned long long)load_le(s->hw + off, 4),
		        (unsigned long long)load_le(s->fwd + off, 4),
		        (unsigned long long)load_le(s->keep + off, 4),
		        (unsigned long long)load_le(s->event + off, 4));
	}
}

static void check_golden(const char *name, const char *text)
{
	char path[128], *want;
	const bool update = getenv("GOLDEN_UPDATE") != NULL;
	size_t got;
	FILE *f;

	snprintf(path, sizeof(path), "tests/golden/config/%s.view", name);
	if (update) {
		f = fopen(path, "we");
		assert_non_null(f);
		fputs(text, f);
		fclose(f);
		fail_msg("%s written anew: review it", path);
	}
	f = fopen(path, "re");
	if (!f)
		fail_msg("no %s", path);
	want = calloc(1, 1 << 20);
	assert_non_null(want);
	got = fread(want, 1, (1 << 20) - 1, f);
	assert_true(got > 0);
	fclose(f);
	assert_string_equal(text, want);
	free(want);
}

static void print_space(FILE *f, const struct cfg_space *s)
{
	print_bytes(f, s);
	print_masks(f, s);
}

static void function_view(void **state)
{
	static const struct cfg_place place = { .behind_port = true,
		                                .intx_pin = 1 };
	const char *name = *state;
	struct cfg_layout l;
	struct cfg_space s;
	char *text = NULL;
	size_t size;
	FILE *f;

	assert_int_equal(recorded_layout(name, &l), 0);
	cfg_compose_endpoint(&s, &l, &place);
	f = open_memstream(&text, &size);
	assert_non_null(f);
	print_bars(f, &l);
	print_caps(f, &l);
	print_space(f, &s);
	fclose(f);
	check_golden(name, text);
	free(text);
}

static void own_view(void **state)
{
	static const struct cfg_port port = { .slot = 3,
		                              .port = 2,
		                              .hotplug = true,
		                              .link_speed = 3,
		                              .link_width = 8 };
	struct cfg_space s;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	assert_non_null(f);
	fprintf(f, "host bridge\n");
	cfg_compose_host_bridge(&s);
	print_space(f, &s);
	fprintf(f, "root port, no hot plug\n");
	cfg_compose_root_port(&s, &(struct cfg_port){ .slot = 1 });
	print_space(f, &s);
	fprintf(f, "root port, hot plug\n");
	cfg_compose_root_port(&s, &port);
	print_space(f, &s);
	fprintf(f, "root port, hot plug, empty\n");
	cfg_compose_root_port(&s, &(struct cfg_port){ .slot = 4,
	                                              .port = 4,
	                                              .hotplug = true,
	                                              .empty = true });
	print_space(f, &s);
	fclose(f);
	check_golden("own", text);
	free(text);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(recorded_names) + 1];

	for (unsigned i = 0; i < ARRAY_SIZE(recorded_names); i++)
		tests[i] = (struct CMUnitTest){
			.name = recorded_names[i],
			.test_func = function_view,
			.initial_state = (void *)(uintptr_t)recorded_names[i],
		};
	tests[ARRAY_SIZE(recorded_names)] = (struct CMUnitTest){
		.name = "own",
		.test_func = own_view,
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
