/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which physical function a nic means. Exactly one must match; the answer to
 * none or several lists what there is, so that the file can be mended without
 * another tool.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

bool match_fits(const struct pol_match *m, struct bdf b, uint16_t vendor,
                uint16_t device, const char *driver)
{
	return (!m->by_pci || bdf_equal(m->pci, b)) &&
	       (!m->by_vendor || m->vendor == vendor) &&
	       (!m->by_device || m->device == device) &&
	       (!m->by_driver || !strcmp(m->driver, driver));
}

static bool matches(const struct pol_nic *nic, const struct pol_pf *pf)
{
	return match_fits(&nic->match, pf->bdf, pf->vendor, pf->device,
	                  pf->driver) &&
	       (!nic->match.by_ifname ||
	        !strcmp(nic->match.ifname, pf->ifname));
}

/* "0000:01:00.0 (8086:10c9, igb, ens1f0)" */
static void describe(const struct pol_pf *pf, char *buf, size_t size)
{
	char b[BDF_STRLEN];

	snprintf(buf, size, "%s (%04x:%04x, %s%s%s)", bdf_format(pf->bdf, b),
	         pf->vendor, pf->device, *pf->driver ? pf->driver : "no driver",
	         *pf->ifname ? ", " : "", pf->ifname);
}

/* The PFs that match, or all where `all`, as many as the line holds. */
static void list_pfs(struct diag *d, const char *lead,
                     const struct pol_nic *nic, const struct pol_state *seen,
                     bool all)
{
	char line[DIAG_LINE], one[120];
	size_t at = (size_t)snprintf(line, sizeof(line), "%s", lead);

	for (size_t i = 0; i < seen->n_pfs; i++) {
		if (!all && !matches(nic, &seen->pf[i]))
			continue;
		describe(&seen->pf[i], one, sizeof(one));
		if (at + strlen(one) + 8 > sizeof(line)) {
			snprintf(line + at, sizeof(line) - at, ", ...");
			break;
		}
		at += (size_t)snprintf(line + at, sizeof(line) - at, "%s %s",
		                       line[at - 1] == ':' ? "" : ",", one);
	}
	diag_why(d, "%s", line);
}

static void none_matches(const struct pol_nic *nic,
                         const struct pol_state *seen, struct pol_errors *errs)
{
	const struct pol_pf *pf =
		nic->match.by_pci ? state_pf(seen, nic->match.pci) : NULL;
	char b[BDF_STRLEN], one[120];
	struct diag *d;

	d = pol_err(errs, nic->match.pos, FL_POL_NO_MATCH,
	            "nic %s: no device matches", nic->name);
	if (pf) {
		describe(pf, one, sizeof(one));
		diag_why(d,
		         "at that address is %s, not what the other keys "
		         "say",
		         one);
		diag_mend(d, "if the card was changed on purpose, change "
		             "'match'");
		return;
	}
	if (seen->n_pfs)
		list_pfs(d, "functions that can have VFs:", nic, seen, true);
	else
		diag_why(d, "no function of this host can have VFs");
	if (nic->match.by_pci)
		diag_mend(d, "see `lspci -s %s` and `fairlead doctor`",
		          bdf_format(nic->match.pci, b));
	else
		diag_mend(d, "see `lspci -nnk` and `fairlead doctor`");
}

const struct pol_pf *match_pf(const struct pol_nic *nic,
                              const struct pol_state *seen,
                              struct pol_errors *errs)
{
	const struct pol_pf *found = NULL;
	struct diag *d;
	size_t n = 0;

	for (size_t i = 0; i < seen->n_pfs; i++)
		if (matches(nic, &seen->pf[i])) {
			found = &seen->pf[i];
			n++;
		}
	if (n == 1)
		return found;
	if (!n) {
		none_matches(nic, seen, errs);
		return NULL;
	}
	d = pol_err(errs, nic->match.pos, FL_POL_NO_MATCH,
	            "nic %s: %zu devices match, one is needed", nic->name, n);
	list_pfs(d, "they are:", nic, seen, false);
	diag_mend(d, "add `pci:` with the address of the one meant");
	return NULL;
}
