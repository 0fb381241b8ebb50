/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan-cost PFS fresh|carved read|plan TIMES: for tests/bench/plan. Reads the
 * inventory of such a machine, or parses, resolves and plans its policy, TIMES
 * times, and prints the actions and the most memory that it had, in KiB.
 */

#include <sys/resource.h>

#include "tests/unit/policy/scale.h"

static char *inventory;
static size_t len;

static struct pol_state *machine(struct pol_errors *errs)
{
	struct pol_state *s = NULL;

	scale_must(!pol_inventory_parse(inventory, len, &s, errs), "inventory");
	return s;
}

int main(int argc, char **argv)
{
	unsigned pfs = argc == 5 ? (unsigned)atoi(argv[1]) : 0;
	struct pol_errors *errs = calloc(1, sizeof(*errs));
	struct pol_state *s;
	struct rusage use;
	size_t n = 0;
	char *text;

	if (!pfs || !errs)
		return 2;
	s = scale_machine(pfs, !strcmp(argv[2], "carved"));
	scale_must(!pol_inventory_format(s, "scale", &inventory, &len), "");
	pol_state_free(s);
	text = scale_policy(pfs);
	s = machine(errs);
	for (int i = 0; i < atoi(argv[4]); i++) {
		if (strcmp(argv[3], "plan") != 0) {
			pol_state_free(s);
			s = machine(errs);
		} else {
			n = scale_plan(text, s, errs);
		}
	}
	pol_state_free(s);
	getrusage(RUSAGE_SELF, &use);
	printf("%zu %ld\n", n, use.ru_maxrss);
	free(text);
	free(inventory);
	free(errs);
	return 0;
}
