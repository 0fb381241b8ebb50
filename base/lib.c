/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Libraries that are loaded when they are needed (base.h). */

#include <dlfcn.h>

#include "base/base.h"

int lib_load(const char *name, const struct lib_symbol *symbols, size_t n,
             void *ret)
{
	/* All of it is bound at once, as where it is linked. */
	void *lib = dlopen(name, RTLD_NOW | RTLD_LOCAL);

	if (!lib)
		return -ENOENT;
	for (size_t i = 0; i < n; i++) {
		void *fn = dlsym(lib, symbols[i].name);

		if (!fn)
			return -ENOENT;
		memcpy((char *)ret + symbols[i].at, &fn, sizeof(fn));
	}
	return 0;
}
