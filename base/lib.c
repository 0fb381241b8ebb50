/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Libraries that are loaded when they are needed (base.h). */

#include <dlfcn.h>

#include "base/base.h"

int lib_load(const char *lib, const char *const *names, size_t n, void *ret)
{
	/* All of it is bound at once, as where it is linked. */
	void *from = dlopen(lib, RTLD_NOW | RTLD_LOCAL);

	if (!from)
		return -ELIBACC;
	for (size_t i = 0; i < n; i++) {
		void *fn = dlsym(from, names[i]);

		if (!fn)
			return -ELIBACC;
		memcpy((char *)ret + i * sizeof(fn), &fn, sizeof(fn));
	}
	return 0;
}
