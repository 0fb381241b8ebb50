/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A vCPU's exits of a class, summed by whoever asks: its own thread counts each
 * once, by what and where. */

#include "vmm/priv.h"

uint64_t vcpu_exits(const struct vcpu *c, enum exit_class cls)
{
	uint64_t sum =
		atomic_load_explicit(&c->exits[cls], memory_order_relaxed);
	const unsigned first = EXIT_AT(cls, 0u, 0u);

	for (unsigned i = 0;
	     (cls == EXIT_BAR || cls == EXIT_OWN) && i < EXIT_PLACES; i++)
		sum += atomic_load_explicit(&c->exits[first + i],
		                            memory_order_relaxed);
	return sum;
}
