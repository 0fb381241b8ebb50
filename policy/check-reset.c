/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `reset: require`: a device is given away only where it can be reset by one
 * of the ways that it names. The kernel says what it can do to the function
 * alone (reset_method); a bus that is below a port and has nothing on it but
 * what the guest gets can be reset as a whole, too: VFIO does it with all of
 * its functions (VFIO_DEVICE_PCI_HOT_RESET), and most graphics cards have no
 * other way. Companions need none of their own: they go with it.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

static bool has_bus(const struct pol_state *seen,
                    const struct pol_whole *const *fn, size_t n)
{
	if (!fn[0]->below_port)
		return false;
	for (size_t i = 0; i < seen->n_wholes; i++) {
		const struct pol_whole *w = &seen->whole[i];
		bool ours = w->bdf.domain != fn[0]->bdf.domain ||
		            w->bdf.bus != fn[0]->bdf.bus;

		for (size_t k = 0; !ours && k < n; k++)
			ours = w == fn[k];
		if (!ours)
			return false;
	}
	return true;
}

void check_reset(struct resolve *r, const struct pol_device *dev,
                 const struct pol_whole *const *fn, size_t n)
{
	unsigned have = reset_bits(fn[0]->reset);
	char b[BDF_STRLEN], names[POL_RESET_TEXT];
	struct diag *d;

	if (has_bus(r->seen, fn, n))
		have |= POL_RESET_BUS;
	if (!dev->resets || have & dev->resets)
		return;
	reset_names(dev->resets, names, sizeof(names));
	d = pol_err(r->errs, dev->resets_pos, FL_POL_RESET,
	            "%s %s: %s cannot be reset by %s", pol_kind_name(dev->kind),
	            dev->name, bdf_format(fn[0]->bdf, b), names);
	reset_names(have, names, sizeof(names));
	if (have)
		diag_why(d, "the ways that it has: %s", names);
	else
		diag_why(d, fn[0]->set & POL_HAS_RESET
		                    ? "the kernel knows no way to reset it"
		                    : "it is not known how it can be");
	diag_mend(d,
	          "see `cat /sys/bus/pci/devices/%s/reset_method`; name one of "
	          "those, or leave 'reset' out and give it to one guest only",
	          b);
}
