/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "tool.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name, *usage;
	int min;
	int (*run)(int argc, char **argv);
} tools[] = {
	{ "reg", "FN BAR OFFSET WIDTH [VALUE]", 4, tool_reg },
	{ "bar", "FN BAR STRIDE SEED [check]", 4, tool_bar },
	{ "edu", "FN WORD [ARGS]", 2, tool_edu },
	{ "msix", "FN VECTOR toggle|rewrite|move COUNT", 4, tool_msix },
	{ "draw", "DRIVER SEED SECONDS [NTH]", 3, tool_draw },
	{ "picture", "WIDTH HEIGHT SEED", 3, tool_picture },
	{ "disk", "DEV mix|log|fill NUMBER [WORKERS]", 3, tool_disk },
};

int main(int argc, char **argv)
{
	size_t n = sizeof(tools) / sizeof(tools[0]);

	for (size_t i = 0; argc > 1 && i < n; i++)
		if (!strcmp(argv[1], tools[i].name) && argc - 2 >= tools[i].min)
			return tools[i].run(argc - 2, argv + 2);
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, "l2-tool %s %s\n", tools[i].name,
		        tools[i].usage);
	return 2;
}
