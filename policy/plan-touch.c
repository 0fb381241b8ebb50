/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which guests an action touches: of a VF or a whole function the one that it
 * is for (its label says so); of a PF all that lease a VF of it or are to have
 * one, once for each PF. Who may probe new VFs touches nobody.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

struct names {
	const char *label[2 * POL_VFS_MAX];
	size_t n;
};

static size_t guest_len(const char *label)
{
	return strcspn(label, "/");
}

static void add_labels(struct names *all, const struct pol_pf *pf)
{
	for (size_t i = 0; pf && i < pf->n_vfs; i++)
		if (*pf->vf[i].label && all->n < ARRAY_SIZE(all->label))
			all->label[all->n++] = pf->vf[i].label;
}

static int compare(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	size_t nx = guest_len(x), ny = guest_len(y);
	int c = memcmp(x, y, MIN(nx, ny));

	return c ? c : (nx > ny) - (nx < ny);
}

/* "a b c", each once; NULL with *ret_bad untouched = nobody. */
static char *join(struct names *all, bool *ret_bad)
{
	char *text, *at;

	if (!all->n)
		return NULL;
	qsort(all->label, all->n, sizeof(all->label[0]), compare);
	text = at = calloc(all->n, POL_NAME + 1);
	if (!text) {
		*ret_bad = true;
		return NULL;
	}
	for (size_t i = 0; i < all->n; i++) {
		size_t len = guest_len(all->label[i]);

		if (i && !compare(&all->label[i - 1], &all->label[i]))
			continue;
		if (at != text)
			*at++ = ' ';
		memcpy(at, all->label[i], len);
		at += len;
	}
	return text;
}

static bool of_pf(const struct pol_action *a)
{
	return a->vf < 0 && a->op != POL_OP_DEV_DRIVER &&
	       a->op != POL_OP_AUTOPROBE && a->op != POL_OP_OVERLAY &&
	       a->op != POL_OP_OVERLAY_GONE;
}

static char *guests_of(const struct pol_state *want,
                       const struct pol_state *seen, struct bdf pf,
                       bool *ret_bad)
{
	struct names all = { .n = 0 };

	add_labels(&all, state_pf(want, pf));
	add_labels(&all, state_pf(seen, pf));
	return join(&all, ret_bad);
}

int plan_touch(const struct pol_state *want, const struct pol_state *seen,
               struct pol_plan *plan)
{
	const struct pol_action *last = NULL;
	bool bad = false;

	for (size_t i = 0; !bad && i < plan->n; i++) {
		struct pol_action *a = &plan->action[i];

		if (!of_pf(a))
			continue;
		if (last && bdf_equal(last->pf, a->pf)) {
			a->guests = last->guests ? strdup(last->guests) : NULL;
			bad = last->guests && !a->guests;
		} else {
			a->guests = guests_of(want, seen, a->pf, &bad);
		}
		last = a;
	}
	return bad ? -ENOMEM : 0;
}

bool pol_action_guest(const struct pol_action *a, size_t *at,
                      char ret[static POL_NAME])
{
	const char *text = of_pf(a) ? a->guests : a->label;
	size_t len;

	if (!text || *at >= strlen(text))
		return false;
	len = strcspn(text + *at, " /");
	snprintf(ret, POL_NAME, "%.*s", (int)len, text + *at);
	/* A label has one; what comes after the slash is a NIC. */
	*at = of_pf(a) ? *at + len + 1 : strlen(text);
	return true;
}
