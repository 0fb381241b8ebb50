/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy's `host` meets the machine: whether it is the one meant, and
 * whether something on it could be given away that the policy does not name.
 *
 * A guard that cannot be checked refuses: a machine whose name cannot be read
 * may be any.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

bool pol_machine_id(const char *text, char ret[static POL_MACHINE_ID])
{
	char id[POL_MACHINE_ID] = "";

	for (size_t i = 0; i < sizeof(id) - 1; i++) {
		bool upper = text[i] >= 'A' && text[i] <= 'F';

		if (!upper && !(text[i] >= 'a' && text[i] <= 'f') &&
		    !(text[i] >= '0' && text[i] <= '9'))
			return false;
		id[i] = (char)(upper ? text[i] - 'A' + 'a' : text[i]);
	}
	if (text[sizeof(id) - 1])
		return false;
	memcpy(ret, id, sizeof(id));
	return true;
}

/* ---- match --------------------------------------------------------------- */

/* A kernel is told the whole name or its first label only, as its installer
 * had it: a policy that writes the label alone means either. */
static bool name_fits(const char *want, const char *is)
{
	size_t len = strlen(want);

	if (!strcmp(want, is))
		return true;
	return !strchr(want, '.') && !strncmp(want, is, len) && is[len] == '.';
}

static void wrong_name(struct resolve *r, const struct pol_host *h,
                       const struct pol_machine *m)
{
	struct diag *d = pol_err(r->errs, h->match_pos, FL_POL_HOST,
	                         "this policy is for host %s", h->hostname);

	if (*m->hostname)
		diag_why(d, "this one is %s", m->hostname);
	else
		diag_why(d, "the name of this one cannot be read");
	diag_mend(d, "apply it on %s, or correct 'match' of 'host'",
	          h->hostname);
}

static void wrong_id(struct resolve *r, const struct pol_host *h,
                     const struct pol_machine *m)
{
	struct diag *d = pol_err(r->errs, h->match_pos, FL_POL_HOST,
	                         "this policy is for another machine-id");

	diag_why(d, *m->id ? "this host's is not the one that it states"
	                   : "/etc/machine-id of this host cannot be read");
	diag_mend(d, "compare with `cat /etc/machine-id`, or correct 'match' "
	             "of 'host'");
}

void check_machine(struct resolve *r)
{
	const struct pol_host *h = &r->p->host;
	const struct pol_machine *m = &r->seen->machine;

	if (*h->hostname && !name_fits(h->hostname, m->hostname))
		wrong_name(r, h, m);
	if (*h->machine_id && strcmp(h->machine_id, m->id) != 0)
		wrong_id(r, h, m);
}

/* ---- unlisted-devices ---------------------------------------------------- */

static bool is_nic(const struct resolve *r, struct bdf b)
{
	for (size_t i = 0; i < r->p->n_nics; i++)
		if (r->at[i] && bdf_equal(r->at[i]->bdf, b))
			return true;
	return false;
}

/* A VF is its PF's: named with it, or found with it. */
static bool is_vf_of_pf(const struct resolve *r, struct bdf b)
{
	for (size_t i = 0; i < r->seen->n_pfs; i++)
		for (size_t j = 0; j < r->seen->pf[i].n_vfs; j++)
			if (bdf_equal(r->seen->pf[i].vf[j].bdf, b))
				return true;
	return false;
}

static void add_unlisted(char *line, size_t size, size_t *n, struct bdf b,
                         const char *what)
{
	size_t at = strlen(line);
	char text[BDF_STRLEN];

	if (at + BDF_STRLEN + strlen(what) + 8 < size)
		snprintf(line + at, size - at, "%s%s (%s)", *n ? ", " : "",
		         bdf_format(b, text), what);
	(*n)++;
}

static void find_unlisted(const struct resolve *r, char *line, size_t size,
                          size_t *n)
{
	char what[POL_NAME + 16];

	for (size_t i = 0; i < r->seen->n_pfs; i++) {
		const struct pol_pf *pf = &r->seen->pf[i];

		if (!pf->num_vfs || is_nic(r, pf->bdf))
			continue;
		snprintf(what, sizeof(what), "%u VFs", pf->num_vfs);
		add_unlisted(line, size, n, pf->bdf, what);
	}
	for (size_t i = 0; i < r->seen->n_wholes; i++) {
		const struct pol_whole *w = &r->seen->whole[i];

		if (pol_driver_is_vfio(w->driver) &&
		    !state_whole(r->want, w->bdf) && !is_nic(r, w->bdf) &&
		    !is_vf_of_pf(r, w->bdf))
			add_unlisted(line, size, n, w->bdf, w->driver);
	}
}

/* What somebody else has made ready to be given away: PFs that have VFs, and
 * functions that vfio has. After resolve_devices(). */
void check_unlisted(struct resolve *r)
{
	char line[DIAG_LINE] = "";
	struct diag *d;
	size_t n = 0;

	if (!r->p->host.deny_unlisted)
		return;
	find_unlisted(r, line, sizeof(line), &n);
	if (!n)
		return;
	d = pol_err(r->errs, r->p->host.unlisted_pos, FL_POL_UNLISTED,
	            "%zu function(s) of this host could be given away and the "
	            "policy does not name them",
	            n);
	diag_why(d, "%s", line);
	diag_mend(d, "name them in 'nics' or 'devices', take their VFs or vfio "
	             "drivers away, or write `unlisted-devices: leave`");
}
