/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The schema of what the parser takes. That both agree is seen by
 * tests/static/schema, with somebody else's validator; here, what it is made
 * of. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/priv.h"

static char *schema(void)
{
	char *text = NULL;

	assert_int_equal(pol_schema(&text), 0);
	assert_non_null(text);
	return text;
}

/* Words, ranges and forms are those that the readers ask for. */
static void test_from_readers(void **state)
{
	static const char *const has[] = {
		"\"required\":[\"version\"]",
		"\"link\":{\"anyOf\":[{\"enum\":[\"up\",\"down\"]}",
		"\"maxItems\":64,\"items\":{\"title\":\"nic\"",
		"\"minimum\":0,\"maximum\":4094}",
		"\"minItems\":1",
		"\"ksm\":{\"const\":false",
	};
	char *text = schema();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(has); i++)
		if (!strstr(text, has[i]))
			fail_msg("not in it: %s", has[i]);
	free(text);
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

/* Keys that are known and not supported are not in it; all others are, and
 * none takes nothing. */
static void test_every_key(void **state)
{
	char *text = schema(), name[96];

	(void)state;
	for (size_t i = 0; i < table_policy.n; i++) {
		const struct key *k = &table_policy.keys[i];

		snprintf(name, sizeof(name), "\"%s\":{", k->name);
		if (!(k->flags & KEY_LATER))
			assert_non_null(strstr(text, name));
	}
	assert_int_equal(count(text, "\"anyOf\":[]"), 0);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_readers),
		cmocka_unit_test(test_every_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
