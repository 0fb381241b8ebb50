/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inventories are written by people. What is understood of one is the same
 * after another round, and can be planned on and made into a policy.
 */

#include "policy/policy.h"

#define CHECK(cond)                                                            \
	do {                                                                   \
		if (!(cond))                                                   \
			abort();                                               \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pol_errors *errs = calloc(1, sizeof(*errs));
	struct pol_state *s = NULL, *again = NULL;
	char *once = NULL, *twice = NULL;
	size_t n, m;

	CHECK(errs);
	if (pol_inventory_parse((const char *)data, size, &s, errs)) {
		CHECK(errs->n && !s);
		free(errs);
		return 0;
	}
	CHECK(!pol_inventory_format(s, "fuzz", &once, &n));
	CHECK(!pol_inventory_parse(once, n, &again, errs));
	CHECK(!pol_inventory_format(again, "fuzz", &twice, &m));
	CHECK(n == m && !memcmp(once, twice, n));
	CHECK(!pol_anonymize(again));
	pol_state_free(again);
	pol_state_free(s);
	free(twice);
	free(once);
	free(errs);
	return 0;
}
